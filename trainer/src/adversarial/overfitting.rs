//! Whether a discriminator knows real stems or only the training's: sums that add up over batches
//! and ranks, and the figures made of them.
//!
//! r_v is Karras et al. 2020, equation 1: 0 where unseen real stems score as those of the
//! training, 1 where they score as the generator's.

use serde::{Deserialize, Serialize};

/// Where the sums of one discriminator's scores of one stem lie: a flat row of numbers, so that a
/// sum over ranks is one all-reduce.
mod field {
    pub(super) const GROUPS: usize = 4;
    /// Per group: count, sum and sum of squares of the scores.
    pub(super) const PER_GROUP: usize = 3;
    pub(super) const TRAIN_REAL: usize = 0;
    pub(super) const TRAIN_FAKE: usize = PER_GROUP;
    pub(super) const HELD_OUT_REAL: usize = 2 * PER_GROUP;
    pub(super) const HELD_OUT_FAKE: usize = 3 * PER_GROUP;
    /// Right and all answers, in training and held-out scenes.
    pub(super) const TRAIN_ANSWERS: usize = GROUPS * PER_GROUP;
    pub(super) const HELD_OUT_ANSWERS: usize = TRAIN_ANSWERS + 2;
    /// Won and all comparisons of a real with a fake row, in training and held-out scenes.
    pub(super) const TRAIN_PAIRS: usize = HELD_OUT_ANSWERS + 2;
    pub(super) const HELD_OUT_PAIRS: usize = TRAIN_PAIRS + 2;
    pub(super) const COUNT: usize = HELD_OUT_PAIRS + 2;
}

/// Scores of rows of one kind: real and fake ones of the same scenes, in the same order.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores {
    pub(super) real: Vec<f64>,
    pub(super) fake: Vec<f64>,
}

/// Sums per discriminator and stem; those of several batches or ranks add up.
#[derive(Clone, Debug, PartialEq)]
pub struct OverfittingSums {
    /// Discriminator and stem; `scene` where all stems are judged at once.
    names: Vec<(String, String)>,
    values: Vec<f64>,
}

impl OverfittingSums {
    pub(super) fn new(names: Vec<(String, String)>) -> Self {
        let values = vec![0.0; names.len() * field::COUNT];
        Self { names, values }
    }

    /// All numbers in one row, to be summed over ranks in place.
    pub fn values(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// Adds the sums of other batches of the same discriminators.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.names, other.names);
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            *value += other;
        }
    }

    /// Adds the scores of one batch to entry `index`.
    pub(super) fn add(
        &mut self,
        index: usize,
        threshold: Option<f64>,
        train: &Scores,
        held_out: &Scores,
    ) {
        let values = &mut self.values[index * field::COUNT..][..field::COUNT];
        let groups = [
            (field::TRAIN_REAL, &train.real),
            (field::TRAIN_FAKE, &train.fake),
            (field::HELD_OUT_REAL, &held_out.real),
            (field::HELD_OUT_FAKE, &held_out.fake),
        ];
        for (at, scores) in groups {
            values[at] += scores.len() as f64;
            values[at + 1] += scores.iter().sum::<f64>();
            values[at + 2] += scores.iter().map(|score| score * score).sum::<f64>();
        }
        for (scores, answers, pairs) in [
            (train, field::TRAIN_ANSWERS, field::TRAIN_PAIRS),
            (held_out, field::HELD_OUT_ANSWERS, field::HELD_OUT_PAIRS),
        ] {
            let (right, all) = right_answers(scores, threshold);
            values[answers] += right;
            values[answers + 1] += all;
            values[pairs] += won_pairs(&scores.real, &scores.fake);
            values[pairs + 1] += (scores.real.len() * scores.fake.len()) as f64;
        }
    }

    /// The figures.
    #[must_use]
    pub fn report(&self) -> Overfitting {
        let mut discriminators: Vec<DiscriminatorFigures> = Vec::new();
        let mut totals: Vec<[f64; field::COUNT]> = Vec::new();
        for ((name, stem), values) in self.names.iter().zip(self.values.chunks(field::COUNT)) {
            if discriminators.last().is_none_or(|last| last.name != *name) {
                discriminators.push(DiscriminatorFigures {
                    name: name.clone(),
                    ..DiscriminatorFigures::default()
                });
                totals.push([0.0; field::COUNT]);
            }
            if let (Some(last), Some(total)) = (discriminators.last_mut(), totals.last_mut()) {
                last.stems.push((stem.clone(), Figures::of(values)));
                for (total, value) in total.iter_mut().zip(values) {
                    *total += value;
                }
            }
        }
        for (figures, total) in discriminators.iter_mut().zip(&totals) {
            figures.all = Figures::of(total);
        }
        let known: Vec<f64> = discriminators.iter().filter_map(|d| d.all.r_v).collect();
        Overfitting {
            r_v: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
            discriminators,
        }
    }
}

/// How much the discriminators overfit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overfitting {
    /// Mean over the discriminators that tell real from fake at all.
    pub r_v: Option<f64>,
    /// One by one.
    pub discriminators: Vec<DiscriminatorFigures>,
}

/// One discriminator's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DiscriminatorFigures {
    /// Its kind.
    pub name: String,
    /// Over all its rows.
    pub all: Figures,
    /// Stem by stem; one entry `scene` where all stems are judged at once.
    pub stems: Vec<(String, Figures)>,
}

/// Figures of one group of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// (E train real - E held-out real) / (E train real - E train fake); `None` where the
    /// denominator lies within two standard errors of 0: then nothing is told apart that could
    /// have been learned by heart.
    pub r_v: Option<f64>,
    /// Share of right answers on training scenes: by the loss's threshold, or, where a loss knows
    /// differences only, how often a stem scores above its own estimate.
    pub train_accuracy: Option<f64>,
    /// The same on held-out scenes.
    pub held_out_accuracy: Option<f64>,
    /// How often a real row scores above a fake one, over all pairs of a batch, ties half: the
    /// area under the receiver operating characteristic (Mann & Whitney).
    pub train_auc: Option<f64>,
    /// The same on held-out scenes.
    pub held_out_auc: Option<f64>,
    /// Mean score of the training's stems.
    pub train_real: Option<f64>,
    /// Mean score of the generator's stems of training mixtures.
    pub train_fake: Option<f64>,
    /// Mean score of held-out stems.
    pub held_out_real: Option<f64>,
    /// Mean score of the generator's stems of held-out mixtures.
    pub held_out_fake: Option<f64>,
}

impl Figures {
    fn of(values: &[f64]) -> Self {
        let share = |at: usize| (values[at + 1] > 0.0).then(|| values[at] / values[at + 1]);
        let mean = |at: usize| (values[at] > 0.0).then(|| values[at + 1] / values[at]);
        // Squared standard error of a group's mean.
        let error = |at: usize| {
            let [count, sum, squares] = [values[at], values[at + 1], values[at + 2]];
            if count < 2.0 {
                return f64::INFINITY;
            }
            ((squares - sum * sum / count) / (count - 1.0) / count).max(0.0)
        };
        let (train_real, train_fake) = (mean(field::TRAIN_REAL), mean(field::TRAIN_FAKE));
        let held_out_real = mean(field::HELD_OUT_REAL);
        let r_v = (train_real.zip(train_fake).zip(held_out_real)).and_then(
            |((train_real, train_fake), held_out_real)| {
                let gap = train_real - train_fake;
                let error = (error(field::TRAIN_REAL) + error(field::TRAIN_FAKE)).sqrt();
                (gap > 0.0 && gap > 2.0 * error).then(|| (train_real - held_out_real) / gap)
            },
        );
        Self {
            r_v,
            train_accuracy: share(field::TRAIN_ANSWERS),
            held_out_accuracy: share(field::HELD_OUT_ANSWERS),
            train_auc: share(field::TRAIN_PAIRS),
            held_out_auc: share(field::HELD_OUT_PAIRS),
            train_real,
            train_fake,
            held_out_real,
            held_out_fake: mean(field::HELD_OUT_FAKE),
        }
    }
}

/// Right and all answers.
fn right_answers(scores: &Scores, threshold: Option<f64>) -> (f64, f64) {
    let Scores { real, fake } = scores;
    let (right, all) = match threshold {
        Some(threshold) => (
            real.iter().filter(|&&score| score > threshold).count()
                + fake.iter().filter(|&&score| score <= threshold).count(),
            real.len() + fake.len(),
        ),
        None => (
            real.iter()
                .zip(fake)
                .filter(|(real, fake)| real > fake)
                .count(),
            real.len().min(fake.len()),
        ),
    };
    (right as f64, all as f64)
}

/// In how many pairs the real score is higher, ties counted half: the rank statistic U.
fn won_pairs(real: &[f64], fake: &[f64]) -> f64 {
    let mut sorted = fake.to_vec();
    sorted.sort_by(f64::total_cmp);
    real.iter()
        .map(|score| {
            let below = sorted.partition_point(|other| other < score);
            let up_to = sorted.partition_point(|other| other <= score);
            (below + up_to) as f64 / 2.0
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn names() -> Vec<(String, String)> {
        vec![("spectral".into(), "bass".into())]
    }

    fn figures(train: &Scores, held_out: &Scores) -> Figures {
        let mut sums = OverfittingSums::new(names());
        sums.add(0, Some(0.0), train, held_out);
        sums.report().discriminators[0].all
    }

    fn scores(real: &[f64], fake: &[f64]) -> Scores {
        Scores {
            real: real.to_vec(),
            fake: fake.to_vec(),
        }
    }

    /// Guards against a ratio the wrong way round.
    #[test]
    fn r_v_is_0_where_unseen_stems_score_as_seen_ones_and_1_where_as_estimates() {
        let train = scores(&[3.0, 3.2, 2.8], &[-1.0, -1.1, -0.9]);
        let close = |held_out: [f64; 3], expected: f64| {
            let figures = figures(&train, &scores(&held_out, &[-1.0; 3]));
            assert!((figures.r_v.unwrap() - expected).abs() < 1e-9);
        };
        close([3.1, 2.9, 3.0], 0.0);
        close([-1.0, -0.5, -1.5], 1.0);
        close([1.0, 1.5, 0.5], 0.5);
    }

    /// Guards against a ratio of two kinds of noise, which would make the control act on nothing.
    #[test]
    fn r_v_is_unknown_where_nothing_is_told_apart() {
        let noise = scores(&[1.0, -1.0, 0.5, -0.3], &[0.9, -1.1, 0.4, -0.4]);
        assert_eq!(figures(&noise, &noise).r_v, None);
        assert_eq!(figures(&scores(&[1.0], &[0.0]), &noise).r_v, None);
        assert_eq!(figures(&Scores::default(), &noise).train_auc, None);
    }

    /// Guards against thresholds and pairs that are counted wrongly.
    #[test]
    fn accuracy_counts_answers_or_pairs() {
        let train = scores(&[0.5, -0.5, 2.0], &[-1.0, -2.0, 1.0]);
        let held_out = scores(&[-0.5], &[-1.0]);
        let by_threshold = figures(&train, &held_out);
        assert_eq!(by_threshold.train_accuracy, Some(4.0 / 6.0));
        assert_eq!(by_threshold.held_out_accuracy, Some(0.5));
        let mut sums = OverfittingSums::new(names());
        sums.add(0, None, &train, &held_out);
        let by_pair = sums.report().discriminators[0].all;
        assert_eq!(by_pair.train_accuracy, Some(1.0));
        assert_eq!(by_pair.held_out_accuracy, Some(1.0));
    }

    /// Guards against an area that counts ties or order wrongly: every pair, one by one.
    #[test]
    fn auc_equals_brute_force() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..20 {
            // Whole numbers, so that there are ties.
            let mut draw = |count: usize| -> Vec<f64> {
                (0..count)
                    .map(|_| f64::from(rng.random_range(0..6)))
                    .collect()
            };
            let (real, fake) = (draw(7), draw(9));
            let mut won = 0.0;
            for r in &real {
                for f in &fake {
                    won += if r > f {
                        1.0
                    } else if r == f {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
            let figures = figures(&scores(&real, &fake), &Scores::default());
            assert!((figures.train_auc.unwrap() - won / 63.0).abs() < 1e-12);
        }
    }

    /// Guards against sums that depend on how rows are shared out among batches or ranks.
    #[test]
    fn sums_of_two_batches_add_up() {
        let (a, b) = (scores(&[2.0, 2.5], &[-1.0, 0.0]), scores(&[3.0], &[-2.0]));
        let mut both = OverfittingSums::new(names());
        both.add(0, Some(0.0), &a, &b);
        both.add(0, Some(0.0), &b, &a);
        let [mut first, mut second] = [(&a, &b), (&b, &a)].map(|(train, held_out)| {
            let mut sums = OverfittingSums::new(names());
            sums.add(0, Some(0.0), train, held_out);
            sums
        });
        // As an all-reduce would.
        for (value, other) in first.values().iter_mut().zip(second.values()) {
            *value += *other;
        }
        assert_eq!(first, both);
        let figures = both.report().discriminators[0].all;
        assert_eq!(figures.train_real, Some(2.5));
        assert_eq!(figures.train_fake, Some(-1.0));
    }
}
