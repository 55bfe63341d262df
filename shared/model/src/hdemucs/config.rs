//! Hybrid Demucs' hyper-parameters.

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_parameter_count};
use crate::hybrid::shape::HybridShape;
use crate::hybrid::unet;
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec, SpecList};

/// Hyper-parameters of [`HDemucs`](super::HDemucs), named and defaulting as in the reference package
/// (`demucs==4.1.0`, `HDemucs`), except that its `sources` are `stems`, its `samplerate` is
/// `sample_rate` and its `segment`, in seconds, is `segment_frames`.
///
/// Not all that the reference has was ever published as a model: Wiener filtering (`cac` off) and
/// the spectral branch alone (`hybrid` off) are refused. Nothing is checked until
/// [`HDemucsConfig::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HDemucsConfig {
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Channels of the mixture and of every stem.
    pub audio_channels: usize,
    /// Width of the first spectral encoder layer.
    pub channels: usize,
    /// Width of the first encoder layer over time, if it is another.
    pub channels_time: Option<usize>,
    /// Each layer is this many times as wide as the one above.
    pub growth: f64,
    /// Window of the spectrogram, in frames; its hop is a quarter.
    pub nfft: usize,
    /// Real and imaginary parts are channels (complex as channels): must be on.
    pub cac: bool,
    /// Number of encoder (and decoder) layers.
    pub depth: usize,
    /// Adds a rewriting convolution to each layer.
    pub rewrite: bool,
    /// Has a branch over time beside the spectral one: must be on.
    pub hybrid: bool,
    /// Pads the spectrogram as the models of 2021 were trained.
    pub hybrid_old: bool,
    /// Upper ends of frequency bands with layers of their own, as parts of all frequencies.
    pub multi_freqs: Vec<f64>,
    /// How many layers have such bands.
    pub multi_freqs_depth: usize,
    /// Weight of the frequency embedding; 0 leaves it out.
    pub freq_emb: f64,
    /// What the stored embedding is multiplied by.
    pub emb_scale: f64,
    /// The embedding of a new network is smooth over frequency.
    pub emb_smooth: bool,
    /// Kernel of the strided convolutions.
    pub kernel_size: usize,
    /// Stride of the layers below the merge of both branches.
    pub time_stride: usize,
    /// Stride of all other layers.
    pub stride: usize,
    /// Neighbours on each side that the decoder's rewriting convolutions see.
    pub context: usize,
    /// The same for encoders.
    pub context_enc: usize,
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
    /// Target standard deviation of initial convolution weights; 0 leaves them as drawn.
    pub rescale: f64,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of a good chunk, in frames.
    pub segment_frames: usize,
}

impl Default for HDemucsConfig {
    fn default() -> Self {
        Self {
            stems: ["drums", "bass", "other", "vocals"]
                .map(String::from)
                .to_vec(),
            audio_channels: 2,
            channels: 48,
            channels_time: None,
            growth: 2.0,
            nfft: 4096,
            cac: true,
            depth: 6,
            rewrite: true,
            hybrid: true,
            hybrid_old: false,
            multi_freqs: Vec::new(),
            multi_freqs_depth: 2,
            freq_emb: 0.2,
            emb_scale: 10.0,
            emb_smooth: true,
            kernel_size: 8,
            time_stride: 2,
            stride: 4,
            context: 1,
            context_enc: 0,
            norm_starts: 4,
            norm_groups: 4,
            dconv_mode: 1,
            dconv_depth: 2,
            dconv_comp: 4.0,
            dconv_attn: 4,
            dconv_lstm: 4,
            dconv_init: 1e-4,
            rescale: 0.1,
            sample_rate: 44_100,
            segment_frames: 40 * 44_100,
        }
    }
}

impl HDemucsConfig {
    /// Checks every field, that all layers fit together, and the size of the whole.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range, or fields that contradict each
    /// other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let contradiction = |text: &str| Err(ConfigError::Contradiction(text.into()));
        if !self.cac {
            return contradiction(
                "cac is off: masks and Wiener filtering, which no published model uses, are not \
                 built",
            );
        }
        if !self.hybrid {
            return contradiction(
                "hybrid is off: a spectral branch alone, which no published model has, is not built",
            );
        }
        let shape = self.shape();
        shape.validate()?;
        if !shape.levels().iter().any(|level| level.freqs_below == 1) {
            return contradiction(
                "the branches never meet: choose a greater depth, or a smaller nfft",
            );
        }
        check_parameter_count(self.parameter_count())
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
        let mut list = SpecList::default();
        unet::specs(&mut list, &self.shape());
        list.into_specs()
    }

    /// Number of trained values.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        parameters::parameter_count(&self.parameter_specs())
    }

    pub(crate) fn shape(&self) -> HybridShape {
        HybridShape {
            stems: self.stems.clone(),
            audio_channels: self.audio_channels,
            channels: self.channels,
            channels_time: self.channels_time,
            growth: self.growth,
            nfft: self.nfft,
            is_old: self.hybrid_old,
            depth: self.depth,
            rewrite: self.rewrite,
            multi_freqs: self.multi_freqs.clone(),
            multi_freqs_depth: self.multi_freqs_depth,
            freq_emb: self.freq_emb,
            emb_scale: self.emb_scale,
            emb_smooth: self.emb_smooth,
            kernel_size: self.kernel_size,
            time_stride: self.time_stride,
            stride: self.stride,
            context: self.context,
            context_enc: self.context_enc,
            norm_starts: self.norm_starts,
            norm_groups: self.norm_groups,
            dconv_mode: self.dconv_mode,
            dconv_depth: self.dconv_depth,
            dconv_comp: self.dconv_comp,
            dconv_attn: Some(self.dconv_attn),
            dconv_lstm: Some(self.dconv_lstm),
            dconv_init: self.dconv_init,
            rescale: self.rescale,
            sample_rate: self.sample_rate,
            segment_frames: self.segment_frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against panics and allocations that a damaged or hostile file could ask for.
    #[test]
    fn configs_whose_layers_do_not_fit_are_refused_before_anything_is_allocated() {
        HDemucsConfig::default().validate().unwrap();
        let with = |change: fn(&mut HDemucsConfig)| {
            let mut config = HDemucsConfig::default();
            change(&mut config);
            config
        };
        for config in [
            with(|config| config.cac = false),
            with(|config| config.hybrid = false),
            with(|config| config.depth = 4),
            with(|config| config.depth = 12),
            with(|config| config.nfft = 2048),
            with(|config| config.nfft = 0),
            with(|config| config.stride = 3),
            with(|config| config.kernel_size = 16),
            with(|config| config.time_stride = 0),
            with(|config| config.norm_groups = 7),
            with(|config| config.dconv_comp = 1000.0),
            with(|config| config.dconv_comp = f64::NAN),
            with(|config| config.dconv_depth = i64::MIN),
            with(|config| config.growth = 8.0),
            with(|config| config.channels = usize::MAX),
            with(|config| config.context = 1 << 40),
            with(|config| config.multi_freqs = vec![0.5, 0.5]),
            with(|config| config.multi_freqs = vec![0.0001]),
            with(|config| config.multi_freqs = vec![f64::INFINITY]),
            with(|config| {
                (config.multi_freqs, config.multi_freqs_depth) = (vec![0.5], 6);
            }),
            with(|config| config.segment_frames = 0),
            with(|config| config.stems.clear()),
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
