//! The settings of the steps `boot` and `serial-console`.

use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::Reader;
use crate::model::boot::{BootStep, Driver, SerialConsoleStep, TARGETS};

/// The keys of `boot`.
pub(super) const KEYS: &[Key] = &[
    Key::may(
        "check",
        Shape::Several(&Shape::Words(&[
            "all",
            "nvme",
            "ena",
            "xen-blkfront",
            "xen-netfront",
            "virtio",
            "virtio-net",
        ])),
        "Drivers that every boot entry has to find: in its initramfs, in the kernel, or for the network in the root.",
    ),
    Key::may(
        "target",
        Shape::Several(&Shape::Words(&["ec2-nitro", "ec2-xen", "eucalyptus", "kvm"])),
        "Machines on which every boot entry has to find its disk and its network.",
    ),
];

/// The keys of `serial-console`.
pub(super) const SERIAL_KEYS: &[Key] = &[
    Key::may(
        "device",
        Shape::Text,
        "The line's device: ttyS0, ttyAMA0, hvc0. The default is the usual one of the image's architecture.",
    ),
    Key::may(
        "speed",
        Shape::Whole(300, 4_000_000),
        "Bits per second. The default is 115200; hvc0 and its like have none.",
    ),
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<BootStep> {
    let mut step = BootStep::default();
    // `- boot: check` is everything.
    if node.text() == Some("check") {
        step.check = all();
        return Some(step);
    }
    let fields = reader.keyed(node, "step `boot`", KEYS)?;
    if let Some(value) = fields.get("check") {
        let mut words: Vec<(&str, Option<Driver>)> = vec![("all", None)];
        words.extend(Driver::WORDS.iter().map(|(word, driver)| (*word, Some(*driver))));
        for item in reader.items(value, "check") {
            match reader.word(item, "check", &words)? {
                Some(driver) => step.check.push(driver),
                None => step.check.extend(all()),
            }
        }
    }
    if let Some(value) = fields.get("target") {
        for item in reader.items(value, "target") {
            step.check.extend(reader.word(item, "target", TARGETS)?);
        }
    }
    if fields.pairs().is_empty() {
        reader.error_hint(
            at,
            "step `boot` says nothing",
            "write `- boot: check`, or which drivers are needed",
        );
        return None;
    }
    step.check.sort_unstable();
    step.check.dedup();
    Some(step)
}

/// What the usual machines need.
fn all() -> Vec<Driver> {
    Driver::WORDS.iter().map(|(_, driver)| *driver).collect()
}

pub(super) fn read_serial(reader: &mut Reader<'_>, node: &Node, _at: Span) -> Option<SerialConsoleStep> {
    let fields = reader.keyed(node, "step `serial-console`", SERIAL_KEYS)?;
    let mut step = SerialConsoleStep::default();
    if let Some(value) = fields.get("device") {
        let text = reader.line(value, "device")?;
        let name = text.strip_prefix("/dev/").unwrap_or(text);
        // Kernel names of lines: `ttyS0`, `ttyAMA0`, `hvc0`, `ttysclp0`, `ttyUSB1`.
        let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_line = letters.len() < name.len()
            && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
            && letters != "tty"
            && (letters.starts_with("tty") || matches!(letters, "hvc" | "hvsi" | "xvc"));
        if !is_line || name.len() > 16 {
            reader.error_hint(
                value.span,
                format!("`device` takes a serial line, found `{text}`"),
                "write it as the kernel does: ttyS0, ttyAMA0, hvc0",
            );
            return None;
        }
        step.device = Some(name.to_owned());
    }
    if let Some(value) = fields.get("speed") {
        step.speed = Some(reader.number(value, "speed", 300..=4_000_000)?);
    }
    Some(step)
}
