//! What the audio thread pays per block of 64 samples on five buses, while the worker separates.
//!
//! Prints p50, p99.9 and the maximum over a million blocks, at a host's pace: 22 minutes. Each is timed on
//! its own: what hurts an audio thread is the one slow block, which a mean hides. Give a number to play
//! other than a million. As hosts do, run it at real-time priority: `chrt -f 50 cargo bench ...`.
//!
//! Interrupts, other threads and the hypervisor stretch blocks as well, and no clock tells them apart
//! from what is ours. Two things do:
//! - Beside each block an empty loop is timed that takes as long as a usual block and touches no memory:
//!   what is stretched as often and as much as that is not ours.
//! - The blocks are played in five rounds of the same work. What a block pays for its own sake (a hop's
//!   edge, a column of the display, a page fault of the plugin's) it pays in every round; an interrupt
//!   meets it in one. So the quickest of its five rounds is printed too.
//!
//! Page faults of the audio thread, which would be ours, are counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bunri_plugin::exchange::{HostBlock, HostSetup, STEM_NAMES, STEMS};
use bunri_plugin::link::{AudioLink, Controls, Strip};
use bunri_plugin::monitor::{Monitor, Phase};
use bunri_plugin::opener::Informed;
use bunri_plugin::params::BunriParams;
use bunri_plugin::separation::{Fitting, Separation};
use bunri_stream::engine::ModelFacts;
use bunri_stream::{ModelSpec, Planar, SeparateError, StemModel};
use rustix::time::{ClockId, clock_gettime};

const BLOCK_FRAMES: usize = 64;
const RATE_HZ: u32 = 48_000;
const HOST_BLOCK: HostBlock = HostBlock {
    frames: BLOCK_FRAMES,
    offline: false,
};
/// With the block itself about as long as the block lasts: a host in real time. A quicker loop is taken
/// for one that renders, and waits for the worker, which is no cost of a block.
const PAUSE: Duration = Duration::from_micros(1270);

/// Costs as little as a model can: what is measured is the audio thread.
struct Quarters(ModelSpec);

impl StemModel for Quarters {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        for stem in stems {
            for (to, from) in stem.channels_mut().zip(chunk.channels()) {
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, from)| *to = 0.25 * from);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {}
}

impl Informed for Quarters {
    fn facts(&self) -> Option<ModelFacts> {
        None
    }
}

/// A link whose worker is as quick as can be.
fn start() -> (Separation<Quarters>, AudioLink) {
    let host = HostSetup {
        rate_hz: RATE_HZ,
        max_block_frames: BLOCK_FRAMES,
        offline: false,
    };
    let model = Quarters(ModelSpec {
        rate_hz: RATE_HZ,
        channels: 2,
        stems: STEM_NAMES.map(String::from).to_vec(),
        chunk_frames: 1024,
        hop_frames: 1024,
        lookahead_frames: 0,
        crossfade_frames: 0,
    });
    let model = Fitting::new(model).expect("four stems");
    let monitor = Arc::new(Monitor::default());
    Separation::start(host, Some(model), Phase::Loading, monitor)
}

/// Two settings of everything; a block of one after a block of the other is inside every ramp.
fn settings() -> [Controls; 2] {
    let strip = |gain, pan, width| Strip {
        gain,
        solo: true,
        mute: false,
        pan,
        width,
    };
    let moved = Controls {
        strips: [strip(0.5, -0.3, 1.7); STEMS],
        dry_wet: 0.7,
        bypass: false,
        consistency: false,
        aux_pre_fader: true,
        dry_in_dropouts: true,
    };
    let other = Controls {
        strips: [strip(1.5, 0.6, 0.2); STEMS],
        dry_wet: 0.9,
        bypass: false,
        consistency: true,
        aux_pre_fader: false,
        dry_in_dropouts: true,
    };
    [moved, other]
}

/// Plays `blocks` blocks in parts of `part_frames` and prints what each cost.
fn measure(name: &str, blocks: usize, part_frames: usize, moving: bool) {
    let blocks = blocks / ROUNDS;
    let mut costs = Costs::with_capacity(blocks);
    let mut empty = Costs::with_capacity(blocks);
    let mut dropouts = 0;
    let mut page_faults = 0;
    for _ in 0..ROUNDS {
        let round = play_round(blocks, part_frames, moving, &mut costs, &mut empty);
        dropouts += round.dropouts;
        page_faults += round.page_faults;
    }
    println!(
        "{name}, {ROUNDS} rounds of {blocks} blocks; {dropouts} dropouts, {page_faults} page faults\n{}\n an empty loop\n{}",
        costs.summary(),
        empty.summary(),
    );
}

/// What should not happen in a round.
struct Round {
    dropouts: u64,
    /// Of this thread, between the calibration and the end.
    page_faults: u64,
}

/// Plays a round on a link of its own.
fn play_round(
    blocks: usize,
    part_frames: usize,
    moving: bool,
    costs: &mut Costs,
    empty: &mut Costs,
) -> Round {
    let (separation, mut link) = start();
    let params = BunriParams::default();
    let settings = settings();
    let mut stems = [[[0.0_f32; BLOCK_FRAMES]; 2]; STEMS];
    let mut play = |block: usize| {
        let mut main = [[0.25_f32; BLOCK_FRAMES]; 2];
        let controls = &settings[if moving { block % 2 } else { 0 }];
        // What `process` does with the host's parameters, although here others are used.
        std::hint::black_box(params.controls());
        for start in (0..BLOCK_FRAMES).step_by(part_frames) {
            let part = start..start + part_frames;
            let [left, right] = &mut main;
            let buses = stems
                .each_mut()
                .map(|bus| bus.each_mut().map(|channel| &mut channel[part.clone()]));
            let part = [&mut left[part.clone()], &mut right[part.clone()]];
            link.process(part, buses, controls, HOST_BLOCK);
        }
        // Between blocks the worker is given time, as in a host: at many times that speed the link
        // takes it for one that renders, and waits for the worker, which is no cost of a block.
    };
    let mut first = Costs::with_capacity(CALIBRATION_BLOCKS);
    for block in 0..CALIBRATION_BLOCKS {
        first.time(|| play(block));
        std::thread::sleep(PAUSE);
    }
    let turns = turns_for(first.median());
    costs.begin_round();
    empty.begin_round();
    let faults_before = page_faults();
    for block in 0..blocks {
        // In turns, for the first of the two meets what the sleep left behind.
        if block % 4 < 2 {
            costs.time(|| play(block));
            empty.time(|| turn(turns));
        } else {
            empty.time(|| turn(turns));
            costs.time(|| play(block));
        }
        std::thread::sleep(PAUSE);
    }
    Round {
        page_faults: page_faults() - faults_before,
        dropouts: separation.counts().dropouts,
    }
}

/// How often each block is played.
const ROUNDS: usize = 5;
/// Blocks after which it is known how long one takes.
const CALIBRATION_BLOCKS: usize = 1000;

/// Works without memory.
fn turn(turns: u32) {
    let mut number = std::hint::black_box(1_u64);
    for _ in 0..turns {
        number = std::hint::black_box(number.wrapping_mul(3));
    }
}

/// How many turns take so long, between pauses: then they take several times as long as without.
fn turns_for(time: Duration) -> u32 {
    const TURNS: u32 = 2000;
    let mut costs = Costs::with_capacity(CALIBRATION_BLOCKS);
    for _ in 0..CALIBRATION_BLOCKS {
        costs.time(|| turn(TURNS));
        std::thread::sleep(PAUSE);
    }
    (f64::from(TURNS) * time.as_secs_f64() / costs.median().as_secs_f64()) as u32
}

/// Page faults of this thread that needed no disk (`proc_pid_stat(5)`, the tenth field).
fn page_faults() -> u64 {
    let line = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // Behind the name, which may have spaces in it, the third field comes first.
    let fields = line.rsplit(')').next().unwrap_or_default();
    let faults = fields.split_whitespace().nth(7);
    faults.and_then(|faults| faults.parse().ok()).unwrap_or(0)
}

/// The two clocks that a block is read on.
struct Now {
    wall: Instant,
    /// Stands still while the kernel runs another thread in this one's place.
    thread: Duration,
}

impl Now {
    fn read() -> Self {
        let thread = clock_gettime(ClockId::ThreadCPUTime);
        Self {
            thread: thread.try_into().expect("a thread's time is not negative"),
            wall: Instant::now(),
        }
    }
}

/// What each block took, on both clocks, round after round.
struct Costs {
    wall: Rounds,
    thread: Rounds,
}

impl Costs {
    /// For [`ROUNDS`] rounds of `blocks`.
    fn with_capacity(blocks: usize) -> Self {
        Self {
            wall: Rounds::with_capacity(blocks),
            thread: Rounds::with_capacity(blocks),
        }
    }

    fn begin_round(&mut self) {
        self.wall.block = 0;
        self.thread.block = 0;
    }

    fn time(&mut self, work: impl FnOnce()) {
        let began = Now::read();
        work();
        self.wall.push(began.wall.elapsed());
        self.thread.push(Now::read().thread - began.thread);
    }

    fn median(&self) -> Duration {
        let mut wall = self.wall.every.clone();
        wall.sort_unstable();
        wall[wall.len() / 2]
    }

    fn summary(self) -> String {
        format!(
            "  wall clock:    {}\n  thread's time: {}",
            self.wall.summary(),
            self.thread.summary()
        )
    }
}

/// What blocks took on one clock.
struct Rounds {
    every: Vec<Duration>,
    /// Of each block, its quickest round.
    quickest: Vec<Duration>,
    /// The next one in this round.
    block: usize,
}

impl Rounds {
    fn with_capacity(blocks: usize) -> Self {
        // Touched, or the audio thread pays for the pages.
        let mut every = vec![Duration::MAX; blocks * ROUNDS];
        std::hint::black_box(&mut every).clear();
        Self {
            every,
            quickest: vec![Duration::MAX; blocks],
            block: 0,
        }
    }

    fn push(&mut self, took: Duration) {
        self.every.push(took);
        self.quickest[self.block] = self.quickest[self.block].min(took);
        self.block += 1;
    }

    fn summary(self) -> String {
        format!(
            "{}\n      quickest:  {}",
            distribution(self.every),
            distribution(self.quickest)
        )
    }
}

fn distribution(mut costs: Vec<Duration>) -> String {
    costs.sort_unstable();
    let at = |part: f64| costs[((costs.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    let block_us = 1e6 * BLOCK_FRAMES as f64 / f64::from(RATE_HZ);
    let is_slow = |cost: &&Duration| 1e6 * cost.as_secs_f64() > 0.01 * block_us;
    format!(
        "p50 {:.2} µs, p99 {:.2} µs, p99.9 {:.2} µs ({:.3} % of {block_us:.0} µs), max {:.1} µs; \
         {} of {} above 1 %",
        at(0.5),
        at(0.99),
        at(0.999),
        100.0 * at(0.999) / block_us,
        at(1.0),
        costs.iter().filter(is_slow).count(),
        costs.len(),
    )
}

fn main() {
    // cargo passes `--bench`.
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let blocks = number.unwrap_or(1_000_000);
    measure("everything moving", blocks, BLOCK_FRAMES, true);
    measure("at rest", blocks / 5, BLOCK_FRAMES, false);
    measure("cut into single frames", blocks / 50, 1, true);
}
