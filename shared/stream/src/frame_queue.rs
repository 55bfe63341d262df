//! Frames that wait: appended at the back, read and dropped at the front.

use crate::Planar;

/// A first-in, first-out queue of frames, `[channels][frames]`.
///
/// What was dropped is moved over only when it outweighs what is left, so that queues fed one frame
/// at a time do not copy their whole contents every time.
#[derive(Clone, Debug)]
pub(crate) struct FrameQueue {
    channels: Vec<Vec<f32>>,
    dropped: usize,
}

impl FrameQueue {
    /// A queue that holds `frames` frames of silence.
    pub(crate) fn with_silence(channels: usize, frames: usize) -> Self {
        Self {
            channels: vec![vec![0.0; frames]; channels],
            dropped: 0,
        }
    }

    pub(crate) fn frames(&self) -> usize {
        self.channels
            .first()
            .map_or(0, |channel| channel.len() - self.dropped)
    }

    pub(crate) fn push(&mut self, block: &Planar) {
        for (channel, more) in self.channels.iter_mut().zip(block.channels()) {
            channel.extend_from_slice(more);
        }
    }

    /// The waiting frames of one channel, oldest first.
    pub(crate) fn channel(&self, index: usize) -> &[f32] {
        &self.channels[index][self.dropped..]
    }

    /// Drops the oldest frames. Panics if there are fewer.
    pub(crate) fn drop_front(&mut self, frames: usize) {
        assert!(frames <= self.frames());
        self.dropped += frames;
        if self.dropped > self.frames() {
            for channel in &mut self.channels {
                channel.drain(..self.dropped);
            }
            self.dropped = 0;
        }
    }

    /// Takes the oldest frames out. Panics if there are fewer.
    pub(crate) fn take_front(&mut self, frames: usize) -> Planar {
        let mut front = Planar::zeros(self.channels.len(), frames);
        for (index, channel) in front.channels_mut().enumerate() {
            channel.copy_from_slice(&self.channel(index)[..frames]);
        }
        self.drop_front(frames);
        front
    }

    /// Back to `frames` frames of silence, keeping the memory.
    pub(crate) fn reset(&mut self, frames: usize) {
        let Self { channels, dropped } = self;
        *dropped = 0;
        for channel in channels {
            channel.clear();
            channel.resize(frames, 0.0);
        }
    }
}
