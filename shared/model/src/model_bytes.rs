//! Reading a file that a user names as a model.

use std::fs::Metadata;
use std::path::Path;
use std::{fs, io};

/// The bytes of a model file, or of its description.
///
/// # Errors
/// A file that cannot be read; a named pipe: opening one waits for a writer, who may never come, and
/// cannot be interrupted where the program has taken the signals over.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    check(path)?;
    fs::read(path)
}

/// Refuses a named pipe.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    if is_named_pipe(path, &fs::metadata(path)?) {
        let reason = "a named pipe, not a file: write what comes out of it to a file first";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(())
}

/// Those under `/dev` and `/proc`, such as a shell's `<(command)`, are open already.
#[cfg(unix)]
fn is_named_pipe(path: &Path, metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_open = path.starts_with("/dev") || path.starts_with("/proc");
    metadata.file_type().is_fifo() && !is_open
}

#[cfg(not(unix))]
fn is_named_pipe(_: &Path, _: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use tch::Device;

    use crate::LoadedModel;

    /// Guards against a program that waits for a pipe's writer and hears no Ctrl-C, for models and
    /// the descriptions of TorchScript modules.
    #[test]
    fn named_pipes_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["model.safetensors", "model.toml"] {
            let pipe = folder.path().join(name);
            assert!(
                Command::new("mkfifo")
                    .arg(&pipe)
                    .status()
                    .unwrap()
                    .success()
            );
            let error = LoadedModel::load(&pipe, Device::Cpu).unwrap_err();
            assert!(format!("{error:?}").contains("named pipe"), "{error:?}");
        }
    }
}
