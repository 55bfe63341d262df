//! nice-plug's ports, for the layout that a VST3 host asks for (`vst3_layout`, whose end is this one's too).

use std::num::NonZeroU32;

use clap_sys::ext::audio_ports::{
    CLAP_EXT_AUDIO_PORTS, clap_audio_port_info, clap_plugin_audio_ports,
};
use clap_sys::ext::audio_ports_config::{
    CLAP_EXT_AUDIO_PORTS_CONFIG, clap_plugin_audio_ports_config,
};
use clap_sys::plugin::clap_plugin;
use nice_plug::prelude::Plugin;

use super::clap_fence::{FencedPlugin, inner_extension};
use super::vst3_layout;
use crate::plugin::BunriPlugin;

/// nice-plug's, but for the layout, which a VST3 host may ask for in the same call.
pub(super) static PORTS: clap_plugin_audio_ports = clap_plugin_audio_ports {
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
        if (*plugin.cast::<FencedPlugin>()).is_active() {
            return; // it would not be heeded before the next activation
        }
        let layouts = inner_extension(plugin, CLAP_EXT_AUDIO_PORTS_CONFIG.as_ptr());
        let select = layouts.and_then(|layouts: &clap_plugin_audio_ports_config| layouts.select);
        if let (Some(layout), Some(select)) = (layout, select) {
            select(plugin, layout as u32);
        }
    }
}
