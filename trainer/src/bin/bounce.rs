//! `bounce`: stems from audio files.

use std::process::ExitCode;

use bunri_trainer::bounce;
use clap::Parser;

#[derive(Parser)]
#[command(name = "bounce", version, about = "Separates audio files into stems")]
struct Cli {
    #[command(flatten)]
    args: bounce::Args,
}

fn main() -> anyhow::Result<ExitCode> {
    bunri_model::run::report_panics_in_words();
    Ok(bounce::run(Cli::parse().args)?.into())
}
