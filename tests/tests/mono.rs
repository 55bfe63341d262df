//! A mono track: one channel in, the stereo buses as ever.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::clap_host::ClapHost;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{assert_near, delayed, noise, scaled};
use bunri_tests::vst3_host::Vst3Host;
use bunri_tests::{Format, PluginHost, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);
const CASE: &str = "mono input";

/// Guards against a mono track that plays on the left alone, or not at all, and against a plugin that
/// stays mono when the track becomes stereo again.
#[test]
fn a_mono_input_is_heard_on_both_sides() {
    with_fake_engine(
        "a_mono_input_is_heard_on_both_sides",
        "hop 1024",
        LIMIT,
        || {
            let bundles = Bundles::new();
            table::case(CASE, Format::Clap.host_name(), || {
                let mut host = ClapHost::load(&bundles.path(Format::Clap));
                for channels in [1, 2, 1] {
                    host.choose_input_channels(channels).expect("a layout");
                    play(&mut host, channels as usize);
                    host.deactivate();
                }
            });
            table::case(CASE, Format::Vst3.host_name(), || {
                let mut host = Vst3Host::load(&bundles.path(Format::Vst3));
                for channels in [1, 2, 1] {
                    host.choose_input_channels(channels)
                        .expect("an arrangement");
                    play(&mut host, channels as usize);
                    host.deactivate();
                }
            });
        },
    );
}

fn play(host: &mut dyn PluginHost, channels: usize) {
    host.activate(Setup::export(500));
    let latency = host.latency_frames();
    let stereo = noise(latency + 8000, 81);
    let first: Vec<Vec<f32>> = stereo.into_channels().into_iter().take(channels).collect();
    let input = Planar::from_channels(first.clone()).expect("one length");
    let sides = Planar::from_channels(vec![first[0].clone(), first[channels - 1].clone()]);
    let expected = delayed(&sides.expect("one length"), latency);
    let buses = host.process(&input, &[500, 7]);
    for (bus, gain) in buses.iter().zip([1.0, 0.1, 0.2, 0.3, 0.4]) {
        let what = format!("{channels} channels, gain {gain}");
        assert_near(bus, &scaled(&expected, gain), 1e-5, &what);
    }
}
