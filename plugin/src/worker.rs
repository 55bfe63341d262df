//! The worker thread's half: takes input from its ring, separates, puts stems into the other.
//!
//! It may block, allocate and be late. It looks at the ring every few milliseconds, because waking
//! it would be a system call, which the audio thread does not make.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bunri_stream::{HostOptions, HostSeparator, Planar, StemModel};
use crossbeam_channel::Sender;
use ringbuf::traits::{Consumer, Producer};
use ringbuf::{HeapCons, HeapProd};

use crate::exchange::{
    CHANNELS, HostSetup, InputFrame, STEM_NAMES, STEMS, Shared, StemFrame, Timing,
};

/// Most frames taken out of the ring at once. Fewer than a hop of any model worth playing live, so
/// that a reset is seen between two hops.
const BLOCK_FRAMES: usize = 1024;

/// Chunks in a row that may fail before the stems are given up for this activation.
const FAILURES_TOLERATED: u32 = 3;

/// A model that is open and fits the buses.
#[derive(Debug)]
pub(crate) struct Separator<M> {
    separator: HostSeparator<M>,
    /// Position in the model's stems for each stem bus.
    order: [usize; STEMS],
    timing: Timing,
}

impl<M: StemModel> Separator<M> {
    /// # Errors
    /// A sentence for the user, where the model cannot serve this plugin or this host.
    pub(crate) fn new(mut model: M, host: &HostSetup) -> Result<Self, String> {
        let spec = model.spec().clone();
        if spec.channels != CHANNELS {
            return Err(format!(
                "the model separates {} channels, this plugin needs one for {CHANNELS}",
                spec.channels
            ));
        }
        let position = |name: &str| spec.stems.iter().position(|stem| stem == name);
        let order = STEM_NAMES.map(position);
        let [Some(drums), Some(bass), Some(other), Some(vocals)] = order else {
            return Err(format!(
                "the model makes the stems {}, this plugin needs one that makes {}",
                spec.stems.join(", "),
                STEM_NAMES.join(", ")
            ));
        };
        warm_up(&mut model)?;
        // Live, a hop has as long as the next one takes to arrive. Offline nobody waits, and every
        // render must give the same bits.
        let hop_seconds = spec.hop_frames as f64 / f64::from(spec.rate_hz);
        model.set_budget((!host.offline).then(|| Duration::from_secs_f64(hop_seconds)));
        let separator = HostSeparator::new(model, host.rate_hz, HostOptions::default())
            .map_err(|error| error.to_string())?;
        let hop_frames = (spec.hop_frames as u64 * u64::from(host.rate_hz))
            .div_ceil(u64::from(spec.rate_hz)) as usize;
        let timing = Timing {
            collect_frames: separator.collect_frames(),
            delay_frames: separator.delay_frames(),
            budget_frames: hop_frames.max(host.max_block_frames),
        };
        Ok(Self {
            separator,
            order: [drums, bass, other, vocals],
            timing,
        })
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }
}

/// Shows the model a chunk of silence. The first chunk takes a model several times longer than any
/// later one, and would otherwise be a sure dropout in a host that plays.
fn warm_up<M: StemModel>(model: &mut M) -> Result<(), String> {
    let spec = model.spec();
    let silence = Planar::zeros(spec.channels, spec.chunk_frames);
    let mut stems = vec![silence.clone(); spec.stems.len()];
    model
        .separate(&silence, &mut stems)
        .map_err(|error| error.to_string())?;
    model.reset();
    Ok(())
}

/// The worker thread's ends of everything.
pub(crate) struct Worker<M> {
    pub(crate) separator: Separator<M>,
    pub(crate) input: HeapCons<InputFrame>,
    pub(crate) stems: HeapProd<StemFrame>,
    pub(crate) shared: Arc<Shared>,
    /// Tells the main thread why the stems stopped.
    pub(crate) failure: Sender<String>,
    /// Pause between two looks at an empty (or a full) ring.
    pub(crate) idle: Duration,
}

impl<M: StemModel> Worker<M> {
    /// Works until the main thread says stop, or the model fails for good.
    pub(crate) fn run(self) {
        let Self {
            separator,
            mut input,
            mut stems,
            shared,
            failure,
            idle,
        } = self;
        let Separator {
            mut separator,
            order,
            timing: _,
        } = separator;
        let mut epoch = 0;
        let mut failures = 0;
        let mut incoming = vec![InputFrame::default(); BLOCK_FRAMES];
        let mut block = Planar::zeros(CHANNELS, 0);
        let mut separated = Vec::new();
        let mut outgoing = Vec::new();
        while !shared.stopping() {
            let popped = input.pop_slice(&mut incoming);
            if popped == 0 {
                thread::park_timeout(idle);
                continue;
            }
            for run in incoming[..popped].chunk_by(|a, b| a.epoch == b.epoch) {
                if run[0].epoch != shared.epoch() {
                    continue; // nobody will hear it
                }
                if run[0].epoch != epoch {
                    epoch = run[0].epoch;
                    separator.reset();
                }
                block.resize_frames(run.len());
                for channel in 0..CHANNELS {
                    for (sample, frame) in block.channel_mut(channel).iter_mut().zip(run) {
                        *sample = frame.samples[channel];
                    }
                }
                separated
                    .iter_mut()
                    .for_each(|stem: &mut Planar| stem.resize_frames(0));
                let failed_before = separator.failed_chunks();
                match separator.push(&block, &mut separated) {
                    Ok(()) if separated.first().is_none_or(|stem| stem.frames() == 0) => continue,
                    Ok(()) => failures = 0,
                    Err(error) => {
                        failures += (separator.failed_chunks() - failed_before) as u32;
                        if failures >= FAILURES_TOLERATED {
                            // Full: the main thread already knows of a failure.
                            let _ = failure.try_send(error.to_string());
                            shared.fail();
                            return;
                        }
                    }
                }
                interleave(&separated, &order, epoch, &mut outgoing);
                let mut rest = &outgoing[..];
                while !rest.is_empty() && !shared.stopping() && shared.epoch() == epoch {
                    let pushed = stems.push_slice(rest);
                    rest = &rest[pushed..];
                    if !rest.is_empty() {
                        thread::park_timeout(idle);
                    }
                }
            }
        }
    }
}

/// Overwrites `frames` with the stems, in the order of their buses.
fn interleave(stems: &[Planar], order: &[usize; STEMS], epoch: u32, frames: &mut Vec<StemFrame>) {
    let count = stems.first().map_or(0, Planar::frames);
    frames.clear();
    frames.resize(
        count,
        StemFrame {
            epoch,
            ..StemFrame::default()
        },
    );
    for (bus, &stem) in order.iter().enumerate() {
        for (channel, samples) in stems[stem].channels().enumerate() {
            for (frame, &sample) in frames.iter_mut().zip(samples) {
                frame.samples[bus][channel] = sample;
            }
        }
    }
}
