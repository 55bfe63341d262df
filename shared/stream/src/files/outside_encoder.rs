//! Encoding by the user's `ffmpeg`, which takes floats on its standard input.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::tags::{TagField, Tags};
use super::{Encoding, Ffmpeg};

/// A running encoder; dropped unfinished, it is ended.
pub(super) struct OutsideEncoder {
    child: Child,
    /// Until the last sample.
    input: Option<BufWriter<ChildStdin>>,
    /// What the program says, read as it comes: a full pipe would stop it.
    errors: Option<JoinHandle<String>>,
}

impl OutsideEncoder {
    /// Starts the encoder of an [`Encoding`] that writes a whole file.
    pub(super) fn to_file(
        path: &Path,
        encoding: Encoding,
        rate_hz: u32,
        channels: usize,
        tags: &Tags,
    ) -> io::Result<Self> {
        let mut command = command(rate_hz, channels)?;
        let bit_rate = |kbit: u16| ["-b:a".to_owned(), format!("{kbit}k")];
        let container = match encoding {
            Encoding::Mp3(kbit) => {
                command.args(["-c:a", "libmp3lame"]);
                // More programs read this version of its tags than the next one.
                command.args(["-id3v2_version", "3"]);
                match kbit {
                    Some(kbit) => command.args(bit_rate(kbit)),
                    None => command.args(["-q:a", "0"]),
                };
                "mp3"
            }
            Encoding::Opus(kbit) => {
                let kbit = kbit.unwrap_or(96 * channels as u16);
                command.args(["-c:a", "libopus"]).args(bit_rate(kbit));
                "opus"
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        for (field, value) in tags.iter() {
            let name = match (container, field) {
                ("mp3", TagField::Bpm) => "TBPM",
                ("mp3", TagField::Key) => "TKEY",
                ("mp3", TagField::Isrc) => "TSRC",
                ("mp3", TagField::AlbumArtist) => "album_artist",
                ("mp3", TagField::Track) => "track",
                ("mp3", TagField::Disc) => "disc",
                _ => field.vorbis_name(),
            };
            command.args(["-metadata", &format!("{name}={value}")]);
        }
        command.args(["-f", container, "-y"]);
        command.arg(Ffmpeg::file_argument(path));
        Self::start(command.stdout(Stdio::null()))
    }

    /// Starts an AAC encoder that gives ADTS frames on the other end of its output.
    pub(super) fn to_adts(
        rate_hz: u32,
        channels: usize,
        kbit: Option<u16>,
    ) -> io::Result<(Self, ChildStdout)> {
        let kbit = kbit.unwrap_or(128 * channels as u16);
        let mut command = command(rate_hz, channels)?;
        command.args([
            "-c:a",
            "aac",
            "-b:a",
            &format!("{kbit}k"),
            "-f",
            "adts",
            "pipe:1",
        ]);
        let mut encoder = Self::start(command.stdout(Stdio::piped()))?;
        let output = encoder.child.stdout.take();
        let output = output.ok_or_else(|| io::Error::other("ffmpeg has no standard output"))?;
        Ok((encoder, output))
    }

    fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take().map(|mut stderr| {
            thread::spawn(move || {
                let mut text = Vec::new();
                // What came before a failure is all there is to say.
                let _ = stderr.read_to_end(&mut text);
                String::from_utf8_lossy(&text).trim().replace('\n', "; ")
            })
        });
        let input = child.stdin.take();
        Ok(Self {
            input: input.map(|input| BufWriter::with_capacity(1 << 16, input)),
            child,
            errors,
        })
    }

    /// Takes samples, channels taking turns.
    pub(super) fn write(&mut self, interleaved: &[f32]) -> io::Result<()> {
        let Some(input) = &mut self.input else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let written = interleaved
            .iter()
            .try_for_each(|sample| input.write_all(&sample.to_le_bytes()));
        // A program that has ended says why.
        written.map_err(|error| self.end().err().unwrap_or(error))
    }

    /// Ends the input and waits for the program to complete its file.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let flushed = self.input.as_mut().map_or(Ok(()), Write::flush);
        self.end().and(flushed)
    }

    /// Waits for the end and turns a failure into an error with the program's own words.
    fn end(&mut self) -> io::Result<()> {
        // Without what is still buffered, which a broken pipe would not take.
        drop(self.input.take().map(BufWriter::into_parts));
        let status = self.child.wait()?;
        let said = self.errors.take().and_then(|errors| errors.join().ok());
        if status.success() {
            return Ok(());
        }
        let said = said.unwrap_or_default();
        let kind = match said.contains("No space left on device") {
            true => io::ErrorKind::StorageFull,
            false => io::ErrorKind::Other,
        };
        Err(io::Error::new(
            kind,
            format!("ffmpeg failed ({status}): {said}"),
        ))
    }
}

impl Drop for OutsideEncoder {
    fn drop(&mut self) {
        // Has no effect on a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Floats on standard input, as they are.
fn command(rate_hz: u32, channels: usize) -> io::Result<Command> {
    let ffmpeg = Ffmpeg::find().ok_or_else(|| io::Error::other("there is no ffmpeg any more"))?;
    let mut command = ffmpeg.command();
    command.args(["-f", "f32le", "-ar", &rate_hz.to_string()]);
    command.args(["-ac", &channels.to_string()]);
    command.args([OsStr::new("-i"), OsStr::new("pipe:0")]);
    Ok(command)
}
