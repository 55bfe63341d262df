//! Packets of formats whose sound is a row of blocks of one size: PCM and ADPCM.

use std::io::{self, Read};

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::source::{PacketSource, Step};

/// How the sound of a file is stored.
#[derive(Clone, Debug)]
pub(super) struct BlockFormat {
    pub(super) parameters: AudioCodecParameters,
    /// Bytes of a block of all channels.
    pub(super) block_bytes: usize,
    /// 1 with PCM.
    pub(super) frames_per_block: u64,
}

impl BlockFormat {
    /// Packets have about as many frames as this.
    const PACKET_FRAMES: u64 = 4096;

    /// Blocks of a full packet.
    fn packet_blocks(&self) -> usize {
        (Self::PACKET_FRAMES / self.frames_per_block.max(1)).max(1) as usize
    }
}

/// Reads blocks from wherever they come.
pub(super) struct BlockReader<R> {
    format: BlockFormat,
    reader: R,
}

impl<R: Read> BlockReader<R> {
    pub(super) fn new(mut format: BlockFormat, reader: R) -> Self {
        let packet_frames = format.packet_blocks() as u64 * format.frames_per_block;
        format
            .parameters
            .with_max_frames_per_packet(packet_frames)
            .with_frames_per_block(format.frames_per_block);
        Self { format, reader }
    }

    /// What a decoder needs to know.
    pub(super) fn parameters(&self) -> AudioCodecParameters {
        self.format.parameters.clone()
    }
}

impl<R: Read + Send> PacketSource for BlockReader<R> {
    fn next(&mut self) -> io::Result<Step> {
        let block_bytes = self.format.block_bytes;
        let mut bytes = Vec::new();
        let wanted = (block_bytes * self.format.packet_blocks()) as u64;
        self.reader.by_ref().take(wanted).read_to_end(&mut bytes)?;
        let blocks = bytes.len() / block_bytes;
        if blocks == 0 {
            return Ok(Step::End { cut: false });
        }
        // A part of a block at the end is no frame.
        bytes.truncate(blocks * block_bytes);
        let frames = blocks as u64 * self.format.frames_per_block;
        Ok(Step::Packet(Packet::new(
            0,
            Timestamp::ZERO,
            Duration::from(frames),
            bytes,
        )))
    }
}
