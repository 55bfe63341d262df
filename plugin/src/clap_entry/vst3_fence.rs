//! Stands between VST3 hosts and free-audio's clap-wrapper (`clap-wrapper` 0.3.1, which is its C++ 0.14.0).
//!
//! The wrapper has no place for this, so functions of its C++ objects are replaced ([`Table`]): the
//! factory's `createInstance` here, and those of the objects that it makes in
//!
//! - `vst3_processor`: blocks, with buses, points and frames as the wrapper expects them;
//! - `vst3_component`: the lifecycle;
//! - `vst3_controller`: parameters, and a component handler from the very beginning.
//!
//! The wrapper asks for VST3 details of a CLAP factory ([`FACTORY_INFO`]) just after it has made its
//! own: that is where the factory is met.
//!
//! Each of these files says with which release of the wrapper it may go; this one goes with the last.

use std::ffi::{c_char, c_void};
use std::ptr;

use clap_sys::factory::plugin_factory::clap_plugin_factory;
use vst3::Interface;
use vst3::Steinberg::Vst::{IAudioProcessor, IComponent, IEditController};
use vst3::Steinberg::{
    FIDString, FUnknown, IPluginBase, IPluginFactory, IPluginFactoryVtbl, TUID, kResultFalse,
    kResultOk, tresult,
};

use super::vst3_component::{BASE, COMPONENT, fence_base, fence_component};
use super::vst3_controller::{CONTROLLER, fence_controller};
use super::vst3_processor::{PROCESSOR, fence_processor};
use super::vst3_table::Table;

/// The table of `CPluginFactory`: ten functions of `IPluginFactory3`, and the few that the class adds.
#[repr(C)]
#[derive(Clone, Copy)]
struct FactoryFunctions {
    factory: IPluginFactoryVtbl,
    rest: [usize; 9],
}

static FACTORY: Table<FactoryFunctions> = Table::new();

/// clap-wrapper's `CLAP_PLUGIN_FACTORY_INFO_VST3`.
pub(super) const FACTORY_INFO: &std::ffi::CStr = c"clap.plugin-factory-info-as-vst3/0";

/// clap-wrapper's `clap_plugin_factory_as_vst3`: everything in it may be null.
#[repr(C)]
pub(super) struct FactoryInfo {
    vendor: *const c_char,
    vendor_url: *const c_char,
    email_contact: *const c_char,
    get_vst3_info:
        Option<unsafe extern "C" fn(*const clap_plugin_factory, index: u32) -> *const c_void>,
}

// SAFETY: null pointers and a function.
unsafe impl Sync for FactoryInfo {}

/// Says nothing new, and is a chance to meet the VST3 factory.
pub(super) static INFO: FactoryInfo = FactoryInfo {
    vendor: ptr::null(),
    vendor_url: ptr::null(),
    email_contact: ptr::null(),
    get_vst3_info: Some(meet_factory),
};

unsafe extern "C" fn meet_factory(_: *const clap_plugin_factory, _index: u32) -> *const c_void {
    // SAFETY: clap-wrapper calls this after it has made its factory, and gives that out when asked
    // again.
    let factory = unsafe { clap_wrapper::vst3::GetPluginFactory() }.cast::<IPluginFactory>();
    if !factory.is_null() {
        // SAFETY: a live C++ object that begins with its table; its memory is the heap's. The
        // reference that was just counted is given back with the table's own function.
        unsafe {
            FACTORY.fence(factory.cast(), |table| {
                table.factory.createInstance = create_instance;
            });
            ((*(*factory).vtbl).base.release)(factory.cast::<FUnknown>());
        }
    }
    ptr::null()
}

unsafe extern "system" fn create_instance(
    this: *mut IPluginFactory,
    class_id: FIDString,
    interface: FIDString,
    object: *mut *mut c_void,
) -> tresult {
    let Some(original) = FACTORY.original() else {
        return kResultFalse;
    };
    // SAFETY: the factory's own function with the host's arguments unchanged. What it makes is a
    // FUnknown, whose interfaces belong to one C++ object with a table for each, the same for all
    // objects of its only class.
    unsafe {
        let result = (original.factory.createInstance)(this, class_id, interface, object);
        if result == kResultOk && !object.is_null() && !(*object).is_null() {
            let object = (*object).cast::<FUnknown>();
            with_interface::<IAudioProcessor>(object, |it| {
                PROCESSOR.fence(it.cast(), fence_processor);
            });
            with_interface::<IComponent>(object, |it| COMPONENT.fence(it.cast(), fence_component));
            with_interface::<IEditController>(object, |it| {
                CONTROLLER.fence(it.cast(), fence_controller);
            });
            // The third table: the two above begin with the same functions, for other parts of the object.
            with_interface::<IPluginBase>(object, |it| BASE.fence(it.cast(), fence_base));
        }
        result
    }
}

/// Lends another interface of an object, where it has that.
///
/// # Safety
/// `object` must be alive.
pub(super) unsafe fn with_interface<I: Interface>(
    object: *mut FUnknown,
    use_it: impl FnOnce(*mut I),
) -> bool {
    let mut found = ptr::null_mut::<c_void>();
    let id = I::IID.as_ptr().cast::<TUID>();
    // SAFETY: alive, as the caller promises; by VST3 a reference is counted for what is found, and every
    // interface begins with those of FUnknown.
    unsafe {
        let result = ((*(*object).vtbl).queryInterface)(object, id, &mut found);
        if result != kResultOk || found.is_null() {
            return false;
        }
        use_it(found.cast());
        let found = found.cast::<FUnknown>();
        ((*(*found).vtbl).release)(found);
    }
    true
}
