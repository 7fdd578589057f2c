//! Menus of the other boot loaders: one command line per text line.

use std::collections::BTreeSet;

use super::super::is_no_linux;
use super::{OPTIONS_VARIABLE, Work};

/// A line as its indentation, its key, what separates, and its value.
fn parts(line: &str) -> (&str, &str, &str, &str) {
    let indent = line.len() - line.trim_start().len();
    let rest = &line[indent..];
    let key = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    let gap = rest[key..].len() - rest[key..].trim_start().len();
    (&line[..indent], &rest[..key], &rest[key..key + gap], rest[key + gap..].trim_end())
}

/// A line's text without its line break, and the break.
fn broken(line: &str) -> (&str, &str) {
    let text = line.trim_end_matches(['\n', '\r']);
    (text, &line[text.len()..])
}

impl Work<'_, '_> {
    /// GRUB legacy: the `kernel` lines, and the comments that its `update-grub` reads as settings.
    pub(super) fn legacy(&mut self, path: &str, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 256);
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let (line, end) = broken(line);
            out.push_str(&self.legacy_line(path, index + 1, line).unwrap_or_else(|| line.to_owned()));
            out.push_str(end);
        }
        out
    }

    fn legacy_line(&mut self, path: &str, number: usize, line: &str) -> Option<String> {
        if let Some(setting) = line.strip_prefix("# ") {
            let (name, value) = setting.split_once('=')?;
            let grow = name == "kopt" || name.starts_with("kopt_");
            if !grow && !matches!(name, "defoptions" | "lockoptions" | "xenkopt") {
                return None;
            }
            return Some(format!("# {name}={}", self.wanted.line(value, grow)));
        }
        let key = line.trim_start().split(|c: char| c.is_whitespace() || c == '=').next()?;
        if key != "kernel" {
            return None;
        }
        let start = line.find("kernel")? + "kernel".len();
        let rest = &line[start..];
        let mut at =
            start + (rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=').len());
        // `--type=`, `--no-mem-option`, then the kernel.
        loop {
            let word = line[at..].split_whitespace().next()?;
            let begin = at + line[at..].find(word)?;
            at = begin + word.len();
            if !word.starts_with("--") {
                if is_no_linux(word) {
                    return None;
                }
                break;
            }
        }
        if !self.may_edit(path, number) {
            return None;
        }
        self.joined(path, number, &line[..at], &line[at..])
    }

    /// The line of `head`, which ends with the kernel's name, and its options.
    fn joined(&mut self, path: &str, number: usize, head: &str, options: &str) -> Option<String> {
        let gap = options.len() - options.trim_start().len();
        let new = self.wanted.line(&options[gap..], true);
        if !self.check_length(path, number, &new) {
            return None;
        }
        let gap = if gap == 0 && !new.is_empty() { " " } else { &options[..gap] };
        Some(format!("{head}{gap}{new}"))
    }

    /// extlinux and syslinux: `append` of each label with a kernel, or the one for all.
    pub(super) fn extlinux(&mut self, path: &str, text: &str) -> String {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let key = |line: &str| parts(line).1.to_ascii_lowercase();
        // Labels begin where the next one does; what stands before the first is for all.
        let starts: Vec<usize> = (0..lines.len()).filter(|index| key(lines[*index]) == "label").collect();
        let first = starts.first().copied().unwrap_or(lines.len());
        let global = (0..first).any(|index| key(lines[index]) == "append");
        let mut out = String::with_capacity(text.len() + 256);
        for (index, line) in lines.iter().enumerate().take(first) {
            let (body, end) = broken(line);
            let new = if key(body) == "append" { self.append(path, index + 1, body) } else { None };
            out.push_str(&new.unwrap_or_else(|| body.to_owned()));
            out.push_str(end);
        }
        for (nth, start) in starts.iter().enumerate() {
            let end = starts.get(nth + 1).copied().unwrap_or(lines.len());
            let label = &lines[*start..end];
            let kernel =
                label.iter().position(|line| matches!(key(line).as_str(), "linux" | "kernel" | "fit"));
            // The parser's entry has the line of the kernel that counts, the last one.
            let last =
                label.iter().rposition(|line| matches!(key(line).as_str(), "linux" | "kernel" | "fit"));
            let editable = match (kernel, last) {
                (Some(first), Some(last)) => {
                    !is_no_linux(parts(label[first]).3) && self.may_edit(path, start + last + 1)
                }
                _ => false,
            };
            let own = label.iter().any(|line| key(line) == "append");
            for (index, line) in label.iter().enumerate() {
                let (body, end) = broken(line);
                let new = match key(body).as_str() {
                    "append" if editable => self.append(path, start + index + 1, body),
                    _ => None,
                };
                out.push_str(&new.unwrap_or_else(|| body.to_owned()));
                out.push_str(end);
                if editable && !own && !global && last == Some(index) {
                    let words = self.wanted.line("", true);
                    if !words.is_empty() {
                        let indent = parts(body).0;
                        let end = if end.is_empty() { "\n" } else { "" };
                        out.push_str(&format!("{end}{indent}append {words}\n"));
                    }
                }
            }
        }
        out
    }

    fn append(&mut self, path: &str, number: usize, line: &str) -> Option<String> {
        let (indent, key, gap, value) = parts(line);
        // `append -` says: nothing, not even what is for all.
        let old = if value == "-" { "" } else { value };
        let new = self.wanted.line(old, true);
        if new == old || !self.check_length(path, number, &new) {
            return None;
        }
        let gap = if gap.is_empty() { " " } else { gap };
        Some(format!("{indent}{key}{gap}{new}"))
    }

    /// Boot loader specification: all `options` lines together are the command line.
    pub(super) fn entry(&mut self, path: &str, text: &str, environment: &BTreeSet<String>) -> String {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let options: Vec<usize> =
            (0..lines.len()).filter(|index| parts(lines[*index]).1 == "options").collect();
        let kernel = lines.iter().rposition(|line| matches!(parts(line).1, "linux" | "uki"));
        let Some(kernel) = kernel else { return text.to_owned() };
        if !self.may_edit(path, kernel + 1) {
            return text.to_owned();
        }
        let values: Vec<&str> = options.iter().map(|index| parts(lines[*index]).3).collect();
        let joined = values.join(" ");
        let variable = |word: &str| {
            word.strip_prefix('$').is_some_and(|name| {
                name == OPTIONS_VARIABLE && environment.contains(name.trim_matches(['{', '}']))
            })
        };
        let grow = !joined.split_whitespace().any(variable);
        let new = self.wanted.line(&joined, grow);
        if new == joined || !self.check_length(path, kernel + 1, &new) {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len() + 256);
        for (index, line) in lines.iter().enumerate() {
            let (body, end) = broken(line);
            match options.iter().position(|option| *option == index) {
                // One line takes all, at the place of the first.
                Some(0) => {
                    let (indent, key, gap, _) = parts(body);
                    let gap = if gap.is_empty() { " " } else { gap };
                    out.push_str(&format!("{indent}{key}{gap}{new}{end}"));
                }
                Some(_) => {}
                None => out.push_str(line),
            }
        }
        if options.is_empty() {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&format!("options {new}\n"));
        }
        out
    }
}
