//! A reference package in a Python process of its own: a line asks, a line answers.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// A running script, which ends with this.
#[derive(Debug)]
pub struct PythonReference {
    process: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    needs: &'static str,
}

impl PythonReference {
    /// Starts `script` and waits until it says `ready`. It is written into `folder`, in which the two
    /// sides may also exchange files. `needs` says what the Python must have, for the one who has
    /// to install it.
    ///
    /// # Errors
    /// No such Python; a script that ends, or that says something else.
    pub fn start<S: AsRef<OsStr>>(
        python: &Path,
        script: &str,
        folder: &Path,
        arguments: impl IntoIterator<Item = S>,
        needs: &'static str,
    ) -> Result<Self> {
        let file = folder.join("reference.py");
        std::fs::write(&file, script)
            .with_context(|| format!("writing the reference's script to {}", file.display()))?;
        let mut process = Command::new(python)
            .arg(&file)
            .args(arguments)
            // A Python has its own libtorch.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", python.display()))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (requests, replies) = pipes.context("the process has no pipes")?;
        let mut reference = Self {
            process,
            requests,
            replies: BufReader::new(replies),
            needs,
        };
        let greeting = reference.reply()?;
        ensure!(greeting == "ready", "the reference said {greeting:?}");
        Ok(reference)
    }

    /// Sends a line and waits for the one that answers it.
    ///
    /// # Errors
    /// A script that has ended.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        // A process that has ended says so when it is read from, with its status.
        let _ = writeln!(self.requests, "{line}");
        self.reply()
    }

    fn reply(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.replies.read_line(&mut line)? == 0 {
            let status = self.process.wait()?;
            bail!(
                "the reference ended ({status}), its reason is above; it needs a Python with {}",
                self.needs
            );
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for PythonReference {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell otherwise.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
