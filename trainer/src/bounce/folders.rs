//! Where each input's results go, so that no file of a run overwrites another or an input.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Gives every input of a run a folder of its own below the output folder.
#[derive(Debug)]
pub(super) struct Folders {
    output: PathBuf,
    /// Names given, in lower case: some file systems do not tell `Song` from `song`.
    taken: HashSet<OsString>,
}

impl Folders {
    pub(super) fn below(output: &Path) -> Self {
        Self {
            output: output.to_owned(),
            taken: HashSet::new(),
        }
    }

    /// `<output>/<file name without extension>`; with the extension, or a number behind it, where
    /// another input of the same name came first.
    ///
    /// # Errors
    /// A path that does not end in a file's name.
    pub(super) fn assign(&mut self, input: &Path) -> Result<PathBuf> {
        let (Some(stem), Some(name)) = (input.file_stem(), input.file_name()) else {
            bail!("{}: not the name of a file", input.display());
        };
        let numbered = (2..).map(|number| {
            let mut name = name.to_owned();
            name.push(format!(" ({number})"));
            name
        });
        let free = [stem.to_owned(), name.to_owned()]
            .into_iter()
            .chain(numbered)
            .find(|name| self.taken.insert(name.to_ascii_lowercase()))
            .context("every name is taken")?;
        Ok(self.output.join(free))
    }
}

/// Refuses results that would replace an input of this run.
///
/// # Errors
/// If one of `results` is one of `inputs`, under whatever name.
pub(super) fn check_inputs_are_safe(results: &[PathBuf], inputs: &[PathBuf]) -> Result<()> {
    for result in results {
        // Only a file that is there can be an input.
        let Ok(existing) = result.canonicalize() else {
            continue;
        };
        if inputs
            .iter()
            .any(|input| input.canonicalize().is_ok_and(|input| input == existing))
        {
            bail!(
                "{}: is an input of this run and would be overwritten by a stem; choose another \
                 output folder with -o",
                result.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    #[test]
    fn inputs_of_one_name_get_folders_of_their_own() {
        let mut folders = Folders::below(Path::new("out"));
        let mut assign = |input: &str| folders.assign(Path::new(input)).unwrap();
        assert_eq!(assign("a/song.mp3"), Path::new("out/song"));
        assert_eq!(assign("b/song.wav"), Path::new("out/song.wav"));
        assert_eq!(assign("c/Song.mp3"), Path::new("out/Song.mp3"));
        assert_eq!(assign("d/song.mp3"), Path::new("out/song.mp3 (2)"));
        assert_eq!(assign("e/song.mp3"), Path::new("out/song.mp3 (3)"));
        assert!(folders.assign(Path::new("a/..")).is_err());
    }

    #[test]
    fn an_input_is_recognised_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("vocals.wav");
        std::fs::write(&input, b"x").unwrap();
        let same = folder.path().join(".").join("vocals.wav");
        let other = folder.path().join("drums.wav");
        assert!(check_inputs_are_safe(from_ref(&other), from_ref(&input)).is_ok());
        assert!(check_inputs_are_safe(&[other, same], &[input]).is_err());
    }
}
