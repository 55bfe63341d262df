//! The lifecycle of a VST3 component, in any order of calls.
//!
//! clap-wrapper 0.3.1 calls a null context, a null stream, a plugin that it has not made yet or has
//! destroyed, and buses at negative places. Nothing of that gets to it.
//!
//! To be deleted when a release of clap-wrapper checks them itself; 0.3.1 is the newest.

use vst3::Steinberg::Vst::{
    BusDirection, BusDirections_::kOutput, BusInfo, IComponent, IComponentVtbl, IEditController,
    MediaType, MediaTypes_::kAudio,
};
use vst3::Steinberg::{
    FUnknown, FUnknownVtbl, IBStream, IPluginBase, IPluginBaseVtbl, TBool, int32, kInvalidArgument,
    kNotInitialized, kResultFalse, kResultOk, tresult,
};

use super::vst3_controller::give_handler;
use super::vst3_fence::with_interface;
use super::vst3_points::UNKNOWN_TABLE;
use super::vst3_table::Table;

pub(super) static COMPONENT: Table<IComponentVtbl> = Table::new();
/// Of `IPluginBase`, asked for by itself.
pub(super) static BASE: Table<IPluginBaseVtbl> = Table::new();

/// What is replaced.
pub(super) fn fence_component(table: &mut IComponentVtbl) {
    table.base.initialize = initialize_component;
    table.base.terminate = terminate_component;
    table.getBusInfo = bus_info;
    table.activateBus = activate_bus;
    table.setActive = set_active;
    table.setState = set_state;
    table.getState = get_state;
}

/// What is replaced.
pub(super) fn fence_base(table: &mut IPluginBaseVtbl) {
    table.initialize = initialize_base;
    table.terminate = terminate_base;
}

/// A host without any services, for those that pass none.
static NO_HOST: &FUnknownVtbl = &UNKNOWN_TABLE;

unsafe extern "system" fn initialize_component(
    this: *mut IPluginBase,
    context: *mut FUnknown,
) -> tresult {
    let original = COMPONENT.original().map(|table| &table.base);
    // SAFETY: by VST3 alive during its call, and so is the context.
    unsafe { initialize(this, original, context) }
}

unsafe extern "system" fn initialize_base(
    this: *mut IPluginBase,
    context: *mut FUnknown,
) -> tresult {
    // SAFETY: as above.
    unsafe { initialize(this, BASE.original(), context) }
}

/// Once: the wrapper would add its buses again.
///
/// # Safety
/// `this` must be alive, `original` its class's functions, and `context` null or alive.
pub(super) unsafe fn initialize(
    this: *mut IPluginBase,
    original: Option<&'static IPluginBaseVtbl>,
    context: *mut FUnknown,
) -> tresult {
    let Some(original) = original else {
        return kResultFalse;
    };
    // SAFETY: as the caller promises; `NO_HOST` begins with its table.
    unsafe {
        if component_of(this, |component| initialised(component).is_some()) {
            return kResultFalse;
        }
        give_handler(this.cast());
        let context = if context.is_null() {
            (&raw const NO_HOST).cast_mut().cast()
        } else {
            context
        };
        (original.initialize)(this, context)
    }
}

unsafe extern "system" fn terminate_component(this: *mut IPluginBase) -> tresult {
    // SAFETY: by VST3 alive during its call.
    unsafe { terminate(this, COMPONENT.original().map(|table| &table.base)) }
}

unsafe extern "system" fn terminate_base(this: *mut IPluginBase) -> tresult {
    // SAFETY: as above.
    unsafe { terminate(this, BASE.original()) }
}

/// Ends what is still active: the wrapper would go on calling the plugin that it destroys here.
///
/// # Safety
/// `this` must be alive, and `original` its class's functions.
pub(super) unsafe fn terminate(
    this: *mut IPluginBase,
    original: Option<&'static IPluginBaseVtbl>,
) -> tresult {
    let Some(original) = original else {
        return kResultFalse;
    };
    // SAFETY: as the caller promises.
    unsafe {
        component_of(this, |component| set_active(component, 0) == kResultOk);
        (original.terminate)(this)
    }
}

/// What `answer` says of the component that an object is; false where it is none.
///
/// # Safety
/// `this` must be alive.
unsafe fn component_of(
    this: *mut IPluginBase,
    answer: impl FnOnce(*mut IComponent) -> bool,
) -> bool {
    let mut said = false;
    // SAFETY: as the caller promises.
    unsafe { with_interface(this.cast(), |component| said = answer(component)) };
    said
}

/// The wrapper's own functions, where this component was initialised: only then it has buses.
///
/// # Safety
/// `this` must be alive.
unsafe fn initialised(this: *mut IComponent) -> Option<&'static IComponentVtbl> {
    let original = COMPONENT.original()?;
    // SAFETY: alive, as the caller promises; the function is its own.
    let buses = unsafe { (original.getBusCount)(this, kAudio as i32, kOutput as i32) };
    (buses > 0).then_some(original)
}

unsafe extern "system" fn bus_info(
    this: *mut IComponent,
    media: MediaType,
    direction: BusDirection,
    index: int32,
    info: *mut BusInfo,
) -> tresult {
    let Some(original) = COMPONENT.original() else {
        return kResultFalse;
    };
    if index < 0 || info.is_null() {
        return kInvalidArgument;
    }
    // SAFETY: the object's own function; `info` is not null, so by VST3 the place for the answer.
    unsafe { (original.getBusInfo)(this, media, direction, index, info) }
}

unsafe extern "system" fn activate_bus(
    this: *mut IComponent,
    media: MediaType,
    direction: BusDirection,
    index: int32,
    state: TBool,
) -> tresult {
    let Some(original) = COMPONENT.original() else {
        return kResultFalse;
    };
    if index < 0 {
        return kInvalidArgument;
    }
    // SAFETY: the object's own function with the host's arguments.
    unsafe { (original.activateBus)(this, media, direction, index, state) }
}

unsafe extern "system" fn set_active(this: *mut IComponent, state: TBool) -> tresult {
    // SAFETY: by VST3 alive during its call; the function is its own.
    unsafe {
        initialised(this).map_or(kNotInitialized, |original| {
            (original.setActive)(this, state)
        })
    }
}

unsafe extern "system" fn set_state(this: *mut IComponent, state: *mut IBStream) -> tresult {
    if state.is_null() {
        return kInvalidArgument;
    }
    // SAFETY: as above.
    unsafe {
        initialised(this).map_or(kNotInitialized, |original| (original.setState)(this, state))
    }
}

unsafe extern "system" fn get_state(this: *mut IComponent, state: *mut IBStream) -> tresult {
    if state.is_null() {
        return kInvalidArgument;
    }
    // SAFETY: as above.
    unsafe {
        initialised(this).map_or(kNotInitialized, |original| (original.getState)(this, state))
    }
}

/// The state of the component that this controller also is.
///
/// # Safety
/// `this` must be alive, and `state` null or alive.
pub(super) unsafe fn set_component_state(
    this: *mut IEditController,
    state: *mut IBStream,
) -> tresult {
    let mut result = kResultFalse;
    // SAFETY: as the caller promises.
    unsafe {
        with_interface(this.cast(), |component| {
            result = set_state(component, state)
        })
    };
    result
}
