//! What happens to a voice between the microphone and the mix: the usual channel strip, and the
//! processing that turns singing into something like a synthesizer.

use super::{Session, voice_pieces};
use crate::render::{
    dice::Dice,
    instruments::{RATE, Stereo, frame_at, gain, vocoder},
    mix::{effects, reverb::Room},
};

/// Microphone and channel strip.
pub(super) fn strip(dice: &mut Dice, mut audio: Stereo) -> Stereo {
    effects::low_cut(&mut audio, dice.between(60.0, 140.0));
    // Presence: released vocals have much more above 1 kHz than a throat gives by itself.
    effects::tilt(&mut audio, 1_300.0, 3.0 + dice.bell(1.8));
    effects::tilt(&mut audio, 5_000.0, 1.8 + dice.bell(1.2));
    if dice.chance(0.8) {
        effects::compress(
            &mut audio,
            dice.between(-24.0, -8.0),
            dice.between(2.0, 8.0),
            0.1,
        );
    }
    if dice.chance(0.2) {
        effects::saturate(&mut audio, dice.between(0.8, 3.0));
    }
    audio
}

/// Delays and width, in a part of the songs.
pub(super) fn space(session: &Session<'_>, dice: &mut Dice, audio: &mut Stereo) {
    if dice.chance(0.45) {
        effects::widen(audio, dice.between(5.0, 18.0), dice.between(0.25, 0.8));
    }
    let beat_s = 60.0 / session.form.tempo_bpm as f32;
    match dice.weighted(&[5.0, 1.5, 1.5, 1.0]) {
        0 => {}
        1 => {
            let (time_s, feedback) = (dice.between(0.09, 0.3), dice.between(0.05, 0.35));
            effects::echo(audio, time_s, feedback, dice.between(0.15, 0.5));
        }
        2 => {
            let time_s = beat_s * *dice.pick(&[0.5, 0.75, 0.25]);
            effects::ping_pong(
                audio,
                time_s,
                dice.between(0.2, 0.6),
                dice.between(0.2, 0.6),
            );
        }
        _ => throw(dice, audio, beat_s),
    }
    apart(session, audio);
}

/// Two voices far apart with nobody in the middle, and rooms larger than the song's: what keeps a
/// model from taking the middle of the picture, or dryness, for the mark of a voice.
fn apart(session: &Session<'_>, audio: &mut Stereo) {
    let mut dice = session.dice("voice apart");
    if dice.chance(0.3) {
        effects::double_track(audio, dice.between(0.012, 0.035), dice.between(0.1, 0.6));
    }
    if dice.chance(0.2) {
        let decay_s = dice.between(1.5, 5.0);
        let room = Room::draw(&mut dice, decay_s);
        let level = gain(dice.between(-10.0, 3.0));
        let wet = room.answer(audio);
        for (dry, wet) in std::iter::zip(audio.iter_mut().flatten(), wet.iter().flatten()) {
            *dry += wet * level;
        }
    }
}

/// Delay throws: only the ends of phrases echo.
fn throw(dice: &mut Dice, audio: &mut Stereo, beat_s: f32) {
    let hold = (0.6 * RATE) as usize;
    let floor = effects::peak(audio) * 0.02;
    let frames = audio[0].len();
    let mut sent = [vec![0.0; frames], vec![0.0; frames]];
    let mut last_sound = None;
    for frame in 0..frames {
        let sounds = audio.iter().any(|side| side[frame].abs() > floor);
        if sounds {
            last_sound = Some(frame);
        }
        // A pause has lasted for half a second: what came before it is thrown.
        let ended = last_sound.filter(|last| frame - last == (0.5 * RATE) as usize);
        if let Some(last) = ended.filter(|_| dice.chance(0.7)) {
            let from = last.saturating_sub(hold);
            for side in 0..2 {
                for place in from..=last {
                    let rise = ((place - from) as f32 / 2_000.0).min(1.0);
                    sent[side][place] = audio[side][place] * rise;
                }
            }
        }
    }
    let dry = sent.clone();
    effects::ping_pong(
        &mut sent,
        beat_s * *dice.pick(&[0.5, 0.75, 1.0]),
        dice.between(0.3, 0.6),
        dice.between(0.4, 0.9),
    );
    for side in 0..2 {
        for (frame, sample) in audio[side].iter_mut().enumerate() {
            *sample += sent[side][frame] - dry[side][frame];
        }
    }
}

/// Processing that one hears as such; gives its name, or none for the songs that have none.
pub(super) fn electronic(
    session: &Session<'_>,
    dice: &mut Dice,
    audio: &mut Stereo,
) -> Option<&'static str> {
    match dice.weighted(&[6.0, 1.4, 1.4, 0.7, 0.7, 0.6]) {
        0 => None,
        1 => {
            let chords = session.form.sections.iter().flat_map(|section| {
                section.chords.iter().map(move |(beat, chord)| {
                    let start_s = session.form.seconds_at(section.start + beat);
                    (frame_at(start_s), chord.voicing(57))
                })
            });
            let wet = vocoder::vocode(dice, audio, &chords.collect::<Vec<_>>());
            let dry = if dice.chance(0.4) {
                dice.between(0.1, 0.5)
            } else {
                0.0
            };
            for side in 0..2 {
                for (sample, wet) in audio[side].iter_mut().zip(&wet[side]) {
                    *sample = *sample * dry + wet;
                }
            }
            Some("vocoder")
        }
        2 => {
            voice_pieces::chop(session, dice, audio);
            Some("chopped")
        }
        3 => {
            effects::saturate(audio, dice.between(4.0, 14.0));
            effects::low_cut(audio, dice.between(150.0, 400.0));
            effects::high_cut(audio, dice.between(4_000.0, 11_000.0));
            Some("distorted")
        }
        4 => {
            effects::low_cut(audio, dice.between(300.0, 600.0));
            effects::low_cut(audio, 300.0);
            effects::high_cut(audio, dice.between(2_500.0, 4_000.0));
            effects::saturate(audio, dice.between(1.0, 4.0));
            Some("telephone")
        }
        _ => {
            effects::crush(
                audio,
                dice.whole(2, 7) as usize,
                dice.between(8.0, 60.0).round(),
            );
            effects::high_cut(audio, dice.between(5_000.0, 14_000.0));
            Some("crushed")
        }
    }
}
