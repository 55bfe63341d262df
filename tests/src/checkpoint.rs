//! Tiny models with known answers, written without torch.
//!
//! Both are Demucs with a single layer and no LSTM: a strided convolution, a ReLU and a transposed
//! convolution. The engine checks names and shapes when it loads them, so this file cannot drift
//! from the real format unnoticed.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize};

/// Gains by which the [`echo`] model copies its input into drums, bass, other and vocals. They add
/// up to 1, and no two are equal: a swapped bus shows.
pub const ECHO_GAINS: [f32; 4] = [0.1, 0.2, 0.3, 0.4];

const CHANNELS: usize = 2;
const KERNEL: usize = 8;
const STRIDE: usize = 4;
/// For each channel and each of the `STRIDE` phases one unit for the positive half wave and one
/// for the negative, since the ReLU lets only one through.
const WIDTH: usize = CHANNELS * STRIDE * 2;
/// The tensors of one tiny model, row-major.
struct Weights {
    /// `[WIDTH, CHANNELS, KERNEL]`
    encoder: Vec<f32>,
    /// `[WIDTH, 4 * CHANNELS, KERNEL]`
    decoder: Vec<f32>,
}

impl Weights {
    fn zeros() -> Self {
        Self {
            encoder: vec![0.0; WIDTH * CHANNELS * KERNEL],
            decoder: vec![0.0; WIDTH * ECHO_GAINS.len() * CHANNELS * KERNEL],
        }
    }

    fn set_encoder(&mut self, unit: usize, channel: usize, tap: usize, value: f32) {
        self.encoder[(unit * CHANNELS + channel) * KERNEL + tap] = value;
    }

    fn set_decoder(&mut self, unit: usize, output: usize, tap: usize, value: f32) {
        let outputs = ECHO_GAINS.len() * CHANNELS;
        self.decoder[(unit * outputs + output) * KERNEL + tap] = value;
    }
}

/// Frames of a chunk that keep latency and run time of a test small. The hop is a quarter of it.
pub const SHORT_CHUNK_FRAMES: usize = 4096;

/// Writes a model whose stems are its input times [`ECHO_GAINS`], to within the rounding of `f32`,
/// and which looks at `chunk_frames` (a multiple of 4) at a time.
pub fn echo(path: &Path, chunk_frames: usize) {
    let mut weights = Weights::zeros();
    for channel in 0..CHANNELS {
        for phase in 0..STRIDE {
            for (half, sign) in [1.0f32, -1.0].into_iter().enumerate() {
                let unit = (channel * STRIDE + phase) * 2 + half;
                weights.set_encoder(unit, channel, phase, sign);
                for (stem, gain) in ECHO_GAINS.into_iter().enumerate() {
                    // The skip connection doubles what the encoder found, and Demucs divides its
                    // input by 1 + 1e-5 even where it does not normalise.
                    let value = sign * gain / 2.0 * (1.0 + 1e-5);
                    weights.set_decoder(unit, stem * CHANNELS + channel, phase, value);
                }
            }
        }
    }
    write(path, &weights, chunk_frames);
}

/// Writes a model with random weights: its stems are noisy functions of whatever lies within a
/// few frames, unlike anything that an error elsewhere could yield by chance.
pub fn random(path: &Path) {
    let mut weights = Weights::zeros();
    let noise = crate::signals::noise(weights.encoder.len().max(weights.decoder.len()), 1);
    for (tensor, values) in [&mut weights.encoder, &mut weights.decoder]
        .into_iter()
        .zip(noise.channels())
    {
        let length = tensor.len();
        tensor.copy_from_slice(&values[..length]);
    }
    write(path, &weights, SHORT_CHUNK_FRAMES);
}

fn write(path: &Path, weights: &Weights, chunk_frames: usize) {
    let config = format!(
        r#"{{
            "channels": {WIDTH}, "depth": 1, "kernel_size": {KERNEL}, "stride": {STRIDE},
            "context": 1, "lstm_layers": 0, "rewrite": false, "glu": false, "resample": false,
            "normalize": false, "sample_rate": 44100, "segment_frames": {chunk_frames}
        }}"#
    );
    let outputs = ECHO_GAINS.len() * CHANNELS;
    let tensors = [
        (
            "encoder.0.0.weight",
            vec![WIDTH, CHANNELS, KERNEL],
            weights.encoder.clone(),
        ),
        ("encoder.0.0.bias", vec![WIDTH], vec![0.0; WIDTH]),
        (
            "decoder.0.0.weight",
            vec![WIDTH, outputs, KERNEL],
            weights.decoder.clone(),
        ),
        ("decoder.0.0.bias", vec![outputs], vec![0.0; outputs]),
    ]
    .map(|(name, shape, values)| {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        (name, shape, bytes)
    });
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a shape that fits");
        (*name, view)
    });
    let metadata = [
        ("bunri.format", "1"),
        ("bunri.architecture", "demucs"),
        ("bunri.config", config.as_str()),
        ("bunri.provenance", "{}"),
        ("bunri.licence", "CC0-1.0"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let bytes = serialize(views, Some(HashMap::from(metadata))).expect("a checkpoint");
    std::fs::write(path, bytes).expect("the checkpoint written");
}
