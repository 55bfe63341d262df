//! Completes what VST3 hosts hand to free-audio's clap-wrapper, before the wrapper sees it.
//!
//! clap-wrapper 0.3.1 plays nothing unless every bus comes with all of its channels, but hosts leave
//! them out of inactive buses (JUCE's do), or pass fewer buses; and of each parameter's points in a
//! block it takes the last. The mode that a host tells with each block, which may not be the one it
//! told before (Ardour's export says offline here alone), gets lost. Behind this fence it always sees one input of the channels that it wants and [`OUTPUT_PORTS`]
//! stereo outputs, with null channels where the host has none (the port fence gives those buffers),
//! and every point as a queue of its own; the mode goes past it (`vst3_mode`).
//!
//! It also offers no choice of input channels (`vst3_layout`).
//!
//! The wrapper has no place for this, so some functions of its C++ objects are replaced: the
//! factory's `createInstance`, and of the audio processor `process` and those for arrangements. An object's table of functions is
//! copied once, with a function replaced, and the object pointed to the copy. The wrapper asks for
//! VST3 details of a CLAP factory ([`FACTORY_INFO`]) just after it has made its own: that is where
//! the factory is met.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;
use std::ptr;
use std::sync::OnceLock;

use clap_sys::factory::plugin_factory::clap_plugin_factory;
use vst3::Interface;
use vst3::Steinberg::Vst::{AudioBusBuffers, AudioBusBuffers__type0, IAudioProcessor};
use vst3::Steinberg::Vst::{IAudioProcessorVtbl, ProcessData, ProcessModes_::kOffline};
use vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactoryVtbl, TUID, kResultFalse, kResultOk, tresult,
};

use super::vst3_layout;
use super::vst3_mode::OfflineCall;
use super::vst3_points::PointByPoint;
use crate::plugin::OUTPUT_PORTS;

const CHANNELS: usize = 2;

/// Words before a table's first function: the type's description.
const WORDS_BEFORE: usize = if cfg!(windows) { 1 } else { 2 };
/// Functions of `CPluginFactory`: 10 of `IPluginFactory3`, and a few of its own behind them.
const FACTORY_WORDS: usize = 16;
/// Functions of `IAudioProcessor`.
const PROCESSOR_WORDS: usize = size_of::<IAudioProcessorVtbl>() / size_of::<usize>();

/// A copied table, and the one it was copied from.
struct Table<const WORDS: usize> {
    /// `WORDS_BEFORE` words, then the functions.
    copy: Vec<usize>,
    original: usize,
}

impl<const WORDS: usize> Table<WORDS> {
    /// Copies `original`, with some functions replaced: each given with its place in bytes.
    ///
    /// # Safety
    /// `original` must be a table of functions of a C++ object: words may be read from
    /// `WORDS_BEFORE` before it up to `WORDS` behind.
    unsafe fn copied(original: *const usize, functions: &[(usize, usize)]) -> Self {
        // SAFETY: as the caller promises.
        let words =
            unsafe { std::slice::from_raw_parts(original.sub(WORDS_BEFORE), WORDS_BEFORE + WORDS) };
        let mut copy = words.to_vec();
        for (byte_index, function) in functions {
            if let Some(place) = copy.get_mut(WORDS_BEFORE + byte_index / size_of::<usize>()) {
                *place = *function;
            }
        }
        Self {
            copy,
            original: original as usize,
        }
    }

    fn functions(&self) -> *const usize {
        // Within the vector, which is never touched again.
        self.copy.as_ptr().wrapping_add(WORDS_BEFORE)
    }
}

static FACTORY: OnceLock<Table<FACTORY_WORDS>> = OnceLock::new();
static PROCESSOR: OnceLock<Table<PROCESSOR_WORDS>> = OnceLock::new();

/// clap-wrapper's `CLAP_PLUGIN_FACTORY_INFO_VST3`.
pub(super) const FACTORY_INFO: &std::ffi::CStr = c"clap.plugin-factory-info-as-vst3/0";

/// clap-wrapper's `clap_plugin_factory_as_vst3`: everything in it may be null.
#[repr(C)]
pub(super) struct FactoryInfo {
    vendor: *const c_char,
    vendor_url: *const c_char,
    email_contact: *const c_char,
    get_vst3_info:
        Option<unsafe extern "C" fn(*const clap_plugin_factory, index: u32) -> *const c_void>,
}

// SAFETY: null pointers and a function.
unsafe impl Sync for FactoryInfo {}

/// Says nothing new, and is a chance to meet the VST3 factory.
pub(super) static INFO: FactoryInfo = FactoryInfo {
    vendor: ptr::null(),
    vendor_url: ptr::null(),
    email_contact: ptr::null(),
    get_vst3_info: Some(meet_factory),
};

unsafe extern "C" fn meet_factory(_: *const clap_plugin_factory, _index: u32) -> *const c_void {
    // SAFETY: clap-wrapper calls this after it has made its factory, and gives that out when asked
    // again.
    let factory = unsafe { clap_wrapper::vst3::GetPluginFactory() }.cast::<IPluginFactory>();
    if !factory.is_null() {
        // SAFETY: a live C++ object that begins with its table; its memory is the heap's. The
        // reference that was just counted is given back with the table's own function.
        unsafe {
            let index = offset_of!(IPluginFactoryVtbl, createInstance);
            let function = create_instance as *const () as usize;
            fence(factory.cast(), &FACTORY, &[(index, function)]);
            ((*(*factory).vtbl).base.release)(factory.cast::<FUnknown>());
        }
    }
    ptr::null()
}

/// Points `object` to the copy of its table in which `functions` are replaced.
///
/// # Safety
/// `object` must be alive and begin with a pointer to a table as [`Table::copied`] asks for, the
/// same for every object that is fenced with `table`.
unsafe fn fence<const WORDS: usize>(
    object: *mut *const usize,
    table: &'static OnceLock<Table<WORDS>>,
    functions: &[(usize, usize)],
) {
    // SAFETY: as the caller promises.
    unsafe {
        let table = table.get_or_init(|| Table::copied(*object, functions));
        if *object as usize == table.original {
            *object = table.functions();
        }
    }
}

unsafe extern "system" fn create_instance(
    this: *mut IPluginFactory,
    class_id: FIDString,
    interface: FIDString,
    object: *mut *mut c_void,
) -> tresult {
    let Some(table) = FACTORY.get() else {
        return kResultFalse;
    };
    let original = table.original as *const IPluginFactoryVtbl;
    // SAFETY: the factory's own function with the host's arguments unchanged. What it makes is a
    // FUnknown, whose interfaces belong to one C++ object with a table for each.
    unsafe {
        let result = ((*original).createInstance)(this, class_id, interface, object);
        if result == kResultOk && !object.is_null() && !(*object).is_null() {
            let unknown = (*object).cast::<FUnknown>();
            let mut processor = ptr::null_mut::<c_void>();
            let interface = IAudioProcessor::IID.as_ptr().cast::<TUID>();
            let found = ((*(*unknown).vtbl).queryInterface)(unknown, interface, &mut processor);
            if found == kResultOk && !processor.is_null() {
                let functions = [
                    (
                        offset_of!(IAudioProcessorVtbl, process),
                        process as *const () as usize,
                    ),
                    (
                        offset_of!(IAudioProcessorVtbl, setBusArrangements),
                        vst3_layout::set_bus_arrangements as *const () as usize,
                    ),
                    (
                        offset_of!(IAudioProcessorVtbl, getBusArrangement),
                        vst3_layout::bus_arrangement as *const () as usize,
                    ),
                ];
                fence(processor.cast(), &PROCESSOR, &functions);
                let processor = processor.cast::<FUnknown>();
                ((*(*processor).vtbl).release)(processor);
            }
        }
        result
    }
}

/// The audio processors' own functions, once there is one. Real-time safe.
pub(super) fn original_processor() -> Option<&'static IAudioProcessorVtbl> {
    let table = PROCESSOR.get()?;
    // SAFETY: the table of a class, which is the library's, and as long-lived.
    unsafe { (table.original as *const IAudioProcessorVtbl).as_ref() }
}

/// Real-time safe: no locks, no allocation, no system calls of its own.
unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    let Some(original) = original_processor() else {
        return kResultFalse;
    };
    if data.is_null() {
        return kResultFalse;
    }
    // SAFETY: by VST3 the host's structure is valid during the call, and so are its buses, whose
    // numbers it tells, and their channels. All that is handed over lives until the call returns.
    unsafe {
        let host = &mut *data;
        let mut input_channels = [[ptr::null_mut(); CHANNELS]; 1];
        let mut output_channels = [[ptr::null_mut(); CHANNELS]; OUTPUT_PORTS];
        take_channels(host.inputs, host.numInputs, &mut input_channels);
        take_channels(host.outputs, host.numOutputs, &mut output_channels);
        let mut inputs = input_channels.each_mut().map(stereo);
        inputs[0].numChannels = vst3_layout::input_channels(this).min(CHANNELS as i32);
        let mut outputs = output_channels.each_mut().map(stereo);
        let mut points = PointByPoint::new(host.inputParameterChanges);
        let mut whole = ProcessData {
            numInputs: 1,
            inputs: inputs.as_mut_ptr(),
            numOutputs: OUTPUT_PORTS as i32,
            outputs: outputs.as_mut_ptr(),
            inputParameterChanges: points.as_changes(),
            ..*host
        };
        let said =
            (host.processMode == kOffline as i32).then(|| OfflineCall::begin(&input_channels));
        let result = (original.process)(this, &mut whole);
        drop(said);
        for index in 0..host.numOutputs.max(0) as usize {
            if !host.outputs.is_null() {
                (*host.outputs.add(index)).silenceFlags = 0; // everything was written
            }
        }
        result
    }
}

/// Takes over what channels the host has; the others stay null.
///
/// # Safety
/// By VST3, `buses` is null or an array of `count`, each with its number of channels.
unsafe fn take_channels<const BUSES: usize>(
    buses: *const AudioBusBuffers,
    count: i32,
    channels: &mut [[*mut f32; CHANNELS]; BUSES],
) {
    if buses.is_null() {
        return;
    }
    for (index, channels) in channels.iter_mut().enumerate().take(count.max(0) as usize) {
        // SAFETY: as the caller promises; the plugin processes 32-bit samples only.
        unsafe {
            let bus = &*buses.add(index);
            let host_channels = bus.__field0.channelBuffers32;
            if host_channels.is_null() {
                continue;
            }
            let there = channels.iter_mut().take(bus.numChannels.max(0) as usize);
            for (index, channel) in there.enumerate() {
                *channel = *host_channels.add(index);
            }
        }
    }
}

fn stereo(channels: &mut [*mut f32; CHANNELS]) -> AudioBusBuffers {
    AudioBusBuffers {
        numChannels: CHANNELS as i32,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 {
            channelBuffers32: channels.as_mut_ptr(),
        },
    }
}
