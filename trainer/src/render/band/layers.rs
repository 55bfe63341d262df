//! Recorded stems in place of, or beside, what the band plays.

use super::{Session, voice_chain, voice_pieces};
use crate::render::{
    compose::{Form, Stem},
    dice::Dice,
    instruments::{
        Stereo,
        voice::resynthesis::{self, Throat},
    },
    mix::desk::{self, Channel},
};

/// What recordings do to a stem.
pub(super) struct Layer {
    channel: Channel,
    name: String,
    /// Whether the band is silent beside it.
    replaces: bool,
}

/// Whether the band needs not play at all.
pub(super) fn replaces(layer: Option<&Layer>) -> bool {
    layer.is_some_and(|layer| layer.replaces)
}

/// A recorded layer for a stem, in a part of the songs, if there are recordings of it.
///
/// # Errors
/// If the chosen file cannot be decoded.
pub(super) fn recorded(session: &mut Session<'_>, stem: Stem) -> anyhow::Result<Option<Layer>> {
    let sources = session.sources;
    let clips = sources.recordings.clips(stem);
    let mut dice = session.dice(&format!("recorded {stem:?}"));
    let odds = if stem == Stem::Vocals { 0.45 } else { 0.3 };
    if clips.is_empty() || !dice.chance(odds) {
        return Ok(None);
    }
    let clip = *dice.pick(&clips);
    let spans = spans(session, stem);
    // Faster is also higher: other singers, other drums.
    let speed = if dice.chance(0.8) {
        dice.between(0.84, 1.19)
    } else {
        1.0
    };
    let mut audio = clip.fill(&mut dice, &spans, speed, session.frames)?;
    session.credit(clip.credit());
    let mut name = clip.name();
    if stem == Stem::Vocals {
        // Only one voice at a time can be: what is equal on both sides is taken for one.
        if dice.chance(0.65) && audio[0] == audio[1] {
            audio = retune(session.form, &mut dice, &audio);
            name += ", sung again";
        }
        audio = voice_chain::strip(&mut dice, audio);
        if let Some(how) = voice_chain::electronic(session, &mut dice, &mut audio) {
            name += &format!(", {how}");
        }
        for how in voice_pieces::instrumental(session, &mut audio) {
            name += &format!(", {how}");
        }
        voice_chain::space(session, &mut dice, &mut audio);
    }
    Ok(Some(Layer {
        channel: channel(&mut dice, stem, audio),
        name,
        replaces: dice.chance(0.75),
    }))
}

/// Another singer, who sings the recording in another range and in the song's key.
fn retune(form: &Form, dice: &mut Dice, audio: &Stereo) -> Stereo {
    let voice: Vec<f32> = std::iter::zip(&audio[0], &audio[1])
        .map(|(left, right)| 0.5 * (left + right))
        .collect();
    let shift = dice.whole(-9, 5) as f32;
    // From a little help to the well-known effect.
    let pull = if dice.chance(0.3) {
        1.0
    } else {
        dice.between(0.0, 0.8)
    };
    let bend = |key: f32| {
        let key = key + shift;
        let nearest = form.mode.nearest(form.tonic, key.round() as i32) as f32;
        key + (nearest - key) * pull
    };
    let throat = Throat {
        formants: dice.between(0.82, 1.15),
        breath: dice.between(0.1, 0.6),
        known_below_hz: 20_000.0,
    };
    let seed = dice.whole(1, i32::MAX - 1) as u32;
    let sung = resynthesis::sing_again(&voice, bend, throat, seed);
    [sung.clone(), sung]
}

fn channel(dice: &mut Dice, stem: Stem, audio: Stereo) -> Channel {
    let wet = if stem == Stem::Bass { 0.1 } else { 0.6 };
    Channel {
        audio,
        level_db: -18.0,
        pan: dice.bell(0.05),
        width: 1.0,
        room_db: if dice.chance(wet) {
            dice.between(-24.0, -10.0)
        } else {
            -90.0
        },
    }
}

/// Seconds from and to of the stretches in which a stem plays; neighbours joined.
fn spans(session: &Session<'_>, stem: Stem) -> Vec<(f64, f64)> {
    let form = session.form;
    let mut spans: Vec<(f64, f64)> = Vec::new();
    for section in form.sections.iter().filter(|section| section.has(stem)) {
        let from = form.seconds_at(section.start);
        let to = form.seconds_at(section.start + (section.bars * form.beats_per_bar) as f64);
        match spans.last_mut() {
            Some(last) if from - last.1 < 0.01 => last.1 = to,
            _ => spans.push((from, to)),
        }
    }
    spans
}

/// Mixes a stem from the band's channels and the recorded layer.
pub(super) fn finish(
    session: &Session<'_>,
    stem: Stem,
    mut channels: Vec<Channel>,
    mut names: Vec<String>,
    layer: Option<Layer>,
) -> (Stereo, Vec<String>) {
    if let Some(layer) = layer {
        channels.push(layer.channel);
        names.push(layer.name);
    }
    let room = match stem {
        Stem::Drums | Stem::Bass => &session.room,
        Stem::Other | Stem::Vocals => &session.hall,
    };
    (desk::mix(channels, room, session.frames), names)
}
