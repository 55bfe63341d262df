//! What every implementation of [`StemModel`] is tested for, fakes and real models alike.

use crate::{Planar, SeparateError, StemModel};

/// Checks that `model` keeps the promises of [`StemModel`], on a few chunks of noise:
///
/// - its spec is valid and says the same before and after;
/// - it accepts the shapes of its spec, overwrites every stem and returns finite samples;
/// - other shapes are errors, not panics, and do not disturb what follows;
/// - the same chunks after a `reset` give the same bits as the first time: nothing is forgotten by
///   `reset`, and nothing is left to chance.
///
/// For tests: panics with what is wrong.
pub fn assert_stem_model(model: &mut impl StemModel) {
    let spec = model.spec().clone();
    if let Err(error) = spec.clone().validated() {
        panic!("the spec is invalid: {error}");
    }
    // Three chunks, so that a causal model has a state to remember and to forget.
    let chunks: Vec<_> = (1..=3)
        .map(|seed| noise(spec.channels, spec.chunk_frames, seed))
        .collect();
    let stem_count = spec.stems.len();
    let blank = |sample: f32| {
        let mut stem = Planar::zeros(spec.channels, spec.chunk_frames);
        stem.channels_mut().for_each(|channel| channel.fill(sample));
        vec![stem; stem_count]
    };
    let run = |model: &mut dyn StemModel, chunk: &Planar, before: f32| {
        let mut stems = blank(before);
        if let Err(error) = model.separate(chunk, &mut stems) {
            panic!("a chunk of the spec's shape was refused: {error}");
        }
        for stem in &stems {
            let shape = (stem.channel_count(), stem.frames());
            assert_eq!(
                shape,
                (spec.channels, spec.chunk_frames),
                "a stem changed its shape"
            );
            let finite = stem.channels().flatten().all(|sample| sample.is_finite());
            assert!(finite, "a stem holds samples that are not finite");
        }
        stems
    };

    let new: Vec<_> = chunks.iter().map(|chunk| run(model, chunk, 0.0)).collect();
    model.reset();
    // From other buffers than before: a model that adds to what it finds is caught here.
    let again: Vec<_> = chunks.iter().map(|chunk| run(model, chunk, 0.5)).collect();
    for (index, (new, again)) in new.iter().zip(&again).enumerate() {
        assert!(
            new == again,
            "chunk {index} differs after a reset: state is left, the model is not deterministic, \
             or it does not overwrite its stems"
        );
    }

    model.reset();
    let short = Planar::zeros(spec.channels, spec.chunk_frames - 1);
    let narrow = Planar::zeros(spec.channels + 1, spec.chunk_frames);
    for chunk in [&short, &narrow] {
        expect_error(model, chunk, &mut blank(0.0), "a chunk of another shape");
    }
    let mut one_short = blank(0.0);
    if let Some(last) = one_short.last_mut() {
        last.resize_frames(spec.chunk_frames - 1);
    }
    expect_error(
        model,
        &chunks[0],
        &mut one_short,
        "a stem of another length",
    );
    expect_error(model, &chunks[0], &mut blank(0.0)[1..], "too few stems");
    let after = run(model, &chunks[0], 0.0);
    assert!(after == new[0], "a refused call changed what followed");
    assert_eq!(model.spec(), &spec, "the spec changed");
    model.reset();
}

fn expect_error(model: &mut dyn StemModel, chunk: &Planar, stems: &mut [Planar], what: &str) {
    match model.separate(chunk, stems) {
        Err(
            SeparateError::Shape { .. }
            | SeparateError::Channels { .. }
            | SeparateError::Stems { .. },
        ) => {}
        Err(other) => panic!("{what} is not an error of shape: {other}"),
        Ok(()) => panic!("{what} was accepted"),
    }
}

/// White noise of about -14 dBFS, the same for the same seed.
fn noise(channels: usize, frames: usize, seed: u64) -> Planar {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut block = Planar::zeros(channels, frames);
    for sample in block.channels_mut().flatten() {
        // Knuth's MMIX generator; its upper bits are the random ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *sample = (state >> 40) as f32 / (1 << 24) as f32 * 0.7 - 0.35;
    }
    block
}
