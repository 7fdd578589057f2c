//! extlinux and syslinux configurations, U-Boot's `extlinux.conf` among them.

use super::{Found, Raw};

/// Reads a configuration.
pub(crate) fn parse(text: &str) -> Found {
    let mut found = Found::default();
    let mut current: Option<Raw> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let (key, value) = line.split_once(|c: char| c.is_whitespace()).unwrap_or((line, ""));
        let value = value.trim();
        match key.to_ascii_lowercase().as_str() {
            "label" => {
                found.raw.extend(current.take());
                current = Some(Raw { line: index + 1, title: value.to_owned(), ..Raw::default() });
            }
            "default" => found.default = Some(value.to_owned()),
            "include" => found.includes.push(value.split_whitespace().next().unwrap_or(value).to_owned()),
            "linux" | "kernel" | "fit" => {
                if let Some(raw) = &mut current {
                    raw.line = index + 1;
                    raw.kernel = value.to_owned();
                }
            }
            "initrd" => {
                if let Some(raw) = &mut current {
                    raw.initrds.extend(value.split(',').map(|name| name.trim().to_owned()));
                }
            }
            "append" => {
                if let Some(raw) = &mut current {
                    let inline = value.split_whitespace().filter_map(|word| word.strip_prefix("initrd="));
                    raw.initrds.extend(inline.flat_map(|names| names.split(',')).map(str::to_owned));
                    raw.options = value.to_owned();
                }
            }
            _ => {}
        }
    }
    found.raw.extend(current);
    found.raw.retain(|raw| !raw.kernel.is_empty());
    found
}
