//! Where the sound of a stem lies: a file of its own, or a track of a container of stems.

use std::fmt;
use std::path::{Path, PathBuf};

use bunri_stream::Planar;
use bunri_stream::files::{Clip, Damage, FileError, FileReader, stem_description};
use serde::Deserialize;

use super::stem_name::canonical;

/// A file, or one track of a container of stems (`.stem.mp4`, `.stem.m4a`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StemFile {
    /// The file.
    pub path: PathBuf,
    /// Which of its audio tracks, counted from 0; `None` for files with one.
    pub track: Option<usize>,
}

impl StemFile {
    /// A file of its own.
    #[must_use]
    pub fn whole(path: PathBuf) -> Self {
        Self { path, track: None }
    }

    /// Starts to decode.
    ///
    /// # Errors
    /// What [`FileReader::open`] says.
    pub fn open(&self) -> Result<FileReader, FileError> {
        match self.track {
            None => FileReader::open(&self.path),
            Some(track) => FileReader::open_track(&self.path, track),
        }
    }

    /// All of it in memory, with the file's own rate and channels.
    ///
    /// # Errors
    /// What [`FileReader`] says.
    pub fn read(&self) -> Result<Clip, FileError> {
        Ok(self.read_with_damage()?.0)
    }

    /// The same, with what was wrong with the file.
    ///
    /// # Errors
    /// What [`FileReader`] says.
    pub fn read_with_damage(&self) -> Result<(Clip, Damage), FileError> {
        const BLOCK_FRAMES: usize = 1 << 16;
        let mut reader = self.open()?;
        let mut audio = Planar::zeros(reader.channels(), 0);
        while let Some(block) = reader.read(BLOCK_FRAMES)? {
            audio.append(&block);
        }
        let rate_hz = reader.rate_hz();
        Ok((Clip { rate_hz, audio }, reader.damage()))
    }
}

impl fmt::Display for StemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match self.track {
            None => Ok(()),
            Some(track) => write!(f, " (track {})", track + 1),
        }
    }
}

/// The ends of containers' names.
pub(super) const CONTAINER_SUFFIXES: [&str; 2] = [".stem.mp4", ".stem.m4a"];

/// The song's name, if the path is that of a container of stems.
pub(super) fn container_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    CONTAINER_SUFFIXES.iter().find_map(|suffix| {
        let (song, end) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
        let is_container = end.eq_ignore_ascii_case(suffix) && !song.is_empty();
        is_container.then(|| song.to_owned())
    })
}

/// The tracks of a container, by stem name; track 0 is the mixture.
///
/// The names are the file's own; where it has none they are MUSDB18's.
pub(super) fn container_stems(path: &Path) -> Vec<(String, StemFile)> {
    let names = stem_description(path).and_then(|text| parse_names(&text));
    let names = names.unwrap_or_else(|| MUSDB18.map(str::to_owned).to_vec());
    let track = |(index, name): (usize, String)| {
        let file = StemFile {
            path: path.to_owned(),
            track: Some(index + 1),
        };
        (name, file)
    };
    names.into_iter().enumerate().map(track).collect()
}

/// MUSDB18's order of stems after the mixture.
const MUSDB18: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// What a container says about its stems, as far as it is needed.
#[derive(Deserialize)]
struct Description {
    stems: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
}

fn parse_names(text: &str) -> Option<Vec<String>> {
    let description: Description = serde_json::from_str(text.trim_end_matches('\0')).ok()?;
    let named = description.stems.into_iter();
    let named = named.map(|stem| canonical(&stem.name));
    Some(named.collect::<Vec<_>>()).filter(|names| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against vocals that are taken for something else because MUSDB18 writes "Vox".
    #[test]
    fn a_container_names_its_stems() {
        let text = r##"{"version": 1, "stems": [{"color": "#009E73", "name": "Drums"},
            {"name": "Bass"}, {"name": "Synth"}, {"name": "Vox"}]}"##;
        let names = parse_names(text).unwrap();
        assert_eq!(names, ["drums", "bass", "synth", "vocals"]);
        assert_eq!(parse_names("{}"), None);
    }

    #[test]
    fn a_container_is_told_by_its_suffix() {
        let name = |path: &str| container_name(Path::new(path));
        assert_eq!(
            name("a/Band - Song.Stem.MP4").as_deref(),
            Some("Band - Song")
        );
        assert_eq!(name("a/Song.stem.m4a").as_deref(), Some("Song"));
        assert_eq!(name("a/song.mp4"), None);
        assert_eq!(name("a/.stem.mp4"), None);
        assert_eq!(name("a/é"), None);
    }

    /// The container that `tests/formats/make.sh` makes.
    fn bursts() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/bursts.stem.mp4")
    }

    /// Guards against tracks that are mixed up, and against an encoder's delay that is left in some
    /// of them: stems would no longer sum to their mixture.
    #[test]
    fn every_track_of_a_container_is_its_own_and_in_time() {
        assert_eq!(FileReader::count_tracks(bursts()).unwrap(), 5);
        let mut sum = vec![0.0_f32; 22_050];
        for (file, pitch_hz) in container_stems(&bursts())
            .into_iter()
            .zip([300.0, 500.0, 700.0, 900.0])
        {
            let clip = file.1.read().unwrap();
            assert_eq!((clip.rate_hz, clip.audio.frames()), (44_100, 22_050));
            let wave = |frame: usize| {
                let time = frame as f64 / 44_100.0;
                let inside = (0.2..0.25).contains(&time);
                f64::from(u8::from(inside)) * (time * pitch_hz * std::f64::consts::TAU).sin() * 0.2
            };
            let (mut signal, mut error) = (0.0, 0.0);
            for (frame, sample) in clip.audio.channel(0).iter().enumerate() {
                signal += wave(frame).powi(2);
                error += (f64::from(*sample) - wave(frame)).powi(2);
                sum[frame] += sample;
            }
            // The codec leaves 0.01 %; one frame late is 0.2 % at 300 Hz.
            assert!(error < 1e-3 * signal, "{pitch_hz} Hz: {}", error / signal);
        }
        let mixture = StemFile {
            path: bursts(),
            track: Some(0),
        };
        let mixture = mixture.read().unwrap().audio;
        let energy = |samples: &mut dyn Iterator<Item = f32>| samples.map(|x| x * x).sum::<f32>();
        let pairs = mixture.channel(0).iter().zip(&sum);
        let rest = energy(&mut pairs.map(|(mixture, sum)| mixture - sum));
        let ratio = rest / energy(&mut sum.iter().copied());
        assert!(ratio < 1e-3, "the stems are {ratio} off their mixture");
    }

    /// Guards against a reader that knows our own containers only: this is one of MUSDB18's.
    #[test]
    fn musdb18_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/data/formats/falcon69.stem.mp4");
        if !path.is_file() {
            eprintln!("skipped: no test audio at {}", path.display());
            return;
        }
        let stems = container_stems(&path);
        let names: Vec<&str> = stems.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, MUSDB18);
        let tracks = stems.into_iter().map(|(_, file)| file.track);
        for track in std::iter::once(Some(0)).chain(tracks) {
            let file = StemFile {
                path: path.clone(),
                track,
            };
            let clip = file.read().unwrap();
            // As many as ffmpeg decodes, on which MUSDB18's own reader stands.
            assert_eq!((clip.rate_hz, clip.audio.channel_count()), (44_100, 2));
            assert_eq!(clip.audio.frames(), 268_288);
        }
    }

    #[test]
    fn a_track_that_is_not_there_is_refused() {
        let sixth = StemFile {
            path: bursts(),
            track: Some(5),
        };
        let message = sixth.read().unwrap_err().to_string();
        assert!(message.contains("has 5 audio tracks"), "{message}");
    }
}
