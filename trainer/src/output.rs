//! Printing that ends no work.
//!
//! `println!` and `eprintln!` panic where their line cannot be written: the pipe's reader has ended
//! (`| head`), the disk behind `> file` is full. A command of hours must outlive that, so everything
//! here is printed by:
//!
//! - `print_line!`, `eprint_line!`: a line about the work, on standard output or standard error. It is
//!   lost where it cannot be written.
//! - [`print_result`]: what a command was called for. It is an error where it cannot be written, unless
//!   the reader wanted no more. Files come first.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::Once;

use anyhow::{Context, Result};

/// Prints a line on standard output, as `println!` does, and goes on where that fails.
macro_rules! print_line {
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}

/// Prints a line on standard error, as `eprintln!` does, and goes on where that fails.
macro_rules! eprint_line {
    ($($text:tt)*) => { $crate::output::error_line(format_args!($($text)*)) };
}

pub(crate) use {eprint_line, print_line};

/// The function of `print_line!`. The first failure is reported on standard error, unless the reader
/// has left.
pub(crate) fn line(text: Arguments<'_>) {
    static REPORTED: Once = Once::new();
    if let Err(error) = write(&mut io::stdout().lock(), format_args!("{text}\n")) {
        REPORTED.call_once(|| eprint_line!("standard output: {error}; the work goes on"));
    }
}

/// The function of `eprint_line!`.
pub(crate) fn error_line(text: Arguments<'_>) {
    // There is no place left where a failure could be reported.
    let _ = write(&mut io::stderr().lock(), format_args!("{text}\n"));
}

/// Prints `text` as it is: the result of a command that has no other place for it.
///
/// # Errors
/// A full disk. A pipe whose reader has ended is none.
pub(crate) fn print_result(text: &str) -> Result<()> {
    write(&mut io::stdout().lock(), format_args!("{text}"))
        .context("writing the result to standard output")
}

/// Writes at once, in one piece where the system allows. A reader that has left is no failure.
fn write(output: &mut impl Write, text: Arguments<'_>) -> io::Result<()> {
    let written = output
        .write_all(text.to_string().as_bytes())
        .and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Guards hours of work from `| head`, and a result from being lost on a full disk in silence.
    #[test]
    fn only_a_reader_that_left_is_no_failure() {
        let written = |kind| write(&mut Failing(kind), format_args!("text"));
        assert!(written(ErrorKind::BrokenPipe).is_ok());
        let full = written(ErrorKind::StorageFull).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}
