//! Hyper-parameters of the time-domain Demucs of the v3 and v4 releases.

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_parameter_count, check_stems, in_range};
use crate::hybrid::dconv::DConvShape;
use crate::hybrid::shape::check_dconv;
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec};

/// Hyper-parameters of [`DemucsV3`](super::DemucsV3), named and defaulting as in the reference
/// package (`demucs==4.1.0`, `demucs.demucs.Demucs`), except that its `sources` are `stems`, its
/// `samplerate` is `sample_rate` and its `segment`, in seconds, is `segment_frames`.
///
/// Nothing is checked until [`DemucsV3Config::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemucsV3Config {
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Channels of the mixture and of every stem.
    pub audio_channels: usize,
    /// Width of the first encoder layer.
    pub channels: usize,
    /// Each layer is this many times as wide as the one above.
    pub growth: f64,
    /// Number of encoder (and decoder) layers.
    pub depth: usize,
    /// Adds a 1x1 convolution to each encoder layer and one with `context` to each decoder layer.
    pub rewrite: bool,
    /// Layers of a bidirectional LSTM between encoder and decoder; 0 leaves it out.
    pub lstm_layers: usize,
    /// Kernel of the strided convolutions, in frames.
    pub kernel_size: usize,
    /// Stride of each layer, in frames.
    pub stride: usize,
    /// Neighbours on each side that the decoder's first convolution sees.
    pub context: usize,
    /// GELU, not ReLU, after strided convolutions.
    pub gelu: bool,
    /// GLU, not ReLU, after rewriting convolutions.
    pub glu: bool,
    /// First layer with normalisation.
    pub norm_starts: usize,
    /// Groups of the normalisation.
    pub norm_groups: usize,
    /// Residual branches: 1 in encoders, 2 in decoders, 3 in both.
    pub dconv_mode: u8,
    /// Layers of a residual branch; negative: without dilation.
    pub dconv_depth: i64,
    /// How many times narrower it is inside.
    pub dconv_comp: f64,
    /// First layer whose residual branch has attention.
    pub dconv_attn: usize,
    /// First layer whose residual branch has an LSTM.
    pub dconv_lstm: usize,
    /// Initial weight of residual branches.
    pub dconv_init: f64,
    /// Normalises every input by the mean and standard deviation of its mono sum.
    pub normalize: bool,
    /// Works at twice the input's rate.
    pub resample: bool,
    /// Target standard deviation of initial convolution weights; 0 leaves them as drawn.
    pub rescale: f64,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of a good chunk, in frames.
    pub segment_frames: usize,
}

impl Default for DemucsV3Config {
    fn default() -> Self {
        Self {
            stems: ["drums", "bass", "other", "vocals"]
                .map(String::from)
                .to_vec(),
            audio_channels: 2,
            channels: 64,
            growth: 2.0,
            depth: 6,
            rewrite: true,
            lstm_layers: 0,
            kernel_size: 8,
            stride: 4,
            context: 1,
            gelu: true,
            glu: true,
            norm_starts: 4,
            norm_groups: 4,
            dconv_mode: 1,
            dconv_depth: 2,
            dconv_comp: 4.0,
            dconv_attn: 4,
            dconv_lstm: 4,
            dconv_init: 1e-4,
            normalize: true,
            resample: true,
            rescale: 0.1,
            sample_rate: 44_100,
            segment_frames: 40 * 44_100,
        }
    }
}

impl DemucsV3Config {
    /// Checks every field, that all layers fit together, and the size of the whole.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range, or fields that contradict each
    /// other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_stems(&self.stems)?;
        let bounds: [(&'static str, f64, f64, f64); 15] = [
            ("audio_channels", self.audio_channels as f64, 1.0, 16.0),
            ("channels", self.channels as f64, 1.0, 4096.0),
            ("growth", self.growth, 0.25, 8.0),
            ("depth", self.depth as f64, 1.0, 12.0),
            ("lstm_layers", self.lstm_layers as f64, 0.0, 16.0),
            ("stride", self.stride as f64, 1.0, 64.0),
            (
                "kernel_size",
                self.kernel_size as f64,
                self.stride as f64,
                1024.0,
            ),
            ("context", self.context as f64, 0.0, 127.0),
            ("norm_groups", self.norm_groups as f64, 1.0, 4096.0),
            ("dconv_mode", f64::from(self.dconv_mode), 0.0, 3.0),
            ("dconv_depth", self.dconv_depth as f64, -16.0, 16.0),
            ("dconv_comp", self.dconv_comp, 1e-2, 4096.0),
            ("dconv_init", self.dconv_init, 0.0, 1e3),
            ("rescale", self.rescale, 0.0, 100.0),
            (
                "sample_rate",
                f64::from(self.sample_rate),
                1000.0,
                768_000.0,
            ),
        ];
        for (field, got, min, max) in bounds {
            in_range(field, got, min, max)?;
        }
        let most = (1u64 << 26) as f64;
        in_range("segment_frames", self.segment_frames as f64, 1.0, most)?;
        let mut width = self.channels as f64;
        for _ in 0..self.depth {
            in_range("channels of the deepest layer", width, 1.0, 65_536.0)?;
            width = (self.growth * width).trunc();
        }
        for (index, &width) in self.layer_widths().iter().enumerate() {
            let above = match index {
                0 => self.stems.len() * self.audio_channels,
                _ => self.layer_widths()[index - 1],
            };
            let groups = self.norm_groups;
            // The outermost decoder layer ends without normalisation.
            let is_grouped =
                width.is_multiple_of(groups) && (index == 0 || above.is_multiple_of(groups));
            if index >= self.norm_starts && !is_grouped {
                return Err(ConfigError::Contradiction(format!(
                    "layer {index}: {above} and {width} channels do not make {groups} groups \
                     (norm_groups)"
                )));
            }
            if self.dconv_mode != 0 {
                check_dconv(index, &self.dconv(index, width))?;
            }
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

    /// The residual branch of layer `index`, counted from the outside.
    pub(super) fn dconv(&self, index: usize, width: usize) -> DConvShape {
        DConvShape {
            channels: width,
            hidden: (width as f64 / self.dconv_comp) as usize,
            depth: self.dconv_depth,
            init: self.dconv_init,
            has_lstm: index >= self.dconv_lstm,
            has_attention: index >= self.dconv_attn,
        }
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

    /// Names, shapes and initial values of all weights.
    #[must_use]
    pub fn parameter_specs(&self) -> Vec<ParameterSpec> {
        super::layers::specs(self)
    }

    /// Number of trained values.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        parameters::parameter_count(&self.parameter_specs())
    }

    /// The shortest length of at least `frames` frames for which no layer leaves frames over; the
    /// network pads its input to it. Same as the reference's `valid_length`.
    #[must_use]
    pub fn valid_length(&self, frames: usize) -> usize {
        let (kernel, stride) = (self.kernel_size, self.stride);
        let mut length = if self.resample { 2 * frames } else { frames };
        for _ in 0..self.depth {
            length = length.saturating_sub(kernel).div_ceil(stride) + 1;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against panics and allocations that a damaged or hostile file could ask for.
    #[test]
    fn configs_whose_layers_do_not_fit_are_refused_before_anything_is_allocated() {
        DemucsV3Config::default().validate().unwrap();
        let with = |change: fn(&mut DemucsV3Config)| {
            let mut config = DemucsV3Config::default();
            change(&mut config);
            config
        };
        for config in [
            with(|config| config.channels = 0),
            with(|config| config.channels = usize::MAX),
            with(|config| config.growth = f64::NAN),
            with(|config| config.kernel_size = 3),
            with(|config| config.norm_groups = 7),
            with(|config| config.dconv_comp = 1e3),
            with(|config| config.dconv_mode = 4),
            with(|config| (config.dconv_attn, config.channels) = (0, 60)),
            with(|config| config.segment_frames = 1 << 40),
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
