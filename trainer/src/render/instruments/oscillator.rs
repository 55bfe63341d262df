//! Oscillators without audible aliasing (polyBLEP), and noise.

use super::RATE;

/// Shape of an oscillator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wave {
    Sine,
    Triangle,
    Saw,
    /// A rectangle with this duty cycle.
    Pulse(f32),
}

/// One oscillator; phase in 0..1.
#[derive(Clone, Debug)]
pub(crate) struct Oscillator {
    /// Shape.
    pub(crate) wave: Wave,
    /// Where in its cycle.
    pub(crate) phase: f32,
}

/// Correction around a unit step at phase 0, `step` being the phase increment.
pub(crate) fn blep(phase: f32, step: f32) -> f32 {
    if phase < step {
        let x = phase / step;
        x + x - x * x - 1.0
    } else if phase > 1.0 - step {
        let x = (phase - 1.0) / step;
        x * x + x + x + 1.0
    } else {
        0.0
    }
}

impl Oscillator {
    /// The next sample at this frequency.
    pub(crate) fn next(&mut self, frequency_hz: f32) -> f32 {
        let step = (frequency_hz / RATE).clamp(0.0, 0.45);
        let phase = self.phase;
        self.phase = (phase + step).fract();
        match self.wave {
            Wave::Sine => (phase * std::f32::consts::TAU).sin(),
            Wave::Triangle => 1.0 - 4.0 * (phase - 0.5).abs(),
            Wave::Saw => 2.0 * phase - 1.0 - blep(phase, step),
            Wave::Pulse(duty) => {
                let high = if phase < duty { 1.0 } else { -1.0 };
                high + blep(phase, step) - blep((phase + 1.0 - duty).fract(), step) + 1.0
                    - 2.0 * duty
            }
        }
    }
}

/// White noise in −1..1 by a linear congruential generator, cheap enough for every sample.
#[derive(Clone, Debug)]
pub(crate) struct Noise(u32);

impl Noise {
    /// A generator; equal seeds give equal noise.
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed | 1)
    }

    /// The next sample.
    pub(crate) fn next(&mut self) -> f32 {
        // xorshift32.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as i32 as f32 / i32::MAX as f32
    }
}
