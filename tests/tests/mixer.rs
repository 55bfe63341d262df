//! Every strip and every switch does what its name says, alone, in both hosts.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::checkpoint::ECHO_GAINS;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{assert_near, delayed, noise, scaled};
use bunri_tests::{Format, PluginHost, STEMS, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);
const CASE: &str = "mixer";

/// A host with the fake engine, whose stems are its input times [`ECHO_GAINS`] and `level`.
fn with_mixer(name: &str, level_percent: u32, check: impl Fn(&mut Mixer)) {
    let words = format!("hop 1024 level_percent {level_percent}");
    with_fake_engine(name, &words, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case(CASE, format.host_name(), || {
                let mut host = format.load(&bundles.path(format));
                host.activate(Setup::export(480));
                let defaults = host.parameters();
                check(&mut Mixer {
                    format,
                    host,
                    defaults,
                });
            });
        }
    });
}

struct Mixer {
    format: Format,
    host: Box<dyn PluginHost>,
    defaults: Vec<bunri_tests::host::ParameterView>,
}

impl Mixer {
    /// Moves these parameters away from their defaults, all others back, and returns what is then
    /// played: the delayed input, main, and the stem buses.
    fn play(&mut self, moved: &[(&str, f64)]) -> (Planar, Vec<Planar>) {
        for parameter in &self.defaults {
            self.host.set_parameter(&parameter.name, parameter.fraction);
        }
        for (name, fraction) in moved {
            self.host.set_parameter(name, *fraction);
        }
        // The settings come with a block; after a reset none of them needs a ramp.
        let _ = self.host.process(&Planar::zeros(2, 480), &[480]);
        self.host.reset();
        let latency = self.host.latency_frames();
        let input = noise(latency + 6000, 91);
        let buses = self.host.process(&input, &[480]);
        (delayed(&input, latency), buses)
    }

    /// Panics unless main and the stem buses are the delayed input times these factors.
    fn expect(&mut self, moved: &[(&str, f64)], main: f32, stems: [f32; 4]) {
        let (input, buses) = self.play(moved);
        let what = format!("{:?}, {moved:?}", self.format);
        assert_near(
            &buses[0],
            &scaled(&input, main),
            1e-5,
            &format!("{what}: main"),
        );
        for ((bus, stem), gain) in buses[1..].iter().zip(STEMS).zip(stems) {
            let what = format!("{what}: {stem}");
            assert_near(bus, &scaled(&input, gain), 1e-5, &what);
        }
    }
}

/// Guards against a solo that leaves others audible, or a mute that does not win.
#[test]
fn solo_and_mute() {
    with_mixer("solo_and_mute", 100, |mixer| {
        mixer.expect(&[("Drums solo", 1.0)], 0.1, [0.1, 0.0, 0.0, 0.0]);
        let two = [("Bass solo", 1.0), ("Vocals solo", 1.0)];
        mixer.expect(&two, 0.6, [0.0, 0.2, 0.0, 0.4]);
        mixer.expect(&[("Vocals mute", 1.0)], 0.6, [0.1, 0.2, 0.3, 0.0]);
        let both = [("Other solo", 1.0), ("Other mute", 1.0)];
        mixer.expect(&both, 0.0, [0.0; 4]);
        mixer.expect(&[], 1.0, ECHO_GAINS);
    });
}

/// Guards against a balance that is turned over, and a width that is not that of mid and side.
#[test]
fn pan_and_width() {
    with_mixer("pan_and_width", 100, |mixer| {
        for (fraction, silent) in [(0.0, 1), (1.0, 0)] {
            let (_, buses) = mixer.play(&[("Bass pan", fraction)]);
            let bass = &buses[2];
            let energy = |channel: usize| bass.channel(channel).iter().map(|x| x * x).sum::<f32>();
            assert_eq!(energy(silent), 0.0, "{:?}, pan {fraction}", mixer.format);
            assert!(
                energy(1 - silent) > 1.0,
                "{:?}, pan {fraction}",
                mixer.format
            );
        }
        for width in [0.0, 2.0] {
            let (input, buses) = mixer.play(&[("Vocals width", f64::from(width) / 2.0)]);
            let (left, right) = (input.channel(0), input.channel(1));
            let side = |sign: f32| {
                let pairs = std::iter::zip(left, right);
                let sample = |(l, r): (&f32, &f32)| 0.5 * (l + r) + sign * 0.5 * width * (l - r);
                pairs.map(sample).collect::<Vec<_>>()
            };
            let wide = Planar::from_channels(vec![side(1.0), side(-1.0)]).expect("one length");
            let what = format!("{:?}, width {width}", mixer.format);
            assert_near(&buses[4], &scaled(&wide, ECHO_GAINS[3]), 1e-5, &what);
        }
    });
}

/// Guards against a dry signal that is not in time with the stems, or is mixed twice.
#[test]
fn dry_and_wet() {
    with_mixer("dry_and_wet", 100, |mixer| {
        let silent = STEMS.map(|stem| format!("{}{} mute", stem[..1].to_uppercase(), &stem[1..]));
        let silent: Vec<(&str, f64)> = silent.iter().map(|name| (name.as_str(), 1.0)).collect();
        mixer.expect(&silent, 0.0, [0.0; 4]);
        for (wet, dry) in [(0.0, 1.0), (0.5, 0.5)] {
            let moved = [&silent[..], &[("Dry/wet", wet)]].concat();
            mixer.expect(&moved, dry, [0.0; 4]);
        }
    });
}

/// Guards against a switch that does nothing: this model's stems lack a tenth of the input.
#[test]
fn consistency_fills_what_the_stems_lack() {
    with_mixer("consistency_fills_what_the_stems_lack", 90, |mixer| {
        let shared = ECHO_GAINS.map(|gain| 0.9 * gain + 0.1 / 4.0);
        mixer.expect(&[], 1.0, shared);
        let raw = ECHO_GAINS.map(|gain| 0.9 * gain);
        mixer.expect(&[("Stems null to the mix", 0.0)], 0.9, raw);
    });
}

/// Guards against stem buses that follow the faders of a mix made elsewhere.
#[test]
fn stem_buses_before_the_faders() {
    with_mixer("stem_buses_before_the_faders", 100, |mixer| {
        let moved = [
            ("Stem buses pre-fader", 1.0),
            ("Drums gain", 0.0),
            ("Bass mute", 1.0),
        ];
        mixer.expect(&moved, 0.7, ECHO_GAINS);
    });
}
