//! Peak and RMS of every bus, with a meter's ballistics, written by the audio thread alone.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{AtomicF32, dbfs};
use crate::exchange::{CHANNELS, STEMS};

/// How fast a shown peak falls, in dB per second.
const PEAK_FALL_DB_PER_SECOND: f32 = 20.0;
/// Time constant of the RMS.
const RMS_SECONDS: f32 = 0.3;

/// Levels of one bus, `[left, right]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BusLevel {
    /// The highest sample in dBFS: rises at once, falls by 20 dB/s. `-inf` for silence.
    pub peak_dbfs: [f32; CHANNELS],
    /// RMS over about 0.3 s in dBFS, a full-scale square wave being 0. `-inf` for silence.
    pub rms_dbfs: [f32; CHANNELS],
}

/// The levels of every bus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// The stems behind their faders, in the order of their buses, whatever the stem buses carry.
    pub stems: [BusLevel; STEMS],
    /// The main bus.
    pub main: BusLevel,
    /// The input as it is heard: delayed by the latency.
    pub input: BusLevel,
    /// Frames played since the plugin was made. Where it stands still, so does the host, and the
    /// levels are those of its last block.
    pub played_frames: u64,
}

/// Meters of all buses. One thread writes, any may read.
#[derive(Debug, Default)]
pub struct Meters {
    stems: [Meter; STEMS],
    main: Meter,
    input: Meter,
    played_frames: AtomicU64,
}

impl Meters {
    /// The levels as of the latest block. Lock-free.
    #[must_use]
    pub fn levels(&self) -> Levels {
        Levels {
            stems: self.stems.each_ref().map(Meter::level),
            main: self.main.level(),
            input: self.input.level(),
            played_frames: self.played_frames.load(Ordering::Acquire),
        }
    }

    /// Audio thread: a block was played. Real-time safe.
    pub fn played(&self, loudness: &BlockLoudness, rate_hz: u32) {
        if loudness.frames == 0 || rate_hz == 0 {
            return;
        }
        let ballistics = Ballistics::new(loudness.frames, rate_hz);
        let pairs = self.stems.iter().zip(&loudness.stems);
        for (meter, bus) in
            pairs.chain([(&self.main, &loudness.main), (&self.input, &loudness.input)])
        {
            meter.update(bus, &ballistics);
        }
        self.played_frames
            .fetch_add(loudness.frames as u64, Ordering::Release);
    }
}

/// Highest sample and sum of squares of one channel of a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelLoudness {
    /// The highest absolute value.
    pub peak: f32,
    /// Sum of the squares.
    pub energy: f32,
}

impl ChannelLoudness {
    /// Takes one more sample into account.
    #[inline]
    pub fn add(&mut self, sample: f32) {
        self.peak = self.peak.max(sample.abs()); // not for NaN, which `max` passes over
        self.energy += sample * sample;
    }
}

/// Loudness of every bus in one block.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockLoudness {
    /// Length of the block.
    pub frames: usize,
    /// The stems behind their faders.
    pub stems: [[ChannelLoudness; CHANNELS]; STEMS],
    /// The main bus.
    pub main: [ChannelLoudness; CHANNELS],
    /// The delayed input.
    pub input: [ChannelLoudness; CHANNELS],
}

/// How much of the past is left after a block.
struct Ballistics {
    frames: f32,
    peak_factor: f32,
    rms_factor: f32,
}

impl Ballistics {
    fn new(frames: usize, rate_hz: u32) -> Self {
        let seconds = frames as f32 / rate_hz as f32;
        Self {
            frames: frames as f32,
            peak_factor: 10.0_f32.powf(-PEAK_FALL_DB_PER_SECOND / 20.0 * seconds),
            rms_factor: (-seconds / RMS_SECONDS).exp(),
        }
    }
}

#[derive(Debug, Default)]
struct Meter {
    peak: [AtomicF32; CHANNELS],
    mean_square: [AtomicF32; CHANNELS],
}

impl Meter {
    fn level(&self) -> BusLevel {
        BusLevel {
            peak_dbfs: self.peak.each_ref().map(|peak| dbfs(peak.get())),
            rms_dbfs: self
                .mean_square
                .each_ref()
                .map(|mean| dbfs(mean.get().sqrt())),
        }
    }

    fn update(&self, bus: &[ChannelLoudness; CHANNELS], ballistics: &Ballistics) {
        for ((loudness, peak), mean_square) in bus.iter().zip(&self.peak).zip(&self.mean_square) {
            peak.set(settled(
                loudness.peak.max(peak.get() * ballistics.peak_factor),
            ));
            let block_mean = loudness.energy / ballistics.frames;
            let kept = mean_square.get() - block_mean;
            mean_square.set(settled(block_mean + kept * ballistics.rms_factor));
        }
    }
}

/// Zero for what is far below hearing, and for infinity and NaN, of which no meter would recover.
fn settled(value: f32) -> f32 {
    const INAUDIBLE: f32 = 1e-12;
    if value.is_finite() && value > INAUDIBLE {
        value
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(value: f32, frames: usize) -> BlockLoudness {
        let mut loudness = BlockLoudness {
            frames,
            ..BlockLoudness::default()
        };
        (0..frames).for_each(|_| loudness.main[0].add(value));
        loudness
    }

    /// Guards against meters that depend on the host's block size.
    #[test]
    fn rises_at_once_and_falls_by_20_db_a_second_in_any_blocks() {
        for frames in [1, 64, 4800] {
            let meters = Meters::default();
            meters.played(&block(0.5, 48_000), 48_000);
            let peak = meters.levels().main.peak_dbfs[0];
            assert!((peak + 6.02).abs() < 0.01, "{peak}");
            for _ in 0..48_000 / frames {
                meters.played(&block(0.0, frames), 48_000);
            }
            let peak = meters.levels().main.peak_dbfs[0];
            // Rounding of 48,000 factors near one.
            assert!((peak + 26.02).abs() < 0.1, "blocks of {frames}: {peak}");
        }
    }

    #[test]
    fn the_rms_of_a_square_wave_is_its_level() {
        let meters = Meters::default();
        for _ in 0..100 {
            meters.played(&block(0.1, 4800), 48_000);
        }
        let rms = meters.levels().main.rms_dbfs;
        assert!((rms[0] + 20.0).abs() < 0.01, "{rms:?}");
        assert_eq!(rms[1], f32::NEG_INFINITY);
    }

    /// Guards against a meter that one NaN stops for ever.
    #[test]
    fn recovers_from_what_is_no_number() {
        let meters = Meters::default();
        meters.played(&block(f32::NAN, 64), 48_000);
        meters.played(&block(f32::INFINITY, 64), 48_000);
        meters.played(&block(0.5, 64), 48_000);
        let levels = meters.levels().main;
        assert!((levels.peak_dbfs[0] + 6.02).abs() < 0.01);
        assert!(levels.rms_dbfs[0].is_finite());
    }
}
