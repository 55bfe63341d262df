//! From what the user wants to what is heard: opens models in the background, hands them to the
//! separation that is running, or keeps them for the next one.
//!
//! ```text
//! Settings ─ wanted ─ loader thread ─ opener ─ model ┬ same latency: takes over while playing
//!                                                    └ another: kept, and a restart is asked for
//! ```
//!
//! One for each plugin instance, across activations. A model goes from one activation to the next
//! without being opened again. The old model plays on until the new one can; if that fails, for
//! good, and [`Status::change`](crate::monitor::Status::change) says why.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bunri_stream::StemModel;
use bunri_stream::engine::DeviceInfo;

use crate::exchange::HostSetup;
use crate::guarded;
use crate::link::AudioLink;
use crate::monitor::{ChangeState, ModelInfo, Monitor, Phase};
use crate::opener::{Informed, Opened, content};
use crate::separation::{Fitting, Separation, Unheard};
use crate::settings::{ChangedBy, Choice, ModelChoice, Settings};

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

/// A model that is open and not heard.
struct Ready<M> {
    model: Fitting<M>,
    heard: Heard,
}

/// What there is to say about an open model.
#[derive(Clone)]
struct Heard {
    asked: Choice,
    got: Choice,
    info: ModelInfo,
    devices: Vec<DeviceInfo>,
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

    /// The settings are not what they were.
    fn changed(self: &Arc<Self>, by: ChangedBy) {
        let asked = self.settings.choice();
        let mut stage = self.stage();
        if stage.separation.is_none() {
            drop(stage);
            self.settings.keep_wanted();
            return;
        }
        let separating = self.monitor.status().phase == Phase::Separating;
        if let Some(heard) = &stage.heard
            && separating
            && (heard.asked.is_same(&asked) || heard.got.is_same(&asked))
        {
            let (heard_asked, got) = (asked, heard.got.clone());
            self.settings.keep(&heard_asked, &got);
            stage.loads += 1; // what is being loaded is no longer wanted
            stage.loading = None;
            let unwanted = stage.ready.take();
            drop(stage);
            drop(unwanted);
            self.monitor
                .update(|status| status.change = ChangeState::Settled);
            return;
        }
        self.load(&mut stage, asked, by);
    }

    /// Opens `asked` on a thread of its own.
    fn load(self: &Arc<Self>, stage: &mut Stage<M>, asked: Choice, by: ChangedBy) {
        stage.loads += 1;
        stage.loading = Some(asked.clone());
        stage.failed = None;
        stage.threads.retain(|thread| !thread.is_finished());
        let what = asked.describe();
        self.monitor
            .update(|status| status.change = ChangeState::Loading { what });
        let number = stage.loads;
        let conductor = Arc::clone(self);
        let choice = asked.clone();
        let load = move || {
            let result = guarded(|| conductor.open(&choice)).flatten();
            let file = match &result {
                Ok(Ready { heard, .. }) => match &heard.got.model {
                    ModelChoice::File(file) => Some(file.path.clone()),
                    ModelChoice::Shipped(_) => None,
                },
                Err(_) => None,
            };
            conductor.arrive(number, choice, by, result);
            // Reading a large file takes a while: after the model is heard.
            if let Some(path) = file
                && let Ok(content) = content(&path)
            {
                conductor.settings.learn(&path, &content);
            }
        };
        match thread::Builder::new()
            .name("bunri-loader".into())
            .spawn(load)
        {
            Ok(thread) => stage.threads.push(thread),
            Err(error) => {
                stage.loading = None;
                stage.failed = Some((asked, format!("no thread to load on: {error}")));
            }
        }
    }

    /// Loader thread.
    fn open(&self, asked: &Choice) -> Result<Ready<M>, String> {
        let Opened {
            model,
            choice,
            notice,
            devices,
        } = (self.opener)(asked)?;
        let model = Fitting::new(model)?;
        let spec = model.spec();
        let ms = |frames: usize| 1000.0 * frames as f64 / f64::from(spec.rate_hz);
        let mut info = ModelInfo {
            name: choice.model.name(),
            rate_hz: spec.rate_hz,
            hop_ms: ms(spec.hop_frames),
            chunk_ms: ms(spec.chunk_frames),
            lookahead_ms: ms(spec.lookahead_frames),
            device: None,
            weights_bytes: None,
            notice,
        };
        if let Some(facts) = model.facts() {
            info.set_facts(&facts, &devices);
        }
        let heard = Heard {
            asked: asked.clone(),
            got: choice,
            info,
            devices,
        };
        Ok(Ready { model, heard })
    }

    /// Loader thread: load `number` has ended.
    fn arrive(&self, number: u64, asked: Choice, by: ChangedBy, result: Result<Ready<M>, String>) {
        let mut stage = self.stage();
        if number != stage.loads {
            drop(stage); // `result` is freed without the lock
            return;
        }
        stage.loading = None;
        let what = asked.describe();
        let heard_at_once = match (result, &stage.separation) {
            (Ok(ready), None) => {
                stage.ready = Some(ready); // for the activation that waits, or the next one
                Ok(None)
            }
            (Ok(Ready { model, heard }), Some(separation)) => match separation.succeed(model) {
                Ok(()) => Ok(Some(heard)),
                Err(Unheard::NotYet {
                    model,
                    latency_frames,
                }) => {
                    stage.ready = Some(Ready { model, heard });
                    let change = ChangeState::WaitingForRestart {
                        what: what.clone(),
                        latency_frames,
                    };
                    self.monitor.update(|status| status.change = change);
                    drop(stage);
                    self.ask_for_restart();
                    return;
                }
                Err(Unheard::Unfit(reason)) => Err(reason),
            },
            (Err(reason), _) => Err(reason),
        };
        match heard_at_once {
            Ok(None) => {}
            Ok(Some(heard)) => {
                self.settings.keep(&heard.asked, &heard.got);
                self.show(Some(&heard), ChangeState::Settled);
                stage.heard = Some(heard);
            }
            Err(reason) => {
                let playing = stage.heard.is_some();
                let activating = stage.separation.is_none();
                stage.failed = activating.then(|| (asked.clone(), reason.clone()));
                if by == ChangedBy::User {
                    self.settings.give_up(&asked);
                }
                self.monitor.update(|status| {
                    if status.phase == Phase::Loading {
                        status.phase = Phase::Dry {
                            reason: reason.clone(),
                        };
                    }
                    status.change = ChangeState::Failed { what, reason };
                });
                if by == ChangedBy::Host && playing {
                    drop(stage);
                    // A state's model holds even where it cannot be had: dry, with the reason.
                    self.ask_for_restart();
                    return;
                }
            }
        }
        drop(stage);
        self.arrived.notify_all();
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

impl<M> Ready<M> {
    fn is_for(&self, choice: &Choice) -> bool {
        self.heard.asked.is_same(choice) || self.heard.got.is_same(choice)
    }
}
