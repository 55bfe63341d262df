//! A VST3 host's choice between a mono and a stereo input.
//!
//! clap-wrapper 0.3.1 takes the arrangements that its CLAP's ports have at the moment, and no other. So
//! the ports are changed while it compares: it asks for them within the host's call, on the same
//! thread, and the CLAP fence then selects the layout that was asked for here ([`wanted_input_channels`]).
//! One channel is the left speaker to the wrapper, and the centre to VST3: that is translated both ways.
//!
//! To be deleted when clap-wrapper asks the CLAP's `audio-ports-config` for other layouts; 0.3.1 does not.

use std::cell::Cell;

use vst3::Steinberg::Vst::{
    BusDirection,
    BusDirections_::kInput,
    IAudioProcessor,
    SpeakerArr::{kMono, kStereo},
    SpeakerArrangement,
};
use vst3::Steinberg::{int32, kInvalidArgument, kResultFalse, kResultOk, tresult};

use super::vst3_processor::{PROCESSOR, initialised};
use crate::plugin::OUTPUT_PORTS;

/// What the wrapper takes for one channel.
const WRAPPERS_MONO: SpeakerArrangement = 1;

thread_local! {
    static WANTED: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The input channels that a VST3 host asks for in the call that this lies within, if it does. Main
/// thread.
pub(super) fn wanted_input_channels() -> Option<u32> {
    WANTED.get()
}

/// Stands for the wrapper's function of this name: main thread, inactive.
pub(super) unsafe extern "system" fn set_bus_arrangements(
    this: *mut IAudioProcessor,
    inputs: *mut SpeakerArrangement,
    input_count: int32,
    outputs: *mut SpeakerArrangement,
    output_count: int32,
) -> tresult {
    // SAFETY: by VST3 arrays of so many arrangements, valid during the call; the function is the
    // object's own.
    unsafe {
        let Some(original) = initialised(this) else {
            return kResultFalse;
        };
        let all_stereo = (0..output_count.max(0) as usize)
            .all(|index| !outputs.is_null() && *outputs.add(index) == kStereo);
        if input_count != 1
            || inputs.is_null()
            || output_count != OUTPUT_PORTS as i32
            || !all_stereo
        {
            return kResultFalse; // and the layout stays
        }
        let mut input = *inputs;
        if input == kMono {
            WANTED.set(Some(1));
            input = WRAPPERS_MONO;
        } else if input == kStereo {
            WANTED.set(Some(2));
        }
        let result = (original.setBusArrangements)(this, &mut input, 1, outputs, output_count);
        WANTED.set(None);
        result
    }
}

/// Stands for the wrapper's function of this name.
pub(super) unsafe extern "system" fn bus_arrangement(
    this: *mut IAudioProcessor,
    direction: BusDirection,
    index: int32,
    arrangement: *mut SpeakerArrangement,
) -> tresult {
    if arrangement.is_null() || index < 0 {
        return kInvalidArgument;
    }
    // SAFETY: the object's own function with the host's arguments; not null, so the host's place for
    // the answer.
    unsafe {
        let Some(original) = PROCESSOR.original() else {
            return kResultFalse;
        };
        let result = (original.getBusArrangement)(this, direction, index, arrangement);
        if result == kResultOk && *arrangement == WRAPPERS_MONO {
            *arrangement = kMono;
        }
        result
    }
}

/// Channels of the input bus that the wrapper wants now. Real-time safe.
///
/// # Safety
/// `this` must be alive.
pub(super) unsafe fn input_channels(this: *mut IAudioProcessor) -> i32 {
    let mut arrangement = kStereo;
    if let Some(original) = PROCESSOR.original() {
        // SAFETY: alive, as the caller promises; the function is its own.
        unsafe { (original.getBusArrangement)(this, kInput as BusDirection, 0, &mut arrangement) };
    }
    arrangement.count_ones() as i32
}
