//! `trainer launch`: one command on several processes of this machine.
//!
//! ```text
//! Args ─ Attempt::start ─ ranks (torchrun's variables, a store that this program hosts)
//!            │                └ lines of output, each with its rank
//!            └ Attempt::end ─ all well: done; a rank failed: the others are ended, maybe all again
//! ```
//!
//! On several machines torchrun or Slurm start the ranks: see [`crate::distributed`].

mod attempt;
mod ranks;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::output::eprint_line;
use attempt::{Attempt, Outcome};

/// Command line of `trainer launch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Processes to start; on a machine with GPUs each takes one.
    #[arg(long)]
    pub nproc: usize,
    /// How often to start again, from the last saved state, after a rank has failed.
    #[arg(long, default_value_t = 0)]
    pub max_restarts: usize,
    /// Start again without the ranks that failed, down to so many; without it always with --nproc.
    #[arg(long)]
    pub min_nproc: Option<usize>,
    /// Seconds that ranks may take to end before they are killed.
    #[arg(long, default_value_t = 30.0)]
    pub grace: f64,
    /// What every rank runs, after `--`: `train --config run.toml`.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Starts the ranks, and starts them again as often as the command line allows.
///
/// # Errors
/// The rank that failed first, and how.
pub fn run(args: Args) -> Result<()> {
    ensure!(args.nproc > 0, "--nproc must be at least 1");
    let least = args.min_nproc.unwrap_or(args.nproc);
    ensure!(
        (1..=args.nproc).contains(&least),
        "--min-nproc is {least}, but must be from 1 to --nproc, which is {}",
        args.nproc
    );
    ensure!(
        (0.0..1e6).contains(&args.grace),
        "--grace is {}, but must be from 0 to 1000000 s",
        args.grace
    );
    let grace = Duration::from_secs_f64(args.grace);
    let signals = listen()?;
    let mut nproc = args.nproc;
    let mut restart = 0;
    loop {
        let attempt = Attempt::start(&args.command, nproc, restart)?;
        let (failed, how) = match attempt.end(&signals, grace)? {
            Outcome::Finished => return Ok(()),
            Outcome::Interrupted(None) => {
                eprint_line!("launch: all ranks have ended as asked");
                return Ok(());
            }
            Outcome::Interrupted(Some(how)) => bail!("asked to end, and {how}"),
            Outcome::Failed { ranks, how } => (ranks, how),
        };
        if restart == args.max_restarts {
            bail!(
                "{failed} of {} failed (restarts: {restart}): {how}",
                ranks_in_words(nproc)
            );
        }
        restart += 1;
        if args.min_nproc.is_some() {
            nproc = nproc.saturating_sub(failed).max(least);
        }
        eprint_line!(
            "launch: starting again: {} (restart {restart} of {})",
            ranks_in_words(nproc),
            args.max_restarts
        );
    }
}

fn ranks_in_words(count: usize) -> String {
    match count {
        1 => "1 rank".to_owned(),
        _ => format!("{count} ranks"),
    }
}

/// Counts Ctrl-C and SIGTERM from here on, in place of ending this process.
fn listen() -> Result<Arc<AtomicUsize>> {
    let signals = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&signals);
    ctrlc::set_handler(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    })
    .context("catching Ctrl-C and SIGTERM")?;
    Ok(signals)
}
