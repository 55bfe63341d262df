//! The stems of the last seconds as they were heard, a lane each; the right edge is now.

use egui::epaint::{Mesh, Vertex, WHITE_UV};
use egui::{Align2, Color32, Painter, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::state::Draw;
use super::strip::is_heard;
use super::view::{Change, Column, Phase, STEM_NAMES, STEMS};
use super::{badge, theme};

/// Time across the display, in seconds, at this width and more.
const SECONDS: f32 = 8.0;
const SECONDS_WIDTH: f32 = 900.0;
/// Makes quiet stems visible: amplitudes are drawn to this power.
const BEND: f32 = 0.6;
/// Height of the line of seconds.
const AXIS: f32 = 16.0;

/// Draws the display; `now` is the number of the column at the right edge.
pub(super) fn display(ui: &mut Ui, draw: &Draw<'_>, rect: Rect, now: f64) {
    let response = ui.interact(rect, egui::Id::unique("display"), Sense::hover());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Image, true, "Stems of the last seconds, drawn"));
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 6.0, theme::SUNKEN);
    let axis = rect.with_min_y(rect.bottom() - AXIS);
    let lanes = rect.with_max_y(axis.top());
    let seconds = (SECONDS * rect.width() / SECONDS_WIDTH).clamp(3.0, 15.0);
    let scale = Scale {
        now,
        rect: lanes,
        columns: f64::from(seconds * draw.view.display.columns_per_second),
        in_place: draw.state.preferences.reduced_motion,
    };
    time_axis(&painter, axis, lanes, seconds, scale.in_place);
    let height = lanes.height() / STEMS as f32;
    for stem in 0..STEMS {
        let top = lanes.top() + stem as f32 * height;
        let lane = Rect::from_min_size(pos2(lanes.left(), top), vec2(lanes.width(), height));
        if stem > 0 {
            painter.hline(lane.x_range(), top, Stroke::new(1.0, theme::LINE));
        }
        let full = theme::STEM_COLOURS[stem];
        let colour = if is_heard(draw, stem) {
            full
        } else {
            theme::faded(full, 0.35)
        };
        waveform(&painter, draw, stem, lane, &scale, colour);
        label(&painter, lane, stem, colour);
    }
    dropouts(&painter, draw, &scale);
    if scale.in_place {
        let x = scale.x(now);
        painter.vline(x, lanes.y_range(), Stroke::new(1.5, theme::TEXT));
    }
    if let Some(text) = overlay(draw) {
        over(&painter, lanes, &text);
    }
}

/// Where columns are.
struct Scale {
    now: f64,
    rect: Rect,
    columns: f64,
    in_place: bool,
}

impl Scale {
    fn width(&self) -> f32 {
        self.rect.width() / self.columns as f32
    }

    /// The place of a column's number; in place, the display is filled again and again.
    fn x(&self, number: f64) -> f32 {
        let share = if self.in_place {
            number.rem_euclid(self.columns) / self.columns
        } else {
            1.0 - (self.now - number) / self.columns
        };
        self.rect.left() + share as f32 * self.rect.width()
    }

    /// The columns to be seen, with their numbers.
    fn seen<'a>(&self, draw: &'a Draw<'_>) -> impl Iterator<Item = (f64, &'a Column)> + use<'a> {
        let display = &draw.view.display;
        let first = display.written.saturating_sub(display.columns.len() as u64);
        let (now, oldest) = (self.now, self.now - self.columns);
        // In place, a gap goes before what is new.
        let oldest = if self.in_place {
            oldest + self.columns / 32.0
        } else {
            oldest
        };
        let numbered = display.columns.iter().enumerate();
        numbered
            .map(move |(index, column)| ((first + index as u64) as f64, column))
            .filter(move |&(number, _)| number + 1.0 > oldest && number <= now)
    }
}

fn waveform(
    painter: &Painter,
    draw: &Draw<'_>,
    stem: usize,
    lane: Rect,
    scale: &Scale,
    colour: Color32,
) {
    let middle = lane.center().y;
    let reach = lane.height() / 2.0 - 2.0;
    let bent = |amplitude: f32| amplitude.abs().min(1.0).powf(BEND).copysign(amplitude) * reach;
    let mut mesh = Mesh::default();
    let mut bar = |x: f32, high: f32, low: f32, colour: Color32| {
        let first = mesh.vertices.len() as u32;
        let right = x + scale.width();
        for (x, y) in [(x, high), (right, high), (right, low), (x, low)] {
            mesh.vertices.push(Vertex {
                pos: pos2(x, middle - y),
                uv: WHITE_UV,
                color: colour,
            });
        }
        mesh.add_triangle(first, first + 1, first + 2);
        mesh.add_triangle(first, first + 2, first + 3);
    };
    let faint = theme::faded(colour, 0.55);
    for (number, column) in scale.seen(draw) {
        let stem = &column.stems[stem];
        let x = scale.x(number);
        // Silence is a line.
        let (high, low) = (bent(stem.high).max(0.4), bent(stem.low).min(-0.4));
        bar(x, high, low, faint);
        let rms = bent(stem.rms);
        if rms > 0.4 {
            bar(x, rms.min(high), (-rms).max(low), colour);
        }
    }
    painter.add(mesh);
}

/// Lost time, marked through all lanes, with a sign above.
fn dropouts(painter: &Painter, draw: &Draw<'_>, scale: &Scale) {
    let mut last = f32::NEG_INFINITY;
    for (number, _) in scale.seen(draw).filter(|(_, column)| column.dropout) {
        let x = scale.x(number);
        let lost = Rect::from_x_y_ranges(x..=x + scale.width(), scale.rect.y_range());
        painter.rect_filled(lost, 0.0, theme::ALARM.gamma_multiply(0.35));
        if x - last > 14.0 {
            let place = pos2(x, scale.rect.top() + 2.0);
            painter.text(place, Align2::LEFT_TOP, "!", theme::body(), theme::ALARM);
        }
        last = x;
    }
}

fn time_axis(painter: &Painter, axis: Rect, lanes: Rect, seconds: f32, in_place: bool) {
    let per_second = axis.width() / seconds;
    for second in 1..seconds.ceil() as i32 {
        let x = if in_place {
            axis.left() + second as f32 * per_second
        } else {
            axis.right() - second as f32 * per_second
        };
        painter.vline(
            x,
            lanes.y_range(),
            Stroke::new(1.0, Color32::from_white_alpha(14)),
        );
        if second % 2 == 0 && x > axis.left() + 20.0 && x < axis.right() - 20.0 {
            let text = if in_place {
                format!("{second} s")
            } else {
                format!("−{second} s")
            };
            let place = pos2(x, axis.center().y);
            painter.text(
                place,
                Align2::CENTER_CENTER,
                text,
                theme::small(),
                theme::DIM,
            );
        }
    }
    if !in_place {
        let place = axis.right_center() - vec2(6.0, 0.0);
        painter.text(
            place,
            Align2::RIGHT_CENTER,
            "now",
            theme::small(),
            theme::DIM,
        );
    }
}

fn label(painter: &Painter, lane: Rect, stem: usize, colour: Color32) {
    let centre = pos2(lane.left() + 15.0, lane.center().y);
    let galley = painter.layout_no_wrap(STEM_NAMES[stem].to_owned(), theme::small(), theme::TEXT);
    let chip = Rect::from_min_max(
        pos2(lane.left(), centre.y - 10.0),
        pos2(centre.x + 18.0 + galley.size().x, centre.y + 10.0),
    );
    painter.rect_filled(
        chip,
        theme::ROUND,
        Color32::from_rgba_unmultiplied(11, 12, 15, 215),
    );
    badge::paint(painter, centre, 6.5, stem, colour);
    painter.galley(
        pos2(centre.x + 12.0, centre.y - galley.size().y / 2.0),
        galley,
        theme::TEXT,
    );
}

/// What is to be read over the lanes.
fn overlay(draw: &Draw<'_>) -> Option<String> {
    let view = draw.view;
    let text = match &view.phase {
        Phase::Inactive => "Waiting for the host to start the plugin".to_owned(),
        Phase::Loading => format!(
            "Loading {} … your audio passes dry",
            view.models.chosen_name()
        ),
        Phase::Dry { .. } => "No stems: your audio passes dry".to_owned(),
        Phase::Separating if view.master.bypass => "Bypassed".to_owned(),
        Phase::Separating => match &view.change {
            Change::Loading { what } => format!("Loading {what} … the present model plays on"),
            _ => return None,
        },
    };
    Some(text)
}

fn over(painter: &Painter, lanes: Rect, text: &str) {
    let galley = painter.layout(
        text.to_owned(),
        egui::FontId::proportional(15.0),
        theme::TEXT,
        lanes.width() - 60.0,
    );
    let chip = Rect::from_center_size(lanes.center(), galley.size() + vec2(32.0, 20.0));
    painter.rect(
        chip,
        6.0,
        theme::PANEL,
        Stroke::new(1.0, theme::LINE),
        egui::StrokeKind::Inside,
    );
    painter.galley(chip.min + vec2(16.0, 10.0), galley, theme::TEXT);
}
