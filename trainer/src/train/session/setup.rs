//! Puts a run together, on this process's place among all that train.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use bunri_model::DeviceChoice;
use bunri_model::network::Signature;
use bunri_model::run::caught;
use tch::Device;

use super::Session;
use crate::data::cache::Cache;
use crate::data::pool::{Pool, SongSource};
use crate::data::sampler::Sampler;
use crate::distributed::{Cluster, Environment};
use crate::train::TrainConfig;
use crate::train::console::Console;
use crate::train::folder::RunFolder;
use crate::train::generator::Generator;
use crate::train::interruption::Interruption;
use crate::train::opponent::Opponent;
use crate::train::state::Progress;
use crate::train::validate::Validation;

/// Trains until the config's last step or `stop_after`, from the weights of `init` if it is given.
pub(in crate::train) fn train(
    config: &TrainConfig,
    stop_after: Option<u64>,
    init: Option<&Path>,
) -> Result<()> {
    let interruption = Interruption::listen()?;
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
    let result = caught(|| train_on(&cluster, device, config, interruption, stop_after, init));
    cluster.finish(result.unwrap_or_else(|reason| Err(anyhow!("libtorch failed: {reason}"))))
}

fn train_on(
    cluster: &Cluster,
    device: Device,
    config: &TrainConfig,
    interruption: Interruption,
    stop_after: Option<u64>,
    init: Option<&Path>,
) -> Result<()> {
    config.compute.apply(device)?;
    let folder = RunFolder::create(&config.output, cluster.is_first())?;
    let generator = Generator::new(config, init, device, cluster)?;
    // A segment without frames left over: its output is what the loss looks at.
    let frames = generator.network.window().chunk_frames;
    let Signature { rate_hz, stems, .. } = generator.network.signature();
    let mut console = Console::preparing(cluster.is_first());
    let cache = Cache::new(&config.cache_folder(), rate_hz)?;
    let mut sampler = |songs: &[SongSource], strict| -> Result<Sampler> {
        let pool = Pool::load(songs, &stems, &cache, strict, |file| {
            console.decoding(file);
            cluster.still_here();
        })?;
        let notices = pool.skipped.iter().chain(&pool.warnings);
        notices.for_each(|notice| console.say(notice));
        let augment = config.augment.clone();
        Sampler::new(pool, &stems, augment, frames, config.seed)
    };
    let learned = Arc::new(sampler(&config.data.train, config.data.strict)?);
    let opponent = (config.adversarial.as_ref())
        .map(|adversarial| {
            ensure!(
                !config.data.held_out.is_empty(),
                "data.held_out lists no songs: overfitting of discriminators shows on songs that \
                 nothing learns from, keep a few of the training songs for it"
            );
            // Few songs, on which the steering rests: none may be missing.
            let held_out = sampler(&config.data.held_out, true).context("in data.held_out")?;
            Opponent::new(config, adversarial, held_out, &*generator.network, cluster)
        })
        .transpose()?;
    let validation = Validation::load(
        &config.data.valid,
        &stems,
        &cache,
        frames,
        config.validation.segments_per_song,
    )?;
    let warnings = validation.warnings.iter();
    warnings.for_each(|warning| console.say(warning));
    console.finish();
    let audio_seconds = frames as f64 * config.optimiser.batch as f64 / f64::from(rate_hz);
    let mut session = Session {
        cluster,
        config,
        folder,
        generator,
        opponent,
        progress: Progress::default(),
        validation,
        sampler: learned,
        audio_seconds,
        saved: Instant::now(),
        interruption,
    };
    session.resume()?;
    session.interruption.start_training();
    session.run(stop_after)
}
