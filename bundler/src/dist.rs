//! `cargo bundler dist`: the package as one archive, for machines without Rust, Python or a network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::package;
use crate::progress::megabytes;
use crate::setup::{Flavour, sha256_of};

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Compression {
    /// Every Linux unpacks it, the barest included.
    Gzip,
    /// A third smaller, minutes to make; bare Debian and Ubuntu lack `xz`.
    Xz,
}

impl Compression {
    fn ending(self) -> &'static str {
        match self {
            Compression::Gzip => "tar.gz",
            Compression::Xz => "tar.xz",
        }
    }

    /// What tar pipes the archive through. No time and no name go in: equal packages make equal
    /// archives.
    fn program(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip -9 -n",
            // A dictionary that holds engine and programs at once: each has the models inside.
            Compression::Xz => "xz -6 -T2 --lzma2=preset=6,dict=64MiB",
        }
    }
}

/// Makes the archive and says what is in it.
///
/// # Errors
/// The package cannot be made, `tar` or the compressor is missing, or the disk is full.
pub(crate) fn run(
    checkout: &Checkout,
    wanted: Option<Flavour>,
    compression: Compression,
) -> Result<()> {
    let package = package::make(checkout, wanted)?;
    let name = package.folder.file_name().unwrap_or_default();
    let archive = checkout.target_folder()?.join("dist").join(format!(
        "{}.{}",
        name.to_string_lossy(),
        compression.ending()
    ));
    eprintln!("packing {}", archive.display());
    pack(&package.folder, &archive, compression)?;

    print!("{}", package.contents.table());
    println!("\nfrom the system: {}", package.contents.system().join(" "));
    println!(
        "runs with glibc {} and libstdc++ {} or newer",
        package.contents.glibc(),
        package.contents.libstdcxx()
    );
    let bytes = fs::metadata(&archive)?.len();
    println!("\n{} ({})", archive.display(), megabytes(bytes));
    println!("SHA-256 {}", sha256_of(&archive)?);
    if let Some(restriction) = package.restriction {
        println!("\n{restriction}");
    }
    Ok(())
}

/// Packs a folder, under its own name, into an archive that is there whole or not at all.
fn pack(folder: &Path, archive: &Path, compression: Compression) -> Result<()> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        bail!("{} is no folder to pack", folder.display());
    };
    let place = archive.parent().context("an archive without a folder")?;
    fs::create_dir_all(place)?;
    let fresh = tempfile::Builder::new().suffix(".tmp").tempfile_in(place)?;
    let status = Command::new("tar")
        // Nothing of this machine: no user, no time, no order of the file system's.
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mtime=@0", "--mode=u+rw,go=rX", "--format=gnu"])
        .arg("--use-compress-program")
        .arg(compression.program())
        .arg("--create")
        .arg("--file")
        .arg(fresh.path())
        .arg("--directory")
        .arg(parent)
        .arg(name)
        .stdin(Stdio::null())
        .status()
        .context("cannot start tar")?;
    if !status.success() {
        bail!(
            "tar gave {status}: is `{}` there, and is the disk full?",
            compression.program()
        );
    }
    fresh.persist(archive)?;
    make_readable(archive)
}

/// Temporary files are their owner's only.
fn make_readable(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Guards reproducible archives: the same files, packed later and by another way of writing
    /// them, are the same bytes; and what comes out is what went in.
    #[test]
    fn equal_folders_make_equal_archives() {
        let root = tempfile::tempdir().unwrap();
        let mut archives = Vec::new();
        for (run, names) in [["b", "a"], ["a", "b"]].into_iter().enumerate() {
            let folder = root.path().join(run.to_string()).join("bunri-1");
            fs::create_dir_all(&folder).unwrap();
            for name in names {
                let path = folder.join(name);
                fs::write(&path, name.repeat(1000)).unwrap();
                let file = fs::File::options().write(true).open(&path).unwrap();
                let time = std::time::UNIX_EPOCH + Duration::from_secs(1000 * run as u64);
                file.set_modified(time).unwrap();
            }
            let archive = root.path().join(format!("{run}.tar.gz"));
            pack(&folder, &archive, Compression::Gzip).unwrap();
            archives.push(fs::read(&archive).unwrap());
        }
        assert!(archives[0] == archives[1], "the archives differ");

        let unpacked = root.path().join("unpacked");
        fs::create_dir(&unpacked).unwrap();
        let status = Command::new("tar")
            .arg("xzf")
            .arg(root.path().join("0.tar.gz"))
            .arg("-C")
            .arg(&unpacked)
            .status();
        assert!(status.unwrap().success());
        let content = fs::read_to_string(unpacked.join("bunri-1/a")).unwrap();
        assert_eq!(content, "a".repeat(1000));
    }
}
