//! Streams under one scheduler: everybody gets their own stems, whoever they shared a batch with.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bunri_model::{
    DemucsConfig, LiveDemucsConfig, NetworkConfig, ScheduledSeparator, Scheduler, Separator,
    SharedWeights,
};
use bunri_stream::conformance::assert_stem_model;
use bunri_stream::{Mode, Planar, StemModel};
use tch::Device;

fn windowed() -> Arc<SharedWeights> {
    let config = DemucsConfig {
        depth: 3,
        segment_frames: 2000,
        ..DemucsConfig::v1(4)
    };
    weights(NetworkConfig::Demucs(config))
}

fn causal() -> Arc<SharedWeights> {
    let config = LiveDemucsConfig {
        hidden: 8,
        ..LiveDemucsConfig::default()
    };
    weights(NetworkConfig::LiveDemucs(config))
}

fn weights(config: NetworkConfig) -> Arc<SharedWeights> {
    let network = config.untrained(3, Device::Cpu).unwrap();
    for tensor in network.parameters().values() {
        let _ = tensor.set_requires_grad(false);
    }
    Arc::new(SharedWeights::new(network))
}

/// A tone of each stream's own pitch, so that a mix-up of streams is as loud as the signal.
fn chunk(spec: &bunri_stream::ModelSpec, stream: usize, index: usize) -> Planar {
    let mut chunk = Planar::zeros(spec.channels, spec.chunk_frames);
    for (side, channel) in chunk.channels_mut().enumerate() {
        for (frame, sample) in channel.iter_mut().enumerate() {
            let time = (index * spec.hop_frames + frame) as f32;
            *sample = (time * 0.01 * (stream + side + 1) as f32).sin() * 0.5;
        }
    }
    chunk
}

const CHUNKS: usize = 6;

fn run(stream: usize, model: &mut impl StemModel) -> Vec<Vec<Planar>> {
    let spec = model.spec().clone();
    let blank = vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];
    (0..CHUNKS)
        .map(|index| {
            let mut stems = blank.clone();
            let chunk = chunk(&spec, stream, index);
            model.separate(&chunk, &mut stems).unwrap();
            stems
        })
        .collect()
}

/// Guards against a state, a chunk or stems that end up with another stream of the batch.
#[test]
fn streams_in_a_batch_get_what_they_would_get_alone() {
    for weights in [windowed(), causal()] {
        let alone: Vec<_> = (0..5)
            .map(|stream| {
                run(
                    stream,
                    &mut Separator::new(Arc::clone(&weights), Mode::Overlap(0.5)).unwrap(),
                )
            })
            .collect();
        // One worker for five streams: they cannot but wait for each other.
        let scheduler = Scheduler::start(1).unwrap();
        let together: Vec<_> = thread::scope(|scope| {
            let streams: Vec<_> = (0..5)
                .map(|stream| {
                    let separator =
                        Separator::new(Arc::clone(&weights), Mode::Overlap(0.5)).unwrap();
                    let mut model = ScheduledSeparator::new(separator, Arc::clone(&scheduler));
                    model.set_budget(Some(Duration::from_millis(10 * stream as u64)));
                    scope.spawn(move || run(stream, &mut model))
                })
                .collect();
            streams.into_iter().map(|s| s.join().unwrap()).collect()
        });
        for (stream, (alone, together)) in alone.iter().zip(&together).enumerate() {
            let samples = |chunks: &[Vec<Planar>]| -> Vec<f32> {
                let channels = chunks.iter().flatten().flat_map(Planar::channels);
                channels.flatten().copied().collect()
            };
            let (alone, together) = (samples(alone), samples(together));
            let peak = alone.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
            let pairs = alone.iter().zip(&together);
            let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("stream {stream}: error {error:e} of {peak}");
            assert!(peak > 1e-4, "silence proves nothing");
            assert!(error < 1e-4 * peak, "stream {stream}: {error} of {peak}");
        }
    }
}

#[test]
fn without_a_budget_the_bits_are_those_of_a_direct_call() {
    let weights = causal();
    let direct = run(
        1,
        &mut Separator::new(Arc::clone(&weights), Mode::Overlap(0.5)).unwrap(),
    );
    let scheduler = Scheduler::start(1).unwrap();
    let separator = Separator::new(weights, Mode::Overlap(0.5)).unwrap();
    assert!(run(1, &mut ScheduledSeparator::new(separator, scheduler)) == direct);
}

#[test]
fn a_scheduled_stream_keeps_the_stem_model_contract() {
    for weights in [windowed(), causal()] {
        let separator = Separator::new(weights, Mode::Overlap(0.5)).unwrap();
        let mut model = ScheduledSeparator::new(separator, Scheduler::start(2).unwrap());
        assert_stem_model(&mut model);
        model.set_budget(Some(Duration::from_millis(5)));
        assert_stem_model(&mut model);
    }
}
