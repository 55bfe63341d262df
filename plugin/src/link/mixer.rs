//! From stems to buses: faders, the master's switches, and nothing that clicks.
//!
//! ```text
//! raw stem ─ + consistency · residual ┬ width ─ balance ─ gain ┬ sum ─ wet ┐
//!                                     └ pre-fader ─┐           │           + ─ bypass ─ main
//!                                      stem bus ───┴─ post ────┘  dry ─────┘
//! ```
//!
//! Every value moves on a straight line of 20 ms from the very sample at which it was
//! changed, and is exact once it has arrived: with everything neutral a stem bus carries the bits
//! that `bounce` writes, and the main bus their sum.
//!
//! Pan is a balance law: it turns down the side that is turned away from, and never boosts. Stems
//! are stereo recordings, whose middle must stay untouched; a constant-power law would turn every
//! stem down by 3 dB at the centre, or boost it by 3 dB at the sides and clip.

use crate::exchange::{CHANNELS, STEMS};
use crate::monitor::history::{ColumnWriter, History};
use crate::monitor::meters::BlockLoudness;
use crate::monitor::span::Span;

use super::Bus;
use super::fade_in::FadeIn;
use super::ramp::Ramp;
use super::stem_block::StemBlock;
use super::tile::{Master, StripLines, TILE_FRAMES, Tile, front};

/// Time that a change of any control takes.
const RAMP_SECONDS: f64 = 0.02;

/// What the user has set for one stem, as of this block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strip {
    /// Amplitude factor.
    pub gain: f32,
    /// Solo.
    pub solo: bool,
    /// Mute; wins over solo.
    pub mute: bool,
    /// Balance, -1 (left) to 1 (right).
    pub pan: f32,
    /// Factor for the difference of the channels.
    pub width: f32,
}

impl Strip {
    /// Changes nothing.
    pub const NEUTRAL: Self = Self {
        gain: 1.0,
        solo: false,
        mute: false,
        pan: 0.0,
        width: 1.0,
    };
}

/// What the user has set, as of this block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Controls {
    /// In the order of the stem buses.
    pub strips: [Strip; STEMS],
    /// Share of the mix in the main bus; the rest is the delayed input.
    pub dry_wet: f32,
    /// Play the input, delayed, instead of the mix; silence on the stem buses.
    pub bypass: bool,
    /// Make the stems add up to the input.
    pub consistency: bool,
    /// Stem buses carry the stems before their strips.
    pub aux_pre_fader: bool,
}

impl Controls {
    /// Everything at unity: main is the sum of the stems, and nulls against the delayed input.
    pub const NEUTRAL: Self = Self {
        strips: [Strip::NEUTRAL; STEMS],
        dry_wet: 1.0,
        bypass: false,
        consistency: true,
        aux_pre_fader: false,
    };
}

/// A stem's strip in motion: width and balance and gain in one factor per channel.
#[derive(Clone, Debug)]
struct Fader {
    channels: [Ramp; CHANNELS],
    /// Width less one, so that a stem of neutral width is not touched.
    widening: Ramp,
}

/// All of the mixing, with the values it is moving from and to.
#[derive(Clone, Debug)]
pub(super) struct Mixer {
    faders: [Fader; STEMS],
    wet: Ramp,
    bypass: Ramp,
    consistency: Ramp,
    pre_fader: Ramp,
    tile: Tile,
}

/// What one block is made of.
pub(super) struct Sources<'a> {
    pub(super) stems: &'a StemBlock,
    pub(super) fade_in: &'a mut FadeIn,
}

/// Who watches what was mixed.
pub(super) struct Watchers<'a> {
    pub(super) loudness: &'a mut BlockLoudness,
    pub(super) columns: &'a mut ColumnWriter,
    pub(super) history: &'a History,
}

impl Mixer {
    /// At unity.
    pub(super) fn new(rate_hz: u32) -> Self {
        let frames = (RAMP_SECONDS * f64::from(rate_hz)) as u32;
        let ramp = |value| Ramp::new(value, frames);
        Self {
            faders: std::array::from_fn(|_| Fader {
                channels: [ramp(1.0), ramp(1.0)],
                widening: ramp(0.0),
            }),
            wet: ramp(1.0),
            bypass: ramp(0.0),
            consistency: ramp(1.0),
            pre_fader: ramp(0.0),
            tile: Tile::EMPTY,
        }
    }

    /// Moves towards `controls`, or is there `at_once`. `separating`: whether there are stems.
    /// Real-time safe.
    pub(super) fn set(&mut self, controls: &Controls, separating: bool, at_once: bool) {
        let Self {
            faders,
            wet,
            bypass,
            consistency,
            pre_fader,
            tile: _, // filled anew for every tile
        } = self;
        let go = |ramp: &mut Ramp, target: f32| {
            if at_once {
                ramp.jump_to(target);
            } else {
                ramp.move_to(target);
            }
        };
        let any_solo = controls.strips.iter().any(|strip| strip.solo);
        for (fader, strip) in faders.iter_mut().zip(&controls.strips) {
            let audible = !strip.mute && (strip.solo || !any_solo);
            let gain = if audible { strip.gain } else { 0.0 };
            let [left, right] = &mut fader.channels;
            go(left, gain * (1.0 - strip.pan).min(1.0));
            go(right, gain * (1.0 + strip.pan).min(1.0));
            go(&mut fader.widening, strip.width - 1.0);
        }
        let switch = |on: bool| if on { 1.0 } else { 0.0 };
        go(wet, controls.dry_wet);
        go(bypass, switch(controls.bypass || !separating));
        go(consistency, switch(controls.consistency));
        go(pre_fader, switch(controls.aux_pre_fader));
    }

    /// Writes `stem_buses`, and overwrites `main`, which holds the dry signal, with the mix.
    /// Real-time safe.
    pub(super) fn mix(
        &mut self,
        sources: Sources<'_>,
        main: Bus<'_>,
        stem_buses: [Bus<'_>; STEMS],
        mut watchers: Watchers<'_>,
    ) {
        let Sources { stems, fade_in } = sources;
        let frames = main[0].len();
        let mut mains = main.map(|channel| channel.chunks_mut(TILE_FRAMES));
        let mut buses = stem_buses.map(|bus| bus.map(|channel| channel.chunks_mut(TILE_FRAMES)));
        for start in (0..frames).step_by(TILE_FRAMES) {
            let main = mains
                .each_mut()
                .map(|tiles| tiles.next().unwrap_or_default());
            let tile_frames = main[0].len();
            self.fill_master(fade_in, tile_frames);
            let dry = main.each_ref().map(|channel| &**channel);
            self.tile.begin(dry, from(start, stems.residual()));
            for (stem, bus) in buses.iter_mut().enumerate() {
                self.fill_strip(stem, tile_frames);
                let bus = bus.each_mut().map(|tiles| tiles.next().unwrap_or_default());
                self.tile.mix_stem(stem, from(start, stems.raw(stem)), bus);
            }
            self.watch(main, &mut watchers);
        }
        watchers.loudness.frames += frames;
    }

    fn fill_master(&mut self, fade_in: &mut FadeIn, frames: usize) {
        let Master {
            fade,
            wet,
            bypass,
            consistency,
            pre_fader,
        } = &mut self.tile.master;
        fade_in.fill(front(fade, frames));
        self.wet.fill(front(wet, frames));
        self.bypass.fill(front(bypass, frames));
        self.consistency.fill(front(consistency, frames));
        self.pre_fader.fill(front(pre_fader, frames));
    }

    fn fill_strip(&mut self, stem: usize, frames: usize) {
        let StripLines { gains, widening } = &mut self.tile.strip;
        let Some(fader) = self.faders.get_mut(stem) else {
            return;
        };
        fader.widening.fill(front(widening, frames));
        for (ramp, line) in fader.channels.iter_mut().zip(gains) {
            ramp.fill(front(line, frames));
        }
    }

    /// Writes a tile of the main bus, and shows the tile to those who watch.
    fn watch(&mut self, main: [&mut [f32]; CHANNELS], watchers: &mut Watchers<'_>) {
        let Watchers {
            loudness,
            columns,
            history,
        } = watchers;
        let frames = main[0].len();
        let [left, right] = main;
        self.tile.finish([&mut *left, &mut *right]);
        let buses = [
            (&mut loudness.main, [&*left, &*right]),
            (&mut loudness.input, self.tile.dry(frames)),
        ];
        for (spans, channels) in buses {
            for (span, samples) in spans.iter_mut().zip(channels) {
                span.add(&Span::of(samples));
            }
        }
        columns.add(self.tile.heard(frames), &mut loudness.stems, history);
    }
}

/// What comes from a frame on.
fn from(start: usize, channels: [&[f32]; CHANNELS]) -> [&[f32]; CHANNELS] {
    channels.map(|samples| samples.get(start..).unwrap_or_default())
}
