//! Sizes of a band-split network, and the delay that follows from them.

use serde::{Deserialize, Serialize};

use crate::causal::check_state;
use crate::config_error::{ConfigError, check_parameter_count, check_stems, in_range};
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec};

/// What the layers over time hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeContext {
    /// What has been, and the lookahead: hop after hop, for live playing.
    #[default]
    Past,
    /// All of a window, by LSTMs that also go backward.
    Whole,
}

/// Hyper-parameters of [`BandSplit`](super::BandSplit). Nothing is checked until
/// [`BandSplitConfig::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BandSplitConfig {
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Channels of the mixture and of every stem.
    pub audio_channels: usize,
    /// What the LSTMs over time hear.
    pub context: TimeContext,
    /// Frames that one spectrum sees: long for narrow bins, it costs no delay.
    pub window_frames: usize,
    /// Frames between spectra, and per step. The synthesis window is two hops long.
    pub hop_frames: usize,
    /// Hops that the mask hears beyond the spectrum that it is made for.
    pub lookahead_hops: usize,
    /// Bins of each band, from the lowest; together `window_frames / 2 + 1`.
    pub band_bins: Vec<usize>,
    /// Values that describe a band.
    pub features: usize,
    /// Width of the LSTMs, over time and (each way) over bands.
    pub hidden: usize,
    /// Pairs of one LSTM over time and one over bands.
    pub blocks: usize,
    /// Divides the input by its running level, and multiplies the output by it.
    pub normalize: bool,
    /// Length of the memory of that level, in seconds.
    pub level_memory_seconds: f64,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of the segments that it is trained on, in frames.
    pub segment_frames: usize,
}

impl Default for BandSplitConfig {
    /// 11.6 ms per hop and 23.2 ms of lookahead at 44.1 kHz.
    fn default() -> Self {
        // 86 Hz wide up to 0.7 kHz, 172 Hz to 2.1 kHz, 517 Hz to 5.2 kHz, 1.4 kHz to 12 kHz.
        let widths = [(4, 8), (8, 8), (24, 6), (64, 5), (155, 3)];
        Self {
            stems: ["drums", "bass", "other", "vocals"]
                .map(String::from)
                .to_vec(),
            audio_channels: 2,
            context: TimeContext::Past,
            window_frames: 2048,
            hop_frames: 512,
            lookahead_hops: 1,
            band_bins: widths
                .into_iter()
                .flat_map(|(bins, bands)| std::iter::repeat_n(bins, bands))
                .collect(),
            features: 64,
            hidden: 64,
            blocks: 4,
            normalize: true,
            level_memory_seconds: 8.0,
            sample_rate: 44_100,
            segment_frames: 88_200,
        }
    }
}

impl BandSplitConfig {
    /// Checks every field, and the size of the whole.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_stems(&self.stems)?;
        let count = |count: usize| count as f64;
        let bounds: [(&'static str, f64, f64, f64); 11] = [
            ("audio_channels", count(self.audio_channels), 1.0, 16.0),
            ("window_frames", count(self.window_frames), 4.0, 65_536.0),
            ("hop_frames", count(self.hop_frames), 1.0, 32_768.0),
            ("lookahead_hops", count(self.lookahead_hops), 0.0, 256.0),
            ("band_bins", count(self.band_bins.len()), 1.0, 1024.0),
            ("features", count(self.features), 1.0, 4096.0),
            ("hidden", count(self.hidden), 1.0, 4096.0),
            ("blocks", count(self.blocks), 1.0, 64.0),
            (
                "level_memory_seconds",
                self.level_memory_seconds,
                0.01,
                86_400.0,
            ),
            (
                "sample_rate",
                f64::from(self.sample_rate),
                1000.0,
                768_000.0,
            ),
            (
                "segment_frames",
                count(self.segment_frames),
                1.0,
                (1u64 << 26) as f64,
            ),
        ];
        for (field, got, min, max) in bounds {
            in_range(field, got, min, max)?;
        }
        let (window, hop) = (self.window_frames, self.hop_frames);
        if !window.is_multiple_of(2) || window < 2 * hop {
            return Err(ConfigError::Contradiction(format!(
                "window_frames = {window} must be even and at least two hops of {hop}"
            )));
        }
        let bins = window / 2 + 1;
        let sum = self
            .band_bins
            .iter()
            .fold(0usize, |sum, &bins| sum.saturating_add(bins));
        if sum != bins || self.band_bins.contains(&0) {
            return Err(ConfigError::Contradiction(format!(
                "band_bins has {sum} bins in all, a window of {window} frames has {bins}; \
                 no band may be empty"
            )));
        }
        check_parameter_count(parameters::parameter_count(&self.parameter_specs()))?;
        check_state(&super::state_shapes(self))
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

    /// How far the output's content lies behind the input's, in frames: the hop for which the
    /// synthesis windows overlap, and those that the mask waits for.
    #[must_use]
    pub fn lookahead_frames(&self) -> usize {
        self.hop_frames * (1 + self.lookahead_hops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the figures that the product promises for live playing.
    #[test]
    fn the_default_is_live() {
        let config = BandSplitConfig::default();
        config.validate().unwrap();
        let latency = 2 * config.hop_frames + config.lookahead_frames();
        let ms = latency as f64 * 1000.0 / f64::from(config.sample_rate);
        assert!(ms <= 50.0, "{ms}");
        let parameters = parameters::parameter_count(&config.parameter_specs());
        assert!((1_000_000..2_000_000).contains(&parameters), "{parameters}");
    }

    #[test]
    fn absurd_configs_are_refused_before_anything_is_allocated() {
        let change = |change: fn(&mut BandSplitConfig)| {
            let mut config = BandSplitConfig::default();
            change(&mut config);
            config
        };
        for config in [
            change(|c| c.hop_frames = 0),
            change(|c| c.hop_frames = 1025),
            change(|c| c.window_frames = 2047),
            change(|c| c.band_bins = vec![1024]),
            change(|c| c.band_bins = vec![1025, 0]),
            change(|c| c.band_bins = vec![usize::MAX, 1026]),
            change(|c| c.band_bins = vec![]),
            change(|c| (c.features, c.hidden, c.blocks) = (4096, 4096, 64)),
            change(|c| c.hidden = 1 << 40),
            change(|c| c.level_memory_seconds = f64::NAN),
            change(|c| c.stems = vec!["../x".into()]),
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
