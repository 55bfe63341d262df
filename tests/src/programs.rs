//! Other programs: started, heard, and ended if they do not end by themselves.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How; `None` if it had to be killed.
    pub status: Option<ExitStatus>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Ended {
    /// What is wrong with the end, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self.status {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("{status}")),
            None => Some("it did not end in time".to_owned()),
        }
    }
}

/// Runs a program to its end or the limit, showing what it prints as it comes.
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command, limit: Duration) -> Ended {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    let output = hear(child.stdout.take(), |line| println!("{line}"));
    let errors = hear(child.stderr.take(), |line| eprintln!("{line}"));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child's status") {
            break Some(status);
        }
        if started.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let text = |listener: JoinHandle<String>| listener.join().expect("what the child printed");
    Ended {
        status,
        output: text(output),
        errors: text(errors),
    }
}

fn hear(pipe: Option<impl Read + Send + 'static>, show: fn(&str)) -> JoinHandle<String> {
    let pipe = BufReader::new(pipe.expect("a pipe from the child"));
    thread::spawn(move || {
        let mut heard = String::new();
        for line in pipe.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            show(&line);
            heard += &line;
            heard.push('\n');
        }
        heard
    })
}
