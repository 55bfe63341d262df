//! The VST3 fences, by what they hand on to objects that only write that down.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;

use vst3::Interface;
use vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, BusDirection, IAudioProcessor, IAudioProcessorVtbl,
    IComponentHandler, IEditController, IEditControllerVtbl, IParamValueQueue,
    IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait, ParamID, ParamValue,
    ParameterInfo, ProcessData, ProcessModes_::kRealtime, ProcessSetup, SpeakerArrangement,
    String128, SymbolicSampleSizes_::kSample32,
};
use vst3::Steinberg::{
    FUnknown, IPluginBase, TBool, TUID, int32, kInvalidArgument, kNoInterface, kNotInitialized,
    kResultFalse, kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComWrapper};

use super::clap_fence::MAX_BLOCK_FRAMES;
use super::vst3_controller::{CONTROLLER, fence_controller};
use super::vst3_points::PointByPoint;
use super::vst3_processor::{PROCESSOR, fence_processor};
use super::vst3_table::Described;
use crate::plugin::OUTPUT_PORTS;

/// A table of functions none of which is expected to be called.
fn unexpected<F: Copy>() -> F {
    unsafe extern "system" fn unexpected() {
        panic!("called past the fence");
    }
    let words = [unexpected as *const () as usize; 64];
    assert!(size_of::<F>() <= size_of_val(&words));
    // SAFETY: `F` is a structure of function pointers, which these words are.
    unsafe { std::mem::transmute_copy(&words) }
}

/// A controller that notes what it is given.
#[repr(C)]
struct Controller {
    table: *const IEditControllerVtbl,
    handlers: RefCell<Vec<*mut IComponentHandler>>,
    /// The context, and how many handlers were given before.
    initialised: Cell<Option<(*mut FUnknown, usize)>>,
    asked: Cell<usize>,
}

/// # Safety
/// `this` must be one, at its only table.
unsafe fn controller<'a, I>(this: *mut I) -> &'a Controller {
    // SAFETY: as the caller promises.
    unsafe { &*this.cast::<Controller>() }
}

unsafe extern "system" fn query_controller(
    this: *mut FUnknown,
    interface: *const TUID,
    object: *mut *mut c_void,
) -> tresult {
    // SAFETY: called by the fence alone, here and below.
    unsafe {
        let wanted = *interface.cast::<[u8; 16]>() == IEditController::IID;
        *object = if wanted { this.cast() } else { ptr::null_mut() };
        if wanted { kResultOk } else { kNoInterface }
    }
}

unsafe extern "system" fn release(_: *mut FUnknown) -> u32 {
    1
}

unsafe extern "system" fn initialize(this: *mut IPluginBase, context: *mut FUnknown) -> tresult {
    // SAFETY: as above.
    let controller = unsafe { controller(this) };
    let given = controller.handlers.borrow().len();
    controller.initialised.set(Some((context, given)));
    kResultOk
}

unsafe extern "system" fn set_handler(
    this: *mut IEditController,
    handler: *mut IComponentHandler,
) -> tresult {
    // SAFETY: as above.
    unsafe { controller(this) }
        .handlers
        .borrow_mut()
        .push(handler);
    kResultOk
}

unsafe extern "system" fn parameter_count(_: *mut IEditController) -> int32 {
    1
}

unsafe extern "system" fn parameter_info(
    _: *mut IEditController,
    _index: int32,
    info: *mut ParameterInfo,
) -> tresult {
    // SAFETY: as above.
    unsafe { (*info).id = 7 };
    kResultOk
}

unsafe extern "system" fn string_by_value(
    this: *mut IEditController,
    _id: ParamID,
    _value: ParamValue,
    _string: *mut String128,
) -> tresult {
    // SAFETY: as above.
    let asked = unsafe { &controller(this).asked };
    asked.set(asked.get() + 1);
    kResultOk
}

/// Guards against a wrapper that calls the handler of a host that has set none (yet), a context that is
/// null, and parameters that it does not have.
#[test]
fn a_controller_gets_a_handler_a_context_and_its_own_parameters() {
    let mut functions: IEditControllerVtbl = unexpected();
    functions.base.base.queryInterface = query_controller;
    functions.base.base.release = release;
    functions.base.initialize = initialize;
    functions.setComponentHandler = set_handler;
    functions.getParameterCount = parameter_count;
    functions.getParameterInfo = parameter_info;
    functions.getParamStringByValue = string_by_value;
    let table = Box::leak(Box::new(Described::new(functions)));
    let mut object = Controller {
        table: &raw const table.functions,
        handlers: RefCell::default(),
        initialised: Cell::default(),
        asked: Cell::default(),
    };
    let this = (&raw mut object).cast::<IEditController>();
    // SAFETY: a live object that begins with its table.
    unsafe {
        CONTROLLER.fence(this.cast(), fence_controller);
        let fenced = &*object.table;
        assert_eq!(
            (fenced.base.initialize)(this.cast(), ptr::null_mut()),
            kResultOk
        );
        let (context, handlers_before) = object.initialised.get().unwrap();
        assert!(!context.is_null());
        assert_eq!(handlers_before, 1, "a handler from the beginning");

        let mut own = 0_usize;
        let own = (&raw mut own).cast::<IComponentHandler>();
        for handler in [own, ptr::null_mut()] {
            assert_eq!((fenced.setComponentHandler)(this, handler), kResultOk);
        }
        let handlers = object.handlers.borrow();
        assert_eq!(handlers[1], own, "the host's own");
        for &handler in [&handlers[0], &handlers[2]] {
            assert!(!handler.is_null());
            assert_eq!(
                ((*(*handler).vtbl).restartComponent)(handler, 8),
                kResultFalse
            );
        }

        let mut text: String128 = [0; 128];
        let mut ask = |id, value| (fenced.getParamStringByValue)(this, id, value, &mut text);
        assert_eq!(ask(7, 0.5), kResultOk);
        assert_eq!([ask(8, 0.5), ask(7, f64::NAN)], [kInvalidArgument; 2]);
        assert_eq!(object.asked.get(), 1);
    }
}

/// A host's changes: of each queue the parameter and its points.
struct Changes(Vec<ComPtr<IParamValueQueue>>);

struct Queue(ParamID, Vec<(i32, f64)>);

impl Class for Changes {
    type Interfaces = (IParameterChanges,);
}

impl Class for Queue {
    type Interfaces = (IParamValueQueue,);
}

impl IParameterChangesTrait for Changes {
    unsafe fn getParameterCount(&self) -> int32 {
        self.0.len() as i32
    }

    unsafe fn getParameterData(&self, index: int32) -> *mut IParamValueQueue {
        self.0[index as usize].as_ptr()
    }

    unsafe fn addParameterData(
        &self,
        _id: *const ParamID,
        _index: *mut int32,
    ) -> *mut IParamValueQueue {
        ptr::null_mut()
    }
}

impl IParamValueQueueTrait for Queue {
    unsafe fn getParameterId(&self) -> ParamID {
        self.0
    }

    unsafe fn getPointCount(&self) -> int32 {
        self.1.len() as i32
    }

    unsafe fn getPoint(&self, index: int32, offset: *mut int32, value: *mut f64) -> tresult {
        // SAFETY: the caller's places for the answer.
        unsafe { (*offset, *value) = self.1[index as usize] };
        kResultOk
    }

    unsafe fn addPoint(&self, _offset: int32, _value: f64, _index: *mut int32) -> tresult {
        kResultFalse
    }
}

fn changes(queues: Vec<Queue>) -> ComPtr<IParameterChanges> {
    let queues = queues.into_iter().map(|queue| {
        ComWrapper::new(queue)
            .to_com_ptr::<IParamValueQueue>()
            .unwrap()
    });
    let changes = ComWrapper::new(Changes(queues.collect()));
    changes.to_com_ptr().unwrap()
}

/// The last point of each queue, as clap-wrapper takes them.
///
/// # Safety
/// `changes` must be null or alive.
unsafe fn points(changes: *mut IParameterChanges) -> Vec<(ParamID, i32, f64)> {
    let mut points = Vec::new();
    // SAFETY: as the caller promises.
    unsafe {
        if changes.is_null() {
            return points;
        }
        for number in 0..((*(*changes).vtbl).getParameterCount)(changes) {
            let queue = ((*(*changes).vtbl).getParameterData)(changes, number);
            let id = ((*(*queue).vtbl).getParameterId)(queue);
            let last = ((*(*queue).vtbl).getPointCount)(queue) - 1;
            let (mut offset, mut value) = (0, 0.0);
            if ((*(*queue).vtbl).getPoint)(queue, last, &mut offset, &mut value) == kResultOk {
                points.push((id, offset, value));
            }
        }
    }
    points
}

/// Guards against points outside the block, and values that no parameter has.
#[test]
fn points_lie_within_the_block() {
    let changes = changes(vec![
        Queue(3, vec![(-1, 0.0), (10, 0.25), (64, 0.5)]),
        Queue(4, vec![]),
        Queue(5, vec![(100, 1.5), (5, f64::NAN), (63, -2.0)]),
    ]);
    let mut by_point = PointByPoint::new(changes.as_ptr(), 64);
    // SAFETY: alive until the end of this test.
    let got = unsafe { points(by_point.as_changes()) };
    let expected = [
        (3, 0, 0.0),
        (3, 10, 0.25),
        (3, 63, 0.5),
        (5, 63, 1.0),
        (5, 63, 0.0),
    ];
    assert_eq!(got, expected);
    let mut none = PointByPoint::new(changes.as_ptr(), 0);
    // SAFETY: as above.
    let got = unsafe { points(none.as_changes()) };
    assert!(got.iter().all(|&(_, offset, _)| offset == 0), "{got:?}");
    // SAFETY: as above; a queue that is not there, as of a host whose numbers change.
    unsafe {
        let changes = none.as_changes();
        let queue = ((*(*changes).vtbl).getParameterData)(changes, 9);
        let (mut offset, mut value) = (0, 0.0);
        let result = ((*(*queue).vtbl).getPoint)(queue, 0, &mut offset, &mut value);
        assert_eq!(result, kResultFalse);
    }
}

/// An audio processor that notes what it is given, and plays once it was told to start.
#[repr(C)]
struct Processor {
    table: *const IAudioProcessorVtbl,
    has_buses: Cell<bool>,
    starts: Cell<bool>,
    processing: Cell<bool>,
    setups: RefCell<Vec<(i32, f64)>>,
    blocks: RefCell<Vec<(i32, Vec<(ParamID, i32, f64)>)>>,
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

/// Guards against blocks before `setProcessing` that nobody plays, lengths that nothing can be prepared
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
