//! Links that somebody put there so that something else goes.

use super::*;

#[test]
fn a_link_in_a_home_goes_itself_and_nothing_outside() {
    let tree = tree()
        .dir_as("/home/eve", 0o700, 1000, 1000)
        .file("/etc/shadow", "x")
        .file("/etc/ssh/known_hosts", "x")
        .file("/home/left/.ssh/id", "x")
        .link("/root/.bash_history", "/etc/shadow")
        .link_as("/home/eve/.bash_history", "/etc/shadow", 1000, 1000)
        .link_as("/home/eve/.viminfo", "roots", 1000, 1000)
        .file("/home/eve/roots", "x")
        .link_as("/home/eve/.lesshst", "kept/less", 1000, 1000)
        .file_as("/home/eve/kept/less", "x", 0o600, 1000, 1000)
        .link("/home/eve/.zsh_history", "/dev/null")
        // On the way, too.
        .link_as("/srv/people/ann/.ssh", "/etc/ssh", 1000, 1000)
        .link_as("/home/eve/.ssh", "/home/left/.ssh", 1000, 1000);
    let steps = "- bash-history\n- zsh-history\n- shell-history\n- known-hosts";
    let (changed, notes, ()) = staged(&tree, steps, |_| ()).unwrap();
    assert_eq!(
        changed,
        [
            "remove /home/eve/.bash_history",
            "remove /home/eve/.lesshst",
            "remove /home/eve/.viminfo",
            "remove /home/eve/kept/less",
            "remove /root/.bash_history",
        ]
    );
    assert!(notes.iter().any(|note| note.text.contains("leads to /etc/ssh/known_hosts")), "{notes:?}");
    let removed = changes(&tree, "- ssh-userdir");
    assert_eq!(
        removed,
        [
            "remove /home/eve/.ssh",
            "remove /home/left/.ssh",
            "remove /home/left/.ssh/id",
            "remove /srv/people/ann/.ssh"
        ]
    );
}

#[test]
fn places_of_the_system_are_no_other_places() {
    for (link, target) in
        [("/var/log", "/etc"), ("/tmp", "/var/lib"), ("/var/log", "../var/lib"), ("/var", "/usr")]
    {
        let tree =
            tree().file("/etc/app/conf", "x").file("/var/lib/app/state", "x").file("/usr/lib/app", "x");
        let tree = if link == "/var" { MemoryTree::new().file("/usr/log/app", "x") } else { tree };
        let tree = tree.link(link, target);
        let (changed, notes, ()) = staged(&tree, "- logfiles\n- tmp-files\n- backup-files", |_| ()).unwrap();
        assert_eq!(changed, [""; 0], "{link} to {target}");
        assert!(notes.iter().any(|note| note.text.contains(&format!("{link} leads to /"))), "{notes:?}");
    }
    let tree = tree()
        .link("/var/run", "/run")
        .file("/run/utmp", "x")
        .link("/var/spool/mail", "../mail")
        .file("/var/mail/ann", "x")
        .link("/var/tmp", "/tmp")
        .file("/tmp/x", "x");
    let changed = changes(&tree, "- utmp\n- mail-spool\n- tmp-files");
    assert_eq!(changed, ["remove /run/utmp", "remove /tmp/x", "remove /var/mail/ann"]);
}

#[test]
fn in_a_place_of_everybody_a_link_is_its_makers() {
    let tree = tree()
        .link_as("/var/tmp/abrt", "/var/spool/own", 1000, 1000)
        .file("/var/spool/own/x", "x")
        .file("/var/data/secret", "x")
        .file_as("/var/data/mine", "x", 0o600, 1000, 1000)
        .link_as("/var/crash/one", "/var/data/secret", 1000, 1000)
        .link_as("/var/crash/two", "/var/data/mine", 1000, 1000)
        .link("/var/crash/three", "/etc/passwd")
        .dir("/var/spool/abrt");
    assert_eq!(changes(&tree, "- abrt-data\n- crash-data"), ["remove /var/data/mine"]);
}

#[test]
fn other_names_of_a_file_are_told_and_keep_what_they_have() {
    let host = tempfile::tempdir().unwrap();
    let file = |name: &str| host.path().join(name);
    std::fs::create_dir_all(file("var/log")).unwrap();
    std::fs::create_dir_all(file("etc")).unwrap();
    std::fs::write(file("etc/hosts"), "127.0.0.1\n").unwrap();
    std::fs::hard_link(file("etc/hosts"), file("var/log/app")).unwrap();
    let text = "recipe: 1\nsteps:\n- logfiles\n";
    let recipe = load_recipe(std::path::Path::new("r.yaml"), text, &|_| None, &RealFiles).unwrap();
    let tree = hardtack_guest::HostTree::new(host.path());
    let mut stage = Stage::new(&tree);
    let notes = stage_recipe(&recipe, &mut stage, &Surroundings::default()).unwrap();
    assert!(
        notes.iter().any(|note| note.text.starts_with("/var/log/app: changed under this name only")),
        "{notes:?}"
    );
    assert_eq!(stage.changes().unwrap().len(), 1);
}
