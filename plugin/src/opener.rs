//! From a choice to an open model: where the file is, what the engine says, what to tell the user.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bunri_stream::engine::{DeviceInfo, Engine, EngineModel, ModelFacts, ModelSource, OpenOptions};
use bunri_stream::{BuiltIn, Mode};
use sha2::{Digest, Sha256};

use crate::settings::choice::DEFAULT_STUDIO;
use crate::settings::{Choice, Content, ModelChoice, ModelFile, models};

/// Names a checkpoint to use in place of the shipped models.
pub const MODEL_VARIABLE: &str = "BUNRI_MODEL";

/// A model that was opened, and what there is to say about it.
#[derive(Debug)]
pub struct Opened<M> {
    /// The model.
    pub model: M,
    /// What was opened: as was chosen, but for a file that was found elsewhere, or a shipped model
    /// that stands in for another.
    pub choice: Choice,
    /// What the user should know, if it is not quite what was chosen.
    pub notice: Option<String>,
    /// The devices there are.
    pub devices: Vec<DeviceInfo>,
}

/// A model that knows where it runs.
pub trait Informed {
    /// How it is doing now, if it can tell. Quick; not for audio threads.
    fn facts(&self) -> Option<ModelFacts>;
}

impl Informed for EngineModel {
    fn facts(&self) -> Option<ModelFacts> {
        EngineModel::facts(self).ok()
    }
}

impl<M> Opened<M> {
    /// A model about which there is nothing to say.
    pub fn plain(model: M, choice: Choice) -> Self {
        Self {
            model,
            choice,
            notice: None,
            devices: Vec::new(),
        }
    }
}

/// Opens what was chosen, through the process's engine. Blocks for up to seconds.
///
/// # Errors
/// A sentence or two for the user: what is missing or broken, and what to do.
pub fn open(choice: &Choice) -> Result<Opened<EngineModel>, String> {
    let engine = Engine::global().map_err(|error| error.to_string())?;
    let located = match &choice.model {
        ModelChoice::File(file) => {
            let path = locate(file, models::folder().as_deref())?;
            let model = ModelChoice::File(ModelFile {
                path,
                content: file.content.clone(),
            });
            Choice {
                model,
                ..choice.clone()
            }
        }
        ModelChoice::Shipped(_) => choice.clone(),
    };
    let mut opened = match open_located(engine, &located) {
        Err(reason) if located.model == ModelChoice::Shipped(BuiltIn::Live) => {
            // An engine that was built without a live model still separates.
            let instead = located.with_mode(DEFAULT_STUDIO);
            let model = open_located(engine, &instead).map_err(|_| reason.clone())?;
            let mut opened = Opened::plain(model, instead);
            opened.notice = Some(format!(
                "{reason}; {} plays instead",
                opened.choice.describe()
            ));
            opened
        }
        result => Opened::plain(result?, located),
    };
    opened.devices = engine.devices().unwrap_or_default();
    Ok(opened)
}

fn open_located(engine: &'static Engine, choice: &Choice) -> Result<EngineModel, String> {
    let mut mode = choice.mode;
    let source = match (&choice.model, std::env::var_os(MODEL_VARIABLE)) {
        (ModelChoice::File(file), _) => ModelSource::File(file.path.clone()),
        (ModelChoice::Shipped(_), Some(path)) if !path.is_empty() => {
            if mode == Mode::Live {
                mode = Mode::default(); // live for causal models, and windowed ones cannot be live
            }
            ModelSource::File(PathBuf::from(path))
        }
        (ModelChoice::Shipped(model), _) => ModelSource::BuiltIn(*model),
    };
    let options = OpenOptions {
        device: choice.device.clone(),
        mode,
    };
    engine
        .open(&source, &options)
        .map_err(|error| error.to_string())
}

/// Where a model file is now: where it was, or in `folder` by its content.
///
/// # Errors
/// A sentence for the user, where it is in neither place.
fn locate(file: &ModelFile, folder: Option<&Path>) -> Result<PathBuf, String> {
    if file.path.is_file() {
        return Ok(file.path.clone());
    }
    let found = folder
        .zip(file.content.as_ref())
        .and_then(|(folder, content)| {
            let same_length = |path: &PathBuf| {
                path.metadata()
                    .is_ok_and(|metadata| metadata.len() == content.bytes)
            };
            models::files_in(folder)
                .into_iter()
                .filter(same_length)
                .find(|path| self::content(path).is_ok_and(|found| found == *content))
        });
    found.ok_or_else(|| {
        let folder = folder.map_or_else(String::new, |folder| {
            format!(", or into {} under any name", folder.display())
        });
        format!(
            "the model file {} is missing: put it back{folder}, or choose another model",
            file.path.display()
        )
    })
}

/// Length and hash of a file. Reads all of it.
///
/// # Errors
/// Those of reading.
pub(crate) fn content(path: &Path) -> io::Result<Content> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    let sha256 = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Content { sha256, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a project that loses its model because the user tidied up.
    #[test]
    fn a_moved_file_is_found_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let models = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.safetensors");
        std::fs::write(&path, b"weights").unwrap();
        let file = ModelFile {
            content: Some(content(&path).unwrap()),
            ..ModelFile::at(&path)
        };
        assert_eq!(locate(&file, None), Ok(path.clone()));

        let moved = models.path().join("renamed.safetensors");
        std::fs::write(models.path().join("a.safetensors"), b"wEights").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        assert_eq!(locate(&file, Some(models.path())), Ok(moved.clone()));

        std::fs::write(&moved, b"other").unwrap();
        let reason = locate(&file, Some(models.path())).unwrap_err();
        assert!(reason.contains("mine.safetensors is missing"), "{reason}");
    }

    #[test]
    fn the_hash_is_sha256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, b"abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let found = content(&path).unwrap();
        assert_eq!((found.sha256.as_str(), found.bytes), (expected, 3));
    }
}
