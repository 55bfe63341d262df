//! One discriminator: several parts that look at the same audio.

use tch::{Device, Tensor};

use super::config::{DiscriminatorConfig, SpectralConfig};
use super::front::{Part, Place};
use super::layers::{Source, Verdict};
use super::scene::View;

/// Several [`Part`]s with one name and one view of a scene.
#[derive(Debug)]
pub(super) struct Discriminator {
    pub(super) name: &'static str,
    pub(super) view: View,
    parts: Vec<Part>,
}

/// What it is built for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) channels: i64,
    pub(super) stems: i64,
    pub(super) device: Device,
}

impl Discriminator {
    /// Builds it from the tensors that `source` gives.
    pub(super) fn new(config: &DiscriminatorConfig, shape: Shape, source: &mut Source<'_>) -> Self {
        let name = config.name();
        let Shape {
            channels,
            stems,
            device,
        } = shape;
        let (view, inputs, told) = match config {
            DiscriminatorConfig::Context(_) => (View::Scene, (stems + 1) * channels, 0),
            _ => (View::Stems, 2 * channels, stems),
        };
        let mut part = |index: usize, make: &dyn Fn(&mut Source<'_>, Place<'_>) -> Part| {
            let path = format!("{name}.{index}");
            let place = Place {
                path: &path,
                inputs,
                stems: told,
                device,
            };
            make(source, place)
        };
        let parts = match config {
            DiscriminatorConfig::Spectral(SpectralConfig {
                windows,
                filters,
                compression,
            })
            | DiscriminatorConfig::Context(SpectralConfig {
                windows,
                filters,
                compression,
            }) => (windows.iter().enumerate())
                .map(|(index, &window)| {
                    part(index, &|source, place| {
                        Part::spectral(source, place, window, *filters, *compression)
                    })
                })
                .collect(),
            DiscriminatorConfig::Periods(config) => (config.periods.iter().enumerate())
                .map(|(index, &period)| {
                    part(index, &|source, place| {
                        Part::period(source, place, period, &config.channels)
                    })
                })
                .collect(),
            DiscriminatorConfig::Waveform(config) => (0..config.scales)
                .map(|scale| {
                    part(scale, &|source, place| {
                        Part::waveform(source, place, scale, &config.channels)
                    })
                })
                .collect(),
        };
        Self { name, view, parts }
    }

    /// Each part's verdict on `[rows, waveforms, frames]` beside the mixture of each row, `[rows,
    /// channels, frames]`, which it is conditioned on.
    pub(super) fn forward(
        &self,
        audio: &Tensor,
        mixture: &Tensor,
        stem: Option<&Tensor>,
    ) -> Vec<Verdict> {
        let x = Tensor::cat(&[audio, mixture], 1);
        let parts = self.parts.iter();
        parts.map(|part| part.forward(&x, stem)).collect()
    }

    /// Length of the shortest audio that every part can judge.
    pub(super) fn shortest_frames(&self) -> i64 {
        let parts = self.parts.iter().map(Part::shortest_frames);
        parts.max().unwrap_or(1)
    }
}
