//! Whether stems sound like what they are called. A rule of thumb from two figures:
//!
//! - Drums are the noisiest: another stem with a median spectral flatness above 0.05 that is more
//!   than twice that of the drums sounds like drums.
//! - Basses are the lowest: another stem (not the drums) with more than 40 % of its energy below
//!   200 Hz and 25 % more than the bass sounds like the bass.
//!
//! It finds stems that changed places with the drums or the bass, and says nothing of vocals and
//! other among themselves.

use super::listen::Heard;

/// Flatness above which a stem may be drums.
const NOISY: f64 = 0.05;
/// Share of energy below 200 Hz above which a stem may be a bass, and how much more than the bass.
const LOW: f64 = 0.4;
const LOWER: f64 = 0.25;

/// Stems that sound like another, with the reason.
pub(super) fn doubts<'a>(stems: &[(&'a str, &Heard)]) -> Vec<(&'a str, String)> {
    let audible = || stems.iter().filter(|(_, heard)| !heard.is_silent());
    let named = |wanted: &str| {
        let mut found = audible().filter(|(name, _)| *name == wanted);
        found.next().map(|(_, heard)| *heard)
    };
    let (drums, bass) = (named("drums"), named("bass"));
    let mut doubts = Vec::new();
    for &(name, heard) in audible().filter(|(name, _)| *name != "drums") {
        let drums_flatness = drums.map_or(0.0, |drums| drums.flatness);
        if heard.flatness > NOISY && heard.flatness > 2.0 * drums_flatness {
            doubts.push((
                name,
                format!(
                    "sounds like drums: spectral flatness {:.3}, the drums' is {drums_flatness:.3}",
                    heard.flatness
                ),
            ));
            continue;
        }
        let bass_low = bass.map_or(0.0, |bass| bass.low_share);
        if name != "bass" && heard.low_share > LOW && heard.low_share > bass_low + LOWER {
            doubts.push((
                name,
                format!(
                    "sounds like a bass: {:.0} % of its energy below 200 Hz, of the bass's {:.0} %",
                    100.0 * heard.low_share,
                    100.0 * bass_low
                ),
            ));
        }
    }
    doubts
}
