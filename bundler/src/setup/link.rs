//! `.libtorch` in the checkout: a link into the user's cache, or to a libtorch of one's own.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::install::{self, Cache};
use super::wheels::Flavour;

/// What `.libtorch` is at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// Not there, or a link to nothing.
    Missing,
    /// A link to a complete libtorch of the pinned version in the cache.
    Ready(Flavour),
    /// A link to where a libtorch of ours should be, and what is wrong with it.
    Damaged(Flavour, String),
    /// A libtorch that somebody put there by hand; the build uses it as it is.
    ByHand(PathBuf),
}

/// Looks at the link. Touches a dozen files, so it can be asked before every command.
pub(crate) fn state(link: &Path, cache: &Cache) -> LinkState {
    let target = fs::read_link(link).unwrap_or_else(|_| link.to_owned());
    for flavour in [Flavour::Cpu, Flavour::Cuda] {
        if target == cache.libtorch(flavour) {
            return match install::check(&target) {
                Ok(()) => LinkState::Ready(flavour),
                Err(reason) => LinkState::Damaged(flavour, reason),
            };
        }
    }
    // A folder of ours, of another version or another user's cache, is no choice of the user's.
    let of_ours = target
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("libtorch-"))
        && target
            .parent()
            .is_some_and(|parent| parent.ends_with("bunri"));
    if !of_ours && link.join("torch/lib/libtorch_cpu.so").exists() {
        return LinkState::ByHand(target);
    }
    LinkState::Missing
}

/// Points the link to `target` in one step, so that a build running meanwhile sees one or the other.
///
/// # Errors
/// A real file or folder lies in the link's place.
pub(crate) fn point(link: &Path, target: &Path) -> Result<()> {
    if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        bail!(
            "{} is not a link: move it away and run the set-up again",
            link.display()
        );
    }
    // The ending is one that git ignores, should the next two lines be interrupted.
    let fresh = link.with_extension(format!("{}.tmp", std::process::id()));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    symlink(target, &fresh).with_context(|| format!("cannot write {}", fresh.display()))?;
    fs::rename(&fresh, link).with_context(|| format!("cannot replace {}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_moves_from_one_target_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join(".libtorch");
        point(&link, Path::new("first")).unwrap();
        point(&link, Path::new("second")).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("second"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Guards against deleting a folder that somebody filled by hand.
    #[test]
    fn a_real_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join(".libtorch");
        fs::create_dir(&link).unwrap();
        assert!(
            point(&link, Path::new("target"))
                .unwrap_err()
                .to_string()
                .contains("move it away")
        );
    }

    #[test]
    fn the_states_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&folder.path().join("bunri"));
        let link = folder.path().join(".libtorch");
        assert_eq!(state(&link, &cache), LinkState::Missing);

        let own = folder.path().join("own");
        fs::create_dir_all(own.join("torch/lib")).unwrap();
        fs::write(own.join("torch/lib/libtorch_cpu.so"), b"x").unwrap();
        point(&link, &own).unwrap();
        assert_eq!(state(&link, &cache), LinkState::ByHand(own.clone()));

        point(&link, &cache.libtorch(Flavour::Cuda)).unwrap();
        assert!(matches!(
            state(&link, &cache),
            LinkState::Damaged(Flavour::Cuda, _)
        ));

        // An older version's folder is whole, yet not to be used.
        let older = folder.path().join("bunri/libtorch-1.0.0-cpu");
        fs::create_dir_all(older.parent().unwrap()).unwrap();
        fs::rename(&own, &older).unwrap();
        point(&link, &older).unwrap();
        assert_eq!(state(&link, &cache), LinkState::Missing);
    }
}
