//! How a model is run: the one choice between latency, quality and computing.

use std::fmt;
use std::str::FromStr;

/// How a stream goes through a model.
///
/// Written `live`, `studio-0.5` (latency in seconds) and `overlap-0.75` (part of a chunk).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Hop after hop through a causal model; windowed models cannot.
    Live,
    /// Overlapping chunks that keep a promise of latency: collecting a hop, what must be seen after
    /// it, and one hop's time to compute make `latency_ms` together. Causal models have a latency of
    /// their own, and take this as [`Mode::Live`].
    Studio {
        /// In milliseconds, [`Mode::STUDIO_LATENCY_MS`].
        latency_ms: u32,
    },
    /// Overlapping chunks of the model's own length: this part of each, 0 to below 1, is seen again
    /// in the next. For files, where latency is nothing. Causal models take it as [`Mode::Live`].
    Overlap(f64),
}

/// A model that comes with the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BuiltIn {
    /// With whole context: for files, and for [`Mode::Studio`].
    #[default]
    Studio,
    /// Causal, for [`Mode::Live`].
    Live,
}

impl BuiltIn {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Studio, Self::Live];

    /// The one that is made for `mode`.
    #[must_use]
    pub fn for_mode(mode: Mode) -> Self {
        match mode {
            Mode::Live => Self::Live,
            Mode::Studio { .. } | Mode::Overlap(_) => Self::Studio,
        }
    }

    /// Its name: `studio` or `live`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Studio => "studio",
            Self::Live => "live",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }
}

/// Overlap of consecutive chunks where nobody chooses.
pub const DEFAULT_OVERLAP: f64 = 0.75;

impl Mode {
    /// The latencies that users are offered, in milliseconds.
    pub const STUDIO_LATENCIES_MS: [u32; 5] = [250, 500, 1000, 2000, 4000];

    /// Latencies that [`Mode::Studio`] may have, in milliseconds.
    pub const STUDIO_LATENCY_MS: std::ops::RangeInclusive<u32> = 100..=20_000;

    /// The modes that users are offered, the quickest first.
    pub fn offered() -> impl Iterator<Item = Self> {
        let studio = Self::STUDIO_LATENCIES_MS.map(|latency_ms| Self::Studio { latency_ms });
        std::iter::once(Self::Live).chain(studio)
    }
}

impl Default for Mode {
    fn default() -> Self {
        Self::Overlap(DEFAULT_OVERLAP)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => write!(f, "live"),
            Self::Studio { latency_ms } => write!(f, "studio-{}", f64::from(*latency_ms) / 1e3),
            Self::Overlap(overlap) => write!(f, "overlap-{overlap}"),
        }
    }
}

/// Not the name of a [`Mode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no mode: use live, studio-SECONDS (0.1 to 20, e.g. studio-0.5), or overlap-FRACTION \
     (0 to below 1, e.g. overlap-0.75)"
)]
pub struct ModeError(pub String);

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(name: &str) -> Result<Self, ModeError> {
        let number = |prefix: &str| {
            let number = name.strip_prefix(prefix)?;
            number.parse::<f64>().ok().filter(|value| value.is_finite())
        };
        if name == "live" {
            return Ok(Self::Live);
        }
        if let Some(seconds) = number("studio-") {
            let latency_ms = (seconds * 1e3).round() as u32;
            if Self::STUDIO_LATENCY_MS.contains(&latency_ms) {
                return Ok(Self::Studio { latency_ms });
            }
        }
        match number("overlap-") {
            Some(overlap) if (0.0..1.0).contains(&overlap) => Ok(Self::Overlap(overlap)),
            _ => Err(ModeError(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards saved sessions: what is written must be read as the same mode.
    #[test]
    fn every_mode_survives_its_name() {
        let others = [Mode::default(), Mode::Overlap(0.0), Mode::Overlap(0.9)];
        for mode in Mode::offered().chain(others) {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(Mode::Studio { latency_ms: 250 }.to_string(), "studio-0.25");
    }

    #[test]
    fn nonsense_is_refused() {
        for name in [
            "",
            "Live",
            "studio",
            "studio-",
            "studio-0",
            "studio-inf",
            "studio-21",
            "overlap-1",
            "overlap--0.1",
            "overlap-NaN",
            "studio--1",
        ] {
            assert!(name.parse::<Mode>().is_err(), "{name}");
        }
    }
}
