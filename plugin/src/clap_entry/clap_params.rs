//! nice-plug's parameters, with bounds around what a host asks for.
//!
//! nice-plug 0.4.2 panics for the parameter behind the last, and takes a flush's events as they are. To be
//! deleted when it does neither.

use std::ffi::c_char;

use clap_sys::events::{clap_input_events, clap_output_events};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_param_info, clap_plugin_params};
use clap_sys::id::clap_id;
use clap_sys::plugin::clap_plugin;

use super::clap_events::BlockEvents;
use super::clap_fence::inner_extension;

/// What a host gets under the name of parameters.
pub(super) static PARAMS: clap_plugin_params = clap_plugin_params {
    count: Some(count),
    get_info: Some(info),
    get_value: Some(value),
    value_to_text: Some(value_to_text),
    text_to_value: Some(text_to_value),
    flush: Some(flush),
};

/// # Safety
/// `plugin` must be null or one of the fence's.
unsafe fn inner<'a>(plugin: *const clap_plugin) -> Option<&'a clap_plugin_params> {
    if plugin.is_null() {
        return None;
    }
    // SAFETY: as the caller promises; the name's structure is this.
    unsafe { inner_extension(plugin, CLAP_EXT_PARAMS.as_ptr()) }
}

unsafe extern "C" fn count(plugin: *const clap_plugin) -> u32 {
    // SAFETY: hosts get no other plugin pointers than those of the fence.
    unsafe {
        inner(plugin)
            .and_then(|params| params.count)
            .map_or(0, |count| count(plugin))
    }
}

unsafe extern "C" fn info(
    plugin: *const clap_plugin,
    index: u32,
    info: *mut clap_param_info,
) -> bool {
    // SAFETY: as above.
    unsafe {
        let get = inner(plugin).and_then(|params| params.get_info);
        index < count(plugin) && get.is_some_and(|get| get(plugin, index, info))
    }
}

unsafe extern "C" fn value(plugin: *const clap_plugin, id: clap_id, value: *mut f64) -> bool {
    // SAFETY: as above.
    unsafe {
        let get = inner(plugin).and_then(|params| params.get_value);
        get.is_some_and(|get| get(plugin, id, value))
    }
}

unsafe extern "C" fn value_to_text(
    plugin: *const clap_plugin,
    id: clap_id,
    value: f64,
    text: *mut c_char,
    size: u32,
) -> bool {
    // SAFETY: as above.
    unsafe {
        let get = inner(plugin).and_then(|params| params.value_to_text);
        value.is_finite()
            && size > 0
            && get.is_some_and(|get| get(plugin, id, value.clamp(0.0, 1.0), text, size))
    }
}

unsafe extern "C" fn text_to_value(
    plugin: *const clap_plugin,
    id: clap_id,
    text: *const c_char,
    value: *mut f64,
) -> bool {
    // SAFETY: as above.
    unsafe {
        let get = inner(plugin).and_then(|params| params.text_to_value);
        get.is_some_and(|get| get(plugin, id, text, value))
    }
}

unsafe extern "C" fn flush(
    plugin: *const clap_plugin,
    events: *const clap_input_events,
    out: *const clap_output_events,
) {
    // SAFETY: as above; by CLAP the lists are null or alive during the call.
    unsafe {
        let Some(flush) = inner(plugin).and_then(|params| params.flush) else {
            return;
        };
        let mut events = BlockEvents::new(events, 1);
        let mut events = events.step(0, 1);
        flush(plugin, &events.as_list(), writable(out));
    }
}

/// The list, where events can be written to it.
///
/// # Safety
/// `out` must be null or alive.
pub(super) unsafe fn writable(out: *const clap_output_events) -> *const clap_output_events {
    // SAFETY: as the caller promises.
    match unsafe { out.as_ref() } {
        Some(clap_output_events {
            try_push: Some(_), ..
        }) => out,
        _ => std::ptr::null(),
    }
}
