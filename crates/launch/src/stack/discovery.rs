//! The token of a cluster: a discovery service of etcd is asked for it, and it is put into the user-data.
//!
//! Sources: etcd's discovery protocol (`GET /new?size=N` answers with the URL of the token); coreos-cloudinit's
//! `config/etcd.go`, `config/etcd2.go` for where it stands.

use std::ops::Range;

use hardtack_cloud::{Environment, fetch_text};
use hardtack_yaml::{Document, Limits, Node, Style};

use super::template::value_range;
use crate::Error;

/// An address.
const LONGEST: usize = 2048;
/// Sections that have `discovery`, in the order in which they are looked for.
const SECTIONS: [&str; 2] = ["etcd2", "etcd"];
/// As units' drop-ins and etcd's arguments have it.
const SETTINGS: [&str; 2] = ["ETCD_DISCOVERY=", "-discovery="];

/// The token's URL for a cluster of `size` members, asked of the service at `url`.
///
/// # Errors
/// It does not answer, or with what is no address.
pub fn token(environment: &Environment, url: &str, size: Option<u32>) -> Result<String, Error> {
    let answer = fetch_text(environment, "the discovery service", &request(url, size), LONGEST)?;
    let token = answer.trim();
    let is_url = (token.starts_with("https://") || token.starts_with("http://"))
        && token.chars().all(|char| char.is_ascii_graphic() && !"\"'\\`$<>{}".contains(char));
    let path = token.splitn(4, '/').nth(3).unwrap_or_default();
    if is_url && !path.is_empty() {
        return Ok(token.to_owned());
    }
    let shown: String =
        token.chars().take(60).map(|char| if char.is_control() { '?' } else { char }).collect();
    Err(Error::Refused(format!("{url} answers with \"{shown}\", which is no address of a cluster's token")))
}

/// Where the token is asked for.
fn request(url: &str, size: Option<u32>) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let new = if path.trim_end_matches('/').contains('/') {
        url.to_owned()
    } else {
        format!("{}/new", url.trim_end_matches('/'))
    };
    let has_size =
        new.split_once('?').is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("size=")));
    match size {
        Some(size) if !has_size => {
            let sign = if new.contains('?') { '&' } else { '?' };
            format!("{new}{sign}size={size}")
        }
        _ => new,
    }
}

/// `user_data` with `token` as the cluster's: in the place of what stands there, or as `discovery` of the section
/// `coreos.etcd2` or `coreos.etcd`. All else stays.
///
/// # Errors
/// There is no place for it.
pub fn put(name: &str, user_data: &str, token: &str) -> Result<String, Error> {
    let nowhere = || {
        Error::No(format!(
            "{name}: there is nothing that a discovery token belongs to; give `coreos:` a section `etcd2:` (or `etcd:`), or \
             a unit the line Environment=\"ETCD_DISCOVERY=\""
        ))
    };
    let mut edits: Vec<(Range<usize>, String)> =
        settings(user_data).map(|at| (at, token.to_owned())).collect();
    if let Ok(root) = Document::compose(name, user_data, Limits::default()) {
        edits.extend(section(user_data, &root, token, edits.is_empty()));
    }
    if edits.is_empty() {
        return Err(nowhere());
    }
    edits.sort_by_key(|(at, _)| at.start);
    let mut text = user_data.to_owned();
    for (at, new) in edits.iter().rev() {
        if text.get(at.clone()).is_none() {
            return Err(nowhere());
        }
        text.replace_range(at.clone(), new);
    }
    Ok(text)
}

/// The values of settings in units' texts. Comments have none.
fn settings(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let found = SETTINGS
        .iter()
        .flat_map(move |setting| text.match_indices(setting).map(|(at, word)| at.saturating_add(word.len())));
    found.filter_map(move |start| {
        let before = text.get(..start)?.rsplit('\n').next()?;
        let value = text.get(start..)?;
        // A word of its own, as ETCD_DISCOVERY_PROXY= is none of these.
        let length = value.find(|c: char| c.is_whitespace() || c == '"' || c == '\'').unwrap_or(value.len());
        (!before.trim_start().starts_with('#')).then(|| start..start.saturating_add(length))
    })
}

/// The value of `discovery` in the sections, or where it can be added.
fn section(text: &str, root: &Node, token: &str, needed: bool) -> Vec<(Range<usize>, String)> {
    let Some(coreos) = root.get("coreos") else { return Vec::new() };
    let mut edits = Vec::new();
    for name in SECTIONS {
        let pairs = coreos.get(name).and_then(Node::as_mapping).unwrap_or_default();
        let Some((key, value)) = pairs.iter().rev().find(|(key, _)| key.text() == Some("discovery")) else {
            continue;
        };
        let block = |style| matches!(style, Style::Literal | Style::Folded);
        if value.as_scalar().is_some_and(|scalar| block(scalar.style)) {
            continue;
        }
        // { "Ref": "X" } is replaced, too.
        if let Some((start, end)) = value_range(text, key, value, value.span.end) {
            edits.push((start..end, format!(" {token}")));
        }
    }
    if !edits.is_empty() || !needed {
        return edits;
    }
    let first =
        SECTIONS.iter().find_map(|name| coreos.get(name)?.as_mapping()?.first().map(|(key, _)| key.span));
    let Some(first) = first else { return edits };
    let line = text.get(..first.start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    if line.trim().is_empty() {
        edits.push((first.start..first.start, format!("discovery: {token}\n{line}")));
    } else {
        edits.push((first.start..first.start, format!("\"discovery\": \"{token}\", ")));
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "https://d.example/0123";

    #[test]
    fn the_service_is_asked_with_the_size() {
        for (url, size, wanted) in [
            ("https://discovery.etcd.io/new", Some(3), "https://discovery.etcd.io/new?size=3"),
            ("https://discovery.etcd.io", Some(3), "https://discovery.etcd.io/new?size=3"),
            ("http://10.1.1.1:8087/", None, "http://10.1.1.1:8087/new"),
            ("https://d/new?a=b", Some(5), "https://d/new?a=b&size=5"),
            ("https://d/new?size=7", Some(5), "https://d/new?size=7"),
        ] {
            assert_eq!(request(url, size), wanted);
        }
    }

    #[test]
    fn the_token_takes_the_place_of_what_stands_there() {
        for (before, after) in [
            (
                "coreos:\n  etcd:\n    discovery: https://x/y # old\n    addr: a\n",
                "coreos:\n  etcd:\n    discovery: TOKEN # old\n    addr: a\n",
            ),
            ("coreos:\n  etcd2:\n    discovery: \"<token>\"\n", "coreos:\n  etcd2:\n    discovery: TOKEN\n"),
            (
                "coreos:\n  etcd2:\n    discovery:\n    name: a\n",
                "coreos:\n  etcd2:\n    discovery: TOKEN\n    name: a\n",
            ),
            (
                "coreos:\n  etcd2:\n    discovery: {\"Ref\": \"X\"}\n",
                "coreos:\n  etcd2:\n    discovery: TOKEN\n",
            ),
            (
                "coreos:\n  etcd:\n    addr: $private_ipv4:4001\n",
                "coreos:\n  etcd:\n    discovery: TOKEN\n    addr: $private_ipv4:4001\n",
            ),
            ("coreos: {etcd: {addr: a}}\n", "coreos: {etcd: {\"discovery\": \"TOKEN\", addr: a}}\n"),
            (
                "coreos:\n  units:\n  - content: |\n      Environment=\"ETCD_DISCOVERY=https://x\"\n",
                "coreos:\n  units:\n  - content: |\n      Environment=\"ETCD_DISCOVERY=TOKEN\"\n",
            ),
            (
                "# ETCD_DISCOVERY=x\nexec etcd --discovery=x -v\n",
                "# ETCD_DISCOVERY=x\nexec etcd --discovery=TOKEN -v\n",
            ),
        ] {
            assert_eq!(put("u", before, TOKEN).unwrap(), after.replace("TOKEN", TOKEN), "{before}");
        }
        for bad in ["#cloud-config\nusers: []\n", "coreos:\n  units: []\n", "#!/bin/sh\n", ""] {
            assert!(put("u", bad, TOKEN).unwrap_err().to_string().contains("u: there is nothing"), "{bad}");
        }
    }
}
