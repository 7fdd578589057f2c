//! What the steps refuse before any image is looked at.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use crate::{RealFiles, load_recipe};

fn finding(step: &str) -> String {
    let text = format!("recipe: 1\nsteps:\n  - {step}\n");
    match load_recipe(Path::new("/nowhere/r.yaml"), &text, &|_| None, &RealFiles) {
        Ok(recipe) => format!("taken: {:?}", recipe.operations()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    for (step, wanted) in [
        ("mkdir: ", "needs a value"),
        ("mkdir: etc", "absolute path"),
        ("mkdir: {path: /x, mode: 755}", "mode"),
        ("link: {target: x, path: []}", "`path` is empty"),
        ("edit: {path: /x, match: '(', with: y}", "not a regular expression"),
        ("edit: {path: /x, match: 'a', with: '$1'}", "names the group"),
        ("append-line: {path: /x, line: \"a\\nb\"}", "one line"),
        ("update: false", "does nothing"),
        ("selinux-relabel: false", "does nothing"),
        ("install: []", "`packages` is empty"),
        ("firstboot: nothing.sh", "no such file"),
        ("tar-in: {from: nothing.tar, to: /}", "no such file"),
        ("password: {user: \"a b\", password: locked}", "cannot be the name"),
        ("root-password: {password: {random: {}}, locked: true}", "cannot be locked"),
        ("hostname: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "64 characters"),
        ("copy: {from: /a}", "needs the key `to`"),
    ] {
        let found = finding(step);
        assert!(found.contains(wanted), "{step}: {found}");
    }
}

#[test]
fn short_forms_are_the_long_ones() {
    for (short, long) in [
        ("mkdir: /x", "mkdir: {path: /x}"),
        ("delete: \"/x/*\"", "delete: {path: \"/x/*\"}"),
        ("install: vim", "install: {packages: [vim]}"),
        ("run-command: ls", "run-command: {command: ls}"),
        ("root-password: locked", "root-password: {password: locked}"),
        ("timezone: UTC", "timezone: {zone: UTC}"),
        ("update: true", "update: {retry: false}"),
    ] {
        assert_eq!(finding(short), finding(long));
        assert!(finding(short).starts_with("taken"), "{}", finding(short));
    }
}
