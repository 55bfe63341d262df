//! What the sound of an AIFF or AIFF-C file is: its `COMM` chunk.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known as codec;

use super::Sound;
use super::chunks::{Chunk, Family};
use crate::files::blocks::BlockFormat;

/// What a `COMM` chunk says.
pub(super) fn sound(chunk: &[u8]) -> Sound {
    let field = |at: usize| {
        chunk
            .get(at..at + 2)
            .map_or(0, |bytes| Family::Aiff.u16(bytes))
    };
    let (channels, bits) = (field(0), field(6));
    let rate_hz = chunk.get(8..18).map_or(0, extended);
    let compression = chunk.get(18..22).unwrap_or(b"NONE");
    if channels == 0 || rate_hz == 0 {
        return Sound::Unknown(format!("a header with {channels} channels at {rate_hz} Hz"));
    }
    let (id, sample_bytes) = match (compression, bits.div_ceil(8)) {
        (b"NONE" | b"twos" | b"sowt", 1) => (codec::CODEC_ID_PCM_S8, 1),
        (b"NONE" | b"twos", 2) => (codec::CODEC_ID_PCM_S16BE, 2),
        (b"NONE" | b"twos", 3) | (b"in24", _) => (codec::CODEC_ID_PCM_S24BE, 3),
        (b"NONE" | b"twos", 4) | (b"in32", _) => (codec::CODEC_ID_PCM_S32BE, 4),
        (b"sowt", 2) => (codec::CODEC_ID_PCM_S16LE, 2),
        (b"sowt", 3) => (codec::CODEC_ID_PCM_S24LE, 3),
        (b"sowt", 4) => (codec::CODEC_ID_PCM_S32LE, 4),
        (b"raw ", _) => (codec::CODEC_ID_PCM_U8, 1),
        (b"fl32" | b"FL32", _) => (codec::CODEC_ID_PCM_F32BE, 4),
        (b"fl64" | b"FL64", _) => (codec::CODEC_ID_PCM_F64BE, 8),
        (b"ulaw" | b"ULAW", _) => (codec::CODEC_ID_PCM_MULAW, 1),
        (b"alaw" | b"ALAW", _) => (codec::CODEC_ID_PCM_ALAW, 1),
        (other, _) => {
            let name = String::from_utf8_lossy(other);
            return Sound::Unknown(format!("AIFF with codec {name} of {bits} bits"));
        }
    };
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(id)
        .with_sample_rate(rate_hz)
        .with_channels(Channels::Discrete(channels));
    Sound::Blocks(BlockFormat {
        parameters,
        block_bytes: usize::from(channels) * sample_bytes,
        frames_per_block: 1,
    })
}

/// The sound within a `SSND` chunk: behind its offset, and behind as many bytes as that says.
pub(super) fn data(chunk: &Chunk, head: &[u8]) -> Chunk {
    const HEADER_BYTES: u64 = 8;
    let offset = head.get(..4).map_or(0, |bytes| Family::Aiff.u32(bytes));
    let skipped = HEADER_BYTES + u64::from(offset);
    Chunk {
        name: chunk.name,
        body: chunk.body + skipped,
        // Sizes of 0 and near 2^32 mean that the writer did not know.
        bytes: chunk.bytes.saturating_sub(skipped),
    }
}

/// A rate as an 80-bit float, in whole hertz.
fn extended(bytes: &[u8]) -> u32 {
    const BIAS: u16 = 16_383;
    let exponent = Family::Aiff.u16(bytes) & 0x7FFF;
    let mantissa = bytes[2..]
        .first_chunk()
        .map_or(0, |&word| u64::from_be_bytes(word));
    let shift = (BIAS + 63).checked_sub(exponent).map(u32::from);
    let rate = shift.and_then(|shift| mantissa.checked_shr(shift));
    rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0)
}
