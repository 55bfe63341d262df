//! `trainer compare`: which of several ways to train is better, and is it?
//!
//! ```text
//! evaluations ─ Arm (a way to train, a run per seed) ─┐
//!                                                     ├─ Comparison ─ tables, sentences, Markdown, JSON
//! evaluations ─ Arm ──────────────────────────────────┘
//! ```
//!
//! - [`results`]: what `trainer evaluate --json` wrote, gathered into arms.
//! - [`figures`]: what can be compared; [`statistics`]: means, intervals, tests.
//! - [`comparison`]: the arms against the first of them; [`words`]: what that says.

pub mod comparison;
pub mod figures;
pub mod results;
pub mod statistics;
pub mod words;

use std::path::PathBuf;

use anyhow::{Context, Result};
use bunri_stream::files::write_file;

use crate::json_file::JsonFile;
use comparison::Comparison;
use results::Arm;

/// Command line of `compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ways to train, the first of them what the others are held against. NAME=WHERE, where WHERE is
    /// an evaluation (`trainer evaluate --json`), a run's folder with an evaluation.json, a folder of
    /// such runs, a pattern of any ('runs/l1-*'), or several with commas between: a run per seed.
    #[arg(required = true, num_args = 2.., value_name = "NAME=WHERE")]
    arms: Vec<String>,
    /// Figures to compare, by their keys in the evaluations [default: sdr_db, nsdr_db, si_sdr_db and
    /// stft_distance, where all evaluations have them].
    #[arg(long, value_name = "KEY,...", value_delimiter = ',')]
    figures: Vec<String>,
    #[command(flatten)]
    json: JsonFile,
    /// Also write tables and sentences to this file, in Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Runs the subcommand: tables and sentences on standard output.
///
/// # Errors
/// Evaluations that are not there, are none, or have nothing in common.
pub fn run(args: Args) -> Result<()> {
    args.json.check()?;
    let arms = args.arms.iter().map(|arm| Arm::load(arm));
    let arms = arms.collect::<Result<Vec<_>>>()?;
    let comparison = Comparison::new(&arms, &figures::figures(&args.figures)?)?;
    if let Some(path) = &args.markdown {
        write_file(path, comparison.markdown().as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let tables = comparison.tables().into_iter();
    let mut lines: Vec<String> = tables.map(|table| table.to_string()).collect();
    lines.extend(comparison.sentences());
    args.json.deliver(&comparison, &(lines.join("\n") + "\n"))
}
