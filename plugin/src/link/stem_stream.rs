//! The audio thread's end of the two rings: input goes out, stems come in, each at its place.

use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bunri_stream::input_guard::bounded;
use ringbuf::traits::{Consumer, Producer};
use ringbuf::{HeapCons, HeapProd};

use super::host_clock::{HostClock, MAX_WAIT};
use crate::exchange::{
    CHANNELS, HostBlock, HostSetup, InputFrame, Shared, StemFrame, StemSamples, Timing,
};
use crate::realtime;

/// Pause between two looks at the ring while waiting.
const WAIT_STEP: Duration = Duration::from_micros(200);

/// Shortest wait worth its system calls, when it is not for as long as it takes.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// So many blocks' worth of stems of older epochs are dropped per block.
const STALE_BLOCKS: usize = 8;

/// What connects an audio thread to its worker.
pub(crate) struct Connection {
    pub(crate) input: HeapProd<InputFrame>,
    pub(crate) stems: HeapCons<StemFrame>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) timing: Timing,
    /// The worker's thread, to be woken when the audio thread waits for it.
    pub(crate) worker: Thread,
}

/// Which frames of a block have no stems because the worker is late: those before the first number, and
/// those from the second on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    before: usize,
    from: usize,
}

impl Late {
    /// None of them.
    pub(crate) const NONE: Self = Self {
        before: 0,
        from: usize::MAX,
    };
    const ALL: Self = Self { before: 0, from: 0 };

    /// Whether this frame of the block is one of them. Real-time safe.
    #[inline]
    pub(crate) fn contains(self, frame: usize) -> bool {
        frame < self.before || frame >= self.from
    }
}

/// Sends input frames to the worker and plays what comes back, `lag_frames` later.
///
/// A frame of stems is played at its own place or not at all: where the worker is late there is
/// silence, and what comes too late is skipped.
pub(crate) struct StemStream {
    connection: Connection,
    clock: HostClock,
    epoch: u32,
    /// Frames the host has played in this epoch, before the present block.
    played_frames: u64,
    /// Frames of this epoch that were taken out of the ring.
    received_frames: u64,
    /// Whether the latest frame played was silence for want of stems.
    late: bool,
    /// Whether this epoch began because the worker was too far behind: its first silence is then
    /// the worker's fault as well.
    restarted: bool,
    /// So far behind it is quicker to begin anew than to work through what is too late already.
    give_up_frames: u64,
}

impl StemStream {
    pub(crate) fn new(connection: Connection, host: HostSetup) -> Self {
        let lag_frames = connection.timing.lag_frames();
        Self {
            clock: HostClock::new(host, lag_frames),
            connection,
            epoch: 0,
            played_frames: 0,
            received_frames: 0,
            late: false,
            restarted: false,
            give_up_frames: (2 * lag_frames) as u64 + u64::from(host.rate_hz / 4),
        }
    }

    /// Begins a new past: nothing played so far will be heard. Real-time safe.
    pub(crate) fn reset(&mut self) {
        let Self {
            connection,
            clock,
            epoch,
            played_frames,
            received_frames,
            late,
            restarted,
            give_up_frames: _,
        } = self;
        clock.reset();
        *epoch = epoch.wrapping_add(1);
        connection.shared.set_epoch(*epoch);
        *played_frames = 0;
        *received_frames = 0;
        *late = false;
        *restarted = false;
    }

    /// Begins a new past because the worker will not catch up with the present one.
    fn restart(&mut self) {
        self.connection.shared.monitor.count_restart();
        self.reset();
        self.late = true;
        self.restarted = true;
    }

    /// The host sends this block, of which the next ones may be parts. Real-time safe.
    pub(crate) fn host_sends(&mut self, block: HostBlock) {
        self.clock.host_sends(block);
    }

    /// Whether the host was seen to play in real time since the reset, rather than to render.
    pub(crate) fn host_plays(&self) -> bool {
        self.clock.is_playing()
    }

    /// Whether no more stems will come.
    pub(crate) fn failed(&self) -> bool {
        self.connection.shared.failed()
    }

    /// Sends one block of input and overwrites `stems`, of the same length, at most
    /// `max_block_frames`. Returns which of them are silence for want of stems.
    ///
    /// Real-time safe, except where [`HostClock::free_wait`] says that waiting harms nobody.
    pub(crate) fn process(&mut self, input: [&[f32]; CHANNELS], stems: &mut [StemSamples]) -> Late {
        self.clock.block_begins(Instant::now(), stems.len());
        if !self.send(input) {
            self.connection
                .shared
                .monitor
                .count_late(stems.len(), !self.late);
            self.restart();
            stems.fill(Default::default());
            return Late::ALL;
        }
        let lag_frames = self.connection.timing.lag_frames() as u64;
        let block_start = self.played_frames;
        self.played_frames += stems.len() as u64;
        let silent_frames = lag_frames
            .saturating_sub(block_start)
            .min(stems.len() as u64) as usize;
        let (silent, wanted) = stems.split_at_mut(silent_frames);
        silent.fill(Default::default());
        let mut late = Late::NONE;
        if self.restarted {
            late.before = silent_frames;
            self.connection
                .shared
                .monitor
                .count_late(silent_frames, false);
        }
        if wanted.is_empty() {
            // Room for the worker, who would otherwise stand before a ring full of the past.
            self.drop_stale(STALE_BLOCKS * silent_frames);
            return late;
        }
        let first_wanted = block_start + silent_frames as u64 - lag_frames;
        let got_frames = self.receive_or_wait(first_wanted, wanted);
        let passed_frames = first_wanted + wanted.len() as u64;
        self.connection.shared.set_passed(passed_frames);
        let (_, missing) = wanted.split_at_mut(got_frames);
        self.late = match missing.len() {
            0 => false,
            missing_frames => {
                late.from = silent_frames + got_frames;
                let first = !self.late || got_frames > 0;
                self.connection
                    .shared
                    .monitor
                    .count_late(missing_frames, first);
                true
            }
        };
        missing.fill(Default::default());
        if self
            .played_frames
            .saturating_sub(lag_frames + self.received_frames)
            > self.give_up_frames
        {
            self.restart();
        }
        late
    }

    /// Puts the block into the ring; `false` if there is no room for all of it.
    fn send(&mut self, input: [&[f32]; CHANNELS]) -> bool {
        let epoch = self.epoch;
        let [left, right] = input;
        let frames = left.iter().zip(right).map(|(&left, &right)| InputFrame {
            epoch,
            samples: [bounded(left), bounded(right)],
        });
        self.connection.input.push_iter(frames) == left.len()
    }

    /// Fills `wanted` from its beginning with the frames from `first_wanted` on; returns how many
    /// there were, after waiting for them as long as that is free.
    fn receive_or_wait(&mut self, first_wanted: u64, wanted: &mut [StemSamples]) -> usize {
        let mut got_frames = self.receive(first_wanted, wanted);
        let free_wait = self.clock.free_wait();
        if got_frames == wanted.len() || free_wait < MIN_WAIT {
            return got_frames;
        }
        let began = Instant::now();
        while got_frames < wanted.len() && !self.failed() {
            if began.elapsed() + WAIT_STEP > free_wait {
                if free_wait == MAX_WAIT {
                    // Offline, with a worker that does not answer: say so, once and for all, in
                    // place of waiting as long for the next block. In any other host it is late.
                    if self.clock.is_offline() {
                        self.connection.shared.fail();
                        self.connection.shared.monitor.set_unanswered();
                    }
                    self.clock.distrust();
                }
                break;
            }
            // System calls on the audio thread, in the one case where they harm nobody.
            realtime::exempt(|| {
                self.connection.worker.unpark();
                thread::sleep(WAIT_STEP);
            });
            let (_, rest) = wanted.split_at_mut(got_frames);
            got_frames += self.receive(first_wanted + got_frames as u64, rest);
        }
        self.clock.has_waited(began.elapsed());
        got_frames
    }

    /// Drops at most so many frames of other epochs from the front of the ring.
    fn drop_stale(&mut self, at_most_frames: usize) {
        let stems = &mut self.connection.stems;
        for _ in 0..at_most_frames {
            match stems.first() {
                Some(frame) if frame.epoch != self.epoch => stems.skip(1),
                _ => return,
            };
        }
    }

    /// Fills `wanted` with what is there of the frames from `first_wanted` on. Drops frames of
    /// other epochs and frames that come too late.
    fn receive(&mut self, first_wanted: u64, wanted: &mut [StemSamples]) -> usize {
        let mut got_frames = 0;
        loop {
            let too_late = first_wanted.saturating_sub(self.received_frames);
            let open = too_late + (wanted.len() - got_frames) as u64;
            // Read where they lie. Those behind the ring's end come in the next round.
            let (there, _) = self.connection.stems.as_slices();
            let at_once = there.len().min(usize::try_from(open).unwrap_or(usize::MAX));
            if at_once == 0 {
                return got_frames;
            }
            for frame in there.iter().take(at_once) {
                if frame.epoch != self.epoch {
                    continue;
                }
                if self.received_frames >= first_wanted
                    && let Some(place) = wanted.get_mut(got_frames)
                {
                    *place = frame.samples;
                    got_frames += 1;
                }
                self.received_frames += 1;
            }
            self.connection.stems.skip(at_once);
        }
    }
}
