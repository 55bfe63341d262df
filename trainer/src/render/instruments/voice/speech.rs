//! Spoken words with the times of their sounds, from the program `flite` (Debian: `flite`).
//!
//! Flite and its voices are free for any use (Carnegie Mellon University's own licence, much like
//! MIT's); it gives the same samples for the same words.

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};
use bunri_stream::{read_clip, resample_clip};

use crate::render::{dice::Dice, instruments::RATE_HZ};

/// Voices that are used where flite has them: two men, a woman, and an older way of synthesis.
const VOICES: [&str; 4] = [WOMAN, "rms", "awb", "kal16"];
const WOMAN: &str = "slt";

/// Common words of one to three syllables, to make lines of.
const WORDS: [&str; 112] = [
    "hold", "me", "in", "the", "morning", "light", "we", "are", "running", "through", "night",
    "again", "oh", "my", "heart", "is", "burning", "slow", "never", "let", "you", "go", "all",
    "that", "I", "need", "tonight", "shadow", "on", "water", "falling", "down", "say", "it",
    "softly", "baby", "every", "time", "see", "your", "face", "and", "fire", "come", "back",
    "home", "to", "summer", "rain", "wild", "river", "dancing", "alone", "with", "stars", "above",
    "city", "sleeps", "no", "more", "sorrow", "breaking", "open", "like", "a", "wave", "golden",
    "hour", "wait", "for", "love", "believe", "what", "they", "told", "us", "was", "true", "yeah",
    "somebody", "knows", "name", "under", "blue", "sky", "feel", "so", "high", "take", "hand",
    "walking", "away", "sugar", "moving", "closer", "forever", "young", "dream", "lost", "found",
    "road", "silver", "moon", "rise", "up", "children", "sing", "just", "one", "kiss", "goodbye",
    "hello",
];

/// A stretch of the sound, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// From.
    pub(crate) from_s: f32,
    /// To.
    pub(crate) to_s: f32,
}

impl Span {
    /// Its length in seconds.
    pub(crate) fn length_s(self) -> f32 {
        self.to_s - self.from_s
    }
}

/// What is sung on one note: consonants, a vowel, consonants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Syllable {
    /// Before the vowel.
    pub(crate) onset: Span,
    /// The vowel.
    pub(crate) nucleus: Span,
    /// After the vowel.
    pub(crate) coda: Span,
}

/// Words as they were spoken.
pub(crate) struct Speech {
    /// Mono, 44.1 kHz.
    pub(crate) audio: Vec<f32>,
    /// In order.
    pub(crate) syllables: Vec<Syllable>,
}

/// The installed program.
#[derive(Clone, Debug)]
pub(crate) struct Flite {
    voices: Vec<&'static str>,
}

impl Flite {
    /// The program, where it is installed with a voice that is known.
    pub(crate) fn find() -> Option<Self> {
        let listed = Command::new("flite").arg("-lv").output().ok()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let has = |voice: &&str| listed.split_whitespace().any(|word| word == *voice);
        let voices: Vec<_> = VOICES.into_iter().filter(has).collect();
        (!voices.is_empty()).then_some(Self { voices })
    }

    /// A voice: mostly the woman's for high parts, a man's for low ones, where there is a choice.
    pub(crate) fn choose(&self, dice: &mut Dice, high: bool) -> &'static str {
        let wanted = high != dice.chance(0.2);
        let fitting: Vec<&'static str> = self
            .voices
            .iter()
            .copied()
            .filter(|voice| (*voice == WOMAN) == wanted)
            .collect();
        let voices = if fitting.is_empty() {
            &self.voices
        } else {
            &fitting
        };
        voices[dice.index(voices.len())]
    }

    /// Speaks lines of chance with about this many syllables.
    ///
    /// # Errors
    /// If the program fails, or its output cannot be read.
    pub(crate) fn speak(
        &self,
        words: &mut Dice,
        voice: &str,
        syllables: usize,
    ) -> anyhow::Result<Speech> {
        let mut text = String::new();
        // Two words have about three syllables.
        for index in 0..(syllables * 2).div_ceil(3) {
            text += if index > 0 && index % 7 == 0 {
                ", "
            } else {
                " "
            };
            text += WORDS[words.index(WORDS.len())];
        }
        let folder = tempfile::tempdir().context("a folder for spoken words")?;
        let path = folder.path().join("speech.wav");
        let spoken = Command::new("flite")
            .args(["-voice", voice, "-psdur", "-t", text.trim(), "-o"])
            .arg(&path)
            .output()
            .context("starting flite")?;
        ensure!(
            spoken.status.success(),
            "flite failed ({}): {}",
            spoken.status,
            String::from_utf8_lossy(&spoken.stderr).trim()
        );
        let syllables = syllables_of(&phones(&String::from_utf8_lossy(&spoken.stdout)));
        ensure!(
            !syllables.is_empty(),
            "flite named no vowels in {text:?}: {:?}",
            String::from_utf8_lossy(&spoken.stdout)
        );
        Ok(Speech {
            audio: mono(&path)?,
            syllables,
        })
    }
}

fn mono(path: &Path) -> anyhow::Result<Vec<f32>> {
    let clip = read_clip(path).context("reading flite's speech")?;
    let audio = resample_clip(&clip.audio, clip.rate_hz, RATE_HZ).context("resampling speech")?;
    let first = audio.into_channels().into_iter().next();
    first.context("flite's speech has no channel")
}

/// Sounds and their ends in seconds, from `pau:0.217 ay:0.339 ...`.
fn phones(listed: &str) -> Vec<(&str, f32)> {
    let entries = listed.split_whitespace();
    entries
        .filter_map(|entry| {
            let (phone, end) = entry.rsplit_once(':')?;
            Some((phone, end.parse().ok()?))
        })
        .collect()
}

/// Whether a sound of flite's English carries a syllable.
fn is_vowel(phone: &str) -> bool {
    const VOWELS: [&str; 16] = [
        "aa", "ae", "ah", "ao", "aw", "ax", "axr", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy",
        "uh",
    ];
    phone == "uw" || VOWELS.contains(&phone)
}

/// Groups sounds around their vowels. Of the consonants between two vowels the last one belongs to
/// the second, or the last two of three and more; pauses belong to nobody.
fn syllables_of(phones: &[(&str, f32)]) -> Vec<Syllable> {
    let start_of = |index: usize| match index {
        0 => 0.0,
        _ => phones[index - 1].1,
    };
    let mut syllables: Vec<Syllable> = Vec::new();
    // Where the last syllable's own sounds end.
    let mut taken = 0;
    for (index, (phone, end_s)) in phones.iter().enumerate() {
        if !is_vowel(phone) {
            continue;
        }
        let between = (taken..index)
            .rev()
            .take_while(|index| phones[*index].0 != "pau" && !is_vowel(phones[*index].0))
            .count();
        let from = index - between;
        let coda_to = phones[index + 1..]
            .iter()
            .take_while(|(phone, _)| *phone != "pau" && !is_vowel(phone))
            .count();
        // The next syllable takes its onset from these.
        let ends_phrase = phones
            .get(index + 1 + coda_to)
            .is_none_or(|(phone, _)| *phone == "pau");
        let given = match (ends_phrase, coda_to) {
            (true, _) | (_, 0) => 0,
            (false, 1 | 2) => 1,
            (false, _) => 2,
        };
        let kept = coda_to - given;
        syllables.push(Syllable {
            onset: Span {
                from_s: start_of(from),
                to_s: start_of(index),
            },
            nucleus: Span {
                from_s: start_of(index),
                to_s: *end_s,
            },
            coda: Span {
                from_s: *end_s,
                to_s: phones[index + kept].1,
            },
        });
        taken = index + kept + 1;
    }
    syllables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from_s: f32, to_s: f32) -> Span {
        Span { from_s, to_s }
    }

    /// Words cut at the wrong places would be sung with swallowed or doubled consonants.
    #[test]
    fn consonants_go_to_the_vowel_they_lead_to() {
        // "morning light": m ao r n ih ng l ay t
        let listed = "pau:0.2 m:0.3 ao:0.4 r:0.5 n:0.6 ih:0.7 ng:0.8 l:0.9 ay:1.0 t:1.1 pau:1.3";
        let found = syllables_of(&phones(listed));
        assert_eq!(
            found,
            [
                Syllable {
                    onset: span(0.2, 0.3),
                    nucleus: span(0.3, 0.4),
                    coda: span(0.4, 0.5)
                },
                Syllable {
                    onset: span(0.5, 0.6),
                    nucleus: span(0.6, 0.7),
                    coda: span(0.7, 0.8)
                },
                Syllable {
                    onset: span(0.8, 0.9),
                    nucleus: span(0.9, 1.0),
                    coda: span(1.0, 1.1)
                },
            ]
        );
    }

    #[test]
    fn what_is_no_list_of_sounds_has_no_syllables() {
        assert!(syllables_of(&phones("usage: flite [options]")).is_empty());
        assert!(syllables_of(&phones("")).is_empty());
    }

    /// Every sound between the pauses belongs to exactly one syllable, in order.
    #[test]
    fn syllables_follow_each_other() {
        let listed = "pau:0.1 s:0.2 t:0.3 r:0.4 eh:0.5 ng:0.6 k:0.7 th:0.8 s:0.9 uw:1.0 iy:1.1 \
                      k:1.2 ax:1.3 pau:1.4 w:1.5 ah:1.6 n:1.7 pau:2.0";
        let found = syllables_of(&phones(listed));
        assert_eq!(found.len(), 5);
        for pair in found.windows(2) {
            assert!(pair[0].coda.to_s <= pair[1].onset.from_s, "{pair:?}");
        }
        assert_eq!(found[4].coda, span(1.6, 1.7));
    }
}
