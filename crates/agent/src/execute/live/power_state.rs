//! The end of the run (`config/cc_power_state_change.py`).
//!
//! A child of the agent waits until the agent has ended, or until its patience does, asks the condition, and runs
//! the command. It is this program again (`hardtack-agent power-wait`), in a session of its own; what it is to do
//! comes through its standard input, since arguments are everybody's to read. The unit of the last stage needs
//! `KillMode=process`, or the child ends with it.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Details, program};
use crate::error::AgentError;
use crate::execute::Execution;
use crate::host::Host;
use crate::log::Log;

/// How often the child looks.
const PAUSE: Duration = Duration::from_millis(100);
/// What the child reads at most.
const READ: u64 = 4 << 20;
const OUTPUT: &str = "/var/log/cloud-init-output.log";

/// What the child is told.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    /// The agent.
    pid: u32,
    /// When the agent started, in the kernel's ticks: a number is used again one day.
    started: Option<u64>,
    /// Seconds.
    timeout: f64,
    words: Vec<String>,
    shell: Option<String>,
    program: Vec<String>,
}

/// `power-state`.
pub(super) fn power_state(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    program::only_live(cx.host, "power_state")?;
    let words = |name: &str| details.all(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let pid = std::process::id();
    let order = Order {
        pid,
        started: started(&Host::new("/"), pid),
        // JSON has no numbers for what is not finite; a day is for ever here.
        timeout: details
            .need("timeout")?
            .parse::<f64>()
            .ok()
            .map_or(30.0, |timeout| if timeout.is_nan() { 0.0 } else { timeout.clamp(0.0, 86_400.0) }),
        words: words("word"),
        shell: details.get("condition-shell").map(str::to_owned),
        program: words("condition-word"),
    };
    if order.words.is_empty() {
        return Err(AgentError::text("power_state has no command to run: the machine just goes on running"));
    }
    let text = serde_json::to_vec(&order)
        .map_err(|error| AgentError::text(format!("power_state cannot be handed on: {error}")))?;
    let output = || {
        let file = OpenOptions::new().create(true).append(true).mode(0o640).open(cx.host.path(OUTPUT));
        file.map_or_else(|_| Stdio::null(), Stdio::from)
    };
    let mut child = Command::new("/proc/self/exe")
        .args(["power-wait", "--root"])
        .arg(cx.host.path("/"))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(output())
        .stderr(output())
        .spawn()
        .map_err(|error| AgentError::text(format!("cannot start the wait for power_state: {error}")))?;
    let told = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(&text));
    told.map_err(|error| AgentError::text(format!("cannot tell power_state what to do: {error}")))?;
    cx.log.info(&format!("when this process ({pid}) has ended: {}", order.words.join(" ")));
    Ok(())
}

/// `hardtack-agent power-wait`: the child.
pub(crate) fn wait(host: &Host) -> Result<(), AgentError> {
    let _ = rustix::process::setsid();
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(READ)
        .read_to_end(&mut text)
        .map_err(|error| AgentError::text(format!("cannot read what power-wait is to do: {error}")))?;
    let order: Order = serde_json::from_slice(&text).map_err(|_| {
        AgentError::text(
            "what power-wait reads is no order of this agent's: nothing is done; it is not for people",
        )
    })?;
    let log = Log::open(host);
    let deadline = Instant::now() + Duration::try_from_secs_f64(order.timeout).unwrap_or_default();
    let proc = Host::new("/");
    while is_there(&proc, &order) && Instant::now() < deadline {
        std::thread::sleep(PAUSE);
    }
    if !condition(&log, order.shell.as_deref(), &order.program) {
        return Ok(());
    }
    log.info(&format!("power_state: {}", order.words.join(" ")));
    let Some((program, arguments)) = order.words.split_first() else { return Ok(()) };
    let ended = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let why = match ended {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let text = format!("power_state could not run {program}: {why}; the machine goes on running");
    log.error(&text);
    Err(AgentError::text(text))
}

/// Whether the agent still runs.
fn is_there(proc: &Host, order: &Order) -> bool {
    match started(proc, order.pid) {
        None => false,
        Some(now) => order.started.is_none_or(|then| then == now),
    }
}

/// When a process started; `None` when there is none, or it has ended and waits to be counted (proc(5): stat).
fn started(proc: &Host, pid: u32) -> Option<u64> {
    let text = proc.first_line(&format!("/proc/{pid}/stat"))?;
    // The name may hold blanks and brackets.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

/// Whether the condition holds: exit status 0 says yes, 1 no, and anything else no with a warning.
fn condition(log: &Log, shell: Option<&str>, program: &[String]) -> bool {
    let mut command = match (shell, program.split_first()) {
        (Some(line), _) => {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", line]);
            command
        }
        (None, Some((program, arguments))) => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        (None, None) => return true,
    };
    match command.current_dir("/").stdin(Stdio::null()).status().map(|status| (status.code(), status)) {
        Ok((Some(0), _)) => true,
        Ok((Some(1), _)) => {
            log.info("power_state.condition says no: the machine goes on running");
            false
        }
        Ok((_, status)) => {
            log.warn(&format!(
                "power_state.condition ended with {status}, which is neither 0 nor 1: the machine goes on running"
            ));
            false
        }
        Err(error) => {
            log.warn(&format!("power_state.condition cannot be asked: {error}; the machine goes on running"));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn the_condition_is_asked() {
        let tree = Tree::new();
        let log = Log::open(&tree.host());
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert!(condition(&log, None, &[]));
        assert!(condition(&log, Some("test 1 = 1"), &[]));
        assert!(condition(&log, None, &words(&["sh", "-c", "exit 0"])));
        assert!(!condition(&log, Some("exit 1"), &[]));
        assert!(log.told().is_empty());
        for (shell, program) in
            [(Some("exit 2"), words(&[])), (Some("kill -9 $$"), words(&[])), (None, words(&["/no/such"]))]
        {
            let before = log.told().len();
            assert!(!condition(&log, shell, &program));
            assert_eq!(log.told().len(), before + 1, "{shell:?} {program:?}");
        }
    }

    #[test]
    fn a_process_is_known_by_its_start() {
        let stat = |state: &str, start: u64| {
            let zeros = "0 ".repeat(18);
            format!("7 (a ) b) {state} {zeros}{start} 0 0\n")
        };
        let tree = Tree::new().file("proc/7/stat", &stat("S", 4711)).file("proc/8/stat", &stat("Z", 4711));
        let host = tree.host();
        assert_eq!(started(&host, 7), Some(4711));
        assert_eq!(started(&host, 8), None);
        assert_eq!(started(&host, 9), None);
        let order = |pid, started| Order { pid, started, ..Order::default() };
        assert!(is_there(&host, &order(7, Some(4711))) && is_there(&host, &order(7, None)));
        assert!(!is_there(&host, &order(7, Some(4712))) && !is_there(&host, &order(9, None)));
    }
}
