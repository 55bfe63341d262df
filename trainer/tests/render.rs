//! `trainer data render`: what training relies on in a generated song.

// A test that cannot go on may panic.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use bunri_stream::{Encoding, FileWriter, Planar, read_clip};
use bunri_trainer::render::{
    Args, Format, RECIPE, RenderedSong, STEMS, Sources, corpus, render_song, run,
};

fn synthesized(seed: u64, seconds: f64) -> RenderedSong {
    render_song(seed, seconds, &Sources::synthesis_only()).unwrap()
}

fn peak(audio: &Planar) -> f32 {
    audio
        .channels()
        .flatten()
        .fold(0.0, |peak: f32, sample| peak.max(sample.abs()))
}

fn args(out: &Path, jobs: usize) -> Args {
    Args {
        out: out.to_owned(),
        songs: 3,
        seconds: 2.0,
        seed: 7,
        // Any file that is no soundfont is refused, so the tests name none and take what is there.
        soundfont: None,
        recorded: Vec::new(),
        format: Format::Wav,
        jobs: Some(jobs),
    }
}

fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// A generator with hidden state, or one that hashes in random order, gives another song each run.
#[test]
fn a_seed_names_one_song() {
    let song = synthesized(11, 8.0);
    assert_eq!(song, synthesized(11, 8.0));
    let other = synthesized(12, 8.0);
    for ((name, stem), (_, other)) in song.stems.iter().zip(&other.stems) {
        assert_ne!(stem, other, "{name}");
    }
}

/// Songs rendered at the same time must not share a random stream.
#[test]
fn jobs_do_not_change_a_byte() {
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(args(one.path(), 1)).unwrap();
    run(args(many.path(), 3)).unwrap();
    let strip = |root: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let relative = |(path, bytes): (PathBuf, Vec<u8>)| {
            (path.strip_prefix(root).unwrap().to_owned(), bytes)
        };
        files_below(root).into_iter().map(relative).collect()
    };
    let (one, many) = (strip(one.path()), strip(many.path()));
    // Five sounds and song.json for each of three songs.
    assert_eq!(one.len(), 18);
    assert!(one == many);
}

/// Training takes the mixture for the sum of the stems, to the last bit.
#[test]
fn stems_on_disk_add_up_to_the_mixture() {
    for format in [Format::Wav, Format::Flac] {
        let folder = tempfile::tempdir().unwrap();
        run(Args {
            songs: 1,
            format,
            ..args(folder.path(), 1)
        })
        .unwrap();
        let extension = if format == Format::Wav { "wav" } else { "flac" };
        let read = |name: &str| {
            let path = folder
                .path()
                .join("seed-000007")
                .join(name)
                .with_extension(extension);
            let clip = read_clip(path).unwrap();
            assert_eq!((clip.rate_hz, clip.audio.channel_count()), (44_100, 2));
            clip.audio
        };
        let mut sum = read(STEMS[0]);
        STEMS[1..].iter().for_each(|name| sum.add(&read(name)));
        assert_eq!(sum, read("mixture"));
        assert_eq!(sum.frames(), 88_200);
    }
}

/// A song in which a stem never plays teaches nothing about it; a clipped or broken one teaches
/// distortion.
#[test]
fn songs_are_whole_and_clean() {
    for seed in 20..22 {
        let song = synthesized(seed, 20.0);
        for (name, stem) in &song.stems {
            assert_eq!(stem.frames(), 20 * 44_100);
            assert!(
                stem.channels().flatten().all(|sample| sample.is_finite()),
                "{seed} {name}"
            );
            assert!(
                peak(stem) > 0.02,
                "seed {seed}: {name} peaks at {}",
                peak(stem)
            );
        }
        assert!(peak(&song.mixture()) <= 1.0, "seed {seed}");
        assert!(peak(&song.mixture()) > 0.1, "seed {seed}");
    }
}

/// What rests is silent: else a separator learns that silence hums.
#[test]
fn a_resting_stem_is_exactly_silent() {
    // After the last note a room may ring this long, and singers breathe before they begin.
    const RING_S: f64 = 7.0;
    const BREATH_S: f64 = 0.6;
    // In each, another stem stops long before the end.
    const RESTING: [u64; 4] = [5, 9, 107, 263];
    let mut checked = 0;
    for seed in RESTING {
        let song = synthesized(seed, 20.0);
        let sections = &song.notes.sections;
        for (name, stem) in &song.stems {
            let mut quiet_from = 0.0;
            for (index, section) in sections.iter().enumerate() {
                let end = sections.get(index + 1).map_or(20.0, |next| next.start_s);
                if section.plays.contains(name) {
                    quiet_from = end + RING_S;
                    continue;
                }
                let (from, to) = (quiet_from.max(section.start_s), end - BREATH_S);
                if to > from + 0.5 {
                    let rest = stem.slice(
                        (from * 44_100.0) as usize,
                        ((to - from) * 44_100.0) as usize,
                    );
                    assert_eq!(
                        peak(&rest),
                        0.0,
                        "seed {seed}: {name} from {from} to {to} s"
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(
        checked >= 8,
        "only {checked} rests were long enough to look at"
    );
}

/// A run that was stopped goes on where it was, and repairs what was left half-done.
#[test]
fn a_second_run_only_makes_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    run(args(folder.path(), 2)).unwrap();
    let before = files_below(folder.path());
    let untouched = folder.path().join("seed-000007/drums.wav");
    let written = fs::metadata(&untouched).unwrap().modified().unwrap();
    fs::remove_dir_all(folder.path().join("seed-000008")).unwrap();
    // What a killed run leaves: an unfinished hidden folder, and a song without its notes.
    fs::create_dir(folder.path().join(".seed-000008.part")).unwrap();
    fs::write(folder.path().join(".seed-000008.part/drums.wav"), "half").unwrap();
    fs::remove_file(folder.path().join("seed-000009/song.json")).unwrap();
    run(args(folder.path(), 2)).unwrap();
    assert!(files_below(folder.path()) == before);
    assert_eq!(
        fs::metadata(&untouched).unwrap().modified().unwrap(),
        written
    );
}

/// Two parts of short songs, as `trainer data corpus` takes them.
fn corpus_args(root: &Path, songs: Option<u64>) -> corpus::Args {
    let config = root.join("corpus.toml");
    let part = |name: &str, songs: u64, seed: u64| {
        format!("[[part]]\nname = \"{name}\"\nsongs = {songs}\nseconds = 2\nseed = {seed}\n")
    };
    let parts = part("train", 3, 40) + &part("valid", 1, 30);
    fs::write(&config, format!("output = \"elsewhere\"\n{parts}")).unwrap();
    corpus::Args {
        config,
        out: Some(root.join("songs")),
        songs,
        scale: None,
        seconds: None,
        format: Format::Wav,
        jobs: Some(2),
    }
}

/// A corpus that was killed must come out as if it had not been: what is unfinished is made again,
/// what is finished is not touched.
#[test]
fn a_corpus_goes_on_where_it_was_stopped() {
    let (stopped, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    corpus::run(&corpus_args(whole.path(), None)).unwrap();
    // As far as one song of each part, with half of another.
    corpus::run(&corpus_args(stopped.path(), Some(1))).unwrap();
    let half = stopped.path().join("songs/train/.seed-000041.part");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("drums.wav"), "half").unwrap();
    let first = stopped.path().join("songs/train/seed-000040/drums.wav");
    let written = fs::metadata(&first).unwrap().modified().unwrap();
    corpus::run(&corpus_args(stopped.path(), None)).unwrap();
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), written);
    let below = |root: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let songs = root.join("songs");
        let files = files_below(&songs).into_iter();
        files
            .filter(|(path, _)| !path.ends_with(".lock")) // names the process that made them
            .map(|(path, bytes)| (path.strip_prefix(&songs).unwrap().to_owned(), bytes))
            .collect()
    };
    let (stopped, whole) = (below(stopped.path()), below(whole.path()));
    // Five sounds and song.json for each of four songs.
    assert_eq!(whole.len(), 24);
    assert!(stopped == whole);
}

/// Songs of two versions of the generator, or of two lengths, must not be mixed unseen; nor may a
/// run delete what somebody may be training on.
#[test]
fn songs_of_another_version_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    run(args(folder.path(), 2)).unwrap();
    let notes = folder.path().join("seed-000008/song.json");
    let text = fs::read_to_string(&notes).unwrap();
    let this = format!("\"recipe\": {RECIPE},");
    assert!(text.contains(&this), "{text}");
    // The first version did not say which it was.
    fs::write(&notes, text.replace(&this, "")).unwrap();
    let before = files_below(folder.path());
    let refused = format!("{:#}", run(args(folder.path(), 2)).unwrap_err());
    assert!(refused.contains("seed-000008"), "{refused}");
    assert!(refused.contains("version 1"), "{refused}");
    fs::write(&notes, text).unwrap();
    let longer = Args {
        seconds: 3.0,
        ..args(folder.path(), 2)
    };
    let refused = format!("{:#}", run(longer).unwrap_err());
    assert!(refused.contains("2 s long"), "{refused}");
    assert_eq!(files_below(folder.path()).len(), before.len());
}

/// The loudness of the mixture, measured here.
fn loudness_lufs(audio: &Planar) -> f64 {
    let mut meter = ebur128::EbuR128::new(2, 44_100, ebur128::Mode::I).unwrap();
    let (left, right) = (audio.channel(0), audio.channel(1));
    meter.add_frames_planar_f32(&[left, right]).unwrap();
    meter.loudness_global().unwrap()
}

/// How alike a stem's loudness is to itself `seconds` later, over windows of 10 ms.
fn repeats(audio: &Planar, seconds: f64) -> f64 {
    let window = |chunk: &[f32]| f64::from(chunk.iter().map(|x| x * x).sum::<f32>()).sqrt();
    let levels: Vec<f64> = audio.channel(0).chunks(441).map(window).collect();
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    let lag = (seconds * 100.0).round() as usize;
    let product = |lag: usize| -> f64 {
        let pairs = levels.iter().zip(&levels[lag..]);
        let count = (levels.len() - lag) as f64;
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / count
    };
    product(lag) / product(0)
}

/// What `song.json` says is what one hears: the tempo, the loudness, the peak.
#[test]
fn songs_are_what_their_notes_say() {
    let mut in_time = 0;
    let seeds = 60..66;
    for seed in seeds.clone() {
        let song = synthesized(seed, 20.0);
        let (notes, mixture) = (&song.notes, song.mixture());
        assert_eq!(notes.recipe, RECIPE);
        let said = f64::from(notes.master.loudness_lufs.unwrap());
        let heard = loudness_lufs(&mixture);
        assert!((said - heard).abs() < 0.01, "seed {seed}: {said}, {heard}");
        // From quiet mixes to club masters, faded ones a little below.
        assert!((-30.0..=-7.0).contains(&heard), "seed {seed}: {heard} LUFS");
        assert_eq!(notes.master.peak, peak(&mixture), "seed {seed}");
        // Drums repeat by the bar: more than at a lag that has nothing to do with the beat. Breaks
        // and fills make exceptions.
        let bar_s = notes.beats_per_bar as f64 * 60.0 / notes.tempo_bpm;
        let drums = &song.stems[0].1;
        let beside = [0.91, 1.09].map(|part| repeats(drums, bar_s * part));
        let at = repeats(drums, bar_s);
        in_time += usize::from(at > beside[0] && at > beside[1]);
    }
    let songs = seeds.count();
    assert!(in_time + 1 >= songs, "{in_time} of {songs} in time");
}

fn write_tone(path: &Path, seconds: f32, hz: f32, decay_s: f32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let tone: Vec<f32> = (0..(seconds * 44_100.0) as usize)
        .map(|frame| {
            let t = frame as f32 / 44_100.0;
            0.5 * (t * hz * std::f32::consts::TAU).sin() * (-t / decay_s).exp()
        })
        .collect();
    let mut writer = FileWriter::create(path, 44_100, 1, Encoding::Wav16).unwrap();
    writer
        .write(&Planar::from_channels(vec![tone]).unwrap())
        .unwrap();
    writer.finish().unwrap();
}

/// Given recordings must reach the songs, and their licences the notes.
#[test]
fn recordings_are_used_and_credited() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("kit-test/kick/1.wav"), 0.3, 60.0, 0.1);
    write_tone(&folder.path().join("kit-test/snare/1.wav"), 0.3, 200.0, 0.1);
    write_tone(&folder.path().join("bass-test/e1.wav"), 1.5, 82.4, 1.0);
    write_tone(&folder.path().join("vocals/singer.wav"), 12.0, 330.0, 100.0);
    fs::write(folder.path().join("LICENSE"), "\nCC0-1.0\n").unwrap();
    let credits = |recorded: PathBuf| -> Vec<String> {
        let sources = Sources::discover(None, &[recorded]).unwrap();
        (0..12)
            .flat_map(|seed| render_song(seed, 4.0, &sources).unwrap().notes.sources)
            .collect()
    };
    let singer = credits(folder.path().join("vocals/singer.wav"));
    assert!(singer.iter().any(|credit| credit.contains("singer.wav")));
    assert!(!singer.iter().any(|credit| credit.contains("kit-test")));
    let credits = credits(folder.path().to_owned());
    for expected in [
        "/kit-test: CC0-1.0",
        "/bass-test: CC0-1.0",
        "vocals/singer.wav: CC0-1.0",
    ] {
        assert!(
            credits.iter().any(|credit| credit.ends_with(expected)),
            "{expected}: {credits:?}"
        );
    }
}

#[test]
fn wrong_input_is_named() {
    let missing = Sources::discover(None, &[PathBuf::from("no/such/folder")]);
    assert!(format!("{:#}", missing.err().unwrap()).contains("no/such/folder"));
    let empty = tempfile::tempdir().unwrap();
    let nothing = Sources::discover(None, &[empty.path().to_owned()]);
    assert!(format!("{:#}", nothing.err().unwrap()).contains("no recordings"));
    let no_font = Sources::discover(Some(PathBuf::from("no.sf2")), &[]);
    assert!(format!("{:#}", no_font.err().unwrap()).contains("no.sf2"));
    for seconds in [0.0, -1.0, f64::NAN, 1e9] {
        assert!(render_song(1, seconds, &Sources::synthesis_only()).is_err());
    }
}

/// The soundfont's players must not add state of their own to a song.
#[test]
fn soundfont_songs_repeat() {
    let sources = Sources::discover(None, &[]).unwrap();
    if !sources.has_soundfont() {
        eprintln!("skipped: no soundfont (apt install fluid-soundfont-gm, or set BUNRI_SOUNDFONT)");
        return;
    }
    let song = render_song(3, 6.0, &sources).unwrap();
    assert_eq!(song, render_song(3, 6.0, &sources).unwrap());
    assert!(
        song.notes
            .sources
            .iter()
            .any(|source| source.starts_with("soundfont")),
        "{:?}",
        song.notes
    );
}
