//! A block's parameter changes with every point as a queue of its own, and every point within the block.
//!
//! clap-wrapper 0.3.1 takes of each queue the last point, hands a point's frame on as it is, and calls
//! queues that the host does not have. To be deleted when it takes all points of a queue and bounds them.

use std::ffi::c_void;
use std::ptr;

use vst3::Steinberg::Vst::{
    IParamValueQueue, IParamValueQueueVtbl, IParameterChanges, IParameterChangesVtbl, ParamID,
    ParamValue, kNoParamId,
};
use vst3::Steinberg::{
    FUnknown, FUnknownVtbl, TUID, int32, kNoInterface, kResultFalse, kResultOk, tresult, uint32,
};

/// Stands for the host's changes during one call. Lives on the stack: no reference may outlive the
/// call, which VST3 forbids for the host's own as well.
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
    /// Null where the host has no such point.
    queue: *mut IParamValueQueue,
    index: int32,
    /// Frames of the block.
    frames: int32,
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

/// Of an object that is never freed and has no other interface.
pub(super) const UNKNOWN_TABLE: FUnknownVtbl = FUnknownVtbl {
    queryInterface: query_interface,
    addRef: count_nothing,
    release: count_nothing,
};

impl PointByPoint {
    /// `frames`: how long the block is.
    pub(super) fn new(changes: *mut IParameterChanges, frames: int32) -> Self {
        Self {
            table: &raw const CHANGES_TABLE,
            changes,
            queue_index: 0,
            queue_start: 0,
            point: Point {
                table: &raw const POINT_TABLE,
                queue: ptr::null_mut(),
                index: 0,
                frames,
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
        let points = (0..this.queues()).map(|index| this.queue(index).1);
        points.fold(0, int32::saturating_add)
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
            this.queue_start = this.queue_start.saturating_add(points);
        }
        this.point.queue = ptr::null_mut();
        (&raw mut this.point).cast()
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
        if queue.is_null() {
            return kNoParamId;
        }
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
    if index != 0 || offset_frames.is_null() || value.is_null() {
        return kResultFalse;
    }
    // SAFETY: only called with what `parameter_data` gave out, during the host's call; the other
    // pointers are not null, so the caller's places for the answer.
    unsafe {
        let Point {
            queue,
            index,
            frames,
            ..
        } = *this.cast::<Point>();
        if queue.is_null() {
            return kResultFalse;
        }
        let result = ((*(*queue).vtbl).getPoint)(queue, index, offset_frames, value);
        if result != kResultOk || !(*value).is_finite() {
            return kResultFalse;
        }
        *offset_frames = (*offset_frames).clamp(0, (frames - 1).max(0));
        *value = (*value).clamp(0.0, 1.0);
        kResultOk
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
