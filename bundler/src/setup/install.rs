//! A complete libtorch in the user's cache, or none: everything happens in a scratch folder that
//! takes its final name in one rename.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::download::{self, Pip};
use super::unpack::unpack;
use super::wheels::{Flavour, LIBTORCH_VERSION};
use crate::progress::megabytes;

/// The project's folder in the user's cache, shared by all checkouts.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
}

/// Written last into an unpacked libtorch: what must be there, and how long it is.
const MANIFEST: &str = "bunri-libtorch.txt";
/// Raised when [`super::selection`] begins to keep other files, so that old folders are redone.
const LAYOUT: &str = "layout 2";
/// What lies in the place of `libtorch.so`, which torch-sys links. The wheel's own holds no code but
/// names `libtorch_cuda.so` as needed; GNU ld keeps it in spite of `--as-needed` (lld does not), and
/// the program would then not start on a machine without CUDA. Linkers read this as a script.
const LINKER_SCRIPT: &str = "/* GNU ld script */\nINPUT ( AS_NEEDED ( -ltorch_cpu ) )\n";
/// Everything that a dead run may have left behind begins with this.
const SCRATCH_PREFIX: &str = ".partial-";

impl Cache {
    /// `$XDG_CACHE_HOME/bunri`, or `~/.cache/bunri`.
    ///
    /// # Errors
    /// Neither variable names an absolute path.
    pub(crate) fn of_user() -> Result<Self> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path: &PathBuf| path.is_absolute())
        };
        let base =
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        match base {
            Some(base) => Ok(Cache {
                root: base.join("bunri"),
            }),
            None => bail!("neither XDG_CACHE_HOME nor HOME is an absolute path: set one of them"),
        }
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Cache {
            root: root.to_owned(),
        }
    }

    /// Where a flavour of the pinned libtorch lies once it is complete.
    pub(crate) fn libtorch(&self, flavour: Flavour) -> PathBuf {
        self.root
            .join(format!("libtorch-{LIBTORCH_VERSION}-{}", flavour.name()))
    }

    /// Where a soundfont lies that was fetched without being root.
    pub(crate) fn soundfont(&self) -> PathBuf {
        self.root.join("FluidR3_GM.sf2")
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until no other run works in the cache, and clears what dead ones left.
    pub(crate) fn lock(&self) -> Result<CacheLock> {
        fs::create_dir_all(&self.root)
            .with_context(|| format!("cannot create the cache folder {}", self.root.display()))?;
        let file = File::create(self.root.join("lock"))
            .with_context(|| format!("cannot write into {}", self.root.display()))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another set-up to finish");
            file.lock().context("cannot lock the cache folder")?;
        }
        for entry in fs::read_dir(&self.root)?.flatten() {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(SCRATCH_PREFIX)
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(CacheLock { _file: file })
    }

    /// A folder that vanishes at the end of the run, or at the start of the next one.
    pub(crate) fn scratch(&self, _held: &CacheLock) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix(SCRATCH_PREFIX)
            .tempdir_in(&self.root)
            .with_context(|| format!("cannot write into {}", self.root.display()))
    }
}

/// Held while the cache is changed.
#[derive(Debug)]
pub(crate) struct CacheLock {
    _file: File,
}

/// Makes sure that the cache holds a complete libtorch, and gives its folder.
///
/// # Errors
/// Too little disk space, no pip, no network, a wrong file: each says what to do.
pub(crate) fn install(cache: &Cache, flavour: Flavour) -> Result<PathBuf> {
    let folder = cache.libtorch(flavour);
    let held = cache.lock()?;
    // Another run may have finished it while this one waited.
    if check(&folder).is_ok() {
        return Ok(folder);
    }
    let downloads = cache.root.join("downloads");
    require_space(cache, flavour, &downloads)?;
    let scratch = cache.scratch(&held)?;
    let pip = Pip::find()?;
    let wheels = download::fetch(&pip, flavour.wheels(), &downloads, scratch.path())?;
    let unpacked = scratch.path().join("unpacked");
    unpack(&wheels, flavour, &unpacked)?;
    publish(&unpacked, &folder, scratch.path())?;
    fs::remove_dir_all(&downloads)?;
    Ok(folder)
}

/// Writes the manifest and gives the folder its final name; a damaged former one goes to scratch.
fn publish(unpacked: &Path, folder: &Path, scratch: &Path) -> Result<()> {
    // torch-sys reads this file, where there is one, and refuses a version it was not made for.
    fs::write(unpacked.join("torch/build-version"), LIBTORCH_VERSION)?;
    fs::write(unpacked.join("torch/lib/libtorch.so"), LINKER_SCRIPT)?;
    let mut manifest = format!("{LAYOUT}\n");
    for path in libraries_below(unpacked)? {
        let relative = path.strip_prefix(unpacked)?;
        let bytes = fs::metadata(&path)?.len();
        manifest.push_str(&format!("{bytes} {}\n", relative.display()));
    }
    fs::write(unpacked.join(MANIFEST), manifest)?;
    if folder.exists() {
        fs::rename(folder, scratch.join("replaced"))?;
    }
    fs::rename(unpacked, folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Whether an unpacked libtorch is whole, by presence and length of its libraries: microseconds.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check(folder: &Path) -> Result<(), String> {
    let manifest = fs::read_to_string(folder.join(MANIFEST))
        .map_err(|_| format!("{} is not there or not complete", folder.display()))?;
    let mut lines = manifest.lines();
    if lines.next() != Some(LAYOUT) {
        return Err(format!(
            "{} was unpacked by another version",
            folder.display()
        ));
    }
    for line in lines {
        let (bytes, path) = line.split_once(' ').unwrap_or_default();
        let found = fs::metadata(folder.join(path))
            .map(|file| file.len())
            .unwrap_or(0);
        if bytes.parse() != Ok(found) {
            return Err(format!("{path} has {found} bytes instead of {bytes}"));
        }
    }
    Ok(())
}

fn libraries_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(libraries_below(&path)?);
        } else if path.parent().is_some_and(|parent| parent.ends_with("lib")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Bytes needed at the worst moment: the wheels and pip's second copy of the largest, or the
/// wheels and what is unpacked from them.
fn require_space(cache: &Cache, flavour: Flavour, downloads: &Path) -> Result<()> {
    let wheels = flavour.wheels();
    let all: u64 = wheels.iter().map(|wheel| wheel.bytes).sum();
    let largest = wheels.iter().map(|wheel| wheel.bytes).max().unwrap_or(0);
    let here: u64 = wheels
        .iter()
        .filter(|wheel| downloads.join(wheel.file_name()).exists())
        .map(|wheel| wheel.bytes)
        .sum();
    let needed = (all + largest.max(flavour.unpacked_bytes())).saturating_sub(here);
    let free = free_bytes(&cache.root)?;
    if free < needed {
        bail!(
            "libtorch for {} needs {} on the disk of {} while it unpacks; {} are free.\n\
             Free some space, or point XDG_CACHE_HOME to a larger disk.",
            flavour.name(),
            megabytes(needed),
            cache.root.display(),
            megabytes(free)
        );
    }
    Ok(())
}

fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask how much space is free on {}", folder.display()))?;
    Ok(disk.f_bavail * disk.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked_in(scratch: &Path) -> PathBuf {
        let unpacked = scratch.join("unpacked");
        fs::create_dir_all(unpacked.join("torch/lib")).unwrap();
        fs::create_dir_all(unpacked.join("nvidia/cu13/lib")).unwrap();
        fs::write(unpacked.join("torch/lib/libc10.so"), b"c10").unwrap();
        fs::write(unpacked.join("nvidia/cu13/lib/libcudart.so.13"), b"cudart").unwrap();
        unpacked
    }

    /// Guards against a half-used folder: complete after publishing, named as damaged when a
    /// library is cut short or gone, and complete again after publishing over it.
    #[test]
    fn a_folder_is_complete_or_said_to_be_damaged() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(&root.path().join("bunri"));
        let folder = cache.libtorch(Flavour::Cpu);
        assert!(check(&folder).is_err());
        for damage in [true, false] {
            let held = cache.lock().unwrap();
            let scratch = cache.scratch(&held).unwrap();
            publish(&unpacked_in(scratch.path()), &folder, scratch.path()).unwrap();
            assert_eq!(check(&folder), Ok(()));
            if damage {
                fs::write(folder.join("torch/lib/libc10.so"), b"c").unwrap();
                assert!(
                    check(&folder)
                        .unwrap_err()
                        .contains("libc10.so has 1 bytes instead of 3")
                );
            }
        }
        assert_eq!(
            fs::read_to_string(folder.join("torch/build-version")).unwrap(),
            LIBTORCH_VERSION
        );
    }

    /// Guards against a gigabyte of leftovers after each Ctrl-C.
    #[test]
    fn the_next_run_clears_what_a_dead_one_left() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        let dead = root.path().join(".partial-dead");
        fs::create_dir_all(dead.join("unpacked/torch")).unwrap();
        let held = cache.lock().unwrap();
        assert!(!dead.exists());
        drop(held);
    }

    #[test]
    fn a_manifest_of_another_layout_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(MANIFEST), "layout 0\n").unwrap();
        assert!(check(root.path()).unwrap_err().contains("another version"));
    }
}
