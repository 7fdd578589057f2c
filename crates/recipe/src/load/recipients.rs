//! Who can open sealed credentials: recipients of age(1), in the recipe or in files.
//!
//! What may stand there is what `age --recipients-file` takes: "age1…", ssh-ed25519 and ssh-rsa keys,
//! one on each line, comments and empty lines between them; lines of `authorized_keys` lose their
//! options. Every one is checked here, since nobody could open what the agent seals to a damaged one.

use hardtack_credentials::seal::{Recipient, RecipientError, recipients};
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
    let mut failed = 0;
    if text.contains("---- BEGIN ") || text.contains("-----BEGIN ") {
        // PEM and RFC 4716.
        match parse_keys(if origin.is_empty() { "recipients" } else { origin }, text.as_bytes(), true) {
            Ok(keys) => {
                for key in keys {
                    match check(&key.line) {
                        Ok(recipient) => found.push(recipient),
                        Err(what) => {
                            reader.error(span, format!("{}{what}", place(None)));
                            failed += 1;
                        }
                    }
                }
            }
            Err(error) => {
                reader.error_hint(span, error.to_string(), OTHER_KEY);
                return Vec::new();
            }
        }
    } else {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match check(line) {
                Ok(recipient) => found.push(recipient),
                Err(what) => {
                    reader.error(span, format!("{}{what}", place(Some(index + 1))));
                    // One wrong line is a mistake, many are another file.
                    failed += 1;
                    if failed == 3 {
                        break;
                    }
                }
            }
        }
    }
    if found.is_empty() && failed == 0 {
        reader.error_hint(span, format!("{}holds no recipient", place(None)), OTHER_KEY);
    }
    found
}

/// One line, as the agent wants it: without options and comment.
fn check(line: &str) -> Result<String, String> {
    match Recipient::parse(line) {
        Ok(recipient) => return Ok(recipient.to_string()),
        Err(RecipientError::NotOne) => {}
        Err(error) => return Err(error.to_string()),
    }
    // Options in front of a login key, or no key at all.
    let found = recipients(line);
    if let Some(recipient) = found.usable.first() {
        return Ok(recipient.to_string());
    }
    if let Some(kind) = found.unusable.first() {
        return Err(RecipientError::CannotOpen { kind: kind.clone() }.to_string());
    }
    match parse_keys("", line.as_bytes(), true) {
        Ok(_) => Err(RecipientError::CannotOpen { kind: "cert-authority".to_owned() }.to_string()),
        // What else stands in the file is not quoted: it may be anything.
        Err(error) if error.what.contains("is a certificate") => Err(error.what),
        Err(_) => Err(RecipientError::NotOne.to_string()),
    }
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
