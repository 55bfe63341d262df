//! The fence, by what it hands on to a plugin that only writes that down.

mod recorder;

use std::ffi::c_void;
use std::ptr;

use clap_sys::events::{CLAP_EVENT_NOTE_ON, clap_event_header};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_plugin_params};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::process::{CLAP_PROCESS_CONTINUE, CLAP_PROCESS_ERROR};
use clap_sys::stream::clap_istream;

use super::clap_fence::MAX_BLOCK_FRAMES;
use crate::plugin::OUTPUT_PORTS;
use recorder::{Call, Events, Host, event, times};

/// Guards against events outside the block, and out of order, that nice-plug computes with.
#[test]
fn events_lie_within_the_block_and_in_order() {
    let host = Host::activated(64);
    let handed_on = |times_given: &[u32]| {
        host.play(64, (1, 2), &Events::at(times_given));
        times(&host.calls()).concat()
    };
    assert_eq!(handed_on(&[0, 20, 63]), [0, 20, 63]);
    assert_eq!(handed_on(&[64, 70, 1000]), [63, 63, 63]);
    assert_eq!(handed_on(&[10, 3, 20, 100, 5]), [10, 10, 20, 63, 63]);
}

/// Guards against null events, foreign ones, and values that no parameter has.
#[test]
fn events_are_parameters_with_values_that_they_may_have() {
    let host = Host::activated(64);
    let mut note = event(5, 0.5);
    note.header.type_ = CLAP_EVENT_NOTE_ON;
    let mut short = event(6, 0.5);
    short.header.size = size_of::<clap_event_header>() as u32;
    let values = [1.5, -1.0, f64::NAN, f64::INFINITY];
    let mut events = vec![None, Some(note), Some(short)];
    events.extend(values.map(|value| Some(event(7, value))));
    host.play(64, (1, 2), &Events(events));
    let calls = host.calls();
    assert_eq!(
        calls[1..],
        [Call::Process(64, 1000, vec![(7, 1.0), (7, 0.0)])]
    );
}

/// Guards against blocks that are longer than announced, whose outputs stayed as they were.
#[test]
fn a_long_block_is_played_in_steps() {
    let host = Host::activated(32);
    let (status, outputs) = host.play(100, (5, 2), &Events::at(&[0, 31, 32, 40, 99, 130]));
    assert_eq!(status, CLAP_PROCESS_CONTINUE);
    assert!(outputs.iter().flatten().all(|&sample| sample == 1.0));
    let event = |time| (time, 0.5);
    assert_eq!(
        host.calls(),
        [
            Call::Start,
            Call::Process(32, 1000, vec![event(0), event(31)]),
            Call::Process(32, 1032, vec![event(0), event(8)]),
            Call::Process(32, 1064, vec![]),
            Call::Process(4, 1096, vec![event(3), event(3)]),
        ]
    );
}

/// Guards against calls that come before the first activation, or after the last.
#[test]
fn nothing_is_played_while_inactive() {
    let host = Host::new();
    let check = || {
        for frames in [0, 64] {
            let (status, outputs) = host.play(frames, (5, 2), &Events::at(&[0]));
            assert_eq!(status, CLAP_PROCESS_ERROR);
            assert!(outputs.iter().flatten().all(|&sample| sample == 0.0));
        }
        host.call(|plugin| plugin.reset);
        // SAFETY: the fence's own plugin.
        assert!(!unsafe { (*host.plugin).start_processing.unwrap()(host.plugin) });
    };
    check();
    assert_eq!(host.calls(), []);
    host.activate(48_000.0, 64);
    host.call(|plugin| plugin.deactivate);
    host.calls();
    check();
    assert_eq!(host.calls(), []);
}

/// Guards against a block without frames that is played, with nothing to play into.
#[test]
fn an_empty_block_is_a_flush() {
    let host = Host::activated(64);
    assert_eq!(
        host.play(0, (5, 2), &Events::at(&[0, 3])).0,
        CLAP_PROCESS_CONTINUE
    );
    let events = vec![(0, 0.5), (0, 0.5)];
    assert_eq!(host.calls(), [Call::Start, Call::Flush(events)]);
}

/// Guards against old samples in channels and ports that the plugin does not have.
#[test]
fn what_the_plugin_does_not_fill_is_silence() {
    let host = Host::activated(64);
    for (ports, channels) in [(1, 1), (2, 3), (5, 2), (7, 2)] {
        let (_, outputs) = host.play(64, (ports, channels), &Events(vec![]));
        for (index, samples) in outputs.iter().enumerate() {
            let filled = index / channels < OUTPUT_PORTS && index % channels < 2;
            let expected = if filled { 1.0 } else { 0.0 };
            assert!(
                samples.iter().all(|&sample| sample == expected),
                "{ports} {channels} {index}"
            );
        }
    }
}

/// Guards against rates and lengths that nothing can be prepared for.
#[test]
fn an_activation_is_within_bounds() {
    let host = Host::new();
    for rate_hz in [f64::NAN, f64::INFINITY, 0.0, -44_100.0, 1e10] {
        assert!(!host.activate(rate_hz, 64));
    }
    assert_eq!(host.calls(), []);
    for (announced, handed_on) in [(0, 1), (64, 64), (u32::MAX, MAX_BLOCK_FRAMES)] {
        assert!(host.activate(48_000.0, announced));
        assert!(!host.activate(48_000.0, announced), "already active");
        host.call(|plugin| plugin.deactivate);
        let activation = Call::Activate(48_000.0, 1, handed_on);
        assert_eq!(host.calls(), [activation, Call::Deactivate]);
    }
}

/// Guards against a host that stops around every block, and hears nothing since each start was a reset.
#[test]
fn stops_and_starts_forget_nothing_and_a_reset_does() {
    let host = Host::activated(64);
    for _ in 0..3 {
        // SAFETY: the fence's own plugin.
        assert!(unsafe { (*host.plugin).start_processing.unwrap()(host.plugin) });
        host.play(64, (1, 2), &Events(vec![]));
        host.call(|plugin| plugin.stop_processing);
    }
    let block = || Call::Process(64, 1000, vec![]);
    assert_eq!(host.calls(), [Call::Start, block(), block(), block()]);
    host.call(|plugin| plugin.reset);
    host.call(|plugin| plugin.deactivate);
    assert_eq!(host.calls(), [Call::Reset, Call::Stop, Call::Deactivate]);
}

/// Guards against a host that asks for one parameter more than there are, and one that flushes at any time.
#[test]
fn parameters_are_asked_for_within_bounds() {
    let host = Host::activated(64);
    // SAFETY: the fence's own plugin, and its extension of that name.
    unsafe {
        let params = (*host.plugin).get_extension.unwrap()(host.plugin, CLAP_EXT_PARAMS.as_ptr());
        let params = &*params.cast::<clap_plugin_params>();
        let asked =
            [0, 2, 3, 4].map(|index| params.get_info.unwrap()(host.plugin, index, ptr::null_mut()));
        assert_eq!(asked, [true, true, false, false]);
        assert_eq!(host.calls(), [Call::Info(0), Call::Info(2)]);
        let events = Events::at(&[7, 3]);
        params.flush.unwrap()(host.plugin, &events.list(), ptr::null());
        params.flush.unwrap()(host.plugin, ptr::null(), ptr::null());
        assert_eq!(times(&host.calls()), [vec![0, 0], vec![]]);
    }
}

/// Guards against a stream that says that it has read more than it was asked for.
#[test]
fn a_stream_reads_no_more_than_it_was_asked_for() {
    unsafe extern "C" fn read(stream: *const clap_istream, _: *mut c_void, _bytes: u64) -> i64 {
        // SAFETY: the stream below.
        unsafe { *(*stream).ctx.cast::<i64>() }
    }
    let host = Host::activated(64);
    for (said, handed_on) in [(8, 8), (3, 3), (0, 0), (-1, -1), (9, -1)] {
        let mut said: i64 = said;
        let stream = clap_istream {
            ctx: (&raw mut said).cast(),
            read: Some(read),
        };
        // SAFETY: the fence's own plugin, and its extension of that name.
        unsafe {
            let state = (*host.plugin).get_extension.unwrap()(host.plugin, CLAP_EXT_STATE.as_ptr());
            let load = (*state.cast::<clap_plugin_state>()).load.unwrap();
            assert!(load(host.plugin, &raw const stream));
            assert!(!load(host.plugin, ptr::null()));
        }
        assert_eq!(host.calls(), [Call::Load(handed_on)]);
    }
}
