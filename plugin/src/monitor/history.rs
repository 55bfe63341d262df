//! The stems of the last seconds, for a scrolling display: a column for every few milliseconds.
//!
//! One writer, the audio thread, which never waits; any number of readers, who get whole columns
//! or none. A column that was overwritten while it was read is not given out.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::AtomicF32;
use crate::exchange::{CHANNELS, STEMS};

/// Columns per second of audio, at least; 7.8 ms each.
pub const COLUMNS_PER_SECOND: u32 = 128;
/// Columns kept: 16 s.
pub const COLUMNS: usize = 2048;

/// One channel of one stem over a column's time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelColumn {
    /// Lowest sample.
    pub min: f32,
    /// Highest sample.
    pub max: f32,
    /// Root of the mean square.
    pub rms: f32,
}

/// One stem over a column's time, `[left, right]`.
pub type StemColumn = [ChannelColumn; CHANNELS];

/// What was heard during one column, stems behind their faders, in the order of their buses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Column {
    /// The stems.
    pub stems: [StemColumn; STEMS],
}

#[derive(Debug)]
struct Slot([[[AtomicF32; 3]; CHANNELS]; STEMS]);

impl Slot {
    /// Silence whose bits are not zeros: memory of zeros the system hands out at the first write, which
    /// would be the audio thread's.
    fn written() -> Self {
        let slot = Self(Default::default());
        for value in slot.0.iter().flatten().flatten() {
            value.set(-0.0);
        }
        slot
    }
}

/// The columns of the last 16 seconds.
#[derive(Debug)]
pub struct History {
    slots: Vec<Slot>,
    /// Columns complete since the plugin was made.
    written: AtomicU64,
    frames_per_column: AtomicU32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            slots: (0..COLUMNS).map(|_| Slot::written()).collect(),
            written: AtomicU64::new(0),
            frames_per_column: AtomicU32::new(0),
        }
    }
}

impl History {
    /// Columns complete since the plugin was made: the number of the next one.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Frames of the host's that one column covers now; 0 before the first activation.
    #[must_use]
    pub fn frames_per_column(&self) -> u32 {
        self.frames_per_column.load(Ordering::Relaxed)
    }

    /// Appends to `columns` every column there is from number `from` on, oldest first, and returns
    /// the number of the first one appended (later than `from` where older ones are gone). The next
    /// call's `from` is that number plus how many were appended. Lock-free.
    pub fn read(&self, from: u64, columns: &mut Vec<Column>) -> u64 {
        let written = self.written();
        // One less than there are: the oldest may be the one that is being overwritten.
        let oldest = written.saturating_sub(COLUMNS as u64 - 1);
        let first = from.clamp(oldest, written);
        let start = columns.len();
        columns.extend((first..written).map(|number| self.column(number)));
        fence(Ordering::Acquire);
        // What the writer has begun to overwrite meanwhile.
        let oldest = self
            .written
            .load(Ordering::Relaxed)
            .saturating_sub(COLUMNS as u64 - 1);
        let stale = oldest.saturating_sub(first).min(written - first);
        columns.drain(start..start + stale as usize);
        first + stale
    }

    fn column(&self, number: u64) -> Column {
        let Slot(stems) = &self.slots[(number % COLUMNS as u64) as usize];
        Column {
            stems: stems.each_ref().map(|channels| {
                channels.each_ref().map(|[min, max, rms]| ChannelColumn {
                    min: min.get(),
                    max: max.get(),
                    rms: rms.get(),
                })
            }),
        }
    }

    /// Audio thread: a column is complete. Real-time safe.
    pub(crate) fn push(&self, column: &Column) {
        let number = self.written.load(Ordering::Relaxed);
        // No sample of this column may be seen before it is seen that it is being written.
        fence(Ordering::Release);
        let Some(Slot(stems)) = self.slots.get((number % COLUMNS as u64) as usize) else {
            return;
        };
        for (slots, channels) in stems.iter().zip(&column.stems) {
            for ([min, max, rms], channel) in slots.iter().zip(channels) {
                min.set(channel.min);
                max.set(channel.max);
                rms.set(channel.rms);
            }
        }
        self.written.store(number + 1, Ordering::Release);
    }

    /// Main thread: columns of so many frames from now on.
    pub(crate) fn set_frames_per_column(&self, frames: u32) {
        self.frames_per_column.store(frames, Ordering::Relaxed);
    }
}

/// Collects frames into columns. Belongs to the audio thread.
#[derive(Debug)]
pub(crate) struct ColumnWriter {
    column_frames: u32,
    frames: u32,
    column: Column,
}

impl ColumnWriter {
    /// Columns of about 1/[`COLUMNS_PER_SECOND`] s at this rate.
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self {
            column_frames: (rate_hz / COLUMNS_PER_SECOND).max(1),
            frames: 0,
            column: EMPTY,
        }
    }

    pub(crate) fn column_frames(&self) -> u32 {
        self.column_frames
    }

    /// Forgets a column that was begun.
    pub(crate) fn reset(&mut self) {
        let Self {
            column_frames: _,
            frames,
            column,
        } = self;
        *frames = 0;
        *column = EMPTY;
    }

    /// Takes one frame of every stem. Real-time safe.
    #[inline]
    pub(crate) fn add(&mut self, stems: &[[f32; CHANNELS]; STEMS], history: &History) {
        for (channels, samples) in self.column.stems.iter_mut().zip(stems) {
            for (channel, &sample) in channels.iter_mut().zip(samples) {
                channel.min = channel.min.min(sample);
                channel.max = channel.max.max(sample);
                channel.rms += sample * sample; // a sum of squares until the column is complete
            }
        }
        self.frames += 1;
        if self.frames == self.column_frames {
            for channel in self.column.stems.iter_mut().flatten() {
                channel.rms = (channel.rms / self.column_frames as f32).sqrt();
            }
            history.push(&self.column);
            self.reset();
        }
    }
}

/// Nothing heard yet.
const EMPTY: Column = Column {
    stems: [[ChannelColumn {
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
        rms: 0.0,
    }; CHANNELS]; STEMS],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u64) -> Column {
        let value = number as f32;
        let channel = ChannelColumn {
            min: value,
            max: value,
            rms: value,
        };
        Column {
            stems: [[channel; CHANNELS]; STEMS],
        }
    }

    #[test]
    fn columns_hold_what_was_played() {
        let history = History::default();
        let mut writer = ColumnWriter::new(512);
        for sample in [0.5, -0.25, 0.0, 0.5, 1.0, 1.0, 1.0] {
            writer.add(&[[sample, -sample]; STEMS], &history);
        }
        let mut columns = Vec::new();
        assert_eq!(history.read(0, &mut columns), 0);
        assert_eq!(
            columns.len(),
            1,
            "three frames of the second column are missing"
        );
        let [left, right] = columns[0].stems[3];
        assert_eq!((left.min, left.max), (-0.25, 0.5));
        assert_eq!((right.min, right.max), (-0.5, 0.25));
        assert_eq!(left.rms, (0.562_5_f32 / 4.0).sqrt());
    }

    /// Guards against a display that shows columns twice, or jumps back in time.
    #[test]
    fn a_reader_gets_each_column_once_and_knows_what_it_missed() {
        let history = History::default();
        let mut next = 0;
        let mut written = 0;
        for burst in [1, 5, 0, 100, 2047, 5000, 3] {
            for _ in 0..burst {
                history.push(&numbered(written));
                written += 1;
            }
            let mut columns = Vec::new();
            let first = history.read(next, &mut columns);
            assert!(first >= next);
            for (column, number) in columns.iter().zip(first..) {
                assert_eq!(*column, numbered(number));
            }
            next = first + columns.len() as u64;
            assert_eq!(next, written);
        }
    }

    /// Guards against torn columns while the audio thread writes.
    #[test]
    fn a_reader_never_sees_half_a_column() {
        let history = History::default();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..60_000).for_each(|n| history.push(&numbered(n))));
            let mut next = 0;
            let mut columns = Vec::new();
            while !writer.is_finished() {
                columns.clear();
                let first = history.read(next, &mut columns);
                for (column, number) in columns.iter().zip(first..) {
                    assert_eq!(*column, numbered(number));
                }
                next = first + columns.len() as u64;
            }
        });
    }
}
