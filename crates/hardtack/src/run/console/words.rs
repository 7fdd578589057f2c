//! Words of command lines that people are told.

use std::path::Path;

use super::show::plain;
use crate::args::{Auth, On, PlaceArgs};

/// A path as a word of a command line.
pub(crate) fn word(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// Any text as a word.
fn quoted(text: &str) -> String {
    let text = plain(text);
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%,=".contains(letter);
    if !text.is_empty() && text.chars().all(safe) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The options that name the same place again, each with a blank before it; nothing for this machine's own catalog.
pub(crate) fn place(place: &PlaceArgs) -> String {
    let mut words = String::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push_str(&format!(" {name} {value}"));
        }
    };
    add("--on", (place.on != On::Local).then(|| place.on.name().to_owned()));
    let text = |value: &Option<String>| value.as_deref().map(quoted);
    add("--region", text(&place.region));
    add("--url", text(&place.url));
    add("--ec2-url", text(&place.ec2_url));
    add("--catalog", place.catalog.as_deref().map(word));
    add("--profile", text(&place.access.profile));
    add("--eucarc", place.access.eucarc.as_deref().map(word));
    let auth = |auth| if auth == Auth::V2 { "v2" } else { "v4" };
    add("--auth", place.access.auth.map(|version| auth(version).to_owned()));
    if place.access.instance_metadata {
        words.push_str(" --instance-metadata");
    }
    words
}

/// `HOST` or `HOST:PORT`, as `--host` has it.
pub(super) fn address((host, port): &(String, u16)) -> String {
    match (host.contains(':'), port) {
        (_, 22) => host.clone(),
        (true, port) => format!("[{host}]:{port}"),
        (false, port) => format!("{host}:{port}"),
    }
}

/// The command that logs in there, with the private key in `key` where that is known.
pub(super) fn ssh((host, port): &(String, u16), user: Option<&str>, key: Option<&Path>) -> String {
    let key = key.map_or("KEY".to_owned(), word);
    let port = if *port == 22 { String::new() } else { format!(" -p {port}") };
    let user = user.map_or("USER".to_owned(), quoted);
    format!("ssh -o IdentitiesOnly=yes -i {key}{port} {user}@{}", quoted(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_can_be_typed() {
        let local = ("127.0.0.1".to_owned(), 2222);
        assert_eq!(
            ssh(&local, Some("debian"), None),
            "ssh -o IdentitiesOnly=yes -i KEY -p 2222 debian@127.0.0.1"
        );
        assert_eq!(address(&local), "127.0.0.1:2222");
        let v6 = ("2001:db8::1".to_owned(), 22);
        assert_eq!(ssh(&v6, None, None), "ssh -o IdentitiesOnly=yes -i KEY USER@2001:db8::1");
        let key = Path::new("my keys/id");
        assert_eq!(ssh(&v6, None, Some(key)), "ssh -o IdentitiesOnly=yes -i 'my keys/id' USER@2001:db8::1");
        assert_eq!((address(&v6), address(&(v6.0.clone(), 23))), (v6.0, "[2001:db8::1]:23".to_owned()));
        let there = PlaceArgs { on: On::Aws, region: Some("eu west".into()), ..PlaceArgs::default() };
        assert_eq!(place(&there), " --on aws --region 'eu west'");
        assert_eq!(place(&PlaceArgs::default()), "");
    }
}
