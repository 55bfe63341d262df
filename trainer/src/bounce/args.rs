//! The command line of `bounce`, and what of it can be checked before any work is done.

use std::path::PathBuf;

use anyhow::{Result, bail};
use bunri_model::DeviceChoice;
use bunri_stream::Encoding;

use super::record::OptionsRecord;
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

    /// Container of the results.
    #[arg(long, value_enum, default_value_t = Format::Wav)]
    pub format: Format,

    /// Bits per sample: 16, 24 or 32f. wav: 32f unless chosen, flac: 24.
    ///
    /// The stems add up to the decoded input to within -130 dBFS with 32f and 24, and to within
    /// -84 dBFS (-95 RMS) with 16. A stem that is louder than full scale is kept by floats, and
    /// clipped by integers: bounce then says so, and the sum misses what was clipped.
    #[arg(long, value_enum)]
    pub bits: Option<Bits>,

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
    #[arg(long, value_name = "TEMPLATE", default_value = "{name}/{stem}")]
    pub name: Template,

    /// Append a JSON record for each file to FILE, one a line, when its work ends: input and model with
    /// their digests, options, stems, warnings, times. With `-` or /dev/stdout all else is said on
    /// standard error.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Container of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// RIFF WAVE.
    Wav,
    /// FLAC.
    Flac,
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
    /// The encoding that format and bits come to.
    ///
    /// # Errors
    /// FLAC has no floats.
    pub(super) fn encoding(&self) -> Result<Encoding> {
        Ok(match (self.format, self.bits) {
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
        })
    }

    /// # Errors
    /// A name that several stems would share.
    pub(super) fn check_name(&self, stems: usize) -> Result<()> {
        if stems > 1 && !self.name.has_stem() {
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
