//! Variations that keep discriminators from learning their examples by heart.
//!
//! As in adaptive discriminator augmentation (Karras et al. 2020, *Training GANs with limited
//! data*): everything a discriminator sees is varied, true and generated stems alike, and the
//! generator's gradient passes through. Here the mixture is part of what it sees, so a scene is
//! varied as a whole: the true stems add up to the mixture afterwards as before.

use anyhow::{Result, ensure};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// How far each variation may go; 0 turns it off. Each happens with the probability in force,
/// independently of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentationConfig {
    /// Turns the waveform over.
    pub polarity: bool,
    /// Swaps the channels.
    pub swap: bool,
    /// Louder or softer by up to this much.
    pub gain_db: f64,
    /// Earlier or later by up to this much, turned round at the ends.
    pub shift_ms: f64,
    /// A smooth random equaliser of eight bands, each up or down by up to this much.
    pub equaliser_db: f64,
    /// Silences a stretch of up to this share of the segment.
    pub cut_out: f64,
    /// White noise under every stem, at least this far below its level (up to 30 dB farther); 0
    /// adds none. The mixture gets the sum.
    pub noise_below_db: f64,
}

impl Default for AugmentationConfig {
    fn default() -> Self {
        Self {
            polarity: true,
            swap: true,
            gain_db: 6.0,
            shift_ms: 50.0,
            equaliser_db: 12.0,
            cut_out: 0.25,
            noise_below_db: 20.0,
        }
    }
}

impl AugmentationConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let ranges = [
            ("gain_db", self.gain_db, 60.0),
            ("shift_ms", self.shift_ms, 1e4),
            ("equaliser_db", self.equaliser_db, 60.0),
            ("cut_out", self.cut_out, 0.9),
            ("noise_below_db", self.noise_below_db, 120.0),
        ];
        for (field, value, most) in ranges {
            ensure!(
                (0.0..=most).contains(&value),
                "adversarial.augmentation.{field} is {value}, it must be within 0..={most}"
            );
        }
        Ok(())
    }

    /// Draws what happens to one scene. How many numbers are drawn does not depend on what
    /// happens, so the scenes of a batch do not depend on each other.
    pub(super) fn draw(&self, probability: f64, rate_hz: u32, rng: &mut ChaCha8Rng) -> Draw {
        let mut happens = || rng.random_bool(probability);
        let (turn, swap, gain, shift) = (happens(), happens(), happens(), happens());
        let (equalise, cut, noise) = (happens(), happens(), happens());
        let mut within = |range: f64| rng.random_range(-1.0..=1.0) * range;
        let gain_db = within(self.gain_db);
        let shift_frames = within(self.shift_ms / 1e3 * f64::from(rate_hz)) as i64;
        let bands_db = std::array::from_fn(|_| within(self.equaliser_db));
        let cut_share = within(self.cut_out).abs();
        let cut_place = within(0.5) + 0.5;
        let below_db = self.noise_below_db + within(15.0) + 15.0;
        let noise_seed = rng.random();
        Draw {
            factor: if turn && self.polarity { -1.0 } else { 1.0 }
                * if gain {
                    10f64.powf(gain_db / 20.0)
                } else {
                    1.0
                },
            swap: swap && self.swap,
            shift_frames: if shift { shift_frames } else { 0 },
            bands_db: (equalise && self.equaliser_db > 0.0).then_some(bands_db),
            cut: (cut && self.cut_out > 0.0).then_some((cut_place, cut_share)),
            noise: (noise && self.noise_below_db > 0.0).then_some((below_db, noise_seed)),
        }
    }
}

/// What happens to one scene.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draw {
    factor: f64,
    swap: bool,
    shift_frames: i64,
    bands_db: Option<[f64; 8]>,
    /// Where in the segment, and how much of it, as shares.
    cut: Option<(f64, f64)>,
    /// How far below each stem, and the seed of the samples.
    noise: Option<(f64, u64)>,
}

impl Draw {
    /// Varies the mixture, the true stems and the generator's, stacked in this order: `[1 + 2 *
    /// stems, channels, frames]`. `usable` is 1 per stem that may be looked at, else 0: `[stems]`.
    pub(super) fn apply(&self, scene: &Tensor, usable: &Tensor) -> Tensor {
        let Self {
            factor,
            swap,
            shift_frames,
            bands_db,
            cut,
            noise,
        } = self;
        let mut scene = match noise {
            Some((below_db, seed)) => scene + noise_of(scene, usable, *below_db, *seed),
            None => scene.shallow_clone(),
        };
        if let Some(bands_db) = bands_db {
            scene = equalised(&scene, bands_db);
        }
        if *factor != 1.0 {
            scene = &scene * *factor; // Not in place: it may be the caller's own tensor.
        }
        if *swap {
            scene = scene.flip([1]);
        }
        if *shift_frames != 0 {
            scene = scene.roll([*shift_frames], [2]);
        }
        if let Some((place, share)) = cut {
            let frames = scene.size()[2];
            let length = (share * frames as f64) as i64;
            let start = (place * (frames - length) as f64) as i64;
            let mask = Tensor::ones([frames], (Kind::Float, scene.device()));
            let _ = mask.narrow(0, start, length).zero_();
            scene = &scene * mask; // Nor here.
        }
        scene
    }
}

/// The same noise for a stem and its estimate, and the sum of all for the mixture: `[1 + 2 * stems,
/// channels, frames]`.
fn noise_of(scene: &Tensor, usable: &Tensor, below_db: f64, seed: u64) -> Tensor {
    let (rows, channels, frames) = scene.size3().expect("scenes have three axes");
    let stems = (rows - 1) / 2;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let samples: Vec<f32> = (0..stems * channels * frames)
        .map(|_| StandardNormal.sample(&mut rng))
        .collect();
    let level = scene
        .detach()
        .narrow(0, 1, stems)
        .square()
        .mean_dim(&[1i64, 2][..], true, None::<Kind>)
        .sqrt()
        * 10f64.powf(-below_db / 20.0); // [stems, 1, 1]
    let noise = Tensor::from_slice(&samples)
        .view([stems, channels, frames])
        .to_device(scene.device())
        * level
        * usable.view([stems, 1, 1]);
    let sum = noise.sum_dim_intlist(0, true, None::<Kind>);
    Tensor::cat(&[&sum, &noise, &noise], 0)
}

/// Gains at eight places evenly spread over the logarithm of frequency, straight lines in dB
/// between them, without a change of phase.
fn equalised(scene: &Tensor, bands_db: &[f64; 8]) -> Tensor {
    let frames = scene.size()[2];
    let bins = frames / 2 + 1;
    // Ten octaves below the highest frequency: 21.5 Hz at 44.1 kHz.
    let gains: Vec<f32> = (0..bins)
        .map(|bin| {
            let octaves = (bin.max(1) as f64 / bins as f64).log2() + 10.0;
            let place = octaves.max(0.0) / 10.0 * (bands_db.len() - 1) as f64;
            let below = (place as usize).min(bands_db.len() - 2);
            let share = place - below as f64;
            let gain_db = bands_db[below] * (1.0 - share) + bands_db[below + 1] * share;
            10f64.powf(gain_db / 20.0) as f32
        })
        .collect();
    let gains = Tensor::from_slice(&gains).to_device(scene.device());
    (scene.fft_rfft(None, -1, "backward") * gains).fft_irfft(frames, -1, "backward")
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn always() -> impl Iterator<Item = Draw> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        std::iter::repeat_with(move || AugmentationConfig::default().draw(1.0, 8000, &mut rng))
            .take(20)
    }

    fn scene(frames: i64) -> Tensor {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let samples: Vec<f32> = (0..6 * 2 * frames)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        let stems = Tensor::from_slice(&samples).view([6, 2, frames]);
        let mixture = stems.narrow(0, 0, 3).sum_dim_intlist(0, true, None::<Kind>);
        Tensor::cat(&[mixture, stems], 0)
    }

    fn all_usable() -> Tensor {
        Tensor::ones([3], (Kind::Float, Device::Cpu))
    }

    /// Guards against a variation that happens to stems, estimates or mixture alone: the stems
    /// still add up, equal estimates stay equal, and yet all of it has changed.
    #[test]
    fn a_scene_is_varied_as_a_whole() {
        for frames in [400, 401] {
            let scene = scene(frames);
            let twins = Tensor::cat(&[scene.narrow(0, 0, 4), scene.narrow(0, 1, 3)], 0);
            for draw in always() {
                let varied = draw.apply(&twins, &all_usable());
                assert_eq!(varied.size(), twins.size());
                let sum = varied
                    .narrow(0, 1, 3)
                    .sum_dim_intlist(0, false, None::<Kind>);
                let rest = (varied.get(0) - sum).abs().max().double_value(&[]);
                // Rounding of sums of three, amplified by up to 18 dB.
                assert!(rest < 1e-4, "{draw:?}: {rest}");
                assert!(varied.narrow(0, 1, 3).equal(&varied.narrow(0, 4, 3)));
                let change = (varied - &twins).abs().max().double_value(&[]);
                assert!(change > 0.01, "{draw:?}");
            }
        }
    }

    /// Guards against a generator that is trained through a variation without its gradient.
    #[test]
    fn the_estimates_keep_their_gradient() {
        for draw in always() {
            let scene = scene(200).set_requires_grad(true);
            let varied = draw.apply(&scene, &all_usable());
            let loss = varied.narrow(0, 4, 3).square().sum(Kind::Float);
            let gradient = Tensor::run_backward(&[&loss], &[&scene], false, false).remove(0);
            let reach = gradient
                .abs()
                .sum_dim_intlist([1, 2].as_slice(), false, Kind::Float);
            for row in 0..7 {
                assert_eq!(reach.double_value(&[row]) > 0.0, row >= 4, "{draw:?} {row}");
            }
        }
    }

    /// Guards against noise that tells of a stem which must not be looked at, and against a wrong
    /// level: between 20 and 50 dB below the stem.
    #[test]
    fn noise_lies_below_the_usable_stems() {
        let scene = scene(4000);
        let usable = Tensor::from_slice(&[1.0_f32, 0.0, 1.0]);
        for below_db in [20.0, 50.0] {
            let noise = noise_of(&scene, &usable, below_db, 9);
            let level_db = |audio: Tensor| {
                10.0 * (audio.square().mean(Kind::Double).double_value(&[])).log10()
            };
            assert_eq!(noise.get(2).abs().max().double_value(&[]), 0.0);
            let below = level_db(scene.get(1)) - level_db(noise.get(1));
            // 8000 samples: 0.07 dB is one standard deviation of their level.
            assert!((below - below_db).abs() < 0.4, "{below} {below_db}");
        }
        let quietest = always()
            .filter_map(|draw| draw.noise)
            .map(|(below, _)| below);
        for below_db in quietest {
            assert!((20.0..=50.0).contains(&below_db), "{below_db}");
        }
    }

    /// Guards against variations that happen although nothing should.
    #[test]
    fn nothing_happens_at_probability_0_or_turned_off() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let scene = scene(100);
        let off = AugmentationConfig {
            polarity: false,
            swap: false,
            gain_db: 0.0,
            shift_ms: 0.0,
            equaliser_db: 0.0,
            cut_out: 0.0,
            noise_below_db: 0.0,
        };
        for (config, probability) in [(AugmentationConfig::default(), 0.0), (off, 1.0)] {
            for _ in 0..20 {
                let draw = config.draw(probability, 8000, &mut rng);
                assert!(draw.apply(&scene, &all_usable()).equal(&scene), "{draw:?}");
            }
        }
    }

    /// Guards against an equaliser whose bands lie somewhere else: a tone at the top of the range
    /// gets the last band's gain, one ten octaves below the first one's.
    #[test]
    fn the_equaliser_follows_its_bands() {
        let frames = 4096;
        let bands_db = [6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -12.0];
        let gain_db = |bin: f64| {
            let phase = Tensor::arange(frames, (Kind::Float, Device::Cpu))
                * (2.0 * std::f64::consts::PI * bin / frames as f64);
            let tone = phase.cos().view([1, 1, frames]);
            let level = |x: &Tensor| x.square().mean(Kind::Double).double_value(&[]);
            10.0 * (level(&equalised(&tone, &bands_db)) / level(&tone)).log10()
        };
        // Bin 2 of 2049 is 10 octaves below the top; the next band lies 1.43 octaves above it.
        assert!((gain_db(2.0) - 6.0).abs() < 0.01);
        assert!(gain_db(64.0).abs() < 0.01);
        assert!((gain_db(2048.0) + 12.0).abs() < 0.01);
    }
}
