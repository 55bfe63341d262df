//! Composition: from a seed to notes, without any sound.
//!
//! ```text
//! seed ─ Form (tempo, key, sections) ─ harmony (a chord per half bar)
//!                                          ├ drums: hits
//!                                          ├ bass, comping, arpeggios, pads, sequences: notes
//!                                          └ tune: notes with syllables
//! ```
//!
//! Times are in beats from the song's start until [`Form::seconds`] bends them to the clock.

mod accompaniment;
mod bass;
mod drums;
mod form;
mod harmony;
mod sequence;
mod tune;

pub(crate) use accompaniment::{Accompaniment, accompany, likely as likely_accompaniment};
pub(crate) use bass::bass_line;
pub(crate) use drums::drum_part;
pub(crate) use form::{Form, Genre, Section, Stem};
pub(crate) use sequence::sequence;
pub(crate) use tune::{TuneStyle, tune};

/// One note of a pitched part.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// Start in seconds.
    pub(crate) start_s: f64,
    /// Length in seconds.
    pub(crate) length_s: f64,
    /// MIDI key, 60 is middle C.
    pub(crate) key: i32,
    /// Loudness in 0..=1.
    pub(crate) velocity: f32,
    /// Whether a singer holds the previous syllable on this note.
    pub(crate) slurred: bool,
}

/// A sound of a drum kit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    /// Bass drum.
    Kick,
    /// Snare drum.
    Snare,
    /// Side stick.
    Rim,
    /// Hand clap.
    Clap,
    /// Closed hi-hat.
    HatClosed,
    /// Open hi-hat.
    HatOpen,
    /// High tom.
    TomHigh,
    /// Middle tom.
    TomMid,
    /// Low tom.
    TomLow,
    /// Crash cymbal.
    Crash,
    /// Ride cymbal.
    Ride,
    /// Bell of the ride.
    RideBell,
    /// Shaker, tambourine and the like.
    Shaker,
    /// Cowbell, conga: a percussion with a pitch.
    Perc,
}

/// One stroke on a drum.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// When, in seconds.
    pub(crate) start_s: f64,
    /// On what.
    pub(crate) piece: Piece,
    /// Loudness in 0..=1.
    pub(crate) velocity: f32,
}
