use std::collections::BTreeMap;

use super::*;

fn controlled() -> AdversarialConfig {
    AdversarialConfig {
        update_probability: 0.7,
        crop_seconds: 0.01,
        control: ControlConfig {
            initial_probability: 0.5,
            probability_step: 0.1,
            ..ControlConfig::default()
        },
        ..tiny()
    }
}

fn steps(adversary: &mut Adversary, range: std::ops::Range<u64>) {
    for step in range {
        let _ = adversary
            .learn(&scenes(step, [2, 2, 150]), step, &mut alone)
            .unwrap();
        if step % 3 == 2 {
            let (train, held_out) = (scenes(step, [2, 2, 150]), scenes(step + 77, [2, 2, 150]));
            let sums = adversary.measure(&train, &held_out, step).unwrap();
            let _ = adversary.answer(&sums, step).unwrap();
        }
    }
}

/// Guards against a draw, a moment or a counter that a resumed run does not have: states and the
/// generator's next terms are equal bit for bit.
#[test]
fn a_resumed_run_equals_one_that_never_stopped() {
    let mut whole = Adversary::new(&controlled(), setting(&["a", "b"])).unwrap();
    steps(&mut whole, 0..5);
    let saved: BTreeMap<String, Tensor> = all_tensors(&whole).into_iter().collect();
    let counters = serde_json::to_string(&whole.counters()).unwrap();
    steps(&mut whole, 5..10);

    let other = Setting {
        seed: 1,
        ..setting(&["a", "b"])
    };
    let mut resumed = Adversary::new(&controlled(), other).unwrap();
    let counters: Counters = serde_json::from_str(&counters).unwrap();
    resumed.restore(&saved, &counters).unwrap();
    steps(&mut resumed, 5..10);

    assert!(are_equal(&all_tensors(&whole), &all_tensors(&resumed)));
    assert_eq!(whole.counters(), resumed.counters());
    let term = |adversary: &Adversary| {
        let terms = adversary.generator_terms(&scenes(3, [2, 2, 150]), 10);
        terms.unwrap().remove(0).value.double_value(&[])
    };
    assert_eq!(term(&whole).to_bits(), term(&resumed).to_bits());
}

/// Guards against a half restored adversary from a state of another config.
#[test]
fn a_state_of_other_discriminators_is_refused() {
    let whole = Adversary::new(&controlled(), setting(&["a", "b"])).unwrap();
    let mut other = Adversary::new(&controlled(), setting(&["a"])).unwrap();
    let saved: BTreeMap<String, Tensor> = whole.state().into_iter().collect();
    let refused = other.restore(&saved, &whole.counters()).unwrap_err();
    assert!(
        refused.to_string().contains("context.0.0.direction"),
        "{refused}"
    );
}

/// Guards against a step back that leaves weights, moments or the judging twin behind.
#[test]
fn a_roll_back_restores_the_last_healthy_weights() {
    let mut adversary = Adversary::new(&controlled(), setting(&["a", "b"])).unwrap();
    steps(&mut adversary, 0..2);
    let verdict = |r_v: f64| {
        // Scores 1 for training stems, 0 for estimates, and held-out stems in between.
        let mut sums =
            super::super::overfitting::OverfittingSums::new(vec![("x".into(), "a".into())]);
        let train = super::super::overfitting::Scores {
            real: vec![1.0, 1.0],
            fake: vec![0.0, 0.0],
        };
        let held_out = super::super::overfitting::Scores {
            real: vec![1.0 - r_v, 1.0 - r_v],
            fake: vec![0.0, 0.0],
        };
        sums.add(0, Some(0.5), &train, &held_out);
        sums
    };
    let judged = |adversary: &Adversary| {
        let terms = adversary.generator_terms(&scenes(3, [2, 2, 150]), 1);
        terms.unwrap().remove(0).value.double_value(&[])
    };
    let action = adversary.answer(&verdict(0.1), 1).unwrap().action;
    assert_eq!(action, Action::Healthy);
    let healthy: Vec<_> = all_tensors(&adversary);
    let updates = adversary.counters().updates;
    steps(&mut adversary, 3..5);
    assert!(!are_equal(&healthy, &all_tensors(&adversary)));
    let report = adversary.answer(&verdict(1.9), 6).unwrap();
    assert_eq!(report.action, Action::RollBack);
    assert_eq!(report.control.roll_backs, 1);
    assert!(are_equal(&healthy, &all_tensors(&adversary)));
    assert_eq!(adversary.counters().updates, updates);
    let now = judged(&adversary);
    // Variations are drawn with another probability now: the twin is compared without them.
    let saved: BTreeMap<String, Tensor> = healthy.into_iter().collect();
    let mut fresh = Adversary::new(&controlled(), setting(&["a", "b"])).unwrap();
    fresh.restore(&saved, &adversary.counters()).unwrap();
    assert_eq!(now.to_bits(), judged(&fresh).to_bits());
}
