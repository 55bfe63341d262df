//! One block of a host's, as nice-plug gets it: every port with its channels, in steps of at most the frames
//! that were announced. What the plugin does not fill is silence, never stale samples.

use std::ptr;

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::plugin::clap_plugin;
use clap_sys::process::{
    CLAP_PROCESS_CONTINUE, CLAP_PROCESS_ERROR, clap_process, clap_process_status,
};

use super::clap_events::BlockEvents;
use super::clap_fence::FencedPlugin;
use super::clap_params::{self, writable};
use super::vst3_mode;
use crate::exchange::HostBlock;
use crate::plugin::OUTPUT_PORTS;

/// Every port is stereo.
const CHANNELS: usize = 2;

/// Stand-ins for what the host did not provide. Never shared between ports: nice-plug makes
/// mutable slices of all outputs at once.
#[derive(Default)]
pub(super) struct StandIns {
    /// Longest step.
    frames: u32,
    /// Stays silent: nice-plug only reads inputs.
    input: Vec<f32>,
    /// `[port * CHANNELS + channel][frames]`, written and never read.
    outputs: Vec<Vec<f32>>,
}

impl StandIns {
    pub(super) fn new(frames: u32) -> Self {
        let channel = vec![0.0; frames as usize];
        Self {
            frames,
            outputs: vec![channel.clone(); OUTPUT_PORTS * CHANNELS],
            input: channel,
        }
    }
}

/// The host's channels; null where it has none.
struct HostChannels {
    input: [*mut f32; CHANNELS],
    outputs: [[*mut f32; CHANNELS]; OUTPUT_PORTS],
}

/// Real-time safe: no locks, no allocation, no system calls of its own.
pub(super) unsafe extern "C" fn process(
    plugin: *const clap_plugin,
    process: *const clap_process,
) -> clap_process_status {
    if plugin.is_null() || process.is_null() {
        return CLAP_PROCESS_ERROR;
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; `process` is not null,
    // so by CLAP valid for this call, and this is the audio thread.
    unsafe {
        let (fenced, host) = (&*plugin.cast::<FencedPlugin>(), &*process);
        let status = if fenced.is_active() && fenced.start() {
            play(fenced, host)
        } else {
            CLAP_PROCESS_ERROR
        };
        let played = if status == CLAP_PROCESS_ERROR {
            0
        } else {
            CHANNELS
        };
        silence_all_but(host, played);
        status
    }
}

/// # Safety
/// On the audio thread, active and started, with what the host hands to `process`.
unsafe fn play(fenced: &FencedPlugin, host: &clap_process) -> clap_process_status {
    let frames = host.frames_count;
    // SAFETY: as the caller promises.
    unsafe {
        let audio = fenced.audio();
        if frames == 0 {
            if let Some(flush) = clap_params::PARAMS.flush {
                flush(
                    ptr::from_ref(fenced).cast(),
                    host.in_events,
                    host.out_events,
                );
            }
            return CLAP_PROCESS_CONTINUE;
        }
        if !audio.processing.continues(host.steady_time, frames) {
            fenced.forget();
        }
        fenced.host_side.begin_block(HostBlock {
            frames: frames as usize,
            offline: fenced.is_offline() || vst3_mode::says_offline(host),
        });
        let channels = HostChannels::of(host);
        let mut events = BlockEvents::new(host.in_events, frames);
        let mut status = CLAP_PROCESS_ERROR;
        let mut start = 0;
        while start < frames {
            let end = start.saturating_add(audio.stand_ins.frames).min(frames);
            let mut step_events = events.step(start, end);
            let in_events = step_events.as_list();
            let (mut input, mut outputs) = channels.step(start, &mut audio.stand_ins);
            let input_port = stereo(&mut input);
            let mut output_ports = outputs.each_mut().map(stereo);
            let step = clap_process {
                steady_time: match host.steady_time {
                    unknown if unknown < 0 => unknown,
                    known => known.saturating_add(i64::from(start)),
                },
                frames_count: end - start,
                transport: ptr::null(), // which the plugin does not ask for
                audio_inputs: &raw const input_port,
                audio_inputs_count: 1,
                audio_outputs: output_ports.as_mut_ptr(),
                audio_outputs_count: OUTPUT_PORTS as u32,
                in_events: &raw const in_events,
                out_events: writable(host.out_events),
            };
            // Every channel of `step` points to at least as many samples, of the host's or a stand-in's,
            // and no two outputs overlap unless the host's do.
            status = match (*fenced.inner).process {
                Some(process) => process(fenced.inner, &raw const step),
                None => CLAP_PROCESS_ERROR,
            };
            if status == CLAP_PROCESS_ERROR {
                break;
            }
            start = end;
        }
        status
    }
}

impl HostChannels {
    /// # Safety
    /// `host` must be what a host hands to `process`.
    unsafe fn of(host: &clap_process) -> Self {
        // SAFETY: as the caller promises.
        let at = |ports, count, port, channel| unsafe {
            channel_of(ports, count, port, channel).unwrap_or(ptr::null_mut())
        };
        Self {
            input: std::array::from_fn(|channel| {
                at(host.audio_inputs, host.audio_inputs_count, 0, channel)
            }),
            outputs: std::array::from_fn(|port| {
                std::array::from_fn(|channel| {
                    let outputs = host.audio_outputs.cast_const();
                    at(outputs, host.audio_outputs_count, port, channel)
                })
            }),
        }
    }

    /// The channels from `start` on, and stand-ins for those that the host does not have.
    ///
    /// # Safety
    /// The host's channels must have more than `start` frames.
    #[allow(clippy::type_complexity)] // one use
    unsafe fn step(
        &self,
        start: u32,
        stand_ins: &mut StandIns,
    ) -> ([*mut f32; CHANNELS], [[*mut f32; CHANNELS]; OUTPUT_PORTS]) {
        let from = |channel: *mut f32, stand_in: *mut f32| {
            if channel.is_null() {
                stand_in
            } else {
                // SAFETY: as the caller promises.
                unsafe { channel.add(start as usize) }
            }
        };
        let silent = stand_ins.input.as_mut_ptr();
        let input = self.input.map(|channel| from(channel, silent));
        let mut outputs = self.outputs;
        let channels = outputs.iter_mut().flatten();
        for (channel, stand_in) in channels.zip(&mut stand_ins.outputs) {
            *channel = from(*channel, stand_in.as_mut_ptr());
        }
        (input, outputs)
    }
}

/// # Safety
/// By CLAP, `ports` is null or an array of `count`, and `data32` of each null or an array of its
/// `channel_count` pointers.
unsafe fn channel_of(
    ports: *const clap_audio_buffer,
    count: u32,
    port: usize,
    channel: usize,
) -> Option<*mut f32> {
    if ports.is_null() || port >= count as usize {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let port = &*ports.add(port);
        let there = !port.data32.is_null() && channel < port.channel_count as usize;
        there.then(|| *port.data32.add(channel))
    }
}

/// Writes silence into every channel of the host's outputs but the first `played` of each of the plugin's
/// ports, and flags it as such.
///
/// # Safety
/// `host` must be what a host hands to `process`.
unsafe fn silence_all_but(host: &clap_process, played: usize) {
    if host.audio_outputs.is_null() {
        return;
    }
    for index in 0..host.audio_outputs_count as usize {
        let played = if index < OUTPUT_PORTS { played } else { 0 };
        // SAFETY: as the caller promises, the port is the plugin's to write during the call, and each of
        // its channels has `frames_count` samples.
        unsafe {
            let port = &mut *host.audio_outputs.add(index);
            port.constant_mask = 0;
            for channel in played..port.channel_count as usize {
                port.constant_mask |= 1_u64.checked_shl(channel as u32).unwrap_or(0);
                if !port.data32.is_null() && !(*port.data32.add(channel)).is_null() {
                    (*port.data32.add(channel)).write_bytes(0, host.frames_count as usize);
                }
            }
        }
    }
}

fn stereo(channels: &mut [*mut f32; CHANNELS]) -> clap_audio_buffer {
    clap_audio_buffer {
        data32: channels.as_mut_ptr(),
        data64: ptr::null_mut(),
        channel_count: CHANNELS as u32,
        latency: 0,
        constant_mask: 0,
    }
}
