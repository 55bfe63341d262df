//! What faders and sliders have in common: mouse, wheel, keyboard, typing and assistive technology.
//!
//! | | |
//! |---|---|
//! | drag | moves; with shift ten times finer |
//! | double click, or click with ctrl | default |
//! | wheel, arrows | a step; with shift a fine one |
//! | page up and down | four steps |
//! | home and end | highest and lowest |
//! | backspace or delete | default |
//! | enter, or a digit | types a value |

use egui::accesskit::{Action as Request, ActionData};
use egui::{Event, EventFilter, Id, Key, MouseWheelUnit, Rect, Response, Sense, Ui, WidgetInfo};

use super::state::{Drag, Draw, Typing};
use super::values::{Param, Range};
use super::view::Action;

/// Which way a control's values grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// To the right.
    Horizontal,
    /// Upwards.
    Vertical,
}

/// The id of a parameter's control, the same in every frame.
pub(super) fn id(param: Param) -> Id {
    Id::unique(("control", param))
}

/// Lets a control be operated in `rect`; `way` is the length of its way in points. Draws nothing.
pub(super) fn operate(
    ui: &mut Ui,
    draw: &mut Draw<'_>,
    param: Param,
    rect: Rect,
    axis: Axis,
    way: f32,
) -> Response {
    let response = ui.interact(rect, id(param), Sense::click_and_drag());
    drag(ui, draw, param, &response, axis, way);
    let defaulted = response.double_clicked()
        || (response.clicked() && ui.input(|input| input.modifiers.command));
    if defaulted {
        draw.set(param, param.range().default);
    }
    let steps = wheel(ui, draw, &response) + keys(ui, draw, param, &response);
    let steps = steps + requested_steps(ui, response.id);
    if steps != 0.0 {
        let Range { step, fine, .. } = param.range();
        let shift = ui.input(|input| input.modifiers.shift);
        let step = if shift { fine } else { step };
        draw.set(param, draw.value(param) + steps * step);
    }
    if let Some(value) = requested_value(ui, response.id) {
        draw.set(param, value);
    }
    describe(ui, draw, param, &response);
    response
}

fn drag(ui: &Ui, draw: &mut Draw<'_>, param: Param, response: &Response, axis: Axis, way: f32) {
    if response.drag_started() {
        let position = param.position(draw.value(param));
        draw.state.drag = Some(Drag { param, position });
        draw.actions.push(Action::Begin(param));
    }
    let Some(mut drag) = draw.state.drag.filter(|drag| drag.param == param) else {
        return;
    };
    let delta = match axis {
        Axis::Horizontal => response.drag_delta().x,
        Axis::Vertical => -response.drag_delta().y,
    };
    if delta != 0.0 {
        let fineness = if ui.input(|input| input.modifiers.shift) {
            0.1
        } else {
            1.0
        };
        let before = param.value_at(drag.position);
        drag.position = (drag.position + delta * fineness / way.max(1.0)).clamp(0.0, 1.0);
        draw.state.drag = Some(drag);
        let value = param.value_at(drag.position);
        if value != before {
            draw.actions.push(Action::Set(param, value));
        }
    }
    if !response.dragged() {
        draw.state.drag = None;
        draw.actions.push(Action::End(param));
    }
}

/// Whole steps of the mouse wheel.
fn wheel(ui: &Ui, draw: &mut Draw<'_>, response: &Response) -> f32 {
    if !response.hovered() {
        return 0.0;
    }
    let turned: f32 = ui.input(|input| {
        let turns = input.events.iter().map(|event| match event {
            Event::MouseWheel { unit, delta, .. } => match unit {
                MouseWheelUnit::Point => delta.y / 40.0, // about a notch
                MouseWheelUnit::Line | MouseWheelUnit::Page => delta.y,
            },
            _ => 0.0,
        });
        turns.sum()
    });
    draw.state.wheel += turned;
    let steps = draw.state.wheel.trunc();
    draw.state.wheel -= steps;
    steps
}

/// Steps of the keyboard; it may also set the value or begin to type one.
fn keys(ui: &Ui, draw: &mut Draw<'_>, param: Param, response: &Response) -> f32 {
    if !response.has_focus() || draw.state.typing.is_some() {
        return 0.0;
    }
    // Arrows move the control, not the focus.
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let Range {
        min, max, default, ..
    } = param.range();
    let (steps, set, typed) = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f32;
        let steps = presses(Key::ArrowUp) + presses(Key::ArrowRight)
            - presses(Key::ArrowDown)
            - presses(Key::ArrowLeft)
            + 4.0 * (presses(Key::PageUp) - presses(Key::PageDown));
        let set = [
            (Key::Home, max),
            (Key::End, min),
            (Key::Backspace, default),
            (Key::Delete, default),
        ];
        let set = set.into_iter().find(|&(key, _)| input.key_pressed(key));
        let digits = input.events.iter().find_map(|event| match event {
            Event::Text(text)
                if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) =>
            {
                Some(text.clone())
            }
            _ => None,
        });
        let typed = digits.map(|text| (text, false));
        let typed = typed.or_else(|| input.key_pressed(Key::Enter).then(|| (String::new(), true)));
        (steps, set, typed)
    });
    if let Some((_, value)) = set {
        draw.set(param, value);
    }
    if let Some((text, selected)) = typed {
        let text = if selected {
            param.text(draw.value(param))
        } else {
            text
        };
        draw.state.typing = Some(Typing {
            param,
            text,
            fresh: true,
            selected,
        });
    }
    steps
}

/// Steps that assistive technology asks for.
fn requested_steps(ui: &Ui, id: Id) -> f32 {
    ui.input(|input| {
        input.num_accesskit_action_requests(id, Request::Increment) as f32
            - input.num_accesskit_action_requests(id, Request::Decrement) as f32
    })
}

/// The value that assistive technology asks for.
fn requested_value(ui: &Ui, id: Id) -> Option<f32> {
    ui.input(|input| {
        let requests = input.accesskit_action_requests(id, Request::SetValue);
        requests
            .filter_map(|request| match request.data {
                Some(ActionData::NumericValue(value)) => Some(value as f32),
                _ => None,
            })
            .last()
    })
}

/// Tells assistive technology what is there.
fn describe(ui: &Ui, draw: &Draw<'_>, param: Param, response: &Response) {
    let value = draw.value(param);
    let Range { min, max, step, .. } = param.range();
    response.widget_info(|| WidgetInfo::slider(true, f64::from(value), param.name()));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_value(param.text(value));
        node.set_min_numeric_value(f64::from(min));
        node.set_max_numeric_value(f64::from(max));
        node.set_numeric_value_step(f64::from(step));
        node.add_action(Request::SetValue);
        node.add_action(Request::Increment);
        node.add_action(Request::Decrement);
    });
}
