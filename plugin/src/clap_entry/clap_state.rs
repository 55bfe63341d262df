//! nice-plug's state, read from a stream that is not trusted.
//!
//! nice-plug 0.4.2 takes as much as a stream says that it has read, be it more than there was room for. To be
//! deleted when it does not.

use std::ffi::c_void;
use std::ptr;

use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::plugin::clap_plugin;
use clap_sys::stream::{clap_istream, clap_ostream};

use super::clap_fence::inner_extension;

/// What a host gets under the name of state.
pub(super) static STATE: clap_plugin_state = clap_plugin_state {
    save: Some(save),
    load: Some(load),
};

/// # Safety
/// `plugin` must be null or one of the fence's.
unsafe fn inner<'a>(plugin: *const clap_plugin) -> Option<&'a clap_plugin_state> {
    if plugin.is_null() {
        return None;
    }
    // SAFETY: as the caller promises; the name's structure is this.
    unsafe { inner_extension(plugin, CLAP_EXT_STATE.as_ptr()) }
}

unsafe extern "C" fn save(plugin: *const clap_plugin, stream: *const clap_ostream) -> bool {
    // SAFETY: hosts get no other plugin pointers than those of the fence; by CLAP the stream is null or
    // alive during the call.
    unsafe {
        let writes = stream.as_ref().is_some_and(|it| it.write.is_some());
        let save = inner(plugin).and_then(|state| state.save);
        writes && save.is_some_and(|save| save(plugin, stream))
    }
}

unsafe extern "C" fn load(plugin: *const clap_plugin, stream: *const clap_istream) -> bool {
    // SAFETY: as above.
    unsafe {
        let reads = stream.as_ref().is_some_and(|it| it.read.is_some());
        let load = inner(plugin).and_then(|state| state.load);
        let bounded = clap_istream {
            ctx: ptr::from_ref(&stream).cast_mut().cast(),
            read: Some(read),
        };
        reads && load.is_some_and(|load| load(plugin, &raw const bounded))
    }
}

/// Reads from the host's stream; more than was asked for is an error.
unsafe extern "C" fn read(stream: *const clap_istream, buffer: *mut c_void, bytes: u64) -> i64 {
    // SAFETY: only called with what `load` hands over, while that lasts.
    unsafe {
        let host = *(*stream).ctx.cast::<*const clap_istream>();
        let Some(read) = (*host).read else {
            return -1;
        };
        match read(host, buffer, bytes) {
            count if count > 0 && count as u64 > bytes => -1,
            count => count,
        }
    }
}
