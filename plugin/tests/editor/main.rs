//! The editor drawn without a window: what assistive technology finds in it, what the keyboard and
//! the mouse do, and that everything stays inside the window.

mod states;

use std::time::Duration;

use bunri_plugin::editor::values::{MIN_GAIN_DB, Param, Switch};
use bunri_plugin::editor::view::STEM_NAMES;
use bunri_plugin::editor::{Action, DEFAULT_SIZE, EditorState, EditorView, MIN_SIZE, draw, theme};
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers, PointerButton, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

/// An editor, and what its user asked for.
struct Bench {
    view: EditorView,
    state: EditorState,
    actions: Vec<Action>,
}

fn open(view: EditorView, size: (f32, f32)) -> Harness<'static, Bench> {
    let bench = Bench {
        view,
        state: EditorState::default(),
        actions: Vec::new(),
    };
    let mut harness = Harness::builder()
        .with_size(size)
        .with_step_dt(1.0 / 60.0)
        .build_ui_state(
            |ui, bench: &mut Bench| {
                theme::apply(ui.ctx());
                let actions = draw(ui, &bench.view, &mut bench.state);
                bench.actions.extend(actions);
            },
            bench,
        );
    harness.run_steps(2);
    harness
}

fn state(name: &str) -> EditorView {
    states::state(name).expect("one of the states")
}

/// What was asked for since the last call.
fn asked(harness: &mut Harness<'_, Bench>) -> Vec<Action> {
    harness.run_steps(2);
    std::mem::take(&mut harness.state_mut().actions)
}

/// The whole gesture that sets a value.
fn gesture(param: Param, value: f32) -> [Action; 3] {
    [
        Action::Begin(param),
        Action::Set(param, value),
        Action::End(param),
    ]
}

fn every_param() -> Vec<Param> {
    let stems = 0..STEM_NAMES.len();
    let params = stems.flat_map(|stem| [Param::Pan(stem), Param::Width(stem), Param::Gain(stem)]);
    params.chain([Param::DryWet]).collect()
}

fn every_switch() -> Vec<Switch> {
    let stems = 0..STEM_NAMES.len();
    let switches = stems.flat_map(|stem| [Switch::Solo(stem), Switch::Mute(stem)]);
    switches
        .chain([Switch::Bypass, Switch::Consistency, Switch::AuxPreFader])
        .collect()
}

/// Guards against controls that a screen reader cannot name, in any state and size.
#[test]
fn every_control_has_a_name_in_every_state() {
    for name in states::NAMES {
        for size in [MIN_SIZE, DEFAULT_SIZE, (1600.0, 1100.0)] {
            let harness = open(state(name), size);
            harness.check_accessibility();
            for param in every_param() {
                let name = param.name();
                let node = harness.get_by_role_and_label(Role::Slider, &name);
                let node = node.accesskit_node();
                let value = param.value(&harness.state().view);
                assert_eq!(node.numeric_value(), Some(f64::from(value)), "{param:?}");
                assert_eq!(node.value(), Some(param.text(value)), "{param:?}");
            }
            for switch in every_switch() {
                harness.get_by_label(&switch.name());
            }
            for chooser in ["Model", "Mode", "Device"] {
                harness.get_by_role_and_label(Role::ComboBox, chooser);
            }
        }
    }
}

/// Guards against controls that a small or a very large window cuts off.
#[test]
fn everything_is_inside_the_window() {
    for name in states::NAMES {
        for (width, height) in [MIN_SIZE, DEFAULT_SIZE, (2400.0, 1500.0)] {
            let harness = open(state(name), (width, height));
            for node in harness.root().children_recursive() {
                let node = node.accesskit_node();
                let label = node.label().unwrap_or_default();
                let Some(bounds) = node.bounding_box().filter(|_| !label.is_empty()) else {
                    continue;
                };
                let inside = bounds.x0 >= 0.0
                    && bounds.y0 >= 0.0
                    && bounds.x1 <= f64::from(width)
                    && bounds.y1 <= f64::from(height);
                assert!(inside, "{name} at {width}x{height}: {label} at {bounds:?}");
            }
        }
    }
}

/// Guards against controls that the tab key passes over, or never leaves.
#[test]
fn the_tab_key_reaches_every_control_in_reading_order() {
    let mut harness = open(state("no-engine"), DEFAULT_SIZE);
    let mut reached: Vec<String> = Vec::new();
    for _ in 0..80 {
        harness.key_press(Key::Tab);
        harness.step();
        let focused = harness
            .root()
            .children_recursive()
            .find(|node| node.accesskit_node().is_focused());
        let label = focused.and_then(|node| node.accesskit_node().label());
        reached.extend(label);
    }
    let place = |name: &str| {
        let place = reached.iter().position(|label| label == name);
        place.unwrap_or_else(|| panic!("{name} is not among {reached:?}"))
    };
    let names = every_param().into_iter().map(Param::name);
    for name in names.chain(every_switch().into_iter().map(Switch::name)) {
        place(&name);
    }
    let order = [
        "Model",
        "Mode",
        "Device",
        "View",
        "Try again",
        "Karaoke",
        "Drums solo",
        "Drums mute",
        "Drums pan",
        "Drums width",
        "Drums gain",
        "Bass solo",
        "Bypass",
        "Dry/wet",
    ];
    assert!(order.is_sorted_by_key(|name| place(name)), "{reached:?}");
}

#[test]
fn keys_move_the_control_that_has_the_focus() {
    let mut harness = open(state("playing"), DEFAULT_SIZE);
    let gain = Param::Gain(3);
    harness.get_by_label("Vocals gain").focus();
    asked(&mut harness);
    let shift = Modifiers::SHIFT;
    let cases = [
        (Key::ArrowUp, Modifiers::NONE, 1.0),
        (Key::ArrowDown, Modifiers::NONE, -1.0),
        (Key::ArrowRight, shift, 0.1),
        (Key::PageDown, Modifiers::NONE, -4.0),
        (Key::Home, Modifiers::NONE, 12.0),
        (Key::End, Modifiers::NONE, MIN_GAIN_DB),
    ];
    for (key, modifiers, value) in cases {
        harness.key_press_modifiers(modifiers, key);
        assert_eq!(asked(&mut harness), gesture(gain, value), "{key:?}");
    }
    harness.state_mut().view.strips[3].gain_db = -20.0;
    harness.key_press(Key::Delete);
    assert_eq!(asked(&mut harness), gesture(gain, 0.0));
}

/// Guards against typed values that are lost, half typed ones that are taken, and a control that
/// loses the keyboard to its own text field.
#[test]
fn values_can_be_typed() {
    let mut harness = open(state("playing"), DEFAULT_SIZE);
    harness.get_by_label("Bass gain").focus();
    harness.step();
    harness.event(egui::Event::Text("-".into()));
    harness.run_steps(2);
    harness.event(egui::Event::Text("6.5".into()));
    harness.run_steps(2);
    assert_eq!(asked(&mut harness), []);
    harness.key_press(Key::Enter);
    assert_eq!(asked(&mut harness), gesture(Param::Gain(1), -6.5));
    harness.key_press(Key::ArrowUp);
    assert_eq!(
        asked(&mut harness),
        gesture(Param::Gain(1), 1.0),
        "the focus came back"
    );

    harness.key_press(Key::Enter);
    harness.run_steps(2);
    harness.event(egui::Event::Text("loud".into()));
    harness.key_press(Key::Enter);
    assert_eq!(asked(&mut harness), [], "what is no number sets nothing");
    harness.event(egui::Event::Text("3".into()));
    harness.run_steps(2);
    harness.key_press(Key::Escape);
    assert_eq!(asked(&mut harness), [], "escape takes nothing");
}

fn press(harness: &Harness<'_, Bench>, pos: Pos2, pressed: bool, modifiers: Modifiers) {
    harness.event_modifiers(
        egui::Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers,
        },
        modifiers,
    );
}

/// Guards against hosts that hear of half a gesture.
#[test]
fn a_drag_is_one_gesture_however_it_ends() {
    let mut harness = open(state("playing"), DEFAULT_SIZE);
    let start = harness.get_by_label("Drums gain").rect().center();
    harness.hover_at(start);
    press(&harness, start, true, Modifiers::NONE);
    harness.step();
    for step in 1..=8 {
        harness.hover_at(start - egui::vec2(0.0, 3.0 * step as f32));
        harness.step();
    }
    press(
        &harness,
        start - egui::vec2(0.0, 24.0),
        false,
        Modifiers::NONE,
    );
    let actions = asked(&mut harness);
    let gain = Param::Gain(0);
    let [first, sets @ .., last] = &*actions else {
        panic!("{actions:?}")
    };
    assert_eq!((first, last), (&Action::Begin(gain), &Action::End(gain)));
    let values: Vec<f32> = sets
        .iter()
        .map(|action| match action {
            Action::Set(param, value) if *param == gain => *value,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        values.len() > 3 && values.is_sorted() && values[0] > 0.0,
        "{values:?}"
    );

    // The window closes while the hand holds the fader.
    harness.hover_at(start);
    press(&harness, start, true, Modifiers::NONE);
    harness.step();
    harness.hover_at(start - egui::vec2(0.0, 20.0));
    harness.run_steps(2);
    let actions = asked(&mut harness);
    assert_eq!(actions.first(), Some(&Action::Begin(gain)));
    assert!(!actions.contains(&Action::End(gain)));
    assert_eq!(harness.state_mut().state.release(), Some(Action::End(gain)));
    assert_eq!(harness.state_mut().state.release(), None);
}

#[test]
fn a_click_with_ctrl_and_a_double_click_give_the_default() {
    let mut view = state("playing");
    view.strips[2].pan = 0.4;
    let mut harness = open(view, DEFAULT_SIZE);
    let pan = harness.get_by_label("Other pan").rect().center();
    harness.hover_at(pan);
    press(&harness, pan, true, Modifiers::COMMAND);
    press(&harness, pan, false, Modifiers::COMMAND);
    assert_eq!(asked(&mut harness), gesture(Param::Pan(2), 0.0));

    for _ in 0..2 {
        press(&harness, pan, true, Modifiers::NONE);
        press(&harness, pan, false, Modifiers::NONE);
        harness.step();
    }
    assert_eq!(asked(&mut harness), gesture(Param::Pan(2), 0.0));
}

#[test]
fn switches_and_presets_are_asked_for() {
    let mut harness = open(state("mixed"), DEFAULT_SIZE);
    let solo = harness.get_by_label("Vocals solo");
    assert_eq!(solo.accesskit_node().toggled(), Some(Toggled::True));
    solo.click();
    assert_eq!(asked(&mut harness), [Action::Turn(Switch::Solo(3), false)]);
    harness.get_by_label("Karaoke").click();
    assert_eq!(asked(&mut harness), [Action::Preset(1)]);
}

/// Guards against errors that are told without a way out, or only by a colour.
#[test]
fn what_is_wrong_is_told_in_words_with_what_to_do() {
    let mut harness = open(state("no-engine"), DEFAULT_SIZE);
    harness.get_by_label_contains("The engine was not found");
    harness.get_by_label("No stems");
    harness.get_by_label("Try again").click();
    assert_eq!(asked(&mut harness), [Action::Retry]);

    let mut harness = open(state("dropout"), DEFAULT_SIZE);
    harness.get_by_label_contains("7 (163.0 ms)");
    harness.get_by_label("Reset").click();
    assert_eq!(asked(&mut harness), [Action::ResetCounts]);
}

/// Guards against a message that stays in the way after it was read, or takes others with it.
#[test]
fn a_message_that_was_read_can_be_put_away() {
    let mut harness = open(state("restart"), DEFAULT_SIZE);
    harness.get_by_label_contains("is ready, with a latency of 2.07 s");
    harness.get_by_label("Dismiss").click();
    harness.run_steps(3);
    assert!(harness.query_by_label("Dismiss").is_none());
    harness.state_mut().view = state("no-model");
    harness.run_steps(2);
    harness.get_by_label_contains("is not there any more");
}

#[test]
fn the_status_line_tells_latency_in_time_and_samples_and_the_load() {
    let harness = open(state("playing"), DEFAULT_SIZE);
    for text in [
        "25.4 ms",
        "1,120 samples",
        "31 %",
        "CPU",
        "44.1 kHz",
        "Separating",
    ] {
        harness.get_by_label(text);
    }
}

#[test]
fn a_model_is_chosen_from_the_list() {
    let mut harness = open(state("playing"), DEFAULT_SIZE);
    harness
        .get_by_role_and_label(Role::ComboBox, "Model")
        .click();
    harness.run_steps(3);
    harness.get_by_label_contains("Bunri Studio").click();
    assert_eq!(asked(&mut harness), [Action::Model(1)]);
}

/// Time until the next frame that the editor asks for.
fn pause(harness: &Harness<'_, Bench>) -> Duration {
    let viewports = &harness.output().viewport_output;
    let delays = viewports.values().map(|viewport| viewport.repaint_delay);
    delays.min().expect("a window")
}

/// Guards against an editor that stutters, and against one that takes a core where nothing moves.
#[test]
fn frames_come_as_often_as_there_is_something_to_see() {
    let mut harness = open(state("playing"), DEFAULT_SIZE);
    for frame in 1..30 {
        let seconds = f64::from(frame) / 60.0;
        states::play(&mut harness.state_mut().view, seconds);
        harness.step();
        assert!(pause(&harness) <= Duration::from_millis(17));
    }
    harness.state_mut().state.preferences.reduced_motion = true;
    harness.run_steps(60);
    assert!(pause(&harness) >= Duration::from_millis(200), "less motion");

    let mut harness = open(state("stopped"), DEFAULT_SIZE);
    harness.run_steps(600); // the meters have fallen
    assert!(
        pause(&harness) >= Duration::from_millis(90),
        "nothing moves"
    );
}
