//! `trainer data render`: songs with separate stems, made from a seed.
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
//!
//! A song depends on its seed, its length and the sources, on nothing else: not on the number of
//! jobs, nor on the songs before it.

// The two sides of a stereo buffer walk in step, by frame number.
#![allow(clippy::needless_range_loop)]

mod band;
mod compose;
pub(crate) mod dice;
pub(crate) mod instruments;
pub(crate) mod mix;
mod output;
mod recorded;
mod song;
mod sources;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

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
/// If a source cannot be read or a song cannot be written; songs finished before that stay.
pub fn run(args: Args) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("creating the folder {}", args.out.display()))?;
    let sources = Sources::discover(args.soundfont.clone(), &args.recorded)?;
    if !sources.has_soundfont() {
        eprintln!(
            "No soundfont: instruments are synthesized only. For more variety install one \
             (Debian: apt install fluid-soundfont-gm) or name one with --soundfont."
        );
    }
    let seeds: Vec<u64> = (0..args.songs)
        .map(|index| args.seed.wrapping_add(index))
        .collect();
    let missing: Vec<u64> = seeds
        .into_iter()
        .filter(|seed| !output::is_complete(&output::song_folder(&args.out, *seed)))
        .collect();
    let there = args.songs - missing.len() as u64;
    let progress = ProgressBar::new(args.songs)
        .with_position(there)
        .with_style(ProgressStyle::with_template(
            "{bar:30} {pos}/{len} songs, {elapsed} elapsed, {eta} left",
        )?);
    progress.reset_eta();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).clamp(1, missing.len().max(1));
    let next = AtomicU64::new(0);
    let work = || -> anyhow::Result<()> {
        while let Some(seed) = missing.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let done = render_song(*seed, args.seconds, &sources)
                .and_then(|song| output::write_song(&song, &args.out, args.format));
            if let Err(error) = done {
                // The other jobs finish the song they are at.
                next.store(missing.len() as u64, Ordering::Relaxed);
                return Err(error.context(format!("the song of seed {seed}")));
            }
            progress.inc(1);
        }
        Ok(())
    };
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(outcome) => outcome?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })?;
    progress.finish();
    println!(
        "{} songs in {} ({there} were there before)",
        args.songs,
        args.out.display()
    );
    Ok(())
}
