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
use super::pool::{Pool, PooledSong, Track};
use super::repitch::Repitch;

/// Makes examples from a pool.
#[derive(Debug)]
pub struct Sampler {
    pool: Pool,
    augment: AugmentConfig,
    /// For each stem: the songs that have it, and how likely each is drawn.
    songs_of_stem: Vec<(Vec<usize>, WeightedIndex<f64>)>,
    /// Songs that have every stem, for examples that are not remixed.
    complete_songs: Option<(Vec<usize>, WeightedIndex<f64>)>,
    segment_frames: usize,
    seed: u64,
}

impl Sampler {
    /// A sampler of segments of `segment_frames`.
    ///
    /// # Errors
    /// A stem that no song of the pool has.
    pub fn new(
        pool: Pool,
        stems: &[String],
        augment: AugmentConfig,
        segment_frames: usize,
        seed: u64,
    ) -> Result<Self> {
        let songs_of_stem = stems
            .iter()
            .enumerate()
            .map(|(stem, name)| {
                choices(&pool, |song| song.stems[stem].is_some())
                    .with_context(|| format!("no training song has a usable stem {name:?}"))
            })
            .collect::<Result<_>>()?;
        let complete_songs = choices(&pool, |song| song.stems.iter().all(Option::is_some));
        Ok(Self {
            pool,
            augment,
            songs_of_stem,
            complete_songs,
            segment_frames,
            seed,
        })
    }

    /// Example number `index`; its blocks are `segment_frames` long.
    #[must_use]
    pub fn example(&self, index: u64) -> Example {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(index);
        match &self.complete_songs {
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
        let stems = song.stems.iter().map(|track| {
            let mut stem = self.cut(track.as_ref()?, start, repitch);
            self.augment.apply(&mut stem, false, rng);
            Some(stem)
        });
        Example::new(stems.collect(), None, self.segment_frames)
    }

    fn remixed(&self, rng: &mut ChaCha8Rng) -> Example {
        let stems = self
            .songs_of_stem
            .iter()
            .enumerate()
            .map(|(stem, (songs, weights))| {
                if rng.random_bool(self.augment.silence) {
                    return Some(Planar::zeros(2, self.segment_frames));
                }
                let song = &self.pool.songs[songs[weights.sample(rng)]];
                let mut audio = song.stems[stem].as_ref().map_or_else(
                    || Planar::zeros(2, self.segment_frames),
                    |track| self.audible_segment(track, rng),
                );
                self.augment.apply(&mut audio, true, rng);
                Some(audio)
            });
        Example::new(stems.collect(), None, self.segment_frames)
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
        self.cut(track, start, repitch)
    }

    /// A segment from `start`, at another pitch and tempo if asked.
    fn cut(&self, track: &Track, start: usize, repitch: Option<Repitch>) -> Planar {
        let frames = self.segment_frames;
        let changed = repitch.and_then(|repitch| {
            let source = track.segment(start, repitch.source_frames(frames));
            // What the stretcher refuses (a rate below 32 kHz) is used as it is.
            repitch.apply(&source, track.rate_hz(), frames).ok()
        });
        changed.unwrap_or_else(|| track.segment(start, frames))
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
