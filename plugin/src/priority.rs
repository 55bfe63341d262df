//! How urgent the worker is to the operating system.
//!
//! A little more than other programs, and never in a real-time class: the worker computes for as
//! long as a hop takes, several hundred milliseconds in Studio modes. In a real-time class it would
//! keep an audio thread of its own core from running, and Linux kills a process whose real-time
//! thread computes for more than 0.2 s (`RLIMIT_RTTIME`, as rtkit sets it). So crates that make
//! audio threads, such as `audio_thread_priority`, are the wrong tool here.

/// Raises the calling thread where the system allows it without special rights (on Linux
/// `RLIMIT_NICE`, which audio distributions grant); elsewhere it stays what it was. Threads that it
/// starts later inherit it.
pub(crate) fn raise() {
    #[cfg(target_os = "linux")]
    {
        // Linux keeps a nice value for each thread, and 0 is the calling one.
        const STEPS: i32 = 5;
        if let Ok(nice) = rustix::process::getpriority_process(None) {
            let _ = rustix::process::setpriority_process(None, nice - STEPS);
        }
    }
}
