//! From any audio file to a file of the cache, a block at a time.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use bunri_stream::files::to_stereo;
use bunri_stream::{Planar, RateConverter};

use super::cache::in_cache;
use super::damage::{refuse_incomplete, silence_invalid};
use super::stem_file::StemFile;
use super::track::{HEADER_BYTES, Header, Invalid, STEP};

/// Frames decoded at a time: what a song needs of memory.
const BLOCK_FRAMES: usize = 1 << 15;

/// Decodes `source` to `rate_hz` into an open file, which is then complete and on disk.
///
/// # Errors
/// What does not decode, or only in part: a stem that ends early would be taken for silence. Invalid
/// samples become silence, and the file of the cache says so.
pub(super) fn decode(source: &StemFile, rate_hz: u32, file: &File, path: &Path) -> Result<()> {
    let mut scale = STEP;
    loop {
        let mut writer = TrackWriter::new(file, path, rate_hz, scale)?;
        let invalid = stereo_blocks(source, rate_hz, |block| writer.write(block))?;
        ensure!(writer.frames > 0, "{source} holds no audio");
        let peak = writer.peak;
        writer.finish(invalid)?;
        if peak <= scale * 32_767.5 {
            return Ok(());
        }
        // Louder than full scale, which shows at the end only: once more, with room for it.
        scale = peak / 32_767.0;
    }
}

/// Hands out a file in stereo at `rate_hz`, block by block. Returns which of its samples were invalid.
fn stereo_blocks(
    source: &StemFile,
    rate_hz: u32,
    mut take: impl FnMut(&Planar) -> Result<()>,
) -> Result<Invalid> {
    let mut reader = source.open()?;
    let channels = reader.channels();
    ensure!(
        channels <= 2,
        "{source} has {channels} channels, expected mono or stereo"
    );
    let mut converter = None;
    if reader.rate_hz() != rate_hz {
        let made = RateConverter::new(reader.rate_hz(), rate_hz, 2);
        converter = Some(made.with_context(|| format!("converting {source}"))?);
    }
    let reading = || format!("reading {source}");
    while let Some(block) = reader.read(BLOCK_FRAMES).with_context(reading)? {
        let mut block = to_stereo(block).map_err(|_| anyhow!("{source} changes its channels"))?;
        silence_invalid(&mut block);
        match &mut converter {
            None => take(&block)?,
            Some(converter) => {
                let mut converted = Planar::zeros(2, 0);
                converter.push(&block, &mut converted);
                take(&converted)?;
            }
        }
    }
    if let Some(converter) = &mut converter {
        let mut converted = Planar::zeros(2, 0);
        converter.flush(&mut converted);
        take(&converted)?;
    }
    let damage = reader.damage();
    refuse_incomplete(source, damage, reader.rate_hz())?;
    let first = damage.first_invalid_frame.unwrap_or(0) as f64 / f64::from(reader.rate_hz());
    Ok(Invalid {
        samples: damage.invalid_samples,
        first_ms: (1e3 * first) as u64,
    })
}

/// Writes the cache's format, the header last.
struct TrackWriter<'a> {
    out: BufWriter<&'a File>,
    path: &'a Path,
    rate_hz: u32,
    scale: f32,
    frames: u64,
    peak: f32,
    audible_seconds: Vec<u8>,
    /// Of the second that is not full yet: squares and frames.
    squares: f64,
    second_frames: u32,
}

impl<'a> TrackWriter<'a> {
    fn new(mut file: &'a File, path: &'a Path, rate_hz: u32, scale: f32) -> Result<Self> {
        let mut begin = || {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            let mut out = BufWriter::with_capacity(1 << 17, file);
            out.write_all(&[0; HEADER_BYTES])?;
            Ok(out)
        };
        Ok(Self {
            out: begin().map_err(|error| in_cache(path, error))?,
            path,
            rate_hz,
            scale,
            frames: 0,
            peak: 0.0,
            audible_seconds: Vec::new(),
            squares: 0.0,
            second_frames: 0,
        })
    }

    fn write(&mut self, block: &Planar) -> Result<()> {
        let [left, right] = [block.channel(0), block.channel(1)];
        for (&left, &right) in left.iter().zip(right) {
            for sample in [left, right] {
                self.peak = self.peak.max(sample.abs());
                let integer = (sample / self.scale).round().clamp(-32_768.0, 32_767.0) as i16;
                let written = self.out.write_all(&integer.to_le_bytes());
                written.map_err(|error| in_cache(self.path, error))?;
                self.squares += f64::from(sample) * f64::from(sample);
            }
            self.second_frames += 1;
            if self.second_frames == self.rate_hz {
                self.end_second();
            }
        }
        self.frames += block.frames() as u64;
        Ok(())
    }

    fn end_second(&mut self) {
        /// RMS of -60 dBFS, squared.
        const AUDIBLE: f64 = 1e-6;
        let mean = self.squares / f64::from(2 * self.second_frames.max(1));
        self.audible_seconds.push(u8::from(mean > AUDIBLE));
        self.squares = 0.0;
        self.second_frames = 0;
    }

    fn finish(mut self, invalid: Invalid) -> Result<()> {
        if self.second_frames > 0 {
            self.end_second();
        }
        let header = Header {
            rate_hz: self.rate_hz,
            frames: self.frames,
            scale: self.scale,
            invalid,
        };
        let mut end = || {
            self.out.write_all(&self.audible_seconds)?;
            self.out.seek(SeekFrom::Start(0))?;
            self.out
                .write_all(&header.to_bytes(&self.audible_seconds))?;
            self.out.flush()?;
            // Before the rename, or a machine that loses power has a name without its contents.
            self.out.get_ref().sync_all()
        };
        end().map_err(|error| in_cache(self.path, error))
    }
}
