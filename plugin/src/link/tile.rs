//! The arithmetic of the mixer, a few frames at a time.
//!
//! Every step goes over one line of values after another instead of doing all there is to do for one
//! frame after another: the compiler makes instructions of it that take several frames at once, and what
//! a block costs does not depend on what is moving in it. A tile is always computed whole, also where
//! fewer frames are left, and is short: between two blocks of a host the caches forget everything, and
//! then memory costs more than arithmetic.

use crate::exchange::{CHANNELS, STEMS};

use super::Bus;

/// Frames of a tile.
pub(super) const TILE_FRAMES: usize = 16;

/// One value for each frame of a tile. What lies behind the last frame of a block means nothing.
pub(super) type Line = [f32; TILE_FRAMES];

/// The same of two channels.
pub(super) type Pair = [Line; CHANNELS];

/// The master's values, frame by frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct MasterLines {
    pub(super) fade: Line,
    pub(super) wet: Line,
    pub(super) bypass: Line,
    pub(super) consistency: Line,
    pub(super) pre_fader: Line,
}

/// A strip's values, frame by frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct StripLines {
    pub(super) gains: Pair,
    pub(super) widening: Line,
}

/// What is on the way from the stems to the main bus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    master: MasterLines,
    /// Of a stem on its own bus.
    stem_gain: Line,
    correction: Pair,
    /// The dry signal as it is heard.
    pub(super) dry: Pair,
    sum: Pair,
    /// Every stem behind its strip, as it is heard.
    pub(super) heard: [Pair; STEMS],
}

impl Tile {
    /// Begins with what does not belong to one stem. Real-time safe.
    #[inline]
    pub(super) fn new(master: MasterLines, dry: Pair, residual: Pair) -> Self {
        let stem_gain = line([master.fade, master.bypass], |[fade, bypass]| {
            fade * (1.0 - bypass)
        });
        Self {
            stem_gain,
            correction: residual.map(|residual| product(master.consistency, residual)),
            dry: dry.map(|dry| product(master.fade, dry)),
            sum: Default::default(),
            heard: Default::default(),
            master,
        }
    }

    /// Mixes a stem in, and gives what is to be on its bus. Real-time safe.
    #[inline]
    pub(super) fn mix_stem(&mut self, stem: usize, raw: Pair, strip: &StripLines) -> Pair {
        let Some(heard) = self.heard.get_mut(stem) else {
            return raw; // there are no more stems
        };
        let (pre_fader, stem_gain) = (self.master.pre_fader, self.stem_gain);
        let add = |[a, b]: [f32; 2]| a + b;
        let left = line([raw[0], self.correction[0]], add);
        let right = line([raw[1], self.correction[1]], add);
        let widened = line([strip.widening, left, right], |[widening, left, right]| {
            widening * 0.5 * (left - right)
        });
        let wide_left = line([left, widened], add);
        let wide_right = line([right, widened], |[right, widened]| right - widened);
        let mut bus = [left, right];
        for (channel, wide) in [wide_left, wide_right].into_iter().enumerate() {
            let post = product(strip.gains[channel], wide);
            self.sum[channel] = line([self.sum[channel], post], add);
            heard[channel] = product(stem_gain, post);
            bus[channel] = line(
                [pre_fader, stem_gain, bus[channel], post, heard[channel]],
                |[pre_fader, gain, pre, post, heard]| {
                    if pre_fader == 0.0 {
                        heard
                    } else {
                        gain * (pre_fader * pre + (1.0 - pre_fader) * post)
                    }
                },
            );
        }
        bus
    }

    /// The main bus, after all stems. Real-time safe.
    #[inline]
    pub(super) fn main(&self) -> Pair {
        let MasterLines { wet, bypass, .. } = self.master;
        std::array::from_fn(|channel| {
            let inputs = [
                self.stem_gain,
                wet,
                bypass,
                self.sum[channel],
                self.dry[channel],
            ];
            line(inputs, |[gain, wet, bypass, sum, dry]| {
                // The dry part of the mix and the bypass in one: exact where all of it is dry.
                let dry_part = bypass + (1.0 - bypass) * (1.0 - wet);
                gain * wet * sum + dry_part * dry
            })
        })
    }
}

/// The lines that begin at a frame; silence behind the end.
pub(super) fn lines_from(start: usize, channels: [&[f32]; CHANNELS]) -> Pair {
    channels.map(|samples| {
        let samples = samples.get(start..).unwrap_or_default();
        match samples.first_chunk() {
            Some(whole) => *whole,
            None => {
                let mut line = Line::default();
                copy(&mut line, samples);
                line
            }
        }
    })
}

/// Writes lines to where they begin in a bus, as much of them as the bus has room for.
pub(super) fn write_from(start: usize, lines: &Pair, bus: &mut Bus<'_>) {
    for (channel, line) in bus.iter_mut().zip(lines) {
        let room = channel.get_mut(start..).unwrap_or_default();
        match room.first_chunk_mut() {
            Some(whole) => *whole = *line,
            None => copy(room, line),
        }
    }
}

fn copy(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Computes a line from others, frame by frame.
#[inline(always)] // or nothing is computed side by side
fn line<const INPUTS: usize>(inputs: [Line; INPUTS], value: impl Fn([f32; INPUTS]) -> f32) -> Line {
    std::array::from_fn(|frame| value(inputs.each_ref().map(|input| input[frame])))
}

#[inline(always)]
fn product(factors: Line, samples: Line) -> Line {
    line([factors, samples], |[factor, sample]| factor * sample)
}
