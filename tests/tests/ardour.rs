//! Ardour 7.3: an export that is faster than real time in a host that says that it plays.

use bunri_stream::Planar;
use bunri_tests::ardour::Ardour;
use bunri_tests::bundle::{Bundles, engine_folder, fake_engine};
use bunri_tests::checkpoint::{self, ECHO_GAINS};
use bunri_tests::own_process::Environment;
use bunri_tests::signals::{assert_near, max_error, noise, scaled, strange};
use bunri_tests::{Format, STEMS, table};

const HOST: &str = "Ardour 7.3 (VST3)";
const RATE_HZ: u32 = 44_100;
/// A host that freewheels while it says that it plays is told by its lead, which a long hop gives the
/// plugin time to see, on a busy machine too: as in the tests of impulses.
const CHUNK_FRAMES: usize = 65_536;
const ATTEMPTS: usize = 3;
/// Floats added up in another order by plugin and host.
const TOLERANCE: f32 = 1e-5;

/// Guards against everything that only a whole DAW does: compensation beside other tracks, busses
/// that are routed or not, sessions that are saved and opened, automation, a faster clock.
#[test]
#[ignore = "needs Ardour: `cargo verify --hosts`"]
fn ardour_exports_what_went_in() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("echo.safetensors");
    checkpoint::echo(&model, CHUNK_FRAMES);
    let environment = Environment {
        engine_folder: Some(engine_folder),
        model: Some(model),
    };
    let bundles = Bundles::new();
    let mut ardour = match Ardour::find(&bundles.path(Format::Vst3), environment) {
        Ok(ardour) => ardour,
        Err(reason) => return table::skip("all cases", HOST, &reason),
    };
    let scan = format!(
        "pass (scan alone, {:.0} ms)",
        ardour.scan.as_secs_f64() * 1000.0
    );
    table::record("scan and unload", HOST, &scan);

    let mut failed = Vec::new();
    let mut case = |name: &str, check: &dyn Fn(&Ardour) -> String, ardour: &Ardour| {
        let attempt = |check: &dyn Fn() -> String| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(check))
        };
        // On a machine so busy that the export is slower than the music, a host that says that it
        // plays does play, as far as anybody can tell, and hops may be late: as in `impulses`.
        for _ in 1..ATTEMPTS {
            if let Ok(figure) = attempt(&|| check(ardour)) {
                return table::case_with_figure(name, HOST, || figure);
            }
        }
        let last = || {
            table::case_with_figure(name, HOST, || check(ardour));
            String::new()
        };
        if attempt(&last).is_err() {
            failed.push(name.to_owned());
        }
    };
    case("latency to the sample", &compensation, &ardour);
    case("null test at 0 dB", &null, &ardour);
    case("aux buses on", &aux_on, &ardour);
    case("aux buses off", &aux_off, &ardour);
    case("state round trip", &state, &ardour);
    case("automation", &automation, &ardour);
    case("many instances", &instances, &ardour);
    case("corrupt states", &corrupt_states, &ardour);
    case("NaN, Inf, denormals", &strange_input, &ardour);

    let empty = tempfile::tempdir().expect("a temporary folder");
    ardour.change(Environment {
        engine_folder: Some(empty.path().to_owned()),
        model: None,
    });
    case("missing engine", &compensation_of_one, &ardour);
    for (name, words, cue, check) in [
        (
            "worker stalled for 2 s",
            "hop 16384 stall_ms 2000",
            3.0,
            intact as fn(&_, _) -> _,
        ),
        ("engine error", "hop 16384 fail_chunks 2", 5.0, dropped),
    ] {
        let fake = fake_engine();
        let model = fake.path().join("words.model");
        std::fs::write(&model, words).expect("the fake model");
        ardour.change(Environment {
            engine_folder: Some(fake.path().to_owned()),
            model: Some(model),
        });
        case(name, &|ardour| check(ardour, cue), &ardour);
    }
    for (case, reason) in [
        (
            "block sizes 1 to 8192",
            "an export's blocks are Ardour's own",
        ),
        ("rates 22.05 to 192 kHz", "44.1, 48 and 96 kHz are"),
        (
            "reactivation",
            "a session has one rate; each export is a new activation",
        ),
        ("1,000 random events", "the order of calls is Ardour's own"),
        ("reset in mid-stream", "an export has no jumps"),
        (
            "mono input",
            "a mono track's plugin gets both channels from Ardour",
        ),
    ] {
        table::record(case, HOST, &format!("not tried: {reason}"));
    }
    assert!(failed.is_empty(), "{failed:?}");
}

const WET: &str = "wet = track('wet')\nplugin = bunri(wet, false)\n";

fn seconds(seconds: f64, rate_hz: u32) -> usize {
    (seconds * f64::from(rate_hz)) as usize
}

/// One track with Bunri comes out as it went in, and where it was.
fn compensation_of_one(ardour: &Ardour) -> String {
    let input = noise(seconds(2.0, RATE_HZ), 1);
    let session = ardour.session("one", RATE_HZ, WET, &input);
    assert_near(&ardour.export(&session), &input, TOLERANCE, "export");
    String::new()
}

fn compensation(ardour: &Ardour) -> String {
    for rate_hz in [RATE_HZ, 48_000, 96_000] {
        let input = noise(seconds(2.0, rate_hz), 1);
        let name = format!("compensation-{rate_hz}");
        let session = ardour.session(&name, rate_hz, WET, &input);
        let what = format!("export at {rate_hz} Hz");
        assert_near(&ardour.export(&session), &input, TOLERANCE, &what);
    }
    String::new()
}

/// A track with Bunri and the same track without, turned over: together they are silent.
fn null(ardour: &Ardour) -> String {
    let calls = format!("{WET}dry = track('dry')\ninvert(dry)\n");
    let figures = [RATE_HZ, 48_000].map(|rate_hz| {
        let input = noise(seconds(2.0, rate_hz), 2);
        let session = ardour.session(&format!("null-{rate_hz}"), rate_hz, &calls, &input);
        let out = ardour.export(&session);
        let (peak, frame) = max_error(&out, &Planar::zeros(2, out.frames()));
        let dbfs = 20.0 * peak.log10();
        assert!(dbfs < -120.0, "{dbfs} dBFS at frame {frame}, {rate_hz} Hz");
        format!("{dbfs:.1} dBFS at {rate_hz} Hz")
    });
    figures.join(", ")
}

fn aux_on(ardour: &Ardour) -> String {
    let input = noise(seconds(2.0, RATE_HZ), 3);
    for (index, (stem, gain)) in STEMS.iter().zip(ECHO_GAINS).enumerate() {
        let calls = format!("{WET}connect(wet, {}, 2)\n", 2 + 2 * index);
        let session = ardour.session(stem, RATE_HZ, &calls, &input);
        assert_near(
            &ardour.export(&session),
            &scaled(&input, gain),
            TOLERANCE,
            stem,
        );
    }
    String::new()
}

fn aux_off(ardour: &Ardour) -> String {
    let input = noise(seconds(2.0, RATE_HZ), 4);
    let calls = "wet = track('wet')\nbunri(wet, true)\n";
    let session = ardour.session("strict", RATE_HZ, calls, &input);
    assert_near(&ardour.export(&session), &input, TOLERANCE, "export");
    String::new()
}

/// Settings go into a session file, out of which another Ardour takes them.
fn state(ardour: &Ardour) -> String {
    // Gains go from -60 to 12 dB.
    let input = noise(seconds(2.0, RATE_HZ), 5);
    let calls = format!("{WET}set(plugin, parameter(plugin, 'Drums gain'), 40 / 72)\n");
    let session = ardour.session("state", RATE_HZ, &calls, &input);
    let gain = 1.0 - ECHO_GAINS[0] + ECHO_GAINS[0] * 0.1;
    assert_near(
        &ardour.export(&session),
        &scaled(&input, gain),
        1e-4,
        "export with the drums at -20 dB",
    );
    String::new()
}

/// The drums fall silent in mid-stream: not before, and soon after.
fn automation(ardour: &Ardour) -> String {
    let input = noise(seconds(3.0, RATE_HZ), 6);
    let step = RATE_HZ as usize;
    let calls = format!("{WET}step(plugin, parameter(plugin, 'Drums gain'), {step}, 60 / 72, 0)\n");
    let session = ardour.session("automation", RATE_HZ, &calls, &input);
    let out = ardour.export(&session);
    let part = |from: usize, to: usize, gain: f32, what: &str| {
        let expected = scaled(&input.slice(from, to - from), gain);
        assert_near(&out.slice(from, to - from), &expected, TOLERANCE, what);
    };
    // Ardour evaluates automation once a block (of at most 8192 frames in an export), and the plugin's
    // own ramp is done in a twentieth of a second.
    let soon = 8192 + RATE_HZ as usize / 20;
    part(0, step - soon, 1.0, "before");
    part(step + soon, input.frames(), 1.0 - ECHO_GAINS[0], "after");
    String::new()
}

fn instances(ardour: &Ardour) -> String {
    let input = scaled(&noise(seconds(2.0, RATE_HZ), 7), 0.1);
    let calls: String = (0..8)
        .map(|index| format!("wet = track('wet{index}')\nbunri(wet, false)\n"))
        .collect();
    let session = ardour.session("eight", RATE_HZ, &calls, &input);
    let expected = scaled(&input, 8.0);
    assert_near(&ardour.export(&session), &expected, TOLERANCE, "export");
    String::new()
}

/// A session file with a plugin state that is none any more.
fn corrupt_states(ardour: &Ardour) -> String {
    for seed in 0..3 {
        let input = noise(seconds(1.0, RATE_HZ), seed);
        let session = ardour.session(&format!("corrupt{seed}"), RATE_HZ, WET, &input);
        session.edit(|text| {
            let at = text.find("<chunk").expect("the plugin's state");
            let begin = at + text[at..].find('>').expect("its text") + 1;
            let end = begin + text[begin..].find("</chunk>").expect("its end");
            let length = end - begin;
            let broken = match seed {
                0 => String::new(),
                1 => text[begin..begin + length / 8 * 4].to_owned(),
                _ => text[begin..end].chars().rev().collect(),
            };
            format!("{}{broken}{}", &text[..begin], &text[end..])
        });
        assert_near(
            &ardour.export(&session),
            &input,
            TOLERANCE,
            "export with default settings",
        );
    }
    String::new()
}

fn strange_input(ardour: &Ardour) -> String {
    let input = strange(seconds(2.0, RATE_HZ), 8);
    let session = ardour.session("strange", RATE_HZ, WET, &input);
    let out = ardour.export(&session);
    assert!(
        out.channels().flatten().all(|sample| sample.is_finite()),
        "an output that is no number"
    );
    let (half, rest) = (input.frames() / 2, input.frames() - input.frames() / 2);
    assert_near(
        &out.slice(half, rest),
        &input.slice(half, rest),
        TOLERANCE,
        "afterwards",
    );
    String::new()
}

/// Noise with a cue for the fake engine in it, and its export.
fn with_cue(ardour: &Ardour, name: &str, cue: f32) -> (Planar, Planar) {
    let mut input = noise(seconds(4.0, RATE_HZ), 9);
    input.channel_mut(0)[RATE_HZ as usize] = cue;
    let session = ardour.session(name, RATE_HZ, WET, &input);
    let out = ardour.export(&session);
    (input, out)
}

/// A host that freewheels is waited for: nothing is lost.
fn intact(ardour: &Ardour, cue: f32) -> String {
    let (input, out) = with_cue(ardour, "stall", cue);
    assert_near(&out, &input, TOLERANCE, "export");
    String::new()
}

/// What the engine cannot separate is missing, and nothing else.
fn dropped(ardour: &Ardour, cue: f32) -> String {
    let (input, out) = with_cue(ardour, "error", cue);
    let second = RATE_HZ as usize;
    // Two hops of 0.4 s, wherever their borders lie.
    for (from, frames) in [(0, second / 2), (5 * second / 2, 3 * second / 2)] {
        assert_near(
            &out.slice(from, frames),
            &input.slice(from, frames),
            TOLERANCE,
            &format!("from frame {from}"),
        );
    }
    String::new()
}
