//! One song after the other, whatever becomes of each, and what is said and recorded of them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use bunri_stream::FileReader;
use bunri_stream::files::TagField;
use sha2::{Digest as _, Sha256};

use super::Outcome;
use super::console::{Console, named};
use super::inputs::{Input, Inputs};
use super::json_lines::JsonLines;
use super::places::{Place, Places};
use super::record::{InputRecord, ModelRecord, OptionsRecord, Record, Status, StemRecord};
use super::separate_file::{Job, Separated};
use super::template::SongFields;

/// Bytes hashed at a time: short enough to hear Ctrl-C soon.
const HASHED_BYTES: usize = 1 << 20;

/// A run over files.
pub(super) struct Batch<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) console: Console,
    pub(super) places: Places,
    pub(super) skip_existing: bool,
    pub(super) json: Option<JsonLines>,
    pub(super) model: ModelRecord,
    pub(super) options: OptionsRecord,
}

/// What a run did.
#[derive(Debug, Default)]
struct Tally {
    separated: usize,
    skipped: usize,
    warnings: usize,
    /// Files, and why.
    failed: Vec<(PathBuf, String)>,
    /// Whether a record was lost on its way to `--json`.
    lost_records: bool,
}

impl Batch<'_> {
    /// Separates all inputs and says at the end what was done.
    pub(super) fn run(mut self, inputs: Inputs) -> Outcome {
        let Inputs {
            files,
            failed,
            notes,
        } = inputs;
        let all = files.len() + failed.len();
        let mut tally = Tally::default();
        for note in notes {
            self.console.say(note);
        }
        for (path, error) in failed {
            let record = self.begun(&path);
            self.fail(&mut tally, record, path, &error);
        }
        for Input { path, folder } in files {
            let mut record = self.begun(&path);
            match self.separate(&path, &folder, &mut record) {
                Ok(()) => self.finish(&mut tally, &record),
                Err(_) if self.job.interrupt.is_requested() => {
                    let path = path.display();
                    self.console
                        .fail(format_args!("interrupted: {path} was not separated"));
                    self.summarise(&tally, all);
                    return Outcome::Interrupted;
                }
                Err(error) => self.fail(&mut tally, record, path, &error),
            }
        }
        self.summarise(&tally, all);
        if tally.failed.is_empty() && !tally.lost_records {
            Outcome::Done
        } else {
            Outcome::SomeFailed
        }
    }

    fn begun(&self, path: &Path) -> Record {
        let input = InputRecord {
            path: path.display().to_string(),
            ..InputRecord::default()
        };
        Record::begun(input, self.model.clone(), self.options.clone())
    }

    /// Separates a song, or finds that this was done before, and completes its record.
    fn separate(&mut self, path: &Path, folder: &Path, record: &mut Record) -> Result<()> {
        let (sha256, bytes) = self.digest(path)?.unzip();
        record.input.sha256 = sha256;
        record.input.bytes = bytes;
        let reader = FileReader::open(path)?;
        record.input.rate_hz = Some(reader.rate_hz());
        record.input.channels = Some(reader.channels());
        let song = song_fields(path, &reader, &self.model.name);
        let results = |place: &Place| self.job.results(|stem, ending| place.stem(stem, ending));
        let found = self.places.assign(folder, &song, &record.input, results)?;
        let results = self
            .job
            .results(|stem, ending| found.place.stem(stem, ending));
        match found.earlier {
            Some(earlier) if self.skip_existing && self.is_complete(&earlier, &results) => {
                let path = std::mem::take(&mut record.input.path);
                *record = earlier;
                record.input.path = path;
                record.status = Status::Skipped;
                return Ok(());
            }
            Some(earlier) => {
                record.earlier_stems = self.announce_replacing(&found.place, &earlier, &results);
            }
            None => {}
        }
        let record_path = found.place.record();
        if let Some(note) = found.note {
            self.console.say(format_args!(
                "{}: {note}; its own results are recorded in {}",
                path.display(),
                record_path.display()
            ));
        }
        let separated = self.job.separate(reader, path, &results, |stems| {
            record.stems = stems.to_vec();
            if let Some(folder) = record_path.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot create the folder {}", folder.display()))?;
            }
            record.write(&record_path)
        })?;
        record.input.frames = Some(separated.frames);
        record.input.seconds = Some(separated.audio_seconds());
        record.seconds = separated.work_seconds;
        record.stems.clone_from(&separated.stems);
        record.warnings.clone_from(&separated.warnings);
        record.status = Status::Done;
        record.write(&record_path)?;
        report(self.console, path, &separated);
        Ok(())
    }

    fn is_complete(&self, earlier: &Record, results: &[PathBuf]) -> bool {
        let names = self
            .job
            .outputs
            .files(self.job.targets)
            .map(|(name, _)| name);
        let files = results.iter().map(PathBuf::as_path);
        earlier.is_complete(&self.model, &self.options, names.zip(files))
    }

    /// Says which results of an earlier run are about to be replaced, and gives those that stay.
    fn announce_replacing(
        &self,
        place: &Place,
        earlier: &Record,
        results: &[PathBuf],
    ) -> Vec<StemRecord> {
        let file_of = |stem: &StemRecord| place.earlier(&stem.name, &stem.path);
        let is_there = |stem: &&StemRecord| file_of(stem).is_some_and(|file| file.exists());
        let (replaced, staying): (Vec<_>, Vec<_>) = (earlier.all_stems().filter(is_there))
            .partition(|stem| file_of(stem).is_some_and(|file| results.contains(&file)));
        let names = |stems: &[&StemRecord]| {
            let names: Vec<_> = stems.iter().map(|stem| &*stem.name).collect();
            names.join(", ")
        };
        let record = place.record();
        let record = record.display();
        let run = format!(
            "of {} (model {}, mode {})",
            earlier.started, earlier.model.name, earlier.options.mode
        );
        if !replaced.is_empty() {
            let names = names(&replaced);
            self.console
                .say(format_args!("{record}: {names} {run} will be replaced"));
        }
        if !staying.is_empty() {
            let names = names(&staying);
            self.console.say(format_args!(
                "{record}: {names} {run} will stay beside the new ones"
            ));
        }
        staying.into_iter().cloned().collect()
    }

    /// SHA-256 and size of a file; nothing of pipes and devices, which can be read only once.
    fn digest(&self, path: &Path) -> Result<Option<(String, u64)>> {
        if !fs::metadata(path).is_ok_and(|there| there.is_file()) {
            return Ok(None);
        }
        let context = || format!("{}: cannot be read", path.display());
        let mut file = File::open(path).with_context(context)?;
        let mut block = vec![0; HASHED_BYTES];
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        loop {
            self.job.interrupt.check()?;
            match file.read(&mut block).with_context(context)? {
                0 => break,
                read => {
                    hash.update(&block[..read]);
                    bytes += read as u64;
                }
            }
        }
        let digits = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Some((digits, bytes)))
    }

    /// Counts a song that came to its end.
    fn finish(&mut self, tally: &mut Tally, record: &Record) {
        match record.status {
            Status::Skipped => {
                tally.skipped += 1;
                let path = &record.input.path;
                self.console
                    .say(format_args!("{path}: skipped, its stems are complete"));
            }
            _ => {
                tally.separated += 1;
                tally.warnings += record.warnings.len();
            }
        }
        self.record(tally, record);
    }

    /// Counts and reports a song that failed.
    fn fail(&mut self, tally: &mut Tally, mut record: Record, path: PathBuf, error: &Error) {
        let error = named(error, &path);
        self.console.fail(format_args!("error: {error}"));
        record.status = Status::Failed;
        record.error = Some(error.clone());
        self.record(tally, &record);
        tally.failed.push((path, error));
    }

    fn record(&mut self, tally: &mut Tally, record: &Record) {
        let Some(json) = &mut self.json else { return };
        if let Err(error) = json.append(record) {
            if !tally.lost_records {
                self.console
                    .fail(format_args!("error: {error:#}; the work goes on"));
            }
            tally.lost_records = true;
        }
    }

    fn summarise(&self, tally: &Tally, all: usize) {
        let Tally {
            separated,
            skipped,
            warnings,
            failed,
            lost_records: _,
        } = tally;
        if all < 2 {
            return;
        }
        let left = all - separated - skipped - failed.len();
        let counts = [
            (*separated, "separated"),
            (*skipped, "skipped"),
            (failed.len(), "failed"),
            (left, "not begun or not finished"),
        ];
        let counts: Vec<_> = (counts.iter().filter(|(count, _)| *count > 0))
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let warnings = match warnings {
            0 => String::new(),
            1 => "; 1 warning".into(),
            warnings => format!("; {warnings} warnings"),
        };
        self.console
            .say(format_args!("{all} files: {}{warnings}", counts.join(", ")));
        if left > 0 {
            self.console
                .say("the same command with --skip-existing goes on from here");
        }
        if !failed.is_empty() {
            let failures = failed.len();
            self.console.fail(format_args!(
                "{failures} of {all} files could not be separated:"
            ));
            for (_, error) in failed {
                self.console.fail(format_args!("  {error}"));
            }
        }
    }
}

/// Says what came of a file: speed, place, and what is worth a warning.
pub(super) fn report(console: Console, input: &Path, separated: &Separated) {
    let (audio_seconds, work_seconds) = (separated.audio_seconds(), separated.work_seconds);
    console.say(format_args!(
        "{}: {audio_seconds:.1} s in {work_seconds:.1} s, {:.2} times real time",
        input.display(),
        audio_seconds / work_seconds.max(1e-9)
    ));
    for stem in &separated.stems {
        console.say(format_args!("  {}", stem.path));
    }
    for note in &separated.notes {
        console.say(format_args!("  note: {note}"));
    }
    for warning in &separated.warnings {
        console.warn(warning);
    }
}

/// What a name template can say of a song. Without a title in its tags, a song has its file's name.
fn song_fields(path: &Path, reader: &FileReader, model: &str) -> SongFields {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let name = text(path.file_stem());
    let tags = reader.tags();
    let tag = |field, otherwise: &str| tags.get(field).unwrap_or(otherwise).to_owned();
    let track = tag(TagField::Track, "0");
    let number = track.split('/').next().unwrap_or_default().trim();
    SongFields {
        artist: tag(TagField::Artist, "Unknown artist"),
        title: tag(TagField::Title, &name),
        album: tag(TagField::Album, "Unknown album"),
        // `03`, so that folders sort as the album does.
        track: format!("{number:0>2}"),
        model: text(Path::new(model).file_stem()),
        file_name: text(path.file_name()),
        name,
    }
}
