//! From the files of a song to its tracks: which are needed, and what they mean together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bunri_stream::Planar;

use super::cache::{Cache, CacheFailed, IfBusy};
use super::pool::{PooledSong, SongSource, Stem, usable_songs};
use super::songs::Song;
use super::stem_file::StemFile;
use super::track::Track;

/// What sounds in a song beside its usable stems.
#[derive(Clone, Debug)]
pub enum Rest {
    /// Nothing: every stem of the model is usable.
    Nothing,
    /// Whatever is left of this mixture without them.
    MixtureWithoutStems(Track),
    /// The stems whose labels are not to be trusted: with the usable ones they are the song.
    Stems(Vec<Track>),
}

impl Rest {
    /// Whether the usable stems are the whole song.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// `frames` frames from `start`, of a song with these usable stems.
    ///
    /// Where a mixture ends before its stems there is no rest: the stems alone are the song.
    #[must_use]
    pub fn segment<'a>(
        &self,
        start: usize,
        frames: usize,
        stems: impl Iterator<Item = &'a Track>,
    ) -> Planar {
        match self {
            Self::Nothing => Planar::zeros(2, frames),
            Self::Stems(tracks) => {
                let mut sum = Planar::zeros(2, frames);
                for track in tracks {
                    sum.add(&track.segment(start, frames));
                }
                sum
            }
            Self::MixtureWithoutStems(mixture) => {
                let known = frames.min(mixture.frames().saturating_sub(start));
                let mut rest = mixture.segment(start, known);
                for stem in stems {
                    let stem = stem.segment(start, known);
                    for (rest, stem) in rest.channels_mut().zip(stem.channels()) {
                        for (rest, stem) in rest.iter_mut().zip(stem) {
                            *rest -= stem;
                        }
                    }
                }
                rest.resize_frames(frames);
                rest
            }
        }
    }
}

/// The files of one song, sorted by what they are used for.
#[derive(Debug)]
pub(super) struct SongPlan {
    name: String,
    /// One per stem of the model.
    stems: Vec<Stem<StemFile>>,
    rest: RestPlan,
}

#[derive(Debug)]
enum RestPlan {
    Unknown,
    Nothing,
    MixtureWithoutStems(StemFile),
    Stems(Vec<StemFile>),
}

impl SongPlan {
    /// The songs of a source.
    pub(super) fn of(source: &SongSource, stems: &[String]) -> Result<Vec<Self>> {
        // With every stem that there is: those that may not be used still sound in the mixture.
        let everything = SongSource {
            stems: None,
            ..source.clone()
        };
        // Says what is wrong with the source's lists.
        usable_songs(source, stems)?;
        let songs = usable_songs(&everything, stems)?;
        let is_usable = |name: &String| source.stems.as_ref().is_none_or(|s| s.contains(name));
        Ok(songs
            .into_iter()
            .map(|song| Self::of_song(&song, stems, source, is_usable))
            .collect())
    }

    fn of_song(
        song: &Song,
        names: &[String],
        source: &SongSource,
        is_usable: impl Fn(&String) -> bool,
    ) -> Self {
        let file = |name: &String| song.stem(name).cloned();
        let is_absent = |name: &String| source.absent.contains(name);
        let stem = |name: &String| match file(name).filter(|_| is_usable(name)) {
            Some(file) => Stem::Known(file),
            None if is_absent(name) => Stem::Absent,
            None => Stem::Unknown,
        };
        let stems: Vec<Stem<StemFile>> = names.iter().map(stem).collect();
        let is_unknown = |stem: &Stem<_>| matches!(stem, Stem::Unknown);
        let rest = if !stems.iter().any(is_unknown) {
            RestPlan::Nothing
        } else if let Some(mixture) = &song.mixture {
            RestPlan::MixtureWithoutStems(mixture.clone())
        } else if names
            .iter()
            .all(|name| file(name).is_some() || is_absent(name))
        {
            let unusable = names.iter().filter(|name| !is_usable(name));
            RestPlan::Stems(unusable.filter_map(file).collect())
        } else {
            RestPlan::Unknown
        };
        Self {
            name: song.name.clone(),
            stems,
            rest,
        }
    }

    /// Everything that must be decoded.
    pub(super) fn files(&self) -> Vec<&StemFile> {
        let mut files: Vec<&StemFile> = self.stems.iter().filter_map(Stem::known).collect();
        match &self.rest {
            RestPlan::Unknown | RestPlan::Nothing => {}
            RestPlan::MixtureWithoutStems(mixture) => files.push(mixture),
            RestPlan::Stems(stems) => files.extend(stems),
        }
        files
    }

    /// The song of its decoded files; the reason, with the song's name, if one is missing.
    pub(super) fn assemble(&self, decoded: &Decoded, weight: f64) -> Result<PooledSong> {
        let get = |file: &StemFile| match decoded.get(file) {
            Some(Ok(track)) => Ok(track.clone()),
            Some(Err(reason)) => Err(anyhow!("song {:?}: {reason}", self.name)),
            None => Err(anyhow!("song {:?}: {file} was not decoded", self.name)),
        };
        let stem = |stem: &Stem<StemFile>| {
            Ok(match stem {
                Stem::Known(file) => Stem::Known(get(file)?),
                Stem::Absent => Stem::Absent,
                Stem::Unknown => Stem::Unknown,
            })
        };
        let stems: Vec<Stem<Track>> = self.stems.iter().map(stem).collect::<Result<_>>()?;
        let known = stems.iter().filter_map(Stem::known);
        let mut frames = known.map(Track::frames).max();
        let rest = match &self.rest {
            RestPlan::Unknown => None,
            RestPlan::Nothing => Some(Rest::Nothing),
            RestPlan::MixtureWithoutStems(file) => {
                let mixture = get(file)?;
                frames = Some(frames.map_or(mixture.frames(), |stems| stems.min(mixture.frames())));
                Some(Rest::MixtureWithoutStems(mixture))
            }
            RestPlan::Stems(files) => {
                Some(Rest::Stems(files.iter().map(get).collect::<Result<_>>()?))
            }
        };
        let frames =
            frames.with_context(|| format!("song {:?}: it has no usable stem", self.name))?;
        ensure!(frames > 0, "song {:?}: it holds no audio", self.name);
        Ok(PooledSong {
            name: self.name.clone(),
            stems,
            rest,
            weight,
            frames,
        })
    }
}

/// Each file's track, or what is wrong with it.
pub(super) type Decoded = BTreeMap<StemFile, Result<Track, String>>;

/// Decodes files on all cores. Files that another process is at come last, so that ranks that
/// start together share the work instead of waiting for each other.
///
/// # Errors
/// Only of the cache itself: a file that does not decode is an entry of the result.
pub(super) fn decode_all(
    files: BTreeSet<&StemFile>,
    cache: &Cache,
    progress: &mut dyn FnMut(&str),
) -> Result<Decoded> {
    let (first, busy) = decode_each(&files, cache, IfBusy::Leave, progress)?;
    let (second, _) = decode_each(&busy, cache, IfBusy::Wait, progress)?;
    Ok(first.into_iter().chain(second).collect())
}

fn decode_each<'a>(
    files: &BTreeSet<&'a StemFile>,
    cache: &Cache,
    if_busy: IfBusy,
    progress: &mut dyn FnMut(&str),
) -> Result<(Decoded, BTreeSet<&'a StemFile>)> {
    let queue = Mutex::new(files.iter().copied());
    let results = Mutex::new((Decoded::new(), BTreeSet::new()));
    let (begun, names) = channel();
    let work = &|begun: Sender<String>| -> Result<()> {
        loop {
            // Locks cannot be poisoned: nothing panics while they are held.
            let Some(file) = queue.lock().map_err(|_| lost_worker())?.next() else {
                return Ok(());
            };
            // Nobody listens only after a panic, which ends this too.
            let _ = begun.send(file.to_string());
            let track = cache.track_unless(file, if_busy);
            let (decoded, busy) = &mut *results.lock().map_err(|_| lost_worker())?;
            match track {
                Ok(Some(track)) => drop(decoded.insert(file.clone(), Ok(track))),
                Ok(None) => drop(busy.insert(file)),
                // A cache that fails will fail for the next file too: it is not the song's fault.
                Err(error) if error.is::<CacheFailed>() => return Err(error),
                Err(error) => drop(decoded.insert(file.clone(), Err(format!("{error:#}")))),
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers.min(files.len()))
            .map(|_| {
                let begun = begun.clone();
                scope.spawn(move || work(begun))
            })
            .collect();
        drop(begun);
        tell(&names, progress);
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| lost_worker())?)
    })?;
    results.into_inner().map_err(|_| lost_worker())
}

/// Passes names on, at least one a second, so that whoever waits for this process sees it live,
/// until nobody sends any more.
fn tell(names: &Receiver<String>, progress: &mut dyn FnMut(&str)) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let mut last = String::new();
    loop {
        match names.recv_timeout(PATIENCE) {
            Ok(name) => last = name,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        progress(&last);
    }
}

fn lost_worker() -> anyhow::Error {
    anyhow!("a thread that decodes songs has ended early; its message stands above")
}
