//! What the sound of a WAV file is: its `fmt ` chunk.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known as codec;

use super::Sound;
use super::chunks::Family;
use crate::files::blocks::BlockFormat;

const PCM: u16 = 1;
const ADPCM_MS: u16 = 2;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const ADPCM_IMA: u16 = 0x11;
const MPEG: u16 = 0x50;
const MP3: u16 = 0x55;
const EXTENSIBLE: u16 = 0xFFFE;

/// What a `fmt ` chunk says.
pub(super) fn sound(chunk: &[u8], family: Family) -> Sound {
    let field = |at: usize| chunk.get(at..at + 2).map_or(0, |bytes| family.u16(bytes));
    let channels = field(2);
    let rate_hz = chunk.get(4..8).map_or(0, |bytes| family.u32(bytes));
    let block_align = field(12);
    let bits = field(14);
    // The first two bytes of the extension's identifier are what the field in front would hold.
    let tag = match field(0) {
        EXTENSIBLE if chunk.len() >= 26 => field(24),
        EXTENSIBLE => PCM,
        tag => tag,
    };
    if matches!(tag, MPEG | MP3) {
        return Sound::Mpeg;
    }
    if channels == 0 || rate_hz == 0 {
        return Sound::Unknown(format!("a header with {channels} channels at {rate_hz} Hz"));
    }
    let is_big_endian = family == Family::Rifx;
    let sample_bytes = sample_bytes(channels, block_align, bits);
    let (id, block_bytes, frames_per_block) = match (tag, sample_bytes) {
        (ADPCM_MS | ADPCM_IMA, _) => match adpcm(tag, channels, block_align) {
            Some((id, frames)) => (id, usize::from(block_align), frames),
            None => return Sound::Unknown(format!("ADPCM in blocks of {block_align} bytes")),
        },
        (A_LAW, _) => (codec::CODEC_ID_PCM_ALAW, usize::from(channels), 1),
        (MU_LAW, _) => (codec::CODEC_ID_PCM_MULAW, usize::from(channels), 1),
        _ => {
            let id = match (tag, sample_bytes, is_big_endian) {
                (PCM, 1, _) => codec::CODEC_ID_PCM_U8,
                (PCM, 2, false) => codec::CODEC_ID_PCM_S16LE,
                (PCM, 3, false) => codec::CODEC_ID_PCM_S24LE,
                (PCM, 4, false) => codec::CODEC_ID_PCM_S32LE,
                (PCM, 2, true) => codec::CODEC_ID_PCM_S16BE,
                (PCM, 3, true) => codec::CODEC_ID_PCM_S24BE,
                (PCM, 4, true) => codec::CODEC_ID_PCM_S32BE,
                (FLOAT, 4, false) => codec::CODEC_ID_PCM_F32LE,
                (FLOAT, 8, false) => codec::CODEC_ID_PCM_F64LE,
                (FLOAT, 4, true) => codec::CODEC_ID_PCM_F32BE,
                (FLOAT, 8, true) => codec::CODEC_ID_PCM_F64BE,
                _ => return Sound::Unknown(name(tag, bits)),
            };
            (id, usize::from(channels) * usize::from(sample_bytes), 1)
        }
    };
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(id)
        .with_sample_rate(rate_hz)
        .with_channels(Channels::Discrete(channels));
    Sound::Blocks(BlockFormat {
        parameters,
        block_bytes,
        frames_per_block,
    })
}

/// Bytes of a sample as stored: 12 bits take 2 bytes, and 24 may take 4. Where the two fields about it
/// contradict each other beyond that, the number of bits is right more often.
fn sample_bytes(channels: u16, block_align: u16, bits: u16) -> u16 {
    let by_bits = bits.div_ceil(8);
    let by_block = block_align / channels;
    let is_possible =
        block_align.is_multiple_of(channels) && (by_bits..=by_bits.max(4)).contains(&by_block);
    if by_bits == 0 || is_possible && by_block > 0 {
        by_block
    } else {
        by_bits
    }
}

/// Codec and frames of a block of ADPCM with 4 bits a sample.
fn adpcm(
    tag: u16,
    channels: u16,
    block_align: u16,
) -> Option<(symphonia::core::codecs::audio::AudioCodecId, u64)> {
    let (id, header_bytes, header_frames) = match tag {
        ADPCM_MS => (codec::CODEC_ID_ADPCM_MS, 7, 2),
        _ => (codec::CODEC_ID_ADPCM_IMA_WAV, 4, 1),
    };
    let body = block_align.checked_sub(channels.checked_mul(header_bytes)?)?;
    Some((
        id,
        u64::from(body) * 2 / u64::from(channels) + header_frames,
    ))
}

fn name(tag: u16, bits: u16) -> String {
    match tag {
        PCM => format!("PCM of {bits} bits in WAV"),
        FLOAT => format!("floats of {bits} bits in WAV"),
        0x31 => "GSM 6.10 in WAV".to_owned(),
        0x92 => "Dolby AC-3 in WAV".to_owned(),
        0xFF | 0x1600 | 0x1610 => "AAC in WAV".to_owned(),
        0x161..=0x163 => "Windows Media Audio in WAV".to_owned(),
        0x270 => "ATRAC3 in WAV".to_owned(),
        tag => format!("WAV with codec 0x{tag:04x}"),
    }
}
