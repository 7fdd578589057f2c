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
        .file("/home/ann/secret", "x")
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
