//! A block's parameter changes with every point as a queue of its own.

use std::ffi::c_void;
use std::ptr;

use vst3::Steinberg::Vst::{
    IParamValueQueue, IParamValueQueueVtbl, IParameterChanges, IParameterChangesVtbl, ParamID,
    ParamValue,
};
use vst3::Steinberg::{
    FUnknown, FUnknownVtbl, TUID, int32, kNoInterface, kResultFalse, tresult, uint32,
};

/// Stands for the host's changes during one call. Lives on the stack: nobody may keep a reference,
/// and VST3 lets nobody do so with the host's either.
#[repr(C)]
pub(super) struct PointByPoint {
    table: *const IParameterChangesVtbl,
    changes: *mut IParameterChanges,
    /// The queue where the search for the next point begins, and the number of its first point.
    queue_index: int32,
    queue_start: int32,
    point: Point,
}

/// The point that was asked for last, as a queue.
#[repr(C)]
struct Point {
    table: *const IParamValueQueueVtbl,
    queue: *mut IParamValueQueue,
    index: int32,
}

static CHANGES_TABLE: IParameterChangesVtbl = IParameterChangesVtbl {
    base: UNKNOWN_TABLE,
    getParameterCount: parameter_count,
    getParameterData: parameter_data,
    addParameterData: add_parameter_data,
};

static POINT_TABLE: IParamValueQueueVtbl = IParamValueQueueVtbl {
    base: UNKNOWN_TABLE,
    getParameterId: parameter_id,
    getPointCount: point_count,
    getPoint: point,
    addPoint: add_point,
};

const UNKNOWN_TABLE: FUnknownVtbl = FUnknownVtbl {
    queryInterface: query_interface,
    addRef: count_nothing,
    release: count_nothing,
};

impl PointByPoint {
    pub(super) fn new(changes: *mut IParameterChanges) -> Self {
        Self {
            table: &raw const CHANGES_TABLE,
            changes,
            queue_index: 0,
            queue_start: 0,
            point: Point {
                table: &raw const POINT_TABLE,
                queue: ptr::null_mut(),
                index: 0,
            },
        }
    }

    /// As the host's own, null where there are none.
    pub(super) fn as_changes(&mut self) -> *mut IParameterChanges {
        if self.changes.is_null() {
            ptr::null_mut()
        } else {
            ptr::from_mut(self).cast()
        }
    }

    /// # Safety
    /// The host's changes must be alive.
    unsafe fn queues(&self) -> int32 {
        // SAFETY: as the caller promises.
        unsafe { ((*(*self.changes).vtbl).getParameterCount)(self.changes) }
    }

    /// The host's queue and its number of points.
    ///
    /// # Safety
    /// The host's changes must be alive.
    unsafe fn queue(&self, index: int32) -> (*mut IParamValueQueue, int32) {
        // SAFETY: as the caller promises; by VST3 the queue lives as long as the changes.
        unsafe {
            let queue = ((*(*self.changes).vtbl).getParameterData)(self.changes, index);
            if queue.is_null() {
                (queue, 0)
            } else {
                (queue, ((*(*queue).vtbl).getPointCount)(queue).max(0))
            }
        }
    }
}

unsafe extern "system" fn parameter_count(this: *mut IParameterChanges) -> int32 {
    // SAFETY: only called with what `as_changes` gave out, during the host's call.
    unsafe {
        let this = &*this.cast::<PointByPoint>();
        (0..this.queues()).map(|index| this.queue(index).1).sum()
    }
}

unsafe extern "system" fn parameter_data(
    this: *mut IParameterChanges,
    number: int32,
) -> *mut IParamValueQueue {
    // SAFETY: only called with what `as_changes` gave out, during the host's call.
    unsafe {
        let this = &mut *this.cast::<PointByPoint>();
        if number < this.queue_start {
            this.queue_index = 0;
            this.queue_start = 0;
        }
        while this.queue_index < this.queues() {
            let (queue, points) = this.queue(this.queue_index);
            let index = number - this.queue_start;
            if index < points {
                this.point.queue = queue;
                this.point.index = index;
                return (&raw mut this.point).cast();
            }
            this.queue_index += 1;
            this.queue_start += points;
        }
        ptr::null_mut()
    }
}

unsafe extern "system" fn add_parameter_data(
    _this: *mut IParameterChanges,
    _id: *const ParamID,
    _index: *mut int32,
) -> *mut IParamValueQueue {
    ptr::null_mut() // input only
}

unsafe extern "system" fn parameter_id(this: *mut IParamValueQueue) -> ParamID {
    // SAFETY: only called with what `parameter_data` gave out, during the host's call.
    unsafe {
        let queue = (*this.cast::<Point>()).queue;
        ((*(*queue).vtbl).getParameterId)(queue)
    }
}

unsafe extern "system" fn point_count(_this: *mut IParamValueQueue) -> int32 {
    1
}

unsafe extern "system" fn point(
    this: *mut IParamValueQueue,
    index: int32,
    offset_frames: *mut int32,
    value: *mut ParamValue,
) -> tresult {
    if index != 0 {
        return kResultFalse;
    }
    // SAFETY: only called with what `parameter_data` gave out, during the host's call; the other
    // pointers are the caller's, unchanged.
    unsafe {
        let Point { queue, index, .. } = *this.cast::<Point>();
        ((*(*queue).vtbl).getPoint)(queue, index, offset_frames, value)
    }
}

unsafe extern "system" fn add_point(
    _this: *mut IParamValueQueue,
    _offset_frames: int32,
    _value: ParamValue,
    _index: *mut int32,
) -> tresult {
    kResultFalse // input only
}

unsafe extern "system" fn query_interface(
    _this: *mut FUnknown,
    _interface: *const TUID,
    object: *mut *mut c_void,
) -> tresult {
    if !object.is_null() {
        // SAFETY: not null, so by VST3 the caller's place for a pointer.
        unsafe { *object = ptr::null_mut() };
    }
    kNoInterface
}

unsafe extern "system" fn count_nothing(_this: *mut FUnknown) -> uint32 {
    1
}
