//! A folder of sounds that is decoded when first needed.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::licence;

/// A folder and what becomes of it.
pub(crate) struct Pack<T> {
    /// The folder.
    folder: PathBuf,
    load: fn(&Path) -> anyhow::Result<T>,
    loaded: Arc<OnceLock<Result<T, String>>>,
}

// By hand: a derived `Clone` would ask for `T: Clone`, while all clones share one decoded copy.
impl<T> Clone for Pack<T> {
    fn clone(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            load: self.load,
            loaded: Arc::clone(&self.loaded),
        }
    }
}

impl<T> Pack<T> {
    /// A folder, not yet read.
    pub(super) fn new(folder: &Path, load: fn(&Path) -> anyhow::Result<T>) -> Self {
        Self {
            folder: folder.to_owned(),
            load,
            loaded: Arc::default(),
        }
    }

    /// The sounds; the first call decodes them, calls at the same time wait for it.
    ///
    /// # Errors
    /// If a file in the folder cannot be used; the same on every call.
    pub(crate) fn get(&self) -> anyhow::Result<&T> {
        self.loaded
            .get_or_init(|| (self.load)(&self.folder).map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// The folder's name, below its parent's.
    pub(crate) fn name(&self) -> String {
        let parts: Vec<_> = self.folder.iter().rev().take(2).collect();
        let name = |part: Option<&&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        format!("{}/{}", name(parts.get(1)), name(parts.first()))
    }

    /// Name and licence, for `song.json`.
    pub(crate) fn credit(&self) -> String {
        format!("recordings {}: {}", self.name(), licence::of(&self.folder))
    }
}
