//! Which SSH keys an image's sshd takes.
//!
//! From OpenSSH's release notes and `sshd_config(5)`: Ed25519 since 6.5, ECDSA since 5.7, keys on
//! security tokens (`sk-`) since 8.2; DSA is off since 7.0 and gone with 10.0. An RSA **key** is taken by every
//! release: what 8.8 switched off is the signature algorithm `ssh-rsa` (SHA-1), and clients since 7.2 sign with
//! SHA-2. `RequiredRSASize` came with 9.1; before, the least was 1024 bits (768 before 7.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_guest::ssh_keys;
use hardtack_guest::sshd::{Config, Connection, Setting, Version, in_pattern_list};

/// Why the sshd does not take the key in `line` from `user`, if it does not.
pub(super) fn refusal(line: &str, user: &str, config: &Config) -> Option<String> {
    let version = config.version();
    let kind = kind(line)?;
    if let Some(why) = by_release(kind, version) {
        return Some(why);
    }
    if !kind.contains("-cert-v0")
        && let Err(error) = ssh_keys::parse_keys("key", line.as_bytes(), true)
    {
        // What is wrong with DSA is told above and by the setting below.
        if kind != "ssh-dss" {
            return Some(error.what);
        }
    }
    by_size(kind, line, user, config).or_else(|| by_setting(kind, user, config))
}

/// What `RequiredRSASize` asks for.
fn by_size(kind: &str, line: &str, user: &str, config: &Config) -> Option<String> {
    let connection = Connection { user: Some(user.to_owned()), ..Connection::default() };
    let lines = config.for_connection("RequiredRSASize", &connection);
    let setting = lines.first().filter(|_| kind == "ssh-rsa")?;
    let (wanted, bits) = (setting.value.trim().parse::<usize>().ok()?, rsa_bits(line)?);
    (bits < wanted)
        .then(|| format!("it has {bits} bits, and {} {} asks for {wanted}", setting.written, setting.place))
}

/// The bits of the modulus: the third of the blob's strings (RFC 4253, section 6.6).
fn rsa_bits(line: &str) -> Option<usize> {
    let word = line.split_whitespace().skip_while(|word| !is_type(word)).nth(1)?;
    let blob = BASE64.decode(word).ok()?;
    let mut rest = blob.as_slice();
    let mut modulus: &[u8] = &[];
    for _ in 0..3 {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        (modulus, rest) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    }
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let digits = modulus.get(first..)?;
    Some(digits.len() * 8 - usize::try_from(digits.first()?.leading_zeros()).ok()?)
}

/// The type of the key in `line`, behind options.
pub(super) fn kind(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| is_type(word))
}

fn is_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
        && !word.contains(['=', ',', '"'])
}

/// What a release does not know.
fn by_release(kind: &str, version: Version) -> Option<String> {
    let since = |major, minor| {
        let first = Version::new(major, minor);
        (version < first).then(|| format!("OpenSSH knows {kind} since {first}, and the image has {version}"))
    };
    match kind {
        "ssh-ed25519" => since(6, 5),
        _ if kind.starts_with("sk-") => since(8, 2),
        _ if kind.starts_with("ecdsa-sha2-") => since(5, 7),
        "ssh-dss" if version >= Version::new(10, 0) => {
            Some(format!("OpenSSH {version} knows no DSA keys any more"))
        }
        _ => None,
    }
}

/// What `PubkeyAcceptedAlgorithms` (`PubkeyAcceptedKeyTypes` before 8.5) leaves out.
fn by_setting(kind: &str, user: &str, config: &Config) -> Option<String> {
    let version = config.version();
    // The signatures that a key of this type can be used with.
    let algorithms: Vec<&str> = match kind {
        "ssh-rsa" if version >= Version::new(7, 2) => vec!["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
        other => vec![other],
    };
    if algorithms.iter().any(|algorithm| takes(algorithm, user, config)) {
        return None;
    }
    Some(match accepted(user, config) {
        Some(line) => format!("{} {} leaves {kind} out", line.written, line.place),
        None => format!("OpenSSH {version} refuses {kind} keys unless {} names them", keyword(version)),
    })
}

/// Why no key that a client of today signs with is taken; they sign no more with SHA-1.
pub(super) fn refuses_all(user: &str, config: &Config) -> Option<String> {
    let line = accepted(user, config)?;
    let version = config.version();
    let mut today = vec!["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519"];
    today.extend(["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"]);
    today.extend(if version >= Version::new(7, 2) {
        ["rsa-sha2-512", "rsa-sha2-256"]
    } else {
        ["ssh-rsa"; 2]
    });
    let none = !today.iter().any(|algorithm| takes(algorithm, user, config));
    none.then(|| format!("sshd takes no key of today's clients ({} {})", line.written, line.place))
}

/// The word that names the algorithms.
fn keyword(version: Version) -> &'static str {
    if version >= Version::new(8, 5) { "PubkeyAcceptedAlgorithms" } else { "PubkeyAcceptedKeyTypes" }
}

/// The line that names them.
fn accepted<'c>(user: &str, config: &'c Config) -> Option<&'c Setting> {
    let connection = Connection { user: Some(user.to_owned()), ..Connection::default() };
    config.for_connection(keyword(config.version()), &connection).first().copied()
}

/// Whether sshd takes a signature of `algorithm`.
fn takes(algorithm: &str, user: &str, config: &Config) -> bool {
    let version = config.version();
    let by_default = match algorithm {
        "ssh-dss" => version < Version::new(7, 0),
        "ssh-rsa" => version < Version::new(8, 8),
        _ => true,
    };
    let Some(line) = accepted(user, config) else { return by_default };
    let value = line.value.trim().trim_matches('"');
    let named = |list: &str| in_pattern_list(algorithm, list);
    match value.chars().next() {
        Some('+' | '^') => by_default || named(&value[1..]),
        Some('-') => by_default && !named(&value[1..]),
        _ => named(value),
    }
}
