//! A host in one small program, to try bundles on machines without Rust:
//!
//! ```text
//! hear_a_bundle ~/.clap/Bunri.clap ~/.vst3/Bunri.vst3
//! ```
//!
//! It plays two seconds of noise through each, offline, and says what came out of which bus. It
//! fails where nothing is separated (a missing engine passes the dry signal on the main bus alone) or
//! where the stems are not the track.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use bunri_stream::Planar;
use bunri_tests::signals::{FADE_SECONDS, delayed, max_error, noise, sum};
use bunri_tests::{AuxBuses, Format, Pace, STEMS, Setup};

const RATE_HZ: u32 = 44_100;
/// -60 dBFS: the differences of differently rounded sums are 60 dB below that.
const AUDIBLE: f32 = 1e-3;

fn main() -> ExitCode {
    let mut good = true;
    let bundles: Vec<String> = std::env::args().skip(1).collect();
    if bundles.is_empty() {
        eprintln!("usage: hear_a_bundle BUNDLE...");
        return ExitCode::FAILURE;
    }
    for bundle in bundles {
        let path = Path::new(&bundle);
        let format = match path.extension().and_then(|ending| ending.to_str()) {
            Some("clap") => Format::Clap,
            _ => Format::Vst3,
        };
        if let Err(fault) = hear(format, path) {
            println!("{bundle}: {fault}");
            good = false;
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn hear(format: Format, path: &Path) -> Result<(), String> {
    let started = Instant::now();
    let mut host = format.load(path);
    println!("{}: loaded in {:.0?}", path.display(), started.elapsed());
    host.activate(Setup {
        rate_hz: RATE_HZ,
        max_block_frames: 512,
        pace: Pace::Offline,
        aux: AuxBuses::Active,
    });
    let latency_frames = host.latency_frames();
    let track = noise(2 * RATE_HZ as usize, 1);
    let mut input = track.clone();
    input.resize_frames(track.frames() + latency_frames);
    let started = Instant::now();
    let buses = host.process(&input, &[512]);
    println!(
        "  latency {latency_frames} frames; {} frames in {:.1?}",
        input.frames(),
        started.elapsed()
    );

    let [main, stems @ ..] = &buses[..] else {
        return Err("it has no outputs".to_owned());
    };
    for (name, bus) in std::iter::once(&"main").chain(&STEMS).zip(&buses) {
        println!("  {name}: {:.1} dBFS RMS", rms_dbfs(bus));
    }
    if stems.iter().all(|stem| rms_dbfs(stem) < -100.0) {
        return Err("all stems are silent: it did not find its engine".to_owned());
    }
    // What comes first fades in.
    let start = latency_frames + (FADE_SECONDS * f64::from(RATE_HZ)) as usize;
    let after = |signal: &Planar| signal.slice(start, signal.frames() - start);
    let expected = after(&delayed(&input, latency_frames));
    for (what, got) in [
        ("the main bus", main),
        ("the sum of the stems", &sum(stems)),
    ] {
        let (error, frame) = max_error(&after(got), &expected);
        if error > AUDIBLE {
            return Err(format!(
                "{what} is off the track by {error} at frame {}",
                start + frame
            ));
        }
        println!(
            "  {what} is the track to within {:.0} dBFS",
            20.0 * error.log10()
        );
    }
    Ok(())
}

/// The level over all channels, in dB re full scale.
fn rms_dbfs(signal: &Planar) -> f32 {
    let samples = signal.channels().flatten();
    let (count, power) = samples.fold((0.0, 0.0), |(count, power), sample| {
        (count + 1.0, power + f64::from(*sample).powi(2))
    });
    (10.0 * (power / f64::max(count, 1.0)).log10()) as f32
}
