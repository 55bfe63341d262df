//! Level meters: RMS filled, peak above it, the highest peak held, and overs kept until they are
//! seen.

use egui::{Align2, Color32, Id, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2};

use super::fader::focus_ring;
use super::theme;
use super::values::{fader_position, signed};
use super::view::Level;

/// How long a peak is held, in seconds.
const HOLD_S: f64 = 1.5;
/// How fast it falls afterwards, and levels where nothing plays, in dB per second.
const FALL_DB_PER_S: f32 = 20.0;
/// What is drawn as nothing.
const FLOOR_DBFS: f32 = -120.0;

/// A meter's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hold {
    /// What is drawn now.
    shown: Level,
    held_dbfs: [f32; 2],
    held_since_s: [f64; 2],
    /// The highest since it was clicked.
    highest_dbfs: f32,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            shown: Level::SILENCE,
            held_dbfs: [f32::NEG_INFINITY; 2],
            held_since_s: [0.0; 2],
            highest_dbfs: f32::NEG_INFINITY,
        }
    }
}

impl Hold {
    /// Takes the level of a new frame at `now_s`, `frame_s` after the last. With reduced motion
    /// nothing falls: a peak that was held long enough makes place for the present one.
    pub(super) fn update(
        &mut self,
        level: &Level,
        playing: bool,
        reduced_motion: bool,
        now_s: f64,
        frame_s: f32,
    ) {
        let fall_db = FALL_DB_PER_S * frame_s;
        self.shown = if playing {
            *level
        } else if reduced_motion {
            Level::SILENCE
        } else {
            let fallen = |dbfs: f32| {
                if dbfs < FLOOR_DBFS {
                    f32::NEG_INFINITY
                } else {
                    dbfs - fall_db
                }
            };
            Level {
                peak_dbfs: self.shown.peak_dbfs.map(fallen),
                rms_dbfs: self.shown.rms_dbfs.map(fallen),
            }
        };
        let holds = self.held_dbfs.iter_mut().zip(&mut self.held_since_s);
        for ((held, since), &peak) in holds.zip(&self.shown.peak_dbfs) {
            let expired = now_s - *since > HOLD_S;
            if peak >= *held || (expired && reduced_motion) {
                (*held, *since) = (peak, now_s);
            } else if expired {
                *held -= fall_db;
            }
            if *held < FLOOR_DBFS {
                *held = f32::NEG_INFINITY;
            }
            self.highest_dbfs = self.highest_dbfs.max(peak);
        }
    }

    /// Whether anything is still to be seen falling.
    pub(super) fn is_moving(&self) -> bool {
        self.held_dbfs.iter().any(|held| held.is_finite())
    }

    fn is_over(&self) -> bool {
        self.highest_dbfs > 0.0
    }
}

/// Both channels, on a fader's scale.
pub(super) fn bars(ui: &Ui, hold: &Hold, way: Rect, colour: Color32) {
    let painter = ui.painter();
    let width = (way.width() - 2.0) / 2.0;
    let height = |dbfs: f32| fader_position(dbfs) * way.height();
    for channel in 0..2 {
        let left = way.left() + channel as f32 * (width + 2.0);
        let bar = |from: f32, to: f32| {
            Rect::from_min_max(
                pos2(left, way.bottom() - to),
                pos2(left + width, way.bottom() - from),
            )
        };
        painter.rect_filled(bar(0.0, way.height()), 2.0, theme::SUNKEN);
        let rms = height(hold.shown.rms_dbfs[channel]);
        let peak = height(hold.shown.peak_dbfs[channel]).max(rms);
        painter.rect_filled(bar(rms, peak), 1.0, theme::faded(colour, 0.45));
        painter.rect_filled(bar(0.0, rms), 1.0, colour);
        let held = hold.held_dbfs[channel];
        if held.is_finite() {
            let y = way.bottom() - height(held);
            let colour = if held > 0.0 {
                theme::ALARM
            } else {
                theme::TEXT
            };
            painter.hline(left..=left + width, y, Stroke::new(1.5, colour));
        }
    }
    // Full scale.
    let y = way.bottom() - height(0.0);
    painter.hline(
        way.x_range(),
        y,
        Stroke::new(1.0, Color32::from_white_alpha(70)),
    );
}

/// The highest peak so far in numbers; a click forgets it. Filled, and with a sign, after an over.
pub(super) fn highest(ui: &mut Ui, hold: &mut Hold, name: &str, rect: Rect) {
    let response = ui.interact(rect, Id::unique(("highest", name)), Sense::click());
    let over = hold.is_over();
    let number = match hold.highest_dbfs {
        peak if peak.is_finite() && peak > FLOOR_DBFS => signed(peak, 1),
        _ => "−∞".to_owned(),
    };
    let text = if over {
        format!("{number} !")
    } else {
        number.clone()
    };
    let spoken = if over {
        "over full scale"
    } else {
        "highest peak"
    };
    let label = format!("{name} {spoken} {number} dBFS, forget it");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
    let (fill, colour) = if over {
        (theme::ALARM, theme::SUNKEN)
    } else {
        (theme::SUNKEN, theme::DIM)
    };
    let painter = ui.painter();
    painter.rect_filled(rect, theme::ROUND, fill);
    if response.hovered() {
        painter.rect_stroke(
            rect,
            theme::ROUND,
            Stroke::new(1.0, theme::DIM),
            StrokeKind::Inside,
        );
    }
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        text,
        theme::small(),
        colour,
    );
    focus_ring(ui, &response, rect.expand(1.0));
    if response.clicked() {
        hold.highest_dbfs = f32::NEG_INFINITY;
    }
    response.on_hover_text("Highest peak in dBFS. Click to forget it.");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(peak_dbfs: f32) -> Level {
        Level {
            peak_dbfs: [peak_dbfs; 2],
            rms_dbfs: [peak_dbfs - 3.0; 2],
        }
    }

    /// Guards against a hold that falls at once, never, or below the level itself.
    #[test]
    fn a_peak_is_held_and_then_falls_to_the_level() {
        let mut hold = Hold::default();
        hold.update(&level(-6.0), true, false, 0.0, 0.0);
        hold.update(&level(-30.0), true, false, 1.4, 1.4);
        assert_eq!(hold.held_dbfs, [-6.0; 2]);
        hold.update(&level(-30.0), true, false, 1.6, 0.1);
        assert_eq!(hold.held_dbfs, [-8.0; 2]);
        for frame in 0..60 {
            hold.update(
                &level(-30.0),
                true,
                false,
                1.7 + f64::from(frame) * 0.1,
                0.1,
            );
            assert!(hold.held_dbfs[0] >= -30.0);
        }
        assert_eq!(hold.highest_dbfs, -6.0);
    }

    /// Guards against meters that freeze on the last block when the host stops.
    #[test]
    fn levels_fall_silent_where_nothing_plays() {
        for reduced_motion in [false, true] {
            let mut hold = Hold::default();
            hold.update(&level(0.5), true, reduced_motion, 0.0, 0.0);
            assert!(hold.is_over() && hold.is_moving());
            for frame in 0..100 {
                let now_s = f64::from(frame) * 0.1;
                hold.update(&level(0.5), false, reduced_motion, now_s, 0.1);
            }
            assert!(!hold.is_moving());
            assert_eq!(hold.shown, Level::SILENCE);
            assert!(hold.is_over(), "an over is kept until it is seen");
        }
    }

    /// With reduced motion a mark changes place only when its time is over.
    #[test]
    fn with_reduced_motion_holds_step() {
        let mut hold = Hold::default();
        hold.update(&level(-6.0), true, true, 0.0, 0.0);
        hold.update(&level(-40.0), true, true, 1.0, 1.0);
        assert_eq!(hold.held_dbfs, [-6.0; 2]);
        hold.update(&level(-40.0), true, true, 1.6, 0.6);
        assert_eq!(hold.held_dbfs, [-40.0; 2]);
    }
}
