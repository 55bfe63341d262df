//! Models whose stems are known, and a host that plays into a link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bunri_plugin::exchange::{HostBlock, HostSetup, STEM_NAMES, STEMS};
use bunri_plugin::link::{AudioLink, Controls};
use bunri_plugin::monitor::{Monitor, Phase};
use bunri_plugin::opener::Informed;
use bunri_plugin::separation::{Fitting, Separation};
use bunri_stream::engine::ModelFacts;
use bunri_stream::{ModelSpec, Planar, SeparateError, StemModel};
use crossbeam_channel::Receiver;
use nice_assert_no_alloc::assert_no_alloc;

/// Its stems are these parts of the input, in the order of the buses.
pub(crate) const PARTS: [f32; STEMS] = [0.125, 0.25, 0.5, 0.125];

/// Controls that change nothing.
pub(crate) const NEUTRAL: Controls = Controls::NEUTRAL;

/// Makes fixed parts of what it hears; can be stopped, slowed down and broken.
pub(crate) struct FakeModel {
    pub(crate) spec: ModelSpec,
    pub(crate) chunks_seen: usize,
    /// Before its `n`th chunk it waits for a message, or for the sender to go.
    pub(crate) gate: Option<(usize, Receiver<()>)>,
    /// Time for one chunk.
    pub(crate) compute: Duration,
    /// From this chunk on it fails.
    pub(crate) fails_from: usize,
    /// What it says then.
    pub(crate) failure: &'static str,
    /// Factor for all stems.
    pub(crate) loudness: f32,
    /// Its `n`th chunk, and none after a reset, comes out as NaN for as long as it lives.
    pub(crate) sick_from: usize,
    /// Whether it is.
    pub(crate) sick: bool,
    /// From this chunk on it says that it lost a device.
    pub(crate) falls_back_at: usize,
    /// Chunks that all who share this have separated.
    pub(crate) separated: Arc<AtomicUsize>,
}

impl FakeModel {
    /// At 48 kHz; stems in another order than the buses.
    pub(crate) fn new(hop_frames: usize) -> Self {
        let stems = STEM_NAMES
            .iter()
            .rev()
            .map(|name| name.to_string())
            .collect();
        Self {
            spec: ModelSpec {
                rate_hz: 48_000,
                channels: 2,
                stems,
                chunk_frames: hop_frames,
                hop_frames,
                lookahead_frames: 0,
                crossfade_frames: 0,
            },
            chunks_seen: 0,
            gate: None,
            compute: Duration::ZERO,
            fails_from: usize::MAX,
            failure: "the lights went out",
            loudness: 1.0,
            sick_from: usize::MAX,
            sick: false,
            falls_back_at: usize::MAX,
            separated: Arc::default(),
        }
    }
}

impl StemModel for FakeModel {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        if let Some((at, gate)) = &self.gate
            && *at == self.chunks_seen
        {
            let _ = gate.recv();
        }
        self.chunks_seen += 1;
        self.separated.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.compute);
        if self.chunks_seen > self.fails_from {
            return Err(SeparateError::Model(self.failure.into()));
        }
        if self.chunks_seen == self.sick_from {
            self.sick = true;
        }
        let loudness = if self.sick { f32::NAN } else { self.loudness };
        for (stem, part) in stems.iter_mut().zip(PARTS.iter().rev()) {
            for (to, from) in stem.channels_mut().zip(chunk.channels()) {
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, from)| *to = loudness * part * from);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.sick = false;
    }
}

impl Informed for FakeModel {
    fn facts(&self) -> Option<ModelFacts> {
        Some(ModelFacts {
            device: "fake:0".into(),
            notice: (self.chunks_seen >= self.falls_back_at).then(|| "fake:1 was lost".into()),
            weights_bytes: 7,
        })
    }
}

/// What came out of the five buses, left channels; the right ones are their negatives.
#[derive(Default)]
pub(crate) struct Played {
    pub(crate) main: Vec<f32>,
    pub(crate) stems: [Vec<f32>; STEMS],
}

/// Starts a separation by `model`.
pub(crate) fn start(host: HostSetup, model: FakeModel) -> (Separation<FakeModel>, AudioLink) {
    let model = Fitting::new(model).expect("a fake that fits");
    Separation::start(
        host,
        Some(model),
        Phase::Loading,
        Arc::new(Monitor::default()),
    )
}

/// Plays one block, its negative on the right, with no allocation allowed. Returns whether the right
/// channels were the negatives of the left ones.
pub(crate) fn play_block(
    link: &mut AudioLink,
    input: &[f32],
    controls: Controls,
    played: &mut Played,
) -> bool {
    let mut left = input.to_vec();
    let mut right: Vec<f32> = input.iter().map(|sample| -sample).collect();
    // Stale data, as hosts leave in their buffers.
    let mut stems = [(); STEMS].map(|()| [(); 2].map(|()| vec![0.7_f32; input.len()]));
    let buses = stems
        .each_mut()
        .map(|bus| bus.each_mut().map(Vec::as_mut_slice));
    assert_no_alloc(|| {
        link.process(
            [&mut left, &mut right],
            buses,
            &controls,
            HostBlock::default(),
        )
    });
    let mirrored = stems
        .iter()
        .map(|[left, right]| [left, right])
        .chain([[&left, &right]])
        .all(|[left, right]| left.iter().zip(right).all(|(left, right)| *left == -right));
    played.main.extend(&left);
    for (played, [left, _]) in played.stems.iter_mut().zip(&stems) {
        played.extend(left);
    }
    mirrored
}

/// What came out of the five buses, both channels of each.
pub(crate) struct Buses {
    pub(crate) main: [Vec<f32>; 2],
    pub(crate) stems: [[Vec<f32>; 2]; STEMS],
}

/// Plays two different channels in blocks as fast as it goes, with no allocation allowed.
pub(crate) fn play_stereo(
    link: &mut AudioLink,
    input: [&[f32]; 2],
    block_frames: usize,
    controls: &Controls,
) -> Buses {
    let mut main = input.map(<[f32]>::to_vec);
    let mut stems = [(); STEMS].map(|()| [(); 2].map(|()| vec![0.7_f32; input[0].len()]));
    let [left, right] = &mut main;
    let mut left = left.chunks_mut(block_frames);
    let mut right = right.chunks_mut(block_frames);
    let mut parts = stems.each_mut().map(|bus| {
        bus.each_mut()
            .map(|channel| channel.chunks_mut(block_frames))
    });
    while let (Some(left), Some(right)) = (left.next(), right.next()) {
        let buses = parts.each_mut().map(|bus| {
            bus.each_mut()
                .map(|channel| channel.next().expect("as long"))
        });
        assert_no_alloc(|| link.process([left, right], buses, controls, HostBlock::default()));
    }
    Buses { main, stems }
}

/// Plays `input` in blocks as fast as it goes.
pub(crate) fn play(link: &mut AudioLink, input: &[f32], block_frames: usize, played: &mut Played) {
    for block in input.chunks(block_frames) {
        assert!(play_block(link, block, NEUTRAL, played));
    }
}

/// Plays like a sound card: no block before its time.
pub(crate) struct Live {
    pub(crate) rate_hz: u32,
    pub(crate) started: Instant,
    pub(crate) frames: usize,
}

impl Live {
    pub(crate) fn play(
        &mut self,
        link: &mut AudioLink,
        input: &[f32],
        block_frames: usize,
        played: &mut Played,
    ) {
        self.play_with(link, input, block_frames, NEUTRAL, played);
    }

    pub(crate) fn play_with(
        &mut self,
        link: &mut AudioLink,
        input: &[f32],
        block_frames: usize,
        controls: Controls,
        played: &mut Played,
    ) {
        for block in input.chunks(block_frames) {
            let due = Duration::from_secs_f64(self.frames as f64 / f64::from(self.rate_hz));
            std::thread::sleep(due.saturating_sub(self.started.elapsed()));
            // A sound card that was not fed in time goes on from there; it never catches up.
            let late = self.started.elapsed().saturating_sub(due);
            if late > Duration::from_millis(20) {
                self.started += late;
            }
            self.frames += block.len();
            assert!(play_block(link, block, controls, played));
        }
    }
}

/// Noise between -0.5 and 0.5, the same every time, never zero.
pub(crate) fn noise(frames: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8 | 1) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..frames).map(next).collect()
}

/// `input` as it must come out: `latency_frames` later, cut to the same length.
pub(crate) fn delayed(input: &[f32], latency_frames: usize) -> Vec<f32> {
    let silence = std::iter::repeat_n(0.0, latency_frames);
    silence
        .chain(input.iter().copied())
        .take(input.len())
        .collect()
}

/// Panics at the first frame where two streams differ.
pub(crate) fn assert_same(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    for (frame, (got, expected)) in got.iter().zip(expected).enumerate() {
        let near = (got - expected).abs() <= tolerance;
        assert!(near, "{what}: frame {frame} is {got}, not {expected}");
    }
}
