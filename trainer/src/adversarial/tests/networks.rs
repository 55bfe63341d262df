use super::super::discriminator::{Discriminator, Shape};
use super::super::layers::{Source, Verdict};
use super::super::weights::made;
use super::*;

fn verdicts(kind: usize, frames: i64) -> Vec<Verdict> {
    let shape = Shape {
        channels: 2,
        stems: 3,
        device: Device::Cpu,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let source: &mut Source<'_> = &mut |_, sizes, init| made(sizes, &init, &mut rng);
    let discriminator = Discriminator::new(&tiny().discriminators[kind], shape, source);
    let waveforms = if discriminator.name == "context" {
        6
    } else {
        2
    };
    let stem = (waveforms == 2).then(|| Tensor::from_slice(&[0_i64, 2, 1, 1, 0]));
    let audio = noise(1, &[5, waveforms, frames]);
    discriminator.forward(&audio, &noise(2, &[5, 2, frames]), stem.as_ref())
}

/// Guards against a front that needs even lengths, or that drops a place at the border: places per
/// part are worked out by hand for 1001 frames.
#[test]
fn every_place_of_an_odd_length_is_scored() {
    let places = |kind| -> Vec<i64> {
        let verdicts = verdicts(kind, 1001);
        verdicts.iter().map(|v| v.scores.size()[1]).collect()
    };
    // Times (1001 - window) / hop + 1; bins 17 → 9 → 5 → 3 → 2 and 33 → 17 → 9 → 5 → 3.
    assert_eq!(places(0), [122 * 2, 59 * 3]);
    // Turns of 500 and 333 frames, every third of them, each of 2 or 3 columns.
    assert_eq!(places(1), [167 * 2, 111 * 3]);
    // 1001 and 500 frames, every fourth of them.
    assert_eq!(places(2), [251, 125]);
    assert_eq!(places(3), [59 * 3]);
    for verdict in verdicts(0, 1001) {
        assert_eq!(verdict.scores.size()[0], 5);
        assert_eq!(verdict.features.len(), 5);
    }
}

/// Guards against a shortest length that still fails in some layer.
#[test]
fn the_shortest_segment_is_judged_and_a_shorter_one_refused() {
    let adversary = Adversary::new(&tiny(), setting(&["a", "b"])).unwrap();
    let shortest = adversary.shortest_frames();
    assert_eq!(shortest, 64);
    let terms = adversary.generator_terms(&scenes(1, [2, 2, shortest]), 0);
    assert!(
        terms
            .unwrap()
            .iter()
            .all(|term| term.value.double_value(&[]).is_finite())
    );
    let refused = adversary.generator_terms(&scenes(1, [2, 2, shortest - 1]), 0);
    assert!(refused.unwrap_err().to_string().contains("63 frames"));
}

/// Guards against names that move: they are the keys of saved states.
#[test]
fn names_of_weights_are_paths() {
    let config = AdversarialConfig {
        discriminators: vec![DiscriminatorConfig::Periods(PeriodsConfig {
            periods: vec![2],
            channels: vec![4],
        })],
        ..tiny()
    };
    let adversary = Adversary::new(&config, setting(&["a"])).unwrap();
    let names: Vec<String> = (adversary.state().into_iter())
        .filter_map(|(name, _)| name.strip_prefix("now.weight.").map(str::to_owned))
        .collect();
    assert_eq!(
        names,
        [
            "periods.0.0.bias",
            "periods.0.0.direction",
            "periods.0.0.length",
            "periods.0.score.bias",
            "periods.0.score.direction",
            "periods.0.score.length",
            "periods.0.stem.offset",
            "periods.0.stem.projection",
        ]
    );
}

/// Guards against a normalisation that changes the first weights: filters start at the length that
/// torch's initialisation gave them, and `length` alone sets it.
#[test]
fn filters_are_as_long_as_their_weight_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let shape = super::super::layers::ConvolutionShape {
        inputs: 2,
        outputs: 3,
        kernel: vec![5],
        stride: vec![1],
        dilation: vec![1],
        groups: 1,
    };
    let mut tensors = Vec::new();
    let source: &mut Source<'_> = &mut |name, sizes, init| {
        let tensor = made(sizes, &init, &mut rng);
        tensors.push((name.to_owned(), tensor.shallow_clone()));
        tensor
    };
    let stack = super::super::layers::Stack::new(source, "x", vec![shape], 0);
    let x = noise(3, &[1, 2, 20]);
    let tensor = |name: &str| tensors.iter().find(|(n, _)| n == name).unwrap().1.copy();
    let plain = x.conv1d(
        &tensor("x.score.direction"),
        Some(tensor("x.score.bias")),
        [1],
        [2],
        [1],
        1,
    );
    let scores = stack.forward(&x, None).scores;
    let difference = (scores - plain.view([1, -1])).abs().max();
    // A division and a multiplication by the same length: rounding only.
    assert!(difference.double_value(&[]) < 1e-6, "{difference}");
}
