//! MP4 files with AAC or Apple Lossless: one track, or the several of a stem file.
//!
//! ```text
//! ftyp │ free, or the upper half of a size beyond 4 GiB │ mdat: packets │ moov: where they are
//! ```
//!
//! Written here and not by `ffmpeg`: Apple Lossless then needs no other program, and the tracks'
//! flags and exact lengths, and the box that describes stems, are set in one place.

mod boxes;
mod tags;

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use super::adts::{self, AacPackets};
use super::alac::{self, AlacPackets};
use super::encoding::Encoding;
use super::tags::Tags;
use super::write::Samples;

/// Packets in a row of one track that players may have to read at once: about a second.
const MAX_CHUNK_PACKETS: u32 = 32;

/// Packets of one track that lie one behind the other.
struct Chunk {
    offset: u64,
    packets: u32,
}

enum Codec {
    Alac(Box<AlacPackets>),
    Aac(AacPackets),
}

struct Track {
    /// What players call it.
    name: &'static str,
    codec: Codec,
    packet_bytes: Vec<u32>,
    chunks: Vec<Chunk>,
}

impl Track {
    fn packet_frames(&self) -> u32 {
        match self.codec {
            Codec::Alac(_) => alac::PACKET_FRAMES,
            Codec::Aac(_) => adts::PACKET_FRAMES,
        }
    }

    fn delay_frames(&self) -> u32 {
        match self.codec {
            Codec::Alac(_) => 0,
            Codec::Aac(_) => adts::DELAY_FRAMES,
        }
    }
}

/// Writes packets as they come; what describes them follows at the end.
pub(super) struct Mp4Writer {
    file: BufWriter<File>,
    position: u64,
    /// Where the size of the audio stands.
    mdat_at: u64,
    rate_hz: u32,
    channels: usize,
    tracks: Vec<Track>,
}

impl Mp4Writer {
    /// Starts a file with tracks of one kind, by their names.
    pub(super) fn new(
        file: File,
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
        names: &[&'static str],
    ) -> io::Result<Self> {
        let codec = || match encoding {
            Encoding::Alac16 => Ok(Codec::Alac(Box::new(AlacPackets::new(rate_hz, channels)))),
            Encoding::Aac(kbit) => AacPackets::new(rate_hz, channels, kbit).map(Codec::Aac),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        let track = |name, codec| Track {
            name,
            codec,
            packet_bytes: Vec::new(),
            chunks: Vec::new(),
        };
        let tracks = names
            .iter()
            .map(|name| codec().map(|codec| track(*name, codec)));
        let mut writer = Self {
            file: BufWriter::new(file),
            position: 0,
            mdat_at: 0,
            rate_hz,
            channels,
            tracks: tracks.collect::<io::Result<_>>()?,
        };
        writer.append(&boxes::boxed(b"ftyp", &[b"M4A \0\0\0\0M4A mp42isom"]))?;
        writer.append(&boxes::boxed(b"free", &[]))?;
        writer.mdat_at = writer.position;
        writer.append(b"\0\0\0\0mdat")?;
        Ok(writer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Takes samples of a track, channels taking turns.
    pub(super) fn write(&mut self, track: usize, samples: Samples<'_>) -> io::Result<()> {
        let mut packets = Vec::new();
        match (&mut self.tracks[track].codec, samples) {
            (Codec::Alac(alac), Samples::Integers(samples)) => alac.encode(samples, &mut packets),
            (Codec::Aac(aac), Samples::Floats(samples)) => aac.encode(samples, &mut packets)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        self.append_packets(track, &packets)
    }

    fn append_packets(&mut self, track: usize, packets: &[Vec<u8>]) -> io::Result<()> {
        let mut chunk = Chunk {
            offset: self.position,
            packets: 0,
        };
        for packet in packets {
            if chunk.packets == MAX_CHUNK_PACKETS {
                let next = Chunk {
                    offset: self.position,
                    packets: 0,
                };
                let full = std::mem::replace(&mut chunk, next);
                self.tracks[track].chunks.push(full);
            }
            self.append(packet)?;
            chunk.packets += 1;
            self.tracks[track].packet_bytes.push(packet.len() as u32);
        }
        if chunk.packets > 0 {
            self.tracks[track].chunks.push(chunk);
        }
        Ok(())
    }

    /// Completes tracks of `frames` frames each, with tags and what describes the stems.
    pub(super) fn finish(
        mut self,
        frames: u64,
        tags: &Tags,
        stems: Option<&str>,
    ) -> io::Result<()> {
        for track in 0..self.tracks.len() {
            let mut packets = Vec::new();
            match &mut self.tracks[track].codec {
                Codec::Alac(alac) => alac.finish(&mut packets),
                Codec::Aac(aac) => aac.finish(&mut packets)?,
            }
            self.append_packets(track, &packets)?;
        }
        let audio_bytes = self.position - self.mdat_at;
        let movie = boxes::movie(&self, frames, tags, stems)?;
        self.append(&movie)?;
        match u32::try_from(audio_bytes) {
            Ok(bytes) => {
                self.file.seek(SeekFrom::Start(self.mdat_at))?;
                self.file.write_all(&bytes.to_be_bytes())?;
            }
            // A longer header in the place of the empty box and the shorter one.
            Err(_) => {
                self.file.seek(SeekFrom::Start(self.mdat_at - 8))?;
                self.file.write_all(b"\0\0\0\x01mdat")?;
                self.file.write_all(&(audio_bytes + 8).to_be_bytes())?;
            }
        }
        self.file.flush()
    }
}
