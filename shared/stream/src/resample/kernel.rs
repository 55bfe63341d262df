//! The low-pass filter of a rate conversion, tabulated by phase.

use super::RateError;

/// Half of the filter's length, in frames of the lower of the two rates (1.8 ms at 44.1 kHz).
const HALF_LENGTH: f64 = 80.0;

/// Where the filter is down by 6 dB, as a fraction of the lower Nyquist frequency. With the length
/// above, it is flat up to 0.91 (20 kHz at 44.1 kHz) and closed from 1.0 on.
const CUTOFF: f64 = 0.955;

/// Kaiser's window parameter for the attenuation that this length and transition allow, 111 dB
/// (Kaiser and Schafer, 1980: `A = 2.285 · 0.09π · 160 + 7.95`, `β = 0.1102 (A − 8.7)`).
const KAISER_BETA: f64 = 11.28;

/// Ratios with more phases than this are interpolated linearly between as many: its error,
/// `(π / 1024)² / 8`, lies 118 dB down.
const MAX_PHASES: usize = 1024;

/// Beyond this ratio a filter would take tens of megabytes; no audio needs it.
const MAX_RATIO: u32 = 64;

/// A windowed sinc for one pair of rates, one row of taps for each fraction of an input frame at
/// which an output frame can lie.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Output frames for every `down` input frames.
    pub(super) up: usize,
    /// Input frames for every `up` output frames.
    pub(super) down: usize,
    /// Input frames that the filter reaches to either side.
    pub(super) half: usize,
    /// `[phases + 1][2 * half]`; the last row is the first one of the next input frame.
    rows: Vec<f32>,
    phases: usize,
}

impl Kernel {
    pub(super) fn new(from_hz: u32, to_hz: u32) -> Result<Self, RateError> {
        let (low, high) = (from_hz.min(to_hz), from_hz.max(to_hz));
        if low == 0 || high / low >= MAX_RATIO {
            return Err(RateError { from_hz, to_hz });
        }
        let divisor = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / divisor) as usize, (from_hz / divisor) as usize);
        // Lower-rate frames in one input frame: the filter closes at the lower Nyquist frequency.
        let scale = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        // A multiple of four makes the taps a multiple of the eight sums of `dot`.
        let half = ((HALF_LENGTH / scale).ceil() as usize).next_multiple_of(4);
        let phases = up.min(MAX_PHASES);
        let mut rows = Vec::with_capacity((phases + 1) * 2 * half);
        let mut row = vec![0.0; 2 * half];
        for phase in 0..=phases {
            let fraction = phase as f64 / phases as f64;
            for (tap, value) in row.iter_mut().enumerate() {
                let input_frames = tap as f64 - (half - 1) as f64 - fraction;
                *value = windowed_sinc(input_frames * scale);
            }
            // Every phase passes a constant unchanged; otherwise the phases would modulate it.
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|value| (value / sum) as f32));
        }
        Ok(Self {
            up,
            down,
            half,
            rows,
            phases,
        })
    }

    /// The output frame that lies `phase / up` input frames after the middle of `window`, the
    /// `half - 1` input frames before it, that one, and the `half` after it.
    pub(super) fn apply(&self, window: &[f32], phase: usize) -> f32 {
        if self.phases == self.up {
            return dot(self.row(phase), window);
        }
        let position = phase * self.phases; // in units of 1 / (up * phases)
        let (row, rest) = (position / self.up, position % self.up);
        let fraction = rest as f32 / self.up as f32;
        let (here, next) = (dot(self.row(row), window), dot(self.row(row + 1), window));
        here + (next - here) * fraction
    }

    fn row(&self, phase: usize) -> &[f32] {
        &self.rows[phase * 2 * self.half..][..2 * self.half]
    }
}

/// The filter at a distance in frames of the lower rate.
fn windowed_sinc(distance: f64) -> f64 {
    let relative = distance / HALF_LENGTH;
    if relative.abs() >= 1.0 {
        return 0.0;
    }
    let angle = std::f64::consts::PI * CUTOFF * distance;
    let sinc = if angle == 0.0 {
        1.0
    } else {
        angle.sin() / angle
    };
    sinc * bessel_i0(KAISER_BETA * (1.0 - relative * relative).sqrt())
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    let quarter_square = x * x / 4.0;
    let mut k = 1.0;
    while term > sum * 1e-17 {
        term *= quarter_square / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// Eight sums at a time, which compilers turn into vector instructions, and always in this order,
/// so that the result does not depend on how the input was cut into blocks.
fn dot(taps: &[f32], samples: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (taps, samples) in taps.chunks_exact(8).zip(samples.chunks_exact(8)) {
        for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(samples) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
