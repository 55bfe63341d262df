//! What the models that come with the program promise, of the very files that are built in.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::sync::Arc;

use bunri_model::checkpoint::float_values;
use bunri_model::{Checkpoint, Network, Separator, SharedWeights, built_in_model};
use bunri_stream::{BuiltIn, Mode, Planar, StemModel, StreamingSeparator};
use tch::{Device, Kind, Tensor};

/// The network of a built-in file and the file's size; says so where the crate was built without.
fn network(model: BuiltIn) -> Option<(Box<dyn Network>, usize)> {
    tch::set_num_threads(1);
    let Some(bytes) = built_in_model(model) else {
        eprintln!("skipped: built without a {} model", model.name());
        return None;
    };
    let checkpoint = Checkpoint::from_bytes(bytes, Device::Cpu).unwrap();
    Some((checkpoint.network, bytes.len()))
}

/// Guards what the product promises: a latency that can be played with, and downloads that are small.
#[test]
fn built_in_models_keep_their_sizes_and_delays() {
    if let Some((live, bytes)) = network(BuiltIn::Live) {
        assert!(bytes <= 12_000_000, "Live: {bytes} bytes");
        let separator = Separator::new(Arc::new(SharedWeights::new(live)), Mode::Live).unwrap();
        let spec = separator.spec();
        assert!(spec.hop_frames <= 512, "Live: hop of {}", spec.hop_frames);
        // What is told to a host: the hop that is collected, the lookahead, and the hop that the
        // computer has for its work.
        let frames = spec.latency_frames() + spec.hop_frames;
        assert!(
            frames * 1000 <= 50 * spec.rate_hz as usize,
            "Live: {frames} frames"
        );
    }
    if let Some((studio, bytes)) = network(BuiltIn::Studio) {
        assert!(bytes <= 28_000_000, "Studio: {bytes} bytes");
        let weights = Arc::new(SharedWeights::new(studio));
        for mode in Mode::offered().filter(|&mode| mode != Mode::Live) {
            Separator::new(Arc::clone(&weights), mode).unwrap();
        }
    }
}

/// Guards pauses: what a model makes of nothing must not be heard.
#[test]
fn silence_in_gives_silence_out() {
    for (model, mode) in [
        (BuiltIn::Live, Mode::Live),
        (BuiltIn::Studio, Mode::default()),
    ] {
        let Some((network, _)) = network(model) else {
            continue;
        };
        let separator = Separator::new(Arc::new(SharedWeights::new(network)), mode).unwrap();
        let rate_hz = separator.spec().rate_hz as usize;
        let mut stream = StreamingSeparator::new(separator).unwrap();
        let mut stems = Vec::new();
        stream
            .push(&Planar::zeros(2, 3 * rate_hz), &mut stems)
            .unwrap();
        stream.flush(&mut stems).unwrap();
        let samples = stems.iter().flat_map(Planar::channels).flatten();
        let peak = samples.fold(0f32, |peak, sample| peak.max(sample.abs()));
        // -100 dBFS, below the noise of 16 bits.
        assert!(peak < 1e-5, "{}: {peak}", model.name());
    }
}

/// Guards a state that creeps: LSTM cells that fill up, a level that drifts.
#[test]
fn a_loop_comes_out_the_same_for_a_minute() {
    same_again_and_again(15);
}

/// As above, as long as a night's set.
#[test]
#[ignore = "takes a tenth to a quarter of its three hours"]
fn a_loop_comes_out_the_same_for_three_hours() {
    same_again_and_again(2700);
}

/// Plays a loop of four seconds so many times through the Live model's state, and compares each time
/// with the third, when the running level (8 s) has heard it.
fn same_again_and_again(times: usize) {
    let Some((live, _)) = network(BuiltIn::Live) else {
        return;
    };
    let causal = live.causal().unwrap();
    let hop = causal.hop_frames() as i64;
    let frames = 4 * 44_100 / hop * hop;
    let mix = music(frames);
    let mut state = causal.start(1);
    let mut third = None;
    let mut worst = (0.0, 0.0);
    for round in 0..times {
        let stems = tch::no_grad(|| causal.step(&mut state, &mix));
        let level = rms(&stems);
        assert!(level.is_finite(), "round {round}");
        if round == 2 {
            third = Some((stems.copy(), level));
        }
        let Some((third, third_level)) = &third else {
            continue;
        };
        let difference_db = 20.0 * (rms(&(&stems - third)) / third_level).log10();
        let level_db = 20.0 * (level / third_level).log10();
        if round > 2 {
            worst = (f64::max(worst.0, level_db.abs()), difference_db);
        }
        // A tenth of a decibel is beyond hearing; the samples themselves settle with the level.
        assert!(level_db.abs() < 0.1, "round {round}: {level_db} dB");
        assert!(
            round < 4 || difference_db < -30.0,
            "round {round}: {difference_db} dB"
        );
    }
    let largest = state
        .iter()
        .map(|piece| piece.abs().max().double_value(&[]));
    println!(
        "{times} rounds: level within {:.4} dB, the last round {:.1} dB from the third, state up to {:.1}",
        worst.0,
        worst.1,
        largest.fold(0.0, f64::max)
    );
}

fn rms(audio: &Tensor) -> f64 {
    let values = float_values(audio);
    let sum: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    (sum / values.len() as f64).sqrt()
}

/// A beat, a bass and a chord: `[1, 2, frames]`, without a seam.
fn music(frames: i64) -> Tensor {
    let time = Tensor::arange(frames, (Kind::Float, Device::Cpu)) / frames as f64; // of the loop
    let turn = 2.0 * std::f64::consts::PI;
    let tone = |cycles: f64, gain: f64| (&time * (turn * cycles)).sin() * gain;
    let beat = (&time * 8.0).frac();
    let decay = (&beat * -30.0).exp();
    tch::manual_seed(1);
    let noise = Tensor::rand([frames], (Kind::Float, Device::Cpu)) - 0.5;
    let drums = noise * decay * 0.6;
    let left = &drums + tone(220.0, 0.2) + tone(1760.0, 0.05) + tone(2217.0, 0.05);
    let right = drums + tone(220.0, 0.2) + tone(2637.0, 0.06);
    Tensor::stack(&[left, right], 0).unsqueeze(0)
}
