//! What a run says to its user, in one place. Nothing that is said here can end the run.

use std::fmt::Display;
use std::path::Path;

use anyhow::Error;

use crate::output::{eprint_line, print_line};

/// Where the user reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Console {
    /// Results on standard output, warnings and errors on standard error.
    Both,
    /// All on standard error: standard output holds JSON.
    StandardError,
}

impl Console {
    /// Says what was done.
    pub(super) fn say(self, text: impl Display) {
        match self {
            Self::Both => print_line!("{text}"),
            Self::StandardError => eprint_line!("{text}"),
        }
    }

    /// Says what the user should look at.
    pub(super) fn warn(self, text: impl Display) {
        eprint_line!("warning: {text}");
    }

    /// Says what failed, or why.
    pub(super) fn fail(self, text: impl Display) {
        eprint_line!("{text}");
    }
}

/// An error about `file`, in a sentence that names it.
pub(super) fn named(error: &Error, file: &Path) -> String {
    let text = format!("{error:#}");
    let file = file.display().to_string();
    match text.contains(&file) {
        true => text,
        false => format!("{file}: {text}"),
    }
}
