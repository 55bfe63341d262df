//! Which rank this process is, as whatever started it says in environment variables.

use std::fmt;
use std::net::Ipv6Addr;

use anyhow::{Context, Result, bail, ensure};
use bunri_model::DeviceChoice;
use tch::Device;

use super::slurm;

/// A process's place in a job, and where all of them meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Number of this process, from 0.
    pub rank: usize,
    /// How many processes the job has.
    pub world: usize,
    /// Number of this process on its machine: which GPU it takes.
    pub local_rank: usize,
    /// How often the job has been started anew. Keys of an earlier life must not be read as new.
    pub attempt: u64,
    /// Where the store is.
    pub meeting: Meeting,
}

/// The address of the store, through which the ranks find each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// A name or an address that every rank can reach.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Whether the program that started the ranks hosts the store; otherwise rank 0 does.
    pub hosted_by_launcher: bool,
}

/// The address, with the brackets that IPv6 needs before a port.
impl fmt::Display for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

/// What torchrun, `trainer launch` and the Kubernetes operators set.
const TORCHRUN: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];

impl Environment {
    /// The place that this process's environment gives it; `None` if it is alone.
    ///
    /// torchrun's variables count first (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`,
    /// `MASTER_PORT`), then those of Slurm's `srun`.
    ///
    /// # Errors
    /// Variables that are missing, are no numbers or contradict each other, by name.
    pub fn read() -> Result<Option<Self>> {
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    /// The GPU of this rank, where `choice` is the first of those that this machine's ranks take.
    ///
    /// Where a rank sees a single GPU it takes that: Slurm hides the others' from it.
    ///
    /// # Errors
    /// Fewer GPUs than ranks.
    pub fn device(&self, choice: DeviceChoice) -> Result<Device> {
        let Device::Cuda(first) = choice.resolve()? else {
            return Ok(Device::Cpu);
        };
        let index = match tch::Cuda::device_count() {
            1 => 0,
            _ => first + self.local_rank,
        };
        Ok(DeviceChoice::Cuda(index).resolve()?)
    }

    /// [`Environment::read`] from any source of variables.
    pub(super) fn from_variables(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let place = if variable("RANK").is_some() || variable("WORLD_SIZE").is_some() {
            torchrun(variable).context("in the environment that torchrun sets")?
        } else {
            match slurm::environment(variable).context("in the environment that Slurm sets")? {
                Some(place) => place,
                None => return Ok(None),
            }
        };
        let Self { rank, world, .. } = place;
        ensure!(
            rank < world,
            "rank {rank} of {world} processes: ranks count from 0"
        );
        if world == 1 {
            return Ok(None);
        }
        let host = host(&place.meeting.host)?;
        let meeting = Meeting {
            host,
            ..place.meeting
        };
        Ok(Some(Self { meeting, ..place }))
    }
}

/// A host as libtorch and the resolver take it: IPv6 addresses without brackets.
fn host(text: &str) -> Result<String> {
    let text = text.trim();
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host = inner.unwrap_or(text);
    // A link-local address may have a zone: fe80::1%eth0.
    let (address, _) = host.split_once('%').unwrap_or((host, ""));
    let is_name = inner.is_none() && !host.is_empty() && !host.contains([':', '/', '[', ']', ' ']);
    ensure!(
        is_name || address.parse::<Ipv6Addr>().is_ok(),
        "MASTER_ADDR is {text:?}: it must be a host name or an IP address alone, the port is \
         MASTER_PORT's"
    );
    Ok(host.to_owned())
}

fn torchrun(variable: &dyn Fn(&str) -> Option<String>) -> Result<Environment> {
    let missing: Vec<&str> = TORCHRUN
        .into_iter()
        .filter(|name| variable(name).is_none())
        .collect();
    let is_alone = variable("WORLD_SIZE").as_deref() == Some("1");
    if !missing.is_empty() && !is_alone {
        bail!(
            "{} is not set, but {} is: start all ranks with torchrun, srun or `trainer launch`, or \
             unset them to train in one process",
            missing.join(", "),
            TORCHRUN
                .into_iter()
                .filter(|name| !missing.contains(name))
                .collect::<Vec<_>>()
                .join(", "),
        );
    }
    let local_rank = number(variable, "LOCAL_RANK")?.unwrap_or(0);
    if let Some(local_world) = number::<usize>(variable, "LOCAL_WORLD_SIZE")? {
        ensure!(
            local_rank < local_world,
            "LOCAL_RANK is {local_rank}, but LOCAL_WORLD_SIZE {local_world}"
        );
    }
    Ok(Environment {
        rank: number(variable, "RANK")?.unwrap_or(0),
        world: number(variable, "WORLD_SIZE")?.unwrap_or(1),
        local_rank,
        attempt: number(variable, "TORCHELASTIC_RESTART_COUNT")?.unwrap_or(0),
        meeting: Meeting {
            host: variable("MASTER_ADDR").unwrap_or_default(),
            port: number(variable, "MASTER_PORT")?.unwrap_or(0),
            hosted_by_launcher: variable("TORCHELASTIC_USE_AGENT_STORE").as_deref() == Some("True"),
        },
    })
}

/// The number that a variable holds, if it is set.
pub(super) fn number<T: std::str::FromStr>(
    variable: &dyn Fn(&str) -> Option<String>,
    name: &str,
) -> Result<Option<T>> {
    let Some(text) = variable(name) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => bail!("{name} is {text:?}, which is no number that it can be"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Environment>> {
        Environment::from_variables(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const SECOND_NODE: [(&str, &str); 6] = [
        ("RANK", "9"),
        ("WORLD_SIZE", "16"),
        ("LOCAL_RANK", "1"),
        ("LOCAL_WORLD_SIZE", "8"),
        ("MASTER_ADDR", "node0"),
        ("MASTER_PORT", "29500"),
    ];

    #[test]
    fn torchruns_variables_give_the_place() {
        let place = read(&SECOND_NODE).unwrap().unwrap();
        assert_eq!((place.rank, place.world, place.local_rank), (9, 16, 1));
        assert_eq!(place.meeting.host, "node0");
        assert_eq!(place.meeting.port, 29500);
        assert!(!place.meeting.hosted_by_launcher);
    }

    /// Guards the laptop: no variables, or a world of one, is a training without any network.
    #[test]
    fn one_process_is_no_cluster() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[("RANK", "0"), ("WORLD_SIZE", "1")]).unwrap(), None);
    }

    /// Guards against ranks that would wait for each other at port 0, or train alone unnoticed.
    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (change, name) in [
            (("MASTER_PORT", None), "MASTER_PORT is not set"),
            (("RANK", None), "RANK is not set"),
            (("RANK", Some("16")), "rank 16 of 16"),
            (("RANK", Some("one")), "RANK is \"one\""),
            (("MASTER_PORT", Some("70000")), "MASTER_PORT is \"70000\""),
            (("LOCAL_RANK", Some("8")), "LOCAL_RANK is 8"),
            (("MASTER_ADDR", Some("")), "MASTER_ADDR is \"\""),
            (
                ("MASTER_ADDR", Some("node0:29500")),
                "MASTER_ADDR is \"node0:29500\"",
            ),
            (
                ("MASTER_ADDR", Some("[::1]:29500")),
                "MASTER_ADDR is \"[::1]:29500\"",
            ),
            (
                ("MASTER_ADDR", Some("[node0]")),
                "MASTER_ADDR is \"[node0]\"",
            ),
            (
                ("MASTER_ADDR", Some("tcp://node0")),
                "MASTER_ADDR is \"tcp://node0\"",
            ),
        ] {
            let (key, value) = change;
            let mut variables = SECOND_NODE.to_vec();
            variables.retain(|(name, _)| *name != key);
            variables.extend(value.map(|value| (key, value)));
            let error = format!("{:#}", read(&variables).unwrap_err());
            println!("{error}");
            assert!(error.contains(name), "{error}");
        }
    }

    /// Guards IPv6 addresses, which URLs and torchrun's users write in brackets and resolvers do not.
    #[test]
    fn addresses_lose_their_brackets() {
        for (given, host) in [
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            (" 10.0.0.1 ", "10.0.0.1"),
            ("node0.cluster.local", "node0.cluster.local"),
        ] {
            let mut variables = SECOND_NODE.to_vec();
            variables[4].1 = given;
            assert_eq!(read(&variables).unwrap().unwrap().meeting.host, host);
        }
    }

    /// Guards torchrun inside of a Slurm job, where both have set their variables.
    #[test]
    fn torchrun_goes_before_slurm() {
        let mut variables = SECOND_NODE.to_vec();
        variables.extend([("SLURM_PROCID", "1"), ("SLURM_STEP_NUM_TASKS", "2")]);
        assert_eq!(read(&variables).unwrap().unwrap().rank, 9);
    }
}
