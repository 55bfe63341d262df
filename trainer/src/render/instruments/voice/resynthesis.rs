//! A voice taken apart into pitch and spectral envelope, and put together again at other pitches,
//! other times and with another throat.
//!
//! In the manner of WORLD (Morise, Yokomori, Ozawa: IEICE Trans. E99-D, 2016): envelopes from windows
//! of three periods, smoothed over the pitch; back by a minimum-phase response per period, and noise
//! in place of, or beside, the pulses.

use super::{
    pitch,
    spectrum::{BINS, FFT, Spectrum},
};
use crate::render::instruments::{RATE, hz, oscillator::Noise};

/// Frames between two moments: 5 ms.
pub(crate) const HOP: usize = 220;
/// Moments this far below the loudest count as silent, as a factor of power (−55 dB).
const SILENT: f32 = 3e-6;

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
        let pitches = pitch::pitches(voice, &powers, loudest * SILENT);
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
