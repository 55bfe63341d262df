//! Who has the plugin: the control thread while it is activated, the audio thread while it plays.
//!
//! ```text
//! control thread ─ rig → [`Player`] (audio thread)
//!               ← rig ─ after a recall
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bunri_plugin::monitor::{ChangeState, Monitor};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::rig::Rig;

/// How often it is looked whether the plugin wants to be restarted.
const LOOK: Duration = Duration::from_millis(50);

/// The thread that activates the plugin, whenever it needs to be. Dropping it ends the thread.
pub(crate) struct Control {
    quit: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// What the audio thread calls.
pub(crate) struct Player {
    rig: Option<Box<Rig>>,
    incoming: Receiver<Box<Rig>>,
    outgoing: Sender<Box<Rig>>,
    recalled: Arc<AtomicBool>,
}

impl Control {
    /// Activates the plugin and hands it to the player.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(crate) fn start(rig: Rig) -> std::io::Result<(Self, Player)> {
        let (to_player, incoming) = bounded(1);
        let (outgoing, from_player) = bounded(1);
        let (quit, quitting) = bounded(1);
        let recalled = Arc::new(AtomicBool::new(false));
        let player = Player {
            rig: None,
            incoming,
            outgoing,
            recalled: Arc::clone(&recalled),
        };
        let owner = Owner {
            monitor: rig.monitor(),
            to_player,
            from_player,
            recalled,
            quitting,
        };
        let thread = thread::Builder::new()
            .name("bunri-control".into())
            .spawn(move || owner.run(Box::new(rig)))?;
        let control = Self {
            quit,
            thread: Some(thread),
        };
        Ok((control, player))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.quit.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Owner {
    monitor: Arc<Monitor>,
    to_player: Sender<Box<Rig>>,
    from_player: Receiver<Box<Rig>>,
    recalled: Arc<AtomicBool>,
    quitting: Receiver<()>,
}

impl Owner {
    fn run(self, mut rig: Box<Rig>) {
        loop {
            rig.activate();
            if self.to_player.send(rig).is_err() {
                return;
            }
            loop {
                match self.quitting.recv_timeout(LOOK) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                let change = &self.monitor.status().change;
                if matches!(change, ChangeState::WaitingForRestart { .. }) {
                    break;
                }
            }
            self.recalled.store(true, Ordering::Release);
            let Ok(returned) = self.from_player.recv() else {
                return;
            };
            rig = returned;
        }
    }
}

impl Player {
    /// Plays the next frames; silence while the plugin is being activated. Real-time safe.
    pub(crate) fn play(&mut self, left: &mut [f32], right: &mut [f32]) {
        if self.recalled.load(Ordering::Acquire)
            && let Some(rig) = self.rig.take()
        {
            self.recalled.store(false, Ordering::Release);
            if let Err(refused) = self.outgoing.try_send(rig) {
                self.rig = Some(refused.into_inner()); // nobody is there to take it
            }
        }
        if self.rig.is_none() {
            self.rig = self.incoming.try_recv().ok();
        }
        match &mut self.rig {
            Some(rig) => rig.play(left, right),
            None => {
                left.fill(0.0);
                right.fill(0.0);
            }
        }
    }
}
