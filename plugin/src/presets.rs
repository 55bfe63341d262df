//! Stem presets: named sets of parameter values, for an editor to apply in one go.
//!
//! A preset sets gain, solo and mute of every strip, so that one after the other gives the same as
//! the last alone. Pan, width and the master's switches stay as the user set them.

use crate::exchange::STEMS;

/// Values for one strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StripPreset {
    /// Gain in dB.
    pub gain_db: f32,
    /// Solo.
    pub solo: bool,
    /// Mute.
    pub mute: bool,
}

/// Values for all strips under a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StemPreset {
    /// What users call it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub detail: &'static str,
    /// In the order of the stem buses: drums, bass, other, vocals.
    pub strips: [StripPreset; STEMS],
}

const ON: StripPreset = StripPreset {
    gain_db: 0.0,
    solo: false,
    mute: false,
};
const OFF: StripPreset = StripPreset { mute: true, ..ON };

/// The presets that come with Bunri.
pub const STEM_PRESETS: [StemPreset; 6] = [
    StemPreset {
        name: "All stems",
        detail: "the mix as it is",
        strips: [ON, ON, ON, ON],
    },
    StemPreset {
        name: "Karaoke",
        detail: "a trace of the voice to sing along with",
        strips: [
            ON,
            ON,
            ON,
            StripPreset {
                gain_db: -18.0,
                ..ON
            },
        ],
    },
    StemPreset {
        name: "A cappella",
        detail: "the voice alone",
        strips: [OFF, OFF, OFF, ON],
    },
    StemPreset {
        name: "Drumless",
        detail: "everything but the drums",
        strips: [OFF, ON, ON, ON],
    },
    StemPreset {
        name: "Instrumental",
        detail: "everything but the voice",
        strips: [ON, ON, ON, OFF],
    },
    StemPreset {
        name: "Bass practice",
        detail: "everything but the bass, the drums in front",
        strips: [StripPreset { gain_db: 2.0, ..ON }, OFF, ON, ON],
    },
];

#[cfg(test)]
mod tests {
    use nice_plug::prelude::*;

    use super::*;
    use crate::params::BunriParams;

    /// Guards against a preset that hosts would store as something else.
    #[test]
    fn every_value_survives_the_hosts_normalisation() {
        let params = BunriParams::default();
        for preset in STEM_PRESETS {
            for (strip, values) in params.strips().iter().zip(preset.strips) {
                let stored = strip.gain_db.preview_normalized(values.gain_db);
                assert_eq!(
                    strip.gain_db.preview_plain(stored),
                    values.gain_db,
                    "{}",
                    preset.name
                );
            }
        }
    }
}
