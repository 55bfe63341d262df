//! The functions that the library exports: raw pointers in, safe calls out.
#![allow(unsafe_code)] // The C interface; the other side's fence is in bunri-stream.
// Every function of the table is called by the rules of `abi`, which its comments refer to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::slice;
use std::time::Duration;

use bunri_model::hardware;
use bunri_stream::engine::abi::{
    self, ChunkRecord, EngineTable, FactsRecord, ModelHandle, OpenRequest, SpecRecord, Status, Text,
};
use bunri_stream::engine::{DeviceInfo, ModelSource};
use bunri_stream::{BuiltIn, Mode};

use crate::reply::{self, guarded};
use crate::stream::Stream;
use crate::weights;

/// The library's one symbol: [`abi::ENTRY_SYMBOL`].
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bunri_engine_table() -> *const EngineTable {
    static TABLE: EngineTable = EngineTable {
        version: abi::VERSION,
        open,
        spec,
        facts,
        separate,
        reset,
        close,
        devices,
        last_error: reply_last_error,
        weights_in_memory,
    };
    &raw const TABLE
}

unsafe extern "C" fn open(request: *const OpenRequest, model: *mut *mut ModelHandle) -> Status {
    guarded(|| {
        // SAFETY: valid for the call, by the rules.
        let request = unsafe { &*request };
        // SAFETY: as above.
        let (path, built_in) = unsafe { (bytes(&request.model_path), bytes(&request.built_in)) };
        // SAFETY: as above.
        let (device, mode) = unsafe { (bytes(&request.device), bytes(&request.mode)) };
        let source = if path.is_empty() {
            let name = utf8("model name", built_in)?;
            let model = BuiltIn::named(name);
            ModelSource::BuiltIn(model.ok_or_else(|| format!("no built-in model {name:?}"))?)
        } else {
            ModelSource::File(OsStr::from_bytes(path).into())
        };
        let mode: Mode = utf8("mode", mode)?
            .parse()
            .map_err(|error: bunri_stream::ModeError| error.to_string())?;
        let stream = Stream::open(source, utf8("device name", device)?, mode)?;
        // SAFETY: a place for one pointer, by the rules.
        unsafe { model.write(Box::into_raw(Box::new(stream)).cast()) };
        Ok(())
    })
}

unsafe extern "C" fn spec(model: *const ModelHandle, spec: *mut SpecRecord) -> Status {
    guarded(|| {
        // SAFETY: an open handle is a `Stream` of ours.
        let stream = unsafe { &*model.cast::<Stream>() };
        let model_spec = stream.spec();
        let count = |count: usize| u32::try_from(count).map_err(|error| error.to_string());
        let record = SpecRecord {
            rate_hz: model_spec.rate_hz,
            channels: count(model_spec.channels)?,
            chunk_frames: model_spec.chunk_frames as u64,
            hop_frames: model_spec.hop_frames as u64,
            lookahead_frames: model_spec.lookahead_frames as u64,
            crossfade_frames: model_spec.crossfade_frames as u64,
            stems: Text::borrow(stream.stem_names().as_bytes()),
        };
        // SAFETY: a place for one record, by the rules.
        unsafe { spec.write(record) };
        Ok(())
    })
}

unsafe extern "C" fn facts(model: *const ModelHandle, facts: *mut FactsRecord) -> Status {
    guarded(|| {
        // SAFETY: an open handle is a `Stream` of ours.
        let stream = unsafe { &*model.cast::<Stream>() };
        let weights = stream.weights();
        let notice = weights.notice().unwrap_or_default().to_owned();
        let [device, notice] = reply::keep_facts([stream.device(), notice]);
        let record = FactsRecord {
            device,
            notice,
            weights_bytes: weights.bytes(),
        };
        // SAFETY: a place for one record, by the rules.
        unsafe { facts.write(record) };
        Ok(())
    })
}

unsafe extern "C" fn separate(model: *mut ModelHandle, chunk: *const ChunkRecord) -> Status {
    guarded(|| {
        // SAFETY: an open handle is a `Stream` of ours, and used by this thread only.
        let stream = unsafe { &mut *model.cast::<Stream>() };
        // SAFETY: valid for the call, by the rules.
        let chunk = unsafe { &*chunk };
        let spec = stream.spec();
        let outputs = spec.stems.len() * spec.channels;
        for (what, expected, got) in [
            ("frames", spec.chunk_frames, chunk.frames),
            ("input channels", spec.channels, chunk.input_count),
            ("output channels", outputs, chunk.output_count),
        ] {
            if expected != got {
                return Err(format!("expected {expected} {what}, got {got}"));
            }
        }
        // SAFETY: as many pointers as are counted, by the rules; neither count is zero.
        let (inputs, outputs) = unsafe {
            (
                slice::from_raw_parts(chunk.inputs, chunk.input_count),
                slice::from_raw_parts(chunk.outputs, chunk.output_count),
            )
        };
        for (channel, &input) in stream.chunk_mut().channels_mut().zip(inputs) {
            // SAFETY: `frames` samples behind every pointer, by the rules.
            channel.copy_from_slice(unsafe { slice::from_raw_parts(input, chunk.frames) });
        }
        let budget = Duration::try_from_secs_f64(chunk.budget_seconds).ok();
        for (channel, &output) in stream.separate(budget)?.zip(outputs) {
            // SAFETY: `frames` samples behind every pointer, that nobody else reads or writes.
            unsafe { slice::from_raw_parts_mut(output, chunk.frames) }.copy_from_slice(channel);
        }
        Ok(())
    })
}

unsafe extern "C" fn reset(model: *mut ModelHandle) -> Status {
    guarded(|| {
        // SAFETY: an open handle is a `Stream` of ours, and used by this thread only.
        unsafe { &mut *model.cast::<Stream>() }.reset();
        Ok(())
    })
}

unsafe extern "C" fn close(model: *mut ModelHandle) {
    // There is no way to report that closing failed; the reason stays in `last_error`.
    let _ = guarded(|| {
        if !model.is_null() {
            // SAFETY: an open handle is a boxed `Stream` of `open`, and comes back only once.
            drop(unsafe { Box::from_raw(model.cast::<Stream>()) });
        }
        Ok(())
    });
}

unsafe extern "C" fn devices(names: *mut Text) -> Status {
    guarded(|| {
        let lines: Vec<_> = hardware::devices()
            .iter()
            .map(DeviceInfo::to_line)
            .collect();
        let kept = reply::keep_devices(&lines);
        // SAFETY: a place for one text, by the rules.
        unsafe { names.write(kept) };
        Ok(())
    })
}

extern "C" fn reply_last_error() -> Text {
    reply::last_error()
}

extern "C" fn weights_in_memory() -> u64 {
    weights::in_memory() as u64
}

fn utf8<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, String> {
    str::from_utf8(bytes).map_err(|error| format!("{what}: {error}"))
}

/// The bytes of a caller's text.
///
/// # Safety
/// The text is readable for as long as its borrow lives.
unsafe fn bytes(text: &Text) -> &[u8] {
    if text.bytes.is_null() || text.length == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(text.bytes, text.length) }
}
