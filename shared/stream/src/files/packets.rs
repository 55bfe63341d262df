//! From an open file to decoded packets.
//!
//! A length in a header is a claim. It neither ends a file nor makes it a damaged one: what is there is
//! read, and a file is called cut off where it ends within a packet, without the mark that its format has
//! at the end, or before the size of its own container. Where it ends with a whole packet and its header
//! promises more, the header is wrong, and that is a note. Delay and padding are cut where the file itself
//! tells them.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error as CodecError;

use super::edit_list::Audible;
use super::open::{Opened, Told, decoder_for, open};
use super::source::{PacketSource, Step};
use super::tags::Tags;
use super::{FileError, mpeg_tail};

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

impl Packet {
    fn frames(&self) -> u64 {
        self.channels.first().map_or(0, Vec::len) as u64
    }
}

/// How a file ended.
#[derive(Default)]
pub(super) struct Ending {
    /// Frames that should have come.
    pub(super) missing_frames: u64,
    /// Whether it was cut off and does not say how much is missing.
    pub(super) cut_off: bool,
}

/// The packets of one audio track of a file, in order.
pub(super) struct Packets {
    path: PathBuf,
    source: Box<dyn PacketSource>,
    decoder: Box<dyn AudioDecoder>,
    ticks_hz: Option<u32>,
    damaged_run: u32,
    /// Rate and channels of the last good packet.
    shape: Option<(u32, usize)>,
    told: Told,
    /// Packets that may hold padding: there is none before the end is known.
    held: VecDeque<Packet>,
    /// Audible frames so far, those held included.
    frames: u64,
    ended: bool,
}

impl Packets {
    /// Recognises the format and starts the decoder of the default track, or of an audio track by
    /// its place among them.
    pub(super) fn open(path: &Path, place: Option<usize>) -> Result<Self, FileError> {
        let Opened {
            source,
            decoder,
            ticks_hz,
            told,
        } = open(path, place)?;
        Ok(Self {
            path: path.to_owned(),
            source,
            decoder,
            ticks_hz,
            damaged_run: 0,
            shape: None,
            told,
            held: VecDeque::new(),
            frames: 0,
            ended: false,
        })
    }

    /// Playable frames as the container tells them before the first packet, if it does.
    pub(super) fn frames_hint(&self) -> Option<u64> {
        self.told.frames_hint
    }

    /// What the recording says about itself.
    pub(super) fn tags(&self) -> &Tags {
        &self.told.tags
    }

    /// What a user should know that is no damage.
    pub(super) fn notes(&self) -> &[String] {
        &self.told.notes
    }

    /// The next packet; `None` at the end, or where the rest of the file cannot be followed.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, FileError> {
        loop {
            let held_frames: u64 = self.held.iter().map(Packet::frames).sum();
            if let Some(first) = self.held.front()
                && (self.ended || held_frames - first.frames() >= self.told.padding_frames)
            {
                return Ok(self.held.pop_front());
            }
            if self.ended {
                return Ok(None);
            }
            let is_over = self.told.audible.as_ref().is_some_and(Audible::is_over);
            let packet = if is_over { None } else { self.decode_next()? };
            match packet {
                Some(mut packet) => {
                    if let Some(audible) = &mut self.told.audible {
                        audible.trim(&mut packet.channels);
                    }
                    self.frames += packet.frames();
                    self.held.push_back(packet);
                }
                None => self.end()?,
            }
        }
    }

    /// Cuts the padding, unless the end where it was is missing.
    fn end(&mut self) -> Result<(), FileError> {
        self.ended = true;
        let told = self.told.frames;
        let all = self.frames.saturating_sub(self.told.padding_frames);
        if let Some(stream) = self.told.mpeg.clone()
            && told.is_some_and(|told| told > all)
        {
            let whole = File::open(&self.path)
                .and_then(|mut file| mpeg_tail::ends_with_a_frame(&mut file, stream))
                .map_err(|error| FileError::reading(&self.path, error))?;
            self.told.cut |= !whole;
        }
        self.told.cut |= self.told.is_sure && told.is_some_and(|told| told > all);
        if self.told.cut {
            return Ok(());
        }
        let mut padding = self.told.padding_frames.min(self.frames);
        self.frames -= padding;
        for packet in self.held.iter_mut().rev() {
            let cut = padding.min(packet.frames());
            padding -= cut;
            let kept = (packet.frames() - cut) as usize;
            packet.channels.iter_mut().for_each(|it| it.truncate(kept));
        }
        Ok(())
    }

    /// How the file ended, once there is no more.
    pub(super) fn ending(&mut self) -> Ending {
        let lacking = self.told.frames.unwrap_or(0).saturating_sub(self.frames);
        if self.told.cut {
            return Ending {
                missing_frames: lacking,
                cut_off: lacking == 0,
            };
        }
        if lacking > 0 {
            self.told.notes.push(format!(
                "the header promises {lacking} frames more than there are, but the file ends with a \
                 whole packet: it is taken for complete"
            ));
        }
        Ending::default()
    }

    fn decode_next(&mut self) -> Result<Option<Packet>, FileError> {
        loop {
            if self.damaged_run >= MAX_DAMAGED_RUN {
                self.told.cut = true;
                return Ok(None);
            }
            let step = self.source.next();
            let packet = match step.map_err(|error| FileError::reading(&self.path, error))? {
                Step::Packet(packet) => packet,
                Step::End { cut } => {
                    self.told.cut |= cut;
                    return Ok(None);
                }
                Step::Note(note) => {
                    self.told.notes.push(note);
                    continue;
                }
                Step::Damaged { frames } => {
                    self.damaged_run += u32::from(frames == 0);
                    return Ok(Some(self.damaged(frames)));
                }
                Step::Restart {
                    parameters,
                    told_frames,
                } => {
                    self.decoder = decoder_for(&self.path, &parameters, true)?;
                    self.told.frames = self.told.frames.zip(told_frames).map(|(a, b)| a + b);
                    continue;
                }
            };
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
                    return Ok(Some(self.damaged(packet.dur.get())));
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
        let known = self.ticks_hz == Some(rate_hz) && duration <= MAX_PACKET_FRAMES;
        let frames = if known { duration as usize } else { 0 };
        Packet {
            rate_hz,
            channels: vec![vec![0.0; frames]; channels],
            damaged: true,
        }
    }
}
