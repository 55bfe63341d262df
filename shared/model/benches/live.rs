//! Whether causal networks keep up with music on one core: every hop of a minute is timed.
//!
//! What counts is not the mean but the slowest hops, so this is no criterion benchmark: it prints
//! the real-time factor and percentiles of the time per hop, beside the hop that they must stay
//! below.

use std::sync::Arc;
use std::time::Instant;

use bunri_model::{LiveBandSplitConfig, LiveDemucsConfig, NetworkConfig, Separator, SharedWeights};
use bunri_stream::{Planar, StemModel};

const SECONDS: usize = 60;

fn main() {
    tch::set_num_threads(1);
    let networks = [
        (
            "live-demucs",
            NetworkConfig::LiveDemucs(LiveDemucsConfig::default()),
        ),
        (
            "live-band-split",
            NetworkConfig::LiveBandSplit(LiveBandSplitConfig::default()),
        ),
    ];
    println!(
        "{:<16} {:>11} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "parameters", "hop ms", "ahead ms", "RTF", "p50 ms", "p99 ms", "p99.9", "max"
    );
    for (name, config) in networks {
        measure(name, config);
    }
}

fn measure(name: &str, config: NetworkConfig) {
    let parameters = config.parameter_count();
    let network = config
        .untrained(1, tch::Device::Cpu)
        .expect("the default config is valid");
    let weights = Arc::new(SharedWeights::new(network));
    let mut separator = Separator::new(weights, 0.0).expect("causal networks have no overlap");
    let spec = separator.spec().clone();
    let mut chunk = Planar::zeros(spec.channels, spec.chunk_frames);
    let mut stems = vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];
    let mut noise = 1u32;
    let hops = SECONDS * spec.rate_hz as usize / spec.hop_frames;
    let mut times_ms: Vec<f64> = (0..hops)
        .map(|_| {
            for sample in chunk.channels_mut().flatten() {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = (noise >> 8) as f32 / (1 << 24) as f32 - 0.5;
            }
            let started = Instant::now();
            separator
                .separate(&chunk, &mut stems)
                .expect("a chunk of the right shape");
            started.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    let ms = |frames: usize| frames as f64 * 1000.0 / f64::from(spec.rate_hz);
    let hop_ms = ms(spec.hop_frames);
    let mean = times_ms.iter().sum::<f64>() / hops as f64;
    times_ms.sort_by(f64::total_cmp);
    let percentile = |share: f64| times_ms[((hops - 1) as f64 * share) as usize];
    println!(
        "{name:<16} {parameters:>11} {hop_ms:>7.2} {:>9.2} {:>8.3} {:>8.2} {:>8.2} {:>8.2} {:>8.2}",
        ms(spec.lookahead_frames),
        mean / hop_ms,
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0),
    );
}
