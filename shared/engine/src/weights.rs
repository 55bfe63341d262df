//! Which models lie in memory: one copy per checkpoint and device, for as long as a stream uses it.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use bunri_model::{LoadedModel, SharedWeights};
use bunri_stream::BuiltIn;
use bunri_stream::engine::ModelSource;
use tch::Device;

/// What makes two checkpoints the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Origin {
    /// A model of the engine's own.
    BuiltIn(BuiltIn),
    /// A file, as it was at the time: a new training result under an old name is another model.
    File {
        path: PathBuf,
        modified: Option<SystemTime>,
        length_bytes: u64,
    },
}

type Loaded = HashMap<(Origin, Device), Weak<SharedWeights>>;

static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);

fn loaded() -> MutexGuard<'static, Loaded> {
    // A panic while loading leaves the map as it was: an entry is only made afterwards.
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The weights of a model on `device`: those that another stream has loaded, or newly loaded ones.
///
/// One model loads at a time, so that ten instances of a plugin, started at once with a session,
/// read the file once.
pub(crate) fn on_device(source: ModelSource, device: Device) -> Result<Arc<SharedWeights>, String> {
    let origin = match &source {
        ModelSource::BuiltIn(model) => Origin::BuiltIn(*model),
        ModelSource::File(path) => origin_of(path).map_err(|error| in_file(path, &error))?,
    };
    let mut loaded = loaded();
    loaded.retain(|_, weights| weights.strong_count() > 0);
    let key = (origin, device);
    if let Some(weights) = loaded.get(&key).and_then(Weak::upgrade) {
        return Ok(weights);
    }
    let model = LoadedModel::open(&source, device).map_err(|error| match &source {
        ModelSource::BuiltIn(_) => error.to_string(),
        ModelSource::File(path) => in_file(path, &error),
    })?;
    let weights = Arc::new(SharedWeights::from(model));
    loaded.insert(key, Arc::downgrade(&weights));
    Ok(weights)
}

/// How many sets of weights streams are using.
pub(crate) fn in_memory() -> usize {
    loaded()
        .values()
        .filter(|weights| weights.strong_count() > 0)
        .count()
}

fn origin_of(path: &Path) -> std::io::Result<Origin> {
    // Two names of one file share its weights.
    let path = path.canonicalize()?;
    let metadata = path.metadata()?;
    Ok(Origin::File {
        path,
        modified: metadata.modified().ok(),
        length_bytes: metadata.len(),
    })
}

/// A reason with the file's name before it, once.
fn in_file(path: &Path, error: &dyn std::fmt::Display) -> String {
    let (path, error) = (path.display().to_string(), error.to_string());
    if error.contains(&path) {
        error
    } else {
        format!("{path}: {error}")
    }
}
