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
//! Where stems are missing because the worker is late, there is silence, or, if the user wants that, the
//! dry signal on the main bus: it is faded in from there, and gives way to the stems as they come back.
//!
//! Pan is a balance law: it turns down the side that is turned away from, and never boosts. Stems
//! are stereo recordings, whose middle must stay untouched; a constant-power law would turn every
//! stem down by 3 dB at the centre, or boost it by 3 dB at the sides and clip.

use crate::exchange::{CHANNELS, STEMS, StemSamples};
use crate::monitor::history::{ColumnWriter, History};
use crate::monitor::meters::BlockLoudness;

use super::fade_in::FadeIn;
use super::ramp::Ramp;
use super::{Bus, Late};

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
    /// Fade to the input, delayed, where stems are missing.
    pub dry_in_dropouts: bool,
}

impl Controls {
    /// Everything at unity: main is the sum of the stems, and nulls against the delayed input.
    pub const NEUTRAL: Self = Self {
        strips: [Strip::NEUTRAL; STEMS],
        dry_wet: 1.0,
        bypass: false,
        consistency: true,
        aux_pre_fader: false,
        dry_in_dropouts: false,
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
    /// Whether dropouts are covered, and how far the dry signal covers one now.
    covers: bool,
    cover: Ramp,
}

/// What one block is made of.
pub(super) struct Sources<'a> {
    pub(super) stems: &'a [StemSamples],
    pub(super) late: Late,
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
            covers: false,
            cover: ramp(0.0),
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
            covers,
            cover,
        } = self;
        *covers = controls.dry_in_dropouts;
        if at_once {
            cover.jump_to(0.0);
        }
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
        watchers: Watchers<'_>,
    ) {
        let [main_left, main_right] = main;
        let mut buses = stem_buses.map(|bus| bus.map(|channel| channel.iter_mut()));
        let Watchers {
            loudness,
            columns,
            history,
        } = watchers;
        let frames = sources.stems.iter().zip(main_left).zip(main_right);
        for (index, ((frame, left), right)) in frames.enumerate() {
            let covered = self.covers && sources.late.contains(index);
            self.cover.move_to(if covered { 1.0 } else { 0.0 });
            let cover = self.cover.next_value();
            let fade = sources.fade_in.next_value();
            let dry = [*left, *right].map(|sample| fade * sample);
            let bypass = self.bypass.next_value();
            let stem_gain = fade * (1.0 - bypass);
            let consistency = self.consistency.next_value();
            let pre = self.pre_fader.next_value();
            let correction = frame.residual.map(|residual| consistency * residual);

            let mut sum = [0.0; CHANNELS];
            let mut heard = [[0.0; CHANNELS]; STEMS];
            for (((raw, fader), bus), heard) in frame
                .raw
                .iter()
                .zip(&mut self.faders)
                .zip(&mut buses)
                .zip(&mut heard)
            {
                let [left, right] = [raw[0] + correction[0], raw[1] + correction[1]];
                let widened = fader.widening.next_value() * 0.5 * (left - right);
                let pre_samples = [left, right];
                let wide = [left + widened, right - widened];
                for (channel, gain) in fader.channels.iter_mut().enumerate() {
                    let post = gain.next_value() * wide[channel];
                    sum[channel] += post;
                    heard[channel] = stem_gain * post;
                    if let Some(place) = bus[channel].next() {
                        *place = if pre == 0.0 {
                            heard[channel]
                        } else {
                            stem_gain * (pre * pre_samples[channel] + (1.0 - pre) * post)
                        };
                    }
                }
            }
            let wet = self.wet.next_value();
            for (channel, place) in [left, right].into_iter().enumerate() {
                // The dry part of the mix and the bypass in one: exact where all of it is dry.
                let dry_part = bypass + (1.0 - bypass) * (1.0 - wet);
                let dry_part = dry_part + cover * (1.0 - dry_part);
                *place = (1.0 - cover) * stem_gain * wet * sum[channel] + dry_part * dry[channel];
                loudness.main[channel].add(*place);
                loudness.input[channel].add(dry[channel]);
                for (stem, heard) in loudness.stems.iter_mut().zip(&heard) {
                    stem[channel].add(heard[channel]);
                }
            }
            columns.add(&heard, history);
        }
        loudness.frames += sources.stems.len();
    }
}
