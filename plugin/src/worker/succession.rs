//! One model after another on one stream, without a gap.
//!
//! The successor must have the same timing. It hears the same input as its predecessor for a
//! moment, until it has stems of its own for what is heard next; then the two are cross-faded:
//!
//! ```text
//! input        ──────┬ successor begins to hear
//! predecessor  ──────┼─────────────────┐
//! successor          └─────────┬ fade ─┴──────
//! ```
//!
//! Both have to be computed meanwhile, which takes a little longer than the latency.

use std::collections::VecDeque;

use bunri_stream::engine::ModelFacts;
use bunri_stream::{Planar, SeparateError, StemModel};

use super::separator::{Fitting, Separator};
use crate::exchange::StemSamples;
use crate::opener::Informed;

/// Time that a successor hears music before it is heard itself: a causal model starts cold.
const WARM_SECONDS: f64 = 0.25;
/// Length of the cross-fade.
const FADE_SECONDS: f64 = 0.05;

/// The model that is heard, and the one that will be.
#[derive(Debug)]
pub(crate) struct Succession<M> {
    current: Separator<M>,
    rate_hz: u32,
    /// Frames of this past that were pushed and that came out.
    pushed_frames: u64,
    emitted_frames: u64,
    next: Option<Next<M>>,
    /// Reused from push to push.
    made: Vec<StemSamples>,
}

#[derive(Debug)]
struct Next<M> {
    separator: Separator<M>,
    /// Made by the present model, not emitted yet: the first is the one to come out next.
    old: VecDeque<StemSamples>,
    /// Made by the new one, from where the fade begins.
    new: VecDeque<StemSamples>,
    /// Frames that the new one still has to make before those.
    to_skip: usize,
    /// Where the fade begins, counted as `emitted_frames`.
    fade_start: u64,
    fade_frames: u64,
}

impl<M: StemModel> Succession<M> {
    pub(crate) fn new(current: Separator<M>, rate_hz: u32) -> Self {
        Self {
            current,
            rate_hz,
            pushed_frames: 0,
            emitted_frames: 0,
            next: None,
            made: Vec::new(),
        }
    }

    /// From the next block on `separator` hears what the present one hears. It replaces an earlier
    /// successor that is not heard yet, and must have the timing of the present one.
    pub(crate) fn prepare(&mut self, separator: Separator<M>) {
        let frames = |seconds: f64| (seconds * f64::from(self.rate_hz)) as usize;
        // Its frame 0 is its first input's, but for a delay of silence.
        let to_skip = separator.timing().delay_frames + frames(WARM_SECONDS);
        self.next = Some(Next {
            separator,
            old: VecDeque::new(),
            new: VecDeque::new(),
            to_skip,
            // Both number their output by their input, and the new one's begins now.
            fade_start: self.pushed_frames + to_skip as u64,
            fade_frames: frames(FADE_SECONDS).max(1) as u64,
        });
    }

    /// Takes a block of input and appends the stems that became known to `frames`; those before frame
    /// `passed_frames` nobody will hear.
    ///
    /// # Errors
    /// As [`Separator::push`], of the model that is heard. The other's failures count once it is
    /// heard itself.
    pub(crate) fn push(
        &mut self,
        block: &Planar,
        passed_frames: u64,
        frames: &mut Vec<StemSamples>,
    ) -> Result<(), (SeparateError, u64)> {
        self.made.clear();
        self.pushed_frames += block.frames() as u64;
        let reach = self.pushed_frames + self.current.reach_frames() as u64;
        let unheard = reach <= passed_frames;
        let result = self.current.push(block, unheard, &mut self.made);
        let start = frames.len();
        match &mut self.next {
            None => frames.extend_from_slice(&self.made),
            Some(next) => {
                next.old.extend(&self.made);
                self.made.clear();
                let _ = next.separator.push(block, unheard, &mut self.made);
                let skipped = next.to_skip.min(self.made.len());
                next.to_skip -= skipped;
                next.new.extend(&self.made[skipped..]);
                if next.emit(self.emitted_frames, frames)
                    && let Some(next) = self.next.take()
                {
                    self.current = next.separator;
                }
            }
        }
        self.emitted_frames += (frames.len() - start) as u64;
        result
    }

    /// A new past begins: a successor, if there is one, has it to itself.
    pub(crate) fn reset(&mut self) {
        let Self {
            current,
            rate_hz: _,
            pushed_frames,
            emitted_frames,
            next,
            made: _, // cleared before it is filled
        } = self;
        if let Some(next) = next.take() {
            *current = next.separator;
        }
        current.reset();
        *pushed_frames = 0;
        *emitted_frames = 0;
    }

    /// Gives back the model that would be heard next.
    pub(crate) fn into_fitting(self) -> Fitting<M> {
        match self.next {
            Some(next) => next.separator.into_fitting(),
            None => self.current.into_fitting(),
        }
    }
}

impl<M: StemModel + Informed> Succession<M> {
    /// What the model that is heard can tell.
    pub(crate) fn facts(&self) -> Option<ModelFacts> {
        self.current.facts()
    }
}

impl<M> Next<M> {
    /// Appends what can be told now, from frame `position` on; `true` once all is the new model's.
    fn emit(&mut self, mut position: u64, frames: &mut Vec<StemSamples>) -> bool {
        while position < self.fade_start {
            let Some(old) = self.old.pop_front() else {
                return false;
            };
            frames.push(old);
            position += 1;
        }
        while position < self.fade_start + self.fade_frames {
            let (Some(old), Some(new)) = (self.old.front(), self.new.front()) else {
                return false;
            };
            let turned = (position - self.fade_start + 1) as f32 / self.fade_frames as f32;
            frames.push(between(old, new, turned));
            self.old.pop_front();
            self.new.pop_front();
            position += 1;
        }
        frames.extend(self.new.drain(..));
        true
    }
}

/// A straight line from `old` (0) to `new` (1): both are made of the same music, and with their
/// residuals both add up to it, so the sum does not move at all.
fn between(old: &StemSamples, new: &StemSamples, turned: f32) -> StemSamples {
    let mix = |old: f32, new: f32| old + (new - old) * turned;
    let mut samples = *old;
    for (sample, new) in samples
        .raw
        .iter_mut()
        .flatten()
        .zip(new.raw.iter().flatten())
    {
        *sample = mix(*sample, *new);
    }
    for (sample, new) in samples.residual.iter_mut().zip(new.residual) {
        *sample = mix(*sample, new);
    }
    samples
}
