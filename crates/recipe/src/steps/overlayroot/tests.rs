#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::type_complexity)]

use super::*;
use hardtack_guest::MemoryTree;

fn crypt() -> OverlayrootStep {
    OverlayrootStep {
        mode: OverlayMode::Crypt,
        dev: Some("/dev/vdb".to_owned()),
        ..OverlayrootStep::default()
    }
}

/// A program or library for x86-64 that needs `needed`.
fn elf(interpreter: Option<&str>, needed: &[&str], extra: &[u8]) -> Vec<u8> {
    let mut strings = vec![0];
    let mut text = |name: &str| {
        let at = strings.len() as u64;
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
        at
    };
    let interpreter = interpreter.map(&mut text);
    let needed: Vec<u64> = needed.iter().map(|name| text(name)).collect();
    let headers = 64 + 3 * 56;
    let dynamic_at = (headers + strings.len() as u64).next_multiple_of(8);
    let mut dynamic = vec![(5, headers)];
    dynamic.extend(needed.iter().map(|name| (1, *name)));
    dynamic.push((0, 0));
    let total = dynamic_at + 16 * dynamic.len() as u64 + extra.len() as u64;
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    out.extend_from_slice(&[3, 0, 62, 0, 1, 0, 0, 0]);
    for word in [0, 64_u64, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for half in [0_u16, 0, 64, 56, 3, 0, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    let mut segment = |kind: u32, offset: u64, size: u64| {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&[4, 0, 0, 0]);
        for word in [offset, offset, offset, size, size, 8] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    };
    segment(1, 0, total);
    segment(2, dynamic_at, 16 * dynamic.len() as u64);
    match interpreter {
        Some(at) => segment(3, headers + at, 100),
        None => segment(0, 0, 0),
    }
    out.extend_from_slice(&strings);
    out.resize(usize::try_from(dynamic_at).unwrap(), 0);
    for (tag, value) in dynamic {
        out.extend_from_slice(&u64::to_le_bytes(tag));
        out.extend_from_slice(&u64::to_le_bytes(value));
    }
    out.extend_from_slice(extra);
    out
}

const LD: &str = "/lib64/ld-linux-x86-64.so.2";

fn program(needed: &[&str], extra: &str) -> Vec<u8> {
    elf(Some(LD), needed, extra.as_bytes())
}

/// A busybox with these applets.
fn busybox(applets: &str) -> Vec<u8> {
    program(&["libc.so.6"], &format!("BusyBox v1.36\0{}\0", applets.replace(' ', "\0")))
}

const SCRIPT: &str = "\
#!/bin/sh
. /scripts/functions
parse_cfg \"${ROOTMNT}/etc/overlayroot.conf\"
parse_cfg \"${ROOTMNT}/etc/overlayroot.local.conf\"
\twait-for-root \"$dev\" \"$timeout\"
\twipefs -a \"$dev\" ||
\tprintf \"%s\" \"$pass\" | cryptsetup luksFormat \"$dev\" --key-file - ||
\tmke2fs -t \"${fstype}\" \"/dev/mapper/${mapname}\" || {
\tmount \"$device\" \"${root_rw}\" ||
";
const CFG: &str = "menuentry 'Debian' {\n linux /boot/vmlinuz-6 root=x ro\n initrd /boot/initrd.img-6\n}\n";
const APPLETS: &str = "mount mkdir rm cat grep uname mktemp head sha512sum mv sleep sh ln readlink";

/// An initramfs: busybox for everything, with or without its own mke2fs.
struct Initrd {
    applets: String,
    leave_out: Vec<&'static str>,
    extra: Vec<(&'static str, Entry)>,
}

use hardtack_guest::initramfs::{Archive, Entry};

fn file(content: impl Into<Vec<u8>>) -> Entry {
    Entry::File { mode: 0o755, content: content.into() }
}

impl Initrd {
    fn debian() -> Self {
        Self { applets: format!("{APPLETS} mke2fs"), leave_out: vec!["wait-for-root"], extra: Vec::new() }
    }

    fn ubuntu() -> Self {
        Self { applets: APPLETS.to_owned(), leave_out: Vec::new(), extra: Vec::new() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut entries = vec![
            ("bin/busybox", file(busybox(&self.applets))),
            ("scripts/functions", file("log_warning_msg() { :; }")),
            ("scripts/init-bottom/overlayroot", file(SCRIPT)),
            (
                "scripts/init-bottom/ORDER",
                file("/scripts/init-bottom/overlayroot \"$@\"\n/scripts/init-bottom/udev \"$@\"\n"),
            ),
            ("sbin/cryptsetup", file(program(&["libc.so.6"], ""))),
            ("sbin/wipefs", file(program(&["libc.so.6"], ""))),
            ("sbin/mke2fs", file(program(&["libc.so.6", "libext2fs.so.2"], ""))),
            ("sbin/wait-for-root", file("#!/bin/sh\n")),
            ("usr/bin/kmod", file(program(&["libc.so.6"], ""))),
            ("sbin/modprobe", Entry::Symlink("/bin/kmod".to_owned())),
            ("usr/lib/x86_64-linux-gnu/libc.so.6", file(elf(None, &[], b""))),
            ("usr/lib/x86_64-linux-gnu/libext2fs.so.2", file(elf(None, &["libc.so.6"], b""))),
            ("usr/lib/x86_64-linux-gnu/libgcc_s.so.1", file(elf(None, &["libc.so.6"], b""))),
            ("usr/lib64/ld-linux-x86-64.so.2", file(elf(None, &[], b""))),
            ("usr/lib/modules/6/kernel/overlay.ko", file("ko")),
            ("usr/lib/modules/6/kernel/dm-mod.ko", file("ko")),
            ("usr/lib/modules/6/kernel/dm-crypt.ko", file("ko")),
            ("usr/lib/modules/6/kernel/xts.ko", file("ko")),
        ];
        entries.retain(|(path, _)| !self.leave_out.iter().any(|left| path.ends_with(left)));
        entries.extend(self.extra.iter().cloned());
        let mut archive = Archive::default();
        for directory in [
            "usr",
            "usr/bin",
            "usr/sbin",
            "usr/lib",
            "usr/lib64",
            "usr/lib/x86_64-linux-gnu",
            "usr/lib/modules",
            "usr/lib/modules/6",
            "usr/lib/modules/6/kernel",
            "scripts",
            "scripts/init-bottom",
            "etc",
        ] {
            archive.add(directory, &Entry::Directory);
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            archive.add(link, &Entry::Symlink(format!("usr/{link}")));
        }
        for (path, entry) in &entries {
            archive.add(path, entry);
        }
        for applet in self.applets.split(' ') {
            if !entries.iter().any(|(path, _)| path.ends_with(&format!("/{applet}"))) {
                archive.add(&format!("bin/{applet}"), &Entry::Symlink("busybox".to_owned()));
            }
        }
        archive.finish()
    }
}

/// A Debian-like root with everything installed.
fn root(initrd: &Initrd) -> MemoryTree {
    let dep = "kernel/overlay.ko:\nkernel/dm-crypt.ko: kernel/dm-mod.ko\nkernel/dm-mod.ko:\nkernel/xts.ko:\nkernel/cbc.ko:\n";
    let mut tree = MemoryTree::new()
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .link("/lib64", "usr/lib64")
        .file("/boot/grub/grub.cfg", CFG)
        .file("/boot/vmlinuz-6", "kernel")
        .file("/boot/initrd.img-6", initrd.bytes())
        .file("/etc/cloud/cloud.cfg", "")
        .file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
        .file("/usr/share/initramfs-tools/scripts/init-bottom/overlayroot", SCRIPT)
        .file("/usr/sbin/mke2fs", program(&["libc.so.6", "libext2fs.so.2"], "real"))
        .file("/usr/sbin/cryptsetup", program(&["libc.so.6", "libcryptsetup.so.12"], ""))
        .file("/usr/sbin/wipefs", program(&["libc.so.6"], ""))
        .file("/usr/bin/busybox", busybox(APPLETS))
        .file("/usr/lib64/ld-linux-x86-64.so.2", elf(None, &[], b""))
        .file("/usr/lib/modules/6/modules.dep", dep)
        .file("/usr/lib/modules/6/modules.builtin", "kernel/ecb.ko\nkernel/aes_generic.ko\n");
    for (name, needed) in [
        ("libc.so.6", &[][..]),
        ("libext2fs.so.2.4", &[]),
        ("libcryptsetup.so.12", &["libargon2.so.1"]),
        ("libargon2.so.1", &["libc.so.6"]),
        ("libgcc_s.so.1", &["libc.so.6"]),
    ] {
        tree = tree.file(&format!("/usr/lib/x86_64-linux-gnu/{name}"), elf(None, needed, b""));
    }
    tree = tree.link("/usr/lib/x86_64-linux-gnu/libext2fs.so.2", "libext2fs.so.2.4");
    for module in ["overlay", "dm-crypt", "dm-mod", "xts", "cbc"] {
        tree = tree.file(&format!("/usr/lib/modules/6/kernel/{module}.ko"), format!("module {module}"));
    }
    tree
}

/// What is changed, and the notes.
fn run(
    tree: &MemoryTree,
    settings: &OverlayrootStep,
) -> Result<(Vec<String>, Vec<Note>, Vec<u8>), StepError> {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    apply(settings, &mut cx)?;
    let notes = std::mem::take(&mut cx.notes);
    let changes = stage.changes().unwrap();
    let initrd = stage.read("/boot/initrd.img-6").unwrap().unwrap();
    Ok((
        changes.iter().map(|change| format!("{} {}", change.op.name(), change.path)).collect(),
        notes,
        initrd,
    ))
}

fn refusal(tree: &MemoryTree, settings: &OverlayrootStep) -> String {
    match run(tree, settings) {
        Err(StepError::Refused { what, hint, .. }) => format!("{what}; {}", hint.unwrap_or_default()),
        Err(other) => format!("not a refusal: {other}"),
        Ok((changes, ..)) => panic!("not refused: {changes:?}"),
    }
}

#[test]
fn what_works_as_installed_is_watched_over_and_without_a_disk_stays_as_it_is() {
    let (changes, notes, initrd) = run(&root(&Initrd::ubuntu()), &crypt()).unwrap();
    assert_eq!(
        changes,
        [
            "initramfs /boot/initrd.img-6",
            "mkdir /etc/cloud/cloud.cfg.d",
            "write /etc/cloud/cloud.cfg.d/96-hardtack-overlayroot.cfg",
            "mkdir /etc/hardtack",
            "write /etc/hardtack/overlay.conf",
            "mkdir /etc/initramfs-tools",
            "mkdir /etc/initramfs-tools/hooks",
            "write /etc/initramfs-tools/hooks/hardtack-overlayroot",
            "write /etc/overlayroot.local.conf"
        ]
    );
    let view = initramfs::scan(&initrd, Limits::default(), &|_| true).unwrap();
    assert_eq!(view.text(script::OVERLAY_PATH), Some(script::OVERLAY));
    assert!(script::is_guarded(view.text(needs::SCRIPT).unwrap()));
    let told = "/dev/vdb IS ERASED AT EVERY BOOT (REFUSED WHERE IT HOLDS SOMETHING ELSE)";
    assert!(notes.iter().any(|note| note.weight == Weight::Capital && note.text == told), "{notes:?}");
    let wipe = OverlayrootStep { wipe: true, ..crypt() };
    let (_, notes, _) = run(&root(&Initrd::ubuntu()), &wipe).unwrap();
    let told = "/dev/vdb IS ERASED AT EVERY BOOT";
    assert!(notes.iter().any(|note| note.weight == Weight::Capital && note.text == told), "{notes:?}");
    let (changes, ..) = run(&root(&Initrd::ubuntu()), &OverlayrootStep::default()).unwrap();
    assert_eq!(changes, ["write /etc/overlayroot.local.conf"]);
}

#[test]
fn debian_gets_a_second_archive_and_a_hook_and_only_once() {
    let (changes, _, initrd) = run(&root(&Initrd::debian()), &crypt()).unwrap();
    assert_eq!(changes[0], "initramfs /boot/initrd.img-6");
    assert!(changes.contains(&format!("write {}", hook::PATH)), "{changes:?}");
    let view = initramfs::scan(&initrd, Limits::default(), &|_| true).unwrap();
    assert_eq!(view.segments().len(), 2);
    let script = view.text(needs::SCRIPT).unwrap();
    assert!(script.contains("/usr/lib/hardtack/mke2fs -t") && !script::loads_modules(script), "{script}");
    assert_eq!(view.file(needs::OWN_MKE2FS).unwrap().elf.as_ref().unwrap().needed[1], "libext2fs.so.2");
    assert!(view.file("sbin/wait-for-root").is_some());
    assert!(view.file("bin/busybox").is_some());

    // The result again: nothing but what the notes say.
    let text = |path: &str| {
        let tree = root(&Initrd::debian());
        let mut stage = Stage::new(&tree);
        apply(&crypt(), &mut Context::for_tests(&mut stage)).unwrap();
        stage.read(path).unwrap().unwrap()
    };
    assert_eq!(text("/boot/initrd.img-6"), initrd, "the same bytes each time");
    let done = root(&Initrd::debian())
        .file("/boot/initrd.img-6", &initrd)
        .file_as(hook::PATH, text(hook::PATH), 0o755, 0, 0)
        .file(CLOUD, text(CLOUD))
        .file("/etc/hardtack/overlay.conf", text("/etc/hardtack/overlay.conf"))
        .file(LOCAL, text(LOCAL));
    assert_eq!(run(&done, &crypt()).unwrap().0, Vec::<String>::new());
}

#[test]
fn everything_can_come_from_the_image() {
    let bare = Initrd {
        applets: "mkdir rm cat grep uname sleep sh".to_owned(),
        leave_out: vec![
            "init-bottom/overlayroot",
            "ORDER",
            "cryptsetup",
            "wipefs",
            "mke2fs",
            "wait-for-root",
            "libext2fs.so.2",
            "libgcc_s.so.1",
            "overlay.ko",
            "dm-crypt.ko",
            "xts.ko",
        ],
        extra: vec![
            ("bin/mount", file(elf(Some("/lib/klibc-x.so"), &[], b""))),
            ("lib/klibc-x.so", file("klibc")),
            ("scripts/init-bottom/ORDER", file("/scripts/init-bottom/udev \"$@\"\n")),
        ],
    };
    let (_, notes, initrd) = run(&root(&bare), &crypt()).unwrap();
    let view = initramfs::scan(&initrd, Limits::default(), &|_| true).unwrap();
    let script = view.text(needs::SCRIPT).unwrap();
    assert!(
        script::loads_modules(script) && script.contains("/usr/lib/hardtack/mount \"$device\""),
        "{script}"
    );
    assert!(view.text(needs::ORDER).unwrap().starts_with("/scripts/init-bottom/overlayroot"));
    let modules: Vec<&str> = view.below("usr/lib/hardtack/modules/6").map(|(name, _)| name).collect();
    assert_eq!(modules, ["00-overlay.ko", "01-dm_mod.ko", "02-dm_crypt.ko", "03-xts.ko", "04-cbc.ko"]);
    assert_eq!(view.target("usr/lib/hardtack/insmod"), Some("/usr/bin/kmod"));
    assert_eq!(view.target("bin/mktemp"), Some("/usr/bin/busybox"));
    assert_eq!(view.target("lib/x86_64-linux-gnu/libext2fs.so.2"), Some("libext2fs.so.2.4"));
    assert_eq!(view.target(needs::OWN_MOUNT), Some("/usr/bin/busybox"));
    assert!(
        view.file("usr/sbin/cryptsetup").is_some()
            && view.file("lib/x86_64-linux-gnu/libgcc_s.so.1").is_some()
    );
    assert!(notes.iter().any(|note| note.text.contains("dm_crypt")), "{notes:?}");
}

#[test]
fn what_cannot_be_had_is_named_with_its_packages() {
    let mut initrd = Initrd::debian();
    initrd.leave_out.extend(["cryptsetup", "dm-crypt.ko"]);
    let tree = root(&initrd)
        .file("/usr/sbin/cryptsetup", "#!/bin/sh\n")
        .file("/usr/sbin/mke2fs", busybox("mke2fs"))
        .file("/usr/lib/modules/6/modules.dep", "kernel/xts.ko:\nkernel/overlay.ko:\nkernel/dm-mod.ko:\n");
    let text = refusal(&tree, &crypt());
    for part in ["cryptsetup", "e2fsprogs", "linux-image-6", "dm_crypt", "/boot/initrd.img-6"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let tree = root(&Initrd { leave_out: vec!["overlayroot"], ..Initrd::ubuntu() });
    let text = refusal(
        &tree.file("/usr/share/initramfs-tools/scripts/init-bottom/overlayroot", ""),
        &OverlayrootStep::default(),
    );
    assert!(text.contains("overlayroot"), "{text}");
}

#[test]
fn dracut_s_own_module_is_watched_over_and_started_by_every_entry() {
    let hook = "var/lib/dracut/hooks/pre-pivot/01-prepare-overlayfs-crypt.sh";
    let dracut = |library: &'static str| {
        let directories = ["var", "var/lib", "var/lib/dracut", "var/lib/dracut/hooks"];
        let mut extra: Vec<(&'static str, Entry)> =
            directories.iter().map(|path| (*path, Entry::Directory)).collect();
        extra.push(("var/lib/dracut/hooks/pre-pivot", Entry::Directory));
        extra.push(("etc/initrd-release", file("ID=dracut")));
        extra.push(("usr/lib/overlayfs-crypt-lib.sh", file(library)));
        extra.push((hook, file("")));
        Initrd {
            leave_out: vec!["init-bottom/overlayroot", "ORDER", "scripts/functions"],
            extra,
            ..Initrd::ubuntu()
        }
    };
    let library = "wipefs -a \"$dev\"\nprintf x | cryptsetup luksFormat -q \"$dev\"\n";
    let tree = |initrd: &Initrd| root(initrd).file(supply::IMAGE_SCRIPTS[1], "");
    let (changes, _, initrd) = run(&tree(&dracut(library)), &crypt()).unwrap();
    for change in
        ["initramfs /boot/initrd.img-6", "write /boot/grub/grub.cfg", "write /etc/hardtack/overlay.conf"]
    {
        assert!(changes.contains(&change.to_owned()), "{change}: {changes:?}");
    }
    assert!(!changes.iter().any(|change| change.contains("overlayroot.local.conf")), "{changes:?}");
    let view = initramfs::scan(&initrd, Limits::default(), &|_| true).unwrap();
    assert_eq!(view.text(script::OVERLAY_PATH), Some(script::OVERLAY));
    for (name, function) in [("00-hardtack-before.sh", "before"), ("95-hardtack-after.sh", "after")] {
        let text = view.text(&format!("var/lib/dracut/hooks/pre-pivot/{name}")).unwrap();
        assert!(text.contains(&format!("hardtack_dracut_{function}")), "{text}");
    }
    // Again on what came out: nothing.
    let before = tree(&dracut(library));
    let mut stage = Stage::new(&before);
    apply(&crypt(), &mut Context::for_tests(&mut stage)).unwrap();
    let cfg = stage.read_text("/boot/grub/grub.cfg").unwrap().unwrap();
    assert!(cfg.contains("rd.overlay.crypt=/dev/vdb,mapname=secure,timeout=0"), "{cfg}");
    let done = tree(&dracut(library)).file("/boot/initrd.img-6", &initrd).file("/boot/grub/grub.cfg", &cfg);
    let (changes, ..) = run(&done, &crypt()).unwrap();
    assert!(!changes.iter().any(|change| change.contains("/boot/")), "{changes:?}");

    let text = refusal(&tree(&dracut("other")), &crypt());
    assert!(text.contains("without its module overlayfs-crypt") && text.contains("dracut 111"), "{text}");
    let text = refusal(&tree(&dracut(library)), &OverlayrootStep { swap: Some(true), ..crypt() });
    assert!(text.contains("knows no swap"), "{text}");
}

#[test]
fn what_would_boot_without_the_overlay_is_refused() {
    let ubuntu = || root(&Initrd::ubuntu());
    let cfg = |text: &str| ubuntu().file("/boot/grub/grub.cfg", text);
    let mut uki = vec![0; 0x40 + 24];
    uki[..2].copy_from_slice(b"MZ");
    uki[0x3c] = 0x40;
    uki[0x40..0x47].copy_from_slice(b"PE\0\0\x64\x86\x01");
    uki.extend_from_slice(b".linux\0\0");
    let dracut = Initrd { extra: vec![("etc/initrd-release", file("ID=dracut"))], ..Initrd::ubuntu() };
    let other = Initrd { leave_out: vec!["scripts/functions"], ..Initrd::ubuntu() };
    let cases = [
        (
            cfg("menuentry a {\n linux /boot/vmlinuz-7\n}\n").file("/boot/vmlinuz-7", "k"),
            "grub.cfg:2 (\"a\"): boots /boot/vmlinuz-7 without an initramfs",
        ),
        (
            cfg("menuentry a {\n linux /boot/vmlinuz-6\n initrd /boot/gone\n}\n"),
            "/boot/gone, which the image does not have",
        ),
        (
            cfg("linux /boot/vmlinuz-6 overlayroot=disabled\ninitrd /boot/initrd.img-6\n"),
            "command line sets overlayroot",
        ),
        (cfg("menuentry a {\n"), "not a refusal: step : /boot/grub/grub.cfg:1: the file ends"),
        (ubuntu().file("/boot/efi/EFI/Linux/a.efi", &uki), "a.efi is a unified kernel image"),
        (root(&dracut), "made by dracut"),
        (root(&other), "not made by initramfs-tools"),
        (ubuntu().file("/boot/initrd.img-6", "BZh9"), "bzip2"),
        (ubuntu().file("/etc/fstab", "/dev/vdb1 /mnt ext4 defaults 0 2\n"), "/etc/fstab:1"),
        (MemoryTree::new().file("/etc/fstab", ""), "no boot loader configuration"),
    ];
    for (tree, what) in cases {
        let text = refusal(&tree, &crypt());
        assert!(text.contains(what), "{what}: {text}");
    }
}

#[test]
fn an_entry_without_initramfs_gets_that_of_its_kernel() {
    let cfg = "menuentry a {\n\tlinux /boot/vmlinuz-6 root=PARTUUID=1 ro panic=-1\n}\n";
    let tree = root(&Initrd::ubuntu()).file("/boot/grub/grub.cfg", cfg);
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    cx.facts.root_uuid = Some("1-2".to_owned());
    apply(&crypt(), &mut cx).unwrap();
    assert!(cx.notes.iter().any(|note| note.text.starts_with("/boot/grub/grub.cfg:2: boots with")));
    assert_eq!(
        stage.read_text("/boot/grub/grub.cfg").unwrap().unwrap(),
        "menuentry a {\n\tlinux /boot/vmlinuz-6 root=UUID=1-2 ro\n\tinitrd\t/boot/initrd.img-6\n}\n"
    );
}

#[test]
fn older_versions_read_the_main_file_only() {
    let script = SCRIPT.replace("/etc/overlayroot.local.conf", "/etc/nothing");
    let old = Initrd {
        leave_out: vec!["init-bottom/overlayroot"],
        extra: vec![("scripts/init-bottom/overlayroot", file(script))],
        ..Initrd::ubuntu()
    };
    let tree = root(&old).file("/etc/overlayroot.conf", "# shipped\noverlayroot=\"\"\n");
    let mut stage = Stage::new(&tree);
    apply(&crypt(), &mut Context::for_tests(&mut stage)).unwrap();
    let text = stage.read_text(MAIN).unwrap().unwrap();
    assert_eq!(text, "# shipped\noverlayroot=\"crypt:dev=/dev/vdb,timeout=20\"\n");
    assert_eq!(stage.read(LOCAL).unwrap(), None);
}

#[test]
fn a_passphrase_is_kept_from_others_eyes() {
    let tree = root(&Initrd::ubuntu())
        .file("/etc/fstab", "/dev/vdb /mnt auto defaults,comment=cloudconfig 0 2\n# x\n");
    let settings = OverlayrootStep {
        pass: Some(crate::Secret::new("canary")),
        allow_clear_pass: true,
        mapname: Some("top".to_owned()),
        ..crypt()
    };
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    apply(&settings, &mut cx).unwrap();
    assert!(cx.notes.iter().all(|note| !note.text.contains("canary")));
    let overlay = cx.agent.overlay.clone().unwrap();
    assert_eq!((overlay.mapname.as_str(), overlay.random_key), ("top", false));
    assert_eq!(stage.stat(LOCAL).unwrap().unwrap().mode, 0o600);
    assert!(stage.secrets().iter().any(|secret| secret == "canary"));
    assert_eq!(stage.read_text("/etc/fstab").unwrap().unwrap(), "# x\n");
    assert_eq!(stage.read_text(CLOUD).unwrap().unwrap().lines().last(), Some("mounts: [[ephemeral0, null]]"));
}

#[test]
fn disks_and_their_partitions() {
    for (field, dev, same) in [
        ("/dev/vdb", "/dev/vdb", true),
        ("/dev/vdb2", "/dev/vdb", true),
        ("/dev/vdbx", "/dev/vdb", false),
        ("/dev/nvme0n1p3", "/dev/nvme0n1", true),
        ("/dev/nvme0n11", "/dev/nvme0n1", false),
        ("LABEL=\"x\"", "LABEL=x", true),
        ("LABEL=x1", "LABEL=x", false),
    ] {
        assert_eq!(is_disk(field, dev), same, "{field} {dev}");
    }
}
