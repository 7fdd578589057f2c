//! The rules.

use super::{Boot, HidePid, Memory, Options, Partition, SHM, TMP};
use crate::{Level, Rule};

const NODEV: &str =
    "a device file that somebody makes there gives the disk or the memory to whoever opens it";
const NOSUID: &str = "a program that somebody leaves there never runs with another user's rights";
const NOEXEC: &str = "what is downloaded to where everybody may write is not started from there";
const BOTH: &str = "neither device files nor programs with another user's rights belong there";
const ALL: &str = "neither devices nor programs belong there";
const PARTITION: &str = "who fills it, or makes hard links in it, reaches nothing beside it";
const ONE: &str = "a cloud image has one partition, which grows with its disk at first boot: growroot enlarges only the \
                   last one. Journald's limits and a /tmp in memory keep the disk from filling up";

const fn one(
    id: &'static str,
    cis: &'static str,
    title: &'static str,
    reason: &'static str,
    options: &'static Options,
) -> Rule {
    Rule::new(id, cis, Level::One, title, reason, options)
}

const fn partition(
    id: &'static str,
    cis: &'static str,
    title: &'static str,
    measure: &'static Partition,
) -> Rule {
    Rule::new(id, cis, Level::One, title, PARTITION, measure).excepted(ONE)
}

pub(in crate::families) const RULES: &[Rule] = &[
    Rule::new(
        "mount-tmp",
        "1.1.2.1.1",
        Level::One,
        "/tmp is a file system of its own, in memory",
        "who fills it does not fill the disk, and its options are its own",
        &Memory(TMP),
    ),
    one(
        "mount-tmp-nodev",
        "1.1.2.1.2",
        "/tmp has no devices",
        NODEV,
        &Options::new("mount-tmp-nodev", TMP, &["nodev"]),
    ),
    one(
        "mount-tmp-nosuid",
        "1.1.2.1.3",
        "programs in /tmp run with their user's rights",
        NOSUID,
        &Options::new("mount-tmp-nosuid", TMP, &["nosuid"]),
    ),
    one(
        "mount-tmp-noexec",
        "1.1.2.1.4",
        "no programs are started from /tmp",
        NOEXEC,
        &Options::new("mount-tmp-noexec", TMP, &["noexec"]),
    ),
    Rule::new(
        "mount-shm",
        "1.1.2.2.1",
        Level::One,
        "/dev/shm is a file system of its own",
        "everybody may write there, and its options are its own",
        &Memory(SHM),
    ),
    one(
        "mount-shm-nodev",
        "1.1.2.2.2",
        "/dev/shm has no devices",
        NODEV,
        &Options::new("mount-shm-nodev", SHM, &["nodev"]),
    ),
    one(
        "mount-shm-nosuid",
        "1.1.2.2.3",
        "programs in /dev/shm run with their user's rights",
        NOSUID,
        &Options::new("mount-shm-nosuid", SHM, &["nosuid"]),
    ),
    one(
        "mount-shm-noexec",
        "1.1.2.2.4",
        "no programs are started from /dev/shm",
        NOEXEC,
        &Options::new("mount-shm-noexec", SHM, &["noexec"]),
    ),
    partition("part-home", "1.1.2.3.1", "/home is a partition of its own", &Partition("/home")),
    one(
        "mount-home-opts",
        "1.1.2.3.2-3",
        "/home has no devices, and programs there run with their user's rights",
        BOTH,
        &Options::new("mount-home-opts", "/home", &["nodev", "nosuid"]),
    ),
    partition("part-var", "1.1.2.4.1", "/var is a partition of its own", &Partition("/var")),
    one(
        "mount-var-opts",
        "1.1.2.4.2-3",
        "/var has no devices, and programs there run with their user's rights",
        BOTH,
        &Options { holds_containers: true, ..Options::new("mount-var-opts", "/var", &["nodev", "nosuid"]) },
    ),
    partition("part-var-tmp", "1.1.2.5.1", "/var/tmp is a partition of its own", &Partition("/var/tmp")),
    one(
        "mount-var-tmp-opts",
        "1.1.2.5.2-4",
        "/var/tmp has neither devices nor programs",
        ALL,
        &Options::new("mount-var-tmp-opts", "/var/tmp", &["nodev", "nosuid", "noexec"]),
    ),
    partition("part-var-log", "1.1.2.6.1", "/var/log is a partition of its own", &Partition("/var/log")),
    one(
        "mount-var-log-opts",
        "1.1.2.6.2-4",
        "/var/log has neither devices nor programs",
        ALL,
        &Options::new("mount-var-log-opts", "/var/log", &["nodev", "nosuid", "noexec"]),
    ),
    partition(
        "part-var-log-audit",
        "1.1.2.7.1",
        "/var/log/audit is a partition of its own",
        &Partition("/var/log/audit"),
    ),
    one(
        "mount-var-log-audit-opts",
        "1.1.2.7.2-4",
        "/var/log/audit has neither devices nor programs",
        ALL,
        &Options::new("mount-var-log-audit-opts", "/var/log/audit", &["nodev", "nosuid", "noexec"]),
    ),
    Rule::new(
        "mount-boot-opts",
        "",
        Level::None,
        "file systems of the boot loader have neither devices nor programs, and are root's",
        "what is there is read before the kernel runs, and by nobody else",
        &Boot,
    ),
    Rule::new(
        "mount-proc-hidepid",
        "",
        Level::None,
        "users see their own processes only",
        "command lines of others tell passwords, and what is worth an attack",
        &HidePid,
    ),
];
