//! The models there are to choose from: shipped ones, and files in the user's models folder.

use std::path::{Path, PathBuf};

use bunri_stream::BuiltIn;

use super::choice::{ModelChoice, ModelFile};

/// Extensions of the files that a models folder is searched for.
const EXTENSIONS: [&str; 3] = ["safetensors", "th", "pt"];

/// A line of the model chooser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// What choosing it means.
    pub choice: ModelChoice,
    /// What it is called.
    pub name: String,
    /// One line more about it.
    pub detail: String,
}

/// The user's folder for models, beside the one for engines: `$XDG_DATA_HOME/bunri/models`, or
/// `~/.local/share/bunri/models`. `None` where the user has no home.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let engine = bunri_stream::engine::search::user_folder()?;
    engine.parent().map(|bunri| bunri.join("models"))
}

/// Everything to choose from but "any file": shipped models first, then the user's by name.
/// Reads a folder: not for the audio thread.
#[must_use]
pub fn list() -> Vec<ModelEntry> {
    let shipped = [
        (BuiltIn::Live, "comes with Bunri, for Live mode"),
        (BuiltIn::Studio, "comes with Bunri, for Studio mode"),
    ];
    let shipped = shipped.into_iter().map(|(shipped, detail)| {
        let choice = ModelChoice::Shipped(shipped);
        ModelEntry {
            name: choice.name(),
            choice,
            detail: detail.to_owned(),
        }
    });
    let files = folder().map(|folder| files_in(&folder)).unwrap_or_default();
    let files = files.into_iter().map(|path| {
        let detail = path.display().to_string();
        let choice = ModelChoice::File(ModelFile::at(path));
        ModelEntry {
            name: choice.name(),
            choice,
            detail,
        }
    });
    shipped.chain(files).collect()
}

/// The model files in a folder, sorted; none where it cannot be read.
pub(crate) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let is_model = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| {
            EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        }) && path.is_file()
    };
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_model)
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_model_files_are_offered_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.safetensors", "a.TH", "notes.txt", "c.safetensors.part"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        std::fs::create_dir(folder.path().join("d.pt")).unwrap();
        let names = files_in(folder.path());
        let expected = ["a.TH", "b.safetensors"].map(|name| folder.path().join(name));
        assert_eq!(names, expected);
        assert!(files_in(&folder.path().join("missing")).is_empty());
    }
}
