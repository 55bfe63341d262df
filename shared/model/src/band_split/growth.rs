//! Weights for whole context out of weights for the past: training goes on where the other stopped.

use tch::{Kind, Tensor};

use super::{BandSplitConfig, TimeContext};
use crate::parameters::{self, Parameters};

impl BandSplitConfig {
    /// Weights of this config, with [`TimeContext::Whole`], that compute what `parameters` compute
    /// under `past`: backward LSTMs are drawn from `seed`, and nothing listens to them yet.
    ///
    /// `None` if the two differ in more than their context and the length of training segments.
    #[must_use]
    pub fn grown_from(
        &self,
        past: &Self,
        parameters: &Parameters,
        seed: i64,
    ) -> Option<Parameters> {
        let of_past = Self {
            context: TimeContext::Past,
            segment_frames: past.segment_frames,
            ..self.clone()
        };
        if self.context != TimeContext::Whole || of_past != *past {
            return None;
        }
        let mut grown = parameters::untrained(&self.parameter_specs(), 0.0, seed);
        tch::no_grad(|| {
            for (name, tensor) in &mut grown {
                if let Some(known) = parameters.get(name) {
                    *tensor = with_zeros(known, &tensor.size());
                }
            }
        });
        Some(grown)
    }
}

/// A copy of `known` in the corner of zeros of `shape`.
fn with_zeros(known: &Tensor, shape: &[i64]) -> Tensor {
    let mut corner = Tensor::zeros(shape, (Kind::Float, known.device()));
    let mut part = corner.shallow_clone();
    for (axis, &size) in known.size().iter().enumerate() {
        part = part.narrow(axis as i64, 0, size);
    }
    part.copy_(known);
    corner.detach_()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::network::NetworkConfig;

    fn small(context: TimeContext) -> BandSplitConfig {
        BandSplitConfig {
            context,
            window_frames: 64,
            hop_frames: 16,
            band_bins: vec![3, 10, 20],
            features: 5,
            hidden: 4,
            blocks: 2,
            ..BandSplitConfig::default()
        }
    }

    /// Guards against a head start that is none: forward and backward weights mixed up.
    #[test]
    fn a_grown_network_begins_as_the_one_it_grew_from() {
        let (past, whole) = (small(TimeContext::Past), small(TimeContext::Whole));
        let network = NetworkConfig::BandSplit(past.clone())
            .untrained(3, Device::Cpu)
            .unwrap();
        let parameters = whole.grown_from(&past, network.parameters(), 1).unwrap();
        let grown = NetworkConfig::BandSplit(whole)
            .build(parameters, Device::Cpu)
            .unwrap();
        assert!(grown.causal().is_none());
        let mix = Tensor::rand([2, 2, 150], (Kind::Float, Device::Cpu)) - 0.5;
        let error = (grown.forward(&mix) - network.forward(&mix))
            .abs()
            .max()
            .double_value(&[]);
        assert!(error < 1e-6, "{error}");
    }

    #[test]
    fn another_size_cannot_grow() {
        let (past, mut whole) = (small(TimeContext::Past), small(TimeContext::Whole));
        whole.hidden = 5;
        assert!(whole.grown_from(&past, &Parameters::new(), 1).is_none());
    }

    /// Guards against a network that says whole context and hears only the past.
    #[test]
    fn whole_context_hears_what_comes() {
        let network = NetworkConfig::BandSplit(small(TimeContext::Whole))
            .untrained(3, Device::Cpu)
            .unwrap();
        let mix = Tensor::rand([1, 2, 640], (Kind::Float, Device::Cpu)) - 0.5;
        let changed = mix.copy();
        let _ = changed.narrow(2, 600, 40).zero_();
        let head = |mix: &Tensor| network.forward(mix).narrow(3, 0, 100);
        let change = (head(&mix) - head(&changed)).abs().max();
        assert!(change.double_value(&[]) > 1e-7);
    }
}
