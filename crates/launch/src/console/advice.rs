//! Why there may be no credentials block: what a console says to somebody who has read many.

use hardtack_credentials::console::{ReadError, plain_text, read};

use super::Seen;

/// Bytes at the end of a console that are looked at.
const TAIL: usize = 1 << 20;

/// A sign on the console, and what it means. The first that fits is the cause: those that end a boot stand before those
/// that come of it.
const SIGNS: &[(&[&str], &str)] = &[
    (
        &["Kernel panic - not syncing: VFS", "Unable to mount root fs", "Cannot open root device"],
        "the kernel finds no root disk: the image lacks a driver of this disk bus (virtio, NVMe, xen-blkfront), or its \
         root= names a device that is called otherwise here; boot it with `--on local` and the other --disk-bus to compare",
    ),
    (
        &["Kernel panic"],
        "the kernel has panicked: the lines before say why; boot the image with `--on local` to look closer",
    ),
    (
        &[
            "No bootable device",
            "no bootable device",
            "Boot failed: not a bootable disk",
            "No bootable option",
        ],
        "the firmware finds nothing to boot: an image for the other firmware (BIOS, UEFI), of another architecture, or a \
         disk without a boot loader",
    ),
    (
        &[
            "grub rescue>",
            "grub> ",
            "error: no such partition",
            "error: unknown filesystem",
            "error: no such device",
        ],
        "the boot loader does not find its files: the partition table or the root's UUID is another than it was \
         installed for",
    ),
    (
        &[
            "ALERT!",
            "(initramfs)",
            "Gave up waiting for root",
            "dracut-initqueue timeout",
            "Entering emergency mode",
        ],
        "the initramfs does not find the root disk: a driver is missing in it, or the root's UUID or label is another",
    ),
    (
        &[
            "You are in emergency mode",
            "Give root password for maintenance",
            "Cannot open access to console",
            "emergency.target",
        ],
        "the system stopped in emergency mode, as a rule for a disk of /etc/fstab that is not there: nofail in its \
         options lets the boot go on",
    ),
    (
        &["Out of memory: Kill", "Out of memory and no killable"],
        "the machine ran out of memory: take a larger type",
    ),
    (
        &["SSH is stopped and does not start", "LOGINS ASK FOR LESS THAN WAS PROMISED"],
        "the guard of the image keeps SSH closed: logins would ask for less than the recipe promised; the lines with !!! \
         say where, often user-data that changes sshd or PAM",
    ),
];

/// Why there may be no block: the likely cause, in a sentence, from state and console. Empty where there is one.
pub fn advice(seen: &Seen) -> String {
    if seen.credentials {
        return String::new();
    }
    let state = &seen.machine.instance.state;
    let console = seen.console.text();
    let text = plain_text(console.get(console.len().saturating_sub(TAIL)..).unwrap_or_default());
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let ended = seen.machine.has_ended();
    // Of this machine's instances a reason tells of trouble in any state; Eucalyptus has one for those that run well.
    let here = seen.machine.ssh.is_some();
    if (ended || here)
        && let Some(reason) = state.reason.as_deref().filter(|reason| !reason.is_empty())
    {
        let reason: String = reason.chars().filter(|char| !char.is_control()).take(300).collect();
        let itself = switched_off(&text) || reason.contains("InstanceInitiatedShutdown");
        let itself = if ended && itself { "; it switched itself off" } else { "" };
        return format!("the instance is {}: {reason}{itself}", state.name);
    }
    match read(console) {
        Err(ReadError::Damaged { .. }) => {
            return "a block is there, and damaged or not whole: it is printed again when the machine reboots".to_owned();
        }
        Err(ReadError::Contradiction { .. }) => {
            return "two blocks contradict each other, and one of them is not the machine's: trust neither"
                .to_owned();
        }
        _ => {}
    }
    if let Some((_, meaning)) = SIGNS.iter().find(|(parts, _)| has(parts)) {
        return (*meaning).to_owned();
    }
    if switched_off(&text) {
        return format!(
            "the machine switched itself off (the console's last words say so; the instance is {}): power_state or a script \
             of its user-data, or somebody in it",
            state.name
        );
    }
    if ended {
        return format!(
            "the instance is {} and nothing says why: it switched itself off, or somebody ended it",
            state.name
        );
    }
    if let Some(line) =
        text.lines().rev().find(|line| line.contains("hardtack-agent: ") || line.contains("HARDTACK: "))
    {
        let line: String = line.trim().chars().take(200).collect();
        return format!("the image's agent has said: {line}");
    }
    if here && state.name == "running" && text.trim().is_empty() {
        return "nothing is on the console: nothing boots from this disk, or the image's kernel does not write to ttyS0"
            .to_owned();
    }
    later(&text, &state.name, has)
}

/// Whether the last that the kernel or systemd said is that power goes.
fn switched_off(text: &str) -> bool {
    let last = text.lines().rev().filter(|line| !line.trim().is_empty()).take(3);
    let words =
        ["reboot: Power down", "reboot: System halted", "System halted", "Power down.", "Powering off."];
    last.into_iter().any(|line| words.iter().any(|word| line.contains(word)))
}

/// No sign of a failure: how far it has come.
fn later(text: &str, state: &str, has: impl Fn(&[&str]) -> bool) -> String {
    let advice = if text.trim().is_empty() {
        if state == "pending" {
            "the instance has not started yet"
        } else {
            "nothing is on the console yet: Eucalyptus and old types tell it minutes later, and an image whose kernel has no \
             console=ttyS0 never says anything"
        }
    } else if !has(&["Linux version", "Booting Linux", "systemd[1]", "login:", "] "]) {
        "not one line of a kernel: an image of another architecture, for the other firmware (BIOS, UEFI), or one whose \
         kernel does not write to the serial port (console=ttyS0)"
    } else if has(&[
        "Giving up on md from",
        "Timed out waiting for metadata",
        "url_helper.py[WARNING]",
        "No instance datasource found",
        "Network is unreachable",
    ]) {
        "the machine does not reach its metadata service: no address by DHCP, a network without a way to 169.254.169.254, or \
         IMDSv2 required of an image that knows only v1"
    } else if has(&[
        "Failed to start hardtack",
        "hardtack-enrol.service: Failed",
        "hardtack-credentials.service: Failed",
    ]) {
        "a unit of the image's agent failed: its journal in the machine says why"
    } else if has(&["finished at", "Reached target Cloud-init", "Reached target cloud-init", "login:"])
        && !has(&["hardtack"])
    {
        "the machine has booted and nothing of hardtack is on its console: an image that was not built with `mfa` prints no \
         block; log in with the key pair"
    } else if has(&["login:", "finished at"]) {
        "the machine has booted, and its agent has printed nothing: where all users have used their codes the block has no \
         secrets, and it may have rolled out of the console's 64 KiB; reboot to see it again"
    } else {
        "the boot is still going on, or has stopped at its last line"
    };
    advice.to_owned()
}

#[cfg(test)]
mod tests {
    use hardtack_cloud::ec2::{Instance, InstanceState};

    use super::*;
    use crate::Machine;
    use crate::console::Console;

    fn of(state: &str, reason: Option<&str>, text: &str) -> String {
        let state = InstanceState { name: state.into(), reason: reason.map(str::to_owned) };
        let instance = Instance { id: "i-1".into(), state, ..Instance::default() };
        let mut console = Console::default();
        console.take(text.as_bytes());
        advice(&Seen { machine: Machine { instance, ssh: None }, console, credentials: false })
    }

    #[test]
    fn an_instance_of_this_machine_may_stand_still() {
        let reason = Some("it stands still: \x1b[2JNo space left on device".to_owned());
        let state = InstanceState { name: "running".into(), reason };
        let instance = Instance { id: "i-1".into(), state, ..Instance::default() };
        let machine = |ssh| Machine { instance: instance.clone(), ssh };
        let of =
            |ssh| advice(&Seen { machine: machine(ssh), console: Console::default(), credentials: false });
        let here = of(Some(("127.0.0.1".to_owned(), 40_022)));
        assert_eq!(here, "the instance is running: it stands still: [2JNo space left on device");
        assert!(of(None).contains("nothing is on the console yet"));
        let state = InstanceState { name: "running".into(), reason: None };
        let instance = Instance { state, ..instance.clone() };
        let machine = Machine { instance, ssh: Some(("127.0.0.1".to_owned(), 40_022)) };
        let silent = advice(&Seen { machine, console: Console::default(), credentials: false });
        assert!(silent.contains("nothing boots from this disk"), "{silent}");
    }

    #[test]
    fn consoles_tell_what_is_wrong() {
        let kernel = "[    0.000000] Linux version 6.1.0\n[    1.2] x\n";
        for (state, reason, text, wanted) in [
            ("terminated", Some("Client.InternalError: volume"), kernel, "terminated: Client.InternalError"),
            ("terminated", Some("Client.InstanceInitiatedShutdown: x"), kernel, "x; it switched itself off"),
            ("terminated", None, kernel, "nothing says why"),
            (
                "stopped",
                None,
                "[ 9.1] x\n[   12.345678] reboot: Power down\r\n",
                "switched itself off (the console",
            ),
            ("running", None, "[   12.345678] reboot: Power down\r\n", "the instance is running"),
            (
                "running",
                None,
                "[ 1.2] reboot: Power down\nLinux version 6\n[ 1] a\n[ 2] b\n[ 3] c\n",
                "still going on",
            ),
            ("pending", None, "", "not started yet"),
            ("running", None, "", "minutes later"),
            (
                "running",
                None,
                "SeaBIOS (version 1.16)\nBooting from Hard Disk...\n",
                "not one line of a kernel",
            ),
            ("running", None, "SeaBIOS\nNo bootable device.\n", "firmware finds nothing"),
            (
                "running",
                None,
                "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs",
                "no root disk",
            ),
            ("running", None, "[ 1.0] Kernel panic - not syncing: Attempted to kill init!", "panicked"),
            ("running", None, "Give root password for maintenance\n(or press Control-D)", "emergency mode"),
            ("running", None, "Gave up waiting for root file system device.", "initramfs"),
            (
                "running",
                None,
                "[    0.1] Linux version\nCloud-init v. 22.4.2 finished at x\nweb login: ",
                "nothing of hardtack",
            ),
            ("running", None, "[ 9.1] hardtack-agent[3]: started\nweb login: ", "printed nothing"),
            ("running", None, "[ 9.1] a[3]: hardtack-agent: there is no user ann\n", "there is no user ann"),
            (
                "running",
                None,
                "[ 9.1] url_helper.py[WARNING]: Calling 'http://169.254.169.254' failed",
                "metadata service",
            ),
            (
                "running",
                None,
                "!!! SSH is stopped and does not start until this is repaired",
                "keeps SSH closed",
            ),
            ("running", None, kernel, "still going on"),
            ("running", None, "-----BEGIN HARDTACK CREDENTIALS-----\nx\n", "not whole"),
        ] {
            let advice = of(state, reason, text);
            assert!(advice.contains(wanted), "{text:?}: {advice}");
        }
    }
}
