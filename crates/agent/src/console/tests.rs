#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::Tree;

fn names(tree: &Tree) -> Vec<String> {
    find(&tree.host()).into_iter().map(|console| console.name).collect()
}

#[test]
fn the_kernels_consoles_and_the_usual_ports_are_found_once() {
    let tree = Tree::new()
        .file("sys/class/tty/console/active", "tty0 ttyS1 hvc0 ttyS0\n")
        .file("sys/class/tty/ttyS0/type", "4\n")
        .directory("sys/class/tty/hvc0")
        .directory("sys/class/tty/ttyAMA0");
    assert_eq!(names(&tree), ["ttyS0", "hvc0", "ttyS1", "ttyAMA0"]);
}

#[test]
fn virtual_terminals_and_ports_without_a_chip_are_none() {
    let tree = Tree::new()
        .file("sys/class/tty/console/active", "tty0 tty1 tty ../x console ttynull0\n")
        .file("sys/class/tty/ttyS0/type", "0\n");
    assert!(names(&tree).is_empty());
    let error = print(&tree.host(), "x").unwrap_err().to_string();
    assert!(error.contains("no serial console"), "{error}");
}

#[test]
fn the_text_goes_to_every_console_and_the_kernel_is_quiet_only_meanwhile() {
    let tree = Tree::new()
        .file("sys/class/tty/console/active", "ttyS1 ttyS0\n")
        .file("proc/sys/kernel/printk", "7\t4\t1\t7\n")
        .file("dev/ttyS0", "")
        .file("dev/ttyS1", "");
    print(&tree.host(), "one\ntwo\n").unwrap();
    for port in ["dev/ttyS0", "dev/ttyS1"] {
        assert_eq!(tree.read(port), "\none\ntwo\n");
    }
    assert_eq!(tree.read("proc/sys/kernel/printk"), "7");
}

#[test]
fn a_port_that_fails_is_no_failure_while_another_works() {
    let tree = Tree::new().file("sys/class/tty/console/active", "ttyS1 ttyS0\n").file("dev/ttyS1", "");
    print(&tree.host(), "x").unwrap();
    let none = Tree::new().file("sys/class/tty/console/active", "ttyS0\n");
    let error = print(&none.host(), "x").unwrap_err().to_string();
    assert!(error.contains("no serial console took the text (ttyS0)"), "{error}");
}

/// A real terminal: a pseudo terminal's master sees what a serial line would carry.
#[test]
fn lines_end_with_one_carriage_return_on_a_terminal() {
    use std::io::Read;
    use std::os::unix::fs::symlink;
    let master =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let slave = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    for raw in [false, true] {
        let port = std::fs::OpenOptions::new().read(true).write(true).open(&slave).unwrap();
        if raw {
            let mut mode = rustix::termios::tcgetattr(&port).unwrap();
            mode.make_raw();
            rustix::termios::tcsetattr(&port, rustix::termios::OptionalActions::Now, &mode).unwrap();
        }
        let tree = Tree::new().file("sys/class/tty/console/active", "ttyS0\n").directory("dev");
        symlink(&slave, tree.host().path("/dev/ttyS0")).unwrap();
        let mut reader = std::fs::File::from(master.try_clone().unwrap());
        let printed = std::thread::spawn(move || {
            print(&tree.host(), "one\ntwo\n").unwrap();
        });
        let mut bytes = [0; 12];
        reader.read_exact(&mut bytes).unwrap();
        printed.join().unwrap();
        assert_eq!(&bytes, b"\r\none\r\ntwo\r\n", "raw: {raw}");
    }
}

#[test]
fn a_program_that_starts_on_the_port_is_noticed() {
    let tree = Tree::new().directory("proc").link("dev/ttyS0", "/dev/null");
    let watch = watch::Watch::start(&tree.host(), "ttyS0");
    // /dev/null is 1:3; 0x103 as proc(5) writes a terminal's number.
    let stat = "(agetty (x)) S 1 9 9 259 9 4194560 1 0 0 0 0 0 0 0 20 0 1 0 5551 1\n";
    let tree = tree.file("proc/99/stat", &format!("99 {stat}"));
    assert_eq!(watch.disturbed(&tree.host(), "ttyS0", 1, true), Some("a program started on the port"));
    let again = watch::Watch::start(&tree.host(), "ttyS0");
    assert_eq!(again.disturbed(&tree.host(), "ttyS0", 1, true), None, "one that was there before may stay");
    let kmsg = Tree::new().directory("proc").file("dev/ttyS0", "").file("dev/kmsg", "0,1,2,-;old\n");
    let watch = watch::Watch::start(&kmsg.host(), "ttyS0");
    let kmsg = kmsg.file("dev/kmsg", "0,1,2,-;old\n8,3,4,-;EMERG\n");
    assert_eq!(watch.disturbed(&kmsg.host(), "ttyS0", 1, true), Some("the kernel printed an emergency"));
}

/// Somebody has raised the kernel's level while we printed, or it could not be held down.
#[test]
fn a_message_that_reached_the_console_is_noticed() {
    let disturbed = |level, active| {
        let tree = Tree::new().directory("proc").file("dev/ttyS0", "").file("dev/kmsg", "6,1,2,-;old\n");
        let watch = watch::Watch::start(&tree.host(), "ttyS0");
        let tree = tree.file("dev/kmsg", "6,1,2,-;old\n4,3,4,-;usb 1-1: new device\n");
        watch.disturbed(&tree.host(), "ttyS0", level, active)
    };
    assert_eq!(disturbed(7, true), Some("the kernel printed a message"));
    assert_eq!(disturbed(1, true), None, "it went to the log alone");
    assert_eq!(disturbed(7, false), None, "the kernel does not write there");
}

/// What cut into every try is told, so that the end of the boot prints again. The reader of the line writes a
/// message of the kernel's while the text is on its way: more of it than a terminal holds.
#[test]
fn a_print_that_was_cut_into_is_told() {
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;
    let master =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let slave = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    // Held open, or the master would see an end between two tries.
    let _held = std::fs::OpenOptions::new().read(true).write(true).open(&slave).unwrap();
    for (noise, whole) in [(true, false), (false, true)] {
        let tree = Tree::new()
            .directory("proc")
            .file("sys/class/tty/console/active", "ttyS0\n")
            .file("proc/sys/kernel/printk", "7\t4\t1\t7\n")
            .file("dev/kmsg", "");
        symlink(&slave, tree.host().path("/dev/ttyS0")).unwrap();
        let kmsg = tree.host().path("/dev/kmsg");
        let mut reader = std::fs::File::from(master.try_clone().unwrap());
        let text = "0123456789\n".repeat(20_000);
        let printing = std::thread::spawn({
            let host = tree.host();
            move || print_whole(&host, &text).unwrap()
        });
        let tries = if noise { 3 } else { 1 };
        let mut left = tries * ("\r\n".len() + 12 * 20_000);
        let mut bytes = [0; 1024];
        while left > 0 {
            let count = reader.read(&mut bytes).unwrap();
            left -= count;
            if noise {
                let mut file = std::fs::OpenOptions::new().append(true).open(&kmsg).unwrap();
                file.write_all(b"0,1,2,-;emergency\n").unwrap();
            }
        }
        assert_eq!(printing.join().unwrap(), whole, "noise: {noise}");
    }
}
