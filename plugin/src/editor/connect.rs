//! Between the view and a plugin: what the monitor, the settings and the parameters say becomes a
//! view, and what the user asks for goes to the host.

use std::sync::Arc;

use bunri_stream::engine::DeviceInfo;
use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::{BoolParam, FloatParam, Param as _};

use super::status::memory;
use super::values::{Param, Switch};
use super::view::{
    Action, Change, Chooser, Column, EditorView, Entry, Latency, Level, Phase, STEMS, StemColumn,
    StripView,
};
use crate::exchange::Counts;
use crate::monitor::{self, BusLevel, ChangeState, Monitor, Status};
use crate::params::BunriParams;
use crate::presets::STEM_PRESETS;
use crate::settings::models::{self, ModelEntry};
use crate::settings::{AUTO_DEVICE, Choice, Mode, ModelChoice, ModelFile, mode_name};

/// Without a block for so long, nothing plays, in seconds.
const STANDSTILL_S: f64 = 0.6;

/// A plugin as its editor sees it. Belongs to the thread that draws; never waits for audio.
pub struct Connection {
    params: Arc<BunriParams>,
    monitor: Arc<Monitor>,
    models: Vec<ModelEntry>,
    /// What the choosers were last made of.
    known: Option<(Arc<Status>, Choice)>,
    /// Counts that the user wants to see no more.
    forgotten: Counts,
    late_frames: u64,
    played_frames: u64,
    played_at_s: f64,
    next_column: u64,
    columns: Vec<monitor::Column>,
}

impl Connection {
    /// Looks into the models folder.
    #[must_use]
    pub fn new(params: Arc<BunriParams>, monitor: Arc<Monitor>) -> Self {
        Self {
            params,
            monitor,
            models: models::list(),
            known: None,
            forgotten: Counts::default(),
            late_frames: 0,
            played_frames: 0,
            played_at_s: f64::NEG_INFINITY,
            next_column: 0,
            columns: Vec::new(),
        }
    }

    /// Brings a view up to date, at `now_s` seconds of any clock that runs on.
    pub fn update(&mut self, view: &mut EditorView, now_s: f64) {
        self.update_levels(view, now_s);
        self.update_params(view);
        let status = self.monitor.status();
        let choice = self.params.settings.choice();
        let is_known = self
            .known
            .as_ref()
            .is_some_and(|(known, chosen)| Arc::ptr_eq(known, &status) && *chosen == choice);
        if !is_known {
            self.update_status(view, &status, &choice);
            self.known = Some((Arc::clone(&status), choice));
        }
        view.load = (view.phase == Phase::Separating).then(|| self.monitor.load());
        let late = self.update_counts(view);
        self.update_display(view, late);
    }

    fn update_levels(&mut self, view: &mut EditorView, now_s: f64) {
        let levels = self.monitor.meters.levels();
        if levels.played_frames != self.played_frames {
            self.played_frames = levels.played_frames;
            self.played_at_s = now_s;
        }
        view.playing = now_s - self.played_at_s < STANDSTILL_S;
        for (strip, level) in view.strips.iter_mut().zip(&levels.stems) {
            strip.level = level_of(level);
        }
        view.master.level = level_of(&levels.main);
    }

    fn update_params(&self, view: &mut EditorView) {
        let params = &self.params;
        for (view, strip) in view.strips.iter_mut().zip(params.strips()) {
            *view = StripView {
                gain_db: strip.gain_db.unmodulated_plain_value(),
                solo: strip.solo.unmodulated_plain_value(),
                mute: strip.mute.unmodulated_plain_value(),
                pan: strip.pan.unmodulated_plain_value(),
                width: strip.width.unmodulated_plain_value(),
                level: view.level,
            };
        }
        view.master.dry_wet = params.dry_wet.unmodulated_plain_value();
        view.master.bypass = params.bypass.unmodulated_plain_value();
        view.master.consistency = params.consistency.unmodulated_plain_value();
        view.master.aux_pre_fader = params.aux_pre_fader.unmodulated_plain_value();
        view.dry_in_dropouts = params.settings.dry_in_dropouts();
        if view.presets.entries.is_empty() {
            view.presets.entries = STEM_PRESETS
                .iter()
                .map(|preset| entry(preset.name, preset.detail))
                .collect();
        }
        view.presets.chosen = STEM_PRESETS.iter().position(|preset| {
            let mut pairs = preset.strips.iter().zip(&view.strips);
            pairs.all(|(preset, strip)| {
                (preset.gain_db, preset.solo, preset.mute)
                    == (strip.gain_db, strip.solo, strip.mute)
            })
        });
    }

    fn update_status(&self, view: &mut EditorView, status: &Status, choice: &Choice) {
        view.phase = phase_of(&status.phase);
        let rate_hz = status.activation.map_or(0, |activation| activation.rate_hz);
        view.latency = status.activation.map(|activation| Latency {
            frames: activation.latency_frames,
            rate_hz,
        });
        view.change = change_of(&status.change, rate_hz);
        let model = status.model.as_ref();
        view.notice = model
            .and_then(|model| model.notice.clone())
            .or_else(|| self.params.settings.problem());
        let device = model.and_then(|model| model.device.as_ref());
        view.device = device.map(name_of).unwrap_or_default();
        view.device_memory_bytes = device.and_then(|device| device.memory_bytes);
        self.update_choosers(view, &status.devices, choice);
    }

    fn update_choosers(&self, view: &mut EditorView, devices: &[DeviceInfo], choice: &Choice) {
        let model = self
            .models
            .iter()
            .position(|model| is_same(&model.choice, &choice.model));
        view.models = Chooser {
            entries: self
                .models
                .iter()
                .map(|model| entry(&model.name, &model.detail))
                .collect(),
            chosen: model,
            elsewhere: choice.model.name(),
        };
        view.modes = Chooser {
            entries: Mode::offered()
                .map(|mode| entry(&mode_name(mode), ""))
                .collect(),
            chosen: Mode::offered().position(|mode| mode == choice.mode),
            elsewhere: mode_name(choice.mode),
        };
        let auto = entry("Automatic", "the first graphics card, or the processor");
        let listed = devices.iter().map(|device| {
            let detail = device.memory_bytes.map(memory).unwrap_or_default();
            entry(&name_of(device), &detail)
        });
        let chosen = devices
            .iter()
            .position(|device| device.name == choice.device);
        view.devices = Chooser {
            entries: std::iter::once(auto).chain(listed).collect(),
            chosen: if choice.device == AUTO_DEVICE {
                Some(0)
            } else {
                chosen.map(|index| index + 1)
            },
            elsewhere: choice.device.clone(),
        };
    }

    /// Returns whether frames were lost since the last time.
    fn update_counts(&mut self, view: &mut EditorView) -> bool {
        let counts = self.monitor.counts();
        if counts.late_frames < self.late_frames {
            self.forgotten = Counts::default(); // a new activation
        }
        view.dropouts = counts.dropouts - self.forgotten.dropouts;
        let late_frames = counts
            .late_frames
            .saturating_sub(self.forgotten.late_frames);
        let rate_hz = view.latency.map_or(1, |latency| latency.rate_hz.max(1));
        view.dropout_ms = 1000.0 * late_frames as f64 / f64::from(rate_hz);
        let late = counts.late_frames > self.late_frames;
        self.late_frames = counts.late_frames;
        late
    }

    fn update_display(&mut self, view: &mut EditorView, dropout: bool) {
        let history = &self.monitor.history;
        let display = &mut view.display;
        let frames_per_column = history.frames_per_column();
        if let Some(latency) = view.latency
            && frames_per_column > 0
        {
            display.columns_per_second = latency.rate_hz as f32 / frames_per_column as f32;
        }
        self.columns.clear();
        let first = history.read(self.next_column, &mut self.columns);
        if first != self.next_column {
            display.columns.clear(); // what is older would be at the wrong place
        }
        self.next_column = first + self.columns.len() as u64;
        let columns = self.columns.iter().map(|column| column_of(column, dropout));
        display.columns.extend(columns);
        let surplus = display
            .columns
            .len()
            .saturating_sub(monitor::history::COLUMNS);
        display.columns.drain(..surplus);
        display.written = self.next_column;
    }

    /// Carries out what the user asks for. Main thread, as the host wants it.
    pub fn obey(&mut self, action: &Action, gui: &GuiContext) {
        let settings = &self.params.settings;
        let setter = gui.param_setter();
        match action {
            Action::Begin(param) => setter.begin_set_parameter(self.float(*param)),
            Action::Set(param, value) => setter.set_parameter(self.float(*param), *value),
            Action::End(param) => setter.end_set_parameter(self.float(*param)),
            Action::Turn(switch, on) => turn(gui, self.bool(*switch), *on),
            Action::Preset(index) => {
                let Some(preset) = STEM_PRESETS.get(*index) else {
                    return;
                };
                for (strip, values) in self.params.strips().iter().zip(&preset.strips) {
                    setter.begin_set_parameter(&strip.gain_db);
                    setter.set_parameter(&strip.gain_db, values.gain_db);
                    setter.end_set_parameter(&strip.gain_db);
                    turn(gui, &strip.solo, values.solo);
                    turn(gui, &strip.mute, values.mute);
                }
            }
            Action::Model(index) => {
                if let Some(model) = self.models.get(*index) {
                    settings.choose_model(model.choice.clone());
                }
            }
            Action::ModelFile(path) => {
                settings.choose_model(ModelChoice::File(ModelFile::at(path)));
            }
            Action::Mode(index) => {
                if let Some(mode) = Mode::offered().nth(*index) {
                    settings.choose_mode(mode);
                }
            }
            Action::Device(index) => {
                let devices = &self.monitor.status().devices;
                let device = index.checked_sub(1).map(|index| devices.get(index));
                match device {
                    None => settings.choose_device(AUTO_DEVICE),
                    Some(Some(device)) => settings.choose_device(device.name.clone()),
                    Some(None) => {}
                }
            }
            Action::Retry => settings.retry(),
            Action::DryInDropouts(dry) => settings.play_dry_in_dropouts(*dry),
            Action::ResetCounts => self.forgotten = self.monitor.counts(),
            Action::RefreshModels => {
                self.models = models::list();
                self.known = None;
            }
            Action::Transport(_) => {} // the player's
        }
    }

    fn float(&self, param: Param) -> &FloatParam {
        let strips = self.params.strips();
        match param {
            Param::Gain(stem) => &strips[stem].gain_db,
            Param::Pan(stem) => &strips[stem].pan,
            Param::Width(stem) => &strips[stem].width,
            Param::DryWet => &self.params.dry_wet,
        }
    }

    fn bool(&self, switch: Switch) -> &BoolParam {
        let strips = self.params.strips();
        match switch {
            Switch::Solo(stem) => &strips[stem].solo,
            Switch::Mute(stem) => &strips[stem].mute,
            Switch::Bypass => &self.params.bypass,
            Switch::Consistency => &self.params.consistency,
            Switch::AuxPreFader => &self.params.aux_pre_fader,
        }
    }
}

fn turn(gui: &GuiContext, param: &BoolParam, on: bool) {
    let setter = gui.param_setter();
    setter.begin_set_parameter(param);
    setter.set_parameter(param, on);
    setter.end_set_parameter(param);
}

fn entry(name: &str, detail: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Whether both are the same to a user, whatever else is known of a file.
fn is_same(one: &ModelChoice, other: &ModelChoice) -> bool {
    match (one, other) {
        (ModelChoice::File(one), ModelChoice::File(other)) => one.path == other.path,
        _ => one == other,
    }
}

fn name_of(device: &DeviceInfo) -> String {
    if device.description.is_empty() {
        device.name.clone()
    } else {
        device.description.clone()
    }
}

fn level_of(level: &BusLevel) -> Level {
    Level {
        peak_dbfs: level.peak_dbfs,
        rms_dbfs: level.rms_dbfs,
    }
}

fn phase_of(phase: &monitor::Phase) -> Phase {
    match phase {
        monitor::Phase::Inactive => Phase::Inactive,
        monitor::Phase::Loading => Phase::Loading,
        monitor::Phase::Separating => Phase::Separating,
        monitor::Phase::Dry { reason } => Phase::Dry {
            reason: reason.clone(),
        },
    }
}

fn change_of(change: &ChangeState, rate_hz: u32) -> Change {
    match change {
        ChangeState::Settled => Change::Settled,
        ChangeState::Loading { what } => Change::Loading { what: what.clone() },
        ChangeState::WaitingForRestart {
            what,
            latency_frames,
        } => Change::WaitingForRestart {
            what: what.clone(),
            latency_ms: Latency {
                frames: *latency_frames,
                rate_hz,
            }
            .ms(),
        },
        ChangeState::Failed { what, reason } => Change::Failed {
            what: what.clone(),
            reason: reason.clone(),
        },
    }
}

/// Both channels together; what is no number is nothing to draw.
fn column_of(column: &monitor::Column, dropout: bool) -> Column {
    let mut stems = [StemColumn::default(); STEMS];
    for (drawn, [left, right]) in stems.iter_mut().zip(&column.stems) {
        let number = |value: f32| if value.is_finite() { value } else { 0.0 };
        *drawn = StemColumn {
            low: number(left.min).min(number(right.min)),
            high: number(left.max).max(number(right.max)),
            rms: number(left.rms).max(number(right.rms)),
        };
    }
    Column { stems, dropout }
}
