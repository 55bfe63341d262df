//! How a discriminator looks at audio before its convolutions.

use tch::{Device, Kind, Tensor};

use super::layers::{ConvolutionShape, Source, Stack, Verdict};

/// One way to lay out a waveform.
#[derive(Debug)]
enum Front {
    /// Real and imaginary parts of a complex spectrogram.
    Spectrum {
        window: Tensor, // [window frames]
        compression: f64,
    },
    /// Every n-th sample beside each other.
    Period(i64),
    /// The waveform itself, its rate halved this many times.
    Halved(usize),
}

/// One part of a discriminator: a way to look and the convolutions behind it.
#[derive(Debug)]
pub(super) struct Part {
    front: Front,
    stack: Stack,
}

/// What a part is called, how many waveforms it sees at once, and how many stems it tells apart
/// (0 for none).
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    pub(super) inputs: i64,
    pub(super) stems: i64,
    pub(super) device: Device,
}

impl Part {
    /// One scale of EnCodec's multi-scale STFT discriminator (Défossez et al. 2022, section 3.4 and
    /// appendix A), for any number of waveforms: each adds a real and an imaginary channel. Unlike
    /// theirs, the first layer strides over frequency too, which halves the cost.
    pub(super) fn spectral(
        source: &mut Source<'_>,
        place: Place<'_>,
        window_frames: i64,
        filters: i64,
        compression: f64,
    ) -> Self {
        let layer = |inputs, outputs, [times, bins]: [i64; 2], stride, dilation| ConvolutionShape {
            inputs,
            outputs,
            kernel: vec![times, bins],
            stride: vec![1, stride],
            dilation: vec![dilation, 1],
            groups: 1,
        };
        let shapes = vec![
            layer(2 * place.inputs, filters, [3, 9], 2, 1),
            layer(filters, filters, [3, 9], 2, 1),
            layer(filters, filters, [3, 9], 2, 2),
            layer(filters, filters, [3, 9], 2, 4),
            layer(filters, filters, [3, 3], 1, 1),
            layer(filters, 1, [3, 3], 1, 1),
        ];
        Self {
            front: Front::Spectrum {
                window: Tensor::hann_window(window_frames, (Kind::Float, place.device)),
                compression,
            },
            stack: Stack::new(source, place.path, shapes, place.stems),
        }
    }

    /// One period of HiFi-GAN's multi-period discriminator (Kong et al. 2020, section 2.3).
    pub(super) fn period(
        source: &mut Source<'_>,
        place: Place<'_>,
        period: i64,
        channels: &[i64],
    ) -> Self {
        let layer = |inputs, outputs, kernel, stride| ConvolutionShape {
            inputs,
            outputs,
            kernel: vec![kernel, 1],
            stride: vec![stride, 1],
            dilation: vec![1, 1],
            groups: 1,
        };
        let mut shapes = Vec::new();
        let mut width = place.inputs;
        for (index, &outputs) in channels.iter().enumerate() {
            let stride = if index + 1 == channels.len() { 1 } else { 3 };
            shapes.push(layer(width, outputs, 5, stride));
            width = outputs;
        }
        shapes.push(layer(width, 1, 3, 1));
        Self {
            front: Front::Period(period),
            stack: Stack::new(source, place.path, shapes, place.stems),
        }
    }

    /// One scale of MelGAN's multi-scale waveform discriminator (Kumar et al. 2019, appendix A):
    /// strided convolutions in groups of four channels.
    pub(super) fn waveform(
        source: &mut Source<'_>,
        place: Place<'_>,
        halvings: usize,
        channels: &[i64],
    ) -> Self {
        let layer = |inputs, outputs, kernel, stride, groups| ConvolutionShape {
            inputs,
            outputs,
            kernel: vec![kernel],
            stride: vec![stride],
            dilation: vec![1],
            groups,
        };
        let mut shapes = Vec::new();
        let mut width = place.inputs;
        for (index, &outputs) in channels.iter().enumerate() {
            shapes.push(match index {
                0 => layer(width, outputs, 15, 1, 1),
                _ => layer(width, outputs, 41, 4, groups(width, outputs)),
            });
            width = outputs;
        }
        shapes.push(layer(width, width, 5, 1, 1));
        shapes.push(layer(width, 1, 3, 1, 1));
        Self {
            front: Front::Halved(halvings),
            stack: Stack::new(source, place.path, shapes, place.stems),
        }
    }

    /// `[rows, waveforms, frames]` and each row's stem, `[rows]`, where stems are told apart.
    pub(super) fn forward(&self, x: &Tensor, stem: Option<&Tensor>) -> Verdict {
        self.stack.forward(&self.front.lay_out(x), stem)
    }

    /// Length of the shortest audio that can be judged.
    pub(super) fn shortest_frames(&self) -> i64 {
        match &self.front {
            Front::Spectrum { window, .. } => window.size()[0],
            Front::Period(period) => *period,
            Front::Halved(halvings) => 1 << halvings,
        }
    }
}

/// The most groups of at least four channels that both widths allow.
fn groups(inputs: i64, outputs: i64) -> i64 {
    let fits = |groups: &i64| inputs % groups == 0 && outputs % groups == 0;
    (1..=inputs / 4).rev().find(fits).unwrap_or(1)
}

impl Front {
    /// `[rows, waveforms, frames]` to what the convolutions run over.
    fn lay_out(&self, x: &Tensor) -> Tensor {
        let (rows, waveforms, frames) = x.size3().expect("audio has three axes");
        match self {
            Self::Spectrum {
                window,
                compression,
            } => {
                let size = window.size()[0];
                let spectra = x
                    .reshape([rows * waveforms, frames])
                    .stft_center(
                        size,
                        size / 4,
                        size,
                        Some(&window.to_kind(x.kind())),
                        false,
                        "constant",
                        true,
                        true,
                        true,
                        false,
                    ) // [rows * waveforms, bins, times]
                    .view_as_real(); // [rows * waveforms, bins, times, 2]
                let (_, bins, times, _) = spectra.size4().expect("real and imaginary parts");
                compressed(&spectra, *compression)
                    .reshape([rows, waveforms, bins, times, 2])
                    .permute([0, 1, 4, 3, 2])
                    .reshape([rows, waveforms * 2, times, bins])
            }
            Self::Period(period) => {
                // At most period - 1 samples at the end go unseen.
                let turns = frames / period;
                x.narrow(2, 0, turns * period)
                    .reshape([rows, waveforms, turns, *period])
            }
            Self::Halved(halvings) => (0..*halvings).fold(x.shallow_clone(), |x, _| {
                x.avg_pool1d([2], [2], [0], false, true)
            }),
        }
    }
}

/// Raises magnitudes to a power and keeps the phases, so that the quiet treble of music counts
/// beside its bass. Below a magnitude of 0.01 it is linear, with a slope that stays bounded: a
/// gradient penalty would otherwise only see silence.
fn compressed(spectra: &Tensor, power: f64) -> Tensor {
    const FLOOR: f64 = 1e-4;
    if power == 1.0 {
        return spectra.shallow_clone();
    }
    let energies = spectra.square().sum_dim_intlist(-1, true, None::<Kind>);
    spectra * (energies + FLOOR).pow_tensor_scalar((power - 1.0) / 2.0)
}
