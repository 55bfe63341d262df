//! FLAC, one frame of samples at a time.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, StreamInfo};
use flacenc::config;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

/// Frames per FLAC block; the reference encoder's choice.
const BLOCK_FRAMES: usize = 4096;

/// Encodes blocks as they fill up, so memory does not grow with the file.
pub(super) struct FlacEncoder {
    file: BufWriter<File>,
    config: Verified<config::Encoder>,
    info: StreamInfo,
    block: FrameBuf,
    /// Checksum, samples and blocks so far.
    context: Context,
    /// Samples of the block that is filling up, channels taking turns.
    interleaved: Vec<i32>,
}

impl FlacEncoder {
    pub(super) fn new(file: File, rate_hz: u32, channels: usize, bits: u32) -> io::Result<Self> {
        let info =
            StreamInfo::new(rate_hz as usize, channels, bits as usize).map_err(unsupported)?;
        let mut config = config::Encoder::default();
        config.block_size = BLOCK_FRAMES;
        // flacenc 0.5 takes a fixed predictor by an estimate that ignores the limit of its Rice
        // parameter: loud 24-bit noise then comes out three times as large as uncompressed, and
        // the frame sizes overflow their fields. Linear prediction is compared by exact size.
        config.subframe_coding.use_fixed = false;
        let config = config
            .into_verified()
            .map_err(|(_, error)| unsupported(error))?;
        let mut encoder = Self {
            file: BufWriter::new(file),
            config,
            info,
            block: FrameBuf::with_size(channels, BLOCK_FRAMES).map_err(unsupported)?,
            context: Context::new(bits as usize, channels),
            interleaved: Vec::with_capacity(channels * BLOCK_FRAMES),
        };
        encoder.write_header()?;
        Ok(encoder)
    }

    /// Takes the next sample, channels taking turns.
    pub(super) fn write(&mut self, sample: i32) -> io::Result<()> {
        self.interleaved.push(sample);
        if self.interleaved.len() == self.info.channels() * BLOCK_FRAMES {
            self.write_block()?;
        }
        Ok(())
    }

    /// Writes the last, shorter block, and the header again now that the totals are known.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.interleaved.is_empty() {
            self.write_block()?;
        }
        // The last block does not count towards the smallest block: files of fixed blocks say so
        // by having both sizes equal.
        self.info
            .set_block_sizes(BLOCK_FRAMES, BLOCK_FRAMES)
            .map_err(unsupported)?;
        self.info.set_md5_digest(&self.context.md5_digest());
        self.info.set_total_samples(self.context.total_samples());
        self.file.seek(SeekFrom::Start(0))?;
        self.write_header()?;
        self.file.flush()
    }

    fn write_block(&mut self) -> io::Result<()> {
        self.block
            .fill_interleaved(&self.interleaved)
            .map_err(failed)?;
        self.context
            .fill_interleaved(&self.interleaved)
            .map_err(failed)?;
        self.interleaved.clear();
        let number = self.context.current_frame_number().unwrap_or(0);
        let frame = flacenc::encode_fixed_size_frame(&self.config, &self.block, number, &self.info)
            .map_err(failed)?;
        self.info.update_frame_info(&frame);
        self.write_bits(&frame)
    }

    /// `fLaC` and the one metadata block, 42 bytes in all.
    fn write_header(&mut self) -> io::Result<()> {
        const STREAM_INFO_IS_LAST: u8 = 0x80;
        self.file.write_all(b"fLaC")?;
        self.file.write_all(&[STREAM_INFO_IS_LAST, 0, 0, 34])?;
        let info = self.info.clone();
        self.write_bits(&info)
    }

    fn write_bits(&mut self, part: &impl BitRepr) -> io::Result<()> {
        let mut bytes = ByteSink::with_capacity(part.count_bits());
        part.write(&mut bytes).map_err(failed)?;
        self.file.write_all(bytes.as_slice())
    }
}

/// Errors of the encoder by their text: some of them cannot leave their thread.
fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

fn unsupported(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error.to_string())
}
