//! The audio thread's half: takes the host's blocks, gives back the mix and the stems.
//!
//! ```text
//! block ┬ stem_stream ─ rings, worker ─ stems ┬ mixer ─ buses
//!       └ delay_line ───────────────── dry ───┘   └ meters, history
//! ```
//!
//! - [`delay_line`]: the dry signal, as late as the stems.
//! - [`mixer`]: faders and switches, without clicks; [`ramp`]: the values that they move by.
//! - `fade_in`: how playing begins anew.
//! - [`host_clock`]: when waiting for the worker harms nobody.
//! - `stem_stream`: the rings to and from the worker.

pub mod delay_line;
mod fade_in;
pub mod host_clock;
pub mod mixer;
pub mod ramp;
mod stem_stream;

use std::sync::Arc;

use delay_line::DelayLine;
use fade_in::FadeIn;
pub use mixer::{Controls, Strip};
use mixer::{Mixer, Sources, Watchers};
pub(crate) use stem_stream::{Connection, Late, StemStream};

use crate::exchange::{CHANNELS, HostBlock, HostSetup, STEMS, StemSamples};
use crate::monitor::Monitor;
use crate::monitor::history::ColumnWriter;
use crate::monitor::meters::BlockLoudness;
use crate::realtime;

/// One stereo bus of a block.
pub type Bus<'a> = [&'a mut [f32]; CHANNELS];

/// The audio thread's half of a separation. Made on the main thread; then only the audio thread
/// touches it.
pub struct AudioLink {
    stream: Option<StemStream>,
    latency_frames: usize,
    rate_hz: u32,
    dry: DelayLine,
    mixer: Mixer,
    fade_in: FadeIn,
    /// Whether nothing has been played since the reset: the controls then need no ramps.
    fresh: bool,
    stems: Vec<StemSamples>,
    columns: ColumnWriter,
    monitor: Arc<Monitor>,
}

impl AudioLink {
    /// Stems of `stream` where there is one; otherwise dry audio. `latency_frames` holds for both.
    pub(crate) fn new(
        stream: Option<StemStream>,
        latency_frames: usize,
        host: &HostSetup,
        monitor: Arc<Monitor>,
    ) -> Self {
        let columns = ColumnWriter::new(host.rate_hz);
        monitor
            .history
            .set_frames_per_column(columns.column_frames());
        Self {
            stream,
            latency_frames,
            rate_hz: host.rate_hz,
            dry: DelayLine::new(latency_frames),
            mixer: Mixer::new(host.rate_hz),
            fade_in: FadeIn::new(latency_frames, host.rate_hz),
            fresh: true,
            stems: vec![StemSamples::default(); host.max_block_frames.max(1)],
            columns,
            monitor,
        }
    }

    /// The latency of all buses, in frames.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency_frames
    }

    /// Forgets what was played: silence for one latency, then what comes now. Real-time safe.
    pub fn reset(&mut self) {
        realtime::promised(|| self.forget());
    }

    fn forget(&mut self) {
        let Self {
            stream,
            latency_frames: _,
            rate_hz: _,
            dry,
            mixer: _, // the first block jumps to its controls
            fade_in,
            fresh,
            stems: _, // overwritten before they are read
            columns,
            monitor: _,
        } = self;
        if let Some(stream) = stream {
            stream.reset();
        }
        dry.reset();
        fade_in.reset();
        columns.reset();
        *fresh = true;
    }

    /// Overwrites the input in `main` with the mix, and `stem_buses` with the stems, all later by
    /// the latency. All buses must have one length; of any number of frames.
    ///
    /// `host`: what it told with the block that this is, or is a part of. What is no number counts as
    /// silence, on every bus, and so does what is denormal (below 1.2e-38), which is slow to compute with.
    ///
    /// Real-time safe: no locks, no allocation, and no system calls except for waiting where
    /// [`host_clock::HostClock::free_wait`] says that it harms nobody.
    pub fn process(
        &mut self,
        main: Bus<'_>,
        stem_buses: [Bus<'_>; STEMS],
        controls: &Controls,
        host: HostBlock,
    ) {
        realtime::promised(|| self.play(main, stem_buses, controls, host));
    }

    fn play(
        &mut self,
        main: Bus<'_>,
        stem_buses: [Bus<'_>; STEMS],
        controls: &Controls,
        host: HostBlock,
    ) {
        if let Some(stream) = &mut self.stream {
            stream.host_sends(HostBlock {
                frames: host.frames.max(main[0].len()),
                ..host
            });
        }
        let [mut left, mut right] = main;
        let mut stem_buses = stem_buses;
        let mut loudness = BlockLoudness::default();
        while !left.is_empty() && !right.is_empty() {
            let frames = left.len().min(right.len()).min(self.stems.len());
            let main_block = [
                split_front(&mut left, frames),
                split_front(&mut right, frames),
            ];
            let stem_blocks = stem_buses
                .each_mut()
                .map(|bus| bus.each_mut().map(|channel| split_front(channel, frames)));
            self.process_block(main_block, stem_blocks, controls, &mut loudness);
        }
        self.monitor.meters.played(&loudness, self.rate_hz);
    }

    /// Like `process`, for at most as many frames as the host announced.
    fn process_block(
        &mut self,
        mut main: Bus<'_>,
        stem_buses: [Bus<'_>; STEMS],
        controls: &Controls,
        loudness: &mut BlockLoudness,
    ) {
        for sample in main.iter_mut().flat_map(|channel| channel.iter_mut()) {
            if !sample.is_normal() {
                *sample = 0.0;
            }
        }
        let frames = main[0].len();
        let Some(stems) = self.stems.get_mut(..frames) else {
            return;
        };
        let mut playing = false;
        let mut late = Late::NONE;
        let separating = match &mut self.stream {
            Some(stream) if !stream.failed() => {
                late = stream.process([&*main[0], &*main[1]], stems);
                playing = stream.host_plays();
                !stream.failed()
            }
            _ => {
                stems.fill(StemSamples::default());
                false
            }
        };
        self.dry.process(&mut main);
        self.mixer.set(controls, separating, self.fresh);
        self.fresh = false;
        self.fade_in.set_playing(playing);
        let sources = Sources {
            stems,
            late,
            fade_in: &mut self.fade_in,
        };
        let watchers = Watchers {
            loudness,
            columns: &mut self.columns,
            history: &self.monitor.history,
        };
        self.mixer.mix(sources, main, stem_buses, watchers);
    }
}

/// Takes the first `frames` of a slice off it.
fn split_front<'a>(slice: &mut &'a mut [f32], frames: usize) -> &'a mut [f32] {
    let whole = std::mem::take(slice);
    let frames = frames.min(whole.len());
    let (front, rest) = whole.split_at_mut(frames);
    *slice = rest;
    front
}
