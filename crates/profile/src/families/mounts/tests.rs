use hardtack_guest::{MemoryTree, Stage};

use super::RULES;
use super::fstab::{has, merge};
use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const FSTAB: &str = "# /etc/fstab: static\n\nPARTUUID=1 /   ext4\trw,discard,errors=remount-ro,x-systemd.growfs 0 1 # root\n\
                     LABEL=UEFI /boot/efi   vfat defaults 0 0\n";
const TMP: [&str; 4] = ["mount-tmp", "mount-tmp-nodev", "mount-tmp-nosuid", "mount-tmp-noexec"];
const SHM: [&str; 4] = ["mount-shm", "mount-shm-nodev", "mount-shm-nosuid", "mount-shm-noexec"];
const TMP_MOUNT: &str = "[Unit]\n[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\nOptions=mode=1777,strictatime,nosuid,nodev,\
                         size=50%%,nr_inodes=1m\n";

fn debian() -> MemoryTree {
    MemoryTree::new()
        .link("/sbin/init", "../lib/systemd/systemd")
        .file("/lib/systemd/systemd", "x")
        .file("/etc/fstab", FSTAB)
}

fn all_pass(found: &[Finding]) -> bool {
    found.iter().all(|found| *found == Finding::Pass)
}

fn text(stage: &Stage<'_>) -> String {
    stage.read_text("/etc/fstab").unwrap().unwrap()
}

#[test]
fn two_lines_come_and_all_others_stay() {
    let tree = debian();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &[TMP, SHM].concat());
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert!(before[1..4].iter().all(|found| matches!(found, Finding::NotApplicable(_))), "{before:?}");
    assert_eq!(before[4..7], [Finding::Pass, Finding::Pass, Finding::Pass], "systemd mounts it so by itself");
    assert!(matches!(before[7], Finding::Fail { .. }), "{before:?}");
    assert!(all_pass(&after), "{after:?}");
    let wanted = format!(
        "{FSTAB}tmpfs /tmp tmpfs mode=1777,size=50%,nodev,nosuid,noexec 0 0\ntmpfs /dev/shm tmpfs nosuid,nodev,noexec 0 0\n"
    );
    assert_eq!(text(&stage), wanted);
}

#[test]
fn debian_13_has_a_unit_that_fstab_comes_before() {
    let tree = debian()
        .file("/usr/lib/systemd/system/tmp.mount", TMP_MOUNT)
        .link("/usr/lib/systemd/system/local-fs.target.wants/tmp.mount", "../tmp.mount");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &TMP);
    assert_eq!(before[..3], [Finding::Pass, Finding::Pass, Finding::Pass]);
    let Finding::Fail { places, .. } = &before[3] else { panic!("{before:?}") };
    assert_eq!(places[0].path, "/usr/lib/systemd/system/tmp.mount");
    assert!(all_pass(&after), "{after:?}");
    let line = "tmpfs /tmp tmpfs mode=1777,strictatime,nosuid,nodev,size=50%,nr_inodes=1m,noexec 0 0\n";
    assert!(text(&stage).ends_with(line), "{}", text(&stage));
    // Nothing is written where noexec is left out.
    let (_, _, stage) = carry_out(&tree, &Settings::default(), &TMP[..3]);
    assert!(text(&stage) == FSTAB);
}

#[test]
fn a_mask_goes_and_the_administrators_unit_is_edited() {
    let tree = debian()
        .link("/etc/systemd/system/tmp.mount", "/dev/null")
        .file("/usr/lib/systemd/system/tmp.mount", TMP_MOUNT);
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &TMP);
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert!(all_pass(&after), "{after:?}");
    assert!(stage.lstat("/etc/systemd/system/tmp.mount").unwrap().is_none());

    let tree = debian()
        .file("/etc/systemd/system/tmp.mount", TMP_MOUNT)
        .link("/etc/systemd/system/local-fs.target.wants/tmp.mount", "../tmp.mount");
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &TMP);
    assert!(all_pass(&after), "{after:?}");
    let unit = stage.read_text("/etc/systemd/system/tmp.mount").unwrap().unwrap();
    assert!(unit.ends_with("size=50%%,nr_inodes=1m,noexec\n"), "{unit}");
    assert_eq!(text(&stage), FSTAB);
}

#[test]
fn a_drop_in_has_the_last_word() {
    let tree = debian()
        .file("/etc/fstab", "tmpfs /tmp/ tmpfs nosuid,nodev,noexec 0 0\n")
        .file("/etc/systemd/system/tmp.mount.d/x.conf", "[Mount]\nOptions=mode=1777,nosuid\n");
    let stage = Stage::new(&tree);
    let found = look(&stage, &Settings::default(), &TMP);
    assert_eq!((&found[0], &found[2]), (&Finding::Pass, &Finding::Pass));
    let Finding::Fail { places, .. } = &found[3] else { panic!("{found:?}") };
    assert_eq!(places[0].path, "/etc/systemd/system/tmp.mount.d/x.conf");
}

#[test]
fn small_machines_say_how_much() {
    let settings = Settings { tmp_size: Some("128m".to_owned()), ..Settings::default() };
    let tree = debian().file("/etc/fstab", "tmpfs /tmp tmpfs size=2g 0 0");
    let (_, _, stage) = carry_out(&tree, &settings, &TMP[..1]);
    assert_eq!(text(&stage), "tmpfs /tmp tmpfs size=128m 0 0");
    for wrong in ["", "%", "1x", "1m,exec", "5%%", "99999999999999999999"] {
        let settings = Settings { tmp_size: Some(wrong.to_owned()), ..Settings::default() };
        let mut stage = Stage::new(&tree);
        let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
        assert!(crate::rule("mount-tmp").unwrap().measure.apply(&mut bench).is_err(), "{wrong}");
    }
}

#[test]
fn upstart_mounts_run_shm() {
    let tree = MemoryTree::new()
        .file("/sbin/init", "x")
        .file("/etc/init/rc-sysinit.conf", "start on x\n")
        .file("/lib/init/fstab", "none /run/shm tmpfs nosuid,nodev 0 0\n")
        .file("/etc/fstab", "LABEL=cloudimg-rootfs / ext4 defaults 0 0\n");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &[TMP, SHM].concat());
    assert!(matches!(before[7], Finding::Fail { .. }), "{before:?}");
    assert!(all_pass(&after), "{after:?}");
    assert!(text(&stage).ends_with("\ntmpfs /run/shm tmpfs nosuid,nodev,noexec 0 0\n"), "{}", text(&stage));
}

#[test]
fn partitions_are_exceptions_and_options_go_where_one_is() {
    for rule in RULES.iter().filter(|rule| rule.id.starts_with("part-")) {
        assert!(rule.exception.is_some(), "{}", rule.id);
    }
    let fstab = "UUID=1 /home/  ext4   defaults,dev 0 2\nUUID=2 /var xfs\n/srv/log /var/log none bind 0 0\n";
    let tree = debian().file("/etc/fstab", fstab);
    let ids =
        ["part-home", "mount-home-opts", "part-var", "mount-var-opts", "part-var-log", "mount-var-log-opts"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert!(
        matches!(before[1], Finding::Fail { .. }) && matches!(before[3], Finding::Fail { .. }),
        "{before:?}"
    );
    assert!(all_pass(&after[..4]), "{after:?}");
    assert!(
        matches!(after[4], Finding::Fail { .. }) && matches!(after[5], Finding::NotApplicable(_)),
        "{after:?}"
    );
    assert_eq!(
        text(&stage),
        "UUID=1 /home/  ext4   nodev,nosuid 0 2\nUUID=2 /var xfs nodev,nosuid\n/srv/log /var/log none bind 0 0\n"
    );
}

#[test]
fn containers_keep_var_as_it_is() {
    let tree = debian().file("/etc/fstab", "UUID=2 /var ext4 defaults 0 2\n").file("/usr/bin/dockerd", "");
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["mount-var-opts"]);
    assert!(matches!(&after[0], Finding::Exception(why) if why.contains("Docker")), "{after:?}");
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn the_esp_keeps_its_label() {
    let tree = debian();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["mount-boot-opts"]);
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert!(all_pass(&after), "{after:?}");
    assert!(
        text(&stage).ends_with("LABEL=UEFI /boot/efi   vfat nodev,nosuid,noexec,umask=0077 0 0\n"),
        "{}",
        text(&stage)
    );
}

#[test]
fn hidden_processes_are_still_seen_by_logind() {
    let tree = debian()
        .file("/etc/group", "root:x:0:\nadm:x:4:debian\n")
        .file("/lib/systemd/system/systemd-logind.service", "[Service]\n");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["mount-proc-hidepid"]);
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert!(all_pass(&after), "{after:?}");
    assert!(text(&stage).ends_with("\nproc /proc proc nosuid,nodev,noexec,gid=4,hidepid=2 0 0\n"));
    let logind = stage.read_text(super::LOGIND).unwrap().unwrap();
    assert!(logind.ends_with("[Service]\nSupplementaryGroups=adm\n"), "{logind}");
    assert!(stage.stat(super::POLKIT).unwrap().is_none());
}

#[test]
fn the_last_option_counts() {
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    assert!(has(&list("exec,noexec"), "noexec") && !has(&list("noexec,exec"), "noexec"));
    let mut options = list("noexec,exec,umask=0022,umask=0");
    merge(&mut options, &["noexec", "umask=0077"]);
    assert_eq!(options, ["noexec", "umask=0077"]);
}

#[test]
fn damage_is_told_and_never_edited() {
    let tree = debian().file("/etc/fstab", [b'x', 0xff, b'\n']);
    let stage = Stage::new(&tree);
    let found = look(&stage, &Settings::default(), &["mount-tmp", "mount-boot-opts"]);
    assert!(found.iter().all(|found| matches!(found, Finding::Fail { .. })), "{found:?}");
    let mut stage = Stage::new(&tree);
    let settings = Settings::default();
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    assert!(crate::rule("mount-tmp").unwrap().measure.apply(&mut bench).is_err());
    for garbage in ["\\ \\ \\ \\", "a /tmp tmpfs \"", "=\" ' =' \t#", "é /tmp é é,é"] {
        let tree = debian().file("/etc/fstab", garbage);
        let _ = carry_out(&tree, &Settings::default(), &[TMP, SHM].concat());
    }
}
