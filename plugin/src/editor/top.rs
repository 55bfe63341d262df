//! The bar at the top: name, choosers, and how the editor itself looks.

use std::path::PathBuf;

use egui::{Align, ComboBox, Layout, Rect, RichText, Ui, UiBuilder, vec2};

use super::files::{Browser, Purpose};
use super::preferences::ZOOMS_PERCENT;
use super::state::Draw;
use super::theme;
use super::view::{Action, Chooser};

/// Draws the bar.
pub(super) fn bar(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    let layout = Layout::left_to_right(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
        ui.label(RichText::new("Bunri").heading().color(theme::TEXT));
        ui.add_space(8.0);
        // What is left beside the name, the captions and the menu.
        let wide = rect.width() > 760.0;
        let room = rect.width() - 150.0 - if wide { 150.0 } else { 0.0 };
        let view = draw.view;
        if let Some(picked) = chooser(ui, "Model", &view.models, room * 0.42, wide, true) {
            match picked {
                Picked::Entry(index) => draw.actions.push(Action::Model(index)),
                Picked::File => browse(draw),
                Picked::Refresh => draw.actions.push(Action::RefreshModels),
            }
        }
        if let Some(Picked::Entry(index)) =
            chooser(ui, "Mode", &view.modes, room * 0.24, wide, false)
        {
            draw.actions.push(Action::Mode(index));
        }
        if let Some(Picked::Entry(index)) =
            chooser(ui, "Device", &view.devices, room * 0.34, wide, false)
        {
            draw.actions.push(Action::Device(index));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| menu(ui, draw));
    });
}

enum Picked {
    Entry(usize),
    File,
    Refresh,
}

fn chooser(
    ui: &mut Ui,
    name: &str,
    chooser: &Chooser,
    width: f32,
    wide: bool,
    files: bool,
) -> Option<Picked> {
    let mut picked = None;
    if wide {
        ui.label(RichText::new(name).font(theme::small()).color(theme::DIM));
    }
    let chosen = match chooser.chosen_name() {
        "" => "–",
        name => name,
    };
    ui.name_inputs(name, |ui| {
        ComboBox::from_id_salt(name)
            .width(width.floor())
            .height(360.0)
            .truncate()
            .selected_text(chosen)
            .show_ui(ui, |ui| {
                ui.set_min_width(240.0);
                for (index, entry) in chooser.entries.iter().enumerate() {
                    let mut text = egui::text::LayoutJob::default();
                    let format = |font, colour| egui::TextFormat::simple(font, colour);
                    text.append(&entry.name, 0.0, format(theme::body(), theme::TEXT));
                    if !entry.detail.is_empty() {
                        text.append(&entry.detail, 10.0, format(theme::small(), theme::DIM));
                    }
                    if ui
                        .selectable_label(chooser.chosen == Some(index), text)
                        .clicked()
                    {
                        picked = Some(Picked::Entry(index));
                    }
                }
                if chooser.entries.is_empty() {
                    ui.label("Nothing to choose from yet");
                }
                if files {
                    ui.separator();
                    if ui.button("Other file …").clicked() {
                        picked = Some(Picked::File);
                    }
                    if ui.button("Look again in the models folder").clicked() {
                        picked = Some(Picked::Refresh);
                    }
                }
            })
            .response
            .on_hover_text(name)
    });
    picked
}

fn browse(draw: &mut Draw<'_>) {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    draw.state.browser = Some(Browser::open(Purpose::Model, home));
}

fn menu(ui: &mut Ui, draw: &mut Draw<'_>) {
    ui.menu_button("View", |ui| {
        ui.set_min_width(200.0);
        let mut dry = draw.view.dry_in_dropouts;
        let hint = "Where the machine is too slow for a moment: the track as it is, not silence";
        let checkbox = ui.checkbox(&mut dry, "Track in dropouts");
        if checkbox.on_hover_text(hint).changed() {
            draw.actions.push(Action::DryInDropouts(dry));
        }
        let preferences = &mut draw.state.preferences;
        let before = *preferences;
        ui.checkbox(&mut preferences.reduced_motion, "Less motion")
            .on_hover_text("The display stands, and is renewed in slow steps");
        ui.separator();
        ui.label(RichText::new("Size").font(theme::small()).color(theme::DIM));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            for percent in ZOOMS_PERCENT {
                let chosen = preferences.zoom_percent == percent;
                if ui
                    .selectable_label(chosen, format!("{percent} %"))
                    .clicked()
                {
                    preferences.zoom_percent = percent;
                }
            }
        });
        if *preferences != before {
            preferences.save();
        }
    });
}

/// The presets, below the display.
pub(super) fn presets(ui: &mut Ui, draw: &mut Draw<'_>, rect: Rect) {
    let layout = Layout::left_to_right(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
        ui.set_clip_rect(rect.intersect(ui.clip_rect()));
        ui.label(
            RichText::new("Presets")
                .font(theme::small())
                .color(theme::DIM),
        );
        let presets = &draw.view.presets;
        for (index, preset) in presets.entries.iter().enumerate() {
            let chosen = presets.chosen == Some(index);
            let button =
                egui::Button::selectable(chosen, preset.name.as_str()).frame_when_inactive(true);
            let response = ui.add(button);
            let response = if preset.detail.is_empty() {
                response
            } else {
                response.on_hover_text(preset.detail.as_str())
            };
            if response.clicked() {
                draw.actions.push(Action::Preset(index));
            }
        }
    });
}
