//! Boot loader specification, type 1: one file per entry in `loader/entries`.

use super::{Found, Raw};

/// Reads one entry. `efi` names a program, `linux` a kernel.
pub(crate) fn parse(text: &str) -> Found {
    let mut found = Found::default();
    let mut raw = Raw { line: 1, ..Raw::default() };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some((key, value)) = line.split_once(|c: char| c.is_whitespace()) else { continue };
        let value = value.trim();
        match key {
            "title" => raw.title = value.to_owned(),
            "linux" | "uki" => {
                raw.line = index + 1;
                raw.kernel = value.to_owned();
                found.chained.push(value.to_owned());
            }
            "efi" => found.chained.push(value.to_owned()),
            // Fedora writes "initrd /initramfs.img $tuned_initrd": unset variables are nothing.
            "initrd" => {
                raw.initrds.extend(
                    value.split_whitespace().filter(|word| !word.starts_with('$')).map(str::to_owned),
                );
            }
            "options" => {
                raw.options.push_str(value);
                raw.options.push(' ');
            }
            _ => {}
        }
    }
    if !raw.kernel.is_empty() {
        found.raw.push(raw);
    }
    found
}
