//! What one file says of itself, gathered while it is read block by block.

use bunri_stream::Planar;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use serde::Serialize;
use std::sync::Arc;

/// Frames of a spectrum, and from one to the next.
const WINDOW: usize = 2048;
const HOP: usize = 1024;
/// Mean square of -60 dBFS: what is quieter is no sound.
const AUDIBLE: f64 = 1e-6;
/// Steps of the envelope in a second.
const ENVELOPE_RATE: u32 = 100;

/// Figures of one file.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Heard {
    pub(super) frames: u64,
    pub(super) rate_hz: u32,
    /// RMS over everything.
    pub(super) level_dbfs: f64,
    pub(super) peak: f32,
    /// Tops cut flat: runs of three samples or more at full scale.
    pub(super) flat_tops: u64,
    /// Share of seconds above -60 dBFS.
    pub(super) audible: f64,
    /// Share of the energy below 200 Hz.
    pub(super) low_share: f64,
    /// Median over audible spectra of their flatness from 0.2 to 10 kHz: geometric over arithmetic
    /// mean of the power, 0 for a tone, about 0.5 for noise.
    pub(super) flatness: f64,
    /// Level in steps of 10 ms, in dB above -70 dBFS.
    #[serde(skip)]
    pub(super) envelope_db: Vec<u8>,
}

impl Heard {
    pub(super) fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate_hz.max(1))
    }

    pub(super) fn is_silent(&self) -> bool {
        self.audible == 0.0
    }
}

/// Gathers the figures.
pub(super) struct Listener {
    rate_hz: u32,
    frames: u64,
    squares: f64,
    peak: f32,
    flat_tops: u64,
    /// Length of the run at full scale so far, by channel, with its sign.
    runs: [(u32, bool); 2],
    second: Mean,
    audible_seconds: u32,
    seconds: u32,
    step: Mean,
    envelope_db: Vec<u8>,
    /// Both sides mixed, of the spectrum to come.
    pending: Vec<f32>,
    spectrum: Spectrum,
    low: f64,
    all: f64,
    flatness: Vec<f32>,
}

/// A mean of squares over so many frames.
#[derive(Clone, Copy, Default)]
struct Mean {
    squares: f64,
    frames: u32,
}

impl Mean {
    /// Takes a frame; gives the mean square once there are `full` of them.
    fn add(&mut self, square: f64, full: u32) -> Option<f64> {
        self.squares += square;
        self.frames += 1;
        (self.frames >= full).then(|| {
            let mean = self.squares / f64::from(self.frames);
            *self = Self::default();
            mean
        })
    }
}

impl Listener {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            frames: 0,
            squares: 0.0,
            peak: 0.0,
            flat_tops: 0,
            runs: [(0, false); 2],
            second: Mean::default(),
            audible_seconds: 0,
            seconds: 0,
            step: Mean::default(),
            envelope_db: Vec::new(),
            pending: Vec::new(),
            spectrum: Spectrum::new(rate_hz),
            low: 0.0,
            all: 0.0,
            flatness: Vec::new(),
        }
    }

    /// Hears the next block, in stereo.
    pub(super) fn take(&mut self, block: &Planar) {
        let step_frames = (self.rate_hz / ENVELOPE_RATE).max(1);
        for (&left, &right) in block.channel(0).iter().zip(block.channel(1)) {
            let square = 0.5 * (f64::from(left).powi(2) + f64::from(right).powi(2));
            self.squares += square;
            for (side, sample) in [left, right].into_iter().enumerate() {
                self.peak = self.peak.max(sample.abs());
                self.watch_top(side, sample);
            }
            if let Some(mean) = self.second.add(square, self.rate_hz) {
                self.seconds += 1;
                self.audible_seconds += u32::from(mean > AUDIBLE);
            }
            if let Some(mean) = self.step.add(square, step_frames) {
                let level_db = 10.0 * mean.max(1e-9).log10() + 70.0;
                self.envelope_db.push(level_db.clamp(0.0, 255.0) as u8);
            }
            self.pending.push(0.5 * (left + right));
        }
        self.frames += block.frames() as u64;
        let mut start = 0;
        while let Some(window) = self.pending.get(start..start + WINDOW) {
            let (low, all, flatness) = self.spectrum.of(window);
            self.low += low;
            self.all += all;
            self.flatness.extend(flatness);
            start += HOP;
        }
        self.pending.drain(..start);
    }

    fn watch_top(&mut self, side: usize, sample: f32) {
        /// Full scale of 16 bits is a little less than 1; decoders of lossy files go beyond it, and
        /// what they bring back there is not flat.
        const FULL: std::ops::RangeInclusive<f32> = 0.9995..=1.0001;
        let (length, sign) = &mut self.runs[side];
        let at_full_scale = FULL.contains(&sample.abs());
        if at_full_scale && (*length == 0 || *sign == (sample > 0.0)) {
            *length += 1;
            *sign = sample > 0.0;
            self.flat_tops += u64::from(*length == 3);
        } else {
            *length = u32::from(at_full_scale);
            *sign = sample > 0.0;
        }
    }

    pub(super) fn finish(mut self) -> Heard {
        if self.second.frames > 0 {
            let mean = self.second.squares / f64::from(self.second.frames);
            self.seconds += 1;
            self.audible_seconds += u32::from(mean > AUDIBLE);
        }
        let middle = self.flatness.len() / 2;
        let flatness = if self.flatness.is_empty() {
            0.0
        } else {
            *self
                .flatness
                .select_nth_unstable_by(middle, f32::total_cmp)
                .1
        };
        Heard {
            frames: self.frames,
            rate_hz: self.rate_hz,
            // Silence must have a level that JSON can hold.
            level_dbfs: 10.0
                * (self.squares / self.frames.max(1) as f64)
                    .max(1e-20)
                    .log10(),
            peak: self.peak,
            flat_tops: self.flat_tops,
            audible: f64::from(self.audible_seconds) / f64::from(self.seconds.max(1)),
            low_share: self.low / self.all.max(1e-20),
            flatness: f64::from(flatness),
            envelope_db: self.envelope_db,
        }
    }
}

/// One spectrum after another, in buffers of its own.
struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// First bin of 200 Hz and of 10 kHz.
    low_bin: usize,
    high_bin: usize,
}

impl Spectrum {
    fn new(rate_hz: u32) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let turn = std::f32::consts::TAU / WINDOW as f32;
        let bin = |hz: f32| (hz * WINDOW as f32 / rate_hz.max(1) as f32) as usize;
        let last = WINDOW / 2;
        Self {
            window: (0..WINDOW)
                .map(|i| 0.5 - 0.5 * (i as f32 * turn).cos())
                .collect(),
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            low_bin: bin(200.0).clamp(1, last - 1),
            high_bin: bin(10_000.0).clamp(2, last),
        }
    }

    /// Energy below 200 Hz, all energy, and flatness between 0.2 and 10 kHz; that of a bass's noise
    /// floor says nothing, so there is none where these frequencies are below -60 dBFS.
    fn of(&mut self, samples: &[f32]) -> (f64, f64, Option<f32>) {
        let windowed = samples.iter().zip(&self.window);
        for (input, (sample, weight)) in self.input.iter_mut().zip(windowed) {
            *input = sample * weight;
        }
        let (input, output) = (&mut self.input, &mut self.output);
        let done = self
            .fft
            .process_with_scratch(input, output, &mut self.scratch);
        if done.is_err() {
            return (0.0, 0.0, None); // Only buffers of other lengths: they were made by the plan.
        }
        let power = |bin: &Complex<f32>| f64::from(bin.norm_sqr());
        let low: f64 = output[..self.low_bin].iter().map(power).sum();
        let all: f64 = output.iter().map(power).sum();
        let middle = &output[self.low_bin..self.high_bin.max(self.low_bin + 1)];
        let bins = middle.len() as f64;
        // A floor far below any sound keeps empty bins from deciding.
        let logarithms: f64 = middle.iter().map(|bin| (power(bin) + 1e-9).ln()).sum();
        let mean = middle.iter().map(|bin| power(bin) + 1e-9).sum::<f64>() / bins;
        // Parseval, for half a spectrum under a Hann window, whose mean square is 3/8.
        let mean_square = 2.0 * mean * bins / (0.375 * (WINDOW * WINDOW) as f64);
        let flatness = (logarithms / bins).exp() / mean;
        (low, all, (mean_square > AUDIBLE).then_some(flatness as f32))
    }
}
