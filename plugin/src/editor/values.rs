//! The parameters as the editor sees them: ranges, steps, fader laws, and how they are written.

use super::view::{EditorView, STEM_NAMES};

/// A parameter with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Param {
    /// Gain of a stem in dB.
    Gain(usize),
    /// Pan of a stem.
    Pan(usize),
    /// Width of a stem.
    Width(usize),
    /// Share of the mix in the main bus.
    DryWet,
}

/// A parameter that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// Solo of a stem.
    Solo(usize),
    /// Mute of a stem.
    Mute(usize),
    /// Bypass.
    Bypass,
    /// Whether the stems add up to the input.
    Consistency,
    /// Whether the stem buses leave out the strips.
    AuxPreFader,
}

/// What of a parameter's values there is to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lowest.
    pub min: f32,
    /// Highest.
    pub max: f32,
    /// What a double click gives.
    pub default: f32,
    /// An arrow key's.
    pub step: f32,
    /// An arrow key's with shift; values are multiples of it.
    pub fine: f32,
}

/// Lowest gain in dB: silence.
pub const MIN_GAIN_DB: f32 = -60.0;
/// Highest gain in dB.
pub const MAX_GAIN_DB: f32 = 12.0;

/// Bends the scale of decibels: 0 dB comes to three quarters of a fader's way.
const FADER_BEND: f32 = 1.6;

/// Where a level in dB is on a fader's or a meter's way, 0 to 1.
#[must_use]
pub fn fader_position(db: f32) -> f32 {
    let share = (db - MIN_GAIN_DB) / (MAX_GAIN_DB - MIN_GAIN_DB);
    // A level that is no number is shown as none.
    let share = if share.is_nan() { 0.0 } else { share };
    share.clamp(0.0, 1.0).powf(FADER_BEND)
}

/// The level in dB at a place on a fader's way.
fn fader_db(position: f32) -> f32 {
    MIN_GAIN_DB + position.clamp(0.0, 1.0).powf(1.0 / FADER_BEND) * (MAX_GAIN_DB - MIN_GAIN_DB)
}

impl Param {
    /// Its range.
    #[must_use]
    pub fn range(self) -> Range {
        let [min, max, default, step, fine] = match self {
            Self::Gain(_) => [MIN_GAIN_DB, MAX_GAIN_DB, 0.0, 1.0, 0.1],
            Self::Pan(_) => [-1.0, 1.0, 0.0, 0.05, 0.01],
            Self::Width(_) => [0.0, 2.0, 1.0, 0.05, 0.01],
            Self::DryWet => [0.0, 1.0, 1.0, 0.05, 0.01],
        };
        Range {
            min,
            max,
            default,
            step,
            fine,
        }
    }

    /// What it is called, for those who cannot see where it stands.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Gain(stem) => format!("{} gain", STEM_NAMES[stem]),
            Self::Pan(stem) => format!("{} pan", STEM_NAMES[stem]),
            Self::Width(stem) => format!("{} width", STEM_NAMES[stem]),
            Self::DryWet => "Dry/wet".to_owned(),
        }
    }

    /// Its value in a view.
    #[must_use]
    pub fn value(self, view: &EditorView) -> f32 {
        match self {
            Self::Gain(stem) => view.strips[stem].gain_db,
            Self::Pan(stem) => view.strips[stem].pan,
            Self::Width(stem) => view.strips[stem].width,
            Self::DryWet => view.master.dry_wet,
        }
    }

    /// Where a value is on its control's way, 0 to 1.
    #[must_use]
    pub fn position(self, value: f32) -> f32 {
        let Range { min, max, .. } = self.range();
        match self {
            Self::Gain(_) => fader_position(value),
            _ => ((value - min) / (max - min)).clamp(0.0, 1.0),
        }
    }

    /// The value at a place on its control's way.
    #[must_use]
    pub fn value_at(self, position: f32) -> f32 {
        let Range { min, max, .. } = self.range();
        match self {
            Self::Gain(_) => self.rounded(fader_db(position)),
            _ => self.rounded(min + position * (max - min)),
        }
    }

    /// The nearest value that can be set.
    #[must_use]
    pub fn rounded(self, value: f32) -> f32 {
        let Range { min, max, fine, .. } = self.range();
        let per_unit = (1.0 / fine).round();
        ((value * per_unit).round() / per_unit).clamp(min, max)
    }

    /// A value as it is written, with its unit.
    #[must_use]
    pub fn text(self, value: f32) -> String {
        match self {
            Self::Gain(_) if value <= MIN_GAIN_DB => "−∞ dB".to_owned(),
            Self::Gain(_) => format!("{} dB", signed(value, 1)),
            Self::Pan(_) => match (value * 100.0).round() as i32 {
                0 => "C".to_owned(),
                left @ ..0 => format!("{} L", -left),
                right => format!("{right} R"),
            },
            Self::Width(_) | Self::DryWet => format!("{:.0} %", value * 100.0),
        }
    }

    /// A value as users type it; `None` where it cannot be understood.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<f32> {
        let text = text
            .trim()
            .to_lowercase()
            .replace('−', "-")
            .replace(',', ".");
        let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| !n.is_nan());
        let value = match self {
            Self::Gain(_) => match text.trim_end_matches("db").trim() {
                "-∞" | "∞" => f32::NEG_INFINITY,
                text => number(text)?,
            },
            Self::Pan(_) => match (text.strip_suffix('l'), text.strip_suffix('r')) {
                (Some(left), _) => -number(left)? / 100.0,
                (_, Some(right)) => number(right)? / 100.0,
                _ if text == "c" => 0.0,
                _ => number(&text)? / 100.0,
            },
            Self::Width(_) | Self::DryWet => number(text.trim_end_matches('%'))? / 100.0,
        };
        Some(self.rounded(value.clamp(self.range().min, self.range().max)))
    }
}

impl Switch {
    /// What it is called, for those who cannot see where it stands.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Solo(stem) => format!("{} solo", STEM_NAMES[stem]),
            Self::Mute(stem) => format!("{} mute", STEM_NAMES[stem]),
            Self::Bypass => "Bypass".to_owned(),
            Self::Consistency => "Stems add up to the mix".to_owned(),
            Self::AuxPreFader => "Stem buses pre-fader".to_owned(),
        }
    }
}

/// A number with the typographic minus, and a plus where it is positive.
#[must_use]
pub fn signed(value: f32, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    // What rounds to zero has no sign.
    if text.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        text
    } else if value < 0.0 {
        format!("−{text}")
    } else {
        format!("+{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Param; 4] = [
        Param::Gain(0),
        Param::Pan(1),
        Param::Width(2),
        Param::DryWet,
    ];

    /// Guards against a fader that cannot be put back to exactly 0 dB, where stems null.
    #[test]
    fn every_value_comes_back_from_its_place_and_from_its_text() {
        for param in ALL {
            let Range { min, max, fine, .. } = param.range();
            let steps = ((max - min) / fine).round() as usize;
            for step in 0..=steps {
                let value = param.rounded(min + step as f32 * fine);
                assert_eq!(param.value_at(param.position(value)), value, "{param:?}");
                assert_eq!(param.parse(&param.text(value)), Some(value), "{param:?}");
            }
            let default = param.range().default;
            assert_eq!(param.rounded(default), default);
        }
    }

    #[test]
    fn typed_values_are_understood_or_refused_but_never_out_of_range() {
        let gain = Param::Gain(0);
        assert_eq!(gain.parse("-6"), Some(-6.0));
        assert_eq!(gain.parse(" -6,5 dB"), Some(-6.5));
        assert_eq!(gain.parse("-inf"), Some(MIN_GAIN_DB));
        assert_eq!(gain.parse("99"), Some(MAX_GAIN_DB));
        assert_eq!(gain.parse("nan"), None);
        assert_eq!(gain.parse("loud"), None);
        assert_eq!(Param::Pan(0).parse("30l"), Some(-0.3));
        assert_eq!(Param::Pan(0).parse("c"), Some(0.0));
        assert_eq!(Param::Width(0).parse("150"), Some(1.5));
        assert_eq!(Param::DryWet.parse(""), None);
    }

    /// Guards against a bent scale that puts unity where no hand expects it.
    #[test]
    fn unity_is_at_three_quarters_of_the_way() {
        assert!((fader_position(0.0) - 0.75).abs() < 0.01);
        assert_eq!(fader_position(f32::NEG_INFINITY), 0.0);
        assert_eq!(fader_position(f32::INFINITY), 1.0);
        assert_eq!(fader_position(f32::NAN), 0.0);
    }
}
