//! A speaker who sings: spoken syllables laid on notes, consonants at their own pace, vowels as long
//! as the notes.

use super::{
    Singer,
    intonation::{Intonation, follow},
    resynthesis::{Anatomy, HOP, Throat, Wish},
    speech::{Speech, Syllable},
};
use crate::render::{
    compose::Note,
    dice::Dice,
    instruments::{RATE, Stereo, hz},
};

/// Flite's voices are sampled at 16 kHz; their filter falls a little below half of that.
const KNOWN_BELOW_HZ: f32 = 7_300.0;
/// Consonants are not drawn out: longer ones are spoken faster.
const LONGEST_CONSONANTS_S: f32 = 0.16;
/// The start and the end of a vowel keep their pace, the middle is drawn out.
const EDGE_S: f32 = 0.035;

/// A speaker's words, taken apart.
pub(crate) struct Speaker {
    anatomy: Anatomy,
    syllables: Vec<Syllable>,
}

impl Speaker {
    /// Takes what was spoken.
    pub(crate) fn new(speech: &Speech) -> Self {
        Self {
            anatomy: Anatomy::of(&speech.audio),
            syllables: speech.syllables.clone(),
        }
    }

    /// Sings notes that don't overlap with the intonation of `singer`, a syllable a note, from the
    /// first syllable on and round again. Mono sound on both sides, `frames` long.
    pub(crate) fn sing(
        &self,
        singer: &Singer,
        dice: &mut Dice,
        notes: &[Note],
        frames: usize,
    ) -> Stereo {
        let hops = frames / HOP + 2;
        let rest = Wish {
            source_s: 0.0,
            pitch_hz: 0.0,
            level: 0.0,
        };
        let mut wishes = vec![rest; hops];
        let mut keys = vec![notes.first().map_or(60.0, |note| note.key as f32); hops];
        let mut syllable = 0;
        let mut index = 0;
        while index < notes.len() {
            // A syllable goes on over the notes slurred to its own.
            let mut end = index + 1;
            while end < notes.len() && notes[end].slurred && follows(&notes[end - 1], &notes[end]) {
                end += 1;
            }
            let spoken = self.syllables[syllable % self.syllables.len()];
            self.lay(singer, dice, spoken, &notes[index..end], &mut wishes);
            for note in &notes[index..end] {
                // Up to the next note: the voice leaves its pitch for nothing but another one. Its
                // consonants come before the beat, and already at its pitch.
                let from = hop_at(note.start_s as f32 - 0.04).min(hops);
                keys[from..].fill(note.key as f32);
            }
            syllable += 1;
            index = end;
        }
        let step_s = HOP as f32 / RATE;
        let mut pitch = Intonation::new(singer, dice, keys[0], step_s);
        let (rise, fall) = (follow(step_s, singer.attack_s), follow(step_s, 0.018));
        let mut level = 0.0_f32;
        for (wish, key) in wishes.iter_mut().zip(keys) {
            let (key, swell) = pitch.next(singer, dice, key, wish.level > 0.0);
            wish.pitch_hz = hz(key);
            level += (wish.level - level) * if wish.level > level { rise } else { fall };
            wish.level = if level > 1e-3 { level * swell } else { 0.0 };
        }
        let throat = Throat {
            formants: 1.0 / singer.tract_length,
            breath: singer.breath * 6.0,
            known_below_hz: KNOWN_BELOW_HZ,
        };
        let seed = dice.whole(1, i32::MAX - 1) as u32;
        let sound = self.anatomy.sing(&wishes, throat, seed, frames);
        [sound.clone(), sound]
    }

    /// Writes one syllable over its notes.
    fn lay(
        &self,
        singer: &Singer,
        dice: &mut Dice,
        spoken: Syllable,
        notes: &[Note],
        wishes: &mut [Wish],
    ) {
        let (Some(first), Some(last)) = (notes.first(), notes.last()) else {
            return;
        };
        let start_s = (first.start_s as f32 + dice.bell(0.01)).max(0.0);
        let length_s = (last.start_s + last.length_s) as f32 - start_s;
        let gap_s = (1.0 - singer.legato * dice.between(0.85, 1.1)).clamp(0.0, 0.4) * length_s;
        let end_s = start_s + length_s - gap_s.clamp(0.02, 0.3);
        let brief = |seconds: f32, share: f32| {
            seconds
                .min(LONGEST_CONSONANTS_S)
                .min((length_s * share).max(0.0))
        };
        let onset_s = brief(spoken.onset.length_s(), 0.5);
        let coda_s = brief(spoken.coda.length_s(), 0.3);
        // The vowel, not the consonant, meets the beat.
        let begin_s = start_s - onset_s;
        let vowel_to = (end_s - coda_s).max(start_s + 0.03);
        let power = self
            .anatomy
            .power_between(spoken.nucleus.from_s, spoken.nucleus.to_s);
        // Speech is uneven; most of the unevenness goes.
        let level = first.velocity * (0.01 / power.max(1e-7)).powf(0.4);
        let swell = dice.between(-0.2, 0.25);
        for (index, wish) in wishes.iter_mut().enumerate() {
            let now = (index * HOP) as f32 / RATE;
            if now < begin_s {
                continue;
            }
            let (source_s, shape) = if now < start_s {
                let place = (now - begin_s) / onset_s;
                (spoken.onset.from_s + place * spoken.onset.length_s(), 1.0)
            } else if now < vowel_to {
                let place = (now - start_s) / (vowel_to - start_s);
                let within =
                    drawn_out(now - start_s, vowel_to - start_s, spoken.nucleus.length_s());
                (spoken.nucleus.from_s + within, 1.0 + swell * (place - 0.4))
            } else if now < vowel_to + coda_s {
                let place = (now - vowel_to) / coda_s;
                (spoken.coda.from_s + place * spoken.coda.length_s(), 0.9)
            } else {
                // The last sound dies down, until another syllable takes its place.
                wish.source_s = spoken.coda.to_s;
                wish.level = 0.0;
                if now > vowel_to + coda_s + 0.2 {
                    break;
                }
                continue;
            };
            wish.source_s = source_s;
            wish.level = level * shape;
        }
    }
}

/// Whether one note leads into the next.
fn follows(before: &Note, after: &Note) -> bool {
    after.start_s - (before.start_s + before.length_s) < 0.08
}

fn hop_at(seconds: f32) -> usize {
    (seconds.max(0.0) * RATE / HOP as f32).round() as usize
}

/// Where in a vowel of `spoken_s` a singer is who sings it for `sung_s`, after `now_s`.
fn drawn_out(now_s: f32, sung_s: f32, spoken_s: f32) -> f32 {
    let edge = EDGE_S.min(spoken_s / 3.0);
    if sung_s <= spoken_s || sung_s < 2.5 * edge {
        return now_s / sung_s.max(1e-3) * spoken_s;
    }
    if now_s < edge {
        now_s
    } else if now_s > sung_s - edge {
        spoken_s - (sung_s - now_s)
    } else {
        edge + (now_s - edge) / (sung_s - 2.0 * edge) * (spoken_s - 2.0 * edge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::instruments::voice::{VoiceType, speech::Span};

    /// A vowel that jumps while it is drawn out would stutter.
    #[test]
    fn a_vowel_is_gone_through_once_and_evenly() {
        for (sung_s, spoken_s) in [(1.2, 0.12), (0.05, 0.12), (0.12, 0.12), (0.08, 0.02)] {
            let places: Vec<f32> = (0..=100)
                .map(|step| drawn_out(sung_s * step as f32 / 100.0, sung_s, spoken_s))
                .collect();
            assert!(places[0].abs() < 1e-4, "{places:?}");
            assert!((places[100] - spoken_s).abs() < 1e-4, "{places:?}");
            for pair in places.windows(2) {
                let step = pair[1] - pair[0];
                let most = (sung_s.max(spoken_s) / 100.0) * 1.5;
                assert!((0.0..=most).contains(&step), "{sung_s} {spoken_s}: {step}");
            }
        }
    }

    /// The melody must be the notes', wherever the speaker's own pitch was.
    #[test]
    fn notes_sound_at_their_pitch_and_rests_are_silent() {
        let buzz: Vec<f32> = (0..44_100)
            .map(|frame| if frame % 400 == 0 { 0.5 } else { 0.0 })
            .collect();
        let whole = |from_s, to_s| Span { from_s, to_s };
        let speech = Speech {
            audio: buzz,
            syllables: vec![Syllable {
                onset: whole(0.2, 0.2),
                nucleus: whole(0.2, 0.8),
                coda: whole(0.8, 0.8),
            }],
        };
        let note = |start_s: f64, key: i32| Note {
            start_s,
            length_s: 0.5,
            key,
            velocity: 0.8,
            slurred: false,
        };
        let mut dice = Dice::new(3, "test");
        let singer = Singer::draw(&mut dice, VoiceType::Alto).tuned();
        let speaker = Speaker::new(&speech);
        let sung = speaker.sing(&singer, &mut dice, &[note(0.2, 57), note(1.2, 64)], 88_200);
        let heard = Anatomy::of(&sung[0]);
        for (moment, key) in [(0.4, 57.0), (1.4, 64.0)] {
            let cents = 1_200.0 * (heard.pitch_at(moment) / hz(key)).log2();
            assert!(cents.abs() < 30.0, "{moment} s: {cents} cents off");
        }
        let rest = &sung[0][(0.85 * RATE) as usize..(1.1 * RATE) as usize];
        assert!(rest.iter().all(|sample| *sample == 0.0));
    }
}
