#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::execute::testing::with;
use crate::testing::{Tree, is_root};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMnXLBwPZQ1pIQwQ0jBkTyY7yMXjXdNYFAnxfpEJVYbN";

/// The tree's own directory stands for the root and for what is above homes.
fn tree() -> Tree {
    Tree::new()
        .file("etc/passwd", "root:x:0:0::/root:/bin/sh\njoe:x:4001:4002::/home/joe:/bin/sh\n")
        .file("etc/group", "root:x:0:\njoe:x:4002:\nkeys:x:4005:joe\n")
        .directory("root")
        .directory("home/joe")
}

fn install(tree: &Tree, details: &[(&str, &str)]) -> Result<(), String> {
    let details: Vec<_> =
        details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut done = Ok(());
    with(&tree.host(), "", "users_groups", |cx| {
        done = authorized_keys(cx, &Details(&details)).map_err(|error| error.to_string());
    });
    done
}

#[test]
fn keys_join_a_file_of_the_users_own() {
    if !is_root() {
        return;
    }
    let tree = tree();
    let host = tree.host();
    std::os::unix::fs::chown(host.path("/home/joe"), Some(4001), Some(4002)).unwrap();
    let key = format!("{KEY} joe@desk");
    install(&tree, &[("user", "joe"), ("key", &key), ("key", "nonsense")]).unwrap();
    assert_eq!(tree.read("home/joe/.ssh/authorized_keys"), format!("{key}\n"));
    for (path, mode) in [("home/joe/.ssh", 0o700), ("home/joe/.ssh/authorized_keys", 0o600)] {
        let found = tree.metadata(path);
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (4001, 4002, mode), "{path}");
    }
    // Options come before it, and it stays one line.
    install(&tree, &[("user", "joe"), ("options", "no-pty"), ("key", &key)]).unwrap();
    assert_eq!(tree.read("home/joe/.ssh/authorized_keys"), format!("no-pty {key}\n"));

    let mut told = Vec::new();
    with(&host, "", "ssh", |cx| {
        let details = [("user".to_owned(), "nobody-here".to_owned())];
        authorized_keys(cx, &Details(&details)).unwrap();
        told = cx.log.told();
    });
    assert!(told.iter().any(|(_, text)| text.contains("no user nobody-here")), "{told:?}");
    assert!(install(&tree, &[("user", "nobody-here"), ("key", &key)]).is_err());
}

#[test]
fn sshd_says_where_keys_are() {
    if !is_root() {
        return;
    }
    let tree = tree().file("etc/ssh/sshd_config", "AuthorizedKeysFile /etc/keys/%u .ssh/other\n");
    install(&tree, &[("user", "joe"), ("key", KEY)]).unwrap();
    assert_eq!(tree.read("etc/keys/joe"), format!("{KEY}\n"));
    assert_eq!(tree.metadata("etc/keys").permissions().mode() & 0o7777, 0o755);
}

#[test]
fn links_of_a_user_are_not_followed() {
    let tree = tree().file("etc/shadow", "root:*:1::::::\n").link("home/joe/.ssh", "/etc");
    let host = tree.host();
    assert!(install(&tree, &[("user", "joe"), ("key", KEY)]).is_err());
    fs::remove_file(host.path("/home/joe/.ssh")).unwrap();
    let tree = tree.directory("home/joe/.ssh").link("home/joe/.ssh/authorized_keys", "../../../etc/shadow");
    assert!(install(&tree, &[("user", "joe"), ("key", KEY)]).is_err());
    assert_eq!(tree.read("etc/shadow"), "root:*:1::::::\n");
}

#[test]
fn the_table_shows_what_is_there() {
    if !is_root() {
        return;
    }
    let tree = tree().file("dev/console", "");
    install(&tree, &[("user", "root"), ("key", KEY)]).unwrap();
    let details = [("user".to_owned(), "root".to_owned()), ("hash".to_owned(), "sha256".to_owned())];
    with(&tree.host(), "", "ssh_authkey_fingerprints", |cx| {
        authorized_keys_table(cx, &Details(&details)).unwrap();
    });
    let shown = tree.read("dev/console");
    assert!(shown.starts_with("ci-info: +"), "{shown}");
    assert!(shown.contains("Authorized keys from /root/.ssh/authorized_keys for user root"), "{shown}");
}
