//! How far the host runs ahead of real time, and so how long the audio thread may wait for free.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::exchange::{HostBlock, HostSetup};

/// Longest wait for the worker. One that takes longer will not answer at all.
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// A host with a longer lead than this, in seconds, is not filling a sound card's buffer.
const FREEWHEELING_SECONDS: f64 = 0.1;
/// A shorter lead is enough if it is so much of the time the worker has for its answer. A host
/// that really plays in such bursts leaves the worker none, and only waiting can help.
const FREEWHEELING_PART_OF_LAG: f64 = 0.75;
/// Fewer blocks than this are never a lead: sound cards hold two or three.
const FREEWHEELING_BLOCKS: usize = 4;

/// A host plays if it takes more than this part of the audio's time. One that plays takes all of it, but
/// for what a sound card holds, or what a host prepares that reads ahead (0.2 s of the latency's 1 s); one
/// that renders takes what its project costs, on a busy machine more than half of the time.
const PLAYING_PART: f64 = 0.75;

/// A host that sends nothing for so long has paused; how it played before tells no more.
const PAUSE: Duration = Duration::from_secs(1);
/// Time constant, in seconds of audio, with which lag is forgotten: slowly enough that a host that
/// hung for a moment may catch up without being taken for one that freewheels.
const LAG_MEMORY_SECONDS: f64 = 2.0;

/// Nanoseconds that all instances of this process have waited for their workers. A host that calls
/// them one after the other stands still while one of them waits: the others must not take that for
/// the host's own time, or they would no longer see that it freewheels.
static WAITED_BY_ALL: AtomicU64 = AtomicU64::new(0);

/// Compares the audio that the host has asked for with the time it has taken to do so.
///
/// Some hosts render offline and say they play. Some of those say otherwise with each block (Ardour
/// 7.3's export does, in VST3), the others are recognised by their lead: audio consumed minus time passed. Lag is forgotten, so that a host that played
/// live, or paused, for an hour is recognised as soon as it begins to render.
#[derive(Debug)]
pub struct HostClock {
    host: HostSetup,
    /// A lead of so many seconds and [`FREEWHEELING_BLOCKS`] tells that the host freewheels.
    freewheeling_seconds: f64,
    block_started: Option<Instant>,
    /// Frames of the block that began then.
    block_frames: usize,
    /// The whole block of the host's, of which that one may be a part.
    host_block: HostBlock,
    /// Time that the audio thread has waited in this block.
    waited: Duration,
    /// What all instances have waited, in nanoseconds; [`WAITED_BY_ALL`] but in tests.
    waited_by_all: &'static AtomicU64,
    /// The same when this block began.
    waited_by_all_before: u64,
    /// Seconds of audio given to the host before they were due.
    lead_seconds: f64,
    /// The same with the waiting not counted against the host: what it would lead by if the worker
    /// answered at once.
    own_lead_seconds: f64,
    /// Seconds of audio since the reset, up to the block now playing, and the time that the host
    /// itself took for them.
    since_reset: SinceReset,
}

#[derive(Debug, Default)]
struct SinceReset {
    begun: bool,
    audio_seconds: f64,
    own_seconds: f64,
}

impl HostClock {
    /// Starts with the first block. `lag_frames` is the time that the worker has for its answer.
    #[must_use]
    pub fn new(host: HostSetup, lag_frames: usize) -> Self {
        let freewheeling_seconds =
            FREEWHEELING_SECONDS.min(FREEWHEELING_PART_OF_LAG * host.seconds(lag_frames));
        Self {
            host,
            freewheeling_seconds,
            block_started: None,
            block_frames: 0,
            host_block: HostBlock::default(),
            waited: Duration::ZERO,
            waited_by_all: &WAITED_BY_ALL,
            waited_by_all_before: 0,
            lead_seconds: 0.0,
            own_lead_seconds: 0.0,
            since_reset: SinceReset::default(),
        }
    }

    /// Playing begins anew: the time until the next block tells nothing. What is known of the host
    /// stays known. Real-time safe.
    pub fn reset(&mut self) {
        self.since_reset = SinceReset::default();
    }

    /// Notes what the host sends at once, and whether offline. Real-time safe.
    pub fn host_sends(&mut self, block: HostBlock) {
        self.host_block = block;
    }

    /// Notes that a block begins. Real-time safe (reading the clock is no system call).
    pub fn block_begins(&mut self, now: Instant, frames: usize) {
        let waited_by_all = self.waited_by_all.load(Ordering::Relaxed);
        if let Some(started) = self.block_started {
            let passed = now.saturating_duration_since(started);
            let waited = waited_by_all.saturating_sub(self.waited_by_all_before);
            let own = passed.saturating_sub(Duration::from_nanos(waited));
            if self.since_reset.begun {
                self.since_reset.audio_seconds += self.host.seconds(self.block_frames);
                self.since_reset.own_seconds += own.as_secs_f64();
            }
            if own > PAUSE {
                self.distrust();
            } else {
                let audio_seconds = self.host.seconds(self.block_frames);
                self.lead_seconds = advanced(self.lead_seconds, audio_seconds, passed);
                self.own_lead_seconds = advanced(self.own_lead_seconds, audio_seconds, own);
            }
        }
        self.since_reset.begun = true;
        self.block_started = Some(now);
        self.block_frames = frames;
        self.waited = Duration::ZERO;
        self.waited_by_all_before = waited_by_all;
    }

    /// How long the audio thread may wait now without anybody hearing it.
    ///
    /// Offline, and for hosts that freewheel: [`MAX_WAIT`]. For all others no longer than their
    /// lead, which is zero or a few blocks that a sound card already holds.
    #[must_use]
    pub fn free_wait(&self) -> Duration {
        let block_frames = self.block_frames.max(self.host_block.frames);
        let blocks_seconds = self.host.seconds(FREEWHEELING_BLOCKS * block_frames);
        if self.is_offline()
            || self.own_lead_seconds > self.freewheeling_seconds.max(blocks_seconds)
        {
            MAX_WAIT
        } else {
            let lead = Duration::try_from_secs_f64(self.lead_seconds.max(0.0)).unwrap_or_default();
            lead.saturating_sub(self.waited)
        }
    }

    /// Whether the host was seen to play since the reset: to have taken about as long as the audio
    /// itself. Until there is evidence, it is taken for one that renders. A host that renders without
    /// saying so, slower than that, cannot be told from one that plays.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        let SinceReset {
            begun: _,
            audio_seconds,
            own_seconds,
        } = self.since_reset;
        !self.is_offline() && audio_seconds > 0.0 && own_seconds > PLAYING_PART * audio_seconds
    }

    /// Whether the host says that it renders offline: since its activation, or with this block.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.host.offline || self.host_block.offline
    }

    /// Forgets that the host seemed to lead.
    pub fn distrust(&mut self) {
        self.lead_seconds = 0.0;
        self.own_lead_seconds = 0.0;
    }

    /// Notes a wait.
    pub fn has_waited(&mut self, time: Duration) {
        self.waited += time;
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.waited_by_all.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// The lead after so much audio in so much time.
fn advanced(lead_seconds: f64, audio_seconds: f64, passed: Duration) -> f64 {
    let lead_seconds = lead_seconds + audio_seconds - passed.as_secs_f64();
    if lead_seconds < 0.0 {
        lead_seconds * (1.0 - audio_seconds / LAG_MEMORY_SECONDS).max(0.0)
    } else {
        lead_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostSetup = HostSetup {
        rate_hz: 48_000,
        max_block_frames: 480,
        offline: false,
    };

    /// A clock that tests on other threads do not disturb.
    fn new_clock(host: HostSetup, lag_frames: usize) -> HostClock {
        HostClock {
            waited_by_all: Box::leak(Box::default()),
            ..HostClock::new(host, lag_frames)
        }
    }

    /// Sends blocks of 10 ms at the given times (in ms) and returns the last free wait.
    fn free_wait_after(
        clock: &mut HostClock,
        start: Instant,
        times_ms: impl Iterator<Item = u64>,
    ) -> Duration {
        for time_ms in times_ms {
            clock.block_begins(start + Duration::from_millis(time_ms), 480);
        }
        clock.free_wait()
    }

    /// Guards against blocking the audio thread of a host that really plays.
    #[test]
    fn a_live_host_is_never_waited_for_longer_than_it_leads() {
        let start = Instant::now();
        let mut clock = new_clock(HOST, 48_000);
        let steady = free_wait_after(&mut clock, start, (0..500).map(|block| block * 10));
        assert_eq!(steady, Duration::ZERO);
        // A sound card that had three blocks filled before it started.
        let mut clock = new_clock(HOST, 48_000);
        let times = [0, 0, 0]
            .into_iter()
            .chain((1..500).map(|block| block * 10));
        let filled = free_wait_after(&mut clock, start, times);
        assert!(filled <= Duration::from_millis(21), "{filled:?}");
        // Late and early in turn, as under load: no lead may pile up.
        let mut clock = new_clock(HOST, 48_000);
        let uneven = (0..500).map(|block| block * 10 + if block % 2 == 0 { 6 } else { 0 });
        let uneven = free_wait_after(&mut clock, start, uneven);
        assert!(uneven <= Duration::from_millis(7), "{uneven:?}");
    }

    /// Guards against a host that hung for a moment, on a busy machine, being blocked for good while
    /// it catches up.
    #[test]
    fn catching_up_is_no_lead() {
        let start = Instant::now();
        let mut clock = new_clock(HOST, 48_000);
        free_wait_after(&mut clock, start, (0..200).map(|block| block * 10));
        let caught_up = (0..30).map(|block| 2300 + block / 5);
        let free_wait = free_wait_after(&mut clock, start, caught_up);
        assert!(free_wait <= Duration::from_millis(60), "{free_wait:?}");
    }

    /// Guards against lost hops in the export of a host that claims to play, also after an hour of
    /// playing with pauses, and also when the model is slower than real time.
    #[test]
    fn a_freewheeling_host_is_recognised() {
        let start = Instant::now();
        let mut clock = new_clock(HOST, 48_000);
        free_wait_after(&mut clock, start, (0..100).map(|block| block * 10));
        let after_pause = 3_600_000;
        let fast = (0..50).map(|block| after_pause + block / 10);
        assert_eq!(free_wait_after(&mut clock, start, fast), MAX_WAIT);
        let mut now = start + Duration::from_millis(after_pause + 5);
        for _ in 0..100 {
            now += Duration::from_millis(30);
            clock.has_waited(Duration::from_millis(30));
            clock.block_begins(now, 480);
            assert_eq!(clock.free_wait(), MAX_WAIT);
        }
    }

    /// Guards against a host that is blocked for good because its blocks are cut at every
    /// automation point: a sound card's two blocks at once would be many small ones.
    #[test]
    fn cut_blocks_are_no_lead() {
        let start = Instant::now();
        // A worker that has 40 ms for its answer: a lead of 30 ms tells, if it is four blocks.
        let mut clock = new_clock(HOST, 1920);
        for block in 0..100_u64 {
            // Four blocks of 10 ms at once, as a card with deep buffers asks for them.
            clock.host_sends(HostBlock {
                frames: 480,
                offline: false,
            });
            for _ in 0..480 / 16 {
                clock.block_begins(start + Duration::from_millis(block / 4 * 40), 16);
            }
        }
        assert_ne!(clock.free_wait(), MAX_WAIT);
    }

    /// Guards against renders that fade in, and against transport jumps that do not.
    #[test]
    fn only_a_host_that_takes_its_time_is_playing() {
        let start = Instant::now();
        let mut clock = new_clock(HOST, 4800);
        assert!(!clock.is_playing(), "nothing is known");
        free_wait_after(&mut clock, start, (0..10).map(|block| block * 10));
        assert!(clock.is_playing());
        // A jump, after a pause that tells nothing, and a render.
        clock.reset();
        assert!(!clock.is_playing());
        free_wait_after(&mut clock, start, (0..10).map(|block| 5000 + block));
        assert!(!clock.is_playing());
        // A render on a busy machine, which takes seven tenths of the audio's time.
        clock.reset();
        free_wait_after(&mut clock, start, (0..100).map(|block| 6000 + 7 * block));
        assert!(!clock.is_playing());
        // The same while it waits for the worker is a render still.
        for block in 0..10 {
            clock.has_waited(Duration::from_millis(30));
            clock.block_begins(start + Duration::from_millis(6723 + 30 * block), 480);
        }
        assert!(!clock.is_playing());
    }

    /// Guards an export with several instances: while one waits, the others must not think that the
    /// host itself is slow, and that it plays.
    #[test]
    fn what_other_instances_wait_is_not_the_hosts_time() {
        let start = Instant::now();
        let mut clock = new_clock(HOST, 48_000);
        let mut other = HostClock {
            waited_by_all: clock.waited_by_all,
            ..HostClock::new(HOST, 48_000)
        };
        free_wait_after(&mut clock, start, (0..50).map(|block| block / 10));
        for block in 0..100 {
            other.has_waited(Duration::from_millis(30));
            clock.block_begins(start + Duration::from_millis(5 + 30 * block), 480);
            assert_eq!(clock.free_wait(), MAX_WAIT, "block {block}");
        }
    }
}
