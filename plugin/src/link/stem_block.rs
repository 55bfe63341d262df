//! The stems of one block, channel by channel, as the mixer wants them.

use crate::exchange::{CHANNELS, STEMS, StemFrame};

/// Room for the longest block of a host. What a channel holds behind the block is of older ones.
#[derive(Debug)]
pub(super) struct StemBlock {
    stems: [[Vec<f32>; CHANNELS]; STEMS],
    residual: [Vec<f32>; CHANNELS],
}

impl StemBlock {
    /// For blocks of at most so many frames.
    pub(super) fn new(max_frames: usize) -> Self {
        let channel = |_| vec![0.0; max_frames];
        Self {
            stems: std::array::from_fn(|_| std::array::from_fn(channel)),
            residual: std::array::from_fn(channel),
        }
    }

    /// The longest block that there is room for, in frames.
    pub(super) fn max_frames(&self) -> usize {
        self.residual[0].len()
    }

    /// Channels of a stem as the model made it. Real-time safe.
    pub(super) fn raw(&self, stem: usize) -> [&[f32]; CHANNELS] {
        let stem = self.stems.get(stem);
        stem.map_or([&[]; CHANNELS], |stem| stem.each_ref().map(Vec::as_slice))
    }

    /// What mixture consistency adds to every stem. Real-time safe.
    pub(super) fn residual(&self) -> [&[f32]; CHANNELS] {
        self.residual.each_ref().map(Vec::as_slice)
    }

    /// Silence in frames `from..to`. Real-time safe.
    pub(super) fn silence(&mut self, from: usize, to: usize) {
        let Self { stems, residual } = self;
        for channel in stems.iter_mut().flatten().chain(residual) {
            channel.get_mut(from..to).unwrap_or_default().fill(0.0);
        }
    }

    /// Puts `frames` at frame `from` and after. Real-time safe.
    pub(super) fn put(&mut self, from: usize, frames: &[StemFrame]) {
        let Self { stems, residual } = self;
        for (stem, channels) in stems.iter_mut().enumerate() {
            for (channel, samples) in channels.iter_mut().enumerate() {
                copy(samples, from, frames, |frame| {
                    frame.samples.raw[stem][channel]
                });
            }
        }
        for (channel, samples) in residual.iter_mut().enumerate() {
            copy(samples, from, frames, |frame| {
                frame.samples.residual[channel]
            });
        }
    }
}

#[inline]
fn copy(
    samples: &mut [f32],
    from: usize,
    frames: &[StemFrame],
    sample_of: impl Fn(&StemFrame) -> f32,
) {
    let places = samples.get_mut(from..).unwrap_or_default();
    for (place, frame) in places.iter_mut().zip(frames) {
        *place = sample_of(frame);
    }
}
