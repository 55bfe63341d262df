//! No sound, but its time: for machines without an audio device.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{BLOCK_FRAMES, Output, Told};
use crate::control::Player;

/// Further behind than this, lost time is given up.
const GIVE_UP: Duration = Duration::from_millis(500);

/// A thread that runs until it is dropped.
pub(super) struct Worker {
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Calls `step` again and again until it returns false.
    pub(super) fn start(mut step: impl FnMut() -> bool + Send + 'static) -> Result<Self, String> {
        let quit = Arc::new(AtomicBool::new(false));
        let quitting = Arc::clone(&quit);
        let run = move || while !quitting.load(Ordering::Relaxed) && step() {};
        let thread = thread::Builder::new().name("bunri-audio".into()).spawn(run);
        Ok(Self {
            quit,
            thread: Some(thread.map_err(|error| format!("no thread for audio: {error}"))?),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An output that is not heard.
pub(super) fn output(rate_hz: u32) -> Output {
    let told = Told::default();
    told.set("no audio device", None);
    Output {
        rate_hz,
        told,
        start: Box::new(move |mut player, _told| {
            let mut clock = Clock::new(rate_hz);
            let worker = Worker::start(move || {
                clock.play(&mut player);
                true
            })?;
            Ok(Box::new(worker))
        }),
    }
}

/// Plays a block whenever its time has come.
pub(super) struct Clock {
    rate_hz: u32,
    since: Instant,
    frames: u64,
    left: Vec<f32>,
    right: Vec<f32>,
}

impl Clock {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            since: Instant::now(),
            frames: 0,
            left: vec![0.0; BLOCK_FRAMES],
            right: vec![0.0; BLOCK_FRAMES],
        }
    }

    pub(super) fn play(&mut self, player: &mut Player) {
        player.play(&mut self.left, &mut self.right);
        self.frames += BLOCK_FRAMES as u64;
        let seconds = self.frames as f64 / f64::from(self.rate_hz);
        let due = self.since + Duration::from_secs_f64(seconds);
        let now = Instant::now();
        match due.checked_duration_since(now) {
            Some(early) => thread::sleep(early),
            None if now - due > GIVE_UP => (self.since, self.frames) = (now, 0),
            None => {}
        }
    }
}
