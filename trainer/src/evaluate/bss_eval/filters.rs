//! The least-squares filters that bring the references as close to an estimate as they can.

use tch::{TchError, Tensor};

use super::TAPS;
use super::correlations::Correlations;

/// The filters of all estimates.
pub(super) struct Filters {
    /// `[estimate][reference][taps]`: from all sources.
    pub(super) all: Vec<Vec<Vec<f64>>>,
    /// `[estimate][channel][taps]`: from its own source's channels.
    pub(super) own: Vec<Vec<Vec<f64>>>,
    /// Whether the references decide them, and not the rounding.
    pub(super) is_determined: bool,
}

impl Filters {
    pub(super) fn new(correlations: &Correlations, channels: usize) -> Result<Self, TchError> {
        let Correlations {
            gram,
            with_estimates,
        } = correlations;
        let estimates = with_estimates.size()[1];
        let (all, is_determined) = solve(gram, with_estimates)?;
        let all = by_estimate(&all)?;
        let side = (channels * TAPS) as i64;
        let channels = channels as i64;
        let mut own = Vec::new();
        for source in 0..estimates / channels {
            let first = source * side;
            let gram = gram.narrow(0, first, side).narrow(1, first, side);
            let right = with_estimates.narrow(0, first, side);
            let right = right.narrow(1, source * channels, channels);
            own.extend(by_estimate(&solve(&gram, &right)?.0)?);
        }
        Ok(Self {
            all,
            own,
            is_determined,
        })
    }
}

/// Of `[references * taps, estimates]`: `[estimate][reference][taps]`.
fn by_estimate(filters: &Tensor) -> Result<Vec<Vec<Vec<f64>>>, TchError> {
    let columns = filters.tr().contiguous(); // [estimates, references * taps]
    (0..columns.size()[0])
        .map(|estimate| {
            let row = Vec::<f64>::try_from(columns.get(estimate))?;
            Ok(row.chunks(TAPS).map(<[f64]>::to_vec).collect())
        })
        .collect()
}

/// museval solves by LU, and by least squares where that fails. The matrix is symmetric and, unless
/// rounding has the upper hand, positive definite: then Cholesky's way gives the same in half the
/// time. Also says whether that was so.
fn solve(gram: &Tensor, right: &Tensor) -> Result<(Tensor, bool), TchError> {
    /// Squared ratio of the factor's diagonal, a lower bound of the condition number, beyond which
    /// hardly a digit of the filters is left.
    const WORST_CONDITION: f64 = 1e14;
    let (factor, failed_at) = gram.f_linalg_cholesky_ex(false, false)?;
    if failed_at.int64_value(&[]) == 0 {
        let diagonal = factor.diagonal(0, 0, 1);
        let ratio = diagonal.max().double_value(&[]) / diagonal.min().double_value(&[]);
        let filters = right.f_cholesky_solve(&factor, false)?;
        return Ok((filters, ratio.powi(2) < WORST_CONDITION));
    }
    match Tensor::f_linalg_solve(gram, right, true) {
        Ok(filters) => Ok((filters, false)),
        Err(_) => Ok((gram.f_linalg_lstsq(right, None, "gelsd")?.0, false)),
    }
}
