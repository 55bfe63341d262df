//! Plays recorded notes: the nearest one, shifted by resampling.

use super::{RATE, Stereo, frame_at, silence};
use crate::render::{compose::Note, dice::Dice};

/// One recorded note.
pub(crate) struct SampledNote {
    /// MIDI key.
    pub(crate) key: i32,
    /// Peak of the recording: tells soft from loud playing.
    pub(crate) level: f32,
    /// Mono, peak 1.
    pub(crate) audio: Vec<f32>,
}

/// An instrument: notes by key, then from soft to loud; never empty.
pub(crate) struct Sampler {
    pub(crate) notes: Vec<SampledNote>,
}

impl Sampler {
    /// Plays notes, `frames` long, the same on both sides.
    pub(crate) fn play(&self, dice: &mut Dice, notes: &[Note], frames: usize) -> Stereo {
        let mut out = silence(frames)[0].clone();
        for note in notes {
            if frame_at(note.start_s) < frames {
                let recorded = self.choose(dice, note);
                paste(recorded, note, &mut out);
            }
        }
        [out.clone(), out]
    }

    /// A recording of the nearest key, played about as hard as the note asks.
    fn choose(&self, dice: &mut Dice, note: &Note) -> &SampledNote {
        let distance = |recorded: &SampledNote| (recorded.key - note.key).abs();
        let nearest = self.notes.iter().map(distance).min().unwrap_or(0);
        let takes: Vec<&SampledNote> = self
            .notes
            .iter()
            .filter(|recorded| distance(recorded) == nearest)
            .collect();
        let place = note.velocity * (takes.len() - 1) as f32 + dice.bell(takes.len() as f32 * 0.12);
        takes[place.round().clamp(0.0, (takes.len() - 1) as f32) as usize]
    }
}

fn paste(recorded: &SampledNote, note: &Note, out: &mut [f32]) {
    let start = frame_at(note.start_s);
    let speed = f64::from(((note.key - recorded.key) as f32 / 12.0).exp2());
    let held = (note.length_s as f32 * RATE) as usize;
    let release = (0.07 * RATE) as usize;
    let level = note.velocity.powf(1.2) * 0.5;
    let end = (start + held + release).min(out.len());
    for (frame, slot) in out[start..end].iter_mut().enumerate() {
        let position = speed * frame as f64;
        let index = position as usize;
        if index + 2 >= recorded.audio.len() {
            break;
        }
        let fade = if frame < held {
            1.0
        } else {
            1.0 - (frame - held) as f32 / release as f32
        };
        *slot += cubic(&recorded.audio, index, position.fract() as f32) * level * fade;
    }
}

/// Catmull-Rom between `index` and the next sample.
fn cubic(samples: &[f32], index: usize, part: f32) -> f32 {
    let before = samples[index.saturating_sub(1)];
    let (here, next, after) = (samples[index], samples[index + 1], samples[index + 2]);
    let a = -0.5 * before + 1.5 * here - 1.5 * next + 0.5 * after;
    let b = before - 2.5 * here + 2.0 * next - 0.5 * after;
    let c = 0.5 * (next - before);
    ((a * part + b) * part + c) * part + here
}
