//! A session file may be damaged; a host with Bunri in it must still open.

use std::time::Duration;

use bunri_tests::bundle::Bundles;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{assert_near, delayed, noise};
use bunri_tests::{Format, PluginHost, Setup, table};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LIMIT: Duration = Duration::from_secs(60);
const CORRUPTED: u64 = 400;
const SETUP: Setup = Setup::export(512);

macro_rules! hosts {
    ($($name:ident: $format:ident;)*) => {$(
        /// Guards against a crash, a hang or an endless gain out of a state that is none, and
        /// against a plugin that is no good any more after one.
        #[test]
        fn $name() {
            with_fake_engine(stringify!($name), "hop 1024", LIMIT, || {
                let host = Format::$format.host_name();
                table::case("corrupt states", host, || survive(Format::$format));
            });
        }
    )*};
}

hosts! {
    clap_survives_corrupt_states: Clap;
    vst3_survives_corrupt_states: Vst3;
}

fn survive(format: Format) {
    let bundles = Bundles::new();
    let mut host = format.load(&bundles.path(format));
    host.activate(SETUP);
    let good = host.save_state();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut taken = 0;
    for index in 0..CORRUPTED {
        for parameter in host.parameters() {
            host.set_parameter(&parameter.name, random.random());
        }
        let _ = host.process(&noise(600, index), &[512]);
        let state = corrupted(host.save_state(), index, &mut random);
        taken += u32::from(host.load_state(&state));
        let what = format!("{format:?}, state {index}");
        assert_sane(host.as_mut(), &what);
    }
    for (index, state) in hostile(&good).iter().enumerate() {
        let _ = host.load_state(state);
        assert_sane(host.as_mut(), &format!("{format:?}, hostile state {index}"));
    }
    println!("{format:?}: {taken} of {CORRUPTED} corrupted states were taken all the same");

    assert!(host.load_state(&good), "{format:?}: the good state refused");
    host.activate(SETUP);
    let latency = host.latency_frames();
    let input = noise(latency + 5000, 6);
    let buses = host.process(&input, &[512]);
    let what = format!("{format:?}, the good state again");
    assert_near(&buses[0], &delayed(&input, latency), 1e-5, &what);
}

/// Panics if a value or a sample is no number, or a value is out of its range.
fn assert_sane(host: &mut dyn PluginHost, what: &str) {
    for parameter in host.parameters() {
        let within = (0.0..=1.0).contains(&parameter.fraction);
        assert!(within, "{what}: {parameter:?}");
    }
    for bus in host.process(&noise(600, 7), &[512]) {
        let finite = bus.channels().flatten().all(|sample| sample.is_finite());
        assert!(finite, "{what}: not a number");
    }
}

/// Bits flipped, or cut short, or both.
fn corrupted(mut state: Vec<u8>, index: u64, random: &mut ChaCha8Rng) -> Vec<u8> {
    if !index.is_multiple_of(3) {
        for _ in 0..random.random_range(1..9) {
            let at = random.random_range(0..state.len());
            state[at] ^= 1 << random.random_range(0..8);
        }
    }
    if index % 3 != 1 {
        state.truncate(random.random_range(0..state.len()));
    }
    state
}

/// States that are well formed, or nearly, and mean harm.
fn hostile(good: &[u8]) -> Vec<Vec<u8>> {
    let mut states = vec![
        Vec::new(),
        vec![0],
        vec![0; 1 << 20],
        vec![0xff; 1 << 20],
        b"[".repeat(1 << 20),
        [good, good].concat(),
    ];
    // Numbers that are out of range, where the state is text.
    let text = String::from_utf8_lossy(good).into_owned();
    for number in ["1e39", "-1e39", "1e999", "null", "\"NaN\"", "-0.0", "1e-45"] {
        states.push(text.replace("0.0", number).into_bytes());
    }
    states
}
