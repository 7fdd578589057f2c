//! An image in memory: Debian's sshd with and without a recipe's three factors.
#![allow(clippy::unwrap_used)]

use hardtack_guest::MemoryTree;
use hardtack_userdata::check::{CheckOptions, check};
use hardtack_yaml::Severity;

use super::look;

pub(super) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk2yKPm4H1cV0yAeM8jOdAlgvfSOHmTpDJrJ2c0wTHg x";

/// What Debian's cloud images have.
pub(super) fn plain() -> MemoryTree {
    MemoryTree::new()
        .file("/usr/bin/cloud-init", "")
        .file("/bin/bash", "")
        .file("/bin/sh", "")
        .file("/usr/sbin/nologin", "")
        .file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n")
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        .file("/etc/shadow", "root:*:19000:0:99999:7:::\n")
        .file("/etc/group", "root:x:0:\n")
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2+deb12u5\n",
        )
        .file(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nUsePAM yes\n",
        )
        .file("/etc/pam.d/sshd", "@include common-auth\n")
        .file(
            "/etc/pam.d/common-auth",
            "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n\
             auth required pam_permit.so\n",
        )
        .file(
            "/etc/cloud/cloud.cfg",
            "users: [default]\ndisable_root: true\nsystem_info:\n  distro: debian\n  default_user:\n    \
             name: debian\n    lock_passwd: true\n    shell: /bin/bash\n",
        )
}

/// The same as a recipe with three factors leaves it.
pub(super) fn hardened() -> MemoryTree {
    plain()
        .file(
            "/etc/ssh/sshd_config.d/00-hardtack.conf",
            "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n\
             PermitRootLogin no\nAuthenticationMethods publickey,keyboard-interactive\n",
        )
        .file(
            "/etc/pam.d/sshd",
            "@include common-auth\nauth required pam_google_authenticator.so noskewadj\n",
        )
        .file(
            "/etc/cloud/cloud.cfg.d/95-hardtack.cfg",
            "system_info:\n  default_user:\n    name: debian\n    hashed_passwd: $6$CANARY$CANARY\n    \
             lock_passwd: false\n",
        )
        .file(
            "/etc/hardtack/agent.json",
            r#"{"version":1,"recipe":"3fa","mfa":{"users":["debian"],"others":"refuse"},
               "accounts":[{"name":"debian","password_hash":"$6$CANARY$CANARY"}]}"#,
        )
}

/// Codes and messages, errors with a mark of exclamation.
pub(super) fn found(image: &MemoryTree, text: &str) -> Vec<(String, String)> {
    let report = check("u", text.as_bytes(), &CheckOptions::default());
    assert!(report.is_valid(), "{}", report.pictures());
    let found = look(&report, image, 20_600).unwrap().findings;
    found
        .into_iter()
        .map(|finding| {
            let mark = if finding.severity == Severity::Error { "!" } else { "" };
            assert!(!finding.message.contains("CANARY"), "{}", finding.message);
            (format!("{}{mark}", finding.code), finding.message)
        })
        .collect()
}

pub(super) fn codes(image: &MemoryTree, text: &str) -> Vec<String> {
    found(image, text).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn user_data_that_leaves_the_way_in_alone_is_not_talked_about() {
    for image in [plain(), hardened()] {
        for text in [
            "#cloud-config\nhostname: web\n",
            "#cloud-config\nusers:\n  - default\npackages: [git]\n",
            "#!/bin/sh\necho hi\n",
        ] {
            assert!(codes(&image, text).is_empty(), "{text}: {:?}", found(&image, text));
        }
    }
}

/// A password that the agent makes on the instance is one.
#[test]
fn a_random_password_is_a_way_in() {
    let image = hardened()
        .file(
            "/etc/cloud/cloud.cfg.d/95-hardtack.cfg",
            "system_info:\n  default_user:\n    name: debian\n    passwd: '*'\n    lock_passwd: false\n",
        )
        .file(
            "/etc/hardtack/agent.json",
            r#"{"version":1,"recipe":"3fa","mfa":{"users":["debian"],"others":"refuse"},
               "accounts":[{"name":"debian","random_password":{"length":20}}]}"#,
        );
    let text = "#cloud-config\nusers:\n  - default\n";
    assert!(codes(&image, text).is_empty(), "{:?}", found(&image, text));
}

/// Users of the recipe that are enrolled are made by the agent where a list of user-data leaves them out.
#[test]
fn an_enrolled_user_is_made_whatever_user_data_lists() {
    let image = |users: &str| {
        hardened()
            .file("/etc/cloud/cloud.cfg.d/95-hardtack.cfg", "users: [default, {name: rescue}]\n")
            .file(
                "/etc/hardtack/agent.json",
                format!(
                    r#"{{"version":1,"mfa":{{"users":[{users}]}},"accounts":[{{"name":"debian","password_hash":"$6$CANARY"}},
                       {{"name":"rescue","random_password":{{}}}}]}}"#
                ),
            )
    };
    let text = "#cloud-config\nusers:\n  - default\n";
    let lost =
        |users: &str| found(&image(users), text).iter().any(|(_, what)| what.contains("rescue is not made"));
    assert!(lost("\"debian\"") && !lost("\"debian\",\"rescue\""));
}

/// A recipe whose user is not cloud-init's default one, and is the only one whom sshd lets in.
#[test]
fn an_enrolled_user_of_another_name_is_a_way_in() {
    let image = |keys: &str| {
        hardened()
            .file(
                "/etc/ssh/sshd_config.d/00-hardtack.conf",
                "UsePAM yes\nKbdInteractiveAuthentication yes\nAllowUsers mara\n\
                 AuthenticationMethods publickey,keyboard-interactive\n",
            )
            .file(
                "/etc/cloud/cloud.cfg.d/95-hardtack.cfg",
                format!(
                    "users: [default, {{name: mara, lock_passwd: false, hashed_passwd: $6$CANARY, \
                     ssh_authorized_keys: [{keys}]}}]\n"
                ),
            )
            .file(
                "/etc/hardtack/agent.json",
                format!(
                    r#"{{"version":1,"mfa":{{"users":["mara"]}},
                       "accounts":[{{"name":"mara","password_hash":"$6$CANARY","authorized_keys":[{keys}]}}]}}"#
                ),
            )
    };
    let (with, without) = (image(&format!("\"{KEY}\"")), image(""));
    let list = "#cloud-config\nusers:\n  - default\n";
    assert_eq!(codes(&with, "#cloud-config\nhostname: web\n"), Vec::<String>::new());
    assert_eq!(codes(&with, list), ["image-user-without-way-in"]);
    let report = check("u", list.as_bytes(), &CheckOptions::default());
    let hints: Vec<String> =
        look(&report, &with, 20_600).unwrap().findings.into_iter().filter_map(|found| found.hint).collect();
    assert!(hints[0].contains("enrols mara") && hints[0].contains("leave `users` out"), "{hints:?}");
    let nobody = found(&without, list);
    assert_eq!(nobody.last().unwrap().0, "image-no-way-in", "there was none before");
    assert!(nobody.last().unwrap().1.contains("mara: it has no SSH key"), "{nobody:?}");
    // Its own list is none of the recipe's loss, and no key of it is lost.
    let joe = "#cloud-config\nusers:\n  - {name: joe}\n";
    assert!(codes(&with, joe).iter().all(|code| !code.ends_with('!')), "{:?}", found(&with, joe));
    // Of the default user itself it takes the launch's key only.
    let ours = image(&format!("\"{KEY}\"")).file(
        "/etc/hardtack/agent.json",
        format!(
            r#"{{"version":1,"mfa":{{"users":["debian"]}},
               "accounts":[{{"name":"debian","password_hash":"$6$CANARY","authorized_keys":["{KEY}"]}}]}}"#
        ),
    );
    assert!(
        found(&ours, joe)[0].1.contains("is made by the agent with the recipe's keys"),
        "{:?}",
        found(&ours, joe)
    );
}

#[test]
fn a_list_without_default_takes_the_default_user_away() {
    let text = format!(
        "#cloud-config\nusers:\n  - name: joe\n    shell: /bin/bash\n    ssh_authorized_keys: ['{KEY}']\n"
    );
    assert_eq!(codes(&plain(), &text), ["image-default-user-lost"]);
    let hard = found(&hardened(), &text);
    let codes: Vec<&str> = hard.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["image-default-user-lost", "image-user-without-way-in", "image-no-way-in!"]);
    assert!(hard[0].1.contains("debian, the user that the image's recipe enrols"), "{}", hard[0].1);
    assert!(hard[1].1.contains("it has no password, nothing enrols it"), "{}", hard[1].1);
    // Named itself, it is made without what the recipe gave it.
    let named = format!("#cloud-config\nusers:\n  - name: debian\n    ssh_authorized_keys: ['{KEY}']\n");
    assert!(found(&hardened(), &named)[0].1.contains("neither the password nor the keys"));
}

#[test]
fn users_of_services_need_no_way_in() {
    let text = "#cloud-config\nusers:\n  - default\n  - {name: a, shell: /usr/sbin/nologin}\n  - {name: b, system: true}\n";
    assert!(codes(&hardened(), text).is_empty(), "{:?}", found(&hardened(), text));
}

#[test]
fn a_user_with_a_key_alone_is_let_in_where_a_key_is_enough() {
    let text =
        format!("#cloud-config\nusers:\n  - default\n  - name: joe\n    ssh_authorized_keys: ['{KEY}']\n");
    assert!(codes(&plain(), &text).is_empty());
    assert_eq!(codes(&hardened(), &text), ["image-user-without-way-in"]);
}

#[test]
fn keys_are_judged_by_the_images_sshd() {
    let keys = |line: &str| format!("#cloud-config\nssh_authorized_keys:\n  - {line}\n");
    let dsa = keys("ssh-dss AAAAB3NzaC1kc3MAAACBAK joe");
    assert_eq!(codes(&plain(), &dsa), ["image-key-refused"]);
    let old = plain().file(
        "/var/lib/dpkg/status",
        "Package: openssh-server\nStatus: install ok installed\nVersion: 1:6.6p1-2ubuntu2\n",
    );
    assert!(codes(&old, &dsa).is_empty(), "6.6 takes DSA: {:?}", found(&old, &dsa));
    let options = keys("no-pty,command=\"a b\" ssh-dss AAAAB3NzaC1kc3MAAACBAK joe");
    assert!(found(&plain(), &options)[0].1.starts_with("the image's sshd does not take ssh-dss"));
    let rsa = keys(
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCvQ1kZBoytx7fruYRaoQEMHo4PGx3WUeWoFbMI3PkJGNfki4Pvp8qGacJxllnLras3eD0FntRdMJ6yxku4HQ/TjpCo5x6nG0U8R/cMvKhgcRqk6Os3nLl2MYOGtFWuz9Ns/LeEDDjjEopuo6R3CdR8aO05TnNwy7FN10UA46UMhw== x",
    );
    assert!(codes(&plain(), &rsa).is_empty(), "1024 bits are enough: {:?}", found(&plain(), &rsa));
    let large = plain().file("/etc/ssh/sshd_config.d/10.conf", "RequiredRSASize 2048\n");
    assert!(
        found(&large, &rsa)[0].1.contains("it has 1024 bits, and RequiredRSASize"),
        "{:?}",
        found(&large, &rsa)
    );
    let token = keys("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA== joe");
    assert!(found(&old, &token)[0].1.contains("since 8.2, and the image has 6.6"));
    let strict =
        plain().file("/etc/ssh/sshd_config.d/10.conf", "PubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-512\n");
    assert!(codes(&strict, &keys(KEY)).is_empty());
    let ecdsa = keys(
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg= x",
    );
    assert!(
        found(&strict, &ecdsa)[0]
            .1
            .contains("PubkeyAcceptedAlgorithms /etc/ssh/sshd_config.d/10.conf:1 leaves")
    );
    assert!(codes(&plain(), &ecdsa).is_empty(), "{:?}", found(&plain(), &ecdsa));
}

#[test]
fn passwords_of_the_recipe_are_not_replaced_silently() {
    for text in [
        "#cloud-config\nchpasswd:\n  expire: false\n  users:\n  - {name: debian, password: CANARY, type: text}\n",
        "#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    debian:CANARY\n",
        "#cloud-config\npassword: CANARY\n",
    ] {
        assert_eq!(codes(&hardened(), text), ["image-password-replaced"], "{text}");
        assert!(codes(&plain(), text).is_empty(), "{text}");
    }
}

#[test]
fn commands_that_name_the_way_in_are_told() {
    let text = "#cloud-config\nruncmd:\n  - [sed, -i, s/a/b/, /etc/ssh/sshd_config]\n  - echo hi\n";
    assert_eq!(codes(&plain(), text), ["image-unknowable"]);
    let script = "#!/bin/sh\n# about sshd_config\necho 'x: y' >> /etc/pam.d/sshd\n";
    let told = found(&plain(), script);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("`pam.d`, which is about PAM"), "{}", told[0].1);
}

#[test]
fn nobody_reads_user_data_without_cloud_init() {
    let text = "#cloud-config\nhostname: web\n";
    let bare = MemoryTree::new().file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    assert_eq!(codes(&bare, text), ["image-no-reader!"]);
    let off = plain().file("/etc/cloud/cloud-init.disabled", "");
    assert_eq!(codes(&off, text), ["image-no-reader!"]);
    let none = plain().file("/etc/cloud/cloud.cfg.d/90.cfg", "datasource_list: [None]\n");
    assert_eq!(codes(&none, text), ["image-no-datasource!"]);
    let deaf = plain().file("/etc/cloud/cloud.cfg.d/90.cfg", "allow_userdata: false\n");
    assert_eq!(codes(&deaf, text), ["image-no-reader!"]);
}

#[test]
fn the_default_user_can_be_lost_in_other_ways() {
    assert_eq!(codes(&plain(), "#cloud-config\nuser: joe\n"), ["image-default-user-lost"]);
    let hard = codes(&hardened(), "#cloud-config\nuser: {name: joe}\n");
    assert!(hard.contains(&"image-default-user-lost".to_owned()), "{hard:?}");
    assert!(hard.contains(&"image-no-way-in!".to_owned()), "{hard:?}");
    let locked = codes(&hardened(), "#cloud-config\nuser: {name: debian, lock_passwd: true}\n");
    assert_eq!(locked, ["image-user-without-way-in", "image-no-way-in!"]);
    let keyless = codes(&plain(), "#cloud-config\nallow_public_ssh_keys: false\n");
    assert_eq!(keyless, ["image-user-without-way-in", "image-no-way-in!"]);
    let modules = codes(&plain(), "#cloud-config\ncloud_init_modules: [write_files]\n");
    assert_eq!(modules, ["image-modules-lost", "image-no-way-in!"]);
}

#[test]
fn root_is_let_in_or_not() {
    let text = "#cloud-config\ndisable_root: false\n";
    assert_eq!(codes(&plain(), text), ["image-root-opened"]);
    let hard = found(&hardened(), text);
    assert_eq!(hard[0].0, "image-root-no-effect");
    assert!(hard[0].1.contains("PermitRootLogin is no"), "{}", hard[0].1);
}

#[test]
fn an_image_that_let_nobody_in_before_is_no_error() {
    let closed = plain().file("/etc/ssh/sshd_config", "AllowUsers nobody-at-all\n");
    assert_eq!(codes(&closed, "#cloud-config\nhostname: web\n"), ["image-no-way-in"]);
}

#[test]
fn the_dialect_of_coreos_needs_its_own_reader() {
    let text = "#cloud-config\ncoreos:\n  update:\n    reboot-strategy: off\n";
    assert_eq!(codes(&plain(), text), ["image-dialect"]);
    let flatcar = MemoryTree::new()
        .file("/usr/bin/coreos-cloudinit", "")
        .file("/etc/passwd", "core:x:500:500::/home/core:/bin/bash\n");
    assert!(codes(&flatcar, text).is_empty(), "{:?}", found(&flatcar, text));
}

#[test]
fn groups_let_in_and_shut_out() {
    let image = plain().file("/etc/ssh/sshd_config.d/10.conf", "AllowGroups ssh-users debian\n");
    let user = |groups: &str| {
        format!(
            "#cloud-config\nusers:\n  - default\n  - name: joe\n    {groups}\n    ssh_authorized_keys: ['{KEY}']\n"
        )
    };
    assert_eq!(codes(&image, &user("shell: /bin/bash")), ["image-user-without-way-in"]);
    for groups in ["groups: [adm, ssh-users]", "groups: adm, ssh-users", "primary_group: ssh-users"] {
        assert!(codes(&image, &user(groups)).is_empty(), "{groups}: {:?}", found(&image, &user(groups)));
    }
}

#[test]
fn what_only_closes_further_is_no_news() {
    let open = plain().file("/etc/ssh/sshd_config", "UsePAM yes\nKbdInteractiveAuthentication no\n");
    assert_eq!(codes(&open, "#cloud-config\nssh_pwauth: false\n"), Vec::<String>::new());
    for image in [plain(), hardened()] {
        assert_eq!(codes(&image, "#cloud-config\nssh_pwauth: false\n"), Vec::<String>::new());
    }
    let drop_in = |line: &str| {
        format!(
            "#cloud-config\nwrite_files:\n- {{path: /etc/ssh/sshd_config.d/10-x.conf, content: '{line}'}}\n"
        )
    };
    for line in ["PermitRootLogin no", "PermitRootLogin without-password", "PermitEmptyPasswords no"] {
        assert_eq!(
            codes(&open.clone().file("/etc/ssh/sshd_config", INCLUDE), &drop_in(line)),
            Vec::<String>::new()
        );
    }
    for line in ["PermitRootLogin yes", "PermitEmptyPasswords yes", "AllowUsers ann debian", "Port 2222"] {
        let image = open.clone().file("/etc/ssh/sshd_config", INCLUDE);
        assert_eq!(codes(&image, &drop_in(line)), ["image-sshd-changed"], "{line}");
    }
    // What the recipe wants stays an error, whichever way it goes.
    let undone = "#cloud-config\nwrite_files:\n- {path: /etc/ssh/sshd_config.d/00-a.conf, content: 'KbdInteractiveAuthentication no'}\n";
    assert!(codes(&hardened(), undone).contains(&"image-sshd-undone!".to_owned()));
}

const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n";

#[test]
fn owners_of_files_are_looked_up_in_the_image() {
    let image = plain().file(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\npostgres:x:5:5::/var/lib/postgresql:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\n",
    );
    let text = "#cloud-config\nusers: [default, {name: ann, ssh_authorized_keys: [KEY]}]\nwrite_files:\n\
                - {path: /etc/a, owner: postgres, content: x}\n- {path: /etc/b, owner: www-data, content: x}\n\
                - {path: /etc/c, owner: ann, content: x}\n- {path: /etc/d, owner: redis, content: x}\n\
                - {path: /etc/e, owner: redis, content: x, defer: true}\npackages: [redis-server]\n"
        .replace("KEY", KEY);
    let all = |image: &MemoryTree| -> Vec<(String, String)> {
        let mut report = check("u", text.as_bytes(), &CheckOptions::default());
        let verdict = look(&report, image, 20_600).unwrap();
        report.findings.retain(|general| !verdict.knows_better(general));
        report.add(verdict.findings);
        report.findings.iter().map(|finding| (finding.code.to_owned(), finding.path.clone())).collect()
    };
    let pair = |code: &str, index: usize| (code.to_owned(), format!("write_files.{index}.owner"));
    assert_eq!(all(&image), [pair("image-owner-missing", 1), pair("image-owner-missing", 3)]);
    assert_eq!(
        all(&plain()),
        [
            pair("image-owner-missing", 0),
            pair("image-owner-missing", 1),
            pair("owner-not-there-yet", 2),
            pair("image-owner-missing", 3)
        ]
    );
}

#[test]
fn time_zones_are_looked_up_in_the_image() {
    let image =
        plain().file("/usr/share/zoneinfo/Europe/Berlin", "").file("/usr/share/zoneinfo/Mars/Olympus", "");
    for (zone, wanted) in
        [("Europe/Berlin", 0), ("Mars/Olympus", 0), ("Europe/Zurich", 1), ("Europe/Zurch", 1)]
    {
        let text = format!("#cloud-config\ntimezone: {zone}\n");
        let mut report = check("u", text.as_bytes(), &CheckOptions::default());
        let verdict = look(&report, &image, 20_600).unwrap();
        report.findings.retain(|general| !verdict.knows_better(general));
        report.add(verdict.findings);
        assert_eq!(report.findings.len(), wanted, "{zone}: {}", report.pictures());
    }
}

#[test]
fn what_modules_end_with_on_the_image_is_an_error() {
    let image = plain().file("/usr/share/zoneinfo/Europe/Berlin", "");
    for (text, wanted) in [
        ("timezone: Europe/Nowhere", "unusable-value!"),
        ("timezone: Europe/Berlin", ""),
        ("ntp: {ntp_client: openntpd, servers: [a.example]}", "unusable-value!"),
        ("write_files: [{path: /etc/x, owner: ghost, content: a}]", "image-owner-missing!"),
    ] {
        assert_eq!(codes(&image, &format!("#cloud-config\n{text}\n")).join(" "), wanted, "{text}");
    }
    // What the check says already is not said again.
    let text = "#cloud-config\nwrite_files: [{path: /etc/x, permissions: [1], content: a}]\n";
    let mut report = check("u", text.as_bytes(), &CheckOptions::default());
    let before = report.findings.clone();
    let verdict = look(&report, &image, 20_600).unwrap();
    report.findings.retain(|general| !verdict.knows_better(general));
    report.add(verdict.findings);
    assert_eq!(report.findings, before);
}
