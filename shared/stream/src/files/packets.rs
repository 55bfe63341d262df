//! From an open file to decoded packets: the only place that knows the decoding library.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as CodecError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;

use super::FileError;
use super::edit_list::Audible;
use super::riff_info;
use super::tags::Tags;

/// Damaged packets in a row after which the rest of a file is given up.
const MAX_DAMAGED_RUN: u32 = 256;

/// One decoded packet.
pub(super) struct Packet {
    pub(super) rate_hz: u32,
    /// `[channels][frames]`; no frames at all where the packet was damaged and its length unknown.
    pub(super) channels: Vec<Vec<f32>>,
    /// Whether the packet could not be decoded; its frames are then silence.
    pub(super) damaged: bool,
}

/// How many audio tracks a file holds: one, but for containers that hold the stems of a song.
pub(super) fn count_tracks(path: &Path) -> Result<usize, FileError> {
    Ok(audio_tracks(&*open_container(path)?).count())
}

fn audio_tracks(format: &dyn FormatReader) -> impl Iterator<Item = &Track> {
    let is_audio = |track: &&Track| matches!(track.codec_params, Some(CodecParameters::Audio(_)));
    format.tracks().iter().filter(is_audio)
}

/// The packets of one audio track of a file, in order.
pub(super) struct Packets {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    damaged_run: u32,
    /// Rate and channels of the last good packet.
    shape: Option<(u32, usize)>,
    /// What is left to cut and to keep, where the container says so and the decoder does not act.
    audible: Option<Audible>,
    tags: Tags,
}

impl Packets {
    /// Recognises the format and starts the decoder of the default track, or of an audio track by
    /// its place among them.
    pub(super) fn open(path: &Path, place: Option<usize>) -> Result<Self, FileError> {
        let mut format = open_container(path)?;
        let mut tags = Tags::of(&mut *format);
        tags.complete(riff_info::read(path));
        let track = match place {
            None => format
                .default_track(TrackType::Audio)
                .ok_or_else(|| unsupported(path, "a container without an audio track"))?,
            Some(place) => {
                let found = audio_tracks(&*format).nth(place);
                found.ok_or_else(|| FileError::NoTrack {
                    path: path.to_owned(),
                    track: place,
                    tracks: audio_tracks(&*format).count(),
                })?
            }
        };
        let track_id = track.id;
        let decoder = decoder_for(path, track)?;
        let rate_hz = decoder.codec_params().sample_rate.unwrap_or(0);
        let audible = match format.format_info().short_name {
            "isomp4" => Audible::from_edit_list(path, track_id, rate_hz)
                .or_else(|| Audible::from_itunes_tag(&itunes_tag(&mut *format)?)),
            _ => None,
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            decoder,
            track_id,
            damaged_run: 0,
            shape: None,
            audible,
            tags,
        })
    }

    /// What the recording says about itself.
    pub(super) fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Playable frames as the container tells them before the first packet, if it does.
    pub(super) fn frames_hint(&self) -> Option<u64> {
        self.audible
            .and_then(|audible| audible.frames)
            .or_else(|| self.track()?.num_frames)
    }

    fn track(&self) -> Option<&Track> {
        self.format
            .tracks()
            .iter()
            .find(|track| track.id == self.track_id)
    }

    /// The next packet; `None` at the end, or where the rest of the file cannot be followed.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, FileError> {
        if self.audible.as_ref().is_some_and(Audible::is_over) {
            return Ok(None);
        }
        let mut packet = self.decode_next()?;
        if let (Some(packet), Some(audible)) = (&mut packet, &mut self.audible) {
            audible.trim(&mut packet.channels);
        }
        Ok(packet)
    }

    fn decode_next(&mut self) -> Result<Option<Packet>, FileError> {
        loop {
            if self.damaged_run >= MAX_DAMAGED_RUN {
                return Ok(None);
            }
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(None),
                // A file that was cut off.
                Err(CodecError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                Err(CodecError::IoError(error)) => {
                    return Err(FileError::reading(&self.path, error));
                }
                // One physical stream after another in one file, as radio recordings have it.
                Err(CodecError::ResetRequired) => {
                    self.restart()?;
                    continue;
                }
                Err(_) => {
                    self.damaged_run += 1;
                    return Ok(Some(self.damaged(0)));
                }
            };
            let duration = packet.dur.get();
            match self.decoder.decode(&packet) {
                Ok(decoded) => {
                    let mut channels = Vec::new();
                    decoded.copy_to_vecs_planar::<f32>(&mut channels);
                    let rate_hz = decoded.spec().rate();
                    self.shape = Some((rate_hz, channels.len()));
                    self.damaged_run = 0;
                    return Ok(Some(Packet {
                        rate_hz,
                        channels,
                        damaged: false,
                    }));
                }
                Err(CodecError::ResetRequired) => self.decoder.reset(),
                Err(_) => {
                    self.damaged_run += 1;
                    return Ok(Some(self.damaged(duration)));
                }
            }
        }
    }

    /// Silence in place of a packet, so that what follows it stays in time.
    fn damaged(&self, duration: u64) -> Packet {
        /// No codec here has packets as long as this.
        const MAX_PACKET_FRAMES: u64 = 1 << 16;
        let (rate_hz, channels) = self.shape.unwrap_or((0, 0));
        // Ticks are frames in every format but mp4, where they usually are as well.
        let ticks_are_frames = self
            .track()
            .and_then(|track| track.time_base)
            .is_some_and(|base| base.numer.get() == 1 && base.denom.get() == rate_hz);
        let known = ticks_are_frames && duration <= MAX_PACKET_FRAMES;
        let frames = if known { duration as usize } else { 0 };
        Packet {
            rate_hz,
            channels: vec![vec![0.0; frames]; channels],
            damaged: true,
        }
    }

    fn restart(&mut self) -> Result<(), FileError> {
        let track = self
            .format
            .default_track(TrackType::Audio)
            .ok_or_else(|| unsupported(&self.path, "a later part without an audio track"))?;
        self.track_id = track.id;
        self.decoder = decoder_for(&self.path, track)?;
        Ok(())
    }
}

/// Recognises the format.
fn open_container(path: &Path) -> Result<Box<dyn FormatReader>, FileError> {
    let file = File::open(path).map_err(|error| FileError::reading(path, error))?;
    let metadata = file
        .metadata()
        .map_err(|error| FileError::reading(path, error))?;
    if metadata.is_dir() {
        return Err(FileError::reading(path, io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(FileError::Empty {
            path: path.to_owned(),
        });
    }
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(&extension.to_ascii_lowercase());
    }
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    symphonia::default::get_probe()
        .probe(&hint, stream, Default::default(), Default::default())
        .map_err(|error| unrecognised(path, &error))
}

fn decoder_for(path: &Path, track: &Track) -> Result<Box<dyn AudioDecoder>, FileError> {
    let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
        return Err(unsupported(path, "an audio track of unknown codec"));
    };
    symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default().gapless(true))
        .map_err(|error| unsupported(path, &format!("its audio codec ({error})")))
}

/// The value of Apple's tag about encoder delay, if the file has it.
fn itunes_tag(format: &mut dyn FormatReader) -> Option<String> {
    let mut metadata = format.metadata();
    let tags = &metadata.skip_to_latest()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    Some(tag.raw.value.to_string())
}

fn unsupported(path: &Path, what: &str) -> FileError {
    FileError::Unsupported {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}

fn unrecognised(path: &Path, error: &CodecError) -> FileError {
    match error {
        CodecError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            FileError::reading(path, io::Error::new(error.kind(), error.to_string()))
        }
        _ => FileError::NotAudio {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}
