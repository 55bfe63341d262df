//! One endless stream through a model, at whatever rate the host or the file has.

use crate::consistency::{residual_share, share_residual};
use crate::frame_queue::FrameQueue;
use crate::streaming::check_shapes;
use crate::{
    ModelSpec, Planar, RateConverter, RateError, SeparateError, SpecError, StemModel,
    StreamingSeparator,
};

/// How a [`HostSeparator`] goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostOptions {
    /// Whether the stems are corrected to add up to the delayed input
    /// ([`share_residual`]).
    pub consistency: bool,
    /// Chunks shown to the model at a time ([`StreamingSeparator::batched`]): 1 for the least
    /// latency, and for the very bits that everybody else gets.
    pub batch: usize,
}

impl Default for HostOptions {
    /// With mixture consistency: people expect stems that null against the original.
    fn default() -> Self {
        Self {
            consistency: true,
            batch: 1,
        }
    }
}

/// Why a stream at a host's rate cannot be started.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum HostError {
    /// The model's spec contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The host's rate and the model's are too far apart.
    #[error(transparent)]
    Rate(#[from] RateError),
}

/// Streams audio at the host's rate through a [`StemModel`]: converts the rate, separates,
/// converts back, and makes the stems add up to the input. All its counts are host frames.
///
/// - When `n` frames have been pushed, at least `n - collect_frames()` have come out.
/// - Frame `i` of what comes out is the content of input frame `i - delay_frames()`, exactly: both
///   conversions know the time of every frame as a fraction, and the second one starts where the
///   whole delay is a whole number of host frames.
/// - How the input is cut into blocks changes no bit.
/// - At the model's own rate nothing is converted, and without consistency the model's output
///   comes out bit by bit.
///
/// Not for audio threads: it allocates, and so may the model, which may block as well.
#[derive(Debug)]
pub struct HostSeparator<M> {
    separator: StreamingSeparator<M>,
    rates: Option<Rates>,
    /// Input that has not come out yet, `delay_frames()` of silence before it; only kept for
    /// consistency.
    dry: Option<FrameQueue>,
    delay: usize,
    collect: usize,
    reach: usize,
    pushed: u64,
    emitted: u64,
}

/// When chunks that wait for others to fill their batch are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// Once there are enough of them.
    Full,
    /// At once: no more will come.
    Last,
}

/// The way to the model's rate and back, with the audio in between.
#[derive(Debug)]
struct Rates {
    to_model: RateConverter,
    model_input: Planar,
    model_stems: Vec<Planar>,
    /// One for each stem.
    to_host: Vec<RateConverter>,
}

impl<M: StemModel> HostSeparator<M> {
    /// Starts a stream at `host_rate_hz` through `model`, which should be new or reset.
    ///
    /// # Errors
    /// [`HostError`] if the model's spec contradicts itself, or its rate and the host's are a
    /// factor of 64 or more apart.
    pub fn new(model: M, host_rate_hz: u32, options: HostOptions) -> Result<Self, HostError> {
        let separator = StreamingSeparator::batched(model, options.batch)?;
        let spec = separator.spec();
        let (rates, delay, collect, reach) = if host_rate_hz == spec.rate_hz {
            let delay = separator.delay_frames();
            (None, delay, separator.collect_frames(), delay)
        } else {
            let to_model = RateConverter::new(host_rate_hz, spec.rate_hz, spec.channels)?;
            let to_host = RateConverter::new(spec.rate_hz, host_rate_hz, spec.channels)?;
            // Model frames to host frames, rounded down.
            let (up, down) = to_host.ratio();
            let in_host_frames = |model_frames: usize| model_frames * up / down;
            // A frame comes out of `to_host` when the model's stream has come this far beyond it:
            let behind = separator.delay_frames() + to_host.lookahead_frames();
            let delay = in_host_frames(behind);
            // One hop before that, and one lookahead of `to_model`, it may just have missed a hop.
            let latency =
                in_host_frames(separator.collect_frames() + behind) + to_model.lookahead_frames();
            // A frame of the model's spreads as far ahead as frames behind it are needed.
            let reach = delay + in_host_frames(to_host.lookahead_frames()) + 1;
            let to_host = to_host.shifted(separator.delay_frames(), delay, spec.channels);
            let rates = Rates {
                to_model,
                model_input: Planar::zeros(spec.channels, 0),
                model_stems: Vec::new(),
                to_host: vec![to_host; spec.stems.len()],
            };
            (Some(rates), delay, latency - delay, reach)
        };
        let dry = options
            .consistency
            .then(|| FrameQueue::with_silence(spec.channels, delay));
        Ok(Self {
            separator,
            rates,
            dry,
            delay,
            collect,
            reach,
            pushed: 0,
            emitted: 0,
        })
    }

    /// Takes `input` and appends every frame that became known to each of `stems` (which are
    /// created if there are none).
    ///
    /// # Errors
    /// As [`StreamingSeparator::push`]: wrong shapes before anything has happened, and a failure
    /// of the model after the stream has advanced over all of `input` as if the model had returned
    /// silence. With consistency, even then the stems add up: each has an equal share of the
    /// input, so that whoever plays all of them hears no gap.
    pub fn push(&mut self, input: &Planar, stems: &mut Vec<Planar>) -> Result<(), SeparateError> {
        self.push_batch(input, stems, Batch::Full)
    }

    fn push_batch(
        &mut self,
        input: &Planar,
        stems: &mut Vec<Planar>,
        batch: Batch,
    ) -> Result<(), SeparateError> {
        let (new_frames, result) = self.advance(input, stems, batch)?;
        if let Some(dry) = &mut self.dry {
            share_residual(dry.take_front(new_frames), stems);
        }
        result
    }

    /// As [`push`](Self::push), but leaves the stems as the model made them. Overwrites `residual`
    /// with what consistency adds to every stem over the frames that were appended: added to all of
    /// them it gives the very bits of `push`. Without consistency it is silence.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_apart(
        &mut self,
        input: &Planar,
        stems: &mut Vec<Planar>,
        residual: &mut Planar,
    ) -> Result<(), SeparateError> {
        let (new_frames, result) = self.advance(input, stems, Batch::Full)?;
        *residual = match &mut self.dry {
            Some(dry) => residual_share(dry.take_front(new_frames), stems),
            None => Planar::zeros(self.separator.spec().channels, new_frames),
        };
        result
    }

    /// Takes `input`, appends to the stems, and returns by how many frames, with the model's word.
    ///
    /// # Errors
    /// Wrong shapes, before anything has happened.
    fn advance(
        &mut self,
        input: &Planar,
        stems: &mut Vec<Planar>,
        batch: Batch,
    ) -> Result<(usize, Result<(), SeparateError>), SeparateError> {
        check_shapes(self.separator.spec(), input, stems)?;
        let old_frames = stems.first().map_or(0, Planar::frames);
        let result = match &mut self.rates {
            None => feed(&mut self.separator, input, stems, batch),
            Some(rates) => rates.push(&mut self.separator, input, stems, batch),
        };
        let new_frames = stems.first().map_or(0, Planar::frames) - old_frames;
        self.pushed += input.frames() as u64;
        self.emitted += new_frames as u64;
        if let Some(dry) = &mut self.dry {
            dry.push(input);
        }
        Ok((new_frames, result))
    }

    /// Ends the stream as if silence followed, and appends what was still inside: in all,
    /// `delay_frames()` frames more than were pushed have then come out. Afterwards the separator
    /// is [`reset`](Self::reset).
    ///
    /// # Errors
    /// As [`push`](Self::push), the first of them; the stream is then ended nevertheless.
    pub fn flush(&mut self, stems: &mut Vec<Planar>) -> Result<(), SeparateError> {
        let channels = self.spec().channels;
        check_shapes(self.spec(), &Planar::zeros(channels, 0), stems)?;
        let enough = self.pushed + self.delay as u64;
        let missing = (enough - self.emitted) as usize;
        let lengths: Vec<_> = stems.iter().map(|stem| stem.frames() + missing).collect();
        let (up, down) = match &self.rates {
            Some(rates) => rates.to_host[0].ratio(),
            None => (1, 1),
        };
        let in_host_frames = |model_frames: usize| (model_frames * up).div_ceil(down);
        let silence = Planar::zeros(channels, in_host_frames(self.spec().hop_frames));
        let nothing = Planar::zeros(channels, 0);
        let mut result = Ok(());
        // A hop of silence at a time, and not a whole batch: a chunk that nothing needs would be
        // separated like any other.
        while self.emitted < enough {
            let waiting = in_host_frames(self.separator.waiting_frames()) as u64;
            let pushed = if waiting > 0 && self.emitted + waiting >= enough {
                self.push_batch(&nothing, stems, Batch::Last)
            } else {
                self.push(&silence, stems)
            };
            result = result.and(pushed); // keeps the first error
        }
        for (stem, frames) in stems.iter_mut().zip(lengths) {
            stem.resize_frames(frames);
        }
        self.reset();
        result
    }

    /// Forgets the stream, not the model's weights: afterwards the separator is like a new one.
    pub fn reset(&mut self) {
        let Self {
            separator,
            rates,
            dry,
            delay,
            collect: _,
            reach: _,
            pushed,
            emitted,
        } = self;
        separator.reset();
        if let Some(Rates {
            to_model,
            model_input: _,
            model_stems: _,
            to_host,
        }) = rates
        {
            to_model.reset();
            to_host.iter_mut().for_each(RateConverter::reset);
        }
        if let Some(dry) = dry {
            dry.reset(*delay);
        }
        *pushed = 0;
        *emitted = 0;
    }

    /// The model's spec; its frames are at the model's rate.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        self.separator.spec()
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &M {
        self.separator.model()
    }

    /// Ends the stream and gives the model back, to be reset before it is used again.
    #[must_use]
    pub fn into_model(self) -> M {
        self.separator.into_model()
    }

    /// How many frames the output can be shorter than the input: a hop and what the first
    /// conversion must see ahead.
    #[must_use]
    pub fn collect_frames(&self) -> usize {
        self.collect
    }

    /// How far the output's content lies behind the input's: the model's lookahead and what the
    /// second conversion must see ahead.
    #[must_use]
    pub fn delay_frames(&self) -> usize {
        self.delay
    }

    /// How far the present may reach: what the model makes when `n` frames have been pushed changes no
    /// frame of the output from `n + reach_frames()` on.
    #[must_use]
    pub fn reach_frames(&self) -> usize {
        self.reach
    }

    /// The delay of someone who takes out a frame for every frame put in: collect and delay.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.collect + self.delay
    }

    /// Chunks since the beginning of the stream that the model failed to separate.
    #[must_use]
    pub fn failed_chunks(&self) -> u64 {
        self.separator.failed_chunks()
    }
}

impl Rates {
    fn push<M: StemModel>(
        &mut self,
        separator: &mut StreamingSeparator<M>,
        input: &Planar,
        stems: &mut [Planar],
        batch: Batch,
    ) -> Result<(), SeparateError> {
        let Self {
            to_model,
            model_input,
            model_stems,
            to_host,
        } = self;
        model_input.resize_frames(0);
        for stem in &mut *model_stems {
            stem.resize_frames(0);
        }
        to_model.push(input, model_input);
        let result = feed(separator, model_input, model_stems, batch);
        for ((converter, from), to) in to_host.iter_mut().zip(model_stems).zip(stems) {
            converter.push(from, to);
        }
        result
    }
}

/// Pushes `input`, and with [`Batch::Last`] separates all that waits.
fn feed<M: StemModel>(
    separator: &mut StreamingSeparator<M>,
    input: &Planar,
    stems: &mut Vec<Planar>,
    batch: Batch,
) -> Result<(), SeparateError> {
    let result = separator.push(input, stems);
    match batch {
        Batch::Full => result,
        Batch::Last => result.and(separator.separate_waiting(stems)), // keeps the first error
    }
}
