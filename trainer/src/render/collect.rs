//! Music that others have made and installed packages hold: a folder each, as rendered songs have,
//! with the mixture alone and where it is from.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::output::{replace_folder, write_notes};
use crate::table::Table;

/// A folder of collected songs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collection {
    /// The folder's name.
    pub(super) name: String,
    /// What it is collected from.
    package: Vec<Package>,
    /// At most this many songs of each package.
    #[serde(skip)]
    pub(super) most: Option<u64>,
}

/// Some files of an installed package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    /// The package's name, as Debian's `apt install` takes it.
    name: String,
    /// Where it lies when installed.
    folder: PathBuf,
    /// Songs, below that folder.
    files: Vec<PathBuf>,
    /// Their licence, an SPDX identifier.
    licence: String,
    /// Who made them.
    credit: String,
}

/// What `source.json` says of a song.
#[derive(Debug, Serialize)]
struct Source<'a> {
    package: &'a str,
    file: &'a Path,
    licence: &'a str,
    credit: &'a str,
}

/// What came of it.
pub(super) struct Collected {
    /// Songs that are there now.
    pub(super) songs: usize,
    /// How many of them were there before.
    pub(super) there: usize,
    /// Packages that are not installed.
    pub(super) missing: BTreeSet<String>,
}

impl Collection {
    /// Copies every song that is not there yet into a folder of its own in `out`. Packages that are
    /// not installed are left out.
    ///
    /// # Errors
    /// A package without one of its files; a disk that refuses.
    pub(super) fn collect(&self, out: &Path) -> anyhow::Result<Collected> {
        fs::create_dir_all(out)
            .with_context(|| format!("creating the folder {}", out.display()))?;
        let mut collected = Collected {
            songs: 0,
            there: 0,
            missing: BTreeSet::new(),
        };
        for package in &self.package {
            if !package.folder.is_dir() {
                collected.missing.insert(package.name.clone());
                continue;
            }
            for file in self.files_of(package) {
                let name = song_name(&package.name, file);
                collected.songs += 1;
                if out.join(&name).is_dir() {
                    collected.there += 1;
                } else {
                    package.copy(file, out, &name)?;
                }
            }
        }
        Ok(collected)
    }

    fn files_of<'a>(&self, package: &'a Package) -> impl Iterator<Item = &'a PathBuf> {
        let most = self.most.and_then(|most| usize::try_from(most).ok());
        package.files.iter().take(most.unwrap_or(usize::MAX))
    }

    /// Where the songs are from.
    pub(super) fn credits(&self, collected: &Collected) -> Table {
        let installed = self.package.iter();
        let installed = installed.filter(|package| !collected.missing.contains(&package.name));
        Table {
            title: format!("Collected in {}", self.name),
            words: 1,
            header: ["package", "songs", "licence", "by"]
                .map(str::to_owned)
                .into(),
            rows: installed
                .map(|package| {
                    vec![
                        package.name.clone(),
                        self.files_of(package).count().to_string(),
                        package.licence.clone(),
                        package.credit.clone(),
                    ]
                })
                .collect(),
        }
    }
}

impl Package {
    fn copy(&self, file: &Path, out: &Path, name: &str) -> anyhow::Result<()> {
        let from = self.folder.join(file);
        let extension = file.extension().unwrap_or_default();
        ensure!(
            from.is_file(),
            "the package {} is installed, but has no {}: is it another version?",
            self.name,
            from.display()
        );
        replace_folder(out, name, |folder| {
            let to = folder.join("mixture").with_extension(extension);
            fs::copy(&from, &to)
                .with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
            let source = Source {
                package: &self.name,
                file,
                licence: &self.licence,
                credit: &self.credit,
            };
            write_notes(&folder.join("source.json"), &source)
        })
    }
}

/// The folder of a package's file, e.g. `gunroar-data-musics-gr0`.
fn song_name(package: &str, file: &Path) -> String {
    let path = file.with_extension("");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let path: String = path.to_string_lossy().chars().map(plain).collect();
    format!("{package}-{}", path.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::songs::discover_songs;

    fn collection(folder: &Path) -> Collection {
        let text = format!(
            r#"
            name = "instrumental"
            [[package]]
            name = "tunes"
            folder = "{}"
            files = ["One Song/full.ogg", "two.wav"]
            licence = "CC0-1.0"
            credit = "Somebody"
            [[package]]
            name = "elsewhere"
            folder = "{}/not/here"
            files = ["three.ogg"]
            licence = "CC0-1.0"
            credit = "Nobody"
            "#,
            folder.display(),
            folder.display()
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn songs_of_installed_packages_become_mixtures() {
        let root = tempfile::tempdir().unwrap();
        let (installed, out) = (root.path().join("installed"), root.path().join("out"));
        fs::create_dir_all(installed.join("One Song")).unwrap();
        fs::write(installed.join("One Song/full.ogg"), b"1").unwrap();
        fs::write(installed.join("two.wav"), b"2").unwrap();
        let collection = collection(&installed);
        let first = collection.collect(&out).unwrap();
        assert_eq!((first.songs, first.there), (2, 0));
        assert!(first.missing.iter().eq(["elsewhere"]));
        let again = collection.collect(&out).unwrap();
        assert_eq!((again.songs, again.there), (2, 2));
        let songs = discover_songs(&out, &["mixture".to_owned()]).unwrap();
        let names: Vec<&str> = songs.iter().map(|song| song.name.as_str()).collect();
        assert_eq!(names, ["tunes-one-song-full", "tunes-two"]);
        let notes = fs::read_to_string(out.join("tunes-two/source.json")).unwrap();
        assert!(
            notes.contains("CC0-1.0") && notes.contains("Somebody"),
            "{notes}"
        );
    }

    /// Guards against a corpus that silently lacks a song, and against half a song.
    #[test]
    fn a_package_without_its_file_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("two.wav"), b"2").unwrap();
        let out = root.path().join("out");
        let error = collection(root.path()).collect(&out).err().unwrap();
        assert!(error.to_string().contains("full.ogg"), "{error:#}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    }
}
