//! What discriminators and generator strive for, and the penalties on the discriminators' slope.

use tch::{Kind, Tensor};

use super::config::LossFamily;
use super::layers::Verdict;

impl LossFamily {
    /// The discriminator's loss, from its scores of real and fake rows of the same mixtures:
    /// `[rows, places]` each.
    pub(super) fn of_discriminator(self, real: &Tensor, fake: &Tensor) -> Tensor {
        match self {
            Self::Hinge => {
                (-real + 1.0).relu().mean(Kind::Float) + (fake + 1.0).relu().mean(Kind::Float)
            }
            Self::LeastSquares => {
                (real - 1.0).square().mean(Kind::Float) + fake.square().mean(Kind::Float)
            }
            // Row by row and place by place: a stem against the estimate from the same mixture.
            Self::Relativistic => (fake - real).softplus().mean(Kind::Float),
        }
    }

    /// The generator's loss from the same scores; those of real rows carry no gradient.
    pub(super) fn of_generator(self, real: &Tensor, fake: &Tensor) -> Tensor {
        match self {
            Self::Hinge => -fake.mean(Kind::Float),
            Self::LeastSquares => (fake - 1.0).square().mean(Kind::Float),
            Self::Relativistic => (real - fake).softplus().mean(Kind::Float),
        }
    }

    /// The score above which a row counts as real; `None` where only differences mean anything.
    pub(super) fn threshold(self) -> Option<f64> {
        match self {
            Self::Hinge => Some(0.0),
            Self::LeastSquares => Some(0.5),
            Self::Relativistic => None,
        }
    }
}

/// How far the generator's rows are from the real ones in the eyes of the layers: mean absolute
/// difference over mean magnitude, averaged over layers (EnCodec, section 3.4).
pub(super) fn feature_distance(real: &Verdict, fake: &Verdict) -> Tensor {
    let layers: Vec<Tensor> = (real.features.iter().zip(&fake.features))
        .map(|(real, fake)| {
            let magnitude = real.abs().mean(Kind::Float).clamp_min(1e-6);
            (fake - real).abs().mean(Kind::Float) / magnitude
        })
        .collect();
    Tensor::stack(&layers, 0).mean(Kind::Float)
}

/// Mean over rows and places of the squared length of a score's gradient towards `audio`, with a
/// graph of its own: times γ/2 it is R1 on real rows and R2 on generated ones (Mescheder et al.
/// 2018).
///
/// One backward pass gives the gradient of the sum over places. Its squared length is the sum of
/// the places' own as far as they look at different samples; where they share samples, their slopes
/// add up before they are squared. Dividing by the number of places makes it independent of the
/// segment's length.
pub(super) fn slope_penalty(scores: &Tensor, audio: &Tensor) -> Tensor {
    let whole = scores.sum(scores.kind());
    let gradient = Tensor::run_backward(&[whole], &[audio], true, true).remove(0);
    gradient.square().sum(audio.kind()) / scores.numel() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a sign or a margin of any family: two rows of two places, worked out by hand.
    #[test]
    fn losses_are_as_worked_out_by_hand() {
        let real = Tensor::from_slice(&[2.0_f32, 0.5, -1.0, 1.0]).view([2, 2]);
        let fake = Tensor::from_slice(&[-2.0_f32, 0.0, 1.0, 0.5]).view([2, 2]);
        let softplus = |x: f64| x.exp().ln_1p();
        let cases = [
            // (0 + 0.5 + 2 + 0) / 4 + (0 + 1 + 2 + 1.5) / 4; -(-2 + 0 + 1 + 0.5) / 4.
            (LossFamily::Hinge, 0.625 + 1.125, 0.125),
            // (1 + 0.25 + 4 + 0) / 4 + (4 + 0 + 1 + 0.25) / 4; (9 + 1 + 0 + 0.25) / 4.
            (LossFamily::LeastSquares, 1.3125 + 1.3125, 2.5625),
            // Fake less real: -4, -0.5, 2, -0.5.
            (
                LossFamily::Relativistic,
                (softplus(-4.0) + 2.0 * softplus(-0.5) + softplus(2.0)) / 4.0,
                (softplus(4.0) + 2.0 * softplus(0.5) + softplus(-2.0)) / 4.0,
            ),
        ];
        for (family, of_discriminator, of_generator) in cases {
            let got = family.of_discriminator(&real, &fake).double_value(&[]);
            assert!((got - of_discriminator).abs() < 1e-6, "{family:?}: {got}");
            let got = family.of_generator(&real, &fake).double_value(&[]);
            assert!((got - of_generator).abs() < 1e-6, "{family:?}: {got}");
        }
    }

    /// Guards against estimates that are held against another mixture's stems: an offset that the
    /// scores of a whole scene share does not matter to the relativistic loss.
    #[test]
    fn relativistic_pairs_are_of_one_row() {
        let real = Tensor::from_slice(&[2.0_f32, 0.5, -1.0, 1.0]).view([2, 2]);
        let fake = Tensor::from_slice(&[-2.0_f32, 0.0, 1.0, 0.5]).view([2, 2]);
        let offset = Tensor::from_slice(&[5.0_f32, -3.0]).view([2, 1]);
        let loss = |real: &Tensor, fake: &Tensor| {
            let loss = LossFamily::Relativistic.of_discriminator(real, fake);
            loss.double_value(&[])
        };
        let moved = loss(&(&real + &offset), &(&fake + &offset));
        assert!((moved - loss(&real, &fake)).abs() < 1e-6);
        assert!((loss(&real, &fake.flip([0])) - loss(&real, &fake)).abs() > 0.01);
    }
}
