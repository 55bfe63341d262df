//! `--json [FILE]`: where a command's report goes for programs, beside its tables for people.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bunri_stream::files::write_file;
use serde::Serialize;

use crate::output::{print_line, print_result};

/// Stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// The option, the same for every command that has it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct JsonFile {
    /// Also write everything to FILE as JSON; without FILE (or with `-` or /dev/stdout) print the JSON
    /// instead of the tables.
    #[arg(
        id = "json",
        long = "json",
        value_name = "FILE",
        num_args = 0..=1,
        default_missing_value = STANDARD_OUTPUT
    )]
    path: Option<PathBuf>,
}

impl JsonFile {
    /// Refuses a file that could not be written: better now than after an hour of work.
    ///
    /// # Errors
    /// The folder does not exist.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let (shown, folder) = (path.display(), path.parent());
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        ensure!(
            !path.is_dir(),
            "--json {shown}: expected a file, this is a folder"
        );
        ensure!(
            folder.is_none_or(Path::is_dir),
            "--json {shown}: its folder does not exist"
        );
        Ok(())
    }

    /// The file again, if it `is_input`: `--json` had no FILE in earlier versions of some commands,
    /// where what follows it is what they read. The JSON is then printed.
    pub(crate) fn take_input(&mut self, is_input: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let path = self.path.as_ref().filter(|path| is_input(path))?.clone();
        self.path = Some(STANDARD_OUTPUT.into());
        Some(path)
    }

    /// Writes `report` where the option says, and prints `text`: files first, so that a closed or full
    /// standard output takes nothing away from them.
    ///
    /// # Errors
    /// A file that cannot be written; standard output that cannot, if nothing else holds the result.
    pub(crate) fn deliver(&self, report: &impl Serialize, text: &str) -> Result<()> {
        let Some(path) = &self.path else {
            return print_result(text);
        };
        let mut json = serde_json::to_string_pretty(report).context("the report as JSON")?;
        json.push('\n');
        if [STANDARD_OUTPUT, "/dev/stdout"]
            .map(Path::new)
            .contains(&&**path)
        {
            return print_result(&json);
        }
        write_file(path, json.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        print_line!("{}", text.trim_end());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        folders: Vec<PathBuf>,
        #[command(flatten)]
        json: JsonFile,
    }

    fn parsed(arguments: &[&str]) -> Cli {
        Cli::parse_from(["x"].iter().chain(arguments))
    }

    /// Guards `--json FILE` where `--json` was once a flag, and command lines of that time.
    #[test]
    fn a_file_an_old_flag_and_an_input_behind_it_are_told_apart() {
        let file = parsed(&["songs", "--json", "x.json"]);
        assert_eq!(file.json.path.as_deref(), Some(Path::new("x.json")));
        let flag = parsed(&["songs", "--json"]);
        assert_eq!(flag.json.path.as_deref(), Some(Path::new("-")));

        let folder = tempfile::tempdir().unwrap();
        let songs = folder.path().to_str().unwrap();
        let mut old = parsed(&["--json", songs]);
        assert!(old.folders.is_empty());
        assert_eq!(
            old.json.take_input(Path::is_dir).as_deref(),
            Some(folder.path())
        );
        assert_eq!(old.json.path.as_deref(), Some(Path::new("-")));
        let mut new = file.json;
        assert_eq!(new.take_input(Path::is_dir), None);
    }

    #[test]
    fn a_place_that_cannot_hold_a_file_is_refused_first() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path| {
            let path = Some(path.to_owned());
            JsonFile { path }.check()
        };
        assert!(check(&folder.path().join("x.json")).is_ok());
        assert!(check(Path::new("x.json")).is_ok());
        assert!(check(folder.path()).is_err());
        assert!(check(&folder.path().join("no/x.json")).is_err());
    }
}
