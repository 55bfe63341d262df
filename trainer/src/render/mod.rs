//! `trainer data render` and `trainer data corpus`: songs with separate stems, made from a seed.
//!
//! ```text
//! seed ─ compose (form, chords, notes) ─ band (who plays) ─ instruments (sound) ─ mix ─ song ─ output
//! ```
//!
//! - `compose`: notes and hits, no sound.
//! - `instruments`: soundfont, own synthesizers, drum kits, a singer.
//! - `band`: which instruments a song has, and what they play.
//! - `recorded`: recorded notes, strokes and stems, where given.
//! - `mix`: effects, rooms, levels.
//! - `song`: [`render_song`], the function behind it all.
//! - `output`: folders of stems on disk.
//! - `batch`: many songs at once; [`corpus`]: all songs of a training, by a config file.
//!
//! A song depends on its seed, its length and the sources, on nothing else: not on the number of
//! jobs, nor on the songs before it.

// The two sides of a stereo buffer walk in step, by frame number.
#![allow(clippy::needless_range_loop)]

mod band;
mod batch;
mod collect;
mod compose;
pub mod corpus;
pub(crate) mod dice;
pub(crate) mod instruments;
pub(crate) mod mix;
mod output;
mod recorded;
mod song;
mod sources;

use std::path::PathBuf;

use crate::output::print_line;
use batch::Order;
pub use mix::master::MasterNotes;
pub use output::Format;
pub use song::{RECIPE, RenderedSong, STEMS, SectionNotes, SongNotes, render_song};
pub use sources::Sources;

/// Command line of `trainer data render`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Folder for the songs, one folder each
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of songs
    #[arg(long, default_value_t = 10)]
    pub songs: u64,
    /// Length of each song in seconds
    #[arg(long, default_value_t = 60.0)]
    pub seconds: f64,
    /// Seed of the first song; song i (from 0) has seed K + i
    #[arg(long, default_value_t = 1, value_name = "K")]
    pub seed: u64,
    /// Soundfont to play instruments from [default: BUNRI_SOUNDFONT, else Debian's fluid-soundfont-gm]
    #[arg(long, value_name = "FILE.sf2")]
    pub soundfont: Option<PathBuf>,
    /// Folders with recorded stems or single notes and strokes to mix in
    #[arg(long, num_args = 1.., value_name = "DIR")]
    pub recorded: Vec<PathBuf>,
    /// File format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Songs rendered at the same time [default: the number of cores]
    #[arg(long)]
    pub jobs: Option<usize>,
}

/// Renders the songs that are not there yet.
///
/// # Errors
/// If a source cannot be read, a song cannot be written, or the folder holds songs of another
/// version of the generator; songs finished before that stay.
pub fn run(args: Args) -> anyhow::Result<()> {
    let sources = Sources::discover(args.soundfont.clone(), &args.recorded)?;
    sources.say_what_is_missing();
    let orders = Order::series(&args.out, args.songs, args.seed, args.seconds, &sources)?;
    let orders: Vec<Order<'_>> = orders.collect();
    let there = batch::render_missing(&orders, args.format, args.jobs)?;
    print_line!(
        "{} songs in {} ({there} were there before)",
        args.songs,
        args.out.display()
    );
    Ok(())
}
