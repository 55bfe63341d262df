//! Encoders and decoders of both branches, as one network with a hole in the middle.

use tch::{Device, Tensor};

use super::bands::{SpectralDecoder, SpectralEncoder};
use super::decoder_layer::DecoderLayer;
use super::encoder_layer::EncoderLayer;
use super::shape::HybridShape;
use super::spectrum::Spectrum;
use crate::parameters::{Init, Scope, SpecList};

/// What normalising divides by beside the standard deviation.
const EPSILON: f64 = 1e-5;

/// Spectral and time branch; what lies between encoders and decoders is the caller's.
#[derive(Debug)]
pub(crate) struct HybridUNet {
    spectrum: Spectrum,
    encoder: Vec<SpectralEncoder>,
    time_encoder: Vec<EncoderLayer>,
    decoder: Vec<SpectralDecoder>,
    time_decoder: Vec<DecoderLayer>,
    embedding: Option<FrequencyEmbedding>,
    has_merge: bool,
    stems: i64,
}

/// Tells the layers at which frequency they are.
#[derive(Debug)]
struct FrequencyEmbedding {
    weight: Tensor, // [frequencies, channels]
    scale: f64,
}

/// Both branches at the bottom: `[batch, frequency, channels, time]`, `[batch, channels, time]`.
pub(crate) type Branches = (Tensor, Tensor);

/// The weights that [`HybridUNet::new`] takes.
pub(crate) fn specs(list: &mut SpecList, shape: &HybridShape) {
    let levels = shape.levels();
    for (index, level) in levels.iter().enumerate() {
        // Decoders are counted from the bottom, each branch for itself.
        let from_bottom = levels.len() - 1 - index;
        let bands = &level.bands;
        SpectralEncoder::specs(list, &format!("encoder.{index}"), &level.encoder, bands);
        SpectralDecoder::specs(
            list,
            &format!("decoder.{from_bottom}"),
            &level.decoder,
            bands,
        );
        if let Some((encoder, decoder)) = &level.time {
            let from_bottom = from_bottom - levels.iter().filter(|l| l.time.is_none()).count();
            EncoderLayer::specs(list, &format!("tencoder.{index}"), encoder);
            DecoderLayer::specs(list, &format!("tdecoder.{from_bottom}"), decoder);
        }
    }
    if shape.freq_emb > 0.0 {
        let size = [levels[0].freqs_below, levels[0].encoder.outputs];
        let deviation = 1.0 / shape.emb_scale;
        let init = if shape.emb_smooth {
            Init::SmoothNormal(deviation)
        } else {
            Init::Normal(deviation)
        };
        list.push("freq_emb.embedding.weight", &size, init);
    }
}

impl HybridUNet {
    pub(crate) fn new(root: &Scope<'_>, shape: &HybridShape, device: Device) -> Self {
        let levels = shape.levels();
        let time = || levels.iter().filter_map(|level| level.time.as_ref());
        Self {
            spectrum: Spectrum::new(shape.nfft, shape.is_old, device),
            encoder: levels
                .iter()
                .enumerate()
                .map(|(index, level)| {
                    let scope = root.at("encoder").at(index);
                    SpectralEncoder::new(&scope, &level.encoder, &level.bands)
                })
                .collect(),
            time_encoder: time()
                .enumerate()
                .map(|(index, (shape, _))| EncoderLayer::new(&root.at("tencoder").at(index), shape))
                .collect(),
            decoder: levels
                .iter()
                .rev()
                .enumerate()
                .map(|(index, level)| {
                    let scope = root.at("decoder").at(index);
                    SpectralDecoder::new(&scope, &level.decoder, &level.bands)
                })
                .collect(),
            time_decoder: time()
                .rev()
                .enumerate()
                .map(|(index, (_, shape))| DecoderLayer::new(&root.at("tdecoder").at(index), shape))
                .collect(),
            embedding: (shape.freq_emb > 0.0).then(|| FrequencyEmbedding {
                weight: root.tensor("freq_emb.embedding.weight"),
                scale: shape.freq_emb * shape.emb_scale,
            }),
            has_merge: time().any(|(encoder, _)| encoder.body.is_none()),
            stems: shape.stems.len() as i64,
        }
    }

    /// `[batch, channels, frames]` → `[batch, stems, channels, frames]`.
    ///
    /// `bottom` gets both branches and gives them back; `None` leaves all to the skips. After a
    /// merge both are one, and what it gives for time is unused.
    pub(crate) fn forward(
        &self,
        mix: &Tensor,
        bottom: impl FnOnce(Tensor, Tensor) -> Option<Branches>,
    ) -> Tensor {
        let (batch, channels, frames) = mix.size3().expect("audio has three axes");
        let spectrogram = self.spectrum.forward(mix); // [batch, nfft / 2, 2 * channels, positions]
        let (x, level) = normalize(spectrogram, &[1, 2, 3]);
        let (xt, level_t) = normalize(mix.shallow_clone(), &[1, 2]);

        let encoded = self.encode(x, xt);
        let bottom = bottom(encoded.x.shallow_clone(), encoded.xt.shallow_clone());
        let (x, xt) = self.decode(encoded, bottom);

        let from_spectrum = self.spectrum.inverse(&level.restore(&x), frames); // [batch, stems * channels, frames]
        (level_t.restore(&xt) + from_spectrum).view([batch, self.stems, channels, frames])
    }

    fn encode(&self, mut x: Tensor, mut xt: Tensor) -> Encoded {
        let depth = self.encoder.len();
        let mut skips = Vec::with_capacity(depth);
        let mut skips_t = Vec::with_capacity(depth);
        let mut frames = Vec::with_capacity(depth);
        let mut frames_t = Vec::with_capacity(depth);
        for (index, layer) in self.encoder.iter().enumerate() {
            frames.push(last_axis(&x));
            let mut inject = None;
            if let Some(layer) = self.time_encoder.get(index) {
                frames_t.push(last_axis(&xt));
                xt = layer.forward(&xt, None);
                if self.has_merge && index == self.time_encoder.len() - 1 {
                    inject = Some(&xt);
                } else {
                    skips_t.push(xt.shallow_clone());
                }
            }
            x = layer.forward(&x, inject);
            if index == 0
                && let Some(embedding) = &self.embedding
            {
                x += embedding.forward();
            }
            skips.push(x.shallow_clone());
        }
        Encoded {
            x,
            xt,
            skips,
            skips_t,
            frames,
            frames_t,
        }
    }

    fn decode(&self, encoded: Encoded, bottom: Option<Branches>) -> Branches {
        let Encoded {
            x: _,
            mut xt,
            mut skips,
            mut skips_t,
            mut frames,
            mut frames_t,
        } = encoded;
        let pop = |stack: &mut Vec<Tensor>| stack.pop().expect("one skip per layer");
        let pop_frames = |stack: &mut Vec<i64>| stack.pop().expect("one length per layer");
        let mut x = None;
        if let Some((spectral, time)) = bottom {
            (x, xt) = (Some(spectral), time);
        }
        let offset = self.decoder.len() - self.time_decoder.len();
        for (index, layer) in self.decoder.iter().enumerate() {
            let skip = pop(&mut skips);
            let sum = match x {
                // One frequency again, after layers without that axis.
                Some(x) if x.dim() < skip.dim() => x.unsqueeze(1) + skip,
                Some(x) => x + skip,
                None => skip,
            };
            let (output, hidden) = layer.forward(sum, pop_frames(&mut frames));
            x = Some(output);
            let Some(layer) = index.checked_sub(offset).map(|i| &self.time_decoder[i]) else {
                continue;
            };
            let hidden = if self.has_merge && index == offset {
                let hidden = hidden.expect("the merge has no bands");
                hidden.squeeze_dim(1)
            } else {
                layer.before_strided(xt + pop(&mut skips_t))
            };
            xt = layer.strided(&hidden, pop_frames(&mut frames_t));
        }
        (x.expect("a network has layers"), xt)
    }
}

impl FrequencyEmbedding {
    /// `[1, frequencies, channels, 1]`
    fn forward(&self) -> Tensor {
        (&self.weight * self.scale).unsqueeze(0).unsqueeze(3)
    }
}

/// What the encoders leave.
struct Encoded {
    x: Tensor,
    xt: Tensor,
    skips: Vec<Tensor>,
    skips_t: Vec<Tensor>,
    /// Last axis of what went into each layer.
    frames: Vec<i64>,
    frames_t: Vec<i64>,
}

/// Mean and standard deviation of each item of a batch.
struct Level {
    mean: Tensor,
    std: Tensor,
}

/// Brings every item to mean 0 and standard deviation 1 over `axes`, all but the first.
fn normalize(x: Tensor, axes: &[i64]) -> (Tensor, Level) {
    let mean = x.mean_dim(axes, true, None);
    let std = x.std_dim(axes, true, true);
    let normal = (x - &mean) / (&std + EPSILON);
    (normal, Level { mean, std })
}

impl Level {
    fn restore(&self, x: &Tensor) -> Tensor {
        self.mean.addcmul(x, &self.std)
    }
}

fn last_axis(x: &Tensor) -> i64 {
    x.size().last().copied().unwrap_or(0)
}
