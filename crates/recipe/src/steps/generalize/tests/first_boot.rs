use super::*;

const PRESETS: &str = "/etc/systemd/system-preset/00-hardtack.preset";
const WIZARD: &str = "/etc/systemd/system/systemd-firstboot.service.d/hardtack.conf";

fn systemd() -> MemoryTree {
    let unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
    tree()
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/libsystemd-shared-257.so", "")
        .file("/usr/lib/systemd/system/systemd-firstboot.service", "[Service]\n")
        .file("/usr/lib/systemd/system/on.service", unit)
        .file("/usr/lib/systemd/system/off.service", unit)
        .file("/usr/lib/systemd/system/named.service", unit)
        .file("/usr/lib/systemd/system/static.service", "[Service]\n")
        .file("/usr/lib/systemd/system/masked.service", unit)
        .file("/usr/lib/systemd/system/getty@.service", unit)
        .file("/usr/lib/systemd/system/other@.service", unit)
        .link("/etc/systemd/system/masked.service", "/dev/null")
        .link("/etc/systemd/system/alias.service", "/usr/lib/systemd/system/named.service")
        .link("/etc/systemd/system/multi-user.target.wants/on.service", "/usr/lib/systemd/system/on.service")
        .link(
            "/etc/systemd/system/getty.target.wants/getty@tty1.service",
            "/lib/systemd/system/getty@.service",
        )
}

#[test]
fn the_first_boot_changes_no_unit_and_asks_nothing() {
    let look = |stage: &Stage<'_>| (stage.read_text(PRESETS).unwrap(), stage.read_text(WIZARD).unwrap());
    let (_, _, (presets, wizard)) = staged(&systemd(), "- machine-id", look).unwrap();
    let presets = presets.unwrap();
    let lines: Vec<&str> = presets.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "enable getty@.service",
            "disable masked.service",
            "enable named.service",
            "disable off.service",
            "enable on.service",
            "disable other@.service",
        ]
    );
    assert!(wizard.unwrap().contains("ExecStart=systemd-firstboot\n"));
}

#[test]
fn an_empty_id_needs_neither_and_takes_an_earlier_build_back() {
    let tree = systemd().file(PRESETS, "enable x\n").file(WIZARD, "x");
    assert_eq!(
        changes(&tree, "- machine-id: {value: empty}"),
        ["write /etc/machine-id".to_owned(), format!("remove {PRESETS}"), format!("remove {WIZARD}")]
    );
}
