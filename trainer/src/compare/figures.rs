//! The figures that evaluations hold, and how the field sums each up over songs.

use anyhow::{Result, bail};
use serde::Serialize;

use crate::evaluate::metrics::{mean, median};

/// How a run's figure comes from its songs'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OverSongs {
    /// The median.
    Median,
    /// The mean.
    Mean,
}

impl OverSongs {
    /// Of all songs' values; `None` of nothing.
    #[must_use]
    pub fn of(self, values: impl IntoIterator<Item = f64>) -> Option<f64> {
        match self {
            Self::Median => median(values),
            Self::Mean => mean(values),
        }
    }
}

/// One figure of a stem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its key in an evaluation.
    pub key: &'static str,
    /// Its name in tables.
    pub title: &'static str,
    /// As papers report it.
    pub over_songs: OverSongs,
    /// Whether more of it is better.
    pub higher_is_better: bool,
}

const fn db(key: &'static str, title: &'static str, over_songs: OverSongs) -> Figure {
    Figure {
        key,
        title,
        over_songs,
        higher_is_better: true,
    }
}

/// All that can be compared. The first four are, where they are there, unless others are asked for.
pub const FIGURES: [Figure; 8] = [
    db("sdr_db", "SDR by museval v4, dB", OverSongs::Median),
    db("nsdr_db", "nSDR of whole songs, dB", OverSongs::Mean),
    db("si_sdr_db", "SI-SDR of whole songs, dB", OverSongs::Mean),
    Figure {
        key: "stft_distance",
        title: "multi-resolution STFT distance (lower is better)",
        over_songs: OverSongs::Mean,
        higher_is_better: false,
    },
    db(
        "sdr_active_db",
        "SDR of active windows, dB",
        OverSongs::Median,
    ),
    db("isr_db", "ISR by museval v4, dB", OverSongs::Median),
    db("sir_db", "SIR by museval v4, dB", OverSongs::Median),
    db("sar_db", "SAR by museval v4, dB", OverSongs::Median),
];

/// Those that are compared without being asked for.
const USUAL: usize = 4;

/// The figures of these keys, or the usual ones.
///
/// # Errors
/// An unknown key.
pub fn figures(asked: &[String]) -> Result<Vec<Figure>> {
    if asked.is_empty() {
        return Ok(FIGURES[..USUAL].to_vec());
    }
    let mut found = Vec::new();
    for key in asked {
        match FIGURES.iter().find(|figure| figure.key == key) {
            Some(figure) => found.push(*figure),
            None => {
                let known: Vec<&str> = FIGURES.iter().map(|figure| figure.key).collect();
                bail!("--figures {key}: an evaluation holds {}", known.join(", "));
            }
        }
    }
    Ok(found)
}
