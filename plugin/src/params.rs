//! The parameters a host automates and saves. Their ids are frozen: sessions depend on them.
//!
//! `tests/parameter_ids.txt` is the committed list that they are held against, with ranges and
//! defaults. What a user chooses that is no parameter (model, mode, device) is in
//! [`settings`](crate::settings), saved beside them.

use std::sync::Arc;

use nice_plug::prelude::*;

use crate::exchange::STEMS;
use crate::link::{Controls, Strip};
use crate::settings::Settings;

/// Lowest gain in dB; it means silence.
pub const MIN_GAIN_DB: f32 = -60.0;
/// Highest gain in dB.
pub const MAX_GAIN_DB: f32 = 12.0;

/// A strip per stem, and the master's switches.
#[derive(Params)]
pub struct BunriParams {
    /// Strip of the drums: ids `drums_gain`, `drums_solo`, ...
    #[nested(id_prefix = "drums", group = "Drums")]
    pub drums: StripParams,
    /// Strip of the bass.
    #[nested(id_prefix = "bass", group = "Bass")]
    pub bass: StripParams,
    /// Strip of everything else.
    #[nested(id_prefix = "other", group = "Other")]
    pub other: StripParams,
    /// Strip of the vocals.
    #[nested(id_prefix = "vocals", group = "Vocals")]
    pub vocals: StripParams,
    /// Share of the mix in the main bus, 0 to 1; the rest is the delayed input.
    #[id = "dry_wet"]
    pub dry_wet: FloatParam,
    /// Bypass: the input at the reported latency on the main bus, silence on the stem buses.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Whether the stems are corrected to add up to the delayed input.
    #[id = "consistency"]
    pub consistency: BoolParam,
    /// Whether the stem buses carry the stems before gain, solo, mute, pan and width.
    #[id = "aux_pre_fader"]
    pub aux_pre_fader: BoolParam,
    /// Model, mode and device: saved with the parameters, chosen in the editor.
    #[persist = "settings"]
    pub settings: Arc<Settings>,
}

/// What one stem passes through on its way to the mix.
#[derive(Params)]
pub struct StripParams {
    /// Gain in dB, [`MIN_GAIN_DB`] (silence) to [`MAX_GAIN_DB`].
    #[id = "gain"]
    pub gain_db: FloatParam,
    /// Solo: strips without it are silent as long as any strip has it.
    #[id = "solo"]
    pub solo: BoolParam,
    /// Mute; wins over solo.
    #[id = "mute"]
    pub mute: BoolParam,
    /// Balance between left (-1) and right (1).
    #[id = "pan"]
    pub pan: FloatParam,
    /// Factor for the difference of the channels: 0 mono, 1 as it is, 2 twice as wide.
    #[id = "width"]
    pub width: FloatParam,
}

impl Default for BunriParams {
    fn default() -> Self {
        Self {
            drums: StripParams::new("Drums"),
            bass: StripParams::new("Bass"),
            other: StripParams::new("Other"),
            vocals: StripParams::new("Vocals"),
            dry_wet: FloatParam::new("Dry/wet", 1.0, FloatRange::Linear { min: 0.0, max: 1.0 })
                .with_step_size(0.01)
                .with_unit(" %")
                .with_value_to_string(formatters::v2s_f32_percentage(0))
                .with_string_to_value(finite(formatters::s2v_f32_percentage())),
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            consistency: BoolParam::new("Stems null to the mix", true),
            aux_pre_fader: BoolParam::new("Stem buses pre-fader", false),
            settings: Arc::default(),
        }
    }
}

impl BunriParams {
    /// The strips in the order of the stem buses.
    #[must_use]
    pub fn strips(&self) -> [&StripParams; STEMS] {
        [&self.drums, &self.bass, &self.other, &self.vocals]
    }

    /// All values as of now, for the audio thread. Real-time safe.
    #[must_use]
    pub fn controls(&self) -> Controls {
        Controls {
            strips: self.strips().map(|strip| Strip {
                gain: linear_gain(strip.gain_db.value()),
                solo: strip.solo.value(),
                mute: strip.mute.value(),
                pan: strip.pan.value(),
                width: strip.width.value(),
            }),
            dry_wet: self.dry_wet.value(),
            bypass: self.bypass.value(),
            consistency: self.consistency.value(),
            aux_pre_fader: self.aux_pre_fader.value(),
            dry_in_dropouts: self.settings.dry_in_dropouts(),
        }
    }
}

impl StripParams {
    fn new(stem: &str) -> Self {
        let gain = FloatRange::Linear {
            min: MIN_GAIN_DB,
            max: MAX_GAIN_DB,
        };
        let pan = FloatRange::Linear {
            min: -1.0,
            max: 1.0,
        };
        let width = FloatRange::Linear { min: 0.0, max: 2.0 };
        Self {
            gain_db: FloatParam::new(format!("{stem} gain"), 0.0, gain)
                // Hosts store normalised values. The step makes 0 dB come back as exactly 0 dB.
                .with_step_size(0.1)
                .with_unit(" dB")
                .with_value_to_string(Arc::new(gain_text))
                .with_string_to_value(Arc::new(gain_from_text)),
            solo: BoolParam::new(format!("{stem} solo"), false),
            mute: BoolParam::new(format!("{stem} mute"), false),
            pan: FloatParam::new(format!("{stem} pan"), 0.0, pan)
                .with_step_size(0.01)
                .with_value_to_string(formatters::v2s_f32_panning())
                .with_string_to_value(finite(formatters::s2v_f32_panning())),
            width: FloatParam::new(format!("{stem} width"), 1.0, width)
                .with_step_size(0.01)
                .with_unit(" %")
                .with_value_to_string(formatters::v2s_f32_percentage(0))
                .with_string_to_value(finite(formatters::s2v_f32_percentage())),
        }
    }
}

/// A gain as hosts show it.
fn gain_text(gain_db: f32) -> String {
    if gain_db <= MIN_GAIN_DB {
        "-inf".to_owned()
    } else {
        format!("{gain_db:.1}")
    }
}

/// A reader of texts that users type.
type FromText = Arc<dyn Fn(&str) -> Option<f32> + Send + Sync>;

/// The same without "nan" and "inf", which Rust reads as numbers.
fn finite(read: FromText) -> FromText {
    Arc::new(move |text| read(text).filter(|value| value.is_finite()))
}

/// A gain as users type it, with or without its unit.
fn gain_from_text(text: &str) -> Option<f32> {
    let text = text.trim();
    let number = text.strip_suffix(['b', 'B']).unwrap_or(text);
    let number = number.strip_suffix(['d', 'D']).unwrap_or(number).trim();
    match number.parse::<f32>() {
        Ok(f32::NEG_INFINITY) => Some(MIN_GAIN_DB), // as silence is shown
        Ok(gain_db) if gain_db.is_finite() => Some(gain_db.clamp(MIN_GAIN_DB, MAX_GAIN_DB)),
        _ => None,
    }
}

/// Amplitude factor of a gain in dB, 0 at [`MIN_GAIN_DB`] and below; exactly 1 at 0 dB.
pub(crate) fn linear_gain(gain_db: f32) -> f32 {
    if gain_db <= MIN_GAIN_DB {
        0.0
    } else {
        10.0_f32.powf(gain_db / 20.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that are only almost neutral would break nulling against the offline bounce.
    #[test]
    fn neutral_values_are_exact_after_a_round_trip_through_the_host() {
        let params = BunriParams::default();
        for strip in params.strips() {
            let stored = strip.gain_db.preview_normalized(0.0);
            assert_eq!(linear_gain(strip.gain_db.preview_plain(stored)), 1.0);
            let stored = strip.pan.preview_normalized(0.0);
            assert_eq!(strip.pan.preview_plain(stored), 0.0);
            let stored = strip.width.preview_normalized(1.0);
            assert_eq!(strip.width.preview_plain(stored), 1.0);
        }
        let stored = params.dry_wet.preview_normalized(1.0);
        assert_eq!(params.dry_wet.preview_plain(stored), 1.0);
    }

    #[test]
    fn the_lowest_gain_is_silence() {
        assert_eq!(linear_gain(MIN_GAIN_DB), 0.0);
        assert!((linear_gain(-6.0) - 0.501_187_2).abs() < 1e-6);
    }

    /// Guards against a host's text field that cannot read back what it shows.
    #[test]
    fn gains_are_read_as_they_are_written() {
        for gain_db in [MIN_GAIN_DB, -12.5, 0.0, MAX_GAIN_DB] {
            assert_eq!(gain_from_text(&gain_text(gain_db)), Some(gain_db));
            assert_eq!(
                gain_from_text(&format!("{} dB", gain_text(gain_db))),
                Some(gain_db)
            );
        }
        assert_eq!(gain_from_text("loud"), None);
    }

    /// Guards against a width, a pan or a mix of NaN or infinity.
    #[test]
    fn no_text_is_nan_or_infinity() {
        let params = BunriParams::default();
        let mut floats = vec![&params.dry_wet];
        for strip in params.strips() {
            floats.extend([&strip.gain_db, &strip.pan, &strip.width]);
        }
        for param in floats {
            for text in [
                "nan", "NaN", "-nan", "inf", "+inf", "infinity", "1e99", "nan %", "",
            ] {
                let value = param.string_to_normalized_value(text);
                assert_eq!(value, None, "{}: {text:?}", param.name());
            }
            let shown = param.normalized_value_to_string(0.5, true);
            assert!(
                param.string_to_normalized_value(&shown).is_some(),
                "{shown}"
            );
        }
    }
}
