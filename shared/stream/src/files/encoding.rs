//! The formats that can be written, and what each of them holds.

use super::wav::WavFormat;
use super::{Ffmpeg, FileError, adts, alac, flac};

/// Container and sample format of a written file.
///
/// Rates of data are in kbit/s; `None` is the format's default for music.
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
    /// MP3, by the user's `ffmpeg`; by default of variable rate, best quality (V0).
    Mp3(Option<u16>),
    /// Opus in Ogg, by the user's `ffmpeg`; 96 for each channel by default. Opus has one rate: files
    /// of any other are converted to 48 kHz.
    Opus(Option<u16>),
    /// AAC in MP4, by the user's `ffmpeg`; 128 for each channel by default.
    Aac(Option<u16>),
    /// Apple Lossless in MP4, 16 bits.
    Alac16,
}

impl Encoding {
    /// File name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav16 | Self::Wav24 | Self::Wav32Float => "wav",
            Self::Flac16 | Self::Flac24 => "flac",
            Self::Mp3(_) => "mp3",
            Self::Opus(_) => "opus",
            Self::Aac(_) | Self::Alac16 => "m4a",
        }
    }

    /// Bits of an integer sample; `None` where floats are stored or compressed as they are.
    #[must_use]
    pub fn integer_bits(self) -> Option<u32> {
        match self {
            Self::Wav16 | Self::Flac16 | Self::Alac16 => Some(16),
            Self::Wav24 | Self::Flac24 => Some(24),
            Self::Wav32Float | Self::Mp3(_) | Self::Opus(_) | Self::Aac(_) => None,
        }
    }

    /// The encoder of the user's `ffmpeg` that this format needs.
    fn outside_encoder(self) -> Option<&'static str> {
        match self {
            Self::Mp3(_) => Some("libmp3lame"),
            Self::Opus(_) => Some("libopus"),
            Self::Aac(_) => Some("aac"),
            _ => None,
        }
    }

    /// Checks, before any work, that the format's encoder is on this machine.
    ///
    /// # Errors
    /// [`FileError::NoEncoder`].
    pub fn check_encoder(self) -> Result<(), FileError> {
        let Some(encoder) = self.outside_encoder() else {
            return Ok(());
        };
        let missing = |reason: String| FileError::NoEncoder {
            format: self.extension(),
            reason,
        };
        let ffmpeg = Ffmpeg::find().ok_or_else(|| {
            let place = match std::env::var_os(Ffmpeg::VARIABLE) {
                Some(named) => format!("{}={} is not a file", Ffmpeg::VARIABLE, named.display()),
                None => "there is none on PATH".to_owned(),
            };
            missing(place)
        })?;
        let program = ffmpeg.program.display().to_string();
        let listed = ffmpeg
            .command()
            .arg("-encoders")
            .output()
            .map_err(|error| missing(format!("{program} cannot be started: {error}")))?;
        let is_it = |line: &str| line.split_whitespace().nth(1) == Some(encoder);
        if String::from_utf8_lossy(&listed.stdout).lines().any(is_it) {
            return Ok(());
        }
        Err(missing(format!("{program} was built without {encoder}")))
    }

    /// Why the format cannot hold such audio, and which format can; `None` if it does.
    pub(super) fn obstacle(self, rate_hz: u32, channels: usize) -> Option<String> {
        /// Those of MPEG-1, MPEG-2 and MPEG-2.5.
        const MP3_RATES_HZ: [u32; 9] = [
            8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
        ];
        let audio = format!("{channels} channels at {rate_hz} Hz");
        let (holds, limits, instead) = match self {
            _ if rate_hz == 0 || channels == 0 => (false, "anything".to_owned(), "a recording"),
            Self::Wav16 | Self::Wav24 | Self::Wav32Float => (
                WavFormat::new(rate_hz, channels, self.integer_bits()).is_some(),
                "65535 bytes a frame and 4 GiB a second".to_owned(),
                "fewer channels",
            ),
            Self::Flac16 | Self::Flac24 => (
                rate_hz <= flac::MAX_RATE_HZ && channels <= flac::MAX_CHANNELS,
                format!(
                    "{} channels at {} Hz",
                    flac::MAX_CHANNELS,
                    flac::MAX_RATE_HZ
                ),
                "wav",
            ),
            Self::Mp3(_) => (
                MP3_RATES_HZ.contains(&rate_hz) && channels <= 2,
                format!("2 channels at one of {MP3_RATES_HZ:?} Hz"),
                "flac or wav",
            ),
            Self::Aac(_) => (
                adts::RATES_HZ.contains(&rate_hz) && channels <= 2,
                format!("2 channels at one of {:?} Hz", adts::RATES_HZ),
                "flac or wav",
            ),
            Self::Opus(_) => (channels <= 2, "2 channels".to_owned(), "flac or wav"),
            Self::Alac16 => (
                rate_hz <= alac::MAX_RATE_HZ && channels <= 2,
                format!("2 channels at {} Hz", alac::MAX_RATE_HZ),
                "flac or wav",
            ),
        };
        let name = self.extension();
        (!holds).then(|| format!("{audio}; {name} holds at most {limits}: write {instead}"))
    }

    /// The most frames of a file.
    pub(super) fn max_frames(self) -> u64 {
        match self {
            Self::Flac16 | Self::Flac24 => flac::MAX_FRAMES,
            // Times of 32 bits, less the encoder's delay.
            Self::Aac(_) | Self::Alac16 => u64::from(u32::MAX) - (1 << 16),
            _ => u64::MAX,
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
