//! Networks in fewer bits, for whoever prefers speed to the reference's very numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::model_file::{LoadedModel, ModelFileError};
use crate::network::{Network, Signature, Window};
use crate::run::guarded;

/// Arithmetic that a network runs in. Audio goes in and comes out in 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: the reference's results.
    #[default]
    F32,
    /// bfloat16, 8 significant bits: for CPUs and GPUs that have it.
    Bf16,
    /// Half precision, 11 significant bits: for GPUs.
    F16,
}

const NAMES: [(Precision, &str); 3] = [
    (Precision::F32, "f32"),
    (Precision::Bf16, "bf16"),
    (Precision::F16, "f16"),
];

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(precision, _)| precision == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found
            .map(|(precision, _)| *precision)
            .ok_or_else(|| format!("{name:?} is no precision: use f32, bf16 or f16"))
    }
}

impl Precision {
    fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
            Self::F16 => Kind::Half,
        }
    }
}

impl LoadedModel {
    /// The same model in `precision`, with a [`notice`](LoadedModel::notice) of how far its stems
    /// are from those in 32 bits, measured with one window of noise, and of the processor where it is
    /// slow in it.
    ///
    /// Causal models stay as they are: in a state that is carried on, rounding would add up.
    ///
    /// # Errors
    /// [`ModelFileError::Precision`] where the architecture, or the device, cannot.
    pub fn in_precision(self, precision: Precision) -> Result<Self, ModelFileError> {
        if precision == Precision::F32 {
            return Ok(self);
        }
        let refused = |reason: &str| ModelFileError::Precision(precision, reason.to_owned());
        let device = self.network.device();
        let Some(recipe) = self.recipe.as_ref() else {
            return Err(refused(
                "a TorchScript model has the precision it was exported in",
            ));
        };
        if self.network.causal().is_some() {
            return Err(refused("a causal model adds up the rounding of its state"));
        }
        if precision == Precision::F16 && device == Device::Cpu {
            return Err(refused("CPUs are slow in it, use bf16"));
        }
        let network = recipe.build_as(device, precision.kind());
        let reduced = Reduced {
            network: network.map_err(|reason| refused(&reason))?,
            kind: precision.kind(),
        };
        let error_db = guarded(|| difference_db(&*self.network, &reduced));
        let error_db = error_db.map_err(|reason| refused(&reason))?;
        let mut notice =
            format!("in {precision} the stems differ from those in f32 by {error_db:.1} dB");
        if device == Device::Cpu && is_slow_in_bf16() {
            notice += "; this processor has no AVX-512 and is slower in bf16 than in f32";
        }
        let earlier = self.notice.map(|notice| format!("{notice}; "));
        Ok(Self {
            network: Box::new(reduced),
            notice: Some(earlier.unwrap_or_default() + &notice),
            ..self
        })
    }
}

/// oneDNN computes in bfloat16 from AVX-512 on; below that libtorch computes value by value.
fn is_slow_in_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return !is_x86_feature_detected!("avx512bw");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Power of the difference against the power of what the first makes of a window of noise, in dB.
fn difference_db(exact: &dyn Network, other: &dyn Network) -> Result<f64, tch::TchError> {
    let (channels, frames) = (exact.signature().channels, exact.window().chunk_frames);
    tch::manual_seed(1);
    let shape = [1, channels as i64, frames as i64];
    let mix = Tensor::f_randn(shape, (Kind::Float, exact.device()))? * 0.1;
    let expected = exact.forward(&mix);
    let difference = other.forward(&mix) - &expected;
    let power = |x: &Tensor| f64::try_from(x.square().sum(Kind::Double));
    Ok(10.0 * (power(&difference)? / power(&expected)?).log10())
}

/// A network whose weights are not 32-bit floats.
#[derive(Debug)]
struct Reduced {
    network: Box<dyn Network>,
    kind: Kind,
}

impl Network for Reduced {
    fn signature(&self) -> Signature {
        self.network.signature()
    }

    fn device(&self) -> Device {
        self.network.device()
    }

    fn window(&self) -> Window {
        self.network.window()
    }

    fn window_of(&self, frames: usize) -> Window {
        self.network.window_of(frames)
    }

    fn forward(&self, mix: &Tensor) -> Tensor {
        self.network
            .forward(&mix.to_kind(self.kind))
            .to_kind(Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, DemucsConfig, LiveDemucsConfig, NetworkConfig, Provenance};

    fn model(config: NetworkConfig) -> LoadedModel {
        Checkpoint {
            network: config.untrained(1, Device::Cpu).unwrap(),
            provenance: Provenance::default(),
            licence: String::new(),
        }
        .into()
    }

    /// Guards the opt-in: it must run, be near, and say how near.
    #[test]
    fn bf16_is_near_and_says_so() {
        for config in [DemucsConfig::v1(4), DemucsConfig::v2(4)] {
            let config = DemucsConfig {
                depth: 3,
                segment_frames: 4000,
                ..config
            };
            let exact = model(NetworkConfig::Demucs(config));
            let mix = Tensor::randn([1, 2, 4000], (Kind::Float, Device::Cpu)) * 0.1;
            let expected = tch::no_grad(|| exact.network.forward(&mix));
            let reduced = exact.in_precision(Precision::Bf16).unwrap();
            let notice = reduced.notice.clone().unwrap();
            println!("{notice}");
            assert!(notice.contains("bf16") && notice.contains("dB"), "{notice}");
            let output = tch::no_grad(|| reduced.network.forward(&mix));
            assert_eq!(output.kind(), Kind::Float);
            let error = (&output - &expected).square().mean(Kind::Double);
            let ratio = f64::try_from(error / expected.square().mean(Kind::Double)).unwrap();
            // 8 significant bits, several layers: nearer than -20 dB, but not the same.
            assert!(ratio < 1e-2 && ratio > 1e-12, "{ratio}");
        }
    }

    #[test]
    fn what_cannot_be_reduced_says_why() {
        let demucs = || {
            model(NetworkConfig::Demucs(DemucsConfig {
                depth: 2,
                ..DemucsConfig::v1(4)
            }))
        };
        let live = model(NetworkConfig::LiveDemucs(LiveDemucsConfig::default()));
        let error = demucs()
            .in_precision(Precision::F16)
            .unwrap_err()
            .to_string();
        assert!(error.contains("bf16"), "{error}");
        let error = live.in_precision(Precision::Bf16).unwrap_err().to_string();
        assert!(error.contains("causal"), "{error}");
        assert!("f64".parse::<Precision>().is_err());
        assert!(
            demucs()
                .in_precision(Precision::F32)
                .unwrap()
                .notice
                .is_none()
        );
    }
}
