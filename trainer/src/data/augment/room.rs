//! A room around a part: the one that rendered songs are mixed in.

use bunri_stream::Planar;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{stereo, within};
use crate::render::dice::Dice;
use crate::render::instruments::{RATE, gain};
use crate::render::mix::reverb::Room;

/// How often and how much; off where left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomConfig {
    /// Share of parts (stems, or the rest of a song) that get one.
    pub probability: f64,
    /// Time to fall by 60 dB, drawn evenly from this range.
    pub decay_seconds: [f32; 2],
    /// The room's level relative to the direct sound, drawn evenly from this range, in dB.
    pub level_db: [f32; 2],
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            decay_seconds: [0.3, 2.0],
            level_db: [-24.0, -8.0],
        }
    }
}

impl RoomConfig {
    /// Adds the room's answer. What sounded before the segment is not heard in it: a stretch that
    /// starts in the middle of a tone starts dry.
    pub(super) fn apply(&self, part: &mut Planar, rate_hz: u32, rng: &mut impl Rng) {
        if !rng.random_bool(self.probability) {
            return;
        }
        // Rooms count in frames of the renderer: at another rate they are as much larger or
        // smaller, with the same decay in seconds.
        let decay_s = within(self.decay_seconds, rng) * rate_hz as f32 / RATE;
        let room = Room::draw(&mut Dice::new(rng.random(), "room"), decay_s);
        let level = gain(within(self.level_db, rng));
        let answer = room.answer(&stereo(part));
        for (channel, wet) in part.channels_mut().zip(&answer) {
            for (sample, wet) in channel.iter_mut().zip(wet) {
                *sample += level * wet;
            }
        }
    }
}
