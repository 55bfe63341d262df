//! Short clips as files in memory.

use std::io::Cursor;

use anyhow::{Context, Result};
use bunri_stream::Planar;
use hound::{SampleFormat, WavSpec, WavWriter};

/// A 16-bit WAV file; what is beyond full scale is cut to it.
///
/// # Errors
/// More channels than a file can have, or more than 4 GiB.
pub fn wav16(audio: &Planar, rate_hz: u32) -> Result<Vec<u8>> {
    let spec = WavSpec {
        channels: u16::try_from(audio.channel_count()).context("channels of a clip")?,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec)?;
    for frame in 0..audio.frames() {
        for channel in audio.channels() {
            // `as` cuts to the range.
            writer.write_sample((channel[frame] * 32_768.0).round() as i16)?;
        }
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against channels in turns of blocks, and samples that wrap around at full scale.
    #[test]
    fn frames_are_interleaved_and_full_scale_is_the_end() {
        let audio = Planar::from_channels(vec![vec![0.5, 1.5], vec![-0.25, -2.0]]).unwrap();
        let bytes = wav16(&audio, 8000).unwrap();
        let mut file = hound::WavReader::new(Cursor::new(bytes)).unwrap();
        assert_eq!((file.spec().channels, file.spec().sample_rate), (2, 8000));
        let samples: Vec<i16> = file.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [16_384, -8192, 32_767, -32_768]);
    }
}
