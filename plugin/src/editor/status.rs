//! The line at the bottom: what is heard, how late, at what cost, and what was lost.

use egui::{
    Align, Color32, Layout, Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, UiBuilder, vec2,
};

use super::state::Draw;
use super::theme;
use super::view::{Action, Change, Phase};

/// Draws the line.
pub(super) fn line(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    ui.painter()
        .hline(rect.x_range(), rect.top(), Stroke::new(1.0, theme::LINE));
    let inner = rect.shrink2(vec2(12.0, 0.0));
    let layout = Layout::left_to_right(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(layout), |ui| {
        ui.set_clip_rect(rect.intersect(ui.clip_rect()));
        ui.spacing_mut().item_spacing.x = 5.0;
        phase(ui, draw);
        separator(ui);
        latency(ui, draw);
        separator(ui);
        load(ui, draw);
        separator(ui);
        dropouts(ui, draw);
        let view = draw.view;
        if !view.device.is_empty() && ui.available_width() > 60.0 {
            separator(ui);
            caption(ui, "Device");
            value(ui, &view.device);
            if let Some(bytes) = view.device_memory_bytes
                && ui.available_width() > 60.0
            {
                caption(ui, "with");
                value(ui, &memory(bytes));
            }
        }
        if let Some(latency) = view.latency
            && ui.available_width() > 90.0
        {
            separator(ui);
            caption(ui, "Rate");
            value(ui, &format!("{} kHz", f64::from(latency.rate_hz) / 1000.0));
        }
    });
}

/// A sign and a word for what is heard.
fn phase(ui: &mut Ui, draw: &Draw<'_>) {
    let view = draw.view;
    let (sign, colour, text) = match (&view.phase, &view.change) {
        (Phase::Inactive, _) => (Sign::Ring, theme::DIM, "Inactive"),
        (Phase::Loading, _) | (_, Change::Loading { .. }) => (Sign::Ring, theme::SOLO, "Loading"),
        (Phase::Dry { .. }, _) => (Sign::Triangle, theme::ALARM, "No stems"),
        (Phase::Separating, _) if view.master.bypass => (Sign::Ring, theme::MUTE, "Bypassed"),
        (Phase::Separating, _) if !view.playing => (Sign::Ring, theme::ACCENT, "Ready"),
        (Phase::Separating, _) => (Sign::Disc, theme::STEM_COLOURS[2], "Separating"),
    };
    let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
    paint_sign(ui, sign, rect.center(), colour);
    value(ui, text);
}

fn latency(ui: &mut Ui, draw: &Draw<'_>) {
    caption(ui, "Latency");
    match draw.view.latency {
        Some(latency) => {
            value(ui, &milliseconds(latency.ms()));
            let samples = format!("{} samples", grouped(latency.frames as u64));
            if ui.available_width() > 330.0 {
                caption(ui, &samples);
            }
        }
        None => value(ui, "–"),
    }
}

/// The worker's load, with a bar.
fn load(ui: &mut Ui, draw: &Draw<'_>) {
    caption(ui, "Load");
    let Some(load) = draw.view.load else {
        return value(ui, "–");
    };
    // As wide as "100 %", so that nothing beside it moves.
    let width = 32.0;
    let (place, _) = ui.allocate_exact_size(vec2(width, 14.0), Sense::hover());
    let percent = RichText::new(format!("{:.0} %", load * 100.0));
    let percent = percent.font(theme::small()).color(theme::TEXT);
    ui.put(place, egui::Label::new(percent).halign(Align::RIGHT));
    let (rect, _) = ui.allocate_exact_size(vec2(44.0, 6.0), Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, 2.0, theme::SUNKEN);
    let filled = rect.with_max_x(rect.left() + rect.width() * load.clamp(0.0, 1.0));
    let colour = match load {
        load if load > 0.95 => theme::ALARM,
        load if load > 0.75 => theme::SOLO,
        _ => theme::ACCENT,
    };
    painter.rect_filled(filled, 2.0, colour);
}

fn dropouts(ui: &mut Ui, draw: &mut Draw<'_>) {
    let view = draw.view;
    caption(ui, "Dropouts");
    if view.dropouts == 0 {
        return value(ui, "0");
    }
    let text = format!(
        "{} ({})",
        grouped(view.dropouts),
        milliseconds(view.dropout_ms)
    );
    ui.label(RichText::new(text).font(theme::small()).color(theme::ALARM));
    let reset = ui.small_button(RichText::new("Reset").font(theme::small()));
    if reset.on_hover_text("Forget the dropouts so far").clicked() {
        draw.actions.push(Action::ResetCounts);
    }
}

fn caption(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).font(theme::small()).color(theme::DIM));
}

fn value(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).font(theme::small()).color(theme::TEXT));
}

fn separator(ui: &mut Ui) {
    ui.add_space(4.0);
    let (rect, _) = ui.allocate_exact_size(vec2(1.0, 14.0), Sense::hover());
    ui.painter().vline(
        rect.center().x,
        rect.y_range(),
        Stroke::new(1.0, theme::LINE),
    );
    ui.add_space(4.0);
}

/// Signs that differ in shape, not only in colour.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    Disc,
    Ring,
    Triangle,
}

/// Draws a sign of 10 points.
pub(super) fn paint_sign(ui: &Ui, sign: Sign, centre: Pos2, colour: Color32) {
    let painter = ui.painter();
    match sign {
        Sign::Disc => _ = painter.circle_filled(centre, 4.5, colour),
        Sign::Ring => _ = painter.circle_stroke(centre, 4.0, Stroke::new(1.5, colour)),
        Sign::Triangle => {
            let corners = [vec2(0.0, -5.5), vec2(6.0, 5.0), vec2(-6.0, 5.0)];
            let corners = corners.map(|corner| centre + corner).to_vec();
            painter.add(Shape::convex_polygon(corners, colour, Stroke::NONE));
        }
    }
}

/// `25.4 ms`, or `2.07 s`.
pub(super) fn milliseconds(ms: f64) -> String {
    if ms < 999.5 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.2} s", ms / 1000.0)
    }
}

/// `512 MB`, or `80 GB`.
pub(super) fn memory(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes < 999.5 {
        format!("{megabytes:.0} MB")
    } else {
        format!("{:.1} GB", megabytes / 1000.0)
    }
}

/// `91,476`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_do() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(91_476), "91,476");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(milliseconds(25.42), "25.4 ms");
        assert_eq!(milliseconds(999.9), "1.00 s");
        assert_eq!(memory(412_300_000), "412 MB");
        assert_eq!(memory(85_000_000_000), "85.0 GB");
    }
}
