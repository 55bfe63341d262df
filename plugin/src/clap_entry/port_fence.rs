//! Gives every port that the host left empty a preallocated buffer before nice-plug sees it.
//!
//! Hosts leave ports empty in several ways: fewer ports than the plugin has, `channel_count` 0, no
//! channel array, or null pointers in it (VST3 hosts do this for inactive buses). nice-plug 0.4.2
//! does not call `process` when any output is empty, reads one port past the host's array when
//! there are fewer, and dereferences null channels. Behind the fence it always sees one stereo
//! input and [`OUTPUT_PORTS`] stereo outputs.
//!
//! nice-plug finds its data through `clap_plugin::plugin_data` alone, so the fence hands the host
//! a copy of nice-plug's `clap_plugin` with three functions replaced and its own data behind it.

use std::cell::UnsafeCell;
use std::ptr;

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::plugin::clap_plugin;
use clap_sys::process::{CLAP_PROCESS_ERROR, clap_process, clap_process_status};

use crate::plugin::OUTPUT_PORTS;

/// Every port is stereo.
const CHANNELS: usize = 2;

/// What the host's plugin pointer points to. `plugin` comes first, so that a pointer to it is a
/// pointer to the whole.
#[repr(C)]
struct FencedPlugin {
    plugin: clap_plugin,
    inner: *const clap_plugin,
    /// Touched by `activate` and `process` only, which CLAP never runs at the same time.
    scratch: UnsafeCell<Scratch>,
}

/// Stand-ins for what the host did not provide. Never shared between ports: nice-plug makes
/// mutable slices of all outputs at once.
#[derive(Default)]
struct Scratch {
    frames: usize,
    /// Stays silent: nice-plug only reads inputs.
    input: Vec<f32>,
    /// `[port * CHANNELS + channel][frames]`, written and never read.
    outputs: Vec<Vec<f32>>,
}

impl Scratch {
    fn new(frames: usize) -> Self {
        Self {
            frames,
            input: vec![0.0; frames],
            outputs: vec![vec![0.0; frames]; OUTPUT_PORTS * CHANNELS],
        }
    }
}

/// Wraps nice-plug's plugin object; the result belongs to the host, which gives it back through
/// `destroy`.
///
/// # Safety
/// `inner` must be nice-plug's plugin object, alive until its `destroy` is called.
pub(super) unsafe fn fence(inner: *const clap_plugin) -> *const clap_plugin {
    // SAFETY: alive, as the caller promises.
    let mut plugin = unsafe { *inner };
    plugin.activate = Some(activate);
    plugin.process = Some(process);
    plugin.destroy = Some(destroy);
    Box::into_raw(Box::new(FencedPlugin {
        plugin,
        inner,
        scratch: UnsafeCell::default(),
    }))
    .cast_const()
    .cast()
}

unsafe extern "C" fn activate(
    plugin: *const clap_plugin,
    rate_hz: f64,
    min_frames: u32,
    max_frames: u32,
) -> bool {
    // SAFETY: hosts get no other plugin pointers than those from `fence`.
    let fenced = unsafe { &*plugin.cast::<FencedPlugin>() };
    // SAFETY: by CLAP the plugin is inactive, so no `process` is running.
    unsafe { *fenced.scratch.get() = Scratch::new(max_frames as usize) };
    // SAFETY: nice-plug's object is alive until `destroy`.
    match unsafe { (*fenced.inner).activate } {
        // SAFETY: the object's own function, with the host's arguments unchanged.
        Some(activate) => unsafe { activate(fenced.inner, rate_hz, min_frames, max_frames) },
        None => false,
    }
}

unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    // SAFETY: made by `Box::into_raw` in `fence`; by CLAP this is the last use of the pointer.
    let fenced = unsafe { Box::from_raw(plugin.cast_mut().cast::<FencedPlugin>()) };
    // SAFETY: alive until this very call.
    if let Some(destroy) = unsafe { (*fenced.inner).destroy } {
        // SAFETY: as above.
        unsafe { destroy(fenced.inner) };
    }
}

/// Real-time safe: no locks, no allocation, no system calls of its own.
unsafe extern "C" fn process(
    plugin: *const clap_plugin,
    process: *const clap_process,
) -> clap_process_status {
    if plugin.is_null() || process.is_null() {
        return CLAP_PROCESS_ERROR;
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; `process` is not null,
    // so by CLAP valid for this call.
    let (fenced, host) = unsafe { (&*plugin.cast::<FencedPlugin>(), &*process) };
    // SAFETY: by CLAP neither `activate` nor another `process` runs now.
    let scratch = unsafe { &mut *fenced.scratch.get() };
    if host.frames_count as usize > scratch.frames {
        return CLAP_PROCESS_ERROR; // more than the host itself announced in `activate`
    }

    let mut input_channels = [scratch.input.as_mut_ptr(); CHANNELS];
    let mut output_channels = [[ptr::null_mut(); CHANNELS]; OUTPUT_PORTS];
    for (channel, buffer) in output_channels
        .iter_mut()
        .flatten()
        .zip(&mut scratch.outputs)
    {
        *channel = buffer.as_mut_ptr();
    }
    if !host.audio_inputs.is_null() && host.audio_inputs_count > 0 {
        // SAFETY: the host's array has at least one port.
        unsafe { take_channels(&*host.audio_inputs, &mut input_channels) };
    }
    let host_outputs = if host.audio_outputs.is_null() {
        0
    } else {
        (host.audio_outputs_count as usize).min(OUTPUT_PORTS)
    };
    for (index, channels) in output_channels.iter_mut().enumerate().take(host_outputs) {
        // SAFETY: `index` lies within the host's array, which is ours to write during the call.
        unsafe {
            let port = &mut *host.audio_outputs.add(index);
            take_channels(port, channels);
            port.constant_mask = 0;
        }
    }

    let input_port = stereo(&mut input_channels);
    let mut output_ports = output_channels.each_mut().map(stereo);
    let whole = clap_process {
        audio_inputs: &raw const input_port,
        audio_inputs_count: 1,
        audio_outputs: output_ports.as_mut_ptr(),
        audio_outputs_count: OUTPUT_PORTS as u32,
        ..*host
    };
    // SAFETY: nice-plug's object is alive until `destroy`.
    match unsafe { (*fenced.inner).process } {
        // SAFETY: every channel of `whole` points to at least `frames_count` samples, of the host's
        // or of `scratch`, and no two outputs overlap unless the host's do.
        Some(process) => unsafe { process(fenced.inner, &raw const whole) },
        None => CLAP_PROCESS_ERROR,
    }
}

/// Overwrites those stand-ins for which the host has a channel.
///
/// # Safety
/// By CLAP, `data32` is null or an array of `channel_count` pointers.
unsafe fn take_channels(port: &clap_audio_buffer, channels: &mut [*mut f32; CHANNELS]) {
    if port.data32.is_null() {
        return;
    }
    for (index, channel) in channels
        .iter_mut()
        .enumerate()
        .take(port.channel_count as usize)
    {
        // SAFETY: within the array, as the caller promises.
        let host_channel = unsafe { *port.data32.add(index) };
        if !host_channel.is_null() {
            *channel = host_channel;
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
