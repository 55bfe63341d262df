//! What Slurm's `srun` tells its tasks.

use anyhow::{Context, Result, ensure};

use super::environment::{Environment, Meeting, number};

/// Ports for jobs that name none: one of these by the job's number, so that two jobs that share a
/// node rarely meet.
const PORTS: std::ops::Range<u64> = 20_000..32_000;

/// The place of a task that `srun` started; `None` outside of `srun`.
///
/// `MASTER_ADDR` and `MASTER_PORT` may say where to meet; otherwise it is the first node of the step
/// and a port made of the job's number.
pub(super) fn environment(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Environment>> {
    // The step's, not the job's: a batch script has tasks to give, but is none of them.
    let Some(world) = number::<usize>(variable, "SLURM_STEP_NUM_TASKS")? else {
        let tasks = number::<usize>(variable, "SLURM_NTASKS")?.unwrap_or(1);
        ensure!(
            tasks <= 1,
            "the job has {tasks} tasks, but srun did not start this program: write `srun trainer \
             train ...`, or set SLURM_NTASKS=1 to train in one process"
        );
        return Ok(None);
    };
    let job: u64 = number(variable, "SLURM_JOB_ID")?.unwrap_or(0);
    let step: u64 = number(variable, "SLURM_STEP_ID")?.unwrap_or(0);
    let port = PORTS.start + (job.wrapping_mul(31).wrapping_add(step)) % (PORTS.end - PORTS.start);
    let host = match variable("MASTER_ADDR") {
        Some(host) => host,
        None if world == 1 => String::new(),
        None => {
            let nodes = variable("SLURM_STEP_NODELIST").or_else(|| variable("SLURM_NODELIST"));
            let nodes = nodes.context("neither SLURM_STEP_NODELIST nor MASTER_ADDR is set")?;
            first_node(&nodes).with_context(|| format!("no node in the list {nodes:?}"))?
        }
    };
    Ok(Some(Environment {
        rank: number(variable, "SLURM_PROCID")?.context("SLURM_PROCID is not set")?,
        world,
        local_rank: number(variable, "SLURM_LOCALID")?.unwrap_or(0),
        attempt: number(variable, "SLURM_RESTART_COUNT")?.unwrap_or(0),
        meeting: Meeting {
            host,
            port: number(variable, "MASTER_PORT")?.unwrap_or(port as u16),
            hosted_by_launcher: false,
        },
    }))
}

/// The first host of a node list as Slurm shortens it: `gpu[03-05,9],login` is `gpu03`.
fn first_node(list: &str) -> Option<String> {
    let end = list.find([',', '[']).unwrap_or(list.len());
    let (name, rest) = list.split_at(end);
    let node = match rest.strip_prefix('[') {
        None => name.to_owned(),
        Some(numbers) => {
            let (numbers, after) = numbers.split_once(']')?;
            let first = numbers.split([',', '-']).next()?;
            // What follows the bracket belongs to the name, up to the next host.
            format!("{name}{first}{}", first_node(after).unwrap_or_default())
        }
    };
    (!node.is_empty()).then_some(node)
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

    #[test]
    fn sruns_variables_give_the_place() {
        let task = [
            ("SLURM_PROCID", "9"),
            ("SLURM_STEP_NUM_TASKS", "16"),
            ("SLURM_LOCALID", "1"),
            ("SLURM_JOB_ID", "4711"),
            ("SLURM_STEP_ID", "0"),
            ("SLURM_STEP_NODELIST", "gpu[03-04]"),
            ("SLURM_RESTART_COUNT", "2"),
        ];
        let place = read(&task).unwrap().unwrap();
        assert_eq!((place.rank, place.world, place.local_rank), (9, 16, 1));
        assert_eq!((place.attempt, place.meeting.host.as_str()), (2, "gpu03"));
        // Every rank must come to the same: 4711 x 31 = 12 x 12000 + 2041.
        assert_eq!(place.meeting.port, 20_000 + 2_041);
    }

    /// Guards the batch script without srun, which would wait for fifteen ranks that nobody starts.
    #[test]
    fn a_batch_script_without_srun_is_told_so() {
        let script = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "16")];
        let error = format!("{:#}", read(&script).unwrap_err());
        assert!(error.contains("srun trainer train"), "{error}");
        let single = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")];
        assert_eq!(read(&single).unwrap(), None);
    }

    #[test]
    fn the_first_node_of_a_list() {
        for (list, first) in [
            ("login", "login"),
            ("a,b", "a"),
            ("gpu[03-05,9],login", "gpu03"),
            ("gpu[7,9]", "gpu7"),
            ("rack1-n[001-128]-ib,x", "rack1-n001-ib"),
            ("rack[1,2]n[01-64],x", "rack1n01"),
        ] {
            assert_eq!(first_node(list).as_deref(), Some(first), "{list}");
        }
        assert_eq!(first_node(""), None);
    }
}
