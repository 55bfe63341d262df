//! From what a user chooses, an overlap or a latency, to the whole geometry of chunks.

use crate::SpecError;
use crate::stem_model::MAX_FRAMES;

/// How consecutive chunks of a windowed model lie over each other; see the picture at
/// [`ModelSpec`](crate::ModelSpec), whose fields of the same names this fills.
///
/// All counts are frames at the model's rate, and always
/// `chunk = left context + hop + lookahead` with `lookahead = cross-fade + right context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlan {
    /// Frames the model is shown at a time.
    pub chunk_frames: usize,
    /// Frames between the starts of two chunks.
    pub hop_frames: usize,
    /// Frames after the end of a hop that must be seen first: cross-fade and right context.
    pub lookahead_frames: usize,
    /// Frames over which consecutive chunks are faded into each other.
    pub crossfade_frames: usize,
}

impl ChunkPlan {
    /// Plans chunks of `chunk_frames` that share the fraction `overlap` with the next one.
    ///
    /// The hop is `chunk_frames * (1 - overlap)`, rounded. What remains of the chunk is half
    /// cross-fade (at most one hop of it), and half context that is thrown away, shared evenly
    /// between left and right: a model is least sure of itself at the edges of what it sees.
    /// An overlap of 0 means no cross-fade and no context: chunks simply follow each other.
    ///
    /// # Errors
    /// [`SpecError::Overlap`] outside 0 ≤ overlap < 1; [`SpecError::OutOfRange`] if the chunk is
    /// empty or absurd, or so short that no hop remains.
    pub fn new(chunk_frames: usize, overlap: f64) -> Result<Self, SpecError> {
        if !(0.0..1.0).contains(&overlap) {
            return Err(SpecError::Overlap { got: overlap });
        }
        in_range("chunk_frames", chunk_frames, MAX_FRAMES)?;
        let hop_frames = (chunk_frames as f64 * (1.0 - overlap)).round() as usize;
        in_range("hop_frames", hop_frames, chunk_frames)?;
        let margin = chunk_frames - hop_frames;
        let crossfade_frames = hop_frames.min(margin / 2);
        let right_context = (margin - crossfade_frames) / 2;
        Ok(Self {
            chunk_frames,
            hop_frames,
            lookahead_frames: crossfade_frames + right_context,
            crossfade_frames,
        })
    }

    /// Plans chunks of `chunk_frames` such that collecting a hop, seeing ahead, and computing for as
    /// long as a hop lasts make exactly `latency_frames`.
    ///
    /// A quarter of the latency is the hop, and as much the right context; the cross-fade is one hop,
    /// and all the rest of the chunk is left context, which costs no latency. A chunk that is shorter
    /// than the latency would leave a gap: it then has the latency that it can fill, its own length.
    ///
    /// # Errors
    /// [`SpecError::OutOfRange`] if the chunk is absurd, or the latency so short that no hop remains.
    pub fn within_latency(chunk_frames: usize, latency_frames: usize) -> Result<Self, SpecError> {
        in_range("chunk_frames", chunk_frames, MAX_FRAMES)?;
        let latency_frames = latency_frames.min(chunk_frames);
        let hop_frames = in_range("hop_frames", latency_frames / 4, chunk_frames)?;
        Ok(Self {
            chunk_frames,
            hop_frames,
            lookahead_frames: latency_frames - 2 * hop_frames,
            crossfade_frames: hop_frames,
        })
    }

    /// Frames before a hop's fade-in that are shown to the model and thrown away.
    #[must_use]
    pub fn left_context_frames(&self) -> usize {
        self.chunk_frames - self.hop_frames - self.lookahead_frames
    }

    /// Frames after a hop's fade-out that are shown to the model and thrown away.
    #[must_use]
    pub fn right_context_frames(&self) -> usize {
        self.lookahead_frames - self.crossfade_frames
    }
}

fn in_range(field: &'static str, got: usize, max: usize) -> Result<usize, SpecError> {
    if (1..=max).contains(&got) {
        Ok(got)
    } else {
        Err(SpecError::OutOfRange { field, got, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelSpec;

    #[test]
    fn every_plan_is_a_valid_spec_and_its_parts_fill_the_chunk() {
        for chunk in [1, 2, 3, 7, 100, 44_101, 343_980] {
            for percent in 0..100 {
                let Ok(plan) = ChunkPlan::new(chunk, f64::from(percent) / 100.0) else {
                    assert!(chunk * (100 - percent as usize) <= 50, "{chunk} {percent}");
                    continue;
                };
                assert_eq!(
                    plan.left_context_frames()
                        + plan.hop_frames
                        + plan.crossfade_frames
                        + plan.right_context_frames(),
                    chunk
                );
                let contexts = (plan.left_context_frames(), plan.right_context_frames());
                assert!(contexts.0 == contexts.1 || contexts.0 == contexts.1 + 1);
                let spec = ModelSpec {
                    rate_hz: 44_100,
                    channels: 2,
                    stems: vec!["all".into()],
                    chunk_frames: plan.chunk_frames,
                    hop_frames: plan.hop_frames,
                    lookahead_frames: plan.lookahead_frames,
                    crossfade_frames: plan.crossfade_frames,
                };
                assert!(spec.validated().is_ok(), "{plan:?}");
            }
        }
    }

    /// Guards the promise made to hosts: not one frame more or less than the user chose.
    #[test]
    fn latency_is_kept_to_the_frame() {
        for chunk in [4, 1000, 33_075, 91_287] {
            for latency in [4, 5, 6, 7, 999, 11_025, 91_287, 200_000] {
                let plan = ChunkPlan::within_latency(chunk, latency).unwrap();
                let total = 2 * plan.hop_frames + plan.lookahead_frames;
                assert_eq!(total, latency.min(chunk), "{plan:?}");
                assert!(plan.hop_frames + plan.lookahead_frames <= chunk, "{plan:?}");
                assert!(plan.crossfade_frames <= plan.lookahead_frames, "{plan:?}");
            }
        }
        assert!(ChunkPlan::within_latency(1000, 3).is_err());
    }

    #[test]
    fn a_quarter_overlap_of_a_second() {
        assert_eq!(
            ChunkPlan::new(44_100, 0.25),
            Ok(ChunkPlan {
                chunk_frames: 44_100,
                hop_frames: 33_075,
                lookahead_frames: 5512 + 2756,
                crossfade_frames: 5512,
            })
        );
    }

    #[test]
    fn what_cannot_be_planned_is_refused_with_its_number() {
        assert_eq!(
            ChunkPlan::new(100, 1.0),
            Err(SpecError::Overlap { got: 1.0 })
        );
        assert_eq!(
            ChunkPlan::new(100, -0.1),
            Err(SpecError::Overlap { got: -0.1 })
        );
        assert!(ChunkPlan::new(100, f64::NAN).is_err());
        assert!(matches!(
            ChunkPlan::new(0, 0.5),
            Err(SpecError::OutOfRange {
                field: "chunk_frames",
                got: 0,
                ..
            })
        ));
        assert!(matches!(
            ChunkPlan::new(10, 0.99),
            Err(SpecError::OutOfRange {
                field: "hop_frames",
                got: 0,
                ..
            })
        ));
    }
}
