//! A plugin behind the fence that writes down what reaches it, and a host's ways with it.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_VALUE, clap_event_header, clap_event_param_value,
    clap_input_events, clap_output_events,
};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_param_info, clap_plugin_params};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;
use clap_sys::process::{CLAP_PROCESS_CONTINUE, clap_process, clap_process_status};
use clap_sys::stream::clap_istream;

use super::super::clap_fence::{Behind, fence};
use crate::host_side::HostSide;
use crate::plugin::OUTPUT_PORTS;

/// What reached the plugin behind the fence.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    Activate(f64, u32, u32),
    Deactivate,
    Start,
    Stop,
    Reset,
    /// Frames, position, and each parameter event's time and value.
    Process(u32, i64, Vec<(u32, f64)>),
    Flush(Vec<(u32, f64)>),
    Info(u32),
    /// What its stream has read.
    Load(i64),
}

pub(super) struct Recorder {
    calls: RefCell<Vec<Call>>,
    latency_frames: AtomicU32,
    params: clap_plugin_params,
    state: clap_plugin_state,
}

impl Behind for Recorder {
    fn is_offline(&self) -> bool {
        false
    }

    fn replace_latency(&self, frames: u32) -> u32 {
        self.latency_frames.swap(frames, Ordering::SeqCst)
    }
}

/// # Safety
/// `plugin` must be a recorder's, or the fence around it.
unsafe fn record<'a>(plugin: *const clap_plugin, call: Call) -> &'a Recorder {
    // SAFETY: as the caller promises.
    let recorder = unsafe { &*(*plugin).plugin_data.cast::<Recorder>() };
    recorder.calls.borrow_mut().push(call);
    recorder
}

unsafe extern "C" fn activate(plugin: *const clap_plugin, rate: f64, min: u32, max: u32) -> bool {
    // SAFETY: called by the fence alone, here and below.
    unsafe { record(plugin, Call::Activate(rate, min, max)) };
    true
}

unsafe extern "C" fn deactivate(plugin: *const clap_plugin) {
    // SAFETY: as above.
    unsafe { record(plugin, Call::Deactivate) };
}

unsafe extern "C" fn start(plugin: *const clap_plugin) -> bool {
    // SAFETY: as above.
    unsafe { record(plugin, Call::Start) };
    true
}

unsafe extern "C" fn stop(plugin: *const clap_plugin) {
    // SAFETY: as above.
    unsafe { record(plugin, Call::Stop) };
}

unsafe extern "C" fn reset(plugin: *const clap_plugin) {
    // SAFETY: as above.
    unsafe { record(plugin, Call::Reset) };
}

/// Writes the input plus 1 to every output.
unsafe extern "C" fn process(
    plugin: *const clap_plugin,
    call: *const clap_process,
) -> clap_process_status {
    // SAFETY: as above; the fence promises these channels.
    unsafe {
        let call = &*call;
        let events = read(call.in_events);
        record(
            plugin,
            Call::Process(call.frames_count, call.steady_time, events),
        );
        assert_eq!(
            (call.audio_inputs_count, call.audio_outputs_count),
            (1, OUTPUT_PORTS as u32)
        );
        for port in 0..OUTPUT_PORTS {
            for channel in 0..2 {
                let from = *(*call.audio_inputs).data32.add(channel);
                let to = *(*call.audio_outputs.add(port)).data32.add(channel);
                for frame in 0..call.frames_count as usize {
                    *to.add(frame) = *from.add(frame) + 1.0;
                }
            }
        }
    }
    CLAP_PROCESS_CONTINUE
}

unsafe extern "C" fn extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    // SAFETY: as above.
    unsafe {
        let recorder = &*(*plugin).plugin_data.cast::<Recorder>();
        if CStr::from_ptr(id) == CLAP_EXT_PARAMS {
            (&raw const recorder.params).cast()
        } else if CStr::from_ptr(id) == CLAP_EXT_STATE {
            (&raw const recorder.state).cast()
        } else {
            ptr::null()
        }
    }
}

unsafe extern "C" fn count(_plugin: *const clap_plugin) -> u32 {
    3
}

unsafe extern "C" fn info(
    plugin: *const clap_plugin,
    index: u32,
    _info: *mut clap_param_info,
) -> bool {
    // SAFETY: as above.
    unsafe { record(plugin, Call::Info(index)) };
    true
}

unsafe extern "C" fn flush(
    plugin: *const clap_plugin,
    events: *const clap_input_events,
    _out: *const clap_output_events,
) {
    // SAFETY: as above.
    unsafe { record(plugin, Call::Flush(read(events))) };
}

/// Reads eight bytes.
unsafe extern "C" fn load(plugin: *const clap_plugin, stream: *const clap_istream) -> bool {
    let mut bytes = [0_u8; 8];
    // SAFETY: as above.
    unsafe {
        let read = (*stream).read.unwrap()(stream, bytes.as_mut_ptr().cast(), 8);
        record(plugin, Call::Load(read));
    }
    true
}

/// Time and value of each parameter event, asked for as nice-plug asks.
///
/// # Safety
/// `events` must be a list of the fence's.
unsafe fn read(events: *const clap_input_events) -> Vec<(u32, f64)> {
    // SAFETY: as the caller promises; the fence's lists have both functions.
    unsafe {
        let (size, get) = ((*events).size.unwrap(), (*events).get.unwrap());
        (0..size(events))
            .map(|index| get(events, index))
            .inspect(|event| assert!(!event.is_null(), "nice-plug follows it"))
            .filter(|&event| (*event).type_ == CLAP_EVENT_PARAM_VALUE)
            .map(|event| {
                (
                    (*event).time,
                    (*event.cast::<clap_event_param_value>()).value,
                )
            })
            .collect()
    }
}

/// A recorder behind the fence, and a host's ways with it.
pub(super) struct Host {
    recorder: Box<Recorder>,
    _behind_and_before: (Box<clap_plugin>, Box<clap_host>),
    pub(super) plugin: *const clap_plugin,
}

impl Host {
    pub(super) fn new() -> Self {
        let recorder = Box::new(Recorder {
            calls: RefCell::default(),
            latency_frames: AtomicU32::new(0),
            params: clap_plugin_params {
                count: Some(count),
                get_info: Some(info),
                get_value: None,
                value_to_text: None,
                text_to_value: None,
                flush: Some(flush),
            },
            state: clap_plugin_state {
                save: None,
                load: Some(load),
            },
        });
        let inner = Box::new(clap_plugin {
            desc: ptr::null(),
            plugin_data: (&raw const *recorder).cast_mut().cast(),
            init: None,
            destroy: None,
            activate: Some(activate),
            deactivate: Some(deactivate),
            start_processing: Some(start),
            stop_processing: Some(stop),
            reset: Some(reset),
            process: Some(process),
            get_extension: Some(extension),
            on_main_thread: None,
        });
        let host = Box::new(clap_host {
            clap_version: clap_sys::version::CLAP_VERSION,
            host_data: ptr::null_mut(),
            name: ptr::null(),
            vendor: ptr::null(),
            url: ptr::null(),
            version: ptr::null(),
            get_extension: None,
            request_restart: None,
            request_process: None,
            request_callback: None,
        });
        let side = Arc::new(HostSide::default());
        let behind: *const dyn Behind = &raw const *recorder;
        // SAFETY: all of them live as long as this.
        let plugin = unsafe { fence(&raw const *inner, behind, &raw const *host, side) };
        Self {
            recorder,
            _behind_and_before: (inner, host),
            plugin,
        }
    }

    pub(super) fn activated(max_frames: u32) -> Self {
        let host = Self::new();
        assert!(host.activate(48_000.0, max_frames));
        host.calls();
        host
    }

    pub(super) fn activate(&self, rate_hz: f64, max_frames: u32) -> bool {
        // SAFETY: the fence's own plugin, here and below.
        unsafe { (*self.plugin).activate.unwrap()(self.plugin, rate_hz, 1, max_frames) }
    }

    /// Starts processing, stops it, or resets.
    pub(super) fn call(
        &self,
        function: fn(&clap_plugin) -> Option<unsafe extern "C" fn(*const clap_plugin)>,
    ) {
        // SAFETY: as above.
        unsafe { function(&*self.plugin).unwrap()(self.plugin) }
    }

    /// Plays a block of zeros into `ports` of `channels` each, with these events; returns what
    /// they then hold, which was 9 before.
    pub(super) fn play(
        &self,
        frames: u32,
        (ports, channels): (usize, usize),
        events: &Events,
    ) -> (clap_process_status, Vec<Vec<f32>>) {
        let mut silence = vec![0.0; frames as usize];
        let mut input = [silence.as_mut_ptr(); 2];
        let input = [port(&mut input)];
        let mut outputs = vec![vec![9.0; frames as usize]; ports * channels];
        let mut pointers: Vec<_> = outputs.iter_mut().map(|bus| bus.as_mut_ptr()).collect();
        let mut output_ports: Vec<_> = pointers.chunks_mut(channels).map(port).collect();
        let list = events.list();
        let call = clap_process {
            steady_time: 1000,
            frames_count: frames,
            transport: ptr::null(),
            audio_inputs: input.as_ptr(),
            audio_outputs: output_ports.as_mut_ptr(),
            audio_inputs_count: 1,
            audio_outputs_count: ports as u32,
            in_events: &raw const list,
            out_events: ptr::null(),
        };
        // SAFETY: as above; every pointer is good for the call.
        let status = unsafe { (*self.plugin).process.unwrap()(self.plugin, &raw const call) };
        (status, outputs)
    }

    /// What the plugin was called for since this was last asked.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.recorder.calls.take()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: as above, for the last time.
        unsafe { (*self.plugin).destroy.unwrap()(self.plugin) }
    }
}

fn port(channels: &mut [*mut f32]) -> clap_audio_buffer {
    clap_audio_buffer {
        data32: channels.as_mut_ptr(),
        data64: ptr::null_mut(),
        channel_count: channels.len() as u32,
        latency: 0,
        constant_mask: 0,
    }
}

/// A host's events; `None` is null.
pub(super) struct Events(pub(super) Vec<Option<clap_event_param_value>>);

impl Events {
    pub(super) fn at(times: &[u32]) -> Self {
        Self(times.iter().map(|&time| Some(event(time, 0.5))).collect())
    }

    pub(super) fn list(&self) -> clap_input_events {
        unsafe extern "C" fn size(list: *const clap_input_events) -> u32 {
            // SAFETY: called with what `list` gives out.
            unsafe { (*(*list).ctx.cast::<Events>()).0.len() as u32 }
        }
        unsafe extern "C" fn get(
            list: *const clap_input_events,
            index: u32,
        ) -> *const clap_event_header {
            // SAFETY: as above.
            let events = unsafe { &*(*list).ctx.cast::<Events>() };
            let event = events.0[index as usize].as_ref();
            event.map_or(ptr::null(), |event| &raw const event.header)
        }
        clap_input_events {
            ctx: ptr::from_ref(self).cast_mut().cast(),
            size: Some(size),
            get: Some(get),
        }
    }
}

pub(super) fn event(time: u32, value: f64) -> clap_event_param_value {
    clap_event_param_value {
        header: clap_event_header {
            size: size_of::<clap_event_param_value>() as u32,
            time,
            space_id: CLAP_CORE_EVENT_SPACE_ID,
            type_: CLAP_EVENT_PARAM_VALUE,
            flags: 0,
        },
        param_id: 1,
        cookie: ptr::null_mut(),
        note_id: -1,
        port_index: -1,
        channel: -1,
        key: -1,
        value,
    }
}

pub(super) fn times(calls: &[Call]) -> Vec<Vec<u32>> {
    let events = calls.iter().filter_map(|call| match call {
        Call::Process(_, _, events) | Call::Flush(events) => Some(events),
        _ => None,
    });
    events
        .map(|events| events.iter().map(|&(time, _)| time).collect())
        .collect()
}
