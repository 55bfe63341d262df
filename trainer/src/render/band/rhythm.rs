//! Drums and bass.

use super::{Session, programs};
use crate::render::{
    compose::{Genre, bass_line, drum_part},
    instruments::{
        Stereo, drum_synth, soundfont,
        synth::{Patch, Role},
    },
    mix::{
        desk::{self, Channel},
        effects,
    },
};

/// The drums stem and its instruments.
pub(super) fn drums(session: &mut Session<'_>) -> anyhow::Result<(Stereo, Vec<String>)> {
    let mut dice = session.dice("drums");
    let hits = drum_part(&mut dice, session.form);
    let electronic = match session.form.genre {
        Genre::House | Genre::Trap => 0.75,
        Genre::HipHop | Genre::Breaks => 0.5,
        Genre::Pop => 0.35,
        _ => 0.08,
    };
    let mut sound = session.dice("drum kit");
    let font = session
        .sources
        .font
        .as_ref()
        .filter(|_| !sound.chance(electronic));
    let (mut audio, name) = match font {
        Some(font) if !font.kits.is_empty() => {
            let kit = *sound.pick(&font.kits);
            let audio = soundfont::play_hits(&font.font, kit, &hits, session.frames)?;
            session.credit_font();
            (audio, format!("soundfont drum kit {kit}"))
        }
        _ => {
            let kit = drum_synth::draw_kit(&mut sound);
            session.credit_own();
            (
                kit.play(&mut sound, &hits, session.frames),
                "synthesized drum kit".to_owned(),
            )
        }
    };
    effects::tilt(&mut audio, 900.0, sound.bell(2.0));
    if sound.chance(0.6) {
        effects::compress(
            &mut audio,
            sound.between(-22.0, -8.0),
            sound.between(2.0, 6.0),
            0.12,
        );
    }
    if sound.chance(0.35) {
        effects::saturate(&mut audio, sound.between(0.8, 2.5));
    }
    let channel = Channel {
        audio,
        level_db: -18.0,
        pan: sound.bell(0.04),
        width: sound.between(0.4, 1.0),
        room_db: sound.between(-26.0, -8.0),
    };
    Ok((
        desk::mix(vec![channel], &session.room, session.frames),
        vec![name],
    ))
}

/// The bass stem and its instruments.
pub(super) fn bass(session: &mut Session<'_>) -> anyhow::Result<(Stereo, Vec<String>)> {
    let mut dice = session.dice("bass");
    let notes = bass_line(&mut dice, session.form);
    let mut sound = session.dice("bass sound");
    let synthetic = match session.form.genre {
        Genre::House | Genre::Trap | Genre::Breaks => 0.7,
        Genre::HipHop | Genre::Pop => 0.4,
        _ => 0.15,
    };
    let font = session
        .sources
        .font
        .as_ref()
        .filter(|_| !sound.chance(synthetic));
    let (mut audio, name) = match font {
        Some(font) => {
            let program = match session.form.genre {
                Genre::Jazz => *sound.pick(&[32, 32, 33, 35]),
                Genre::Rock | Genre::Metal => *sound.pick(&[33, 34, 34]),
                _ => *sound.pick(&programs::BASSES),
            };
            let audio = soundfont::play_notes(&font.font, program, &notes, session.frames)?;
            session.credit_font();
            (audio, programs::name(program).to_owned())
        }
        None => {
            let patch = Patch::draw(&mut sound, Role::Bass);
            session.credit_own();
            (
                patch.play(&mut sound, &notes, session.frames),
                patch.name().to_owned(),
            )
        }
    };
    effects::tilt(&mut audio, 300.0, sound.bell(1.8));
    if sound.chance(0.6) {
        effects::compress(
            &mut audio,
            sound.between(-20.0, -8.0),
            sound.between(2.0, 5.0),
            0.15,
        );
    }
    if sound.chance(0.3) {
        effects::saturate(&mut audio, sound.between(0.8, 4.0));
    }
    let channel = Channel {
        audio,
        level_db: -18.0,
        pan: sound.bell(0.03),
        width: if sound.chance(0.15) { 0.6 } else { 0.1 },
        room_db: if sound.chance(0.3) {
            sound.between(-30.0, -18.0)
        } else {
            -90.0
        },
    };
    Ok((
        desk::mix(vec![channel], &session.room, session.frames),
        vec![name],
    ))
}
