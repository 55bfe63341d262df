//! Faders and sliders, as they look.

use egui::{
    Align2, Color32, CornerRadius, Pos2, Rect, Response, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::control::{self, Axis};
use super::state::Draw;
use super::theme;
use super::values::{MIN_GAIN_DB, Param, fader_position, signed};

/// Size of a fader's cap.
const CAP: egui::Vec2 = vec2(26.0, 14.0);

/// The part of a fader's rectangle that its cap's centre moves in, which scales and meters share.
pub(super) fn way(rect: Rect) -> Rect {
    rect.shrink2(vec2(0.0, CAP.y / 2.0))
}

/// A vertical fader.
pub(super) fn fader(
    ui: &mut Ui,
    draw: &mut Draw<'_>,
    param: Param,
    rect: Rect,
    colour: Color32,
) -> Response {
    let way = way(rect);
    let response = control::operate(ui, draw, param, rect, Axis::Vertical, way.height());
    let value = draw.value(param);
    let y = |value| way.bottom() - param.position(value) * way.height();
    let x = rect.center().x;
    let painter = ui.painter();
    let groove = Rect::from_x_y_ranges(x - 2.5..=x + 2.5, rect.y_range());
    painter.rect_filled(groove, 2.5, theme::SUNKEN);
    let filled = Rect::from_x_y_ranges(x - 1.5..=x + 1.5, y(value)..=way.bottom());
    painter.rect_filled(filled, 1.5, colour);
    let unity = y(param.range().default);
    painter.hline(rect.x_range(), unity, Stroke::new(1.0, theme::LINE));

    let cap = Rect::from_center_size(pos2(x, y(value)), CAP);
    let fill = if response.hovered() || response.dragged() {
        Color32::from_rgb(0x66, 0x6f, 0x80)
    } else {
        Color32::from_rgb(0x4b, 0x53, 0x61)
    };
    painter.rect_filled(
        cap.translate(vec2(0.0, 1.5)),
        3.0,
        Color32::from_black_alpha(110),
    );
    painter.rect_filled(cap, 3.0, fill);
    painter.hline(
        cap.x_range().shrink(4.0),
        cap.center().y,
        Stroke::new(2.0, theme::TEXT),
    );
    focus_ring(ui, &response, rect.expand(2.0));
    response
}

/// A horizontal slider, filled from its default on.
pub(super) fn slider(
    ui: &mut Ui,
    draw: &mut Draw<'_>,
    param: Param,
    rect: Rect,
    colour: Color32,
) -> Response {
    let way = rect.shrink2(vec2(6.0, 0.0));
    let response = control::operate(ui, draw, param, rect, Axis::Horizontal, way.width());
    let x = |value| way.left() + param.position(value) * way.width();
    let (value, origin) = (draw.value(param), param.range().default);
    // A share is filled from nothing on, not from its default.
    let origin = if param == Param::DryWet { 0.0 } else { origin };
    let y = rect.center().y;
    let painter = ui.painter();
    let groove = Rect::from_x_y_ranges(rect.x_range(), y - 2.0..=y + 2.0);
    painter.rect_filled(groove, 2.0, theme::SUNKEN);
    let (from, to) = (x(value).min(x(origin)), x(value).max(x(origin)));
    painter.rect_filled(
        Rect::from_x_y_ranges(from..=to, y - 1.5..=y + 1.5),
        1.5,
        colour,
    );
    let fill = if response.hovered() || response.dragged() {
        Color32::WHITE
    } else {
        theme::TEXT
    };
    let cap = Rect::from_center_size(pos2(x(value), y), vec2(7.0, 14.0));
    painter.rect_filled(cap, CornerRadius::same(3), fill);
    painter.rect_stroke(
        cap,
        3.0,
        Stroke::new(1.0, theme::GROUND),
        StrokeKind::Outside,
    );
    focus_ring(ui, &response, rect.expand(2.0));
    response
}

/// The decibels between a fader and its meter.
pub(super) fn scale(ui: &Ui, way: Rect) {
    let painter = ui.painter();
    let step = if way.height() < 110.0 { 2 } else { 1 };
    let marks = [
        12.0,
        6.0,
        0.0,
        -6.0,
        -12.0,
        -20.0,
        -30.0,
        -40.0,
        MIN_GAIN_DB,
    ];
    let mut lowest = f32::NEG_INFINITY;
    for (index, db) in marks.into_iter().enumerate() {
        let y = way.bottom() - fader_position(db) * way.height();
        let unity = db == 0.0;
        // Zero is always written, and nothing over anything else.
        if (index % step != 0 && !unity) || y - lowest < 11.0 {
            continue;
        }
        lowest = y;
        let (text, colour) = match db {
            MIN_GAIN_DB => ("−∞".to_owned(), theme::DIM),
            0.0 => ("0".to_owned(), theme::TEXT),
            _ => (signed(db, 0), theme::DIM),
        };
        let centre = Pos2::new(way.center().x, y);
        painter.text(centre, Align2::CENTER_CENTER, text, theme::small(), colour);
    }
}

/// Shows where the keyboard is.
pub(super) fn focus_ring(ui: &Ui, response: &Response, rect: Rect) {
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            theme::ROUND,
            Stroke::new(1.5, theme::FOCUS),
            StrokeKind::Outside,
        );
    }
}
