//! Sizes of a causal Demucs, and the delay that follows from them.

use serde::{Deserialize, Serialize};

use crate::causal::check_state;
use crate::config_error::{ConfigError, check_parameter_count, check_stems, in_range};
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec};

/// Hyper-parameters of [`LiveDemucs`](super::LiveDemucs). Nothing is checked until
/// [`LiveDemucsConfig::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveDemucsConfig {
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Channels of the mixture and of every stem.
    pub audio_channels: usize,
    /// Width of the first encoder layer.
    pub hidden: usize,
    /// Number of encoder (and decoder) layers.
    pub depth: usize,
    /// Each layer is this many times as wide as the one above.
    pub growth: f64,
    /// Kernel of the strided convolutions, in positions of the layer above.
    pub kernel_size: usize,
    /// Stride of each layer, in positions of the layer above.
    pub stride: usize,
    /// Layers of the LSTM between encoder and decoder.
    pub lstm_layers: usize,
    /// Works at this many times the input's rate: 1, 2 or 4.
    pub resample: usize,
    /// Positions of the innermost layer that one hop brings. More make a hop cheaper and later.
    pub hop_positions: usize,
    /// Positions of the innermost layer that the LSTM hears beyond those that are being decoded.
    pub lookahead_positions: usize,
    /// Divides the input by its running level, and multiplies the output by it.
    pub normalize: bool,
    /// Length of the memory of that level, in seconds.
    pub level_memory_seconds: f64,
    /// Target standard deviation of initial convolution weights; 0 leaves them as drawn.
    pub rescale: f64,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of the segments that it is trained on, in frames.
    pub segment_frames: usize,
}

impl Default for LiveDemucsConfig {
    /// 11.6 ms per hop and 19.3 ms of lookahead at 44.1 kHz.
    fn default() -> Self {
        Self {
            stems: ["drums", "bass", "other", "vocals"]
                .map(String::from)
                .to_vec(),
            audio_channels: 2,
            hidden: 48,
            depth: 4,
            growth: 2.0,
            kernel_size: 8,
            stride: 4,
            lstm_layers: 2,
            resample: 1,
            hop_positions: 2,
            lookahead_positions: 2,
            normalize: true,
            level_memory_seconds: 8.0,
            rescale: 0.1,
            sample_rate: 44_100,
            segment_frames: 88_200,
        }
    }
}

/// Longest hop or lookahead, in frames inside the network.
const MAX_FRAMES: f64 = (1u64 << 20) as f64;

impl LiveDemucsConfig {
    /// Checks every field, and the size of the whole.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_stems(&self.stems)?;
        let positions = |count: usize| count as f64;
        let bounds: [(&'static str, f64, f64, f64); 14] = [
            ("audio_channels", positions(self.audio_channels), 1.0, 16.0),
            ("hidden", positions(self.hidden), 1.0, 4096.0),
            ("depth", positions(self.depth), 1.0, 12.0),
            ("growth", self.growth, 0.25, 8.0),
            ("stride", positions(self.stride), 2.0, 64.0),
            (
                "kernel_size",
                positions(self.kernel_size),
                positions(self.stride),
                1024.0,
            ),
            ("lstm_layers", positions(self.lstm_layers), 1.0, 16.0),
            ("resample", positions(self.resample), 1.0, 4.0),
            ("hop_positions", positions(self.hop_positions), 1.0, 4096.0),
            (
                "lookahead_positions",
                positions(self.lookahead_positions),
                0.0,
                4096.0,
            ),
            (
                "level_memory_seconds",
                self.level_memory_seconds,
                0.01,
                86_400.0,
            ),
            ("rescale", self.rescale, 0.0, 100.0),
            (
                "sample_rate",
                f64::from(self.sample_rate),
                1000.0,
                768_000.0,
            ),
            (
                "segment_frames",
                positions(self.segment_frames),
                1.0,
                (1u64 << 26) as f64,
            ),
        ];
        for (field, got, min, max) in bounds {
            in_range(field, got, min, max)?;
        }
        let mut width = self.hidden as f64;
        for _ in 0..self.depth {
            in_range("width of the deepest layer", width, 1.0, 65_536.0)?;
            width = (self.growth * width).trunc();
        }
        let reach = (self.stride as f64).powi(self.depth as i32);
        let hop = reach * positions(self.hop_positions);
        in_range("stride ^ depth * hop_positions", hop, 1.0, MAX_FRAMES)?;
        let lookahead = reach * positions(self.lookahead_positions + self.kernel_size);
        in_range(
            "stride ^ depth * (lookahead_positions + kernel_size)",
            lookahead,
            1.0,
            MAX_FRAMES,
        )?;
        if self.resample == 3 || !self.hop_inside().is_multiple_of(self.resample) {
            return Err(ConfigError::Contradiction(format!(
                "resample = {} must be 1, 2 or 4 and divide the {} frames of stride ^ depth * \
                 hop_positions",
                self.resample,
                self.hop_inside()
            )));
        }
        check_parameter_count(parameters::parameter_count(&self.parameter_specs()))?;
        check_state(&super::state_shapes(self))
    }

    /// Width of each encoder layer, outermost first.
    #[must_use]
    pub fn layer_widths(&self) -> Vec<usize> {
        std::iter::successors(Some(self.hidden), |&width| {
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

    /// Frames per step.
    #[must_use]
    pub fn hop_frames(&self) -> usize {
        self.hop_inside() / self.resample
    }

    /// How far the output's content lies behind the input's, in frames.
    #[must_use]
    pub fn lookahead_frames(&self) -> usize {
        super::resample::delay_frames(self.resample, self.delay_positions(0))
    }

    /// Frames per step at the rate inside the network.
    fn hop_inside(&self) -> usize {
        self.stride.pow(self.depth as u32) * self.hop_positions
    }

    /// How far the decoder's output into layer `layer` (0 is the audio) lies behind the encoder's,
    /// in positions of that layer.
    ///
    /// A position of a layer is complete `kernel - stride` positions of the layer above after the
    /// first one that it hears, and decodes from that first one on.
    pub(super) fn delay_positions(&self, layer: usize) -> usize {
        (layer..self.depth).fold(self.lookahead_positions, |delay, _| {
            delay * self.stride + self.kernel_size - self.stride
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the figures that the product promises for live playing.
    #[test]
    fn the_default_is_live() {
        let config = LiveDemucsConfig::default();
        config.validate().unwrap();
        let (hop, lookahead) = (config.hop_frames(), config.lookahead_frames());
        let ms = |frames: usize| frames as f64 * 1000.0 / f64::from(config.sample_rate);
        assert!(ms(hop) <= 11.62, "{hop}");
        assert!(ms(2 * hop + lookahead) <= 50.0, "{hop} + {lookahead}");
        let f16_bytes = 2 * parameters::parameter_count(&config.parameter_specs());
        assert!(f16_bytes <= 12_000_000, "{f16_bytes}");
    }

    /// Guards the delay against the reference's: PyPI `denoiser` tells `valid_length(1)` less one
    /// stride, at the rate inside.
    #[test]
    fn the_delay_is_that_of_the_streaming_reference() {
        let config = LiveDemucsConfig {
            depth: 5,
            lookahead_positions: 0,
            hop_positions: 1,
            ..LiveDemucsConfig::default()
        };
        let valid_length = (0..5).fold(1, |length, _| (length - 1) * 4 + 8);
        assert_eq!(
            config.delay_positions(0),
            valid_length - config.hop_frames()
        );
    }

    #[test]
    fn absurd_configs_are_refused_before_anything_is_allocated() {
        let change = |change: fn(&mut LiveDemucsConfig)| {
            let mut config = LiveDemucsConfig::default();
            change(&mut config);
            config
        };
        for config in [
            change(|c| c.hidden = 1 << 40),
            change(|c| c.growth = f64::NAN),
            change(|c| (c.growth, c.hidden) = (8.0, 4096)),
            change(|c| c.resample = 3),
            change(|c| c.resample = 0),
            change(|c| c.stride = 1),
            change(|c| c.kernel_size = 2),
            change(|c| (c.stride, c.depth, c.kernel_size) = (64, 12, 64)),
            change(|c| c.lookahead_positions = usize::MAX),
            change(|c| (c.stride, c.depth, c.resample) = (3, 2, 4)),
            change(|c| (c.hidden, c.growth, c.lookahead_positions) = (4096, 0.25, 4000)),
            change(|c| c.level_memory_seconds = 0.0),
            change(|c| c.stems = vec!["../x".into()]),
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
