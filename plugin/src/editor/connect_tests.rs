//! Tests of [`connect`](super::connect), with a host that only remembers.

// The framework's interface for hosts is unsafe to implement; this one touches nothing but the
// parameters it was made with.
#![allow(unsafe_code)]

use std::sync::{Arc, Mutex};

use bunri_stream::engine::DeviceInfo;
use nice_plug::context::PluginApi;
use nice_plug::context::gui::{GuiContext, GuiContextInner};
use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::PluginState;

use super::connect::Connection;
use super::values::{Param, Switch};
use super::view::{Action, Change, EditorView, Phase};
use crate::monitor::meters::BlockLoudness;
use crate::monitor::{self, Activation, ChangeState, Column, ModelInfo, Monitor};
use crate::params::BunriParams;
use crate::presets::STEM_PRESETS;

#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Begin(String),
    Set(String),
    End(String),
}

#[derive(Default)]
struct Host {
    heard: Mutex<Vec<Heard>>,
}

impl Host {
    fn hear(&self, heard: Heard) {
        self.heard.lock().unwrap().push(heard);
    }

    fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

struct Context(Arc<Host>);

fn name(param: ParamPtr) -> String {
    // SAFETY: the parameters outlive the context in every test below.
    unsafe { param.name().to_owned() }
}

impl GuiContextInner for Context {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    unsafe fn raw_begin_set_parameter(&self, param: ParamPtr) {
        self.0.hear(Heard::Begin(name(param)));
    }

    unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, normalized: f32) {
        // SAFETY: as above; values are atomics.
        unsafe { param._internal_set_normalized_value(normalized) };
        self.0.hear(Heard::Set(name(param)));
    }

    unsafe fn raw_end_set_parameter(&self, param: ParamPtr) {
        self.0.hear(Heard::End(name(param)));
    }

    fn get_state(&self) -> PluginState {
        unreachable!("the editor leaves states to the host")
    }

    fn set_state(&self, _state: PluginState) {
        unreachable!("the editor leaves states to the host")
    }

    fn request_restart(&self) {}
}

struct Bench {
    params: Arc<BunriParams>,
    monitor: Arc<Monitor>,
    connection: Connection,
    view: EditorView,
    host: Arc<Host>,
    gui: GuiContext,
}

fn bench() -> Bench {
    let params = Arc::new(BunriParams::default());
    let monitor = Arc::new(Monitor::default());
    let host = Arc::new(Host::default());
    let connection = Connection::new(Arc::clone(&params), Arc::clone(&monitor));
    let gui = GuiContext::new(Arc::new(Context(Arc::clone(&host))));
    let mut bench = Bench {
        params,
        monitor,
        connection,
        view: EditorView::default(),
        host,
        gui,
    };
    bench.look(0.0);
    bench
}

impl Bench {
    fn look(&mut self, now_s: f64) {
        self.connection.update(&mut self.view, now_s);
    }

    fn obey(&mut self, action: &Action) -> Vec<Heard> {
        self.connection.obey(action, &self.gui);
        self.host.take()
    }
}

fn separating(monitor: &Monitor) {
    let cpu = DeviceInfo {
        name: "cpu".into(),
        description: "Intel Xeon".into(),
        memory_bytes: Some(16_000_000_000),
    };
    monitor.update(|status| {
        status.phase = monitor::Phase::Separating;
        status.activation = Some(Activation {
            rate_hz: 48_000,
            max_block_frames: 512,
            offline: false,
            latency_frames: 2400,
        });
        status.model = Some(ModelInfo {
            name: "Bunri Live".into(),
            rate_hz: 44_100,
            hop_ms: 11.6,
            chunk_ms: 11.6,
            lookahead_ms: 20.0,
            device: Some(cpu.clone()),
            weights_bytes: Some(1_000_000),
            notice: None,
        });
        status.devices = vec![cpu.clone()];
    });
}

fn block(peak: f32) -> BlockLoudness {
    let mut loudness = BlockLoudness {
        frames: 480,
        ..BlockLoudness::default()
    };
    for _ in 0..480 {
        loudness.stems[1][0].add(peak);
        loudness.main[1].add(peak);
    }
    loudness
}

/// Guards against figures that are right in the monitor and wrong on the screen.
#[test]
fn what_the_monitor_says_is_shown() {
    let mut bench = bench();
    assert_eq!(bench.view.phase, Phase::Inactive);
    assert_eq!(bench.view.latency, None);
    separating(&bench.monitor);
    bench.monitor.set_load(0.25);
    bench.monitor.meters.played(&block(0.5), 48_000);
    bench.look(1.0);
    let view = &bench.view;
    assert_eq!(view.phase, Phase::Separating);
    assert_eq!(view.latency.map(|latency| latency.ms()), Some(50.0));
    assert_eq!(view.load, Some(0.25));
    assert_eq!(view.device, "Intel Xeon");
    assert_eq!(view.device_memory_bytes, Some(16_000_000_000));
    assert_eq!(view.models.chosen_name(), "Bunri Live");
    assert_eq!(view.devices.chosen_name(), "Automatic");
    assert_eq!(view.presets.chosen_name(), "All stems");
    assert!(view.playing);
    assert!((view.strips[1].level.peak_dbfs[0] + 6.02).abs() < 0.01);
    assert_eq!(view.strips[1].level.peak_dbfs[1], f32::NEG_INFINITY);
    assert!((view.master.level.peak_dbfs[1] + 6.02).abs() < 0.01);
    bench.look(1.2);
    assert!(bench.view.playing, "hosts may take a while for a block");
    bench.look(2.0);
    assert!(!bench.view.playing, "the host has stopped");
}

#[test]
fn a_change_that_waits_or_fails_is_told_in_the_hosts_time() {
    let mut bench = bench();
    separating(&bench.monitor);
    bench.monitor.update(|status| {
        status.change = ChangeState::WaitingForRestart {
            what: "Bunri Studio".into(),
            latency_frames: 96_000,
        };
    });
    bench.look(0.0);
    let waiting = Change::WaitingForRestart {
        what: "Bunri Studio".into(),
        latency_ms: 2000.0,
    };
    assert_eq!(bench.view.change, waiting);
}

/// Guards against dropouts that nobody sees, and counters that come back after a reset.
#[test]
fn dropouts_are_counted_from_the_last_reset_on() {
    let mut bench = bench();
    separating(&bench.monitor);
    bench.monitor.count_late(480, true);
    bench.monitor.history.push(&Column::default());
    bench.look(0.0);
    assert_eq!((bench.view.dropouts, bench.view.dropout_ms), (1, 10.0));
    assert!(bench.view.display.columns[0].dropout);
    assert_eq!(bench.obey(&Action::ResetCounts), []);
    bench.monitor.history.push(&Column::default());
    bench.look(0.1);
    assert_eq!((bench.view.dropouts, bench.view.dropout_ms), (0, 0.0));
    assert!(!bench.view.display.columns[1].dropout);
    bench.monitor.count_late(960, true);
    bench.look(0.2);
    assert_eq!((bench.view.dropouts, bench.view.dropout_ms), (1, 20.0));
    bench.monitor.begin_activation();
    bench.monitor.count_late(48, true);
    bench.look(0.3);
    assert_eq!(
        bench.view.dropouts, 1,
        "a new activation counts from nothing"
    );
}

/// Guards against a display with holes or doubled columns.
#[test]
fn columns_arrive_once_and_old_ones_go() {
    let mut bench = bench();
    let mut written = 0;
    for burst in [3, 0, 500, 1900, 5000] {
        for _ in 0..burst {
            let mut column = Column::default();
            column.stems[2][1].max = written as f32;
            bench.monitor.history.push(&column);
            written += 1;
        }
        bench.look(0.0);
        let display = &bench.view.display;
        assert_eq!(display.written, written);
        assert!(display.columns.len() <= monitor::history::COLUMNS);
        let newest = display.columns.iter().rev();
        for (age, column) in newest.enumerate() {
            assert_eq!(column.stems[2].high, (written - 1 - age as u64) as f32);
        }
    }
}

/// Guards against hosts that record no automation, or never stop recording it.
#[test]
fn parameters_are_set_within_gestures() {
    let mut bench = bench();
    let gain = Param::Gain(3);
    let begin = bench.obey(&Action::Begin(gain));
    let set = bench.obey(&Action::Set(gain, -6.5));
    let end = bench.obey(&Action::End(gain));
    let name = || "Vocals gain".to_owned();
    assert_eq!(begin, [Heard::Begin(name())]);
    assert_eq!(set, [Heard::Set(name())]);
    assert_eq!(end, [Heard::End(name())]);
    bench.look(0.0);
    assert_eq!(bench.view.strips[3].gain_db, -6.5);

    let turned = bench.obey(&Action::Turn(Switch::Mute(0), true));
    let name = || "Drums mute".to_owned();
    assert_eq!(
        turned,
        [Heard::Begin(name()), Heard::Set(name()), Heard::End(name())]
    );
    bench.look(0.0);
    assert!(bench.view.strips[0].mute);
    assert_eq!(bench.view.presets.chosen, None);
}

/// Guards against presets that leave something of the last one, and against ranges of the editor's
/// that are not the parameters'.
#[test]
fn presets_set_every_strip_and_are_recognised() {
    let mut bench = bench();
    for index in (0..STEM_PRESETS.len()).rev() {
        bench.obey(&Action::Preset(index));
        bench.look(0.0);
        assert_eq!(bench.view.presets.chosen, Some(index));
    }
    for param in [
        Param::Gain(0),
        Param::Pan(1),
        Param::Width(2),
        Param::DryWet,
    ] {
        let range = param.range();
        for value in [range.min, range.max, range.default] {
            bench.obey(&Action::Set(param, value));
            bench.look(0.0);
            assert_eq!(param.value(&bench.view), value, "{param:?}");
        }
    }
}

#[test]
fn models_modes_and_devices_are_chosen_in_the_settings() {
    let mut bench = bench();
    separating(&bench.monitor);
    bench.look(0.0);
    bench.obey(&Action::Mode(3));
    bench.look(0.0);
    assert_eq!(bench.view.modes.chosen_name(), "Studio 1 s");
    assert_eq!(bench.view.models.chosen_name(), "Bunri Studio");
    bench.obey(&Action::Device(1));
    bench.look(0.0);
    assert_eq!(bench.params.settings.choice().device, "cpu");
    assert_eq!(bench.view.devices.chosen_name(), "Intel Xeon");
    bench.obey(&Action::Device(0));
    bench.look(0.0);
    assert_eq!(bench.view.devices.chosen_name(), "Automatic");
    bench.obey(&Action::ModelFile("/models/mine.safetensors".into()));
    bench.look(0.0);
    assert_eq!(bench.view.models.chosen, None);
    assert_eq!(bench.view.models.chosen_name(), "mine");
}

/// Guards against a switch that shows what it does not do.
#[test]
fn what_is_heard_in_dropouts_is_chosen_and_shown() {
    let mut bench = bench();
    for dry in [true, false] {
        assert_eq!(bench.obey(&Action::DryInDropouts(dry)), []);
        bench.look(0.0);
        assert_eq!(bench.view.dry_in_dropouts, dry);
        assert_eq!(bench.params.controls().dry_in_dropouts, dry);
    }
}
