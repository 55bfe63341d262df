//! The editor: what a musician sees of the plugin.
//!
//! ```text
//! monitor, settings, parameters ─ connect → [`EditorView`] ─ [`draw`] → [`Action`]s ─ connect → host
//! ```
//!
//! Drawing knows only the view, so every state can be drawn without a host, an engine or a window
//! (`examples/editor_preview.rs`). All of it runs on the window's thread; what it reads of the audio
//! thread are atomics.
//!
//! - [`view`]: what is shown and what can be asked for; [`values`]: ranges, laws and texts.
//! - `top`, `banner`, `transport`, `display`, `strip`, `status`, `files`: the parts of the picture.
//! - `control`, `fader`, `toggle`, `meter`, `readout`, `badge`, `grip`: what they are made of.
//! - [`state`]: what is remembered from frame to frame; [`preferences`]: from day to day.
//! - [`connect`]: between a plugin and the view; `window`: the window in a host.
//! - [`theme`]: colours, type and distances.

mod badge;
mod banner;
pub mod connect;
#[cfg(test)]
mod connect_tests;
mod control;
mod display;
mod fader;
mod files;
mod grip;
mod meter;
pub mod preferences;
mod readout;
mod scroll;
pub mod state;
mod status;
mod strip;
pub mod theme;
mod toggle;
mod top;
mod transport;
pub mod values;
pub mod view;
mod window;

use std::time::Duration;

use egui::{Rect, Ui, pos2, vec2};

pub use preferences::Preferences;
pub use state::EditorState;
pub use view::{Action, EditorView};
pub use window::{BunriEditor, BunriEditorHandle};

use state::Draw;
use theme::{BUTTON, GAP};
use view::STEMS;

/// Size of a new window, in points.
pub const DEFAULT_SIZE: (f32, f32) = (960.0, 640.0);
/// The smallest window that shows everything, in points.
pub const MIN_SIZE: (f32, f32) = (640.0, 500.0);

/// From the window's edge to the first thing.
const MARGIN: f32 = 12.0;
/// Height of the strips where there is room for more than them.
const STRIPS: f32 = 300.0;
/// Below this the display gives way to the strips no more.
const MIN_DISPLAY: f32 = 84.0;
/// Height of the status line.
const STATUS: f32 = 28.0;
/// A frame may come so much before it was asked for, in seconds: egui allows for a frame's own time.
const FRAME_TOLERANCE_S: f64 = 0.03;

/// Draws the editor into all of `ui` and returns what the user asks for, in order.
pub fn draw(ui: &mut Ui, view: &EditorView, state: &mut EditorState) -> Vec<Action> {
    let mut actions = Vec::new();
    let now_s = ui.input(|input| input.time);
    let frame_s = state
        .drawn_at_s
        .map_or(0.0, |before| (now_s - before).max(0.0));
    state.drawn_at_s = Some(now_s);
    let place = advance(view, state, now_s, frame_s);

    let window = ui.max_rect();
    ui.painter().rect_filled(window, 0.0, theme::GROUND);
    let mut draw = Draw {
        view,
        state,
        actions: &mut actions,
    };
    let inner = window.shrink2(vec2(MARGIN, 0.0));
    let mut rows = Rows(inner);
    rows.skip(GAP + 1.0);
    top::bar(ui, &mut draw, rows.take(BUTTON + 4.0));
    rows.skip(GAP);
    let banner = banner::height(ui, &draw, inner.width());
    if banner > 0.0 {
        banner::banner(ui, &mut draw, rows.take(banner));
        rows.skip(GAP);
    }
    if view.transport.is_some() {
        transport::bar(ui, &mut draw, rows.take(BUTTON + 4.0));
        rows.skip(GAP);
    }
    let status = rows.take_bottom(STATUS);
    rows.skip_bottom(GAP + 2.0);
    let fixed = BUTTON + 2.0 * GAP;
    let room = rows.0.height() - fixed;
    // A third of what is left over goes to the strips.
    let strips = STRIPS + ((room - STRIPS - 2.2 * MIN_DISPLAY) / 3.0).max(0.0);
    let display = (room - strips).max(MIN_DISPLAY);
    display::display(ui, &draw, rows.take(display), place);
    rows.skip(GAP);
    top::presets(ui, &mut draw, rows.take(BUTTON));
    rows.skip(GAP);
    strip::strips(ui, &mut draw, rows.0);
    status::line(
        ui,
        &mut draw,
        status.with_min_x(window.left()).with_max_x(window.right()),
    );
    grip::grip(ui, &mut draw, window);
    files::chooser(ui, &mut draw);

    ask_for_next_frame(ui, view, state, now_s);
    actions
}

/// Moves meters and display on; returns the display's place.
fn advance(view: &EditorView, state: &mut EditorState, now_s: f64, frame_s: f64) -> f64 {
    let reduced_motion = state.preferences.reduced_motion;
    let levels = view.strips.iter().map(|strip| &strip.level);
    for (hold, level) in state
        .holds
        .iter_mut()
        .zip(levels.chain([&view.master.level]))
    {
        hold.update(level, view.playing, reduced_motion, now_s, frame_s as f32);
    }
    let display = &view.display;
    if reduced_motion {
        state.scroll.step(display.written, now_s)
    } else {
        let rate = display.columns_per_second;
        state
            .scroll
            .advance(display.written, rate, view.playing, frame_s)
    }
}

/// Asks for a frame as often as there is something new to see, and not while one is on its way: on
/// X11 every request is a timer of its own, and one more for each event would add up to a frame for
/// every refresh of the screen.
fn ask_for_next_frame(ui: &Ui, view: &EditorView, state: &mut EditorState, now_s: f64) {
    let falling = state.holds[..=STEMS].iter().any(meter::Hold::is_moving);
    let pause = if state.preferences.reduced_motion {
        Duration::from_millis(250)
    } else if view.playing || falling {
        Duration::from_micros(16_600)
    } else {
        Duration::from_millis(200)
    };
    let due_s = now_s + pause.as_secs_f64();
    let is_coming = now_s + FRAME_TOLERANCE_S < state.next_frame_s && state.next_frame_s <= due_s;
    if !is_coming {
        state.next_frame_s = due_s;
        ui.ctx().request_repaint_after(pause);
    }
}

/// Cuts rows off a rectangle.
struct Rows(Rect);

impl Rows {
    fn take(&mut self, height: f32) -> Rect {
        let row = Rect::from_min_size(self.0.min, vec2(self.0.width(), height));
        self.skip(height);
        row
    }

    fn skip(&mut self, height: f32) {
        self.0.min.y += height;
    }

    fn take_bottom(&mut self, height: f32) -> Rect {
        self.0.max.y -= height;
        Rect::from_min_size(
            pos2(self.0.left(), self.0.bottom()),
            vec2(self.0.width(), height),
        )
    }

    fn skip_bottom(&mut self, height: f32) {
        self.0.max.y -= height;
    }
}
