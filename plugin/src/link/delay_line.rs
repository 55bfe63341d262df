//! The dry signal, as late as the stems.

use crate::exchange::CHANNELS;

/// Delays stereo audio by a fixed number of frames.
#[derive(Debug)]
pub struct DelayLine {
    /// `[channel][delay]`, a ring: at `position` lies the oldest frame, the next to come out.
    channels: [Vec<f32>; CHANNELS],
    position: usize,
    /// Frames of silence still to come out before those heard since the reset.
    silent_frames: usize,
}

impl DelayLine {
    /// A delay of `delay_frames`.
    #[must_use]
    pub fn new(delay_frames: usize) -> Self {
        // Not of zeros, which the system would only hand out at the first touch, on the audio thread.
        let touched = || vec![1.0; delay_frames];
        Self {
            channels: [touched(), touched()],
            position: 0,
            silent_frames: delay_frames,
        }
    }

    /// Forgets what it heard. Real-time safe: marks the past as silent instead of clearing it.
    pub fn reset(&mut self) {
        let Self {
            channels,
            position,
            silent_frames,
        } = self;
        *position = 0;
        *silent_frames = channels[0].len();
    }

    /// Exchanges a block for the one from `delay_frames` ago. Real-time safe.
    pub fn process(&mut self, block: &mut [&mut [f32]; CHANNELS]) {
        let Self {
            channels,
            position,
            silent_frames,
        } = self;
        let mut next_position = *position;
        for (line, samples) in channels.iter_mut().zip(block.iter_mut()) {
            next_position = exchange(line, *position, samples);
            let silent = samples.iter_mut().take(*silent_frames);
            silent.for_each(|sample| *sample = 0.0);
        }
        *position = next_position;
        *silent_frames = silent_frames.saturating_sub(block[0].len());
    }
}

/// Swaps `samples` with the ring `line` from `position` on; returns the position after them.
fn exchange(line: &mut [f32], mut position: usize, mut samples: &mut [f32]) -> usize {
    let delay_frames = line.len();
    while !samples.is_empty() && delay_frames > 0 {
        let until_end = samples.len().min(delay_frames - position);
        let (now, later) = samples.split_at_mut(until_end);
        line[position..position + until_end].swap_with_slice(now);
        position = (position + until_end) % delay_frames;
        samples = later;
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(line: &mut DelayLine, input: &[f32], blocks: &[usize]) -> Vec<f32> {
        let (mut left, mut right) = (input.to_vec(), input.to_vec());
        let mut start = 0;
        for &frames in blocks.iter().cycle() {
            let end = (start + frames).min(input.len());
            line.process(&mut [&mut left[start..end], &mut right[start..end]]);
            start = end;
            if start == input.len() {
                break;
            }
        }
        assert_eq!(left, right);
        left
    }

    /// Guards against a dry path that slips by a frame where a block meets the ring's end.
    #[test]
    fn delays_by_exactly_its_length_in_any_blocks() {
        let input: Vec<f32> = (1..=200).map(|n| n as f32).collect();
        for delay in [0, 1, 7, 64, 150] {
            let mut expected = vec![0.0; delay];
            expected.extend(&input[..200 - delay]);
            for blocks in [&[1][..], &[7], &[64, 3], &[200]] {
                let mut line = DelayLine::new(delay);
                assert_eq!(
                    pass(&mut line, &input, blocks),
                    expected,
                    "{delay} {blocks:?}"
                );
                line.reset();
                assert_eq!(
                    pass(&mut line, &input, blocks),
                    expected,
                    "again {delay} {blocks:?}"
                );
            }
        }
    }
}
