//! The sample formats that can be written.

/// Container and sample format of a written file: every combination that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// WAV, 16-bit integers.
    Wav16,
    /// WAV, 24-bit integers.
    Wav24,
    /// WAV, 32-bit floats: exact, and nothing clips.
    Wav32Float,
    /// FLAC, 16 bits.
    Flac16,
    /// FLAC, 24 bits.
    Flac24,
}

impl Encoding {
    /// File name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav16 | Self::Wav24 | Self::Wav32Float => "wav",
            Self::Flac16 | Self::Flac24 => "flac",
        }
    }

    /// Bits of an integer sample; `None` where floats are stored as they are.
    #[must_use]
    pub fn integer_bits(self) -> Option<u32> {
        match self {
            Self::Wav16 | Self::Flac16 => Some(16),
            Self::Wav24 | Self::Flac24 => Some(24),
            Self::Wav32Float => None,
        }
    }
}

/// Rounds samples to integers, full scale at ±1, and counts what did not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantiser {
    scale: f64,
    lowest: f64,
    highest: f64,
    /// Samples outside the range (or not numbers) so far.
    pub(super) clipped: u64,
}

impl Quantiser {
    pub(super) fn new(bits: u32) -> Self {
        let scale = f64::from(1u32 << (bits - 1));
        Self {
            scale,
            lowest: -scale,
            highest: scale - 1.0,
            clipped: 0,
        }
    }

    /// The nearest integer, clipped to the range; not-a-number becomes 0.
    pub(super) fn quantise(&mut self, sample: f32) -> i32 {
        let scaled = (f64::from(sample) * self.scale).round();
        let fits = scaled >= self.lowest && scaled <= self.highest;
        self.clipped += u64::from(!fits);
        // `as` saturates and takes not-a-number to 0, so no value can go wrong here.
        scaled.clamp(self.lowest, self.highest) as i32
    }
}
