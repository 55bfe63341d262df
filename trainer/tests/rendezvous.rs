//! How ranks meet: what a rank says, and when, where the store should be and is not.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use bunri_trainer::distributed::{Cluster, DistributedConfig, Environment, Meeting};
use tch::Device;

const LIMIT_S: f64 = 1.5;
/// What the error may take beyond the limit: the look at the address, on a busy machine.
const MARGIN_S: f64 = 5.0;

fn place(rank: usize, host: &str, port: u16) -> Environment {
    let meeting = Meeting {
        host: host.to_owned(),
        port,
        hosted_by_launcher: false,
    };
    Environment {
        rank,
        world: 2,
        local_rank: 0,
        attempt: 0,
        meeting,
    }
}

/// Why a rank cannot join, which it must say in time.
fn refusal(rank: usize, host: &str, port: u16) -> String {
    let config = DistributedConfig {
        join_timeout_s: LIMIT_S,
        timeout_s: LIMIT_S,
        ..DistributedConfig::default()
    };
    let started = Instant::now();
    let joined = Cluster::join(&place(rank, host, port), Device::Cpu, &config);
    let (error, time) = (format!("{:#}", joined.unwrap_err()), started.elapsed());
    println!("{:.2} s: {error}", time.as_secs_f64());
    assert!(time.as_secs_f64() < LIMIT_S + MARGIN_S, "{time:?}: {error}");
    assert!(!error.contains("frame #"), "{error}");
    error
}

/// Guards the rank that meets another program on its port: one that says nothing, one that speaks
/// HTTP, one that hangs up. It waited without limit for the first.
#[test]
fn another_program_on_the_port_is_named_in_time() {
    let answers: [fn(TcpStream) -> Option<TcpStream>; 3] = [
        Some,
        |mut stream| {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            Some(stream)
        },
        |_| None,
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                open.extend(answer(stream.unwrap()));
            }
        });
        let error = refusal(1, "127.0.0.1", address.port());
        let said = format!("{address} accepts connections but does not answer as a store");
        assert!(error.contains(&said), "{error}");
        assert!(error.contains("MASTER_PORT"), "{error}");
    }
}

/// Guards a slip in MASTER_ADDR: it took 2.5 times the limit, and firewalls were blamed. Rank 0
/// hosts the store and must say so as well.
#[test]
fn a_name_that_cannot_be_resolved_is_said_in_time() {
    for rank in [0, 1] {
        let error = refusal(rank, "no-such-host.invalid", 29_500);
        let said = "MASTER_ADDR \"no-such-host.invalid\" cannot be resolved";
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("firewall"), "{error}");
    }
}

/// Guards the ranks that wait for a rank 0 that never starts, and a rank 0 whose port is taken.
#[test]
fn a_port_without_a_store_and_one_that_is_taken_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let error = refusal(0, "127.0.0.1", address.port());
    assert!(
        error.contains(&format!("port {}", address.port())),
        "{error}"
    );
    assert!(error.contains("another MASTER_PORT"), "{error}");
    drop(listener);
    let error = refusal(1, "127.0.0.1", address.port());
    assert!(
        error.contains(&format!("nothing listens at {address}")),
        "{error}"
    );
}

/// Guards IPv6 addresses.
#[test]
fn ranks_meet_at_an_ipv6_address() {
    let Ok(free) = TcpListener::bind("[::1]:0").and_then(|listener| listener.local_addr()) else {
        println!("skipped: this machine has no IPv6");
        return;
    };
    let join = |rank| {
        let config = DistributedConfig {
            join_timeout_s: 30.0,
            ..DistributedConfig::default()
        };
        let cluster = Cluster::join(&place(rank, "::1", free.port()), Device::Cpu, &config)?;
        let sum = cluster.sum_figures(&[1.0]);
        cluster.finish(sum)
    };
    thread::scope(|scope| {
        let ranks = [0, 1].map(|rank| scope.spawn(move || join(rank)));
        for rank in ranks {
            assert_eq!(rank.join().unwrap().unwrap(), [2.0]);
        }
    });
}
