//! Mastering: what happens to a song as a whole, always as one gain for all stems, so that they
//! still add up to the mixture.
//!
//! ```text
//! stems ─ levels ─ glue (bus compressor) ─ loudness and limiter ─ fades ─ lossy coder ─ 16-bit grid
//! ```

use anyhow::Context as _;
use bunri_stream::Planar;
use serde::Serialize;

use super::{effects, levels, loudness};
use crate::data::augment::Coder;
use crate::render::{
    dice::Dice,
    instruments::{RATE, RATE_HZ, Stereo, gain},
};

/// Stems' active RMS in dBFS before mastering, in stem order, around which songs vary: about what
/// the released songs have that this was measured against.
const USUAL_DB: [f32; 4] = [-18.0, -19.0, -20.0, -18.5];
/// How much they vary, as a standard deviation in dB.
const SPREAD_DB: f32 = 2.8;

/// What was done, for `song.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MasterNotes {
    /// Integrated loudness of the mixture (ITU-R BS.1770); none if it is silent or too short.
    pub loudness_lufs: Option<f32>,
    /// Highest sample of the mixture, as a factor of full scale.
    pub peak: f32,
    /// Whether it was pushed into a limiter.
    pub limited: bool,
    /// Seconds of its fade-in.
    pub fade_in_s: f32,
    /// Seconds of its fade-out.
    pub fade_out_s: f32,
    /// The lossy coder's upper limit, if it was coded.
    pub coded_below_hz: Option<f32>,
}

/// Masters a song in place.
///
/// # Errors
/// If the loudness meter refuses.
pub(crate) fn master(dice: &mut Dice, stems: &mut [Stereo; 4]) -> anyhow::Result<MasterNotes> {
    for (stem, usual_db) in stems.iter_mut().zip(USUAL_DB) {
        let loudness = levels::active_rms(stem);
        if loudness > 0.0 {
            levels::scale(stem, gain(usual_db + dice.bell(SPREAD_DB)) / loudness);
        }
    }
    if dice.chance(0.5) {
        let (threshold_db, ratio) = (dice.between(-16.0, -7.0), dice.between(1.3, 2.5));
        glue(stems, threshold_db, ratio, dice.between(0.08, 0.4));
    }
    let limited = dice.chance(0.6);
    let ceiling = dice.between(0.8, 0.99);
    let target_lufs = if limited {
        // Streaming to club loud.
        dice.between(-15.0, -7.5)
    } else {
        // As it left the mixing desk.
        dice.between(-24.0, -15.0)
    };
    let release_s = dice.between(0.03, 0.3);
    bring_to(stems, target_lufs, limited.then_some((ceiling, release_s)))?;
    let fade_in_s = if dice.chance(0.1) {
        dice.between(1.0, 6.0)
    } else {
        0.0
    };
    let fade_out_s = if dice.chance(0.15) {
        dice.between(2.0, 8.0)
    } else {
        0.0
    };
    fade(stems, fade_in_s, fade_out_s);
    let coder = dice.chance(0.25).then(|| Coder {
        cutoff_hz: dice.between(11_000.0, 19_500.0),
        noise_db: dice.between(-26.0, -12.0),
    });
    if let Some(coder) = coder {
        code(coder, stems)?;
    }
    // The mixture and each stem alone fit into a file.
    let peak = stems
        .iter()
        .map(effects::peak)
        .fold(effects::peak(&sum(stems)), f32::max);
    if peak > ceiling {
        stems
            .iter_mut()
            .for_each(|stem| levels::scale(stem, ceiling / peak));
    }
    stems.iter_mut().for_each(levels::to_grid);
    let mixture = sum(stems);
    Ok(MasterNotes {
        loudness_lufs: loudness::integrated(&mixture)?,
        peak: effects::peak(&mixture),
        limited,
        fade_in_s,
        fade_out_s,
        coded_below_hz: coder.map(|coder| coder.cutoff_hz),
    })
}

/// A compressor on the sum of all stems.
fn glue(stems: &mut [Stereo; 4], threshold_db: f32, ratio: f32, release_s: f32) {
    let gains = effects::compression(&sum(stems), RATE, threshold_db, ratio, release_s);
    for side in stems.iter_mut().flatten() {
        for (sample, gain) in side.iter_mut().zip(&gains) {
            *sample *= gain;
        }
    }
}

/// Scales towards a loudness; with a limiter (ceiling, release) as often as it takes some back.
fn bring_to(
    stems: &mut [Stereo; 4],
    target_lufs: f32,
    limiter: Option<(f32, f32)>,
) -> anyhow::Result<()> {
    let rounds = if limiter.is_some() { 3 } else { 1 };
    for _ in 0..rounds {
        let Some(now) = loudness::integrated(&sum(stems))? else {
            return Ok(());
        };
        let missing_db = target_lufs - now;
        if missing_db.abs() < 0.5 {
            break;
        }
        stems
            .iter_mut()
            .for_each(|stem| levels::scale(stem, gain(missing_db)));
        if let Some((ceiling, release_s)) = limiter {
            levels::limit_together(stems, ceiling, release_s);
        }
    }
    Ok(())
}

/// Raises the start and lowers the end along straight lines.
fn fade(stems: &mut [Stereo; 4], in_s: f32, out_s: f32) {
    for side in stems.iter_mut().flatten() {
        let length = |seconds: f32| ((seconds * RATE) as usize).min(side.len());
        let (rise, fall) = (length(in_s), length(out_s));
        for (frame, sample) in side.iter_mut().take(rise).enumerate() {
            *sample *= frame as f32 / rise as f32;
        }
        for (frame, sample) in side.iter_mut().rev().take(fall).enumerate() {
            *sample *= frame as f32 / fall as f32;
        }
    }
}

/// What a lossy coder does to the mixture, on all stems.
fn code(coder: Coder, stems: &mut [Stereo; 4]) -> anyhow::Result<()> {
    let mut parts = Vec::with_capacity(stems.len());
    for stem in stems.iter_mut() {
        let sides = std::mem::take(stem).into();
        parts.push(Planar::from_channels(sides).context("a stem with sides of two lengths")?);
    }
    coder.apply(&mut parts.iter_mut().collect::<Vec<_>>(), RATE_HZ);
    for (stem, part) in stems.iter_mut().zip(parts) {
        let mut sides = part.into_channels().into_iter();
        *stem = std::array::from_fn(|_| sides.next().unwrap_or_default());
    }
    Ok(())
}

/// The mixture.
fn sum(stems: &[Stereo; 4]) -> Stereo {
    let mut sum = stems[0].clone();
    for stem in &stems[1..] {
        for side in 0..2 {
            let pairs = sum[side].iter_mut().zip(&stem[side]);
            pairs.for_each(|(sum, sample)| *sum += sample);
        }
    }
    sum
}
