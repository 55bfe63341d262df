//! Requests to end, kept away from threads that compute.
//!
//! A handler that runs on a thread in the middle of one of libtorch's CPU kernels destroys memory:
//! some of them use the stack below its pointer, where the kernel puts the handler's frame. Seen
//! as crashes right after SIGTERM, and in Python's torch 2.11, too, with a timer's signals.

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

/// Calls `on_request` with the signal's number at Ctrl-C, SIGTERM or a closed terminal, on a thread
/// of its own. Call it before any thread is started that may compute: this thread, and those that it
/// starts from here on, never see these signals. Programs that are started inherit that.
///
/// # Errors
/// The system refuses the thread.
pub(crate) fn listen(mut on_request: impl FnMut(i32) + Send + 'static) -> Result<()> {
    let mut requests = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        requests.add(signal);
    }
    requests
        .thread_block()
        .context("keeping signals off the threads that compute")?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            while let Ok(signal) = requests.wait() {
                on_request(signal as i32);
            }
        })
        .context("starting the thread that hears signals")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the memory of a training that is asked to end: no thread that computes may be the one
    /// that runs the handler.
    #[test]
    fn signals_stay_off_this_thread_and_those_after_it() {
        let (heard, hears) = std::sync::mpsc::channel();
        // A thread of its own: the test's others shall still hear Ctrl-C.
        let test = std::thread::spawn(move || {
            listen(move |signal| {
                let _ = heard.send(signal);
            })
            .unwrap();
            let blocked = || {
                let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
                let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
                u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
            };
            let inherited = std::thread::spawn(blocked).join().unwrap();
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                let bit = 1 << (signal as i32 - 1);
                assert_ne!(blocked() & bit, 0, "{signal}");
                assert_ne!(inherited & bit, 0, "{signal} on a later thread");
            }
        });
        test.join().unwrap();
        assert!(hears.try_recv().is_err(), "nobody has sent a signal");
    }
}
