//! The stems' signs: a shape, a letter and a colour each, so that no one of them has to be told.

use egui::{Align2, Color32, FontFamily, FontId, Painter, Pos2, Shape, Stroke, pos2, vec2};

use super::theme;

/// First letters, in the order of the stem buses.
const LETTERS: [&str; 4] = ["D", "B", "O", "V"];

/// A stem's sign around `centre`: square, circle, triangle, diamond.
pub(super) fn paint(painter: &Painter, centre: Pos2, radius: f32, stem: usize, colour: Color32) {
    let corner = |x: f32, y: f32| pos2(centre.x + x * radius, centre.y + y * radius);
    let (corners, letter_y) = match stem {
        0 => (
            vec![
                corner(-0.85, -0.85),
                corner(0.85, -0.85),
                corner(0.85, 0.85),
                corner(-0.85, 0.85),
            ],
            0.0,
        ),
        1 => {
            painter.circle_filled(centre, radius, colour);
            (Vec::new(), 0.0)
        }
        2 => (
            vec![corner(0.0, -1.15), corner(1.15, 0.9), corner(-1.15, 0.9)],
            0.22,
        ),
        _ => (
            vec![
                corner(0.0, -1.2),
                corner(1.2, 0.0),
                corner(0.0, 1.2),
                corner(-1.2, 0.0),
            ],
            0.0,
        ),
    };
    if !corners.is_empty() {
        painter.add(Shape::convex_polygon(corners, colour, Stroke::NONE));
    }
    let font = FontId::new(radius * 1.2, FontFamily::Proportional);
    let place = centre + vec2(0.0, letter_y * radius);
    let letter = LETTERS.get(stem).copied().unwrap_or_default();
    painter.text(place, Align2::CENTER_CENTER, letter, font, theme::SUNKEN);
}
