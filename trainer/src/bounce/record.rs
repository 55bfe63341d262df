//! What is recorded of a song: beside its stems, so that a later run knows whose they are and whether
//! they are complete, and in the file that `--json` names.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bunri_stream::files::write_file;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::model::Model;

/// Version of the layout. Readers ignore fields that they do not know.
const SCHEMA: u32 = 1;
/// The longest file that is looked into for a record.
const MAX_BYTES: u64 = 1 << 20;

/// How far a song came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// Its stems are complete.
    Done,
    /// Its stems were complete before; the record is that of the run which made them.
    Skipped,
    /// See `error`.
    Failed,
    /// Its stems are being given their names. A record that stays so is that of a run which was killed.
    Unfinished,
}

/// One song. As JSON on one line, or in a file of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Version of this layout.
    pub(super) bunri_record: u32,
    /// Version of the program.
    pub(super) bunri: String,
    pub(super) status: Status,
    /// Why it failed.
    pub(super) error: Option<String>,
    /// When work on it began, in UTC.
    pub(super) started: String,
    /// How long it took.
    pub(super) seconds: f64,
    pub(super) input: InputRecord,
    pub(super) model: ModelRecord,
    pub(super) options: OptionsRecord,
    /// In the order of the model.
    pub(super) stems: Vec<StemRecord>,
    /// Stems that earlier runs with other options left beside these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier_stems: Vec<StemRecord>,
    /// What was said about it.
    pub(super) warnings: Vec<String>,
}

/// The file that was separated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct InputRecord {
    /// As it was given.
    pub(super) path: String,
    /// Of its bytes, in hexadecimal digits; none of pipes.
    pub(super) sha256: Option<String>,
    /// Size of the file.
    pub(super) bytes: Option<u64>,
    /// Per channel.
    pub(super) frames: Option<u64>,
    /// Duration.
    pub(super) seconds: Option<f64>,
    pub(super) rate_hz: Option<u32>,
    pub(super) channels: Option<usize>,
}

/// The model that separated it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ModelRecord {
    /// As it was given, `studio` and `live` by these names.
    pub(super) name: String,
    /// Of its bytes ([`Model::sha256`]).
    pub(super) sha256: String,
    pub(super) architecture: String,
    pub(super) licence: String,
    pub(super) device: String,
}

/// What else decides on the samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OptionsRecord {
    /// How the model was streamed: `overlap-0.75`, `studio-0.5`, `live`.
    pub(super) mode: String,
    pub(super) precision: String,
    /// Whether the stems were corrected to add up to the input.
    pub(super) consistency: bool,
    /// Container and bits of the stems.
    pub(super) encoding: String,
}

/// A file of the result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StemRecord {
    pub(super) name: String,
    /// As this run wrote it.
    pub(super) path: String,
    /// Per channel.
    pub(super) frames: u64,
    /// Size of the file; unknown while it is unfinished.
    pub(super) bytes: Option<u64>,
    /// Largest magnitude before any clipping; full scale is 1.
    pub(super) peak: f32,
    /// Samples beyond full scale that an integer format clipped.
    pub(super) clipped_samples: u64,
}

impl ModelRecord {
    /// # Errors
    /// A model file that can no longer be read.
    pub(super) fn of(model: &Model) -> Result<Self> {
        Ok(Self {
            name: model.source_name(),
            sha256: model.sha256()?,
            architecture: model.architecture().to_owned(),
            licence: model.licence().to_owned(),
            device: model.device().to_owned(),
        })
    }
}

impl Record {
    /// Of a song that is about to be worked on.
    pub(super) fn begun(input: InputRecord, model: ModelRecord, options: OptionsRecord) -> Self {
        Self {
            bunri_record: SCHEMA,
            bunri: env!("CARGO_PKG_VERSION").into(),
            status: Status::Unfinished,
            error: None,
            // A clock beyond the year 9999 has no such text.
            started: OffsetDateTime::now_utc()
                .format(&Rfc3339)
                .unwrap_or_default(),
            seconds: 0.0,
            input,
            model,
            options,
            stems: Vec::new(),
            earlier_stems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads a record; `None` for whatever is none that this version reads.
    pub(super) fn read(path: &Path) -> Option<Self> {
        // Neither waits for a pipe nor reads a device.
        fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let mut text = String::new();
        let file = fs::File::open(path).ok()?;
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        let record: Self = serde_json::from_str(&text).ok()?;
        (record.bunri_record == SCHEMA).then_some(record)
    }

    /// Writes it as a file of its own.
    ///
    /// # Errors
    /// A full disk, a folder without permission.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_file(path, text.as_bytes())
            .with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Whether both are about an input with the same content. Pipes have none that could be compared.
    pub(super) fn has_input(&self, input: &InputRecord) -> bool {
        input.sha256.is_some() && self.input.sha256 == input.sha256
    }

    /// Whether `results`, stems and their files, are complete and what this model and these options
    /// make.
    pub(super) fn is_complete<'a>(
        &self,
        model: &ModelRecord,
        options: &OptionsRecord,
        results: impl ExactSizeIterator<Item = (&'a str, &'a Path)>,
    ) -> bool {
        self.status == Status::Done
            && self.model.sha256 == model.sha256
            && self.options == *options
            && self.stems.len() == results.len()
            && self.stems.iter().zip(results).all(|(stem, (name, path))| {
                let bytes = fs::metadata(path).map(|file| file.len()).ok();
                stem.name == name && stem.bytes.is_some() && stem.bytes == bytes
            })
    }

    /// All stems that it answers for.
    pub(super) fn all_stems(&self) -> impl Iterator<Item = &StemRecord> {
        self.stems.iter().chain(&self.earlier_stems)
    }

    /// The stems that lie in the folder of the record at `path`, if it is one.
    pub(super) fn results_beside(path: &Path) -> Vec<PathBuf> {
        let record = Self::read(path);
        let stems = record.iter().flat_map(Self::all_stems);
        let name = |stem: &StemRecord| Path::new(&stem.path).file_name().map(ToOwned::to_owned);
        stems
            .filter_map(name)
            .map(|name| path.with_file_name(name))
            .collect()
    }
}
