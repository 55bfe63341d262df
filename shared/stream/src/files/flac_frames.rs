//! The frames of FLAC files as they are found: one recording after another, with tags or anything else
//! between and behind them.
//!
//! The decoding library's own reader needs every byte up to the file's end to belong to a frame: it loses
//! the last one before a tag, and most of what follows a second header. Here a frame is what its checksum
//! confirms.
//!
//! A header can promise more frames than there are, since an encoder was stopped or an editor was
//! careless; then the file ends with a complete frame. A file that was cut off ends within one, or with
//! bytes that are no frames: only those count as cut.

use std::collections::VecDeque;
use std::io::{self, Read};

use symphonia::core::checksum::Crc16Ansi;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;
use symphonia::core::io::Monitor as _;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::flac_header::{FrameHeader, StreamInfo};
use super::section::Section;
use super::source::{PacketSource, Step};

/// Reads frame after frame.
pub(super) struct FlacFrames {
    bytes: Bytes,
    info: StreamInfo,
    /// Length of the blocks of this recording, if all but the last have one.
    block_frames: Option<u64>,
    /// The place in the recording that follows the last frame.
    expected: Option<u64>,
    /// Frames of this recording so far, good or not.
    frames: u64,
    /// Whether something damaged was passed since the last frame.
    is_damaged: bool,
    ready: VecDeque<Step>,
}

/// The bytes ahead.
struct Bytes {
    section: Section,
    buffer: Vec<u8>,
    at: usize,
    is_all_read: bool,
}

impl Bytes {
    /// Has `count` bytes ready, or all that are left; how many there are.
    fn fill(&mut self, count: usize) -> io::Result<usize> {
        const READ_BYTES: usize = 1 << 16;
        while !self.is_all_read && self.buffer.len() - self.at < count {
            if self.at > READ_BYTES {
                self.buffer.drain(..self.at);
                self.at = 0;
            }
            let wanted = READ_BYTES.max(count) as u64;
            let read = (&mut self.section)
                .take(wanted)
                .read_to_end(&mut self.buffer)?;
            self.is_all_read = read == 0;
        }
        Ok(self.buffer.len() - self.at)
    }

    fn ready(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Passes mark and metadata of a recording, up to its first frame; `None` where none begins.
    fn stream_header(&mut self) -> io::Result<Option<StreamInfo>> {
        const BLOCK_HEADER_BYTES: usize = 4;
        let info_at = StreamInfo::MARK.len() + BLOCK_HEADER_BYTES;
        self.fill(info_at + StreamInfo::BYTES)?;
        let head = self.ready();
        let info = match head.get(info_at..) {
            // The first block's kind is 0.
            Some(info) if head.starts_with(StreamInfo::MARK) && head[4] & 0x7F == 0 => {
                StreamInfo::read(info)
            }
            _ => None,
        };
        if info.is_none() {
            return Ok(None);
        }
        self.at += StreamInfo::MARK.len();
        loop {
            self.fill(BLOCK_HEADER_BYTES)?;
            let Some(&[kind, high, middle, low]) = self.ready().first_chunk() else {
                break;
            };
            let size = u32::from_be_bytes([0, high, middle, low]) as usize;
            let bytes = BLOCK_HEADER_BYTES + size;
            // A block whose length is wrong: the search for a frame goes on from here.
            if self.fill(bytes)? < bytes {
                break;
            }
            self.at += bytes;
            if kind & 0x80 != 0 {
                break;
            }
        }
        Ok(info)
    }
}

impl FlacFrames {
    /// Reads the header; `None` where the section is no FLAC stream.
    pub(super) fn open(section: Section) -> io::Result<Option<Self>> {
        let mut bytes = Bytes {
            section,
            buffer: Vec::new(),
            at: 0,
            is_all_read: false,
        };
        Ok(bytes.stream_header()?.map(|info| Self {
            bytes,
            info,
            block_frames: None,
            expected: None,
            frames: 0,
            is_damaged: false,
            ready: VecDeque::new(),
        }))
    }

    pub(super) fn parameters(&self) -> AudioCodecParameters {
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(CODEC_ID_FLAC)
            .with_sample_rate(self.info.rate_hz)
            .with_extra_data(self.info.bytes.to_vec().into_boxed_slice());
        parameters
    }

    pub(super) fn told_frames(&self) -> Option<u64> {
        self.info.told_frames
    }

    /// Goes on by a frame, or by what stands in the place of one.
    fn advance(&mut self) -> io::Result<()> {
        let window = self.info.max_frame_bytes() + FrameHeader::MAX_BYTES;
        self.bytes.fill(window)?;
        let bytes = self.bytes.ready();
        let Some(header) = FrameHeader::read(bytes, &self.info) else {
            return self.skip_to_a_frame();
        };
        match end_of_frame(bytes, header, &self.info, self.bytes.is_all_read) {
            FrameEnd::At(end) => {
                let data = bytes[..end].to_vec();
                self.take(header, data);
            }
            FrameEnd::BeforeTheRest => {
                // The decoder reads as far as the frame goes.
                let data = bytes.to_vec();
                self.take(header, data);
                let cut = self.has_fewer_than_told();
                self.ready.push_back(Step::End { cut });
            }
            FrameEnd::DamagedUpTo(next) => {
                self.is_damaged = true;
                self.bytes.at += next;
            }
            FrameEnd::Missing if self.bytes.is_all_read => {
                self.bytes.at = self.bytes.buffer.len();
                self.ready.push_back(Step::End { cut: true });
            }
            FrameEnd::Missing => {
                self.is_damaged = true;
                self.bytes.at += 1;
                self.skip_to_a_frame()?;
            }
        }
        Ok(())
    }

    /// Goes to the next place where a frame or another recording begins.
    fn skip_to_a_frame(&mut self) -> io::Result<()> {
        let mut skipped = 0;
        loop {
            if self.bytes.fill(FrameHeader::MAX_BYTES)? == 0 {
                let cut = skipped > 0 && self.has_fewer_than_told();
                self.ready.push_back(Step::End { cut });
                return Ok(());
            }
            if let Some(info) = self.bytes.stream_header()? {
                if self.is_damaged {
                    self.ready.push_back(Step::Damaged { frames: 0 });
                }
                self.restart(info);
                return Ok(());
            }
            let bytes = self.bytes.ready();
            if FrameHeader::read(bytes, &self.info).is_some() {
                return Ok(());
            }
            // To the next byte that can begin either.
            let step = bytes[1..]
                .iter()
                .position(|byte| matches!(byte, 0xFF | b'f'))
                .map_or(bytes.len(), |place| place + 1);
            self.bytes.at += step;
            skipped += step;
        }
    }

    fn restart(&mut self, info: StreamInfo) {
        self.info = info;
        self.block_frames = None;
        self.expected = None;
        self.frames = 0;
        self.is_damaged = false;
        self.ready.push_back(Step::Restart {
            parameters: self.parameters(),
            told_frames: self.told_frames(),
        });
    }

    /// A good frame, and silence for those that should be in front of it.
    fn take(&mut self, header: FrameHeader, data: Vec<u8>) {
        /// No decoder is asked for more silence at once.
        const PIECE_FRAMES: u64 = 1 << 15;
        self.bytes.at += data.len();
        let at = match header.is_fixed {
            true => header.number * *self.block_frames.get_or_insert(header.frames),
            false => header.number,
        };
        // A recording may begin anywhere, unless it begins with something damaged.
        let expected = self
            .expected
            .unwrap_or(if self.is_damaged { 0 } else { at });
        // No gap is longer than the recording should be.
        let most = self.info.told_frames.unwrap_or(1 << 22);
        let gap = at.saturating_sub(expected);
        let mut gap = if gap > most { 0 } else { gap };
        if self.is_damaged && gap == 0 {
            self.ready.push_back(Step::Damaged { frames: 0 });
        }
        self.is_damaged = false;
        self.expected = Some(at + header.frames);
        self.frames += gap + header.frames;
        while gap > 0 {
            let frames = gap.min(PIECE_FRAMES);
            self.ready.push_back(Step::Damaged { frames });
            gap -= frames;
        }
        let duration = Duration::from(header.frames);
        let packet = Packet::new(0, Timestamp::ZERO, duration, data);
        self.ready.push_back(Step::Packet(packet));
    }

    fn has_fewer_than_told(&self) -> bool {
        self.info.told_frames.is_some_and(|told| self.frames < told)
    }
}

impl PacketSource for FlacFrames {
    fn next(&mut self) -> io::Result<Step> {
        loop {
            match self.ready.pop_front() {
                Some(step) => return Ok(step),
                None => self.advance()?,
            }
        }
    }
}

/// Where a frame ends.
enum FrameEnd {
    /// Here, and another one or the end of everything follows.
    At(usize),
    /// Somewhere, and what follows it is no frame.
    BeforeTheRest,
    /// Nowhere: it is damaged, and the next one begins here.
    DamagedUpTo(usize),
    /// Nowhere in sight.
    Missing,
}

/// Finds the end of the frame at the start of `bytes`, of which `is_all` says whether more follow.
fn end_of_frame(bytes: &[u8], header: FrameHeader, info: &StreamInfo, is_all: bool) -> FrameEnd {
    let mut checksum = Crc16Ansi::new(0);
    let mut summed = 0;
    let mut next = None;
    let candidates = (header.header_bytes..bytes.len())
        .filter(|&place| begins_here(&bytes[place..], info))
        .chain(is_all.then_some(bytes.len()));
    for place in candidates {
        checksum.process_buf_bytes(&bytes[summed..place]);
        summed = place;
        // A message followed by its checksum has the checksum 0.
        if checksum.crc() == 0 {
            return FrameEnd::At(place);
        }
        if place < bytes.len() {
            next.get_or_insert(place);
        }
    }
    if let Some(next) = next {
        return FrameEnd::DamagedUpTo(next);
    }
    if !is_all {
        return FrameEnd::Missing;
    }
    let mut checksum = Crc16Ansi::new(0);
    checksum.process_buf_bytes(&bytes[..header.header_bytes]);
    for byte in &bytes[header.header_bytes..] {
        checksum.process_byte(*byte);
        if checksum.crc() == 0 {
            return FrameEnd::BeforeTheRest;
        }
    }
    FrameEnd::Missing
}

/// Whether a frame of this stream, or another stream, begins here.
fn begins_here(bytes: &[u8], info: &StreamInfo) -> bool {
    match bytes.first() {
        Some(0xFF) => FrameHeader::read(bytes, info).is_some(),
        Some(b'f') => bytes.starts_with(StreamInfo::MARK),
        _ => false,
    }
}
