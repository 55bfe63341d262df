//! Models whose right answer is known, and audio to feed them.

#![allow(dead_code, reason = "every test binary uses some of them")]

use bunri_stream::{ChunkPlan, ModelSpec, Planar, SeparateError, StemModel};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const CHANNELS: usize = 2;
pub(crate) const STEMS: usize = 3;

pub(crate) fn spec(chunk: usize, hop: usize, lookahead: usize, crossfade: usize) -> ModelSpec {
    ModelSpec {
        rate_hz: 44_100,
        channels: CHANNELS,
        stems: (0..STEMS).map(|stem| format!("stem {stem}")).collect(),
        chunk_frames: chunk,
        hop_frames: hop,
        lookahead_frames: lookahead,
        crossfade_frames: crossfade,
    }
}

pub(crate) fn planned(chunk: usize, overlap: f64) -> ModelSpec {
    let plan = ChunkPlan::new(chunk, overlap).unwrap();
    spec(
        plan.chunk_frames,
        plan.hop_frames,
        plan.lookahead_frames,
        plan.crossfade_frames,
    )
}

/// Stem `k` is the chunk times `2^-k`, which floats do exactly. Counts its chunks, and fails at
/// chosen ones. A windowed one answers garbage in its contexts; a causal one is late by its
/// lookahead.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) spec: ModelSpec,
    pub(crate) failing: Vec<usize>,
    chunks_seen: usize,
    /// Chunks since the beginning, resets or not, of this fake and its clones.
    pub(crate) separated: Arc<AtomicUsize>,
    late: Vec<VecDeque<f32>>,
}

impl Fake {
    pub(crate) fn new(spec: ModelSpec) -> Self {
        let mut fake = Self {
            spec,
            failing: vec![],
            chunks_seen: 0,
            separated: Arc::default(),
            late: vec![],
        };
        fake.reset();
        fake
    }

    pub(crate) fn failing_at(mut self, chunks: &[usize]) -> Self {
        self.failing = chunks.to_vec();
        self
    }
}

impl StemModel for Fake {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        let ModelSpec {
            chunk_frames,
            hop_frames,
            lookahead_frames,
            crossfade_frames,
            ..
        } = self.spec;
        let frames_expected = |got| SeparateError::Shape {
            expected: chunk_frames,
            got,
        };
        if stems.len() != STEMS {
            return Err(SeparateError::Stems {
                expected: STEMS,
                got: stems.len(),
            });
        }
        for block in std::iter::once(chunk).chain(&*stems) {
            if block.channel_count() != CHANNELS {
                let got = block.channel_count();
                return Err(SeparateError::Channels {
                    expected: CHANNELS,
                    got,
                });
            }
            if block.frames() != chunk_frames {
                return Err(frames_expected(block.frames()));
            }
        }
        let causal = self.spec.is_causal();
        let mut heard = chunk.clone();
        if causal {
            for (channel, late) in heard.channels_mut().zip(&mut self.late) {
                for sample in channel {
                    late.push_back(*sample);
                    *sample = late.pop_front().unwrap();
                }
            }
        }
        let used = chunk_frames - lookahead_frames.min(chunk_frames - hop_frames) - hop_frames
            ..chunk_frames - lookahead_frames.min(chunk_frames - hop_frames) + crossfade_frames;
        for (k, stem) in stems.iter_mut().enumerate() {
            for (channel, heard) in stem.channels_mut().zip(heard.channels()) {
                for (frame, (to, from)) in channel.iter_mut().zip(heard).enumerate() {
                    *to = if used.contains(&frame) {
                        from * gain(k)
                    } else {
                        1e6
                    };
                }
            }
        }
        self.chunks_seen += 1;
        self.separated.fetch_add(1, Ordering::Relaxed);
        if self.failing.contains(&(self.chunks_seen - 1)) {
            return Err(SeparateError::Model(format!(
                "chunk {}",
                self.chunks_seen - 1
            )));
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.chunks_seen = 0;
        let late = if self.spec.is_causal() {
            self.spec.lookahead_frames
        } else {
            0
        };
        self.late = vec![VecDeque::from(vec![0.0; late]); CHANNELS];
    }
}

pub(crate) fn gain(stem: usize) -> f32 {
    0.5f32.powi(stem as i32)
}

/// Noise in which every frame differs from every other, so that a slip of one frame shows.
pub(crate) fn noise(frames: usize) -> Planar {
    let mut state = 7u64;
    let mut block = Planar::zeros(CHANNELS, frames);
    for sample in block.channels_mut().flatten() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *sample = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
    }
    block
}

/// What comes out of a stem when `input` goes through a delay: `frames` frames of it.
pub(crate) fn delayed(input: &Planar, delay: usize, gain: f32, frames: usize) -> Planar {
    let mut output = Planar::zeros(input.channel_count(), frames);
    for (to, from) in output.channels_mut().zip(input.channels()) {
        for (to, from) in to.iter_mut().skip(delay).zip(from) {
            *to = from * gain;
        }
    }
    output
}

/// Cuts `input` into blocks of the given sizes, over and over (a size of zero is an empty block).
pub(crate) fn blocks<'a>(
    input: &'a Planar,
    sizes: &'a [usize],
) -> impl Iterator<Item = Planar> + 'a {
    let mut sizes = sizes.iter().cycle();
    let mut from = 0;
    std::iter::from_fn(move || {
        (from < input.frames()).then(|| {
            let size = (*sizes.next().unwrap()).min(input.frames() - from);
            from += size;
            input.slice(from - size, size)
        })
    })
}

/// Block sizes of all orders of magnitude, never only zeros.
pub(crate) fn block_sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![0..4usize, 1..100usize, 100..3000usize];
    proptest::collection::vec(size, 1..6).prop_map(|mut sizes| {
        sizes.push(1 + sizes[0]);
        sizes
    })
}

/// Windowed specs by plan and by hand, and causal ones.
pub(crate) fn specs() -> impl Strategy<Value = ModelSpec> {
    let by_plan = (1..600usize, 0.0..0.95f64)
        .prop_filter("a hop", |(chunk, overlap)| {
            ChunkPlan::new(*chunk, *overlap).is_ok()
        })
        .prop_map(|(chunk, overlap)| planned(chunk, overlap));
    let by_hand = (0..100usize, 1..300usize, 0..100usize, 0..100usize).prop_map(
        |(left, hop, crossfade, right)| {
            let crossfade = crossfade.min(hop);
            // A chunk that is all hop would be causal, and its lookahead its own affair.
            let lookahead = crossfade + right;
            spec(left.max(1) + hop + lookahead, hop, lookahead, crossfade)
        },
    );
    let causal = (1..300usize, 0..700usize).prop_map(|(hop, late)| spec(hop, hop, late, 0));
    prop_oneof![by_plan, by_hand, causal]
}
