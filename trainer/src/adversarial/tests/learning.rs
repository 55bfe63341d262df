use super::*;

/// Guards against discriminators that cannot learn at all: each family tells sines from noise
/// within a few steps, by the rank of its scores on scenes it has not seen.
#[test]
fn every_family_learns_to_tell_tones_from_noise() {
    let scene = |seed: u64| {
        let frames = Tensor::arange(128, (Kind::Float, Device::Cpu));
        let phases = noise(seed, &[4, 1, 2, 1]) * 3.0;
        let real: Tensor = (frames.view([1, 1, 1, -1]) * 0.7 + phases).sin();
        Scenes {
            mixture: noise(seed + 500, &[4, 2, 128]),
            fake: noise(seed + 1000, &[4, 1, 2, 128]),
            real,
            usable: None,
        }
    };
    for loss in [
        LossFamily::Hinge,
        LossFamily::LeastSquares,
        LossFamily::Relativistic,
    ] {
        let config = AdversarialConfig {
            loss,
            discriminators: vec![
                DiscriminatorConfig::Spectral(SpectralConfig {
                    windows: vec![32],
                    filters: 4,
                    compression: 0.5,
                }),
                DiscriminatorConfig::Periods(PeriodsConfig {
                    periods: vec![2],
                    channels: vec![4, 8],
                }),
                DiscriminatorConfig::Waveform(WaveformConfig {
                    scales: 1,
                    channels: vec![4, 8],
                }),
            ],
            penalty_every: 10,
            learning_rate: 5e-3,
            ..tiny()
        };
        let mut adversary = Adversary::new(&config, setting(&["tone"])).unwrap();
        for step in 0..40 {
            let report = adversary.learn(&scene(step), step, &mut alone).unwrap();
            assert_eq!(report.outcome, Outcome::Updated);
        }
        let sums = adversary.measure(&scene(100), &scene(101), 0).unwrap();
        for discriminator in sums.report().discriminators {
            let auc = discriminator.all.held_out_auc.unwrap();
            assert!(auc > 0.9, "{loss:?} {}: {auc}", discriminator.name);
        }
    }
}

/// Guards against a generator's step that trains the discriminators, or does not reach the
/// generator.
#[test]
fn the_generators_terms_reach_the_generator_alone() {
    let adversary = Adversary::new(&tiny(), setting(&["a", "b"])).unwrap();
    let mut scenes = scenes(1, [2, 2, 301]);
    scenes.fake = scenes.fake.set_requires_grad(true);
    scenes.usable = Some(Tensor::from_slice(&[1.0_f32, 1.0, 0.0, 1.0]).view([2, 2]));
    let terms = adversary.generator_terms(&scenes, 0).unwrap();
    let names: Vec<&str> = terms.iter().map(|term| term.name.as_str()).collect();
    assert_eq!(names, ["adversarial", "feature_matching"]);
    for term in &terms {
        let gradient = Tensor::run_backward(&[&term.value], &[&scenes.fake], true, false).remove(0);
        let reach = gradient
            .abs()
            .sum_dim_intlist([2, 3].as_slice(), false, Kind::Float);
        assert!(reach.double_value(&[0, 0]) > 0.0, "{}", term.name);
        // The unusable stem: nobody may pull at it.
        assert_eq!(reach.double_value(&[1, 0]), 0.0, "{}", term.name);
    }
    (&terms[0].value + &terms[1].value).backward();
    assert!(
        adversary
            .parameters()
            .all(|weight| !weight.grad().defined())
    );
}

/// Guards against a distance that is not one: equal stems, equal features.
#[test]
fn feature_matching_is_zero_for_equal_stems() {
    let adversary = Adversary::new(&tiny(), setting(&["a", "b"])).unwrap();
    let scenes = scenes(1, [2, 2, 301]);
    let same = Scenes {
        fake: scenes.real.copy(),
        mixture: scenes.mixture.copy(),
        real: scenes.real.copy(),
        usable: None,
    };
    let feature_matching = |scenes: &Scenes| {
        let terms = adversary.generator_terms(scenes, 0).unwrap();
        terms[1].value.double_value(&[])
    };
    assert_eq!(feature_matching(&same), 0.0);
    assert!(feature_matching(&scenes) > 0.1);
}

/// Guards against a generator that hears of discriminators which have not learned yet.
#[test]
fn nothing_begins_before_its_step() {
    let config = AdversarialConfig {
        start_step: 5,
        head_start_steps: 3,
        ..tiny()
    };
    let mut adversary = Adversary::new(&config, setting(&["a"])).unwrap();
    let scenes = scenes(1, [1, 1, 100]);
    let outcome = |adversary: &mut Adversary, step| {
        adversary.learn(&scenes, step, &mut alone).unwrap().outcome
    };
    assert_eq!(outcome(&mut adversary, 4), Outcome::NotStarted);
    assert_eq!(outcome(&mut adversary, 5), Outcome::Updated);
    assert!(adversary.generator_terms(&scenes, 7).unwrap().is_empty());
    assert_eq!(adversary.generator_terms(&scenes, 8).unwrap().len(), 2);
}

/// Guards against ranks that no longer run the same steps: one without usable stems must have the
/// same terms and a gradient for every weight, and one step of infinite input must change nothing.
#[test]
fn steps_without_anything_to_learn_from_keep_the_weights_sound() {
    let mut adversary = Adversary::new(&tiny(), setting(&["a"])).unwrap();
    let mut silent = scenes(1, [2, 1, 100]);
    silent.usable = Some(Tensor::zeros([2, 1], (Kind::Float, Device::Cpu)));
    silent.fake = silent.fake.set_requires_grad(true);
    assert_eq!(adversary.generator_terms(&silent, 0).unwrap().len(), 2);
    let mut gradients = 0;
    let mut count = |tensors: &mut [Tensor]| {
        gradients = tensors.iter().filter(|tensor| tensor.defined()).count();
        Ok(())
    };
    let report = adversary.learn(&silent, 0, &mut count).unwrap();
    assert_eq!(report.outcome, Outcome::Updated);
    assert_eq!(report.grad_norm, 0.0);
    assert_eq!(gradients, adversary.parameters().count());

    let before = all_tensors(&adversary);
    let broken = scenes(1, [2, 1, 100]);
    let _ = broken.fake.get(0).fill_(f64::NAN);
    let report = adversary.learn(&broken, 1, &mut alone).unwrap();
    assert_eq!(report.outcome, Outcome::NotFinite);
    assert!(are_equal(&before, &all_tensors(&adversary)));
}

/// Guards against gradients that are averaged after they were used, or not at all.
#[test]
fn the_step_follows_the_averaged_gradients() {
    let mut adversary = Adversary::new(&tiny(), setting(&["a"])).unwrap();
    let before = all_tensors(&adversary);
    let mut to_zero = |gradients: &mut [Tensor]| {
        for gradient in gradients {
            let _ = gradient.zero_();
        }
        Ok(())
    };
    let report = adversary.learn(&scenes(1, [2, 1, 100]), 0, &mut to_zero);
    assert_eq!(report.unwrap().grad_norm, 0.0);
    assert!(are_equal(&before, &all_tensors(&adversary)));
}
