//! Who can open sealed credentials: recipients of age(1), in the recipe or in files.
//!
//! What may stand there is what `age --recipients-file` takes: "age1…", ssh-ed25519 and ssh-rsa keys,
//! one on each line, comments and empty lines between them; lines of `authorized_keys` lose their
//! options. Every one is checked here, since nobody could open what the agent seals to a damaged one.

use hardtack_guest::ssh_keys::parse_keys;
use hardtack_yaml::{Node, Span};

use super::reader::Reader;
use super::user::looks_like_key;

/// What a private key in the place of a recipient is told.
pub(super) const PRIVATE: &str =
    "a private key stands where a public one is wanted, and must never get into an image";
/// What to do about it.
pub(super) const PUBLIC_HALF: &str =
    "give the public half: the file that ends in .pub, or what `age-keygen -y` prints (age1…)";
const OTHER_KEY: &str = "use an ssh-ed25519 or ssh-rsa key, or make one with `age-keygen` (age1…)";

/// The recipients in a list of files and keys, none twice.
pub(super) fn list(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let items = reader.items(node, "recipients");
    if items.is_empty() && node.as_sequence().is_some() {
        reader.error_hint(
            node.span,
            "`recipients` is empty: nobody could open the credentials",
            "name files or keys: age1…, ssh-ed25519 … or ssh-rsa …",
        );
    }
    let mut all = Vec::new();
    for item in items {
        for one in entry(reader, item) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// One entry: a key, or a file that may hold many.
fn entry(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    if node.as_mapping().is_some() {
        let Some(text) = reader.elsewhere(node, "recipients", false) else { return Vec::new() };
        return lines(reader, node.span, "", &text);
    }
    if node.text().is_some_and(is_private) {
        reader.mask(node);
        reader.error_hint(node.span, PRIVATE, PUBLIC_HALF);
        return Vec::new();
    }
    let Some(text) = reader.text(node, "recipients") else { return Vec::new() };
    if text.trim().is_empty() {
        reader.error(node.span, "an entry of `recipients` is empty");
        return Vec::new();
    }
    if looks_like_key(text) || is_age(text) {
        return lines(reader, node.span, "", text);
    }
    let Some(bytes) = reader.read(text, node.span) else { return Vec::new() };
    let Ok(content) = String::from_utf8(bytes) else {
        reader.error_hint(node.span, format!("{text}: is not text, and holds no recipients"), OTHER_KEY);
        return Vec::new();
    };
    lines(reader, node.span, text, &content)
}

/// All recipients in a text; `origin` is the file's name, or empty.
fn lines(reader: &mut Reader<'_>, span: Span, origin: &str, text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let place = |line: Option<usize>| match (origin, line) {
        ("", _) => String::new(),
        (file, None) => format!("{file}: "),
        (file, Some(line)) => format!("{file}:{line}: "),
    };
    if is_private(text) {
        reader.error_hint(span, format!("{}{PRIVATE}", place(None)), PUBLIC_HALF);
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut failed = false;
    let mut take = |reader: &mut Reader<'_>, number: Option<usize>, line: &str| match check(line) {
        Ok(recipient) => found.push(recipient),
        Err(refusal) => {
            failed = true;
            reader.error_hint(span, format!("{}{}", place(number), refusal.what), refusal.hint);
        }
    };
    if text.contains("---- BEGIN ") || text.contains("-----BEGIN ") {
        // PEM and RFC 4716.
        match parse_keys(if origin.is_empty() { "recipients" } else { origin }, text.as_bytes(), true) {
            Ok(keys) => keys.iter().for_each(|key| take(reader, None, &key.line)),
            Err(error) => {
                reader.error_hint(span, error.to_string(), OTHER_KEY);
                return Vec::new();
            }
        }
    } else {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                take(reader, Some(index + 1), line);
            }
        }
    }
    if found.is_empty() && !failed {
        reader.error_hint(span, format!("{}holds no recipient", place(None)), OTHER_KEY);
    }
    found
}

/// Why a line is no recipient.
struct Refusal {
    what: String,
    hint: &'static str,
}

fn refuse(what: impl Into<String>, hint: &'static str) -> Refusal {
    Refusal { what: what.into(), hint }
}

/// One line, as the agent wants it: without options and comment.
fn check(line: &str) -> Result<String, Refusal> {
    if is_age(line) {
        return age(line);
    }
    let keys = parse_keys("", line.as_bytes(), true).map_err(|error| refuse(error.what, OTHER_KEY))?;
    let Some(key) = keys.first() else { return Err(refuse("holds no recipient", OTHER_KEY)) };
    match key.algorithm.as_str() {
        "ssh-ed25519" => {}
        // The guest's parser has something to say about short ones only.
        "ssh-rsa" => {
            if let Some(short) = &key.warning {
                return Err(refuse(format!("{short}; to seal to it takes 2048 bits"), OTHER_KEY));
            }
        }
        token if token.starts_with("sk-") => {
            let what = format!("{token}: a key on a token signs, and cannot open what is sealed");
            return Err(refuse(what, OTHER_KEY));
        }
        other => return Err(refuse(format!("{other}: age cannot seal to such a key"), OTHER_KEY)),
    }
    let (options, rest) = split(&key.line, &key.algorithm);
    if options.to_ascii_lowercase().split(',').any(|option| option.trim() == "cert-authority") {
        let what =
            "the key of a certificate authority: those who log in with its certificates cannot open anything";
        return Err(refuse(what, OTHER_KEY));
    }
    let blob = rest.split_whitespace().next().unwrap_or_default();
    Ok(format!("{} {blob}", key.algorithm))
}

/// The options of a line that was checked, and what follows its algorithm.
fn split<'l>(line: &'l str, algorithm: &str) -> (&'l str, &'l str) {
    let mut quoted = false;
    let mut escaped = false;
    let mut end = 0;
    if !line.starts_with(algorithm) {
        for (at, character) in line.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ' ' | '\t' if !quoted => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
    }
    let (options, key) = line.split_at(end);
    (options, key.trim_start().strip_prefix(algorithm).unwrap_or_default())
}

fn age(line: &str) -> Result<String, Refusal> {
    const CHARS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = line.to_ascii_lowercase();
    let data = lower.strip_prefix("age1").unwrap_or_default();
    if data.contains('1') {
        return Err(refuse("a recipient of an age plugin: the agent has no plugins", OTHER_KEY));
    }
    if data.len() != 58 || !data.chars().all(|character| CHARS.contains(character)) {
        return Err(refuse("a damaged recipient: age1… has 62 letters and digits", "copy it again"));
    }
    Ok(lower)
}

/// "age1…" and its like, in whatever case somebody typed it.
fn is_age(text: &str) -> bool {
    let text = text.trim();
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("age1"))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a private key of any format is in `text`.
pub(super) fn is_private(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        line.starts_with("PuTTY-User-Key-File-")
            || line.contains("PRIVATE KEY-----")
            || line.contains("ENCRYPTED PRIVATE KEY")
            || line.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
    })
}
