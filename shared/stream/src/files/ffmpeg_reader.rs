//! Sound that the user's `ffmpeg` program decodes, taken from its output as it comes.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::thread::{self, JoinHandle};

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_PCM_F32BE;

use super::blocks::{BlockFormat, BlockReader};
use super::ffmpeg::Ffmpeg;
use super::source::{PacketSource, Step};

/// A running program; it ends when this is dropped.
pub(super) struct FfmpegReader {
    blocks: BlockReader<ChildStdout>,
    process: Process,
    /// Once it has ended: whether it complained of damage that is still to be told.
    complaint: Option<bool>,
}

impl FfmpegReader {
    /// Starts to decode the audio track at a place, or the default one.
    ///
    /// # Errors
    /// What the program said where it gave no sound.
    pub(super) fn open(ffmpeg: &Ffmpeg, path: &Path, place: Option<usize>) -> Result<Self, String> {
        let mut command = ffmpeg.command();
        // Files alone: playlists and such could name addresses.
        command.args(["-protocol_whitelist", "file", "-i"]);
        command.arg(Ffmpeg::file_argument(path));
        if let Some(place) = place {
            command.arg("-map").arg(format!("0:a:{place}"));
        }
        // AU: the simplest format of floats whose header can be read from a pipe.
        let output = [
            "-vn",
            "-sn",
            "-dn",
            "-c:a",
            "pcm_f32be",
            "-f",
            "au",
            "pipe:1",
        ];
        command.args(output.map(OsString::from));
        let spawned = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| error.to_string())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let words = stderr.map(|stderr| thread::spawn(move || said(stderr)));
        let mut process = Process { child, words };
        let mut stdout = stdout.ok_or("no output")?;
        match header(&mut stdout) {
            Ok(format) => Ok(Self {
                blocks: BlockReader::new(format, stdout),
                process,
                complaint: None,
            }),
            Err(error) => {
                // It has ended, or has nothing to say that could be understood.
                let _ = process.child.kill();
                let words = process.end().1;
                Err(if words.is_empty() {
                    error.to_string()
                } else {
                    words
                })
            }
        }
    }

    pub(super) fn parameters(&self) -> AudioCodecParameters {
        self.blocks.parameters()
    }
}

impl PacketSource for FfmpegReader {
    fn next(&mut self) -> io::Result<Step> {
        match self.blocks.next()? {
            Step::End { .. } if self.complaint.is_none() => {
                let (succeeded, words) = self.process.end();
                let is_complaint = !succeeded || !words.is_empty();
                let note = Step::Note(format!("ffmpeg complains of this file: {words}"));
                self.complaint = Some(is_complaint);
                Ok(if is_complaint {
                    note
                } else {
                    Step::End { cut: false }
                })
            }
            Step::End { .. } if self.complaint == Some(true) => {
                self.complaint = Some(false);
                Ok(Step::Damaged { frames: 0 })
            }
            step => Ok(step),
        }
    }
}

struct Process {
    child: Child,
    words: Option<JoinHandle<String>>,
}

impl Process {
    /// Whether the program succeeded, and what it complained about first.
    fn end(&mut self) -> (bool, String) {
        let succeeded = self.child.wait().is_ok_and(|status| status.success());
        let words = self.words.take().and_then(|words| words.join().ok());
        (succeeded, words.unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where everything was read.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line; the rest is read so that the program never waits for a reader.
fn said(mut stderr: impl Read) -> String {
    const KEPT_BYTES: u64 = 4096;
    let mut bytes = Vec::new();
    let _ = stderr.by_ref().take(KEPT_BYTES).read_to_end(&mut bytes);
    let _ = io::copy(&mut stderr, &mut io::sink());
    let words = String::from_utf8_lossy(&bytes);
    let line = words.lines().next().unwrap_or_default();
    // Without the part of the program that speaks, and its address.
    let line = line.split_once("] ").map_or(line, |(_, line)| line);
    line.trim().to_owned()
}

/// The header of an AU stream: mark, place of the sound, its size, coding, rate and channels.
fn header(stream: &mut impl Read) -> io::Result<BlockFormat> {
    const FLOAT: u32 = 6;
    let mut bytes = [0; 24];
    stream.read_exact(&mut bytes)?;
    let word =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (place, coding, rate_hz) = (word(4), word(12), word(16));
    let channels = u16::try_from(word(20)).unwrap_or(0);
    if !bytes.starts_with(b".snd") || coding != FLOAT || channels == 0 || rate_hz == 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let annotation = u64::from(place).saturating_sub(bytes.len() as u64);
    io::copy(&mut stream.take(annotation), &mut io::sink())?;
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(CODEC_ID_PCM_F32BE)
        .with_sample_rate(rate_hz)
        .with_channels(Channels::Discrete(channels));
    Ok(BlockFormat {
        parameters,
        block_bytes: usize::from(channels) * 4,
        frames_per_block: 1,
    })
}
