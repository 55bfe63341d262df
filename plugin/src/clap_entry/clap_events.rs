//! A block's events as nice-plug gets them: each within the block, and none before another that it follows.
//!
//! nice-plug 0.4.2 splits the block at an event's time without looking whether it lies within, subtracts
//! times of events that are not in order, and follows null events in a flush. It heeds parameters alone for
//! this plugin, so it gets copies of those, and of all others no more than that they are there.

use std::ptr;

use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_MOD, CLAP_EVENT_PARAM_VALUE, clap_event_header,
    clap_event_param_mod, clap_event_param_value, clap_input_events,
};

/// The host's events of a block, in the order in which they come.
pub(super) struct BlockEvents {
    host: *const clap_input_events,
    count: u32,
    /// The last frame of the block.
    last_frame: u32,
    /// The first event that is in no step yet, and the time of the one before.
    next: Reached,
}

#[derive(Clone, Copy)]
struct Reached {
    index: u32,
    /// No event from there on comes earlier.
    frame: u32,
}

/// The events of one step of the block; their times count from its first frame.
pub(super) struct StepEvents<'a> {
    block: &'a BlockEvents,
    first: Reached,
    count: u32,
    first_frame: u32,
    /// The event that was asked for last, and its time in the block.
    reached: Reached,
    event: Event,
}

/// One event that nice-plug may read.
#[repr(C)]
union Event {
    header: clap_event_header,
    value: clap_event_param_value,
    modulation: clap_event_param_mod,
}

/// An event that stands for one that is not heeded.
const NOTHING: Event = Event {
    header: clap_event_header {
        size: size_of::<clap_event_header>() as u32,
        time: 0,
        space_id: u16::MAX,
        type_: u16::MAX,
        flags: 0,
    },
};

impl BlockEvents {
    /// # Safety
    /// By CLAP, `host` is null or alive as long as this, with events that are null or as their headers say.
    pub(super) unsafe fn new(host: *const clap_input_events, frames: u32) -> Self {
        // SAFETY: as the caller promises.
        let size = unsafe { host.as_ref().and_then(|list| list.size) };
        Self {
            host,
            // SAFETY: the host's own function.
            count: size.map_or(0, |size| unsafe { size(host) }),
            last_frame: frames.saturating_sub(1),
            next: Reached { index: 0, frame: 0 },
        }
    }

    /// Takes the events before the frame `end`, for a step that begins at `first_frame`. Real-time safe.
    pub(super) fn step(&mut self, first_frame: u32, end: u32) -> StepEvents<'_> {
        let first = self.next;
        while self.next.index < self.count {
            let frame = self.frame_of(self.next);
            if frame >= end {
                break;
            }
            self.next = Reached {
                index: self.next.index + 1,
                frame,
            };
        }
        StepEvents {
            first,
            count: self.next.index - first.index,
            first_frame,
            reached: first,
            event: NOTHING,
            block: self,
        }
    }

    fn header(&self, index: u32) -> *const clap_event_header {
        // SAFETY: as the caller of `new` promised; the function is the host's own.
        unsafe {
            let get = self.host.as_ref().and_then(|list| list.get);
            get.map_or(ptr::null(), |get| get(self.host, index))
        }
    }

    /// The frame of an event that none before it comes later than.
    fn frame_of(&self, Reached { index, frame }: Reached) -> u32 {
        // SAFETY: as the caller of `new` promised.
        let time = unsafe { self.header(index).as_ref() }.map_or(0, |header| header.time);
        time.min(self.last_frame).max(frame)
    }
}

impl StepEvents<'_> {
    /// As nice-plug wants them: while this lives and stays where it is.
    pub(super) fn as_list(&mut self) -> clap_input_events {
        clap_input_events {
            ctx: ptr::from_mut(self).cast(),
            size: Some(size),
            get: Some(get),
        }
    }

    fn event(&mut self, index: u32) -> *const clap_event_header {
        if index >= self.count {
            return ptr::null();
        }
        let wanted = self.first.index + index;
        if wanted < self.reached.index {
            self.reached = self.first;
        }
        let frame = loop {
            let frame = self.block.frame_of(self.reached);
            if self.reached.index == wanted {
                break frame;
            }
            self.reached = Reached {
                index: self.reached.index + 1,
                frame,
            };
        };
        // SAFETY: as the caller of `BlockEvents::new` promised.
        self.event = unsafe { copied(self.block.header(wanted)) };
        // All variants begin with the header.
        self.event.header.time = frame.saturating_sub(self.first_frame);
        (&raw const self.event).cast()
    }
}

/// A copy with values that a parameter may have: nice-plug's are numbers from 0 to 1.
///
/// # Safety
/// `header` must be null, or that of an event of the size that it says.
unsafe fn copied(header: *const clap_event_header) -> Event {
    // SAFETY: as the caller promises, for each: the size is looked at first.
    unsafe {
        let Some(&clap_event_header {
            size,
            space_id: CLAP_CORE_EVENT_SPACE_ID,
            type_,
            ..
        }) = header.as_ref()
        else {
            return NOTHING;
        };
        let holds = |bytes: usize| size as usize >= bytes;
        match type_ {
            CLAP_EVENT_PARAM_VALUE if holds(size_of::<clap_event_param_value>()) => {
                let mut value = *header.cast::<clap_event_param_value>();
                if value.value.is_finite() {
                    value.value = value.value.clamp(0.0, 1.0);
                    return Event { value };
                }
            }
            CLAP_EVENT_PARAM_MOD if holds(size_of::<clap_event_param_mod>()) => {
                let mut modulation = *header.cast::<clap_event_param_mod>();
                if modulation.amount.is_finite() {
                    modulation.amount = modulation.amount.clamp(-1.0, 1.0);
                    return Event { modulation };
                }
            }
            _ => {}
        }
        NOTHING
    }
}

unsafe extern "C" fn size(list: *const clap_input_events) -> u32 {
    // SAFETY: only called with what `as_list` gave out.
    unsafe { (*(*list).ctx.cast::<StepEvents<'_>>()).count }
}

unsafe extern "C" fn get(list: *const clap_input_events, index: u32) -> *const clap_event_header {
    // SAFETY: as above.
    unsafe { (*(*list).ctx.cast::<StepEvents<'_>>()).event(index) }
}
