//! The arithmetic of the mixer, a few frames at a time.
//!
//! Every step goes over one line of values after another instead of doing all there is to do for one
//! frame after another: the compiler makes instructions of it that take several frames at once, and what
//! a block costs does not depend on what is moving in it.

use crate::exchange::{CHANNELS, STEMS};

use super::Bus;

/// Frames of a tile at most. Few enough for all lines to stay in the nearest cache.
pub(super) const TILE_FRAMES: usize = 64;

/// One value for each frame of a tile; what lies behind the frames of a shorter tile is of older ones.
pub(super) type Line = [f32; TILE_FRAMES];

const EMPTY: Line = [0.0; TILE_FRAMES];

/// What is on the way from the stems to the buses.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// Values of the mixer's ramps.
    pub(super) master: Master,
    pub(super) strip: StripLines,
    /// Of a stem on its own bus.
    stem_gain: Line,
    correction: [Line; CHANNELS],
    dry: [Line; CHANNELS],
    sum: [Line; CHANNELS],
    heard: [[Line; CHANNELS]; STEMS],
    /// Of one stem, before and behind its strip, and on its bus.
    pre: [Line; CHANNELS],
    post: Line,
    widened: Line,
    out: Line,
}

/// The master's values, frame by frame.
#[derive(Clone, Debug)]
pub(super) struct Master {
    pub(super) fade: Line,
    pub(super) wet: Line,
    pub(super) bypass: Line,
    pub(super) consistency: Line,
    pub(super) pre_fader: Line,
}

/// The values of the strip that is mixed just now, frame by frame.
#[derive(Clone, Debug)]
pub(super) struct StripLines {
    pub(super) gains: [Line; CHANNELS],
    pub(super) widening: Line,
}

impl Tile {
    pub(super) const EMPTY: Self = Self {
        master: Master {
            fade: EMPTY,
            wet: EMPTY,
            bypass: EMPTY,
            consistency: EMPTY,
            pre_fader: EMPTY,
        },
        strip: StripLines {
            gains: [EMPTY; CHANNELS],
            widening: EMPTY,
        },
        stem_gain: EMPTY,
        correction: [EMPTY; CHANNELS],
        dry: [EMPTY; CHANNELS],
        sum: [EMPTY; CHANNELS],
        heard: [[EMPTY; CHANNELS]; STEMS],
        pre: [EMPTY; CHANNELS],
        post: EMPTY,
        widened: EMPTY,
        out: EMPTY,
    };

    /// Takes what does not belong to one stem, after [`Tile::master`] was filled. Real-time safe.
    pub(super) fn begin(&mut self, dry: [&[f32]; CHANNELS], residual: [&[f32]; CHANNELS]) {
        let frames = dry[0].len();
        let Master {
            fade,
            bypass,
            consistency,
            ..
        } = &self.master;
        combine(
            frames,
            &mut self.stem_gain,
            [fade, bypass],
            |[fade, bypass]| fade * (1.0 - bypass),
        );
        for channel in 0..CHANNELS {
            scale(&mut self.dry[channel], fade, dry[channel]);
            scale(
                &mut self.correction[channel],
                consistency,
                residual[channel],
            );
            front(&mut self.sum[channel], frames).fill(0.0);
        }
    }

    /// Mixes a stem in, after [`Tile::strip`] was filled, and writes its bus. Real-time safe.
    pub(super) fn mix_stem(&mut self, stem: usize, raw: [&[f32]; CHANNELS], bus: Bus<'_>) {
        let frames = bus[0].len();
        let Self {
            master,
            strip,
            stem_gain,
            correction,
            sum,
            heard,
            pre,
            post,
            widened,
            out,
            dry: _,
        } = self;
        let Some(heard) = heard.get_mut(stem) else {
            return;
        };
        for ((pre, raw), correction) in pre.iter_mut().zip(raw).zip(correction) {
            let samples = raw.iter().zip(correction.iter());
            for (place, (raw, correction)) in pre.iter_mut().zip(samples) {
                *place = raw + correction;
            }
        }
        let [left, right] = &*pre;
        combine(
            frames,
            widened,
            [&strip.widening, left, right],
            |[widening, left, right]| widening * 0.5 * (left - right),
        );
        // What is added to the left is taken from the right.
        let sides = [1.0, -1.0];
        for (channel, bus) in bus.into_iter().enumerate() {
            let (pre, heard, side) = (&pre[channel], &mut heard[channel], sides[channel]);
            combine(
                frames,
                post,
                [&strip.gains[channel], pre, widened],
                |[gain, pre, widened]| gain * (pre + side * widened),
            );
            for (sum, post) in sum[channel].iter_mut().zip(&*post).take(frames) {
                *sum += post;
            }
            combine(frames, heard, [stem_gain, post], |[gain, post]| gain * post);
            combine(
                frames,
                out,
                [&master.pre_fader, stem_gain, pre, post, heard],
                |[pre_fader, gain, pre, post, heard]| {
                    if pre_fader == 0.0 {
                        heard
                    } else {
                        gain * (pre_fader * pre + (1.0 - pre_fader) * post)
                    }
                },
            );
            copy(bus, out);
        }
    }

    /// Writes the main bus, after all stems. Real-time safe.
    pub(super) fn finish(&mut self, main: [&mut [f32]; CHANNELS]) {
        let Master { wet, bypass, .. } = &self.master;
        let lines = self.sum.iter().zip(&self.dry);
        for (main, (sum, dry)) in main.into_iter().zip(lines) {
            combine(
                main.len(),
                &mut self.out,
                [&self.stem_gain, wet, bypass, sum, dry],
                |[gain, wet, bypass, sum, dry]| {
                    // The dry part of the mix and the bypass in one: exact where all of it is dry.
                    let dry_part = bypass + (1.0 - bypass) * (1.0 - wet);
                    gain * wet * sum + dry_part * dry
                },
            );
            copy(main, &self.out);
        }
    }

    /// The dry signal of so many frames as it is heard.
    pub(super) fn dry(&self, frames: usize) -> [&[f32]; CHANNELS] {
        self.dry.each_ref().map(|line| first(line, frames))
    }

    /// Every stem behind its strip, as it is heard, of so many frames.
    pub(super) fn heard(&self, frames: usize) -> [[&[f32]; CHANNELS]; STEMS] {
        let channels = self.heard.each_ref();
        channels.map(|stem| stem.each_ref().map(|line| first(line, frames)))
    }
}

/// The first `frames` of a line, to be written.
pub(super) fn front(line: &mut Line, frames: usize) -> &mut [f32] {
    line.get_mut(..frames).unwrap_or_default()
}

fn first(line: &Line, frames: usize) -> &[f32] {
    line.get(..frames).unwrap_or_default()
}

/// Computes the first `frames` of `line` from those of other lines.
#[inline(always)] // or nothing is computed side by side
fn combine<const INPUTS: usize>(
    frames: usize,
    line: &mut Line,
    inputs: [&Line; INPUTS],
    value: impl Fn([f32; INPUTS]) -> f32,
) {
    for (frame, place) in line.iter_mut().enumerate().take(frames) {
        *place = value(inputs.map(|input| input[frame])); // all lines have one length
    }
}

/// Overwrites the beginning of `line` with scaled samples.
fn scale(line: &mut Line, factors: &Line, samples: &[f32]) {
    for (place, (factor, sample)) in line.iter_mut().zip(factors.iter().zip(samples)) {
        *place = factor * sample;
    }
}

fn copy(to: &mut [f32], line: &Line) {
    to.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
}
