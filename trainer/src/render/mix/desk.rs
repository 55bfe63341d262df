//! One stem's channels: every part gets a level, a place and a share of the room.

use super::{levels, reverb::Room};
use crate::render::instruments::{Stereo, gain, silence};

/// A part on its channel.
pub(crate) struct Channel {
    /// Its sound.
    pub(crate) audio: Stereo,
    /// Level while it plays, in dBFS RMS, relative to the stem's other channels.
    pub(crate) level_db: f32,
    /// −1 left to 1 right.
    pub(crate) pan: f32,
    /// 0 mono, 1 as wide as it came, above that wider.
    pub(crate) width: f32,
    /// What goes to the room, in dB relative to the direct sound; below −60 nothing.
    pub(crate) room_db: f32,
}

/// Mixes channels into a stem of `frames`.
pub(crate) fn mix(channels: Vec<Channel>, room: &Room, frames: usize) -> Stereo {
    let mut stem = silence(frames);
    let mut send = silence(frames);
    let mut any_send = false;
    for channel in channels {
        let loudness = levels::active_rms(&channel.audio);
        if loudness <= 0.0 {
            continue;
        }
        let factor = gain(channel.level_db) / loudness;
        // Equal power, unity in the middle.
        let angle = (channel.pan.clamp(-1.0, 1.0) + 1.0) * std::f32::consts::FRAC_PI_4;
        let sides = [angle.cos() * 1.414 * factor, angle.sin() * 1.414 * factor];
        let share = if channel.room_db < -60.0 {
            0.0
        } else {
            gain(channel.room_db)
        };
        any_send |= share > 0.0;
        let [left, right] = &channel.audio;
        for frame in 0..frames {
            let middle = 0.5 * (left[frame] + right[frame]);
            let apart = 0.5 * (left[frame] - right[frame]) * channel.width;
            let placed = [(middle + apart) * sides[0], (middle - apart) * sides[1]];
            for side in 0..2 {
                stem[side][frame] += placed[side];
                send[side][frame] += placed[side] * share;
            }
        }
    }
    if any_send {
        let wet = room.answer(&send);
        for side in 0..2 {
            for (dry, wet) in stem[side].iter_mut().zip(&wet[side]) {
                *dry += wet;
            }
        }
    }
    stem
}
