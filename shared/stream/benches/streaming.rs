//! What streaming itself costs: `HostSeparator` around a model that does nothing.

use bunri_stream::{
    ChunkPlan, HostOptions, HostSeparator, ModelSpec, Planar, SeparateError, StemModel,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

struct Copies(ModelSpec);

impl StemModel for Copies {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        for stem in stems {
            for (to, from) in stem.channels_mut().zip(chunk.channels()) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {}
}

fn four_stems(plan: ChunkPlan) -> Copies {
    Copies(ModelSpec {
        rate_hz: 44_100,
        channels: 2,
        stems: ["drums", "bass", "other", "vocals"]
            .map(String::from)
            .to_vec(),
        chunk_frames: plan.chunk_frames,
        hop_frames: plan.hop_frames,
        lookahead_frames: plan.lookahead_frames,
        crossfade_frames: plan.crossfade_frames,
    })
}

/// One second of stereo audio in blocks of 512 frames; elements per second are frames per second,
/// so divide by the rate for "times faster than real time".
fn one_second(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one second through HostSeparator");
    group.sample_size(20);
    for rate in [44_100, 48_000] {
        for (name, plan) in [
            (
                "live",
                ChunkPlan {
                    chunk_frames: 256,
                    hop_frames: 256,
                    lookahead_frames: 600,
                    crossfade_frames: 0,
                },
            ),
            (
                "studio",
                ChunkPlan::new(44_100, 0.25).expect("a quarter of a second overlaps"),
            ),
        ] {
            let block = Planar::zeros(2, 512);
            let mut separator =
                HostSeparator::new(four_stems(plan), rate, HostOptions::default()).expect("valid");
            let mut stems = Vec::new();
            group.throughput(Throughput::Elements(u64::from(rate)));
            group.bench_function(BenchmarkId::new(name, rate), |bencher| {
                bencher.iter(|| {
                    for _ in 0..rate.div_ceil(512) {
                        separator
                            .push(&block, &mut stems)
                            .expect("nothing can fail");
                        stems.iter_mut().for_each(|stem| stem.resize_frames(0));
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, one_second);
criterion_main!(benches);
