//! Native Instruments' stem files: the mixture and four stems of a song in one MP4.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::FileError;
use super::encoding::Encoding;
use super::mp4::Mp4Writer;
use super::tags::Tags;
use super::temporary::TemporaryFile;
use super::write::{Interleaver, Written, published, started};
use crate::Planar;

/// The stems in the order of their tracks, which players rely on, with the colours that the plugin
/// shows them in.
const STEMS: [(&str, &str); 4] = [
    ("Drums", "#F0A83A"),
    ("Bass", "#62B8EC"),
    ("Other", "#2DBD8F"),
    ("Vocals", "#DC8FBD"),
];

/// Writes a stem file (`.stem.mp4`) block by block under a temporary name beside its target.
///
/// Track 0 is the mixture, the only enabled one: players that know nothing of stems play it. The
/// stems follow in the order of [`STEM_NAMES`](Self::STEM_NAMES); their levels are left as they are,
/// so that they add up to the mixture, and the format's compressor and limiter are off.
pub struct StemFileWriter {
    path: PathBuf,
    // Above `temporary`: what is still buffered goes out before the file is removed or renamed.
    mp4: Mp4Writer,
    interleaver: Interleaver,
    temporary: TemporaryFile,
    tags: Tags,
    frames: [u64; StemFileWriter::TRACKS],
    max_frames: u64,
}

impl StemFileWriter {
    /// What a file's name ends in, without the first dot.
    pub const EXTENSION: &'static str = "stem.mp4";
    /// The mixture and the stems.
    pub const TRACKS: usize = 1 + STEMS.len();
    /// The stems in the order of their tracks.
    pub const STEM_NAMES: [&'static str; STEMS.len()] = ["drums", "bass", "other", "vocals"];
    /// Players expect stereo.
    const CHANNELS: usize = 2;

    /// Starts a file; its folder must exist.
    ///
    /// # Errors
    /// As [`FileWriter::create_tagged`](super::FileWriter::create_tagged);
    /// [`FileError::Unwritable`] for an encoding other than [`Encoding::Aac`] and
    /// [`Encoding::Alac16`].
    pub fn create(
        path: impl AsRef<Path>,
        rate_hz: u32,
        encoding: Encoding,
        tags: &Tags,
    ) -> Result<Self, FileError> {
        let path = path.as_ref();
        if !matches!(encoding, Encoding::Aac(_) | Encoding::Alac16) {
            return Err(FileError::Unwritable {
                path: path.to_owned(),
                reason: format!(
                    "{}; a stem file holds AAC or Apple Lossless",
                    encoding.extension()
                ),
            });
        }
        let temporary = started(path, rate_hz, Self::CHANNELS, encoding)?;
        let mut names = ["Mixture"; Self::TRACKS];
        for (name, (stem, _)) in names[1..].iter_mut().zip(STEMS) {
            *name = stem;
        }
        let mp4 = temporary
            .writer()
            .and_then(|file| Mp4Writer::new(file, rate_hz, Self::CHANNELS, encoding, &names))
            .map_err(|error| FileError::writing(path, 0, error))?;
        Ok(Self {
            path: path.to_owned(),
            mp4,
            interleaver: Interleaver::new(encoding),
            temporary,
            tags: tags.clone(),
            frames: [0; Self::TRACKS],
            max_frames: encoding.max_frames(),
        })
    }

    /// Where the file will be once finished.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a block, mono or stereo and of any length, to a track.
    ///
    /// # Errors
    /// As [`FileWriter::write`](super::FileWriter::write); [`FileError::Unwritable`] for a track or a
    /// channel count that there is not.
    pub fn write(&mut self, track: usize, block: &Planar) -> Result<(), FileError> {
        let stereo = match block.channel_count() {
            1 => &Planar::from_channels(vec![block.channel(0).to_vec(); Self::CHANNELS])
                .unwrap_or_default(),
            _ => block,
        };
        if track >= Self::TRACKS || stereo.channel_count() != Self::CHANNELS {
            return Err(FileError::Unwritable {
                path: self.path.clone(),
                reason: format!(
                    "{} channels for track {track}; there are {} tracks of 2",
                    block.channel_count(),
                    Self::TRACKS
                ),
            });
        }
        self.frames[track] += block.frames() as u64;
        if self.frames[track] > self.max_frames {
            return Err(FileError::TooLong {
                path: self.path.clone(),
                max_frames: self.max_frames,
            });
        }
        self.mp4
            .write(track, self.interleaver.samples(stereo))
            .map_err(|error| FileError::writing(&self.path, self.temporary.bytes(), error))
    }

    /// Completes the file: everything is on disk under the final name when this returns.
    ///
    /// # Errors
    /// [`FileError::DiskFull`], [`FileError::Write`]; [`FileError::Unwritable`] if the tracks differ in
    /// length. Nothing is left behind then.
    pub fn finish(self) -> Result<Written, FileError> {
        let Self {
            path,
            mp4,
            interleaver,
            temporary,
            tags,
            frames,
            ..
        } = self;
        if frames.iter().any(|&of_track| of_track != frames[0]) {
            return Err(FileError::Unwritable {
                path,
                reason: format!("tracks of {frames:?} frames; they must be of one length"),
            });
        }
        mp4.finish(frames[0], &tags, Some(&description()))
            .map_err(|error| FileError::writing(&path, temporary.bytes(), error))?;
        published(&path, temporary, frames[0], &interleaver)
    }
}

/// The JSON of the box `stem`, all of whose members players expect.
fn description() -> String {
    let mut json = String::from(
        r#"{"mastering_dsp": {"compressor": {"enabled": false, "ratio": 3, "output_gain": 0.5, "#,
    );
    json += r#""release": 0.3, "attack": 0.003, "input_gain": 0.5, "threshold": 0, "#;
    json += r#""hp_cutoff": 300, "dry_wet": 50}, "limiter": {"enabled": false, "release": 0.05, "#;
    json += r#""threshold": 0, "ceiling": -0.35}}, "version": 1, "stems": ["#;
    for (place, (name, colour)) in STEMS.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(json, r#"{comma}{{"name": "{name}", "color": "{colour}"}}"#);
    }
    json + "]}"
}
