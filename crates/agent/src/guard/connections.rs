//! sshd's processes: the one that listens, and the connections that have not logged in yet.
//!
//! To stop the unit is not enough, and takes long. systemd answers when its queue is through, which a package's
//! scripts fill. And with `KillMode=process` connections that are being asked go on, and log in by the PAM stack
//! that is there now: sshd reads it at every login. So the processes are ended here, at once; sessions are not.
//!
//! How far one is its title says (setproctitle(3); seen with 9.2): `sshd: [accepted]` before a user is named,
//! then a monitor `sshd: ann [priv]` with its children `ann [net]` (talks to the client) and `ann [pam]` (asks).
//! Logged in, the monitor's child is `ann`, `ann@pts/0` or `ann@notty`; root has no monitor then. Since 9.8 the
//! program of a connection is `sshd-session`, since 10.0 that of an unknown client `sshd-auth`.

use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::ssh::{has_systemd, unit_of};
use crate::host::Host;

/// The listener ends within milliseconds, on a machine that has some to give.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);
/// `sshd: ann [net]`.
const ASKED: [&str; 4] = ["[net]", "[preauth]", "[pam]", "[accepted]"];

/// What a process of sshd does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Takes connections.
    Listener,
    /// Works for a client that has not logged in.
    Asked,
    /// Of a connection: its children say how far it is.
    Monitor,
    /// Works for a client that has logged in, or is something else.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    role: Role,
    /// The unit of SSH that it belongs to. A session that pam_systemd knows of has a scope of its own.
    unit: Option<String>,
}

/// Ends the listeners and the connections that have not logged in. Returns the units whose listeners they were.
pub(super) fn end(host: &Host) -> Vec<String> {
    if !host.is_live() {
        return Vec::new();
    }
    end_by(host, &mut |process, signal| send(host, process, signal))
}

fn end_by(host: &Host, send: &mut dyn FnMut(&Process, Signal)) -> Vec<String> {
    let started = Instant::now();
    let mut asked_to_end: Vec<i32> = Vec::new();
    let mut units: Vec<String> = Vec::new();
    loop {
        let found = doomed(host);
        if found.is_empty() {
            return units;
        }
        for process in &found {
            if process.role != Role::Listener {
                // Whatever it is in the middle of, it must not come to its end.
                send(process, Signal::KILL);
            } else if !asked_to_end.contains(&process.pid) {
                asked_to_end.push(process.pid);
                units.extend(process.unit.clone().filter(|unit| !units.contains(unit)));
                send(process, Signal::TERM);
            }
        }
        // Until the listener is gone there may be new ones.
        if started.elapsed() >= PATIENCE {
            return units;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Listeners, monitors of clients that have not logged in, and what works for them, in this order: a monitor that
/// loses its child first may still say something.
fn doomed(host: &Host) -> Vec<Process> {
    let here = namespace(host, "self");
    let all: Vec<Process> = host
        .names("/proc")
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter_map(|pid| look(host, pid))
        .filter(|process| namespace(host, &process.pid.to_string()) == here)
        .collect();
    let has_session = |pid: i32| {
        all.iter().any(|child| child.parent == pid && matches!(child.role, Role::Other | Role::Monitor))
    };
    // What a monitor has just made for a session has no title of its own yet.
    let of_monitor = |process: &Process| {
        all.iter().any(|above| above.pid == process.parent && above.role == Role::Monitor)
    };
    let is_ours = |process: &Process| process.unit.is_some() || !has_systemd(host);
    let mut found: Vec<Process> = all
        .iter()
        .filter(|process| is_ours(process))
        .filter(|process| match process.role {
            Role::Listener | Role::Asked => true,
            Role::Monitor => !has_session(process.pid) && !of_monitor(process),
            Role::Other => false,
        })
        .cloned()
        .collect();
    found.sort_by_key(|process| match process.role {
        Role::Listener => 0,
        Role::Monitor => 1,
        Role::Asked | Role::Other => 2,
    });
    found
}

/// A container's processes are seen from outside, and are none of ours.
fn namespace(host: &Host, pid: &str) -> Option<std::path::PathBuf> {
    std::fs::read_link(host.path(&format!("/proc/{pid}/ns/pid"))).ok()
}

/// `None`: it is gone, or is no sshd.
fn look(host: &Host, pid: i32) -> Option<Process> {
    let program = std::fs::read_link(host.path(&format!("/proc/{pid}/exe"))).ok()?;
    // What an upgrade has replaced is `/usr/sbin/sshd (deleted)`.
    let name = program.file_name()?.to_str()?.split([' ', '.']).next()?;
    if !matches!(name, "sshd" | "sshd-session" | "sshd-auth") {
        return None;
    }
    let bytes = host.read(&format!("/proc/{pid}/cmdline")).ok()??;
    let status = host.read_text(&format!("/proc/{pid}/status")).ok()??;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())?;
    let cgroup = host.read_text(&format!("/proc/{pid}/cgroup")).ok().flatten().unwrap_or_default();
    let role = role(name, &String::from_utf8_lossy(&bytes));
    Some(Process { pid, parent, role, unit: unit_of(&cgroup) })
}

/// By its program and its command line: a title, or the arguments while it has not set one.
fn role(program: &str, line: &str) -> Role {
    let title = line.trim_end_matches(|c: char| c == '\0' || c.is_whitespace());
    let is_title = ["sshd: ", "sshd-session: ", "sshd-auth: "].iter().any(|start| title.starts_with(start));
    let has = |option: &str| title.split('\0').skip(1).any(|argument| argument == option);
    if program == "sshd-auth" {
        Role::Asked
    } else if is_title && title.contains(" [listener]") {
        Role::Listener
    } else if is_title && title.ends_with(" [priv]") {
        Role::Monitor
    } else if is_title {
        let asked = ASKED.iter().any(|end| title.ends_with(&format!(" {end}")));
        if asked { Role::Asked } else { Role::Other }
    } else if program == "sshd-session" || has("-R") || has("-i") {
        Role::Asked
    } else if has("-t") || has("-T") || has("-G") || title.is_empty() {
        Role::Other
    } else {
        Role::Listener
    }
}

/// By a descriptor, where the kernel has them: its number may be another process's by now, and it may have logged
/// in.
fn send(host: &Host, process: &Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    let descriptor = pidfd_open(pid, PidfdFlags::empty());
    if look(host, process.pid).as_ref() != Some(process) {
        return;
    }
    // It has ended by itself, or the next round finds it again.
    let _ = match descriptor {
        Ok(descriptor) => pidfd_send_signal(descriptor, signal),
        Err(_) => kill_process(pid, signal),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    const SSH: &str = "0::/system.slice/ssh.service\n";
    const OLD: &str = "5:memory:/system.slice\n1:name=systemd:/system.slice/ssh.service\n";
    const SCOPE: &str = "0::/user.slice/user-1000.slice/session-4.scope\n";

    fn with(tree: Tree, pid: i32, parent: i32, program: &str, line: &str, cgroup: &str) -> Tree {
        let _ = std::fs::remove_file(tree.host().path(&format!("/proc/{pid}/exe")));
        tree.link(&format!("proc/{pid}/exe"), program)
            .file(&format!("proc/{pid}/cmdline"), line)
            .file(&format!("proc/{pid}/status"), &format!("Name:\tsshd\nPPid:\t{parent}\n"))
            .file(&format!("proc/{pid}/cgroup"), cgroup)
    }

    /// Debian 12: a listener, somebody being asked, somebody unknown, two sessions, one that only forwards, root.
    fn debian(cgroup: &str, session: &str) -> Tree {
        let sshd = "/usr/sbin/sshd (deleted)";
        let listener = "sshd: /usr/sbin/sshd -D [listener] 3 of 10-100 startups\0";
        let mut tree = Tree::new().directory("run/systemd/system").file("proc/uptime", "1 1\n");
        for (pid, parent, line, cgroup) in [
            (7, 1, listener, cgroup),
            (16, 7, "sshd: [accepted]   \0\0\0", cgroup),
            (17, 7, "sshd: ann [priv]  \0\0", session),
            (45, 17, "sshd: ann@pts/2\0\0", session),
            (18, 7, "sshd: root@notty\0\0", session),
            (19, 7, "sshd: ann [priv]\0\0", session),
            (51, 19, "sshd: ann\0\0", session),
            // It has just been let in.
            (20, 7, "sshd: bob [priv]\0\0", session),
            (52, 20, "sshd: bob [priv]\0\0", session),
            (31, 7, "sshd: ann [priv]   \0", cgroup),
            (33, 31, "sshd: ann [net]   \0\0", cgroup),
            (35, 31, "sshd: ann [pam]\0", cgroup),
            (32, 7, "sshd: unknown [priv]\0", cgroup),
            (34, 32, "sshd: unknown [net]\0", cgroup),
            (36, 7, "/usr/sbin/sshd\0-D\0-R\0", cgroup),
        ] {
            tree = with(tree, pid, parent, sshd, line, cgroup);
        }
        // What is no sshd, and sshd that only checks.
        tree = with(tree, 60, 45, "/usr/bin/bash", "sshd: ann [net]\0", cgroup);
        with(tree, 61, 1, "/usr/sbin/sshd", "/usr/sbin/sshd\0-t\0", cgroup)
    }

    fn ended(tree: &Tree) -> (Vec<i32>, Vec<i32>, Vec<String>) {
        let (mut asked, mut killed) = (Vec::new(), Vec::new());
        let units = end_by(&tree.host(), &mut |process, signal| {
            let list = if signal == Signal::TERM { &mut asked } else { &mut killed };
            list.push(process.pid);
            let _ = std::fs::remove_dir_all(tree.host().path(&format!("/proc/{}", process.pid)));
        });
        (asked, killed, units)
    }

    #[test]
    fn who_has_not_logged_in_is_ended_and_who_has_is_not() {
        // With pam_systemd and without, in both kinds of control groups.
        for (cgroup, session) in [(SSH, SCOPE), (SSH, SSH), (OLD, SCOPE), (OLD, OLD)] {
            let (asked, mut killed, units) = ended(&debian(cgroup, session));
            assert_eq!(asked, [7]);
            assert_eq!(killed.iter().take(2).collect::<Vec<_>>(), [&31, &32], "monitors first");
            killed.sort_unstable();
            assert_eq!(killed, [16, 31, 32, 33, 34, 35, 36], "{session}");
            assert_eq!(units, ["ssh.service"]);
        }
    }

    #[test]
    fn an_sshd_of_nobodys_unit_is_left_alone_where_there_are_units() {
        let tree = debian(SCOPE, SCOPE);
        assert_eq!(ended(&tree), (vec![], vec![], vec![]));
        // Without systemd there is but one.
        std::fs::remove_dir(tree.host().path("/run/systemd/system")).ok();
        let (asked, killed, units) = ended(&tree);
        assert_eq!((asked.len(), killed.len(), units.len()), (1, 7, 0));
    }

    #[test]
    fn a_container_s_sshd_is_none_of_ours() {
        let tree = debian(SSH, SCOPE).link("proc/self/ns/pid", "pid:[1]");
        assert_eq!(ended(&tree), (vec![], vec![], vec![]));
        let tree = tree.link("proc/7/ns/pid", "pid:[1]").link("proc/31/ns/pid", "pid:[2]");
        assert_eq!(ended(&tree).0, [7]);
    }

    #[test]
    fn newer_programs_and_servers_of_one_connection() {
        let one = "0::/system.slice/system-ssh.slice/ssh@0-192.0.2.1:22-192.0.2.9:5000.service\n";
        let session = "/usr/lib/openssh/sshd-session";
        let mut tree = Tree::new().directory("run/systemd/system");
        for (pid, parent, program, line, cgroup) in [
            (7, 1, "/usr/sbin/sshd", "/usr/sbin/sshd\0-D\0", SSH),
            (20, 7, session, "sshd-session: ann [priv]\0", SSH),
            (21, 20, "/usr/lib/openssh/sshd-auth", "sshd-auth: ann [net]\0", SSH),
            (22, 7, session, "/usr/lib/openssh/sshd-session\0-D\0-R\0", SSH),
            (23, 22, "/usr/lib/openssh/sshd-auth", "/usr/lib/openssh/sshd-auth\0-D\0-R\0", SSH),
            (24, 7, session, "sshd-session: bob [priv]\0", SSH),
            (25, 24, session, "sshd-session: bob@notty\0", SSH),
            (30, 1, "/usr/sbin/sshd", "sshd: eve [priv]\0", one),
            (31, 30, "/usr/sbin/sshd", "sshd: eve [net]\0", one),
        ] {
            tree = with(tree, pid, parent, program, line, cgroup);
        }
        let (asked, mut killed, units) = ended(&tree);
        killed.sort_unstable();
        assert_eq!((asked, killed), (vec![7], vec![20, 21, 22, 23, 30, 31]));
        assert_eq!(units, ["ssh.service"]);
    }

    /// A listener that does not end is asked once, and not waited for without end.
    #[test]
    fn a_listener_that_stays_is_asked_once() {
        let tree = debian(SSH, SCOPE);
        let mut asked = 0;
        end_by(&tree.host(), &mut |process, _| asked += i32::from(process.role == Role::Listener));
        assert_eq!(asked, 1);
    }

    #[test]
    fn below_another_root_nothing_is_ended() {
        assert!(end(&debian(SSH, SCOPE).host()).is_empty());
    }
}
