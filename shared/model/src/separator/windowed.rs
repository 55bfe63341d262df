//! Networks with whole context: window after window, their borders left to the overlap-add.

use std::sync::Arc;
use std::thread;

use bunri_stream::{ChunkPlan, Mode, ModelSpec, Planar, SeparateError, StemModel};
use tch::Device;

use super::{StreamError, tensor_of};
use crate::checkpoint::float_values;
use crate::network::{Network, Window, center_trim};
use crate::run;
use crate::shared_weights::SharedWeights;

/// Sees one chunk at a time and carries nothing from one to the next.
#[derive(Debug)]
pub(super) struct WindowedStream {
    weights: Arc<SharedWeights>,
    spec: ModelSpec,
}

impl WindowedStream {
    pub(super) fn new(weights: Arc<SharedWeights>, mode: Mode) -> Result<Self, StreamError> {
        let spec = stream_spec(weights.network(), mode)?;
        Ok(Self { weights, spec })
    }
}

impl WindowedStream {
    /// The weights that it shares.
    pub(super) fn weights(&self) -> &Arc<SharedWeights> {
        &self.weights
    }

    /// Separates chunks of any streams with these weights and this window.
    pub(super) fn run<'a>(
        &self,
        chunks: &[&Planar],
        stems: impl Iterator<Item = &'a mut [Planar]>,
    ) -> Result<(), SeparateError> {
        let frames = self.spec.chunk_frames;
        let separated = self.separate_samples(chunks)?;
        let kept = separated.len() / (chunks.len() * self.spec.stems.len() * self.spec.channels);
        let start = (frames - kept) / 2;
        let channels = stems.flatten().flat_map(Planar::channels_mut);
        for (channel, samples) in channels.zip(separated.chunks_exact(kept)) {
            channel.fill(0.0);
            channel[start..start + kept].copy_from_slice(samples);
        }
        Ok(())
    }
}

impl WindowedStream {
    /// The samples of `[chunks, stems, channels, output]`. Where a batch is too much for the
    /// device's memory, its halves are tried one after the other.
    fn separate_samples(&self, chunks: &[&Planar]) -> Result<Vec<f32>, SeparateError> {
        let mix = tensor_of(chunks.iter().copied())
            .map_err(|error| SeparateError::Model(error.to_string()))?;
        let frames = self.spec.chunk_frames as i64;
        let together = |network: &dyn Network| {
            let output = network.forward(&mix.f_to_device(network.device())?);
            let kept = output.size()[3].min(frames);
            Ok(float_values(&center_trim(&output, kept)))
        };
        if chunks.len() == 1 {
            return self.weights.run(together);
        }
        match run::guarded(|| together(self.weights.network())) {
            Ok(samples) => Ok(samples),
            Err(reason) if run::is_out_of_memory(&reason) => {
                let (first, second) = chunks.split_at(chunks.len() / 2);
                let mut samples = self.separate_samples(first)?;
                samples.extend(self.separate_samples(second)?);
                Ok(samples)
            }
            // A device that is lost, or a fault of the network: as for a single chunk.
            Err(_) => self.weights.run(together),
        }
    }
}

impl WindowedStream {
    /// Each chunk on a core of its own, and to the very bits that it has alone there.
    ///
    /// Cores that share a chunk wait for each other after every operation, and all of them for one that
    /// another program is busy on: where that was measured, two cores took more than twice as long
    /// together as side by side.
    fn run_side_by_side(
        &self,
        chunks: &[Planar],
        stems: &mut [Vec<Planar>],
    ) -> Result<(), SeparateError> {
        let alone = |chunk: &Planar, stems: &mut Vec<Planar>| {
            tch::set_num_threads(1); // of this thread only
            self.run(&[chunk], std::iter::once(stems.as_mut_slice()))
        };
        thread::scope(|scope| {
            let runs: Vec<_> = std::iter::zip(chunks, stems)
                .map(|(chunk, stems)| scope.spawn(move || alone(chunk, stems)))
                .collect();
            runs.into_iter().try_for_each(|run| {
                let panicked = |_| SeparateError::Model("the network panicked".to_owned());
                run.join().map_err(panicked)?
            })
        })
    }
}

/// So many times the latency is enough to show a network: what it has already heard costs no
/// latency, but computing.
const WINDOW_LATENCIES: usize = 3;

fn stream_spec(network: &dyn Network, mode: Mode) -> Result<ModelSpec, StreamError> {
    let signature = network.signature();
    let (window, plan) = match mode {
        Mode::Live => return Err(StreamError::NotCausal),
        Mode::Overlap(overlap) => {
            let window = network.window();
            (window, ChunkPlan::new(window.chunk_frames, overlap)?)
        }
        Mode::Studio { latency_ms } => {
            let latency = (u64::from(latency_ms) * u64::from(signature.rate_hz) / 1000) as usize;
            let usual = network.window().chunk_frames;
            let window = network.window_of(usual.min(WINDOW_LATENCIES * latency).max(latency));
            let plan = ChunkPlan::within_latency(window.chunk_frames, latency)?;
            (window, plan)
        }
    };
    let Window {
        chunk_frames: chunk,
        output_frames,
    } = window;
    let needed = (chunk - output_frames).div_ceil(2);
    let got = plan.left_context_frames().min(plan.right_context_frames());
    if got < needed {
        return Err(StreamError::Context {
            needed,
            got,
            chunk,
            mode,
        });
    }
    Ok(ModelSpec {
        rate_hz: signature.rate_hz,
        channels: signature.channels,
        stems: signature.stems,
        chunk_frames: plan.chunk_frames,
        hop_frames: plan.hop_frames,
        lookahead_frames: plan.lookahead_frames,
        crossfade_frames: plan.crossfade_frames,
    }
    .validated()?)
}

impl StemModel for WindowedStream {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        self.spec.check_shapes(chunk, stems)?;
        self.run(&[chunk], std::iter::once(stems))
    }

    fn separate_batch(
        &mut self,
        chunks: &[Planar],
        stems: &mut [Vec<Planar>],
    ) -> Result<(), SeparateError> {
        for (chunk, stems) in chunks.iter().zip(&*stems) {
            self.spec.check_shapes(chunk, stems)?;
        }
        if self.weights.network().device() == Device::Cpu {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            return std::iter::zip(chunks.chunks(cores), stems.chunks_mut(cores))
                .try_for_each(|(chunks, stems)| self.run_side_by_side(chunks, stems));
        }
        self.run(
            &chunks.iter().collect::<Vec<_>>(),
            stems.iter_mut().map(Vec::as_mut_slice),
        )
    }

    fn reset(&mut self) {
        // Weights and spec only: nothing is carried from chunk to chunk.
        let Self {
            weights: _,
            spec: _,
        } = self;
    }
}
