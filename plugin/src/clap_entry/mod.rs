//! What a host finds in the library: `clap_entry` for CLAP, `GetPluginFactory`, `ModuleEntry` and
//! `ModuleExit` for VST3.
//!
//! CLAP is nice-plug's wrapper behind the [`clap_fence`]; VST3 is free-audio's clap-wrapper on top
//! of the same `clap_entry`, behind the [`vst3_fence`]. nice-plug has a VST3 wrapper of its own, which is not used: in 0.4.2
//! an output bus that the host leaves inactive keeps `process` from ever running, null channel
//! pointers crash it, and `activate` sees the process mode of the previous activation.
//! nice-plug's export macro is not used either, because it exports its plugin objects unfenced.
#![allow(unsafe_code)] // A foreign boundary: CLAP's C interface.

mod clap_block;
mod clap_events;
mod clap_fence;
mod clap_params;
mod clap_ports;
mod clap_state;
#[cfg(test)]
mod fence_tests;
mod processing;
mod vst3_buses;
mod vst3_component;
mod vst3_controller;
mod vst3_fence;
mod vst3_layout;
mod vst3_mode;
mod vst3_points;
mod vst3_processor;
mod vst3_table;
#[cfg(test)]
mod vst3_tests;

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Arc, LazyLock};

use nice_plug::wrapper::clap::{
    CLAP_PLUGIN_FACTORY_ID, CLAP_VERSION, PluginDescriptor, Wrapper, clap_host, clap_plugin,
    clap_plugin_descriptor, clap_plugin_entry, clap_plugin_factory,
};
use nice_plug::wrapper::setup_logger;

use crossbeam_channel::bounded;

use crate::host_side::Introduction;
use crate::plugin::BunriPlugin;

clap_wrapper::export_vst3!();

static DESCRIPTOR: LazyLock<PluginDescriptor> =
    LazyLock::new(PluginDescriptor::for_plugin::<BunriPlugin>);

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(plugin_count),
    get_plugin_descriptor: Some(plugin_descriptor),
    create_plugin: Some(create_plugin),
};

/// The library's CLAP entry point.
// SAFETY: the name is CLAP's own and occurs once in the library.
#[unsafe(no_mangle)]
#[used]
#[allow(non_upper_case_globals)] // the name hosts look for
pub(crate) static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init),
    deinit: Some(deinit),
    get_factory: Some(factory),
};

extern "C" fn init(_plugin_path: *const c_char) -> bool {
    setup_logger::<BunriPlugin>();
    true
}

extern "C" fn deinit() {}

extern "C" fn factory(factory_id: *const c_char) -> *const c_void {
    if factory_id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, so by CLAP a zero-terminated string.
    let factory_id = unsafe { CStr::from_ptr(factory_id) };
    if factory_id == CLAP_PLUGIN_FACTORY_ID {
        (&raw const FACTORY).cast()
    } else if factory_id == vst3_fence::FACTORY_INFO {
        (&raw const vst3_fence::INFO).cast()
    } else {
        ptr::null()
    }
}

extern "C" fn plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

extern "C" fn plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    match index {
        0 => DESCRIPTOR.clap_plugin_descriptor(),
        _ => ptr::null(),
    }
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    plugin_id: *const c_char,
) -> *const clap_plugin {
    if host.is_null() || plugin_id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, so by CLAP a zero-terminated string.
    if unsafe { CStr::from_ptr(plugin_id) } != DESCRIPTOR.clap_id() {
        return ptr::null();
    }
    // SAFETY: by CLAP the host structure outlives the plugin made here. The reference given up
    // by `into_raw` is taken back by nice-plug's `destroy`.
    let wrapper = unsafe { &*Arc::into_raw(Wrapper::<BunriPlugin>::new(host)) };
    let (sender, introduced) = bounded(1);
    (wrapper.task_executor.lock())(Introduction::Introduce(sender));
    let host_side = introduced.try_recv().unwrap_or_default();
    // SAFETY: `wrapper` lives until `destroy`, which the fence calls last, and so does `host`.
    unsafe { clap_fence::fence(wrapper.clap_plugin.as_ptr(), wrapper, host, host_side) }
}
