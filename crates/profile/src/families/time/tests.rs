use hardtack_guest::{MemoryTree, Set, Stage};

use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const UNIT: &str = "[Install]\nWantedBy=multi-user.target\nAlias=dbus-org.freedesktop.timesync1.service\n";
const STATUS: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";

fn debian() -> MemoryTree {
    MemoryTree::new()
        .link("/lib", "usr/lib")
        .link("/sbin/init", "/lib/systemd/systemd")
        .file("/var/lib/dpkg/status", STATUS)
        .file("/etc/group", "root:x:0:\ndaemon:x:1:\ncrontab:x:101:\n")
}

fn servers(names: &[&str]) -> Settings {
    Settings { time_servers: names.iter().map(|name| (*name).to_owned()).collect(), ..Settings::default() }
}

#[test]
fn of_two_services_the_one_that_somebody_installed_stays() {
    let tree = debian()
        .file("/usr/lib/systemd/system/chrony.service", UNIT)
        .link(
            "/etc/systemd/system/multi-user.target.wants/chrony.service",
            "/lib/systemd/system/chrony.service",
        )
        .file("/usr/lib/systemd/system/systemd-timesyncd.service", UNIT)
        .link("/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", "/x");
    let ids = ["time-one", "time-timesyncd-on", "time-chrony-on"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why, &["chrony is enabled", "systemd-timesyncd is enabled"]);
    assert_eq!(after[0], Finding::Pass);
    assert_eq!(after[1], Finding::NotApplicable("chrony keeps the time".to_owned()));
    assert_eq!(after[2], Finding::Pass);
    let mask = stage.read_link("/etc/systemd/system/systemd-timesyncd.service").unwrap();
    assert_eq!(mask.as_deref(), Some("/dev/null"));
}

#[test]
fn one_that_is_off_is_enabled_under_all_its_names() {
    let tree = debian().file("/usr/lib/systemd/system/systemd-timesyncd.service", UNIT);
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["time-one", "time-timesyncd-on"]);
    assert!(
        matches!(before[0], Finding::Fail { .. }) && matches!(before[1], Finding::Fail { .. }),
        "{before:?}"
    );
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    assert!(stage.lstat("/etc/systemd/system/dbus-org.freedesktop.timesync1.service").unwrap().is_some());
}

#[test]
fn an_image_without_any_gets_one_at_first_boot() {
    let tree = debian();
    let (_, after, _) = carry_out(&tree, &Settings::default(), &["time-one"]);
    assert_eq!(after, [Finding::FirstBoot("apt-get installs systemd-timesyncd".to_owned())]);
}

#[test]
fn timesyncd_asks_the_named_servers_only() {
    let tree = debian()
        .file("/usr/lib/systemd/system/systemd-timesyncd.service", UNIT)
        .file("/etc/systemd/timesyncd.conf.d/10-site.conf", "[Time]\nNTP=old.example.org\n");
    let (before, after, _) =
        carry_out(&tree, &servers(&["a.example.org", "::1"]), &["time-timesyncd-servers"]);
    let Finding::Fail { why, places } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why[0], "NTP is \"old.example.org\", not \"a.example.org ::1\"");
    assert_eq!(places[0].line, Some(2));
    assert_eq!(after, [Finding::Pass]);
    // Behind ours it is in force, too: a list grows.
    let tree = tree.file("/etc/systemd/timesyncd.conf.d/90-site.conf", "[Time]\nNTP=late.example.org\n");
    let (_, after, _) = carry_out(&tree, &servers(&["a.example.org"]), &["time-timesyncd-servers"]);
    assert!(matches!(after[0], Finding::Fail { .. }), "{after:?}");
    let tree = debian();
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["time-timesyncd-servers"]);
    assert!(matches!(after[0], Finding::Exception(_)) && stage.edits().unwrap().is_empty(), "{after:?}");
}

#[test]
fn a_name_that_would_be_a_line_is_refused() {
    let tree = debian();
    let mut stage = Stage::new(&tree);
    let settings = servers(&["a\n[Service]"]);
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    assert!(crate::rule("time-timesyncd-servers").unwrap().measure.apply(&mut bench).is_err());
}

#[test]
fn chrony_reads_a_directory_of_sources_or_gets_lines() {
    let conf = "sourcedir /etc/chrony/sources.d\npool 2.debian.pool.ntp.org iburst\nuser root\n";
    let tree =
        debian().file("/etc/chrony/chrony.conf", conf).file("/usr/lib/systemd/system/chrony.service", UNIT);
    let ids = ["time-chrony-servers", "time-chrony-user"];
    let (before, after, stage) = carry_out(&tree, &servers(&["a.example.org"]), &ids);
    assert!(before.iter().all(|finding| matches!(finding, Finding::Fail { .. })), "{before:?}");
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    assert!(stage.read_text("/etc/chrony/chrony.conf").unwrap().unwrap().ends_with("\n# user root\n"));
    let old = debian().file("/etc/chrony.conf", "# RHEL's\nserver b.example.org");
    let (_, after, stage) = carry_out(&old, &servers(&["b.example.org", "c.example.org"]), &ids[..1]);
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(
        stage.read_text("/etc/chrony.conf").unwrap().unwrap(),
        "# RHEL's\nserver b.example.org\nserver c.example.org iburst\n"
    );
}

#[test]
fn a_file_that_includes_itself_ends() {
    let tree = debian().file("/etc/chrony.conf", "include /etc/chrony.conf\ninclude /etc/chrony.conf\n");
    let found = look(&Stage::new(&tree), &servers(&["a"]), &["time-chrony-servers"]);
    assert!(matches!(found[0], Finding::Fail { .. }));
}

#[test]
fn what_cron_reads_is_roots() {
    let tree = debian().file("/etc/crontab", "").dir("/etc/cron.d");
    let ids = ["cron-crontab-mode", "cron-d-mode", "cron-hourly-mode"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why[0], "its mode is 0644, not 0600");
    assert_eq!(after[..2], [Finding::Pass, Finding::Pass]);
    assert!(matches!(after[2], Finding::NotApplicable(_)));
    assert_eq!(stage.stat("/etc/cron.d").unwrap().unwrap().mode, 0o700);
}

/// Debian's at runs as daemon and lets everybody in when it cannot read the list; its crontab refuses all then.
#[test]
fn lists_of_those_who_may_can_be_read_by_who_reads_them() {
    let tree = debian().file("/etc/at.deny", "games\n").file("/etc/cron.deny", "");
    let ids = ["cron-allow", "at-allow"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert!(before.iter().all(|finding| matches!(finding, Finding::Fail { .. })), "{before:?}");
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    let of = |path: &str| stage.stat(path).unwrap().map(|there| (there.mode, there.uid, there.gid));
    assert_eq!(of("/etc/cron.allow"), Some((0o600, 0, 0)));
    assert_eq!(of("/etc/at.allow"), Some((0o640, 0, 1)));
    assert_eq!((of("/etc/at.deny"), of("/etc/cron.deny")), (None, None));
    // at.allow that only root can read keeps nobody out.
    let mut stage = stage;
    stage.write("/etc/at.allow", "", Set::all(0o600, 0, 0)).unwrap();
    assert!(matches!(look(&stage, &Settings::default(), &["at-allow"])[0], Finding::Fail { .. }));
    let tree = debian().file("/etc/cron.allow", "ann\n");
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["cron-allow"]);
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(
        stage.stat("/etc/cron.allow").unwrap().map(|there| (there.mode, there.gid)),
        Some((0o640, 101))
    );
}

#[test]
fn cron_that_was_turned_off_is_enabled() {
    let tree = debian()
        .file("/usr/lib/systemd/system/cron.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/cron.service", "/dev/null");
    let (before, after, _) = carry_out(&tree, &Settings::default(), &["cron-on"]);
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert_eq!(after, [Finding::Pass]);
    assert!(matches!(
        carry_out(&debian(), &Settings::default(), &["cron-on"]).1[0],
        Finding::NotApplicable(_)
    ));
}
