//! Hours of music with a host that never leaves the plugin alone.
//!
//! As fast as it goes, in blocks of 1 to 2048 frames. An hour of each:
//!
//! ```sh
//! BUNRI_SOAK_SECONDS=3600 BUNRI_SOAK_BUILT_IN_SECONDS=3600 \
//!     cargo nextest run -p bunri-tests --run-ignored only -E 'binary(soak)' --no-capture
//! ```

use std::time::{Duration, Instant};

use bunri_stream::Planar;
use bunri_tests::bundle::{Bundles, engine_folder};
use bunri_tests::own_process::{Environment, in_own_process, with_echo_model};
use bunri_tests::signals::{FADE_SECONDS, delayed, is_faded, noise};
use bunri_tests::{AuxBuses, Format, Pace, PluginHost, Setup, table};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LIMIT: Duration = Duration::from_secs(4 * 3600);
const RATE_HZ: u32 = 44_100;

/// Guards against what only time shows: a leak, a slip of one sample an hour, a dropout of a worker
/// that has all the time it wants. In debug builds the plugin ends its process if its audio thread
/// allocates. The engine is the real one, its model a quick one.
#[test]
#[ignore = "minutes to hours: `cargo verify --hosts`"]
fn soak() {
    with_echo_model("soak", 16_384, LIMIT, || {
        let seconds = seconds("BUNRI_SOAK_SECONDS", 300.0);
        table::case_with_figure("soak", Format::Clap.host_name(), || play_on(seconds));
    });
}

/// The same with the built-in model, which takes its time.
#[test]
#[ignore = "minutes to hours: `cargo verify --hosts`"]
fn soak_of_the_built_in_model() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let environment = || Environment {
        engine_folder: Some(engine_folder),
        model: None,
    };
    in_own_process("soak_of_the_built_in_model", environment, LIMIT, || {
        let seconds = seconds("BUNRI_SOAK_BUILT_IN_SECONDS", 30.0);
        let host = Format::Clap.host_name();
        table::case_with_figure("soak, built-in model", host, || play_on(seconds));
    });
}

fn seconds(variable: &str, default: f64) -> f64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number of seconds"))
}

/// Stretches of music of which every frame is checked, and between them whatever hosts do. Returns
/// what was measured.
fn play_on(seconds: f64) -> String {
    let bundles = Bundles::new();
    let mut host = Format::Clap.load(&bundles.path(Format::Clap));
    let defaults = host.parameters();
    let mut random = ChaCha8Rng::seed_from_u64(71);
    let mut memory = Memory::default();
    let started = Instant::now();
    let (mut played, mut stretches, mut dropouts) = (0.0, 0, 0);
    while played < seconds {
        let setup = Setup {
            rate_hz: RATE_HZ,
            max_block_frames: 2048,
            pace: [Pace::Offline, Pace::Freewheel][random.random_range(0..2)],
            aux: AuxBuses::Active,
        };
        // Bypass, gains and all the rest were restored in the restless part; they arrive with a block.
        if stretches == 0 || random.random_range(0..4) == 0 {
            host.activate(setup);
        } else {
            host.reset();
        }
        let (frames, lost) = checked(host.as_mut(), &mut random, stretches);
        dropouts += lost;
        let frames = frames + restless(host.as_mut(), &defaults, &mut random);
        played += frames as f64 / f64::from(RATE_HZ);
        stretches += 1;
        memory.sample(played);
    }
    let speed = played / started.elapsed().as_secs_f64();
    let (grown_mib, slope) = memory.growth();
    let figures = format!(
        "{played:.0} s in {stretches} stretches at {speed:.1} times real time: {dropouts} dropouts, \
         drift 0, memory {slope:+.2} MiB an hour ({grown_mib:+.1} MiB after the first tenth)"
    );
    println!("{figures}");
    assert_eq!(dropouts, 0, "{figures}");
    // A sample of the allocator's whims, which no leak of weight would stay below.
    assert!(grown_mib < 48.0, "memory grows: {figures}");
    figures
}

/// Blocks of 1 to 2048 frames.
fn blocks(random: &mut ChaCha8Rng) -> Vec<usize> {
    (0..32).map(|_| random.random_range(1..=2048)).collect()
}

/// Music while everything is turned, then all settings as they were. Returns the frames played.
fn restless(
    host: &mut dyn PluginHost,
    defaults: &[bunri_tests::host::ParameterView],
    random: &mut ChaCha8Rng,
) -> usize {
    let mut played = 0;
    for _ in 0..random.random_range(1..20) {
        let parameter = &defaults[random.random_range(0..defaults.len())];
        host.set_parameter(&parameter.name, random.random());
        let input = noise(random.random_range(1..RATE_HZ as usize), 72);
        for bus in host.process(&input, &blocks(random)) {
            let finite = bus.channels().flatten().all(|sample| sample.is_finite());
            assert!(finite, "not a number");
        }
        played += input.frames();
    }
    for parameter in defaults {
        host.set_parameter(&parameter.name, parameter.fraction);
    }
    played
}

/// Music at neutral settings: after a latency in which the ramps end and old hops leave, every frame
/// of main must be in its place. Returns the frames played, and how often there was silence.
fn checked(host: &mut dyn PluginHost, random: &mut ChaCha8Rng, seed: u64) -> (usize, usize) {
    let latency = host.latency_frames();
    let input = noise(
        2 * latency + random.random_range(1..10 * RATE_HZ as usize),
        seed,
    );
    let buses = host.process(&input, &blocks(random));
    let expected = delayed(&input, latency);
    let fade_frames = (FADE_SECONDS * f64::from(RATE_HZ)) as usize;
    let (mut dropouts, mut heard_frames) = (0, fade_frames);
    for frame in latency + RATE_HZ as usize / 10..input.frames() {
        let at = |signal: &Planar| [0, 1].map(|channel| signal.channel(channel)[frame]);
        let (got, expected) = (at(&buses[0]), at(&expected));
        if got == [0.0; 2] && expected != [0.0; 2] {
            dropouts += usize::from(heard_frames > 0);
            heard_frames = 0;
            continue;
        }
        heard_frames += 1;
        let near =
            std::iter::zip(got, expected).all(|(got, expected)| (got - expected).abs() < 1e-5);
        assert!(
            near || heard_frames < fade_frames && is_faded(&got, &expected),
            "stretch {seed}: frame {frame} of {} is {got:?}, not {expected:?}",
            input.frames()
        );
    }
    (input.frames(), dropouts)
}

/// Resident memory over played time.
#[derive(Default)]
struct Memory {
    /// Seconds played, MiB.
    samples: Vec<(f64, f64)>,
}

impl Memory {
    fn sample(&mut self, played_seconds: f64) {
        const PAGE_BYTES: f64 = 4096.0;
        let statm = std::fs::read_to_string("/proc/self/statm").expect("the memory");
        let pages = statm.split_whitespace().nth(1).expect("resident pages");
        let pages: f64 = pages.parse().expect("a number");
        self.samples
            .push((played_seconds, pages * PAGE_BYTES / f64::from(1 << 20)));
    }

    /// After the first tenth, in which caches fill: growth in MiB, and the slope of the line of
    /// least squares in MiB an hour.
    fn growth(&self) -> (f64, f64) {
        let settled = &self.samples[self.samples.len() / 10..];
        let count = settled.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| settled.iter().map(value).sum::<f64>() / count;
        let (time, size) = (mean(|sample| sample.0), mean(|sample| sample.1));
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (at, mib) in settled {
            covariance += (at - time) * (mib - size);
            variance += (at - time).powi(2);
        }
        let slope = if variance > 0.0 {
            covariance / variance
        } else {
            0.0
        };
        let (first, last) = (settled[0].1, settled[settled.len() - 1].1);
        (last - first, slope * 3600.0)
    }
}
