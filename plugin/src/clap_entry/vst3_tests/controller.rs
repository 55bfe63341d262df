//! What a controller gets.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;

use vst3::Interface;
use vst3::Steinberg::Vst::{
    IComponentHandler, IEditController, IEditControllerVtbl, ParamID, ParamValue, ParameterInfo,
    String128,
};
use vst3::Steinberg::{
    FUnknown, IPluginBase, TUID, int32, kInvalidArgument, kNoInterface, kResultFalse, kResultOk,
    tresult,
};

use super::super::vst3_controller::{CONTROLLER, fence_controller};
use super::super::vst3_table::Described;
use super::unexpected;

/// A controller that notes what it is given.
#[repr(C)]
struct Controller {
    table: *const IEditControllerVtbl,
    handlers: RefCell<Vec<*mut IComponentHandler>>,
    /// The context, and how many handlers were given before.
    initialised: Cell<Option<(*mut FUnknown, usize)>>,
    asked: Cell<usize>,
}

/// # Safety
/// `this` must be one, at its only table.
unsafe fn controller<'a, I>(this: *mut I) -> &'a Controller {
    // SAFETY: as the caller promises.
    unsafe { &*this.cast::<Controller>() }
}

unsafe extern "system" fn query_controller(
    this: *mut FUnknown,
    interface: *const TUID,
    object: *mut *mut c_void,
) -> tresult {
    // SAFETY: called by the fence alone, here and below.
    unsafe {
        let wanted = *interface.cast::<[u8; 16]>() == IEditController::IID;
        *object = if wanted { this.cast() } else { ptr::null_mut() };
        if wanted { kResultOk } else { kNoInterface }
    }
}

unsafe extern "system" fn release(_: *mut FUnknown) -> u32 {
    1
}

unsafe extern "system" fn initialize(this: *mut IPluginBase, context: *mut FUnknown) -> tresult {
    // SAFETY: as above.
    let controller = unsafe { controller(this) };
    let given = controller.handlers.borrow().len();
    controller.initialised.set(Some((context, given)));
    kResultOk
}

unsafe extern "system" fn set_handler(
    this: *mut IEditController,
    handler: *mut IComponentHandler,
) -> tresult {
    // SAFETY: as above.
    unsafe { controller(this) }
        .handlers
        .borrow_mut()
        .push(handler);
    kResultOk
}

unsafe extern "system" fn parameter_count(_: *mut IEditController) -> int32 {
    1
}

unsafe extern "system" fn parameter_info(
    _: *mut IEditController,
    _index: int32,
    info: *mut ParameterInfo,
) -> tresult {
    // SAFETY: as above.
    unsafe { (*info).id = 7 };
    kResultOk
}

unsafe extern "system" fn string_by_value(
    this: *mut IEditController,
    _id: ParamID,
    _value: ParamValue,
    _string: *mut String128,
) -> tresult {
    // SAFETY: as above.
    let asked = unsafe { &controller(this).asked };
    asked.set(asked.get() + 1);
    kResultOk
}

/// Guards against a wrapper that calls the handler of a host that has set none (yet), a context that is
/// null, and parameters that it does not have.
#[test]
fn a_controller_gets_a_handler_a_context_and_its_own_parameters() {
    let mut functions: IEditControllerVtbl = unexpected();
    functions.base.base.queryInterface = query_controller;
    functions.base.base.release = release;
    functions.base.initialize = initialize;
    functions.setComponentHandler = set_handler;
    functions.getParameterCount = parameter_count;
    functions.getParameterInfo = parameter_info;
    functions.getParamStringByValue = string_by_value;
    let table = Box::leak(Box::new(Described::new(functions)));
    let mut object = Controller {
        table: &raw const table.functions,
        handlers: RefCell::default(),
        initialised: Cell::default(),
        asked: Cell::default(),
    };
    let this = (&raw mut object).cast::<IEditController>();
    // SAFETY: a live object that begins with its table.
    unsafe {
        CONTROLLER.fence(this.cast(), fence_controller);
        let fenced = &*object.table;
        assert_eq!(
            (fenced.base.initialize)(this.cast(), ptr::null_mut()),
            kResultOk
        );
        let (context, handlers_before) = object.initialised.get().unwrap();
        assert!(!context.is_null());
        assert_eq!(handlers_before, 1, "a handler from the beginning");

        let mut own = 0_usize;
        let own = (&raw mut own).cast::<IComponentHandler>();
        for handler in [own, ptr::null_mut()] {
            assert_eq!((fenced.setComponentHandler)(this, handler), kResultOk);
        }
        let handlers = object.handlers.borrow();
        assert_eq!(handlers[1], own, "the host's own");
        for &handler in [&handlers[0], &handlers[2]] {
            assert!(!handler.is_null());
            assert_eq!(
                ((*(*handler).vtbl).restartComponent)(handler, 8),
                kResultFalse
            );
        }

        let mut text: String128 = [0; 128];
        let mut ask = |id, value| (fenced.getParamStringByValue)(this, id, value, &mut text);
        assert_eq!(ask(7, 0.5), kResultOk);
        assert_eq!([ask(8, 0.5), ask(7, f64::NAN)], [kInvalidArgument; 2]);
        assert_eq!(object.asked.get(), 1);
    }
}
