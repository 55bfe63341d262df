//! One song, read once, all files side by side.

use std::collections::BTreeMap;
use std::path::Path;

use bunri_stream::Planar;
use bunri_stream::files::{FileReader, to_stereo};
use serde::Serialize;

use super::labels;
use super::lag::slips;
use super::listen::{Heard, Listener};
use super::{Finding, Kind, Options};
use crate::data::damage::{TOLERANCE_SECONDS, invalid_samples, refuse_incomplete, silence_invalid};
use crate::data::songs::{MIXTURE, Song};
use crate::data::stem_file::StemFile;

/// Frames read at a time.
const BLOCK_FRAMES: usize = 1 << 15;
/// How much of a song is kept, mixed to mono, to look for slips: memory is bounded by it.
const MAX_KEPT_SECONDS: usize = 600;
/// Residuals below this need no explanation, in dB.
const FITS_DB: f64 = -30.0;
/// Stems that correlate as much are the same sound.
const SAME: f64 = 0.98;
/// Flat tops below which nobody calls a file clipped.
const FEW_FLAT_TOPS: u64 = 10;

/// What was found out about a song.
#[derive(Debug, Serialize)]
pub(super) struct SongReport {
    pub(super) name: String,
    pub(super) folder: String,
    /// By stem; `mixture` among them where there is such a file.
    pub(super) files: BTreeMap<String, Heard>,
    /// Mixture less stems, relative to the mixture, in dB, where the song has all of them.
    pub(super) residual_db: Option<f64>,
    pub(super) findings: Vec<Finding>,
}

/// A file that is being read.
struct Source {
    name: String,
    file: StemFile,
    reader: FileReader,
    listener: Listener,
    /// Mono, where slips are looked for.
    kept: Vec<f32>,
    /// What could not be read on.
    failed: Option<String>,
}

/// Reads and judges a song.
pub(super) fn check(song: &Song, options: &Options) -> SongReport {
    let mut report = SongReport::new(&song.name, &song.folder);
    let mut sources = open(song, options, &mut report);
    let rates: Vec<u32> = sources.iter().map(|s| s.reader.rate_hz()).collect();
    let one_rate = rates.windows(2).all(|pair| pair[0] == pair[1]);
    if !one_rate {
        let rates: Vec<String> = sources
            .iter()
            .map(|s| format!("{} {} Hz", s.name, s.reader.rate_hz()))
            .collect();
        report.find(None, Kind::Rate, rates.join(", "));
    }
    let products = Products::read(&mut sources);
    let kept: Vec<Vec<f32>> = sources
        .iter_mut()
        .map(|source| std::mem::take(&mut source.kept))
        .collect();
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    for source in sources {
        finish(source, &mut report);
    }
    report.judge_alone();
    report.judge_lengths();
    if one_rate {
        let is_complete = song.stems.len() == options.stems.len();
        report.judge_together(&names, &products, is_complete, options);
        report.judge_slips(&names, &kept);
    }
    let stems = report.files.iter().filter(|(name, _)| *name != MIXTURE);
    let stems: Vec<(&str, &Heard)> = stems.map(|(name, heard)| (name.as_str(), heard)).collect();
    let doubts: Vec<(String, String)> = labels::doubts(&stems)
        .into_iter()
        .map(|(name, why)| (name.to_owned(), why))
        .collect();
    for (name, why) in doubts {
        report.find(Some(&name), Kind::Mislabelled, why);
    }
    report
}

fn open(song: &Song, options: &Options, report: &mut SongReport) -> Vec<Source> {
    let mixture = song.mixture.iter().map(|file| (MIXTURE, file));
    let stems = song.stems.iter().map(|(name, file)| (name.as_str(), file));
    let mut sources = Vec::new();
    for (name, file) in mixture.chain(stems) {
        match file.open() {
            Ok(reader) if reader.channels() > 2 => {
                let channels = reader.channels();
                let why = format!("{file} has {channels} channels, expected mono or stereo");
                report.find(Some(name), Kind::Unreadable, why);
            }
            Ok(reader) => sources.push(Source {
                name: name.to_owned(),
                file: file.clone(),
                listener: Listener::new(reader.rate_hz()),
                reader,
                kept: Vec::new(),
                failed: None,
            }),
            Err(error) => report.find(Some(name), Kind::Unreadable, error.to_string()),
        }
    }
    for missing in options.stems.iter().filter(|s| song.stem(s).is_none()) {
        report.find(Some(missing), Kind::Missing, "no file of that name".into());
    }
    sources
}

/// Sums of products of every two files, over both sides.
struct Products {
    sums: Vec<Vec<f64>>,
    /// Energy of the mixture less all stems.
    residual: f64,
}

impl Products {
    /// Reads all files to their ends.
    fn read(sources: &mut [Source]) -> Self {
        let count = sources.len();
        let has_mixture = sources.first().is_some_and(|first| first.name == MIXTURE);
        let mut this = Self {
            sums: vec![vec![0.0; count]; count],
            residual: 0.0,
        };
        loop {
            let mut blocks: Vec<Planar> = sources.iter_mut().map(next_block).collect();
            let frames = blocks.iter().map(Planar::frames).max().unwrap_or(0);
            if frames == 0 {
                return this;
            }
            for (source, block) in sources.iter_mut().zip(&mut blocks) {
                source.listener.take(block);
                block.resize_frames(frames);
                if has_mixture {
                    source.keep(block);
                }
            }
            this.add(&blocks, has_mixture);
        }
    }

    fn add(&mut self, blocks: &[Planar], has_mixture: bool) {
        for side in 0..2 {
            for (i, row) in self.sums.iter_mut().enumerate() {
                for (j, sum) in row.iter_mut().enumerate().take(i + 1) {
                    let pairs = blocks[i].channel(side).iter().zip(blocks[j].channel(side));
                    *sum += f64::from(pairs.map(|(a, b)| a * b).sum::<f32>());
                }
            }
            if has_mixture {
                let mut rest = blocks[0].channel(side).to_vec();
                for stem in &blocks[1..] {
                    for (rest, stem) in rest.iter_mut().zip(stem.channel(side)) {
                        *rest -= stem;
                    }
                }
                self.residual += f64::from(rest.iter().map(|x| x * x).sum::<f32>());
            }
        }
    }

    /// Correlation of two files, `first` above `second` in order.
    fn correlation(&self, first: usize, second: usize) -> f64 {
        let energy = |i: usize| self.sums[i][i];
        let scale = (energy(first) * energy(second)).sqrt();
        if scale > 0.0 {
            self.sums[second][first] / scale
        } else {
            0.0
        }
    }
}

/// The next frames in stereo; none at the end.
fn next_block(source: &mut Source) -> Planar {
    if source.failed.is_some() {
        return Planar::zeros(2, 0);
    }
    match source.reader.read(BLOCK_FRAMES) {
        Ok(block) => {
            let block = block.and_then(|block| to_stereo(block).ok());
            let mut block = block.unwrap_or_else(|| Planar::zeros(2, 0));
            silence_invalid(&mut block);
            block
        }
        Err(error) => {
            source.failed = Some(error.to_string());
            Planar::zeros(2, 0)
        }
    }
}

impl Source {
    fn keep(&mut self, block: &Planar) {
        let most = MAX_KEPT_SECONDS * self.reader.rate_hz() as usize;
        let left = most.saturating_sub(self.kept.len());
        let sides = block.channel(0).iter().zip(block.channel(1));
        self.kept
            .extend(sides.take(left).map(|(l, r)| 0.5 * (l + r)));
    }
}

fn finish(source: Source, report: &mut SongReport) {
    let Source {
        name,
        file,
        reader,
        listener,
        failed,
        ..
    } = source;
    let damage = reader.damage();
    let heard = listener.finish();
    let damaged = || refuse_incomplete(&file, damage, heard.rate_hz).err();
    if let Some(why) = failed.or_else(|| damaged().map(|error| error.to_string())) {
        report.find(Some(&name), Kind::Unreadable, why);
    }
    if let Some(why) = invalid_samples(damage, heard.rate_hz) {
        report.find(Some(&name), Kind::Invalid, format!("{file}: {why}"));
    }
    report.files.insert(name, heard);
}

impl SongReport {
    pub(super) fn new(name: &str, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            folder: folder.display().to_string(),
            files: BTreeMap::new(),
            residual_db: None,
            findings: Vec::new(),
        }
    }

    pub(super) fn find(&mut self, stem: Option<&str>, kind: Kind, detail: String) {
        self.findings.push(Finding {
            song: self.name.clone(),
            stem: stem.map(str::to_owned),
            kind,
            detail,
        });
    }

    fn judge_alone(&mut self) {
        let mut found = Vec::new();
        for (name, heard) in &self.files {
            if heard.is_silent() {
                let why = format!("never above -60 dBFS; RMS {:.0} dBFS", heard.level_dbfs);
                found.push((name.clone(), Kind::Silent, why));
            }
            if heard.flat_tops >= FEW_FLAT_TOPS {
                let why = format!("{} tops cut flat at full scale", heard.flat_tops);
                found.push((name.clone(), Kind::Clipped, why));
            }
        }
        for (name, kind, why) in found {
            self.find(Some(&name), kind, why);
        }
    }

    fn judge_lengths(&mut self) {
        let by_length =
            |a: &(&String, &Heard), b: &(&String, &Heard)| a.1.seconds().total_cmp(&b.1.seconds());
        let shortest = self.files.iter().min_by(by_length);
        let longest = self.files.iter().max_by(by_length);
        let (Some(shortest), Some(longest)) = (shortest, longest) else {
            return;
        };
        if longest.1.seconds() - shortest.1.seconds() > TOLERANCE_SECONDS {
            let (name, why) = (
                shortest.0.clone(),
                format!(
                    "{:.2} s, {} has {:.2} s",
                    shortest.1.seconds(),
                    longest.0,
                    longest.1.seconds()
                ),
            );
            self.find(Some(&name), Kind::Length, why);
        }
    }

    /// The sum, and stems that are copies of each other.
    fn judge_together(
        &mut self,
        names: &[String],
        products: &Products,
        is_complete: bool,
        options: &Options,
    ) {
        let has_mixture = names.first().is_some_and(|name| name == MIXTURE);
        let all_read = names.len() == options.stems.len() + 1;
        if has_mixture && is_complete && all_read && products.sums[0][0] > 0.0 {
            let ratio = (products.residual / products.sums[0][0]).max(1e-12);
            let residual_db = 10.0 * ratio.log10();
            self.residual_db = Some(residual_db);
            if residual_db > options.max_residual_db {
                let why = format!(
                    "mixture less stems is {residual_db:.1} dB of the mixture, at most {:.0} are \
                     allowed",
                    options.max_residual_db
                );
                self.find(None, Kind::Sum, why);
            }
        }
        let is_audible = |name: &String| self.files.get(name).is_some_and(|h| !h.is_silent());
        let audible: Vec<usize> = (0..names.len())
            .filter(|&i| is_audible(&names[i]))
            .collect();
        let audible_stems = audible.iter().filter(|&&i| names[i] != MIXTURE).count();
        for &second in &audible {
            for &first in audible.iter().take_while(|&&first| first < second) {
                // A song of one stem is that stem.
                let of_mixture = names[first] == MIXTURE;
                let correlation = products.correlation(first, second);
                if correlation.abs() > SAME && !(of_mixture && audible_stems < 2) {
                    let why = format!("the same as {}: correlation {correlation:.4}", names[first]);
                    self.find(Some(&names[second]), Kind::Duplicate, why);
                }
            }
        }
    }

    fn judge_slips(&mut self, names: &[String], kept: &[Vec<f32>]) {
        let has_mixture = names.first().is_some_and(|name| name == MIXTURE);
        let fits = self.residual_db.is_some_and(|residual| residual < FITS_DB);
        if !has_mixture || fits || names.len() < 2 {
            return;
        }
        let rate_hz = self.files.values().next().map_or(0, |heard| heard.rate_hz);
        for slip in slips(&kept[0], &kept[1..], rate_hz as usize) {
            let late = slip.late_frames;
            let direction = if late > 0 { "late" } else { "early" };
            let milliseconds = late.unsigned_abs() as f64 * 1e3 / f64::from(rate_hz.max(1));
            let why = format!(
                "{} frames ({milliseconds:.1} ms) {direction}: without, the sum fits the mixture {:.1} \
                 dB better",
                late.unsigned_abs(),
                slip.gain_db
            );
            let stem = slip.stem.map(|stem| names[stem + 1].clone());
            let why = if stem.is_none() {
                format!("all stems {why}")
            } else {
                why
            };
            self.find(stem.as_deref(), Kind::Misaligned, why);
        }
    }
}
