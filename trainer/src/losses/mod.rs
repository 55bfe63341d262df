//! How far estimated stems are from the true ones, and how several such measures share one gradient.
//!
//! ```text
//! estimates ─┬─ L1, L2 (waveform)        ─┐
//!            ├─ multi-resolution STFT      ├─ terms ─ balancer ─ gradient towards the estimates
//!            └─ SI-SDR                     ┘
//! ```
//!
//! Shapes throughout: estimates and stems `[batch, stems, channels, frames]`, `usable`
//! `[batch, stems]` with 1 where a stem's label can be relied on and 0 where it is left out.

mod balancer;
mod config;
mod multi_resolution_stft;
mod si_sdr;

pub use balancer::Balancer;
pub use config::LossConfig;
pub use multi_resolution_stft::{MultiResolutionStft, StftDistance, StftLossConfig};
pub use si_sdr::si_sdr;
use tch::{Device, Kind, Tensor};

/// One measure of a batch with its weight in the whole.
#[derive(Debug)]
pub struct Term {
    /// Its name in logs.
    pub name: String,
    /// Its share of the loss, or of the gradient where a [`Balancer`] deals it out.
    pub weight: f64,
    /// The measure itself, a scalar.
    pub value: Tensor,
}

/// The measures that a config asks for.
#[derive(Debug)]
pub struct Reconstruction {
    config: LossConfig,
    stft: Option<MultiResolutionStft>,
}

impl Reconstruction {
    /// Prepares the windows on `device`.
    #[must_use]
    pub fn new(config: LossConfig, device: Device) -> Self {
        let stft = (config.multi_resolution_stft.as_ref())
            .map(|stft| MultiResolutionStft::new(&stft.windows, device));
        Self { config, stft }
    }

    /// Every measure with a weight above 0.
    #[must_use]
    pub fn terms(&self, estimates: &Tensor, stems: &Tensor, usable: &Tensor) -> Vec<Term> {
        let mut terms = Vec::new();
        let mut add = |name: &str, weight: f64, value: &dyn Fn() -> Tensor| {
            if weight > 0.0 {
                terms.push(Term {
                    name: name.to_owned(),
                    weight,
                    value: value(),
                });
            }
        };
        let of_stems = |per_stem: Tensor| masked_mean(&per_stem, usable);
        add("l1", self.config.l1, &|| {
            of_stems(mean_of_frames((estimates - stems).abs()))
        });
        add("l2", self.config.l2, &|| {
            of_stems(mean_of_frames((estimates - stems).square()))
        });
        add("si_sdr", self.config.si_sdr, &|| {
            -of_stems(si_sdr(estimates, stems))
        });
        if let (Some(stft), Some(config)) = (&self.stft, &self.config.multi_resolution_stft) {
            add("multi_resolution_stft", config.weight, &|| {
                of_stems(stft.distance(estimates, stems).total())
            });
        }
        terms
    }
}

/// `[batch, stems, channels, frames]` → `[batch, stems]`.
fn mean_of_frames(values: Tensor) -> Tensor {
    values.mean_dim([2, 3].as_slice(), false, Kind::Float)
}

/// Sum over the usable stems, over the places of all stems of the batch: means of the parts of a
/// batch, and of ranks, then are the mean of the whole, whichever stems are usable in which part.
pub fn masked_mean(per_stem: &Tensor, usable: &Tensor) -> Tensor {
    (per_stem * usable).mean(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a stem without a label that still pulls at the weights.
    #[test]
    fn unusable_stems_have_no_gradient() {
        tch::manual_seed(3);
        let stems = Tensor::randn([2, 3, 2, 4096], (Kind::Float, Device::Cpu)) * 0.1;
        let shifted = stems.roll([7], [3]) * 0.05;
        let estimates: Tensor = &stems + shifted;
        let estimates = estimates.set_requires_grad(true);
        let usable = Tensor::from_slice(&[1.0_f32, 0.0, 1.0, 1.0, 1.0, 0.0]).view([2, 3]);
        let config = LossConfig {
            l1: 1.0,
            l2: 1.0,
            si_sdr: 1.0,
            multi_resolution_stft: Some(StftLossConfig::default()),
            balance: false,
        };
        let unusable = usable.ones_like() - &usable;
        let terms = Reconstruction::new(config, Device::Cpu).terms(&estimates, &stems, &usable);
        assert_eq!(terms.len(), 4);
        for term in terms {
            let gradient = Tensor::run_backward(&[&term.value], &[&estimates], true, false);
            let reach = gradient[0]
                .abs()
                .sum_dim_intlist([2, 3].as_slice(), false, Kind::Float);
            let left_out = (&reach * &unusable).sum(Kind::Float).double_value(&[]);
            let counted = (&reach + &unusable).min().double_value(&[]);
            assert_eq!(left_out, 0.0, "{}", term.name);
            assert!(counted > 0.0, "{}", term.name);
        }
    }

    /// Guards against gradients that depend on how a batch is dealt out to ranks.
    #[test]
    fn parts_add_up_to_the_whole() {
        let values = Tensor::from_slice(&[1.0_f32, 100.0, 3.0, 4.0]).view([2, 2]);
        let usable = Tensor::from_slice(&[1.0_f32, 0.0, 1.0, 1.0]).view([2, 2]);
        let mean = |from: i64, rows: i64| {
            let part = |x: &Tensor| x.narrow(0, from, rows);
            masked_mean(&part(&values), &part(&usable)).double_value(&[])
        };
        assert_eq!(mean(0, 2), 2.0);
        assert_eq!(mean(0, 2), (mean(0, 1) + mean(1, 1)) / 2.0);
    }
}
