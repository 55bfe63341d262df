//! One file from start to end, a block at a time.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bunri_stream::files::to_stereo;
use bunri_stream::{FileReader, HostOptions, OfflineSeparator, Planar};

use super::interrupt::Interrupt;
use super::outputs::Outputs;
use super::progress::Progress;
use super::record::StemRecord;
use super::stem_files::StemFiles;
use super::targets::Target;
use crate::model::Model;

/// Frames decoded at a time: short enough to hear Ctrl-C soon, long enough to cost nothing.
const BLOCK_FRAMES: usize = 1 << 14;

/// What all files of a run have in common.
pub(super) struct Job<'a> {
    pub(super) model: &'a Model,
    pub(super) targets: &'a [Target],
    pub(super) outputs: Outputs,
    pub(super) options: HostOptions,
    pub(super) interrupt: &'a Interrupt,
}

/// What came of a file.
#[derive(Debug)]
pub(super) struct Separated {
    /// The stems' files, in the order of the targets.
    pub(super) stems: Vec<StemRecord>,
    /// Length of the input, and so of every stem.
    pub(super) frames: u64,
    /// The input's sample rate, and so the stems'.
    pub(super) rate_hz: u32,
    /// Time it took.
    pub(super) work_seconds: f64,
    /// What was wrong with the input, and what was lost in the stems.
    pub(super) warnings: Vec<String>,
    /// Remarks about the input that are no fault: which of its tracks was read, say.
    pub(super) notes: Vec<String>,
}

impl Separated {
    /// Length of the input.
    pub(super) fn audio_seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate_hz)
    }
}

impl Job<'_> {
    /// The files of the results: where `path_of` their name and ending says.
    pub(super) fn results(&self, path_of: impl Fn(&str, &str) -> PathBuf) -> Vec<PathBuf> {
        let files = self.outputs.files(self.targets);
        files.map(|(name, ending)| path_of(name, ending)).collect()
    }

    /// Separates what `reader` reads from `input` into the files `results`, in the order of the
    /// targets. `before_publishing` is called when everything is written, and before the first file
    /// gets its name.
    ///
    /// Memory does not depend on the input's length. Mono inputs give mono stems.
    ///
    /// # Errors
    /// An input that cannot be read, results that cannot be written, a model that fails, or an
    /// interruption; no stem of this run is then left behind under its final name, unless the
    /// disk failed between completing one stem and the next.
    pub(super) fn separate(
        &self,
        mut reader: FileReader,
        input: &Path,
        results: &[PathBuf],
        before_publishing: impl FnOnce(&[StemRecord]) -> Result<()>,
    ) -> Result<Separated> {
        let start = Instant::now();
        let channels = Channels::between(reader.channels(), self.model.spec().channels, input)?;
        let rate_hz = reader.rate_hz();
        let name = input
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let progress = Progress::start(&name, rate_hz, reader.frames_hint());
        let mut separator =
            OfflineSeparator::new(self.model.separator()?, rate_hz, self.options)
                .with_context(|| format!("{}: its sample rate is {rate_hz} Hz", input.display()))?;
        let mut files = StemFiles::create(
            results,
            rate_hz,
            reader.channels(),
            self.outputs,
            reader.tags(),
        )?;
        let mut stems = Vec::new();
        let mut peaks = vec![0.0; self.targets.len()];
        let mut frames = 0_u64;
        while let Some(block) = reader.read(BLOCK_FRAMES)? {
            self.interrupt.check()?;
            frames += block.frames() as u64;
            files.keep_mixture(&block);
            separator.push(&channels.to_model(block), &mut stems)?;
            self.write(&mut files, &mut stems, &mut peaks, channels)?;
            progress.set(frames);
        }
        separator.finish(&mut stems)?;
        self.write(&mut files, &mut stems, &mut peaks, channels)?;
        // The last moment at which stopping leaves nothing behind.
        self.interrupt.check()?;
        let mut records = self.stem_records(results, frames, &peaks);
        before_publishing(&records)?;
        let mut warnings: Vec<_> = (reader.damage().warnings(rate_hz).into_iter())
            .map(|warning| format!("{}: {warning}", input.display()))
            .collect();
        for (record, (path, written)) in records.iter_mut().zip(files.finish()?) {
            let path = path.display();
            ensure!(
                written.frames == frames,
                "{path}: has {} frames, the input {frames}; please report this as a bug",
                written.frames
            );
            record.bytes = Some(written.bytes);
            record.clipped_samples = written.clipped_samples;
            if written.clipped_samples > 0 {
                warnings.push(format!(
                    "{path}: {} samples were louder than full scale and were clipped, so the stems do \
                     not quite add up; --format wav --bits 32f keeps them",
                    written.clipped_samples
                ));
            }
        }
        Ok(Separated {
            stems: records,
            frames,
            rate_hz,
            work_seconds: start.elapsed().as_secs_f64(),
            warnings,
            notes: reader.notes().to_vec(),
        })
    }

    /// The stems as far as they are known before they are published.
    fn stem_records(&self, results: &[PathBuf], frames: u64, peaks: &[f32]) -> Vec<StemRecord> {
        // A stem file's peak is that of its loudest stem.
        let loudest = peaks.iter().copied().fold(0.0, f32::max);
        let peaks = peaks.iter().map(|&peak| match self.outputs.stem_tracks {
            None => peak,
            Some(_) => loudest,
        });
        let files = self.outputs.files(self.targets).zip(results).zip(peaks);
        files
            .map(|(((name, _), path), peak)| StemRecord {
                name: name.to_owned(),
                path: path.display().to_string(),
                frames,
                bytes: None,
                peak,
                clipped_samples: 0,
            })
            .collect()
    }

    /// Moves what has become known from `stems` into the files, and raises their peaks.
    fn write(
        &self,
        files: &mut StemFiles,
        stems: &mut [Planar],
        peaks: &mut [f32],
        channels: Channels,
    ) -> Result<()> {
        if stems.first().is_some_and(|stem| stem.frames() > 0) {
            let blocks = self.targets.iter().zip(peaks).map(|(target, peak)| {
                let block = channels.back_from_model(target.mix(stems));
                let samples = block.channels().flatten();
                *peak = samples.fold(*peak, |peak, sample| peak.max(sample.abs()));
                block
            });
            files.write(blocks)?;
            stems.iter_mut().for_each(|stem| stem.resize_frames(0));
        }
        Ok(())
    }
}

/// From the file's channels to the model's, and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channels {
    /// Both have the same.
    Same,
    /// The file is mono: both sides of the model hear it, and their mean is written. Stems that
    /// add up to the input on both sides do so in the mean as well.
    MonoAsStereo,
}

impl Channels {
    fn between(file: usize, model: usize, input: &Path) -> Result<Self> {
        match (file, model) {
            _ if file == model => Ok(Self::Same),
            (1, 2) => Ok(Self::MonoAsStereo),
            _ => bail!(
                "{}: has {file} channels, the model takes {model}; mix it down to {} first",
                input.display(),
                if model == 1 { "mono" } else { "stereo" }
            ),
        }
    }

    fn to_model(self, block: Planar) -> Planar {
        match self {
            Self::Same => block,
            // One channel is never refused.
            Self::MonoAsStereo => to_stereo(block).unwrap_or_else(|block| block),
        }
    }

    fn back_from_model(self, block: Planar) -> Planar {
        match self {
            Self::Same => block,
            Self::MonoAsStereo => {
                let sides = block.channel(0).iter().zip(block.channel(1));
                let mean = sides
                    .map(|(left, right)| 0.5 * left + 0.5 * right)
                    .collect();
                // A single channel has no other to differ from.
                Planar::from_channels(vec![mean]).unwrap_or_default()
            }
        }
    }
}
