//! What the filters make of the references, window by window, and the energies of what is left.
//!
//! Nothing is transformed back: a transform that is long enough for the filters' tails keeps
//! energies (Parseval), and only their ratios are wanted.

use std::sync::Arc;
use std::thread;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::filters::Filters;
use super::{Audio, TAPS, multiply_add};

/// ISR, SIR and SAR of one source in one window, in dB.
pub(super) type Ratios = [f64; 3];

/// Filters ready for windows of one length.
pub(super) struct Projections {
    transform: Arc<dyn RealToComplex<f64>>,
    bins: usize,
    /// `[estimate][reference][bin]`.
    all: Vec<Vec<Vec<Complex<f64>>>>,
    /// `[estimate][channel][bin]`.
    own: Vec<Vec<Vec<Complex<f64>>>>,
}

impl Projections {
    /// Projections of windows of at most `frames`.
    pub(super) fn new(filters: &Filters, frames: usize) -> Self {
        let length = fast_length(frames + TAPS - 1);
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        let spectrum = |taps: &Vec<f64>| {
            let mut input = transform.make_input_vec();
            input[..TAPS].copy_from_slice(taps);
            let mut output = transform.make_output_vec();
            // Only wrong lengths are refused.
            let _ = transform.process(&mut input, &mut output);
            output
        };
        let spectra = |estimates: &Vec<Vec<Vec<f64>>>| {
            let filters = estimates.iter();
            filters.map(|x| x.iter().map(spectrum).collect()).collect()
        };
        Self {
            bins: length / 2 + 1,
            all: spectra(&filters.all),
            own: spectra(&filters.own),
            transform,
        }
    }

    /// The ratios of every window: `[window][source]`.
    pub(super) fn ratios(
        &self,
        audio: &Audio<'_>,
        channels: usize,
        windows: &[(usize, usize)],
        threads: usize,
    ) -> Vec<Vec<Ratios>> {
        let share = windows.len().div_ceil(threads.max(1)).max(1);
        let part = |windows: &[(usize, usize)]| -> Vec<_> {
            let mut work = Work::new(self, audio);
            let ratios = windows.iter().map(|w| work.window(*w, channels));
            ratios.collect()
        };
        let part = &part;
        thread::scope(|scope| {
            let running: Vec<_> = windows
                .chunks(share)
                .map(|windows| scope.spawn(move || part(windows)))
                .collect();
            let joined = running.into_iter().map(|thread| thread.join());
            joined
                .flat_map(|found| found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

/// One thread's buffers.
struct Work<'a> {
    projections: &'a Projections,
    audio: &'a Audio<'a>,
    input: Vec<f64>,
    scratch: Vec<Complex<f64>>,
    /// `[channel][bin]`: references, then estimates.
    heard: Vec<Vec<Complex<f64>>>,
    from_all: Vec<Complex<f64>>,
    from_own: Vec<Complex<f64>>,
}

impl<'a> Work<'a> {
    fn new(projections: &'a Projections, audio: &'a Audio<'a>) -> Self {
        let bins = vec![Complex::default(); projections.bins];
        Self {
            projections,
            audio,
            input: projections.transform.make_input_vec(),
            scratch: projections.transform.make_scratch_vec(),
            heard: vec![bins.clone(); 2 * audio.half],
            from_all: bins.clone(),
            from_own: bins,
        }
    }

    /// Every source's ratios in one window.
    fn window(&mut self, (start, end): (usize, usize), channels: usize) -> Vec<Ratios> {
        let Self {
            projections,
            audio,
            input,
            scratch,
            heard,
            from_all,
            from_own,
        } = self;
        for (channel, spectrum) in heard.iter_mut().enumerate() {
            audio.read(channel, start as isize, &mut input[..end - start]);
            input[end - start..].fill(0.0);
            let transform = &projections.transform;
            let _ = transform.process_with_scratch(input, spectrum, scratch);
        }
        let (references, estimates) = heard.split_at(audio.half);
        let mut sources = vec![Energies::default(); audio.half / channels];
        for (row, estimate) in estimates.iter().enumerate() {
            let own = row / channels * channels..(row / channels + 1) * channels;
            filtered(&projections.all[row], references, from_all);
            filtered(&projections.own[row], &references[own], from_own);
            sources[row / channels].add(&references[row], estimate, from_all, from_own);
        }
        sources.iter().map(Energies::ratios_db).collect()
    }
}

/// The sum of the `heard` through their filters.
fn filtered(filters: &[Vec<Complex<f64>>], heard: &[Vec<Complex<f64>>], sum: &mut [Complex<f64>]) {
    sum.fill(Complex::default());
    for (filter, heard) in filters.iter().zip(heard) {
        multiply_add(sum, filter, heard);
    }
}

/// Energies of a source's parts in a window, all channels together, in an arbitrary unit.
#[derive(Clone, Copy, Default)]
struct Energies {
    truth: f64,
    spatial: f64,
    own: f64,
    interference: f64,
    all: f64,
    artefacts: f64,
}

impl Energies {
    /// Adds a channel.
    fn add(
        &mut self,
        truth: &[Complex<f64>],
        estimate: &[Complex<f64>],
        all: &[Complex<f64>],
        own: &[Complex<f64>],
    ) {
        let truth_bins = truth.len();
        let channels = truth.iter().zip(estimate).zip(all).zip(own);
        for (bin, (((truth, estimate), all), own)) in channels.enumerate() {
            // Every frequency but the first and the last stands for its mirror image, too.
            let is_single = bin == 0 || bin + 1 == truth_bins;
            let weight = if is_single { 1.0 } else { 2.0 };
            self.truth += weight * truth.norm_sqr();
            self.spatial += weight * (own - truth).norm_sqr();
            self.own += weight * own.norm_sqr();
            self.interference += weight * (all - own).norm_sqr();
            self.all += weight * all.norm_sqr();
            self.artefacts += weight * (estimate - all).norm_sqr();
        }
    }

    fn ratios_db(&self) -> Ratios {
        let ratio = |signal: f64, distortion: f64| match distortion == 0.0 {
            true => f64::INFINITY,
            false => 10.0 * (signal / distortion).log10(),
        };
        [
            ratio(self.truth, self.spatial),
            ratio(self.own, self.interference),
            ratio(self.all, self.artefacts),
        ]
    }
}

/// The next even length without prime factors above 5.
fn fast_length(length: usize) -> usize {
    let is_fast = |candidate: &usize| {
        let mut rest = *candidate;
        for factor in [2, 3, 5] {
            while rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        rest == 1
    };
    let even = length.max(2).next_multiple_of(2);
    (even..).step_by(2).find(is_fast).unwrap_or(even)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards Parseval's middle frequency, and against tails that wrap around.
    #[test]
    fn lengths_are_even_long_enough_and_fast() {
        assert_eq!(fast_length(44_100 + 511), 45_000);
        assert_eq!(fast_length(512), 512);
        assert_eq!(fast_length(15), 16);
    }
}
