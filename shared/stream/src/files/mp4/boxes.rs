//! The boxes that describe the packets (ISO/IEC 14496-12; 14496-14 for AAC).

use std::io;

use super::{Codec, Mp4Writer, Track, alac, tags};
use crate::files::tags::Tags;

/// No rotation: 16.16 fixed-point numbers, the last of 2.30.
const UNIT_MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
/// Full volume, 8.8 fixed-point.
const FULL_VOLUME: u16 = 0x0100;
const ENABLED_AND_IN_MOVIE: u32 = 3;

/// A box of that name around its parts.
pub(super) fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let bytes: usize = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut whole = Vec::with_capacity(bytes);
    whole.extend((bytes as u32).to_be_bytes());
    whole.extend(name);
    parts.iter().for_each(|part| whole.extend(*part));
    whole
}

/// A box of version 0.
pub(super) fn full_box(name: &[u8; 4], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    boxed(name, &[&[&flags.to_be_bytes()[..]], parts].concat())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// `moov`: every track, tags, and `stem`. Times count frames.
pub(super) fn movie(
    file: &Mp4Writer,
    frames: u64,
    tags: &Tags,
    stems: Option<&str>,
) -> io::Result<Vec<u8>> {
    let frames = u32::try_from(frames).map_err(io::Error::other)?;
    let header = full_box(
        b"mvhd",
        0,
        &[
            &words(&[0, 0, file.rate_hz, frames, 0x1_0000]),
            &FULL_VOLUME.to_be_bytes(),
            &[0; 10],
            &words(&UNIT_MATRIX),
            &[0; 24],
            &words(&[file.tracks.len() as u32 + 1]),
        ],
    );
    let tracks = file.tracks.iter().enumerate();
    let tracks = tracks.map(|(place, part)| track(file, part, place as u32, frames));
    let stems = stems.map_or_else(Vec::new, |json| boxed(b"stem", &[json.as_bytes()]));
    let user_data = boxed(b"udta", &[&tags::meta(tags), &stems]);
    Ok(boxed(
        b"moov",
        &[&header, &tracks.collect::<Vec<_>>().concat(), &user_data],
    ))
}

fn track(file: &Mp4Writer, track: &Track, place: u32, frames: u32) -> Vec<u8> {
    // Players that know nothing of stems play the enabled track: the mixture.
    let flags = if place == 0 { ENABLED_AND_IN_MOVIE } else { 0 };
    let header = full_box(
        b"tkhd",
        flags,
        &[
            &words(&[0, 0, place + 1, 0, frames, 0, 0, 0]),
            &FULL_VOLUME.to_be_bytes(),
            &[0; 2],
            &words(&UNIT_MATRIX),
            &[0; 8],
        ],
    );
    let delay = track.delay_frames();
    let edit = full_box(b"elst", 0, &[&words(&[1, frames, delay, 0x1_0000])]);
    let media_header = full_box(
        b"mdhd",
        0,
        // The language "undetermined".
        &[&words(&[0, 0, file.rate_hz, delay + frames, 0x55C4_0000])],
    );
    let name = [track.name.as_bytes(), &[0]].concat();
    let handler = full_box(b"hdlr", 0, &[&[0; 4], b"soun", &[0; 12], &name]);
    let sound = full_box(b"smhd", 0, &[&[0; 4]]);
    let in_this_file = full_box(b"url ", 1, &[]);
    let data = boxed(
        b"dinf",
        &[&full_box(b"dref", 0, &[&words(&[1]), &in_this_file])],
    );
    let media = boxed(
        b"minf",
        &[&sound, &data, &sample_table(file, track, delay + frames)],
    );
    boxed(
        b"trak",
        &[
            &header,
            &boxed(b"edts", &[&edit]),
            &boxed(b"mdia", &[&media_header, &handler, &media]),
        ],
    )
}

/// `stbl`: codec, lengths, sizes and places of the packets.
fn sample_table(file: &Mp4Writer, track: &Track, frames: u32) -> Vec<u8> {
    let packets = track.packet_bytes.len() as u32;
    let packet_frames = track.packet_frames();
    // The encoder's padding behind the last frame is no part of its packet's time.
    let full = (frames / packet_frames).min(packets);
    let rest = frames
        .saturating_sub(full * packet_frames)
        .min(packet_frames);
    let mut durations = vec![[full, packet_frames]];
    if packets > full {
        durations.push([1, rest]);
    }
    if packets > full + 1 {
        durations.push([packets - full - 1, 0]);
    }
    durations.retain(|[count, _]| *count > 0);
    let mut runs: Vec<[u32; 3]> = Vec::new();
    for (number, chunk) in (1..).zip(&track.chunks) {
        if runs.last().is_none_or(|run| run[1] != chunk.packets) {
            runs.push([number, chunk.packets, 1]);
        }
    }
    let offsets: Vec<u64> = track.chunks.iter().map(|chunk| chunk.offset).collect();
    let chunk_count = offsets.len() as u32;
    let offsets = match offsets
        .iter()
        .map(|&offset| u32::try_from(offset))
        .collect()
    {
        Ok::<Vec<u32>, _>(offsets) => {
            full_box(b"stco", 0, &[&words(&[chunk_count]), &words(&offsets)])
        }
        Err(_) => {
            let offsets: Vec<u8> = offsets.iter().flat_map(|at| at.to_be_bytes()).collect();
            full_box(b"co64", 0, &[&words(&[chunk_count]), &offsets])
        }
    };
    boxed(
        b"stbl",
        &[
            &full_box(b"stsd", 0, &[&words(&[1]), &sample_entry(file, track)]),
            &full_box(
                b"stts",
                0,
                &[
                    &words(&[durations.len() as u32]),
                    &words(durations.as_flattened()),
                ],
            ),
            &full_box(
                b"stsc",
                0,
                &[&words(&[runs.len() as u32]), &words(runs.as_flattened())],
            ),
            &full_box(
                b"stsz",
                0,
                &[&words(&[0, packets]), &words(&track.packet_bytes)],
            ),
            &offsets,
        ],
    )
}

fn sample_entry(file: &Mp4Writer, track: &Track) -> Vec<u8> {
    // 16 bits before the point: higher rates stand in the codec's own parameters alone.
    let rate = u16::try_from(file.rate_hz).unwrap_or(0);
    let [channels, bits] = [file.channels as u16, alac::BITS].map(u16::to_be_bytes);
    let entry = [
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &channels,
        &bits,
        &[0; 4],
        &rate.to_be_bytes(),
        &[0; 2],
    ]
    .concat();
    match &track.codec {
        Codec::Alac(alac) => {
            let config = full_box(b"alac", 0, &[&alac.config()]);
            boxed(b"alac", &[&entry, &config])
        }
        Codec::Aac(aac) => {
            let bytes: u64 = track
                .packet_bytes
                .iter()
                .map(|&bytes| u64::from(bytes))
                .sum();
            let packets = track.packet_bytes.len().max(1) as u64;
            let packets_per_second = f64::from(file.rate_hz) / f64::from(track.packet_frames());
            let average = (bytes as f64 / packets as f64 * 8.0 * packets_per_second) as u32;
            let decoder = [
                // MPEG-4 audio, an audio stream, no buffer size told.
                &[0x40, 0x15, 0, 0, 0][..],
                &words(&[average, average]),
                &descriptor(5, &aac.config()),
            ]
            .concat();
            let stream = [
                &[0, 0, 0][..],
                &descriptor(4, &decoder),
                &descriptor(6, &[2]),
            ]
            .concat();
            boxed(
                b"mp4a",
                &[&entry, &full_box(b"esds", 0, &[&descriptor(3, &stream)])],
            )
        }
    }
}

/// A descriptor of MPEG-4 Systems; all of ours are shorter than 128 bytes.
fn descriptor(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag, body.len() as u8], body].concat()
}
