//! What `vst3-host` cannot ask: the latency of an active component, the names of the buses of one
//! that was never activated, audio with buses that have no channels, in another mode than the one that
//! was set up or without any start of processing, and what a controller makes of a component's state.
//!
//! `vst3-host` 0.10 activates every component that it loads, and reads `getLatencySamples` only
//! while the component is inactive, when the wrapper has no answer (CLAP knows a latency only of
//! active plugins). So this asks another instance of the same class, set up in the same way,
//! through the bare interface.
#![allow(unsafe_code)] // COM calls into the plugin under test; each block says what it relies on.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::path::Path;

use bunri_stream::Planar;
use libloading::os::unix::{Library, Symbol};
use vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0,
    BusDirections_::{kInput, kOutput},
    BusInfo, IAudioProcessor, IAudioProcessorTrait, IComponent, IComponentTrait, IEditController,
    IEditControllerTrait, IHostApplication, IHostApplicationTrait,
    MediaTypes_::kAudio,
    ParameterInfo, ProcessContext, ProcessData, ProcessModes_, ProcessSetup, String128,
    SymbolicSampleSizes_,
};
use vst3::Steinberg::{
    FUnknown, IBStream, IBStreamTrait, IPluginBaseTrait, IPluginFactory, IPluginFactoryTrait, TUID,
    kNotImplemented, kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComWrapper, Interface};

use crate::host::{Clock, Pace, Setup, block_ranges};

/// The latency that a component set up like `setup` reports once it is active, in host frames.
///
/// # Panics
/// If the plugin refuses any step.
#[must_use]
pub fn reported_latency_frames(library: &Path, setup: &Setup) -> usize {
    with_active(library, setup, |_, latency_frames| latency_frames)
}

/// When a host calls `setProcessing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// Before the first block, and after the last.
    Once,
    /// Never.
    Never,
    /// Before every block, and after it.
    AroundEveryBlock,
}

/// How a host sends its blocks.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    /// What it says with each block, as Ardour's export does, whatever it set up.
    pub said: Pace,
    /// When it starts processing.
    pub starts: Starts,
    /// The blocks' length, which it may have announced.
    pub block_frames: usize,
    /// Whether it sends the position of each block.
    pub sends_position: bool,
}

impl Ways {
    /// As an ordinary host does it that set up `setup` and says `said` with each block.
    #[must_use]
    pub const fn ordinary(setup: &Setup, said: Pace) -> Self {
        Self {
            said,
            starts: Starts::Once,
            block_frames: setup.max_block_frames,
            sends_position: true,
        }
    }
}

/// What the main bus plays in a host that gives the stem buses no channels at all, as JUCE's do
/// where they are inactive, and the latency: `vst3-host` gives them their channels, without memory.
///
/// # Panics
/// If the plugin refuses any step, or calls silent what it plays.
#[must_use]
pub fn process_main_alone(
    library: &Path,
    setup: &Setup,
    ways: Ways,
    input: &Planar,
) -> (Planar, usize) {
    with_active(library, setup, |processor, latency_frames| {
        let clock = Clock::start(setup);
        // In place, as these hosts do it: what the plugin does not touch stays what it was.
        let mut audio = input.clone().into_channels();
        let set_processing = |at: Starts, state| {
            if ways.starts == at {
                // SAFETY: the processor is active.
                unsafe { processor.setProcessing(state) };
            }
        };
        set_processing(Starts::Once, 1);
        for (start, frames) in block_ranges(input.frames(), &[ways.block_frames]) {
            set_processing(Starts::AroundEveryBlock, 1);
            let mut channels: Vec<*mut f32> = audio
                .iter_mut()
                .map(|channel| channel[start..start + frames].as_mut_ptr())
                .collect();
            let bus = |channels: &mut [*mut f32]| AudioBusBuffers {
                numChannels: channels.len() as i32,
                silenceFlags: 0,
                __field0: AudioBusBuffers__type0 {
                    channelBuffers32: channels.as_mut_ptr(),
                },
            };
            let mut inputs = [bus(&mut channels)];
            let mut outputs: Vec<_> = (0..5).map(|_| bus(&mut [])).collect();
            outputs[0] = bus(&mut channels);
            // SAFETY: plain data, of which all zeros is a valid value.
            let mut context: ProcessContext = unsafe { std::mem::zeroed() };
            context.sampleRate = f64::from(setup.rate_hz);
            context.projectTimeSamples = start as i64;
            let mut data = ProcessData {
                processMode: mode(ways.said),
                symbolicSampleSize: SymbolicSampleSizes_::kSample32 as i32,
                numSamples: frames as i32,
                numInputs: 1,
                numOutputs: outputs.len() as i32,
                inputs: inputs.as_mut_ptr(),
                outputs: outputs.as_mut_ptr(),
                inputParameterChanges: std::ptr::null_mut(),
                outputParameterChanges: std::ptr::null_mut(),
                inputEvents: std::ptr::null_mut(),
                outputEvents: std::ptr::null_mut(),
                processContext: if ways.sends_position {
                    &mut context
                } else {
                    std::ptr::null_mut()
                },
            };
            // SAFETY: the processor is active, and every pointer outlives the call.
            let result = unsafe { processor.process(&mut data) };
            assert_eq!(result, kResultOk, "process");
            assert_eq!(outputs[0].silenceFlags, 0, "channels called silent");
            clock.wait_until_played(start + frames);
            set_processing(Starts::AroundEveryBlock, 0);
        }
        set_processing(Starts::Once, 0);
        (
            Planar::from_channels(audio).expect("one length"),
            latency_frames,
        )
    })
}

/// Every parameter's place between its ends, in the controller of a new instance that was given `state`
/// as its component's.
///
/// # Panics
/// If the plugin refuses any step.
#[must_use]
pub fn values_after_component_state(library: &Path, state: &[u8]) -> Vec<f64> {
    with_component(library, |component| {
        let controller: ComPtr<IEditController> = component.cast().expect("a controller");
        let stream = ComWrapper::new(ByteStream {
            bytes: state.to_vec(),
            position: Cell::new(0),
        });
        let stream = stream.to_com_ptr::<IBStream>().expect("the stream");
        // SAFETY: all are alive; ParameterInfo is plain data, which the plugin fills in.
        unsafe {
            let result = controller.setComponentState(stream.as_ptr());
            assert_eq!(result, kResultOk, "setComponentState");
            (0..controller.getParameterCount())
                .map(|index| {
                    let mut info: ParameterInfo = std::mem::zeroed();
                    controller.getParameterInfo(index, &mut info);
                    controller.getParamNormalized(info.id)
                })
                .collect()
        }
    })
}

/// Lends an active processor and its latency.
fn with_active<T>(
    library: &Path,
    setup: &Setup,
    use_it: impl FnOnce(&ComPtr<IAudioProcessor>, usize) -> T,
) -> T {
    with_component(library, |component| {
        let processor: ComPtr<IAudioProcessor> = component.cast().expect("an audio processor");
        let mut process_setup = ProcessSetup {
            processMode: mode(setup.pace),
            symbolicSampleSize: SymbolicSampleSizes_::kSample32 as i32,
            maxSamplesPerBlock: setup.max_block_frames as i32,
            sampleRate: f64::from(setup.rate_hz),
        };
        // SAFETY: both interfaces are alive, and the calls come in the order the format asks for.
        unsafe {
            assert_eq!(
                processor.setupProcessing(&mut process_setup),
                kResultOk,
                "setupProcessing"
            );
            component.activateBus(kAudio as i32, kInput as i32, 0, 1);
            component.activateBus(kAudio as i32, kOutput as i32, 0, 1);
            assert_eq!(component.setActive(1), kResultOk, "setActive");
            let latency_frames = processor.getLatencySamples() as usize;
            let answer = use_it(&processor, latency_frames);
            component.setActive(0);
            answer
        }
    })
}

fn mode(pace: Pace) -> i32 {
    match pace {
        Pace::Offline => ProcessModes_::kOffline as i32,
        Pace::Freewheel | Pace::Live => ProcessModes_::kRealtime as i32,
    }
}

/// Names of the audio output buses, in order, as a scan learns them: nothing is activated.
///
/// # Panics
/// If the plugin refuses any step.
#[must_use]
pub fn output_names(library: &Path) -> Vec<String> {
    with_component(library, |component| {
        // SAFETY: the component is alive; BusInfo is plain data, which the plugin fills in.
        unsafe {
            (0..component.getBusCount(kAudio as i32, kOutput as i32))
                .map(|index| {
                    let mut info: BusInfo = std::mem::zeroed();
                    component.getBusInfo(kAudio as i32, kOutput as i32, index, &mut info);
                    let name = info.name;
                    let end = name
                        .iter()
                        .position(|&unit| unit == 0)
                        .unwrap_or(name.len());
                    String::from_utf16_lossy(&name[..end])
                })
                .collect()
        }
    })
}

/// Makes an instance of the library's audio effect, lends it, and terminates it.
fn with_component<T>(library: &Path, use_it: impl FnOnce(&ComPtr<IComponent>) -> T) -> T {
    let module = Module::enter(library);
    let factory = module.factory();
    let host = ComWrapper::new(NamedHost)
        .to_com_ptr::<IHostApplication>()
        .expect("the host");
    // SAFETY: all pointers handed over live until `terminate` has returned; `initialize` is paired
    // with `terminate` as the format asks. PClassInfo is plain data, which the plugin fills in.
    unsafe {
        let mut class = std::mem::zeroed();
        assert_eq!(factory.getClassInfo(0, &mut class), kResultOk, "class info");
        let mut component = std::ptr::null_mut::<c_void>();
        let class_id = class.cid.as_ptr().cast::<c_char>();
        let interface = IComponent::IID.as_ptr().cast::<c_char>();
        factory.createInstance(class_id, interface, &mut component);
        let component = ComPtr::from_raw(component.cast::<IComponent>()).expect("a component");
        let context = host.as_ptr().cast::<FUnknown>();
        assert_eq!(component.initialize(context), kResultOk, "initialize");
        let answer = use_it(&component);
        component.terminate();
        answer
    }
}

/// A VST3 module, entered once more: the format counts entries and exits.
struct Module {
    library: Library,
}

impl Module {
    fn enter(path: &Path) -> Self {
        // SAFETY: the file is the plugin under test; the function has the signature that the
        // format prescribes, and gets the handle that it asks for.
        unsafe {
            let handle = Library::new(path).expect("the module").into_raw();
            let library = Library::from_raw(handle);
            let enter: Symbol<unsafe extern "C" fn(*mut c_void) -> bool> =
                library.get(b"ModuleEntry").expect("the entry function");
            assert!(enter(handle), "ModuleEntry");
            Self { library }
        }
    }

    fn factory(&self) -> ComPtr<IPluginFactory> {
        // SAFETY: the module is entered, and the function has the signature that the format
        // prescribes.
        unsafe {
            let get_factory: Symbol<unsafe extern "C" fn() -> *mut IPluginFactory> = self
                .library
                .get(b"GetPluginFactory")
                .expect("the factory function");
            ComPtr::from_raw(get_factory()).expect("a factory")
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: paired with `enter`; nothing of the module is in use any more.
        unsafe {
            if let Ok(exit) = self
                .library
                .get::<unsafe extern "C" fn() -> bool>(b"ModuleExit")
            {
                exit();
            }
        }
    }
}

/// The least a host must be: it has a name.
struct NamedHost;

impl Class for NamedHost {
    type Interfaces = (IHostApplication,);
}

impl IHostApplicationTrait for NamedHost {
    unsafe fn getName(&self, name: *mut String128) -> tresult {
        // SAFETY: the caller hands over a buffer of 128 units.
        let name = unsafe { &mut *name };
        name.fill(0);
        for (unit, letter) in name.iter_mut().zip("Bunri tests".encode_utf16()) {
            *unit = letter as _;
        }
        kResultOk
    }

    unsafe fn createInstance(
        &self,
        _class: *mut TUID,
        _interface: *mut TUID,
        _object: *mut *mut c_void,
    ) -> tresult {
        kNotImplemented
    }
}

/// A stream that is read from its beginning to its end.
struct ByteStream {
    bytes: Vec<u8>,
    position: Cell<usize>,
}

impl Class for ByteStream {
    type Interfaces = (IBStream,);
}

impl IBStreamTrait for ByteStream {
    unsafe fn read(&self, buffer: *mut c_void, bytes: i32, read: *mut i32) -> tresult {
        let rest = &self.bytes[self.position.get()..];
        let count = rest.len().min(bytes.max(0) as usize);
        // SAFETY: the caller has room for as many bytes as it asks for.
        unsafe {
            buffer.copy_from_nonoverlapping(rest.as_ptr().cast(), count);
            if !read.is_null() {
                *read = count as i32;
            }
        }
        self.position.set(self.position.get() + count);
        kResultOk
    }

    unsafe fn write(&self, _buffer: *mut c_void, _bytes: i32, _written: *mut i32) -> tresult {
        kNotImplemented
    }

    unsafe fn seek(&self, _position: i64, _mode: i32, _result: *mut i64) -> tresult {
        kNotImplemented
    }

    unsafe fn tell(&self, _position: *mut i64) -> tresult {
        kNotImplemented
    }
}
