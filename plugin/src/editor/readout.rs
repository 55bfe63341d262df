//! A parameter's value as text, which can be clicked and typed over.

use egui::text::{CCursor, CCursorRange};
use egui::{
    Align2, CursorIcon, FontId, Key, Margin, Rect, Sense, Stroke, StrokeKind, TextEdit, Ui,
};

use super::control;
use super::state::{Draw, Typing};
use super::theme;
use super::values::Param;

/// Shows a value in `rect`, centred, and lets it be typed.
pub(super) fn show(ui: &mut Ui, draw: &mut Draw<'_>, param: Param, rect: Rect) {
    let typing = draw.state.typing.as_ref();
    if typing.is_some_and(|typing| typing.param == param) {
        edit(ui, draw, param, rect);
        return;
    }
    // The keyboard reaches values through their controls: no stop of its own.
    let response = ui.interact(rect, control::id(param).with("readout"), Sense::CLICK);
    let response = response.on_hover_cursor(CursorIcon::Text);
    let text = param.text(draw.value(param));
    let fill = if response.hovered() {
        theme::HOVERED
    } else {
        theme::SUNKEN
    };
    ui.painter().rect_filled(rect, theme::ROUND, fill);
    let font = fitting(ui, &text, rect.width() - 4.0);
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        &text,
        font,
        theme::TEXT,
    );
    if response.clicked() {
        draw.state.typing = Some(Typing {
            param,
            text,
            fresh: true,
            selected: true,
        });
    }
}

fn edit(ui: &mut Ui, draw: &mut Draw<'_>, param: Param, rect: Rect) {
    let Some(mut typing) = draw.state.typing.take() else {
        return;
    };
    let id = control::id(param).with("typed");
    let output = ui.scope_builder(egui::UiBuilder::new().max_rect(rect), |ui| {
        TextEdit::singleline(&mut typing.text)
            .id(id)
            .font(theme::small())
            .margin(Margin::symmetric(3, 2))
            .min_size(rect.size())
            .desired_width(rect.width() - 6.0)
            .hint_text(param.name())
            .show(ui)
    });
    let output = output.inner;
    let response = &output.response.response;
    ui.painter().rect_stroke(
        rect,
        theme::ROUND,
        Stroke::new(1.5, theme::FOCUS),
        StrokeKind::Outside,
    );
    if typing.fresh {
        typing.fresh = false;
        response.request_focus();
        let end = CCursor::new(typing.text.chars().count());
        let start = if typing.selected {
            CCursor::new(0)
        } else {
            end
        };
        let mut state = output.state.clone();
        state
            .cursor
            .set_char_range(Some(CCursorRange::two(start, end)));
        state.store(ui.ctx(), id);
        draw.state.typing = Some(typing);
        return;
    }
    let (enter, escape) = ui.input(|input| {
        (
            input.key_pressed(Key::Enter),
            input.key_pressed(Key::Escape),
        )
    });
    if !response.lost_focus() && !escape {
        draw.state.typing = Some(typing);
        return;
    }
    if !escape && let Some(value) = param.parse(&typing.text) {
        draw.set(param, value);
    }
    if enter || escape {
        ui.memory_mut(|memory| memory.request_focus(control::id(param)));
    }
}

/// The small font, or a smaller one where the text would not fit.
fn fitting(ui: &Ui, text: &str, width: f32) -> FontId {
    let font = theme::small();
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), font.clone(), theme::TEXT);
    let share = (width / galley.size().x.max(1.0)).min(1.0);
    FontId::new((font.size * share).max(8.0), font.family)
}
