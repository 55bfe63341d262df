//! What the sound of a CAF file is: its `desc` chunk.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known as codec;

use super::Sound;
use super::chunks::{Chunk, Family};
use crate::files::blocks::BlockFormat;

/// What a `desc` chunk says.
pub(super) fn sound(chunk: &[u8]) -> Sound {
    const IS_FLOAT: u32 = 1;
    const IS_LITTLE_ENDIAN: u32 = 2;
    let field = |at: usize| {
        chunk
            .get(at..at + 4)
            .map_or(0, |bytes| Family::Caf.u32(bytes))
    };
    let rate = chunk
        .first_chunk()
        .map_or(0.0, |&rate| f64::from_be_bytes(rate));
    let rate_hz = if rate.fract() == 0.0 { rate as u32 } else { 0 };
    let kind = chunk.get(8..12).unwrap_or_default();
    let (flags, packet_bytes, channels, bits) = (field(12), field(16), field(24), field(28));
    let unknown = || {
        let name = String::from_utf8_lossy(kind);
        Sound::Unknown(format!("CAF with codec {} of {bits} bits", name.trim()))
    };
    let (Ok(count), true) = (u16::try_from(channels), channels > 0 && rate_hz > 0) else {
        return unknown();
    };
    let is_little = flags & IS_LITTLE_ENDIAN != 0;
    let id = match (
        kind,
        flags & IS_FLOAT != 0,
        packet_bytes / channels,
        is_little,
    ) {
        (b"lpcm", false, 1, _) => codec::CODEC_ID_PCM_S8,
        (b"lpcm", false, 2, false) => codec::CODEC_ID_PCM_S16BE,
        (b"lpcm", false, 2, true) => codec::CODEC_ID_PCM_S16LE,
        (b"lpcm", false, 3, false) => codec::CODEC_ID_PCM_S24BE,
        (b"lpcm", false, 3, true) => codec::CODEC_ID_PCM_S24LE,
        (b"lpcm", false, 4, false) => codec::CODEC_ID_PCM_S32BE,
        (b"lpcm", false, 4, true) => codec::CODEC_ID_PCM_S32LE,
        (b"lpcm", true, 4, false) => codec::CODEC_ID_PCM_F32BE,
        (b"lpcm", true, 4, true) => codec::CODEC_ID_PCM_F32LE,
        (b"lpcm", true, 8, false) => codec::CODEC_ID_PCM_F64BE,
        (b"lpcm", true, 8, true) => codec::CODEC_ID_PCM_F64LE,
        (b"ulaw", _, 1, _) => codec::CODEC_ID_PCM_MULAW,
        (b"alaw", _, 1, _) => codec::CODEC_ID_PCM_ALAW,
        _ => return unknown(),
    };
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(id)
        .with_sample_rate(rate_hz)
        .with_channels(Channels::Discrete(count));
    Sound::Blocks(BlockFormat {
        parameters,
        block_bytes: packet_bytes as usize,
        frames_per_block: 1,
    })
}

/// The sound within a `data` chunk: behind the count of its edits.
pub(super) fn data(chunk: &Chunk) -> Chunk {
    const EDIT_COUNT_BYTES: u64 = 4;
    Chunk {
        name: chunk.name,
        body: chunk.body + EDIT_COUNT_BYTES,
        // A size of -1: to the end, as one of 0 is taken for.
        bytes: match chunk.bytes {
            u64::MAX => 0,
            bytes => bytes.saturating_sub(EDIT_COUNT_BYTES),
        },
    }
}
