#![allow(clippy::unwrap_used, clippy::print_stderr)]

use hardtack_guest::{MemoryTree, Stage};

use crate::{Note, RealFiles, StepError, Surroundings, load_recipe, stage_recipe};

mod accounts;
mod first_boot;
mod identity;
mod links;
mod real;
mod table;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/srv/people/ann:/bin/bash\n\
                      daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534::/nonexistent:/bin/false\n";

/// A small guest.
fn tree() -> MemoryTree {
    MemoryTree::new().file("/etc/passwd", PASSWD).dir("/root").dir("/srv/people/ann").dir("/home/left")
}

/// What the steps in `steps` change: operation of the plan and path.
#[track_caller]
fn changes(tree: &MemoryTree, steps: &str) -> Vec<String> {
    staged(tree, steps, |_| ()).unwrap().0
}

#[track_caller]
fn failure(tree: &MemoryTree, steps: &str) -> StepError {
    staged(tree, steps, |_| ()).unwrap_err()
}

/// Runs a recipe of these steps; changes, notes, and what `look` makes of the result.
#[track_caller]
fn staged<T>(
    tree: &MemoryTree,
    steps: &str,
    look: impl Fn(&Stage<'_>) -> T,
) -> Result<(Vec<String>, Vec<Note>, T), StepError> {
    let text = format!("recipe: 1\nsteps:\n{steps}\n");
    let recipe = load_recipe(std::path::Path::new("r.yaml"), &text, &|_| None, &RealFiles)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let mut stage = Stage::new(tree);
    let notes = stage_recipe(&recipe, &mut stage, &Surroundings::default())?;
    let changes = stage.changes().unwrap();
    let lines = changes.iter().map(|change| format!("{} {}", change.op.name(), change.path)).collect();
    Ok((lines, notes, look(&stage)))
}

#[test]
fn whatever_links_are_on_the_way_the_image_is_meant() {
    let tree = tree()
        .link("/var/log", "/var/data/log")
        .file("/var/data/log/syslog", "secret")
        .file("/var/data/log/app/own", "secret")
        .link("/var/data/log/readme", "/usr/share/doc/readme")
        .file("/usr/share/doc/readme", "kept")
        .link("/var/spool/abrt", "../data/abrt")
        .file("/var/data/abrt/1/core", "x")
        .link("/home/link", "/srv/people/ann")
        .link("/srv/people/ann/.bash_history", "/data/typed")
        .file("/data/typed", "typed")
        .file("/dev/null", "")
        .link("/root/.bash_history", "/dev/null")
        .link("/etc/ssh/ssh_host_rsa_key", "loop")
        .link("/etc/ssh/loop", "ssh_host_rsa_key");
    assert_eq!(
        changes(&tree, "- logfiles\n- abrt-data\n- bash-history\n- ssh-hostkeys"),
        [
            "remove /srv/people/ann/.bash_history",
            "remove /var/data/abrt/1",
            "remove /var/data/abrt/1/core",
            "write /var/data/log/app/own",
            "remove /var/data/log/syslog",
        ]
    );
}

#[test]
fn homes_are_those_of_passwd_and_what_lies_in_home() {
    let tree = tree()
        .file("/root/.bash_history", "x")
        .file("/home/left/.bash_history", "x")
        .file("/srv/people/ann/.bash_history", "x")
        .file("/usr/sbin/.bash_history", "x")
        .file("/home/a{b,c}*/.bash_history", "x")
        .file("/.bash_history", "no home");
    assert_eq!(
        changes(&tree, "- bash-history"),
        [
            "remove /home/a{b,c}*/.bash_history",
            "remove /home/left/.bash_history",
            "remove /root/.bash_history",
            "remove /srv/people/ann/.bash_history",
        ]
    );
}

#[test]
fn what_other_steps_bring_stays_and_a_second_build_changes_nothing() {
    let tree = tree()
        .file("/etc/machine-info", "PRETTY_HOSTNAME=old\n")
        .file("/etc/machine-id", "00112233445566778899aabbccddeeff\n")
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "")
        .file("/tmp/build", "x");
    let recipe = "- files:\n  - {write: /etc/machine-info, content: \"CHASSIS=vm\\n\"}\n  - {write: /tmp/kept, content: x}\n- generalize";
    let (changed, _, after) = staged(&tree, recipe, |stage| {
        let read = |path: &str| stage.read_text(path).unwrap();
        (read("/etc/machine-info"), read("/tmp/kept"), read("/etc/machine-id"))
    })
    .unwrap();
    assert_eq!(
        changed,
        [
            "write /etc/machine-id",
            "write /etc/machine-info",
            "mkdir /etc/systemd",
            "mkdir /etc/systemd/system-preset",
            "write /etc/systemd/system-preset/00-hardtack.preset",
            "remove /tmp/build",
            "write /tmp/kept",
        ]
        .map(str::to_owned)
        .into_iter()
        .filter(|line| changed.contains(line) || !line.starts_with("mkdir"))
        .collect::<Vec<_>>()
    );
    let (info, kept, id) = after;
    assert_eq!((info.as_deref(), kept.as_deref()), (Some("CHASSIS=vm\n"), Some("x")));
    assert_eq!(id.as_deref(), Some("uninitialized\n"));
}

#[test]
fn an_unreadable_loop_of_links_is_passed_over() {
    let tree = tree().link("/var/log", "log").link("/tmp", "tmp").link("/home/loop", "loop");
    assert_eq!(changes(&tree, "- logfiles\n- tmp-files\n- zsh-history\n- backup-files"), [""; 0]);
}
