//! The controller half of a VST3 plugin: a handler from the very beginning, and the component's state.
//!
//! clap-wrapper 0.3.1
//!
//! - calls its component handler, for instance after a state was loaded, where the host has set none
//!   yet, or has taken it back: it gets one that does nothing in place of none;
//! - has no `setComponentState`. It is component and controller in one, so that is the component's;
//! - calls parameters that it does not have.
//!
//! To be deleted, point by point, when a release of clap-wrapper does without; 0.3.1 is the newest.

use vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandlerVtbl, IEditController, IEditControllerVtbl, ParamID,
    ParamValue, ParameterInfo, String128, TChar,
};
use vst3::Steinberg::{
    FIDString, FUnknown, IBStream, IPlugView, IPluginBase, int32, kInvalidArgument, kResultFalse,
    kResultOk, tresult,
};

use super::vst3_component::{initialize, set_component_state, terminate};
use super::vst3_fence::with_interface;
use super::vst3_points::UNKNOWN_TABLE;
use super::vst3_table::Table;

pub(super) static CONTROLLER: Table<IEditControllerVtbl> = Table::new();

/// What is replaced.
pub(super) fn fence_controller(table: &mut IEditControllerVtbl) {
    table.base.initialize = initialize_controller;
    table.base.terminate = terminate_controller;
    table.setComponentHandler = set_component_handler;
    table.setComponentState = component_state;
    table.getParamStringByValue = string_by_value;
    table.getParamValueByString = value_by_string;
    table.createView = create_view;
}

unsafe extern "system" fn initialize_controller(
    this: *mut IPluginBase,
    context: *mut FUnknown,
) -> tresult {
    let original = CONTROLLER.original().map(|table| &table.base);
    // SAFETY: by VST3 alive during its call, and so is the context.
    unsafe { initialize(this, original, context) }
}

unsafe extern "system" fn terminate_controller(this: *mut IPluginBase) -> tresult {
    // SAFETY: as above.
    unsafe { terminate(this, CONTROLLER.original().map(|table| &table.base)) }
}

/// Ignores every call: a host that has set no handler yet reads the values later.
static NO_HANDLER: &IComponentHandlerVtbl = &IComponentHandlerVtbl {
    base: UNKNOWN_TABLE,
    beginEdit: ignore_edit,
    performEdit: ignore_value,
    endEdit: ignore_edit,
    restartComponent: ignore_restart,
};

unsafe extern "system" fn ignore_edit(_: *mut IComponentHandler, _: ParamID) -> tresult {
    kResultFalse
}

unsafe extern "system" fn ignore_value(
    _: *mut IComponentHandler,
    _: ParamID,
    _: ParamValue,
) -> tresult {
    kResultFalse
}

unsafe extern "system" fn ignore_restart(_: *mut IComponentHandler, _flags: int32) -> tresult {
    kResultFalse
}

/// Sets [`NO_HANDLER`] on a new object.
///
/// # Safety
/// `object` must be alive.
pub(super) unsafe fn give_handler(object: *mut FUnknown) {
    // SAFETY: as the caller promises.
    unsafe {
        with_interface(object, |controller| {
            set_component_handler(controller, std::ptr::null_mut());
        });
    }
}

unsafe extern "system" fn set_component_handler(
    this: *mut IEditController,
    handler: *mut IComponentHandler,
) -> tresult {
    let Some(original) = CONTROLLER.original() else {
        return kResultFalse;
    };
    let handler = if handler.is_null() {
        (&raw const NO_HANDLER).cast_mut().cast()
    } else {
        handler
    };
    // SAFETY: the object's own function. The handler is the host's, or begins with its table and lives
    // as long as the library.
    unsafe { (original.setComponentHandler)(this, handler) }
}

unsafe extern "system" fn component_state(
    this: *mut IEditController,
    state: *mut IBStream,
) -> tresult {
    // SAFETY: by VST3 alive during its call, and `state` null or alive.
    unsafe { set_component_state(this, state) }
}

/// The wrapper's own functions, where there is this parameter: only an initialised one has any.
///
/// # Safety
/// `this` must be alive.
unsafe fn original_for(
    this: *mut IEditController,
    id: ParamID,
) -> Option<&'static IEditControllerVtbl> {
    let original = CONTROLLER.original()?;
    // SAFETY: as the caller promises; plain data, which the object's own function fills in.
    unsafe {
        let count = (original.getParameterCount)(this);
        let mut info: ParameterInfo = std::mem::zeroed();
        (0..count)
            .any(|index| {
                (original.getParameterInfo)(this, index, &mut info) == kResultOk && info.id == id
            })
            .then_some(original)
    }
}

unsafe extern "system" fn string_by_value(
    this: *mut IEditController,
    id: ParamID,
    value: ParamValue,
    string: *mut String128,
) -> tresult {
    // SAFETY: by VST3 alive during its call; not null, so the host's place for the answer.
    unsafe {
        match original_for(this, id) {
            Some(original) if !string.is_null() && value.is_finite() => {
                (original.getParamStringByValue)(this, id, value.clamp(0.0, 1.0), string)
            }
            _ => kInvalidArgument,
        }
    }
}

unsafe extern "system" fn value_by_string(
    this: *mut IEditController,
    id: ParamID,
    string: *mut TChar,
    value: *mut ParamValue,
) -> tresult {
    // SAFETY: as above, and a string that ends with a zero.
    unsafe {
        match original_for(this, id) {
            Some(original) if !string.is_null() && !value.is_null() => {
                (original.getParamValueByString)(this, id, string, value)
            }
            _ => kInvalidArgument,
        }
    }
}

unsafe extern "system" fn create_view(
    this: *mut IEditController,
    name: FIDString,
) -> *mut IPlugView {
    // SAFETY: by VST3 alive during its call; the functions are its own. One without parameters was not
    // initialised, and has no plugin that could show itself.
    unsafe {
        match CONTROLLER.original() {
            Some(original) if (original.getParameterCount)(this) > 0 => {
                (original.createView)(this, name)
            }
            _ => std::ptr::null_mut(),
        }
    }
}
