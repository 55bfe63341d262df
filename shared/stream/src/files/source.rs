//! Where packets come from: a reader of the decoding library, or one of ours where that one is too
//! strict.

use std::io;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error as CodecError;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::packet::Packet;

/// What a source gives next.
pub(super) enum Step {
    /// Something to decode.
    Packet(Packet),
    /// Something that could not be read, and how many frames it had.
    Damaged { frames: u64 },
    /// Another recording begins.
    Restart {
        parameters: AudioCodecParameters,
        /// As many frames as its header says.
        told_frames: Option<u64>,
    },
    /// Nothing is left. `cut`: the end is missing for certain, since the file ends within a packet or
    /// without the mark that its format has there.
    End { cut: bool },
}

/// Packets of one audio track, in order.
pub(super) trait PacketSource: Send {
    /// The next one.
    ///
    /// # Errors
    /// Those of the device.
    fn next(&mut self) -> io::Result<Step>;
}

/// A reader of the decoding library.
pub(super) struct Container {
    format: Box<dyn FormatReader>,
    track_id: u32,
}

impl Container {
    pub(super) fn new(format: Box<dyn FormatReader>, track_id: u32) -> Self {
        Self { format, track_id }
    }

    fn restarted(&mut self) -> Option<AudioCodecParameters> {
        let track = self.format.default_track(TrackType::Audio)?;
        self.track_id = track.id;
        audio_parameters(track).cloned()
    }

    /// mp3 and ADTS have no mark at their end and can begin and end anywhere, as radio recordings do:
    /// half a packet there means no more than that.
    fn has_an_end(&self) -> bool {
        !matches!(
            self.format.format_info().short_name,
            "mp1" | "mp2" | "mp3" | "aac"
        )
    }
}

impl PacketSource for Container {
    fn next(&mut self) -> io::Result<Step> {
        loop {
            return Ok(match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => Step::Packet(packet),
                Ok(Some(_)) => continue,
                Ok(None) => Step::End { cut: false },
                Err(CodecError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Step::End {
                        cut: self.has_an_end(),
                    }
                }
                Err(CodecError::IoError(error)) => return Err(error),
                // One physical stream after another in one file, as radio recordings have it.
                Err(CodecError::ResetRequired) => match self.restarted() {
                    Some(parameters) => Step::Restart {
                        parameters,
                        told_frames: None,
                    },
                    None => Step::End { cut: false },
                },
                Err(_) => Step::Damaged { frames: 0 },
            });
        }
    }
}

/// What a decoder needs to know of an audio track.
pub(super) fn audio_parameters(track: &Track) -> Option<&AudioCodecParameters> {
    match &track.codec_params {
        Some(CodecParameters::Audio(parameters)) => Some(parameters),
        _ => None,
    }
}
