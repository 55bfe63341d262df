//! What a musician does to a separator and no test set holds: silence, one part alone, a telephone.
//!
//! Each case changes an excerpt of a song and, alike, the true stems; only clipping is done to the
//! mixture alone, and the truth is what went into the clipper.

use anyhow::Result;
use biquad::{Coefficients, Q_BUTTERWORTH_F64, ToHertz, Type};
use bunri_stream::{Planar, resample_clip};
use serde::Serialize;

use super::metrics::{mean, nsdr, track_level_dbfs};
use super::score::ACTIVE_FLOOR_DBFS;
use super::track::Track;
use crate::data::augment::equaliser::filter_channels;
use crate::table::{Table, db_cell};

/// Longest excerpt, in seconds: of the middle of a song, where most play.
const EXCERPT_SECONDS: usize = 20;
/// How far above full scale the clipped mixture's peak would be.
const OVERLOAD_DB: f32 = 12.0;
/// What a telephone passes, in Hz; half of its sample rate is above.
const TELEPHONE_HZ: (f64, u32) = (300.0, 8000);

/// A changed excerpt.
#[derive(Debug)]
struct Case {
    name: String,
    mixture: Planar,
    /// True stems, by name.
    stems: Vec<(String, Planar)>,
}

/// How one stem of a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It sounds: its [`nsdr`] in dB.
    NsdrDb(f64),
    /// It is silent in truth: level of the estimate below the mixture's, in dB (above 0: louder).
    LeakDb(f64),
    /// So is the mixture: the estimate's level in dBFS, `None` (JSON `null`) for zeros.
    SilenceDbfs(Option<f64>),
}

/// One case of one song.
#[derive(Clone, Debug, Serialize)]
pub struct CaseScore {
    /// What was done to the song.
    pub case: String,
    /// By stem, in the model's order.
    pub stems: Vec<(String, Outcome)>,
}

/// Puts every case of a song through `separate` (a mixture at the track's rate to stems in the order
/// of `model_stems`) and scores the stems that have a file.
///
/// # Errors
/// Those of `separate`.
pub fn score_cases(
    track: &Track,
    model_stems: &[String],
    mut separate: impl FnMut(&Planar) -> Result<Vec<Planar>>,
) -> Result<Vec<CaseScore>> {
    let scores = cases(track)?.into_iter().map(|case| {
        let estimates = separate(&case.mixture)?;
        let pairs = model_stems.iter().zip(&estimates);
        let stems = pairs.filter_map(|(name, estimate)| {
            let (_, truth) = case.stems.iter().find(|(stem, _)| stem == name)?;
            Some((name.clone(), outcome(&case.mixture, truth, estimate)))
        });
        Ok(CaseScore {
            stems: stems.collect(),
            case: case.name,
        })
    });
    scores.collect()
}

fn outcome(mixture: &Planar, truth: &Planar, estimate: &Planar) -> Outcome {
    let level = track_level_dbfs(estimate);
    if track_level_dbfs(mixture) == f64::NEG_INFINITY {
        Outcome::SilenceDbfs(level.is_finite().then_some(level))
    } else if track_level_dbfs(truth) < ACTIVE_FLOOR_DBFS {
        // Zeros would be infinitely far below.
        Outcome::LeakDb(level.max(-200.0) - track_level_dbfs(mixture))
    } else {
        Outcome::NsdrDb(nsdr(truth, estimate))
    }
}

/// All cases of a song.
fn cases(track: &Track) -> Result<Vec<Case>> {
    let rate_hz = track.rate_hz;
    let length = track
        .mixture
        .frames()
        .min(EXCERPT_SECONDS * rate_hz as usize);
    let start = (track.mixture.frames() - length) / 2;
    let mixture = track.mixture.slice(start, length);
    let stems: Vec<(String, Planar)> = (track.stems.iter())
        .map(|(name, stem)| (name.clone(), stem.slice(start, length)))
        .collect();
    let silence = Planar::zeros(mixture.channel_count(), length);
    // What sounds in a case, each stem as `change` makes it of the true one.
    let each = |change: &dyn Fn(&str, &Planar) -> Result<Planar>| -> Result<Vec<_>> {
        let stems = stems.iter();
        stems
            .map(|(name, stem)| Ok((name.clone(), change(name, stem)?)))
            .collect()
    };
    let mut cases = vec![Case {
        name: "silence".into(),
        mixture: silence.clone(),
        stems: each(&|_, _| Ok(silence.clone()))?,
    }];
    for (only, stem) in &stems {
        if track_level_dbfs(stem) < ACTIVE_FLOOR_DBFS {
            continue;
        }
        cases.push(Case {
            name: format!("{only} alone"),
            mixture: stem.clone(),
            stems: each(&|name, stem| Ok(if name == only { stem } else { &silence }.clone()))?,
        });
    }
    cases.push(Case {
        name: "mono".into(),
        mixture: mono(&mixture),
        stems: each(&|_, stem| Ok(mono(stem)))?,
    });
    cases.push(Case {
        name: "telephone, 8 kHz".into(),
        mixture: telephone(&mixture, rate_hz)?,
        stems: each(&|_, stem| telephone(stem, rate_hz))?,
    });
    let peak = mixture
        .channels()
        .flatten()
        .fold(0f32, |peak, x| peak.max(x.abs()));
    let gain = 10f32.powf(OVERLOAD_DB / 20.0) / peak.max(1e-6);
    cases.push(Case {
        name: format!("clipped, {OVERLOAD_DB} dB too loud"),
        mixture: mapped(&mixture, |x| (x * gain).clamp(-1.0, 1.0)),
        stems: each(&|_, stem| Ok(mapped(stem, |x| x * gain)))?,
    });
    Ok(cases)
}

fn mapped(audio: &Planar, change: impl Fn(f32) -> f32) -> Planar {
    let mut audio = audio.clone();
    for channel in audio.channels_mut() {
        channel
            .iter_mut()
            .for_each(|sample| *sample = change(*sample));
    }
    audio
}

/// Every channel the mean of all.
fn mono(audio: &Planar) -> Planar {
    let share = 1.0 / audio.channel_count() as f32;
    let mut sum = vec![0.0; audio.frames()];
    for channel in audio.channels() {
        sum.iter_mut()
            .zip(channel)
            .for_each(|(sum, sample)| *sum += share * sample);
    }
    let mut mono = audio.clone();
    mono.channels_mut()
        .for_each(|channel| channel.copy_from_slice(&sum));
    mono
}

/// Mono through [`TELEPHONE_HZ`], as long as before.
fn telephone(audio: &Planar, rate_hz: u32) -> Result<Planar> {
    let (low_hz, narrow_hz) = TELEPHONE_HZ;
    let narrow = resample_clip(&mono(audio), rate_hz, narrow_hz)?;
    let mut wide = resample_clip(&narrow, narrow_hz, rate_hz)?;
    wide.resize_frames(audio.frames());
    let coefficients = Coefficients::<f64>::from_params(
        Type::HighPass,
        f64::from(rate_hz).hz(),
        low_hz.hz(),
        Q_BUTTERWORTH_F64,
    )
    .map_err(|error| anyhow::anyhow!("a telephone at {rate_hz} Hz: {error:?}"))?;
    filter_channels(&mut wide, coefficients);
    Ok(wide)
}

/// The means over songs, a row per case.
#[must_use]
pub fn table(songs: &[&[CaseScore]], stems: &[String]) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for score in songs.iter().copied().flatten() {
        if !names.contains(&score.case.as_str()) {
            names.push(&score.case);
        }
    }
    let rows = names.into_iter().map(|name| {
        let of_case = || songs.iter().copied().flatten().filter(|s| s.case == name);
        let cell = |stem: &String| {
            let outcomes = of_case().flat_map(|score| &score.stems);
            let outcomes: Vec<Outcome> = outcomes
                .filter_map(|(name, outcome)| (name == stem).then_some(*outcome))
                .collect();
            cell(&outcomes)
        };
        let cells = stems.iter().map(cell);
        [name.to_owned()].into_iter().chain(cells).collect()
    });
    Table {
        title: "Cases (20 s of each song): nSDR in dB; in brackets, where nothing should be heard, the \
                level in dB against the mixture, or in dBFS where that is silent too"
            .into(),
        words: 1,
        rows: rows.collect(),
        header: ["case".to_owned()].into_iter().chain(stems.iter().cloned()).collect(),
    }
}

fn cell(outcomes: &[Outcome]) -> String {
    let over = |pick: fn(&Outcome) -> Option<f64>| mean(outcomes.iter().filter_map(pick));
    let nsdr = over(|outcome| match outcome {
        Outcome::NsdrDb(db) => Some(*db),
        _ => None,
    });
    let leak = over(|outcome| match outcome {
        Outcome::LeakDb(db) | Outcome::SilenceDbfs(Some(db)) => Some(*db),
        _ => None,
    });
    let zeros = outcomes.contains(&Outcome::SilenceDbfs(None));
    let leak = match leak {
        None if zeros => Some("(zeros)".to_owned()),
        leak => leak.map(|db| format!("({db:.1})")),
    };
    let parts = nsdr.map(|db| db_cell(Some(db))).into_iter().chain(leak);
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 16_000;

    fn tone(hz: f32, left: f32, right: f32) -> Planar {
        let channel = |gain: f32| {
            let wave = |i: f32| gain * (i * hz * std::f32::consts::TAU / RATE_HZ as f32).sin();
            (0..RATE_HZ).map(|i| wave(i as f32)).collect()
        };
        Planar::from_channels(vec![channel(left), channel(right)]).unwrap()
    }

    fn track() -> Track {
        let (drums, vocals) = (tone(100.0, 0.4, 0.2), tone(1000.0, 0.3, 0.3));
        let mut mixture = drums.clone();
        mixture.add(&vocals);
        Track {
            rate_hz: RATE_HZ,
            mixture,
            stems: vec![("drums".into(), drums), ("vocals".into(), vocals)],
            own_mixture: false,
        }
    }

    fn of<'a>(scores: &'a [CaseScore], case: &str, stem: &str) -> &'a Outcome {
        let score = scores.iter().find(|score| score.case == case).unwrap();
        &score.stems.iter().find(|(name, _)| name == stem).unwrap().1
    }

    /// Guards truth and mixture against being changed differently: half of the mixture is each stem
    /// within what the case does to both.
    #[test]
    fn the_mixture_as_every_estimate_scores_what_it_should() {
        let names = ["drums", "vocals"].map(String::from);
        let scores =
            score_cases(&track(), &names, |mix| Ok(vec![mix.clone(), mix.clone()])).unwrap();
        assert_eq!(*of(&scores, "silence", "drums"), Outcome::SilenceDbfs(None));
        let Outcome::NsdrDb(alone) = of(&scores, "drums alone", "drums") else {
            panic!("drums sound")
        };
        assert!(*alone > 60.0, "{alone}");
        assert_eq!(*of(&scores, "drums alone", "vocals"), Outcome::LeakDb(0.0));
        // What is left of both after the mean of the channels: 0.3 each.
        let Outcome::NsdrDb(mono) = of(&scores, "mono", "vocals") else {
            panic!("vocals sound")
        };
        assert!(mono.abs() < 0.1, "{mono}");
        // 100 Hz is far below a telephone's band, 1 kHz in its middle: the mixture is the vocals.
        let Outcome::NsdrDb(telephone) = of(&scores, "telephone, 8 kHz", "vocals") else {
            panic!("vocals sound")
        };
        assert!(*telephone > 12.0, "{telephone}");
    }

    #[test]
    fn a_clipped_mixture_is_full_scale_and_its_stems_are_whole() {
        let cases = cases(&track()).unwrap();
        let clipped = cases.last().unwrap();
        let peak = |audio: &Planar| audio.channels().flatten().fold(0f32, |p, x| p.max(x.abs()));
        assert_eq!(peak(&clipped.mixture), 1.0);
        assert!(peak(&clipped.stems[0].1) > 2.0);
    }
}
