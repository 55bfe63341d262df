//! A real song through real hosts is, sample for sample, what `bounce` makes of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bunri_stream::engine::{Engine, ModelSource, OpenOptions, SearchPath};
use bunri_stream::files::to_stereo;
use bunri_stream::{
    BuiltIn, Encoding, FileReader, FileWriter, HostOptions, Mode, OfflineSeparator, Planar,
    read_clip,
};
use bunri_tests::bundle::{Bundles, bounce_program, engine_folder};
use bunri_tests::own_process::{Environment, in_own_process};
use bunri_tests::signals::{assert_near, max_error, sum};
use bunri_tests::{AuxBuses, Format, Pace, STEMS, Setup, checkpoint};

const LIMIT: Duration = Duration::from_secs(580);
const EXCERPT_SECONDS: usize = 20;
/// The largest difference of any sample: floats added up in another order, nothing more.
const TOLERANCE: f32 = 1e-6;

/// Guards against every way in which the plugin's stems could differ from the offline ones: another
/// chunk grid, a lost hop, a slip by the latency, a resampler of its own.
#[test]
fn through_both_hosts_equals_bounce() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let Some((rate_hz, song)) = song() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = model(&engine_folder, folder.path());
    let excerpt = folder.path().join("excerpt.wav");
    let mut file = FileWriter::create(&excerpt, rate_hz, 2, Encoding::Wav32Float).expect("a file");
    file.write(&song).expect("the excerpt written");
    file.finish().expect("the excerpt written");

    let environment = Environment {
        engine_folder: Some(engine_folder),
        model,
    };
    in_own_process(
        "through_both_hosts_equals_bounce",
        || environment,
        LIMIT,
        || {
            let bundles = Bundles::new();
            let stems = separated_offline(&song, rate_hz);
            if let Some(bounced) = bounce(&excerpt, folder.path()) {
                assert_equal(&bounced, &stems, "bounce");
            }
            check_hosts(&bundles, &song, rate_hz, &stems);
            // Once as if it had another rate: then the rate is converted.
            let song = song.slice(0, song.frames() / 4);
            check_hosts(&bundles, &song, 48_000, &separated_offline(&song, 48_000));
        },
    );
}

/// Panics unless both hosts play exactly these stems of the song, and their sum.
fn check_hosts(bundles: &Bundles, song: &Planar, rate_hz: u32, stems: &[Planar]) {
    for format in [Format::Clap, Format::Vst3] {
        let buses = through_host(format, bundles, song, rate_hz);
        let what = format!("{format:?} at {rate_hz} Hz");
        assert_equal(&buses[1..], stems, &what);
        assert_near(&buses[0], &sum(stems), TOLERANCE, &format!("{what}: main"));
    }
}

/// Panics unless these are the same stems; prints how near they are.
fn assert_equal(got: &[Planar], expected: &[Planar], what: &str) {
    assert_eq!(
        (got.len(), expected.len()),
        (STEMS.len(), STEMS.len()),
        "{what}: stems"
    );
    for ((got, expected), name) in got.iter().zip(expected).zip(STEMS) {
        println!(
            "{what}: {name}: largest difference {:e}",
            max_error(got, expected).0
        );
        assert_near(got, expected, TOLERANCE, &format!("{what}: {name}"));
    }
}

/// The output buses of an offline render with blocks of many sizes, the latency taken off.
fn through_host(format: Format, bundles: &Bundles, song: &Planar, rate_hz: u32) -> Vec<Planar> {
    let mut host = format.load(&bundles.path(format));
    host.activate(Setup {
        rate_hz,
        max_block_frames: 4096,
        pace: Pace::Offline,
        aux: AuxBuses::Active,
    });
    let latency = host.latency_frames();
    let mut input = song.clone();
    input.resize_frames(song.frames() + latency);
    let buses = host.process(&input, &[1024, 1, 4096, 64, 1000, 333]);
    buses
        .iter()
        .map(|bus| bus.slice(latency, song.frames()))
        .collect()
}

/// The mode in which a new plugin runs: Live with the engine's own model, Studio's of one second where
/// it has none for Live, a file's own with a model of the test's.
fn mode() -> Mode {
    if std::env::var_os("BUNRI_MODEL").is_some() {
        return Mode::default();
    }
    let live = OpenOptions {
        mode: Mode::Live,
        ..OpenOptions::default()
    };
    let engine = Engine::global().expect("the engine");
    match engine.open(&ModelSource::BuiltIn(BuiltIn::Live), &live) {
        Ok(_) => Mode::Live,
        Err(_) => Mode::Studio { latency_ms: 1000 },
    }
}

/// What the engine itself makes of the song, without a plugin.
fn separated_offline(song: &Planar, rate_hz: u32) -> Vec<Planar> {
    let mode = mode();
    let built_in = ModelSource::BuiltIn(BuiltIn::for_mode(mode));
    let source =
        std::env::var_os("BUNRI_MODEL").map_or(built_in, |path| ModelSource::File(path.into()));
    let options = OpenOptions {
        mode,
        ..OpenOptions::default()
    };
    let engine = Engine::global().expect("the engine");
    let model = engine.open(&source, &options).expect("the model");
    let mut separator =
        OfflineSeparator::new(model, rate_hz, HostOptions::default()).expect("a separator");
    let mut stems = Vec::new();
    separator
        .push(song, &mut stems)
        .expect("the song separated");
    separator.finish(&mut stems).expect("the end separated");
    stems
}

/// The stems that the `bounce` program writes for `song`; `None`, with the reason printed, if it
/// is not built.
fn bounce(song: &Path, folder: &Path) -> Option<Vec<Planar>> {
    let program = bounce_program()?;
    let mut command = Command::new(program);
    command
        .arg(song)
        .arg("-o")
        .arg(folder)
        .args(["--bits", "32f", "--device", "cpu"])
        .args(["--mode", &mode().to_string()]);
    if let Some(model) = std::env::var_os("BUNRI_MODEL") {
        command.arg("--model").arg(model);
    }
    let output = command.output().expect("bounce started");
    assert!(
        output.status.success(),
        "bounce: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stem = |name: &str| {
        let path = folder.join("excerpt").join(name).with_extension("wav");
        read_clip(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .audio
    };
    Some(STEMS.map(stem).into())
}

/// The model to test with: `None` for the engine's own if it has one, else a random one.
fn model(engine_folder: &Path, folder: &Path) -> Option<PathBuf> {
    let engine = Engine::global_in(&SearchPath::new([engine_folder.to_owned()]));
    match engine
        .expect("the engine")
        .open(&ModelSource::default(), &OpenOptions::default())
    {
        Ok(_) => None,
        Err(error) => {
            println!("with a random model, because: {error}");
            let model = folder.join("random.safetensors");
            checkpoint::random(&model);
            Some(model)
        }
    }
}

/// Rate and beginning of a real song; `None`, with the reason printed, if it is not here.
fn song() -> Option<(u32, Planar)> {
    let data = std::env::var_os("BUNRI_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = data.join("songs/outfoxing.mp3");
    if !path.is_file() {
        println!(
            "skipped: no {}; BUNRI_TEST_DATA names another folder",
            path.display()
        );
        return None;
    }
    let mut reader = FileReader::open(&path).expect("the song");
    let rate_hz = reader.rate_hz();
    let mut song = Planar::zeros(reader.channels(), 0);
    while song.frames() < EXCERPT_SECONDS * rate_hz as usize {
        song.append(&reader.read(1 << 16).expect("the song")?);
    }
    song.resize_frames(EXCERPT_SECONDS * rate_hz as usize);
    Some((rate_hz, to_stereo(song).expect("mono or stereo")))
}
