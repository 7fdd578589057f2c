#![allow(clippy::unwrap_used)]

use super::*;
use crate::MemoryTree;

fn raws(found: &Found) -> Vec<(&str, Vec<&str>)> {
    found.raw.iter().map(|raw| (&raw.kernel[..], raw.initrds.iter().map(String::as_str).collect())).collect()
}

fn grub(text: &str) -> Found {
    grub::parse(text, "/boot/grub").unwrap()
}

#[test]
fn grub_mkconfig_of_debian() {
    for (text, version) in [
        (include_str!("samples/debian12.cfg"), "6.1.0-56-cloud-amd64"),
        (include_str!("samples/debian13.cfg"), "6.12.117+deb13-cloud-amd64"),
    ] {
        let found = grub(text);
        assert_eq!(found.raw.len(), 3, "{:?}", raws(&found));
        for raw in &found.raw {
            assert_eq!(raw.kernel, format!("/boot/vmlinuz-{version}"));
            assert_eq!(raw.initrds, [format!("/boot/initrd.img-{version}")]);
            assert!(raw.options.contains("root="), "{}", raw.options);
        }
        assert!(found.raw[2].title.contains("recovery mode"), "{}", found.raw[2].title);
        assert!(found.raw[2].options.contains("single"));
    }
}

#[test]
fn grub_language() {
    type Ways<'a> = Vec<(&'a str, Vec<&'a str>)>;
    let cases: [(&str, Ways<'_>); 14] = [
        ("menuentry 'a' { linux /k root=x\n initrd /i }", vec![("/k", vec!["/i } "])]),
        ("menuentry 'a' {\n linux16 /k\n initrd16 /i\n}", vec![("/k", vec!["/i"])]),
        (
            "menuentry \"a b\" --class x {\n linuxefi ($root)/k\n initrdefi ($root)/ucode /i\n}",
            vec![("($root)/k", vec!["($root)/ucode", "/i"])],
        ),
        ("menuentry a {\n linux /k\n}", vec![("/k", vec![])]),
        // Only one branch has an initramfs: Ubuntu's GRUB_FORCE_PARTUUID.
        (
            "menuentry a {\nif [ \"${initrdfail}\" = 1 ]; then\n linux /k root=1\n initrd /i\nelse\n linux /k root=2\nfi\ninitrdfail\n}",
            vec![("/k", vec!["/i"]), ("/k", vec![])],
        ),
        (
            "menuentry a {\nif x; then linux /k1; elif y; then linux /k2; else linux /k3; fi\ninitrd /i\n}",
            vec![("/k1", vec!["/i"]), ("/k2", vec!["/i"]), ("/k3", vec!["/i"])],
        ),
        (
            "set k=/boot/k\nset i=\"/boot/i\"\nmenuentry a {\n linux ${k} quiet\n initrd $i $unset\n}",
            vec![("/boot/k", vec!["/boot/i"])],
        ),
        (
            "if a; then set i=/1; else set i=/2; fi\nmenuentry a {\n linux /k\n initrd $i\n}",
            vec![("/k", vec!["/1"]), ("/k", vec!["/2"])],
        ),
        (
            "submenu s {\n menuentry a {\n linux /k\n initrd /i\n }\n menuentry b {\n linux /l\n initrd /j\n }\n}",
            vec![("/k", vec!["/i"]), ("/l", vec!["/j"])],
        ),
        ("function go {\n linux /k $1\n initrd /i\n}\nmenuentry a { \n go x\n}", vec![("/k", vec!["/i"])]),
        ("linux /k\ninitrd /i\nboot", vec![("/k", vec!["/i"])]),
        (
            "menuentry xen {\n multiboot2 /xen.gz dom0_mem=1G\n module2 /k root=x\n module2 --nounzip /i\n}",
            vec![("/k", vec!["/i"])],
        ),
        (
            "# linux /no\nmenuentry 'it'\\''s' {\n linux /k \\\n  quiet # initrd /no\n initrd '/i i'\n}",
            vec![("/k", vec!["/i i"])],
        ),
        (
            "for v in 1 2; do\nmenuentry $v {\n linux /k-$v\n initrd /i\n}\ndone",
            vec![("/k-1", vec!["/i"]), ("/k-2", vec!["/i"])],
        ),
    ];
    for (text, expected) in cases {
        if text.starts_with("menuentry 'a' { linux") {
            // A brace needs a statement end in front, or the block does not end.
            assert!(grub::parse(text, "").is_err(), "{text}");
            continue;
        }
        let found = grub(text);
        let mut got = raws(&found);
        got.sort();
        let mut expected = expected;
        expected.sort();
        assert_eq!(got, expected, "{text}");
    }
}

#[test]
fn grub_bounds() {
    let deep = format!("{}{}", "if a; then ".repeat(100), "fi; ".repeat(100));
    assert!(grub::parse(&deep, "").unwrap_err().1.contains("blocks within"));
    let branches = "if a; then linux /a; initrd /1; fi\n".replace("/a", "/a$x").repeat(2);
    assert!(grub::parse(&branches, "").is_ok());
    let many: String = (0..80).map(|n| format!("if a; then linux /k{n}; fi\n")).collect();
    assert!(grub::parse(&format!("menuentry a {{\n{many}}}\n"), "").unwrap_err().1.contains("ways"));
    let growing = "set a=x$a$a$a\n".repeat(500);
    assert!(grub::parse(&growing, "").is_ok());
    let calls: String =
        (0..6).map(|n| format!("function f{n} {{\n{}}}\n", format!("f{}\n", n + 1).repeat(200))).collect();
    assert!(grub::parse(&format!("{calls}f0\n"), "").unwrap_err().1.contains("statements"));
    assert!(grub::parse("menuentry a {\n linux /k\n", "").unwrap_err().1.contains("the file ends"));
}

#[test]
fn damaged_configurations_never_panic() {
    let good = include_str!("samples/debian12.cfg").as_bytes();
    let mut state = 7_u64;
    for _ in 0..400 {
        let mut bytes = good.to_vec();
        for _ in 0..6 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = b"{}'\"$;\\\n#( \xff"[(state >> 20) as usize % 12];
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = grub::parse(&text, "/boot/grub");
        let _ = (legacy::parse(&text), extlinux::parse(&text), bls::parse(&text));
        assert!(!pe::is_unified(&bytes));
    }
}

#[test]
fn other_languages() {
    let found = bls::parse(
        "title Debian\nversion 6\nlinux /debian/6/linux\ninitrd /debian/6/initrd\ninitrd /ucode $tuned_initrd\noptions root=x quiet\n",
    );
    assert_eq!(raws(&found), [("/debian/6/linux", vec!["/debian/6/initrd", "/ucode"])]);
    let found = bls::parse("title UKI\nefi /EFI/Linux/a.efi\n");
    assert_eq!((raws(&found), &found.chained[..]), (vec![], &["/EFI/Linux/a.efi".to_owned()][..]));
    let found = extlinux::parse(
        "default l0\nlabel l0\n menu label Debian\n LINUX /boot/vmlinuz\n append initrd=/boot/a.img root=x\nLABEL l1\n kernel ../k\n INITRD /i,/j\nlabel mem\n kernel memdisk.c32\ninclude more.cfg\n",
    );
    assert_eq!(raws(&found)[..2], [("/boot/vmlinuz", vec!["/boot/a.img"]), ("../k", vec!["/i", "/j"])]);
    assert_eq!(found.includes, ["more.cfg"]);
    let found = legacy::parse(
        "default 0\n## kernel=no\ntitle Ubuntu\nroot (hd0)\nkernel /boot/vmlinuz-3.13 root=LABEL=x ro\ninitrd /boot/initrd.img-3.13\n",
    );
    assert_eq!(raws(&found), [("/boot/vmlinuz-3.13", vec!["/boot/initrd.img-3.13"])]);
}

/// A PE file with these sections.
pub(super) fn pe_file(sections: &[&[u8; 8]]) -> Vec<u8> {
    let mut bytes = vec![0; 0x40];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3c] = 0x40;
    bytes.extend_from_slice(b"PE\0\0\x64\x86");
    bytes.push(u8::try_from(sections.len()).unwrap());
    bytes.resize(0x40 + 24, 0);
    for section in sections {
        bytes.extend_from_slice(*section);
        bytes.extend_from_slice(&[0; 32]);
    }
    bytes
}

#[test]
fn a_whole_image() {
    let cfg = "menuentry 'with ($root)' {\n linux ($root)/boot/vmlinuz-1 root=x\n initrd ($root)/boot/ucode /boot/initrd.img-1\n}\nmenuentry own-boot {\n linux /vmlinuz-1\n initrd /initrd.img-1\n}\nmenuentry gone {\n linux /boot/vmlinuz-0\n initrd /boot/initrd.img-0\n}\nmenuentry mem {\n linux16 /boot/memtest86+.bin\n}\n";
    let tree = MemoryTree::new()
        .file("/boot/grub/grub.cfg", cfg)
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/initrd.img-1", "i")
        .file("/boot/ucode", "u")
        .file("/boot/efi/EFI/debian/grubx64.efi", pe_file(&[b".text\0\0\0"]))
        .file("/boot/efi/loader/entries/a.conf", "title a\nlinux /vmlinuz-1\ninitrd /initrd.img-1\n")
        .link("/initrd.img", "boot/initrd.img-1")
        .link("/vmlinuz", "boot/vmlinuz-1")
        .file("/boot/extlinux/extlinux.conf", "include inc.conf\n")
        .file(
            "/boot/extlinux/inc.conf",
            "label l\n linux /vmlinuz\n initrd /initrd.img\ninclude extlinux.conf\n",
        );
    let stage = Stage::new(&tree);
    let boot = read(&stage).unwrap();
    assert_eq!(boot.unified, Vec::<String>::new());
    let got: Vec<(&str, Option<&str>, String)> = boot
        .entries
        .iter()
        .map(|entry| (entry.title.as_str(), entry.kernel.as_deref(), entry.initrds.join(" ")))
        .collect();
    let kernel = Some("/boot/vmlinuz-1");
    assert_eq!(
        got,
        [
            ("with ($root)", kernel, "/boot/ucode /boot/initrd.img-1".to_owned()),
            ("own-boot", kernel, "/boot/initrd.img-1".to_owned()),
            ("gone", None, String::new()),
            ("l", kernel, "/boot/initrd.img-1".to_owned()),
            ("a", kernel, "/boot/initrd.img-1".to_owned()),
        ]
    );
    assert_eq!(boot.entries[2].missing, ["/boot/initrd.img-0"]);
    assert_eq!(boot.entries[0].origin, "/boot/grub/grub.cfg:2");
}

#[test]
fn a_menu_on_the_esp_counts() {
    let tree = MemoryTree::new()
        .file(
            "/boot/efi/EFI/debian/grub.cfg",
            "search.fs_uuid 1 root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n",
        )
        .file("/boot/efi/EFI/other/grub.cfg", "linux /k\ninitrd /i\n")
        .file("/boot/efi/k", "k")
        .file("/boot/i", "i");
    let boot = read(&Stage::new(&tree)).unwrap();
    assert_eq!(boot.entries.len(), 1);
    assert_eq!(
        (boot.entries[0].kernel.as_deref(), &boot.entries[0].initrds[..]),
        (Some("/boot/efi/k"), &["/boot/i".to_owned()][..])
    );
}

#[test]
fn unified_images_are_found() {
    let image = pe_file(&[b".text\0\0\0", b".osrel\0\0", b".linux\0\0", b".initrd\0"]);
    for path in ["/boot/efi/EFI/Linux/debian.efi", "/efi/efi/boot/BOOTX64.EFI", "/boot/EFI/Linux/x.EFI"] {
        let tree = MemoryTree::new().file(path, &image);
        assert_eq!(read(&Stage::new(&tree)).unwrap().unified, [path]);
    }
}

/// GRUB's program for EFI with these objects beside its modules.
fn grub_program(objects: &[(u32, &[u8])], long: bool) -> Vec<u8> {
    let mut bytes = pe_file(&[b".text\0\0\0", b"mods\0\0\0\0"]);
    let start = u32::try_from(bytes.len()).unwrap();
    let head: u32 = if long { 24 } else { 12 };
    let size: u32 = head + objects.iter().map(|(_, content)| 8 + content.len() as u32).sum::<u32>();
    let table = 0x40 + 24 + 40;
    bytes[table + 16..table + 20].copy_from_slice(&size.to_le_bytes());
    bytes[table + 20..table + 24].copy_from_slice(&start.to_le_bytes());
    let words = if long { vec![0x676d_696d, 0, head, 0, size, 0] } else { vec![0x676d_696d, head, size] };
    words.into_iter().for_each(|word: u32| bytes.extend(word.to_le_bytes()));
    for (kind, content) in objects {
        bytes.extend(kind.to_le_bytes());
        bytes.extend((8 + content.len() as u32).to_le_bytes());
        bytes.extend(*content);
    }
    bytes
}

#[test]
fn a_menu_in_grubs_own_program_is_told() {
    // What distributions sign only leads to the menu on the disk.
    let usual = &b"search.fs_uuid 1 root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n\0"[..];
    let menu = &b"menuentry a {\n linux /k ro\n}\n\0"[..];
    let archive = &b"boot/grub/grub.cfg\0\0\0\n\tlinux\t/k ro\n"[..];
    for (objects, expected) in [
        (&[(0, &b"\x7fELF"[..]), (2, usual), (3, b"/boot")][..], false),
        (&[(0, b"\x7fELF"), (2, menu)], true),
        (&[(1, archive)], true),
        (&[(1, b"linuxrc\n")], false),
    ] {
        for long in [true, false] {
            let program = grub_program(objects, long);
            let tree = MemoryTree::new().file("/boot/efi/EFI/x/grubx64.efi", &program);
            let found = read(&Stage::new(&tree)).unwrap();
            assert_eq!(found.embedded.len(), usize::from(expected), "{objects:?}");
            for length in 0..program.len() {
                pe::has_menu(&program[..length]);
            }
        }
    }
}
