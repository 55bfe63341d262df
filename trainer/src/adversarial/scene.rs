//! What discriminators are shown: scenes at one level, cropped and varied, seen stem by stem or
//! whole.

use anyhow::{Result, ensure};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::augmentation::AugmentationConfig;

/// A batch of mixtures with their true stems and those of the generator.
#[derive(Debug)]
pub struct Scenes {
    /// `[batch, channels, frames]`.
    pub mixture: Tensor,
    /// The true stems: `[batch, stems, channels, frames]`.
    pub real: Tensor,
    /// The generator's: the same shape.
    pub fake: Tensor,
    /// 1 where a stem is what its label says, 0 where it must not be looked at: `[batch, stems]`.
    /// All are usable where left out.
    pub usable: Option<Tensor>,
}

/// How a discriminator sees a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Every usable stem is a row of its own.
    Stems,
    /// All stems of a scene are one row; unusable ones are silent, in truth and estimate alike.
    Scene,
}

/// Rows for one discriminator.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) real: Tensor,         // [rows, waveforms, frames]
    pub(super) fake: Tensor,         // [rows, waveforms, frames]
    pub(super) mixture: Tensor,      // [rows, channels, frames]
    pub(super) stem: Option<Tensor>, // [rows], where rows are single stems
}

/// Scenes ready to be judged. Only the generator's stems lead back to a gradient.
#[derive(Debug)]
pub(super) struct Shown {
    mixture: Tensor,
    real: Tensor,
    fake: Tensor,
    usable: Tensor, // [batch, stems], 0 or 1
}

/// How to get from a batch to what is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Showing<'a> {
    pub(super) augmentation: &'a AugmentationConfig,
    pub(super) probability: f64,
    /// Frames to show of each segment; 0 shows all.
    pub(super) crop_frames: i64,
    pub(super) rate_hz: u32,
}

/// Quieter mixtures than this RMS (-60 dBFS) are not brought up to the common level.
const QUIETEST: f64 = 1e-3;

impl Showing<'_> {
    /// Brings every mixture to an RMS of 1 with its stems along, then crops and varies all three
    /// alike. The level matters: a discriminator's slope, and so its penalty and the generator's
    /// gradient, would otherwise depend on how loud a song is.
    pub(super) fn show(&self, scenes: &Scenes, rng: &mut ChaCha8Rng) -> Shown {
        let Scenes {
            mixture,
            real,
            fake,
            usable,
        } = scenes;
        let float = |tensor: &Tensor| tensor.to_kind(Kind::Float);
        let (mixture, real, fake) = (float(&mixture.detach()), float(&real.detach()), float(fake));
        let (batch, stems, _, frames) = real.size4().expect("stems have four axes");
        let (start, length) = match self.crop_frames {
            crop if crop > 0 && crop < frames => (rng.random_range(0..=frames - crop), crop),
            _ => (0, frames),
        };
        let level = mixture
            .square()
            .mean_dim(&[1i64, 2][..], true, None::<Kind>)
            .sqrt()
            .clamp_min(QUIETEST); // [batch, 1, 1]
        let mixture = (&mixture / &level).narrow(2, start, length);
        let level = level.unsqueeze(1);
        let real = (real / &level).narrow(3, start, length);
        let fake = (fake / &level).narrow(3, start, length);
        let usable = match usable {
            Some(usable) => usable.to_device(real.device()).to_kind(Kind::Float),
            None => Tensor::ones([batch, stems], (Kind::Float, real.device())),
        };
        let shown = Shown {
            mixture,
            real,
            fake,
            usable,
        };
        if self.probability > 0.0 {
            shown.varied(self, rng)
        } else {
            shown
        }
    }
}

impl Shown {
    /// Every scene by itself with what its dice say: mixture, true stems and the generator's stems
    /// are one tensor meanwhile, so that nothing can happen to one of them alone.
    fn varied(self, showing: &Showing<'_>, rng: &mut ChaCha8Rng) -> Self {
        let Self {
            mixture,
            real,
            fake,
            usable,
        } = self;
        let (batch, stems, ..) = real.size4().expect("stems have four axes");
        let scenes: Vec<Tensor> = (0..batch)
            .map(|item| {
                let parts = [
                    mixture.get(item).unsqueeze(0),
                    real.get(item),
                    fake.get(item),
                ];
                let scene = Tensor::cat(&parts, 0); // [1 + 2 * stems, channels, frames]
                let draw = showing
                    .augmentation
                    .draw(showing.probability, showing.rate_hz, rng);
                draw.apply(&scene, &usable.get(item))
            })
            .collect();
        let scenes = Tensor::stack(&scenes, 0); // [batch, 1 + 2 * stems, channels, frames]
        Self {
            mixture: scenes.select(1, 0),
            real: scenes.narrow(1, 1, stems).detach(),
            fake: scenes.narrow(1, 1 + stems, stems),
            usable,
        }
    }

    /// What a discriminator with this view sees; `None` if nothing is usable.
    pub(super) fn rows(&self, view: View) -> Option<Rows> {
        let (batch, stems, channels, frames) = self.real.size4().expect("stems have four axes");
        match view {
            View::Stems => {
                let chosen = self.usable.flatten(0, 1).nonzero().flatten(0, 1); // [rows]
                if chosen.numel() == 0 {
                    return None;
                }
                let stem_rows = |audio: &Tensor| {
                    audio
                        .reshape([batch * stems, channels, frames])
                        .index_select(0, &chosen)
                };
                let scene = chosen.divide_scalar_mode(stems, "floor");
                Some(Rows {
                    real: stem_rows(&self.real),
                    fake: stem_rows(&self.fake),
                    mixture: self.mixture.index_select(0, &scene),
                    stem: Some(chosen.remainder(stems)),
                })
            }
            View::Scene => {
                let chosen = self.usable.amax([1i64], false).nonzero().flatten(0, 1); // [rows]
                if chosen.numel() == 0 {
                    return None;
                }
                let mask = self.usable.view([batch, stems, 1, 1]);
                let scene_rows = |audio: &Tensor| {
                    (audio * &mask)
                        .reshape([batch, stems * channels, frames])
                        .index_select(0, &chosen)
                };
                Some(Rows {
                    real: scene_rows(&self.real),
                    fake: scene_rows(&self.fake),
                    mixture: self.mixture.index_select(0, &chosen),
                    stem: None,
                })
            }
        }
    }
}

impl Scenes {
    /// Holds the shapes against each other and against what the discriminators were built for.
    pub(super) fn check(&self, stems: usize, channels: usize, shortest_frames: i64) -> Result<()> {
        let (mixture, real, fake) = (self.mixture.size(), self.real.size(), self.fake.size());
        ensure!(
            real == fake,
            "true stems are {real:?}, the generator's {fake:?}: cut them to the same frames"
        );
        ensure!(
            real.len() == 4 && real[1] == stems as i64 && real[2] == channels as i64,
            "stems are {real:?}, the discriminators need [batch, {stems}, {channels}, frames]"
        );
        ensure!(
            mixture == [real[0], real[2], real[3]],
            "the mixture is {mixture:?} beside stems of {real:?}"
        );
        ensure!(
            real[3] >= shortest_frames,
            "segments of {} frames are shorter than the discriminators need ({shortest_frames}): \
             take longer segments or smaller windows",
            real[3]
        );
        if let Some(usable) = &self.usable {
            let usable = usable.size();
            ensure!(
                usable == real[..2],
                "usable is {usable:?} beside stems of {real:?}"
            );
        }
        Ok(())
    }
}
