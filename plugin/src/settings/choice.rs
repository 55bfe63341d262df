//! Model, mode and device as plain data.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The device that the engine picks itself: the first CUDA device, or the CPU.
pub const AUTO_DEVICE: &str = "auto";

/// All that decides which stems are made, and how late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Which model.
    pub model: ModelChoice,
    /// How it runs.
    pub mode: Mode,
    /// Id of the device that it runs on, or [`AUTO_DEVICE`].
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
            (ModelChoice::Shipped(Shipped::Live), _) => Mode::Live,
            (ModelChoice::Shipped(Shipped::Studio), Mode::Live) => {
                Mode::Studio(StudioLatency::default())
            }
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
        let model = match (self.model, mode) {
            (ModelChoice::Shipped(_), Mode::Live) => ModelChoice::Shipped(Shipped::Live),
            (ModelChoice::Shipped(_), Mode::Studio(_)) => ModelChoice::Shipped(Shipped::Studio),
            (file, _) => file,
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
}

/// Which model makes the stems.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ModelChoice {
    /// One that comes with Bunri.
    Shipped(Shipped),
    /// A file of the user's.
    File(ModelFile),
}

impl Default for ModelChoice {
    fn default() -> Self {
        Self::Shipped(Shipped::Live)
    }
}

impl ModelChoice {
    /// What the editor calls it: the shipped model's name, or the file's without its extension.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Shipped(Shipped::Live) => "Bunri Live".to_owned(),
            Self::Shipped(Shipped::Studio) => "Bunri Studio".to_owned(),
            Self::File(file) => file.name(),
        }
    }
}

/// The models that come with Bunri.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shipped {
    /// Causal, for [`Mode::Live`].
    Live,
    /// Whole-context, for [`Mode::Studio`].
    Studio,
}

/// A model file, by where it was and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it was when it was chosen.
    pub path: PathBuf,
    /// SHA-256 of its content in hexadecimal, once it has been opened: by it a moved file is found
    /// again in the models folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its length, known with the hash: a file of another length need not be hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl ModelFile {
    /// A file that has not been opened yet.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            sha256: None,
            bytes: None,
        }
    }

    /// Its name without folder and extension.
    #[must_use]
    pub fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or(self.path.as_os_str());
        stem.to_string_lossy().into_owned()
    }
}

/// How late the stems may be, and so how much of the music the model sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As soon as a causal model can.
    Live,
    /// Later, and better: a model that sees ahead.
    Studio(StudioLatency),
}

impl Mode {
    /// All modes, the quickest first.
    pub const ALL: [Self; 6] = [
        Self::Live,
        Self::Studio(StudioLatency::Quarter),
        Self::Studio(StudioLatency::Half),
        Self::Studio(StudioLatency::One),
        Self::Studio(StudioLatency::Two),
        Self::Studio(StudioLatency::Four),
    ];

    /// What the editor calls it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Live => "Live".to_owned(),
            Self::Studio(latency) => format!("Studio {} s", latency.seconds()),
        }
    }
}

/// The latencies that Studio mode offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StudioLatency {
    /// 0.25 s.
    Quarter,
    /// 0.5 s.
    Half,
    /// 1 s.
    #[default]
    One,
    /// 2 s.
    Two,
    /// 4 s.
    Four,
}

impl StudioLatency {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] = [Self::Quarter, Self::Half, Self::One, Self::Two, Self::Four];

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            Self::Quarter => 0.25,
            Self::Half => 0.5,
            Self::One => 1.0,
            Self::Two => 2.0,
            Self::Four => 4.0,
        }
    }

    /// The offered latency nearest to so many seconds.
    #[must_use]
    pub fn nearest(seconds: f64) -> Self {
        let distance = |latency: &Self| (latency.seconds() - seconds).abs();
        let nearer = |one: Self, other: Self| {
            if distance(&other) < distance(&one) {
                other
            } else {
                one
            }
        };
        Self::ALL.into_iter().reduce(nearer).unwrap_or_default()
    }
}
