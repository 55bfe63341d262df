//! Planar audio: one contiguous buffer per channel, all of one length.

/// A block of audio, `[channels][frames]`, samples nominally in −1..=1.
///
/// Every channel has the same number of frames; the type cannot be built otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planar {
    channels: Vec<Vec<f32>>,
    frames: usize,
}

impl Planar {
    /// Silence of the given shape.
    #[must_use]
    pub fn zeros(channels: usize, frames: usize) -> Self {
        Self {
            channels: vec![vec![0.0; frames]; channels],
            frames,
        }
    }

    /// Takes over channel buffers; `None` if their lengths differ.
    #[must_use]
    pub fn from_channels(channels: Vec<Vec<f32>>) -> Option<Self> {
        let frames = channels.first().map_or(0, Vec::len);
        channels
            .iter()
            .all(|channel| channel.len() == frames)
            .then_some(Self { channels, frames })
    }

    /// Number of channels.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Number of frames (samples per channel).
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The samples of one channel. Panics if there is no such channel.
    #[must_use]
    pub fn channel(&self, index: usize) -> &[f32] {
        &self.channels[index]
    }

    /// The samples of one channel, to write to. Panics if there is no such channel.
    pub fn channel_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.channels[index]
    }

    /// The channels in order.
    pub fn channels(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.channels.iter().map(Vec::as_slice)
    }

    /// The channels in order, to write to.
    pub fn channels_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        self.channels.iter_mut().map(Vec::as_mut_slice)
    }

    /// Gives up the channel buffers.
    #[must_use]
    pub fn into_channels(self) -> Vec<Vec<f32>> {
        self.channels
    }

    /// Changes the length: cuts the end off or appends silence.
    pub fn resize_frames(&mut self, frames: usize) {
        for channel in &mut self.channels {
            channel.resize(frames, 0.0);
        }
        self.frames = frames;
    }

    /// Cuts `frames` frames out from `start`. Panics if they do not exist.
    pub fn remove_frames(&mut self, start: usize, frames: usize) {
        for channel in &mut self.channels {
            channel.drain(start..start + frames);
        }
        self.frames -= frames;
    }

    /// Appends another block. Panics if the channel counts differ.
    pub fn append(&mut self, other: &Planar) {
        assert_eq!(self.channel_count(), other.channel_count());
        for (channel, more) in self.channels.iter_mut().zip(&other.channels) {
            channel.extend_from_slice(more);
        }
        self.frames += other.frames;
    }

    /// Adds another block of the same shape, sample by sample. Panics if the shapes differ.
    pub fn add(&mut self, other: &Planar) {
        assert_eq!(self.channel_count(), other.channel_count());
        assert_eq!(self.frames, other.frames);
        for (channel, more) in self.channels.iter_mut().zip(&other.channels) {
            for (sample, addend) in channel.iter_mut().zip(more) {
                *sample += addend;
            }
        }
    }

    /// A copy of `frames` frames from `start`. Panics if they do not exist.
    #[must_use]
    pub fn slice(&self, start: usize, frames: usize) -> Planar {
        let range = start..start + frames;
        Planar {
            channels: self
                .channels
                .iter()
                .map(|c| c[range.clone()].to_vec())
                .collect(),
            frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_different_lengths_are_refused() {
        assert!(Planar::from_channels(vec![vec![0.0; 3], vec![0.0; 4]]).is_none());
    }

    #[test]
    fn slice_then_append_restores_the_block() {
        let block = Planar::from_channels(vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]]).unwrap();
        let mut joined = block.slice(0, 1);
        joined.append(&block.slice(1, 2));
        assert_eq!(joined, block);
    }
}
