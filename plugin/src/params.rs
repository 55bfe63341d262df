//! The parameters a host automates and saves. Their ids are frozen: sessions depend on them.

use nice_plug::prelude::*;

/// Lowest gain in dB; it means silence.
pub const MIN_GAIN_DB: f32 = -60.0;
/// Highest gain in dB.
pub const MAX_GAIN_DB: f32 = 12.0;

/// One gain per stem, and bypass.
#[derive(Params)]
pub struct BunriParams {
    /// Gain of the drums, in dB.
    #[id = "drums_gain"]
    pub drums_gain_db: FloatParam,
    /// Gain of the bass, in dB.
    #[id = "bass_gain"]
    pub bass_gain_db: FloatParam,
    /// Gain of everything else, in dB.
    #[id = "other_gain"]
    pub other_gain_db: FloatParam,
    /// Gain of the vocals, in dB.
    #[id = "vocals_gain"]
    pub vocals_gain_db: FloatParam,
    /// Bypass: the input at the reported latency on the main bus, silence on the stem buses.
    #[id = "bypass"]
    pub bypass: BoolParam,
}

impl Default for BunriParams {
    fn default() -> Self {
        Self {
            drums_gain_db: gain_param("Drums"),
            bass_gain_db: gain_param("Bass"),
            other_gain_db: gain_param("Other"),
            vocals_gain_db: gain_param("Vocals"),
            bypass: BoolParam::new("Bypass", false).make_bypass(),
        }
    }
}

impl BunriParams {
    /// Linear gains in the order of the stem buses; exactly 1.0 at 0 dB.
    #[must_use]
    pub fn stem_gains(&self) -> [f32; 4] {
        [
            &self.drums_gain_db,
            &self.bass_gain_db,
            &self.other_gain_db,
            &self.vocals_gain_db,
        ]
        .map(|gain_db| linear_gain(gain_db.value()))
    }
}

fn gain_param(stem: &str) -> FloatParam {
    let range = FloatRange::Linear {
        min: MIN_GAIN_DB,
        max: MAX_GAIN_DB,
    };
    FloatParam::new(format!("{stem} gain"), 0.0, range)
        // Hosts store normalised values. The step makes 0 dB come back as exactly 0 dB.
        .with_step_size(0.1)
        .with_unit(" dB")
}

/// Amplitude factor of a gain in dB, 0 at [`MIN_GAIN_DB`] and below.
fn linear_gain(gain_db: f32) -> f32 {
    if gain_db <= MIN_GAIN_DB {
        0.0
    } else {
        10.0_f32.powf(gain_db / 20.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gain of 0 dB that is only almost 1 would break nulling against the offline bounce.
    #[test]
    fn zero_db_is_exactly_one_after_a_round_trip_through_the_host() {
        let params = BunriParams::default();
        assert_eq!(params.stem_gains(), [1.0; 4]);
        let gain = &params.vocals_gain_db;
        let stored = gain.preview_normalized(0.0);
        assert_eq!(linear_gain(gain.preview_plain(stored)), 1.0);
    }

    #[test]
    fn the_lowest_gain_is_silence() {
        assert_eq!(linear_gain(MIN_GAIN_DB), 0.0);
        assert!((linear_gain(-6.0) - 0.501_187_2).abs() < 1e-6);
    }
}
