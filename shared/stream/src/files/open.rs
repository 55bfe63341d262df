//! From a file's name to a source of packets and their decoder.
//!
//! In this order: what is no sound at all is named; files of chunks and FLAC files go to our own readers,
//! everything else to the decoding library; and what neither can decode (Opus, WavPack, HE-AAC, Windows
//! Media and so on) to the user's `ffmpeg` program, if there is one. Compiling a decoder of Opus in would
//! need CMake on every machine that builds Bunri, and would bring one codec of the dozen.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;

use symphonia::core::codecs::audio::well_known as codec;
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error as CodecError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};

use super::blocks::BlockReader;
use super::content::{Content, media_container, named_codec};
use super::edit_list::{Audible, default_track_id, has_index, is_joined, shortened_last_box};
use super::ffmpeg::Ffmpeg;
use super::ffmpeg_reader::FfmpegReader;
use super::flac_frames::FlacFrames;
use super::iff::{self, Sound};
use super::matroska::default_track_number;
use super::section::{Section, bytes_at};
use super::source::{Container, PacketSource, audio_parameters};
use super::tags::Tags;
use super::{FileError, mpeg_tail, ogg_tail, outer_tags, riff_info};

/// Why a file is no audio where there is nothing else to say.
const UNKNOWN: &str = "its first bytes are those of no such format";

/// One audio track of a file, ready to be decoded.
pub(super) struct Opened {
    pub(super) source: Box<dyn PacketSource>,
    pub(super) decoder: Box<dyn AudioDecoder>,
    /// Ticks of a packet's duration in a second.
    pub(super) ticks_hz: Option<u32>,
    pub(super) told: Told,
}

/// What a file says about its sound.
#[derive(Default)]
pub(super) struct Told {
    /// What is to be cut and kept, where the container says so and the decoder does not act.
    pub(super) audible: Option<Audible>,
    /// Frames of padding behind the last audible one.
    pub(super) padding_frames: u64,
    /// Audible frames; never an estimate.
    pub(super) frames: Option<u64>,
    /// The same, or an estimate.
    pub(super) frames_hint: Option<u64>,
    /// Whether the file is shorter than it says it is, beyond doubt.
    pub(super) cut: bool,
    /// Whether a sound that is shorter than told was cut off, whatever it ends with.
    pub(super) is_sure: bool,
    /// Where an MPEG audio stream is in the file.
    pub(super) mpeg: Option<Range<u64>>,
    /// What the recording says about itself.
    pub(super) tags: Tags,
    /// What a user should know.
    pub(super) notes: Vec<String>,
}

/// Recognises the format and makes the decoder of the default track, or of an audio track by its place
/// among them.
pub(super) fn open(path: &Path, place: Option<usize>) -> Result<Opened, FileError> {
    let (mut file, metadata) = file(path)?;
    if !metadata.is_file() {
        let format = container(path, Box::new(file))?;
        return library(path, place, format, None);
    }
    let reading = |error| FileError::reading(path, error);
    let head = bytes_at(&mut file, 0, 1 << 14).map_err(reading)?;
    if let Some(Content { what, advice }) = Content::of(&head, false) {
        return Err(FileError::NotASong {
            path: path.to_owned(),
            what,
            advice,
        });
    }
    let mut range = outer_tags::without_tags(&mut file, metadata.len()).map_err(reading)?;
    let head = bytes_at(&mut file, range.start, 1 << 14).map_err(reading)?;
    let mut is_cut = false;
    if head.starts_with(b"OggS")
        && let Some(end) = ogg_tail::end(&mut file, range.clone()).map_err(reading)?
    {
        range.end = end.at;
        is_cut = !end.is_marked;
    }
    let file_again = File::open(path).map_err(reading)?;
    let opened = regular(path, place, file, range).or_else(|refused| {
        let is_unreadable = matches!(
            refused,
            FileError::NotAudio { .. } | FileError::Unsupported { .. }
        );
        match media_container(&head) {
            Some(container) if is_unreadable => with_ffmpeg(
                path,
                place,
                described(refused, container, named_codec(&head)),
            ),
            _ => Err(refused),
        }
    });
    opened.map(|mut opened| {
        opened.told.cut |= is_cut;
        if opened.told.tags == Tags::default()
            && let Ok(mut format) = container(path, Box::new(file_again))
        {
            // Our own readers pass over them.
            opened.told.tags = Tags::of(&mut *format);
        }
        opened.told.tags.complete(riff_info::read(path));
        opened
    })
}

/// Container and codec, or why they cannot be read.
fn described(refused: FileError, container: &str, codec: Option<&str>) -> String {
    match (refused, codec) {
        (_, Some(codec)) => format!("{codec} in {container}"),
        (FileError::Unsupported { what, .. }, None) => what,
        (FileError::NotAudio { reason, .. }, None) if reason != UNKNOWN => {
            format!("{container} ({reason})")
        }
        _ => container.to_owned(),
    }
}

/// Opens what can be read as sound at all.
fn file(path: &Path) -> Result<(File, Metadata), FileError> {
    let reading = |error| FileError::reading(path, error);
    let metadata = std::fs::metadata(path).map_err(reading)?;
    if metadata.is_dir() {
        return Err(reading(io::ErrorKind::IsADirectory.into()));
    }
    if is_named_pipe(path, &metadata) {
        return Err(FileError::NamedPipe {
            path: path.to_owned(),
        });
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(FileError::Empty {
            path: path.to_owned(),
        });
    }
    Ok((File::open(path).map_err(reading)?, metadata))
}

/// Opening one waits for a writer, who may never come. Those under `/dev` and `/proc` are open already.
#[cfg(unix)]
fn is_named_pipe(path: &Path, metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_open = path.starts_with("/dev") || path.starts_with("/proc");
    metadata.file_type().is_fifo() && !is_open
}

#[cfg(not(unix))]
fn is_named_pipe(_: &Path, _: &Metadata) -> bool {
    false
}

fn regular(
    path: &Path,
    place: Option<usize>,
    mut file: File,
    range: Range<u64>,
) -> Result<Opened, FileError> {
    let reading = |error| FileError::reading(path, error);
    let chunked = iff::parse(&mut file, range.clone()).map_err(reading)?;
    let mark = bytes_at(&mut file, range.start, 4).map_err(reading)?;
    let section = |range, patches| {
        let file = File::open(path)?;
        Section::new(file, range, patches)
    };
    match (chunked, place) {
        (Some(chunked), None | Some(0)) => match chunked.sound {
            Sound::Blocks(format) => {
                let data = section(chunked.data, Vec::new()).map_err(reading)?;
                let source = BlockReader::new(format, data);
                let parameters = source.parameters();
                return opened(
                    path,
                    Box::new(source),
                    &parameters,
                    Told {
                        audible: chunked.heard_frames.map(|frames| Audible {
                            skip_frames: 0,
                            frames: Some(frames),
                        }),
                        frames: chunked.told_frames,
                        frames_hint: Some(chunked.heard_frames.unwrap_or(chunked.frames)),
                        cut: chunked.cut,
                        notes: chunked.note.into_iter().collect(),
                        ..Told::default()
                    },
                );
            }
            Sound::Mpeg => {
                let data = section(chunked.data.clone(), Vec::new()).map_err(reading)?;
                let format = container(path, Box::new(data))?;
                return library(path, place, format, Some(chunked.data));
            }
            // The library knows a few more.
            Sound::Unknown(what) => {
                let data = section(range.clone(), Vec::new()).map_err(reading)?;
                let format = container(path, Box::new(data));
                return format
                    .and_then(|format| library(path, place, format, None))
                    .map_err(|_| unsupported(path, what));
            }
        },
        (None, None | Some(0)) if mark == b"fLaC" => {
            let data = section(range.clone(), Vec::new()).map_err(reading)?;
            if let Some(source) = FlacFrames::open(data).map_err(reading)? {
                let parameters = source.parameters();
                let told_frames = source.told_frames();
                return opened(
                    path,
                    Box::new(source),
                    &parameters,
                    Told {
                        frames: told_frames,
                        frames_hint: told_frames,
                        ..Told::default()
                    },
                );
            }
        }
        _ => {}
    }
    let is_mp4 = bytes_at(&mut file, 4, 4).map_err(reading)? == b"ftyp";
    if is_mp4 && !has_index(&mut file, range.end).map_err(reading)? {
        return Err(FileError::NoIndex {
            path: path.to_owned(),
        });
    }
    let patch = match is_mp4 {
        true => shortened_last_box(&mut file, range.end).map_err(reading)?,
        false => None,
    };
    let data = section(range.clone(), patch.into_iter().collect()).map_err(reading)?;
    let format = container(path, Box::new(data))?;
    let mut opened = library(path, place, format, Some(range.clone()))?;
    if is_mp4 && is_joined(&mut file, range.end).map_err(reading)? {
        let note =
            "another recording follows in the same file; it is not read: split the file to get it";
        opened.told.notes.push(note.to_owned());
    }
    Ok(opened)
}

/// A track of a container that the decoding library reads; `range` is the stream's place in a file.
fn library(
    path: &Path,
    place: Option<usize>,
    mut format: Box<dyn FormatReader>,
    range: Option<Range<u64>>,
) -> Result<Opened, FileError> {
    let name = format.format_info().short_name;
    let tracks: Vec<&Track> = audio_tracks(&*format).collect();
    let default_id = match name {
        "isomp4" => default_track_id(path),
        "matroska" => default_track_number(path),
        _ => None,
    };
    let default_id = default_id
        .or_else(|| format.default_track(TrackType::Audio).map(|track| track.id))
        .ok_or_else(|| unsupported(path, "a container without an audio track"))?;
    let chosen = match place {
        None => tracks.iter().position(|track| track.id == default_id),
        Some(place) => Some(place),
    };
    let chosen = chosen.unwrap_or(0);
    let count = tracks.len();
    let track = *tracks.get(chosen).ok_or_else(|| FileError::NoTrack {
        path: path.to_owned(),
        track: chosen,
        tracks: count,
    })?;
    let parameters = audio_parameters(track)
        .ok_or_else(|| unsupported(path, "an audio track of unknown codec"))?
        .clone();
    let track_id = track.id;
    let ticks_hz = track
        .time_base
        .filter(|base| base.numer.get() == 1)
        .map(|base| base.denom.get());
    let (delay, padding, num_frames) = (track.delay, track.padding, track.num_frames);
    let mut told = Told {
        tags: Tags::of(&mut *format),
        frames_hint: num_frames,
        ..Told::default()
    };
    if place.is_none() && count > 1 {
        let which = match name {
            "isomp4" | "matroska" => "the default one",
            _ => "the first that can be decoded",
        };
        let number = chosen + 1;
        told.notes
            .push(format!("audio track {number} of {count} is read, {which}"));
    }
    let rate_hz = parameters.sample_rate.unwrap_or(0);
    // Times in milliseconds, and codecs whose first packets overlap, are not exact.
    let tolerance = u64::from(rate_hz / 10);
    match name {
        "isomp4" => {
            told.audible = Audible::from_edit_list(path, track_id, rate_hz)
                .or_else(|| Audible::from_itunes_tag(&itunes_tag(&mut *format)?));
            told.frames = told.audible.and_then(|it| it.frames).or(num_frames);
            told.frames_hint = told.frames;
        }
        "mp1" | "mp2" | "mp3" => {
            // The library would cut at the count, which is an estimate or can be wrong.
            told.audible = Some(Audible {
                skip_frames: delay.unwrap_or(0).into(),
                frames: None,
            });
            told.padding_frames = padding.unwrap_or(0).into();
            if let Some(range) = range {
                let has_count = File::open(path)
                    .and_then(|mut file| mpeg_tail::has_a_count(&mut file, range.clone()))
                    .map_err(|error| FileError::reading(path, error))?;
                told.frames = num_frames.filter(|&frames| has_count && frames > 0);
                told.mpeg = Some(range);
            }
        }
        // Its last page says how long it is; chained files are longer.
        "ogg" => {
            told.frames = num_frames.map(|frames| frames.saturating_sub(tolerance));
            told.is_sure = true;
        }
        // Written when all was there; with other tracks, of the longest of them.
        "matroska" if format.tracks().len() == 1 => {
            told.frames = media_seconds(&*format)
                .map(|seconds| ((seconds * f64::from(rate_hz)) as u64).saturating_sub(tolerance));
            told.is_sure = true;
        }
        // The lengths of the others are estimates, or hold padding.
        _ => {}
    }
    let source = Container::new(format, track_id);
    let mut opened = opened(path, Box::new(source), &parameters, told)?;
    opened.ticks_hz = ticks_hz;
    Ok(opened)
}

fn opened(
    path: &Path,
    source: Box<dyn PacketSource>,
    parameters: &AudioCodecParameters,
    told: Told,
) -> Result<Opened, FileError> {
    Ok(Opened {
        source,
        decoder: decoder_for(
            path,
            parameters,
            told.padding_frames == 0 && told.mpeg.is_none(),
        )?,
        ticks_hz: parameters.sample_rate,
        told,
    })
}

/// A decoder; `gapless`: it cuts what the packets say.
pub(super) fn decoder_for(
    path: &Path,
    parameters: &AudioCodecParameters,
    gapless: bool,
) -> Result<Box<dyn AudioDecoder>, FileError> {
    symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default().gapless(gapless))
        .map_err(|error| match codec_name(parameters.codec) {
            Some(name) => unsupported(path, name),
            None => unsupported(path, format!("its audio codec ({error})")),
        })
}

/// Has the user's program decode what is `what`.
fn with_ffmpeg(path: &Path, place: Option<usize>, what: String) -> Result<Opened, FileError> {
    let Some(ffmpeg) = Ffmpeg::find() else {
        return Err(unsupported(path, what));
    };
    let source = FfmpegReader::open(&ffmpeg, path, place)
        .map_err(|said| unsupported(path, format!("{what} (ffmpeg cannot read it: {said})")))?;
    let parameters = source.parameters();
    opened(
        path,
        Box::new(source),
        &parameters,
        Told {
            notes: vec![format!("{what}, decoded by {}", ffmpeg.program.display())],
            ..Told::default()
        },
    )
}

/// How many audio tracks a file holds: one, but for containers that hold the stems of a song.
pub(super) fn count_tracks(path: &Path) -> Result<usize, FileError> {
    let (file, _) = file(path)?;
    match container(path, Box::new(file)) {
        Ok(format) => Ok(audio_tracks(&*format).count()),
        // Files that the library alone cannot read hold one.
        Err(error) => open(path, None).map(|_| 1).map_err(|_| error),
    }
}

fn audio_tracks(format: &dyn FormatReader) -> impl Iterator<Item = &Track> {
    let is_audio = |track: &&Track| audio_parameters(track).is_some();
    format.tracks().iter().filter(is_audio)
}

/// Has the library recognise the format.
fn container(
    path: &Path,
    source: Box<dyn MediaSource>,
) -> Result<Box<dyn FormatReader>, FileError> {
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(&extension.to_ascii_lowercase());
    }
    let stream = MediaSourceStream::new(source, Default::default());
    symphonia::default::get_probe()
        .probe(&hint, stream, Default::default(), Default::default())
        .map_err(|error| unrecognised(path, &error))
}

/// How long a container says it is.
fn media_seconds(format: &dyn FormatReader) -> Option<f64> {
    let media = format.media_info();
    let (duration, base) = media.duration.zip(media.time_base)?;
    Some(duration.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()))
}

/// The value of Apple's tag about encoder delay, if the file has it.
fn itunes_tag(format: &mut dyn FormatReader) -> Option<String> {
    let mut metadata = format.metadata();
    let tags = &metadata.skip_to_latest()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    Some(tag.raw.value.to_string())
}

/// Codecs that the library finds in containers and does not decode.
fn codec_name(id: AudioCodecId) -> Option<&'static str> {
    Some(match id {
        codec::CODEC_ID_OPUS => "Opus",
        codec::CODEC_ID_SPEEX => "Speex",
        codec::CODEC_ID_WAVPACK => "WavPack",
        codec::CODEC_ID_AC3 => "Dolby AC-3",
        codec::CODEC_ID_EAC3 => "Dolby Digital Plus",
        codec::CODEC_ID_DCA => "DTS",
        codec::CODEC_ID_AAC => "AAC other than LC (HE-AAC, say)",
        _ => return None,
    })
}

fn unsupported(path: &Path, what: impl Into<String>) -> FileError {
    FileError::Unsupported {
        path: path.to_owned(),
        what: what.into(),
    }
}

fn unrecognised(path: &Path, error: &CodecError) -> FileError {
    match error {
        CodecError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            FileError::reading(path, io::Error::new(error.kind(), error.to_string()))
        }
        CodecError::Unsupported(_) => FileError::NotAudio {
            path: path.to_owned(),
            reason: UNKNOWN.to_owned(),
        },
        _ => FileError::NotAudio {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}
