//! `agent`: puts the first-boot agent into the image, tells it what the recipe wants and has it
//! started at boot.
//!
//! It comes last: the other steps have by then filled in what the agent is to know. With systemd
//! there is one oneshot unit for each of its commands; without it /etc/rc.local calls them. Mode
//! `replace` adds cloud-init's units and tools, as ours ([`replace`]).

use hardtack_credentials::AgentConfig;
use hardtack_guest::{FileType, Set, Stage};

use crate::model::{AgentMode, AgentStep};
use crate::steps::tasks;
use crate::{Context, StepError};

mod fitness;
pub mod host_keys;
mod replace;
#[cfg(test)]
mod tests;

const STEP: &str = "agent";
const PROGRAM: &str = "/usr/lib/hardtack/hardtack-agent";
/// By this name everything that is printed calls it, and so does whoever reads that: [`PROGRAM`] is in nobody's PATH.
const COMMAND: &str = "/usr/bin/hardtack-agent";
pub(crate) const CONFIG: &str = "/etc/hardtack/agent.json";
pub(super) const STATE: &str = "/var/lib/hardtack";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";
const RC_LOCAL: &str = "/etc/rc.local";
const RC_BEGIN: &str = "# hardtack: begin\n";
const RC_END: &str = "# hardtack: end\n";
const RC_LINES: &str = include_str!("../units/rc.local");
const GETTY_DROP_IN: &str = include_str!("../units/serial-getty.conf");

/// What the guard puts in front of every unit that lets SSH in: those of distributions, and of systemd's own
/// generator (systemd-ssh-generator(8)). A drop-in for a unit that is not there does nothing. Its name sorts behind
/// `override.conf`, which `systemctl edit` makes: an `ExecStartPre=` there would take the gate away.
const GUARD_DROP_IN: &str = "zz-hardtack-guard.conf";
const GUARDED: [(&str, &str); 12] = [
    ("ssh.service", GUARD_SERVICE),
    ("sshd.service", GUARD_SERVICE),
    ("ssh@.service", GUARD_CONNECTION),
    ("sshd@.service", GUARD_CONNECTION),
    ("sshd-unix-local@.service", GUARD_CONNECTION),
    ("sshd-unix-export@.service", GUARD_CONNECTION),
    ("sshd-vsock@.service", GUARD_CONNECTION),
    ("ssh.socket", GUARD_SOCKET),
    ("sshd.socket", GUARD_SOCKET),
    ("sshd-unix-local.socket", GUARD_SOCKET),
    ("sshd-unix-export.socket", GUARD_SOCKET),
    ("sshd-vsock.socket", GUARD_SOCKET),
];
const GUARD_SERVICE: &str = include_str!("../units/guard/service.conf");
const GUARD_CONNECTION: &str = include_str!("../units/guard/connection.conf");
const GUARD_SOCKET: &str = include_str!("../units/guard/socket.conf");

/// One unit of ours.
struct Unit {
    name: &'static str,
    text: &'static str,
    wanted: fn(&Context<'_, '_>) -> bool,
    /// Part of the boot; otherwise another unit starts it.
    enabled: bool,
}

const UNITS: [Unit; 10] = [
    Unit {
        name: "hardtack-host-keys.service",
        text: include_str!("../units/hardtack-host-keys.service"),
        wanted: |cx| cx.agent.host_keys,
        enabled: true,
    },
    Unit {
        name: "hardtack-tasks.service",
        text: include_str!("../units/hardtack-tasks.service"),
        wanted: |cx| !cx.agent.tasks.is_empty(),
        enabled: true,
    },
    Unit {
        name: "hardtack-packages.service",
        text: include_str!("../units/hardtack-packages.service"),
        wanted: |cx| cx.agent.packages.is_some(),
        enabled: true,
    },
    Unit {
        name: "hardtack-enrol.service",
        text: include_str!("../units/hardtack-enrol.service"),
        // It makes passwords, too.
        wanted: |cx| {
            let random = cx.agent.accounts.iter().any(|account| account.random_password.is_some());
            cx.agent.mfa.is_some() || random
        },
        enabled: true,
    },
    Unit {
        name: "hardtack-guard.service",
        text: include_str!("../units/hardtack-guard.service"),
        wanted: |cx| cx.agent.mfa.is_some(),
        enabled: true,
    },
    Unit {
        name: "hardtack-guard.path",
        text: include_str!("../units/hardtack-guard.path"),
        wanted: |cx| cx.agent.mfa.is_some(),
        enabled: true,
    },
    Unit {
        name: "hardtack-watch.service",
        text: include_str!("../units/hardtack-watch.service"),
        wanted: |cx| cx.agent.mfa.is_some(),
        enabled: false,
    },
    Unit {
        name: "hardtack-credentials.service",
        text: include_str!("../units/hardtack-credentials.service"),
        wanted: |_| true,
        enabled: true,
    },
    Unit {
        name: "hardtack-credentials-again.service",
        text: include_str!("../units/hardtack-credentials-again.service"),
        wanted: |_| true,
        enabled: true,
    },
    // In mode `replace` the section `coreos:` is a part of the stages.
    Unit {
        name: "hardtack-coreos.service",
        text: include_str!("../units/hardtack-coreos.service"),
        wanted: |cx| cx.agent.mode == AgentMode::Companion.as_str(),
        enabled: true,
    },
];

/// What an earlier build of the image told its agent; `None` where there is no agent.
///
/// # Errors
/// The file is damaged: what it promised, and whom it enrols, is not known then.
pub(crate) fn known(stage: &Stage<'_>) -> Result<Option<AgentConfig>, StepError> {
    let Some(text) = stage.read_text(CONFIG)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        let place = format!("{CONFIG}:{}:{}", error.line(), error.column());
        StepError::refused(STEP, format!("{place}: the agent's configuration in the image is damaged"))
            .hint("what it held is not known: begin with the image as it was before its first build")
    })
}

/// Installs the agent. To be called after every other step.
///
/// # Errors
/// [`StepError::Local`] when no agent was given, [`StepError::Refused`] when the image cannot run it.
pub fn apply(settings: &AgentStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    cx.agent.mode = settings.mode.as_str().to_owned();
    let systemd = has_systemd(cx)?;
    if settings.mode == AgentMode::Replace && !systemd {
        let what = "`mode: replace` needs systemd, and this image has none: nothing else would run the stages \
                    before the network and before SSH";
        return Err(StepError::refused(STEP, what).hint("use `mode: companion`"));
    }
    let program = cx.agent_binary.clone().ok_or_else(|| {
        StepError::local(STEP, "the program hardtack-agent was not found")
            .hint("`cargo xtask agent` builds it where hardtack looks; releases have it; --agent PATH names another")
    })?;
    fitness::check(&program, cx)?;
    cx.stage.write(PROGRAM, program, Set::all(0o755, 0, 0))?;
    cx.stage.symlink(COMMAND, PROGRAM)?;

    tasks::finish(cx)?;
    if lost_at_boot(cx) && !cx.agent.tasks.is_empty() {
        cx.warn(
            STEP,
            "what the first boot does is lost with the overlay: its tasks run at every boot, and the \
             packages they install are installed again",
        );
    }
    cx.agent.host_keys = cx.agent.host_keys || host_keys::are_missing(cx.stage)?;
    for account in &cx.agent.accounts {
        if !account.password_hash.is_empty() {
            cx.stage.add_secret(&account.password_hash);
        }
    }
    let mut text = serde_json::to_string_pretty(&cx.agent).map_err(|error| {
        StepError::refused(STEP, format!("the agent's configuration cannot be written: {error}"))
    })?;
    text.push('\n');
    let before = known(cx.stage)?;
    forget_outcome(cx, before.as_ref())?;
    cx.stage.mkdir("/etc/hardtack", Set::all(0o755, 0, 0))?;
    cx.stage.write(CONFIG, text, Set::all(0o600, 0, 0))?;
    cx.stage.mkdir(STATE, Set::all(0o700, 0, 0))?;
    if !systemd {
        return by_rc_local(cx);
    }
    by_systemd(cx)?;
    let replaced = before.is_some_and(|before| before.mode == AgentMode::Replace.as_str());
    match settings.mode {
        AgentMode::Replace => replace::install(cx, replaced),
        AgentMode::Companion if replaced => replace::undo(cx),
        AgentMode::Companion => Ok(()),
    }
}

/// Whether nothing that is written to `/` outlives a boot.
fn lost_at_boot(cx: &Context<'_, '_>) -> bool {
    cx.agent.overlay.as_ref().is_some_and(|overlay| overlay.random_key || overlay.mode == "tmpfs")
}

/// An image that was booted carries the outcome of its packages, and the agent would take other
/// ones for installed.
fn forget_outcome(cx: &mut Context<'_, '_>, before: Option<&AgentConfig>) -> Result<(), StepError> {
    if before.is_some_and(|before| before.packages != cx.agent.packages) {
        cx.stage.remove(&format!("{STATE}/packages.json"))?;
    }
    Ok(())
}

/// Whether the image's init is systemd. Where there is no init to look at (a kernel that starts it
/// by another name), a directory of units decides.
fn has_systemd(cx: &Context<'_, '_>) -> Result<bool, StepError> {
    for init in ["/sbin/init", "/usr/sbin/init"] {
        if cx.stage.lstat(init)?.is_some() {
            let target = cx.stage.resolve(init)?;
            return Ok(target.to_string().ends_with("/systemd"));
        }
    }
    Ok(is_directory(cx, "/usr/lib/systemd/system")? || is_directory(cx, "/lib/systemd/system")?)
}

fn is_directory(cx: &Context<'_, '_>, path: &str) -> Result<bool, StepError> {
    Ok(cx.stage.stat(path)?.is_some_and(|metadata| metadata.kind == FileType::Directory))
}

/// Where the image keeps its units: beside multi-user.target, else the first that is there.
fn unit_directory(cx: &Context<'_, '_>) -> Result<&'static str, StepError> {
    let known = ["/usr/lib/systemd/system", "/lib/systemd/system"];
    for directory in known {
        if cx.stage.stat(&format!("{directory}/multi-user.target"))?.is_some() {
            return Ok(directory);
        }
    }
    for directory in known {
        if is_directory(cx, directory)? {
            return Ok(directory);
        }
    }
    Ok("/etc/systemd/system")
}

fn by_systemd(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let directory = unit_directory(cx)?;
    for unit in &UNITS {
        let path = format!("{directory}/{}", unit.name);
        let link = format!("{WANTS}/{}", unit.name);
        if (unit.wanted)(cx) {
            cx.stage.write(&path, unit.text, Set::all(0o644, 0, 0))?;
            if unit.enabled {
                cx.stage.symlink(&link, &path)?;
            }
        } else {
            // From an earlier build with another recipe.
            cx.stage.remove(&link)?;
            cx.stage.remove(&path)?;
        }
    }
    let drop_in = format!("{directory}/serial-getty@.service.d/hardtack.conf");
    cx.stage.write(&drop_in, GETTY_DROP_IN, Set::all(0o644, 0, 0))?;
    guard_ssh(cx, directory)
}

/// Puts the gate in front of every unit that lets SSH in. What an image's own unit does for a reload stays,
/// behind the gate: sshd that rereads its configuration first has let somebody in by the time it is judged.
/// The drop-ins stand beside the image's own units, and not in /etc, where people look for settings of theirs.
fn guard_ssh(cx: &mut Context<'_, '_>, directory: &str) -> Result<(), StepError> {
    let wanted = cx.agent.mfa.is_some();
    for (unit, text) in GUARDED {
        let path = format!("{directory}/{unit}.d/{GUARD_DROP_IN}");
        if !wanted {
            cx.stage.remove(&path)?;
            continue;
        }
        let own = cx.stage.read_text(&format!("{directory}/{unit}"))?.unwrap_or_default();
        cx.stage.write(&path, format!("{text}{}", reload(&own)), Set::all(0o644, 0, 0))?;
    }
    Ok(())
}

/// The unit's lines for a reload with the gate before them; nothing where it has none.
fn reload(unit: &str) -> String {
    let lines: Vec<&str> = unit.lines().filter(|line| line.starts_with("ExecReload=")).collect();
    // A command over several lines is left alone, and judged when files change.
    if lines.is_empty() || lines.iter().any(|line| line.trim_end().ends_with('\\')) {
        return String::new();
    }
    let mut text = format!("ExecReload=\nExecReload={PROGRAM} guard --gate\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Our lines stand at the top, once: what follows may exit anywhere, or end at its first error (`-e`).
fn by_rc_local(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let before = cx.stage.read_text(RC_LOCAL)?;
    let text = before.as_deref().unwrap_or("#!/bin/sh -e\n\nexit 0\n");
    if !is_shell(text) {
        return Err(StepError::refused(STEP, format!("{RC_LOCAL}:1: the script is not one for the shell"))
            .hint("put a shell script in its place that calls it"));
    }
    let after = with_our_lines(text);
    // rc.local runs only when it may be executed.
    let mode = cx.stage.stat(RC_LOCAL)?.map_or(0o755, |metadata| metadata.mode & 0o7777 | 0o111);
    cx.stage.write(RC_LOCAL, after, Set::mode(mode))?;
    cx.warn(
        STEP,
        "this image has no systemd: /etc/rc.local starts the agent, so SSH may answer before users are enrolled; \
         until then it refuses them",
    );
    Ok(())
}

/// Whether the first line names a shell, or nothing at all.
fn is_shell(text: &str) -> bool {
    let Some(line) = text.lines().next().and_then(|line| line.strip_prefix("#!")) else { return true };
    line.split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or_default())
        .find(|word| *word != "env")
        .is_some_and(|name| matches!(name, "sh" | "bash" | "dash" | "ash" | "busybox" | "ksh" | "mksh"))
}

fn with_our_lines(text: &str) -> String {
    let text = without_our_lines(text);
    let end = if text.starts_with("#!") { text.find('\n').map_or(text.len(), |end| end + 1) } else { 0 };
    let (head, tail) = text.split_at(end);
    let line_end = if head.is_empty() || head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{line_end}{RC_LINES}{tail}")
}

fn without_our_lines(text: &str) -> String {
    let cut = text.find(RC_BEGIN).and_then(|start| {
        let tail = text.get(start..)?;
        let end = start + tail.find(RC_END)? + RC_END.len();
        Some((text.get(..start)?, text.get(end..)?))
    });
    cut.map_or_else(|| text.to_owned(), |(head, tail)| format!("{head}{tail}"))
}
