//! The user's own `ffmpeg` program, for what the built-in decoders and encoders lack.
//!
//! A program instead of FFmpeg's libraries: they change their interface with every major version, and
//! most systems that have either have the program. Nothing is installed or linked for it; where there is
//! none, an error names the codec and the line that converts the file.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An `ffmpeg` program that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ffmpeg {
    /// Its path.
    pub program: PathBuf,
}

impl Ffmpeg {
    /// The variable that names the program; set and empty, it turns the use of one off.
    pub const VARIABLE: &'static str = "BUNRI_FFMPEG";

    /// The program that [`VARIABLE`](Self::VARIABLE) names, or the first one on `PATH`.
    #[must_use]
    pub fn find() -> Option<Self> {
        let program = match env::var_os(Self::VARIABLE) {
            Some(named) => Some(PathBuf::from(named)).filter(|named| named.is_file()),
            None => {
                let name = format!("ffmpeg{}", env::consts::EXE_SUFFIX);
                let folders = env::var_os("PATH").unwrap_or_default();
                env::split_paths(&folders)
                    // An empty entry of PATH means the current folder, where a song's sender may
                    // have put a program.
                    .filter(|folder| folder.is_absolute())
                    .map(|folder| folder.join(&name))
                    .find(|program| program.is_file())
            }
        };
        program.map(|program| Self { program })
    }

    /// A call of the program that asks nothing and prints errors only; arguments follow.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "error"])
            .stdin(Stdio::null());
        command
    }

    /// A path as the program takes it: a local file, whatever its name looks like (an option, an
    /// address with a protocol, a pattern).
    #[must_use]
    pub fn file_argument(path: &Path) -> OsString {
        let mut argument = OsString::from("file:");
        argument.push(path);
        argument
    }
}
