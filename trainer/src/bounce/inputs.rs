//! The audio files that the command line names, those in folders among them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Error, anyhow};
use walkdir::WalkDir;

use super::record::Record;

/// Endings by which a file in a folder is taken for audio. A file that is named itself may have any.
const ENDINGS: [&str; 24] = [
    "wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "caf", "flac", "mp2", "mp3", "mp4",
    "m4a", "m4b", "aac", "alac", "ogg", "oga", "opus", "mka", "webm", "wma", "wv",
];

/// An audio file of this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// The folder that it lies in, as seen from the folder that was named: kept below the output.
    pub(super) folder: PathBuf,
}

/// What the command line comes to.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// In the order of the command line, folders by name; each file once.
    pub(super) files: Vec<Input>,
    /// What could not be looked into.
    pub(super) failed: Vec<(PathBuf, Error)>,
    /// What was left out on purpose, in sentences.
    pub(super) notes: Vec<String>,
}

impl Inputs {
    /// Takes files as they are, and the audio files in folders: with `recursive` in folders below them,
    /// too. Hidden files, `output` and the results of earlier runs are left out there, and links are
    /// followed, each folder once.
    pub(super) fn find(named: &[PathBuf], recursive: bool, output: &Path) -> Self {
        let mut inputs = Self::default();
        for path in named {
            if path.is_dir() {
                inputs.look_into(path, recursive, output);
            } else {
                inputs.files.push(Input {
                    path: path.clone(),
                    folder: PathBuf::new(),
                });
            }
        }
        let mut seen = HashSet::new();
        // What cannot be found under a canonical name is reported where it is opened.
        (inputs.files).retain(|input| match fs::canonicalize(&input.path) {
            Ok(path) if path.is_file() => seen.insert(path),
            _ => true,
        });
        inputs
    }

    fn look_into(&mut self, folder: &Path, recursive: bool, output: &Path) {
        let output = fs::canonicalize(output).ok();
        let mut found = Vec::new();
        let mut results = HashSet::new();
        let mut folders_left_out = 0;
        let mut visited = HashSet::new();
        let mut entries = WalkDir::new(folder)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // A link to a folder that it lies in: what is in there is found anyway.
                Err(error) if error.loop_ancestor().is_some() => continue,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    let error = anyhow!("{error}");
                    self.failed.push((path, error));
                    continue;
                }
            };
            let is_below = entry.depth() > 0;
            let is_hidden = is_below && entry.file_name().as_encoded_bytes().starts_with(b".");
            if entry.file_type().is_dir() {
                let canonical = fs::canonicalize(entry.path()).ok();
                let is_output = is_below && canonical.is_some() && canonical == output;
                let is_known = canonical.is_some_and(|canonical| !visited.insert(canonical));
                if is_hidden || is_output || is_known {
                    entries.skip_current_dir();
                } else if is_below && !recursive {
                    folders_left_out += 1;
                    entries.skip_current_dir();
                }
            } else if entry.file_type().is_file() && !is_hidden {
                if has_ending(entry.path(), &["json"]) {
                    results.extend(Record::results_beside(entry.path()));
                } else if has_ending(entry.path(), &ENDINGS) {
                    found.push(entry.into_path());
                }
            }
        }
        let all = found.len();
        found.retain(|path| !results.contains(path));
        let shown = folder.display();
        if found.len() < all {
            self.notes.push(format!(
                "{shown}: {} results of earlier runs in it are no inputs",
                all - found.len()
            ));
        }
        if folders_left_out > 0 {
            self.notes.push(format!(
                "{shown}: {folders_left_out} folders in it were left out; --recursive takes them, too"
            ));
        }
        if found.is_empty() {
            let error = anyhow!("{shown}: no audio files in this folder");
            self.failed.push((folder.to_owned(), error));
        }
        self.files.extend(found.into_iter().map(|path| {
            let parent = path.parent().unwrap_or(Path::new(""));
            let below = parent.strip_prefix(folder).unwrap_or(Path::new(""));
            Input {
                folder: below.to_owned(),
                path,
            }
        }));
    }
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        endings
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(inputs: &Inputs, below: &Path) -> Vec<String> {
        let name = |input: &Input| {
            let path = input.path.strip_prefix(below).unwrap();
            format!(
                "{} in {:?}",
                path.display(),
                input.folder.display().to_string()
            )
        };
        inputs.files.iter().map(name).collect()
    }

    /// Guards against walks without an end, results that become inputs, and files taken twice.
    #[test]
    fn folders_give_their_audio_files_once() {
        let temporary = tempfile::tempdir().unwrap();
        let music = temporary.path().join("music");
        for folder in ["a/b", ".hidden", "out/song"] {
            fs::create_dir_all(music.join(folder)).unwrap();
        }
        for file in [
            "2.MP3",
            "1.wav",
            "cover.jpg",
            ".3.wav",
            "a/4.flac",
            "a/b/5.ogg",
            ".hidden/6.wav",
            "out/song/drums.wav",
        ] {
            fs::write(music.join(file), "x").unwrap();
        }
        symlink("..", music.join("a/up")).unwrap();
        symlink("b", music.join("a/same")).unwrap();
        symlink("1.wav", music.join("z.wav")).unwrap();
        symlink("nowhere", music.join("dead.wav")).unwrap();

        let named = [music.join("1.wav"), music.clone()];
        let flat = Inputs::find(&named, false, &music.join("out"));
        assert_eq!(names(&flat, &music), ["1.wav in \"\"", "2.MP3 in \"\""]);
        assert!(flat.notes[0].contains("--recursive"), "{:?}", flat.notes);

        let tree = Inputs::find(&named[1..], true, &music.join("out"));
        let expected = [
            "1.wav in \"\"",
            "2.MP3 in \"\"",
            "a/4.flac in \"a\"",
            "a/b/5.ogg in \"a/b\"",
        ];
        assert_eq!(names(&tree, &music), expected);
        assert!(tree.failed.len() == 1 && tree.failed[0].0.ends_with("dead.wav"));

        let empty = Inputs::find(&[music.join(".hidden")], true, temporary.path());
        assert_eq!(names(&empty, &music), [".hidden/6.wav in \"\""]);
        fs::remove_file(music.join(".hidden/6.wav")).unwrap();
        let empty = Inputs::find(&[music.join(".hidden")], true, temporary.path());
        assert!(empty.failed[0].1.to_string().contains("no audio files"));
    }
}
