//! Recorded drums: whole kits, and loose sounds from which a kit is chosen.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{decode, list, lower_name, trim};
use crate::render::{
    compose::Piece,
    dice::Dice,
    instruments::{
        Stereo,
        kit::{self, Kit},
    },
    mix::{effects, levels},
};

/// Loose drum sounds: several candidates for a piece.
pub(crate) struct Strokes {
    sounds: Vec<(Piece, Stereo)>,
}

impl Strokes {
    /// A kit with one of the candidates for every piece.
    pub(crate) fn choose(&self, dice: &mut Dice) -> Kit {
        let mut pieces: Vec<Piece> = self.sounds.iter().map(|(piece, _)| *piece).collect();
        pieces.sort_unstable();
        pieces.dedup();
        let pieces = pieces.into_iter().map(|piece| {
            let candidates: Vec<&Stereo> = self
                .sounds
                .iter()
                .filter(|(other, _)| *other == piece)
                .map(|(_, sound)| sound)
                .collect();
            let mut sound = (*dice.pick(&candidates)).clone();
            let factor = kit::usual_level(piece) / effects::peak(&sound).max(1e-6);
            levels::scale(&mut sound, factor);
            kit::Strokes {
                piece,
                takes: vec![sound],
            }
        });
        Kit {
            pieces: pieces.collect(),
        }
    }
}

/// The piece a loose sound is for, by its file's name.
pub(super) fn piece_of(file: &Path) -> Option<Piece> {
    const NAMES: [(&str, Piece); 24] = [
        ("bd_", Piece::Kick),
        ("kick", Piece::Kick),
        ("drum_bass", Piece::Kick),
        ("drum_heavy_kick", Piece::Kick),
        ("elec_hollow_kick", Piece::Kick),
        ("elec_soft_kick", Piece::Kick),
        ("sn_", Piece::Snare),
        ("snare", Piece::Snare),
        ("drum_snare", Piece::Snare),
        ("elec_snare", Piece::Snare),
        ("elec_filt_snare", Piece::Snare),
        ("elec_mid_snare", Piece::Snare),
        ("elec_hi_snare", Piece::Snare),
        ("hat_", Piece::HatClosed),
        ("drum_cymbal_closed", Piece::HatClosed),
        ("drum_cymbal_open", Piece::HatOpen),
        ("drum_cymbal_hard", Piece::Crash),
        ("drum_splash_hard", Piece::Crash),
        ("drum_tom_hi", Piece::TomHigh),
        ("drum_tom_mid", Piece::TomMid),
        ("drum_tom_lo", Piece::TomLow),
        ("drum_cowbell", Piece::Perc),
        ("tabla_", Piece::Perc),
        ("perc_snap", Piece::Clap),
    ];
    let name = lower_name(file);
    NAMES
        .iter()
        .find(|(start, _)| name.starts_with(start))
        .map(|(_, piece)| *piece)
}

/// Reads a folder of loose sounds.
pub(super) fn load_strokes(folder: &Path) -> anyhow::Result<Strokes> {
    let (_, files) = list(folder)?;
    let mut sounds = Vec::new();
    for file in files {
        if let Some(piece) = piece_of(&file) {
            let mut sound = decode(&file)?;
            trim(&mut sound, 2.5);
            sounds.push((piece, sound));
        }
    }
    Ok(Strokes { sounds })
}

/// The piece of a kit's subfolder.
fn piece_of_folder(folder: &Path) -> Option<Piece> {
    let name = lower_name(folder);
    let starts = |start: &str| name.starts_with(start);
    Some(match name.as_str() {
        // The snare's rattle while others play is part of the room, not a stroke.
        "snarerest" => return None,
        "tom1" => Piece::TomHigh,
        "tom2" => Piece::TomMid,
        _ if starts("tom") => Piece::TomLow,
        _ if starts("kdrum") || starts("kick") || starts("bd") => Piece::Kick,
        _ if starts("snare") => Piece::Snare,
        _ if starts("hihatclosed") => Piece::HatClosed,
        _ if starts("hihatopen") => Piece::HatOpen,
        _ if starts("ride") && name.contains("bell") => Piece::RideBell,
        _ if starts("ride") => Piece::Ride,
        _ if starts("crash") || starts("china") || starts("splash") => Piece::Crash,
        _ => return None,
    })
}

/// Reads a kit: a subfolder per piece, its strokes ordered by measured level.
pub(super) fn load_kit(folder: &Path) -> anyhow::Result<Kit> {
    let (folders, _) = list(folder)?;
    let mut pieces: Vec<kit::Strokes> = Vec::new();
    for subfolder in folders {
        let Some(piece) = piece_of_folder(&subfolder) else {
            continue;
        };
        let takes = load_takes(&subfolder)?;
        match pieces.iter_mut().find(|strokes| strokes.piece == piece) {
            // Left and right drums of one kind would alternate at random: keep the first.
            Some(_) => {}
            None if takes.is_empty() => {}
            None => pieces.push(kit::Strokes { piece, takes }),
        }
    }
    anyhow::ensure!(
        !pieces.is_empty(),
        "no drum in {}: expected subfolders like kick, snare",
        folder.display()
    );
    // The loudest piece of the kit at full scale; the others as loud beside it as they were.
    let loudest = pieces
        .iter()
        .flat_map(|strokes| strokes.takes.iter())
        .map(effects::peak)
        .fold(0.0, f32::max);
    for strokes in &mut pieces {
        let piece_peak = strokes.takes.iter().map(effects::peak).fold(0.0, f32::max);
        for take in &mut strokes.takes {
            // The player sets the level of a stroke, the take only its colour.
            let factor = piece_peak / loudest / effects::peak(take).max(1e-6);
            levels::scale(take, factor);
        }
    }
    Ok(Kit { pieces })
}

fn load_takes(folder: &Path) -> anyhow::Result<Vec<Stereo>> {
    let (_, files): (_, Vec<PathBuf>) = list(folder)?;
    let mut takes: Vec<(f32, Stereo)> = Vec::new();
    for file in files {
        let mut take =
            decode(&file).with_context(|| format!("a stroke in {}", folder.display()))?;
        let peak = effects::peak(&take);
        if peak < 1e-4 {
            continue;
        }
        trim(&mut take, 3.0);
        takes.push((peak, take));
    }
    takes.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(takes.into_iter().map(|(_, take)| take).collect())
}
