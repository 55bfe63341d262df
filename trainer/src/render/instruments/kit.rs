//! A drum kit made of single strokes, synthesized or recorded.

use super::{Stereo, filter::Svf, frame_at, silence};
use crate::render::{
    compose::{Hit, Piece},
    dice::Dice,
};

/// The strokes on one piece, soft to loud.
pub(crate) struct Strokes {
    /// Which piece.
    pub(crate) piece: Piece,
    /// Strokes with full-scale levels, the softest first; never empty.
    pub(crate) takes: Vec<Stereo>,
}

/// Strokes for some pieces; the others are played on the nearest relative.
pub(crate) struct Kit {
    /// In any order.
    pub(crate) pieces: Vec<Strokes>,
}

impl Kit {
    fn strokes(&self, piece: Piece) -> Option<&Strokes> {
        let find = |wanted: Piece| self.pieces.iter().find(|strokes| strokes.piece == wanted);
        find(piece).or_else(|| find(relative(piece)))
    }

    /// Plays hits, `frames` long. A closed hi-hat cuts off an open one.
    pub(crate) fn play(&self, dice: &mut Dice, hits: &[Hit], frames: usize) -> Stereo {
        let mut out = silence(frames);
        for (index, hit) in hits.iter().enumerate() {
            let start = frame_at(hit.start_s);
            let Some(strokes) = self.strokes(hit.piece) else {
                continue;
            };
            if start >= frames {
                continue;
            }
            let count = strokes.takes.len();
            let place = hit.velocity * (count - 1) as f32 + dice.bell(0.8);
            let take = &strokes.takes[place.round().clamp(0.0, (count - 1) as f32) as usize];
            let choked = (hit.piece == Piece::HatOpen).then(|| {
                let next = hits[index + 1..]
                    .iter()
                    .find(|next| matches!(next.piece, Piece::HatClosed | Piece::HatOpen));
                next.map(|next| frame_at(next.start_s).saturating_sub(start))
            });
            let length = take[0].len().min(frames - start);
            let cut = choked.flatten().unwrap_or(length).min(length);
            let level = hit.velocity.powf(1.4);
            for side in 0..2 {
                // Softer strokes are duller.
                let mut filter = Svf::new(3_000.0 + 16_000.0 * hit.velocity, 0.7);
                let target = &mut out[side][start..start + length];
                for (frame, (slot, sample)) in target.iter_mut().zip(&take[side]).enumerate() {
                    let fade = if frame < cut {
                        1.0
                    } else {
                        1.0 - (frame - cut) as f32 / 900.0
                    };
                    if fade <= 0.0 {
                        break;
                    }
                    *slot += filter.run(*sample).low * level * fade;
                }
            }
        }
        out
    }
}

/// How loud a piece is beside the kick, as a factor, where a kit doesn't say so itself.
pub(crate) fn usual_level(piece: Piece) -> f32 {
    match piece {
        Piece::Kick => 1.0,
        Piece::Snare | Piece::Clap => 0.85,
        Piece::TomHigh | Piece::TomMid | Piece::TomLow => 0.8,
        Piece::Crash => 0.5,
        Piece::Rim | Piece::Perc => 0.45,
        Piece::HatClosed | Piece::HatOpen | Piece::Ride | Piece::RideBell => 0.32,
        Piece::Shaker => 0.22,
    }
}

/// What stands in for a piece that a kit lacks.
fn relative(piece: Piece) -> Piece {
    match piece {
        Piece::Clap | Piece::Rim => Piece::Snare,
        Piece::Shaker => Piece::HatClosed,
        Piece::HatOpen | Piece::RideBell => Piece::Ride,
        Piece::Perc => Piece::TomHigh,
        Piece::TomHigh | Piece::TomLow => Piece::TomMid,
        Piece::TomMid => Piece::TomLow,
        Piece::Ride => Piece::HatClosed,
        other => other,
    }
}
