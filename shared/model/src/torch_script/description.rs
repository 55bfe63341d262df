//! What a TorchScript module cannot say about itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_stems, in_range};
use crate::model_bytes;

/// The metadata file of a TorchScript model:
///
/// ```toml
/// format = "bunri-torchscript-1"
/// module = "open-unmix.pt"      # beside this file
/// rate_hz = 44100
/// channels = 2
/// stems = ["drums", "bass", "other", "vocals"]
/// chunk_frames = 262144         # what the module is shown at a time
/// lookahead_frames = 4096       # context that it needs at each end of a chunk
/// data = "MUSDB18-HQ"           # what it was trained on; may be left out
/// licence = "MIT"
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Version of this file's layout, `bunri-torchscript-1`.
    pub format: String,
    /// The module's file name, in the folder of this file.
    pub module: PathBuf,
    /// Sample rate it is trained for, in Hz.
    pub rate_hz: u32,
    /// Channels of the mixture and of every stem.
    pub channels: usize,
    /// Stem names, in output order.
    pub stems: Vec<String>,
    /// Frames that the module is shown at a time; it gives as many back.
    pub chunk_frames: usize,
    /// Frames at each end of a chunk whose output lacks context and is not used. What follows them
    /// is known only this much later.
    pub lookahead_frames: usize,
    /// What it was trained on, in words.
    #[serde(default)]
    pub data: String,
    /// Licence of the weights and of the code in the module.
    pub licence: String,
}

/// The layout that this code reads.
const FORMAT: &str = "bunri-torchscript-1";

/// Why a description is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// Not such a file, or a field of it is missing, unknown or of another type.
    #[error("{path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// The parser's word, with the place.
        source: Box<toml::de::Error>,
    },
    /// Another layout.
    #[error("format is {0:?}, this version reads {FORMAT:?}")]
    Format(String),
    /// A field that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The module's name leads out of the description's folder.
    #[error("module = {0:?}: give the name of a file beside the description")]
    Module(PathBuf),
}

impl Description {
    /// Reads a description; gives the module's path, too.
    ///
    /// # Errors
    /// [`DescriptionError`] with the file, or with the field that cannot be.
    pub fn load(path: &Path) -> Result<(Self, PathBuf), DescriptionError> {
        let read = model_bytes::check(path).and_then(|()| std::fs::read_to_string(path));
        let text = read.map_err(|source| DescriptionError::Io {
            path: path.into(),
            source,
        })?;
        let description: Self = toml::from_str(&text).map_err(|source| DescriptionError::Toml {
            path: path.into(),
            source: source.into(),
        })?;
        description.validate()?;
        let module = path.with_file_name(&description.module);
        Ok((description, module))
    }

    fn validate(&self) -> Result<(), DescriptionError> {
        if self.format != FORMAT {
            return Err(DescriptionError::Format(self.format.clone()));
        }
        check_stems(&self.stems)?;
        in_range("rate_hz", f64::from(self.rate_hz), 1000.0, 768_000.0)?;
        in_range("channels", self.channels as f64, 1.0, 16.0)?;
        let longest = f64::from(1u32 << 26);
        in_range("chunk_frames", self.chunk_frames as f64, 1.0, longest)?;
        // Something must remain between the two ends.
        let most = self.chunk_frames.saturating_sub(1) / 2;
        let lookahead = self.lookahead_frames as f64;
        in_range("lookahead_frames", lookahead, 0.0, most as f64)?;
        if self.module.file_name() != Some(self.module.as_os_str()) {
            return Err(DescriptionError::Module(self.module.clone()));
        }
        Ok(())
    }
}
