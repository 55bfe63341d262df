//! A sequenced synthesizer beside the other instruments of the `other` stem.

use super::Session;
use crate::render::{
    compose::{Genre, Stem, sequence},
    instruments::mono_synth::MonoSynth,
    mix::{desk::Channel, effects},
};

/// The line and its name, in the songs that have one.
pub(super) fn line(session: &mut Session<'_>) -> Option<(Channel, String)> {
    let mut dice = session.dice("sequencer");
    let odds = match session.form.genre {
        Genre::House | Genre::Breaks | Genre::Trap => 0.7,
        Genre::Pop | Genre::HipHop => 0.5,
        Genre::Funk | Genre::Rock | Genre::Reggae => 0.25,
        _ => 0.08,
    };
    if !dice.chance(odds) {
        return None;
    }
    let present: Vec<bool> = session
        .form
        .sections
        .iter()
        .map(|section| section.has(Stem::Other) && dice.chance(0.5 + 0.5 * section.energy))
        .collect();
    let centre = dice.whole(45, 68);
    let notes = sequence(&mut dice, session.form, centre, &present);
    if notes.is_empty() {
        return None;
    }
    let synth = MonoSynth::draw(&mut dice, session.form.bar_s() as f32);
    let mut audio = synth.play(&notes, session.frames);
    if dice.chance(0.35) {
        let beat_s = 60.0 / session.form.tempo_bpm as f32;
        let time_s = beat_s * *dice.pick(&[0.5, 0.75, 0.25]);
        effects::ping_pong(
            &mut audio,
            time_s,
            dice.between(0.1, 0.5),
            dice.between(0.1, 0.5),
        );
    }
    if dice.chance(0.3) {
        effects::widen(&mut audio, dice.between(4.0, 15.0), dice.between(0.2, 0.7));
    }
    session.credit_own();
    let channel = Channel {
        audio,
        level_db: -17.0 + dice.bell(2.5),
        pan: dice.bell(0.3),
        width: 1.0,
        room_db: dice.between(-30.0, -8.0),
    };
    Some((channel, format!("{}: sequence", synth.name())))
}
