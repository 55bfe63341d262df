//! Spectral envelopes of a voice: measured, blended, and turned into the sound of one period.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

use super::resynthesis::Throat;
use crate::render::instruments::{RATE, oscillator::Noise};

/// Samples of a spectrum's window, and of a period's sound.
pub(super) const FFT: usize = 2_048;
/// Bins of an envelope.
pub(super) const BINS: usize = FFT / 2 + 1;
/// Pitch that windows of unvoiced moments are made for.
const UNVOICED_HZ: f32 = 150.0;

/// Transforms and their buffers.
pub(super) struct Spectrum {
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    time: Vec<f32>,
    bins: Vec<Complex32>,
    /// The envelope as it is to sound.
    envelope: Vec<f32>,
    /// The response with the least delay that has this envelope.
    response: Vec<Complex32>,
}

impl Spectrum {
    /// Plans the transforms.
    pub(super) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(FFT),
            backward: planner.plan_fft_inverse(FFT),
            time: vec![0.0; FFT],
            bins: vec![Complex32::default(); BINS],
            envelope: vec![0.0; BINS],
            response: vec![Complex32::default(); BINS],
        }
    }

    fn transform(&mut self) {
        // Lengths are those of the plan: it cannot fail.
        let _ = self.forward.process(&mut self.time, &mut self.bins);
    }

    fn transform_back(&mut self) {
        // A real signal's spectrum is real at both ends; rounding must not say otherwise.
        self.bins[0].im = 0.0;
        self.bins[BINS - 1].im = 0.0;
        let _ = self.backward.process(&mut self.bins, &mut self.time);
    }

    /// The log power density around a frame, from three periods, smoothed over the pitch.
    pub(super) fn envelope(&mut self, voice: &[f32], centre: usize, pitch_hz: f32) -> Vec<f32> {
        let pitch_hz = if pitch_hz > 0.0 {
            pitch_hz
        } else {
            UNVOICED_HZ
        };
        let half = ((1.5 * RATE / pitch_hz) as usize).min(FFT / 2 - 1);
        self.time.fill(0.0);
        let mut weight = 0.0;
        for offset in 0..2 * half {
            let turn = offset as f32 / (2 * half) as f32 * std::f32::consts::TAU;
            let window = 0.5 - 0.5 * turn.cos();
            weight += window * window;
            let sample = (centre + offset).checked_sub(half);
            let sample = sample.and_then(|frame| voice.get(frame)).copied();
            self.time[offset] = sample.unwrap_or(0.0) * window;
        }
        self.transform();
        // The running sum of powers, so that a mean over any stretch is a difference.
        let mut sums = Vec::with_capacity(BINS + 1);
        let mut sum = 0.0_f64;
        sums.push(sum);
        for bin in &self.bins {
            sum += f64::from(bin.norm_sqr() / weight);
            sums.push(sum);
        }
        let reach = (0.5 * pitch_hz * FFT as f32 / RATE).ceil().max(1.0) as usize;
        (0..BINS)
            .map(|bin| {
                let (from, to) = (bin.saturating_sub(reach), (bin + reach + 1).min(BINS));
                let mean = (sums[to] - sums[from]) / (to - from) as f64;
                (mean as f32 + 1e-12).ln()
            })
            .collect()
    }

    /// Sets the envelope between two moments, as this throat forms it, and its response.
    pub(super) fn blend(
        &mut self,
        (a, b, part): (&[f32], &[f32], f32),
        throat: Throat,
        voiced: bool,
    ) {
        let bin_of = |hz: f32| ((hz * FFT as f32 / RATE) as usize).min(BINS - 1);
        let known = bin_of(throat.known_below_hz);
        // What lies just below the limit goes on above it, falling.
        let base = bin_of(throat.known_below_hz * 0.75);
        let mean = |envelope: &[f32]| {
            envelope[base..=known].iter().sum::<f32>() / (known - base + 1) as f32
        };
        let (mean_a, mean_b) = (mean(a), mean(b));
        let slope = if voiced { 3.0 } else { 1.2 };
        for bin in 0..BINS {
            let source = bin as f32 / throat.formants;
            let index = (source as usize).min(BINS - 1);
            let read = |envelope: &[f32], mean: f32| {
                if index > known {
                    mean - slope * (source / known as f32).log2()
                } else {
                    envelope[index]
                }
            };
            let (from, to) = (read(a, mean_a), read(b, mean_b));
            self.envelope[bin] = from + (to - from) * part;
        }
        // Minimum phase: fold the cepstrum of the log magnitude.
        for (bin, log_power) in self.bins.iter_mut().zip(&self.envelope) {
            *bin = Complex32::new(0.5 * log_power / FFT as f32, 0.0);
        }
        self.transform_back();
        for sample in &mut self.time[1..FFT / 2] {
            *sample *= 2.0;
        }
        self.time[FFT / 2 + 1..].fill(0.0);
        self.transform();
        for (response, bin) in self.response.iter_mut().zip(&self.bins) {
            *response = Complex32::from_polar(bin.re.exp(), bin.im);
        }
    }

    /// The sound of one period: a pulse, and noise as long as the period.
    pub(super) fn pulse(
        &mut self,
        period: f32,
        voiced: bool,
        breath: f32,
        noise: &mut Noise,
    ) -> &[f32] {
        self.time.fill(0.0);
        for sample in &mut self.time[..period as usize] {
            // Uniform in −1..1 has a third of the power that is wanted.
            *sample = noise.next() * 1.732;
        }
        self.transform();
        let pulse = period.sqrt();
        for (index, (bin, response)) in self.bins.iter_mut().zip(&self.response).enumerate() {
            let hz = index as f32 * RATE / FFT as f32;
            let husky = if voiced {
                (0.003 + breath * (hz / 10_000.0).powi(2)).min(0.95)
            } else {
                1.0
            };
            let excitation = *bin * husky.sqrt() + pulse * (1.0 - husky).sqrt();
            *bin = excitation * response / FFT as f32;
        }
        self.transform_back();
        &self.time
    }
}
