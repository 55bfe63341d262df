//! Hyper-parameters of Conv-TasNet.

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_parameter_count, check_stems, in_range};
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec};

/// Hyper-parameters of [`ConvTasNet`](super::ConvTasNet); the letters are the paper's, and the
/// names of the reference package's arguments (`demucs==2.0.3`).
///
/// The default is the published model. Nothing is checked until [`ConvTasNetConfig::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvTasNetConfig {
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Channels of the mixture and of every stem.
    pub audio_channels: usize,
    /// N: filters of encoder and decoder.
    pub filters: usize,
    /// L: length of each filter, in frames; they overlap by half.
    pub filter_frames: usize,
    /// B: channels between the blocks.
    pub bottleneck_channels: usize,
    /// H: channels within a block.
    pub hidden_channels: usize,
    /// P: kernel of each block's convolution over time.
    pub kernel_size: usize,
    /// X: blocks in each repeat, the n-th with a dilation of 2^n.
    pub blocks: usize,
    /// R: repeats.
    pub repeats: usize,
    /// How blocks normalise.
    pub norm: Norm,
    /// Convolutions over time see the past only.
    pub causal: bool,
    /// What makes a mask of the last layer's output.
    pub mask: Mask,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of the segments it was trained on, in frames: a good length for a chunk.
    pub segment_frames: usize,
}

/// How a block normalises. (The reference's batch normalisation is not offered: no model was
/// published with it, and its running statistics are no weights.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Norm {
    /// Over channels and time.
    #[serde(rename = "gLN")]
    Global,
    /// Over channels, at each point of time.
    #[serde(rename = "cLN")]
    Channelwise,
    /// Not at all.
    #[serde(rename = "id")]
    None,
}

/// What makes a mask of the last layer's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// No stem can be louder than 0 times.
    Relu,
    /// All stems' masks add up to 1.
    Softmax,
}

impl Default for ConvTasNetConfig {
    fn default() -> Self {
        Self {
            stems: ["drums", "bass", "other", "vocals"]
                .map(String::from)
                .to_vec(),
            audio_channels: 2,
            filters: 256,
            filter_frames: 20,
            bottleneck_channels: 256,
            hidden_channels: 512,
            kernel_size: 3,
            blocks: 10,
            repeats: 4,
            norm: Norm::Global,
            causal: false,
            mask: Mask::Relu,
            sample_rate: 44_100,
            segment_frames: 352_800,
        }
    }
}

impl ConvTasNetConfig {
    /// Checks every field, and the size of the whole.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_stems(&self.stems)?;
        let rate = f64::from(self.sample_rate);
        let bounds: [(&'static str, usize, usize, usize); 9] = [
            ("audio_channels", self.audio_channels, 1, 16),
            ("filters", self.filters, 1, 16_384),
            ("filter_frames", self.filter_frames, 2, 4096),
            ("bottleneck_channels", self.bottleneck_channels, 1, 16_384),
            ("hidden_channels", self.hidden_channels, 1, 16_384),
            ("kernel_size", self.kernel_size, 1, 255),
            ("blocks", self.blocks, 1, 16),
            ("repeats", self.repeats, 1, 64),
            (
                "segment_frames",
                self.segment_frames,
                self.filter_frames,
                1 << 26,
            ),
        ];
        for (field, got, min, max) in bounds {
            in_range(field, got as f64, min as f64, max as f64)?;
        }
        in_range("sample_rate", rate, 1000.0, 768_000.0)?;
        if !self.causal && self.kernel_size.is_multiple_of(2) {
            return Err(ConfigError::Contradiction(format!(
                "kernel_size = {} cannot be centred: choose an odd one, or causal",
                self.kernel_size
            )));
        }
        check_parameter_count(self.parameter_count())
    }

    /// Frames from one filter to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.filter_frames / 2
    }

    /// The shortest input of at least `frames` frames whose last frames the filters reach. (The
    /// output is always as long as the input, zeros where they do not reach.)
    #[must_use]
    pub fn valid_length(&self, frames: usize) -> usize {
        let beyond_first = frames.saturating_sub(self.filter_frames);
        self.filter_frames + beyond_first.div_ceil(self.stride()) * self.stride()
    }

    /// The audio that the network takes and makes.
    #[must_use]
    pub fn signature(&self) -> Signature {
        Signature {
            rate_hz: self.sample_rate,
            channels: self.audio_channels,
            stems: self.stems.clone(),
        }
    }

    /// Names, shapes and initial values of all weights, in the order of the code tree.
    #[must_use]
    pub fn parameter_specs(&self) -> Vec<ParameterSpec> {
        super::parameters::specs(self)
    }

    /// Number of trained values.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        parameters::parameter_count(&self.parameter_specs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_configs_are_refused_before_anything_is_allocated() {
        let published = ConvTasNetConfig::default();
        assert_eq!(published.validate(), Ok(()));
        for config in [
            ConvTasNetConfig {
                filters: 1 << 40,
                ..published.clone()
            },
            ConvTasNetConfig {
                hidden_channels: 16_384,
                bottleneck_channels: 16_384,
                ..published.clone()
            },
            ConvTasNetConfig {
                filter_frames: 1,
                ..published.clone()
            },
            ConvTasNetConfig {
                segment_frames: 19,
                ..published.clone()
            },
            ConvTasNetConfig {
                kernel_size: 4,
                ..published
            },
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
