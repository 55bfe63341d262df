//! Made-up views of every state.

use bunri_plugin::editor::view::{
    Change, Chooser, Column, Display, EditorView, Entry, Latency, Level, Phase, STEMS, StemColumn,
    StripView, Transport,
};

/// What can be previewed.
pub(crate) const NAMES: [&str; 12] = [
    "inactive",
    "loading",
    "playing",
    "mixed",
    "dropout",
    "no-engine",
    "no-model",
    "bypassed",
    "changing",
    "restart",
    "stopped",
    "player",
];

/// A state by its name.
pub(crate) fn state(name: &str) -> Option<EditorView> {
    let mut view = separating();
    match name {
        "inactive" => {
            view = EditorView {
                models: view.models,
                modes: view.modes,
                presets: view.presets,
                ..EditorView::default()
            };
        }
        "loading" => {
            view.phase = Phase::Loading;
            view.load = None;
            view.device.clear();
            view.display = Display::default();
            view.strips = [StripView::default(); STEMS];
            view.playing = false;
        }
        "playing" => {}
        "mixed" => {
            view.strips[3].solo = true;
            view.strips[0].mute = true;
            view.strips[0].gain_db = -12.5;
            view.strips[1].gain_db = -60.0;
            view.strips[1].pan = -0.35;
            view.strips[2].width = 1.6;
            view.strips[3].gain_db = 6.0;
            view.strips[3].level.peak_dbfs = [1.2, 0.4];
            view.master.aux_pre_fader = true;
            view.master.dry_wet = 0.65;
            view.presets.chosen = None;
        }
        "dropout" => {
            view.dropouts = 7;
            view.dropout_ms = 163.0;
            view.load = Some(1.04);
            for at in [1350, 1351, 1352, 1600, 1601, 1900] {
                if let Some(column) = view.display.columns.get_mut(at) {
                    *column = Column {
                        dropout: true,
                        ..Column::default()
                    };
                }
            }
        }
        "no-engine" => {
            dry(
                &mut view,
                "the engine was not found in ~/.local/share/bunri/engine: run `cargo bundler \
                 install`, or put the folder bunri-engine beside the plugin",
            );
            view.devices = Chooser::default();
        }
        "no-model" => dry(
            &mut view,
            "/home/me/models/vocals-v3.safetensors is not there any more: put it back, or choose \
             another model",
        ),
        "bypassed" => view.master.bypass = true,
        "changing" => {
            view.change = Change::Loading {
                what: "Bunri Studio, 2 s".into(),
            };
        }
        "restart" => {
            view.change = Change::WaitingForRestart {
                what: "Bunri Studio, 2 s".into(),
                latency_ms: 2074.3,
            };
        }
        "stopped" => view.playing = false,
        "player" => {
            view.transport = Some(Transport {
                name: "Lets Go Fishin.ogg".into(),
                playing: true,
                looping: false,
                position_s: 67.2,
                length_s: 133.0,
                output: "JACK".into(),
                problem: None,
            });
        }
        _ => return None,
    }
    Some(view)
}

fn dry(view: &mut EditorView, reason: &str) {
    view.phase = Phase::Dry {
        reason: reason.into(),
    };
    view.playing = false;
    view.load = None;
    view.device.clear();
    view.device_memory_bytes = None;
    view.display = Display::default();
    view.strips = [StripView::default(); STEMS];
    view.latency = Some(Latency {
        frames: 4096,
        rate_hz: 44_100,
    });
}

fn separating() -> EditorView {
    let entry = |name: &str, detail: &str| Entry {
        name: name.into(),
        detail: detail.into(),
    };
    let chooser = |entries: &[(&str, &str)], chosen| Chooser {
        entries: entries
            .iter()
            .map(|(name, detail)| entry(name, detail))
            .collect(),
        chosen: Some(chosen),
        elsewhere: String::new(),
    };
    let mut view = EditorView {
        playing: true,
        phase: Phase::Separating,
        latency: Some(Latency {
            frames: 1120,
            rate_hz: 44_100,
        }),
        load: Some(0.31),
        device: "CPU".into(),
        device_memory_bytes: Some(23_600_000_000),
        models: chooser(
            &[
                ("Bunri Live", "comes with Bunri, for Live mode"),
                ("Bunri Studio", "comes with Bunri, for Studio mode"),
                ("htdemucs_ft", "~/.local/share/bunri/models"),
            ],
            0,
        ),
        modes: chooser(
            &[
                ("Live", ""),
                ("Studio 0.25 s", ""),
                ("Studio 0.5 s", ""),
                ("Studio 1 s", ""),
                ("Studio 2 s", ""),
                ("Studio 4 s", ""),
            ],
            0,
        ),
        devices: chooser(&[("CPU", "23.6 GB"), ("NVIDIA H100", "85.0 GB")], 0),
        presets: chooser(
            &[
                ("All stems", ""),
                ("Karaoke", ""),
                ("A cappella", ""),
                ("Drumless", ""),
                ("Instrumental", ""),
                ("Bass practice", ""),
            ],
            0,
        ),
        ..EditorView::default()
    };
    for column in 0..2048 {
        view.display.columns.push_back(made_up(column));
    }
    view.display.written = 2048;
    set_levels(&mut view);
    view
}

/// Moves on to so many seconds after the start.
pub(crate) fn play(view: &mut EditorView, seconds: f64) {
    let display = &mut view.display;
    let target = 2048 + (seconds * f64::from(display.columns_per_second)) as u64;
    while display.written < target {
        display.columns.pop_front();
        display.columns.push_back(made_up(display.written));
        display.written += 1;
    }
    set_levels(view);
}

fn set_levels(view: &mut EditorView) {
    let Some(last) = view.display.columns.back() else {
        return;
    };
    let dbfs = |amplitude: f32| 20.0 * amplitude.log10();
    let level = |stem: &StemColumn| Level {
        peak_dbfs: [
            dbfs(stem.high.max(-stem.low)),
            dbfs(stem.high.max(-stem.low) * 0.9),
        ],
        rms_dbfs: [dbfs(stem.rms), dbfs(stem.rms * 0.92)],
    };
    let mut main = StemColumn::default();
    for (strip, stem) in view.strips.iter_mut().zip(&last.stems) {
        strip.level = level(stem);
        main.high = main.high.max(stem.high * 1.1);
        main.rms = main.rms.hypot(stem.rms);
    }
    view.master.level = level(&main);
}

/// Beats, bass notes, chords and phrases, 120 to the minute.
fn made_up(number: u64) -> Column {
    let t = number as f32 / 128.0;
    let noise = |seed: f32| {
        ((number as f32 * 12.989 + seed).sin() * 43_758.547)
            .fract()
            .abs()
    };
    let beat = (t * 2.0).fract();
    let offbeat = (t * 4.0).fract();
    let drums = 0.75 * (-beat * 9.0).exp() + 0.25 * (-offbeat * 14.0).exp();
    let bass = 0.35 * (-(t * 2.0 + 0.02).fract() * 1.4).exp() * (0.8 + 0.2 * (t * 0.7).sin());
    let other = 0.2 + 0.1 * (t * 0.9).sin() * (t * 3.1).cos();
    let phrase = ((t * 0.45).sin() * 1.6).clamp(0.0, 1.0);
    let vocals = phrase * (0.22 + 0.2 * (t * 5.3).sin().abs() * (t * 1.7).cos().abs());
    let stem = |amplitude: f32, seed: f32| {
        let rough = 0.7 + 0.3 * noise(seed);
        StemColumn {
            low: -amplitude * rough * (0.85 + 0.15 * noise(seed + 1.0)),
            high: amplitude * rough,
            rms: amplitude * rough * 0.4,
        }
    };
    Column {
        stems: [
            stem(drums, 1.0),
            stem(bass, 2.0),
            stem(other, 3.0),
            stem(vocals, 4.0),
        ],
        dropout: false,
    }
}
