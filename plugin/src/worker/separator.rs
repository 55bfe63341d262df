//! A model that is open, fits the buses and streams at the host's rate.

use std::time::Duration;

use bunri_stream::engine::ModelFacts;
use bunri_stream::{HostOptions, HostSeparator, ModelSpec, Planar, SeparateError, StemModel};

use super::watched::Watched;
use crate::exchange::{CHANNELS, HostSetup, STEM_NAMES, STEMS, StemSamples, Timing};
use crate::opener::Informed;

/// A model that was opened and fits the buses, but has no host yet. Its first chunk is behind it:
/// that takes a model several times longer than any later one, and would otherwise be a sure
/// dropout in a host that plays.
#[derive(Debug)]
pub struct Fitting<M> {
    model: M,
    /// Position in the model's stems for each stem bus.
    order: [usize; STEMS],
}

impl<M: StemModel> Fitting<M> {
    /// Shows the model its first chunk, of silence.
    ///
    /// # Errors
    /// A sentence for the user, where the model cannot serve this plugin.
    pub fn new(mut model: M) -> Result<Self, String> {
        let spec = model.spec();
        if spec.channels != CHANNELS {
            return Err(format!(
                "the model separates {} channels, this plugin needs one for {CHANNELS}",
                spec.channels
            ));
        }
        let position = |name: &str| spec.stems.iter().position(|stem| stem == name);
        let order = STEM_NAMES.map(position);
        let [Some(drums), Some(bass), Some(other), Some(vocals)] = order else {
            return Err(format!(
                "the model makes the stems {}, this plugin needs one that makes {}",
                spec.stems.join(", "),
                STEM_NAMES.join(", ")
            ));
        };
        let silence = Planar::zeros(spec.channels, spec.chunk_frames);
        let mut stems = vec![silence.clone(); spec.stems.len()];
        model
            .separate(&silence, &mut stems)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            model,
            order: [drums, bass, other, vocals],
        })
    }

    /// The model's spec.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }
}

/// Streams host frames through a model.
#[derive(Debug)]
pub(crate) struct Separator<M> {
    stream: HostSeparator<Watched<M>>,
    order: [usize; STEMS],
    timing: Timing,
    /// Reused from push to push.
    stems: Vec<Planar>,
    residual: Planar,
}

impl<M: StemModel + Informed> Fitting<M> {
    /// What the model can tell.
    pub(crate) fn facts(&self) -> Option<ModelFacts> {
        self.model.facts()
    }
}

impl<M: StemModel + Informed> Separator<M> {
    /// What the model can tell.
    pub(crate) fn facts(&self) -> Option<ModelFacts> {
        self.stream.model().model.facts()
    }
}

impl<M: StemModel> Separator<M> {
    /// # Errors
    /// A sentence for the user, where the model cannot serve this host.
    pub(crate) fn new(fitting: Fitting<M>, host: &HostSetup) -> Result<Self, String> {
        let Fitting { mut model, order } = fitting;
        model.reset();
        let spec = model.spec();
        let hop_frames = (spec.hop_frames as u64 * u64::from(host.rate_hz))
            .div_ceil(u64::from(spec.rate_hz)) as usize;
        // Live, a hop has as long as the next one takes to arrive. Offline nobody waits, and every
        // render must give the same bits.
        let hop_seconds = spec.hop_frames as f64 / f64::from(spec.rate_hz);
        model.set_budget((!host.offline).then(|| Duration::from_secs_f64(hop_seconds)));
        let options = HostOptions::default();
        let stream = HostSeparator::new(Watched::new(model), host.rate_hz, options)
            .map_err(|error| error.to_string())?;
        let timing = Timing {
            collect_frames: stream.collect_frames(),
            delay_frames: stream.delay_frames(),
            budget_frames: hop_frames.max(host.max_block_frames),
        };
        Ok(Self {
            stream,
            order,
            timing,
            stems: Vec::new(),
            residual: Planar::zeros(CHANNELS, 0),
        })
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }

    /// As [`HostSeparator::reach_frames`].
    pub(crate) fn reach_frames(&self) -> usize {
        self.stream.reach_frames()
    }

    /// Takes a block of input and appends the stems that became known to `frames`. With
    /// `resting`, silence stands for what the model would add to them.
    ///
    /// # Errors
    /// What the model says, with the number of chunks that failed; the stream has advanced over
    /// them nevertheless, as if the model had returned silence.
    pub(crate) fn push(
        &mut self,
        block: &Planar,
        resting: bool,
        frames: &mut Vec<StemSamples>,
    ) -> Result<(), (SeparateError, u64)> {
        self.stream.model().rest(resting);
        let failed_before = self.stream.failed_chunks();
        for stem in &mut self.stems {
            stem.resize_frames(0);
        }
        let result = self
            .stream
            .push_apart(block, &mut self.stems, &mut self.residual);
        let start = frames.len();
        let known = self.stems.first().map_or(0, Planar::frames);
        frames.resize(start + known, StemSamples::default());
        let Some(frames) = frames.get_mut(start..) else {
            return Ok(());
        };
        for (bus, &stem) in self.order.iter().enumerate() {
            for (channel, samples) in self.stems[stem].channels().enumerate() {
                for (frame, &sample) in frames.iter_mut().zip(samples) {
                    frame.raw[bus][channel] = flushed(sample);
                }
            }
        }
        for (channel, samples) in self.residual.channels().enumerate() {
            for (frame, &sample) in frames.iter_mut().zip(samples) {
                frame.residual[channel] = flushed(sample);
            }
        }
        result.map_err(|error| (error, self.stream.failed_chunks() - failed_before))
    }

    /// A new past begins.
    pub(crate) fn reset(&mut self) {
        self.stream.reset();
    }

    /// Gives the model back, for another activation.
    pub(crate) fn into_fitting(self) -> Fitting<M> {
        let Watched { model, .. } = self.stream.into_model();
        Fitting {
            model,
            order: self.order,
        }
    }
}

/// Silence in place of what is denormal, which would be slow to mix.
fn flushed(sample: f32) -> f32 {
    if sample.is_subnormal() { 0.0 } else { sample }
}
