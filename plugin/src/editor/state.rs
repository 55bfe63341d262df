//! What the editor itself remembers from frame to frame: gestures, peak holds, what is being typed.

use super::files::Browser;
use super::meter::Hold;
use super::preferences::Preferences;
use super::scroll::Scroll;
use super::values::Param;
use super::view::{Action, EditorView, STEMS};

/// The editor's memory. Belongs to the thread that draws.
#[derive(Debug, Default)]
pub struct EditorState {
    /// What the user prefers of every editor.
    pub preferences: Preferences,
    pub(super) typing: Option<Typing>,
    pub(super) drag: Option<Drag>,
    /// Turns of the mouse wheel that did not make a step yet.
    pub(super) wheel: f32,
    /// The stems' meters, and the main one.
    pub(super) holds: [Hold; STEMS + 1],
    pub(super) scroll: Scroll,
    pub(super) browser: Option<Browser>,
    /// A message that was read and put away.
    pub(super) put_away: Option<String>,
    /// Size of the window when its corner was taken hold of.
    pub(super) resized_from: Option<egui::Vec2>,
    /// When the next frame was asked for, in seconds.
    pub(super) next_frame_s: f64,
    /// When the last frame was drawn, in seconds.
    pub(super) drawn_at_s: Option<f64>,
}

/// A value that is being typed.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) param: Param,
    pub(super) text: String,
    /// Not drawn yet: it still has to get the keyboard.
    pub(super) fresh: bool,
    /// Whether all of it is to be replaced by what is typed.
    pub(super) selected: bool,
}

/// A control that is being moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drag {
    pub(super) param: Param,
    /// Where the hand is on the control's way, finer than its values.
    pub(super) position: f32,
}

impl EditorState {
    /// Nothing to remember yet.
    #[must_use]
    pub fn new(preferences: Preferences) -> Self {
        Self {
            preferences,
            ..Self::default()
        }
    }

    /// Ends a gesture that a closing window interrupts: a host that only hears of its beginning
    /// would record automation for ever.
    #[must_use]
    pub fn release(&mut self) -> Option<Action> {
        self.typing = None;
        self.drag.take().map(|drag| Action::End(drag.param))
    }
}

/// What every part of the editor is drawn with.
pub(super) struct Draw<'a> {
    pub(super) view: &'a EditorView,
    pub(super) state: &'a mut EditorState,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Draw<'_> {
    /// A parameter's value: while it is dragged, the hand's, which the host may not have heard of.
    pub(super) fn value(&self, param: Param) -> f32 {
        match self.state.drag {
            Some(drag) if drag.param == param => param.value_at(drag.position),
            _ => param.value(self.view),
        }
    }

    /// A whole gesture at once.
    pub(super) fn set(&mut self, param: Param, value: f32) {
        let value = param.rounded(value);
        self.actions.extend([
            Action::Begin(param),
            Action::Set(param, value),
            Action::End(param),
        ]);
    }
}
