//! Puts a run together, on this process's place among all that train.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use bunri_model::DeviceChoice;
use bunri_model::network::Signature;
use indicatif::ProgressBar;
use tch::Device;

use super::Session;
use crate::data::pool::Pool;
use crate::data::sampler::Sampler;
use crate::distributed::{Cluster, Environment};
use crate::train::TrainConfig;
use crate::train::folder::RunFolder;
use crate::train::generator::Generator;
use crate::train::interruption::interruption;
use crate::train::opponent::Opponent;
use crate::train::state::Progress;
use crate::train::validate::Validation;

/// Trains until the config's last step or `stop_after`, from the weights of `init` if it is given.
pub(in crate::train) fn train(
    config: &TrainConfig,
    stop_after: Option<u64>,
    init: Option<&Path>,
) -> Result<()> {
    if let Some(threads) = config.threads {
        tch::set_num_threads(threads);
    }
    let choice = config.device.parse::<DeviceChoice>()?;
    let (cluster, device) = match Environment::read()? {
        None => (Cluster::alone(), choice.resolve()?),
        Some(place) => {
            let device = place.device(choice)?;
            let cluster = Cluster::join(&place, device, &config.distributed)?;
            (cluster, device)
        }
    };
    let result = train_on(&cluster, device, config, stop_after, init);
    cluster.finish(result)
}

fn train_on(
    cluster: &Cluster,
    device: Device,
    config: &TrainConfig,
    stop_after: Option<u64>,
    init: Option<&Path>,
) -> Result<()> {
    let folder = RunFolder::create(&config.output)?;
    let generator = Generator::new(config, init, device, cluster)?;
    let opponent = Opponent::new(config, &*generator.network, cluster)?;
    // A segment without frames left over: its output is what the loss looks at.
    let frames = generator.network.window().chunk_frames;
    let Signature { rate_hz, stems, .. } = generator.network.signature();
    let spinner = if cluster.is_first() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let pool = Pool::load(&config.data.train, &stems, rate_hz, |song| {
        spinner.set_message(format!("decoding {song}"));
        spinner.tick();
        cluster.still_here();
    })?;
    let validation = Validation::load(
        &config.data.valid,
        &stems,
        rate_hz,
        frames,
        config.validation.segments_per_song,
    )?;
    spinner.finish_and_clear();
    let augment = config.augment.clone();
    let sampler = Arc::new(Sampler::new(pool, &stems, augment, frames, config.seed)?);
    let audio_seconds = frames as f64 * config.optimiser.batch as f64 / f64::from(rate_hz);
    let mut session = Session {
        cluster,
        config,
        folder,
        generator,
        opponent,
        progress: Progress::default(),
        validation,
        sampler,
        audio_seconds,
        saved: Instant::now(),
        interrupted: interruption()?,
    };
    session.resume()?;
    session.run(stop_after)
}
