//! Ranks are threads here; whole processes are tested in `tests/distributed.rs`.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bunri_libtorch::Store;
use tch::{Device, Kind, Tensor};

use super::{Cluster, DistributedConfig, Environment, Meeting, Reducer};

fn config(timeout_s: f64) -> DistributedConfig {
    DistributedConfig {
        timeout_s,
        join_timeout_s: 30.0,
        ..DistributedConfig::default()
    }
}

fn place(rank: usize, world: usize, port: u16) -> Environment {
    Environment {
        rank,
        world,
        local_rank: rank,
        attempt: 0,
        meeting: Meeting {
            host: "localhost".to_owned(),
            port,
            hosted_by_launcher: true,
        },
    }
}

/// What each of `world` ranks comes to, by rank.
fn on_ranks<T: Send>(
    world: usize,
    timeout_s: f64,
    rank: impl Fn(Cluster) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    let host = Store::host(0, Duration::from_secs(30)).unwrap();
    let (port, rank) = (host.port(), &rank);
    thread::scope(|scope| {
        let ranks: Vec<_> = (0..world)
            .map(|index| {
                scope.spawn(move || {
                    let place = place(index, world, port);
                    rank(Cluster::join(&place, Device::Cpu, &config(timeout_s))?)
                })
            })
            .collect();
        let ended = ranks.into_iter().map(|rank| rank.join().unwrap());
        ended.collect()
    })
}

/// Guards the loop that has one path for one process and for many.
#[test]
fn alone_everything_is_its_own_answer() {
    let cluster = Cluster::alone();
    let tensor = Tensor::from_slice(&[3.0_f32]);
    cluster.mean(std::slice::from_ref(&tensor)).unwrap();
    cluster.broadcast(std::slice::from_ref(&tensor)).unwrap();
    assert_eq!(f32::try_from(tensor).unwrap(), 3.0);
    assert_eq!(cluster.sum_figures(&[0.1, 2.0]).unwrap(), [0.1, 2.0]);
    assert!(!cluster.any(false).unwrap());
    assert_eq!(cluster.share(7), 0..7);
    cluster.barrier().unwrap();
    let weight = Tensor::from(2.0).set_requires_grad(true);
    let mut reducer = Reducer::new(&cluster, std::slice::from_ref(&weight), false).unwrap();
    reducer
        .backward(&cluster, &(&weight * 5.0), &weight.ones_like())
        .unwrap();
    assert_eq!(f64::try_from(weight.grad()).unwrap(), 5.0);
    cluster.finish(Ok(())).unwrap();
}

/// Guards the figures that all ranks decide by, and the parts of a batch.
#[test]
fn ranks_agree() {
    let seen = on_ranks(3, 30.0, |cluster| {
        let rank = cluster.rank();
        cluster.at_step(1);
        let mean = Tensor::from_slice(&[rank as f32]);
        cluster.mean(std::slice::from_ref(&mean))?;
        let first = Tensor::from_slice(&[rank as f32 + 7.0]).set_requires_grad(true);
        cluster.broadcast(std::slice::from_ref(&first))?;
        let any = (cluster.any(rank == 2)?, cluster.any(false)?);
        cluster.barrier()?;
        let share = cluster.share(8);
        cluster.finish(Ok((
            f32::try_from(mean)?,
            f32::try_from(first)?,
            any,
            share,
        )))
    });
    let shares: Vec<_> = seen
        .into_iter()
        .flat_map(|rank| {
            let (mean, first, any, share) = rank.unwrap();
            assert_eq!((mean, first, any), (1.0, 7.0, (true, false)));
            share
        })
        .collect();
    assert_eq!(shares, Vec::from_iter(0..8));
}

/// Guards the reason of a rank that fails on its own: the others must give it, not "connection
/// closed by peer".
#[test]
fn a_rank_that_fails_is_named_with_its_reason() {
    let seen = on_ranks(2, 30.0, |cluster| {
        let work = |cluster: &Cluster| {
            cluster.at_step(12);
            if cluster.rank() == 1 {
                bail!("the disk is full");
            }
            cluster.sum_figures(&[1.0])
        };
        let result = work(&cluster);
        cluster.finish(result)
    });
    let error = format!("{:#}", seen[0].as_ref().unwrap_err());
    println!("{error}");
    assert!(error.contains("rank 1 ("), "{error}");
    assert!(error.contains("failed: the disk is full"), "{error}");
    assert!(error.contains("step 12"), "{error}");
}

/// Guards the rank that hangs though its process lives: it beats, but lets the others wait.
#[test]
fn a_rank_that_hangs_is_named() {
    let timeout_s = 2.0;
    let seen = on_ranks(3, timeout_s, |cluster| {
        cluster.at_step(5);
        let result = cluster.sum_figures(&[1.0]).and_then(|_| {
            if cluster.rank() == 2 {
                // Until the others have given it up.
                thread::sleep(Duration::from_secs_f64(timeout_s * 3.0));
                bail!("late");
            }
            cluster.at_step(6);
            cluster.sum_figures(&[1.0])
        });
        cluster.finish(result)
    });
    for rank in &seen[..2] {
        let error = format!("{:#}", rank.as_ref().unwrap_err());
        println!("{error}");
        assert!(error.contains("rank 2 ("), "{error}");
        assert!(error.contains("has done nothing in step 5"), "{error}");
    }
}

/// Guards long work on one rank: the others wait at a barrier for longer than the timeout, as long
/// as it says that it works; and not for ever if it does not.
#[test]
fn a_barrier_waits_for_whoever_works() {
    let timeout_s = 2.0;
    let seen = on_ranks(2, timeout_s, |cluster| {
        let works_for = |time: f64, tells: bool| {
            let started = Instant::now();
            while started.elapsed().as_secs_f64() < time {
                thread::sleep(Duration::from_millis(50));
                if tells {
                    cluster.still_here();
                }
            }
        };
        if cluster.rank() == 0 {
            works_for(timeout_s * 1.5, true);
        }
        let waited = cluster.barrier();
        if cluster.rank() == 0 {
            works_for(timeout_s * 2.0, false);
        }
        let hung = cluster.barrier();
        cluster.finish(Ok((
            waited.is_ok(),
            hung.map_err(|error| format!("{error:#}")),
        )))
    });
    let (waited, hung) = seen[1].as_ref().unwrap();
    assert!(*waited);
    let error = hung.as_ref().unwrap_err();
    println!("{error}");
    assert!(
        error.contains("rank 0 (") && error.contains("alive"),
        "{error}"
    );
}

/// Guards the start: whoever does not come is named, with those who did.
#[test]
fn missing_ranks_are_named_at_the_start() {
    let host = Store::host(0, Duration::from_secs(30)).unwrap();
    let config = DistributedConfig {
        join_timeout_s: 0.5,
        ..config(1.0)
    };
    let error = Cluster::join(&place(1, 4, host.port()), Device::Cpu, &config).unwrap_err();
    let error = format!("{error:#}");
    println!("{error}");
    assert!(error.contains("ranks 0, 2, 3 did not join"), "{error}");
    let twice = Cluster::join(&place(1, 4, host.port()), Device::Cpu, &config).unwrap_err();
    assert!(
        format!("{twice:#}").contains("rank 1 of this job already"),
        "{twice:#}"
    );
}

/// Guards the arithmetic of the whole: two ranks with half of a batch each step as one does.
#[test]
fn two_ranks_step_as_one() {
    let train = |cluster: &Cluster| -> Result<Vec<f32>> {
        let data = Tensor::arange(24, (Kind::Float, Device::Cpu)).reshape([8, 3]) * 0.1;
        let ramp = Tensor::arange(6, (Kind::Float, Device::Cpu)).reshape([3, 2]) * 0.2;
        let mut weight = (ramp - 0.5).set_requires_grad(true);
        let mut reducer = Reducer::new(cluster, std::slice::from_ref(&weight), false)?;
        let share = cluster.share(8);
        let part = data.narrow(0, share.start as i64, share.len() as i64);
        for step in 0..20 {
            cluster.at_step(step);
            weight.zero_grad();
            let loss = part.matmul(&weight).tanh().square().mean(Kind::Float);
            reducer.backward(cluster, &loss, &loss.ones_like())?;
            let step = weight.grad() * 0.5;
            let _ = tch::no_grad(|| weight.f_sub_(&step))?;
        }
        Ok(Vec::try_from(weight.detach().flatten(0, -1))?)
    };
    let alone = train(&Cluster::alone()).unwrap();
    for rank in on_ranks(2, 30.0, |cluster| {
        let weights = train(&cluster);
        cluster.finish(weights)
    }) {
        for (one, two) in alone.iter().zip(rank.unwrap()) {
            assert!((one - two).abs() < 1e-5, "{two} is not {one}");
        }
    }
}
