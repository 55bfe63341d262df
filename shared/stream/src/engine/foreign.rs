//! Every call into the engine's library and the dynamic linker, behind safe functions.
#![allow(unsafe_code)] // The C interface; the other side's fence is in the engine's crate.

use std::ffi::{CStr, OsStr, c_void};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::time::Duration;

use libloading::os::unix::Library as Dylib;

use super::abi::{
    self, ChunkRecord, EngineTable, FactsRecord, ModelHandle, OpenRequest, SpecRecord, Text,
};
use super::{EngineFault, ModelFacts, ModelSource, OpenOptions};
use crate::{ModelSpec, Planar};

/// Bind at once: a symbol that is missing fails here, with a message, and not in mid-stream.
/// Local: two versions of the engine, or a host's own libtorch, do not see each other's symbols.
const FLAGS: i32 = libc::RTLD_NOW | libc::RTLD_LOCAL;

/// An engine's table and where it came from. The library behind it is never closed.
pub(super) struct Library {
    table: &'static EngineTable,
    path: PathBuf,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Library").field(&self.path).finish()
    }
}

impl Library {
    /// The engine that this process has already loaded, from whatever file.
    ///
    /// The CLAP and the VST3 of one host are two libraries, each with its own copy of this code:
    /// without this, an engine inside each bundle would mean two copies of all weights.
    pub(super) fn already_loaded(name: &str) -> Option<Self> {
        // SAFETY: `RTLD_NOLOAD` runs no initialiser: the library is there already, or none is.
        let dylib = unsafe { Dylib::open(Some(name), FLAGS | libc::RTLD_NOLOAD) }.ok()?;
        let entry = entry_of(dylib).ok()?;
        let table = table_of(entry).ok()?;
        let path = library_of(entry as *const c_void).unwrap_or_else(|| PathBuf::from(name));
        Some(Self { table, path })
    }

    /// Loads an engine; if libtorch is not where its run path says, with one of `libtorch_files`.
    pub(super) fn open(path: &Path, libtorch_files: &[PathBuf]) -> Result<Self, EngineFault> {
        let dylib = load(path).or_else(|reason| {
            // Once loaded, from anywhere, libtorch is found by its name.
            match libtorch_files.iter().find_map(|file| load(file).ok()) {
                Some(libtorch) => {
                    std::mem::forget(libtorch);
                    load(path)
                }
                None => Err(reason),
            }
        });
        let entry = entry_of(dylib.map_err(EngineFault::NotLoadable)?)?;
        Ok(Self {
            table: table_of(entry)?,
            path: path.to_owned(),
        })
    }

    /// Takes an entry function that lies in this process, as tests do.
    #[cfg(test)]
    pub(super) fn from_entry(entry: abi::Entry) -> Result<Self, EngineFault> {
        Ok(Self {
            table: table_of(entry)?,
            path: PathBuf::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn devices(&self) -> Result<String, String> {
        let mut names = Text::empty();
        // SAFETY: `names` outlives the call.
        let status = unsafe { (self.table.devices)(&raw mut names) };
        check(self.table, status)?;
        // SAFETY: readable until this thread's next call.
        Ok(unsafe { text(names) })
    }

    pub(super) fn weights_in_memory(&self) -> usize {
        usize::try_from((self.table.weights_in_memory)()).unwrap_or(usize::MAX)
    }

    pub(super) fn open_model(
        &self,
        source: &ModelSource,
        options: &OpenOptions,
    ) -> Result<Model, String> {
        let (model_path, built_in) = match source {
            ModelSource::BuiltIn(model) => (Text::empty(), model.name()),
            // An empty path would mean one of the engine's own models.
            ModelSource::File(path) if path.as_os_str().is_empty() => {
                return Err("the model's path is empty".to_owned());
            }
            ModelSource::File(path) => (Text::borrow(path.as_os_str().as_bytes()), ""),
        };
        let mode = options.mode.to_string();
        let request = OpenRequest {
            model_path,
            built_in: Text::borrow(built_in.as_bytes()),
            device: Text::borrow(options.device.as_bytes()),
            mode: Text::borrow(mode.as_bytes()),
        };
        let mut handle = ptr::null_mut();
        // SAFETY: the request, all it points to, and `handle` outlive the call.
        let status = unsafe { (self.table.open)(&raw const request, &raw mut handle) };
        check(self.table, status)?;
        let handle = NonNull::new(handle).ok_or("the engine returned no model")?;
        Ok(Model {
            table: self.table,
            handle,
        })
    }
}

/// An open model, closed when dropped.
pub(super) struct Model {
    table: &'static EngineTable,
    handle: NonNull<ModelHandle>,
}

// SAFETY: the interface lets any thread use a handle, one at a time; `Model` is not `Sync`, and
// the functions in the table are static.
unsafe impl Send for Model {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Model").field(&self.handle).finish()
    }
}

impl Model {
    pub(super) fn spec(&self) -> Result<ModelSpec, String> {
        let mut record = SpecRecord::empty();
        // SAFETY: the handle is open, and `record` outlives the call.
        let status = unsafe { (self.table.spec)(self.handle.as_ptr(), &raw mut record) };
        check(self.table, status)?;
        // SAFETY: readable until the model is closed, which `self` does on drop.
        let stems = unsafe { text(record.stems) };
        // Counts beyond `usize` become ones that no spec accepts.
        let frames = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(ModelSpec {
            rate_hz: record.rate_hz,
            channels: record.channels as usize,
            stems: stems.lines().map(str::to_owned).collect(),
            chunk_frames: frames(record.chunk_frames),
            hop_frames: frames(record.hop_frames),
            lookahead_frames: frames(record.lookahead_frames),
            crossfade_frames: frames(record.crossfade_frames),
        })
    }

    pub(super) fn facts(&self) -> Result<ModelFacts, String> {
        let mut record = FactsRecord::empty();
        // SAFETY: the handle is open, and `record` outlives the call.
        let status = unsafe { (self.table.facts)(self.handle.as_ptr(), &raw mut record) };
        check(self.table, status)?;
        // SAFETY: readable until this thread's next call.
        let (device, notice) = unsafe { (text(record.device), text(record.notice)) };
        Ok(ModelFacts {
            device,
            notice: Some(notice).filter(|notice| !notice.is_empty()),
            weights_bytes: record.weights_bytes,
        })
    }

    /// All blocks have as many frames as `chunk`; the caller has checked that and the counts.
    pub(super) fn separate(
        &mut self,
        chunk: &Planar,
        stems: &mut [Planar],
        budget: Option<Duration>,
    ) -> Result<(), String> {
        debug_assert!(stems.iter().all(|stem| stem.frames() == chunk.frames()));
        let inputs: Vec<*const f32> = chunk.channels().map(<[f32]>::as_ptr).collect();
        let outputs: Vec<*mut f32> = stems
            .iter_mut()
            .flat_map(Planar::channels_mut)
            .map(<[f32]>::as_mut_ptr)
            .collect();
        let record = ChunkRecord {
            inputs: inputs.as_ptr(),
            input_count: inputs.len(),
            outputs: outputs.as_ptr(),
            output_count: outputs.len(),
            frames: chunk.frames(),
            budget_seconds: budget.map_or(f64::NAN, |budget| budget.as_secs_f64()),
        };
        // SAFETY: the handle is open and `&mut self` is its only user; every pointer leads to
        // `frames` samples that outlive the call, the outputs to distinct ones that are ours.
        let status = unsafe { (self.table.separate)(self.handle.as_ptr(), &raw const record) };
        check(self.table, status)
    }

    pub(super) fn reset(&mut self) -> Result<(), String> {
        // SAFETY: the handle is open and `&mut self` is its only user.
        let status = unsafe { (self.table.reset)(self.handle.as_ptr()) };
        check(self.table, status)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody can use it afterwards.
        unsafe { (self.table.close)(self.handle.as_ptr()) }
    }
}

/// The file that this code itself was loaded from: the plugin's library, or the program.
pub(super) fn own_library() -> Option<PathBuf> {
    library_of(own_library as *const c_void)
}

/// The file whose mapped code holds `address`.
fn library_of(address: *const c_void) -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    };
    // SAFETY: `info` outlives the call; any address may be asked for.
    let found = unsafe { libc::dladdr(address, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a terminated string that lives as long as the library, which holds `address`.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

fn load(path: &Path) -> Result<Dylib, String> {
    // A bare file name would be looked for in the system's folders instead of here.
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    // SAFETY: loading runs the library's initialisers; a file of the engine's or libtorch's name in
    // one of the search path's folders is trusted like the plugin beside it.
    unsafe { Dylib::open(Some(&path), FLAGS) }.map_err(|error| {
        // libloading's own text hides the linker's reason in its source.
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })
}

/// The library's entry function. The library stays loaded whatever comes of it: libtorch's threads
/// and thread-local destructors do not survive unloading.
fn entry_of(dylib: Dylib) -> Result<abi::Entry, EngineFault> {
    // SAFETY: by the interface's rules a symbol of this name is an `Entry`.
    let symbol = unsafe { dylib.get::<abi::Entry>(abi::ENTRY_SYMBOL.as_bytes()) };
    let entry = symbol.map(|symbol| *symbol);
    std::mem::forget(dylib);
    entry.map_err(|_| EngineFault::NotAnEngine)
}

fn table_of(entry: abi::Entry) -> Result<&'static EngineTable, EngineFault> {
    let table = NonNull::new(entry().cast_mut()).ok_or(EngineFault::NotAnEngine)?;
    // SAFETY: in every version the table begins with its number, and lives for ever.
    let version = unsafe { table.cast::<u32>().read() };
    if version != abi::VERSION {
        return Err(EngineFault::Version { engine: version });
    }
    // SAFETY: the version says that the rest is what we know.
    Ok(unsafe { table.as_ref() })
}

/// The engine's reason, if the call that returned `status` on this thread failed.
fn check(table: &EngineTable, status: abi::Status) -> Result<(), String> {
    if status == abi::OK {
        return Ok(());
    }
    let reason = (table.last_error)();
    // SAFETY: readable until this thread's next call.
    let reason = unsafe { text(reason) };
    Err(if reason.is_empty() {
        format!("the engine failed with status {status}")
    } else {
        reason
    })
}

/// A copy of the engine's text.
///
/// # Safety
/// `text` is readable now.
unsafe fn text(text: Text) -> String {
    if text.bytes.is_null() || text.length == 0 {
        return String::new();
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(text.bytes, text.length) };
    String::from_utf8_lossy(bytes).into_owned()
}
