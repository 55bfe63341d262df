//! Many songs on several cores: whoever is free takes the next one that is missing.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    output::{self, Format, State},
    render_song,
    sources::Sources,
};

/// One song to be made.
pub(super) struct Order<'a> {
    /// The folder for its folder.
    pub(super) out: PathBuf,
    /// Its seed.
    pub(super) seed: u64,
    /// Its length.
    pub(super) seconds: f64,
    /// What it is made from.
    pub(super) sources: &'a Sources,
}

impl<'a> Order<'a> {
    /// So many songs of one length, of `seed` and those that follow it, into `out`, which is made where
    /// it is missing.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(super) fn series(
        out: &Path,
        songs: u64,
        seed: u64,
        seconds: f64,
        sources: &'a Sources,
    ) -> anyhow::Result<impl Iterator<Item = Self>> {
        std::fs::create_dir_all(out)
            .with_context(|| format!("creating the folder {}", out.display()))?;
        Ok((0..songs).map(move |index| Self {
            out: out.to_owned(),
            seed: seed.wrapping_add(index),
            seconds,
            sources,
        }))
    }
}

/// Renders the songs that are not there yet, and gives how many were.
///
/// # Errors
/// If a folder holds a song of this seed that another version of the generator or another length
/// made, or a song cannot be made or written; songs finished before that stay.
pub(super) fn render_missing(
    orders: &[Order<'_>],
    format: Format,
    jobs: Option<usize>,
) -> anyhow::Result<usize> {
    let mut missing = Vec::new();
    for order in orders {
        let folder = output::song_folder(&order.out, order.seed);
        match output::state(&folder, order.seconds) {
            State::Absent => missing.push(order),
            State::Complete => {}
            State::Other(why) => bail!(
                "{} is another song: {why}; remove that folder, or choose another one with -o",
                folder.display()
            ),
        }
    }
    let there = orders.len() - missing.len();
    let progress = ProgressBar::new(orders.len() as u64)
        .with_position(there as u64)
        .with_style(ProgressStyle::with_template(
            "{bar:30} {pos}/{len} songs, {elapsed} elapsed, {eta} left",
        )?);
    progress.reset_eta();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = jobs.unwrap_or(cores).clamp(1, missing.len().max(1));
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<()> {
        while let Some(order) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = render_song(order.seed, order.seconds, order.sources)
                .and_then(|song| output::write_song(&song, &order.out, format));
            if let Err(error) = done {
                // The other jobs finish the song they are at.
                next.store(missing.len(), Ordering::Relaxed);
                return Err(error.context(format!("the song of seed {}", order.seed)));
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
    Ok(there)
}
