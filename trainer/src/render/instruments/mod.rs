//! Instruments: from notes and hits to sound.
//!
//! - [`soundfont`]: General MIDI programs from an sf2 file.
//! - [`synth`]: subtractive and FM synthesizers, plucked strings.
//! - [`mono_synth`]: a sequencer's synthesizer, whose filter moves.
//! - [`sweep`]: risers of noise.
//! - [`sampler`]: recorded notes.
//! - [`kit`]: drum kits made of single strokes; [`drum_synth`] makes such strokes.
//! - [`voice`]: a singer: glottis, vocal tract, consonants.
//! - [`vocoder`]: a voice that speaks through chords.

pub(crate) mod drum_synth;
pub(crate) mod filter;
pub(crate) mod kit;
pub(crate) mod mono_synth;
pub(crate) mod oscillator;
pub(crate) mod sampler;
pub(crate) mod soundfont;
pub(crate) mod sweep;
pub(crate) mod synth;
pub(crate) mod vocoder;
pub(crate) mod voice;

/// Sample rate of everything rendered, in Hz.
pub(crate) const RATE_HZ: u32 = 44_100;
/// The same for arithmetic.
pub(crate) const RATE: f32 = RATE_HZ as f32;

/// Left and right, of one length.
pub(crate) type Stereo = [Vec<f32>; 2];

/// Silence.
pub(crate) fn silence(frames: usize) -> Stereo {
    [vec![0.0; frames], vec![0.0; frames]]
}

/// The frame at a moment.
pub(crate) fn frame_at(seconds: f64) -> usize {
    (seconds.max(0.0) * f64::from(RATE_HZ)).round() as usize
}

/// Frequency of a MIDI key, fractions allowed.
pub(crate) fn hz(key: f32) -> f32 {
    440.0 * ((key - 69.0) / 12.0).exp2()
}

/// A factor from decibels.
pub(crate) fn gain(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}
