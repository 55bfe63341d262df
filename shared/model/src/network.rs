//! What all architectures have in common, and the one place that lists them.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::bag::{Bag, BagConfig};
use crate::band_split::{BandSplit, BandSplitConfig};
use crate::config_error::ConfigError;
use crate::conv_tasnet::{ConvTasNet, ConvTasNetConfig};
use crate::demucs::{Demucs, DemucsConfig};
use crate::demucs_v3::{DemucsV3, DemucsV3Config};
use crate::hdemucs::{HDemucs, HDemucsConfig};
use crate::htdemucs::{HTDemucs, HTDemucsConfig};
use crate::live_demucs::{LiveDemucs, LiveDemucsConfig};
use crate::parameters::{self, ParameterError, ParameterSpec, Parameters};

/// The audio that a network takes and makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Sample rate it is trained for, in Hz.
    pub rate_hz: u32,
    /// Channels of the mixture and of every stem.
    pub channels: usize,
    /// Stem names, in output order.
    pub stems: Vec<String>,
}

/// A good length of what a network with whole context is shown at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Frames in.
    pub chunk_frames: usize,
    /// Frames out, centred on those that went in.
    pub output_frames: usize,
}

impl Window {
    /// The window of a network whose output is as long as its input.
    #[must_use]
    pub fn whole(frames: usize) -> Self {
        Self {
            chunk_frames: frames,
            output_frames: frames,
        }
    }
}

/// A separation network: weights, and nothing that changes from call to call.
pub trait Network: std::fmt::Debug + Send {
    /// The audio that it takes and makes.
    fn signature(&self) -> Signature;

    /// Where it runs.
    fn device(&self) -> Device;

    /// How much it should be shown at a time.
    fn window(&self) -> Window;

    /// The window that is nearest to `frames`, and not shorter: [`window`](Self::window), where that
    /// is the only length the network can be shown.
    fn window_of(&self, frames: usize) -> Window {
        let _ = frames;
        self.window()
    }

    /// Separates a batch: `[batch, channels, frames]` → `[batch, stems, channels, output frames]`,
    /// the output centred on the input.
    fn forward(&self, mix: &Tensor) -> Tensor;

    /// The network as one that can go on from hop to hop, if it is of that kind.
    fn causal(&self) -> Option<&dyn CausalNetwork> {
        None
    }
}

/// A network of this crate's own: its weights can be trained, saved and built into it again.
pub trait Trainable: Network {
    /// Architecture and hyper-parameters, enough to build it again.
    fn config(&self) -> NetworkConfig;

    /// All weights by name. The tensors share the network's storage: training writes through them.
    fn parameters(&self) -> &Parameters;
}

/// A network that needs no more of the future than its lookahead: what it has heard lies in a state,
/// and no sample is computed twice.
///
/// `forward` over a clip (silence before and after it) and `step` over its hops agree within float
/// order; `forward` is as long as the clip, its frame `i` the estimate for frame `i`.
pub trait CausalNetwork: Network {
    /// Frames per step.
    fn hop_frames(&self) -> usize;

    /// How far the output's content lies behind the input's, in frames.
    fn lookahead_frames(&self) -> usize;

    /// The state before the first frame of `batch` streams. The batch is the first axis of every
    /// tensor of it.
    fn start(&self, batch: i64) -> Vec<Tensor>;

    /// Takes one hop further, or several at once: `[batch, channels, hops * hop]` →
    /// `[batch, stems, channels, hops * hop]`. The state is replaced when all is computed, and not
    /// written to: a step that panics leaves it as it was.
    fn step(&self, state: &mut Vec<Tensor>, hops: &Tensor) -> Tensor;
}

/// Names of all architectures, as [`NetworkConfig`] writes them.
pub const ARCHITECTURES: &[&str] = &[
    "demucs",
    "live-demucs",
    "band-split",
    "conv-tasnet",
    "demucs-v3",
    "hdemucs",
    "htdemucs",
    "bag",
];

/// Any architecture with its hyper-parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "architecture", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NetworkConfig {
    /// Demucs v1 and v2, see [`crate::demucs`].
    Demucs(DemucsConfig),
    /// A causal Demucs, see [`crate::live_demucs`].
    LiveDemucs(LiveDemucsConfig),
    /// A band-split network, causal or not, see [`crate::band_split`].
    BandSplit(BandSplitConfig),
    /// Conv-TasNet, see [`crate::conv_tasnet`].
    #[serde(rename = "conv-tasnet")]
    ConvTasNet(ConvTasNetConfig),
    /// The time-domain Demucs of the v3 and v4 releases, see [`crate::demucs_v3`].
    DemucsV3(DemucsV3Config),
    /// Hybrid Demucs (v3), see [`crate::hdemucs`].
    #[serde(rename = "hdemucs")]
    HDemucs(HDemucsConfig),
    /// HTDemucs (v4), see [`crate::htdemucs`].
    #[serde(rename = "htdemucs")]
    HTDemucs(HTDemucsConfig),
    /// Several of the others, averaged, see [`crate::bag`].
    Bag(BagConfig),
}

impl NetworkConfig {
    /// Checks every field, and the size of the whole, before anything is allocated.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Demucs(config) => config.validate(),
            Self::LiveDemucs(config) => config.validate(),
            Self::BandSplit(config) => config.validate(),
            Self::ConvTasNet(config) => config.validate(),
            Self::DemucsV3(config) => config.validate(),
            Self::HDemucs(config) => config.validate(),
            Self::HTDemucs(config) => config.validate(),
            Self::Bag(config) => config.validate(),
        }
    }

    /// The audio that the network takes and makes.
    #[must_use]
    pub fn signature(&self) -> Signature {
        match self {
            Self::Demucs(config) => config.signature(),
            Self::LiveDemucs(config) => config.signature(),
            Self::BandSplit(config) => config.signature(),
            Self::ConvTasNet(config) => config.signature(),
            Self::DemucsV3(config) => config.signature(),
            Self::HDemucs(config) => config.signature(),
            Self::HTDemucs(config) => config.signature(),
            Self::Bag(config) => config.signature(),
        }
    }

    /// Names, shapes and initial values of all weights; of a valid config only.
    #[must_use]
    pub fn parameter_specs(&self) -> Vec<ParameterSpec> {
        match self {
            Self::Demucs(config) => config.parameter_specs(),
            Self::LiveDemucs(config) => config.parameter_specs(),
            Self::BandSplit(config) => config.parameter_specs(),
            Self::ConvTasNet(config) => config.parameter_specs(),
            Self::DemucsV3(config) => config.parameter_specs(),
            Self::HDemucs(config) => config.parameter_specs(),
            Self::HTDemucs(config) => config.parameter_specs(),
            Self::Bag(config) => config.parameter_specs(),
        }
    }

    /// A network from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn build(
        self,
        parameters: Parameters,
        device: Device,
    ) -> Result<Box<dyn Trainable>, ParameterError> {
        Ok(match self {
            Self::Demucs(config) => Box::new(Demucs::from_parameters(config, parameters, device)?),
            Self::LiveDemucs(config) => {
                Box::new(LiveDemucs::from_parameters(config, parameters, device)?)
            }
            Self::BandSplit(config) => {
                Box::new(BandSplit::from_parameters(config, parameters, device)?)
            }
            Self::ConvTasNet(config) => {
                Box::new(ConvTasNet::from_parameters(config, parameters, device)?)
            }
            Self::DemucsV3(config) => {
                Box::new(DemucsV3::from_parameters(config, parameters, device)?)
            }
            Self::HDemucs(config) => {
                Box::new(HDemucs::from_parameters(config, parameters, device)?)
            }
            Self::HTDemucs(config) => {
                Box::new(HTDemucs::from_parameters(config, parameters, device)?)
            }
            Self::Bag(config) => Box::new(Bag::from_parameters(config, parameters, device)?),
        })
    }

    /// A new network; equal seeds give equal weights.
    ///
    /// # Errors
    /// [`ParameterError::Config`] if the config cannot be built.
    pub fn untrained(
        self,
        seed: i64,
        device: Device,
    ) -> Result<Box<dyn Trainable>, ParameterError> {
        self.validate()?;
        let parameters = self.untrained_parameters(seed);
        self.build(parameters, device)
    }

    /// Number of trained values.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        parameters::parameter_count(&self.parameter_specs())
    }

    /// New weights of a valid config.
    pub(crate) fn untrained_parameters(&self, seed: i64) -> Parameters {
        let rescale = match self {
            Self::Demucs(config) => config.rescale,
            Self::LiveDemucs(config) => config.rescale,
            // Drawn at their final scale.
            Self::BandSplit(_) | Self::ConvTasNet(_) => 0.0,
            Self::DemucsV3(config) => config.rescale,
            Self::HDemucs(config) => config.rescale,
            Self::HTDemucs(config) => config.rescale,
            Self::Bag(config) => return config.untrained(seed),
        };
        parameters::untrained(&self.parameter_specs(), rescale, seed)
    }
}

/// Cuts the last axis down to `frames` around its centre; an odd frame goes from the end.
pub fn center_trim(x: &Tensor, frames: i64) -> Tensor {
    let surplus = x.size().last().copied().unwrap_or(0) - frames;
    x.narrow(-1, surplus / 2, frames)
}
