//! One config for Demucs v1, v2 and every size between: shapes, lengths, parameters.

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_parameter_count, check_stems, in_range};
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec};

/// Hyper-parameters of [`Demucs`](super::Demucs), named as in the reference package
/// (`demucs==2.0.3`), except that its `sources` are `stems` and its `samplerate` is `sample_rate`.
///
/// [`DemucsConfig::v1`] and [`DemucsConfig::v2`] are the published models; any field may differ.
/// Nothing is checked until [`DemucsConfig::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemucsConfig {
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Channels of the mixture and of every stem.
    pub audio_channels: usize,
    /// Width of the first encoder layer.
    pub channels: usize,
    /// Number of encoder (and decoder) layers.
    pub depth: usize,
    /// Adds a 1x1 convolution to each encoder layer and a `context` one to each decoder layer.
    pub rewrite: bool,
    /// Those convolutions end in a GLU instead of a ReLU.
    pub glu: bool,
    /// Target standard deviation of initial convolution weights; 0 leaves them as drawn.
    pub rescale: f64,
    /// Works at twice the input's rate (v2).
    pub resample: bool,
    /// Kernel of the strided convolutions, in frames.
    pub kernel_size: usize,
    /// Stride of each layer, in frames.
    pub stride: usize,
    /// Each layer is this many times as wide as the one above.
    pub growth: f64,
    /// Layers of the bidirectional LSTM between encoder and decoder; 0 leaves it out.
    pub lstm_layers: usize,
    /// Kernel of the decoder's first convolution, in frames.
    pub context: usize,
    /// Normalises every input by the mean and standard deviation of its mono sum.
    pub normalize: bool,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of the segments it was trained on, in frames: a good length for a chunk.
    pub segment_frames: usize,
}

impl Default for DemucsConfig {
    fn default() -> Self {
        Self::v2(64)
    }
}

impl DemucsConfig {
    /// Demucs v1 (published with 64 and 100 channels).
    #[must_use]
    pub fn v1(channels: usize) -> Self {
        Self {
            resample: false,
            ..Self::v2(channels)
        }
    }

    /// Demucs v2 (published with 48 and 64 channels).
    #[must_use]
    pub fn v2(channels: usize) -> Self {
        Self {
            stems: ["drums", "bass", "other", "vocals"]
                .map(String::from)
                .to_vec(),
            audio_channels: 2,
            channels,
            depth: 6,
            rewrite: true,
            glu: true,
            rescale: 0.1,
            resample: true,
            kernel_size: 8,
            stride: 4,
            growth: 2.0,
            lstm_layers: 2,
            context: 3,
            normalize: false,
            sample_rate: 44_100,
            segment_frames: 441_000,
        }
    }

    /// Checks every field, and the size of the whole.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_stems(&self.stems)?;
        let bounds: [(&'static str, f64, f64, f64); 11] = [
            ("audio_channels", self.audio_channels as f64, 1.0, 16.0),
            ("channels", self.channels as f64, 1.0, 4096.0),
            ("depth", self.depth as f64, 1.0, 12.0),
            ("rescale", self.rescale, 0.0, 100.0),
            ("stride", self.stride as f64, 1.0, 64.0),
            (
                "kernel_size",
                self.kernel_size as f64,
                self.stride as f64,
                1024.0,
            ),
            ("growth", self.growth, 0.25, 8.0),
            ("lstm_layers", self.lstm_layers as f64, 0.0, 16.0),
            ("context", self.context as f64, 1.0, 255.0),
            (
                "sample_rate",
                f64::from(self.sample_rate),
                1000.0,
                768_000.0,
            ),
            (
                "segment_frames",
                self.segment_frames as f64,
                1.0,
                (1u64 << 26) as f64,
            ),
        ];
        for (field, got, min, max) in bounds {
            in_range(field, got, min, max)?;
        }
        let mut width = self.channels as f64;
        for _ in 0..self.depth {
            in_range("channels of the deepest layer", width, 1.0, 65_536.0)?;
            width = (self.growth * width).trunc();
        }
        check_parameter_count(self.parameter_count())
    }

    /// Width of each encoder layer, outermost first.
    #[must_use]
    pub fn layer_widths(&self) -> Vec<usize> {
        std::iter::successors(Some(self.channels), |&width| {
            Some((self.growth * width as f64) as usize)
        })
        .take(self.depth)
        .collect()
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

    /// The shortest input of at least `frames` frames for which no layer leaves frames over.
    ///
    /// With `context > 1` the output is shorter than the input: see
    /// [`output_frames`](Self::output_frames). Same as the reference's `valid_length`.
    #[must_use]
    pub fn valid_length(&self, frames: usize) -> usize {
        let (kernel, stride) = (self.kernel_size, self.stride);
        let mut length = if self.resample { 2 * frames } else { frames };
        for _ in 0..self.depth {
            length = length.saturating_sub(kernel).div_ceil(stride) + 1 + (self.context - 1);
        }
        for _ in 0..self.depth {
            length = (length - 1) * stride + kernel;
        }
        if self.resample {
            length.div_ceil(2)
        } else {
            length
        }
    }

    /// Frames that come out for `frames` frames in, centred on them; 0 if the input is too short
    /// for the network.
    #[must_use]
    pub fn output_frames(&self, frames: usize) -> usize {
        let (kernel, stride) = (self.kernel_size, self.stride);
        let trim = if self.rewrite { self.context - 1 } else { 0 };
        let mut length = if self.resample { 2 * frames } else { frames };
        for _ in 0..self.depth {
            if length < kernel {
                return 0;
            }
            length = (length - kernel) / stride + 1;
        }
        for _ in 0..self.depth {
            if length <= trim {
                return 0;
            }
            length = (length - trim - 1) * stride + kernel;
        }
        if self.resample { length / 2 } else { length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_lengths_are_the_published_ones() {
        assert_eq!(DemucsConfig::v1(64).valid_length(441_000), 451_924);
        assert_eq!(DemucsConfig::v1(64).output_frames(451_924), 441_004);
        assert_eq!(DemucsConfig::v2(64).valid_length(441_000), 447_146);
    }

    #[test]
    fn parameter_counts_are_the_published_ones() {
        assert_eq!(DemucsConfig::v1(100).parameter_count(), 648_548_208);
        assert_eq!(DemucsConfig::v2(64).parameter_count(), 265_679_496);
        assert_eq!(DemucsConfig::v2(48).parameter_count(), 149_462_504);
    }

    #[test]
    fn absurd_configs_are_refused_before_anything_is_allocated() {
        for config in [
            DemucsConfig {
                channels: 1 << 40,
                ..DemucsConfig::v1(64)
            },
            DemucsConfig {
                growth: f64::NAN,
                ..DemucsConfig::v1(64)
            },
            DemucsConfig {
                growth: 8.0,
                channels: 4096,
                ..DemucsConfig::v1(64)
            },
            DemucsConfig {
                depth: 0,
                ..DemucsConfig::v1(64)
            },
            DemucsConfig {
                stems: vec!["../x".into()],
                ..DemucsConfig::v1(64)
            },
            DemucsConfig {
                channels: 1024,
                ..DemucsConfig::v1(64)
            },
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
