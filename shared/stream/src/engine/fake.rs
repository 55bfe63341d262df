//! A whole engine in a few lines, to test this side of the interface without torch: its stems are
//! the mixture times one, two, ... and it refuses where asked to.
#![allow(unsafe_code)] // Plays the other side of the C interface.

use std::cell::Cell;
use std::path::PathBuf;

use super::abi::{
    self, ChunkRecord, EngineTable, FactsRecord, ModelHandle, OpenRequest, SpecRecord, Status, Text,
};
use super::{
    Engine, EngineError, EngineFault, ModelSource, OpenOptions, SearchPath, foreign, search,
};
use crate::{Mode, Planar, SeparateError, StemModel};

thread_local! {
    /// Models that this thread, that is this test, has opened and not closed.
    static OPEN_MODELS: Cell<u64> = const { Cell::new(0) };
}

struct FakeModel {
    chunk_frames: u64,
}

extern "C" fn entry() -> *const EngineTable {
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

unsafe extern "C" fn open(request: *const OpenRequest, model: *mut *mut ModelHandle) -> Status {
    // SAFETY: the caller's pointers are valid for the call.
    let request = unsafe { &*request };
    // SAFETY: as above.
    let device = unsafe { std::slice::from_raw_parts(request.device.bytes, request.device.length) };
    if device != b"auto" {
        return abi::FAILED;
    }
    // SAFETY: as above.
    let mode = unsafe { std::slice::from_raw_parts(request.mode.bytes, request.mode.length) };
    // A spec that nobody can use.
    let chunk_frames = if mode == b"overlap-0.5" { 0 } else { 4 };
    let fake = Box::new(FakeModel { chunk_frames });
    OPEN_MODELS.set(OPEN_MODELS.get() + 1);
    // SAFETY: as above.
    unsafe { model.write(Box::into_raw(fake).cast()) };
    abi::OK
}

unsafe extern "C" fn spec(model: *const ModelHandle, spec: *mut SpecRecord) -> Status {
    // SAFETY: a handle of `open`.
    let chunk_frames = unsafe { (*model.cast::<FakeModel>()).chunk_frames };
    let record = SpecRecord {
        rate_hz: 44_100,
        channels: 2,
        chunk_frames,
        hop_frames: chunk_frames,
        lookahead_frames: 3,
        crossfade_frames: 0,
        stems: Text::borrow(b"voice\nrest"),
    };
    // SAFETY: the caller's pointer is valid for the call.
    unsafe { spec.write(record) };
    abi::OK
}

unsafe extern "C" fn facts(_model: *const ModelHandle, facts: *mut FactsRecord) -> Status {
    let record = FactsRecord {
        device: Text::borrow(b"cpu"),
        notice: Text::borrow(b"cuda:0 failed"),
        weights_bytes: 12,
    };
    // SAFETY: the caller's pointer is valid for the call.
    unsafe { facts.write(record) };
    abi::OK
}

unsafe extern "C" fn separate(_model: *mut ModelHandle, chunk: *const ChunkRecord) -> Status {
    // SAFETY: the caller's pointers are valid for the call, and the counts are theirs.
    unsafe {
        let chunk = &*chunk;
        for output in 0..chunk.output_count {
            let input = *chunk.inputs.add(output % chunk.input_count);
            let gain = (output / chunk.input_count + 1) as f32;
            for frame in 0..chunk.frames {
                let sample = *input.add(frame);
                if sample.is_nan() {
                    return abi::FAILED;
                }
                *(*chunk.outputs.add(output)).add(frame) = gain * sample;
            }
        }
    }
    abi::OK
}

unsafe extern "C" fn reset(_model: *mut ModelHandle) -> Status {
    abi::FAILED
}

unsafe extern "C" fn close(model: *mut ModelHandle) {
    OPEN_MODELS.set(OPEN_MODELS.get() - 1);
    // SAFETY: a handle of `open`, given back once.
    drop(unsafe { Box::from_raw(model.cast::<FakeModel>()) });
}

unsafe extern "C" fn devices(names: *mut Text) -> Status {
    // SAFETY: the caller's pointer is valid for the call.
    unsafe { names.write(Text::borrow(b"cpu\tAbacus\t\ncuda:0\tLoom\t1000")) };
    abi::OK
}

extern "C" fn last_error() -> Text {
    Text::borrow("no such device: Gerät".as_bytes())
}

extern "C" fn weights_in_memory() -> u64 {
    OPEN_MODELS.get()
}

/// An engine may live as long as it likes; tests leak theirs.
fn fake_engine() -> &'static Engine {
    Box::leak(Box::new(Engine {
        library: foreign::Library::from_entry(entry).unwrap(),
    }))
}

/// Guards the order of stems and channels, which nothing but their position tells apart, and the
/// closing of handles.
#[test]
fn audio_passes_through_the_interface_in_order() {
    let engine = fake_engine();
    let devices = engine.devices().unwrap();
    assert_eq!(devices[0].name, "cpu");
    assert_eq!(devices[1].description, "Loom");
    assert_eq!(devices[1].memory_bytes, Some(1000));
    let mut model = engine
        .open(&ModelSource::default(), &OpenOptions::default())
        .unwrap();
    assert_eq!(model.spec().stems, ["voice", "rest"]);
    assert_eq!(model.spec().latency_frames(), 7);
    let facts = model.facts().unwrap();
    assert_eq!((facts.device.as_str(), facts.weights_bytes), ("cpu", 12));
    assert_eq!(facts.notice.as_deref(), Some("cuda:0 failed"));

    let chunk = Planar::from_channels(vec![vec![1.0, 2.0, 3.0, 4.0], vec![-1.0; 4]]).unwrap();
    let mut stems = vec![Planar::zeros(2, 4); 2];
    // On another thread, as the plugin's worker is.
    let model = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            model.separate(&chunk, &mut stems).unwrap();
            model
        });
        worker.join().unwrap()
    });
    assert_eq!(stems[0], chunk);
    assert_eq!(stems[1].channel(0), [2.0, 4.0, 6.0, 8.0]);
    assert_eq!(stems[1].channel(1), [-2.0; 4]);
    assert_eq!(engine.weights_in_memory(), 1);
    drop(model);
    assert_eq!(engine.weights_in_memory(), 0, "the handle was not closed");
}

/// Guards against reading or writing past the buffers' ends in the engine.
#[test]
fn wrong_shapes_never_reach_the_engine() {
    let mut model = fake_engine()
        .open(&ModelSource::default(), &OpenOptions::default())
        .unwrap();
    let good = || vec![Planar::zeros(2, 4); 2];
    let short = vec![Planar::zeros(2, 4), Planar::zeros(2, 3)];
    let cases = [
        (Planar::zeros(2, 5), good(), "expected 4 frames"),
        (Planar::zeros(1, 4), good(), "expected 2 channels"),
        (
            Planar::zeros(2, 4),
            vec![Planar::zeros(2, 4)],
            "expected buffers for 2 stems",
        ),
        (Planar::zeros(2, 4), short, "expected 4 frames"),
    ];
    for (chunk, mut stems, complaint) in cases {
        let error = model.separate(&chunk, &mut stems).unwrap_err().to_string();
        assert!(error.starts_with(complaint), "{error}");
    }
}

/// Guards the way of the engine's reasons to the user.
#[test]
fn failures_carry_the_engines_own_words() {
    let engine = fake_engine();
    let refused = OpenOptions {
        device: "cuda:7".to_owned(),
        ..OpenOptions::default()
    };
    match engine.open(&ModelSource::default(), &refused) {
        Err(EngineError::Failed(reason)) => assert_eq!(reason, "no such device: Gerät"),
        other => panic!("{other:?}"),
    }
    let mut model = engine
        .open(&ModelSource::default(), &OpenOptions::default())
        .unwrap();
    let chunk = Planar::from_channels(vec![vec![f32::NAN; 4], vec![0.0; 4]]).unwrap();
    let error = model
        .separate(&chunk, &mut vec![Planar::zeros(2, 4); 2])
        .unwrap_err();
    assert!(matches!(error, SeparateError::Model(_)), "{error}");
}

/// Guards against a model that keeps playing with the state it was told to forget.
#[test]
fn a_failed_reset_is_not_passed_over() {
    let mut model = fake_engine()
        .open(&ModelSource::default(), &OpenOptions::default())
        .unwrap();
    model.reset();
    let error = model.separate(&Planar::zeros(2, 4), &mut vec![Planar::zeros(2, 4); 2]);
    assert!(error.unwrap_err().to_string().contains("reset failed"));
}

/// Guards against trusting an engine's numbers: a chunk of no frames would loop for ever.
#[test]
fn an_impossible_spec_is_refused() {
    let no_hop = OpenOptions {
        mode: Mode::Overlap(0.5),
        ..OpenOptions::default()
    };
    match fake_engine().open(&ModelSource::default(), &no_hop) {
        Err(EngineError::Failed(reason)) => assert!(reason.contains("chunk_frames"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// Guards against calling through a table that has grown or shrunk since this plugin was built.
#[test]
fn an_engine_of_another_version_is_refused_by_its_number_alone() {
    extern "C" fn of_tomorrow() -> *const EngineTable {
        static TOMORROW: u32 = abi::VERSION + 1;
        (&raw const TOMORROW).cast()
    }
    let fault = foreign::Library::from_entry(of_tomorrow).unwrap_err();
    assert_eq!(
        fault,
        EngineFault::Version {
            engine: abi::VERSION + 1
        }
    );

    extern "C" fn empty() -> *const EngineTable {
        std::ptr::null()
    }
    assert_eq!(
        foreign::Library::from_entry(empty).unwrap_err(),
        EngineFault::NotAnEngine
    );
}

/// A folder with `contents` under the engine's name.
fn folder_with_engine(contents: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(search::library_name()), contents).unwrap();
    folder
}

/// Guards the message: each broken file is named with its own fault, and the search goes on.
#[test]
fn broken_engines_are_reported_one_by_one() {
    let text =
        folder_with_engine(&b"a page of text that was saved under the wrong name\n".repeat(20));
    let torn = folder_with_engine(b"\x7fELF\x02\x01\x01");
    let other = tempfile::tempdir().unwrap();
    let missing = other.path().join("missing");
    // A real library that is no engine: whichever the C library's mathematics is in.
    let maths = [
        "/lib/x86_64-linux-gnu/libm.so.6",
        "/lib64/libm.so.6",
        "/usr/lib/libm.so.6",
    ]
    .into_iter()
    .find(|path| std::path::Path::new(path).exists());
    if let Some(maths) = maths {
        std::fs::copy(maths, other.path().join(search::library_name())).unwrap();
    }
    let folders = [text.path(), &missing, torn.path(), other.path()].map(PathBuf::from);
    let error = Engine::find(&SearchPath::new(folders)).unwrap_err();
    let message = error.to_string();
    println!("{message}");
    let EngineError::Unusable { broken } = error else {
        panic!("{message}")
    };
    assert!(
        matches!(&broken[0].fault, EngineFault::NotLoadable(why) if why.contains("ELF header"))
    );
    assert!(matches!(&broken[1].fault, EngineFault::NotLoadable(why) if why.contains("too short")));
    match maths {
        Some(_) => assert_eq!(broken[2].fault, EngineFault::NotAnEngine),
        None => println!("skipped a part: no libm found to pose as an engine"),
    }
    for engine in &broken {
        assert!(message.contains(engine.path.to_str().unwrap()), "{message}");
    }
}

/// Guards the retry: an engine installed while the host runs must be looked for again.
#[test]
fn a_missing_engine_is_looked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let search = SearchPath::new([folder.path().to_owned()]);
    assert!(matches!(
        Engine::find(&search),
        Err(EngineError::NotFound { .. })
    ));
    std::fs::write(folder.path().join(search::library_name()), "installed").unwrap();
    assert!(matches!(
        Engine::find(&search),
        Err(EngineError::Unusable { .. })
    ));
}
