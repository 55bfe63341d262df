//! Sound through the system's own player, which is written to like a file.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::clock::{Clock, Worker};
use super::{BLOCK_FRAMES, Output, Told};

/// Bytes on their way between the two processes: the less, the sooner it is heard.
const PIPE_BYTES: usize = 8192;

/// Players of raw 32-bit floats from standard input, the one of the newest system first.
fn players(rate_hz: u32) -> [Command; 3] {
    let rate = rate_hz.to_string();
    let command = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    [
        command(
            "pw-cat",
            &[
                "--playback",
                "--raw",
                "--format",
                "f32",
                "--rate",
                &rate,
                "--channels",
                "2",
                "-",
            ],
        ),
        command(
            "pacat",
            &[
                "--playback",
                "--raw",
                "--format",
                "float32le",
                "--rate",
                &rate,
                "--channels",
                "2",
                "--latency-msec",
                "40",
            ],
        ),
        command(
            "aplay",
            &[
                "-q",
                "-t",
                "raw",
                "-f",
                "FLOAT_LE",
                "-r",
                &rate,
                "-c",
                "2",
                "--buffer-time",
                "60000",
            ],
        ),
    ]
}

/// A player that runs. Ends with its standard input.
struct Playing {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Playing {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The first player that is there. Whether it finds a device shows only when it is written to: then
/// the music goes on unheard, and the user is told.
pub(super) fn output(rate_hz: u32) -> Result<Output, String> {
    let mut missing = Vec::new();
    for mut command in players(rate_hz) {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match spawned {
            Ok(mut child) => {
                let stdin = child.stdin.take();
                return Ok(playing(Playing { child, stdin }, name, rate_hz));
            }
            Err(_) => missing.push(name),
        }
    }
    Err(format!(
        "there is none of {}: install one of them, or build with the feature `audio`",
        missing.join(", ")
    ))
}

fn playing(mut playing: Playing, name: String, rate_hz: u32) -> Output {
    let told = Told::default();
    told.set(&name, None);
    if let Some(stdin) = &playing.stdin {
        // A longer pipe only sounds later.
        let _ = rustix::pipe::fcntl_setpipe_size(stdin, PIPE_BYTES);
    }
    Output {
        rate_hz,
        told,
        start: Box::new(move |mut player, told| {
            let (mut left, mut right) = (vec![0.0; BLOCK_FRAMES], vec![0.0; BLOCK_FRAMES]);
            let mut bytes = Vec::with_capacity(8 * BLOCK_FRAMES);
            let mut unheard: Option<Clock> = None;
            let worker = Worker::start(move || {
                if let Some(clock) = &mut unheard {
                    clock.play(&mut player);
                    return true;
                }
                player.play(&mut left, &mut right);
                bytes.clear();
                let frames = left.iter().zip(&right);
                bytes.extend(
                    frames
                        .flat_map(|(left, right)| [left.to_le_bytes(), right.to_le_bytes()])
                        .flatten(),
                );
                let written = playing.stdin.as_mut().map(|stdin| stdin.write_all(&bytes));
                if !matches!(written, Some(Ok(()))) {
                    let problem =
                        format!("{name} found no audio device: the music plays on unheard");
                    told.set("no audio device", Some(problem));
                    unheard = Some(Clock::new(rate_hz));
                }
                true
            })?;
            Ok(Box::new(worker))
        }),
    }
}
