#![allow(clippy::unwrap_used)]

use super::*;
use crate::MemoryTree;
use crate::bootloader::read;

fn environment(settings: &str) -> String {
    let mut text = format!("# GRUB Environment Block\n{settings}\n");
    text.extend(std::iter::repeat_n('#', 1024 - text.len()));
    text
}

/// The titles and command lines that start on their own.
fn defaults(tree: &MemoryTree) -> Vec<String> {
    let boot = read(&Stage::new(tree)).unwrap();
    boot.defaults
        .iter()
        .map(|index| format!("{} [{}]", boot.entries[*index].title, boot.entries[*index].options.trim()))
        .collect()
}

#[test]
fn grubs_default() {
    const HEAD: &str =
        "if [ \"${next_entry}\" ] ; then\n set default=\"${next_entry}\"\nelse\n set default=\"@\"\nfi\n";
    const MENU: &str = "\
menuentry 'Debian' $menuentry_id_option 'gnulinux-simple' {
 if x; then
  linux /boot/k a
 else
  linux /boot/k b
 fi
}
submenu 'Advanced' $menuentry_id_option 'gnulinux-advanced' {
 menuentry 'new' --id new-id { linux /boot/k new
 }
 menuentry 'old' { linux /boot/k old
 }
}
menuentry 'third' { linux /boot/k third
}
";
    for (default, saved, expected) in [
        ("0", "", vec!["Debian [a]", "Debian [b]"]),
        ("2", "", vec!["third [third]"]),
        ("1>1", "", vec!["old [old]"]),
        ("gnulinux-advanced>new-id", "", vec!["new [new]"]),
        ("Advanced>old", "", vec!["old [old]"]),
        ("gnulinux-advanced", "", vec!["new [new]"]),
        ("${saved_entry}", "saved_entry=third", vec!["third [third]"]),
        ("${saved_entry}", "saved_entry=", vec!["Debian [a]", "Debian [b]"]),
        // The next boot is not every boot.
        ("2", "next_entry=1>0", vec!["third [third]"]),
        ("nowhere", "", vec!["Debian [a]", "Debian [b]"]),
    ] {
        let tree = MemoryTree::new()
            .file("/boot/grub/grub.cfg", format!("{}{MENU}", HEAD.replace('@', default)))
            .file("/boot/grub/grubenv", environment(saved))
            .file("/boot/k", "k");
        assert_eq!(defaults(&tree), expected, "{default} {saved}");
    }
    let tree = MemoryTree::new().file("/boot/grub/grub.cfg", include_str!("../samples/debian12.cfg"));
    assert_eq!(defaults(&tree), ["GNU/Linux [root=/dev/vda1 ro]"]);
}

#[test]
fn grubs_entries_of_the_specification() {
    let entry = |title: &str| format!("title {title}\nlinux /k\noptions {title}\n");
    let tree = |saved: &str| {
        MemoryTree::new()
            .file("/boot/grub2/grub.cfg", "set default=\"${saved_entry}\"\ninsmod blscfg\nblscfg\n")
            .file("/boot/grub2/grubenv", environment(saved))
            .file("/boot/loader/entries/m-5.14.0-9.el9.conf", entry("nine"))
            .file("/boot/loader/entries/m-5.14.0-10.el9.conf", entry("ten"))
            .file("/boot/loader/entries/m-0-rescue.conf", entry("rescue"))
    };
    assert_eq!(defaults(&tree("")), ["ten [ten]"]);
    assert_eq!(defaults(&tree("saved_entry=m-5.14.0-9.el9")), ["nine [nine]"]);
    assert_eq!(defaults(&tree("saved_entry=2")), ["rescue [rescue]"]);
}

#[test]
fn the_default_of_systemd_boot() {
    let entry = |title: &str, rest: &str| format!("title {title}\nlinux /k\noptions {title}\n{rest}");
    let tree = |conf: &str| {
        MemoryTree::new()
            .file("/efi/loader/loader.conf", conf)
            .file("/efi/loader/entries/arch.conf", entry("unsorted", ""))
            .file("/efi/loader/entries/deb-6.1.conf", entry("old", "sort-key debian\nversion 6.1.9\n"))
            .file("/efi/loader/entries/deb-6.12.conf", entry("new", "sort-key debian\nversion 6.12.1\n"))
    };
    assert_eq!(defaults(&tree("timeout 3\n")), ["new [new]"]);
    assert_eq!(defaults(&tree("#default x\ndefault arch.conf\n")), ["unsorted [unsorted]"]);
    assert_eq!(defaults(&tree("default deb-6.1*\n")), ["old [old]"].map(|text| text.replace("old", "new")));
    assert_eq!(defaults(&tree("default deb-6.1.*\n")), ["old [old]"]);
}

#[test]
fn the_other_menus() {
    let menu = "default 1\ntitle one\nkernel /boot/k 1\ntitle two\nkernel /boot/k 2\n";
    let tree = MemoryTree::new().file("/boot/grub/menu.lst", menu);
    assert_eq!(defaults(&tree), ["two [2]"]);
    let tree = MemoryTree::new()
        .file("/boot/grub/menu.lst", menu.replace("default 1", "default saved"))
        .file("/boot/grub/default", "0\n#\n#\n");
    assert_eq!(defaults(&tree), ["one [1]"]);
    let menu = "default l1\nlabel l0\nlinux /k\nappend 0\nlabel l1\nlinux /k\nappend 1\n";
    let tree = MemoryTree::new().file("/boot/extlinux/extlinux.conf", menu);
    assert_eq!(defaults(&tree), ["l1 [1]"]);
    // A machine may have two boot loaders: pv-grub and GRUB.
    let tree = MemoryTree::new()
        .file("/boot/grub/menu.lst", "title pv\nkernel /k pv\n")
        .file("/boot/grub/grub.cfg", "menuentry hvm {\n linux /k hvm\n}\n");
    assert_eq!(defaults(&tree), ["hvm [hvm]", "pv [pv]"]);
}

#[test]
fn versions() {
    for (newer, older) in
        [("6.12", "6.1.9"), ("1-10.el9", "1-9.el9"), ("1.0", "1.0~rc1"), ("5a", "5"), ("007", "6")]
    {
        assert_eq!(newest(newer, older), Ordering::Less, "{newer} {older}");
        assert_eq!(newest(older, newer), Ordering::Greater, "{newer} {older}");
    }
    assert_eq!(newest("1.0", "1-0"), Ordering::Equal);
}
