//! Deciding whether a block arrived whole.
//!
//! The checksum covers the line of JSON. The human part repeats the secrets and keys, and people
//! read them there: every such line must have arrived too, with blanks and line breaks anywhere.

use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::block::{
    Block, CHECKSUM_START, JSON_START, Repeated, UserPart, VERSION, checksum, is_name, repeated,
};
use crate::seal::{BEGIN_ARMOR, stanzas};

/// No block names more users: a cloud's 64 KiB would not hold them.
const USERS_LIMIT: usize = 1000;

/// Verifies the lines between the markers; the block and its JSON, or what is wrong.
pub(super) fn verify(lines: &[&str]) -> Result<(Block, String), String> {
    if let Some(found) = verify_plain(lines)? {
        return Ok(found);
    }
    // A browser wrote `&quot;`, and something behind it `&amp;quot;`.
    let mut text = lines.join("\n");
    for _ in 0..2 {
        if !text.contains('&') {
            break;
        }
        text = decode_entities(&text);
        let decoded: Vec<&str> = text.split('\n').collect();
        if let Some(found) = verify_plain(&decoded)? {
            return Ok(found);
        }
    }
    Err(diagnose(lines))
}

/// `None` when no candidate has the right checksum; an error when one has and is still no good.
fn verify_plain(lines: &[&str]) -> Result<Option<(Block, String)>, String> {
    let Some(first) = lines.iter().rposition(|line| line.contains(JSON_START)) else { return Ok(None) };
    let after = lines.get(first + 1..).unwrap_or_default();
    let found = (0..after.len()).find_map(|at| Some((at, checksum_at(after.get(at..)?)?)));
    let Some((count, wanted)) = found else { return Ok(None) };
    let group = lines.get(first..=first + count).unwrap_or_default();
    let Some(json) = candidates(group).into_iter().find(|json| checksum(json) == wanted) else {
        return Ok(None);
    };
    let block = parse(&json)?;
    complete(&block, lines)?;
    Ok(Some((block, json)))
}

/// Why no candidate verified.
fn diagnose(lines: &[&str]) -> String {
    let has_json =
        lines.iter().any(|line| line.contains("\"hardtack\"") || line.contains("&quot;hardtack&quot;"));
    let has_checksum = (0..lines.len()).any(|at| lines.get(at..).and_then(checksum_at).is_some());
    match (has_json, has_checksum) {
        (true, true) => "its checksum does not match: characters were lost, doubled or changed".to_owned(),
        (true, false) => "its checksum line is missing or damaged".to_owned(),
        (false, _) => "its line of JSON is missing or damaged".to_owned(),
    }
}

/// The checksum that the first line carries: exactly 64 lower-case hexadecimal digits, which may
/// go on in the next lines where a terminal broke it.
fn checksum_at(lines: &[&str]) -> Option<String> {
    let (line, more) = lines.split_first()?;
    let start = line.find(CHECKSUM_START)?;
    let (prefix, rest) = line.split_at(start);
    if !is_blank_end(prefix) {
        return None;
    }
    let mut digits = String::new();
    let pieces = std::iter::once(rest.get(CHECKSUM_START.len()..)?).chain(more.iter().copied().take(8));
    for piece in pieces {
        let piece = piece.trim();
        let length = piece.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        digits.push_str(piece.get(..length)?);
        let ends_here = length < piece.len();
        if ends_here && piece.get(length..)?.starts_with(' ') || digits.len() >= 64 && !ends_here {
            break;
        }
        if ends_here {
            return None;
        }
    }
    (digits.len() == 64).then_some(digits)
}

/// Nothing, or something that ends with a blank: what may stand before a piece of a block.
fn is_blank_end(text: &str) -> bool {
    text.is_empty() || text.ends_with(' ')
}

/// The JSON as it may have been printed: on one line; or broken, by a terminal's width with the
/// blanks at the break lost, or by a logger that puts its prefix before each piece.
fn candidates(group: &[&str]) -> Vec<String> {
    let Some((line, more)) = group.split_first() else { return Vec::new() };
    let start = line.find(JSON_START).unwrap_or_default();
    let (prefix, head) = line.split_at(start);
    if !is_blank_end(prefix) {
        return Vec::new();
    }
    let mut texts = vec![head.to_owned()];
    if more.iter().any(|line| !line.trim().is_empty()) {
        texts.push(format!("{head}{}", more.concat()));
        let width = group.iter().map(|line| line.len()).max().unwrap_or_default();
        let pad = |line: &str| if line.is_empty() { String::new() } else { format!("{line:<width$}") };
        let padded: String = group.iter().map(|line| pad(line)).collect();
        texts.push(padded.get(start..).unwrap_or_default().to_owned());
        if !prefix.is_empty() {
            let bare: String = more.iter().map(|line| without_prefix(line, prefix)).collect();
            texts.push(format!("{head}{bare}"));
        }
    }
    texts.iter().filter_map(|text| first_value(text)).map(str::to_owned).collect()
}

/// The first complete JSON value of a text; nothing but blanks may touch its end.
fn first_value(text: &str) -> Option<&str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (value, rest) = text.split_at_checked(values.byte_offset())?;
    (rest.is_empty() || rest.starts_with([' ', '\n'])).then_some(value)
}

/// `line` without a beginning of the same shape as `prefix`: runs of digits and runs of blanks
/// may have any length, everything else is the same.
pub(super) fn without_prefix<'a>(line: &'a str, prefix: &str) -> &'a str {
    let (mut rest, mut shape) = (line, prefix);
    while let Some(first) = shape.bytes().next() {
        let class = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
        let run = |text: &str| text.bytes().take_while(|byte| class(*byte) == class(first)).count();
        if first.is_ascii_digit() || first == b' ' {
            let (have, want) = (run(rest), run(shape));
            if have == 0 && first.is_ascii_digit() {
                return line;
            }
            (rest, shape) = (rest.get(have..).unwrap_or_default(), shape.get(want..).unwrap_or_default());
        } else {
            match (rest.strip_prefix(char::from(first)), shape.get(1..)) {
                (Some(tail), Some(next)) => (rest, shape) = (tail, next),
                _ => return line,
            }
        }
    }
    rest
}

/// Reads a block whose checksum is right. It may still be one of another release, or made by hand.
fn parse(json: &str) -> Result<Block, String> {
    if !json.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("its JSON is not plain ASCII".to_owned());
    }
    let value: Value =
        serde_json::from_str(json).map_err(|error| format!("its JSON cannot be read: {error}"))?;
    let version = value.get("hardtack").and_then(Value::as_u64).unwrap_or_default();
    if version != u64::from(VERSION) {
        return Err(format!("it has version {version}, this release reads version {VERSION}"));
    }
    match value.get("seal").and_then(Value::as_str) {
        Some("none" | "ssh" | "auto" | "recipients") | None => {}
        Some(seal) => {
            return Err(format!("it is sealed ({}), which this release cannot open", seal.escape_debug()));
        }
    }
    let parts = value.get("users").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if parts.len() > USERS_LIMIT {
        return Err(format!("it names {} users; no machine prints more than {USERS_LIMIT}", parts.len()));
    }
    if let Some(part) = parts.iter().find(|part| forms(part) != 1) {
        let name = part.get("name").and_then(Value::as_str).unwrap_or_default().escape_debug();
        return Err(format!("the part of user \"{name}\" is not one of: in plain text, sealed, withheld"));
    }
    let block: Block =
        serde_json::from_value(value).map_err(|error| format!("its JSON is not a block's: {error}"))?;
    let mut names = HashSet::new();
    for user in &block.users {
        check(user)?;
        if !names.insert(user.name()) {
            return Err(format!("it names user \"{}\" twice", user.name().escape_debug()));
        }
    }
    match block.host_keys.iter().position(|key| !key.is_consistent()) {
        Some(index) => {
            Err(format!("type, key and fingerprint of its host key {} do not belong together", index + 1))
        }
        None => Ok(block),
    }
}

/// How many of the forms of a part a user's object has; they exclude each other.
fn forms(part: &Value) -> usize {
    let has = |name: &str| part.get(name).is_some();
    let plain = ["secret", "otpauth", "scratch_codes", "password"].into_iter().any(has);
    usize::from(plain) + usize::from(has("sealed")) + usize::from(has("withheld"))
}

/// Whether a reader may use a part.
fn check(user: &UserPart) -> Result<(), String> {
    const WITHHELD_LIMIT: usize = 4096;
    let name = user.name().escape_debug();
    match user {
        UserPart::Plain(user) => return user.check(),
        UserPart::Sealed(part) => {
            if let Err(why) = stanzas(&part.sealed) {
                return Err(format!("the sealed part of user \"{name}\" is not an age file: {why}"));
            }
        }
        UserPart::Withheld(part) => {
            if part.withheld.len() > WITHHELD_LIMIT || part.withheld.chars().any(char::is_control) {
                return Err(format!("the reason why user \"{name}\" has no part is not one sentence"));
            }
        }
    }
    if is_name(user.name()) {
        Ok(())
    } else {
        Err("a user's name is empty, too long or has control characters".to_owned())
    }
}

/// Whether the lines that the JSON determines all arrived, in their order.
fn complete(block: &Block, lines: &[&str]) -> Result<(), String> {
    let mut squeezed = String::new();
    // Where a word begins in `squeezed`.
    let mut starts = Vec::new();
    for line in lines {
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            starts.push(squeezed.len());
            squeezed.push_str(word);
        }
    }
    starts.push(squeezed.len());
    let mut text = Squeezed { text: &squeezed, starts: &starts, from: 0, misses: 1000 };
    let damaged = |what: &str| format!("its human part does not repeat the JSON: {what} arrived damaged");
    let squeeze = |line: &str| line.split(' ').collect::<String>();
    let (begin, instead_begin) = (squeeze(BEGIN_ARMOR), squeeze(Repeated::INSTEAD));
    // Where the next ones are; each is looked for again only when it was passed.
    let (mut armor_at, mut instead_at) = (Some(0), Some(0));
    for wanted in repeated(block) {
        match wanted {
            Repeated::Line { what, text: line } => {
                text.pass(&squeeze(&line)).ok_or_else(|| damaged(what))?;
            }
            Repeated::Armor { armor, instead } => {
                text.next(&begin, &mut armor_at);
                text.next(&instead_begin, &mut instead_at);
                let in_json = match (armor_at, instead_at) {
                    (Some(armor), Some(instead)) => instead < armor,
                    (None, Some(_)) => true,
                    _ => false,
                };
                let lines = if in_json { vec![instead] } else { armor };
                for line in lines {
                    text.pass(&squeeze(&line)).ok_or_else(|| damaged("a sealed part"))?;
                }
            }
        }
    }
    Ok(())
}

/// A text without blanks and line ends.
struct Squeezed<'a> {
    text: &'a str,
    /// Where words began, and the end.
    starts: &'a [usize],
    /// What is before has been found.
    from: usize,
    /// Near misses that are looked past; without a limit a hostile log could make this quadratic.
    misses: usize,
}

impl Squeezed<'_> {
    /// Passes over the next occurrence that begins and ends with words.
    fn pass(&mut self, needle: &str) -> Option<()> {
        loop {
            let at = self.text.get(self.from..)?.find(needle).filter(|_| self.misses > 0)?;
            let (start, end) = (self.from + at, self.from + at + needle.len());
            if self.starts.binary_search(&start).is_ok() && self.starts.binary_search(&end).is_ok() {
                self.from = end;
                return Some(());
            }
            self.from = start + 1;
            self.misses -= 1;
        }
    }

    /// Moves a known place to the next occurrence; `None` stays: there is no further one.
    fn next(&self, needle: &str, place: &mut Option<usize>) {
        if place.is_some_and(|at| at < self.from || at == 0) {
            *place = self.text.get(self.from..).and_then(|rest| rest.find(needle)).map(|at| self.from + at);
        }
    }
}

/// Undoes one level of HTML entities, those that stand for ASCII.
pub(super) fn decode_entities(text: &str) -> String {
    const LONGEST: usize = 10;
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, tail) = rest.split_at(at);
        decoded.push_str(before);
        // Cleaned text is ASCII: every index is a boundary.
        let end = tail.bytes().take(LONGEST).position(|byte| byte == b';');
        let character = end.and_then(|end| entity(tail.get(1..end)?));
        match (end, character) {
            (Some(end), Some(character)) => {
                decoded.push(character);
                rest = tail.get(end + 1..).unwrap_or_default();
            }
            _ => {
                decoded.push('&');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn entity(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        },
        None => {
            return Some(match name {
                "quot" | "ldquo" | "rdquo" => '"',
                "amp" | "AMP" => '&',
                "lt" => '<',
                "gt" => '>',
                "apos" => '\'',
                "nbsp" => ' ',
                "sol" => '/',
                "plus" => '+',
                "equals" => '=',
                "colon" => ':',
                "comma" => ',',
                "lbrace" | "lcub" => '{',
                "rbrace" | "rcub" => '}',
                _ => return None,
            });
        }
    };
    match number {
        10 | 13 => Some('\n'),
        160 => Some(' '),
        number => char::from_u32(number).filter(|character| matches!(character, ' '..='~')),
    }
}
