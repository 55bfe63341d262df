//! Which stems lie late or early against the mixture.
//!
//! Stems are moved until their sum fits the mixture best: of all stems together and each alone, the
//! move that lowers the error most is made, and again until none is worth it. The error at every
//! move within a second comes from one cross-correlation, over the loudest six seconds of what is
//! moved.

use realfft::RealFftPlanner;

/// Frames compared: six seconds at 44.1 kHz.
const EXCERPT: usize = 1 << 18;
/// A move must make the error half as large, or chance could call for it.
const WORTH_DB: f64 = 3.0;

/// A stem that lies elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slip {
    /// Index of the stem; `None` for all of them together.
    pub(super) stem: Option<usize>,
    /// Frames that it comes too late.
    pub(super) late_frames: i64,
    /// How much better the sum fits the mixture without it.
    pub(super) gain_db: f64,
}

/// Finds slips of up to `reach` frames. All signals are mono and start together.
pub(super) fn slips(mixture: &[f32], stems: &[Vec<f32>], reach: usize) -> Vec<Slip> {
    let mut late = vec![0_i64; stems.len()];
    let mut found = Vec::new();
    // A stem is moved once, and all of them once.
    for _ in 0..=stems.len() {
        let alone = (0..stems.len()).map(Some);
        let together = (stems.len() > 1).then_some(None);
        let best = together
            .into_iter()
            .chain(alone)
            .filter_map(|stem| best_move(mixture, stems, &late, stem, reach))
            .max_by(|a, b| a.gain_db.total_cmp(&b.gain_db));
        let Some(best) = best.filter(|best| best.gain_db >= WORTH_DB) else {
            break;
        };
        match best.stem {
            Some(stem) => late[stem] += best.late_frames,
            None => late.iter_mut().for_each(|late| *late += best.late_frames),
        }
        found.push(best);
    }
    found
}

/// The best place for one stem (or all), the others staying where they are; `None` if it is silent.
fn best_move(
    mixture: &[f32],
    stems: &[Vec<f32>],
    late: &[i64],
    moved: Option<usize>,
    reach: usize,
) -> Option<Slip> {
    let is_moved = |stem: usize| moved.is_none_or(|moved| moved == stem);
    let sum = |frame: i64, moving: bool| -> f32 {
        (0..stems.len())
            .filter(|&stem| is_moved(stem) == moving)
            .filter_map(|stem| stems[stem].get(usize::try_from(frame + late[stem]).ok()?))
            .sum()
    };
    let start = loudest(mixture.len(), |frame| sum(frame as i64, true))? as i64;
    let reach = reach as i64;
    let moving: Vec<f32> = (start - reach..start + EXCERPT as i64 + reach)
        .map(|frame| sum(frame, true))
        .collect();
    let wanted: Vec<f32> = (start..start + EXCERPT as i64)
        .map(|frame| mixture.get(frame as usize).copied().unwrap_or(0.0) - sum(frame, false))
        .collect();
    let energy = |samples: &[f32]| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    if energy(&moving) < 1e-6 * EXCERPT as f64 {
        return None;
    }
    let products = correlate(&wanted, &moving)?;
    let wanted_energy = energy(&wanted);
    let mut moving_energy = energy(&moving[..EXCERPT]);
    let mut errors = Vec::with_capacity(2 * reach as usize + 1);
    for place in 0..=2 * reach as usize {
        // What floats round may not make an error negative, or any fit perfect.
        let error = wanted_energy + moving_energy - 2.0 * f64::from(products[place]);
        errors.push(error.max(1e-6 * wanted_energy).max(1e-12));
        if let Some(entering) = moving.get(place + EXCERPT) {
            let squares = [moving[place], *entering].map(|x| f64::from(x).powi(2));
            moving_energy += squares[1] - squares[0];
        }
    }
    let (place, error) = errors
        .iter()
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(b.1))?;
    Some(Slip {
        stem: moved,
        late_frames: place as i64 - reach,
        gain_db: 10.0 * (errors[reach as usize] / error).log10(),
    })
}

/// Start of the loudest excerpt, in steps of a quarter of one.
fn loudest(frames: usize, sample: impl Fn(usize) -> f32) -> Option<usize> {
    const STEP: usize = EXCERPT / 4;
    let energies: Vec<f64> = (0..frames.div_ceil(STEP))
        .map(|step| {
            // One frame in seven is enough to compare levels.
            let range = step * STEP..((step + 1) * STEP).min(frames);
            range.step_by(7).map(|n| f64::from(sample(n)).powi(2)).sum()
        })
        .collect();
    let span = |step: usize| -> f64 { energies.iter().skip(step).take(4).sum() };
    let best = (0..energies.len()).max_by(|&a, &b| span(a).total_cmp(&span(b)))?;
    Some((best * STEP).min(frames.saturating_sub(EXCERPT)))
}

/// `Σ wanted[n] * moving[n + k]` for every `k` at which all of `wanted` meets `moving`.
fn correlate(wanted: &[f32], moving: &[f32]) -> Option<Vec<f32>> {
    let length = moving.len().next_power_of_two();
    let mut planner = RealFftPlanner::new();
    let forward = planner.plan_fft_forward(length);
    let inverse = planner.plan_fft_inverse(length);
    let spectrum = |samples: &[f32]| {
        let mut input = forward.make_input_vec();
        input[..samples.len()].copy_from_slice(samples);
        let mut output = forward.make_output_vec();
        forward.process(&mut input, &mut output).ok()?;
        Some(output)
    };
    let (wanted_bins, mut bins) = (spectrum(wanted)?, spectrum(moving)?);
    for (bin, wanted) in bins.iter_mut().zip(&wanted_bins) {
        *bin = *bin * wanted.conj() / length as f32;
    }
    let mut products = inverse.make_output_vec();
    inverse.process(&mut bins, &mut products).ok()?;
    products.truncate(moving.len() - wanted.len() + 1);
    Some(products)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::noise;

    fn signal(seed: u64, peak: f32) -> Vec<f32> {
        noise(EXCERPT + 20_000, seed, peak).channel(0).to_vec()
    }

    fn sum(parts: &[&Vec<f32>]) -> Vec<f32> {
        (0..parts[0].len())
            .map(|n| parts.iter().map(|part| part[n]).sum())
            .collect()
    }

    /// Later (or, if negative, earlier) by so many frames.
    fn late(signal: &[f32], frames: i64) -> Vec<f32> {
        let at = |n: usize| {
            signal
                .get(usize::try_from(n as i64 - frames).ok()?)
                .copied()
        };
        (0..signal.len()).map(|n| at(n).unwrap_or(0.0)).collect()
    }

    /// Guards against a wrong sign, a lag off by one, and a slip that is blamed on the others.
    #[test]
    fn the_stem_that_slipped_is_found_with_its_lag() {
        let (a, b, c) = (signal(1, 0.3), signal(2, 0.2), signal(3, 0.05));
        let mixture = sum(&[&a, &b, &c]);
        assert_eq!(
            slips(&mixture, &[a.clone(), b.clone(), c.clone()], 3_000),
            []
        );
        let slipped = slips(&mixture, &[late(&a, 1_105), b.clone(), late(&c, -7)], 3_000);
        let moves: Vec<_> = slipped.iter().map(|s| (s.stem, s.late_frames)).collect();
        assert_eq!(moves, [(Some(0), 1_105), (Some(2), -7)]);
        let stems = [&a, &b, &c].map(|stem| late(stem, 1_024));
        let slipped = slips(&mixture, &stems, 3_000);
        let moves: Vec<_> = slipped.iter().map(|s| (s.stem, s.late_frames)).collect();
        assert_eq!(moves, [(None, 1_024)]);
    }

    /// A partly labelled song: the rest of the mixture is an error that no move takes away.
    #[test]
    fn a_slip_is_found_under_what_is_not_labelled() {
        let (a, unknown) = (signal(1, 0.2), signal(2, 0.2));
        let mixture = sum(&[&a, &unknown]);
        assert_eq!(slips(&mixture, std::slice::from_ref(&a), 3_000), []);
        let slipped = slips(&mixture, &[late(&a, 441)], 3_000);
        assert_eq!(slipped.len(), 1);
        assert_eq!((slipped[0].stem, slipped[0].late_frames), (Some(0), 441));
    }
}
