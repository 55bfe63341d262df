//! Drums and bass.

use super::{Session, layers, programs};
use crate::render::{
    compose::{Genre, Hit, Note, Piece, Stem, bass_line, drum_part},
    dice::Dice,
    instruments::{
        Stereo, drum_synth, soundfont,
        synth::{Patch, Role},
    },
    mix::{desk::Channel, effects},
};

/// The drums stem and its instruments.
pub(super) fn drums(session: &mut Session<'_>) -> anyhow::Result<(Stereo, Vec<String>)> {
    let layer = layers::recorded(session, Stem::Drums)?;
    if layers::replaces(layer.as_ref()) {
        return Ok(layers::finish(
            session,
            Stem::Drums,
            Vec::new(),
            Vec::new(),
            layer,
        ));
    }
    let mut dice = session.dice("drums");
    let hits = drum_part(&mut dice, session.form);
    let kicks = hits.iter().filter(|hit| hit.piece == Piece::Kick);
    session.kicks = kicks.map(|hit| hit.start_s).collect();
    let electronic = match session.form.genre {
        Genre::House | Genre::Trap => 0.75,
        Genre::HipHop | Genre::Breaks => 0.5,
        Genre::Pop => 0.35,
        _ => 0.08,
    };
    let mut sound = session.dice("drum kit");
    let (mut audio, name) = strike(session, &mut sound, &hits, electronic)?;
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
        width: sound.between(0.6, 1.5),
        room_db: sound.between(-24.0, -7.0),
    };
    Ok(layers::finish(
        session,
        Stem::Drums,
        vec![channel],
        vec![name],
        layer,
    ))
}

/// The bass stem and its instruments.
pub(super) fn bass(session: &mut Session<'_>) -> anyhow::Result<(Stereo, Vec<String>)> {
    let layer = layers::recorded(session, Stem::Bass)?;
    if layers::replaces(layer.as_ref()) {
        return Ok(layers::finish(
            session,
            Stem::Bass,
            Vec::new(),
            Vec::new(),
            layer,
        ));
    }
    let mut dice = session.dice("bass");
    let notes = bass_line(&mut dice, session.form);
    let mut sound = session.dice("bass sound");
    let synthetic = match session.form.genre {
        Genre::House | Genre::Trap | Genre::Breaks => 0.7,
        Genre::HipHop | Genre::Pop => 0.4,
        _ => 0.15,
    };
    let (mut audio, name) = pluck(session, &mut sound, &notes, synthetic)?;
    effects::tilt(&mut audio, 300.0, sound.bell(1.8));
    if sound.chance(0.6) {
        effects::high_cut(&mut audio, sound.between(1_200.0, 7_000.0));
    }
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
    Ok(layers::finish(
        session,
        Stem::Bass,
        vec![channel],
        vec![name],
        layer,
    ))
}

/// Plays the hits on a kit: recorded, from the soundfont, or synthesized.
fn strike(
    session: &mut Session<'_>,
    dice: &mut Dice,
    hits: &[Hit],
    electronic: f32,
) -> anyhow::Result<(Stereo, String)> {
    let sources = session.sources;
    let recordings = &sources.recordings;
    let synthetic = dice.chance(electronic);
    let (recorded, loose) = (dice.chance(0.55), dice.chance(0.35));
    if !synthetic && recorded && !recordings.kits.is_empty() {
        let pack = dice.pick(&recordings.kits);
        let audio = pack.get()?.play(dice, hits, session.frames);
        session.credit(pack.credit());
        return Ok((audio, format!("recorded kit {}", pack.name())));
    }
    if loose && !recordings.strokes.is_empty() {
        let pack = dice.pick(&recordings.strokes);
        let kit = pack.get()?.choose(dice);
        let audio = kit.play(dice, hits, session.frames);
        session.credit(pack.credit());
        return Ok((audio, format!("recorded strokes {}", pack.name())));
    }
    match sources
        .font
        .as_ref()
        .filter(|font| !synthetic && !font.kits.is_empty())
    {
        Some(font) => {
            let kit = *dice.pick(&font.kits);
            let audio = soundfont::play_hits(&font.font, kit, hits, session.frames)?;
            session.credit_font();
            Ok((audio, format!("soundfont drum kit {kit}")))
        }
        None => {
            let kit = drum_synth::draw_kit(dice);
            session.credit_own();
            Ok((
                kit.play(dice, hits, session.frames),
                "synthesized drum kit".to_owned(),
            ))
        }
    }
}

/// Plays the bass line on an instrument: recorded, from the soundfont, or a synthesizer.
fn pluck(
    session: &mut Session<'_>,
    dice: &mut Dice,
    notes: &[Note],
    synthetic: f32,
) -> anyhow::Result<(Stereo, String)> {
    let sources = session.sources;
    let recordings = &sources.recordings;
    let synthetic = dice.chance(synthetic);
    if !synthetic && dice.chance(0.6) && !recordings.basses.is_empty() {
        let pack = dice.pick(&recordings.basses);
        let audio = pack.get()?.play(dice, notes, session.frames);
        session.credit(pack.credit());
        return Ok((audio, format!("recorded {}", pack.name())));
    }
    match sources.font.as_ref().filter(|_| !synthetic) {
        Some(font) => {
            let program = match session.form.genre {
                Genre::Jazz => *dice.pick(&[32, 32, 33, 35]),
                Genre::Rock | Genre::Metal => *dice.pick(&[33, 34, 34]),
                _ => *dice.pick(&programs::BASSES),
            };
            let audio = soundfont::play_notes(&font.font, program, notes, session.frames)?;
            session.credit_font();
            Ok((audio, programs::name(program).to_owned()))
        }
        None => {
            let sub_odds = match session.form.genre {
                Genre::Trap => 0.75,
                Genre::HipHop => 0.5,
                Genre::House | Genre::Pop | Genre::Breaks => 0.2,
                _ => 0.05,
            };
            let patch = if dice.chance(sub_odds) {
                Patch::draw_sub(dice)
            } else {
                Patch::draw(dice, Role::Bass)
            };
            session.credit_own();
            Ok((
                patch.play(dice, notes, session.frames),
                patch.name().to_owned(),
            ))
        }
    }
}
