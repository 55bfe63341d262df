//! The separation engine: a library next to the plugin that brings torch and the models.
//!
//! Nothing that a host loads at scan time may link libtorch (450 MB, and a host that misses it only
//! says "failed to load"). The engine is therefore opened at run time, by whoever first wants to
//! separate, off the main thread, and stays open for the life of the process:
//!
//! ```text
//! worker ─ [`Engine::global`] ─ [`search`] ─ dlopen ─ version check ─ [`abi::EngineTable`]
//!                 └ [`Engine::open`] ─ [`EngineModel`], a [`StemModel`](crate::StemModel)
//! ```
//!
//! - [`abi`]: the C interface, shared with the crate that implements it.
//! - [`device`]: what users choose from.
//! - [`search`]: where an engine is looked for.
//! - [`error`]: what a user is told when there is none, or a broken one.
//! - `foreign`: every call into the library; the only unsafe code on this side.

pub mod abi;
pub mod device;
pub mod error;
mod foreign;
mod model;
pub mod search;

#[cfg(test)]
mod fake;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::{BuiltIn, Mode};

pub use device::DeviceInfo;
pub use error::{BrokenEngine, EngineError, EngineFault};
pub use model::{EngineModel, ModelFacts};
pub use search::SearchPath;

/// Which model an engine shall open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ModelSource {
    /// A model that the engine brings with it.
    BuiltIn(BuiltIn),
    /// A checkpoint (`.safetensors`), or the description of a TorchScript model (`.toml`).
    File(PathBuf),
}

impl Default for ModelSource {
    fn default() -> Self {
        Self::BuiltIn(BuiltIn::default())
    }
}

/// How a model shall run.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenOptions {
    /// `auto`, or one of the names that [`Engine::devices`] gives: `cpu`, `cuda:0`, ...
    pub device: String,
    /// Between latency, quality and computing.
    pub mode: Mode,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            device: "auto".to_owned(),
            mode: Mode::default(),
        }
    }
}

/// A loaded engine. It is never unloaded: libtorch's threads outlive every model.
///
/// Any thread but an audio thread; all methods block.
#[derive(Debug)]
pub struct Engine {
    library: foreign::Library,
}

static GLOBAL: OnceLock<Engine> = OnceLock::new();
/// Held while one thread looks for the engine, so that two do not load it at once.
static LOADING: Mutex<()> = Mutex::new(());

impl Engine {
    /// The engine of this process, looked for in [`SearchPath::standard`] until found once.
    ///
    /// A failure is not remembered: the next call looks again, so an engine installed while the
    /// host runs is found. The first success takes about 0.3 s.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] or [`EngineError::Unusable`].
    pub fn global() -> Result<&'static Self, EngineError> {
        match GLOBAL.get() {
            Some(engine) => Ok(engine),
            None => Self::global_in(&SearchPath::standard()),
        }
    }

    /// Like [`Engine::global`], but looked for in `search` if there is none yet.
    ///
    /// # Errors
    /// Those of [`Engine::global`].
    pub fn global_in(search: &SearchPath) -> Result<&'static Self, EngineError> {
        if let Some(engine) = GLOBAL.get() {
            return Ok(engine);
        }
        let _alone = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = GLOBAL.get() {
            return Ok(engine);
        }
        let engine = Self::find(search)?;
        Ok(GLOBAL.get_or_init(|| engine))
    }

    /// Takes the engine that another plugin format already brought into this process, or the first
    /// usable one of the folders in order.
    fn find(search: &SearchPath) -> Result<Self, EngineError> {
        if let Some(library) = foreign::Library::already_loaded(&search::library_name()) {
            return Ok(Self { library });
        }
        let mut broken = Vec::new();
        for path in search.engine_files() {
            match foreign::Library::open(&path, &search.libtorch_files()) {
                Ok(library) => return Ok(Self { library }),
                Err(fault) => broken.push(BrokenEngine { path, fault }),
            }
        }
        if broken.is_empty() {
            Err(EngineError::NotFound {
                searched: search.folders().to_vec(),
            })
        } else {
            Err(EngineError::Unusable { broken })
        }
    }

    /// The file that the engine was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.library.path()
    }

    /// Devices that models can run on, `cpu` first.
    ///
    /// # Errors
    /// [`EngineError::Failed`] with the engine's own words.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, EngineError> {
        let lines = self.library.devices().map_err(EngineError::Failed)?;
        Ok(lines.lines().map(DeviceInfo::from_line).collect())
    }

    /// Opens a model: a stream's own state, over weights that all streams on one device share.
    ///
    /// Takes from milliseconds to seconds.
    ///
    /// # Errors
    /// [`EngineError::Failed`] where the file, the device or the mode is no good.
    pub fn open(
        &'static self,
        source: &ModelSource,
        options: &OpenOptions,
    ) -> Result<EngineModel, EngineError> {
        let handle = self
            .library
            .open_model(source, options)
            .map_err(EngineError::Failed)?;
        EngineModel::new(handle)
    }

    /// How many sets of weights lie in memory now, shared ones counted once.
    #[must_use]
    pub fn weights_in_memory(&self) -> usize {
        self.library.weights_in_memory()
    }
}
