//! One file from start to end, a block at a time.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use bunri_stream::files::{Damage, to_stereo};
use bunri_stream::{Encoding, FileReader, HostOptions, OfflineSeparator, Planar};

use super::folders::check_inputs_are_safe;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::stem_files::{self, StemFiles};
use super::targets::Target;
use crate::model::Model;

/// Frames decoded at a time: short enough to hear Ctrl-C soon, long enough to cost nothing.
const BLOCK_FRAMES: usize = 1 << 14;

/// What all files of a run have in common.
pub(super) struct Job<'a> {
    pub(super) model: &'a Model,
    pub(super) targets: &'a [Target],
    pub(super) encoding: Encoding,
    pub(super) options: HostOptions,
    pub(super) interrupt: &'a Interrupt,
    /// Every input of the run, none of which may be overwritten.
    pub(super) inputs: &'a [PathBuf],
}

/// What came of a file.
#[derive(Debug)]
pub(super) struct Separated {
    /// The stems' files, in the order of the targets.
    pub(super) files: Vec<PathBuf>,
    /// Length of the input, and so of every stem.
    pub(super) audio_seconds: f64,
    /// Time it took.
    pub(super) work_seconds: f64,
    /// The input's sample rate, and so the stems'.
    pub(super) rate_hz: u32,
    /// What was wrong with the input.
    pub(super) damage: Damage,
    /// Files in which samples were clipped, and how many.
    pub(super) clipped: Vec<(PathBuf, u64)>,
}

impl Job<'_> {
    /// Separates `input` into files in `folder`.
    ///
    /// Memory does not depend on the input's length. Mono inputs give mono stems.
    ///
    /// # Errors
    /// An input that cannot be read, results that cannot be written, a model that fails, or an
    /// interruption; no stem of this run is then left behind under its final name, unless the
    /// disk failed between completing one stem and the next.
    pub(super) fn separate(&self, input: &Path, folder: &Path) -> Result<Separated> {
        let results = stem_files::paths(folder, self.targets, self.encoding);
        check_inputs_are_safe(&results, self.inputs)?;
        let start = Instant::now();
        let mut reader = FileReader::open(input)?;
        let channels = Channels::between(reader.channels(), self.model.spec().channels, input)?;
        let rate_hz = reader.rate_hz();
        let name = input
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let progress = Progress::start(&name, rate_hz, reader.frames_hint());
        let mut separator = OfflineSeparator::new(self.model.separator()?, rate_hz, self.options)?;
        let mut files = StemFiles::create(
            folder,
            self.targets,
            rate_hz,
            reader.channels(),
            self.encoding,
        )?;
        let mut stems = Vec::new();
        let mut frames_in = 0_u64;
        while let Some(block) = reader.read(BLOCK_FRAMES)? {
            self.stop_if_asked()?;
            frames_in += block.frames() as u64;
            separator.push(&channels.to_model(block), &mut stems)?;
            self.write(&mut files, &mut stems, channels)?;
            progress.set(frames_in);
        }
        separator.finish(&mut stems)?;
        self.write(&mut files, &mut stems, channels)?;
        // The last moment at which stopping leaves nothing behind.
        self.stop_if_asked()?;
        let finished = files.finish()?;
        for (path, written) in &finished {
            ensure!(
                written.frames == frames_in,
                "{}: has {} frames, the input {frames_in}; please report this as a bug",
                path.display(),
                written.frames
            );
        }
        let clipped = finished
            .iter()
            .map(|(path, written)| (path.clone(), written.clipped_samples))
            .filter(|(_, samples)| *samples > 0)
            .collect();
        Ok(Separated {
            files: finished.into_iter().map(|(path, _)| path).collect(),
            audio_seconds: frames_in as f64 / f64::from(rate_hz),
            work_seconds: start.elapsed().as_secs_f64(),
            rate_hz,
            damage: reader.damage(),
            clipped,
        })
    }

    /// Moves what has become known from `stems` into the files.
    fn write(&self, files: &mut StemFiles, stems: &mut [Planar], channels: Channels) -> Result<()> {
        if stems.first().is_some_and(|stem| stem.frames() > 0) {
            files.write(
                self.targets
                    .iter()
                    .map(|target| channels.back_from_model(target.mix(stems))),
            )?;
            stems.iter_mut().for_each(|stem| stem.resize_frames(0));
        }
        Ok(())
    }

    fn stop_if_asked(&self) -> Result<()> {
        if self.interrupt.is_requested() {
            bail!("interrupted");
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
