#![allow(clippy::unwrap_used)]

use super::*;
use crate::tree::MemoryTree;

fn tree() -> MemoryTree {
    MemoryTree::new()
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nbroken line\nold:x:1000:1000::/home/old:/bin/sh\n",
        )
        .file_as("/etc/shadow", "root:*:19000:0:99999:7:::\nold:$6$s$h:19000:0:99999:7:::\n", 0o640, 0, 42)
        .file("/etc/group", "root:x:0:\nsudo:x:27:\nold:x:1000:\n")
        .file_as("/etc/gshadow", "root:*::\nsudo:*::\nold:!::\n", 0o640, 0, 42)
        .file("/etc/skel/.profile", "profile\n")
}

#[test]
fn a_new_user_gets_all_four_lines_and_a_home() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    let made = add_user(&mut stage, &NewUser { name: "ada", gecos: "Ada", shell: "/bin/bash" }).unwrap();
    add_member(&mut stage, "sudo", "ada").unwrap();
    add_member(&mut stage, "sudo", "ada").unwrap();
    assert_eq!((made.uid, made.gid), (1001, 1001));
    let read = |path: &str| stage.read_text(path).unwrap().unwrap();
    assert!(read("/etc/passwd").contains("broken line\n"), "foreign lines stay");
    assert!(read("/etc/passwd").ends_with("ada:x:1001:1001:Ada:/home/ada:/bin/bash\n"));
    assert!(read("/etc/shadow").ends_with("ada:!::0:99999:7:::\n"));
    assert_eq!(read("/etc/group"), "root:x:0:\nsudo:x:27:ada\nold:x:1000:\nada:x:1001:\n");
    assert_eq!(read("/etc/gshadow"), "root:*::\nsudo:*::ada\nold:!::\nada:!::\n");
    let profile = stage.stat("/home/ada/.profile").unwrap().unwrap();
    assert_eq!((profile.uid, profile.gid), (1001, 1001));
    assert_eq!(stage.stat("/etc/shadow").unwrap().unwrap().mode, 0o640);
    assert_eq!(add_user(&mut stage, &NewUser { name: "ada", ..NewUser::default() }).unwrap(), made);
}

#[test]
fn only_the_password_field_changes() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    set_password_field(&mut stage, "old", "$6$new$hash").unwrap();
    let shadow = stage.read_text("/etc/shadow").unwrap().unwrap();
    assert_eq!(shadow, "root:*:19000:0:99999:7:::\nold:$6$new$hash:19000:0:99999:7:::\n");
    assert_eq!(password_field(&stage, "old").unwrap().unwrap(), "$6$new$hash");
}

#[test]
fn a_new_password_has_its_day_and_the_backup_loses_the_old_one() {
    let tree = tree().file_as("/etc/shadow-", "old:$6$s$h:19000:0:99999:7:::\n", 0o640, 0, 42);
    let mut stage = Stage::new(&tree);
    let shadow = |stage: &Stage<'_>, path: &str| stage.read_text(path).unwrap().unwrap();
    set_password(&mut stage, "old", "$6$s$h", 1_700_000_000).unwrap();
    assert!(stage.changes().unwrap().is_empty(), "the same password is no change");
    set_password(&mut stage, "old", "$6$new$hash", 1_700_000_000).unwrap();
    assert!(shadow(&stage, "/etc/shadow").contains("old:$6$new$hash:19675:0:99999:7:::\n"));
    assert_eq!(shadow(&stage, "/etc/shadow-"), "old:$6$new$hash:19000:0:99999:7:::\n");
    set_password(&mut stage, "old", "*", 0).unwrap();
    assert!(shadow(&stage, "/etc/shadow").contains("old:*::0:99999"), "day 0 would ask for a new one");
    assert_eq!(stage.stat("/etc/shadow-").unwrap().unwrap().mode, 0o640);
}

#[test]
fn hashes_repeat_and_are_what_crypt_makes() {
    let hash = hash_password("secret", "uuid", "ada").unwrap();
    assert_eq!(hash, hash_password("secret", "uuid", "ada").unwrap());
    assert_ne!(hash, hash_password("secret", "uuid", "bob").unwrap());
    assert!(hash.starts_with("$6$") && !hash.contains("rounds"));
    assert!(verifies("secret", &hash) && !verifies("Secret", &hash));
    // From the SHA-crypt specification, section "Test vectors".
    let known = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
    assert!(verifies("Hello world!", known));
    assert!(!verifies("x", "$6$rounds=999999999$salt$hash"), "not tried for hours");
    // libxcrypt's crypt(3), cost 5 (Debian's passwd) and 1.
    for known in [
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$Nuj8n8Or2/GmzEOlKSSlXaprjlgyI1KbvWNLnA/wMa6",
        "$y$j75$F5Jx5fExrKuPp53xLKQ..1$y4Axzecdt6qJJK50IVWrIGYSf8xw57XM8GwDFoPEdB1",
        "$5$abc$5UtzUAHW6HLEAcHTRT.mu1NxNsYLzdj0voip39URJ80",
    ] {
        assert!(verifies("geheim1", known) && !verifies("geheim2", known), "{known}");
    }
    for costly in
        ["$y$jzT$F5Jx5fExrKuPp53xLKQ..1$x", "$y$j9TXZZZ$salt$x", "$y$j9zzzzzz$salt$x", "$y$$$", "$y$"]
    {
        assert!(!verifies("geheim1", costly), "{costly}");
    }
    assert!(
        is_crypt_hash(&hash)
            && !is_crypt_hash("!")
            && !is_crypt_hash("!$6$aaaaaaaaaaaaaaaaa")
            && !is_crypt_hash("")
    );
}
