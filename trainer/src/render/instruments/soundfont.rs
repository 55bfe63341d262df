//! General MIDI programs played from a soundfont.

use std::sync::Arc;

use anyhow::Context as _;
use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};

use super::{RATE_HZ, Stereo, frame_at, silence};
use crate::render::compose::{Hit, Note, Piece};

enum Event {
    Off(i32),
    On(i32, i32),
}

/// Plays notes with a melodic program (0..=127), dry, `frames` long.
///
/// # Errors
/// If the synthesizer refuses its settings.
pub(crate) fn play_notes(
    font: &Arc<SoundFont>,
    program: i32,
    notes: &[Note],
    frames: usize,
) -> anyhow::Result<Stereo> {
    let mut events = Vec::with_capacity(notes.len() * 2);
    for note in notes {
        let velocity = (note.velocity * 127.0).round().clamp(1.0, 127.0) as i32;
        events.push((frame_at(note.start_s), Event::On(note.key, velocity)));
        events.push((frame_at(note.start_s + note.length_s), Event::Off(note.key)));
    }
    play(font, 0, (0, program), events, frames)
}

/// Plays hits with a drum kit: a preset of bank 128.
///
/// # Errors
/// If the synthesizer refuses its settings.
pub(crate) fn play_hits(
    font: &Arc<SoundFont>,
    kit: i32,
    hits: &[Hit],
    frames: usize,
) -> anyhow::Result<Stereo> {
    let mut events = Vec::with_capacity(hits.len() * 2);
    for hit in hits {
        let key = drum_key(hit.piece);
        let velocity = (hit.velocity * 127.0).round().clamp(1.0, 127.0) as i32;
        events.push((frame_at(hit.start_s), Event::On(key, velocity)));
        events.push((frame_at(hit.start_s + 0.12), Event::Off(key)));
    }
    play(font, 9, (128, kit), events, frames)
}

/// The General MIDI percussion key of a piece.
fn drum_key(piece: Piece) -> i32 {
    match piece {
        Piece::Kick => 36,
        Piece::Snare => 38,
        Piece::Rim => 37,
        Piece::Clap => 39,
        Piece::HatClosed => 42,
        Piece::HatOpen => 46,
        Piece::TomHigh => 50,
        Piece::TomMid => 47,
        Piece::TomLow => 43,
        Piece::Crash => 49,
        Piece::Ride => 51,
        Piece::RideBell => 53,
        Piece::Shaker => 70,
        Piece::Perc => 63,
    }
}

fn play(
    font: &Arc<SoundFont>,
    channel: i32,
    (bank, program): (i32, i32),
    mut events: Vec<(usize, Event)>,
    frames: usize,
) -> anyhow::Result<Stereo> {
    let mut settings = SynthesizerSettings::new(RATE_HZ as i32);
    settings.enable_reverb_and_chorus = false;
    settings.maximum_polyphony = 40;
    let mut synth = Synthesizer::new(font, &settings).context("starting the soundfont player")?;
    if bank != 128 {
        synth.process_midi_message(channel, 0xB0, 0x00, bank);
    }
    synth.process_midi_message(channel, 0xC0, program, 0);
    events.sort_by_key(|(frame, event)| (*frame, matches!(event, Event::On(..))));
    let [mut left, mut right] = silence(frames);
    let mut done = 0;
    for (frame, event) in events {
        let frame = frame.min(frames);
        if frame > done {
            synth.render(&mut left[done..frame], &mut right[done..frame]);
            done = frame;
        }
        match event {
            Event::On(key, velocity) => synth.note_on(channel, key, velocity),
            Event::Off(key) => synth.note_off(channel, key),
        }
    }
    synth.render(&mut left[done..], &mut right[done..]);
    Ok([left, right])
}
