//! The `user` step's settings.

use hardtack_credentials::RandomPassword;
use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::{Reader, asked_for};
use crate::Secret;
use crate::model::{KeySource, Password, UserStep};

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[
    Key::must("name", Shape::Text, "The login name."),
    Key::may("password", PASSWORD, "Where the password comes from; the image's stays if left out."),
    Key::may("authorized_keys", AUTHORIZED_KEYS, "Public keys of SSH, or files that hold them."),
    Key::may("allow_ca", Shape::Bool, "Lines with `cert-authority` are let in."),
    Key::may("shell", Shape::Text, "The login shell, an absolute path in the image."),
    Key::may("groups", Shape::Several(&Shape::Text), "Groups besides the user's own."),
    Key::may("sudo", Shape::Text, "A rule of sudoers(5) without the name: \"ALL=(ALL) NOPASSWD:ALL\"."),
    Key::may("gecos", Shape::Text, "The full name."),
];

/// Where a password comes from.
pub(super) const PASSWORD: Shape = Shape::OneOf(&[Shape::Words(&["random"]), Shape::Keys(PASSWORD_KEYS)]);
/// The entries of `authorized_keys`.
pub(super) const AUTHORIZED_KEYS: Shape = Shape::Several(&Shape::Content);
/// The keys of `password`; exactly one of them stands there.
pub(super) const PASSWORD_KEYS: &[Key] = &[
    Key::may("env", Shape::Text, "The environment variable that holds the password."),
    Key::may("file", Shape::Text, "The file whose first line is the password."),
    Key::may("hash", Shape::Content, "A hash of crypt(3), as `openssl passwd -6` makes it."),
    Key::may(
        "random",
        Shape::OneOf(&[Shape::Null, Shape::Keys(RANDOM_KEYS)]),
        "The agent makes one at first boot, another one on each instance.",
    ),
];

/// The keys of `password: {random: …}`.
pub(super) const RANDOM_KEYS: &[Key] = &[
    Key::may("length", Shape::Whole(12, 128), "How many characters."),
    Key::may("chars", Shape::Text, "The characters to take from, at least 10 different ones of ASCII."),
    Key::may("expire", Shape::Bool, "It must be changed at the first login."),
];
/// Fewer different characters make no password, however long it is.
const FEWEST_CHARS: usize = 10;

/// The step, and where its password stands.
pub(super) struct Placed {
    pub(super) step: UserStep,
    pub(super) password: Option<Span>,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<Placed> {
    let fields = reader.keyed(node, "step `user`", KEYS)?;
    let mut step = UserStep::default();
    if let Some(value) = reader.required(&fields, "name", at) {
        step.name = name(reader, value, "name").unwrap_or_default();
    }
    if let Some(value) = fields.get("password") {
        step.password = password(reader, value);
    }
    if let Some(value) = fields.get("authorized_keys") {
        step.authorized_keys = keys(reader, value);
    }
    if let Some(value) = fields.get("allow_ca") {
        step.allow_ca = reader.boolean(value, "allow_ca").unwrap_or_default();
    }
    if let Some(value) = fields.get("shell") {
        step.shell = reader.line(value, "shell").map(str::to_owned);
        if step.shell.as_ref().is_some_and(|shell| !shell.starts_with('/') || shell.contains([':', ' '])) {
            reader.error(value.span, "`shell` takes an absolute path in the image, such as /bin/bash");
        }
    }
    if let Some(value) = fields.get("groups") {
        for item in reader.items(value, "groups") {
            let Some(group) = name(reader, item, "groups") else { continue };
            if !step.groups.contains(&group) {
                step.groups.push(group);
            }
        }
    }
    if let Some(value) = fields.get("sudo") {
        step.sudo = reader.line(value, "sudo").map(str::to_owned);
    }
    if let Some(value) = fields.get("gecos") {
        step.gecos = reader.line(value, "gecos").map(str::to_owned);
        if step.gecos.as_ref().is_some_and(|gecos| gecos.contains(':')) {
            reader.error(value.span, "`gecos` must not hold a colon: it is a field of /etc/passwd");
        }
    }
    Some(Placed { step, password: fields.get("password").map(|value| value.span) })
}

/// The entries of `authorized_keys`.
pub(super) fn keys(reader: &mut Reader<'_>, node: &Node) -> Vec<KeySource> {
    let items = reader.items(node, "authorized_keys");
    items.iter().filter_map(|item| key(reader, item)).collect()
}

/// A user's or group's name, as Debian's `useradd --badname` still takes them.
pub(super) fn name(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let text = reader.line(node, what)?;
    let valid = text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .strip_suffix('$')
            .unwrap_or(text)
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !valid {
        reader.error_hint(
            node.span,
            format!("`{text}` cannot be the name of a user or group"),
            "letters, digits, `_`, `-` and `.`, starting with a letter or `_`, at most 32",
        );
        return None;
    }
    Some(text.to_owned())
}

/// A password, or where it comes from.
pub(super) fn password(reader: &mut Reader<'_>, node: &Node) -> Option<Password> {
    const FORMS: &str = "use random, {env: NAME}, {file: PATH} or {hash: \"$6$…\"}";
    if node.as_mapping().is_none() {
        if node.text() == Some("random") {
            return Some(Password::Random(RandomPassword::default()));
        }
        reader.mask(node);
        let message = if node.is_null() {
            "`password` is empty; leave the key out to keep the image's".to_owned()
        } else {
            "a password does not stand in a recipe".to_owned()
        };
        reader.error_hint(node.span, message, FORMS);
        return None;
    }
    let fields = reader.keyed(node, "`password`", PASSWORD_KEYS)?;
    let forms = PASSWORD_KEYS.iter().filter(|key| fields.get(key.name).is_some());
    if forms.count() != 1 {
        reader.error(
            node.span,
            "`password` takes one of `{env: NAME}`, `{file: PATH}`, `{hash: \"$6$…\"}` and `{random: …}`",
        );
        return None;
    }
    if let Some(value) = fields.get("random") {
        return random(reader, value).map(Password::Random);
    }
    if let Some(value) = fields.get("hash") {
        let text = if value.as_mapping().is_some() {
            reader.elsewhere(value, "hash", true)?
        } else {
            reader.hidden(value, "hash")?
        };
        if let Err((reason, hint)) = check_hash(&text) {
            reader.error_hint(value.span, reason, hint);
            return None;
        }
        return Some(Password::Hash(Secret::new(text)));
    }
    // A value that a recipe's variables brought has a name that is nobody's.
    let variable = fields.get("env").and_then(Node::text).filter(|name| !name.starts_with('='));
    let (value, text, from) = match (fields.get("env"), fields.get("file")) {
        (Some(value), _) => {
            let from =
                variable.map_or("the variable".into(), |name| format!("the environment variable {name}"));
            (value, reader.variable(value)?, from)
        }
        (_, Some(value)) => (value, reader.file_text(value, true)?, "the first line of the file".to_owned()),
        _ => return None,
    };
    if text.is_empty() {
        let message = format!("{from} is empty, and an empty password lets everybody in");
        match variable {
            Some(name) => reader.error_hint(value.span, message, asked_for(name)),
            None => reader.error(value.span, message),
        }
        return None;
    }
    if text.contains(|character: char| character.is_control()) {
        reader.error(
            value.span,
            format!("{from} holds a line break or another control character, which nobody can type"),
        );
        return None;
    }
    if text.len() > 512 {
        // PAM_MAX_RESP_SIZE; longer answers are refused at login.
        reader.error(value.span, format!("{from} is longer than the 512 bytes that PAM takes"));
        return None;
    }
    Some(Password::Clear(Secret::new(text)))
}

/// `random`: how the agent makes the password.
fn random(reader: &mut Reader<'_>, node: &Node) -> Option<RandomPassword> {
    let fields = reader.keyed(node, "`random`", RANDOM_KEYS)?;
    let mut random = RandomPassword::default();
    if let Some(value) = fields.get("length") {
        random.length = reader.number(value, "length", 12..=128).unwrap_or(random.length);
    }
    if let Some(value) = fields.get("chars") {
        random.chars = chars(reader, value).unwrap_or(random.chars);
    }
    if let Some(value) = fields.get("expire") {
        random.expire = reader.boolean(value, "expire").unwrap_or(random.expire);
    }
    Some(random)
}

/// An alphabet. `:` may be in it: chpasswd(8) takes everything behind the first one.
fn chars(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "chars")?;
    if let Some(wrong) = text.chars().find(|character| !character.is_ascii_graphic()) {
        let shown = wrong.escape_default();
        let hint = "a password is typed on consoles of any layout: letters, digits and signs of ASCII";
        reader.error_hint(
            node.span,
            format!("`chars` holds `{shown}`, and takes printable ASCII only"),
            hint,
        );
        return None;
    }
    let twice = text.char_indices().find(|(at, character)| text[..*at].contains(*character));
    if let Some((_, character)) = twice {
        reader.error(node.span, format!("`chars` holds `{character}` twice"));
        return None;
    }
    if text.len() < FEWEST_CHARS {
        let found = text.len();
        let message = format!("`chars` takes at least {FEWEST_CHARS} different characters, found {found}");
        reader.error_hint(
            node.span,
            message,
            "leave it out for letters and digits that are easy to tell apart",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Whether `text` has the shape of a crypt(3) hash that is strong enough (crypt(5)).
fn check_hash(text: &str) -> Result<(), (&'static str, &'static str)> {
    const MAKE: &str = "make one with `mkpasswd --method=sha-512` or `openssl passwd -6`";
    let field = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
    };
    let salt = |part: &str| {
        part.len() <= 64 && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"$:*!\\,".contains(&byte))
    };
    let Some(rest) = text.strip_prefix('$') else {
        return Err(match text.len() {
            0 => ("the password hash is empty, which lets everybody in", MAKE),
            13 if field(text) => ("this is a DES hash, which is broken within hours", MAKE),
            _ if text.starts_with(['!', '*']) => {
                ("this locks the password instead of setting one", "leave `password` out")
            }
            _ => ("this is not a crypt(3) hash", MAKE),
        });
    };
    let parts: Vec<&str> = rest.split('$').collect();
    let fits = match parts.as_slice() {
        ["1" | "md5" | "apr1", ..] => {
            return Err(("this is an MD5 hash, which is broken within hours", MAKE));
        }
        ["3", ..] => return Err(("this is an NT hash, which has no salt", MAKE)),
        ["sha1", ..] => return Err(("this is a SHA-1 hash, which is too fast to resist guessing", MAKE)),
        ["2" | "2a" | "2x" | "2y", ..] => {
            return Err(("only the `$2b$` form of bcrypt hashes is taken", MAKE));
        }
        ["5", middle @ .., salted, hash] => {
            rounds(middle) && salt(salted) && salted.len() <= 16 && hash.len() == 43 && field(hash)
        }
        ["6", middle @ .., salted, hash] => {
            rounds(middle) && salt(salted) && salted.len() <= 16 && hash.len() == 86 && field(hash)
        }
        ["y" | "gy", parameters, salted, hash] => {
            field(parameters) && salt(salted) && hash.len() == 43 && field(hash)
        }
        ["7", parameters, hash] => field(parameters) && hash.len() == 43 && field(hash),
        ["2b", cost, hash] => {
            cost.len() == 2
                && cost.parse().is_ok_and(|cost: u8| (4..=31).contains(&cost))
                && hash.len() == 53
                && field(hash)
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(("this is not a complete crypt(3) hash ($5$, $6$, $y$, $gy$, $7$ or $2b$)", MAKE))
    }
}

fn rounds(parts: &[&str]) -> bool {
    match parts {
        [] => true,
        [only] => only.strip_prefix("rounds=").is_some_and(|count| {
            count.bytes().all(|byte| byte.is_ascii_digit())
                && count.parse().is_ok_and(|count: u32| (1_000..=999_999_999).contains(&count))
        }),
        _ => false,
    }
}

/// One entry of `authorized_keys`: a file or a key.
fn key(reader: &mut Reader<'_>, node: &Node) -> Option<KeySource> {
    if node.as_mapping().is_some() {
        let text = reader.elsewhere(node, "authorized_keys", false)?;
        return Some(KeySource {
            origin: format!("recipe line {}", node.span.line),
            text: text.into_bytes(),
        });
    }
    let text = reader.text(node, "authorized_keys")?;
    if text.trim().is_empty() {
        reader.error(node.span, "an entry of `authorized_keys` is empty");
        return None;
    }
    if looks_like_key(text) {
        return Some(KeySource {
            origin: format!("recipe line {}", node.span.line),
            text: text.as_bytes().to_vec(),
        });
    }
    let content = reader.read(text, node.span)?;
    Some(KeySource { origin: text.to_owned(), text: content })
}

/// True for the text of a key, false for a path.
pub(super) fn looks_like_key(text: &str) -> bool {
    let text = text.trim_start();
    let type_word = |word: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
    };
    text.starts_with("-----BEGIN")
        || text.starts_with("---- BEGIN")
        || text.starts_with("PuTTY-User-Key-File")
        || text.trim_end().contains('\n')
        // "ssh-ed25519 AAAA…", and the same behind options; a lone "ssh-key.pub" is a file.
        || text.split_whitespace().zip(text.split_whitespace().skip(1)).any(|(word, next)| type_word(word) && next.starts_with("AAAA"))
        || (type_word(text) && text.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_by_shape() {
        let b64 = |count: usize| "aB3./".chars().cycle().take(count).collect::<String>();
        for (hash, wanted) in [
            (format!("$6$salt${}", b64(86)), None),
            (format!("$6$rounds=5000$salt${}", b64(86)), None),
            (format!("$5$salt${}", b64(43)), None),
            (format!("$y$j9T$salt${}", b64(43)), None),
            (format!("$gy$j9T$salt${}", b64(43)), None),
            (format!("$7$CU..../....salt${}", b64(43)), None),
            (format!("$2b$12${}", b64(53)), None),
            (format!("$2b$99${}", b64(53)), Some("complete")),
            (format!("$6$salt${}", b64(85)), Some("complete")),
            (format!("$6$rounds=5$salt${}", b64(86)), Some("complete")),
            (format!("$6$sa:lt${}", b64(86)), Some("complete")),
            (format!("$1$salt${}", b64(22)), Some("MD5")),
            (b64(13), Some("DES")),
            ("hunter2".to_owned(), Some("not a crypt")),
            ("!".to_owned(), Some("locks")),
            (String::new(), Some("empty")),
            ("$6$…".to_owned(), Some("complete")),
        ] {
            let found = check_hash(&hash).err().map(|(reason, _)| reason);
            match (found, wanted) {
                (None, None) => {}
                (Some(found), Some(wanted)) => assert!(found.contains(wanted), "{hash}: {found}"),
                _ => panic!("{hash}: {found:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn keys_and_paths_are_told_apart() {
        for (text, is_key) in [
            ("ssh-ed25519 AAAAC3Nz x", true),
            ("ecdsa-sha2-nistp256 AAAAE2 x", true),
            ("sk-ssh-ed25519@openssh.com AAAAG x", true),
            ("from=\"10.0.0.0/8\",no-pty ssh-rsa AAAAB3 x", true),
            ("cert-authority ssh-rsa AAAAB3 x", true),
            ("-----BEGIN PUBLIC KEY-----\nMIIB\n", true),
            ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", true),
            ("ssh-ed25519 broken", true),
            ("id_ed25519.pub", false),
            ("ssh-key.pub", false),
            ("keys/my key.pub", false),
        ] {
            assert_eq!(looks_like_key(text), is_key, "{text}");
        }
    }
}
