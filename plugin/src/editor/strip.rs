//! The channel strips and the master strip.

use egui::{Align2, Color32, CornerRadius, Rect, Stroke, StrokeKind, Ui, pos2, vec2};

use super::state::Draw;
use super::theme::{self, BUTTON, GAP, PAD};
use super::toggle::{Face, toggle};
use super::values::{Param, Switch};
use super::view::{STEM_NAMES, STEMS};
use super::{badge, fader, meter, readout};

/// Most width of a fader, a scale and a meter beside each other.
const FADER: f32 = 138.0;
/// From this inner width on, the master's switches have their whole names.
const WIDE: f32 = 150.0;
/// Height of a label over its slider.
const LABEL: f32 = 18.0;
/// Height of a slider.
const SLIDER: f32 = 18.0;

/// All strips beside each other.
pub(super) fn strips(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    let width = ((rect.width() - GAP * STEMS as f32) / (STEMS + 1) as f32).floor();
    for stem in 0..STEMS {
        let left = rect.left() + stem as f32 * (width + GAP);
        let rect = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
        stem_strip(ui, draw, stem, rect);
    }
    let left = rect.left() + STEMS as f32 * (width + GAP);
    master_strip(
        ui,
        draw,
        Rect::from_min_max(pos2(left, rect.top()), rect.max),
    );
}

/// Whether a stem is to be heard.
pub(super) fn is_heard(draw: &Draw<'_>, stem: usize) -> bool {
    let strips = &draw.view.strips;
    let solo = strips.iter().any(|strip| strip.solo);
    !strips[stem].mute && (!solo || strips[stem].solo) && !draw.view.master.bypass
}

fn stem_strip(ui: &mut Ui, draw: &mut Draw<'_>, stem: usize, rect: Rect) {
    let strip = draw.view.strips[stem];
    let heard = is_heard(draw, stem);
    let full = theme::STEM_COLOURS[stem];
    let colour = if heard { full } else { theme::faded(full, 0.4) };
    let inner = panel(ui, rect, colour);
    header(ui, inner, STEM_NAMES[stem], Some((stem, colour)));
    let body = Rect::from_min_max(pos2(inner.left(), inner.top() + 30.0), inner.max);

    let half = ((body.width() - GAP) / 2.0).floor();
    let cell = |column: usize, y: f32| {
        let left = if column == 0 {
            body.left()
        } else {
            body.right() - half
        };
        Rect::from_min_size(pos2(left, y), vec2(half, BUTTON))
    };
    let mut y = body.top();
    let solo = Face {
        text: "S",
        colour: theme::SOLO,
        tip: "Solo: only stems with it are heard",
    };
    toggle(ui, draw, Switch::Solo(stem), strip.solo, cell(0, y), solo);
    let mute = Face {
        text: "M",
        colour: theme::MUTE,
        tip: "Mute: wins over solo",
    };
    toggle(ui, draw, Switch::Mute(stem), strip.mute, cell(1, y), mute);
    y += BUTTON + GAP;
    labelled_slider(ui, draw, "Pan", Param::Pan(stem), cell(0, y), colour);
    labelled_slider(ui, draw, "Width", Param::Width(stem), cell(1, y), colour);
    y += LABEL + SLIDER + GAP;
    fader_and_meter(ui, draw, stem, body.with_min_y(y), colour);
}

/// A fader, its scale and its meter, with their values below.
fn fader_and_meter(ui: &mut Ui, draw: &mut Draw<'_>, stem: usize, rect: Rect, colour: Color32) {
    let rect = Rect::from_center_size(rect.center(), vec2(FADER.min(rect.width()), rect.height()));
    let values = rect.with_min_y(rect.bottom() - 20.0);
    let rect = rect.with_max_y(values.top() - GAP);
    let fader = rect.with_max_x(rect.left() + 36.0);
    fader::fader(ui, draw, Param::Gain(stem), fader, colour);
    let way = fader::way(rect);
    let meter = way.with_min_x(way.right() - (rect.width() - 72.0).clamp(22.0, 36.0));
    let scale = way.with_min_x(fader.right()).with_max_x(meter.left());
    fader::scale(ui, scale);
    meter::bars(ui, &draw.state.holds[stem], meter, colour);
    let middle = values.left() + values.width() * 0.54;
    readout::show(ui, draw, Param::Gain(stem), values.with_max_x(middle - 2.0));
    let highest = values.with_min_x(middle + 2.0);
    meter::highest(ui, &mut draw.state.holds[stem], STEM_NAMES[stem], highest);
}

fn master_strip(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    let master = draw.view.master;
    let colour = if master.bypass {
        theme::faded(theme::ACCENT, 0.4)
    } else {
        theme::ACCENT
    };
    let inner = panel(ui, rect, colour);
    header(ui, inner, "Master", None);
    let body = Rect::from_min_max(pos2(inner.left(), inner.top() + 30.0), inner.max);
    let wide = body.width() >= WIDE;
    let meter_width = if wide { 56.0 } else { 46.0 };
    let meter = body.with_min_x(body.right() - meter_width);
    let gap = if wide { 2.0 * GAP } else { GAP };
    let column = body.with_max_x(meter.left() - gap);
    let mut y = column.top();
    let row = |y: f32| Rect::from_min_size(pos2(column.left(), y), vec2(column.width(), BUTTON));
    let bypass = Face {
        text: "Bypass",
        colour: theme::MUTE,
        tip: "The input as it is, at the same latency",
    };
    toggle(ui, draw, Switch::Bypass, master.bypass, row(y), bypass);
    y += BUTTON + 2.0 * GAP;
    labelled_slider(ui, draw, "Dry/wet", Param::DryWet, row(y), colour);
    y += LABEL + SLIDER + GAP;
    let consistency = Face {
        text: if wide { "Stems null" } else { "Null" },
        colour: theme::ON,
        tip: "The stems add up to exactly the input: what the model leaves over is shared out",
    };
    toggle(
        ui,
        draw,
        Switch::Consistency,
        master.consistency,
        row(y),
        consistency,
    );
    y += BUTTON + GAP;
    let aux = Face {
        text: if wide { "Aux pre-fader" } else { "Pre" },
        colour: theme::ON,
        tip: "The four stem buses carry the stems as they are before gain, solo, mute, pan, width",
    };
    toggle(
        ui,
        draw,
        Switch::AuxPreFader,
        master.aux_pre_fader,
        row(y),
        aux,
    );

    let values = meter.with_min_y(meter.bottom() - 20.0);
    let way = fader::way(meter.with_max_y(values.top() - GAP));
    let bars = if wide { 26.0 } else { 20.0 };
    fader::scale(ui, way.with_max_x(way.right() - bars - 2.0));
    let hold = &mut draw.state.holds[STEMS];
    meter::bars(ui, hold, way.with_min_x(way.right() - bars), colour);
    meter::highest(ui, hold, "Main", values);
}

/// A slider below its name and its value, at the top of `cell`. Where there is not room for both,
/// the value takes the name's place as soon as it says something.
fn labelled_slider(
    ui: &mut Ui,
    draw: &mut Draw<'_>,
    label: &str,
    param: Param,
    cell: Rect,
    colour: Color32,
) {
    let line = Rect::from_min_size(cell.min, vec2(cell.width(), LABEL));
    let slider = Rect::from_min_size(line.left_bottom(), vec2(cell.width(), SLIDER));
    let response = fader::slider(ui, draw, param, slider, colour);
    let narrow = cell.width() < 68.0;
    let typing = draw.state.typing.as_ref();
    let telling = draw.value(param) != param.range().default
        || response.hovered()
        || response.has_focus()
        || typing.is_some_and(|typing| typing.param == param);
    let value = line.shrink2(vec2(0.0, 1.0));
    if narrow && telling {
        return readout::show(ui, draw, param, value);
    }
    let name = ui.painter().text(
        line.left_center(),
        Align2::LEFT_CENTER,
        label,
        theme::small(),
        theme::DIM,
    );
    if !narrow {
        let left = (line.right() - 42.0).max(name.right() + 3.0);
        readout::show(ui, draw, param, value.with_min_x(left));
    }
}

/// A strip's ground, with a line in its colour on top; returns what is inside.
fn panel(ui: &Ui, rect: Rect, colour: Color32) -> Rect {
    let painter = ui.painter();
    let round = CornerRadius::same(6);
    painter.rect(
        rect,
        round,
        theme::PANEL,
        Stroke::new(1.0, theme::LINE),
        StrokeKind::Inside,
    );
    let top = rect.with_max_y(rect.top() + 3.0);
    let round = CornerRadius {
        sw: 0,
        se: 0,
        ..round
    };
    painter.rect_filled(top, round, colour);
    rect.shrink(PAD)
}

fn header(ui: &Ui, inner: Rect, name: &str, sign: Option<(usize, Color32)>) {
    let line = inner.with_max_y(inner.top() + 22.0);
    let mut left = line.left();
    if let Some((stem, colour)) = sign {
        badge::paint(
            ui.painter(),
            pos2(left + 9.0, line.center().y),
            9.0,
            stem,
            colour,
        );
        left += 26.0;
    }
    let place = pos2(left, line.center().y);
    let font = egui::FontId::proportional(14.0);
    ui.painter()
        .text(place, Align2::LEFT_CENTER, name, font, theme::TEXT);
}
