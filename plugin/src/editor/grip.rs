//! The corner that the window is resized by, for hosts whose frames have none.

use egui::{CursorIcon, Id, Rect, Sense, Stroke, Ui, ViewportCommand, vec2};

use super::state::Draw;
use super::{MIN_SIZE, theme};

/// Side of the corner, in points.
const SIDE: f32 = 14.0;

/// Draws the corner and asks for another size while it is dragged.
pub(super) fn grip(ui: &mut Ui, draw: &mut Draw<'_>, window: Rect) {
    let corner = Rect::from_min_max(window.max - vec2(SIDE, SIDE), window.max);
    // For hands only: sizes are in the menu too.
    let response = ui.interact(corner, Id::unique("grip"), Sense::DRAG);
    let response = response.on_hover_cursor(CursorIcon::ResizeNwSe);
    let from = &mut draw.state.resized_from;
    if response.dragged()
        && let Some(moved) = response.total_drag_delta()
    {
        let size = *from.get_or_insert(window.size()) + moved;
        let size = size.max(vec2(MIN_SIZE.0, MIN_SIZE.1));
        ui.send_viewport_cmd(ViewportCommand::InnerSize(size));
    } else {
        *from = None;
    }
    let colour = if response.hovered() {
        theme::TEXT
    } else {
        theme::DIM
    };
    for inset in [4.0, 8.0, 12.0] {
        let ends = [window.max - vec2(inset, 2.0), window.max - vec2(2.0, inset)];
        ui.painter().line_segment(ends, Stroke::new(1.0, colour));
    }
}
