//! Where points lie.

use std::ptr;

use vst3::Steinberg::Vst::{
    IParamValueQueue, IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait, ParamID,
};
use vst3::Steinberg::{int32, kResultFalse, kResultOk, tresult};
use vst3::{Class, ComPtr, ComWrapper};

use super::super::vst3_points::PointByPoint;

/// A host's changes: of each queue the parameter and its points.
struct Changes(Vec<ComPtr<IParamValueQueue>>);

pub(super) struct Queue(pub(super) ParamID, pub(super) Vec<(i32, f64)>);

/// Parameter, frame and value of each.
pub(super) type Points = Vec<(ParamID, i32, f64)>;

impl Class for Changes {
    type Interfaces = (IParameterChanges,);
}

impl Class for Queue {
    type Interfaces = (IParamValueQueue,);
}

impl IParameterChangesTrait for Changes {
    unsafe fn getParameterCount(&self) -> int32 {
        self.0.len() as i32
    }

    unsafe fn getParameterData(&self, index: int32) -> *mut IParamValueQueue {
        self.0[index as usize].as_ptr()
    }

    unsafe fn addParameterData(
        &self,
        _id: *const ParamID,
        _index: *mut int32,
    ) -> *mut IParamValueQueue {
        ptr::null_mut()
    }
}

impl IParamValueQueueTrait for Queue {
    unsafe fn getParameterId(&self) -> ParamID {
        self.0
    }

    unsafe fn getPointCount(&self) -> int32 {
        self.1.len() as i32
    }

    unsafe fn getPoint(&self, index: int32, offset: *mut int32, value: *mut f64) -> tresult {
        // SAFETY: the caller's places for the answer.
        unsafe { (*offset, *value) = self.1[index as usize] };
        kResultOk
    }

    unsafe fn addPoint(&self, _offset: int32, _value: f64, _index: *mut int32) -> tresult {
        kResultFalse
    }
}

pub(super) fn changes(queues: Vec<Queue>) -> ComPtr<IParameterChanges> {
    let queues = queues.into_iter().map(|queue| {
        ComWrapper::new(queue)
            .to_com_ptr::<IParamValueQueue>()
            .unwrap()
    });
    let changes = ComWrapper::new(Changes(queues.collect()));
    changes.to_com_ptr().unwrap()
}

/// The last point of each queue, as clap-wrapper takes them.
///
/// # Safety
/// `changes` must be null or alive.
pub(super) unsafe fn points(changes: *mut IParameterChanges) -> Points {
    let mut points = Vec::new();
    // SAFETY: as the caller promises.
    unsafe {
        if changes.is_null() {
            return points;
        }
        for number in 0..((*(*changes).vtbl).getParameterCount)(changes) {
            let queue = ((*(*changes).vtbl).getParameterData)(changes, number);
            let id = ((*(*queue).vtbl).getParameterId)(queue);
            let last = ((*(*queue).vtbl).getPointCount)(queue) - 1;
            let (mut offset, mut value) = (0, 0.0);
            if ((*(*queue).vtbl).getPoint)(queue, last, &mut offset, &mut value) == kResultOk {
                points.push((id, offset, value));
            }
        }
    }
    points
}

/// Guards against points outside the block, and values that no parameter has.
#[test]
fn points_lie_within_the_block() {
    let changes = changes(vec![
        Queue(3, vec![(-1, 0.0), (10, 0.25), (64, 0.5)]),
        Queue(4, vec![]),
        Queue(5, vec![(100, 1.5), (5, f64::NAN), (63, -2.0)]),
    ]);
    let mut by_point = PointByPoint::new(changes.as_ptr(), 64);
    // SAFETY: alive until the end of this test.
    let got = unsafe { points(by_point.as_changes()) };
    let expected = [
        (3, 0, 0.0),
        (3, 10, 0.25),
        (3, 63, 0.5),
        (5, 63, 1.0),
        (5, 63, 0.0),
    ];
    assert_eq!(got, expected);
    let mut none = PointByPoint::new(changes.as_ptr(), 0);
    // SAFETY: as above.
    let got = unsafe { points(none.as_changes()) };
    assert!(got.iter().all(|&(_, offset, _)| offset == 0), "{got:?}");
    // SAFETY: as above; a queue that is not there, as of a host whose numbers change.
    unsafe {
        let changes = none.as_changes();
        let queue = ((*(*changes).vtbl).getParameterData)(changes, 9);
        let (mut offset, mut value) = (0, 0.0);
        let result = ((*(*queue).vtbl).getPoint)(queue, 0, &mut offset, &mut value);
        assert_eq!(result, kResultFalse);
    }
}
