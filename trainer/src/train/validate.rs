//! Fixed segments of held-out songs, and how far a model is from their stems.

use std::collections::BTreeMap;

use anyhow::Result;
use bunri_model::Network;
use bunri_model::checkpoint::float_values;
use bunri_model::network::center_trim;
use bunri_stream::Planar;
use tch::{Kind, Tensor};

use super::batches::stack;
use crate::data::pool::{SongSource, load_stereo, usable_songs};
use crate::distributed::Cluster;

/// One stretch of a song.
#[derive(Debug)]
struct Segment {
    song: String,
    mixture: Tensor, // [1, channels, frames]
    /// Index among the model's stems, and the truth: `[channels, frames]`.
    stems: Vec<(usize, Tensor)>,
}

/// The validation set, decoded and cut once.
#[derive(Debug)]
pub(super) struct Validation {
    segments: Vec<Segment>,
    stems: Vec<String>,
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
    /// Cuts `segments_per_song` segments of `frames` out of every song, evenly spread; all of it where
    /// that is 0.
    pub(super) fn load(
        sources: &[SongSource],
        stems: &[String],
        rate_hz: u32,
        frames: usize,
        segments_per_song: usize,
    ) -> Result<Self> {
        let mut segments = Vec::new();
        for source in sources {
            // The mixture needs every stem, also those that are not scored.
            let everything = SongSource {
                stems: None,
                ..source.clone()
            };
            for song in usable_songs(&everything, stems)? {
                let mut audio = BTreeMap::new();
                for (name, file) in &song.stems {
                    audio.insert(name.clone(), load_stereo(file, rate_hz)?);
                }
                let longest = audio.values().map(Planar::frames).max().unwrap_or(0);
                let mut mixture = Planar::zeros(2, longest);
                for stem in audio.values_mut() {
                    stem.resize_frames(longest);
                    mixture.add(stem);
                }
                if let Some(file) = &song.mixture {
                    mixture = load_stereo(file, rate_hz)?;
                    mixture.resize_frames(longest);
                }
                let scored = |name: &String| source.stems.as_ref().is_none_or(|s| s.contains(name));
                for start in starts(longest, frames, segments_per_song) {
                    let cut = |audio: &Planar| audio.slice(start, frames.min(longest));
                    let truths = stems.iter().enumerate().filter(|(_, name)| scored(name));
                    let truths = truths.filter_map(|(i, name)| Some((i, cut(audio.get(name)?))));
                    segments.push(Segment {
                        song: song.name.clone(),
                        mixture: stack(&[cut(&mixture)]),
                        stems: truths
                            .map(|(i, block)| (i, stack(&[block]).squeeze_dim(0)))
                            .collect(),
                    });
                }
            }
        }
        Ok(Self {
            segments,
            stems: stems.to_vec(),
        })
    }

    /// Separates every segment, each rank its share of them.
    pub(super) fn score(&self, network: &dyn Network, cluster: &Cluster) -> Result<Scores> {
        // Every rank has the same keys in the same order: sums over ranks are taken by place.
        let mut energies: BTreeMap<(&str, usize), [f64; 2]> = BTreeMap::new();
        for segment in &self.segments {
            for (stem, _) in &segment.stems {
                energies.entry((&segment.song, *stem)).or_default();
            }
        }
        let mut l1 = [0.0, 0.0];
        for segment in &self.segments[cluster.share(self.segments.len())] {
            let estimates =
                tch::no_grad(|| network.forward(&segment.mixture.to_device(network.device())));
            for (stem, truth) in &segment.stems {
                let estimate = estimates.get(0).get(*stem as i64); // [channels, output frames]
                let frames = estimate.size()[1].min(truth.size()[1]);
                let truth = center_trim(truth, frames).to_device(network.device());
                let error = center_trim(&estimate, frames) - &truth;
                l1[0] += error.abs().mean(Kind::Double).double_value(&[]);
                l1[1] += 1.0;
                let energy = energies.entry((&segment.song, *stem)).or_default();
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
        let estimates =
            tch::no_grad(|| network.forward(&segment.mixture.to_device(network.device())));
        let clip = |audio: &Tensor| {
            // [channels, frames]
            let frames = audio.size()[1].min(SECONDS * i64::from(rate_hz));
            let middle = center_trim(audio, frames);
            let channels = (0..middle.size()[0]).map(|channel| float_values(&middle.get(channel)));
            Planar::from_channels(channels.collect())
        };
        let mixture = ("mixture".to_owned(), segment.mixture.get(0));
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
}
