//! Completes the blocks that VST3 hosts hand to clap-wrapper, and bounds what is in them.
//!
//! clap-wrapper 0.3.1
//!
//! - plays nothing unless every bus comes with all of its channels, but hosts leave them out of inactive
//!   buses (JUCE's do), or pass fewer buses. It always gets one input of the channels that it wants and
//!   [`OUTPUT_PORTS`] stereo outputs, with null channels where the host has none (the CLAP fence gives
//!   those buffers);
//! - takes of each parameter's points in a block the last: it gets every point as a queue of its own
//!   (`vst3_points`), within the block;
//! - loses the mode that a host sends with each block, which may differ from that of `setupProcessing`
//!   (Ardour's export says offline here alone): that goes past it (`vst3_mode`);
//! - offers no choice of input channels (`vst3_layout`);
//! - leaves a block alone that comes before `setProcessing`, which some hosts never call: such a block is
//!   itself the start;
//! - allocates for any length of block, be it negative, and calls a plugin that it has not made yet.
//!
//! To be deleted, point by point, when a release of clap-wrapper does without; 0.3.1 is the newest.

use std::cell::Cell;
use std::ptr;

use vst3::Steinberg::Vst::{
    BusDirections_::kOutput, IAudioProcessor, IAudioProcessorVtbl, ProcessData,
    ProcessModes_::kOffline, ProcessSetup, SymbolicSampleSizes_::kSample32,
};
use vst3::Steinberg::{TBool, kInvalidArgument, kNotInitialized, kResultOk, tresult, uint32};

use super::clap_fence::{MAX_BLOCK_FRAMES, is_playable};
use super::vst3_buses::{CHANNELS, channels, silence_all_but, stereo};
use super::vst3_layout;
use super::vst3_mode::OfflineCall;
use super::vst3_points::PointByPoint;
use super::vst3_table::Table;
use crate::plugin::OUTPUT_PORTS;

pub(super) static PROCESSOR: Table<IAudioProcessorVtbl> = Table::new();

/// What is replaced.
pub(super) fn fence_processor(table: &mut IAudioProcessorVtbl) {
    table.process = process;
    table.setupProcessing = setup_processing;
    table.setProcessing = set_processing;
    table.getLatencySamples = latency_samples;
    table.getTailSamples = tail_samples;
    table.setBusArrangements = vst3_layout::set_bus_arrangements;
    table.getBusArrangement = vst3_layout::bus_arrangement;
}

/// The wrapper's own functions, where this object was initialised: before, and after `terminate`, it
/// has no plugin to call. Real-time safe.
///
/// # Safety
/// `this` must be alive.
pub(super) unsafe fn initialised(
    this: *mut IAudioProcessor,
) -> Option<&'static IAudioProcessorVtbl> {
    let original = PROCESSOR.original()?;
    let mut arrangement = 0;
    // SAFETY: alive, as the caller promises; the function is its own. Only an initialised one has buses.
    let result = unsafe { (original.getBusArrangement)(this, kOutput as i32, 0, &mut arrangement) };
    (result == kResultOk).then_some(original)
}

thread_local! {
    static STOPPING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this call lies within a VST3 host's `setProcessing(false)`, which the wrapper translates to a
/// stop and a reset.
pub(super) fn stopping() -> bool {
    STOPPING.get()
}

unsafe extern "system" fn set_processing(this: *mut IAudioProcessor, state: TBool) -> tresult {
    // SAFETY: by VST3 alive during its call.
    let Some(original) = (unsafe { initialised(this) }) else {
        return kNotInitialized;
    };
    STOPPING.set(state == 0);
    // SAFETY: the object's own function with the host's arguments.
    let result = unsafe { (original.setProcessing)(this, state) };
    STOPPING.set(false);
    result
}

unsafe extern "system" fn setup_processing(
    this: *mut IAudioProcessor,
    setup: *mut ProcessSetup,
) -> tresult {
    // SAFETY: by VST3 alive during its call, and `setup` null or valid.
    unsafe {
        let (Some(original), Some(setup)) = (initialised(this), setup.as_ref()) else {
            return kInvalidArgument;
        };
        if !is_playable(setup.sampleRate) {
            return kInvalidArgument;
        }
        let mut bounded = ProcessSetup {
            maxSamplesPerBlock: setup.maxSamplesPerBlock.clamp(1, MAX_BLOCK_FRAMES as i32),
            ..*setup
        };
        (original.setupProcessing)(this, &mut bounded)
    }
}

unsafe extern "system" fn latency_samples(this: *mut IAudioProcessor) -> uint32 {
    // SAFETY: by VST3 alive during its call; the function is its own.
    unsafe { initialised(this).map_or(0, |original| (original.getLatencySamples)(this)) }
}

unsafe extern "system" fn tail_samples(this: *mut IAudioProcessor) -> uint32 {
    // SAFETY: as above.
    unsafe { initialised(this).map_or(0, |original| (original.getTailSamples)(this)) }
}

/// Real-time safe: no locks, no allocation, no system calls of its own.
unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    // SAFETY: by VST3 the host's structure is valid during the call, and so are its buses, as
    // many as it says, and their channels. All that is handed over lives until the call returns.
    unsafe {
        let Some(host) = data.as_ref() else {
            return kInvalidArgument;
        };
        if host.symbolicSampleSize != kSample32 as i32 {
            return kInvalidArgument; // as `canProcessSampleSize` says
        }
        let result = match initialised(this) {
            Some(original) => play(this, original, host),
            None => kNotInitialized,
        };
        let played = if result == kResultOk { CHANNELS } else { 0 };
        silence_all_but::<OUTPUT_PORTS>(host, played);
        result
    }
}

/// # Safety
/// `this` must be alive and initialised, and `host` as VST3 has it.
unsafe fn play(
    this: *mut IAudioProcessor,
    original: &IAudioProcessorVtbl,
    host: &ProcessData,
) -> tresult {
    // SAFETY: as the caller promises.
    unsafe {
        let frames = host.numSamples.max(0);
        let mut input_channels: [_; 1] = channels(host.inputs, host.numInputs);
        let mut output_channels: [_; OUTPUT_PORTS] = channels(host.outputs, host.numOutputs);
        let mut inputs = input_channels.each_mut().map(stereo);
        inputs[0].numChannels = vst3_layout::input_channels(this).min(CHANNELS as i32);
        let mut outputs = output_channels.each_mut().map(stereo);
        let mut points = PointByPoint::new(host.inputParameterChanges, frames);
        let mut whole = ProcessData {
            numSamples: frames,
            numInputs: 1,
            inputs: inputs.as_mut_ptr(),
            numOutputs: OUTPUT_PORTS as i32,
            outputs: outputs.as_mut_ptr(),
            inputParameterChanges: points.as_changes(),
            // There is no bus for them.
            inputEvents: ptr::null_mut(),
            outputEvents: ptr::null_mut(),
            ..*host
        };
        let said =
            (host.processMode == kOffline as i32).then(|| OfflineCall::begin(&input_channels));
        let mut result = (original.process)(this, &mut whole);
        if result == kNotInitialized && (original.setProcessing)(this, 1) == kResultOk {
            result = (original.process)(this, &mut whole);
        }
        drop(said);
        result
    }
}
