//! What is loaded, how late it is, and what is wrong, in words and numbers for a status line.

use bunri_stream::engine::{DeviceInfo, ModelFacts};

/// Everything about a plugin that changes seldom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// What is heard, and if it is not what was asked for, why.
    pub phase: Phase,
    /// What the host fixed; `None` while inactive.
    pub activation: Option<Activation>,
    /// The model that is heard.
    pub model: Option<ModelInfo>,
    /// What became of the latest change of model, mode or device.
    pub change: ChangeState,
    /// The devices there are, once the engine is open; the CPU first.
    pub devices: Vec<DeviceInfo>,
}

impl Status {
    /// The model that is heard has something new to tell.
    pub(crate) fn tell(&mut self, facts: Option<&ModelFacts>) {
        if let (Some(model), Some(facts)) = (&mut self.model, facts) {
            model.set_facts(facts, &self.devices);
        }
    }
}

/// What is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The host has not activated the plugin.
    #[default]
    Inactive,
    /// The input, delayed, until the model is ready; the stems are silent.
    Loading,
    /// The stems.
    Separating,
    /// The input, delayed; the stems are silent.
    Dry {
        /// Why, and what helps, in a sentence or two for the user.
        reason: String,
    },
}

/// What holds from one activation to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// The host's sample rate.
    pub rate_hz: u32,
    /// The longest block the host will send, in frames.
    pub max_block_frames: usize,
    /// Whether the host renders offline.
    pub offline: bool,
    /// Latency of every bus, in host frames, as the host was told.
    pub latency_frames: usize,
}

impl Activation {
    /// The latency in milliseconds.
    #[must_use]
    pub fn latency_ms(&self) -> f64 {
        1000.0 * self.latency_frames as f64 / f64::from(self.rate_hz)
    }
}

/// The model that is heard.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// Its name, as chosen.
    pub name: String,
    /// Rate that it works at; others are converted.
    pub rate_hz: u32,
    /// Time between two chunks in milliseconds.
    pub hop_ms: f64,
    /// Time that it is shown at once, in milliseconds.
    pub chunk_ms: f64,
    /// Time that it sees ahead, in milliseconds.
    pub lookahead_ms: f64,
    /// Where it runs.
    pub device: Option<DeviceInfo>,
    /// Size of its weights, which all streams of one model on one device share; where it is known.
    pub weights_bytes: Option<u64>,
    /// What the engine has to say, for instance that it fell back to the CPU.
    pub notice: Option<String>,
}

impl ModelInfo {
    /// Takes over where it runs now, and what became of the device that it ran on.
    pub(crate) fn set_facts(&mut self, facts: &ModelFacts, devices: &[DeviceInfo]) {
        let known = devices.iter().find(|info| info.name == facts.device);
        self.device = Some(known.cloned().unwrap_or_else(|| DeviceInfo {
            name: facts.device.clone(),
            description: facts.device.clone(),
            memory_bytes: None,
        }));
        self.weights_bytes = Some(facts.weights_bytes);
        if facts.notice.is_some() {
            self.notice.clone_from(&facts.notice);
        }
    }

    /// The spec in a few words: `44.1 kHz, hop 23.2 ms, sees 23.2 ms`.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "{} kHz, hop {:.1} ms, sees {:.1} ms",
            f64::from(self.rate_hz) / 1000.0,
            self.hop_ms,
            self.chunk_ms
        )
    }
}

/// What became of a change of model, mode or device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChangeState {
    /// Nothing is under way.
    #[default]
    Settled,
    /// It is being loaded; the old one plays on.
    Loading {
        /// What was chosen, in a few words.
        what: String,
    },
    /// It is ready, but has another latency: the host was asked for a restart.
    WaitingForRestart {
        /// What was chosen, in a few words.
        what: String,
        /// The latency in host frames that it will have.
        latency_frames: usize,
    },
    /// It could not be had; the old one plays on.
    Failed {
        /// What was chosen, in a few words.
        what: String,
        /// Why, and what helps, in a sentence or two.
        reason: String,
    },
}
