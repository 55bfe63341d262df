//! Headers of a FLAC stream and of its frames (RFC 9639, sections 8 and 9.1).

use symphonia::core::checksum::Crc8Ccitt;
use symphonia::core::io::Monitor as _;

/// What a stream says about itself in its first metadata block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamInfo {
    /// The block as a decoder wants it.
    pub(super) bytes: [u8; StreamInfo::BYTES],
    /// The largest number of frames of a block.
    pub(super) block_frames: u64,
    pub(super) rate_hz: u32,
    channels: u32,
    bits: u32,
    /// Frames of the whole stream, if the encoder knew.
    pub(super) told_frames: Option<u64>,
}

impl StreamInfo {
    pub(super) const BYTES: usize = 34;
    /// Mark, header of the first metadata block and that block.
    pub(super) const MARK: &[u8] = b"fLaC";

    /// From the bytes behind the stream's mark and the header of the block.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut bytes: [u8; Self::BYTES] = *bytes.first_chunk()?;
        let block_frames = u64::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        // 20 bits of rate, 3 of channels, 5 of bits, 36 of frames.
        let fields = u64::from_be_bytes(*bytes[10..].first_chunk()?);
        let told_frames = fields & ((1 << 36) - 1);
        let info = Self {
            block_frames,
            rate_hz: (fields >> 44) as u32,
            channels: (fields >> 41) as u32 % 8 + 1,
            bits: (fields >> 36) as u32 % 32 + 1,
            told_frames: Some(told_frames).filter(|&frames| frames > 0),
            bytes: {
                // Frames say their own length: room for the largest, whatever is said here.
                bytes[..4].copy_from_slice(&[0, 16, 0xFF, 0xFF]);
                bytes
            },
        };
        (info.rate_hz > 0 && info.bits >= 4).then_some(info)
    }

    /// No frame is longer than it would be uncompressed, but for a little.
    pub(super) fn max_frame_bytes(&self) -> usize {
        let frames = self.block_frames.max(1 << 13) as usize;
        frames * (self.channels * (self.bits + 1)).div_ceil(8) as usize * 5 / 4 + 4096
    }
}

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) header_bytes: usize,
    /// Frames (samples of each channel) in this block.
    pub(super) frames: u64,
    /// Of the block if all have one length, or else of its first frame.
    pub(super) number: u64,
    pub(super) is_fixed: bool,
}

impl FrameHeader {
    /// The longest header.
    pub(super) const MAX_BYTES: usize = 16;

    /// The header at the start of `bytes`, if there is one that belongs to the stream.
    pub(super) fn read(bytes: &[u8], info: &StreamInfo) -> Option<Self> {
        let [0xFF, sync, sizes, shape, ..] = *bytes else {
            return None;
        };
        if sync & 0xFE != 0xF8 || shape & 1 != 0 {
            return None;
        }
        let (number, mut at) = coded_number(&bytes[4..])?;
        at += 4;
        let mut field = |count: usize| {
            let field = bytes.get(at..at + count)?;
            at += count;
            Some(
                field
                    .iter()
                    .fold(0, |all, &byte| all << 8 | u32::from(byte)),
            )
        };
        let frames = match sizes >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => field(1)? + 1,
            7 => field(2)? + 1,
            code => 256 << (code - 8),
        };
        const RATES: [u32; 12] = [
            0, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
            96_000,
        ];
        let rate_hz = match sizes & 15 {
            12 => field(1)? * 1000,
            13 => field(2)?,
            14 => field(2)? * 10,
            15 => return None,
            code => RATES[usize::from(code)],
        };
        let channels = match shape >> 4 {
            code @ 0..=7 => u32::from(code) + 1,
            8..=10 => 2,
            _ => return None,
        };
        let bits = [0, 8, 12, u32::MAX, 16, 20, 24, 32][usize::from(shape >> 1 & 7)];
        let belongs = channels == info.channels
            && (rate_hz == 0 || rate_hz == info.rate_hz)
            && (bits == 0 || bits == info.bits);
        let mut checksum = Crc8Ccitt::new(0);
        checksum.process_buf_bytes(&bytes[..at]);
        if !belongs || checksum.crc() != *bytes.get(at)? {
            return None;
        }
        Some(Self {
            header_bytes: at + 1,
            frames: u64::from(frames),
            number,
            is_fixed: sync & 1 == 0,
        })
    }
}

/// A number as UTF-8 would code it, up to 36 bits, with the bytes that it takes.
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let &first = bytes.first()?;
    let length = match first.leading_ones() {
        0 => return Some((u64::from(first), 1)),
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let mut number = u64::from(first) & (0x7F >> length);
    for &byte in bytes.get(1..length)? {
        if byte >> 6 != 0b10 {
            return None;
        }
        number = number << 6 | u64::from(byte & 0x3F);
    }
    Some((number, length))
}
