//! `check --image` and `plan` on the sample image, hardened by its recipe.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{Ran, files, run_in, top};

/// The hardened sample image, made once.
fn hardened() -> &'static str {
    static IMAGE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, image) = IMAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let agent = agent(folder.path());
        let demo = folder.path().join("demo");
        let ran = Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(["demo", "--agent"])
            .arg(&agent)
            .arg("--directory")
            .arg(&demo)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        (folder, demo.join("hardened.qcow2"))
    });
    image.to_str().unwrap()
}

/// As much of a program as a build looks at: a static ELF of this machine.
fn agent(folder: &Path) -> PathBuf {
    let agent = folder.join("agent");
    let mut elf = vec![0_u8; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 2;
    elf[18] = 62;
    elf[20] = 1;
    elf[52] = 64;
    std::fs::write(&agent, elf).unwrap();
    agent
}

fn check(text: &str) -> Ran {
    run_in(&top(), &["check", "-", "--json", "--image", hardened()], text.as_bytes())
}

/// Codes of errors have a mark of exclamation.
fn codes(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let findings = json["files"][0]["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| {
            let mark = if finding["severity"] == "error" { "!" } else { "" };
            format!("{}{mark}", finding["code"].as_str().unwrap())
        })
        .collect()
}

/// A catalog with the image under the name `hard`.
fn catalog(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    command.env("HARDTACK_CATALOG", folder.join("catalog")).current_dir(folder);
    let ran = command.args(["install", hardened(), "-n", "hard"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    command.env("HARDTACK_CATALOG", folder.join("catalog")).current_dir(folder);
    command
}

/// Leaves nobody who has all factors: the recipe's user, whom the agent makes whatever the list says, is shut out.
const SHUT: &str = "#cloud-config\nusers:\n  - name: joe\n    lock_passwd: false\n    hashed_passwd: $6$CANARY$CANARY\n\
    write_files:\n  - {path: /etc/ssh/sshd_config.d/000-joe.conf, content: \"AllowUsers joe\\n\"}\n";

#[test]
fn an_image_of_the_catalog_is_named_as_a_launch_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shut.yaml"), SHUT).unwrap();
    let mut command = catalog(folder.path());
    let mut check = |image: &str| {
        let ran = command.args(["user-data", "check", "shut.yaml", "--image", image]).output().unwrap();
        let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
        command.env("HARDTACK_CATALOG", folder.path().join("catalog")).current_dir(folder.path());
        (ran.status.code(), text)
    };
    let (code, text) = check("hard");
    assert!(code == Some(1) && text.contains("nobody could log in over SSH"), "{text}");
    let (code, text) = check("hrd");
    assert!(code == Some(4) && text.contains("there are hard") && text.contains("no such file"), "{text}");
    let (code, text) = check("./hard");
    assert!(code == Some(4) && !text.contains("catalog"), "{text}");
    // A file of that name comes first.
    std::fs::write(folder.path().join("hard"), "no image").unwrap();
    let (code, text) = check("hard");
    assert!(code != Some(1) && !text.contains("nobody could log in"), "{text}");
}

#[test]
fn a_launch_here_is_refused_when_user_data_shuts_everybody_out_of_the_image() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shut.yaml"), SHUT).unwrap();
    let ran = catalog(folder.path())
        // Without a QEMU: nothing starts where it is not refused.
        .env("PATH", "")
        .args(["launch", "hard", "-f", "shut.yaml", "--accel", "tcg", "--journal", "launch.journal"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{text}");
    assert!(text.contains("nobody could log in over SSH") && text.contains("shut.yaml:"), "{text}");
    assert!(text.contains("nothing was launched, and --force launches all the same"), "{text}");
    assert!(!folder.path().join("catalog/instances").exists(), "{text}");
}

#[test]
fn the_shipped_launch_file_fits() {
    let launch = top().join("cloud-config/launch.yaml");
    let ran = run_in(&top(), &["check", "--strict", launch.to_str().unwrap(), "--image", hardened()], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn the_image_is_only_read() {
    let before = std::fs::read(hardened()).unwrap();
    check("#cloud-config\nssh_pwauth: true\n");
    run_in(&top(), &["plan", "-", "--image", hardened()], b"#cloud-config\nhostname: web\n");
    assert!(before == std::fs::read(hardened()).unwrap());
}

#[test]
fn a_user_without_all_factors_and_nobody_else() {
    let ran = check(SHUT);
    assert_eq!(ran.code, 1);
    let all = codes(&ran);
    for code in ["image-no-way-in!", "image-user-without-way-in"] {
        assert!(all.iter().any(|known| known == code), "{code}: {all:?}");
    }
    assert!(!ran.out.contains("CANARY"), "{}", ran.out);
    // Without the file the agent makes the recipe's user, with the recipe's password and key.
    let (list, _) = SHUT.split_once("write_files").unwrap();
    let ran = check(list);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(codes(&ran).iter().any(|code| code == "image-user-without-way-in"), "{}", ran.out);
}

#[test]
fn files_that_undo_the_recipe_are_errors() {
    for (text, code) in [
        (
            "#cloud-config\nwrite_files:\n  - path: /etc/ssh/sshd_config.d/00-a.conf\n    content: |\n      \
             AuthenticationMethods publickey\n",
            "image-sshd-undone!",
        ),
        (
            "#cloud-config\nwrite_files:\n  - path: /etc/ssh/sshd_config.d/99-a.conf\n    content: |\n      \
             Nonsense yes\n",
            "image-sshd-broken!",
        ),
        (
            "#cloud-config\nwrite_files:\n  - path: /etc/pam.d/sshd\n    content: |\n      auth required \
             pam_permit.so\n",
            "image-pam-undone!",
        ),
        (
            "#cloud-config\nwrite_files:\n  - {path: /etc/hardtack/agent.json, content: '{}'}\n",
            "image-recipe-undone!",
        ),
        ("#cloud-config\nssh_pwauth: true\n", "image-sshd-no-effect"),
        ("#cloud-config\nruncmd:\n  - rm /etc/pam.d/sshd\n", "image-unknowable"),
    ] {
        let ran = check(text);
        let codes = codes(&ran);
        assert!(codes.iter().any(|known| known == code), "{text}{code}: {codes:?}");
        assert_eq!(ran.code, i32::from(code.ends_with('!')), "{text}");
    }
}

#[test]
fn a_plan_names_actions_and_hides_secrets() {
    let text = "#cloud-config\nhostname: web\nusers:\n  - default\n  - name: joe\n    lock_passwd: false\n    \
                hashed_passwd: $6$CANARY$CANARY\nchpasswd:\n  expire: false\n  users:\n    - {name: joe, password: \
                CANARY-word, type: text}\nwrite_files:\n  - {path: /srv/a, content: hello}\n  - {path: /srv/b, content: 'password = CANARY-word'}\nruncmd:\n  - [ls, -l]\n  - echo joe:CANARY-word | chpasswd\n";
    let people = run_in(&top(), &["plan", "-", "--image", hardened()], text.as_bytes());
    assert_eq!(people.code, 0, "{}", people.err);
    let programs = run_in(&top(), &["plan", "-", "--json", "--image", hardened()], text.as_bytes());
    let checked = check(text);
    assert!(codes(&checked).contains(&"image-unknowable".to_owned()), "{}", checked.out);
    let pictures = run_in(&top(), &["check", "-", "--image", hardened()], text.as_bytes());
    assert!(!pictures.out.contains("CANARY") && !checked.out.contains("CANARY"), "{}", pictures.out);
    for ran in [&people, &programs] {
        assert!(!ran.out.contains("CANARY") && !ran.err.contains("CANARY"), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("/srv/a"), "{}", ran.out);
    }
    let json = programs.json();
    assert_eq!(json["distro"]["id"], "debian");
    let modules: Vec<&str> =
        json["steps"].as_array().unwrap().iter().map(|step| step["module"].as_str().unwrap()).collect();
    let at = |name: &str| {
        modules.iter().position(|module| *module == name).unwrap_or_else(|| panic!("{name}: {modules:?}"))
    };
    assert!(at("write_files") < at("users_groups") && at("users_groups") < at("runcmd"), "{modules:?}");
    let hashes = std::fs::read_to_string(top().join("crates/hardtack/demo/demo.yaml")).unwrap();
    assert!(hashes.contains("password"), "the recipe sets a password, whose hash is in the image");
    assert!(!people.out.contains("$6$"), "{}", people.out);
}

#[test]
fn a_code_from_the_operator_needs_a_user_whom_the_recipe_enrols() {
    let text =
        |user: &str| format!("#cloud-config\nhardtack: {{totp: {{{user}: CANARY{}}}}}\n", "A".repeat(20));
    let listed = check(&text("debian"));
    assert_eq!((listed.code, codes(&listed)), (0, vec!["totp-in-the-clear".to_owned()]), "{}", listed.out);
    let other = check(&text("joe"));
    assert_eq!(other.code, 1);
    assert!(codes(&other).contains(&"image-totp-user!".to_owned()), "{}", other.out);
    let plan = run_in(&top(), &["plan", "-", "--image", hardened()], text("debian").as_bytes());
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert!(plan.out.contains("the code of debian comes from here"), "{}", plan.out);
    let json = run_in(&top(), &["plan", "-", "--json", "--image", hardened()], text("joe").as_bytes());
    assert_eq!(json.code, 1);
    assert_eq!(json.json()["keys"][0]["state"], "failed");
    let shown = run_in(&top(), &["show", "-"], text("debian").as_bytes());
    assert!(shown.out.contains("CANARY"), "it is the user's own file");
    for ran in [listed, other, plan, json] {
        assert!(!ran.out.contains("CANARY") && !ran.err.contains("CANARY"), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn a_module_that_fails_is_no_success() {
    let text = "#cloud-config\ntimezone: Europe/Zurch\nhostname: web\n";
    let ran = run_in(&top(), &["plan", "-", "--image", hardened()], text.as_bytes());
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Europe/Zurch") && ran.err.contains("Europe/Zurich"), "{}{}", ran.out, ran.err);
}

#[test]
fn every_example_has_a_plan() {
    let mut planned = 0;
    for file in files(&top().join("cloud-config")) {
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let ran = run_in(&top(), &["plan", file.to_str().unwrap(), "--image", hardened()], b"");
        // The sample image has no time zones.
        let fails = ran.out.contains("there is no file /usr/share/zoneinfo/Europe/Berlin");
        assert_eq!(ran.code, i32::from(fails), "{}: {}", file.display(), ran.err);
        let errors = ran.out.lines().filter(|line| line.trim_start().starts_with("error: ")).count();
        assert_eq!(errors, usize::from(fails), "{}: {}", file.display(), ran.out);
        assert!(ran.out.lines().count() > 2, "{}", ran.out);
        planned += 1;
    }
    assert!(planned >= 5, "{planned}");
}

/// A real Debian 12 with the shipped recipe: an overlay above the image of the end-to-end tests, and the
/// folder where that lies.
fn real() -> Option<(tempfile::TempDir, PathBuf)> {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let images = cache.join("images");
    let (image, debs) = (images.join("debian12.qcow2"), cache.join("debs-bookworm"));
    if !image.is_file() || !debs.is_dir() {
        eprintln!("SKIPPED: {}: no such image (`cargo xtask images` makes it)", image.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink(&debs, at("debs")).unwrap();
    std::fs::copy(top().join("crates/hardtack/demo/id_ed25519.pub"), at("id_ed25519.pub")).unwrap();
    std::fs::copy(top().join("image-recipes/debian-3fa.yaml"), at("debian-3fa.yaml")).unwrap();
    std::fs::write(at("local-file"), "#!/bin/sh\n").unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_hardtack"))
        .args(["build", "debian-3fa.yaml", "--overlay", "--no-sync", "--output", "hard.qcow2", "--source"])
        .arg(&image)
        .arg("--agent")
        .arg(agent(folder.path()))
        .current_dir(folder.path())
        .env("DEBIAN_PASSWORD", "CANARY-word")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some((folder, images))
}

#[test]
fn a_real_image_has_the_same_verdicts() {
    let Some((folder, images)) = real() else { return };
    let image = folder.path().join("hard.qcow2");
    let options = ["--image", image.to_str().unwrap(), "--backing-dir", images.to_str().unwrap()];
    let launch = top().join("cloud-config/launch.yaml");
    let ran = run_in(&top(), &[&["check", "--strict", launch.to_str().unwrap()], &options[..]].concat(), b"");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for (text, code) in [
        ("#cloud-config\nusers:\n  - name: joe\n", "image-default-user-lost"),
        ("#cloud-config\nssh_pwauth: true\n", "image-sshd-no-effect"),
        (
            "#cloud-config\nwrite_files:\n  - {path: /etc/ssh/sshd_config, content: 'UsePAM yes'}\n",
            "image-sshd-undone!",
        ),
        (
            "#cloud-config\nwrite_files:\n  - {path: /etc/pam.d/common-auth, content: 'auth required pam_permit.so'}\n",
            "image-pam-undone!",
        ),
        (
            "#cloud-config\nchpasswd: {expire: false, users: [{name: debian, password: a, type: text}]}\n",
            "image-password-replaced",
        ),
    ] {
        let ran = run_in(&top(), &[&["check", "-", "--json"], &options[..]].concat(), text.as_bytes());
        let codes = codes(&ran);
        assert!(codes.iter().any(|known| known == code), "{text}{code}: {codes:?}");
    }
    let plan = run_in(&top(), &[&["plan", launch.to_str().unwrap()], &options[..]].concat(), b"");
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert!(plan.err.contains("this is what cloud-init 26.2 does; the image has 22.4"), "{}", plan.err);
    // What the recipe gave the user is a part of the plan, and the hash is not shown.
    assert!(plan.out.contains("useradd debian") && !plan.out.contains("$6$"), "{}", plan.out);
}
