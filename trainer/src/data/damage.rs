//! What is wrong with a stem's file, and whether a song can be made of it all the same.

use anyhow::{Result, ensure};
use bunri_stream::Planar;
use bunri_stream::files::Damage;
use bunri_stream::input_guard::MAX_MAGNITUDE;

use super::stem_file::StemFile;

/// Some encoders promise a frame or two more than there are, and lossy copies of one length differ by
/// a packet.
pub(crate) const TOLERANCE_SECONDS: f64 = 0.1;

/// Share of a song that one of its files may lack. Recordings of one stem do end seconds before the
/// others; a file that lacks more was probably cut.
pub(crate) const MAX_MISSING: f64 = 0.1;

/// Refuses a file with a hole or without its end: silence in its place would be taken for the stem.
///
/// # Errors
/// The file's name and what is missing.
pub(crate) fn refuse_incomplete(source: &StemFile, damage: Damage, rate_hz: u32) -> Result<()> {
    let Damage {
        skipped_packets,
        missing_frames,
        cut_off,
        ..
    } = damage;
    let missing_seconds = missing_frames as f64 / f64::from(rate_hz.max(1));
    ensure!(
        skipped_packets == 0 && missing_seconds < TOLERANCE_SECONDS,
        "{source} is damaged: {skipped_packets} packets do not decode and {missing_seconds:.1} s \
         are missing at its end; copy or download it again"
    );
    ensure!(
        !cut_off,
        "{source} was cut off, and does not say how much is missing; copy or download it again"
    );
    Ok(())
}

/// Silences what the reader had to bound: one such click is louder than the whole song.
pub(crate) fn silence_invalid(block: &mut Planar) {
    for sample in block.channels_mut().flatten() {
        if sample.abs() >= MAX_MAGNITUDE {
            *sample = 0.0;
        }
    }
}

/// The sentence about samples that were replaced, if there were any.
pub(crate) fn invalid_samples(damage: Damage, rate_hz: u32) -> Option<String> {
    let only = Damage {
        invalid_samples: damage.invalid_samples,
        first_invalid_frame: damage.first_invalid_frame,
        ..Damage::default()
    };
    only.warnings(rate_hz).pop()
}
