//! A voice taken apart into pitch and spectral envelope, and put together again at other pitches,
//! other times and with another throat.
//!
//! In the manner of WORLD (Morise, Yokomori, Ozawa: IEICE Trans. E99-D, 2016): envelopes from windows
//! of three periods, smoothed over the pitch; back by a minimum-phase response per period, and noise
//! in place of, or beside, the pulses.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::render::instruments::{RATE, hz, oscillator::Noise};

/// Frames between two moments: 5 ms.
pub(crate) const HOP: usize = 220;
const FFT: usize = 2_048;
const BINS: usize = FFT / 2 + 1;
/// Voices are looked for within these pitches.
const PITCH_HZ: [f32; 2] = [75.0, 900.0];
/// Pitch is measured on every fourth sample.
const COARSE: usize = 4;
/// Similarity of a period with the next from which a moment counts as voiced.
const VOICED: f32 = 0.55;
/// Moments this far below the loudest count as silent, as a factor of power (−55 dB).
const SILENT: f32 = 3e-6;
/// Pitch that windows of unvoiced moments are made for.
const UNVOICED_HZ: f32 = 150.0;

/// What a voice does at one moment.
#[derive(Clone, Debug)]
struct Moment {
    /// Natural logarithm of the power density at each bin.
    envelope: Vec<f32>,
    /// 0 where it is not voiced.
    pitch_hz: f32,
    /// Mean power.
    power: f32,
}

/// A voice taken apart, a moment every [`HOP`] frames.
pub(crate) struct Anatomy {
    moments: Vec<Moment>,
    loudest: f32,
}

/// What is to sound at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The moment of the original, in seconds.
    pub(crate) source_s: f32,
    /// Pitch where the original is voiced; 0 to keep the original's.
    pub(crate) pitch_hz: f32,
    /// Factor for loudness; 0 for silence.
    pub(crate) level: f32,
}

/// How the voice sounds when put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throat {
    /// Factor for formants: above 1 a smaller throat.
    pub(crate) formants: f32,
    /// Noise in voiced sounds at 10 kHz, as a share of power; it grows with the square of frequency.
    pub(crate) breath: f32,
    /// Above this the original holds nothing, and the envelope is continued.
    pub(crate) known_below_hz: f32,
}

impl Anatomy {
    /// Takes mono sound at 44.1 kHz apart.
    pub(crate) fn of(voice: &[f32]) -> Self {
        let mut spectrum = Spectrum::new();
        let count = voice.len() / HOP + 1;
        let powers: Vec<f32> = (0..count)
            .map(|index| power_around(voice, index * HOP))
            .collect();
        let loudest = powers.iter().copied().fold(0.0, f32::max);
        let pitches = pitches(voice, &powers, loudest * SILENT);
        let moments = (0..count).map(|index| {
            let pitch_hz = pitches[index];
            let envelope = if powers[index] > loudest * SILENT {
                spectrum.envelope(voice, index * HOP, pitch_hz)
            } else {
                Vec::new()
            };
            Moment {
                envelope,
                pitch_hz,
                power: powers[index],
            }
        });
        Self {
            moments: moments.collect(),
            loudest,
        }
    }

    /// The original's pitch at a moment; 0 where it is not voiced.
    pub(crate) fn pitch_at(&self, seconds: f32) -> f32 {
        let index = (seconds * RATE / HOP as f32).round() as usize;
        self.moments
            .get(index)
            .map_or(0.0, |moment| moment.pitch_hz)
    }

    /// Mean power between two moments, in seconds.
    pub(crate) fn power_between(&self, from_s: f32, to_s: f32) -> f32 {
        let at = |seconds: f32| (seconds * RATE / HOP as f32) as usize;
        let to = at(to_s).min(self.moments.len());
        let moments = &self.moments[at(from_s).min(to)..to];
        let sum: f32 = moments.iter().map(|moment| moment.power).sum();
        sum / moments.len().max(1) as f32
    }

    /// Sound by wishes, one for every [`HOP`] frames; `frames` long.
    pub(crate) fn sing(
        &self,
        wishes: &[Wish],
        throat: Throat,
        seed: u32,
        frames: usize,
    ) -> Vec<f32> {
        let mut out = vec![0.0; frames + FFT];
        let mut spectrum = Spectrum::new();
        let mut noise = Noise::new(seed);
        let mut place = 0.0_f32;
        let mut carried = 0;
        while carried < frames {
            let (hop, within) = (carried / HOP, (carried % HOP) as f32 / HOP as f32);
            let Some(wish) = wishes.get(hop) else {
                break;
            };
            let next = wishes.get(hop + 1).unwrap_or(wish);
            let level = wish.level + (next.level - wish.level) * within;
            // No interpolation over a jump back or to another syllable.
            let source_s = if (next.source_s - wish.source_s).abs() < 0.05 {
                wish.source_s + (next.source_s - wish.source_s) * within
            } else {
                wish.source_s
            };
            let position = source_s * RATE / HOP as f32;
            let index = position as usize;
            let moment = self
                .moments
                .get(index)
                .filter(|moment| level > 1e-4 && moment.power > self.loudest * SILENT);
            let Some(moment) = moment else {
                place = (carried + HOP) as f32;
                carried += HOP;
                continue;
            };
            let voiced = moment.pitch_hz > 0.0;
            let pitch_hz = match (voiced, wish.pitch_hz > 0.0) {
                (true, true) => wish.pitch_hz + (next.pitch_hz - wish.pitch_hz) * within,
                (true, false) => moment.pitch_hz,
                (false, _) => 2.0 * RATE / HOP as f32,
            };
            let period = (RATE / pitch_hz.clamp(40.0, 2_000.0)).max(16.0);
            let following = self
                .moments
                .get(index + 1)
                .filter(|next| next.envelope.len() == BINS)
                .unwrap_or(moment);
            spectrum.blend(
                (&moment.envelope, &following.envelope, position.fract()),
                throat,
                voiced,
            );
            let pulse = spectrum.pulse(period, voiced, throat.breath, &mut noise);
            // Between two samples: pulses on whole samples only would make high notes rough.
            let part = place.fract();
            for (offset, sample) in pulse.iter().enumerate() {
                let before = if offset > 0 { pulse[offset - 1] } else { 0.0 };
                let sample = sample + (before - sample) * part;
                out[carried + offset] += sample * level;
            }
            place += period;
            carried = place as usize;
        }
        out.truncate(frames);
        out
    }
}

/// Sings a recording again with another throat: every moment at the pitch that `bend` gives for its
/// own (keys with fractions). Mono, as long as the original.
pub(crate) fn sing_again(
    voice: &[f32],
    bend: impl Fn(f32) -> f32,
    throat: Throat,
    seed: u32,
) -> Vec<f32> {
    let anatomy = Anatomy::of(voice);
    let wishes: Vec<Wish> = (0..anatomy.moments.len())
        .map(|hop| {
            let source_s = (hop * HOP) as f32 / RATE;
            let heard_hz = anatomy.pitch_at(source_s);
            let pitch_hz = if heard_hz > 0.0 {
                hz(bend(69.0 + 12.0 * (heard_hz / 440.0).log2()))
            } else {
                0.0
            };
            Wish {
                source_s,
                pitch_hz,
                level: 1.0,
            }
        })
        .collect();
    anatomy.sing(&wishes, throat, seed, voice.len())
}

/// Mean power of 10 ms around a frame.
fn power_around(voice: &[f32], centre: usize) -> f32 {
    let window = &voice[centre.saturating_sub(HOP).min(voice.len())..voice.len().min(centre + HOP)];
    let sum: f32 = window.iter().map(|sample| sample * sample).sum();
    sum / (2 * HOP) as f32
}

/// The pitch at each moment by autocorrelation, outliers against their neighbours removed.
fn pitches(voice: &[f32], powers: &[f32], floor: f32) -> Vec<f32> {
    // Means over three coarse samples: sharp pulses would match only where the period happens to be
    // whole.
    let coarse: Vec<f32> = (0..voice.len().div_ceil(COARSE))
        .map(|index| {
            let from = (index * COARSE).saturating_sub(COARSE);
            let near = &voice[from..voice.len().min((index + 2) * COARSE)];
            near.iter().sum::<f32>() / (3 * COARSE) as f32
        })
        .collect();
    let rate = RATE / COARSE as f32;
    let lags = (rate / PITCH_HZ[1]) as usize..=(rate / PITCH_HZ[0]) as usize;
    let raw: Vec<f32> = powers
        .iter()
        .enumerate()
        .map(|(index, power)| {
            if *power <= floor {
                return 0.0;
            }
            let reach = *lags.end() * 3 / 2;
            let centre = index * HOP / COARSE;
            let from = centre.saturating_sub(reach).min(coarse.len());
            let window = &coarse[from..coarse.len().min(centre + reach)];
            best_lag(window, lags.clone()).map_or(0.0, |lag| rate / lag)
        })
        .collect();
    (0..raw.len())
        .map(|index| {
            let mut near: Vec<f32> =
                raw[index.saturating_sub(2)..raw.len().min(index + 3)].to_vec();
            near.sort_by(f32::total_cmp);
            near[near.len() / 2]
        })
        .collect()
}

/// The period of a window in samples, if it has one.
fn best_lag(window: &[f32], lags: std::ops::RangeInclusive<usize>) -> Option<f32> {
    if window.len() < lags.end() * 2 {
        return None;
    }
    let compared = window.len() - lags.end();
    let energy = |from: usize| -> f32 {
        let part = &window[from..from + compared];
        part.iter().map(|x| x * x).sum()
    };
    let here = energy(0);
    let first = *lags.start();
    let scores: Vec<f32> = lags
        .map(|lag| {
            let pairs = window[..compared].iter().zip(&window[lag..lag + compared]);
            let product: f32 = pairs.map(|(a, b)| a * b).sum();
            product / (here * energy(lag)).sqrt().max(1e-9)
        })
        .collect();
    let best = scores.iter().copied().fold(0.0, f32::max);
    if best < VOICED {
        return None;
    }
    // Every multiple of the period matches as well: the first high peak is the true one.
    let peak = (1..scores.len() - 1).find(|&index| {
        scores[index] > 0.9 * best
            && scores[index] >= scores[index - 1]
            && scores[index] >= scores[index + 1]
    })?;
    let (before, at, after) = (scores[peak - 1], scores[peak], scores[peak + 1]);
    let bend = before - 2.0 * at + after;
    let shift = if bend < 0.0 {
        0.5 * (before - after) / bend
    } else {
        0.0
    };
    Some((first + peak) as f32 + shift.clamp(-0.5, 0.5))
}

/// Transforms and their buffers.
struct Spectrum {
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
    fn new() -> Self {
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
    fn envelope(&mut self, voice: &[f32], centre: usize, pitch_hz: f32) -> Vec<f32> {
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
    fn blend(&mut self, (a, b, part): (&[f32], &[f32], f32), throat: Throat, voiced: bool) {
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
    fn pulse(&mut self, period: f32, voiced: bool, breath: f32, noise: &mut Noise) -> &[f32] {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Pulses at a pitch through a resonance at 1 kHz: a crude vowel.
    fn vowel(pitch_hz: f32, seconds: f32) -> Vec<f32> {
        let frames = (seconds * RATE) as usize;
        let period = (RATE / pitch_hz) as usize;
        let mut resonance = crate::render::instruments::filter::Formant::default();
        resonance.tune(1_000.0, 120.0);
        (0..frames)
            .map(|frame| {
                let pulse = if frame % period == 0 { 1.0 } else { 0.0 };
                resonance.run(pulse)
            })
            .collect()
    }

    fn power(samples: &[f32]) -> f32 {
        samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32
    }

    const THROAT: Throat = Throat {
        formants: 1.0,
        breath: 0.1,
        known_below_hz: 20_000.0,
    };

    /// A voice that comes back at another pitch, or much louder, was not the singer's.
    #[test]
    fn the_pitch_is_the_wished_one_and_the_level_stays() {
        let voice = vowel(150.0, 0.6);
        let anatomy = Anatomy::of(&voice);
        let heard = anatomy.pitch_at(0.3);
        assert!((heard - 150.0).abs() < 3.0, "{heard} Hz");
        let wishes: Vec<Wish> = (0..=voice.len() / HOP)
            .map(|hop| Wish {
                source_s: (hop * HOP) as f32 / RATE,
                pitch_hz: 220.0,
                level: 1.0,
            })
            .collect();
        let sung = anatomy.sing(&wishes, THROAT, 7, voice.len());
        let again = Anatomy::of(&sung).pitch_at(0.3);
        assert!((again - 220.0).abs() < 4.0, "{again} Hz");
        let middle = 8_000..18_000;
        let ratio = power(&sung[middle.clone()]) / power(&voice[middle]);
        // Power per second is kept whatever the pitch; smoothing widens the resonance a little.
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
    }

    /// Higher pitch must not mean a smaller head.
    #[test]
    fn formants_stay_where_they_are_unless_asked() {
        let voice = vowel(120.0, 0.5);
        let anatomy = Anatomy::of(&voice);
        let loudest_hz = |formants: f32| {
            let wishes = vec![
                Wish {
                    source_s: 0.25,
                    pitch_hz: 200.0,
                    level: 1.0,
                };
                100
            ];
            let throat = Throat { formants, ..THROAT };
            let sung = anatomy.sing(&wishes, throat, 7, 22_000);
            let envelope = Spectrum::new().envelope(&sung, 11_000, 200.0);
            let bin = (0..BINS).max_by(|a, b| envelope[*a].total_cmp(&envelope[*b]));
            bin.unwrap() as f32 * RATE / FFT as f32
        };
        // Harmonics are 200 Hz apart: the loudest lies within one of the formant.
        let (same, smaller) = (loudest_hz(1.0), loudest_hz(1.3));
        assert!((same - 1_000.0).abs() <= 200.0, "{same} Hz");
        assert!((smaller - 1_300.0).abs() <= 200.0, "{smaller} Hz");
    }

    #[test]
    fn silence_stays_silent() {
        let anatomy = Anatomy::of(&vec![0.0; 4_410]);
        let wish = Wish {
            source_s: 0.05,
            pitch_hz: 200.0,
            level: 1.0,
        };
        let sung = anatomy.sing(&[wish; 20], THROAT, 7, 4_400);
        assert!(sung.iter().all(|sample| *sample == 0.0));
    }
}
