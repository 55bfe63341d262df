//! Draws training examples: every one depends on the seed and its own number alone, so neither
//! worker order nor a resumed run changes the data.

use bunri_stream::Planar;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use anyhow::{Context, Result};

use super::augment::AugmentConfig;
use super::example::Example;
use super::pool::{Pool, PooledSong, Stem};
use super::repitch::Repitch;
use super::track::Track;

/// Makes examples from a pool.
#[derive(Debug)]
pub struct Sampler {
    pool: Pool,
    augment: AugmentConfig,
    /// For each stem: the songs that have it, and how likely each is drawn.
    songs_of_stem: Vec<(Vec<usize>, WeightedIndex<f64>)>,
    /// Songs of which is known what sounds beside the usable stems, for examples that are not
    /// remixed.
    whole_songs: Option<(Vec<usize>, WeightedIndex<f64>)>,
    segment_frames: usize,
    rate_hz: u32,
    seed: u64,
}

impl Sampler {
    /// A sampler of segments of `segment_frames`.
    ///
    /// # Errors
    /// A stem that no song of the pool has; augmentations that cannot be drawn.
    pub fn new(
        pool: Pool,
        stems: &[String],
        augment: AugmentConfig,
        segment_frames: usize,
        seed: u64,
    ) -> Result<Self> {
        augment.validate()?;
        let songs_of_stem = stems
            .iter()
            .enumerate()
            .map(|(stem, name)| {
                choices(&pool, |song| song.stems[stem].known().is_some())
                    .with_context(|| format!("no training song has a usable stem {name:?}"))
            })
            .collect::<Result<_>>()?;
        let whole_songs = choices(&pool, |song| song.rest.is_some());
        Ok(Self {
            rate_hz: pool.rate_hz,
            pool,
            augment,
            songs_of_stem,
            whole_songs,
            segment_frames,
            seed,
        })
    }

    /// Example number `index`; its blocks are `segment_frames` long.
    #[must_use]
    pub fn example(&self, index: u64) -> Example {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(index);
        match &self.whole_songs {
            Some(songs) if !rng.random_bool(self.augment.remix) => {
                self.drawn_from_one_song(songs, &mut rng)
            }
            _ => self.remixed(&mut rng),
        }
    }

    fn drawn_from_one_song(
        &self,
        (songs, weights): &(Vec<usize>, WeightedIndex<f64>),
        rng: &mut ChaCha8Rng,
    ) -> Example {
        let song = &self.pool.songs[songs[weights.sample(rng)]];
        // All stems of a song together, or they would no longer be in time and in tune.
        let repitch = self.augment.repitch.draw(rng);
        let start = rng.random_range(0..=song.frames.saturating_sub(self.segment_frames));
        let absent = |stem: &Stem<Track>| matches!(stem, Stem::Absent);
        // As loud as a guest could be: what is from several songs is remixed.
        let has_guest = song.stems.iter().any(absent) && rng.random_bool(self.augment.guest);
        let vary = |cut: &dyn Fn(usize, usize) -> Planar, rng: &mut ChaCha8Rng| {
            let start = self.shifted(start, rng);
            let mut part = self.cut(cut, start, repitch);
            self.augment.apply(&mut part, has_guest, self.rate_hz, rng);
            part
        };
        let mut stems = Vec::new();
        for (index, stem) in song.stems.iter().enumerate() {
            stems.push(match stem {
                Stem::Known(track) => Some(vary(&|from, frames| track.segment(from, frames), rng)),
                Stem::Absent if has_guest => Some(self.drawn_from_any_song(index, rng)),
                Stem::Absent => Some(Planar::zeros(2, self.segment_frames)),
                Stem::Unknown => None,
            });
        }
        // The rest is varied like a stem of its own: the mixture is the sum of what comes out.
        let rest = song.rest.as_ref().filter(|rest| !rest.is_nothing());
        let rest = rest.map(|rest| {
            let usable = || song.stems.iter().filter_map(Stem::known);
            vary(&|from, frames| rest.segment(from, frames, usable()), rng)
        });
        self.finished(stems, rest, rng)
    }

    /// Varies the mixture, and adds it up.
    fn finished(
        &self,
        mut stems: Vec<Option<Planar>>,
        mut rest: Option<Planar>,
        rng: &mut ChaCha8Rng,
    ) -> Example {
        let parts = stems.iter_mut().flatten().chain(&mut rest);
        let mut parts: Vec<&mut Planar> = parts.collect();
        self.augment.apply_to_mixture(&mut parts, self.rate_hz, rng);
        Example::new(stems, rest.as_ref(), self.segment_frames)
    }

    /// Another place nearby.
    fn shifted(&self, start: usize, rng: &mut ChaCha8Rng) -> usize {
        let reach = (self.augment.shift_seconds * f64::from(self.rate_hz)) as usize;
        if reach == 0 {
            return start;
        }
        (start + rng.random_range(0..=2 * reach)).saturating_sub(reach)
    }

    fn remixed(&self, rng: &mut ChaCha8Rng) -> Example {
        let stems = (0..self.songs_of_stem.len()).map(|stem| {
            if rng.random_bool(self.augment.silence) {
                return Some(Planar::zeros(2, self.segment_frames));
            }
            Some(self.drawn_from_any_song(stem, rng))
        });
        let stems = stems.collect();
        self.finished(stems, None, rng)
    }

    /// A stem of any song that has it, where it sounds, varied and brought to a level for remixing.
    fn drawn_from_any_song(&self, stem: usize, rng: &mut ChaCha8Rng) -> Planar {
        let (songs, weights) = &self.songs_of_stem[stem];
        let song = &self.pool.songs[songs[weights.sample(rng)]];
        let mut audio = song.stems[stem].known().map_or_else(
            || Planar::zeros(2, self.segment_frames),
            |track| self.audible_segment(track, rng),
        );
        self.augment.apply(&mut audio, true, self.rate_hz, rng);
        audio
    }

    /// A place where the stem sounds, if a few tries find one.
    fn audible_segment(&self, track: &Track, rng: &mut impl Rng) -> Planar {
        const TRIES: usize = 20;
        let last = track.frames().saturating_sub(self.segment_frames);
        let mut start = rng.random_range(0..=last);
        for _ in 0..TRIES {
            if track.is_audible(start, self.segment_frames) {
                break;
            }
            start = rng.random_range(0..=last);
        }
        let repitch = self.augment.repitch.draw(rng);
        self.cut(&|from, frames| track.segment(from, frames), start, repitch)
    }

    /// A segment from `start`, at another pitch and tempo if asked.
    fn cut(
        &self,
        segment: &dyn Fn(usize, usize) -> Planar,
        start: usize,
        repitch: Option<Repitch>,
    ) -> Planar {
        let frames = self.segment_frames;
        let changed = repitch.and_then(|repitch| {
            let source = segment(start, repitch.source_frames(frames));
            // What the stretcher refuses (a rate below 32 kHz) is used as it is.
            repitch.apply(&source, self.rate_hz, frames).ok()
        });
        changed.unwrap_or_else(|| segment(start, frames))
    }
}

/// Indices of the songs that qualify with their weights; `None` if there is none.
fn choices(
    pool: &Pool,
    qualifies: impl Fn(&PooledSong) -> bool,
) -> Option<(Vec<usize>, WeightedIndex<f64>)> {
    let songs: Vec<usize> = (0..pool.songs.len())
        .filter(|&i| qualifies(&pool.songs[i]))
        .collect();
    let weights = WeightedIndex::new(songs.iter().map(|&i| pool.songs[i].weight)).ok()?;
    Some((songs, weights))
}

#[cfg(test)]
mod tests;
