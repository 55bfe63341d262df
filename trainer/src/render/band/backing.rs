//! The `other` stem: chords, arpeggios, riffs and instrumental tunes.

use super::{Session, layers, programs, sequencer};
use crate::render::{
    compose::{Accompaniment, Genre, Note, Stem, TuneStyle, accompany, likely_accompaniment, tune},
    dice::Dice,
    instruments::{
        Stereo, silence, soundfont, sweep,
        synth::{Patch, Role},
    },
    mix::{desk::Channel, effects},
};

/// The `other` stem and its instruments.
pub(super) fn other(session: &mut Session<'_>) -> anyhow::Result<(Stereo, Vec<String>)> {
    let layer = layers::recorded(session, Stem::Other)?;
    if layers::replaces(layer.as_ref()) {
        return Ok(layers::finish(
            session,
            Stem::Other,
            Vec::new(),
            Vec::new(),
            layer,
        ));
    }
    let mut dice = session.dice("other");
    let parts = 1 + dice.weighted(&[1.0, 2.5, 2.5, 1.0]);
    let mut channels = Vec::new();
    let mut names = Vec::new();
    for part in 0..parts {
        let mut dice = session.dice(&format!("other {part}"));
        let style = likely_accompaniment(&mut dice, session.form.genre);
        let centre = match style {
            Accompaniment::Riff => dice.whole(48, 60),
            Accompaniment::Pad => dice.whole(55, 68),
            _ => dice.whole(54, 72),
        };
        // The first part carries the stem; the others come and go.
        let present: Vec<bool> = session
            .form
            .sections
            .iter()
            .map(|section| part == 0 || dice.chance(0.35 + 0.5 * section.energy))
            .collect();
        let notes = accompany(&mut dice, session.form, style, centre, &present);
        let role = match style {
            Accompaniment::Pad => Role::Pad,
            Accompaniment::Riff => Role::Lead,
            _ => Role::Keys,
        };
        let level_db = part as f32 * -1.2;
        let doubled = matches!(style, Accompaniment::Strumming | Accompaniment::Riff);
        if doubled && dice.chance(0.45) {
            // Played twice, left and right, as most rhythm guitars are.
            let sides = double(session, &mut dice, &notes, style, role)?;
            for (mut channel, name) in sides {
                channel.level_db += level_db;
                names.push(format!("{name}: {style:?}, doubled").to_lowercase());
                channels.push(channel);
            }
            continue;
        }
        let (audio, name) = play(session, &mut dice, &notes, programs::for_style(style), role)?;
        names.push(format!("{name}: {style:?}").to_lowercase());
        let mut channel = place(&mut dice, audio, role);
        channel.level_db += level_db;
        channels.push(channel);
    }
    if let Some((channel, name)) = lead(session)? {
        names.push(name);
        channels.push(channel);
    }
    if let Some((channel, name)) = sequencer::line(session) {
        names.push(name);
        channels.push(channel);
    }
    if let Some(channel) = risers(session) {
        names.push("noise risers".to_owned());
        channels.push(channel);
    }
    let (mut stem, names) = layers::finish(session, Stem::Other, channels, names, layer);
    // Room for the bass: most mixes cut the lows of everything else.
    if dice.chance(0.7) {
        effects::low_cut(&mut stem, dice.between(40.0, 130.0));
    }
    Ok((stem, names))
}

/// Two takes of one part, hard left and hard right.
fn double(
    session: &mut Session<'_>,
    dice: &mut Dice,
    notes: &[Note],
    style: Accompaniment,
    role: Role,
) -> anyhow::Result<[(Channel, String); 2]> {
    let mut take = |pan: f32| -> anyhow::Result<(Channel, String)> {
        let notes: Vec<Note> = notes
            .iter()
            .map(|note| Note {
                start_s: (note.start_s + f64::from(dice.bell(0.009))).max(0.0),
                velocity: (note.velocity * (1.0 + dice.bell(0.08))).clamp(0.1, 1.0),
                ..note.clone()
            })
            .collect();
        let (audio, name) = play(session, dice, &notes, programs::for_style(style), role)?;
        let mut channel = place(dice, audio, role);
        channel.pan = pan;
        Ok((channel, name))
    };
    Ok([take(-0.85)?, take(0.85)?])
}

/// Noise that rises into the louder sections, and falls after their first beat.
fn risers(session: &mut Session<'_>) -> Option<Channel> {
    let mut dice = session.dice("risers");
    let odds = match session.form.genre {
        Genre::House | Genre::Trap | Genre::Breaks => 0.5,
        Genre::Pop => 0.25,
        _ => 0.03,
    };
    if !dice.chance(odds) {
        return None;
    }
    let mut audio = silence(session.frames);
    for pair in session.form.sections.windows(2) {
        let (before, section) = (&pair[0], &pair[1]);
        let plays = before.has(Stem::Other) && section.has(Stem::Other);
        if section.kind != "chorus" || !plays {
            continue;
        }
        let arrival = session.form.seconds_at(section.start);
        let bars = dice.whole(1, 2).min(before.bars as i32);
        let rise_s = session.form.bar_s() * f64::from(bars);
        sweep::rise(&mut dice, &mut audio, arrival - rise_s, arrival);
        if dice.chance(0.6) {
            sweep::fall(&mut dice, &mut audio, arrival);
        }
    }
    session.credit_own();
    Some(Channel {
        audio,
        level_db: -22.0 + dice.bell(3.0),
        pan: 0.0,
        width: 1.0,
        room_db: dice.between(-20.0, -6.0),
    })
}

/// A tune: the solo's, and sometimes lines between the singer's.
fn lead(session: &mut Session<'_>) -> anyhow::Result<Option<(Channel, String)>> {
    let mut dice = session.dice("lead");
    let everywhere = dice.chance(0.3);
    let low = dice.whole(55, 70);
    let style = TuneStyle {
        low,
        high: low + dice.whole(12, 20),
        density: dice.between(0.7, 2.6),
        slur_odds: 0.0,
        rest_odds: if everywhere { 0.4 } else { 0.1 },
    };
    let notes = tune(&mut dice, session.form, style, |section| {
        section.plays[2] && (section.kind == "solo" || (everywhere && section.energy > 0.4))
    });
    if notes.is_empty() {
        return Ok(None);
    }
    let (audio, name) = play(session, &mut dice, &notes, programs::LEADS, Role::Lead)?;
    let mut channel = place(&mut dice, audio, Role::Lead);
    channel.level_db += 2.0;
    channel.pan *= 0.5;
    Ok(Some((channel, format!("{name}: lead"))))
}

fn play(
    session: &mut Session<'_>,
    dice: &mut Dice,
    notes: &[Note],
    programs: &[i32],
    role: Role,
) -> anyhow::Result<(Stereo, String)> {
    let sources = session.sources;
    if role != Role::Pad && dice.chance(0.3) && !sources.recordings.guitars.is_empty() {
        let pack = dice.pick(&sources.recordings.guitars);
        let mut audio = pack.get()?.play(dice, notes, session.frames);
        // Straight from the pickups: most guitars go through an amplifier.
        if dice.chance(0.7) {
            effects::saturate(&mut audio, dice.between(0.5, 9.0));
            effects::high_cut(&mut audio, dice.between(3_500.0, 8_000.0));
        }
        session.credit(pack.credit());
        return Ok((audio, format!("recorded {}", pack.name())));
    }
    let font = sources.font.as_ref().filter(|_| !dice.chance(0.3));
    if let Some(font) = font {
        let program = *dice.pick(programs);
        let audio = soundfont::play_notes(&font.font, program, notes, session.frames)?;
        session.credit_font();
        return Ok((audio, programs::name(program).to_owned()));
    }
    let patch = Patch::draw(dice, role);
    session.credit_own();
    Ok((
        patch.play(dice, notes, session.frames),
        patch.name().to_owned(),
    ))
}

fn place(dice: &mut Dice, mut audio: Stereo, role: Role) -> Channel {
    effects::tilt(&mut audio, 900.0, dice.bell(2.0));
    if role == Role::Lead && dice.chance(0.25) {
        effects::saturate(&mut audio, dice.between(1.0, 6.0));
        effects::high_cut(&mut audio, dice.between(4_000.0, 9_000.0));
    }
    if dice.chance(0.25) {
        let (rate_hz, depth_ms) = (dice.between(0.2, 1.2), dice.between(0.5, 3.0));
        effects::chorus(&mut audio, rate_hz, depth_ms, dice.between(0.3, 0.9));
    }
    if dice.chance(0.2) {
        effects::echo(
            &mut audio,
            dice.between(0.15, 0.5),
            dice.between(0.1, 0.45),
            dice.between(0.2, 0.6),
        );
    }
    Channel {
        audio,
        level_db: -18.0 + dice.bell(2.0),
        pan: if role == Role::Pad {
            dice.bell(0.15)
        } else {
            dice.bell(0.45)
        },
        width: dice.between(0.5, 1.6),
        room_db: if dice.chance(0.8) {
            dice.between(-24.0, -8.0)
        } else {
            -90.0
        },
    }
}
