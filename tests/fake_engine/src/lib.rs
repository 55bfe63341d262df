//! An engine without torch that misbehaves on demand.
//!
//! Its models are causal, at 44.1 kHz; their stems are the input times [`GAINS`], which are those of
//! the tests' echo model. A model file is a few words, each with a number:
//!
//! ```text
//! hop 2048  compute_ms 100  stall_ms 2000  fail_chunks 3  level_percent 90
//! ```
//!
//! Each chunk takes the time to compute. With a level below 100 the stems add up to less than the input.
//!
//! What goes wrong goes wrong on a cue in the audio itself, so that a test knows the very frame: a
//! chunk with a sample above [`STALL_CUE`] takes `stall_ms` longer, and with one above [`FAIL_CUE`]
//! that chunk and the next ones fail, `fail_chunks` in all.
#![allow(unsafe_code)] // Plays the engine's side of the C interface, by the rules of `abi`.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use std::{fs, slice, thread};

use bunri_stream::engine::abi::{
    self, ChunkRecord, EngineTable, FactsRecord, ModelHandle, OpenRequest, SpecRecord, Status, Text,
};

/// By what the stems differ from the input.
const GAINS: [f32; 4] = [0.1, 0.2, 0.3, 0.4];
/// Louder than this, and the chunk stalls.
const STALL_CUE: f32 = 2.0;
/// Louder than this, and chunks fail.
const FAIL_CUE: f32 = 4.0;
const CHANNELS: usize = 2;

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A model as its file describes it, and what is still to go wrong.
struct Model {
    hop_frames: u64,
    compute: Duration,
    stall: Duration,
    fail_chunks: u64,
    level: f32,
    failing_chunks: u64,
}

impl Model {
    fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{error}"))?;
        let mut model = Self {
            hop_frames: 2048,
            compute: Duration::ZERO,
            stall: Duration::ZERO,
            fail_chunks: 0,
            level: 1.0,
            failing_chunks: 0,
        };
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let number = words.next().and_then(|number| number.parse().ok());
            let number: u64 = number.ok_or_else(|| format!("no number after {word:?}"))?;
            match word {
                "hop" => model.hop_frames = number,
                "compute_ms" => model.compute = Duration::from_millis(number),
                "stall_ms" => model.stall = Duration::from_millis(number),
                "level_percent" => model.level = number as f32 / 100.0,
                "fail_chunks" => model.fail_chunks = number,
                _ => return Err(format!("no word of this engine: {word:?}")),
            }
        }
        Ok(model)
    }

    /// Takes its time, and stalls or fails where the loudest sample asks for it.
    fn obey(&mut self, peak: f32) -> Result<(), String> {
        thread::sleep(self.compute);
        if peak > FAIL_CUE {
            self.failing_chunks = self.fail_chunks;
        } else if peak > STALL_CUE {
            thread::sleep(self.stall);
        }
        if self.failing_chunks > 0 {
            self.failing_chunks -= 1;
            return Err("CUDA error: an illegal memory access was encountered".to_owned());
        }
        Ok(())
    }
}

/// The library's one symbol.
#[unsafe(no_mangle)]
pub extern "C" fn bunri_engine_table() -> *const EngineTable {
    static TABLE: EngineTable = EngineTable {
        version: abi::VERSION,
        open,
        spec,
        facts,
        separate,
        reset,
        close,
        devices,
        last_error,
        weights_in_memory,
    };
    &raw const TABLE
}

fn reply(result: Result<(), String>) -> Status {
    match result {
        Ok(()) => abi::OK,
        Err(reason) => {
            LAST_ERROR.set(reason);
            abi::FAILED
        }
    }
}

unsafe extern "C" fn open(request: *const OpenRequest, model: *mut *mut ModelHandle) -> Status {
    // SAFETY: valid for the call, by the rules.
    let path = unsafe { (*request).model_path };
    if path.length == 0 {
        return reply(Err("this engine has no model of its own".to_owned()));
    }
    // SAFETY: readable for the call, by the rules.
    let path = unsafe { slice::from_raw_parts(path.bytes, path.length) };
    let opened = Model::read(Path::new(OsStr::from_bytes(path))).map(|opened| {
        // SAFETY: a place for one pointer, by the rules.
        unsafe { model.write(Box::into_raw(Box::new(opened)).cast()) };
    });
    reply(opened)
}

unsafe extern "C" fn spec(model: *const ModelHandle, spec: *mut SpecRecord) -> Status {
    // SAFETY: an open handle is a `Model` of ours.
    let hop_frames = unsafe { (*model.cast::<Model>()).hop_frames };
    let record = SpecRecord {
        rate_hz: 44_100,
        channels: CHANNELS as u32,
        chunk_frames: hop_frames,
        hop_frames,
        lookahead_frames: 0,
        crossfade_frames: 0,
        stems: Text::borrow(b"drums\nbass\nother\nvocals"),
    };
    // SAFETY: a place for one record, by the rules.
    unsafe { spec.write(record) };
    abi::OK
}

unsafe extern "C" fn facts(_model: *const ModelHandle, facts: *mut FactsRecord) -> Status {
    let record = FactsRecord {
        device: Text::borrow(b"cpu"),
        ..FactsRecord::empty()
    };
    // SAFETY: a place for one record, by the rules.
    unsafe { facts.write(record) };
    abi::OK
}

unsafe extern "C" fn separate(model: *mut ModelHandle, chunk: *const ChunkRecord) -> Status {
    // SAFETY: an open handle is a `Model` of ours, used by this thread only; the chunk's pointers
    // and counts are valid for the call, by the rules, and no output overlaps an input.
    unsafe {
        let (model, chunk) = (&mut *model.cast::<Model>(), &*chunk);
        let inputs = slice::from_raw_parts(chunk.inputs, chunk.input_count);
        let outputs = slice::from_raw_parts(chunk.outputs, chunk.output_count);
        let samples = |pointer: *const f32| slice::from_raw_parts(pointer, chunk.frames);
        let loudest = |peak: f32, sample: &f32| peak.max(sample.abs());
        let peak = inputs
            .iter()
            .flat_map(|&input| samples(input))
            .fold(0.0, loudest);
        if let Err(reason) = model.obey(peak) {
            return reply(Err(reason));
        }
        for (index, &output) in outputs.iter().enumerate() {
            let input = samples(inputs[index % CHANNELS]);
            let output = slice::from_raw_parts_mut(output, chunk.frames);
            for (output, input) in output.iter_mut().zip(input) {
                *output = model.level * GAINS[index / CHANNELS] * input;
            }
        }
    }
    abi::OK
}

unsafe extern "C" fn reset(_model: *mut ModelHandle) -> Status {
    abi::OK
}

unsafe extern "C" fn close(model: *mut ModelHandle) {
    if !model.is_null() {
        // SAFETY: a handle of `open`, which comes back only once.
        drop(unsafe { Box::from_raw(model.cast::<Model>()) });
    }
}

unsafe extern "C" fn devices(names: *mut Text) -> Status {
    // SAFETY: a place for one text, by the rules.
    unsafe { names.write(Text::borrow(b"cpu\tNo processor\t")) };
    abi::OK
}

extern "C" fn last_error() -> Text {
    // Readable until this thread's next failure, which replaces the text.
    LAST_ERROR.with_borrow(|reason| Text::borrow(reason.as_bytes()))
}

extern "C" fn weights_in_memory() -> u64 {
    0
}
