//! `bounce`: stems from audio files.

use bunri_trainer::bounce;
use clap::Parser;

#[derive(Parser)]
#[command(name = "bounce", version, about = "Separates audio files into stems")]
struct Cli {
    #[command(flatten)]
    args: bounce::Args,
}

fn main() -> anyhow::Result<()> {
    bounce::run(Cli::parse().args)
}
