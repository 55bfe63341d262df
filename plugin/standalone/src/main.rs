//! Bunri without a DAW: plays a file through the plugin, with its editor.
//!
//! ```text
//! file ─ deck (decoder thread) ─ ring → rig: the plugin (audio thread) → output
//! window ─ editor::connect ─ the plugin's monitor, settings and parameters
//! control thread ─ activates the plugin, and again when another mode wants another latency
//! ```
//!
//! - [`deck`]: the file; [`rig`]: the plugin that it plays through; [`control`]: who has the plugin.
//! - [`output`]: where it is heard; [`app`]: the window; [`foreign`]: what a host does unsafely.

mod app;
mod control;
mod deck;
mod foreign;
mod output;
mod rig;

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Parser;

use crate::app::Window;
use crate::control::Control;
use crate::deck::Deck;
use crate::rig::Rig;

/// Play a file through Bunri, and hear, see and mix its stems.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// An audio file to begin with: wav, flac, mp3, ogg, m4a, aiff.
    file: Option<PathBuf>,
    /// Where it is heard.
    #[arg(long, value_enum, default_value_t)]
    output: output::Choice,
    /// Sample rate in Hz, where the output is free to choose.
    #[arg(long, default_value_t = 44_100, value_parser = clap::value_parser!(u32).range(22_050..=192_000))]
    rate: u32,
    /// Begin again at the end.
    #[arg(long = "loop")]
    looping: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let output =
        output::find(arguments.output, arguments.rate).map_err(|problem| anyhow!(problem))?;
    let rate_hz = output.rate_hz;
    let told = output.told.clone();
    let (deck, pickup) = Deck::new(rate_hz).context("no thread to decode on")?;
    deck.repeat(arguments.looping);
    if let Some(file) = &arguments.file {
        deck.open(file);
        deck.play(true);
    }
    let rig = Rig::new(pickup, rate_hz);
    let window = Window::new(rig.params(), rig.monitor(), deck, told, rate_hz);
    let (control, player) = Control::start(rig).context("no thread to activate the plugin on")?;
    let running = output.start()(player).map_err(|problem| anyhow!(problem))?;
    let shown = window.run();
    drop(running);
    drop(control);
    shown.map_err(|error| anyhow!("the editor needs X11 and OpenGL: {error}"))
}
