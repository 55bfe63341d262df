//! Differences of means with their confidence intervals.
//!
//! Student's t: of pairs (Gosset, *The probable error of a mean*, 1908), and of two samples of
//! unequal variance (Welch, 1947, with the Welch–Satterthwaite degrees of freedom). Several
//! differences at once are judged by Holm's step-down procedure (1979).

use distrs::StudentsT;
use serde::Serialize;

/// Probability with which an interval holds the true difference.
pub const CONFIDENCE: f64 = 0.95;

/// Mean and standard deviation (with `n - 1`) of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Values in the sample.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation; one value has none.
    pub sd: Option<f64>,
}

impl Spread {
    /// Of a sample that is not empty.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = (count > 0).then(|| values.iter().sum::<f64>() / count as f64)?;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Some(Self { count, mean, sd })
    }

    /// Squared standard error of the mean.
    fn error_squared(&self) -> Option<f64> {
        Some(self.sd?.powi(2) / self.count as f64)
    }
}

/// What a difference was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Pairs: every value of one arm belongs to one of the other.
    PairedT,
    /// Two samples that have nothing to do with each other.
    WelchT,
}

/// A difference and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Of the means.
    pub mean: f64,
    /// How it was judged.
    pub method: Method,
    /// Pairs, or values of both samples.
    pub count: usize,
    /// `[low, high]` at [`CONFIDENCE`]; needs two values.
    pub interval: Option<[f64; 2]>,
    /// Probability of a difference at least this large if there were none (two-sided).
    pub p: Option<f64>,
}

impl Difference {
    /// The mean of differences between the two values of each pair.
    #[must_use]
    pub fn of_pairs(differences: &[f64]) -> Option<Self> {
        let spread = Spread::of(differences)?;
        let freedom = (spread.count - 1) as f64;
        let error = spread.error_squared().map(f64::sqrt);
        Some(Self::new(
            spread.mean,
            Method::PairedT,
            spread.count,
            error,
            freedom,
        ))
    }

    /// The mean of `b` less the mean of `a`.
    #[must_use]
    pub fn of_samples(a: &[f64], b: &[f64]) -> Option<Self> {
        let (a, b) = (Spread::of(a)?, Spread::of(b)?);
        let (mean, count) = (b.mean - a.mean, a.count + b.count);
        let errors = a.error_squared().zip(b.error_squared());
        let freedom = errors.map_or(0.0, |(error_a, error_b)| {
            let of = |error: f64, count: usize| error.powi(2) / (count - 1) as f64;
            let freedom =
                (error_a + error_b).powi(2) / (of(error_a, a.count) + of(error_b, b.count));
            // Both samples without any spread: 0 / 0.
            if freedom.is_nan() { 1.0 } else { freedom }
        });
        let error = errors.map(|(a, b)| (a + b).sqrt());
        Some(Self::new(mean, Method::WelchT, count, error, freedom))
    }

    fn new(mean: f64, method: Method, count: usize, error: Option<f64>, freedom: f64) -> Self {
        let quantile = StudentsT::ppf(0.5 + CONFIDENCE / 2.0, freedom);
        let p = |error: f64| match (error > 0.0, mean == 0.0) {
            (true, _) => 2.0 * StudentsT::cdf(-(mean / error).abs(), freedom),
            (false, true) => 1.0,
            (false, false) => 0.0,
        };
        Self {
            mean,
            method,
            count,
            interval: error.map(|error| [mean - quantile * error, mean + quantile * error]),
            p: error.map(p),
        }
    }

    /// Whether the interval leaves 0 out; `None` where there is none.
    #[must_use]
    pub fn excludes_zero(&self) -> Option<bool> {
        self.interval.map(|[low, high]| low > 0.0 || high < 0.0)
    }
}

/// Which of several tests stand when they are looked at together, at a family-wise error rate of
/// `1 - CONFIDENCE`.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut stands = vec![false; p.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if p[index] > (1.0 - CONFIDENCE) / (p.len() - rank) as f64 {
            break;
        }
        stands[index] = true;
    }
    stands
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five digits, as far as the values below were taken from scipy 1.17.1 (`ttest_rel`,
    /// `ttest_ind(equal_var=False)` and their `confidence_interval()`).
    #[track_caller]
    fn close(got: f64, expected: f64) {
        assert!(
            (got - expected).abs() < 1e-5,
            "got {got}, expected {expected}"
        );
    }

    const A: [f64; 4] = [5.5, 5.7, 5.4, 5.8];
    const B: [f64; 4] = [5.9, 6.0, 5.8, 5.95];

    /// Guards the degrees of freedom, the n - 1, and the two sides.
    #[test]
    fn pairs_agree_with_scipy() {
        let differences: Vec<f64> = A.iter().zip(&B).map(|(a, b)| b - a).collect();
        let found = Difference::of_pairs(&differences).unwrap();
        close(found.mean, 0.312500);
        close(found.interval.unwrap()[0], 0.124504);
        close(found.interval.unwrap()[1], 0.500496);
        close(found.p.unwrap(), 0.013178);
        assert_eq!(found.excludes_zero(), Some(true));
    }

    #[test]
    fn samples_agree_with_scipy() {
        let found = Difference::of_samples(&A, &B[..3]).unwrap();
        close(found.mean, 0.300000);
        close(found.interval.unwrap()[0], 0.017738);
        close(found.interval.unwrap()[1], 0.582262);
        close(found.p.unwrap(), 0.041347);
    }

    /// Guards against a verdict from one value, or from none.
    #[test]
    fn one_pair_has_no_interval() {
        let found = Difference::of_pairs(&[0.3]).unwrap();
        assert_eq!((found.mean, found.interval, found.p), (0.3, None, None));
        assert_eq!(found.excludes_zero(), None);
        assert_eq!(Difference::of_pairs(&[]), None);
        assert_eq!(Difference::of_samples(&A, &[1.0]).unwrap().interval, None);
        assert_eq!(Difference::of_pairs(&[0.0, 0.0]).unwrap().p, Some(1.0));
    }

    /// Guards the order: a small p behind one that falls does not stand.
    #[test]
    fn holm_steps_down() {
        assert_eq!(holm(&[0.01, 0.04, 0.03]), [true, false, false]);
        assert_eq!(holm(&[0.03, 0.001, 0.02]), [true, true, true]);
        assert_eq!(holm(&[0.049]), [true]);
    }
}
