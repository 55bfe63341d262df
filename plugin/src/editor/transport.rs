//! The bar of a player: file, play, loop, place.

use egui::{Align, Layout, Rect, RichText, Slider, Ui, UiBuilder, vec2};

use super::files::{Browser, Purpose};
use super::state::Draw;
use super::theme;
use super::view::{Action, TransportAction};

/// Draws the bar; only where there is a player.
pub(super) fn bar(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    let Some(transport) = &draw.view.transport else {
        return;
    };
    let mut action = None;
    let mut open = false;
    let layout = Layout::left_to_right(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
        ui.set_clip_rect(rect.intersect(ui.clip_rect()));
        open = ui.button("Open …").clicked();
        let loaded = !transport.name.is_empty();
        let play = if transport.playing { "Pause" } else { "Play" };
        let play = egui::Button::selectable(transport.playing, play)
            .frame_when_inactive(true)
            .min_size(vec2(58.0, theme::BUTTON));
        if ui.add_enabled(loaded, play).clicked() {
            action = Some(TransportAction::Play(!transport.playing));
        }
        let looping = egui::Button::selectable(transport.looping, "Loop").frame_when_inactive(true);
        if ui.add_enabled(loaded, looping).clicked() {
            action = Some(TransportAction::Loop(!transport.looping));
        }
        let clock = format!(
            "{} / {}",
            time(transport.position_s),
            time(transport.length_s)
        );
        ui.label(RichText::new(clock).monospace().color(theme::TEXT));
        let mut position_s = transport.position_s;
        ui.spacing_mut().slider_width = (ui.available_width() * 0.45).max(60.0);
        let slider = Slider::new(&mut position_s, 0.0..=transport.length_s.max(0.001))
            .show_value(false)
            .trailing_fill(true);
        let changed = ui.name_inputs("Place in the file", |ui| {
            ui.add_enabled(loaded, slider).changed()
        });
        if changed {
            action = Some(TransportAction::Seek(position_s));
        }
        let name = if loaded {
            transport.name.as_str()
        } else {
            "No file: open one"
        };
        let name = RichText::new(name).font(theme::body()).color(theme::TEXT);
        ui.add(egui::Label::new(name).truncate());
        let output = RichText::new(&transport.output)
            .font(theme::small())
            .color(theme::DIM);
        ui.add(egui::Label::new(output).truncate());
    });
    if open {
        draw.state.browser = Some(Browser::open(Purpose::Audio, std::env::current_dir().ok()));
    }
    draw.actions.extend(action.map(Action::Transport));
}

/// `3:07.2`
fn time(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_in_minutes() {
        assert_eq!(time(0.0), "0:00.0");
        assert_eq!(time(187.25), "3:07.2");
    }
}
