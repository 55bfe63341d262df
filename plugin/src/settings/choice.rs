//! Model, mode and device as plain data.

use std::path::{Path, PathBuf};

use bunri_stream::{BuiltIn, Mode};
use serde::{Deserialize, Serialize};

/// The device that the engine picks itself: the first CUDA device, or the CPU.
pub const AUTO_DEVICE: &str = "auto";

/// The Studio mode of whoever chooses Studio's model and no latency.
pub const DEFAULT_STUDIO: Mode = Mode::Studio { latency_ms: 1000 };

/// All that decides which stems are made, and how late.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Which model.
    pub model: ModelChoice,
    /// How it runs, one of [`Mode::offered`].
    pub mode: Mode,
    /// Name of the device that it runs on, or [`AUTO_DEVICE`].
    pub device: String,
}

impl Default for Choice {
    /// Live, with the shipped model.
    fn default() -> Self {
        Self {
            model: ModelChoice::default(),
            mode: Mode::Live,
            device: AUTO_DEVICE.to_owned(),
        }
    }
}

impl Choice {
    /// This choice with another model; a shipped one brings its mode with it.
    #[must_use]
    pub fn with_model(self, model: ModelChoice) -> Self {
        let mode = match (&model, self.mode) {
            (ModelChoice::Shipped(BuiltIn::Live), _) => Mode::Live,
            (ModelChoice::Shipped(BuiltIn::Studio), Mode::Live) => DEFAULT_STUDIO,
            (_, mode) => mode,
        };
        Self {
            model,
            mode,
            ..self
        }
    }

    /// This choice in another mode; a shipped model becomes the one for it.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        let model = match self.model {
            ModelChoice::Shipped(_) => ModelChoice::Shipped(BuiltIn::for_mode(mode)),
            file => file,
        };
        Self {
            model,
            mode,
            ..self
        }
    }

    /// Whether both mean the same, even if one knows more about its file.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let Self {
            model,
            mode,
            device,
        } = other;
        let same_model = match (&self.model, model) {
            (ModelChoice::File(one), ModelChoice::File(other)) => one.path == other.path,
            (one, other) => one == other,
        };
        same_model && self.mode == *mode && self.device == *device
    }

    /// Model and mode in a few words: `Bunri Studio, Studio 0.5 s`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{}, {}", self.model.name(), mode_name(self.mode))
    }
}

/// What people call a mode: `Live`, `Studio 0.25 s`.
#[must_use]
pub fn mode_name(mode: Mode) -> String {
    match mode {
        Mode::Live => "Live".to_owned(),
        Mode::Studio { latency_ms } => format!("Studio {} s", f64::from(latency_ms) / 1000.0),
        Mode::Overlap(overlap) => format!("Overlap {:.0} %", 100.0 * overlap),
    }
}

/// Which model makes the stems.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ModelChoice {
    /// One that comes with Bunri.
    Shipped(BuiltIn),
    /// A file of the user's.
    File(ModelFile),
}

impl Default for ModelChoice {
    fn default() -> Self {
        Self::Shipped(BuiltIn::Live)
    }
}

impl ModelChoice {
    /// What the editor calls it: the shipped model's name, or the file's without its extension.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Shipped(BuiltIn::Live) => "Bunri Live".to_owned(),
            Self::Shipped(BuiltIn::Studio) => "Bunri Studio".to_owned(),
            Self::File(file) => file.name(),
        }
    }
}

/// A model file, by where it was and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it was when it was chosen.
    pub path: PathBuf,
    /// What was in it, once it has been opened: by it a moved file is found again in the models
    /// folder.
    #[serde(flatten)]
    pub content: Option<Content>,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Length: a file of another one need not be hashed.
    pub bytes: u64,
}

impl ModelFile {
    /// A file that has not been opened yet.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            content: None,
        }
    }

    /// Its name without folder and extension.
    #[must_use]
    pub fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or(self.path.as_os_str());
        stem.to_string_lossy().into_owned()
    }
}
