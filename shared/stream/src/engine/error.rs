//! Why there is no engine or no model, in words for the user.

use std::fmt;
use std::path::PathBuf;

use super::abi;
use super::search;

/// Why separation is not available.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineError {
    /// No folder of the search path has an engine.
    NotFound {
        /// The folders, in the order in which they were looked at.
        searched: Vec<PathBuf>,
    },
    /// Engines were found, and none of them works.
    Unusable {
        /// Each of them, in the order of the search.
        broken: Vec<BrokenEngine>,
    },
    /// The engine works but refuses: a bad model file, an unknown device, an option out of range.
    /// In the engine's own words.
    Failed(String),
}

/// An engine file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenEngine {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: EngineFault,
}

/// What is wrong with an engine file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineFault {
    /// The system refuses to load it; its reason.
    NotLoadable(String),
    /// It is a library, but not an engine.
    NotAnEngine,
    /// It speaks another version of the interface than this plugin.
    Version {
        /// The engine's [`abi::VERSION`].
        engine: u32,
    },
}

impl fmt::Display for EngineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The reason names the library that is missing, which is rarely the engine itself.
            Self::NotLoadable(reason)
                if reason.contains("libtorch") || reason.contains("libc10") =>
            {
                write!(f, "libtorch is missing or damaged ({reason})")
            }
            Self::NotLoadable(reason) => write!(f, "it cannot be loaded ({reason})"),
            Self::NotAnEngine => {
                write!(
                    f,
                    "it is not a Bunri engine (no symbol `{}`)",
                    abi::ENTRY_SYMBOL
                )
            }
            Self::Version { engine } => write!(
                f,
                "its interface has version {engine}, this plugin needs {}",
                abi::VERSION
            ),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { searched } => {
                writeln!(
                    f,
                    "the separation engine ({}) was not found",
                    search::library_name()
                )?;
                writeln!(f, "looked in:")?;
                for folder in searched {
                    writeln!(f, "  {}", folder.display())?;
                }
                write!(f, "{}", Remedy)
            }
            Self::Unusable { broken } => {
                writeln!(f, "the separation engine does not work:")?;
                for BrokenEngine { path, fault } in broken {
                    writeln!(f, "  {}: {fault}", path.display())?;
                }
                write!(f, "{}", Remedy)
            }
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for EngineError {}

/// What to do about a missing or broken engine.
struct Remedy;

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if search::runs_in_a_checkout() {
            write!(f, "run `cargo bundler bundle` in the checkout, or ")?;
        }
        write!(f, "install the engine that came with this plugin")?;
        if let Some(folder) = search::user_folder() {
            write!(f, " into {}", folder.display())?;
        }
        write!(f, ", or set {} to its folder", search::ENGINE_DIR_VARIABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a message that says "not found" and nothing a user can act on.
    #[test]
    fn a_missing_engine_is_reported_with_every_folder_and_the_remedy() {
        let error = EngineError::NotFound {
            searched: vec!["/one".into(), "/two/deep".into()],
        };
        let text = error.to_string();
        for part in [
            "/one\n",
            "/two/deep\n",
            &search::library_name(),
            "BUNRI_ENGINE_DIR",
        ] {
            assert!(text.contains(part), "{part:?} is missing from {text}");
        }
    }

    /// Guards against "engine cannot be loaded" where it is libtorch that is not there.
    #[test]
    fn a_missing_libtorch_is_named() {
        let reason = "libtorch_cpu.so: cannot open shared object file: No such file or directory";
        let fault = EngineFault::NotLoadable(reason.to_owned());
        assert!(fault.to_string().starts_with("libtorch is missing"));
    }
}
