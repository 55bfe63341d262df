//! `trainer`: renders data, trains and evaluates separators.

use bunri_trainer::data::check;
use bunri_trainer::{
    average, bag, bench, compare, evaluate, export, import, info, launch, render, report, train,
};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "trainer",
    version,
    about = "Trains and evaluates Bunri's stem separators"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make training data.
    #[command(subcommand)]
    Data(DataCommand),
    /// Train a separator from a config file.
    Train(train::Args),
    /// Start a command on several processes of this machine: launch --nproc 8 -- train --config ...
    Launch(launch::Args),
    /// Score a checkpoint on songs with known stems.
    Evaluate(evaluate::Args),
    /// Say which of several ways to train is better, and whether it is more than seeds' noise.
    Compare(compare::Args),
    /// Write a page about runs: curves, scores, audio, config.
    Report(report::Args),
    /// Measure how fast models separate here, and against the reference packages.
    Bench(bench::Args),
    /// Average the weights of several trainings from one start.
    Average(average::Args),
    /// Make one model of several, which is better than each and as slow as all.
    Bag(bag::Args),
    /// Make the file that is given away: smaller, with its figures on its card.
    Export(export::Args),
    /// Make a model file of what the reference packages (demucs 2 to 4) saved.
    Import(import::Args),
    /// Say what a model file is, and how late it is in each mode.
    Info(info::Args),
}

#[derive(Subcommand)]
enum DataCommand {
    /// Render songs with separate stems from a seed.
    Render(render::Args),
    /// Render all songs of a training by a config file, and go on where it was stopped.
    Corpus(render::corpus::Args),
    /// Find what is wrong with songs: silent, clipped, late, mislabelled or duplicate stems, ...
    Check(check::Args),
}

fn main() -> anyhow::Result<()> {
    bunri_model::run::report_panics_in_words();
    match Cli::parse().command {
        Command::Data(DataCommand::Render(args)) => render::run(args),
        Command::Data(DataCommand::Corpus(args)) => render::corpus::run(&args),
        Command::Data(DataCommand::Check(args)) => check::run(args),
        Command::Train(args) => train::run(args),
        Command::Launch(args) => launch::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Report(args) => report::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Average(args) => average::run(args),
        Command::Bag(args) => bag::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Info(args) => info::run(args),
    }
}
