//! Gives every port that the host left empty a preallocated buffer before nice-plug sees it.
//!
//! Hosts leave ports empty in several ways: fewer ports than the plugin has, `channel_count` 0, no
//! channel array, or null pointers in it (VST3 hosts do this for inactive buses). nice-plug 0.4.2
//! does not call `process` when any output is empty, reads one port past the host's array when
//! there are fewer, and dereferences null channels. Behind the fence it always sees one stereo
//! input and [`OUTPUT_PORTS`] stereo outputs.
//!
//! What the fence sees go by it tells the plugin ([`HostSide`]), and it tells the host the latency:
//! nice-plug would ask for a restart for that, and every plugin with latency be activated twice.
//!
//! nice-plug finds its data through `clap_plugin::plugin_data` alone, so the fence hands the host
//! a copy of nice-plug's `clap_plugin` with three functions replaced and its own data behind it.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_char, c_void};
use std::num::NonZeroU32;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::ext::audio_ports::{
    CLAP_EXT_AUDIO_PORTS, clap_audio_port_info, clap_plugin_audio_ports,
};
use clap_sys::ext::audio_ports_config::{
    CLAP_EXT_AUDIO_PORTS_CONFIG, clap_plugin_audio_ports_config,
};
use clap_sys::ext::latency::{CLAP_EXT_LATENCY, clap_host_latency};
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;
use clap_sys::process::{CLAP_PROCESS_ERROR, clap_process, clap_process_status};
use nice_plug::prelude::{Plugin, ProcessMode};
use nice_plug::wrapper::clap::Wrapper;

use super::{vst3_layout, vst3_mode};
use crate::exchange::HostBlock;
use crate::host_side::HostSide;
use crate::plugin::{BunriPlugin, OUTPUT_PORTS};

/// Every port is stereo.
const CHANNELS: usize = 2;

/// What the host's plugin pointer points to. `plugin` comes first, so that a pointer to it is a
/// pointer to the whole.
#[repr(C)]
struct FencedPlugin {
    plugin: clap_plugin,
    inner: *const clap_plugin,
    /// nice-plug's own, behind `inner`.
    wrapper: *const Wrapper<BunriPlugin>,
    host: *const clap_host,
    host_side: Arc<HostSide>,
    /// Main thread only.
    active: Cell<bool>,
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
/// `inner` must be the plugin object of `wrapper`, alive until its `destroy` is called, and `host`
/// the host that it was made with, alive as long.
pub(super) unsafe fn fence(
    inner: *const clap_plugin,
    wrapper: *const Wrapper<BunriPlugin>,
    host: *const clap_host,
    host_side: Arc<HostSide>,
) -> *const clap_plugin {
    let caller = HostPointer(host);
    host_side.set_restart(move || caller.ask_for_restart());
    // SAFETY: alive, as the caller promises.
    let mut plugin = unsafe { *inner };
    plugin.activate = Some(activate);
    plugin.deactivate = Some(deactivate);
    plugin.process = Some(process);
    plugin.get_extension = Some(get_extension);
    plugin.destroy = Some(destroy);
    Box::into_raw(Box::new(FencedPlugin {
        plugin,
        inner,
        wrapper,
        host,
        host_side,
        active: Cell::new(false),
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
    let activated = match unsafe { (*fenced.inner).activate } {
        // SAFETY: the object's own function, with the host's arguments unchanged.
        Some(activate) => unsafe { activate(fenced.inner, rate_hz, min_frames, max_frames) },
        None => false,
    };
    fenced.active.set(activated);
    if activated {
        let latency_frames = fenced.host_side.latency_frames() as u32;
        // SAFETY: as the caller of `fence` promised.
        let told = unsafe { &(*fenced.wrapper).current_latency };
        if told.swap(latency_frames, Ordering::SeqCst) != latency_frames {
            // SAFETY: the host is alive, and this is the main thread, in `activate`, where by CLAP
            // the latency may change.
            unsafe { tell_latency_changed(fenced.host) };
        }
    }
    activated
}

unsafe extern "C" fn deactivate(plugin: *const clap_plugin) {
    // SAFETY: hosts get no other plugin pointers than those from `fence`.
    let fenced = unsafe { &*plugin.cast::<FencedPlugin>() };
    fenced.active.set(false);
    // SAFETY: nice-plug's object is alive until `destroy`.
    if let Some(deactivate) = unsafe { (*fenced.inner).deactivate } {
        // SAFETY: as above.
        unsafe { deactivate(fenced.inner) };
    }
}

unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    // SAFETY: where it is not null, by CLAP a zero-terminated string.
    if !id.is_null() && unsafe { CStr::from_ptr(id) } == CLAP_EXT_AUDIO_PORTS {
        return (&raw const AUDIO_PORTS).cast();
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; it is handed on as it is.
    unsafe { inner_extension::<c_void>(plugin, id) }.map_or(ptr::null(), ptr::from_ref)
}

/// nice-plug's own extension of this name, whose structure is `E`.
///
/// # Safety
/// `plugin` must be one of `fence`'s, and `E` by CLAP what `id` names.
unsafe fn inner_extension<'a, E>(plugin: *const clap_plugin, id: *const c_char) -> Option<&'a E> {
    // SAFETY: as the caller promises; nice-plug's object is alive until `destroy`, and what it gives
    // out with it.
    unsafe {
        let inner = (*plugin.cast::<FencedPlugin>()).inner;
        (*inner).get_extension?(inner, id).cast::<E>().as_ref()
    }
}

/// nice-plug's, but for the layout, which a VST3 host may ask for in the same call.
static AUDIO_PORTS: clap_plugin_audio_ports = clap_plugin_audio_ports {
    count: Some(port_count),
    get: Some(port_info),
};

unsafe extern "C" fn port_count(plugin: *const clap_plugin, is_input: bool) -> u32 {
    // SAFETY: hosts get no other plugin pointers than those from `fence`, and call this on the main
    // thread; the name's structure is this.
    unsafe {
        select_wanted_layout(plugin);
        let ports = inner_extension(plugin, CLAP_EXT_AUDIO_PORTS.as_ptr());
        let count = ports.and_then(|ports: &clap_plugin_audio_ports| ports.count);
        count.map_or(0, |count| count(plugin, is_input))
    }
}

unsafe extern "C" fn port_info(
    plugin: *const clap_plugin,
    index: u32,
    is_input: bool,
    info: *mut clap_audio_port_info,
) -> bool {
    // SAFETY: as in `port_count`.
    unsafe {
        let ports = inner_extension(plugin, CLAP_EXT_AUDIO_PORTS.as_ptr());
        let get = ports.and_then(|ports: &clap_plugin_audio_ports| ports.get);
        get.is_some_and(|get| get(plugin, index, is_input, info))
    }
}

/// # Safety
/// `plugin` must be one of `fence`'s, on the main thread.
unsafe fn select_wanted_layout(plugin: *const clap_plugin) {
    let Some(channels) = vst3_layout::wanted_input_channels() else {
        return;
    };
    let layout = BunriPlugin::AUDIO_IO_LAYOUTS
        .iter()
        .position(|layout| layout.main_input_channels.map(NonZeroU32::get) == Some(channels));
    // SAFETY: as in `port_count`; layouts are numbered by their place.
    unsafe {
        if (*plugin.cast::<FencedPlugin>()).active.get() {
            return; // it would not be heeded before the next activation
        }
        let layouts = inner_extension(plugin, CLAP_EXT_AUDIO_PORTS_CONFIG.as_ptr());
        let select = layouts.and_then(|layouts: &clap_plugin_audio_ports_config| layouts.select);
        if let (Some(layout), Some(select)) = (layout, select) {
            select(plugin, layout as u32);
        }
    }
}

/// # Safety
/// `host` must be alive, and CLAP allow a change of latency now.
unsafe fn tell_latency_changed(host: *const clap_host) {
    // SAFETY: alive, as the caller promises.
    let Some(get_extension) = (unsafe { (*host).get_extension }) else {
        return;
    };
    // SAFETY: the host's own function; the name is zero-terminated.
    let extension = unsafe { get_extension(host, CLAP_EXT_LATENCY.as_ptr()) };
    if extension.is_null() {
        return;
    }
    // SAFETY: by CLAP what is returned under this name is this structure, for the host's life.
    let latency = unsafe { &*extension.cast::<clap_host_latency>() };
    if let Some(changed) = latency.changed {
        // SAFETY: the host's own function, on the main thread.
        unsafe { changed(host) };
    }
}

/// A host that may be called from any thread, for what CLAP marks thread-safe.
struct HostPointer(*const clap_host);

// SAFETY: only `request_restart` is called through it, which CLAP marks thread-safe.
unsafe impl Send for HostPointer {}
// SAFETY: as above.
unsafe impl Sync for HostPointer {}

impl HostPointer {
    fn ask_for_restart(&self) {
        let Self(host) = *self;
        // SAFETY: the host outlives the plugin, whose threads have ended when it is destroyed.
        if let Some(request_restart) = unsafe { (*host).request_restart } {
            // SAFETY: the host's own function.
            unsafe { request_restart(host) };
        }
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
    // SAFETY: as the caller of `fence` promised.
    let mode = unsafe { &(*fenced.wrapper).current_process_mode };
    fenced.host_side.begin_block(HostBlock {
        frames: host.frames_count as usize,
        offline: mode.load() == ProcessMode::Offline || vst3_mode::says_offline(host),
    });
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
