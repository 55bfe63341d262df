use super::*;

/// Real and fake from one distribution: whoever tells them apart knows them by heart. The mixture
/// is the same everywhere, so that it gives nothing away.
fn alike(real: u64, fake: u64) -> Scenes {
    let mixture = noise(999, &[1, 2, 64]);
    Scenes {
        mixture: mixture.repeat([6, 1, 1]),
        real: noise(real, &[6, 1, 2, 64]),
        fake: noise(fake, &[6, 1, 2, 64]),
        usable: None,
    }
}

/// Guards against figures that do not see what they are for: a discriminator that meets the same
/// six stems again and again, among ever new estimates, learns them by heart and takes other stems
/// for estimates.
#[test]
fn a_discriminator_that_memorises_shows_it() {
    let config = AdversarialConfig {
        discriminators: vec![DiscriminatorConfig::Waveform(WaveformConfig {
            scales: 1,
            channels: vec![16, 32],
        })],
        loss: LossFamily::Hinge,
        r1_weight: 0.0,
        r2_weight: 0.0,
        learning_rate: 3e-3,
        ..tiny()
    };
    let mut adversary = Adversary::new(&config, setting(&["a"])).unwrap();
    for step in 0..150 {
        let _ = adversary
            .learn(&alike(1, 2000 + step), step, &mut alone)
            .unwrap();
    }
    let mut sums = adversary.measure(&alike(1, 3), &alike(4, 5), 0).unwrap();
    for batch in 1..5 {
        let held_out = alike(40 + batch, 50 + batch);
        let more = adversary.measure(&alike(1, 30 + batch), &held_out, 0);
        sums.merge(&more.unwrap());
    }
    let report = adversary.answer(&sums, 150).unwrap();
    let figures = report.overfitting.discriminators[0].all;
    assert!(figures.train_auc.unwrap() > 0.95, "{figures:?}");
    assert!(figures.train_accuracy.unwrap() > 0.9, "{figures:?}");
    // Thirty held-out rows a side: the standard error of an AUC of 0.5 is 0.075.
    assert!(
        (figures.held_out_auc.unwrap() - 0.5).abs() < 0.25,
        "{figures:?}"
    );
    assert!((figures.r_v.unwrap() - 1.0).abs() < 0.25, "{figures:?}");
    assert_ne!(report.action, Action::Healthy);
}
