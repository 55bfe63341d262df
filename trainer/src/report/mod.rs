//! `trainer report`: runs as one page for the browser, to be kept, sent and read anywhere.
//!
//! ```text
//! RUN/log.jsonl ─ Run ─ curves ─ chart ────┐
//! RUN/evaluation.json ─┘                   ├─ page ─ report.html
//! RUN/best.safetensors ─ Excerpt ─ clips ──┘
//! ```
//!
//! - [`mod@run`]: a run's folder; [`excerpt`]: what is heard of it.
//! - [`curves`]: every number of the log; [`chart`]: curves as SVG; [`page`]: the whole.

pub mod chart;
pub mod curves;
pub mod excerpt;
pub mod page;
pub mod run;

use std::path::PathBuf;

use anyhow::{Context, Result};
use bunri_model::DeviceChoice;
use bunri_stream::files::write_file;

use crate::output::print_line;
use excerpt::Excerpt;
use run::Run;

/// Command line of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of runs, as `trainer train` writes them; their curves share the charts.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The page [default: RUN/report.html, of the first run].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folder of the song to listen to, instead of the first validation song of the run's config.
    #[arg(long, value_name = "DIR")]
    song: Option<PathBuf>,
    /// Leave the audio out: the page is small then.
    #[arg(long, conflicts_with = "song")]
    no_audio: bool,
    /// Where the models run: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Runs the subcommand.
///
/// # Errors
/// A folder without a log; a page that cannot be written. Audio that is not there is said on the page.
pub fn run(args: Args) -> Result<()> {
    let mut shown = Vec::new();
    for folder in &args.runs {
        let run = Run::load(folder)?;
        let excerpt = if args.no_audio {
            Err("the report was made with --no-audio".to_owned())
        } else {
            Excerpt::of(&run, args.song.as_deref(), args.device).map_err(|why| format!("{why:#}"))
        };
        shown.push((run, excerpt));
    }
    let default = || args.runs[0].join("report.html");
    let output = args.output.clone().unwrap_or_else(default);
    let html = page::page(&shown)?;
    write_file(&output, html.as_bytes())
        .with_context(|| format!("writing {}", output.display()))?;
    print_line!("{} ({:.1} MB)", output.display(), html.len() as f64 / 1e6);
    Ok(())
}
