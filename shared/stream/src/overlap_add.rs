//! From the chunks that a model returns to one gapless stream per stem.

use crate::{ModelSpec, Planar};

/// Takes the final frames out of every chunk and fades consecutive chunks into each other.
///
/// The fades are equal-gain (chunks of one recording are alike, not independent): the fade-in is
/// `sin²`, the fade-out is one minus it, and both together are computed as
/// `old + (new - old) * fade_in`, so that two chunks that agree give exactly what they agree on.
/// A model without cross-fade (a causal one) gets its frames through untouched.
#[derive(Clone, Debug)]
pub struct OverlapAdd {
    /// `[crossfade]`, rising.
    fade_in: Vec<f32>,
    /// First frame of a chunk that is used: the beginning of its fade-in.
    start: usize,
    hop: usize,
    /// `[stems]` of `[channels][crossfade]`: what the previous chunk says about the frames that
    /// are faded next, not yet faded.
    previous: Vec<Planar>,
}

impl OverlapAdd {
    /// An overlap-add for a model of this (valid) shape.
    #[must_use]
    pub fn new(spec: &ModelSpec) -> Self {
        let crossfade = spec.crossfade_frames;
        let start = if spec.is_causal() {
            0 // its output is already late by the lookahead: all of a chunk is final
        } else {
            spec.chunk_frames - spec.lookahead_frames - spec.hop_frames
        };
        Self {
            fade_in: (0..crossfade)
                .map(|frame| fade_in_gain(frame, crossfade))
                .collect(),
            start,
            hop: spec.hop_frames,
            previous: vec![Planar::zeros(spec.channels, crossfade); spec.stems.len()],
        }
    }

    /// The gains with which a chunk's frames reach the output, from the first frame used to the
    /// last: fade-in, ones, fade-out.
    #[must_use]
    pub fn window(&self) -> Vec<f32> {
        let fade_out = self.fade_in.iter().map(|gain| 1.0 - gain);
        let flat = std::iter::repeat_n(1.0, self.hop - self.fade_in.len());
        self.fade_in
            .iter()
            .copied()
            .chain(flat)
            .chain(fade_out)
            .collect()
    }

    /// Appends the next hop to every stem of `output`. `chunk` holds what the model made of the
    /// newest chunk, one block per stem, or `None` where it failed: then silence is faded in.
    ///
    /// Panics if shapes differ from the spec.
    pub fn append_hop(&mut self, chunk: Option<&[Planar]>, output: &mut [Planar]) {
        assert_eq!(output.len(), self.previous.len());
        for (stem, output) in output.iter_mut().enumerate() {
            let old_frames = output.frames();
            output.resize_frames(old_frames + self.hop);
            let previous = &mut self.previous[stem];
            let crossfade = self.fade_in.len();
            for (index, kept) in previous.channels_mut().enumerate() {
                let hop = &mut output.channel_mut(index)[old_frames..];
                let fresh = chunk.map(|stems| &stems[stem].channel(index)[self.start..]);
                if let Some(fresh) = fresh {
                    hop.copy_from_slice(&fresh[..self.hop]);
                }
                for ((new, old), gain) in hop.iter_mut().zip(&*kept).zip(&self.fade_in) {
                    *new = old + (*new - old) * gain;
                }
                match fresh {
                    Some(fresh) => kept.copy_from_slice(&fresh[self.hop..][..crossfade]),
                    None => kept.fill(0.0),
                }
            }
        }
    }

    /// Forgets the previous chunk: afterwards the overlap-add is like a new one.
    pub fn reset(&mut self) {
        let Self {
            fade_in: _,
            start: _,
            hop: _,
            previous,
        } = self;
        for channel in previous.iter_mut().flat_map(Planar::channels_mut) {
            channel.fill(0.0);
        }
    }
}

fn fade_in_gain(frame: usize, crossfade: usize) -> f32 {
    let quarter_turns = (frame as f64 + 0.5) / crossfade as f64;
    (quarter_turns * std::f64::consts::FRAC_PI_2).sin().powi(2) as f32
}
