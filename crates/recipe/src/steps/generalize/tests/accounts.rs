use super::*;

fn people() -> MemoryTree {
    MemoryTree::new()
        .file(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n\
             ops:x:1002:1002::/home/bob:/bin/sh\nsvc:x:999:999::/var/lib/svc:/bin/false\n\
             big:x:5000:5000::/etc:/bin/sh\n",
        )
        .file_as("/etc/shadow", "root:*:1::::::\nann:x:1::::::\nbob:y:1::::::\n", 0o640, 0, 42)
        .file("/etc/group", "root:x:0:\nann:x:1000:\nbob:x:1001:ops\nsudo:x:27:ann,ops\n")
        .file("/etc/gshadow", "ann:!::\nbob:!:bob:ops\nsudo:*:ann:ann,ops\n")
        .file("/etc/subuid", "ann:100000:65536\nops:165536:65536\n")
        .file("/etc/login.defs", "# UID_MIN 5\nUID_MIN\t 1000\nUID_MAX 2000\n")
        .dir_as("/home/ann", 0o700, 1000, 1000)
        .file("/home/ann/secret", "x")
        .dir_as("/home/bob", 0o700, 1001, 1001)
        .file("/home/bob/shared", "x")
        .file("/var/mail/ann", "x")
        .file("/var/spool/cron/crontabs/ann", "x")
        .file("/etc/kept", "x")
}

#[test]
fn everything_about_a_user_goes_and_what_is_shared_stays() {
    let look = |stage: &Stage<'_>| {
        ["passwd", "shadow", "group", "gshadow", "subuid"]
            .map(|name| stage.read_text(&format!("/etc/{name}")).unwrap().unwrap())
    };
    let (changed, notes, [passwd, shadow, group, gshadow, subuid]) =
        staged(&people(), "- user-account: {keep: [ops]}", look).unwrap();
    assert_eq!(passwd.lines().count(), 4);
    assert!(!passwd.contains("ann") && !passwd.contains("bob:x"), "{passwd}");
    assert_eq!(shadow, "root:*:1::::::\n");
    assert_eq!(group, "root:x:0:\nbob:x:1001:ops\nsudo:x:27:ops\n");
    assert_eq!(gshadow, "bob:!::ops\nsudo:*::ops\n");
    assert_eq!(subuid, "ops:165536:65536\n");
    for gone in ["/home/ann", "/home/ann/secret", "/var/mail/ann", "/var/spool/cron/crontabs/ann"] {
        assert!(changed.contains(&format!("remove {gone}")), "{changed:?}");
    }
    assert_eq!(changed.len(), 9, "{changed:?}");
    assert!(notes[0].text.contains("/home/bob, the home of bob, stays"), "{notes:?}");
}

#[test]
fn users_of_the_recipe_stay_and_no_system_directory_is_a_home() {
    let recipe = "- user-account: {remove: [ann, big]}\n- user: {name: ann, gecos: Ann}";
    let look = |stage: &Stage<'_>| stage.read_text("/etc/passwd").unwrap().unwrap();
    let (changed, _, passwd) = staged(&people(), recipe, look).unwrap();
    assert!(passwd.contains("ann:x:1000") && !passwd.contains("big:"), "{passwd}");
    assert!(!changed.iter().any(|line| line.starts_with("remove")), "{changed:?}");
    let error = failure(&people(), "- user-account: {remove: root}");
    assert!(error.to_string().contains("id 0"), "{error}");
}

#[test]
fn no_home_is_a_part_of_the_system_or_somebody_elses() {
    let homes = [
        "/etc/ssh",
        "/var/lib",
        "/var/www",
        "/boot/x",
        "/srv/a",
        "/home",
        "/var/lib/other",
        "/home/root-owned",
    ];
    let mut passwd = "root:x:0:0::/root:/bin/sh\nkim:x:999:999::/home/kim/inner:/bin/sh\nlee:x:998:998::/home/lee:/bin/sh\n".to_owned();
    let mut tree = MemoryTree::new().dir("/home/kim/inner").dir("/home/lee");
    for (number, home) in homes
        .iter()
        .chain(&["/home/kim", "/home/lee/inner", "/home/own", "/var/lib/own9", "/loop"])
        .enumerate()
    {
        let uid = 1000 + u32::try_from(number).unwrap();
        let owner = if home.ends_with("root-owned") { 0 } else { uid };
        let name = if *home == "/var/lib/own9" { "own9".to_owned() } else { format!("u{number}") };
        passwd += &format!("{name}:x:{uid}:{uid}::{home}:/bin/sh\n");
        tree = tree.dir_as(home, 0o755, owner, owner).file(&format!("{home}/file"), "x");
    }
    let tree = tree.link("/looped", "looped").file("/etc/passwd", passwd);
    let (changed, notes, ()) = staged(&tree, "- user-account", |_| ()).unwrap();
    let removed: Vec<&str> = changed.iter().filter_map(|line| line.strip_prefix("remove ")).collect();
    assert_eq!(
        removed,
        ["/home/own", "/home/own/file", "/loop", "/loop/file", "/var/lib/own9", "/var/lib/own9/file"]
    );
    for home in homes.iter().chain(&["/home/kim", "/home/lee/inner"]) {
        assert!(
            notes.iter().any(|note| note.text.starts_with(&format!("{home}, the home of"))),
            "{home}: {notes:?}"
        );
    }
}

#[test]
fn a_user_that_is_not_there_is_an_error_unless_an_earlier_build_removed_it() {
    let error = failure(&people(), "- user-account: {remove: [ann, nobody-here]}").to_string();
    assert!(error.contains("the user nobody-here is not in this image"), "{error}");
    let (_, notes, ()) =
        staged(&people(), "- user-account: {remove: nobody-here, optional: true}", |_| ()).unwrap();
    assert!(notes.iter().any(|note| note.text.contains("nobody-here is not in")), "{notes:?}");
    let record = "/var/lib/hardtack/operations.json";
    let read = |stage: &Stage<'_>| [record, "/etc/passwd"].map(|path| stage.read(path).unwrap().unwrap());
    let (_, _, [kept, passwd]) = staged(&people(), "- user-account: {remove: ann}", read).unwrap();
    let again = people().file("/etc/passwd", &passwd).file_as(record, &kept, 0o600, 0, 0);
    let (_, _, [same, _]) = staged(&again, "- user-account: {remove: ann}", read).unwrap();
    assert_eq!(same, kept);
}

#[test]
fn many_users_are_no_more_than_their_number() {
    let mut files = [const { String::new() }; 3];
    files[0] += "root:x:0:0::/root:/bin/sh\n";
    for id in 1000..9000 {
        files[0] += &format!("u{id}:x:{id}:{id}::/home/u{id}:/bin/sh\n");
        files[1] += &format!("u{id}:*:1::::::\n");
        files[2] += &format!("u{id}:x:{id}:\n");
    }
    let [passwd, shadow, group] = files;
    let tree =
        MemoryTree::new().file("/etc/passwd", passwd).file("/etc/shadow", shadow).file("/etc/group", group);
    let look = |stage: &Stage<'_>| {
        ["passwd", "shadow", "group"].map(|name| stage.read_text(&format!("/etc/{name}")).unwrap().unwrap())
    };
    let (_, _, after) = staged(&tree, "- user-account", look).unwrap();
    assert_eq!(after, ["root:x:0:0::/root:/bin/sh\n", "", ""]);
}
