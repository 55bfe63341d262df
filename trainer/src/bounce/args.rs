//! The command line of `bounce`, and what of it can be checked before any work is done.

use std::path::PathBuf;

use anyhow::{Result, bail};
use bunri_model::DeviceChoice;
use bunri_stream::Encoding;

use super::outputs::Outputs;
use super::record::OptionsRecord;
use super::targets::Target;
use super::template::Template;
use crate::model;
use crate::stream_args::StreamArgs;
use clap::ValueEnum;

// The first lines are what `bounce --help` opens with.
/// Separates audio files into stems: drums, bass, vocals and whatever else the model knows.
///
/// Without a file it renders a demo song of 30 seconds, separates it and says how well.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Audio files, mono or stereo, at any rate: wav, aiff, flac, mp3, ogg/vorbis or m4a/aac; or folders
    /// of such files.
    pub files: Vec<PathBuf>,

    /// Folder for the results: each file gets a folder of its own name in it, with its stems and their
    /// record, bunri.json. Results of the same input are replaced; where anything else has that name,
    /// another one is taken, and said.
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    pub output: PathBuf,

    /// Model file: .safetensors, or the .toml that describes a TorchScript model; `studio` and `live`
    /// are the models that this program was built with, `default` the one that the mode asks for.
    #[arg(long, value_name = "FILE", default_value = model::DEFAULT)]
    pub model: PathBuf,

    /// Where the model runs: auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Write only these of the model's stems, e.g. drums,vocals.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "two_stems"
    )]
    pub stems: Vec<String>,

    /// Write two files: this stem, and the sum of all others as no_STEM.
    #[arg(long, value_name = "STEM")]
    pub two_stems: Option<String>,

    /// Format of the results. mp3, opus and, with AAC, m4a and stem are encoded by the program `ffmpeg`
    /// (on PATH, or named in BUNRI_FFMPEG). Tags are carried over.
    #[arg(long, value_enum, default_value_t = Format::Wav)]
    pub format: Format,

    /// Bits per sample: 16, 24 or 32f. wav: 32f unless chosen, flac: 24, Apple Lossless: 16.
    ///
    /// The stems add up to the decoded input to within -130 dBFS with 32f and 24, and to within
    /// -84 dBFS (-95 RMS) with 16. A stem that is louder than full scale is kept by floats, and
    /// clipped by integers: bounce then says so, and the sum misses what was clipped.
    #[arg(long, value_enum)]
    pub bits: Option<Bits>,

    /// Codec of m4a and stem [default: aac].
    #[arg(long, value_enum)]
    pub codec: Option<Codec>,

    /// Rate of mp3, opus and AAC in kbit/s [default: mp3: variable, best quality (V0); stereo opus: 192;
    /// stereo AAC: 256; half of it for mono].
    #[arg(long, value_name = "KBIT", value_parser = clap::value_parser!(u16).range(16..=512))]
    pub bitrate: Option<u16>,

    /// How the model is streamed.
    #[command(flatten)]
    pub stream: StreamArgs,

    /// Chunks separated at a time, on a CPU each on a core of its own: more may be faster and takes
    /// more memory, and changes the last bits on GPUs [default: 1; on a CPU as many as it has cores, at
    /// most 8].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub batch: Option<u16>,

    /// Leave the stems as the model makes them, instead of correcting them to add up to the input.
    #[arg(long)]
    pub no_consistency: bool,

    /// Look into the folders of folders, too, and keep their tree below the output folder. Hidden files and
    /// results of earlier runs are left out.
    #[arg(short, long)]
    pub recursive: bool,

    /// Skip files whose results are complete: of the same content, model and options, as bunri.json
    /// says. A run that was killed goes on so.
    #[arg(long)]
    pub skip_existing: bool,

    /// Names of the results below the output folder, without their ending. Fields: {stem}, {name} (the
    /// file's, without its ending), {artist}, {title}, {album}, {track} (as the file's tags say), {model}.
    /// A file without a title has its name for one; what else its tags lack is `Unknown artist`,
    /// `Unknown album`, `00`. What a file system does not take becomes `_`.
    /// [default: {name}/{stem}, of a stem file {name}/{name}]
    #[arg(long, value_name = "TEMPLATE")]
    pub name: Option<Template>,

    /// Append a JSON record for each file to FILE, one a line, when its work ends: input and model with
    /// their digests, options, stems, warnings, times. With `-` or /dev/stdout all else is said on
    /// standard error.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Format of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// RIFF WAVE; RF64 beyond 4 GiB.
    Wav,
    /// FLAC, up to 655.35 kHz.
    Flac,
    /// MP3, up to 48 kHz.
    Mp3,
    /// Opus, at 48 kHz whatever the input's rate.
    Opus,
    /// MP4 with AAC, up to 96 kHz, or Apple Lossless.
    M4a,
    /// Native Instruments' stem file: mixture and four stems of a song in one NAME.stem.mp4.
    Stem,
}

/// Codec of m4a and stem files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// AAC.
    Aac,
    /// Apple Lossless, which needs no other program.
    Alac,
}

/// Bits per sample of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bits {
    /// 16-bit integers.
    #[value(name = "16")]
    Int16,
    /// 24-bit integers.
    #[value(name = "24")]
    Int24,
    /// 32-bit floats.
    #[value(name = "32f")]
    Float32,
}

impl Args {
    /// The encoding that format, codec, bits and rate come to.
    ///
    /// # Errors
    /// What the format does not have: floats in FLAC, bits in AAC, a rate of lossless formats.
    pub(super) fn encoding(&self) -> Result<Encoding> {
        let in_mp4 = matches!(self.format, Format::M4a | Format::Stem);
        if self.codec.is_some() && !in_mp4 {
            bail!("--codec is for --format m4a and stem: leave it out");
        }
        let codec = self.codec.unwrap_or(Codec::Aac);
        let encoding = match (self.format, self.bits) {
            // The stem of a mixture that peaks at full scale can be louder than full scale, and a
            // clipped stem would no longer add up.
            (Format::Wav, None | Some(Bits::Float32)) => Encoding::Wav32Float,
            (Format::Wav, Some(Bits::Int24)) => Encoding::Wav24,
            (Format::Wav, Some(Bits::Int16)) => Encoding::Wav16,
            (Format::Flac, None | Some(Bits::Int24)) => Encoding::Flac24,
            (Format::Flac, Some(Bits::Int16)) => Encoding::Flac16,
            (Format::Flac, Some(Bits::Float32)) => {
                bail!("flac cannot hold floats: choose --bits 24, or --format wav")
            }
            (Format::M4a | Format::Stem, bits) if codec == Codec::Alac => match bits {
                None | Some(Bits::Int16) => Encoding::Alac16,
                Some(_) => bail!(
                    "Apple Lossless is written with 16 bits: choose --bits 16, or --format flac"
                ),
            },
            (_, Some(_)) => bail!(
                "mp3, opus and AAC have no bits per sample: leave --bits out, and choose --bitrate"
            ),
            (Format::Mp3, None) => Encoding::Mp3(self.bitrate),
            (Format::Opus, None) => Encoding::Opus(self.bitrate),
            (Format::M4a | Format::Stem, None) => Encoding::Aac(self.bitrate),
        };
        match (self.bitrate, encoding) {
            (Some(321..), Encoding::Mp3(_)) => bail!("mp3 has at most 320 kbit/s: choose fewer"),
            (None, _) | (_, Encoding::Mp3(_) | Encoding::Opus(_) | Encoding::Aac(_)) => {}
            (Some(_), _) => {
                bail!("--bitrate is for mp3, opus and AAC: leave it out, or choose --bits")
            }
        }
        Ok(encoding)
    }

    /// The files that the results become.
    ///
    /// # Errors
    /// Targets that a stem file does not hold; a name that several files of a song would share.
    pub(super) fn outputs(&self, encoding: Encoding, targets: &[Target]) -> Result<Outputs> {
        if self.format != Format::Stem {
            self.check_name(targets.len())?;
            return Ok(Outputs::separate(encoding));
        }
        if self.files.is_empty() {
            bail!(
                "the demo compares stems in files of their own: name a song, or another --format"
            );
        }
        Outputs::stem_file(encoding, targets)
    }

    /// The name of the results: `--name`, or what suits the format.
    ///
    /// # Errors
    /// None: both are sound templates.
    pub(super) fn template(&self) -> Result<Template> {
        let default = match self.format {
            Format::Stem => "{name}/{name}",
            _ => "{name}/{stem}",
        };
        self.name.clone().map_or_else(|| default.parse(), Ok)
    }

    /// # Errors
    /// A name that several stems would share.
    fn check_name(&self, stems: usize) -> Result<()> {
        if stems > 1 && !self.template()?.has_stem() {
            bail!("--name needs {{stem}} in it: {stems} stems of each file would have one name");
        }
        Ok(())
    }

    /// What decides on the samples, beside input and model.
    pub(super) fn options_record(&self) -> OptionsRecord {
        let encoding = self.encoding();
        OptionsRecord {
            mode: self.stream.mode().to_string(),
            precision: self.stream.precision.to_string(),
            consistency: !self.no_consistency,
            encoding: encoding.map_or_else(|_| String::new(), |encoding| format!("{encoding:?}")),
        }
    }
}
