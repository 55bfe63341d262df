//! Another tone: two shelves and two bells.

use biquad::{Biquad, Coefficients, DirectForm2Transposed, ToHertz, Type};
use bunri_stream::Planar;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::within;

/// Runs one filter over every channel, each from silence.
pub(crate) fn filter_channels(audio: &mut Planar, coefficients: Coefficients<f64>) {
    for channel in audio.channels_mut() {
        let mut filter = DirectForm2Transposed::<f64>::new(coefficients);
        for sample in channel {
            *sample = filter.run(f64::from(*sample)) as f32;
        }
    }
}

/// How often and how far; off where left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqualiserConfig {
    /// Share of parts (stems, or the rest of a song) that get one.
    pub probability: f64,
    /// Each band is raised or lowered by up to this, in dB.
    pub max_gain_db: f32,
}

impl Default for EqualiserConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            max_gain_db: 6.0,
        }
    }
}

/// Ranges of the bands' frequencies in Hz: low shelf, two bells, high shelf.
const BANDS_HZ: [[f32; 2]; 4] = [
    [60.0, 250.0],
    [250.0, 1_500.0],
    [1_500.0, 6_000.0],
    [4_000.0, 12_000.0],
];

impl EqualiserConfig {
    pub(super) fn apply(&self, part: &mut Planar, rate_hz: u32, rng: &mut impl Rng) {
        if !rng.random_bool(self.probability) {
            return;
        }
        for (index, [low_hz, high_hz]) in BANDS_HZ.into_iter().enumerate() {
            let gain_db = f64::from(within([-self.max_gain_db, self.max_gain_db], rng));
            // Even on the ear's scale.
            let frequency_hz = within([low_hz.ln(), high_hz.ln()], rng).exp();
            let (kind, quality) = match index {
                0 => (Type::LowShelf(gain_db), std::f64::consts::FRAC_1_SQRT_2),
                3 => (Type::HighShelf(gain_db), std::f64::consts::FRAC_1_SQRT_2),
                _ => (Type::PeakingEQ(gain_db), f64::from(within([0.5, 2.0], rng))),
            };
            let (rate, frequency) = (rate_hz.hz(), frequency_hz.hz());
            // Bands above half the rate do not exist there.
            let Ok(filter) = Coefficients::<f64>::from_params(kind, rate, frequency, quality)
            else {
                continue;
            };
            filter_channels(part, filter);
        }
    }
}
