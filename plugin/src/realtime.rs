//! What the audio thread promises, for RealtimeSanitizer to check.
//!
//! Behind the feature `rtsan` every block is played with the sanitizer on, which ends the program,
//! with a stack trace, at the first lock, allocation or system call on the audio thread. Waiting for
//! the worker where it harms nobody is exempt. The sanitizer's library comes with Rust:
//!
//! ```sh
//! RTSAN_ENABLE=1 \
//! RTSAN_LIB_PATH="$(rustc --print target-libdir)/librustc-stable_rt.rtsan.a" \
//! cargo nextest run -p bunri-plugin --features rtsan --test audio_link
//! ```

/// Does `work` under the promise of the audio thread.
pub(crate) fn promised<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "rtsan")]
    rtsan_standalone::realtime_enter();
    let result = work();
    #[cfg(feature = "rtsan")]
    rtsan_standalone::realtime_exit();
    result
}

/// Does `work` exempt from that promise: a wait that nobody hears.
pub(crate) fn exempt<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "rtsan")]
    rtsan_standalone::disable();
    let result = work();
    #[cfg(feature = "rtsan")]
    rtsan_standalone::enable();
    result
}
