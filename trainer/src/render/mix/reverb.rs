//! A room: feedback delay network of eight lines with a Hadamard matrix and damped highs.

use crate::render::{
    dice::Dice,
    instruments::{RATE, Stereo},
};

const LINES: usize = 8;

/// The settings of a room.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    delays: [usize; LINES],
    feedback: [f32; LINES],
    damping: f32,
    predelay: usize,
    /// Time to fall by 60 dB.
    pub(crate) decay_s: f32,
}

impl Room {
    /// A room of chance with this decay.
    pub(crate) fn draw(dice: &mut Dice, decay_s: f32) -> Self {
        let size = 0.55 + 0.5 * (decay_s / 2.0).min(1.5);
        let base = [29.7, 37.1, 41.1, 43.7, 53.3, 61.7, 71.9, 79.3_f32];
        let delays = base.map(|ms| {
            let drawn = ms * size * dice.between(0.93, 1.07) * 0.001 * RATE;
            drawn as usize | 1
        });
        Self {
            delays,
            feedback: delays.map(|delay| 10.0_f32.powf(-3.0 * delay as f32 / RATE / decay_s)),
            damping: dice.between(0.2, 0.65),
            predelay: (dice.between(0.0, 0.03) * RATE) as usize,
            decay_s,
        }
    }

    /// The room's answer to `send`, without the direct sound; as long as `send`.
    pub(crate) fn answer(&self, send: &Stereo) -> Stereo {
        let frames = send[0].len();
        let mut lines: Vec<Vec<f32>> = self.delays.iter().map(|delay| vec![0.0; *delay]).collect();
        let mut place = [0; LINES];
        let mut damped = [0.0_f32; LINES];
        let mut out = [vec![0.0; frames], vec![0.0; frames]];
        let mut quiet_for = usize::MAX / 2;
        let ring_frames = (self.decay_s * 1.7 * RATE) as usize;
        for frame in 0..frames {
            let (left, right) = match frame.checked_sub(self.predelay) {
                Some(source) => (send[0][source], send[1][source]),
                None => (0.0, 0.0),
            };
            quiet_for = if left == 0.0 && right == 0.0 {
                quiet_for + 1
            } else {
                0
            };
            // Nothing went in for longer than the room rings: it is silent, and costs nothing.
            if quiet_for > ring_frames {
                if quiet_for == ring_frames + 1 {
                    lines.iter_mut().for_each(|line| line.fill(0.0));
                    damped = [0.0; LINES];
                }
                continue;
            }
            for index in 0..LINES {
                let sample = lines[index][place[index]] * self.feedback[index];
                damped[index] += (1.0 - self.damping) * (sample - damped[index]);
            }
            let mut heard = damped;
            out[0][frame] = (heard[0] - heard[2] + heard[4] - heard[6]) * 0.5;
            out[1][frame] = (heard[1] - heard[3] + heard[5] - heard[7]) * 0.5;
            hadamard(&mut heard);
            for index in 0..LINES {
                let input = if index % 2 == 0 { left } else { right };
                lines[index][place[index]] = heard[index] + input * 0.5;
                place[index] += 1;
                if place[index] == self.delays[index] {
                    place[index] = 0;
                }
            }
        }
        out
    }
}

/// Orthogonal mixing in place.
fn hadamard(values: &mut [f32; LINES]) {
    let mut span = 1;
    while span < LINES {
        for start in (0..LINES).step_by(span * 2) {
            for index in start..start + span {
                let (a, b) = (values[index], values[index + span]);
                values[index] = a + b;
                values[index + span] = a - b;
            }
        }
        span *= 2;
    }
    for value in values {
        *value *= 0.353_553_4;
    }
}
