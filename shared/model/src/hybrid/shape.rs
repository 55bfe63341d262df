//! Which layers a config of a hybrid network asks for, and whether they fit together.

use super::bands::{decoder_ends, encoder_bands};
use super::dconv::DConvShape;
use super::level::{BodyShape, LayerShape};
use super::local_state;
use crate::config_error::{ConfigError, check_stems, in_range};

/// Fields that Hybrid Demucs and HTDemucs share, named as in their configs.
#[derive(Clone, Debug)]
pub(crate) struct HybridShape {
    pub(crate) stems: Vec<String>,
    pub(crate) audio_channels: usize,
    pub(crate) channels: usize,
    pub(crate) channels_time: Option<usize>,
    pub(crate) growth: f64,
    pub(crate) nfft: usize,
    pub(crate) is_old: bool,
    pub(crate) depth: usize,
    pub(crate) rewrite: bool,
    pub(crate) multi_freqs: Vec<f64>,
    pub(crate) multi_freqs_depth: usize,
    pub(crate) freq_emb: f64,
    pub(crate) emb_scale: f64,
    pub(crate) emb_smooth: bool,
    pub(crate) kernel_size: usize,
    pub(crate) time_stride: usize,
    pub(crate) stride: usize,
    pub(crate) context: usize,
    pub(crate) context_enc: usize,
    pub(crate) norm_starts: usize,
    pub(crate) norm_groups: usize,
    pub(crate) dconv_mode: u8,
    pub(crate) dconv_depth: i64,
    pub(crate) dconv_comp: f64,
    /// First level whose residual branches have attention; `None`: none has.
    pub(crate) dconv_attn: Option<usize>,
    /// First level whose residual branches have an LSTM; `None`: none has.
    pub(crate) dconv_lstm: Option<usize>,
    pub(crate) dconv_init: f64,
    pub(crate) rescale: f64,
    pub(crate) sample_rate: u32,
    pub(crate) segment_frames: usize,
}

/// Encoder and decoder layer of one level, in each branch.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) encoder: LayerShape,
    pub(crate) decoder: LayerShape,
    /// The time branch, as far down as it goes.
    pub(crate) time: Option<(LayerShape, LayerShape)>,
    /// Where the spectral layers are split into bands.
    pub(crate) bands: Vec<f64>,
    /// Frequencies that come in; 1 below the merge.
    pub(crate) freqs: usize,
    /// Frequencies that go out.
    pub(crate) freqs_below: usize,
}

impl HybridShape {
    /// All levels, outermost first; of any config whose single fields are in range.
    pub(crate) fn levels(&self) -> Vec<Level> {
        let mut freqs = self.nfft / 2;
        let mut inputs = (2 * self.audio_channels, self.audio_channels); // spectrum, time
        let mut outputs = (self.channels, self.channels_time.unwrap_or(self.channels));
        let mut levels = Vec::with_capacity(self.depth);
        for index in 0..self.depth {
            let is_freq = freqs > 1;
            let is_merge = is_freq && freqs <= self.kernel_size;
            if is_merge {
                let wider = outputs.0.max(outputs.1);
                outputs = (wider, wider);
            }
            let (kernel, stride) = match (is_merge, is_freq) {
                (true, _) => (freqs, self.stride),
                (_, true) => (self.kernel_size, self.stride),
                (_, false) => (2 * self.time_stride, self.time_stride),
            };
            let bands = if index < self.multi_freqs_depth {
                self.multi_freqs.clone()
            } else {
                Vec::new()
            };
            let audio = self.stems.len() * inputs.1;
            // What leaves the outermost decoder layer is every stem, not the mixture.
            let decoded = if index == 0 {
                (2 * audio, audio)
            } else {
                inputs
            };
            let strided = LayerShape {
                inputs: inputs.0,
                outputs: outputs.0,
                is_freq,
                kernel,
                stride,
                padding: if is_merge { 0 } else { kernel / 4 },
                norm_groups: (index >= self.norm_starts).then_some(self.norm_groups),
                body: None,
                is_outermost: index == 0,
            };
            let in_time = LayerShape {
                inputs: inputs.1,
                outputs: outputs.1,
                is_freq: false,
                kernel: self.kernel_size,
                stride: self.stride,
                padding: self.kernel_size / 4,
                ..strided.clone()
            };
            let with_body = |layer: &LayerShape, width, mode, context: [usize; 2]| LayerShape {
                body: Some(self.body(index, width, mode, context)),
                ..layer.clone()
            };
            let wide = [self.context; 2];
            let in_decoder = if bands.is_empty() {
                wide
            } else {
                [0, self.context]
            };
            let encoder = with_body(&strided, outputs.0, 1, [self.context_enc; 2]);
            let decoder = with_body(&reversed(&strided, decoded.0), outputs.0, 2, in_decoder);
            let time_decoder = reversed(&in_time, decoded.1);
            let time = is_freq.then(|| {
                if is_merge {
                    (in_time.clone(), time_decoder.clone())
                } else {
                    (
                        with_body(&in_time, outputs.1, 1, [self.context_enc; 2]),
                        with_body(&time_decoder, outputs.1, 2, wide),
                    )
                }
            });
            let freqs_below = if freqs <= self.kernel_size {
                1
            } else {
                freqs / self.stride
            };
            levels.push(Level {
                encoder,
                decoder,
                time,
                bands,
                freqs,
                freqs_below,
            });
            freqs = freqs_below;
            inputs = outputs;
            outputs = (self.grown(outputs.0), self.grown(outputs.1));
        }
        levels
    }

    fn grown(&self, width: usize) -> usize {
        (self.growth * width as f64) as usize
    }

    /// `mode` is the bit of `dconv_mode` that asks for a residual branch here.
    fn body(&self, index: usize, width: usize, mode: u8, context: [usize; 2]) -> BodyShape {
        let starts = |first: Option<usize>| first.is_some_and(|first| index >= first);
        BodyShape {
            width,
            rewrite: self.rewrite.then(|| context.map(|reach| 1 + 2 * reach)),
            dconv: (self.dconv_mode & mode != 0).then(|| DConvShape {
                channels: width,
                hidden: (width as f64 / self.dconv_comp) as usize,
                depth: self.dconv_depth,
                init: self.dconv_init,
                has_lstm: starts(self.dconv_lstm),
                has_attention: starts(self.dconv_attn),
            }),
        }
    }

    /// Checks every field, and that all layers fit together.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        check_stems(&self.stems)?;
        let bounds: [(&'static str, f64, f64, f64); 23] = [
            ("audio_channels", self.audio_channels as f64, 1.0, 16.0),
            ("channels", self.channels as f64, 1.0, 4096.0),
            (
                "channels_time",
                self.channels_time.unwrap_or(1) as f64,
                1.0,
                4096.0,
            ),
            ("growth", self.growth, 0.25, 8.0),
            ("nfft", self.nfft as f64, 16.0, 65_536.0),
            ("depth", self.depth as f64, 1.0, 12.0),
            ("multi_freqs", self.multi_freqs.len() as f64, 0.0, 16.0),
            (
                "multi_freqs_depth",
                self.multi_freqs_depth as f64,
                0.0,
                12.0,
            ),
            ("freq_emb", self.freq_emb, 0.0, 100.0),
            ("emb_scale", self.emb_scale, 1e-3, 1e3),
            ("stride", self.stride as f64, 2.0, 64.0),
            ("kernel_size", self.kernel_size as f64, 4.0, 128.0),
            ("time_stride", self.time_stride as f64, 2.0, 64.0),
            ("context", self.context as f64, 0.0, 127.0),
            ("context_enc", self.context_enc as f64, 0.0, 127.0),
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
        let widest = self.channels.max(self.channels_time.unwrap_or(1)) as f64;
        let deepest = widest * self.growth.max(1.0).powi(self.depth as i32 - 1);
        in_range("channels of the deepest layer", deepest, 1.0, 65_536.0)?;
        let contradiction = |text: String| Err(ConfigError::Contradiction(text));
        let (kernel, stride) = (self.kernel_size, self.stride);
        if kernel != 2 * stride || !stride.is_multiple_of(2) || !self.time_stride.is_multiple_of(2)
        {
            return contradiction(format!(
                "kernel_size must be twice stride, and stride and time_stride even, so that \
                 decoders undo encoders: got {kernel}, {stride} and {}",
                self.time_stride
            ));
        }
        if !self.nfft.is_multiple_of(8) {
            return contradiction(format!("nfft must be a multiple of 8, got {}", self.nfft));
        }
        for (index, level) in self.levels().iter().enumerate() {
            self.validate_level(index, level)?;
        }
        Ok(())
    }

    fn validate_level(&self, index: usize, level: &Level) -> Result<(), ConfigError> {
        let contradiction =
            |text: String| Err(ConfigError::Contradiction(format!("level {index}: {text}")));
        let is_merge = level.freqs > 1 && level.freqs_below == 1;
        if level.freqs > 1 && !is_merge && !level.freqs.is_multiple_of(self.stride) {
            return contradiction(format!(
                "{} frequencies are no multiple of stride {}: choose another nfft",
                level.freqs, self.stride
            ));
        }
        if is_merge && level.freqs != self.kernel_size {
            return contradiction(format!(
                "the branches would meet with {} frequencies, at another rate than time's unless \
                 these are kernel_size, {}: choose another nfft",
                level.freqs, self.kernel_size
            ));
        }
        let layers = [&level.encoder, &level.decoder].into_iter().chain(
            level
                .time
                .iter()
                .flat_map(|(encoder, decoder)| [encoder, decoder]),
        );
        for layer in layers {
            if let Some(groups) = layer.norm_groups
                && !(layer.inputs.is_multiple_of(groups) || layer.is_outermost)
            {
                return contradiction(format!(
                    "{} channels do not make {groups} groups (norm_groups)",
                    layer.inputs
                ));
            }
            if let Some(groups) = layer.norm_groups
                && !layer.outputs.is_multiple_of(groups)
            {
                return contradiction(format!(
                    "{} channels do not make {groups} groups (norm_groups)",
                    layer.outputs
                ));
            }
            if let Some(dconv) = layer.body.as_ref().and_then(|body| body.dconv) {
                check_dconv(index, &dconv)?;
            }
        }
        if level.bands.is_empty() {
            return Ok(());
        }
        let is_ascending = level.bands.is_sorted_by(|a, b| a < b)
            && level.bands.iter().all(|&ratio| 0.0 < ratio && ratio < 1.0);
        let ends = decoder_ends(level.freqs_below, &level.bands);
        let fits = is_ascending
            && level.freqs > 1
            && !is_merge
            && level.encoder.norm_groups.is_none()
            && encoder_bands(level.freqs, &level.bands, self.kernel_size, self.stride).is_some()
            && ends
                .iter()
                .zip([0].iter().chain(&ends))
                .all(|(end, start)| end > start);
        if fits {
            Ok(())
        } else {
            contradiction(format!(
                "bands {:?} (multi_freqs) must ascend between 0 and 1, leave frequencies to each \
                 of them, and go with levels without normalisation above the merge",
                level.bands
            ))
        }
    }
}

/// A transposed layer back from `layer`'s outputs to `outputs` channels.
fn reversed(layer: &LayerShape, outputs: usize) -> LayerShape {
    LayerShape {
        inputs: layer.outputs,
        outputs,
        ..layer.clone()
    }
}

/// Refuses residual branches too narrow for what is inside.
pub(crate) fn check_dconv(index: usize, dconv: &DConvShape) -> Result<(), ConfigError> {
    let heads = local_state::HEADS;
    if dconv.hidden == 0 || (dconv.has_attention && !dconv.hidden.is_multiple_of(heads)) {
        return Err(ConfigError::Contradiction(format!(
            "level {index}: dconv_comp leaves {} of {} channels in the residual branch, it needs at \
             least one, and with attention (dconv_attn) a multiple of {heads}",
            dconv.hidden, dconv.channels
        )));
    }
    Ok(())
}
