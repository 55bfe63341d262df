//! What is wrong, in plain words, with what to do about it.

use egui::{Align, Color32, Layout, Rect, RichText, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2};

use super::state::Draw;
use super::status::{Sign, milliseconds, paint_sign};
use super::theme::{self, PAD};
use super::view::{Action, Change, EditorView, Phase};

/// A message, its sign, and whether trying again may help.
struct Message {
    text: String,
    sign: Sign,
    colour: Color32,
    retry: bool,
}

/// What there is to tell, the gravest first.
fn message(view: &EditorView) -> Option<Message> {
    let alarm = |text: String, retry| Message {
        text,
        sign: Sign::Triangle,
        colour: theme::ALARM,
        retry,
    };
    let note = |text: String| Message {
        text,
        sign: Sign::Ring,
        colour: theme::SOLO,
        retry: false,
    };
    if let Phase::Dry { reason } = &view.phase {
        return Some(alarm(sentence(reason), true));
    }
    match &view.change {
        Change::Failed { what, reason } => {
            let text = format!(
                "{what} could not be had, so the present model plays on. {}",
                sentence(reason)
            );
            return Some(alarm(text, true));
        }
        Change::WaitingForRestart { what, latency_ms } => {
            return Some(note(format!(
                "{what} is ready, with a latency of {}. The host was asked to restart the plugin: \
                 if it does not, stop and start playing.",
                milliseconds(*latency_ms)
            )));
        }
        Change::Settled | Change::Loading { .. } => {}
    }
    let problem = view
        .transport
        .as_ref()
        .and_then(|transport| transport.problem.as_ref());
    if let Some(problem) = problem {
        return Some(alarm(sentence(problem), false));
    }
    view.notice.as_ref().map(|notice| note(sentence(notice)))
}

/// Height that the banner needs; 0 where there is nothing to tell.
pub(super) fn height(ui: &Ui, view: &EditorView, width: f32) -> f32 {
    let Some(message) = message(view) else {
        return 0.0;
    };
    let galley = ui
        .painter()
        .layout(message.text, theme::body(), theme::TEXT, text_width(width));
    (galley.size().y + 2.0 * PAD).max(40.0)
}

fn text_width(width: f32) -> f32 {
    (width - 44.0 - 96.0).max(100.0)
}

/// Draws the banner, if there is anything to tell.
pub(super) fn banner(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    let Some(message) = message(draw.view) else {
        return;
    };
    ui.painter().rect(
        rect,
        6.0,
        theme::PANEL,
        Stroke::new(1.0, message.colour),
        StrokeKind::Inside,
    );
    paint_sign(
        ui,
        message.sign,
        pos2(rect.left() + 20.0, rect.center().y),
        message.colour,
    );
    let inner = Rect::from_min_max(rect.min + vec2(36.0, 0.0), rect.max - vec2(PAD, 0.0));
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(layout), |ui| {
        if message.retry && ui.button("Try again").clicked() {
            draw.actions.push(Action::Retry);
        }
        let rest = Layout::left_to_right(Align::Center);
        ui.with_layout(rest, |ui| {
            ui.set_max_width(text_width(rect.width()));
            let text = RichText::new(message.text)
                .font(theme::body())
                .color(theme::TEXT);
            ui.add(egui::Label::new(text).wrap());
        });
    });
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let first = letters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}
