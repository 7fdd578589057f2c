#![allow(clippy::unwrap_used)]

use hardtack_guest::MemoryTree;

use super::*;

const CFG: &str = "terminal_output gfxterm\nmenuentry a {\n linux /boot/vmlinuz-1 ro quiet\n initrd /boot/initrd.img-1\n}\nmenuentry r {\n linux /boot/vmlinuz-1 ro single console=hvc0\n initrd /boot/initrd.img-1\n}\n";

/// The head of a program for `machine` (System V ABI).
fn elf(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = machine;
    bytes
}

fn tree(machine: u8) -> MemoryTree {
    MemoryTree::new()
        .file("/boot/grub/grub.cfg", CFG)
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/initrd.img-1", "i")
        .file("/usr/bin/env", elf(machine))
        .file("/etc/default/grub", "GRUB_TERMINAL=console\n")
        .dir("/etc/default/grub.d")
}

/// The step done twice, which must come to the same.
fn done(
    tree: &MemoryTree,
    settings: &SerialConsoleStep,
) -> Result<(Vec<(String, String)>, usize), StepError> {
    let mut stage = Stage::new(tree);
    let mut notes = 0;
    let mut states = Vec::new();
    for _ in 0..2 {
        let mut cx = Context::for_tests(&mut stage);
        apply(settings, &mut cx)?;
        notes = cx.notes.len();
        let all: Vec<(String, String)> = stage
            .edits()?
            .iter()
            .map(|edit| {
                (edit.path.to_string(), stage.read_text(edit.path.as_str()).unwrap().unwrap_or_default())
            })
            .filter(|(path, _)| !path.ends_with("/init"))
            .collect();
        states.push(all);
    }
    assert_eq!(states[0], states[1]);
    Ok((states.swap_remove(0), notes))
}

#[test]
fn every_entry_and_the_menu() {
    let (edits, _) = done(&tree(62), &SerialConsoleStep::default()).unwrap();
    let text = |path: &str| {
        let found = edits.iter().find(|(known, _)| known == path).map(|(_, text)| text.clone());
        found.unwrap_or_else(|| panic!("{path}: {edits:?}"))
    };
    let cfg = text("/boot/grub/grub.cfg");
    // Another machine's console stays in front of ours.
    let consoles = "console=tty0 console=hvc0 console=ttyS0,115200n8";
    assert_eq!(cfg.matches(consoles).count(), 2, "{cfg}");
    assert!(cfg.contains("serial --unit=0 --speed=115200") && !cfg.contains("gfxterm"), "{cfg}");
    assert!(text("/etc/default/grub.d/zz-hardtack.cfg").contains(consoles));
    assert!(
        text("/etc/default/grub.d/zz-hardtack-terminal.cfg").contains("GRUB_TERMINAL=\"console serial\"")
    );

    let settings = SerialConsoleStep { device: Some("ttyS1".to_owned()), speed: Some(9600) };
    let (edits, _) = done(&tree(62), &settings).unwrap();
    assert!(edits[0].1.contains("console=tty0 console=hvc0 console=ttyS1,9600n8"), "{edits:?}");
    assert!(edits[0].1.contains("serial --unit=1 --speed=9600"), "{edits:?}");
}

#[test]
fn the_line_of_the_architecture() {
    let (edits, _) = done(&tree(183), &SerialConsoleStep::default()).unwrap();
    assert!(edits[0].1.contains("console=hvc0 console=ttyAMA0,115200n8"), "{edits:?}");
    assert!(edits[0].1.contains("gfxterm"), "EFI's console is the firmware's: {edits:?}");
    let settings = SerialConsoleStep { device: Some("hvc0".to_owned()), speed: None };
    let (edits, _) = done(&tree(183), &settings).unwrap();
    assert!(edits[0].1.contains("ro quiet console=tty0 console=hvc0\n"), "{edits:?}");
    let error = done(&tree(200), &SerialConsoleStep::default()).unwrap_err();
    assert!(error.to_string().contains("architecture"), "{error}");
}

#[test]
fn a_login_by_each_init() {
    let login = |tree: &MemoryTree, path: &str| {
        let (edits, notes) = done(tree, &SerialConsoleStep::default()).unwrap();
        (edits.into_iter().find(|(known, _)| known == path).map(|(_, text)| text), notes)
    };
    let upstart =
        tree(62).file("/sbin/init", elf(62)).file("/sbin/initctl", "").file("/etc/init/rc.conf", "");
    let (job, _) = login(&upstart, "/etc/init/ttyS0.conf");
    assert!(job.unwrap().ends_with("respawn\nexec /sbin/getty -L 115200 ttyS0 vt102\n"));
    let own = upstart.file("/etc/init/ttyS0.conf", "exec /sbin/mygetty\n");
    assert_eq!(login(&own, "/etc/init/ttyS0.conf").0, None);

    const TABLE: &str = "id:2:initdefault:\n1:2345:respawn:/sbin/getty 38400 tty1\n#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n";
    let sysv = tree(62).file("/sbin/init", elf(62)).file("/etc/inittab", TABLE);
    let (table, _) = login(&sysv, "/etc/inittab");
    assert_eq!(table.unwrap(), format!("{TABLE}S0:23:respawn:/sbin/getty -L 115200 ttyS0 vt100\n"));
    let known = tree(62).file("/sbin/init", elf(62)).file("/etc/inittab", TABLE.replace("#T0", "T0"));
    assert_eq!(login(&known, "/etc/inittab").0, None);
    let busybox = tree(62)
        .file("/sbin/init", elf(62))
        .file("/etc/inittab", "::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1\n");
    let (table, _) = login(&busybox, "/etc/inittab");
    assert!(table.unwrap().ends_with("\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n"));

    let masked = tree(62)
        .link("/sbin/init", "/lib/systemd/systemd")
        .link("/etc/systemd/system/serial-getty@ttyS0.service", "/dev/null");
    assert_eq!(login(&masked, "/etc/inittab"), (None, 1));
}

#[test]
fn what_cannot_have_it_is_refused_by_name() {
    let bare = MemoryTree::new().file("/usr/bin/env", elf(62));
    let error = done(&bare, &SerialConsoleStep::default()).unwrap_err();
    assert!(error.to_string().contains("no boot entry"), "{error}");
    let verity = tree(62).file("/boot/grub/grub.cfg", CFG.replace("quiet", "roothash=12"));
    let error = done(&verity, &SerialConsoleStep::default()).unwrap_err();
    assert!(
        error.to_string().contains("/boot/grub/grub.cfg:3: its root is verified by dm-verity"),
        "{error}"
    );
}
