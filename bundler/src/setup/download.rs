//! Wheels from the package index, by pip, which is asked so that the user's own mirror, proxy and
//! certificate settings hold.
//!
//! pip works in a scratch folder and its result moves to the downloads folder only once its
//! digest is right, so an interrupted run leaves whole wheels, which the next one keeps, and
//! nothing else. pip shows no bar for what is not a terminal and none that spans several files;
//! the meter here watches the scratch folder grow instead.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::digest::sha256_of;
use super::wheels::Wheel;
use crate::progress::Meter;

/// A way to start pip: a program and its first arguments.
#[derive(Debug, Clone)]
pub(crate) struct Pip(Vec<OsString>);

impl Pip {
    /// The first pip on this machine that answers.
    ///
    /// # Errors
    /// None does: the message says which package brings it.
    pub(crate) fn find() -> Result<Self> {
        // A virtual environment may hide the system's pip behind a Python that has none.
        let ways: [&[&str]; 4] = [
            &["python3", "-m", "pip"],
            &["/usr/bin/python3", "-m", "pip"],
            &["pip3"],
            &["pip"],
        ];
        for way in ways {
            let pip = Pip(way.iter().map(OsString::from).collect());
            let answer = pip.command().arg("--version").stdin(Stdio::null()).output();
            if answer.is_ok_and(|answer| answer.status.success()) {
                return Ok(pip);
            }
        }
        bail!(
            "pip is missing, and libtorch comes from the Python package index.\n\
             Install it with: sudo apt-get install python3-pip"
        )
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]);
        // What makes sense for installing Python packages forbids fetching these wheels.
        for name in [
            "PIP_REQUIRE_VIRTUALENV",
            "PIP_CONSTRAINT",
            "PIP_NO_BINARY",
            "PIP_TARGET",
        ] {
            command.env_remove(name);
        }
        command
    }
}

/// Brings every wheel into `downloads`, which keeps those that a former run completed, and gives
/// their paths in the order of `wheels`. Temporary files lie in `scratch`, on the same disk.
///
/// # Errors
/// pip failed, or what it brought is not the pinned file.
pub(crate) fn fetch(
    pip: &Pip,
    wheels: &[Wheel],
    downloads: &Path,
    scratch: &Path,
) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(downloads)
        .with_context(|| format!("cannot create {}", downloads.display()))?;
    let total_bytes = wheels.iter().map(|wheel| wheel.bytes).sum();
    let mut meter = Meter::new("downloading libtorch", total_bytes);
    let mut done_bytes = 0;
    let mut paths = Vec::new();
    for wheel in wheels {
        meter.say(wheel.project);
        let path = downloads.join(wheel.file_name());
        if !is_complete(&path, wheel) {
            fetch_one(pip, wheel, &path, scratch, |fetched| {
                meter.set(done_bytes + fetched)
            })?;
        }
        done_bytes += wheel.bytes;
        meter.set(done_bytes);
        paths.push(path);
    }
    meter.say("downloaded libtorch");
    meter.finish();
    Ok(paths)
}

/// Whether a former run left this wheel whole.
pub(crate) fn is_complete(path: &Path, wheel: &Wheel) -> bool {
    let right_size = fs::metadata(path).is_ok_and(|file| file.len() == wheel.bytes);
    right_size && sha256_of(path).is_ok_and(|digest| digest == wheel.sha256)
}

fn fetch_one(
    pip: &Pip,
    wheel: &Wheel,
    path: &Path,
    scratch: &Path,
    mut on_bytes: impl FnMut(u64),
) -> Result<()> {
    let work = scratch.join(wheel.project);
    let temporary = work.join("tmp");
    let arrived = work.join("arrived");
    fs::create_dir_all(&temporary)?;
    let requirements = work.join("requirements.txt");
    let Wheel {
        project,
        version,
        sha256,
        ..
    } = wheel;
    fs::write(
        &requirements,
        format!("{project}=={version} --hash=sha256:{sha256}\n"),
    )?;

    let log = work.join("pip.log");
    let mut command = pip.command();
    command
        .args([
            "download",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
        ])
        // The wheel is unpacked at once and then removed: a second copy in pip's cache is waste.
        .args([
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--no-input",
        ])
        .args([
            "--progress-bar",
            "off",
            "--implementation",
            "cp",
            "--python-version",
            "3.11",
        ])
        .args(wheel.platforms().flat_map(|tag| ["--platform", tag]))
        .arg("--dest")
        .arg(&arrived)
        .arg("--requirement")
        .arg(&requirements)
        // pip writes where this points while it downloads; the system's folder is often small.
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?);
    let mut child = command.spawn().context("cannot start pip")?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        on_bytes((bytes_below(&temporary) + bytes_below(&arrived)).min(wheel.bytes));
        thread::sleep(Duration::from_millis(100));
    };
    if !status.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!(
            "pip could not download {project} {version}.\n{}",
            explain(&said)
        );
    }

    let file = arrived.join(wheel.file_name());
    let digest = sha256_of(&file).with_context(|| {
        format!(
            "pip said that it downloaded {project} {version}, but {} is not there",
            file.display()
        )
    })?;
    if digest != *sha256 {
        bail!(
            "{} is not the pinned file: SHA-256 {sha256} was expected, {digest} came.\n\
             Nothing of it was kept. A mirror may be stale or altered: see `pip config list`.",
            wheel.file_name()
        );
    }
    fs::rename(&file, path).with_context(|| format!("cannot write {}", path.display()))?;
    // Frees the space of pip's other copies before the next wheel comes.
    fs::remove_dir_all(&work)?;
    Ok(())
}

/// The last lines pip said, and what they mean to somebody who does not know pip.
fn explain(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let tail = lines[lines.len().saturating_sub(6)..].join("\n  ");
    let way_out = if said.contains("No space left on device") {
        "The disk is full: free some space, or point XDG_CACHE_HOME to a larger disk."
    } else if said.contains("DO NOT MATCH") {
        "What came is not the pinned file; nothing of it was kept. A mirror may be stale or \
         altered: see `pip config list`."
    } else {
        "Is the network up, and is a package index reachable (`pip config list` shows which)? \
         Wheels that had come whole are kept: run the same command again."
    };
    format!("  {tail}\n{way_out}")
}

/// Bytes of all files below a folder; 0 where there is none. Files may vanish meanwhile.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_below(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three bytes, `abc`, as a wheel.
    const ABC: [Wheel; 1] = [Wheel {
        project: "abc",
        version: "1.0",
        tags: "py3-none-manylinux2014_x86_64",
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }];

    /// A pip that runs a shell script; `$dest` is where the wheel has to arrive.
    fn fake_pip(folder: &Path, script: &str) -> Pip {
        let path = folder.join("pip.sh");
        let find_dest = "while [ \"$1\" != --dest ]; do shift; done; dest=$2; mkdir -p \"$dest\"\n";
        fs::write(&path, format!("{find_dest}{script}\n")).unwrap();
        Pip(vec!["sh".into(), path.into()])
    }

    fn arrive(content: &str) -> String {
        format!("printf {content} > \"$dest/{}\"", ABC[0].file_name())
    }

    /// Guards against half a wheel taken for a whole one by the run after an interruption.
    #[test]
    fn an_interrupted_download_leaves_nothing_and_the_next_run_recovers() {
        let folder = tempfile::tempdir().unwrap();
        let (downloads, scratch) = (
            folder.path().join("downloads"),
            folder.path().join("scratch"),
        );
        let broken = fake_pip(folder.path(), &format!("{}; exit 1", arrive("ab")));
        let error = fetch(&broken, &ABC, &downloads, &scratch)
            .unwrap_err()
            .to_string();
        assert!(error.contains("abc 1.0"), "{error}");
        assert_eq!(fs::read_dir(&downloads).unwrap().count(), 0);

        let whole = fake_pip(folder.path(), &arrive("abc"));
        let paths = fetch(&whole, &ABC, &downloads, &scratch).unwrap();
        assert_eq!(fs::read(&paths[0]).unwrap(), b"abc");
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    }

    /// Guards against a mirror that answers with another file.
    #[test]
    fn a_wrong_digest_is_refused_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let downloads = folder.path().join("downloads");
        let pip = fake_pip(folder.path(), &arrive("abd"));
        let error = fetch(&pip, &ABC, &downloads, folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("is not the pinned file"), "{error}");
        assert!(!downloads.join(ABC[0].file_name()).exists());
    }

    /// Guards against downloading 531 MB again after only the last wheel failed.
    #[test]
    fn whole_wheels_are_kept_and_damaged_ones_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let downloads = folder.path().join("downloads");
        fs::create_dir_all(&downloads).unwrap();
        let path = downloads.join(ABC[0].file_name());
        let failing = fake_pip(folder.path(), "exit 1");
        fs::write(&path, b"abc").unwrap();
        assert!(fetch(&failing, &ABC, &downloads, folder.path()).is_ok());
        fs::write(&path, b"ab?").unwrap();
        assert!(fetch(&failing, &ABC, &downloads, folder.path()).is_err());
    }

    #[test]
    fn pips_reasons_become_ways_out() {
        assert!(explain("OSError: [Errno 28] No space left on device").contains("XDG_CACHE_HOME"));
        assert!(explain("Temporary failure in name resolution").contains("network"));
    }
}
