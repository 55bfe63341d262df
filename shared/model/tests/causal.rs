//! Causal networks: the stream is the clip, hop by hop.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::sync::Arc;

use bunri_model::checkpoint::float_values;
use bunri_model::{
    BandSplitConfig, LiveDemucsConfig, Network, NetworkConfig, Separator, SharedWeights,
};
use bunri_stream::conformance::assert_stem_model;
use bunri_stream::{Mode, Planar, StemModel, StreamingSeparator};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

/// Both ways sum the same products, in another order where matrices have another shape. Inputs
/// reach 0.8; outputs lie at 0.01 and above.
const TOLERANCE: f64 = 1e-5;

fn untrained(config: &NetworkConfig) -> Box<dyn Network> {
    // Matrices this small are slower on several threads, above all on a busy machine.
    tch::set_num_threads(1);
    config.clone().untrained(3, Device::Cpu).unwrap()
}

/// Noise that begins quietly, pauses and comes back: `[batch, channels, frames]`.
fn music(batch: i64, channels: i64, frames: i64, seed: i64) -> Tensor {
    tch::manual_seed(seed);
    let options = (Kind::Float, Device::Cpu);
    let noise = Tensor::rand([batch, channels, frames], options) * 1.6 - 0.8;
    let time = Tensor::arange(frames, options) / frames as f64;
    let pause = time.gt(0.4).logical_and(&time.lt(0.6)).logical_not();
    noise * (time * 0.9 + 0.1) * pause.to_kind(Kind::Float)
}

fn largest(x: &Tensor) -> f64 {
    let values = float_values(x);
    values.iter().fold(0.0, |max, &x| {
        // Written so that NaN is not passed over.
        let x = f64::from(x.abs());
        if x <= max { max } else { x }
    })
}

fn planar(clip: &Tensor) -> Planar {
    let channels = clip.unbind(0).iter().map(float_values).collect();
    Planar::from_channels(channels).unwrap()
}

fn small_demucs() -> LiveDemucsConfig {
    LiveDemucsConfig {
        hidden: 6,
        depth: 2,
        segment_frames: 600,
        ..LiveDemucsConfig::default()
    }
}

fn small_band_split() -> BandSplitConfig {
    BandSplitConfig {
        window_frames: 128,
        hop_frames: 32,
        band_bins: vec![2, 3, 10, 50],
        features: 5,
        hidden: 4,
        blocks: 2,
        segment_frames: 600,
        ..BandSplitConfig::default()
    }
}

/// One of each kind, small.
fn small_networks() -> Vec<NetworkConfig> {
    vec![
        NetworkConfig::LiveDemucs(small_demucs()),
        NetworkConfig::BandSplit(small_band_split()),
    ]
}

prop_compose! {
    fn demucs_configs()(
        (stems, audio_channels, hidden) in (1..4usize, 1..3usize, 1..8usize),
        (stride, depth) in prop_oneof![Just((2, 3)), Just((4, 2)), Just((3, 1)), Just((4, 1))],
        more_kernel in 0..7usize,
        growth in prop_oneof![Just(1.0), Just(1.5), Just(2.0)],
        lstm_layers in 1..3usize,
        resample in prop_oneof![Just(1usize), Just(2), Just(4)],
        (hop_positions, lookahead_positions) in (1..4usize, 0..4usize),
        normalize in any::<bool>(),
        level_memory_seconds in prop_oneof![Just(0.01), Just(8.0)],
    ) -> NetworkConfig {
        // Hops that are whole after resampling.
        let hop_positions = if stride == 3 { 4 * hop_positions } else { hop_positions };
        NetworkConfig::LiveDemucs(LiveDemucsConfig {
            stems: (0..stems).map(|i| format!("stem-{i}")).collect(),
            audio_channels,
            hidden,
            depth,
            growth,
            kernel_size: stride + more_kernel,
            stride,
            lstm_layers,
            resample,
            hop_positions,
            lookahead_positions,
            normalize,
            level_memory_seconds,
            ..LiveDemucsConfig::default()
        })
    }
}

prop_compose! {
    fn band_split_configs()(
        (stems, audio_channels) in (1..4usize, 1..3usize),
        (window_frames, hop_frames) in prop_oneof![
            Just((16usize, 8usize)), Just((60, 15)), Just((50, 7)), Just((128, 32))
        ],
        first_band in 1..8usize,
        (features, hidden, blocks) in (1..6usize, 1..6usize, 1..3usize),
        lookahead_hops in 0..4usize,
        normalize in any::<bool>(),
    ) -> NetworkConfig {
        NetworkConfig::BandSplit(BandSplitConfig {
            stems: (0..stems).map(|i| format!("stem-{i}")).collect(),
            audio_channels,
            window_frames,
            hop_frames,
            lookahead_hops,
            band_bins: vec![first_band, window_frames / 2 + 1 - first_band],
            features,
            hidden,
            blocks,
            normalize,
            ..BandSplitConfig::default()
        })
    }
}

fn any_config() -> impl Strategy<Value = NetworkConfig> {
    prop_oneof![demucs_configs(), band_split_configs()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Guards everything that is carried: a window one position off, a tail added twice, a skip or
    /// a level of another moment. Steps take one hop, or several at once, in any order.
    #[test]
    fn steps_equal_the_whole_clip(
        config in any_config(), hops in 0..30usize, more in 0..40i64,
        groups in prop::collection::vec(1..5usize, 1..8)
    ) {
        config.validate().unwrap();
        let network = untrained(&config);
        let causal = network.causal().unwrap();
        let (hop, lookahead) = (causal.hop_frames(), causal.lookahead_frames());
        let channels = network.signature().channels as i64;
        let frames = hops as i64 * hop as i64 + more;
        let mix = music(2, channels, frames, 7);
        tch::no_grad(|| {
            let whole = network.forward(&mix);
            let stems = network.signature().stems.len() as i64;
            assert_eq!(whole.size(), [2, stems, channels, frames]);
            let needed = frames as usize + lookahead;
            let mut left = needed.div_ceil(hop);
            let padded = mix.constant_pad_nd([0, (left * hop) as i64 - frames]);
            let mut state = causal.start(2);
            let (mut parts, mut from) = (Vec::new(), 0);
            for group in groups.iter().cycle() {
                let length = (*group.min(&left) * hop) as i64;
                if length == 0 { break; }
                parts.push(causal.step(&mut state, &padded.narrow(2, from, length)));
                from += length;
                left -= length as usize / hop;
            }
            if !parts.is_empty() {
                let stream = Tensor::cat(&parts, 3).narrow(3, lookahead as i64, frames);
                let difference = largest(&(stream - whole));
                assert!(difference < TOLERANCE, "{difference}");
            }
        });
    }

    /// Guards against frames lost or shifted between the network and who listens: the blocks of a
    /// host go in, the flush brings the rest, and all of it is the clip.
    #[test]
    fn a_flushed_stream_is_the_whole_clip(
        config in any_config(), frames in 1..800i64,
        sizes in prop::collection::vec(1..300usize, 1..6)
    ) {
        let network = untrained(&config);
        let mix = music(1, network.signature().channels as i64, frames, 8);
        let whole = tch::no_grad(|| network.forward(&mix)).squeeze_dim(0); // [stems, channels, frames]
        let separator = Separator::new(Arc::new(SharedWeights::new(network)), Mode::Overlap(0.75)).unwrap();
        let mut stream = StreamingSeparator::new(separator).unwrap();
        let input = planar(&mix.squeeze_dim(0));
        let (mut stems, mut from) = (Vec::new(), 0);
        for size in sizes.iter().cycle() {
            if from == input.frames() { break; }
            let size = *size.min(&(input.frames() - from));
            stream.push(&input.slice(from, size), &mut stems).unwrap();
            from += size;
        }
        stream.flush(&mut stems).unwrap();
        let delay = stream.delay_frames();
        for (stem, whole) in stems.iter().zip(whole.unbind(0)) {
            assert_eq!(stem.frames(), frames as usize + delay);
            for (channel, whole) in stem.channels().zip(whole.unbind(0)) {
                let error = largest(&(Tensor::from_slice(&channel[delay..]) - whole));
                assert!(error < TOLERANCE, "{error}");
            }
        }
    }

    /// Guards the promise of the lookahead: a frame has no influence on estimates that are final
    /// before it is heard.
    #[test]
    fn the_future_beyond_the_lookahead_is_not_heard(config in any_config(), at in 0..600i64) {
        let network = untrained(&config);
        let causal = network.causal().unwrap();
        let (hop, lookahead) = (causal.hop_frames() as i64, causal.lookahead_frames() as i64);
        let channels = network.signature().channels as i64;
        let frames = at + 1 + hop + lookahead;
        let mix = music(1, channels, frames, 9);
        let changed = mix.copy();
        let _ = changed.narrow(2, at, 1).fill_(0.9);
        tch::no_grad(|| {
            let difference = network.forward(&mix) - network.forward(&changed);
            // Final with the hop before the one that brings frame `at`.
            let before = (at / hop * hop - lookahead).max(0);
            assert_eq!(largest(&difference.narrow(3, 0, before)), 0.0);
        });
    }
}

/// Guards against a delay that is told, and suffered, but not used: every hop has an influence on
/// the estimates that become final with it.
#[test]
fn the_lookahead_is_listened_to() {
    for config in small_networks() {
        let network = untrained(&config);
        let causal = network.causal().unwrap();
        let (hop, lookahead) = (causal.hop_frames() as i64, causal.lookahead_frames() as i64);
        let newest = (lookahead / hop + 2) * hop;
        let mix = music(1, 2, newest + hop, 12);
        let changed = mix.copy();
        let _ = changed.narrow(2, newest, hop).fill_(0.9);
        let difference = tch::no_grad(|| network.forward(&mix) - network.forward(&changed));
        let heard = largest(&difference.narrow(3, newest - lookahead, hop));
        // Little, in a network that has learned nothing; none at all were both computed alike.
        assert!(heard > 0.0, "{config:?}");
    }
}

/// Guards a scheduler that batches several streams, each at another moment of its music.
#[test]
fn stacked_streams_step_as_they_would_alone() {
    for config in small_networks() {
        let network = untrained(&config);
        let causal = network.causal().unwrap();
        let hop = causal.hop_frames() as i64;
        let music = music(3, 2, 12 * hop, 10);
        let hop_of =
            |stream: i64, index: i64| music.narrow(0, stream, 1).narrow(2, index * hop, hop);
        tch::no_grad(|| {
            let mut states: Vec<_> = (0..3).map(|_| causal.start(1)).collect();
            let ages = [0, 3, 7];
            for (stream, state) in states.iter_mut().enumerate() {
                for index in 0..ages[stream] {
                    let _ = causal.step(state, &hop_of(stream as i64, index));
                }
            }
            let pieces = 0..states[0].len();
            let mut stacked: Vec<Tensor> =
                pieces.map(|piece| stacked_piece(&states, piece)).collect();
            for later in 0..4 {
                let hops: Vec<_> = (0..3).map(|s| hop_of(s as i64, ages[s] + later)).collect();
                let together = causal.step(&mut stacked, &Tensor::cat(&hops, 0));
                for (stream, state) in states.iter_mut().enumerate() {
                    let alone = causal.step(state, &hops[stream]);
                    let difference = largest(&(together.get(stream as i64) - alone.get(0)));
                    assert!(difference < TOLERANCE, "{config:?}: {difference}");
                }
            }
            for (piece, stacked) in stacked.iter().enumerate() {
                let difference = largest(&(stacked - stacked_piece(&states, piece)));
                assert!(
                    difference < 1e-4,
                    "piece {piece} of the state: {difference}"
                );
            }
        });
    }
}

/// One piece of the state of every stream, stacked.
fn stacked_piece(states: &[Vec<Tensor>], piece: usize) -> Tensor {
    let pieces: Vec<_> = states.iter().map(|state| &state[piece]).collect();
    Tensor::cat(&pieces, 0)
}

#[test]
fn causal_networks_keep_the_stem_model_contract() {
    for config in small_networks() {
        let weights = Arc::new(SharedWeights::new(untrained(&config)));
        assert_stem_model(&mut Separator::new(weights, Mode::Overlap(0.75)).unwrap());
    }
}

/// Guards a stream against one broken sample from another plugin, which would stay in its state
/// for good.
#[test]
fn one_broken_hop_is_not_heard_for_ever() {
    for config in small_networks() {
        let weights = Arc::new(SharedWeights::new(untrained(&config)));
        let mut stream = Separator::new(weights, Mode::Overlap(0.75)).unwrap();
        let spec = stream.spec().clone();
        let clip = planar(&music(1, 2, 6 * spec.hop_frames as i64, 11).squeeze_dim(0));
        let mut run = |amid: f32| {
            stream.reset();
            let mut heard = Vec::new();
            for index in 0..6 {
                let mut hop = clip.slice(index * spec.hop_frames, spec.hop_frames);
                if index == 2 {
                    let samples = hop.channels_mut().flatten();
                    samples.for_each(|sample| *sample = amid);
                }
                let mut stems = vec![Planar::zeros(spec.channels, spec.hop_frames); 4];
                stream.separate(&hop, &mut stems).unwrap();
                heard.push(stems);
            }
            heard
        };
        let with_silence = run(0.0);
        for broken in [f32::NAN, f32::INFINITY, -1e30] {
            assert!(run(broken) == with_silence, "{config:?} after {broken}");
        }
        assert!(run(0.1) != with_silence);
    }
}

/// Guards against a level of nothing, or a logarithm of it: a pause must stay finite and bounded,
/// and so must what follows it.
#[test]
fn silence_is_no_danger() {
    for config in small_networks() {
        let network = untrained(&config);
        let hop = network.causal().unwrap().hop_frames() as i64;
        let mix = Tensor::zeros([1, 2, 40 * hop], (Kind::Float, Device::Cpu));
        let quiet = tch::no_grad(|| largest(&network.forward(&mix)));
        assert!(quiet < 1e-2, "{config:?}: {quiet} out of silence");
        let _ = mix.narrow(2, 30 * hop, hop).fill_(0.5);
        let loud = tch::no_grad(|| largest(&network.forward(&mix)));
        assert!(loud < 5.0, "{config:?}: {loud}");
    }
}

/// Guards checkpoints against renamed layers: these are the keys of every file there is.
#[test]
fn weights_are_named_as_the_code_is_built() {
    let demucs = NetworkConfig::LiveDemucs(LiveDemucsConfig {
        depth: 1,
        lstm_layers: 1,
        ..small_demucs()
    });
    let split = NetworkConfig::BandSplit(BandSplitConfig {
        blocks: 1,
        band_bins: vec![20, 20, 25],
        ..small_band_split()
    });
    let lstm = |name: &str| {
        ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|kind| format!("{name}.{kind}_l0"))
    };
    let both = |name: &str| [format!("{name}.weight"), format!("{name}.bias")];
    let names_of = |config: NetworkConfig| {
        let specs = config.parameter_specs().into_iter();
        specs.map(|spec| spec.name).collect::<Vec<_>>()
    };
    let mut expected = Vec::new();
    expected.extend(both("encoder.0.strided"));
    expected.extend(both("encoder.0.rewrite"));
    expected.extend(lstm("lstm"));
    expected.extend(both("decoder.0.rewrite"));
    expected.extend(both("decoder.0.strided"));
    assert_eq!(names_of(demucs), expected);
    let mut expected = Vec::new();
    // Two groups of bands: two of 20 bins, one of 25.
    expected.extend(both("split.0"));
    expected.extend(both("split.1"));
    expected.push("split.level".into());
    expected.extend(both("blocks.0.time.norm"));
    expected.extend(lstm("blocks.0.time.lstm"));
    expected.extend(both("blocks.0.time.linear"));
    expected.extend(both("blocks.0.bands.norm"));
    expected.extend(lstm("blocks.0.bands.lstm"));
    expected.extend(lstm("blocks.0.bands.lstm").map(|name| format!("{name}_reverse")));
    expected.extend(both("blocks.0.bands.linear"));
    expected.extend(both("mask.norm"));
    expected.extend(both("mask.0"));
    expected.extend(both("mask.1"));
    assert_eq!(names_of(split), expected);
}
