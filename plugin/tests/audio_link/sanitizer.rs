//! Whether the sanitizer that these tests may run under is awake.

use std::process::Command;

/// Set for the process that breaks the promise.
const CULPRIT: &str = "BUNRI_TEST_ALLOCATES";

/// Guards against a check that checks nothing: without `RTSAN_ENABLE` the sanitizer is not linked,
/// and everything passes.
#[test]
fn an_allocation_on_the_audio_thread_ends_the_process() {
    if std::env::var_os(CULPRIT).is_some() {
        rtsan_standalone::realtime_enter();
        std::hint::black_box(Box::new(1));
        rtsan_standalone::realtime_exit();
        return;
    }
    let this_test = "sanitizer::an_allocation_on_the_audio_thread_ends_the_process";
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([this_test, "--exact", "--nocapture"])
        .env(CULPRIT, "1")
        .output()
        .expect("this program again");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("RealtimeSanitizer"), "{told}");
}
