//! Reading a file block by block.

use std::path::{Path, PathBuf};

use super::FileError;
use super::open::count_tracks;
use super::packets::{Ending, Packet, Packets};
use super::tags::Tags;
use crate::{Planar, input_guard};

/// What was wrong with a file that could be read all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Packets that could not be decoded; silence stands in their place where their length is
    /// known.
    pub skipped_packets: u64,
    /// Frames that should have come at the end: the file was cut off.
    pub missing_frames: u64,
    /// Whether the file was cut off and does not say how much is missing.
    pub cut_off: bool,
    /// Samples that were NaN, infinite or absurdly loud; [`input_guard::bounded`] replaced them.
    pub invalid_samples: u64,
    /// The frame of the first such sample.
    pub first_invalid_frame: Option<u64>,
}

impl Damage {
    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// One sentence about each kind of damage, without the file's name.
    #[must_use]
    pub fn warnings(self, rate_hz: u32) -> Vec<String> {
        let Self {
            skipped_packets,
            missing_frames,
            cut_off,
            invalid_samples,
            first_invalid_frame,
        } = self;
        let seconds = |frames: u64| frames as f64 / f64::from(rate_hz.max(1));
        let mut warnings = Vec::new();
        if skipped_packets > 0 {
            warnings.push(format!(
                "{skipped_packets} damaged packets were replaced by silence"
            ));
        }
        if missing_frames > 0 {
            warnings.push(format!(
                "the file ends {missing_frames} frames ({:.1} s) early: it was cut off or damaged",
                seconds(missing_frames)
            ));
        }
        if cut_off {
            warnings.push("the file was cut off; how much is missing, it does not say".to_owned());
        }
        if let Some(first) = first_invalid_frame {
            warnings.push(format!(
                "{invalid_samples} invalid samples (NaN, infinite or above +60 dBFS) were replaced, \
                 the first at {:.3} s",
                seconds(first)
            ));
        }
        warnings
    }
}

/// Decodes an audio file block by block, at its own rate and with all its channels.
///
/// Encoder delay and padding are left out, so a compressed file is as long as what it was made
/// from. Blocks and reads per file may be of any size: the samples are the same.
pub struct FileReader {
    path: PathBuf,
    packets: Packets,
    frames_hint: Option<u64>,
    rate_hz: u32,
    /// Decoded and not yet handed out, from `taken` on.
    pending: Planar,
    taken: usize,
    frames_read: u64,
    damage: Damage,
    ended: bool,
}

impl FileReader {
    /// Opens a file and decodes its first audible packet.
    ///
    /// # Errors
    /// [`FileError`]: no such file, empty, not audio, an unsupported codec, or no audio in it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::open_place(path.as_ref(), None)
    }

    /// Opens one audio track of a container that holds several, counted from 0: Native
    /// Instruments' `.stem.mp4`, which MUSDB18 uses, holds the mixture and four stems.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`FileError::NoTrack`].
    pub fn open_track(path: impl AsRef<Path>, track: usize) -> Result<Self, FileError> {
        Self::open_place(path.as_ref(), Some(track))
    }

    /// How many audio tracks a file holds.
    ///
    /// # Errors
    /// [`FileError`]: no such file, empty, not audio.
    pub fn count_tracks(path: impl AsRef<Path>) -> Result<usize, FileError> {
        count_tracks(path.as_ref())
    }

    fn open_place(path: &Path, track: Option<usize>) -> Result<Self, FileError> {
        let mut packets = Packets::open(path, track)?;
        let frames_hint = packets.frames_hint();
        let mut damage = Damage::default();
        while let Some(packet) = packets.next()? {
            if packet.damaged {
                damage.skipped_packets += 1;
                continue;
            }
            let rate_hz = packet.rate_hz;
            // Every plane of a decoded packet has the same length.
            let pending = Planar::from_channels(packet.channels).unwrap_or_default();
            if pending.frames() > 0 && rate_hz > 0 {
                return Ok(Self {
                    path: path.to_owned(),
                    packets,
                    frames_hint,
                    rate_hz,
                    pending,
                    taken: 0,
                    frames_read: 0,
                    damage,
                    ended: false,
                });
            }
        }
        Err(FileError::NoAudio {
            path: path.to_owned(),
            bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            skipped: damage.skipped_packets,
        })
    }

    /// Frames per second.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Channels in the file.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.pending.channel_count()
    }

    /// What the recording says about itself: title, artist and the like.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        self.packets.tags()
    }

    /// How many frames the file says it has. For progress only: a damaged file has fewer, and some
    /// formats do not tell.
    #[must_use]
    pub fn frames_hint(&self) -> Option<u64> {
        self.frames_hint
    }

    /// What was damaged so far; complete once [`read`](Self::read) has given `None`.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// Remarks that are no damage: which of several tracks is read, a header that promises too much, what
    /// is not read. Complete once [`read`](Self::read) has given `None`.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        self.packets.notes()
    }

    /// The next frames, at least one and at most `max_frames`; `None` at the end.
    ///
    /// # Errors
    /// [`FileError::Read`] if the device fails, [`FileError::FormatChange`] if the rate or the
    /// channels change. Damaged packets are no errors: see [`damage`](Self::damage).
    pub fn read(&mut self, max_frames: usize) -> Result<Option<Planar>, FileError> {
        let max_frames = max_frames.max(1);
        while !self.ended && self.pending.frames() - self.taken < max_frames {
            match self.packets.next()? {
                Some(packet) => self.take_in(packet)?,
                None => self.end(),
            }
        }
        let frames = max_frames.min(self.pending.frames() - self.taken);
        if frames == 0 {
            return Ok(None);
        }
        let mut block = self.pending.slice(self.taken, frames);
        self.guard(&mut block);
        self.taken += frames;
        self.frames_read += frames as u64;
        Ok(Some(block))
    }

    /// Replaces samples that no model may be given, and counts them.
    fn guard(&mut self, block: &mut Planar) {
        let mut first = None;
        for channel in block.channels_mut() {
            for (frame, sample) in channel.iter_mut().enumerate() {
                if !input_guard::is_valid(*sample) {
                    *sample = input_guard::bounded(*sample);
                    self.damage.invalid_samples += 1;
                    first = Some(first.map_or(frame, |first: usize| first.min(frame)));
                }
            }
        }
        let first = first.map(|frame| self.frames_read + frame as u64);
        self.damage.first_invalid_frame = self.damage.first_invalid_frame.or(first);
    }

    fn take_in(&mut self, packet: Packet) -> Result<(), FileError> {
        self.damage.skipped_packets += u64::from(packet.damaged);
        if packet.channels.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let block = Planar::from_channels(packet.channels).unwrap_or_default();
        if (packet.rate_hz, block.channel_count()) != (self.rate_hz, self.channels()) {
            let frames = self.frames_read + (self.pending.frames() - self.taken) as u64;
            return Err(FileError::FormatChange {
                path: self.path.clone(),
                from: described(self.rate_hz, self.channels()),
                to: described(packet.rate_hz, block.channel_count()),
                frames,
            });
        }
        // What was handed out goes before more comes in, so that memory stays bounded.
        self.pending = self
            .pending
            .slice(self.taken, self.pending.frames() - self.taken);
        self.taken = 0;
        self.pending.append(&block);
        Ok(())
    }

    fn end(&mut self) {
        self.ended = true;
        let Ending {
            missing_frames,
            cut_off,
        } = self.packets.ending();
        self.damage.missing_frames = missing_frames;
        self.damage.cut_off = cut_off;
    }
}

fn described(rate_hz: u32, channels: usize) -> String {
    format!("{channels} channels at {rate_hz} Hz")
}
