//! FFmpeg for the tests of formats that Bunri reads and writes by that program: the system's, or one
//! that a Python package ships (30 MB), so that these tests run on every machine.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::hosts::python_modules;

/// FFmpeg 7.0.2.
const PACKAGE: &str = "imageio-ffmpeg==0.6.0 \
    --hash=sha256:c7e46fcec401dd990405049d2e2f475e2b397779df2519b544b8aab515195282";
/// Where Bunri looks for the program first (`bunri_stream::files::Ffmpeg`).
const VARIABLE: &str = "BUNRI_FFMPEG";

/// The program for tests, where it is not the system's.
#[derive(Debug, Default)]
pub(super) struct Ffmpeg {
    program: Option<PathBuf>,
}

impl Ffmpeg {
    /// Names the program in a command's environment.
    pub(super) fn equip(&self, command: &mut Command) {
        if let Some(program) = &self.program {
            command.env(VARIABLE, program);
        }
    }
}

/// Finds the program, or brings it into the user's cache. Where that fails, the tests that need it print
/// that they are skipped.
pub(super) fn bring() -> Ffmpeg {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).any(|folder| folder.join("ffmpeg").is_file());
    if installed || env::var_os(VARIABLE).is_some() {
        return Ffmpeg::default();
    }
    let program = python_modules("ffmpeg-imageio-0.6.0", &[PACKAGE]).and_then(|packages| {
        let program = program_in(&packages.join("imageio_ffmpeg/binaries"))?;
        // pip keeps no permissions.
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        Ok(program)
    });
    if let Err(reason) = &program {
        eprintln!("going on without ffmpeg: {reason:#}");
    }
    Ffmpeg {
        program: program.ok(),
    }
}

fn program_in(folder: &Path) -> Result<PathBuf> {
    let is_program = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("ffmpeg-linux")
    };
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths
        .find(is_program)
        .with_context(|| format!("no ffmpeg in {}", folder.display()))
}
