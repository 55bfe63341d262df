//! HTDemucs' hyper-parameters.

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_parameter_count, in_range};
use crate::hybrid::shape::{HybridShape, Level};
use crate::hybrid::unet;
use crate::network::Signature;
use crate::parameters::{self, ParameterSpec, SpecList};

/// Hyper-parameters of [`HTDemucs`](super::HTDemucs), named and defaulting as in the reference package
/// (`demucs==4.1.0`, `HTDemucs`), except that its `sources` are `stems`, its `samplerate` is
/// `sample_rate` and its `segment`, in seconds, is `segment_frames`.
///
/// What the reference has for training only is not here. Wiener filtering (`cac` off), sparse
/// attention, random position shifts and a merge of the branches were never published as models and
/// are refused. Nothing is checked until [`HTDemucsConfig::validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HTDemucsConfig {
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
    /// Initial weight of residual branches.
    pub dconv_init: f64,
    /// Channels within the transformer; 0: as many as the deepest layer has.
    pub bottom_channels: usize,
    /// Layers of the transformer, in each branch; 0 leaves it out.
    pub t_layers: usize,
    /// Position embedding of the time branch.
    pub t_emb: PositionEmbedding,
    /// How many times wider the transformer's feed-forward parts are inside.
    pub t_hidden_scale: f64,
    /// Attention heads.
    pub t_heads: usize,
    /// Rows of a [`PositionEmbedding::Scaled`].
    pub t_max_positions: usize,
    /// Normalises what enters the transformer, position by position.
    pub t_norm_in: bool,
    /// The same over all positions, where `t_norm_in` is off.
    pub t_norm_in_group: bool,
    /// Normalises over all positions within the transformer's layers.
    pub t_group_norm: bool,
    /// Normalises before attention and feed-forward, not after.
    pub t_norm_first: bool,
    /// Normalises over all positions after each layer, where `t_norm_first` is on.
    pub t_norm_out: bool,
    /// Slowest period of the position embeddings.
    pub t_max_period: f64,
    /// Scales what each layer adds, channel by channel.
    pub t_layer_scale: bool,
    /// GELU, not ReLU, in the feed-forward parts.
    pub t_gelu: bool,
    /// Weight of the position embeddings.
    pub t_weight_pos_embed: f64,
    /// Positions of [`PositionEmbedding::Cape`] are counted from the middle.
    pub t_cape_mean_normalize: bool,
    /// Begins with a layer of cross-attention.
    pub t_cross_first: bool,
    /// Sparse self-attention: must be off.
    pub t_sparse_self_attn: bool,
    /// Sparse cross-attention: must be off.
    pub t_sparse_cross_attn: bool,
    /// Random shifts of the position embedding: must be 0.
    pub t_sin_random_shift: usize,
    /// Target standard deviation of initial convolution weights; 0 leaves them as drawn.
    pub rescale: f64,
    /// Sample rate the model is trained for, in Hz.
    pub sample_rate: u32,
    /// Length of the segments it was trained on, in frames: of the reference's `segment` in seconds
    /// (a fraction, e.g. 39/5), multiplied by the sample rate, the whole part.
    pub segment_frames: usize,
    /// Pads shorter inputs with zeros to `segment_frames`.
    pub use_train_segment: bool,
}

/// How the transformer's time branch knows positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionEmbedding {
    /// Sines and cosines of the position.
    Sin,
    /// The same, of the position from the middle; shifted and stretched at random in training.
    Cape,
    /// A learned vector per position.
    Scaled,
}

impl Default for HTDemucsConfig {
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
            depth: 4,
            rewrite: true,
            multi_freqs: Vec::new(),
            multi_freqs_depth: 3,
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
            dconv_comp: 8.0,
            dconv_init: 1e-3,
            bottom_channels: 0,
            t_layers: 5,
            t_emb: PositionEmbedding::Sin,
            t_hidden_scale: 4.0,
            t_heads: 8,
            t_max_positions: 10_000,
            t_norm_in: true,
            t_norm_in_group: false,
            t_group_norm: false,
            t_norm_first: true,
            t_norm_out: true,
            t_max_period: 10_000.0,
            t_layer_scale: true,
            t_gelu: true,
            t_weight_pos_embed: 1.0,
            t_cape_mean_normalize: true,
            t_cross_first: false,
            t_sparse_self_attn: false,
            t_sparse_cross_attn: false,
            t_sin_random_shift: 0,
            rescale: 0.1,
            sample_rate: 44_100,
            segment_frames: 10 * 44_100,
            use_train_segment: true,
        }
    }
}

impl HTDemucsConfig {
    /// The sizes of `htdemucs`: four stems, 41,984,456 parameters, segments of 7.8 s.
    #[must_use]
    pub fn four_stems() -> Self {
        Self {
            dconv_mode: 3,
            bottom_channels: 512,
            segment_frames: 343_980,
            ..Self::default()
        }
    }

    /// The sizes of `htdemucs_6s`: six stems, 27,414,996 parameters, segments of 7.8 s.
    #[must_use]
    pub fn six_stems() -> Self {
        Self {
            stems: ["drums", "bass", "other", "vocals", "guitar", "piano"]
                .map(String::from)
                .to_vec(),
            bottom_channels: 0,
            ..Self::four_stems()
        }
    }

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
        if self.t_sparse_self_attn || self.t_sparse_cross_attn || self.t_sin_random_shift > 0 {
            return contradiction(
                "sparse attention (t_sparse_self_attn, t_sparse_cross_attn) and random shifts \
                 (t_sin_random_shift), which no published model uses, are not built",
            );
        }
        let shape = self.shape();
        shape.validate()?;
        let levels = shape.levels();
        if levels.iter().any(|level| level.freqs_below == 1) {
            return contradiction(
                "the branches would meet before the transformer: choose a smaller depth, or a \
                 greater nfft",
            );
        }
        self.validate_transformer(&levels)?;
        check_parameter_count(self.parameter_count())
    }

    fn validate_transformer(&self, levels: &[Level]) -> Result<(), ConfigError> {
        let bounds: [(&'static str, f64, f64, f64); 7] = [
            (
                "bottom_channels",
                self.bottom_channels as f64,
                0.0,
                65_536.0,
            ),
            ("t_layers", self.t_layers as f64, 0.0, 256.0),
            ("t_hidden_scale", self.t_hidden_scale, 1e-3, 64.0),
            ("t_heads", self.t_heads as f64, 1.0, 1024.0),
            ("t_max_positions", self.t_max_positions as f64, 1.0, 1e6),
            ("t_max_period", self.t_max_period, 1.0, 1e9),
            ("t_weight_pos_embed", self.t_weight_pos_embed, 0.0, 1e3),
        ];
        for (field, got, min, max) in bounds {
            in_range(field, got, min, max)?;
        }
        if self.t_layers == 0 {
            return Ok(());
        }
        let contradiction = |text: String| Err(ConfigError::Contradiction(text));
        let Some(deepest) = levels.last() else {
            return Ok(());
        };
        let time_width = deepest.time.as_ref().map(|(encoder, _)| encoder.outputs);
        if time_width != Some(deepest.encoder.outputs) {
            return contradiction(
                "channels_time must equal channels: the transformer takes both branches".into(),
            );
        }
        let width = self.transformer_channels();
        if !width.is_multiple_of(4) || !width.is_multiple_of(self.t_heads) {
            return contradiction(format!(
                "the transformer's {width} channels must be a multiple of 4 and of t_heads, {}",
                self.t_heads
            ));
        }
        let stride = (self.stride as f64).powi(self.depth as i32);
        let positions = (self.segment_frames as f64 / stride).ceil();
        if self.t_emb == PositionEmbedding::Scaled && positions > self.t_max_positions as f64 {
            return contradiction(format!(
                "segments of {} frames have {positions} positions in the transformer, more than \
                 t_max_positions, {}",
                self.segment_frames, self.t_max_positions
            ));
        }
        Ok(())
    }

    /// Channels within the transformer.
    pub(super) fn transformer_channels(&self) -> usize {
        if self.bottom_channels > 0 {
            self.bottom_channels
        } else {
            self.bottom_of_unet()
        }
    }

    /// Channels of the deepest layer.
    pub(super) fn bottom_of_unet(&self) -> usize {
        let levels = self.shape().levels();
        levels.last().map_or(0, |level| level.encoder.outputs)
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
        super::transformer::specs(&mut list, self);
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
            is_old: false,
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
            dconv_attn: None,
            dconv_lstm: None,
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
        HTDemucsConfig::four_stems().validate().unwrap();
        HTDemucsConfig::six_stems().validate().unwrap();
        let with = |change: fn(&mut HTDemucsConfig)| {
            let mut config = HTDemucsConfig::four_stems();
            change(&mut config);
            config
        };
        for config in [
            with(|config| config.cac = false),
            with(|config| config.t_sparse_self_attn = true),
            with(|config| config.t_sparse_cross_attn = true),
            with(|config| config.t_sin_random_shift = 1),
            with(|config| config.depth = 5),
            with(|config| config.channels_time = Some(24)),
            with(|config| config.t_heads = 7),
            with(|config| config.t_heads = 0),
            with(|config| config.bottom_channels = 6),
            with(|config| config.bottom_channels = usize::MAX),
            with(|config| config.t_hidden_scale = f64::INFINITY),
            with(|config| config.t_layers = usize::MAX),
            with(|config| config.t_max_period = f64::NAN),
            with(|config| {
                (config.t_emb, config.t_max_positions) = (PositionEmbedding::Scaled, 1_343);
            }),
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
        with(|config| (config.t_emb, config.t_max_positions) = (PositionEmbedding::Scaled, 1_344))
            .validate()
            .unwrap();
    }
}
