//! What the user chose that is no parameter: model, mode and device, and what is heard in dropouts.
//!
//! ```text
//! editor ─ choose_* ─ [`Settings`] ─ listener ─ whoever loads models in the background
//! host   ─ state ───── ┘     └ saved with the parameters, under the key `settings`
//! ```
//!
//! A choice is *wanted* until it is heard, and *kept* from then on. Where it cannot be had, the
//! kept one stays and [`Status::change`](crate::monitor::Status::change) says why. Both the editor
//! and the host's state see the wanted one, so that a project saved while a model loads has it.
//!
//! - [`choice`]: model, mode and device as plain data.
//! - [`saved`]: how they are written, and read from states of other versions or broken ones.
//! - [`models`]: the models there are to choose from.

pub mod choice;
pub mod models;
pub mod saved;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nice_plug::params::persist::PersistentField;

pub use bunri_stream::{BuiltIn, Mode};
pub use choice::{AUTO_DEVICE, Choice, Content, ModelChoice, ModelFile, mode_name};
use saved::Saved;

/// Who changed the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedBy {
    /// The user, in the editor: the old choice plays on if the new one cannot be had.
    User,
    /// The host, by a state: what it says holds, whether it can be had or not.
    Host,
}

type Listener = Box<dyn Fn(ChangedBy) + Send + Sync>;

/// The choices of one plugin instance. Any thread but the audio thread.
///
/// What changes latency comes into force only through a restart, which is asked of the host as soon
/// as the new model is ready; everything else while it plays.
#[derive(Default)]
pub struct Settings {
    held: Mutex<Held>,
    /// Read by the audio thread.
    dry_in_dropouts: AtomicBool,
    listener: OnceLock<Listener>,
}

#[derive(Debug, Default)]
struct Held {
    kept: Choice,
    wanted: Option<Choice>,
    problem: Option<String>,
}

impl Settings {
    /// What the user sees as chosen, whether it is heard yet or not.
    #[must_use]
    pub fn choice(&self) -> Choice {
        let held = self.held();
        held.wanted.clone().unwrap_or_else(|| held.kept.clone())
    }

    /// What is heard, or will be with the next activation.
    #[must_use]
    pub fn kept(&self) -> Choice {
        self.held().kept.clone()
    }

    /// Why a saved state could not be understood in full, if it could not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.held().problem.clone()
    }

    /// Whether the input is heard where stems are missing; else silence. Any thread; real-time safe.
    #[must_use]
    pub fn dry_in_dropouts(&self) -> bool {
        self.dry_in_dropouts.load(Ordering::Relaxed)
    }

    /// Chooses that, at once.
    pub fn play_dry_in_dropouts(&self, dry: bool) {
        self.dry_in_dropouts.store(dry, Ordering::Relaxed);
    }

    /// Chooses a model. A shipped one brings its mode with it.
    pub fn choose_model(&self, model: ModelChoice) {
        self.want(self.choice().with_model(model));
    }

    /// Chooses a mode. Where a shipped model is chosen, it becomes the one for this mode.
    pub fn choose_mode(&self, mode: Mode) {
        self.want(self.choice().with_mode(mode));
    }

    /// Chooses a device by its name, one of [`Status::devices`](crate::monitor::Status::devices) or
    /// [`AUTO_DEVICE`].
    pub fn choose_device(&self, device: impl Into<String>) {
        let device = device.into();
        self.want(Choice {
            device,
            ..self.choice()
        });
    }

    /// Tries again what is chosen: after a file was put back, or the engine installed.
    pub fn retry(&self) {
        self.want(self.choice());
    }

    fn want(&self, choice: Choice) {
        {
            let mut held = self.held();
            held.problem = None;
            held.wanted = Some(choice);
        }
        self.tell(ChangedBy::User);
    }

    /// What was asked for can be heard, as `got`: that is kept, unless another is wanted by now.
    pub(crate) fn keep(&self, asked: &Choice, got: &Choice) {
        let mut held = self.held();
        if held
            .wanted
            .as_ref()
            .is_some_and(|wanted| wanted.is_same(asked))
        {
            held.wanted = None;
            held.kept = got.clone();
        } else if held.kept.is_same(asked) {
            held.kept = got.clone();
        }
    }

    /// What is in the file at `path`.
    pub(crate) fn learn(&self, path: &Path, content: &Content) {
        let mut held = self.held();
        let Held {
            kept,
            wanted,
            problem: _,
        } = &mut *held;
        for choice in std::iter::once(kept).chain(wanted) {
            if let ModelChoice::File(file) = &mut choice.model
                && file.path == path
            {
                file.content = Some(content.clone());
            }
        }
    }

    /// The wanted choice cannot be had: the kept one stays, unless another is wanted by now.
    pub(crate) fn give_up(&self, choice: &Choice) {
        let mut held = self.held();
        if held
            .wanted
            .as_ref()
            .is_some_and(|wanted| wanted.is_same(choice))
        {
            held.wanted = None;
        }
    }

    /// With an activation the wanted choice becomes the kept one.
    pub(crate) fn keep_wanted(&self) -> Choice {
        let mut held = self.held();
        if let Some(wanted) = held.wanted.take() {
            held.kept = wanted;
        }
        held.kept.clone()
    }

    /// Who hears of every change; once.
    pub(crate) fn listen(&self, listener: impl Fn(ChangedBy) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    fn tell(&self, by: ChangedBy) {
        if let Some(listener) = self.listener.get() {
            listener(by);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> PersistentField<'a, Saved> for std::sync::Arc<Settings> {
    /// A state of the host's: it holds at once.
    fn set(&self, saved: Saved) {
        {
            let mut held = self.held();
            *held = Held {
                kept: saved.choice,
                wanted: None,
                problem: saved.problem,
            };
        }
        self.play_dry_in_dropouts(saved.dry_in_dropouts);
        self.tell(ChangedBy::Host);
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&Saved) -> R,
    {
        f(&Saved {
            choice: self.choice(),
            dry_in_dropouts: self.dry_in_dropouts(),
            problem: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> ModelChoice {
        ModelChoice::File(ModelFile::at(path))
    }

    /// Guards against a shipped model that runs in the other one's mode.
    #[test]
    fn a_shipped_model_and_its_mode_go_together() {
        let settings = Settings::default();
        settings.choose_mode(Mode::Studio { latency_ms: 250 });
        assert_eq!(
            settings.choice().model,
            ModelChoice::Shipped(BuiltIn::Studio)
        );
        settings.choose_model(ModelChoice::Shipped(BuiltIn::Live));
        assert_eq!(settings.choice().mode, Mode::Live);
        settings.choose_model(file("/m/my.safetensors"));
        settings.choose_mode(Mode::Studio { latency_ms: 2000 });
        assert_eq!(settings.choice().model, file("/m/my.safetensors"));
    }

    /// Guards against a failed load that changes what is heard, and against one that overwrites
    /// what the user chose in the meantime.
    #[test]
    fn what_cannot_be_had_leaves_the_kept_choice_and_newer_wishes_alone() {
        let settings = Settings::default();
        let before = settings.kept();
        settings.choose_model(file("/gone"));
        let failed = settings.choice();
        settings.choose_model(file("/other"));
        settings.give_up(&failed);
        assert_eq!(settings.choice().model, file("/other"));
        settings.give_up(&settings.choice());
        assert_eq!(settings.choice(), before);
        assert_eq!(settings.kept(), before);
    }

    /// Guards against a state without it, an older one, that leaves what another project chose.
    #[test]
    fn what_is_heard_in_dropouts_is_saved() {
        let settings = std::sync::Arc::new(Settings::default());
        settings.play_dry_in_dropouts(true);
        let text = settings.map(|saved: &Saved| serde_json::to_string(saved).unwrap());
        let other = std::sync::Arc::new(Settings::default());
        other.set(serde_json::from_str(&text).unwrap());
        assert!(other.dry_in_dropouts());
        other.set(serde_json::from_str(r#"{"version": 1, "mode": "live"}"#).unwrap());
        assert!(!other.dry_in_dropouts());
        assert_eq!(other.problem(), None);
    }

    /// Guards against a project that, saved while a model loads, comes back with the old one.
    #[test]
    fn a_wanted_choice_is_saved() {
        let settings = std::sync::Arc::new(Settings::default());
        settings.choose_model(file("/m/new"));
        let text = settings.map(|saved: &Saved| serde_json::to_string(saved).unwrap());
        let other = std::sync::Arc::new(Settings::default());
        other.set(serde_json::from_str(&text).unwrap());
        assert_eq!(other.kept().model, file("/m/new"));
    }
}
