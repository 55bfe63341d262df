//! `trainer`: renders data, trains and evaluates separators.

use bunri_trainer::data::check;
use bunri_trainer::{average, bench, evaluate, export, import, info, render, train};
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
    /// Score a checkpoint on songs with known stems.
    Evaluate(evaluate::Args),
    /// Measure how fast models separate here, and against the reference packages.
    Bench(bench::Args),
    /// Average the weights of several trainings from one start.
    Average(average::Args),
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
    /// Find what is wrong with songs: silent, clipped, late, mislabelled or duplicate stems, ...
    Check(check::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Data(DataCommand::Render(args)) => render::run(args),
        Command::Data(DataCommand::Check(args)) => check::run(&args),
        Command::Train(args) => train::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Average(args) => average::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Info(args) => {
            // Ends quietly under `| head`. Not for the others: a training must outlive its reader.
            sigpipe::reset();
            info::run(args)
        }
    }
}
