//! What an audio processor gets.

use std::cell::{Cell, RefCell};
use std::ptr;

use vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, BusDirection, IAudioProcessor, IAudioProcessorVtbl,
    ProcessData, ProcessModes_::kRealtime, ProcessSetup, SpeakerArrangement,
    SymbolicSampleSizes_::kSample32,
};
use vst3::Steinberg::{
    TBool, int32, kInvalidArgument, kNotInitialized, kResultFalse, kResultOk, tresult,
};

use super::super::clap_fence::MAX_BLOCK_FRAMES;
use super::super::vst3_processor::{PROCESSOR, fence_processor};
use super::super::vst3_table::Described;
use super::points::{Points, Queue, changes, points};
use super::unexpected;
use crate::plugin::OUTPUT_PORTS;

/// An audio processor that notes what it is given, and plays from its start on.
#[repr(C)]
struct Processor {
    table: *const IAudioProcessorVtbl,
    has_buses: Cell<bool>,
    starts: Cell<bool>,
    processing: Cell<bool>,
    setups: RefCell<Vec<(i32, f64)>>,
    blocks: RefCell<Vec<(i32, Points)>>,
}

/// # Safety
/// `this` must be one, at its only table.
unsafe fn processor<'a>(this: *mut IAudioProcessor) -> &'a Processor {
    // SAFETY: as the caller promises.
    unsafe { &*this.cast::<Processor>() }
}

unsafe extern "system" fn arrangement(
    this: *mut IAudioProcessor,
    _direction: BusDirection,
    _index: int32,
    arrangement: *mut SpeakerArrangement,
) -> tresult {
    // SAFETY: called by the fence alone, here and below.
    unsafe {
        *arrangement = 3;
        if processor(this).has_buses.get() {
            kResultOk
        } else {
            kInvalidArgument
        }
    }
}

unsafe extern "system" fn setup(this: *mut IAudioProcessor, setup: *mut ProcessSetup) -> tresult {
    // SAFETY: as above.
    unsafe {
        let setup = &*setup;
        let noted = (setup.maxSamplesPerBlock, setup.sampleRate);
        processor(this).setups.borrow_mut().push(noted);
    }
    kResultOk
}

unsafe extern "system" fn set_processing(this: *mut IAudioProcessor, state: TBool) -> tresult {
    // SAFETY: as above.
    let processor = unsafe { processor(this) };
    processor
        .processing
        .set(state != 0 && processor.starts.get());
    if processor.starts.get() {
        kResultOk
    } else {
        kResultFalse
    }
}

unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (processor, data) = (processor(this), &*data);
        if !processor.processing.get() {
            return kNotInitialized;
        }
        assert_eq!((data.numInputs, data.numOutputs), (1, OUTPUT_PORTS as i32));
        let block = (data.numSamples, points(data.inputParameterChanges));
        processor.blocks.borrow_mut().push(block);
    }
    kResultOk
}

/// Guards against blocks before `setProcessing` that stay unwritten, lengths that nothing can be prepared
/// for, and a processor that was not initialised.
#[test]
fn a_processor_gets_what_it_can_play() {
    let mut functions: IAudioProcessorVtbl = unexpected();
    functions.getBusArrangement = arrangement;
    functions.setupProcessing = setup;
    functions.setProcessing = set_processing;
    functions.process = process;
    let table = Box::leak(Box::new(Described::new(functions)));
    let mut object = Processor {
        table: &raw const table.functions,
        has_buses: Cell::new(false),
        starts: Cell::new(false),
        processing: Cell::new(false),
        setups: RefCell::default(),
        blocks: RefCell::default(),
    };
    let this = (&raw mut object).cast::<IAudioProcessor>();
    // SAFETY: a live object that begins with its table.
    unsafe { PROCESSOR.fence(this.cast(), fence_processor) };
    // SAFETY: the fence's own table.
    let fenced = unsafe { &*object.table };
    let set_up = |frames, rate_hz| {
        let mut setup = ProcessSetup {
            processMode: kRealtime as i32,
            symbolicSampleSize: kSample32 as i32,
            maxSamplesPerBlock: frames,
            sampleRate: rate_hz,
        };
        // SAFETY: the object's own function.
        unsafe { (fenced.setupProcessing)(this, &mut setup) }
    };
    let changes = changes(vec![Queue(3, vec![(200, 0.5)])]);
    let play = |frames: i32| {
        let mut samples = vec![[9.0_f32; 64]; 3];
        let mut channels: Vec<_> = samples.iter_mut().map(|it| it.as_mut_ptr()).collect();
        let mut bus = AudioBusBuffers {
            numChannels: 3,
            silenceFlags: 0,
            __field0: AudioBusBuffers__type0 {
                channelBuffers32: channels.as_mut_ptr(),
            },
        };
        let mut data = ProcessData {
            processMode: kRealtime as i32,
            symbolicSampleSize: kSample32 as i32,
            numSamples: frames,
            numInputs: 0,
            numOutputs: 1,
            inputs: ptr::null_mut(),
            outputs: &raw mut bus,
            inputParameterChanges: changes.as_ptr(),
            outputParameterChanges: ptr::null_mut(),
            inputEvents: ptr::null_mut(),
            outputEvents: ptr::null_mut(),
            processContext: ptr::null_mut(),
        };
        // SAFETY: as above; every pointer is good for the call.
        let result = unsafe { (fenced.process)(this, &mut data) };
        let silent: Vec<_> = samples
            .iter()
            .map(|it| it.iter().all(|&it| it == 0.0))
            .collect();
        (result, bus.silenceFlags, silent)
    };

    assert_ne!(set_up(64, 48_000.0), kResultOk, "not initialised");
    assert_eq!(play(64), (kNotInitialized, 0b111, vec![true; 3]));
    object.has_buses.set(true);
    for rate_hz in [0.0, -1.0, f64::NAN] {
        assert_ne!(set_up(64, rate_hz), kResultOk);
    }
    for frames in [-5, 0, 64, 1 << 24] {
        assert_eq!(set_up(frames, 48_000.0), kResultOk);
    }
    let frames: Vec<_> = object
        .setups
        .borrow()
        .iter()
        .map(|&(frames, _)| frames)
        .collect();
    assert_eq!(frames, [1, 1, 64, MAX_BLOCK_FRAMES as i32]);

    assert_eq!(
        play(64),
        (kNotInitialized, 0b111, vec![true; 3]),
        "inactive"
    );
    assert!(object.blocks.borrow().is_empty());
    object.starts.set(true);
    // The third channel is one that the plugin does not have.
    let played = (kResultOk, 0b100, vec![false, false, true]);
    assert_eq!(play(64), played);
    assert_eq!(play(-5).0, kResultOk);
    let expected = [(64, vec![(3, 63, 0.5)]), (0, vec![(3, 0, 0.5)])];
    assert_eq!(*object.blocks.borrow(), expected);
}
