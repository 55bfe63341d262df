//! From wheels to a folder that torch-sys and the dynamic linker understand.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use super::selection::is_needed;
use super::wheels::Flavour;
use crate::progress::Meter;

/// Unpacks what `flavour` needs of each wheel into `folder`, with the wheels' own layout.
///
/// # Errors
/// A wheel is no zip file, names a path outside the folder, or the disk is full.
pub(crate) fn unpack(wheels: &[PathBuf], flavour: Flavour, folder: &Path) -> Result<()> {
    let mut plans = Vec::new();
    for wheel in wheels {
        plans.push(Plan::of(wheel, flavour)?);
    }
    let total_bytes = plans.iter().map(|plan| plan.bytes).sum();
    let mut meter = Meter::new("unpacking libtorch", total_bytes);
    let mut done_bytes = 0;
    for plan in plans {
        plan.extract(folder, |bytes| {
            done_bytes += bytes;
            meter.set(done_bytes);
        })?;
    }
    meter.finish();
    Ok(())
}

/// One opened wheel and which of its entries are wanted.
struct Plan {
    wheel: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    entries: Vec<usize>,
    bytes: u64,
}

impl Plan {
    fn of(wheel: &Path, flavour: Flavour) -> Result<Self> {
        let file = File::open(wheel).with_context(|| format!("cannot open {}", wheel.display()))?;
        let mut archive = ZipArchive::new(BufReader::new(file))
            .with_context(|| format!("{} is not a wheel", wheel.display()))?;
        let mut entries = Vec::new();
        let mut bytes = 0;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index)?;
            if entry.is_file() && is_needed(flavour, &entry.name()?) {
                entries.push(index);
                bytes += entry.size();
            }
        }
        Ok(Plan {
            wheel: wheel.to_owned(),
            archive,
            entries,
            bytes,
        })
    }

    fn extract(mut self, folder: &Path, mut on_bytes: impl FnMut(u64)) -> Result<()> {
        let mut block = vec![0_u8; 1 << 20];
        for index in self.entries {
            let mut entry = self.archive.by_index(index)?;
            let Some(relative) = entry.enclosed_name() else {
                bail!(
                    "{} names a file outside itself: {}",
                    self.wheel.display(),
                    entry.name()?
                );
            };
            let path = folder.join(relative);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut out =
                File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
            loop {
                // The end of an entry also checks its CRC.
                let read = entry
                    .read(&mut block)
                    .with_context(|| format!("{} is damaged", self.wheel.display()))?;
                if read == 0 {
                    break;
                }
                out.write_all(&block[..read])
                    .with_context(|| format!("cannot write {}", path.display()))?;
                on_bytes(read as u64);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::{SimpleFileOptions, ZipWriter};

    /// A wheel with a needed library, a header and a Python file.
    fn small_wheel(path: &Path) {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        for (name, content) in [
            ("torch/lib/libc10.so", vec![7_u8; 3_000_000]),
            ("torch/include/c10/core/Device.h", b"// a header".to_vec()),
            ("torch/__init__.py", b"import nothing".to_vec()),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&content).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn only_what_is_needed_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("w.whl");
        small_wheel(&wheel);
        let out = folder.path().join("out");
        unpack(&[wheel], Flavour::Cpu, &out).unwrap();
        assert_eq!(
            fs::read(out.join("torch/lib/libc10.so")).unwrap(),
            vec![7_u8; 3_000_000]
        );
        assert!(out.join("torch/include/c10/core/Device.h").exists());
        assert!(!out.join("torch/__init__.py").exists());
    }

    /// Guards against a truncated wheel that unpacks to a truncated library.
    #[test]
    fn a_truncated_wheel_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("w.whl");
        small_wheel(&wheel);
        let whole = fs::read(&wheel).unwrap();
        fs::write(&wheel, &whole[..whole.len() / 2]).unwrap();
        let error = unpack(&[wheel], Flavour::Cpu, &folder.path().join("out")).unwrap_err();
        assert!(format!("{error:#}").contains("w.whl"), "{error:#}");
    }
}
