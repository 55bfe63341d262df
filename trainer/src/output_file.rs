//! The file that a command writes what it makes to.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::output::eprint_line;

/// Call it before the work. Says so where another file will be replaced.
///
/// # Errors
/// An output that is one of `inputs`, under whatever name: what it was made from would be lost.
pub(crate) fn check_output<'a>(
    output: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    let Ok(there) = fs::canonicalize(output) else {
        return Ok(());
    };
    for input in inputs {
        ensure!(
            fs::canonicalize(input).ok().as_ref() != Some(&there),
            "{}: is what the output would be made from; name another file with -o",
            output.display()
        );
    }
    if there.is_file() {
        eprint_line!("{}: will be replaced", output.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Guards a run's checkpoint, with all its digits, against its own export.
    #[test]
    fn an_input_is_refused_under_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        fs::write(path("best"), "x").unwrap();
        fs::write(path("other"), "x").unwrap();
        std::os::unix::fs::symlink("best", path("link")).unwrap();
        let check = |output: &str| check_output(&path(output), [&*path("best")]);
        for same in ["best", "./best", "link"] {
            let error = check(same).unwrap_err().to_string();
            assert!(error.contains("name another file"), "{error}");
        }
        assert!(check("other").is_ok() && check("new").is_ok());
    }
}
