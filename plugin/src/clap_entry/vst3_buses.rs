//! The channels of a VST3 host's buses: those that the wrapper gets, and those that are filled with silence.

use vst3::Steinberg::Vst::{AudioBusBuffers, AudioBusBuffers__type0, ProcessData};

/// Every bus is stereo.
pub(super) const CHANNELS: usize = 2;

/// The host's channels of each bus that it has; the others are null.
///
/// # Safety
/// By VST3, `buses` is null or an array of `count`, each with its number of channels.
pub(super) unsafe fn channels<const BUSES: usize>(
    buses: *const AudioBusBuffers,
    count: i32,
) -> [[*mut f32; CHANNELS]; BUSES] {
    let mut channels = [[std::ptr::null_mut(); CHANNELS]; BUSES];
    for (index, places) in channels.iter_mut().enumerate() {
        for (channel, place) in places.iter_mut().enumerate() {
            // SAFETY: as the caller promises; the plugin processes 32-bit samples only.
            if let Some(host) = unsafe { channel_of(buses, count, index, channel) } {
                *place = host;
            }
        }
    }
    channels
}

/// # Safety
/// As for [`channels`].
unsafe fn channel_of(
    buses: *const AudioBusBuffers,
    count: i32,
    bus: usize,
    channel: usize,
) -> Option<*mut f32> {
    if buses.is_null() || bus >= count.max(0) as usize {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let bus = &*buses.add(bus);
        let channels = bus.__field0.channelBuffers32;
        let there = !channels.is_null() && channel < bus.numChannels.max(0) as usize;
        there.then(|| *channels.add(channel))
    }
}

/// A stereo bus of these channels.
pub(super) fn stereo(channels: &mut [*mut f32; CHANNELS]) -> AudioBusBuffers {
    AudioBusBuffers {
        numChannels: CHANNELS as i32,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 {
            channelBuffers32: channels.as_mut_ptr(),
        },
    }
}

/// Writes silence into every channel of the host's outputs but the first `played` of the first
/// `BUSES` buses, and flags it as such. Real-time safe.
///
/// # Safety
/// By VST3, the outputs of `data` are as for [`channels`], each channel with `numSamples`, and the
/// plugin's to write.
pub(super) unsafe fn silence_all_but<const BUSES: usize>(data: &ProcessData, played: usize) {
    let frames = data.numSamples.max(0) as usize;
    if data.outputs.is_null() {
        return;
    }
    for index in 0..data.numOutputs.max(0) as usize {
        let played = if index < BUSES { played } else { 0 };
        // SAFETY: as the caller promises.
        unsafe {
            let bus = &mut *data.outputs.add(index);
            bus.silenceFlags = 0;
            for channel in played..bus.numChannels.max(0) as usize {
                bus.silenceFlags |= 1_u64.checked_shl(channel as u32).unwrap_or(0);
                let host = channel_of(data.outputs, data.numOutputs, index, channel);
                if let Some(host) = host.filter(|host| !host.is_null()) {
                    host.write_bytes(0, frames);
                }
            }
        }
    }
}
