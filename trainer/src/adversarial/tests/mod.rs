//! Tests of the whole, on networks of a few hundred weights.

mod learning;
mod networks;
mod overfitting;
mod penalties;
mod resume;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::{Device, Kind, Tensor};

use super::*;

/// Every kind of discriminator, as small as it can be.
fn tiny() -> AdversarialConfig {
    AdversarialConfig {
        discriminators: vec![
            DiscriminatorConfig::Spectral(SpectralConfig {
                windows: vec![32, 64],
                filters: 4,
                compression: 0.5,
            }),
            DiscriminatorConfig::Periods(PeriodsConfig {
                periods: vec![2, 3],
                channels: vec![4, 8],
            }),
            DiscriminatorConfig::Waveform(WaveformConfig {
                scales: 2,
                channels: vec![4, 8],
            }),
            DiscriminatorConfig::Context(SpectralConfig {
                windows: vec![64],
                filters: 4,
                compression: 1.0,
            }),
        ],
        head_start_steps: 0,
        penalty_every: 2,
        learning_rate: 2e-3,
        ..AdversarialConfig::default()
    }
}

fn setting(stems: &[&str]) -> Setting {
    Setting {
        channels: 2,
        stems: stems.iter().map(|&stem| stem.to_owned()).collect(),
        rate_hz: 8000,
        seed: 1,
        rank: 0,
        device: Device::Cpu,
    }
}

/// Noise from a generator of its own: libtorch's is shared by tests that run at once.
fn noise(seed: u64, sizes: &[i64]) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let samples: Vec<f32> = (0..sizes.iter().product::<i64>())
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    Tensor::from_slice(&samples).view(sizes)
}

/// Stems of noise, their sum, and estimates that are something else.
fn scenes(seed: u64, [batch, stems, frames]: [i64; 3]) -> Scenes {
    let real = noise(seed, &[batch, stems, 2, frames]);
    Scenes {
        mixture: real.sum_dim_intlist(1, false, None::<Kind>),
        fake: noise(seed + 1000, &[batch, stems, 2, frames]),
        real,
        usable: None,
    }
}

/// One rank has nothing to average.
fn alone(_: &mut [Tensor]) -> anyhow::Result<()> {
    Ok(())
}

fn all_tensors(adversary: &Adversary) -> Vec<(String, Tensor)> {
    let state = adversary.state().into_iter();
    state
        .map(|(name, tensor)| (name, tensor.detach().copy()))
        .collect()
}

fn are_equal(left: &[(String, Tensor)], right: &[(String, Tensor)]) -> bool {
    left.len() == right.len()
        && (left.iter().zip(right)).all(|((a, x), (b, y))| a == b && x.equal(y))
}
