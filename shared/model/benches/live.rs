//! Whether causal networks keep up with music: every hop of 20 seconds is timed.
//!
//! What counts is not the mean but the slowest hops, so this is no criterion benchmark: it prints
//! the real-time factor and percentiles of the time per hop, beside the hop that they must stay
//! below. Every hop starts at its time, as when playing: a processor that has slept is slower. One
//! stream goes through a [`Separator`], as in the plugin; several are stacked into one batch, and
//! their real-time factor is that of all together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bunri_model::{
    BandSplitConfig, CausalNetwork, LiveDemucsConfig, NetworkConfig, Separator, SharedWeights,
};
use bunri_stream::{Mode, Planar, StemModel};
use tch::{Device, Kind, Tensor};

const SECONDS: usize = 20;

fn main() {
    let networks = [
        (
            "live-demucs",
            NetworkConfig::LiveDemucs(LiveDemucsConfig::default()),
        ),
        (
            "band-split",
            NetworkConfig::BandSplit(BandSplitConfig::default()),
        ),
    ];
    for (name, config) in networks {
        let parameters = config.parameter_count();
        let network = config
            .untrained(1, Device::Cpu)
            .expect("the default config is valid");
        let weights = Arc::new(SharedWeights::new(network));
        let causal = weights.network().causal().expect("live networks are");
        let rate_hz = f64::from(weights.network().signature().rate_hz);
        let ms = |frames: usize| frames as f64 * 1000.0 / rate_hz;
        let hop_ms = ms(causal.hop_frames());
        println!(
            "{name}: {parameters} parameters, hop {hop_ms:.2} ms, lookahead {:.2} ms",
            ms(causal.lookahead_frames())
        );
        println!(
            "  {:>7} {:>7} {:>7} {:>8} {:>8} {:>9} {:>8}",
            "streams", "threads", "RTF", "p50 ms", "p99 ms", "p99.9 ms", "max ms"
        );
        let hops = (SECONDS as f64 * 1000.0 / hop_ms) as usize;
        for (streams, threads) in [(1, 1), (8, 1), (8, 2)] {
            tch::set_num_threads(threads);
            let times_ms = match streams {
                1 => one_stream(&weights, hops, hop_ms / 1000.0),
                _ => stacked_streams(causal, streams, hops, hop_ms / 1000.0),
            };
            print_row(streams, threads, hop_ms, times_ms);
        }
    }
}

fn one_stream(weights: &Arc<SharedWeights>, hops: usize, hop_seconds: f64) -> Vec<f64> {
    let mut separator =
        Separator::new(Arc::clone(weights), Mode::Live).expect("causal networks run live");
    let spec = separator.spec().clone();
    let mut chunk = Planar::zeros(spec.channels, spec.chunk_frames);
    let mut stems = vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];
    let mut noise = 1u32;
    let hop = || {
        for sample in chunk.channels_mut().flatten() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (noise >> 8) as f32 / (1 << 24) as f32 - 0.5;
        }
        time_ms(|| {
            separator
                .separate(&chunk, &mut stems)
                .expect("a chunk of the right shape");
        })
    };
    at_their_time(hops, hop_seconds, hop)
}

fn stacked_streams(
    network: &dyn CausalNetwork,
    streams: i64,
    hops: usize,
    hop_seconds: f64,
) -> Vec<f64> {
    let channels = network.signature().channels as i64;
    let shape = [streams, channels, network.hop_frames() as i64];
    let mut state = network.start(streams);
    tch::no_grad(|| {
        let hop = || {
            let hop = Tensor::rand(shape, (Kind::Float, Device::Cpu)) - 0.5;
            time_ms(|| {
                let _ = network.step(&mut state, &hop);
            })
        };
        at_their_time(hops, hop_seconds, hop)
    })
}

/// What `hop` says about every hop, each begun when it would have come.
fn at_their_time(hops: usize, hop_seconds: f64, mut hop: impl FnMut() -> f64) -> Vec<f64> {
    let started = Instant::now();
    let paced = |index: usize| {
        let due = started + Duration::from_secs_f64(hop_seconds * index as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        hop()
    };
    (0..hops).map(paced).collect()
}

fn time_ms(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1000.0
}

fn print_row(streams: i64, threads: i32, hop_ms: f64, mut times_ms: Vec<f64>) {
    let hops = times_ms.len();
    let mean_ms = times_ms.iter().sum::<f64>() / hops as f64;
    times_ms.sort_by(f64::total_cmp);
    let percentile = |share: f64| times_ms[((hops - 1) as f64 * share) as usize];
    println!(
        "  {streams:>7} {threads:>7} {:>7.3} {:>8.2} {:>8.2} {:>9.2} {:>8.2}",
        mean_ms / hop_ms,
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0),
    );
}
