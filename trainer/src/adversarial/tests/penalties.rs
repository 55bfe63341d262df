use super::super::discriminator::{Discriminator, Shape};
use super::super::layers::Source;
use super::super::losses::slope_penalty;
use super::super::weights::made;
use super::*;

/// Guards against a wrong scale: for scores `w · x` of non-overlapping samples the squared slope
/// is w² everywhere, however long the segment.
#[test]
fn the_penalty_is_the_slopes_square() {
    for frames in [10, 1000] {
        let x = noise(1, &[3, 1, frames]).set_requires_grad(true);
        let scores: Tensor = &x * 3.0;
        let penalty = slope_penalty(&scores.view([3, -1]), &x);
        assert!((penalty.double_value(&[]) - 9.0).abs() < 1e-5, "{penalty}");
    }
}

/// Guards against a layer whose second derivative is missing or wrong (libtorch would silently
/// leave it out of the graph): penalty and its gradient towards a weight of every tensor against
/// differences in double precision.
#[test]
fn the_penalty_and_its_gradient_equal_finite_differences() {
    for kind in 0..4 {
        let shape = Shape {
            channels: 2,
            stems: 2,
            device: Device::Cpu,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut weights: Vec<(String, Tensor)> = Vec::new();
        let source: &mut Source<'_> = &mut |name, sizes, init| {
            let mut tensor = made(sizes, &init, &mut rng).to_kind(Kind::Double);
            if name.contains(".stem.") {
                // They start at zero, where nothing of theirs would show.
                tensor = noise(9, sizes).to_kind(Kind::Double);
            }
            if name.ends_with(".length") {
                // First weights shrink what passes through them, and so every slope.
                tensor *= 3.0;
            }
            let tensor = tensor.set_requires_grad(true);
            weights.push((name.to_owned(), tensor.shallow_clone()));
            tensor
        };
        let discriminator = Discriminator::new(&tiny().discriminators[kind], shape, source);
        let waveforms = if discriminator.name == "context" {
            4
        } else {
            2
        };
        let stem = (waveforms == 2).then(|| Tensor::from_slice(&[0_i64, 1]));
        let double = |seed, sizes: &[i64]| noise(seed, sizes).to_kind(Kind::Double);
        let audio = double(1, &[2, waveforms, 97]);
        let mixture = double(2, &[2, 2, 97]);
        let scores = |audio: &Tensor| -> Vec<Tensor> {
            let verdicts = discriminator.forward(audio, &mixture, stem.as_ref());
            verdicts.into_iter().map(|verdict| verdict.scores).collect()
        };
        let penalty = || {
            let audio = audio.detach().set_requires_grad(true);
            let slopes: Vec<Tensor> = (scores(&audio).iter())
                .map(|scores| slope_penalty(scores, &audio))
                .collect();
            Tensor::stack(&slopes, 0).sum(Kind::Double)
        };

        // Its value, by moving every sample.
        let step = 1e-4;
        let mut expected = 0.0;
        let places: Vec<f64> = scores(&audio).iter().map(|s| s.numel() as f64).collect();
        tch::no_grad(|| {
            for index in 0..audio.numel() as i64 {
                let moved = |by: f64| {
                    let audio = audio.copy();
                    let _ = audio.view([-1]).get(index).g_add_scalar_(by);
                    let sums = scores(&audio).into_iter();
                    sums.map(|s| s.sum(Kind::Double).double_value(&[]))
                        .collect::<Vec<f64>>()
                };
                for ((up, down), places) in moved(step).iter().zip(moved(-step)).zip(&places) {
                    expected += ((up - down) / (2.0 * step)).powi(2) / places;
                }
            }
        });
        let value = penalty();
        let got = value.double_value(&[]);
        // Leaky ReLUs bend within a step here and there: 0.1 % of the whole.
        assert!(
            (got - expected).abs() < 1e-3 * expected,
            "{}: {got}, expected {expected}",
            discriminator.name
        );

        // Its gradient, by moving the first value of every tensor of weights.
        value.backward();
        let mut largest = 0.0_f64;
        for (name, weight) in &weights {
            let gradient = weight.grad();
            let got = match gradient.defined() {
                true => gradient.view([-1]).double_value(&[0]),
                false => 0.0,
            };
            let moved = |by: f64| {
                let _ = tch::no_grad(|| weight.view([-1]).get(0).g_add_scalar_(by));
                let moved = penalty().double_value(&[]);
                let _ = tch::no_grad(|| weight.view([-1]).get(0).g_add_scalar_(-by));
                moved
            };
            let step = 1e-6;
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (got - expected).abs() < 1e-3 * expected.abs() + 1e-6,
                "{name}: {got}, expected {expected}"
            );
            largest = largest.max(expected.abs());
        }
        assert!(largest > 1e-2, "{}: {largest}", discriminator.name);
    }
}

/// Guards against a lazy penalty that is not weighted by its interval, or is due too often.
#[test]
fn penalties_come_every_few_updates() {
    let config = AdversarialConfig {
        penalty_every: 3,
        r2_weight: 0.0,
        ..tiny()
    };
    let mut adversary = Adversary::new(&config, setting(&["a"])).unwrap();
    let seen: Vec<(bool, bool)> = (0..7)
        .map(|step| {
            let scenes = scenes(step, [1, 1, 100]);
            let report = adversary.learn(&scenes, step, &mut alone).unwrap();
            (report.r1.is_some(), report.r2.is_some())
        })
        .collect();
    let due: Vec<(bool, bool)> = (0..7).map(|update| (update % 3 == 0, false)).collect();
    assert_eq!(seen, due);
    let norm = |weight: f64, every: u64| {
        let config = AdversarialConfig {
            // The penalty alone: at equal rows the relativistic loss has no slope.
            r1_weight: weight,
            penalty_every: every,
            ..config.clone()
        };
        let mut adversary = Adversary::new(&config, setting(&["a"])).unwrap();
        let mut scenes = scenes(1, [1, 1, 100]);
        scenes.fake = scenes.real.copy();
        let report = adversary.learn(&scenes, 0, &mut alone).unwrap();
        report.grad_norm
    };
    let (once, lazily) = (norm(1.0, 1), norm(1.0, 16));
    assert!((lazily / once - 16.0).abs() < 1e-3, "{}", lazily / once);
}
