//! A clip as a picture: time to the right, pitch upwards, loudness as light.

use std::f32::consts::TAU;

use anyhow::Result;
use bunri_stream::Planar;
use realfft::RealFftPlanner;

/// Length of a transform in frames; at 44.1 kHz 46 ms.
const WINDOW_FRAMES: usize = 2048;
/// Most columns of a picture.
const MOST_COLUMNS: usize = 640;
/// Rows of a picture.
const ROWS: usize = 160;
/// Pitch of the lowest row.
const LOWEST_HZ: f32 = 40.0;
/// Level of black, where a full-scale sine is at 0.
const BLACK_DBFS: f32 = -90.0;
/// Colours from silence to full scale, evenly spaced: as dark to light as grey would be, so that
/// every kind of colour vision reads them. (Those of matplotlib's `magma`, CC0.)
const COLOURS: [[u8; 3]; 8] = [
    [0, 0, 4],
    [35, 17, 81],
    [95, 24, 127],
    [152, 45, 128],
    [211, 67, 110],
    [248, 118, 92],
    [254, 187, 129],
    [252, 253, 191],
];

/// Pixels, row by row from the top, three bytes each.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// The spectrogram of all channels' mean: Hann windows, pitch on a logarithmic scale from 40 Hz
    /// to half of the rate.
    #[must_use]
    pub fn of(audio: &Planar, rate_hz: u32) -> Self {
        let frames = audio.frames();
        let width = frames.div_ceil(WINDOW_FRAMES / 4).clamp(1, MOST_COLUMNS);
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW_FRAMES);
        let mut input = transform.make_input_vec();
        let mut spectrum = transform.make_output_vec();
        let channels = audio.channel_count().max(1) as f32;
        let mut pixels = vec![0; 3 * width * ROWS];
        for column in 0..width {
            // Windows around the middles of the columns.
            let middle = (2 * column + 1) * frames / (2 * width);
            for (offset, sample) in input.iter_mut().enumerate() {
                let frame = (middle + offset).checked_sub(WINDOW_FRAMES / 2);
                let at = |channel: &[f32]| frame.and_then(|frame| channel.get(frame).copied());
                let sum: f32 = audio.channels().filter_map(at).sum();
                let turn = TAU * offset as f32 / WINDOW_FRAMES as f32;
                *sample = sum / channels * (0.5 - 0.5 * turn.cos());
            }
            // Only wrong lengths are refused.
            let _ = transform.process(&mut input, &mut spectrum);
            for row in 0..ROWS {
                let [low, high] = [row, row + 1].map(|row| bin_of(row, rate_hz));
                let (low, high) = (low as usize, (high.ceil() as usize).min(spectrum.len()));
                let bins = &spectrum[low.min(spectrum.len() - 1)..high.max(low + 1)];
                let peak = bins.iter().map(|bin| bin.norm()).fold(0.0, f32::max);
                // A sine has half its amplitude there, and the window halves it once more.
                let dbfs = 20.0 * (peak * 4.0 / WINDOW_FRAMES as f32).max(1e-9).log10();
                let place = 3 * ((ROWS - 1 - row) * width + column);
                pixels[place..place + 3].copy_from_slice(&colour(1.0 - dbfs / BLACK_DBFS));
            }
        }
        Self {
            width,
            height: ROWS,
            pixels,
        }
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// None in practice: the file is in memory.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(file)
    }
}

/// Where a row begins among the transform's frequencies.
fn bin_of(row: usize, rate_hz: u32) -> f32 {
    let highest_hz = rate_hz as f32 / 2.0;
    let lowest_hz = LOWEST_HZ.min(highest_hz / 2.0);
    let hz = lowest_hz * (highest_hz / lowest_hz).powf(row as f32 / ROWS as f32);
    hz / rate_hz as f32 * WINDOW_FRAMES as f32
}

/// From 0 (black) to 1.
fn colour(light: f32) -> [u8; 3] {
    let place = light.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    let share = place - below as f32;
    let mix = |a: u8, b: u8| (f32::from(a) * (1.0 - share) + f32::from(b) * share).round() as u8;
    std::array::from_fn(|i| mix(COLOURS[below][i], COLOURS[below + 1][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the axes: a tone is a line at its height, in its half of the time, as bright as loud.
    #[test]
    fn a_tone_is_a_line_where_it_sounds() {
        let tone = |n: usize| match n < 22_050 {
            true => (TAU * 940.0 * n as f32 / 44_100.0).sin(),
            false => 0.0,
        };
        let channel: Vec<f32> = (0..44_100).map(tone).collect();
        let audio = Planar::from_channels(vec![channel.clone(), channel]).unwrap();
        let picture = Picture::of(&audio, 44_100);
        let light = |row: usize, column: usize| {
            let place = 3 * (row * picture.width + column);
            picture.pixels[place..place + 3]
                .iter()
                .map(|x| u32::from(*x))
                .sum::<u32>()
        };
        // 940 Hz is halfway between 40 Hz and 22050 Hz in octaves.
        let column = picture.width / 4;
        let brightest = (0..ROWS).max_by_key(|row| light(*row, column)).unwrap();
        assert!(brightest.abs_diff(ROWS / 2) <= 2, "row {brightest}");
        // The lightest is 696; between two frequencies of the transform a tone loses up to 1.4 dB.
        assert!(light(brightest, column) > 670, "full scale is the lightest");
        assert!(light(brightest, picture.width * 3 / 4) < 10);
        assert!(
            light(ROWS / 8, column) < 200,
            "far from the tone it is dark"
        );
        assert!(picture.png().unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn silence_and_nothing_have_pictures() {
        assert_eq!(Picture::of(&Planar::zeros(2, 0), 44_100).width, 1);
        assert_eq!(Picture::of(&Planar::zeros(2, 100), 8000).height, ROWS);
    }
}
