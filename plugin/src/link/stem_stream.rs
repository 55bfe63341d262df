//! The audio thread's end of the two rings: input goes out, stems come in, each at its place.

use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use ringbuf::traits::{Consumer, Producer};
use ringbuf::{HeapCons, HeapProd};

use super::host_clock::{HostClock, MAX_WAIT};
use super::stem_block::StemBlock;
use crate::exchange::{CHANNELS, HostBlock, HostSetup, InputFrame, Shared, StemFrame, Timing};
use crate::realtime;

/// Pause between two looks at the ring while waiting.
const WAIT_STEP: Duration = Duration::from_micros(200);

/// Shortest wait worth its system calls, when it is not for as long as it takes.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// So many blocks' worth of stems of older epochs are dropped per block.
const STALE_BLOCKS: usize = 8;

/// The highest amplitude that a model is shown: 60 dB above full scale.
const LOUDEST: f32 = 1000.0;

/// What connects an audio thread to its worker.
pub(crate) struct Connection {
    pub(crate) input: HeapProd<InputFrame>,
    pub(crate) stems: HeapCons<StemFrame>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) timing: Timing,
    /// The worker's thread, to be woken when the audio thread waits for it.
    pub(crate) worker: Thread,
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

    /// Sends one block of input and overwrites as many frames of `stems`, which has room for them.
    ///
    /// Real-time safe, except where [`HostClock::free_wait`] says that waiting harms nobody.
    pub(super) fn process(&mut self, input: [&[f32]; CHANNELS], stems: &mut StemBlock) {
        let frames = input[0].len();
        self.clock.block_begins(Instant::now(), frames);
        if !self.send(input) {
            let monitor = &self.connection.shared.monitor;
            monitor.count_late(frames, !self.late);
            self.restart();
            stems.silence(0, frames);
            return;
        }
        let lag_frames = self.connection.timing.lag_frames() as u64;
        let block_start = self.played_frames;
        self.played_frames += frames as u64;
        let silent = lag_frames.saturating_sub(block_start).min(frames as u64) as usize;
        stems.silence(0, silent);
        if self.restarted {
            let monitor = &self.connection.shared.monitor;
            monitor.count_late(silent, false);
        }
        if silent == frames {
            // Room for the worker, who would otherwise stand before a ring full of the past.
            self.drop_stale(STALE_BLOCKS * silent);
            return;
        }
        let wanted = Wanted {
            first: block_start + silent as u64 - lag_frames,
            place: silent,
            frames: frames - silent,
        };
        let got_frames = self.receive_or_wait(wanted, stems);
        let passed_frames = wanted.first + wanted.frames as u64;
        self.connection.shared.set_passed(passed_frames);
        let missing_frames = wanted.frames - got_frames;
        if missing_frames > 0 {
            let first = !self.late || got_frames > 0;
            let monitor = &self.connection.shared.monitor;
            monitor.count_late(missing_frames, first);
            stems.silence(wanted.place + got_frames, frames);
        }
        self.late = missing_frames > 0;
        let overdue_frames = self
            .played_frames
            .saturating_sub(lag_frames + self.received_frames);
        if overdue_frames > self.give_up_frames {
            self.restart();
        }
    }

    /// Puts the block into the ring; `false` if there is no room for all of it.
    fn send(&mut self, input: [&[f32]; CHANNELS]) -> bool {
        let epoch = self.epoch;
        // A single NaN would live on in the state of a recurrent model until the next reset, and so
        // would what becomes infinite when it is squared.
        let bounded = |sample: f32| {
            if sample.is_nan() {
                0.0
            } else {
                sample.clamp(-LOUDEST, LOUDEST)
            }
        };
        let [left, right] = input;
        let frames = left.iter().zip(right).map(|(&left, &right)| InputFrame {
            epoch,
            samples: [bounded(left), bounded(right)],
        });
        self.connection.input.push_iter(frames) == left.len()
    }

    /// Puts what is wanted into `stems`, from its beginning; returns how many frames there were, after
    /// waiting for them as long as that is free.
    fn receive_or_wait(&mut self, wanted: Wanted, stems: &mut StemBlock) -> usize {
        let mut got_frames = self.receive(wanted, stems);
        let free_wait = self.clock.free_wait();
        if got_frames == wanted.frames || free_wait < MIN_WAIT {
            return got_frames;
        }
        let began = Instant::now();
        while got_frames < wanted.frames && !self.failed() {
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
            got_frames += self.receive(wanted.after(got_frames), stems);
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

    /// Puts into `stems` what is there of what is wanted; returns how many frames. Drops frames of
    /// other epochs and frames that come too late.
    fn receive(&mut self, wanted: Wanted, stems: &mut StemBlock) -> usize {
        let mut got_frames = 0;
        loop {
            let open = wanted.after(got_frames);
            // Read where they lie. Those behind the ring's end come in the next round.
            let (there, _) = self.connection.stems.as_slices();
            let is_ours = |frame: &&StemFrame| frame.epoch == self.epoch;
            let Some(ours) = there.first().map(|frame| is_ours(&frame)) else {
                return got_frames;
            };
            let too_late = open.first.saturating_sub(self.received_frames);
            let same = |at_most: usize| {
                let frames = there.iter().take(at_most);
                frames.take_while(|frame| is_ours(frame) == ours).count()
            };
            let done = if !ours {
                same(there.len())
            } else if too_late > 0 {
                same(usize::try_from(too_late).unwrap_or(usize::MAX))
            } else {
                let frames = same(open.frames);
                stems.put(open.place, there.get(..frames).unwrap_or_default());
                got_frames += frames;
                frames
            };
            if done == 0 {
                return got_frames; // all that was wanted
            }
            if ours {
                self.received_frames += done as u64;
            }
            self.connection.stems.skip(done);
        }
    }
}

/// Frames that a block needs: so many from frame `first` of the stems on, at `place` in the block.
#[derive(Clone, Copy)]
struct Wanted {
    first: u64,
    place: usize,
    frames: usize,
}

impl Wanted {
    /// What is still wanted after `got_frames` of it.
    fn after(self, got_frames: usize) -> Self {
        Self {
            first: self.first + got_frames as u64,
            place: self.place + got_frames,
            frames: self.frames - got_frames,
        }
    }
}
