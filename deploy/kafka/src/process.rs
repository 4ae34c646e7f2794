//! Processes, known by their id and the time of their start, so that none is taken for another.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A process that was started here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// The number that the system gave it.
    pub pid: u32,
    /// When it started, in ticks since the system did.
    pub started: u64,
}

/// Holds a process: it ends when this is dropped, or when the program that holds it ends, however it ends.
#[derive(Debug)]
pub struct Guard {
    guard: Child,
    /// Closed with this program; then the guard kills what it watches.
    life: Option<ChildStdin>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Not killed: it has to kill first what it watches.
        drop(self.life.take());
        let _ = self.guard.wait();
    }
}

/// Starts a command that goes on when this program ends. What it says goes to a file.
pub fn detached(mut command: Command, log: &Path) -> io::Result<Id> {
    let out = File::options().create(true).append(true).open(log)?;
    let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0).spawn()?;
    Ok(id(child.id()))
}

/// Starts a command that ends with this program, through a shell that waits for that.
pub fn guarded(command: &Command, log: &Path) -> io::Result<(Id, Guard)> {
    let out = File::options().create(true).append(true).open(log)?;
    let script = "log=$1; shift; \"$@\" </dev/null >>\"$log\" 2>&1 & pid=$!; echo $pid; cat >/dev/null; kill -9 $pid";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "guard"]).arg(log).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    // A group of its own: an interrupt of the terminal is the holder's business.
    let mut guard = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(out).process_group(0).spawn()?;
    let mut line = String::new();
    let stdout = guard.stdout.take().ok_or_else(|| io::Error::other("no output of the guard"))?;
    BufReader::new(stdout).read_line(&mut line)?;
    let pid = line.trim().parse().map_err(|_| io::Error::other(format!("no process: {line:?}")))?;
    let life = guard.stdin.take().ok_or_else(|| io::Error::other("no input of the guard"))?;
    Ok((id(pid), Guard { guard, life: Some(life) }))
}

fn id(pid: u32) -> Id {
    Id { pid, started: started(pid).unwrap_or(0) }
}

/// The time of a process's start; `None` when there is none, or only its remains.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may have blanks and brackets in it; what follows its last bracket has not.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // Its first thread may have ended before the others, which hold its files and ports.
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    (state != "X" && (state != "Z" || threads() > 1)).then(|| fields.nth(18)?.parse().ok())?
}

impl Id {
    /// Whether it runs.
    pub fn lives(&self) -> bool {
        started(self.pid).is_some_and(|started| started == self.started)
    }

    /// Sends a signal, such as `TERM`, `KILL`, `STOP` or `CONT`; false when there is no such process any more.
    pub fn signal(&self, signal: &str) -> bool {
        let sent = self.lives().then(|| Command::new("kill").args(["-s", signal, &self.pid.to_string()]).output());
        sent.is_some_and(|output| output.is_ok_and(|output| output.status.success()))
    }

    /// Asks it to end, waits, and kills it when it takes longer. Whether it ended by itself.
    pub fn end(&self, patience: Duration) -> bool {
        self.signal("TERM");
        if self.ends_within(patience) {
            return true;
        }
        self.signal("KILL");
        self.ends_within(Duration::from_secs(5));
        false
    }

    /// Waits until it has ended.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.lives() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// What it holds in memory now and held at most, in bytes.
    pub fn memory(&self) -> Option<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        Some((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// The time that processors spent on it, by the system's tick of 10 ms.
    pub fn cpu(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    }
}

/// Below the range from which the system takes ports for outgoing connections: one that is free now is not taken by one
/// of these before it is used.
const PORTS: Range<u16> = 20_000..32_000;

/// So many ports of the loopback that nobody uses now.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    // Held together, so that they differ.
    let mut held = Vec::with_capacity(count);
    let mut attempts = 0;
    while held.len() < count {
        attempts += 1;
        match TcpListener::bind(("127.0.0.1", rand::random_range(PORTS))) {
            Ok(listener) => held.push(listener),
            Err(error) if attempts > 1_000 => return Err(error),
            Err(_) => {}
        }
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> (Id, Guard) {
        let mut command = Command::new("sleep");
        command.arg("600");
        guarded(&command, Path::new("/dev/null")).expect("starts")
    }

    #[test]
    fn what_is_guarded_ends_with_its_guard() {
        let (id, guard) = sleeper();
        assert!(id.lives());
        drop(guard);
        assert!(id.ends_within(Duration::from_secs(10)));
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let (id, guard) = sleeper();
        let other = Id { started: id.started + 1, ..id.clone() };
        assert!(!other.lives() && !other.signal("KILL"));
        assert!(id.lives() && id.memory().is_some());
        drop(guard);
    }

    #[test]
    fn free_ports_differ() {
        let mut ports = free_ports(50).expect("ports");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }
}
