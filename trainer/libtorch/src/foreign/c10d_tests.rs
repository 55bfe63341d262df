//! Ranks are threads here: each has its own connection and group, as a process would.

use std::thread;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use crate::{Backend, Group, Reducer, Store};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What `rank` does on each of `size` ranks, by rank.
fn on_ranks<T: Send>(size: usize, rank: impl Fn(usize, &Group) -> T + Sync) -> Vec<T> {
    let host = Store::host(0, TIMEOUT).unwrap();
    let (port, rank) = (host.port(), &rank);
    thread::scope(|scope| {
        let ranks: Vec<_> = (0..size)
            .map(|index| {
                scope.spawn(move || {
                    let store = Store::connect("localhost", port, TIMEOUT).unwrap();
                    let group =
                        Group::join(&store, "test", index, size, Backend::Gloo, TIMEOUT).unwrap();
                    rank(index, &group)
                })
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.detach().flatten(0, -1)).unwrap()
}

/// Guards the C interface of the store: a key that is not set must not block or look empty.
#[test]
fn a_store_keeps_and_counts() {
    let host = Store::host(0, TIMEOUT).unwrap();
    let other = Store::connect("localhost", host.port(), TIMEOUT).unwrap();
    assert_eq!(host.get("key").unwrap(), None);
    other.set("key", "värde").unwrap();
    // With this answer, what was set before it has arrived.
    assert_eq!(other.add("count", 2).unwrap(), 2);
    assert_eq!(host.get("key").unwrap().as_deref(), Some("värde"));
    assert_eq!(host.add("count", 3).unwrap(), 5);
}

/// Guards against an exception that crosses the border, which would end the process.
#[test]
fn a_store_that_nobody_hosts_is_an_error() {
    let free = Store::host(0, TIMEOUT).unwrap().port();
    let error = Store::connect("localhost", free, Duration::from_millis(50)).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}

/// Guards the sum and the root's number.
#[test]
fn collectives_reach_every_rank() {
    let seen = on_ranks(3, |rank, group| {
        let sum = Tensor::from_slice(&[rank as f32, 1.0]);
        let count = Tensor::from(rank as i64);
        group
            .sum(&[sum.shallow_clone(), count.shallow_clone()])
            .unwrap();
        let root = Tensor::from_slice(&[rank as f32]);
        group.broadcast(std::slice::from_ref(&root), 2).unwrap();
        (values(&sum), count.int64_value(&[]), values(&root))
    });
    for rank in seen {
        assert_eq!(rank, (vec![3.0, 3.0], 3, vec![2.0]));
    }
}

fn leaf(shape: &[i64], scale: f64) -> Tensor {
    let count: i64 = shape.iter().product();
    let ramp = Tensor::arange(count, (Kind::Float, Device::Cpu)).reshape(shape);
    (ramp * scale - 0.3).set_requires_grad(true)
}

/// Two layers, small enough for several buckets of a few bytes.
fn network() -> Vec<Tensor> {
    vec![leaf(&[3, 4], 0.07), leaf(&[4, 5], 0.03), leaf(&[5], 0.1)]
}

fn loss(parameters: &[Tensor], input: &Tensor) -> Tensor {
    let hidden = input.matmul(&parameters[0]).tanh(); // [batch, 4]
    let output = hidden.matmul(&parameters[1]) + &parameters[2]; // [batch, 5]
    output.square().mean(Kind::Float)
}

fn input() -> Tensor {
    Tensor::arange(12, (Kind::Float, Device::Cpu)).reshape([4, 3]) * 0.1
}

/// The gradients of one process that sees the whole batch, by parameter.
fn gradients_alone(passes: usize) -> Vec<Vec<f32>> {
    let parameters = network();
    for _ in 0..passes {
        loss(&parameters, &input()).backward();
    }
    parameters.iter().map(|p| values(&p.grad())).collect()
}

fn assert_close(left: &[Vec<f32>], right: &[Vec<f32>]) {
    for (left, right) in left.iter().flatten().zip(right.iter().flatten()) {
        // Sums of four in another order.
        assert!((left - right).abs() < 1e-6, "{left} is not {right}");
    }
}

/// Guards the averaging over ranks, with buckets rebuilt after the first pass.
#[test]
fn gradients_are_those_of_the_whole_batch() {
    let alone = gradients_alone(1);
    let seen = on_ranks(2, |rank, group| {
        let mut parameters = network();
        let reversed: Vec<_> = parameters.iter().rev().map(Tensor::shallow_clone).collect();
        let mut reducer = Reducer::new(group, &reversed, 32, false).unwrap();
        let mut passes = Vec::new();
        for _ in 0..3 {
            parameters.iter_mut().for_each(Tensor::zero_grad);
            let loss = loss(&parameters, &input().narrow(0, rank as i64 * 2, 2));
            reducer.prepare(std::slice::from_ref(&loss)).unwrap();
            loss.f_backward().unwrap();
            passes.push(
                parameters
                    .iter()
                    .map(|p| values(&p.grad()))
                    .collect::<Vec<_>>(),
            );
        }
        passes
    });
    for pass in seen.iter().flatten() {
        assert_close(pass, &alone);
    }
}

/// Guards accumulation: passes that were not prepared must not wait for anybody, and the last
/// one's sum must hold all of them.
#[test]
fn only_a_prepared_pass_is_averaged() {
    let alone = gradients_alone(3);
    let seen = on_ranks(2, |rank, group| {
        let parameters = network();
        let mut reducer = Reducer::new(group, &parameters, 1 << 20, false).unwrap();
        for pass in 0..3 {
            let loss = loss(&parameters, &input().narrow(0, rank as i64 * 2, 2));
            if pass == 2 {
                reducer.prepare(std::slice::from_ref(&loss)).unwrap();
            }
            loss.f_backward().unwrap();
        }
        parameters
            .iter()
            .map(|p| values(&p.grad()))
            .collect::<Vec<_>>()
    });
    for rank in seen {
        assert_close(&rank, &alone);
    }
}

/// Guards against a hang: a parameter that a pass leaves out is an error unless it was announced.
#[test]
fn parameters_left_out_must_be_announced() {
    let seen = on_ranks(2, |_, group| {
        let run = |find_unused: bool| {
            let parameters = network();
            let mut reducer = Reducer::new(group, &parameters, 1 << 20, find_unused).unwrap();
            let pass = |reducer: &mut Reducer| {
                let loss = parameters[0].square().sum(Kind::Float);
                reducer.prepare(std::slice::from_ref(&loss))?;
                loss.f_backward().unwrap();
                Ok::<_, crate::Error>(())
            };
            pass(&mut reducer).and_then(|()| pass(&mut reducer))
        };
        (run(true), run(false))
    });
    for (announced, silent) in seen {
        announced.unwrap();
        println!("{}", silent.unwrap_err());
    }
}

/// Guards the check of shapes: ranks with different networks would sum rubbish.
#[test]
fn different_networks_are_refused() {
    let seen = on_ranks(2, |rank, group| {
        let parameters = [leaf(&[3 + rank as i64], 1.0)];
        Reducer::new(group, &parameters, 1 << 20, false).map(drop)
    });
    assert!(seen.iter().any(Result::is_err), "{seen:?}");
}

/// Guards the timeout: a rank that does not come must not hold the others for ever, nor may the
/// exception pass through the backward pass.
#[test]
fn a_rank_that_does_not_come_is_an_error_in_time() {
    let host = Store::host(0, TIMEOUT).unwrap();
    let port = host.port();
    let short = Duration::from_millis(500);
    let join = |rank| {
        let store = Store::connect("localhost", port, TIMEOUT).unwrap();
        Group::join(&store, "test", rank, 2, Backend::Gloo, short).unwrap()
    };
    thread::scope(|scope| {
        let idle = scope.spawn(|| join(1));
        let group = join(0);
        let _idle = idle.join().unwrap();
        let error = group.sum(&[Tensor::from(1.0)]).unwrap_err();
        println!("{error}");
        assert!(error.to_string().contains("500"), "{error}");
    });
}

/// Guards the program that asks for NCCL where there is none: it must say so.
#[test]
fn nccl_without_cuda_says_what_is_missing() {
    let store = Store::host(0, TIMEOUT).unwrap();
    if tch::Cuda::is_available() {
        return;
    }
    let error = Group::join(&store, "test", 0, 1, Backend::Nccl, TIMEOUT).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("CUDA build"), "{error}");
}
