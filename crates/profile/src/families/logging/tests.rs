use hardtack_guest::MemoryTree;

use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const DEBIAN: &str = "module(load=\"imuxsock\") # local\n#input(type=\"imudp\" port=\"514\")\n$FileCreateMode 0640\n\
                      $IncludeConfig /etc/rsyslog.d/*.conf\n*.*;auth,authpriv.none\t-/var/log/syslog\n\
                      auth,authpriv.*\t/var/log/auth.log\ncron.* -/var/log/cron.log\nkern.*\t-/var/log/kern.log\n";

fn journald() -> MemoryTree {
    MemoryTree::new()
        .link("/lib", "usr/lib")
        .link("/sbin/init", "/lib/systemd/systemd")
        .file("/usr/lib/systemd/systemd-journald", "")
        .file("/usr/lib/systemd/system/systemd-journald.service", "[Service]\n")
}

fn rsyslog(conf: &str) -> MemoryTree {
    journald()
        .file("/etc/rsyslog.conf", conf)
        .file("/usr/lib/systemd/system/rsyslog.service", "[Install]\nWantedBy=multi-user.target\n")
        .link(
            "/etc/systemd/system/multi-user.target.wants/rsyslog.service",
            "/lib/systemd/system/rsyslog.service",
        )
}

fn done(tree: &MemoryTree, ids: &[&str]) -> (Vec<Finding>, Vec<Finding>) {
    let (before, after, _) = carry_out(tree, &Settings::default(), ids);
    (before, after)
}

#[test]
fn the_journal_is_bounded_and_kept() {
    let ids = [
        "journald-rotation",
        "journald-storage",
        "journald-compress",
        "journald-no-forward",
        "journald-one-system",
    ];
    let tree =
        journald().file("/etc/systemd/journald.conf", "[Journal]\n#Storage=auto\nForwardToSyslog=yes\n");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    for index in [0, 1, 3] {
        assert!(matches!(before[index], Finding::Fail { .. }), "{}: {:?}", ids[index], before[index]);
    }
    assert_eq!(after, vec![Finding::Pass; 5]);
    let drop_in = stage.read_text("/etc/systemd/journald.conf.d/zz-hardtack.conf").unwrap().unwrap();
    assert!(drop_in.contains("\n[Journal]\nSystemMaxUse=200M\n"), "{drop_in}");
    assert_eq!(drop_in.matches("[Journal]").count(), 1);
}

/// Debian 13's own drop-in.
#[test]
fn a_drop_in_with_a_name_of_letters_does_not_win() {
    let tree =
        journald().file("/usr/lib/systemd/journald.conf.d/syslog.conf", "[Journal]\nForwardToSyslog=yes\n");
    let (before, after) = done(&tree, &["journald-no-forward"]);
    assert!(matches!(before[0], Finding::Fail { .. }));
    assert_eq!(after, [Finding::Pass]);
}

/// The role's value: nothing would be kept on a disk of 8 GB.
#[test]
fn a_hundred_gigabytes_that_stay_free_keep_no_log() {
    let tree = journald().file("/etc/systemd/journald.conf.d/90-x.conf", "[Journal]\nSystemKeepFree=100G\n");
    let (_, after) = done(&tree, &["journald-rotation"]);
    let Finding::Fail { why, .. } = &after[0] else { panic!("{after:?}") };
    assert!(why[0].starts_with("SystemKeepFree is 100G"), "{why:?}");
}

#[test]
fn a_later_drop_in_is_in_force() {
    let tree =
        journald().file("/run/systemd/journald.conf.d/zz.conf", "[Journal]\nStorage=none\nCompress=no\n");
    let (_, after) = done(&tree, &["journald-storage", "journald-compress"]);
    let Finding::Fail { why, places } = &after[0] else { panic!("{after:?}") };
    assert_eq!(why[0], "Storage is none, not persistent");
    assert_eq!((places[0].path.as_str(), places[0].line), ("/run/systemd/journald.conf.d/zz.conf", Some(2)));
    assert!(matches!(after[1], Finding::Fail { .. }));
}

#[test]
fn the_journal_stays_closed() {
    let shipped = "z /var/log/journal 2755 root systemd-journal - -\nZ /run/log/journal/%m ~2750 root x - -\n\
                   z /var/log/journal/%m/system.journal 0640 root systemd-journal - -\n";
    let tree = journald().file("/usr/lib/tmpfiles.d/systemd.conf", shipped);
    assert_eq!(done(&tree, &["journald-access"]).1, [Finding::Pass]);
    let tree =
        tree.file("/etc/tmpfiles.d/systemd.conf", "z /var/log/journal/%m/system.journal 0644 root - -\n");
    let (before, _) = done(&tree, &["journald-access"]);
    let Finding::Fail { places, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(places[0].path, "/etc/tmpfiles.d/systemd.conf");
}

#[test]
fn a_masked_journald_is_unmasked() {
    let tree = journald().link("/etc/systemd/system/systemd-journald.service", "/dev/null");
    let (before, after) = done(&tree, &["journald-on"]);
    assert!(matches!(before[0], Finding::Fail { .. }));
    assert_eq!(after, [Finding::Pass]);
}

#[test]
fn rsyslog_keeps_the_logs_where_it_is_enabled() {
    let ids = [
        "rsyslog-installed",
        "rsyslog-mode",
        "rsyslog-rules",
        "rsyslog-no-listen",
        "journald-no-forward",
        "journald-one-system",
    ];
    let tree = rsyslog(DEBIAN);
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert_eq!(after, vec![Finding::Pass; 6]);
    let drop_in = stage.read_text("/etc/systemd/journald.conf.d/zz-hardtack.conf").unwrap().unwrap();
    assert!(drop_in.ends_with("\n[Journal]\nForwardToSyslog=yes\n"), "{drop_in}");
    // There, and off: the journal keeps them.
    let off = journald().file("/etc/rsyslog.conf", DEBIAN);
    let (_, after) = done(&off, &["rsyslog-mode", "journald-no-forward"]);
    assert!(matches!(after[0], Finding::NotApplicable(_)), "{after:?}");
    assert_eq!(after[1], Finding::Pass);
}

#[test]
fn a_weak_mode_behind_ours_is_changed_in_place() {
    let weak = DEBIAN.replace("$FileCreateMode 0640\n", "") + "$FileCreateMode 0644 # for all\n";
    let tree = rsyslog(&weak).file(
        "/etc/rsyslog.d/50-x.conf",
        "action(type=\"omfile\" file=\"/var/log/x\" FileCreateMode=\"0666\")\n",
    );
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["rsyslog-mode"]);
    let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why[0], "files get mode 0666, not 0640");
    assert!(why.iter().any(|one| one.starts_with("no mode is set before this")), "{why:?}");
    assert_eq!(after, [Finding::Pass]);
    assert!(
        stage.read_text("/etc/rsyslog.conf").unwrap().unwrap().ends_with("$FileCreateMode 0640 # for all\n")
    );
}

#[test]
fn what_listens_is_commented_out() {
    let conf = "/* input(type=\"imtcp\" port=\"1\")\n*/\ninput(\n  type=\"imtcp\"\n  port=\"514\")\n$UDPServerRun 514\n\
                input(type=\"imfile\" file=\"/x\")\n";
    let tree = rsyslog(conf);
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["rsyslog-no-listen"]);
    let Finding::Fail { places, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(places.iter().map(|place| place.line).collect::<Vec<_>>(), [Some(3), Some(6)]);
    assert_eq!(after, [Finding::Pass]);
    let text = stage.read_text("/etc/rsyslog.conf").unwrap().unwrap();
    assert!(
        text.contains(
            "#input(\n#  type=\"imtcp\"\n#  port=\"514\")\n#$UDPServerRun 514\ninput(type=\"imfile\""
        )
    );
}

#[test]
fn a_log_host_is_sent_to() {
    let to = |host: &str| Settings { log_host: Some(host.to_owned()), ..Settings::default() };
    let tree = rsyslog(DEBIAN);
    let (before, after, _) = carry_out(&tree, &to("[fd00::1]:6514"), &["rsyslog-remote"]);
    assert!(matches!(before[0], Finding::Fail { .. }));
    assert_eq!(after, [Finding::Pass]);
    let none = journald();
    let (_, after, _) = carry_out(&none, &to("logs.example.org:514"), &["rsyslog-remote"]);
    assert!(matches!(after[0], Finding::Fail { .. }), "nobody is told that all is well");
    assert!(matches!(done(&tree, &["rsyslog-remote"]).1[0], Finding::Exception(_)));
    let mut stage = hardtack_guest::Stage::new(&tree);
    let settings = to("x\"y:1");
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    assert!(crate::rule("rsyslog-remote").unwrap().measure.apply(&mut bench).is_err());
}

#[test]
fn logrotate_keeps_what_is_better() {
    let debian = "# rotate log files weekly\nweekly\nrotate 4\ncreate\n#dateext\n#compress\n\ninclude /etc/logrotate.d\n\
                  /var/log/x {\n  rotate 1\n  nocompress\n}\n";
    let tree = MemoryTree::new().file("/etc/logrotate.conf", debian);
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["logrotate"]);
    let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why, &["it does not say \"compress\"", "it says \"create\", not \"create 0640\""]);
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(
        stage.read_text("/etc/logrotate.conf").unwrap().unwrap(),
        debian.replace("#compress", "compress").replace("create\n", "create 0640\n")
    );
    let better = MemoryTree::new().file("/etc/logrotate.conf", "daily\nrotate 30\ncreate 0600\ncompress\n");
    let (_, after, stage) = carry_out(&better, &Settings::default(), &["logrotate"]);
    assert_eq!(after, [Finding::Pass]);
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn files_of_logs_are_closed() {
    let tree = MemoryTree::new()
        .file_as("/var/log/shop/history.log", "", 0o644, 0, 0)
        .file_as("/var/log/dpkg.log", "", 0o644, 0, 0)
        .file_as("/var/log/unattended-upgrades/unattended-upgrades-shutdown.log", "", 0o644, 0, 0)
        .file_as("/var/log/wtmp", "", 0o664, 0, 43)
        .file_as("/var/log/btmp.1", "", 0o666, 0, 43)
        .file_as("/var/log/cloud-init.log", "", 0o644, 0, 4)
        .file_as("/var/log/journal/x/system.journal", "", 0o644, 0, 4)
        .link("/var/log/README", "/usr/share/doc/README")
        .link("/var/log/loop", "/var/log");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["logfile-access"]);
    let Finding::Fail { places, .. } = &before[0] else { panic!("{before:?}") };
    let paths: Vec<&str> = places.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(paths, ["/var/log/btmp.1", "/var/log/shop/history.log"]);
    assert_eq!(after, [Finding::Pass]);
    let mode = |path: &str| stage.stat(path).unwrap().unwrap().mode;
    assert_eq!((mode("/var/log/cloud-init.log"), mode("/var/log/btmp.1")), (0o640, 0o664));
    assert_eq!(mode("/var/log/journal/x/system.journal"), 0o644, "systemd's");
}

#[test]
fn damage_is_no_panic() {
    let tree = journald()
        .file("/etc/rsyslog.conf", b"# M\xfcller\n$UDPServerRun 514\n")
        .file("/etc/logrotate.conf", "}}}{\ncreate\n")
        .link("/etc/systemd/journald.conf", "journald.conf")
        .dir("/etc/systemd/journald.conf.d/x.conf");
    let all: Vec<&str> = super::RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(look(&hardtack_guest::Stage::new(&tree), &Settings::default(), &all).len(), all.len());
    // A letter of another encoding hides nothing.
    let found = look(&hardtack_guest::Stage::new(&tree), &Settings::default(), &["rsyslog-no-listen"]);
    assert!(matches!(found[0], Finding::Fail { .. }), "{found:?}");
}
