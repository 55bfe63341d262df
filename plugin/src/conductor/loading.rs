//! Models on their way: a wish is opened on a thread of its own, and what was opened takes over, waits
//! for a restart, or is given up with the reason.

use std::sync::Arc;
use std::thread;

use bunri_stream::StemModel;
use bunri_stream::engine::DeviceInfo;

use super::{Conductor, Stage};
use crate::guarded;
use crate::monitor::{ChangeState, ModelInfo, Phase};
use crate::opener::{Informed, Opened, content};
use crate::separation::{Fitting, Unheard};
use crate::settings::{ChangedBy, Choice, ModelChoice};

/// A model that is open and not heard.
pub(super) struct Ready<M> {
    pub(super) model: Fitting<M>,
    pub(super) heard: Heard,
}

/// What there is to say about an open model.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) asked: Choice,
    pub(super) got: Choice,
    pub(super) info: ModelInfo,
    pub(super) devices: Vec<DeviceInfo>,
}

impl<M> Ready<M> {
    pub(super) fn is_for(&self, choice: &Choice) -> bool {
        self.heard.asked.is_same(choice) || self.heard.got.is_same(choice)
    }
}

impl<M: StemModel + Informed + Send + 'static> Conductor<M> {
    /// The settings are not what they were.
    pub(super) fn changed(self: &Arc<Self>, by: ChangedBy) {
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
    pub(super) fn load(self: &Arc<Self>, stage: &mut Stage<M>, asked: Choice, by: ChangedBy) {
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
}
