//! Colours, type and distances.
//!
//! The stems' colours are of Okabe and Ito's set for all kinds of colour vision, lightened for a
//! dark ground; every stem has a shape and a letter besides. Text keeps a contrast of 4.5 to 1 and
//! more against what it stands on; a test holds the colours to it.

use egui::{Color32, Context, CornerRadius, FontFamily, FontId, Stroke, TextStyle, Theme};

use super::view::STEMS;

/// The window.
pub(super) const GROUND: Color32 = Color32::from_rgb(0x11, 0x13, 0x17);
/// Strips and bars.
pub(super) const PANEL: Color32 = Color32::from_rgb(0x1a, 0x1d, 0x23);
/// Buttons.
pub(super) const RAISED: Color32 = Color32::from_rgb(0x28, 0x2d, 0x36);
/// Buttons under the pointer.
pub(super) const HOVERED: Color32 = Color32::from_rgb(0x34, 0x3a, 0x46);
/// Grooves: under faders, meters and waveforms.
pub(super) const SUNKEN: Color32 = Color32::from_rgb(0x0b, 0x0c, 0x0f);
/// Lines between things.
pub(super) const LINE: Color32 = Color32::from_rgb(0x32, 0x38, 0x43);
/// Text.
pub(super) const TEXT: Color32 = Color32::from_rgb(0xe9, 0xec, 0xf1);
/// Text of less weight.
pub(super) const DIM: Color32 = Color32::from_rgb(0xa6, 0xae, 0xbb);
/// Where the keyboard is.
pub(super) const FOCUS: Color32 = Color32::WHITE;
/// Solo.
pub(super) const SOLO: Color32 = Color32::from_rgb(0xf2, 0xd1, 0x4a);
/// Mute, and what else takes sound away.
pub(super) const MUTE: Color32 = Color32::from_rgb(0xff, 0x8f, 0x7a);
/// What is wrong.
pub(super) const ALARM: Color32 = Color32::from_rgb(0xff, 0x6f, 0x61);
/// What is on, where no stem lends its colour.
pub(super) const ACCENT: Color32 = Color32::from_rgb(0xb9, 0xc6, 0xdd);

/// Buttons that are on, where no other colour says so.
pub(super) const ON: Color32 = Color32::from_rgb(0x3d, 0x56, 0x7c);

/// The stems.
pub(super) const STEM_COLOURS: [Color32; STEMS] = [
    Color32::from_rgb(0xf0, 0xa8, 0x3a), // orange
    Color32::from_rgb(0x62, 0xb8, 0xec), // sky blue
    Color32::from_rgb(0x2d, 0xbd, 0x8f), // bluish green
    Color32::from_rgb(0xdc, 0x8f, 0xbd), // reddish purple
];

/// Between things that belong together.
pub(super) const GAP: f32 = 6.0;
/// Between things, and inside panels.
pub(super) const PAD: f32 = 10.0;
/// Height of buttons and choosers.
pub(super) const BUTTON: f32 = 26.0;
/// Rounding of corners.
pub(super) const ROUND: CornerRadius = CornerRadius::same(4);

/// Ordinary text.
pub(super) fn body() -> FontId {
    FontId::new(13.0, FontFamily::Proportional)
}

/// Scales and labels.
pub(super) fn small() -> FontId {
    FontId::new(11.0, FontFamily::Proportional)
}

/// A colour with less of it, for what is not heard.
pub(super) fn faded(colour: Color32, share: f32) -> Color32 {
    let mix = |colour: u8, ground: u8| {
        let (colour, ground) = (f32::from(colour), f32::from(ground));
        (ground + (colour - ground) * share).round() as u8
    };
    Color32::from_rgb(
        mix(colour.r(), PANEL.r()),
        mix(colour.g(), PANEL.g()),
        mix(colour.b(), PANEL.b()),
    )
}

/// The text that can be read on a fill of this colour.
pub(super) fn text_on(fill: Color32) -> Color32 {
    if fill.intensity() > 0.45 {
        SUNKEN
    } else {
        TEXT
    }
}

/// Puts the theme on. Once for each window.
pub fn apply(ctx: &Context) {
    ctx.set_theme(Theme::Dark);
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (
                TextStyle::Heading,
                FontId::new(17.0, FontFamily::Proportional),
            ),
            (TextStyle::Body, body()),
            (TextStyle::Button, body()),
            (
                TextStyle::Monospace,
                FontId::new(12.0, FontFamily::Monospace),
            ),
            (TextStyle::Small, small()),
        ]
        .into();
        style.spacing.item_spacing = egui::vec2(GAP, GAP);
        style.spacing.button_padding = egui::vec2(8.0, 4.0);
        style.spacing.interact_size.y = BUTTON;
        style.spacing.window_margin = egui::Margin::same(12);
        style.spacing.menu_margin = egui::Margin::same(8);
        style.interaction.selectable_labels = false;
        let visuals = &mut style.visuals;
        visuals.panel_fill = GROUND;
        visuals.window_fill = PANEL;
        visuals.window_stroke = Stroke::new(1.0, LINE);
        visuals.extreme_bg_color = SUNKEN;
        visuals.override_text_color = None;
        visuals.selection.bg_fill = ON;
        visuals.selection.stroke = Stroke::new(1.0, TEXT);
        let states = [
            (&mut visuals.widgets.noninteractive, PANEL, LINE, DIM),
            (&mut visuals.widgets.inactive, RAISED, LINE, TEXT),
            (&mut visuals.widgets.hovered, HOVERED, DIM, TEXT),
            (&mut visuals.widgets.active, HOVERED, FOCUS, TEXT),
            (&mut visuals.widgets.open, HOVERED, DIM, TEXT),
        ];
        for (state, fill, line, text) in states {
            state.bg_fill = fill;
            state.weak_bg_fill = fill;
            state.bg_stroke = Stroke::new(1.0, line);
            state.fg_stroke = Stroke::new(1.0, text);
            state.corner_radius = ROUND;
            state.expansion = 0.0;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: Color32) -> f32 {
        let linear = |channel: u8| {
            let channel = f32::from(channel) / 255.0;
            if channel <= 0.040_45 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(one: Color32, other: Color32) -> f32 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Guards against a nicer shade that cannot be read: WCAG 2.2 AA asks for 4.5 for text.
    #[test]
    fn text_can_be_read_on_whatever_it_stands_on() {
        for ground in [GROUND, PANEL, SUNKEN, RAISED, HOVERED] {
            for text in [TEXT, DIM] {
                let contrast = contrast(text, ground);
                assert!(contrast >= 4.5, "{text:?} on {ground:?}: {contrast:.2}");
            }
        }
        for ground in [GROUND, PANEL, SUNKEN] {
            for text in STEM_COLOURS.into_iter().chain([SOLO, MUTE, ALARM, ACCENT]) {
                let contrast = contrast(text, ground);
                assert!(contrast >= 4.5, "{text:?} on {ground:?}: {contrast:.2}");
            }
        }
        for fill in STEM_COLOURS
            .into_iter()
            .chain([SOLO, MUTE, ALARM, ACCENT, ON, RAISED])
        {
            let contrast = contrast(text_on(fill), fill);
            assert!(contrast >= 4.5, "on {fill:?}: {contrast:.2}");
        }
    }
}
