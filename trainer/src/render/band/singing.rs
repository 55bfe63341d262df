//! The `vocals` stem: a lead singer, takes that double it, harmonies, backing voices.

use super::{Session, layers, voice_chain, voice_pieces};
use crate::render::{
    compose::{Form, Genre, Note, Stem, TuneStyle, tune},
    dice::Dice,
    instruments::{
        Stereo, soundfont,
        voice::{Singer, VoiceType, speaker::Speaker},
    },
    mix::desk::Channel,
};

/// How the words of a song come about.
struct Words {
    /// A speaker's, or else syllables of chance in a synthesized throat.
    speaker: Option<Speaker>,
    /// For `song.json`.
    name: String,
}

impl Words {
    /// Words for a song.
    fn draw(session: &mut Session<'_>, voice: VoiceType) -> anyhow::Result<Self> {
        let mut dice = session.dice("speech");
        let flite = session.sources.speech.as_ref();
        let Some(flite) = flite.filter(|_| dice.chance(0.6)) else {
            session.credit_own();
            return Ok(Self {
                speaker: None,
                name: format!("synthesized {}", voice.name()),
            });
        };
        let high = matches!(voice, VoiceType::Soprano | VoiceType::Alto);
        let speaker = flite.choose(&mut dice, high);
        // A verse and a chorus; then the words come again.
        let speech = flite.speak(&mut dice, speaker, 40)?;
        session.credit(format!(
            "speech synthesizer flite, voice {speaker}: Carnegie Mellon University's licence \
             (free for any use, with credit)"
        ));
        Ok(Self {
            speaker: Some(Speaker::new(&speech)),
            name: format!("speaker {speaker} singing as {}", voice.name()),
        })
    }

    /// Has a singer sing them; `purpose` names the text where it is of chance.
    fn sing(
        &self,
        session: &Session<'_>,
        singer: &Singer,
        dice: &mut Dice,
        purpose: &str,
        notes: &[Note],
    ) -> Stereo {
        match &self.speaker {
            Some(speaker) => speaker.sing(singer, dice, notes, session.frames),
            None => singer.sing(dice, &mut session.dice(purpose), notes, session.frames),
        }
    }
}

/// The vocals stem and its voices.
pub(super) fn vocals(session: &mut Session<'_>) -> anyhow::Result<(Stereo, Vec<String>)> {
    let layer = layers::recorded(session, Stem::Vocals)?;
    if layers::replaces(layer.as_ref()) {
        return Ok(layers::finish(
            session,
            Stem::Vocals,
            Vec::new(),
            Vec::new(),
            layer,
        ));
    }
    let mut dice = session.dice("vocals");
    let voice = VoiceType::ALL[dice.weighted(&[2.0, 3.0, 3.0, 1.5])];
    let (low, high) = voice.range();
    let rapping = match session.form.genre {
        Genre::HipHop | Genre::Trap => 0.4,
        _ => 0.05,
    };
    let style = if dice.chance(rapping) {
        let low = low + dice.whole(0, 4);
        TuneStyle {
            low,
            high: low + 5,
            density: dice.between(2.2, 3.2),
            slur_odds: 0.02,
            rest_odds: 0.1,
        }
    } else {
        let density = match session.form.genre {
            Genre::Ballad => dice.between(0.6, 1.3),
            _ => dice.between(0.9, 2.2),
        };
        TuneStyle {
            low,
            high,
            density,
            slur_odds: dice.between(0.05, 0.3),
            rest_odds: dice.between(0.02, 0.2),
        }
    };
    let notes = tune(&mut dice, session.form, style, |section| {
        section.has(Stem::Vocals)
    });
    let mut singer = Singer::draw(&mut dice, voice);
    if dice.chance(0.25) {
        singer = singer.tuned();
    }
    let words = Words::draw(session, voice)?;
    let mut names = vec![words.name.clone()];
    let lead = words.sing(
        session,
        &singer,
        &mut session.dice("take 0"),
        "words",
        &notes,
    );
    let mut chain = session.dice("voice chain");
    let mut lead = voice_chain::strip(&mut chain, lead);
    names.extend(
        voice_chain::electronic(session, &mut chain, &mut lead).map(|how| format!("{how} lead")),
    );
    let pieces = voice_pieces::instrumental(session, &mut lead);
    names.extend(pieces.iter().map(|how| format!("{how} lead")));
    voice_chain::space(session, &mut chain, &mut lead);
    let mut channels = vec![Channel {
        audio: lead,
        level_db: -18.0,
        pan: dice.bell(0.06),
        width: 1.0,
        room_db: dice.between(-22.0, -6.0),
    }];
    let choruses = chorus_only(session.form, &notes);
    let doubles = dice.weighted(&[1.4, 0.8, 1.4]);
    for take in 0..doubles {
        let pan = if doubles == 1 { 0.0 } else { [-0.7, 0.7][take] };
        let mut own = session.dice(&format!("take {}", take + 1));
        let singer = singer.clone().again(&mut own);
        let audio = words.sing(session, &singer, &mut own, "words", &notes);
        let level_db = own.between(-26.0, -20.0);
        channels.push(backing_channel(&mut own, audio, level_db, pan));
    }
    if dice.chance(0.5) {
        for (index, shift) in [[3, -5], [4, 8], [-3, 4]][dice.index(3)]
            .into_iter()
            .enumerate()
        {
            let mut own = session.dice(&format!("harmony {index}"));
            let notes = harmonise(session.form, &choruses, shift);
            let singer = if own.chance(0.5) {
                singer.clone()
            } else {
                Singer::draw(&mut own, voice)
            };
            let audio = words.sing(session, &singer, &mut own, "harmony words", &notes);
            let pan = [-0.6, 0.6][index % 2];
            channels.push(backing_channel(&mut own, audio, -23.5, pan));
        }
        names.push("harmony voices".to_owned());
    }
    if dice.chance(0.3) {
        let (channel, name) = oohs(session, voice)?;
        channels.push(channel);
        names.push(name);
    }
    Ok(layers::finish(
        session,
        Stem::Vocals,
        channels,
        names,
        layer,
    ))
}

/// Held chords of voices, in the sections that have singing.
fn oohs(session: &mut Session<'_>, voice: VoiceType) -> anyhow::Result<(Channel, String)> {
    let mut dice = session.dice("oohs");
    let mut lines: [Vec<Note>; 3] = Default::default();
    for section in &session.form.sections {
        if !section.has(Stem::Vocals) || !(section.energy > 0.7 || dice.chance(0.3)) {
            continue;
        }
        let ends = section.chords.iter().skip(1).map(|next| next.0);
        let ends = ends.chain([(section.bars * session.form.beats_per_bar) as f64]);
        for ((beat, chord), end) in section.chords.iter().zip(ends) {
            let (low, high) = voice.range();
            for (line, key) in lines.iter_mut().zip(chord.voicing((low + high) / 2)) {
                let start_s = session.form.seconds_at(section.start + beat);
                let length_s = session.form.seconds_at(section.start + end) - start_s;
                line.push(Note {
                    start_s,
                    length_s,
                    key,
                    velocity: 0.6,
                    slurred: false,
                });
            }
        }
    }
    let font = session.sources.font.as_ref().filter(|_| dice.chance(0.4));
    let (audio, name) = if let Some(font) = font {
        let program = *dice.pick(&[52, 53]);
        let notes: Vec<Note> = lines.concat();
        let audio = soundfont::play_notes(&font.font, program, &notes, session.frames)?;
        session.credit_font();
        (audio, "soundfont choir".to_owned())
    } else {
        let mut sum: Option<Stereo> = None;
        for line in &lines {
            let singer = Singer::draw(&mut dice, voice).humming(&mut dice);
            let audio = singer.sing(
                &mut dice,
                &mut session.dice("ooh words"),
                line,
                session.frames,
            );
            sum = Some(match sum {
                None => audio,
                Some(mut sum) => {
                    for side in 0..2 {
                        sum[side]
                            .iter_mut()
                            .zip(&audio[side])
                            .for_each(|(sum, more)| *sum += more);
                    }
                    sum
                }
            });
        }
        (sum.unwrap_or_default(), "backing voices".to_owned())
    };
    Ok((backing_channel(&mut dice, audio, -25.0, 0.0), name))
}

fn backing_channel(dice: &mut Dice, audio: Stereo, level_db: f32, pan: f32) -> Channel {
    Channel {
        audio: voice_chain::strip(dice, audio),
        level_db: level_db + dice.bell(2.0),
        pan,
        width: 1.0,
        room_db: dice.between(-18.0, -6.0),
    }
}

/// The notes that lie in choruses.
fn chorus_only(form: &Form, notes: &[Note]) -> Vec<Note> {
    let spans: Vec<(f64, f64)> = form
        .sections
        .iter()
        .filter(|section| section.kind == "chorus")
        .map(|section| {
            let end = section.start + (section.bars * form.beats_per_bar) as f64;
            (form.seconds_at(section.start), form.seconds_at(end))
        })
        .collect();
    let inside = |note: &&Note| {
        spans
            .iter()
            .any(|(from, to)| (*from..*to).contains(&note.start_s))
    };
    notes.iter().filter(inside).cloned().collect()
}

/// A second voice, about `shift` semitones away within the scale.
fn harmonise(form: &Form, notes: &[Note], shift: i32) -> Vec<Note> {
    notes
        .iter()
        .map(|note| Note {
            key: form.mode.nearest(form.tonic, note.key + shift),
            ..note.clone()
        })
        .collect()
}
