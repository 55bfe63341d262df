//! The way of a rank to the store: resolves the name of its host, connects, and says what is at that
//! address if it is not the store.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use bunri_libtorch::Store;

use super::deadline::Deadline;
use super::{Environment, Meeting};

/// How often a name that cannot be resolved yet is tried again: a cluster manager may publish the
/// name of rank 0's machine after it has started the other ranks.
const RESOLVE_INTERVAL: Duration = Duration::from_millis(500);
/// How long each address is tried to learn why the store was not found there.
const PROBE: Duration = Duration::from_secs(1);

/// Addresses of the store's host.
///
/// # Errors
/// A name that cannot be resolved before the deadline.
pub(super) fn resolve(place: &Environment, deadline: Deadline) -> Result<Vec<SocketAddr>> {
    let Meeting { host, port, .. } = &place.meeting;
    let mut is_first = true;
    loop {
        let name = (host.clone(), *port);
        let reason = match deadline.run(move || name.to_socket_addrs()) {
            Some(Ok(addresses)) => return Ok(addresses.collect()),
            Some(Err(error)) => error.to_string(),
            None => "the name service does not answer".to_owned(),
        };
        if deadline.remaining() < RESOLVE_INTERVAL {
            bail!(
                "MASTER_ADDR {host:?} cannot be resolved (tried for {deadline}): {reason}. It must be \
                 a name or an IP address of rank 0's machine that this machine can look up"
            );
        }
        if std::mem::take(&mut is_first) {
            eprintln!(
                "rank {}: MASTER_ADDR {host:?} cannot be resolved yet ({reason}): trying for {deadline}",
                place.rank
            );
        }
        thread::sleep(RESOLVE_INTERVAL);
    }
}

/// Hosts the store, as rank 0 does. `timeout` is that of the store's own calls.
///
/// # Errors
/// A port that is taken.
pub(super) fn host(port: u16, timeout: Duration, deadline: Deadline) -> Result<Store> {
    let reason = match deadline.run(move || Store::host(port, timeout)) {
        Some(Ok(store)) => return Ok(store),
        Some(Err(error)) => error.to_string(),
        None => format!("no answer within {deadline}"),
    };
    bail!(
        "rank 0 cannot host the store on port {port} ({reason}): if another program uses this port, \
         choose another MASTER_PORT"
    )
}

/// Connects to the store, which another process hosts, or will before the deadline. `timeout` is that
/// of the store's own calls.
///
/// # Errors
/// What is at each address instead.
pub(super) fn connect(
    place: &Environment,
    addresses: &[SocketAddr],
    timeout: Duration,
    deadline: Deadline,
) -> Result<Store> {
    let Meeting { host, port, .. } = place.meeting.clone();
    let connecting = move || Store::connect(&host, port, timeout);
    let reason = match deadline.run(connecting) {
        Some(Ok(store)) => return Ok(store),
        Some(Err(error)) => error.to_string(),
        None => "no answer".to_owned(),
    };
    let found: Vec<String> = addresses
        .iter()
        .map(|address| at(address, &reason))
        .collect();
    bail!(
        "rank {} finds no store at {} (MASTER_ADDR:MASTER_PORT) within {deadline}: {}",
        place.rank,
        place.meeting,
        found.join("; ")
    )
}

/// What is at an address where no store was found, in words.
fn at(address: &SocketAddr, reason: &str) -> String {
    match TcpStream::connect_timeout(address, PROBE) {
        Ok(_) => format!(
            "{address} accepts connections but does not answer as a store ({reason}): if another \
             program uses this port, choose another MASTER_PORT; if it is rank 0, it hangs"
        ),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            format!("nothing listens at {address}: did rank 0 start there?")
        }
        Err(error) => {
            format!("{address} cannot be reached ({error}): does a firewall let others in?")
        }
    }
}
