//! Fixed segments of held-out songs, and how far a model is from their stems.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use bunri_model::Network;
use bunri_model::checkpoint::float_values;
use bunri_model::network::center_trim;
use bunri_stream::Planar;
use tch::{Kind, Tensor};

use super::batches::stack;
use crate::data::cache::Cache;
use crate::data::pool::{SongSource, usable_songs};
use crate::data::songs::Song;
use crate::data::stem_file::StemFile;
use crate::data::track::Track;
use crate::distributed::Cluster;

/// A song in the cache of decoded ones.
#[derive(Debug)]
struct ValidSong {
    name: String,
    /// What the model hears: the mixture's file, or else the sum of all stems.
    mixture: Vec<Track>,
    /// Index among the model's stems, and the truth.
    scored: Vec<(usize, Track)>,
    frames: usize,
}

impl ValidSong {
    fn decoded(
        song: &Song,
        stems: &[String],
        is_scored: impl Fn(&String) -> bool,
        cache: &Cache,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let mut decoded = |file: &StemFile| -> Result<Track> {
            let track = cache.track(file)?;
            let warning = track.warning();
            warnings.extend(warning.map(|warning| format!("{file}: {warning}")));
            Ok(track)
        };
        let mut all = Vec::new();
        for (name, file) in &song.stems {
            all.push((name, decoded(file)?));
        }
        let frames = all.iter().map(|(_, track)| track.frames()).max();
        let index_of = |name: &String| stems.iter().position(|stem| stem == name);
        let scored = all.iter().filter(|(name, _)| is_scored(name));
        let scored = scored.filter_map(|(name, track)| Some((index_of(name)?, track.clone())));
        Ok(Self {
            name: song.name.clone(),
            scored: scored.collect(),
            mixture: match &song.mixture {
                Some(file) => vec![decoded(file)?],
                None => all.iter().map(|(_, track)| track.clone()).collect(),
            },
            frames: frames.unwrap_or(0),
        })
    }
}

/// One stretch of a song.
#[derive(Debug)]
struct Segment {
    /// Index among the songs.
    song: usize,
    start: usize,
    frames: usize,
}

/// The validation set, cut where it is needed.
#[derive(Debug)]
pub(super) struct Validation {
    songs: Vec<ValidSong>,
    segments: Vec<Segment>,
    stems: Vec<String>,
    /// What is odd about the songs' files.
    pub(super) warnings: Vec<String>,
}

/// Figures of one validation.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Scores {
    /// Mean absolute error over every scored stem and segment.
    pub(super) l1: f64,
    /// 10 log10 of signal over error energy, over all segments of a song, by song and stem, in dB.
    pub(super) nsdr_db: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Validation {
    /// Takes `segments_per_song` segments of `frames` out of every song, evenly spread; all of it
    /// where that is 0.
    ///
    /// # Errors
    /// A source without songs, a song that cannot be read.
    pub(super) fn load(
        sources: &[SongSource],
        stems: &[String],
        cache: &Cache,
        frames: usize,
        segments_per_song: usize,
    ) -> Result<Self> {
        let (mut songs, mut segments) = (Vec::new(), Vec::new());
        let mut warnings = Vec::new();
        for source in sources {
            ensure!(
                source.absent.is_empty(),
                "{}: absent stems are for training only, silence has no nSDR; score the others \
                 with `stems`",
                source.path.display()
            );
            // The mixture needs every stem, also those that are not scored.
            let everything = SongSource {
                stems: None,
                ..source.clone()
            };
            let is_scored = |name: &String| source.stems.as_ref().is_none_or(|s| s.contains(name));
            for song in usable_songs(&everything, stems)? {
                let song = ValidSong::decoded(&song, stems, is_scored, cache, &mut warnings)?;
                for start in starts(song.frames, frames, segments_per_song) {
                    segments.push(Segment {
                        song: songs.len(),
                        start,
                        frames: frames.min(song.frames),
                    });
                }
                songs.push(song);
            }
        }
        Ok(Self {
            songs,
            segments,
            stems: stems.to_vec(),
            warnings,
        })
    }

    /// What the model hears of a segment: `[1, channels, frames]`.
    fn mixture(&self, segment: &Segment) -> Tensor {
        let mut sum = Planar::zeros(2, segment.frames);
        for track in &self.songs[segment.song].mixture {
            sum.add(&track.segment(segment.start, segment.frames));
        }
        stack(&[sum])
    }

    /// Index among the model's stems, and the truth: `[channels, frames]`.
    fn truths(&self, segment: &Segment) -> impl Iterator<Item = (usize, Tensor)> {
        let scored = self.songs[segment.song].scored.iter();
        scored.map(|(stem, track)| {
            let cut = track.segment(segment.start, segment.frames);
            (*stem, stack(&[cut]).squeeze_dim(0))
        })
    }

    /// Separates every segment, each rank its share of them.
    pub(super) fn score(&self, network: &dyn Network, cluster: &Cluster) -> Result<Scores> {
        // Every rank has the same keys in the same order: sums over ranks are taken by place.
        let mut energies: BTreeMap<(&str, usize), [f64; 2]> = BTreeMap::new();
        for song in &self.songs {
            for (stem, _) in &song.scored {
                energies.entry((&song.name, *stem)).or_default();
            }
        }
        let mut l1 = [0.0, 0.0];
        for segment in &self.segments[cluster.share(self.segments.len())] {
            let mixture = self.mixture(segment).to_device(network.device());
            let estimates = tch::no_grad(|| network.forward(&mixture));
            let song = &self.songs[segment.song].name;
            for (stem, truth) in self.truths(segment) {
                let estimate = estimates.get(0).get(stem as i64); // [channels, output frames]
                let frames = estimate.size()[1].min(truth.size()[1]);
                let truth = center_trim(&truth, frames).to_device(network.device());
                let error = center_trim(&estimate, frames) - &truth;
                l1[0] += error.abs().mean(Kind::Double).double_value(&[]);
                l1[1] += 1.0;
                let energy = energies.entry((song, stem)).or_default();
                energy[0] += truth.square().sum(Kind::Double).double_value(&[]);
                energy[1] += error.square().sum(Kind::Double).double_value(&[]);
            }
            cluster.still_here();
        }
        let own: Vec<f64> = l1
            .iter()
            .chain(energies.values().flatten())
            .copied()
            .collect();
        // Some shares take longer, maybe longer than a collective waits.
        cluster.barrier()?;
        let whole = cluster.sum_figures(&own)?;
        let (l1, energies_of_all) = whole.split_at(2);
        let mut nsdr_db: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for ((song, stem), energy) in energies.keys().zip(energies_of_all.chunks_exact(2)) {
            let ratio = 10.0 * ((energy[0] + 1e-7) / (energy[1] + 1e-7)).log10();
            nsdr_db
                .entry((*song).into())
                .or_default()
                .insert(self.stems[*stem].clone(), ratio);
        }
        Ok(Scores {
            l1: l1[0] / l1[1].max(1.0),
            nsdr_db,
        })
    }

    /// The stems of a few seconds, always the same ones: by name, with the mixture.
    pub(super) fn listen(&self, network: &dyn Network, rate_hz: u32) -> Vec<(String, Planar)> {
        const SECONDS: i64 = 5;
        let Some(segment) = self.segments.get(self.segments.len() / 2) else {
            return Vec::new();
        };
        let mixture = self.mixture(segment);
        let estimates = tch::no_grad(|| network.forward(&mixture.to_device(network.device())));
        let clip = |audio: &Tensor| {
            // [channels, frames]
            let frames = audio.size()[1].min(SECONDS * i64::from(rate_hz));
            let middle = center_trim(audio, frames);
            let channels = (0..middle.size()[0]).map(|channel| float_values(&middle.get(channel)));
            Planar::from_channels(channels.collect())
        };
        let mixture = ("mixture".to_owned(), mixture.get(0));
        let stems = self.stems.iter().enumerate();
        let stems = stems.map(|(i, name)| (name.clone(), estimates.get(0).get(i as i64)));
        let clips = [mixture].into_iter().chain(stems);
        clips
            .filter_map(|(name, audio)| Some((name, clip(&audio)?)))
            .collect()
    }

    /// Whether there is anything to score.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

/// Where the segments of a song begin.
fn starts(song_frames: usize, segment_frames: usize, count: usize) -> Vec<usize> {
    let last = song_frames.saturating_sub(segment_frames);
    if count == 0 {
        // The last segment ends with the song: no frame is left out, a few count twice.
        let whole = (0..last).step_by(segment_frames);
        return whole.chain([last]).collect();
    }
    (0..count)
        .map(|index| last * (2 * index + 1) / (2 * count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cover_a_whole_song_or_are_spread_over_it() {
        assert_eq!(starts(25, 10, 0), [0, 10, 15]);
        assert_eq!(starts(20, 10, 0), [0, 10]);
        assert_eq!(starts(5, 10, 0), [0]);
        assert_eq!(starts(30, 10, 2), [5, 15]);
    }

    /// Guards against figures that are made of silence.
    #[test]
    fn absent_stems_are_not_scored() {
        let root = tempfile::tempdir().unwrap();
        let source = SongSource {
            path: root.path().to_owned(),
            songs: None,
            stems: None,
            absent: vec!["vocals".to_owned()],
            weight: 1.0,
        };
        let cache = Cache::new(&root.path().join("cache"), 44_100).unwrap();
        let loaded = Validation::load(&[source], &["vocals".to_owned()], &cache, 100, 1);
        let message = loaded.err().unwrap().to_string();
        assert!(message.contains("for training only"), "{message}");
    }
}
