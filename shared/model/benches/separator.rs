//! How fast the default model separates, with the overlap that plugin and bounce use.
//!
//! One iteration is one hop: the reported throughput, in frames per second, divided by the model's
//! sample rate is how many times faster than real time it runs; its inverse is the real-time factor.

use std::hint::black_box;
use std::sync::Arc;

use bunri_model::{Checkpoint, Separator, SharedWeights, built_in_model};
use bunri_stream::{BuiltIn, Mode, Planar, StemModel};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn separate_hops(criterion: &mut Criterion) {
    let Some(bytes) = built_in_model(BuiltIn::Studio) else {
        println!("skipped: this build has no default model");
        return;
    };
    let checkpoint =
        Checkpoint::from_bytes(bytes, tch::Device::Cpu).expect("the built-in model loads");
    let weights = Arc::new(SharedWeights::new(checkpoint.network));
    let mut separator = Separator::new(weights, Mode::default()).expect("the default mode fits");
    let spec = separator.spec().clone();
    let mut chunk = Planar::zeros(spec.channels, spec.chunk_frames);
    for (index, channel) in chunk.channels_mut().enumerate() {
        for (frame, sample) in channel.iter_mut().enumerate() {
            *sample = (frame as f32 * 0.01 * (index + 1) as f32).sin() * 0.3;
        }
    }
    let mut stems = vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];
    let mut group = criterion.benchmark_group("default_model");
    group.sample_size(20);
    group.throughput(Throughput::Elements(spec.hop_frames as u64));
    for threads in [1, 2] {
        group.bench_function(format!("hop/{threads}_threads"), |bencher| {
            tch::set_num_threads(threads);
            bencher.iter(|| separator.separate(black_box(&chunk), &mut stems));
        });
    }
    group.finish();
}

criterion_group!(benches, separate_hops);
criterion_main!(benches);
