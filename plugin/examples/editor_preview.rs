//! Opens the editor in one of its states, with made-up sound and without a host or an engine, to
//! look at while working on it.
//!
//! ```sh
//! cargo run -p bunri-plugin --example editor_preview -- playing [--size 960x640] [--zoom 200]
//! # Without a window: how long a frame takes to lay out and to turn into triangles.
//! cargo run --release -p bunri-plugin --example editor_preview -- playing --time 1000
//! ```

#[path = "../tests/editor/states.rs"]
mod states;

use std::time::Instant;

use bunri_plugin::editor::{self, Action, DEFAULT_SIZE, EditorState, EditorView, theme};
use nice_plug_egui::{App, EguiWindow, EguiWindowSettings, Frame, baseview};

struct Preview {
    view: EditorView,
    state: EditorState,
    animate: bool,
    seconds: f64,
}

impl App for Preview {
    fn build(
        &mut self,
        ctx: egui::Context,
        _frame: &mut Frame,
    ) -> Result<(), baseview::HandlerError> {
        theme::apply(&ctx);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        ui.ctx().set_zoom_factor(self.state.preferences.zoom());
        if self.animate {
            self.seconds += f64::from(ui.input(|input| input.stable_dt));
            states::play(&mut self.view, self.seconds);
        }
        for action in editor::draw(ui, &self.view, &mut self.state) {
            obey(&mut self.view, &action);
        }
    }
}

/// Does to the view what a host would do to the plugin.
fn obey(view: &mut EditorView, action: &Action) {
    use bunri_plugin::editor::values::{Param, Switch};
    match *action {
        Action::Set(Param::Gain(stem), value) => view.strips[stem].gain_db = value,
        Action::Set(Param::Pan(stem), value) => view.strips[stem].pan = value,
        Action::Set(Param::Width(stem), value) => view.strips[stem].width = value,
        Action::Set(Param::DryWet, value) => view.master.dry_wet = value,
        Action::Turn(Switch::Solo(stem), on) => view.strips[stem].solo = on,
        Action::Turn(Switch::Mute(stem), on) => view.strips[stem].mute = on,
        Action::Turn(Switch::Bypass, on) => view.master.bypass = on,
        Action::Turn(Switch::Consistency, on) => view.master.consistency = on,
        Action::Turn(Switch::AuxPreFader, on) => view.master.aux_pre_fader = on,
        Action::ResetCounts => view.dropouts = 0,
        _ => println!("{action:?}"),
    }
}

/// Draws frames of a sixtieth of a second without a window, and says how long they took.
fn time(mut view: EditorView, mut state: EditorState, size: (f32, f32), frames: usize) {
    let ctx = egui::Context::default();
    theme::apply(&ctx);
    let mut took_ms = Vec::with_capacity(frames);
    // The first frames load fonts and shape every text.
    for frame in 0..frames + 10 {
        let seconds = frame as f64 / 60.0;
        states::play(&mut view, seconds);
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, size.into())),
            time: Some(seconds),
            ..egui::RawInput::default()
        };
        let since = Instant::now();
        let mut output = ctx.run_ui(input, |ui| _ = editor::draw(ui, &view, &mut state));
        let shapes = std::mem::take(&mut output.shapes);
        let triangles = ctx.tessellate(shapes, output.pixels_per_point);
        if frame >= 10 {
            took_ms.push(since.elapsed().as_secs_f64() * 1000.0);
        }
        std::hint::black_box(triangles);
        output.drop_without_applying_deltas(); // nobody draws them
    }
    took_ms.sort_by(f64::total_cmp);
    let at = |share: f64| took_ms[((took_ms.len() - 1) as f64 * share) as usize];
    println!(
        "{frames} frames: median {:.2} ms, 99 % {:.2} ms, longest {:.2} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let Some(view) = arguments.first().and_then(|name| states::state(name)) else {
        println!("states: {}", states::NAMES.join(", "));
        return;
    };
    let size = option("--size").and_then(|size| size.split_once('x'));
    let size = size.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height) = size.unwrap_or(DEFAULT_SIZE);
    let zoom = option("--zoom")
        .and_then(|zoom| zoom.parse().ok())
        .unwrap_or(100);
    let mut state = EditorState::default();
    state.preferences.zoom_percent = zoom;
    state.preferences.reduced_motion = arguments.iter().any(|argument| argument == "--reduced");
    if let Some(frames) = option("--time").and_then(|frames| frames.parse().ok()) {
        return time(view, state, (width, height), frames);
    }
    let settings = EguiWindowSettings::new()
        .with_title("Bunri editor, previewed")
        .with_size(baseview::dpi::Size::Logical((width, height).into()))
        .with_zoom_factor(zoom as f32 / 100.0);
    let preview = Preview {
        animate: view.playing,
        view,
        state,
        seconds: 0.0,
    };
    let window = EguiWindow::create(settings, preview).expect("a window with OpenGL");
    window.run_until_closed().expect("a window's life");
}
