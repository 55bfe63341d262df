//! First values of the discriminators' weights.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::layers::{Init, filter_lengths};

/// Draws a tensor on the CPU: libtorch's global generator, which the model's weights come from, is
/// left alone.
pub(super) fn made(sizes: &[i64], init: &Init, rng: &mut ChaCha8Rng) -> Tensor {
    match init {
        Init::Zero => Tensor::zeros(sizes, (Kind::Float, Device::Cpu)),
        Init::LengthsOf(weight) => filter_lengths(weight).detach().to_device(Device::Cpu),
        Init::Uniform(bound) => {
            let bound = *bound as f32;
            let values: Vec<f32> = (0..sizes.iter().product::<i64>())
                .map(|_| rng.random_range(-bound..bound))
                .collect();
            Tensor::from_slice(&values).view(sizes)
        }
    }
}
