//! The mode that a VST3 host tells with each block, on its way past clap-wrapper to the CLAP fence.
//!
//! clap-wrapper 0.3.1 forwards the mode of `setupProcessing` alone. Its call of the CLAP's `process`
//! lies within the host's call, on the same thread, and hands on the array of input channels that the
//! VST3 fence made for it: that array's address, which nothing else has meanwhile, tells the calls of
//! all instances and threads apart.
//!
//! To be deleted when clap-wrapper forwards the mode of each block; 0.3.1 does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use clap_sys::process::clap_process;

/// Instances that may render at the same moment; each has a thread. In a call beyond that the host is
/// judged by its pace, as one that does not tell.
const CALLS: usize = 64;

/// Addresses of the channel arrays of the calls that say offline; 0 where there is none.
static OFFLINE: [AtomicUsize; CALLS] = [const { AtomicUsize::new(0) }; CALLS];

/// A call whose host says that it renders offline, for as long as this lives.
pub(super) struct OfflineCall {
    place: Option<&'static AtomicUsize>,
}

impl OfflineCall {
    /// `channels`: what clap-wrapper gets as the channels of its first input bus, until this is
    /// dropped. Real-time safe.
    pub(super) fn begin<T>(channels: *const T) -> Self {
        let free = |place: &&AtomicUsize| {
            let key = channels.addr();
            place
                .compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        Self {
            place: OFFLINE.iter().find(free),
        }
    }
}

impl Drop for OfflineCall {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            place.store(0, Ordering::Relaxed);
        }
    }
}

/// Whether this call lies within an [`OfflineCall`]. Real-time safe.
pub(super) fn says_offline(call: &clap_process) -> bool {
    if call.audio_inputs.is_null() || call.audio_inputs_count == 0 {
        return false;
    }
    // SAFETY: by CLAP an array of so many ports, valid during the call.
    let channels = unsafe { (*call.audio_inputs).data32 }.addr();
    // Its own thread wrote it, if anybody did.
    channels != 0
        && OFFLINE
            .iter()
            .any(|place| place.load(Ordering::Relaxed) == channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against an instance that plays being taken for one that renders beside it, and against
    /// calls that are never forgotten.
    #[test]
    fn a_call_is_offline_only_while_and_where_it_is_said() {
        let arrays = [[0_u8; 8]; 2 * CALLS];
        let said = |array: &[u8; 8]| {
            let port = clap_sys::audio_buffer::clap_audio_buffer {
                data32: array.as_ptr().cast_mut().cast(),
                data64: std::ptr::null_mut(),
                channel_count: 2,
                latency: 0,
                constant_mask: 0,
            };
            // SAFETY: plain data, of which all zeros is a valid value.
            let mut call: clap_process = unsafe { std::mem::zeroed() };
            call.audio_inputs = &raw const port;
            call.audio_inputs_count = 1;
            says_offline(&call)
        };
        let calls: Vec<_> = arrays.iter().map(|a| OfflineCall::begin(a)).collect();
        let count = arrays.iter().filter(|array| said(array)).count();
        assert_eq!(count, CALLS, "more calls than places");
        drop(calls);
        assert!(!arrays.iter().any(said), "a call that ended");
    }
}
