//! Buttons that are on or off.

use egui::{Align2, Color32, Id, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo};

use super::fader::focus_ring;
use super::state::Draw;
use super::theme;
use super::values::Switch;
use super::view::Action;

/// How a toggle looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face<'a> {
    /// What is on it.
    pub(super) text: &'a str,
    /// Its colour while it is on.
    pub(super) colour: Color32,
    /// What it does, in a sentence.
    pub(super) tip: &'a str,
}

/// A switch of the plugin's as a button.
pub(super) fn toggle(
    ui: &mut Ui,
    draw: &mut Draw<'_>,
    switch: Switch,
    on: bool,
    rect: Rect,
    face: Face<'_>,
) {
    let response = button(
        ui,
        Id::unique(("switch", switch)),
        &switch.name(),
        on,
        rect,
        face,
    );
    if response.clicked() {
        draw.actions.push(Action::Turn(switch, !on));
    }
}

/// Any button that is on or off, in `rect`; `name` is for those who cannot see it.
pub(super) fn button(
    ui: &mut Ui,
    id: Id,
    name: &str,
    on: bool,
    rect: Rect,
    face: Face<'_>,
) -> Response {
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, name));
    let hovered = response.hovered();
    let (fill, line, text) = match (on, hovered) {
        (true, _) => (face.colour, face.colour, theme::text_on(face.colour)),
        (false, true) => (theme::HOVERED, theme::DIM, theme::TEXT),
        (false, false) => (theme::RAISED, theme::LINE, theme::TEXT),
    };
    let painter = ui.painter();
    painter.rect(
        rect,
        theme::ROUND,
        fill,
        Stroke::new(1.0, line),
        StrokeKind::Inside,
    );
    let painter = painter.with_clip_rect(rect.shrink(1.0).intersect(painter.clip_rect()));
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        face.text,
        theme::body(),
        text,
    );
    focus_ring(ui, &response, rect.expand(1.0));
    response.on_hover_text(face.tip)
}
