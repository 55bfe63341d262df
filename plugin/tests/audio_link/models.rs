//! Which model is heard: loading in the background, taking over, and failing to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bunri_plugin::conductor::Conductor;
use bunri_plugin::exchange::HostSetup;
use bunri_plugin::link::AudioLink;
use bunri_plugin::monitor::{ChangeState, Monitor, Phase};
use bunri_plugin::opener::Opened;
use bunri_plugin::separation::LATENCY_WITHOUT_MODEL_FRAMES;
use bunri_plugin::settings::{Choice, Mode, ModelChoice, ModelFile, Settings};
use crossbeam_channel::{Receiver, unbounded};

use crate::OFFLINE;
use crate::fakes::{FakeModel, PARTS, Played, assert_same, delayed, noise, play};

/// A plugin instance with fake models: `half` has the latency of the shipped one and half its
/// loudness, `slow` another latency, `missing` cannot be had, `gated` waits for a word.
struct Instance {
    settings: Arc<Settings>,
    monitor: Arc<Monitor>,
    conductor: Arc<Conductor<FakeModel>>,
    opened: Arc<AtomicUsize>,
    restarts: Receiver<()>,
    gate: crossbeam_channel::Sender<()>,
}

fn file(name: &str) -> ModelChoice {
    ModelChoice::File(ModelFile::at(Path::new("/models").join(name)))
}

impl Instance {
    fn new() -> Self {
        let settings = Arc::new(Settings::default());
        let monitor = Arc::new(Monitor::default());
        let opened = Arc::new(AtomicUsize::new(0));
        let (gate, gated) = unbounded();
        let counter = Arc::clone(&opened);
        let opener = move |choice: &Choice| {
            counter.fetch_add(1, Ordering::Relaxed);
            let name = choice.model.name();
            if name == "missing" {
                return Err("there is no such file: choose another".to_owned());
            }
            if name == "lossy" {
                return Ok(Opened::plain(
                    FakeModel {
                        falls_back_at: 20,
                        ..FakeModel::new(512)
                    },
                    choice.clone(),
                ));
            }
            if name == "gated" {
                let _ = gated.recv();
            }
            assert!(name != "broken", "out of cheese");
            let mut model = FakeModel::new(if name == "slow" { 2048 } else { 512 });
            model.loudness = if name == "half" { 0.5 } else { 1.0 };
            Ok(Opened::plain(model, choice.clone()))
        };
        let conductor = Conductor::new(&settings, &monitor, opener);
        let (asked, restarts) = unbounded();
        conductor.restart_by(move || asked.send(()).expect("the test listens"));
        Self {
            settings,
            monitor,
            conductor,
            opened,
            restarts,
            gate,
        }
    }

    fn activate(&self) -> AudioLink {
        self.conductor.activate(OFFLINE)
    }

    /// Waits until nothing is being loaded.
    fn settle(&self) -> ChangeState {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let change = self.monitor.status().change.clone();
            if !matches!(change, ChangeState::Loading { .. }) {
                return change;
            }
            assert!(Instant::now() < until, "still loading");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.conductor.close();
    }
}

/// Guards against a gap, a click or a slip when a model is changed while it plays, and against a
/// new model that is announced and never heard.
#[test]
fn a_model_of_equal_latency_takes_over_without_a_gap() {
    let instance = Instance::new();
    let mut link = instance.activate();
    let latency = link.latency_frames();
    let mut played = Played::default();
    let input = vec![0.5; 60_000];
    let (before, after) = input.split_at(20_000);
    play(&mut link, before, 480, &mut played);
    instance.settings.choose_model(file("half"));
    assert_eq!(instance.settle(), ChangeState::Settled);
    play(&mut link, after, 480, &mut played);

    assert!(instance.restarts.is_empty());
    assert_eq!(link.latency_frames(), latency);
    let drums = &played.stems[0];
    assert_eq!(drums[19_000], 0.5 * PARTS[0]);
    // Half, and a quarter of the half that is missing from the sum.
    assert_eq!(drums[59_999], 0.25 * PARTS[0] + 0.25 * 0.25);
    for (frame, pair) in drums.windows(2).enumerate().skip(latency) {
        // From 0.0625 to 0.09375 in 50 ms, 2400 frames.
        let step = pair[1] - pair[0];
        assert!(
            (0.0..0.00003).contains(&step),
            "a step of {step} at {frame}"
        );
    }
    // What it is made of adds up to the input all the while.
    assert_same(&played.main, &delayed(&input, latency), 1e-6, "the mix");
    assert_eq!(instance.settings.kept().model, file("half"));
    assert_eq!(
        instance.monitor.status().model.as_ref().unwrap().name,
        "half"
    );
}

/// Guards against a latency that changes while the host believes the old one, and against a
/// prepared model that is loaded a second time.
#[test]
fn a_model_of_another_latency_waits_for_the_restart_it_asks_for() {
    let instance = Instance::new();
    let mut link = instance.activate();
    let latency = link.latency_frames();
    instance.settings.choose_model(file("slow"));
    let ChangeState::WaitingForRestart { latency_frames, .. } = instance.settle() else {
        panic!("{:?}", instance.monitor.status());
    };
    assert_eq!(instance.restarts.recv(), Ok(()));
    let input = noise(20_000);
    let mut played = Played::default();
    play(&mut link, &input, 480, &mut played);
    assert_same(&played.main, &delayed(&input, latency), 1e-6, "the old one");

    let link = instance.activate();
    assert_eq!(link.latency_frames(), latency_frames);
    assert_ne!(latency_frames, latency);
    assert_eq!(instance.opened.load(Ordering::Relaxed), 2);
    assert_eq!(instance.monitor.status().change, ChangeState::Settled);
}

/// Guards against a wrong click in a file dialog that costs the sound.
#[test]
fn a_failed_load_keeps_the_old_model_and_says_why() {
    let instance = Instance::new();
    let mut link = instance.activate();
    for (name, word) in [("missing", "no such file"), ("broken", "cheese")] {
        instance.settings.choose_model(file(name));
        let change = instance.settle();
        assert!(
            matches!(&change, ChangeState::Failed { reason, .. } if reason.contains(word)),
            "{change:?}"
        );
        assert_eq!(instance.settings.choice(), Choice::default());
        assert_eq!(instance.monitor.status().phase, Phase::Separating);
    }
    let input = noise(20_000);
    let mut played = Played::default();
    play(&mut link, &input, 480, &mut played);
    let expected = delayed(&input, link.latency_frames());
    assert_same(&played.main, &expected, 1e-6, "the old one");
    assert!(instance.restarts.is_empty());
}

/// Guards against a project whose missing file is forgotten, or that plays something else instead.
#[test]
fn a_missing_file_is_dry_audio_in_words_and_stays_chosen() {
    let instance = Instance::new();
    instance.settings.choose_model(file("missing")); // inactive: as a project's state does
    let link = instance.activate();
    assert_eq!(link.latency_frames(), LATENCY_WITHOUT_MODEL_FRAMES);
    assert!(
        matches!(&instance.monitor.status().phase, Phase::Dry { reason } if reason.contains("no such file"))
    );
    assert_eq!(instance.settings.kept().model, file("missing"));
}

/// Guards against hosts that reactivate several times while a project loads, and wait for the model
/// each time.
#[test]
fn reactivation_opens_nothing_again() {
    let instance = Instance::new();
    let first = instance.activate().latency_frames();
    let other_rate = HostSetup {
        rate_hz: 44_100,
        ..OFFLINE
    };
    instance.conductor.activate(other_rate);
    instance.conductor.deactivate();
    assert_eq!(instance.activate().latency_frames(), first);
    assert_eq!(instance.opened.load(Ordering::Relaxed), 1);
}

/// Guards against a slow load that overtakes what the user chose after it.
#[test]
fn the_latest_choice_wins() {
    let instance = Instance::new();
    let _link = instance.activate();
    instance.settings.choose_model(file("gated"));
    instance.settings.choose_model(file("half"));
    assert_eq!(instance.settle(), ChangeState::Settled);
    instance.gate.send(()).unwrap();
    // Back to what is heard: settled at once, and the slow one is not wanted any more.
    instance
        .settings
        .choose_mode(Mode::Studio { latency_ms: 500 });
    instance.settle();
    assert_eq!(instance.settings.choice().model, file("half"));
    assert_eq!(
        instance.monitor.status().model.as_ref().unwrap().name,
        "half"
    );
}

/// Guards against a model that goes on elsewhere, at another speed, without a word to the user.
#[test]
fn a_device_that_is_lost_while_playing_is_told() {
    let instance = Instance::new();
    instance.settings.choose_model(file("lossy"));
    let mut link = instance.activate();
    let notice = || {
        instance
            .monitor
            .status()
            .model
            .as_ref()
            .and_then(|model| model.notice.clone())
    };
    assert_eq!(notice(), None);
    // The worker tells about twice a second of audio.
    play(&mut link, &noise(60_000), 480, &mut Played::default());
    assert_eq!(notice().as_deref(), Some("fake:1 was lost"));
    let status = instance.monitor.status();
    let model = status.model.as_ref().expect("it plays");
    assert_eq!(
        model.device.as_ref().map(|device| device.name.as_str()),
        Some("fake:0")
    );
    assert_eq!(model.weights_bytes, Some(7));
}
