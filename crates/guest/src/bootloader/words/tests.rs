#![allow(clippy::unwrap_used, clippy::print_stderr)] // what is skipped is to be seen

use std::process::Command;

use super::*;
use crate::MemoryTree;

fn words(texts: &[&str]) -> Vec<Word> {
    texts.iter().map(|text| Word::from(*text)).collect()
}

fn text(stage: &Stage<'_>, path: &str) -> String {
    stage.read_text(path).unwrap().unwrap()
}

/// Sets the words, and once more, which must change nothing.
fn set(stage: &mut Stage<'_>, add: &[Word], remove: &[Word]) -> Edited {
    let edited = set_words(stage, add, remove).unwrap();
    let again = check_words(stage, add, remove).unwrap();
    if let Some(path) = again.changed.first() {
        let (files, _) = staged(stage, add, remove).unwrap();
        let (old, new) = (text(stage, path), String::from_utf8_lossy(&files[path]).into_owned());
        let differ = old.lines().zip(new.lines()).find(|(old, new)| old != new);
        panic!("{path} changes again: {differ:?}");
    }
    assert_eq!(again.changed, Vec::<String>::new());
    assert_eq!((&again.entries, &again.refused), (&edited.entries, &edited.refused));
    edited
}

#[test]
fn lines() {
    let serial = [Word::only("console", &["tty0", "ttyS0,115200n8"])];
    let cases: [(&str, &[Word], &[Word], &str); 16] = [
        ("ro quiet", &words(&["audit=1"]), &[], "ro quiet audit=1"),
        ("", &words(&["audit=1"]), &[], "audit=1"),
        ("audit=0  ro", &words(&["audit=1"]), &[], "audit=1  ro"),
        ("ro audit=1", &words(&["audit=1"]), &[], "ro audit=1"),
        ("audit=0 ro audit=0", &words(&["audit=1"]), &[], "audit=1 ro"),
        ("audit-backlog-limit=8192", &words(&["audit_backlog_limit=8192"]), &[], "audit-backlog-limit=8192"),
        ("ro quiet splash", &[], &words(&["quiet", "splash"]), "ro"),
        ("quiet ro", &[], &words(&["quiet"]), "ro"),
        (
            "console=tty1 console=ttyS0",
            &words(&["console=ttyS0,9600"]),
            &[],
            "console=tty1 console=ttyS0,9600",
        ),
        ("console=tty1", &words(&["console=ttyS0"]), &[], "console=tty1 console=ttyS0"),
        ("ro console=ttyS0 console=tty1 quiet", &serial, &[], "ro console=tty0 console=ttyS0,115200n8 quiet"),
        (
            "ro console=tty0 console=ttyS0,115200n8 x",
            &serial,
            &[],
            "ro console=tty0 console=ttyS0,115200n8 x",
        ),
        ("ro console=a console=b console=c", &serial, &[], "ro console=tty0 console=ttyS0,115200n8"),
        ("ro -- audit=0", &words(&["audit=1"]), &[], "ro audit=1 -- audit=0"),
        ("x=\"a audit=0 b\" audit=\"1\"", &words(&["audit=1"]), &[], "x=\"a audit=0 b\" audit=\"1\""),
        ("console=tty1 console=tty2", &[], &words(&["console=tty1"]), "console=tty2"),
    ];
    for (old, add, remove, expected) in cases {
        let wanted = Wanted { add, remove };
        let new = wanted.line(old, true);
        assert_eq!(new, expected, "{old}");
        assert_eq!(wanted.line(&new, true), new, "{old}");
    }
    let lists = [words(&["a b=1"]), words(&["a=$x"]), words(&[""]), words(&["a='b'"]), words(&["a=b;c"])];
    for add in lists {
        assert!(Wanted { add: &add, remove: &[] }.check().is_err(), "{add:?}");
    }
}

fn grub_tree(cfg: &str) -> MemoryTree {
    MemoryTree::new()
        .file("/boot/grub/grub.cfg", cfg)
        .file("/boot/vmlinuz-6.1.0-56-cloud-amd64", "k")
        .file("/boot/initrd.img-6.1.0-56-cloud-amd64", "i")
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/initrd.img-1", "i")
}

/// `grub-script-check` of the machine; false where it is not there.
fn check_script(text: &str) -> bool {
    use std::io::Write as _;
    let child = Command::new("grub-script-check").stdin(std::process::Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: grub-script-check (grub-common) is not installed");
        return false;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "grub-script-check refuses:\n{text}");
    true
}

#[test]
fn every_entry_of_debians_grub_cfg() {
    let tree = grub_tree(include_str!("../samples/debian12.cfg"));
    let mut stage = Stage::new(&tree);
    let add = [
        Word::from("apparmor=1"),
        Word::from("security=apparmor"),
        Word::only("console", &["tty0", "ttyS0,115200n8"]),
    ];
    let edited = set(&mut stage, &add, &[]);
    assert_eq!(edited.entries.len(), 3);
    assert_eq!(edited.changed, ["/boot/grub/grub.cfg"]);
    let new = text(&stage, "/boot/grub/grub.cfg");
    let lines: Vec<&str> = new.lines().filter(|line| line.trim().starts_with("linux\t")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[2].trim(),
        "linux\t/boot/vmlinuz-6.1.0-56-cloud-amd64 root=/dev/vda1 ro single apparmor=1 security=apparmor console=tty0 console=ttyS0,115200n8"
    );
    // Only these lines changed.
    let old = include_str!("../samples/debian12.cfg");
    let differ = old.lines().zip(new.lines()).filter(|(old, new)| old != new).count();
    assert_eq!((differ, old.lines().count()), (3, new.lines().count()));
    check_script(&new);
    for entry in super::super::read(&stage).unwrap().entries {
        assert!(entry.options.ends_with("apparmor=1 security=apparmor console=tty0 console=ttyS0,115200n8"));
    }
}

#[test]
fn grubs_language() {
    // Ubuntu's forced PARTUUID, quoting, continuation lines, variables, Xen, memory tests, kernels that are gone.
    let cfg = "\
set kernelopts=\"root=UUID=1 ro audit=0\"
vt_handoff=\"vt.handoff=7 audit=0\"
menuentry 'Ubuntu' {
	if [ \"${initrdfail}\" = 1 ]; then
	  linux	/boot/vmlinuz-1 root=PARTUUID=1 ro  'quiet' \"audit=0\" # audit=0 stays
	  initrd	/boot/initrd.img-1
	else
	  linux	/boot/vmlinuz-1 root=PARTUUID=1 ro \\
	    console=tty1 console=ttyS0 panic=-1
	fi
}
menuentry b { if x; then linuxefi ($root)/vmlinuz-1 $kernelopts; elif y; then linux16 /boot/vmlinuz-1 ro $vt_handoff; fi }
menuentry xen { multiboot2 /boot/xen.gz audit=0
 module2 /boot/vmlinuz-1 root=1
 module2 --nounzip /boot/initrd.img-1
}
menuentry mem { linux16 /boot/memtest86+.bin audit=0
}
menuentry gone { linux /boot/vmlinuz-0 audit=0
}
menuentry verity { linux /boot/vmlinuz-1 roothash=aa
}
function f {
	linux /boot/vmlinuz-1 $1 audit=0
}
";
    // A `}` on the line of a command is one of its words, to us and to grub-script-check.
    let cfg = cfg.replace("fi }\n", "fi\n}\n");
    let tree = grub_tree(&cfg);
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &words(&["quiet"]));
    let new = text(&stage, "/boot/grub/grub.cfg");
    let expected = cfg
        .replace("ro audit=0\"", "ro audit=1\"")
        .replace("handoff=7 audit=0\"", "handoff=7 audit=1\"")
        .replace("ro  'quiet' \"audit=0\" #", "ro audit=1 #")
        .replace("panic=-1", "panic=-1 audit=1")
        .replace("$vt_handoff; fi", "$vt_handoff audit=1; fi")
        .replace("vmlinuz-1 root=1", "vmlinuz-1 root=1 audit=1")
        .replace("$1 audit=0", "$1 audit=1");
    assert_eq!(new, expected);
    let refused: Vec<String> = edited.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "/boot/grub/grub.cfg:20: its kernel /boot/vmlinuz-0 is not in the image",
            "/boot/grub/grub.cfg:22: its root is verified by dm-verity (roothash=…): with any change it does not start",
        ]
    );
    assert_eq!(edited.entries.len(), 4, "{:?}", edited.entries);
    check_script(&new);
}

#[test]
fn words_behind_quotes_and_braces_stay_words() {
    let cfg = "\
disk=UUID=1
extra=\"${disk}2 audit=0\"
menuentry a { linux \"/boot/vmlinuz-1\"
}
menuentry b { linux /boot/vmlinuz-1 root=\"LABEL=a b\"
}
menuentry c { linux /boot/vmlinuz-1 'root=LABEL=a b' # comment
}
menuentry d { linux /boot/vmlinuz-1 $extra 'x'; initrd /boot/initrd.img-1
}
";
    let tree = grub_tree(cfg);
    let mut stage = Stage::new(&tree);
    set(&mut stage, &words(&["audit=1"]), &[]);
    let new = text(&stage, "/boot/grub/grub.cfg");
    let expected = cfg
        .replace("2 audit=0", "2 audit=1")
        .replace("vmlinuz-1\"", "vmlinuz-1\" audit=1")
        .replace("a b\"", "a b\" audit=1")
        .replace("a b'", "a b' audit=1")
        .replace("'x'", "'x' audit=1");
    assert_eq!(new, expected);
    check_script(&new);
}

#[test]
fn a_line_that_no_kernel_reads_is_refused() {
    let cfg = format!("menuentry a {{\n linux /boot/vmlinuz-1 x={}\n}}\n", "y".repeat(2038));
    let tree = grub_tree(&cfg);
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!((edited.entries.len(), edited.changed.len()), (0, 0));
    assert!(matches!(edited.refused[0].why, Why::TooLong(2049)), "{:?}", edited.refused);
}

#[test]
fn legacy_menus_and_their_comments() {
    // /boot/grub/menu.lst as Ubuntu's grub-legacy-ec2 writes it.
    let menu = "\
default		0
timeout		0
## e.g. kopt=root=/dev/hda1 ro
# kopt=root=LABEL=cloudimg-rootfs ro
# defoptions=console=hvc0 audit=0
## ## End Default Options ##

title		Ubuntu 14.04.6 LTS, kernel 3.13.0-170-generic
root		(hd0)
kernel		/boot/vmlinuz-3.13.0-170-generic root=LABEL=cloudimg-rootfs ro console=hvc0
initrd		/boot/initrd.img-3.13.0-170-generic

title		Ubuntu 14.04.6 LTS, kernel 3.13.0-170-generic (recovery mode)
root		(hd0)
kernel		--no-mem-option /boot/vmlinuz-3.13.0-170-generic root=LABEL=cloudimg-rootfs ro  single
initrd		/boot/initrd.img-3.13.0-170-generic

title		Ubuntu 14.04.6 LTS, memtest86+
kernel		/boot/memtest86+.bin
";
    let tree = MemoryTree::new()
        .file("/boot/grub/menu.lst", menu)
        .file("/boot/vmlinuz-3.13.0-170-generic", "k")
        .file("/boot/initrd.img-3.13.0-170-generic", "i");
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(edited.entries, ["/boot/grub/menu.lst:10", "/boot/grub/menu.lst:15"]);
    let expected = menu
        .replace("rootfs ro\n# def", "rootfs ro audit=1\n# def")
        .replace("hvc0 audit=0", "hvc0 audit=1")
        .replace("ro console=hvc0\n", "ro console=hvc0 audit=1\n")
        .replace("ro  single", "ro  single audit=1");
    assert_eq!(text(&stage, "/boot/grub/menu.lst"), expected);
}

#[test]
fn extlinux_menus() {
    let conf = "\
default l0
label l0
\tmenu label Debian GNU/Linux 12
\tlinux /boot/vmlinuz-1
\tinitrd /boot/initrd.img-1
\tfdtdir /usr/lib/linux-image-1/
\tappend root=UUID=1 ro quiet

label l0r
\tLINUX /boot/vmlinuz-1
\tAPPEND root=UUID=1 ro single

label bare
\tkernel /boot/vmlinuz-1
label hd
\tcom32 chain.c32
\tappend hd0 0
";
    let tree = MemoryTree::new()
        .file("/boot/extlinux/extlinux.conf", conf)
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/initrd.img-1", "i")
        .file("/etc/default/u-boot", "## defaults\n#U_BOOT_PARAMETERS=\"ro quiet splash\"\n")
        .file("/etc/default/extlinux", "EXTLINUX_PARAMETERS='ro audit=0'\n");
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(edited.entries.len(), 3);
    let expected = conf
        .replace("ro quiet\n", "ro quiet audit=1\n")
        .replace("ro single\n", "ro single audit=1\n")
        .replace("\tkernel /boot/vmlinuz-1\n", "\tkernel /boot/vmlinuz-1\n\tappend audit=1\n");
    assert_eq!(text(&stage, "/boot/extlinux/extlinux.conf"), expected);
    assert_eq!(
        text(&stage, "/etc/default/u-boot"),
        "## defaults\n#U_BOOT_PARAMETERS=\"ro quiet splash\"\nU_BOOT_PARAMETERS=\"ro quiet splash audit=1\"\n"
    );
    assert_eq!(text(&stage, "/etc/default/extlinux"), "EXTLINUX_PARAMETERS=\"ro audit=1\"\n");

    let global = "append ro\nlabel a\nkernel /boot/vmlinuz-1\n";
    let tree = MemoryTree::new().file("/boot/syslinux/syslinux.cfg", global).file("/boot/vmlinuz-1", "k");
    let mut stage = Stage::new(&tree);
    set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(
        text(&stage, "/boot/syslinux/syslinux.cfg"),
        "append ro audit=1\nlabel a\nkernel /boot/vmlinuz-1\n"
    );
}

/// The environment block that `grub-editenv` makes of these settings, or ours where it is missing.
fn environment(settings: &[&str]) -> String {
    let mut text = format!("# GRUB Environment Block\n{}\n", settings.join("\n"));
    text.extend(std::iter::repeat_n('#', 1024 - text.len()));
    text
}

#[test]
fn entries_of_the_specification() {
    let plain = "title Fedora\nversion 6\nlinux /vmlinuz-1\ninitrd /initrd.img-1 $tuned_initrd\noptions root=UUID=1 ro $tuned_params\ngrub_users $grub_users\n";
    let kernelopts =
        "title RHEL\nlinux /vmlinuz-1\ninitrd /initrd.img-1\noptions $kernelopts $tuned_params\n";
    let bare = "title Bare\nlinux /debian/1/linux\n";
    let two = "title Two\nlinux /debian/1/linux\noptions root=1\noptions quiet audit=0\n";
    let block = environment(&["saved_entry=rhel-1", "kernelopts=root=/dev/mapper/rhel-root ro audit=0"]);
    let tree = MemoryTree::new()
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/initrd.img-1", "i")
        .file("/boot/efi/debian/1/linux", "k")
        .file("/boot/loader/entries/fedora.conf", plain)
        .file("/boot/loader/entries/rhel.conf", kernelopts)
        .file("/boot/efi/loader/entries/bare.conf", bare)
        .file("/boot/efi/loader/entries/two.conf", two)
        .file("/boot/grub2/grubenv", &*block)
        .file("/etc/kernel/cmdline", "root=UUID=1 ro\n");
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(edited.entries.len(), 4);
    for (path, expected) in [
        ("/boot/loader/entries/fedora.conf", plain.replace("$tuned_params", "$tuned_params audit=1")),
        ("/boot/loader/entries/rhel.conf", kernelopts.to_owned()),
        ("/boot/efi/loader/entries/bare.conf", format!("{bare}options audit=1\n")),
        (
            "/boot/efi/loader/entries/two.conf",
            two.replace("root=1\noptions quiet audit=0", "root=1 quiet audit=1"),
        ),
        (
            "/boot/grub2/grubenv",
            environment(&["saved_entry=rhel-1", "kernelopts=root=/dev/mapper/rhel-root ro audit=1"]),
        ),
        ("/etc/kernel/cmdline", "root=UUID=1 ro audit=1\n".to_owned()),
    ] {
        assert_eq!(text(&stage, path), expected, "{path}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text(&stage, "/boot/grub2/grubenv")).unwrap();
    match Command::new("grub-editenv").arg(file.path()).arg("list").output() {
        Ok(output) => assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "saved_entry=rhel-1\nkernelopts=root=/dev/mapper/rhel-root ro audit=1\n"
        ),
        Err(error) => eprintln!("SKIPPED: grub-editenv (grub-common): {error}"),
    }
}

#[test]
fn without_an_environment_block_the_entry_itself_has_the_words() {
    let tree = MemoryTree::new()
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/loader/entries/a.conf", "linux /vmlinuz-1\noptions $kernelopts\n");
    let mut stage = Stage::new(&tree);
    set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(
        text(&stage, "/boot/loader/entries/a.conf"),
        "linux /vmlinuz-1\noptions $kernelopts audit=1\n"
    );
}

#[test]
fn a_full_environment_block_is_refused() {
    let block = environment(&[&format!("kernelopts={}", "x".repeat(980))]);
    let tree = MemoryTree::new().file("/boot/grub2/grubenv", &*block);
    let edited = set(&mut Stage::new(&tree), &words(&["audit=1"]), &[]);
    assert_eq!(edited.refused, [Refused { origin: "/boot/grub2/grubenv".to_owned(), why: Why::NoRoom }]);
}

/// What grub-mkconfig's shell has after all files, in its order.
fn shell(files: &[&str]) -> (String, String) {
    let script = format!(
        "set -e\n{}\nprintf '%s\\n%s\\n' \"$GRUB_CMDLINE_LINUX\" \"$GRUB_CMDLINE_LINUX_DEFAULT\"",
        files.join("\n")
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (one, two) = text.strip_suffix('\n').unwrap().split_once('\n').unwrap();
    (one.to_owned(), two.to_owned())
}

#[test]
fn the_next_update_grub_gives_the_same() {
    const MAIN: &str = "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet audit=0\"\nGRUB_CMDLINE_LINUX=\"dyndbg=\\\"file * +p\\\"\"\n";
    const CLOUD: &str = "GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 console=ttyS0\"\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX audit-x=* audit=0\"\n";
    let tree = grub_tree("menuentry a {\n linux /boot/vmlinuz-1 ro\n}\n")
        .file("/etc/default/grub", MAIN)
        .file("/etc/default/grub.d/50-cloudimg-settings.cfg", CLOUD);
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(edited.changed, ["/boot/grub/grub.cfg", "/etc/default/grub.d/zz-hardtack.cfg"]);
    let ours = text(&stage, "/etc/default/grub.d/zz-hardtack.cfg");
    let (always, usual) = shell(&[MAIN, CLOUD, &ours]);
    assert_eq!(always, "dyndbg=\"file * +p\" audit-x=* audit=1");
    assert_eq!(usual, "console=tty1 console=ttyS0");
    // A second caller's words join those of the first.
    set(&mut stage, &[Word::only("console", &["tty0", "ttyS0,115200n8"])], &words(&["dyndbg"]));
    let ours = text(&stage, "/etc/default/grub.d/zz-hardtack.cfg");
    let (always, usual) = shell(&[MAIN, CLOUD, &ours]);
    assert!(always.ends_with("audit=1 console=tty0 console=ttyS0,115200n8"), "{always}");
    assert_eq!(usual, "");
    assert_eq!(check_words(&stage, &words(&["audit=1"]), &[]).unwrap().changed, Vec::<String>::new());
}

#[test]
fn without_the_directory_the_defaults_have_it() {
    const MAIN: &str = "GRUB_CMDLINE_LINUX=\"crashkernel=auto audit=0\"\n";
    let tree = grub_tree("menuentry a {\n linux /boot/vmlinuz-1 ro\n}\n")
        .file("/etc/default/grub", MAIN)
        .file("/usr/sbin/grub2-mkconfig", "#!/bin/sh\n. /etc/default/grub\n");
    let mut stage = Stage::new(&tree);
    set(&mut stage, &words(&["audit=1"]), &[]);
    set(&mut stage, &words(&["apparmor=1"]), &[]);
    let main = text(&stage, "/etc/default/grub");
    assert!(main.starts_with(MAIN) && main.matches(BEGIN_OF_OURS).count() == 1, "{main}");
    assert_eq!(shell(&[&main]).0, "crashkernel=auto audit=1 apparmor=1");
}

const BEGIN_OF_OURS: &str = "# Begin of what hardtack wrote";

#[test]
fn own_entries_of_the_user_are_sources() {
    let custom = "#!/bin/sh\nexec tail -n +3 $0\n# mine\nmenuentry mine {\n linux /boot/vmlinuz-1 ro\n}\n";
    let tree = grub_tree("menuentry a {\n linux /boot/vmlinuz-1 ro\n}\n")
        .file("/etc/grub.d/40_custom", custom)
        .file("/etc/grub.d/10_linux", "#!/bin/sh\nlinux /no ro\n");
    let mut stage = Stage::new(&tree);
    set(&mut stage, &words(&["audit=1"]), &[]);
    assert_eq!(text(&stage, "/etc/grub.d/40_custom"), custom.replace("1 ro", "1 ro audit=1"));
    assert_eq!(text(&stage, "/etc/grub.d/10_linux"), "#!/bin/sh\nlinux /no ro\n");
}

#[test]
fn what_cannot_be_edited_is_refused_and_the_rest_is_done() {
    let image = super::super::tests::pe_file(&[b".text\0\0\0", b".linux\0\0", b".cmdline"]);
    let tree = MemoryTree::new()
        .file("/boot/efi/EFI/Linux/debian.efi", &image)
        .file("/boot/firmware/cmdline.txt", "console=serial0,115200 root=LABEL=writable rootwait\n")
        .file("/boot/firmware/boot.scr", "x")
        .file("/usr/lib/kernel/cmdline", "root=1 ro\n")
        .file("/etc/default/flash-kernel", "LINUX_KERNEL_CMDLINE=\"quiet\"\n");
    let mut stage = Stage::new(&tree);
    let edited = set(&mut stage, &words(&["audit=1"]), &[]);
    let refused: Vec<(&str, bool)> =
        edited.refused.iter().map(|refused| (refused.origin.as_str(), refused.why.can_boot())).collect();
    assert_eq!(refused, [("/boot/efi/EFI/Linux/debian.efi", true), ("/boot/firmware/boot.scr", true)]);
    assert_eq!(edited.entries, ["/boot/firmware/cmdline.txt:1"]);
    assert_eq!(
        text(&stage, "/boot/firmware/cmdline.txt"),
        "console=serial0,115200 root=LABEL=writable rootwait audit=1\n"
    );
    assert_eq!(text(&stage, "/etc/kernel/cmdline"), "root=1 ro audit=1\n");
    assert_eq!(text(&stage, "/etc/default/flash-kernel"), "LINUX_KERNEL_CMDLINE=\"quiet audit=1\"\n");
}

#[test]
fn damaged_menus_never_panic() {
    let samples = [include_str!("../samples/debian12.cfg"), include_str!("../samples/debian13.cfg")];
    let mut state = 11_u64;
    for round in 0..300 {
        let mut bytes = samples[round % 2].as_bytes().to_vec();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = b"{}'\"$;\\\n#= -"[(state >> 20) as usize % 12];
        }
        let tree = grub_tree("")
            .file("/boot/extlinux/extlinux.conf", bytes.clone())
            .file("/boot/grub/menu.lst", bytes.clone())
            .file("/etc/grub.d/40_custom", [b"exec tail -n +2 $0\n", &bytes[..]].concat())
            .file("/boot/grub2/grubenv", bytes.clone())
            .file("/boot/loader/entries/a.conf", bytes.clone());
        let mut stage = Stage::new(&tree);
        let add = [Word::from("audit=1"), Word::only("root", &["a", "b"])];
        set(&mut stage, &add, &words(&["ro"]));
    }
}
