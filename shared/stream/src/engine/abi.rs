//! The C interface between a plugin and the engine: one symbol, one table of functions.
//!
//! Rules that both sides keep:
//!
//! - The library exports [`ENTRY_SYMBOL`], an [`Entry`]. The first field of the table it returns is
//!   the interface's version, at that place in every version; a caller reads it before anything
//!   else and goes no further if it differs from [`VERSION`]. Any change of this file's types or
//!   rules raises it.
//! - No unwinding crosses a call in either direction.
//! - A function that returns a [`Status`] other than [`OK`] leaves its reason, for the calling
//!   thread, in [`EngineTable::last_error`].
//! - Whoever passes memory keeps it alive and unchanged for the call, and owns it. [`Text`] that the
//!   engine returns stays readable for as long as the function's documentation says.
//! - A [`ModelHandle`] is used by one thread at a time, whichever; different handles at once by
//!   different threads.

/// Number of this interface. The two sides work together only if theirs are equal.
pub const VERSION: u32 = 3;

/// Name of the library's one symbol, an [`Entry`].
pub const ENTRY_SYMBOL: &str = "bunri_engine_table";

/// Gives the table; it and the functions in it live until the process ends.
pub type Entry = extern "C" fn() -> *const EngineTable;

/// 0 for success, anything else for a failure that [`EngineTable::last_error`] describes.
pub type Status = i32;

/// The [`Status`] of success.
pub const OK: Status = 0;

/// The [`Status`] of a failure.
pub const FAILED: Status = 1;

/// A model that was opened, seen from outside.
#[repr(C)]
pub struct ModelHandle {
    _opaque: [u8; 0],
}

/// Bytes of text: a pointer and a length, no terminating zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// First byte; may be null if and only if `length` is 0.
    pub bytes: *const u8,
    /// Number of bytes.
    pub length: usize,
}

impl Text {
    /// Borrows bytes; the caller keeps them alive for as long as the other side reads.
    #[must_use]
    pub fn borrow(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.as_ptr(),
            length: bytes.len(),
        }
    }

    /// No text.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            bytes: std::ptr::null(),
            length: 0,
        }
    }
}

/// What to open.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OpenRequest {
    /// The model file's path (the bytes of the platform's path; UTF-8 on Windows); empty for one of
    /// the engine's own models.
    pub model_path: Text,
    /// Which of its own: the name of a [`BuiltIn`](crate::BuiltIn); of no meaning with a path.
    pub built_in: Text,
    /// `auto`, or a name from [`EngineTable::devices`]; UTF-8.
    pub device: Text,
    /// A [`Mode`](crate::Mode) as it is written; UTF-8.
    pub mode: Text,
}

/// [`ModelSpec`](crate::ModelSpec) in C.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SpecRecord {
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Channels in and of every stem.
    pub channels: u32,
    /// Frames the model is shown at a time.
    pub chunk_frames: u64,
    /// Frames between two chunks.
    pub hop_frames: u64,
    /// Frames after a hop that the model sees first.
    pub lookahead_frames: u64,
    /// Frames of cross-fade between chunks.
    pub crossfade_frames: u64,
    /// Names of the stems, UTF-8, a line feed between each two; readable until the model is closed.
    pub stems: Text,
}

impl SpecRecord {
    /// A record to be filled in.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            rate_hz: 0,
            channels: 0,
            chunk_frames: 0,
            hop_frames: 0,
            lookahead_frames: 0,
            crossfade_frames: 0,
            stems: Text::empty(),
        }
    }
}

/// [`ModelFacts`](super::ModelFacts) in C. The texts are UTF-8, and readable until this thread's next
/// call of [`EngineTable::facts`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FactsRecord {
    /// Where the model runs now.
    pub device: Text,
    /// What became of its device, for the user; empty if nothing.
    pub notice: Text,
    /// Size of the weights, which may be shared with other streams.
    pub weights_bytes: u64,
}

impl FactsRecord {
    /// A record to be filled in.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            device: Text::empty(),
            notice: Text::empty(),
            weights_bytes: 0,
        }
    }
}

/// One chunk and the buffers for its stems.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ChunkRecord {
    /// `input_count` pointers to `frames` samples each: the mixture's channels.
    pub inputs: *const *const f32,
    /// Channels of the mixture.
    pub input_count: usize,
    /// `output_count` pointers to `frames` samples each, overwritten: all channels of the first
    /// stem, then all of the second, and so on. None overlaps another or an input.
    pub outputs: *const *mut f32,
    /// Stems times channels.
    pub output_count: usize,
    /// Samples behind every pointer.
    pub frames: usize,
    /// How soon the stems must be ready, in seconds: chunks of several streams are then served in
    /// the order of need, and together. Not a number: separate it by itself, at once.
    pub budget_seconds: f64,
}

/// The engine's functions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EngineTable {
    /// [`VERSION`] of the engine. First in every version of this table.
    pub version: u32,
    /// Opens a model and stores its handle, to be given back to `close`.
    pub open:
        unsafe extern "C" fn(request: *const OpenRequest, model: *mut *mut ModelHandle) -> Status,
    /// Describes an open model.
    pub spec: unsafe extern "C" fn(model: *const ModelHandle, spec: *mut SpecRecord) -> Status,
    /// Tells how an open model is doing.
    pub facts: unsafe extern "C" fn(model: *const ModelHandle, facts: *mut FactsRecord) -> Status,
    /// Separates one chunk of `chunk_frames`.
    pub separate:
        unsafe extern "C" fn(model: *mut ModelHandle, chunk: *const ChunkRecord) -> Status,
    /// Forgets what a model has heard.
    pub reset: unsafe extern "C" fn(model: *mut ModelHandle) -> Status,
    /// Closes a model; its handle is then invalid. Null is ignored.
    pub close: unsafe extern "C" fn(model: *mut ModelHandle),
    /// Stores the devices, `cpu` first, as [`DeviceInfo::to_line`](super::DeviceInfo::to_line)
    /// writes them, UTF-8, a line feed between each two; readable until this thread's next call of this function.
    pub devices: unsafe extern "C" fn(names: *mut Text) -> Status,
    /// Why this thread's latest failed call failed, UTF-8; readable until its next call of any
    /// function.
    pub last_error: extern "C" fn() -> Text,
    /// How many sets of weights lie in memory now.
    pub weights_in_memory: extern "C" fn() -> u64,
}
