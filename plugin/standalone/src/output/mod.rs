//! Where it is heard.
//!
//! - `clock`: nowhere; time passes all the same.
//! - `pipe`: through the system's own player (`pw-cat`, `pacat` or `aplay`), which has to be there
//!   when it is run, not when it is built.
//! - `device`: JACK and ALSA, with the feature `audio`.

mod clock;
#[cfg(feature = "audio")]
mod device;
mod pipe;

use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;

use crate::control::Player;

/// Frames that are played at a time where nobody else decides.
const BLOCK_FRAMES: usize = 512;

/// Where it shall be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// The first of the others that works.
    #[default]
    Auto,
    /// JACK, or PipeWire in its place.
    #[cfg(feature = "audio")]
    Jack,
    /// ALSA.
    #[cfg(feature = "audio")]
    Alsa,
    /// pw-cat, pacat or aplay, the first that is there.
    Pipe,
    /// Nowhere: for machines without sound.
    None,
}

/// What is to be seen of an output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<(String, Option<String>)>>);

impl Told {
    /// Its name, and what is wrong with it.
    pub(crate) fn get(&self) -> (String, Option<String>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, name: &str, problem: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (name.to_owned(), problem);
    }
}

/// An output that was found, and does not play yet.
pub(crate) struct Output {
    pub(crate) rate_hz: u32,
    pub(crate) told: Told,
    start: Start,
}

type Start = Box<dyn FnOnce(Player, Told) -> Result<Running, String>>;

/// An output that plays. Dropping it ends it.
pub(crate) type Running = Box<dyn std::any::Any>;

impl Output {
    /// Plays from now on.
    ///
    /// # Errors
    /// What is wrong, in words for the user.
    pub(crate) fn start(self) -> impl FnOnce(Player) -> Result<Running, String> {
        move |player| (self.start)(player, self.told)
    }
}

/// Finds an output; at `rate_hz`, where it is free to choose.
///
/// # Errors
/// What is missing, in words for the user.
pub(crate) fn find(choice: Choice, rate_hz: u32) -> Result<Output, String> {
    match choice {
        Choice::None => Ok(clock::output(rate_hz)),
        Choice::Pipe => pipe::output(rate_hz),
        #[cfg(feature = "audio")]
        Choice::Jack => device::output(cpal::HostId::Jack),
        #[cfg(feature = "audio")]
        Choice::Alsa => device::output(cpal::HostId::Alsa),
        Choice::Auto => {
            #[cfg(feature = "audio")]
            let found = device::output(cpal::HostId::Jack)
                .or_else(|_| device::output(cpal::HostId::Alsa))
                .or_else(|_| pipe::output(rate_hz));
            #[cfg(not(feature = "audio"))]
            let found = pipe::output(rate_hz);
            Ok(found.unwrap_or_else(|_| clock::output(rate_hz)))
        }
    }
}
