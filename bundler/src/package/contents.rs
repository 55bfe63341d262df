//! What is in a package: how large each part is, and which systems it runs on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::closure::Closure;
use super::elf::{self, Needs};
use crate::progress::megabytes;

/// The oldest systems that must be able to run it are Debian 12 (glibc 2.36, GCC 12.2) and Ubuntu
/// 22.04 (glibc 2.35, GCC 12.3): nothing newer than the older of each may be needed.
const NEWEST_GLIBC: (u32, u32) = (2, 35);
const NEWEST_LIBSTDCXX: (u32, u32, u32) = (3, 4, 30);

/// A package's parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Path relative to the package, and bytes; licences are one part.
    parts: Vec<(String, u64)>,
    glibc: (u32, u32),
    libstdcxx: (u32, u32, u32),
    /// Libraries that are expected on the system.
    system: Vec<String>,
}

impl Contents {
    /// Looks through the package in `folder`.
    ///
    /// # Errors
    /// A file needs a newer glibc or libstdc++ than the oldest system has, or a folder of this
    /// machine: then it would run here and nowhere else.
    pub(super) fn of(folder: &Path, closure: &Closure) -> Result<Self> {
        let mut contents = Contents {
            system: closure.system.iter().cloned().collect(),
            ..Contents::default()
        };
        let mut licence_bytes = 0;
        for file in files_below(folder)? {
            let path = folder.join(&file);
            let bytes = fs::metadata(&path)?.len();
            if file.iter().any(|part| part == "licences") {
                licence_bytes += bytes;
                continue;
            }
            let name = file.display().to_string();
            contents.admit(&name, &elf::needs_of(&path)?)?;
            contents.parts.push((name, bytes));
        }
        contents
            .parts
            .push(("bunri-engine/licences".into(), licence_bytes));
        Ok(contents)
    }

    fn admit(&mut self, name: &str, needs: &Needs) -> Result<()> {
        let glibc = needs.glibc.unwrap_or_default();
        let libstdcxx = needs.libstdcxx.unwrap_or_default();
        if glibc > NEWEST_GLIBC || libstdcxx > NEWEST_LIBSTDCXX {
            bail!(
                "{name} needs glibc {glibc:?} and libstdc++ {libstdcxx:?}, newer than \
                 {NEWEST_GLIBC:?} and {NEWEST_LIBSTDCXX:?}: build it on an older system"
            );
        }
        let run_path = needs.run_path.as_deref().unwrap_or_default();
        if let Some(place) = run_path.split(':').find(|place| place.starts_with('/')) {
            bail!("{name} looks for libraries in {place}, a folder of this machine");
        }
        self.glibc = self.glibc.max(glibc);
        self.libstdcxx = self.libstdcxx.max(libstdcxx);
        Ok(())
    }

    /// The oldest glibc that it runs with: `2.34`.
    pub(crate) fn glibc(&self) -> String {
        format!("{}.{}", self.glibc.0, self.glibc.1)
    }

    /// The oldest libstdc++, by the version of its symbols: `3.4.29`.
    pub(crate) fn libstdcxx(&self) -> String {
        let (major, minor, patch) = self.libstdcxx;
        format!("{major}.{minor}.{patch}")
    }

    /// Libraries that the system must have.
    pub(crate) fn system(&self) -> &[String] {
        &self.system
    }

    /// A line for each part, and their sum.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for (name, bytes) in &self.parts {
            table += &format!("{:>10}  {name}\n", megabytes(*bytes));
        }
        let total = self.parts.iter().map(|(_, bytes)| bytes).sum();
        table + &format!("{:>10}  together\n", megabytes(total))
    }
}

/// Every file below a folder, relative to it and sorted.
pub(super) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                files.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(glibc: (u32, u32), run_path: &str) -> Needs {
        Needs {
            glibc: Some(glibc),
            run_path: Some(run_path.into()),
            ..Needs::default()
        }
    }

    /// Guards against an archive that starts on the machine it was made on and nowhere else.
    #[test]
    fn what_only_runs_here_is_refused() {
        let mut contents = Contents::default();
        contents.admit("old", &needs((2, 17), "$ORIGIN")).unwrap();
        contents.admit("new", &needs((2, 34), "")).unwrap();
        assert_eq!(contents.glibc(), "2.34");
        let newer = contents.admit("newest", &needs((2, 38), "$ORIGIN"));
        assert!(newer.unwrap_err().to_string().contains("glibc (2, 38)"));
        let here = contents.admit("here", &needs((2, 17), "$ORIGIN:/home/me/lib"));
        assert!(
            here.unwrap_err()
                .to_string()
                .contains("looks for libraries in /home/me/lib")
        );
    }

    #[test]
    fn the_table_adds_up() {
        let contents = Contents {
            parts: vec![("a".into(), 1_500_000), ("b".into(), 500_000)],
            ..Contents::default()
        };
        assert!(
            contents.table().ends_with("    2.0 MB  together\n"),
            "{}",
            contents.table()
        );
    }
}
