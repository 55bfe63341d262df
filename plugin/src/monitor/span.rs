//! What meters and displays want to know of a run of samples, found in one pass.

/// Samples that are looked at side by side: a sum that waits for its own last step takes several times
/// as long.
const LANES: usize = 4;

/// Extremes and energy of a run of samples, of any length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Lowest sample; what is no number counts neither here nor in `max`.
    pub min: f32,
    /// Highest sample.
    pub max: f32,
    /// Sum of the squares.
    pub energy: f32,
}

impl Default for Span {
    /// Of no samples.
    fn default() -> Self {
        Self {
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            energy: 0.0,
        }
    }
}

impl Span {
    /// Looks at `samples`. Real-time safe.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        let Self { min, max, energy } = Self::default();
        let (mut min, mut max, mut energy) = ([min; LANES], [max; LANES], [energy; LANES]);
        let mut add = |lane: usize, sample: f32| {
            min[lane] = if sample < min[lane] {
                sample
            } else {
                min[lane]
            };
            max[lane] = if sample > max[lane] {
                sample
            } else {
                max[lane]
            };
            energy[lane] += sample * sample;
        };
        let (blocks, rest) = samples.as_chunks::<LANES>();
        for block in blocks {
            (0..LANES).for_each(|lane| add(lane, block[lane]));
        }
        let rest = rest.iter().zip(0..LANES);
        rest.for_each(|(&sample, lane)| add(lane, sample));
        Self {
            min: min.into_iter().fold(f32::INFINITY, f32::min),
            max: max.into_iter().fold(f32::NEG_INFINITY, f32::max),
            energy: energy.into_iter().sum(),
        }
    }

    /// Takes another run of samples in. Real-time safe.
    pub fn add(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.energy += other.energy;
    }

    /// The highest absolute value; 0 of no samples.
    #[must_use]
    pub fn peak(&self) -> f32 {
        self.max.max(-self.min).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against samples that are missed, or counted twice, where a run does not fill its lanes.
    #[test]
    fn every_sample_counts_once() {
        for frames in [0, 1, 3, 4, 5, 16, 63] {
            for loud in 0..frames {
                let mut samples = vec![0.25; frames];
                samples[loud] = -2.0;
                let mut span = Span::of(&samples);
                assert_eq!((span.min, span.peak()), (-2.0, 2.0));
                // Powers of two: exact in any order.
                assert_eq!(span.energy, 4.0 + (frames - 1) as f32 / 16.0);
                span.add(&Span::of(&[3.0]));
                assert_eq!((span.max, span.peak()), (3.0, 3.0));
            }
        }
        assert_eq!(Span::of(&[]).peak(), 0.0);
        assert_eq!(Span::of(&[f32::NAN, 0.5]).peak(), 0.5);
    }
}
