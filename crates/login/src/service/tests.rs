#![allow(clippy::unwrap_used)]

use super::*;
use crate::memory::MemoryFiles;

const UNIT: &str = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStartPre=/usr/sbin/sshd -t\n\
                    ExecStart=/usr/sbin/sshd -D $SSHD_OPTS\nExecReload=/usr/sbin/sshd -t\n";
const EACH: &str = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=-/usr/sbin/sshd -i $SSHD_OPTS\n";

/// The lines of all command lines, with their places.
fn lines(files: &MemoryFiles) -> Vec<String> {
    let all = all(files).unwrap();
    let mut found: Vec<String> = Vec::new();
    for start in all {
        found.extend(start.options.iter().map(|(text, place)| format!("{place} {text}")));
        found.extend(start.named.map(|place| format!("{place} reads {}", start.file)));
        found.extend(start.other.map(|(program, place)| format!("{place} starts {program}")));
    }
    found
}

fn debian() -> MemoryFiles {
    MemoryFiles::new()
        .file("/lib/systemd/system/ssh.service", UNIT)
        .file("/lib/systemd/system/ssh@.service", EACH)
        .link("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service")
}

#[test]
fn every_way_to_give_options_is_followed() {
    let drop_in =
        "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand /x %%u\" $SSHD_OPTS\n";
    for (files, wanted) in [
        (debian(), &[][..]),
        (
            debian().file("/etc/default/ssh", "# x\nSSHD_OPTS='-o UsePAM=no'\n"),
            &["/etc/default/ssh:2 UsePAM no", "/etc/default/ssh:2 UsePAM no"][..],
        ),
        // Without a unit as init scripts do it.
        (
            MemoryFiles::new().file("/etc/sysconfig/sshd", "OPTIONS=-oUsePAM=no\n"),
            &["/etc/sysconfig/sshd:1 UsePAM no"],
        ),
        (
            debian().file("/lib/systemd/system/ssh.service.d/agent.conf", drop_in),
            &["/lib/systemd/system/ssh.service.d/agent.conf:3 AuthorizedKeysCommand /x %u"],
        ),
        // By the other name, for one connection, for all services, and by a unit of another name.
        (
            debian().file(
                "/etc/systemd/system/sshd.service.d/a.conf",
                "[Service]\nEnvironment=SSHD_OPTS=-oUsePAM=no\n",
            ),
            &["/etc/systemd/system/sshd.service.d/a.conf:2 UsePAM no"],
        ),
        (
            debian().file(
                "/etc/systemd/system/ssh@.service.d/a.conf",
                "[Service]\nEnvironment=SSHD_OPTS=-f/etc/x\n",
            ),
            &["/etc/systemd/system/ssh@.service.d/a.conf:2 reads /etc/x"],
        ),
        (
            debian().file("/etc/systemd/system/service.d/a.conf", "[Service]\nEnvironment=SSHD_OPTS=-p2\n"),
            &[
                "/etc/systemd/system/service.d/a.conf:2 Port 2",
                "/etc/systemd/system/service.d/a.conf:2 Port 2",
            ],
        ),
        (
            debian().file(
                "/etc/systemd/system/door.service",
                "[Service]\nExecStartPost=/usr/sbin/sshd -oUsePAM=no\nExecStart=/bin/true\n",
            ),
            &["/etc/systemd/system/door.service:2 UsePAM no"],
        ),
        (
            debian().file(
                "/etc/systemd/system/ssh.service.d/a.conf",
                "[Service]\nEnvironment=X=no\nExecStart=\nExecStart=/usr/sbin/sshd -D -oUsePAM=${X} ${Y}\n",
            ),
            &["/etc/systemd/system/ssh.service.d/a.conf:2 UsePAM no"],
        ),
        // Escaped, and a unit in place of the alias.
        (
            debian().file(
                "/etc/systemd/system/ssh.service.d/a.conf",
                "[Service]\nEnvironment=SSHD_OPTS=\\x2doUsePAM=no\n",
            ),
            &["/etc/systemd/system/ssh.service.d/a.conf:2 UsePAM no"],
        ),
        (
            debian().file(
                "/etc/systemd/system/sshd.service",
                "[Service]\nExecStart=/usr/sbin/sshd -p 22 -f /x\n",
            ),
            &["/etc/systemd/system/sshd.service:2 Port 22", "/etc/systemd/system/sshd.service:2 reads /x"],
        ),
        (
            debian().file(
                "/etc/systemd/system/ssh.service.d/a.conf",
                "[Service]\nExecStart=\nExecStart=/bin/sh -c sshd\n",
            ),
            &["/etc/systemd/system/ssh.service.d/a.conf:3 starts /bin/sh"],
        ),
    ] {
        assert_eq!(lines(&files), wanted, "{files:?}");
    }
}

#[test]
fn a_flood_of_words_is_refused() {
    let many = "$A ".repeat(9000);
    let unit = format!("[Service]\nEnvironment=\"A={many}\"\nExecStart=/usr/sbin/sshd {many}\n");
    let files = MemoryFiles::new().file("/etc/systemd/system/ssh.service", unit);
    assert!(all(&files).unwrap_err().what.contains("4096 words"));
    let mut files = MemoryFiles::new();
    for number in 0..70 {
        let path = format!("/etc/systemd/system/{number}.service");
        files = files.file(&path, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
    }
    assert!(all(&files).unwrap_err().what.contains("more than 64"));
}

#[test]
fn what_runs_before_and_after_disturbs_nothing() {
    let text =
        "[Service]\nExecStartPre=/usr/lib/hardtack/hardtack-agent guard --gate\nExecReload=/bin/true\n";
    for unit in ["ssh.service", "sshd.service", "ssh@.service", "sshd@.service"] {
        let files = debian().file(&format!("/etc/systemd/system/{unit}.d/hardtack.conf"), text);
        assert_eq!(lines(&files), [""; 0], "{unit}");
        assert!(started(&files).unwrap().fault.is_none());
    }
    // A unit that says nothing of its command, too.
    let bare = MemoryFiles::new()
        .file("/lib/systemd/system/ssh.service", "[Unit]\n")
        .file("/etc/systemd/system/ssh.service.d/hardtack.conf", text);
    assert!(started(&bare).unwrap().fault.is_none());
}

/// Found by runs of sshd and systemd: each of these made sshd ask for less, and was not seen.
#[test]
fn options_that_hide_are_found() {
    let unit = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";
    for (drop_in, default) in [
        ("", "SSHD_OPTS=-DoUsePAM=no\n"),
        ("", "SSHD_OPTS=-4eoUsePAM=no\n"),
        ("", "SSHD_OPTS=-e\\\n -oUsePAM=no\n"),
        ("", "# it's\nSSHD_OPTS='-e\n-oUsePAM=no'\n"),
        ("[Service]\nExecStart=\nExecStart=/usr/sbin/sshd \\\n# a comment\n-D -oUsePAM=no\n", ""),
    ] {
        let files = MemoryFiles::new()
            .file("/usr/lib/systemd/system/ssh.service", unit)
            .file("/etc/systemd/system/ssh.service.d/x.conf", drop_in)
            .file("/etc/default/ssh", default);
        let options: Vec<String> =
            all(&files).unwrap().into_iter().flat_map(|start| start.options).map(|(text, _)| text).collect();
        assert!(
            options.iter().any(|text| text.replace('=', " ") == "UsePAM no"),
            "{drop_in}{default}: {options:?}"
        );
    }
    for drop_in in ["BindPaths=/srv/x:/etc/ssh", "RootDirectory=/srv/x", "EnvironmentFile=/etc/default/*"] {
        let files = MemoryFiles::new()
            .file("/usr/lib/systemd/system/ssh.service", unit)
            .file("/etc/systemd/system/ssh.service.d/x.conf", format!("[Service]\n{drop_in}\n"));
        assert!(all(&files).unwrap().iter().any(|start| start.other.is_some()), "{drop_in}");
    }
}
