//! The host table: which host passes which case, or why not.
//!
//! A test records each case of each host as it ends; `cargo verify` sets the variable, and prints
//! the table when all tests have run. Without the variable nothing is recorded.

use std::any::Any;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// File that `case`, `host` and outcome are appended to, a tab between each two.
pub const TABLE_FILE: &str = "BUNRI_HOST_TABLE";

/// Runs `body` and records whether it passed, or the message with which it panicked.
///
/// # Panics
/// As `body` does.
pub fn case(name: &str, host: &str, body: impl FnOnce()) {
    case_with_figure(name, host, || {
        body();
        String::new()
    });
}

/// Like [`case`], with a figure to be shown beside the verdict, if it is not empty.
///
/// # Panics
/// As `body` does.
pub fn case_with_figure(name: &str, host: &str, body: impl FnOnce() -> String) {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(figure) if figure.is_empty() => record(name, host, "pass"),
        Ok(figure) => {
            println!("{name} in {host}: {figure}");
            record(name, host, &format!("pass ({figure})"));
        }
        Err(panic) => {
            record(name, host, &format!("FAILED: {}", message(&*panic)));
            resume_unwind(panic);
        }
    }
}

/// Says and records that a case could not be tried. `reason` says what is missing.
pub fn skip(name: &str, host: &str, reason: &str) {
    println!("skipped: {name} in {host}: {reason}");
    record(name, host, &format!("skipped: {reason}"));
}

/// Appends a line to the table, in one write: tests of several processes share the file.
pub fn record(name: &str, host: &str, outcome: &str) {
    let Some(path) = std::env::var_os(TABLE_FILE) else {
        return;
    };
    let outcome = outcome.replace(['\n', '\t'], " ");
    let line = format!("{name}\t{host}\t{outcome}\n");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
