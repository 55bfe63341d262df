//! Stands between hosts and nice-plug 0.4.2: nothing in a host's call reaches it unbounded.
//!
//! nice-plug
//!
//! - does not call `process` when any output is empty, reads one port past the host's array when there are
//!   fewer, and dereferences null channels. Hosts leave ports empty in several ways: fewer ports than the
//!   plugin has, `channel_count` 0, no channel array, or null pointers in it (VST3 hosts do this for
//!   inactive buses). Behind the fence it always sees one stereo input and [`OUTPUT_PORTS`] stereo outputs
//!   (`clap_block`);
//! - computes with an event's time as it is, and reads events that are not there (`clap_events`);
//! - panics in a block that comes before the first activation, and in one that is longer than announced: the
//!   first is silence, the second is played in steps (`clap_block`);
//! - panics when a host asks for the parameter behind the last (`clap_params`), and trusts a stream that has
//!   read more than there was room for (`clap_state`);
//! - resets at each start of processing, which to CLAP is waking up (`processing`);
//! - would ask for a restart to announce a latency, and every plugin with latency be activated twice: the
//!   fence reports the latency to the host.
//!
//! What nice-plug does not forward reaches the plugin through [`HostSide`].
//!
//! nice-plug finds its data through `clap_plugin::plugin_data` alone, so the fence hands the host
//! a copy of nice-plug's `clap_plugin` with functions replaced and its own data behind it.
//!
//! To be deleted, point by point, when a release of nice-plug does without; 0.4.2 is the newest.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap_sys::ext::audio_ports::CLAP_EXT_AUDIO_PORTS;
use clap_sys::ext::latency::{CLAP_EXT_LATENCY, clap_host_latency};
use clap_sys::ext::params::CLAP_EXT_PARAMS;
use clap_sys::ext::state::CLAP_EXT_STATE;
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;
use nice_plug::prelude::ProcessMode;
use nice_plug::wrapper::clap::Wrapper;

use super::clap_block::{StandIns, process};
use super::processing::Processing;
use super::{clap_params, clap_ports, clap_state, vst3_processor};
use crate::host_side::HostSide;
use crate::plugin::BunriPlugin;
#[cfg(doc)]
use crate::plugin::OUTPUT_PORTS;

/// Longest block that is prepared for, in frames; a longer one is played in steps.
pub(super) const MAX_BLOCK_FRAMES: u32 = 1 << 16;

/// Sample rates that make sense, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f64> = 1_000.0..=1_536_000.0;

/// Whether this is a rate that audio may have.
pub(super) fn is_playable(rate_hz: f64) -> bool {
    RATES_HZ.contains(&rate_hz) // which NaN is not
}

/// What lies behind the fence, beside its `clap_plugin`.
pub(super) trait Behind {
    /// Whether the host says, since its latest word on that, that it renders offline.
    fn is_offline(&self) -> bool;

    /// Stores the latency that hosts ask for; returns the one before.
    fn replace_latency(&self, frames: u32) -> u32;
}

impl Behind for Wrapper<BunriPlugin> {
    fn is_offline(&self) -> bool {
        self.current_process_mode.load() == ProcessMode::Offline
    }

    fn replace_latency(&self, frames: u32) -> u32 {
        self.current_latency.swap(frames, Ordering::SeqCst)
    }
}

/// What the host's plugin pointer points to. `plugin` comes first, so that a pointer to it is a
/// pointer to the whole.
#[repr(C)]
pub(super) struct FencedPlugin {
    plugin: clap_plugin,
    pub(super) inner: *const clap_plugin,
    /// nice-plug's own, behind `inner`.
    behind: *const dyn Behind,
    host: *const clap_host,
    pub(super) host_side: Arc<HostSide>,
    active: AtomicBool,
    /// Touched by `activate`, `deactivate` and the audio thread's functions only, which CLAP never runs at
    /// the same time.
    audio: UnsafeCell<Audio>,
}

/// What belongs to the audio thread while the plugin is active.
#[derive(Default)]
pub(super) struct Audio {
    pub(super) stand_ins: StandIns,
    pub(super) processing: Processing,
    /// Whether nice-plug's `start_processing` was called in this activation.
    started: bool,
}

impl FencedPlugin {
    pub(super) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn is_offline(&self) -> bool {
        // SAFETY: as the caller of `fence` promised.
        unsafe { (*self.behind).is_offline() }
    }

    /// # Safety
    /// Only in a function that CLAP runs at the same time as no other of these.
    #[allow(clippy::mut_from_ref)] // the host's threads stand for the borrow checker here
    pub(super) unsafe fn audio(&self) -> &mut Audio {
        // SAFETY: as the caller promises.
        unsafe { &mut *self.audio.get() }
    }

    /// Calls nice-plug's `start_processing`, once in each activation.
    ///
    /// # Safety
    /// On the audio thread, active.
    pub(super) unsafe fn start(&self) -> bool {
        // SAFETY: as the caller promises; nice-plug's object is alive until `destroy`.
        unsafe {
            let audio = self.audio();
            if !audio.started {
                let start = (*self.inner).start_processing;
                audio.started = start.is_some_and(|start| start(self.inner));
            }
            audio.started
        }
    }

    /// Forgets what was played.
    ///
    /// # Safety
    /// On the audio thread, active.
    pub(super) unsafe fn forget(&self) {
        // SAFETY: as the caller promises; nice-plug's object is alive until `destroy`.
        unsafe {
            if let Some(reset) = (*self.inner).reset {
                reset(self.inner);
            }
        }
    }
}

/// Wraps nice-plug's plugin object; the result belongs to the host, which gives it back through
/// `destroy`.
///
/// # Safety
/// `inner` must be the plugin object of `behind`, alive until its `destroy` is called, and `host`
/// the host that it was made with, alive as long.
pub(super) unsafe fn fence(
    inner: *const clap_plugin,
    behind: *const dyn Behind,
    host: *const clap_host,
    host_side: Arc<HostSide>,
) -> *const clap_plugin {
    let caller = HostPointer(host);
    host_side.set_restart(move || caller.ask_for_restart());
    // SAFETY: alive, as the caller promises.
    let mut plugin = unsafe { *inner };
    plugin.activate = Some(activate);
    plugin.deactivate = Some(deactivate);
    plugin.start_processing = Some(start_processing);
    plugin.stop_processing = Some(stop_processing);
    plugin.reset = Some(reset);
    plugin.process = Some(process);
    plugin.get_extension = Some(get_extension);
    plugin.destroy = Some(destroy);
    Box::into_raw(Box::new(FencedPlugin {
        plugin,
        inner,
        behind,
        host,
        host_side,
        active: AtomicBool::new(false),
        audio: UnsafeCell::default(),
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
    if plugin.is_null() || !is_playable(rate_hz) {
        return false;
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`.
    let fenced = unsafe { &*plugin.cast::<FencedPlugin>() };
    if fenced.is_active() {
        return false;
    }
    let max_frames = max_frames.clamp(1, MAX_BLOCK_FRAMES);
    // SAFETY: by CLAP the plugin is inactive, so no `process` is running.
    unsafe { fenced.audio() }.stand_ins = StandIns::new(max_frames);
    // SAFETY: nice-plug's object is alive until `destroy`.
    let activated = match unsafe { (*fenced.inner).activate } {
        // SAFETY: the object's own function, with the host's arguments in their bounds.
        Some(activate) => unsafe {
            activate(
                fenced.inner,
                rate_hz,
                min_frames.min(max_frames),
                max_frames,
            )
        },
        None => false,
    };
    fenced.active.store(activated, Ordering::Relaxed);
    if activated {
        let latency_frames = fenced.host_side.latency_frames() as u32;
        // SAFETY: as above.
        unsafe { fenced.audio() }.processing = Processing::new(u64::from(latency_frames));
        // SAFETY: as the caller of `fence` promised.
        let before = unsafe { (*fenced.behind).replace_latency(latency_frames) };
        if before != latency_frames {
            // SAFETY: the host is alive, and this is the main thread, in `activate`, where by CLAP
            // the latency may change.
            unsafe { tell_latency_changed(fenced.host) };
        }
    }
    activated
}

unsafe extern "C" fn deactivate(plugin: *const clap_plugin) {
    if plugin.is_null() {
        return;
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; nice-plug's object is alive until
    // `destroy`, and by CLAP no `process` is running.
    unsafe {
        let fenced = &*plugin.cast::<FencedPlugin>();
        fenced.active.store(false, Ordering::Relaxed);
        if std::mem::take(&mut fenced.audio().started)
            && let Some(stop) = (*fenced.inner).stop_processing
        {
            stop(fenced.inner);
        }
        if let Some(deactivate) = (*fenced.inner).deactivate {
            deactivate(fenced.inner);
        }
    }
}

unsafe extern "C" fn start_processing(plugin: *const clap_plugin) -> bool {
    if plugin.is_null() {
        return false;
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; by CLAP the audio thread.
    unsafe {
        let fenced = &*plugin.cast::<FencedPlugin>();
        fenced.is_active() && fenced.start()
    }
}

/// Ends nothing: to CLAP the plugin goes to sleep, and what is on the way is heard when it wakes.
unsafe extern "C" fn stop_processing(_plugin: *const clap_plugin) {}

unsafe extern "C" fn reset(plugin: *const clap_plugin) {
    if plugin.is_null() {
        return;
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; by CLAP the audio thread.
    unsafe {
        let fenced = &*plugin.cast::<FencedPlugin>();
        if vst3_processor::stopping() {
            fenced.audio().processing.stop();
        } else if fenced.is_active() {
            fenced.forget();
        }
    }
}

unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    if plugin.is_null() || id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, so by CLAP a zero-terminated string.
    let name = unsafe { CStr::from_ptr(id) };
    if name == CLAP_EXT_AUDIO_PORTS {
        return (&raw const clap_ports::PORTS).cast();
    } else if name == CLAP_EXT_PARAMS {
        return (&raw const clap_params::PARAMS).cast();
    } else if name == CLAP_EXT_STATE {
        return (&raw const clap_state::STATE).cast();
    }
    // SAFETY: hosts get no other plugin pointers than those from `fence`; it is handed on as it is.
    unsafe { inner_extension::<c_void>(plugin, id) }.map_or(ptr::null(), ptr::from_ref)
}

/// nice-plug's own extension of this name, whose structure is `E`.
///
/// # Safety
/// `plugin` must be one of `fence`'s, and `E` by CLAP what `id` names.
pub(super) unsafe fn inner_extension<'a, E>(
    plugin: *const clap_plugin,
    id: *const c_char,
) -> Option<&'a E> {
    // SAFETY: as the caller promises; nice-plug's object is alive until `destroy`, and what it gives
    // out with it.
    unsafe {
        let inner = (*plugin.cast::<FencedPlugin>()).inner;
        (*inner).get_extension?(inner, id).cast::<E>().as_ref()
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
    if plugin.is_null() {
        return;
    }
    // SAFETY: made by `Box::into_raw` in `fence`; by CLAP this is the last use of the pointer.
    let fenced = unsafe { Box::from_raw(plugin.cast_mut().cast::<FencedPlugin>()) };
    // SAFETY: alive until this very call.
    if let Some(destroy) = unsafe { (*fenced.inner).destroy } {
        // SAFETY: as above.
        unsafe { destroy(fenced.inner) };
    }
}
