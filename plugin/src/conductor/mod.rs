//! From what the user wants to what is heard: opens models in the background, hands them to the
//! separation that is running, or keeps them for the next one.
//!
//! ```text
//! Settings ─ wanted ─ loader thread ─ opener ─ model ┬ same latency: takes over while playing
//!                                                    └ another: kept, and a restart is asked for
//! ```
//!
//! - this module: activations, and what each of them begins with;
//! - `loading`: the way of a model from a wish to the music, beside them.
//!
//! One for each plugin instance, across activations. A model goes from one activation to the next
//! without being opened again. The old model plays on until the new one can; if that fails, for
//! good, and [`Status::change`](crate::monitor::Status::change) says why.

mod loading;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bunri_stream::StemModel;

use crate::exchange::HostSetup;
use crate::link::AudioLink;
use crate::monitor::{ChangeState, Monitor, Phase};
use crate::opener::{Informed, Opened};
use crate::separation::Separation;
use crate::settings::{ChangedBy, Choice, Settings};
use loading::{Heard, Ready};

/// How long a host that plays waits in its activation for the engine and the model. They take a
/// second; a host that was let go earlier would play dry, and be asked for a restart.
const LIVE_LIMIT: Duration = Duration::from_secs(10);
/// The same for a host that renders, where dry audio is never right.
const OFFLINE_LIMIT: Duration = Duration::from_secs(60);

type Opener<M> = Box<dyn Fn(&Choice) -> Result<Opened<M>, String> + Send + Sync>;

/// All that has to do with which model is heard. Any thread but the audio thread.
pub struct Conductor<M: Send + 'static> {
    settings: Arc<Settings>,
    monitor: Arc<Monitor>,
    opener: Opener<M>,
    /// Asks the host for a restart.
    restart: OnceLock<Box<dyn Fn() + Send + Sync>>,
    stage: Mutex<Stage<M>>,
    /// A load has ended, well or not.
    arrived: Condvar,
}

struct Stage<M> {
    /// Loads begun so far; only the latest one counts.
    loads: u64,
    loading: Option<Choice>,
    ready: Option<Ready<M>>,
    failed: Option<(Choice, String)>,
    /// While active.
    separation: Option<Separation<M>>,
    /// What the separation plays.
    heard: Option<Heard>,
    threads: Vec<JoinHandle<()>>,
}

impl<M: StemModel + Informed + Send + 'static> Conductor<M> {
    /// Hears of every change of `settings` from now on.
    pub fn new(
        settings: &Arc<Settings>,
        monitor: &Arc<Monitor>,
        opener: impl Fn(&Choice) -> Result<Opened<M>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let conductor = Arc::new(Self {
            settings: Arc::clone(settings),
            monitor: Arc::clone(monitor),
            opener: Box::new(opener),
            restart: OnceLock::new(),
            stage: Mutex::new(Stage {
                loads: 0,
                loading: None,
                ready: None,
                failed: None,
                separation: None,
                heard: None,
                threads: Vec::new(),
            }),
            arrived: Condvar::new(),
        });
        let listener = Arc::downgrade(&conductor);
        settings.listen(move |by| {
            if let Some(conductor) = listener.upgrade() {
                conductor.changed(by);
            }
        });
        conductor
    }

    /// How the host is asked for a restart; once. Without it, changes of latency wait for the next
    /// activation, whenever that is.
    pub fn restart_by(&self, restart: impl Fn() + Send + Sync + 'static) {
        let _ = self.restart.set(Box::new(restart));
    }

    /// Begins an activation with what is wanted. Waits for the model, but not for ever; where it
    /// cannot be had, or not yet, audio passes dry and the status says why.
    pub fn activate(self: &Arc<Self>, host: HostSetup) -> AudioLink {
        self.deactivate();
        let asked = self.settings.keep_wanted();
        let limit = if host.offline {
            OFFLINE_LIMIT
        } else {
            LIVE_LIMIT
        };
        let ready = self.obtain(&asked, limit);
        let mut stage = self.stage();
        let (model, heard, otherwise) = match ready {
            Ok(Ready { model, heard }) => (Some(model), Some(heard), Phase::Loading),
            Err(phase) => (None, None, phase),
        };
        let monitor = Arc::clone(&self.monitor);
        let (separation, link) = Separation::start(host, model, otherwise, monitor);
        stage.separation = Some(separation);
        if let Some(heard) = &heard {
            self.settings.keep(&heard.asked, &heard.got);
        }
        self.show(heard.as_ref(), ChangeState::Settled);
        stage.heard = heard;
        link
    }

    /// Ends the activation; its model is kept for the next one.
    pub fn deactivate(&self) {
        let mut stage = self.stage();
        let Some(separation) = stage.separation.take() else {
            return;
        };
        let heard = stage.heard.take();
        if let (Some(model), Some(heard)) = (separation.stop(), heard)
            && stage.ready.is_none()
        {
            stage.ready = Some(Ready { model, heard });
        }
        drop(stage);
        self.monitor.update(|status| {
            status.phase = Phase::Inactive;
            status.activation = None;
        });
    }

    /// The latency of the present activation in host frames.
    #[must_use]
    pub fn latency_frames(&self) -> Option<usize> {
        let stage = self.stage();
        stage.separation.as_ref().map(Separation::latency_frames)
    }

    /// Ends everything, and waits for what is being loaded: a host may unload the plugin's code
    /// right afterwards.
    pub fn close(&self) {
        self.deactivate();
        let (threads, ready) = {
            let mut stage = self.stage();
            stage.loads += 1;
            (std::mem::take(&mut stage.threads), stage.ready.take())
        };
        drop(ready);
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// The model that was asked for, when it is open.
    ///
    /// # Errors
    /// What is heard without it: dry audio, for now or because it cannot be had.
    fn obtain(self: &Arc<Self>, asked: &Choice, limit: Duration) -> Result<Ready<M>, Phase> {
        let until = Instant::now() + limit;
        let mut begun = false;
        let mut stage = self.stage();
        loop {
            if stage
                .ready
                .as_ref()
                .is_some_and(|ready| ready.is_for(asked))
                && let Some(ready) = stage.ready.take()
            {
                return Ok(ready);
            }
            if let Some((_, reason)) = stage.failed.take_if(|(choice, _)| choice.is_same(asked)) {
                return Err(Phase::Dry { reason });
            }
            if !stage
                .loading
                .as_ref()
                .is_some_and(|loading| loading.is_same(asked))
            {
                if begun {
                    return Err(Phase::Loading); // superseded: the newer one will ask for a restart
                }
                begun = true;
                self.load(&mut stage, asked.clone(), ChangedBy::Host);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Phase::Loading);
            }
            let waited = self.arrived.wait_timeout(stage, left);
            stage = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn show(&self, heard: Option<&Heard>, change: ChangeState) {
        self.monitor.update(|status| {
            status.model = heard.map(|heard| heard.info.clone());
            if let Some(heard) = heard {
                status.devices.clone_from(&heard.devices);
            }
            status.change = change;
        });
    }

    fn ask_for_restart(&self) {
        if let Some(restart) = self.restart.get() {
            restart();
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage<M>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
