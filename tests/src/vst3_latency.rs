//! What `vst3-host` cannot ask: the latency of an active component, and the names of its buses.
//!
//! `vst3-host` 0.10 reads `getLatencySamples` only while the component is inactive, when the
//! wrapper (rightly: CLAP allows the question only then) has no answer yet. So this asks a second
//! instance of the same class, set up and activated in the same way, through the bare interface.
#![allow(unsafe_code)] // COM calls into the plugin under test; each block says what it relies on.

use std::ffi::{c_char, c_void};
use std::path::Path;

use vst3::Steinberg::Vst::{
    BusDirections_::kOutput, BusInfo, IAudioProcessor, IAudioProcessorTrait, IComponent,
    IComponentTrait, IHostApplication, IHostApplicationTrait, MediaTypes_::kAudio, ProcessModes_,
    ProcessSetup, String128, SymbolicSampleSizes_,
};
use vst3::Steinberg::{
    FUnknown, IPluginBaseTrait, IPluginFactory, IPluginFactoryTrait, TUID, kNotImplemented,
    kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComWrapper, Interface};

use crate::host::{Pace, Setup};

/// The latency that a component set up like `setup` reports once it is active, in host frames.
///
/// `library` must be loaded and entered already: a [`Vst3Host`](crate::vst3_host::Vst3Host) for it
/// is alive.
///
/// # Panics
/// If the plugin refuses any step.
#[must_use]
pub fn reported_latency_frames(library: &Path, setup: &Setup) -> usize {
    with_component(library, |component| {
        let processor: ComPtr<IAudioProcessor> = component.cast().expect("an audio processor");
        let offline = setup.pace == Pace::Offline;
        let mode = if offline {
            ProcessModes_::kOffline
        } else {
            ProcessModes_::kRealtime
        };
        let mut process_setup = ProcessSetup {
            processMode: mode as i32,
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
            assert_eq!(component.setActive(1), kResultOk, "setActive");
            let latency = processor.getLatencySamples();
            component.setActive(0);
            latency as usize
        }
    })
}

/// Names of the audio output buses, in order. Like [`reported_latency_frames`], it needs the
/// library loaded.
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
    // SAFETY: the file is a VST3 module that a host has loaded and entered, so this only counts
    // one more reference, and `GetPluginFactory` has the signature that the format prescribes.
    let (_module, factory) = unsafe {
        let module = libloading::Library::new(library).expect("the module");
        let get_factory: libloading::Symbol<unsafe extern "C" fn() -> *mut IPluginFactory> = module
            .get(b"GetPluginFactory")
            .expect("the factory function");
        let factory = ComPtr::from_raw(get_factory()).expect("a factory");
        (module, factory)
    };
    let host = ComWrapper::new(NamedHost)
        .to_com_ptr::<IHostApplication>()
        .expect("the host");
    // SAFETY: all pointers handed over live until `terminate` has returned; `initialize` is paired
    // with `terminate` as the format asks.
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
