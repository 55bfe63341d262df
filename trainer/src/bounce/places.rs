//! Where each song's results go, so that they replace no input, no other song's results and no other
//! file.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bunri_stream::files::StemFileWriter;

use super::inputs::Input;
use super::record::{InputRecord, Record};
use super::template::{SongFields, Template};

/// Most names that are tried for one song.
const MOST_ATTEMPTS: usize = 100_000;

/// The paths of one song's results.
#[derive(Clone, Debug)]
pub(super) struct Place {
    folder: PathBuf,
    template: Template,
    song: SongFields,
    attempt: usize,
}

impl Place {
    /// The file of a stem; `ending` without its dot.
    pub(super) fn stem(&self, stem: &str, ending: &str) -> PathBuf {
        let mut path = (self.folder)
            .join(self.template.path(&self.song, stem, self.attempt))
            .into_os_string();
        path.push(".");
        path.push(ending);
        path.into()
    }

    /// The song's record, which is called like one more stem.
    pub(super) fn record(&self) -> PathBuf {
        self.stem("bunri", "json")
    }

    /// Where a stem of an earlier run lies now, if its name is still one of this place.
    pub(super) fn earlier(&self, stem: &str, written_as: &str) -> Option<PathBuf> {
        let ending = match written_as.ends_with(&format!(".{}", StemFileWriter::EXTENSION)) {
            true => StemFileWriter::EXTENSION,
            false => Path::new(written_as).extension()?.to_str()?,
        };
        Some(self.stem(stem, ending))
    }
}

/// A place that a song may take.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    /// What is there of the same input.
    pub(super) earlier: Option<Record>,
    /// Why the song does not have the name that the template gives, if that is because of a file.
    pub(super) note: Option<String>,
}

/// What is at a place.
enum Holder {
    /// Nothing that would be replaced.
    Free,
    /// Results of the same input.
    SameInput(Box<Record>),
    /// Something else, in words.
    Other(String),
}

/// Gives every song of a run a place of its own below the output folder.
#[derive(Debug)]
pub(super) struct Places {
    output: PathBuf,
    template: Template,
    /// Places given, in lower case: some file systems do not tell `Song` from `song`.
    taken: HashSet<String>,
    /// Every input of the run, under its canonical name.
    inputs: HashSet<PathBuf>,
}

impl Places {
    pub(super) fn below(output: &Path, template: Template, inputs: &[Input]) -> Self {
        let canonical = |input: &Input| fs::canonicalize(&input.path).ok();
        Self {
            output: output.to_owned(),
            template,
            taken: HashSet::new(),
            inputs: inputs.iter().filter_map(canonical).collect(),
        }
    }

    /// The first place that no other song of this run has, and that either is free or holds results of
    /// the same input. `results` gives the files that are about to be written there.
    ///
    /// # Errors
    /// Results that would replace an input of this run.
    pub(super) fn assign(
        &mut self,
        folder: &Path,
        song: &SongFields,
        input: &InputRecord,
        results: impl Fn(&Place) -> Vec<PathBuf>,
    ) -> Result<Found> {
        let mut note = None;
        for attempt in 0..MOST_ATTEMPTS {
            let place = Place {
                folder: self.output.join(folder),
                template: self.template.clone(),
                song: song.clone(),
                attempt,
            };
            let name = place.record().to_string_lossy().to_lowercase();
            if self.taken.contains(&name) {
                continue;
            }
            let results = results(&place);
            self.check_inputs_are_safe(&results)?;
            let earlier = match holder(&place, &results, input) {
                Holder::Free => None,
                Holder::SameInput(record) => Some(*record),
                Holder::Other(what) => {
                    note.get_or_insert(what);
                    continue;
                }
            };
            self.taken.insert(name);
            return Ok(Found {
                place,
                earlier,
                note,
            });
        }
        bail!(
            "{}: {MOST_ATTEMPTS} songs have this name already; choose another output folder with -o",
            self.output.join(folder).display()
        );
    }

    fn check_inputs_are_safe(&self, results: &[PathBuf]) -> Result<()> {
        for result in results {
            // Only a file that is there can be an input.
            if fs::canonicalize(result).is_ok_and(|there| self.inputs.contains(&there)) {
                bail!(
                    "{}: is an input of this run and would be overwritten by a stem; choose another \
                     output folder with -o",
                    result.display()
                );
            }
        }
        Ok(())
    }
}

fn holder(place: &Place, results: &[PathBuf], input: &InputRecord) -> Holder {
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    let path = place.record();
    let record = Record::read(&path);
    if let Some(record) = record.as_ref().filter(|record| !record.has_input(input)) {
        return Holder::Other(format!(
            "{} belongs to {}",
            path.display(),
            record.input.path
        ));
    }
    let recorded: Vec<_> = record
        .iter()
        .flat_map(Record::all_stems)
        .filter_map(|stem| place.earlier(&stem.name, &stem.path))
        .collect();
    let foreign = results
        .iter()
        .find(|path| is_there(path) && !recorded.contains(path));
    let foreign = foreign.or((record.is_none() && is_there(&path)).then_some(&path));
    if let Some(foreign) = foreign {
        return Holder::Other(format!("{} is there already", foreign.display()));
    }
    let folders = results.iter().chain([&path]).flat_map(|path| {
        let above = path.ancestors().skip(1);
        above.take_while(|folder| *folder != place.folder)
    });
    if let Some(file) = folders
        .into_iter()
        .find(|path| is_there(path) && !path.is_dir())
    {
        return Holder::Other(format!("{} is not a folder", file.display()));
    }
    match record {
        Some(record) => Holder::SameInput(Box::new(record)),
        None => Holder::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::record::{ModelRecord, OptionsRecord, StemRecord};

    fn input(path: &str, sha256: &str) -> InputRecord {
        InputRecord {
            path: path.into(),
            sha256: Some(sha256.into()),
            ..InputRecord::default()
        }
    }

    fn song(name: &str) -> SongFields {
        SongFields {
            name: Path::new(name)
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .into(),
            file_name: name.into(),
            ..SongFields::default()
        }
    }

    fn drums(place: &Place) -> Vec<PathBuf> {
        vec![place.stem("drums", "wav")]
    }

    fn write(place: &Place, input: &InputRecord) {
        let path = &drums(place)[0];
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        let model = ModelRecord::default();
        let mut record = Record::begun(input.clone(), model, OptionsRecord::default());
        record.stems = vec![StemRecord {
            name: "drums".into(),
            path: "elsewhere/drums.wav".into(),
            ..StemRecord::default()
        }];
        record.write(&place.record()).unwrap();
    }

    struct Bench {
        folder: tempfile::TempDir,
    }

    impl Bench {
        /// Places of a new run.
        fn places(&self) -> Places {
            let template = "{name}/{stem}".parse().unwrap();
            Places::below(self.folder.path(), template, &[])
        }

        fn assign(&self, places: &mut Places, name: &str, input: &InputRecord) -> (String, Found) {
            let found = places
                .assign(Path::new(""), &song(name), input, drums)
                .unwrap();
            let record = found.place.record();
            let folder = record
                .parent()
                .unwrap()
                .strip_prefix(self.folder.path())
                .unwrap();
            (folder.to_str().unwrap().to_owned(), found)
        }
    }

    fn bench() -> Bench {
        Bench {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    #[test]
    fn inputs_of_one_name_get_folders_of_their_own() {
        let bench = bench();
        let mut places = bench.places();
        let names = ["song.mp3", "song.wav", "Song.mp3", "song.mp3", "song.mp3"];
        let expected = [
            "song",
            "song.wav",
            "Song.mp3",
            "song.mp3 (2)",
            "song.mp3 (3)",
        ];
        for (name, expected) in names.into_iter().zip(expected) {
            assert_eq!(
                bench.assign(&mut places, name, &input(name, "1")).0,
                expected
            );
        }
    }

    /// Guards a song's results against another song of the same name in a later run.
    #[test]
    fn results_are_replaced_by_those_of_the_same_content_alone() {
        let bench = bench();
        let (first, second) = (input("a/song.wav", "1"), input("b/song.wav", "2"));
        let (name, found) = bench.assign(&mut bench.places(), "song.wav", &first);
        assert!(name == "song" && found.earlier.is_none() && found.note.is_none());
        write(&found.place, &first);

        let (name, found) = bench.assign(&mut bench.places(), "song.wav", &second);
        assert!(name == "song.wav" && found.note.unwrap().contains("a/song.wav"));
        write(&found.place, &second);

        for (name, input) in [("song", &first), ("song.wav", &second)] {
            let (again, found) = bench.assign(&mut bench.places(), "song.wav", input);
            assert_eq!(again, name);
            assert_eq!(&found.earlier.unwrap().input, input);
        }
        // Nothing is known of what came through a pipe.
        let pipe = InputRecord::default();
        assert_eq!(
            bench.assign(&mut bench.places(), "song", &pipe).0,
            "song (2)"
        );
    }

    #[test]
    fn files_without_a_record_are_never_replaced() {
        let bench = bench();
        let song = input("song.wav", "1");
        let folder = bench.folder.path();
        fs::create_dir(folder.join("song")).unwrap();
        fs::write(folder.join("song/drums.wav"), "mine").unwrap();
        fs::write(folder.join("song.wav"), "the input beside the results").unwrap();
        let (name, found) = bench.assign(&mut bench.places(), "song.wav", &song);
        assert_eq!(name, "song.wav (2)");
        assert!(found.note.unwrap().ends_with("drums.wav is there already"));

        fs::remove_dir_all(folder.join("song")).unwrap();
        let (name, found) = bench.assign(&mut bench.places(), "song.wav", &song);
        assert_eq!(name, "song");
        write(&found.place, &song);
        fs::write(folder.join("song/bunri.json"), "{}").unwrap();
        assert_eq!(
            bench.assign(&mut bench.places(), "song.wav", &song).0,
            "song.wav (2)"
        );
    }

    #[test]
    fn an_input_is_recognised_under_another_name() {
        let bench = bench();
        let folder = bench.folder.path().join("vocals");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("drums.wav");
        fs::write(&path, b"x").unwrap();
        let mut places = bench.places();
        let named = folder.join("..").join("vocals").join("drums.wav");
        places.inputs.insert(fs::canonicalize(named).unwrap());
        let input = input("vocals.wav", "1");
        let error = places
            .assign(Path::new(""), &song("vocals.wav"), &input, drums)
            .unwrap_err();
        assert!(
            error.to_string().contains("would be overwritten"),
            "{error}"
        );
    }
}
