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
    /// Something that a user should know.
    Note(String),
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
    /// Where in time the next packet should begin.
    expected: i64,
    /// Packets of this recording so far.
    packets: u64,
    /// A packet that follows a gap.
    late: Option<Packet>,
}

impl Container {
    pub(super) fn new(format: Box<dyn FormatReader>, track_id: u32) -> Self {
        Self {
            format,
            track_id,
            expected: 0,
            packets: 0,
            late: None,
        }
    }

    fn restarted(&mut self) -> Option<AudioCodecParameters> {
        let track = self.format.default_track(TrackType::Audio)?;
        self.track_id = track.id;
        self.packets = 0;
        audio_parameters(track).cloned()
    }

    /// How many frames are missing in front of a packet: the library passes over pages of Ogg that are
    /// damaged without a word, and only the times show it.
    fn gap(&mut self, packet: &Packet) -> u64 {
        /// The times of the first packets of Vorbis do not meet: the delay is cut there.
        const FIRST_PACKETS: u64 = 4;
        if self.format.format_info().short_name != "ogg" {
            return 0;
        }
        let begins = packet.pts.get();
        let gap = begins.saturating_sub(self.expected);
        let duration = i64::try_from(packet.dur.get()).unwrap_or(0);
        self.expected = begins.saturating_add(duration);
        self.packets += 1;
        match u64::try_from(gap) {
            Ok(frames) if self.packets > FIRST_PACKETS => frames,
            _ => 0,
        }
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
        if let Some(packet) = self.late.take() {
            return Ok(Step::Packet(packet));
        }
        loop {
            return Ok(match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => match self.gap(&packet) {
                    0 => Step::Packet(packet),
                    frames => {
                        self.late = Some(packet);
                        Step::Damaged { frames }
                    }
                },
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
