#![allow(clippy::unwrap_used)]

use hardtack_guest::MemoryTree;

use super::*;
use crate::{RealFiles, load_recipe};

fn verified(steps: &str, tree: &MemoryTree) -> Verified {
    let text = format!("recipe: 1\nsteps:\n{steps}");
    let environment = |name: &str| (name == "TOKEN").then(|| "canary-\"7\\f".to_owned());
    let recipe = load_recipe(std::path::Path::new("r.yaml"), &text, &environment, &RealFiles).unwrap();
    verify(&recipe, tree, &Surroundings::default()).unwrap()
}

fn outcomes(verified: &Verified) -> Vec<(&str, Outcome)> {
    verified.controls.iter().map(|control| (control.id.as_str(), control.outcome)).collect()
}

fn control<'v>(verified: &'v Verified, id: &str) -> &'v Control {
    verified.controls.iter().find(|control| control.id == id).unwrap()
}

const FILES: &str = "  - files:\n    - {write: /etc/motd, content: \"one\\ntwo\\n\", mode: \"0600\"}\n    \
                     - {append: /etc/motd, line: three}\n    - {mkdir: /srv/x}\n    - {remove: /etc/bad}\n    \
                     - {link: /etc/l, target: target}\n";

#[test]
fn an_image_as_the_recipe_says_passes_whoever_made_it() {
    let tree = MemoryTree::new()
        .file_as("/etc/motd", "one\ntwo\nthree\n", 0o600, 0, 0)
        .file("/srv/x/y", "")
        .link("/etc/l", "target");
    let verified = verified(FILES, &tree);
    assert!(
        verified.controls.iter().all(|control| control.outcome == Outcome::Pass),
        "{:?}",
        verified.controls
    );
    assert_eq!(verified.controls.len(), 6);
}

#[test]
fn each_part_answers_for_what_it_made() {
    let tree = MemoryTree::new()
        .file_as("/etc/motd", "one\ntwo\n", 0o600, 0, 0)
        .file("/srv/x/y", "")
        .file("/etc/bad", "x")
        .link("/etc/l", "elsewhere");
    let verified = verified(FILES, &tree);
    assert_eq!(
        outcomes(&verified),
        [
            ("files", Outcome::Fail),
            ("files/1 write /etc/motd", Outcome::Pass),
            ("files/2 append /etc/motd", Outcome::Fail),
            ("files/3 mkdir /srv/x", Outcome::Pass),
            ("files/4 remove /etc/bad", Outcome::Fail),
            ("files/5 link /etc/l", Outcome::Fail),
        ]
    );
    assert_eq!(verified.controls[0].why, "3 of its 5 parts do not hold");
    let append = control(&verified, "files/2 append /etc/motd");
    assert_eq!(append.why, "/etc/motd: line 3 is not as it should be (content not shown: 0600)");
    assert_eq!(append.places, [Place { path: "/etc/motd".to_owned(), line: Some(3) }]);
    assert_eq!(
        control(&verified, "files/5 link /etc/l").why,
        "/etc/l: leads to elsewhere and should lead to target"
    );
}

#[test]
fn what_is_refused_fails_with_its_reason_and_the_rest_is_judged() {
    let tree = MemoryTree::new().file("/etc/motd/x", "").file("/etc/bad", "x");
    let verified = verified(FILES, &tree);
    let write = control(&verified, "files/1 write /etc/motd");
    assert_eq!(write.outcome, Outcome::Fail);
    assert!(write.why.contains("is a directory in the image, not a file"), "{}", write.why);
    assert_eq!(control(&verified, "files/4 remove /etc/bad").outcome, Outcome::Fail);
    assert_eq!(
        control(&verified, "files/3 mkdir /srv/x").why,
        "/srv: is not there and should be a directory\n/srv/x: is not there and should be a directory"
    );
}

#[test]
fn secrets_show_nowhere() {
    let tree = MemoryTree::new().file("/etc/token", "old canary-\"7\\f here\n").file("/etc/other", "x\n");
    let steps = "  - files:\n    - {write: /etc/token, content: {env: TOKEN}}\n    \
                 - {append: /etc/other, line: {env: TOKEN}}\n";
    let verified = verified(steps, &tree);
    let all = format!("{:?}", verified.controls);
    assert!(!all.contains("canary") && !all.contains("7\\"), "{all}");
    assert_eq!(control(&verified, "files/1 write /etc/token").outcome, Outcome::Fail);
    assert!(control(&verified, "files/1 write /etc/token").why.contains("line 1 is not as it should be"));
}

#[test]
fn a_directive_is_judged_by_what_is_in_force() {
    let status = "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\n\
                  Version: 1:9.2p1-2+deb12u3\nMaintainer: x\nDescription: x\n\n";
    let tree = MemoryTree::new()
        .file("/var/lib/dpkg/status", status)
        .file("/etc/ssh/sshd_config", "Port 22\nPermitRootLogin yes\nX11Forwarding no\n");
    let verified = verified("  - sshd: {PermitRootLogin: \"no\", X11Forwarding: \"no\"}\n", &tree);
    let root = control(&verified, "sshd/PermitRootLogin");
    assert_eq!(root.outcome, Outcome::Fail);
    assert_eq!(root.places, [Place { path: "/etc/ssh/sshd_config".to_owned(), line: Some(2) }]);
    assert!(root.why.contains("PermitRootLogin yes is in force instead of no"), "{}", root.why);
    assert_eq!(control(&verified, "sshd/X11Forwarding").outcome, Outcome::Pass);
    assert_eq!(control(&verified, "sshd").outcome, Outcome::Fail);
}

#[test]
fn a_recipe_that_contradicts_itself_is_no_verdict() {
    let text = "recipe: 1\nsteps:\n  - files:\n    - {append: /a, line: k=1}\n    \
                - {replace: /a, match: '^k=.*$', with: k=2}\n";
    let recipe = load_recipe(std::path::Path::new("r.yaml"), text, &|_| None, &RealFiles).unwrap();
    let error = verify(&recipe, &MemoryTree::new(), &Surroundings::default()).err().unwrap();
    assert!(error.to_string().contains("undo each other"), "{error}");
}

#[test]
fn an_optional_operation_without_anything_to_do_is_not_applicable_each_for_itself() {
    let tree = MemoryTree::new().file("/etc/motd", "x\n");
    let chmod = "{path: /nothing, mode: \"0600\", optional: true}";
    // The same sentence twice is one note, and two controls.
    let verified =
        verified(&format!("  - chmod: {chmod}\n  - chmod: {chmod}\n  - touch: /etc/motd\n"), &tree);
    let why = "optional: /nothing: no such file or directory in the image";
    for id in ["operations/1 chmod /nothing", "operations/2 chmod /nothing"] {
        let control = control(&verified, id);
        assert_eq!((control.outcome, control.why.as_str()), (Outcome::NotApplicable, why), "{id}");
    }
    assert_eq!(control(&verified, "operations/3 touch /etc/motd").outcome, Outcome::Pass);
    assert_eq!(control(&verified, "operations").outcome, Outcome::Pass);
}

#[test]
fn a_step_whose_condition_does_not_hold_is_not_applicable() {
    let tree = MemoryTree::new().file("/etc/os-release", "ID=debian\n").file("/etc/motd", "x\n");
    let text = "recipe: 1\nsteps:\n  - touch: /etc/motd\n    when: {os: debian}\n  - hostname: gate\n    \
                when: {os: ubuntu}\n  - touch: /etc/motd\n";
    let stage = Stage::new(&tree);
    let facts = hardtack_inspect::facts::Facts::read(&stage).unwrap();
    let given = crate::Given { facts: Some(&facts), ..crate::Given::default() };
    let path = std::path::Path::new("r.yaml");
    let recipe = crate::load_recipe_with(path, text, &|_| None, &RealFiles, given).unwrap();
    let verified = verify(&recipe, &tree, &Surroundings::default()).unwrap();
    assert_eq!(verified.controls.len(), 4);
    let gate = control(&verified, "when/2 hostname");
    assert_eq!(gate.outcome, Outcome::NotApplicable);
    assert_eq!(gate.why, "r.yaml:5: its `when` does not hold for this image");
}

#[test]
fn promises_of_logins_need_the_steps_that_make_them() {
    let control = |id: &str, outcome| Control {
        id: id.to_owned(),
        title: String::new(),
        outcome,
        why: String::new(),
        places: Vec::new(),
        help: String::new(),
    };
    let judged = |sshd| {
        let mut controls = vec![
            control("mfa", Outcome::Pass),
            control("mfa/ways-in", Outcome::Pass),
            control("sshd/PermitRootLogin", sshd),
            control("files/1 write /x", Outcome::Fail),
        ];
        super::ways_in_of_failed_steps(&mut controls);
        super::steps_of_failed_parts(&mut controls);
        controls
    };
    assert_eq!(judged(Outcome::Pass)[1].outcome, Outcome::Pass);
    let failed = judged(Outcome::Fail);
    assert_eq!(failed[1].outcome, Outcome::Fail);
    assert_eq!(failed[1].why, "holds only together with what does not hold: sshd");
    assert_eq!(failed[0].outcome, Outcome::Fail);
}
