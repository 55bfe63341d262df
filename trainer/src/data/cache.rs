//! Songs decoded once, onto disk, for this run, the next one and every rank.
//!
//! One file per stem (see [`track`](super::track)), named by a hash of what it was made of: the
//! file's path, length and time of change, the track in it, and the rate. A changed song is thus
//! decoded anew. Nothing is ever removed; the whole folder may be, while no training runs.
//!
//! Several processes may share the folder. Who decodes a stem holds a lock on `NAME.part` and gives
//! the file its name once it is complete and on disk: a file that has its name is whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::decode::decode;
use super::stem_file::StemFile;
use super::track::Track;

/// The folder of decoded stems, at one rate.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    rate_hz: u32,
}

/// What to do about a stem that another process decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfBusy {
    Leave,
    Wait,
}

impl Cache {
    /// A cache in `folder`, which is made where it is missing, of audio at `rate_hz`.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn new(folder: &Path, rate_hz: u32) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| {
            format!(
                "making the folder of decoded songs {} (data.cache chooses another)",
                folder.display()
            )
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            rate_hz,
        })
    }

    /// Frames per second of every track.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// A stem or mixture in stereo, decoded now if it has not been before.
    ///
    /// # Errors
    /// A file that does not decode or is damaged, a disk that is full: with their names.
    pub fn track(&self, source: &StemFile) -> Result<Track> {
        self.track_unless(source, IfBusy::Wait)?
            .with_context(|| format!("{source}: the cache did not wait"))
    }

    /// As [`track`](Self::track); `None` if another process is at it and `if_busy` says to leave it.
    pub(super) fn track_unless(&self, source: &StemFile, if_busy: IfBusy) -> Result<Option<Track>> {
        let path = self.path_of(source)?;
        loop {
            if let Some(track) = open(&path)? {
                return Ok(Some(track));
            }
            let part = path.with_extension("part");
            let file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&part)
                .map_err(|error| in_cache(&part, error))?;
            match if_busy {
                IfBusy::Wait => match file.lock() {
                    // No locks on this file system: at worst two processes decode the same.
                    Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                        return Err(in_cache(&part, error));
                    }
                    _ => {}
                },
                IfBusy::Leave => match file.try_lock() {
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(error))
                        if error.kind() != io::ErrorKind::Unsupported =>
                    {
                        return Err(in_cache(&part, error));
                    }
                    _ => {}
                },
            }
            // Whoever held the lock before has given the file its name: start over and find it.
            if !is_still(&part, &file) {
                continue;
            }
            // Made between our look and our lock, by one who made `part` anew.
            if let Some(track) = open(&path)? {
                let _ = fs::remove_file(&part);
                return Ok(Some(track));
            }
            if let Err(error) = decode(source, self.rate_hz, &file, &part) {
                // Nothing is kept of what did not work, above all not on a full disk.
                let _ = fs::remove_file(&part);
                return Err(error);
            }
            fs::rename(&part, &path).map_err(|error| in_cache(&path, error))?;
            let track = open(&path)?;
            return track.map(Some).with_context(|| {
                format!(
                    "{} was written and cannot be read back: check the disk",
                    path.display()
                )
            });
        }
    }

    /// Where the decoded stem lies.
    fn path_of(&self, source: &StemFile) -> Result<PathBuf> {
        let about = || format!("reading {source}");
        let path = source.path.canonicalize().with_context(about)?;
        let metadata = fs::metadata(&path).with_context(about)?;
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let key = format!(
            "{}\n{:?}\n{}\n{changed:?}\n{}",
            path.display(),
            source.track,
            metadata.len(),
            self.rate_hz
        );
        let hash = Sha256::digest(key);
        let name: String = hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(self.folder.join(name).with_extension("pcm"))
    }
}

/// The track in a file; `None` if there is no such file, or a damaged one.
fn open(path: &Path) -> Result<Option<Track>> {
    match File::open(path) {
        Ok(file) => Track::open(&file).map_err(|error| in_cache(path, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(in_cache(path, error)),
    }
}

/// Whether a name still stands for an open file.
#[cfg(unix)]
fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    fs::metadata(path)
        .and_then(|named| Ok(same(named, file.metadata()?)))
        .unwrap_or(false)
}

/// Whether a name still stands for an open file: open files keep their names here.
#[cfg(not(unix))]
fn is_still(path: &Path, _: &File) -> bool {
    path.exists()
}

/// An error of the cache's own disk, which no other song would escape.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheFailed {
    #[error(
        "the disk is full: no room for decoded songs at {} (10.6 MB a minute and stem at 44.1 \
         kHz); free some space, or set data.cache to a folder on another disk",
        .0.display()
    )]
    DiskFull(PathBuf),
    #[error("the cache of decoded songs fails at {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// An error of the cache's disk.
pub(super) fn in_cache(path: &Path, source: io::Error) -> anyhow::Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            CacheFailed::DiskFull(path).into()
        }
        _ => CacheFailed::Io { path, source }.into(),
    }
}

#[cfg(test)]
mod tests {
    use bunri_stream::Planar;
    use bunri_stream::files::Encoding;

    use super::*;
    use crate::data::fixtures::{RATE_HZ, difference, noise, write, write_as};

    fn cached_files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn wav(folder: &Path) -> StemFile {
        StemFile::whole(folder.join("drums.wav"))
    }

    #[test]
    fn sixteen_bits_come_back_bit_for_bit_and_are_decoded_once() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        write_as(&file.path, &noise(9_001, 1, 0.9), RATE_HZ, Encoding::Wav16);
        let cache = Cache::new(&root.path().join("cache"), RATE_HZ).unwrap();
        let track = cache.track(&file).unwrap();
        let expected = file.read().unwrap().audio;
        assert_eq!(track.segment(0, 9_001), expected);
        assert_eq!(track.segment(4_500, 700), expected.slice(4_500, 700));
        assert_eq!(track.segment(9_000, 3).channel(0)[1..], [0.0, 0.0]);
        let made = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        let files = cached_files(&root.path().join("cache"));
        let before = made(&files[0]);
        cache.track(&file).unwrap();
        assert_eq!(cached_files(&root.path().join("cache")), files);
        assert_eq!(made(&files[0]), before);
    }

    /// Guards against 16 bits that clip what lossy files and floats hold above full scale.
    #[test]
    fn louder_than_full_scale_is_not_clipped() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        let audio = noise(5_000, 1, 1.7);
        write(&file.path, &audio);
        let cache = Cache::new(&root.path().join("cache"), RATE_HZ).unwrap();
        let track = cache.track(&file).unwrap();
        // Half a step of 16 bits for a peak of 1.7.
        assert!(difference(&track.segment(0, 5_000), &audio) < 0.51 * 1.7 / 32_767.0);
    }

    #[test]
    fn audible_seconds_are_known() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        let second = RATE_HZ as usize;
        let mut audio = Planar::zeros(2, second);
        audio.append(&noise(second + second / 2, 1, 0.1));
        write(&file.path, &audio);
        let cache = Cache::new(&root.path().join("cache"), RATE_HZ).unwrap();
        let track = cache.track(&file).unwrap();
        assert_eq!(track.frames(), 2 * second + second / 2);
        assert!(!track.is_audible(0, second));
        assert!(track.is_audible(0, second + 1));
        assert!(track.is_audible(2 * second + 10, 100));
        assert!(!track.is_audible(9 * second, 100), "beyond the end");
    }

    /// Guards against training on half a song after a copy was cut off or a disk lost bytes.
    #[test]
    fn damaged_files_of_the_cache_are_made_again() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        let audio = noise(9_000, 1, 0.9);
        write(&file.path, &audio);
        let folder = root.path().join("cache");
        let cache = Cache::new(&folder, RATE_HZ).unwrap();
        cache.track(&file).unwrap();
        let path = cached_files(&folder).remove(0);
        let whole = fs::read(&path).unwrap();
        let mut wrong_length = whole.clone();
        wrong_length[8] ^= 1;
        for damaged in [&whole[..whole.len() - 1], &whole[..10], &[], &wrong_length] {
            fs::write(&path, damaged).unwrap();
            let track = cache.track(&file).unwrap();
            assert_eq!(track.frames(), 9_000);
            drop(track);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        // What a killed process left is no hindrance either.
        fs::remove_file(&path).unwrap();
        fs::write(path.with_extension("part"), &whole[..100]).unwrap();
        cache.track(&file).unwrap();
        assert_eq!(cached_files(&folder), [path]);
    }

    #[test]
    fn a_changed_song_or_another_rate_is_decoded_anew() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        let folder = root.path().join("cache");
        write(&file.path, &noise(4_000, 1, 0.9));
        let cache = Cache::new(&folder, RATE_HZ).unwrap();
        cache.track(&file).unwrap();
        let longer = noise(4_800, 2, 0.9);
        write(&file.path, &longer);
        assert_eq!(cache.track(&file).unwrap().frames(), 4_800);
        let slower = Cache::new(&folder, RATE_HZ / 2).unwrap();
        let track = slower.track(&file).unwrap();
        assert_eq!((track.rate_hz(), track.frames()), (RATE_HZ / 2, 2_400));
        let whole = bunri_stream::resample_clip(&longer, RATE_HZ, RATE_HZ / 2).unwrap();
        // Converted block by block as at once, but for the 16 bits.
        assert!(difference(&track.segment(0, 2_400), &whole) < 2.0 / 32_767.0);
    }

    /// Guards against ranks that trip over each other's half-written files.
    #[test]
    fn many_may_ask_for_one_stem_at_once() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        let audio = noise(100_000, 1, 0.9);
        write(&file.path, &audio);
        let folder = root.path().join("cache");
        let cache = Cache::new(&folder, RATE_HZ).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(cache.track(&file).unwrap().frames(), 100_000));
            }
        });
        let files = cached_files(&folder);
        assert_eq!(files.len(), 1, "{files:?}");
    }

    #[test]
    fn what_cannot_be_decoded_is_named_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("cache");
        let cache = Cache::new(&folder, RATE_HZ).unwrap();
        let file = wav(root.path());
        let says = |expected: &str| {
            let message = format!("{:#}", cache.track(&file).unwrap_err());
            assert!(
                message.contains("drums.wav") && message.contains(expected),
                "{message}"
            );
            assert_eq!(cached_files(&folder), Vec::<PathBuf>::new());
        };
        says("reading");
        let six = Planar::zeros(6, 100);
        write(&file.path, &six);
        says("6 channels");
        write(&file.path, &noise(50_000, 1, 0.5));
        let bytes = fs::read(&file.path).unwrap();
        fs::write(&file.path, &bytes[..bytes.len() / 2]).unwrap();
        says("missing at its end");
    }

    /// Guards against one click that sets the scale of the whole stem, or is learnt, and against a
    /// warning that only the run sees that decodes the file.
    #[test]
    fn invalid_samples_are_silence_and_said_each_time() {
        let root = tempfile::tempdir().unwrap();
        let file = wav(root.path());
        let mut audio = noise(RATE_HZ as usize, 1, 0.5);
        let mut expected = audio.clone();
        for (frame, invalid) in [(4000, f32::NAN), (5000, f32::INFINITY), (6000, -1e20)] {
            audio.channel_mut(0)[frame] = invalid;
            expected.channel_mut(0)[frame] = 0.0;
        }
        write(&file.path, &audio);
        let cache = Cache::new(&root.path().join("cache"), RATE_HZ).unwrap();
        for _ in 0..2 {
            let track = cache.track(&file).unwrap();
            let warning = track.warning().unwrap();
            assert!(warning.starts_with("3 invalid samples"), "{warning}");
            assert!(warning.ends_with("first at 0.500 s"), "{warning}");
            let read = track.segment(0, audio.frames());
            assert!(difference(&read, &expected) < 1.0 / 32_767.0);
        }
    }

    #[test]
    fn a_full_disk_is_called_one() {
        let full = in_cache(Path::new("c"), io::ErrorKind::StorageFull.into());
        let message = full.to_string();
        assert!(
            message.contains("disk is full") && message.contains("data.cache"),
            "{message}"
        );
    }
}
