//! What the audio thread pays per block of 64 samples on five buses, while the worker separates.

use std::time::{Duration, Instant};

use bunri_plugin::exchange::{HostSetup, STEM_NAMES, STEMS};
use bunri_plugin::link::Controls;
use bunri_plugin::separation::Separation;
use bunri_stream::{ModelSpec, Planar, SeparateError, StemModel};
use criterion::{Criterion, criterion_group, criterion_main};

const BLOCK_FRAMES: usize = 64;

/// Costs as little as a model can: what is measured is the audio thread.
struct Quarters(ModelSpec);

impl StemModel for Quarters {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        for stem in stems {
            for (to, from) in stem.channels_mut().zip(chunk.channels()) {
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, from)| *to = 0.25 * from);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {}
}

fn block_of_64(criterion: &mut Criterion) {
    let host = HostSetup {
        rate_hz: 48_000,
        max_block_frames: BLOCK_FRAMES,
        offline: false,
    };
    let spec = ModelSpec {
        rate_hz: 48_000,
        channels: 2,
        stems: STEM_NAMES.map(String::from).to_vec(),
        chunk_frames: 1024,
        hop_frames: 1024,
        lookahead_frames: 0,
        crossfade_frames: 0,
    };
    let cases = [
        ("gains at rest", [1.0; STEMS]),
        // Alternates with the above, so that every block is inside a ramp.
        ("gains moving", [0.5; STEMS]),
    ];
    for (name, other_gains) in cases {
        let spec = spec.clone();
        let (separation, mut link) = Separation::start(host, || Ok(Quarters(spec)));
        let mut main = [[0.25_f32; BLOCK_FRAMES]; 2];
        let mut stems = [[[0.0_f32; BLOCK_FRAMES]; 2]; STEMS];
        let mut block = 0_u64;
        criterion.bench_function(&format!("audio thread, 64 frames, {name}"), |bencher| {
            // Only the block itself is measured; between blocks the worker is given the time that
            // it would have in a host, or the rings would run empty and full.
            bencher.iter_custom(|iterations| {
                let mut busy = Duration::ZERO;
                for _ in 0..iterations {
                    block += 1;
                    let stem_gains = if block.is_multiple_of(2) {
                        [1.0; STEMS]
                    } else {
                        other_gains
                    };
                    let controls = Controls {
                        stem_gains,
                        bypass: false,
                    };
                    let [left, right] = &mut main;
                    let buses = stems
                        .each_mut()
                        .map(|bus| bus.each_mut().map(|c| &mut c[..]));
                    let began = Instant::now();
                    link.process([left, right], buses, controls);
                    busy += began.elapsed();
                    std::thread::sleep(Duration::from_micros(100));
                }
                busy
            });
        });
        println!("{:?}", separation.counts());
    }
}

criterion_group!(benches, block_of_64);
criterion_main!(benches);
