//! The editor in a host's window: the one place that knows of nice-plug's editors and of
//! nice-plug-egui.
//!
//! What there is to know of nice-plug-egui 0.6 and egui-baseview 0.9, and what is done about it:
//! - `EguiEditor::size` knows neither the zoom that its window is opened with nor, before the first
//!   resize, the screen's scale: at 200 % a host would frame a quarter of the window. [`BunriEditor`]
//!   says the size that the window has.
//! - `NiceEguiApp::editor_closed` is never called, so a window that is closed while a control is
//!   held would never end the gesture. [`BunriEditorHandle`] does when it is dropped.
//! - On X11 windows have threads of their own: what they share with the host's thread is behind a
//!   lock that no audio thread ever sees.
//! - A window that its host hides goes on drawing. [`Session`] draws no more while it is hidden.
//! - Without the system's OpenGL libraries no window is made: the host hears so and goes on, and the
//!   reason is on standard error. On an X server without GLX the window stays empty.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize, NativeSize};
use nice_plug::editor::{
    Editor, EditorHandle, HostMethods, Modifiers, ParentWindowHandle, ResizeHint, SizeConstraints,
    SpawnedEditor, VirtualKeyCode,
};
use nice_plug_egui::{
    EguiEditor, EguiEditorHandle, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp,
    RepaintNotifier, baseview, create_egui_editor,
};

use super::connect::Connection;
use super::state::EditorState;
use super::{DEFAULT_SIZE, EditorView, MIN_SIZE, Preferences, draw, theme};
use crate::monitor::Monitor;
use crate::params::BunriParams;

/// What hosts get as the plugin's editor.
pub struct BunriEditor {
    inner: EguiEditor<EditorApp>,
    window: Arc<EguiEditorState>,
    session: Arc<Mutex<Session>>,
}

impl BunriEditor {
    /// The editor of one plugin instance. Main thread; opens no window.
    #[must_use]
    pub fn new(params: Arc<BunriParams>, monitor: Arc<Monitor>) -> Option<Self> {
        let preferences = Preferences::load();
        let size = LogicalSize::new(DEFAULT_SIZE.0, DEFAULT_SIZE.1);
        let window = EguiEditorState::from_size(size, preferences.zoom());
        let (width, height) = MIN_SIZE;
        let resize_hint = ResizeHint {
            size_constraints: SizeConstraints::Logical {
                min_size: Some(LogicalSize::new(width, height)),
                max_size: None,
            },
            ..ResizeHint::RESIZABLE
        };
        let settings = EguiNiceSettings::new()
            .with_tile("Bunri")
            .with_resize_hint(resize_hint);
        let session = Arc::new(Mutex::new(Session::new(params, monitor)));
        let app = EditorApp(Arc::clone(&session));
        let inner = create_egui_editor(Arc::clone(&window), RepaintNotifier::new(), settings, app)?;
        Some(Self {
            inner,
            window,
            session,
        })
    }
}

impl Editor for BunriEditor {
    type Handle = BunriEditorHandle;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        gui_context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<Self::Handle>, Box<dyn Error>> {
        let scale = fallback_scale_factor;
        let inner = self
            .inner
            .spawn(parent, wait_for_parent, scale, gui_context, host)
            .inspect_err(|error| eprintln!("Bunri: the editor cannot be opened: {error}"))?;
        // Hosts ask for it before the first frame.
        lock(&self.session).size = Some(native(inner.window.size()));
        Ok(SpawnedEditor {
            handle: BunriEditorHandle {
                inner: inner.handle,
                session: Arc::clone(&self.session),
            },
            window: inner.window,
        })
    }

    fn size(&self) -> NativeSize<u32> {
        let unzoomed = self.inner.size();
        let zoom = self.window.user_scale_factor();
        let zoomed = |points: u32| (points as f32 * zoom).round() as u32;
        let guess = || NativeSize::new(zoomed(unzoomed.width), zoomed(unzoomed.height));
        lock(&self.session).size.unwrap_or_else(guess)
    }

    fn resize_hint(&self) -> ResizeHint {
        self.inner.resize_hint()
    }
}

/// An open window. Dropping it ends what its user was in the middle of.
pub struct BunriEditorHandle {
    inner: EguiEditorHandle,
    session: Arc<Mutex<Session>>,
}

impl EditorHandle for BunriEditorHandle {
    type Window = <EguiEditorHandle as EditorHandle>::Window;
    type Error = <EguiEditorHandle as EditorHandle>::Error;

    fn run_until_closed(window: Self::Window) -> Result<(), Self::Error> {
        EguiEditorHandle::run_until_closed(window)
    }

    fn set_parent(
        &self,
        parent: ParentWindowHandle,
        window: &Self::Window,
    ) -> Result<(), Self::Error> {
        self.inner.set_parent(parent, window)
    }

    fn show(&self, window: &Self::Window) -> Result<(), Self::Error> {
        lock(&self.session).hidden = false;
        self.inner.show(window)
    }

    fn hide(&self, window: &Self::Window) -> Result<(), Self::Error> {
        lock(&self.session).hidden = true;
        self.inner.hide(window)
    }

    fn host_main_thread_callback(&self, window: &Self::Window) {
        self.inner.host_main_thread_callback(window);
    }

    fn set_size(
        &self,
        new_size: NativeSize<u32>,
        window: &Self::Window,
    ) -> Result<(), Self::Error> {
        self.inner.set_size(new_size, window)
    }

    fn adjust_size(
        &self,
        new_size: NativeSize<u32>,
        window: &Self::Window,
    ) -> Option<NativeSize<u32>> {
        self.inner.adjust_size(new_size, window)
    }

    fn set_fallback_scale_factor(
        &self,
        scale_factor: f64,
        window: &Self::Window,
    ) -> Result<(), Self::Error> {
        self.inner.set_fallback_scale_factor(scale_factor, window)
    }

    fn on_virtual_key_from_host(
        &self,
        key_code: VirtualKeyCode,
        is_down: bool,
        modifiers: Modifiers,
    ) -> bool {
        self.inner
            .on_virtual_key_from_host(key_code, is_down, modifiers)
    }

    fn state_changed(&self) {
        self.inner.state_changed();
    }

    fn param_value_changed(&self, id: &str, normalized_value: f32) {
        self.inner.param_value_changed(id, normalized_value);
    }

    fn param_modulation_changed(&self, id: &str, modulation_offset: f32) {
        self.inner.param_modulation_changed(id, modulation_offset);
    }
}

impl Drop for BunriEditorHandle {
    fn drop(&mut self) {
        lock(&self.session).close();
    }
}

/// The drawing end of a [`Session`], for nice-plug-egui.
pub(super) struct EditorApp(Arc<Mutex<Session>>);

impl NiceEguiApp for EditorApp {
    fn build(
        &mut self,
        ctx: egui::Context,
        gui: GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), baseview::HandlerError> {
        theme::apply(&ctx);
        lock(&self.0).open(gui);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        let mut session = lock(&self.0);
        session.size = Some(native(frame.baseview_window().size()));
        session.ui(ui);
    }
}

/// What one plugin instance's window knows while it is open.
struct Session {
    params: Arc<BunriParams>,
    monitor: Arc<Monitor>,
    open: Option<Open>,
    hidden: bool,
    /// The window's, while it is open and from then on.
    size: Option<NativeSize<u32>>,
}

struct Open {
    view: EditorView,
    state: EditorState,
    connection: Connection,
    gui: GuiContext,
    since: Instant,
}

impl Session {
    fn new(params: Arc<BunriParams>, monitor: Arc<Monitor>) -> Self {
        Self {
            params,
            monitor,
            open: None,
            hidden: false,
            size: None,
        }
    }

    fn open(&mut self, gui: GuiContext) {
        self.open = Some(Open {
            view: EditorView::default(),
            state: EditorState::new(Preferences::load()),
            connection: Connection::new(Arc::clone(&self.params), Arc::clone(&self.monitor)),
            gui,
            since: Instant::now(),
        });
    }

    fn ui(&mut self, ui: &mut egui::Ui) {
        let Some(open) = &mut self.open else { return };
        if self.hidden {
            return; // showing it asks for a frame
        }
        ui.ctx().set_zoom_factor(open.state.preferences.zoom());
        let now_s = open.since.elapsed().as_secs_f64();
        open.connection.update(&mut open.view, now_s);
        for action in draw(ui, &open.view, &mut open.state) {
            open.connection.obey(&action, &open.gui);
        }
    }

    fn close(&mut self) {
        if let Some(mut open) = self.open.take()
            && let Some(action) = open.state.release()
        {
            open.connection.obey(&action, &open.gui);
        }
    }
}

/// A size in what the platform measures windows in.
fn native(size: baseview::WindowSize) -> NativeSize<u32> {
    NativeSize::from_logical_or_physical(size.logical, size.physical)
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}
