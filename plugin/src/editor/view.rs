//! Everything the editor shows and everything it can be asked to do, as plain data.
//!
//! Nothing here knows of hosts, engines or threads: a view is made up in a test as easily as it is
//! taken from a running plugin (see `connect`).

use std::collections::VecDeque;
use std::path::PathBuf;

use super::values::{Param, Switch};

/// Stems, in the order of their buses: drums, bass, other, vocals.
pub const STEMS: usize = 4;

/// What the stems are called.
pub const STEM_NAMES: [&str; STEMS] = ["Drums", "Bass", "Other", "Vocals"];

/// All there is to see at one moment.
#[derive(Clone, Debug, Default)]
pub struct EditorView {
    /// The channel strips, in the order of the stem buses.
    pub strips: [StripView; STEMS],
    /// The master strip.
    pub master: MasterView,
    /// Whether the host runs the plugin: if not, levels fall and the display stands still.
    pub playing: bool,
    /// What is heard, and why.
    pub phase: Phase,
    /// What becomes of the latest choice.
    pub change: Change,
    /// Something to know that needs nothing to be done.
    pub notice: Option<String>,
    /// Sample rate and latency as the host knows them; `None` while it has not activated the plugin.
    pub latency: Option<Latency>,
    /// The worker's load as a share of real time, if there is a worker.
    pub load: Option<f32>,
    /// Dropouts since the last reset of the counters.
    pub dropouts: u64,
    /// Time without stems in them.
    pub dropout_ms: f64,
    /// Whether the input is heard in them.
    pub dry_in_dropouts: bool,
    /// Where the model runs: `CPU`, `NVIDIA H100`; empty while it runs nowhere.
    pub device: String,
    /// Memory of the device in bytes, where it is known.
    pub device_memory_bytes: Option<u64>,
    /// Models to choose from.
    pub models: Chooser,
    /// Modes to choose from.
    pub modes: Chooser,
    /// Devices to choose from.
    pub devices: Chooser,
    /// Names of the presets, and the one that the strips stand on.
    pub presets: Chooser,
    /// The stems of the last seconds.
    pub display: Display,
    /// A file that plays, where the editor belongs to a player.
    pub transport: Option<Transport>,
}

/// One channel strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StripView {
    /// Gain in dB; the lowest is silence.
    pub gain_db: f32,
    /// Soloed.
    pub solo: bool,
    /// Muted.
    pub mute: bool,
    /// -1 (left) to 1 (right).
    pub pan: f32,
    /// 0 (mono) to 2; 1 is as it is.
    pub width: f32,
    /// What it plays.
    pub level: Level,
}

impl Default for StripView {
    fn default() -> Self {
        Self {
            gain_db: 0.0,
            solo: false,
            mute: false,
            pan: 0.0,
            width: 1.0,
            level: Level::SILENCE,
        }
    }
}

/// The master strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MasterView {
    /// 0 (the delayed input) to 1 (the mix).
    pub dry_wet: f32,
    /// Bypassed.
    pub bypass: bool,
    /// Whether the stems add up to the input.
    pub consistency: bool,
    /// Whether the stem buses carry the stems as they are before the strips.
    pub aux_pre_fader: bool,
    /// What the main bus plays.
    pub level: Level,
}

impl Default for MasterView {
    fn default() -> Self {
        Self {
            dry_wet: 1.0,
            bypass: false,
            consistency: true,
            aux_pre_fader: false,
            level: Level::SILENCE,
        }
    }
}

/// Levels of a stereo bus in dBFS, `[left, right]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Highest samples.
    pub peak_dbfs: [f32; 2],
    /// Root of the mean square.
    pub rms_dbfs: [f32; 2],
}

impl Level {
    /// Nothing to be heard.
    pub const SILENCE: Self = Self {
        peak_dbfs: [f32::NEG_INFINITY; 2],
        rms_dbfs: [f32::NEG_INFINITY; 2],
    };
}

/// What is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: the host has not activated the plugin.
    #[default]
    Inactive,
    /// The delayed input, until the model is there.
    Loading,
    /// The stems.
    Separating,
    /// The delayed input, for a reason.
    Dry {
        /// Why, and what helps.
        reason: String,
    },
}

/// What becomes of the latest choice of model, mode or device.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Change {
    /// Nothing is under way.
    #[default]
    Settled,
    /// It is being loaded, the old one plays on.
    Loading {
        /// What was chosen.
        what: String,
    },
    /// It is ready and waits for the host to restart the plugin.
    WaitingForRestart {
        /// What was chosen.
        what: String,
        /// Its latency in milliseconds.
        latency_ms: f64,
    },
    /// It could not be had, the old one plays on.
    Failed {
        /// What was chosen.
        what: String,
        /// Why, and what helps.
        reason: String,
    },
}

/// The latency that the host was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// In frames of the host's.
    pub frames: usize,
    /// The host's sample rate.
    pub rate_hz: u32,
}

impl Latency {
    /// In milliseconds.
    #[must_use]
    pub fn ms(self) -> f64 {
        1000.0 * self.frames as f64 / f64::from(self.rate_hz.max(1))
    }
}

/// A list of which one entry is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chooser {
    /// What there is.
    pub entries: Vec<Entry>,
    /// Which of them is chosen; `None` where something else is, or nothing.
    pub chosen: Option<usize>,
    /// What is chosen, where that is none of the entries.
    pub elsewhere: String,
}

impl Chooser {
    /// Name of what is chosen.
    #[must_use]
    pub fn chosen_name(&self) -> &str {
        let entry = self.chosen.and_then(|index| self.entries.get(index));
        entry.map_or(&self.elsewhere, |entry| &entry.name)
    }
}

/// A line of a chooser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// A few words more, or empty.
    pub detail: String,
}

/// The stems of the last seconds, as they were heard.
#[derive(Clone, Debug)]
pub struct Display {
    /// Oldest first.
    pub columns: VecDeque<Column>,
    /// Number of columns so far, of which the last are in `columns`.
    pub written: u64,
    /// How many a second of audio has.
    pub columns_per_second: f32,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            columns: VecDeque::new(),
            written: 0,
            columns_per_second: 128.0,
        }
    }
}

/// A short time of all stems, behind their strips.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Column {
    /// The stems.
    pub stems: [StemColumn; STEMS],
    /// Whether frames of it were lost.
    pub dropout: bool,
}

/// A short time of one stem, both channels together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StemColumn {
    /// Lowest sample.
    pub low: f32,
    /// Highest sample.
    pub high: f32,
    /// Root of the mean square.
    pub rms: f32,
}

/// A file that plays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transport {
    /// What it is called; empty while there is none.
    pub name: String,
    /// Whether it plays.
    pub playing: bool,
    /// Whether it begins again at its end.
    pub looping: bool,
    /// Where it is, in seconds.
    pub position_s: f64,
    /// How long it is, in seconds.
    pub length_s: f64,
    /// Where it is heard: the name of an audio device, or what it plays into without one.
    pub output: String,
    /// What is wrong with the file or the audio device.
    pub problem: Option<String>,
}

/// What the user asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A gesture begins.
    Begin(Param),
    /// A parameter gets this plain value, within a gesture.
    Set(Param, f32),
    /// A gesture ends.
    End(Param),
    /// A switch is turned on or off.
    Turn(Switch, bool),
    /// The strips are set to one of the presets.
    Preset(usize),
    /// One of the models.
    Model(usize),
    /// A model file.
    ModelFile(PathBuf),
    /// One of the modes.
    Mode(usize),
    /// One of the devices.
    Device(usize),
    /// Load what is chosen again.
    Retry,
    /// Forget the dropouts so far.
    ResetCounts,
    /// Hear the input in dropouts, or silence.
    DryInDropouts(bool),
    /// Look again which models there are.
    RefreshModels,
    /// Something for the player.
    Transport(TransportAction),
}

/// What the user asks of the player.
#[derive(Clone, Debug, PartialEq)]
pub enum TransportAction {
    /// Another file.
    Open(PathBuf),
    /// Play or pause.
    Play(bool),
    /// Begin again at the end, or not.
    Loop(bool),
    /// Go there, in seconds.
    Seek(f64),
}
