//! Loudness as broadcasters and streaming services measure it: ITU-R BS.1770's integrated loudness.

use anyhow::Context as _;
use ebur128::{EbuR128, Mode};

use crate::render::instruments::{RATE_HZ, Stereo};

/// Integrated loudness in LUFS; `None` for silence and for what is shorter than the measure's
/// windows of 0.4 s.
///
/// # Errors
/// If the meter refuses its settings.
pub(crate) fn integrated(audio: &Stereo) -> anyhow::Result<Option<f32>> {
    let mut meter = EbuR128::new(2, RATE_HZ, Mode::I).context("starting the loudness meter")?;
    let [left, right] = audio;
    meter
        .add_frames_planar_f32(&[left, right])
        .and_then(|()| meter.loudness_global())
        .map(|lufs| lufs.is_finite().then_some(lufs as f32))
        .context("measuring loudness")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's own anchor: a sine of 997 Hz at full scale on one side reads −3.01 LUFS, so
    /// on both sides at −20 dBFS it reads −20 LUFS (within the meter's tolerance of 0.1 LU).
    #[test]
    fn a_sine_reads_what_the_standard_says() {
        let sine: Vec<f32> = (0..RATE_HZ * 3)
            .map(|frame| {
                let turn = f64::from(frame) * 997.0 / f64::from(RATE_HZ);
                0.1 * (turn * std::f64::consts::TAU).sin() as f32
            })
            .collect();
        let lufs = integrated(&[sine.clone(), sine]).unwrap().unwrap();
        assert!((lufs + 20.0).abs() < 0.1, "{lufs} LUFS");
    }

    #[test]
    fn silence_has_no_loudness() {
        let silence = vec![0.0; RATE_HZ as usize];
        assert_eq!(integrated(&[silence.clone(), silence]).unwrap(), None);
        assert_eq!(integrated(&[vec![0.5; 100], vec![0.5; 100]]).unwrap(), None);
    }
}
