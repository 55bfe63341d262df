//! The loaded engine against the model it contains.
#![allow(clippy::unwrap_used)] // A test that cannot go on should stop where it stands.

mod fixture;

use bunri_stream::engine::{ModelSource, OpenOptions};
use bunri_stream::{Mode, Planar, StemModel};
use fixture::{engine, noise, open_directly, save_small_model};

const MODE: Mode = Mode::Overlap(0.5);

/// Guards the whole way through the interface, and the threads: the plugin opens and runs models on
/// a worker, never on the main thread.
#[test]
fn a_worker_thread_gets_the_very_bits_of_a_direct_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save_small_model(&path, 1);
    let mut direct = open_directly(&path, MODE);
    let spec = direct.spec().clone();
    let chunks = [1, 2, 3].map(|seed| noise(spec.channels, spec.chunk_frames, seed));
    let stems = || vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];

    let worker = std::thread::spawn({
        let (chunks, mut separated) = (chunks.clone(), stems());
        move || {
            let options = OpenOptions {
                device: "cpu".to_owned(),
                mode: MODE,
            };
            let mut model = engine().open(&ModelSource::File(path), &options).unwrap();
            let outputs = [0, 1, 2].map(|index| {
                model.separate(&chunks[index], &mut separated).unwrap();
                separated.clone()
            });
            model.reset();
            model.separate(&chunks[0], &mut separated).unwrap();
            (model, outputs, separated)
        }
    });
    let (model, outputs, after_reset) = worker.join().unwrap();

    assert_eq!(model.spec(), &spec);
    for (chunk, output) in chunks.iter().zip(&outputs) {
        let mut expected = stems();
        direct.separate(chunk, &mut expected).unwrap();
        assert!(peak(&expected) > 1e-6, "a silent model proves nothing");
        assert_eq!(output, &expected);
    }
    assert_eq!(after_reset, outputs[0], "reset must equal new");
    // Closing on another thread than the one that opened.
    drop(model);
}

fn peak(stems: &[Planar]) -> f32 {
    let samples = stems.iter().flat_map(Planar::channels).flatten();
    samples.fold(0.0, |peak, sample| peak.max(sample.abs()))
}

/// Guards streams against each other: many instances of the plugin play through one set of weights.
#[test]
fn streams_on_several_threads_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save_small_model(&path, 2);
    let mut direct = open_directly(&path, MODE);
    let spec = direct.spec().clone();
    let options = OpenOptions {
        device: "auto".to_owned(),
        mode: MODE,
    };
    std::thread::scope(|scope| {
        let streams: Vec<_> = (0..3)
            .map(|seed| {
                let source = ModelSource::File(path.clone());
                let (spec, options) = (&spec, &options);
                scope.spawn(move || {
                    let mut model = engine().open(&source, options).unwrap();
                    let chunk = noise(spec.channels, spec.chunk_frames, seed);
                    let mut stems =
                        vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];
                    for _ in 0..5 {
                        model.separate(&chunk, &mut stems).unwrap();
                    }
                    (chunk, stems)
                })
            })
            .collect();
        for stream in streams {
            let (chunk, stems) = stream.join().unwrap();
            let mut expected =
                vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()];
            direct.separate(&chunk, &mut expected).unwrap();
            if engine().devices().unwrap().len() == 1 {
                assert_eq!(stems, expected);
            } else {
                println!("skipped the bit comparison: `auto` means a GPU here");
            }
        }
    });
}
