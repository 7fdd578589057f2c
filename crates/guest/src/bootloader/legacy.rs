//! GRUB legacy's `menu.lst` (pv-grub on EC2 reads it too).

use super::{Found, Level, Raw};

/// Reads a menu.
pub(crate) fn parse(text: &str) -> Found {
    let mut found = Found::default();
    let mut current: Option<Raw> = None;
    let mut titles = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
        let (key, value) = line.split_at(end);
        let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim();
        match key {
            "title" => {
                found.raw.extend(current.take());
                let level = Level { index: titles, title: value.to_owned(), ..Level::default() };
                titles += 1;
                current = Some(Raw {
                    line: index + 1,
                    title: value.to_owned(),
                    menu: vec![level],
                    ..Raw::default()
                });
            }
            "kernel" => {
                if let Some(raw) = &mut current {
                    let mut words = value.split_whitespace().skip_while(|word| word.starts_with("--"));
                    raw.line = index + 1;
                    raw.kernel = words.next().unwrap_or_default().to_owned();
                    raw.options = words.collect::<Vec<_>>().join(" ");
                }
            }
            "default" => found.default = Some(value.to_owned()),
            "initrd" | "modulenounzip" => {
                if let Some(raw) = &mut current {
                    raw.initrds.extend(value.split_whitespace().map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    found.raw.extend(current);
    found.raw.retain(|raw| !raw.kernel.is_empty());
    found
}
