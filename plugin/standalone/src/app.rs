//! The window: the plugin's editor, with the player's bar in it.

use std::sync::Arc;
use std::time::Instant;

use bunri_plugin::editor::connect::Connection;
use bunri_plugin::editor::view::{Transport, TransportAction};
use bunri_plugin::editor::{
    self, Action, DEFAULT_SIZE, EditorState, EditorView, MIN_SIZE, Preferences, theme,
};
use bunri_plugin::monitor::Monitor;
use bunri_plugin::params::BunriParams;
use nice_plug::context::gui::GuiContext;
use nice_plug_egui::{App, EguiWindow, EguiWindowSettings, Frame, baseview};

use crate::deck::Deck;
use crate::foreign;
use crate::output::Told;

/// What the window shows and works on.
pub(crate) struct Window {
    connection: Connection,
    gui: GuiContext,
    deck: Deck,
    output: Told,
    view: EditorView,
    state: EditorState,
    since: Instant,
}

impl Window {
    pub(crate) fn new(
        params: Arc<BunriParams>,
        monitor: Arc<Monitor>,
        deck: Deck,
        output: Told,
        rate_hz: u32,
    ) -> Self {
        Self {
            gui: foreign::gui_context(Arc::clone(&params), rate_hz),
            connection: Connection::new(params, monitor),
            deck,
            output,
            view: EditorView::default(),
            state: EditorState::new(Preferences::load()),
            since: Instant::now(),
        }
    }

    /// Shows the window until it is closed.
    ///
    /// # Errors
    /// Without a display or without OpenGL.
    pub(crate) fn run(self) -> Result<(), baseview::Error> {
        let zoom = self.state.preferences.zoom();
        let size = |(width, height): (f32, f32)| {
            baseview::dpi::Size::Logical((f64::from(width), f64::from(height)).into())
        };
        let settings = EguiWindowSettings::new()
            .with_title("Bunri")
            .with_size(size(DEFAULT_SIZE))
            .with_min_size(Some(size(MIN_SIZE)))
            .with_zoom_factor(zoom);
        EguiWindow::create(settings, self)?.run_until_closed()
    }

    fn obey(&self, action: TransportAction) {
        match action {
            TransportAction::Open(path) => {
                self.deck.open(&path);
                self.deck.play(true);
            }
            TransportAction::Play(playing) => self.deck.play(playing),
            TransportAction::Loop(looping) => self.deck.repeat(looping),
            TransportAction::Seek(seconds) => self.deck.seek(seconds),
        }
    }
}

impl App for Window {
    fn build(
        &mut self,
        ctx: egui::Context,
        _frame: &mut Frame,
    ) -> Result<(), baseview::HandlerError> {
        theme::apply(&ctx);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        ui.ctx().set_zoom_factor(self.state.preferences.zoom());
        let now_s = self.since.elapsed().as_secs_f64();
        self.connection.update(&mut self.view, now_s);
        let place = self.deck.place();
        let (output, problem) = self.output.get();
        self.view.transport = Some(Transport {
            name: place.title.name,
            playing: place.playing,
            looping: place.looping,
            position_s: place.position_s,
            length_s: place.length_s,
            output,
            problem: place.title.problem.or(problem),
        });
        for action in editor::draw(ui, &self.view, &mut self.state) {
            match action {
                Action::Transport(action) => self.obey(action),
                action => self.connection.obey(&action, &self.gui),
            }
        }
    }
}
