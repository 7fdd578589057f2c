//! Recipes, good and bad.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use super::*;
use crate::model::{
    AgentMode, Console, Factor, FileAction, MatchPolicy, Others, OverlayMode, Password, RateLimit, Scope,
    Seal, Totp,
};

mod hints;
mod language;
mod profiles;
mod sealing;

const PASSWORD: &str = "canary-pässword";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in [
            ("debs/b.deb", "!<arch>\n"),
            ("debs/a.deb", "!<arch>\n"),
            ("debs/readme.txt", ""),
            ("empty/x.txt", ""),
            ("id_ed25519.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA x\n"),
            ("local-file", "#!/bin/sh\n"),
            ("password", "from file\nsecond line\n"),
            ("blank", "\n"),
            ("latin1", ""),
        ] {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        std::fs::write(folder.path("latin1"), [0xe4, b'\n']).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, text: &str) -> Result<Recipe, LoadError> {
        let env = |name: &str| match name {
            "DEBIAN_PASSWORD" => Some(PASSWORD.to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        load_recipe(&self.path("recipe.yaml"), text, &env, &RealFiles)
    }

    fn steps(&self, steps: &str) -> Result<Recipe, LoadError> {
        self.load(&format!("recipe: 1\nsteps:\n{steps}"))
    }
}

/// (line, column, message) of every finding, with the temporary folder's name cut out.
fn findings(folder: &Folder, error: &LoadError) -> Vec<(usize, usize, String)> {
    let prefix = format!("{}/", folder.0.path().display());
    error.findings().map(|(_, one)| (one.line(), one.column(), one.message.replace(&prefix, ""))).collect()
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image-recipes").join(name))
        .unwrap()
}

#[test]
fn packages_say_where_they_come_from() {
    use crate::model::Repository;
    use hardtack_repository::Upgrade;
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("a.gpg"), "a").unwrap();
    std::fs::write(folder.0.path().join("b.gpg"), "b").unwrap();
    let steps = "  - packages:
      install: [one, two:i386, three=1.0-1, four/sid]
      remove: five
      purge: [six]
      hold: [seven]
      upgrade: security
      repository:
        - image
        - {uri: https://one.example, suite: [s, t], components: [main, more], keyring: b.gpg}
        - {uri: [file:/r], suite: ./, architectures: amd64}
      keyring: a.gpg
      lock: locks/packages.lock
      recommends: yes
  - packages: {install: one, upgrade: all, recommends: no}
";
    let recipe = folder.steps(steps).unwrap();
    let step = recipe.packages().unwrap();
    assert_eq!(step.install, ["one", "two:i386", "three=1.0-1", "four/sid"]);
    assert_eq!(
        (&step.remove[..], &step.purge[..], &step.hold[..]),
        (&["five".to_owned()][..], &["six".to_owned()][..], &["seven".to_owned()][..])
    );
    assert_eq!((step.upgrade, step.recommends), (Upgrade::All, Some(true)));
    assert_eq!(step.lock, Some(folder.0.path().join("locks/packages.lock")));
    let [Repository::Image, Repository::Given(one), Repository::Given(two)] = &step.repositories[..] else {
        panic!("{:?}", step.repositories)
    };
    assert_eq!(
        (&one.suites[..], &one.components[..]),
        (&["s".to_owned(), "t".to_owned()][..], &["main".to_owned(), "more".to_owned()][..])
    );
    assert_eq!(one.keyring, Some(("b.gpg".to_owned(), b"b".to_vec())));
    assert_eq!(
        (&two.uris[..], &two.architectures[..]),
        (&["file:/r".to_owned()][..], &["amd64".to_owned()][..])
    );
    assert_eq!(two.keyring, Some(("a.gpg".to_owned(), b"a".to_vec())));
}

#[test]
fn the_shipped_recipe_means_what_it_says() {
    let folder = Folder::new();
    let recipe = folder.load(&shipped("debian-3fa.yaml")).unwrap();
    assert_eq!(recipe.name, "debian-3fa");
    assert!(recipe.warnings.is_empty());
    let names: Vec<_> = recipe.steps.iter().map(Step::name).collect();
    assert_eq!(names, ["packages", "user", "mfa", "sshd", "files", "agent"]);
    let debs: Vec<_> = recipe.packages().unwrap().debs.iter().map(|deb| deb.name.as_str()).collect();
    assert_eq!(debs, ["a.deb", "b.deb"]);
    let user = recipe.users().next().unwrap();
    assert_eq!(user.name, "debian");
    assert!(matches!(&user.password, Some(Password::Clear(secret)) if secret.reveal() == PASSWORD));
    assert_eq!(user.authorized_keys[0].origin, "id_ed25519.pub");
    assert!(user.authorized_keys[0].text.starts_with(b"ssh-ed25519 "));
    let mfa = recipe.mfa().unwrap();
    assert_eq!(mfa, &MfaStep { users: vec!["debian".to_owned()], seal: Seal::Auto, ..MfaStep::default() });
    assert_eq!((mfa.scope, mfa.console, mfa.others), (Scope::Sshd, Console::Totp, Others::Refuse));
    assert_eq!(mfa.factors, [Factor::Publickey, Factor::Password, Factor::Totp]);
    assert_eq!(
        mfa.totp,
        Totp { window: 4, rate_limit: Some(RateLimit { attempts: 3, seconds: 30 }), disallow_reuse: true }
    );
    let sshd = recipe.sshd().unwrap();
    assert_eq!(
        sshd.directives,
        [("PermitRootLogin".to_owned(), "no".to_owned()), ("MaxAuthTries".to_owned(), "4".to_owned())]
    );
    assert_eq!(sshd.match_blocks, MatchPolicy::Refuse);
    let files = recipe.files();
    assert_eq!(
        files.iter().map(|op| op.action.name()).collect::<Vec<_>>(),
        ["write", "append", "replace", "copy", "mkdir", "link", "remove"]
    );
    let FileAction::Write { path, content, mode, owner } = &files[0].action else { panic!() };
    assert_eq!(
        (path.as_str(), content.text.as_str(), *mode, owner.as_deref()),
        ("/etc/motd", "hardened\n", Some(0o644), Some("root:root"))
    );
    assert!(
        matches!(&files[3].action, FileAction::Copy { content, to, .. } if **content == *b"#!/bin/sh\n" && to == "/opt/tool")
    );
    assert_eq!(recipe.agent().unwrap().mode, AgentMode::Companion);
    assert!(recipe.overlayroot().is_none());
}

#[test]
fn the_agent_has_two_modes() {
    let folder = Folder::new();
    for (text, mode) in [
        ("  - agent\n", AgentMode::Companion),
        ("  - agent: {mode: companion}\n", AgentMode::Companion),
        ("  - agent: {mode: replace}\n", AgentMode::Replace),
    ] {
        assert_eq!(folder.steps(text).unwrap().agent().unwrap().mode, mode, "{text}");
    }
}

#[test]
fn the_shipped_crypt_recipe_is_the_same_with_one_step_more() {
    let folder = Folder::new();
    let recipe = folder.load(&shipped("debian-3fa-crypt.yaml")).unwrap();
    let overlay = recipe.overlayroot().unwrap();
    assert_eq!(
        (overlay.mode, overlay.dev.as_deref(), overlay.timeout),
        (OverlayMode::Crypt, Some("/dev/vdb"), 20)
    );
    assert!(overlay.pass.is_none() && overlay.mkfs.is_none());
    assert_eq!(recipe.steps.len(), 7);
}

#[test]
fn a_disk_of_the_overlay_may_be_known_by_what_it_is() {
    let folder = Folder::new();
    for (text, find) in [
        ("{serial: vol-0123}", FindDisk::Serial("vol-0123".to_owned())),
        ("{ebs: /dev/sdf}", FindDisk::Ebs("/dev/sdf".to_owned())),
        ("{ebs: xvdba}", FindDisk::Ebs("/dev/xvdba".to_owned())),
        ("{ebs: /dev/sdf1}", FindDisk::Ebs("/dev/sdf1".to_owned())),
        ("{ephemeral: 0}", FindDisk::Ephemeral(0)),
    ] {
        let text = format!(
            "  - agent\n  - overlayroot: {{mode: crypt, dev: {text}, wipe: true, on_failure: halt}}\n"
        );
        let recipe = folder.steps(&text).unwrap();
        let overlay = recipe.overlayroot().unwrap();
        assert_eq!((overlay.find.as_ref(), overlay.dev.as_deref()), (Some(&find), Some(crate::model::FOUND)));
        assert!(overlay.wipe && overlay.on_failure == Some(OnFailure::Halt));
    }
    // A passphrase opens what a label leads to; nothing is erased.
    let open = "  - overlayroot: {mode: crypt, dev: UUID=x, pass: x, allow_clear_pass: true}\n";
    assert!(folder.steps(open).unwrap().overlayroot().unwrap().find.is_none());
}

use crate::model::{FindDisk, MfaStep, OnFailure};

#[test]
fn secrets_are_in_no_debug_output() {
    let folder = Folder::new();
    let recipe = folder
        .steps(
            "  - user: {name: a, password: {env: DEBIAN_PASSWORD}}\n  - files:\n      - {write: /x, content: {env: DEBIAN_PASSWORD}}\n      - {append: /y, line: {env: DEBIAN_PASSWORD}}\n  - overlayroot: {mode: crypt, dev: vdb, pass: {file: password}, allow_clear_pass: true}\n",
        )
        .map_err(|error| error.to_string())
        .err();
    // The pass holds a blank, which overlayroot cannot carry; nothing of it is shown.
    assert!(
        recipe.as_ref().is_some_and(|text| text.contains("cannot carry") && !text.contains("from file")),
        "{recipe:?}"
    );
    let recipe = folder
        .steps("  - user: {name: a, password: {env: DEBIAN_PASSWORD}}\n  - files:\n      - {write: /x, content: {env: DEBIAN_PASSWORD}}\n")
        .unwrap();
    assert!(!format!("{recipe:?}").contains("canary"));
}

#[test]
fn pictures_show_no_secrets() {
    let folder = Folder::new();
    let hash = format!("$6$salt${}", "a".repeat(86));
    for (steps, secret) in [
        ("  - user: {name: a, password: hunter2}\n".to_owned(), "hunter2"),
        ("  - user: {name: a, password: 12345678}\n".to_owned(), "12345678"),
        (format!("  - user: {{naem: a, password: {{hash: \"{hash}\"}}}}\n"), hash.as_str()),
        ("  - user: {name: a, password: {hash: hunter2}}\n".to_owned(), "hunter2"),
        ("  - overlayroot: {mode: crypt, dev: vdb, pass: hunter2}\n".to_owned(), "hunter2"),
        (
            "  - overlayroot: {mode: crypt, dev: vdb, pass: 12345678, allow_clear_pass: true}\n".to_owned(),
            "12345678",
        ),
        ("  - overlayroot: {mode: crypt, dev: vdb, pass: \"hunter2\n".to_owned(), "hunter2"),
    ] {
        let error = folder.steps(&steps).unwrap_err();
        let shown = format!("{error} {error:?} {}", error.render());
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn other_forms_of_the_same() {
    let folder = Folder::new();
    let hash = format!("$6$salt${}", "a".repeat(86));
    let recipe = folder
        .steps(&format!(
            "  - user: {{name: a, password: {{file: password}}}}\n  - user: {{name: b, password: {{hash: \"{hash}\"}}, groups: sudo, sudo: \"ALL=(ALL) ALL\"}}\n  - agent\n  - sshd: {{Port: [22, 2222], Ciphers: [a, b], AllowUsers: [a, b], UsePAM: yes, match: override}}\n  - mfa: {{users: a, factors: [password, totp], totp: {{rate_limit: no}}}}\n"
        ))
        .unwrap();
    let users: Vec<_> = recipe.users().collect();
    assert!(matches!(&users[0].password, Some(Password::Clear(secret)) if secret.reveal() == "from file"));
    assert!(matches!(&users[1].password, Some(Password::Hash(secret)) if secret.reveal() == hash));
    assert_eq!(users[1].groups, ["sudo"]);
    let sshd = recipe.sshd().unwrap();
    let directives: Vec<_> = sshd.directives.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(directives, ["Port 22", "Port 2222", "Ciphers a,b", "AllowUsers a b", "UsePAM yes"]);
    assert_eq!(sshd.match_blocks, MatchPolicy::Override);
    assert_eq!(recipe.mfa().unwrap().totp.rate_limit, None);
    assert_eq!(recipe.name, "recipe");
}

#[test]
fn modes_are_octal_however_written() {
    let folder = Folder::new();
    for (written, wanted) in [
        ("0644", Some(0o644)),
        ("\"0644\"", Some(0o644)),
        ("644", Some(0o644)),
        ("'755'", Some(0o755)),
        ("0o1777", Some(0o1777)),
        ("04755", Some(0o4755)),
        ("00644", Some(0o644)),
        ("0888", None),
        ("648", None),
        ("77777", None),
        ("0x1a4", None),
        ("rw-r--r--", None),
        ("7", None),
        ("1_000", None),
        ("[0644]", None),
        ("-644", None),
        ("yes", None),
        ("", None),
    ] {
        let loaded = folder.steps(&format!("  - files:\n      - {{mkdir: /d, mode: {written}}}\n"));
        match (&loaded, wanted) {
            (Ok(recipe), Some(_)) => {
                assert!(
                    matches!(recipe.files()[0].action, FileAction::Mkdir { mode, .. } if mode == wanted),
                    "{written}"
                );
            }
            (Err(error), None) => assert!(error.to_string().contains("`mode`"), "{written}: {error}"),
            _ => panic!("{written}: {loaded:?}"),
        }
    }
}

/// Every kind of mistake: steps, line and column (of the whole recipe), a part of the message.
#[test]
fn mistakes_have_their_place() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for (steps, line, column, part) in [
        ("  - packages: {debz: [debs/]}\n", 3, 16, "unknown key `debz`"),
        ("  - packages: {}\n", 3, 5, "needs one of the keys"),
        ("  - packages: {debs: [nothing.deb]}\n", 3, 23, "nothing.deb: no such file"),
        ("  - packages: {debs: [empty]}\n", 3, 23, "holds no .deb file"),
        ("  - packages: {debs: []}\n", 3, 22, "is empty"),
        ("  - packages: {install: [\"a b\"]}\n", 3, 26, "is no package"),
        ("  - packages: {remove: [a=1]}\n", 3, 25, "is no package"),
        ("  - packages: {hold: a/sid}\n", 3, 22, "is no package"),
        ("  - packages: {upgrade: most}\n", 3, 25, "`upgrade`"),
        ("  - packages: {install: a, remove: a}\n", 3, 28, "both name `a`"),
        ("  - packages: {hold: a, purge: a}\n", 3, 25, "both name `a`"),
        ("  - packages: {install: a, keyring: id_ed25519.pub}\n", 3, 37, "without `repository`"),
        ("  - packages: {install: a, repository: elsewhere}\n", 3, 40, "repository"),
        ("  - packages: {install: a, repository: {suite: s}}\n", 3, 40, "`uri`"),
        (
            "  - packages: {install: a, repository: {uri: file:/r, suite: s, keyring: gone}}\n",
            3,
            74,
            "gone: no such file",
        ),
        ("  - user: {password: {env: DEBIAN_PASSWORD}}\n", 3, 5, "needs the key `name`"),
        ("  - user: {name: 5}\n", 3, 18, "takes text, found the number `5`"),
        ("  - user: {name: \"a b\"}\n", 3, 18, "cannot be the name"),
        ("  - user: {name: a, password: {env: NOPE}}\n", 3, 37, "NOPE is not set"),
        ("  - user: {name: a, password: {env: EMPTY}}\n", 3, 37, "variable EMPTY is empty"),
        ("  - user: {name: a, password: {file: blank}}\n", 3, 38, "is empty"),
        ("  - user: {name: a, password: {file: gone}}\n", 3, 38, "gone: no such file"),
        ("  - user: {name: a, password: {file: latin1}}\n", 3, 38, "not UTF-8"),
        ("  - user: {name: a, password: {file: debs}}\n", 3, 38, "is a directory"),
        ("  - user: {name: a, password: random}\n", 3, 31, "made by the agent"),
        ("  - user: {name: a, password: secret}\n", 3, 31, "does not stand in a recipe"),
        ("  - user: {name: a, password: {hash: \"$1$a$b\"}}\n", 3, 38, "MD5"),
        ("  - user: {name: a, password: {env: A, file: b}}\n", 3, 31, "takes one of"),
        ("  - user: {name: a, authorized_keys: [gone.pub]}\n", 3, 39, "gone.pub: no such file"),
        ("  - mfa: {users: []}\n", 3, 18, "is empty"),
        ("  - mfa: {}\n", 3, 5, "needs the key `users`"),
        ("  - mfa:\n", 3, 5, "needs the key `users`"),
        ("  - mfa\n", 3, 5, "needs settings"),
        ("  - mfa: {users: [a, a]}\n", 3, 22, "listed twice"),
        ("  - mfa: {users: [a], factors: [totp]}\n", 3, 32, "single factor"),
        ("  - mfa: {users: [a], factors: totp}\n", 3, 32, "single factor"),
        ("  - mfa: {users: [a], factors: [totp, smoke]}\n", 3, 39, "`factors` takes"),
        ("  - mfa: {users: [a], factors: [totp, totp]}\n", 3, 39, "listed twice"),
        ("  - mfa: {users: [a], factors: [publickey, password]}\n", 3, 32, "without `totp`"),
        ("  - mfa: {users: [a], scope: login, console: password}\n", 3, 46, "wants one that does not"),
        ("  - mfa: {users: [a], seal: sshh}\n", 3, 29, "`seal` takes"),
        ("  - mfa: {users: [a], scope: everywhere}\n", 3, 30, "`sshd` or `login`"),
        ("  - mfa: {users: [a], factor: [totp]}\n", 3, 23, "unknown key `factor`"),
        ("  - mfa: {users: [a], totp: {window: 0}}\n", 3, 38, "from 1 to 21"),
        ("  - mfa: {users: [a], totp: {rate_limit: {seconds: 5}}}\n", 3, 52, "from 15 to 600"),
        ("  - overlayroot: {dev: /dev/vdb}\n", 3, 5, "needs the key `mode`"),
        ("  - overlayroot: {mode: crypt}\n", 3, 5, "needs the key `dev`"),
        ("  - overlayroot: {mode: tmpfs, dev: vdb}\n", 3, 32, "uses none"),
        ("  - overlayroot: {mode: device, dev: vdb, mkfs: 1}\n", 3, 43, "belongs to mode `crypt`"),
        ("  - overlayroot: {mode: crypt, dev: vdb, pass: x}\n", 3, 42, "in clear"),
        ("  - overlayroot: {mode: crypt, dev: vdb, mkfs: 0}\n", 3, 48, "needs `pass`"),
        ("  - overlayroot: {mode: crypt, dev: \"/dev/vdb\\\"; reboot\"}\n", 3, 37, "`dev` cannot be"),
        ("  - overlayroot: {mode: crypt, dev: {serial: a, ebs: sdf}}\n", 3, 37, "one thing"),
        ("  - overlayroot: {mode: crypt, dev: {}}\n", 3, 37, "one thing"),
        ("  - overlayroot: {mode: crypt, dev: {uuid: x}}\n", 3, 38, "unknown key `uuid`"),
        ("  - overlayroot: {mode: crypt, dev: {ephemeral: 24}}\n", 3, 49, "from 0 to 23"),
        ("  - agent\n  - overlayroot: {mode: crypt, dev: {ebs: nvme1n1}}\n", 4, 43, "`ebs` cannot be"),
        ("  - overlayroot: {mode: crypt, dev: {ebs: /dev/sdf}}\n", 3, 5, "asked of the disks by the agent"),
        ("  - overlayroot: {mode: crypt, dev: {serial: \"a b\"}}\n", 3, 46, "`serial` cannot be"),
        ("  - overlayroot: {mode: crypt, dev: {serial: $(id)}}\n", 3, 46, "`serial` cannot be"),
        ("  - overlayroot: {mode: crypt, dev: LABEL=x}\n", 3, 37, "is not erased"),
        // Nothing in an initramfs looks for these.
        ("  - overlayroot: {mode: crypt, dev: PARTUUID=x}\n", 3, 37, "`dev` cannot be `PARTUUID=x`"),
        ("  - overlayroot: {mode: device, dev: vdb, wipe: true}\n", 3, 43, "belongs to mode `crypt`"),
        ("  - overlayroot: {mode: crypt, dev: vdb, on_failure: stop}\n", 3, 54, "`on_failure` takes"),
        ("  - sshd: {PermitRotLogin: no}\n", 3, 12, "unknown directive"),
        ("  - sshd: {MaxAuthTries: four}\n", 3, 26, "not a number"),
        ("  - sshd: {MaxAuthTries: }\n", 3, 24, "takes a value"),
        ("  - sshd: {Port: 1, port: 2}\n", 3, 21, "stands twice"),
        ("  - sshd: {Match: {User: x}}\n", 3, 12, "not a directive"),
        ("  - sshd: {}\n", 3, 5, "sets nothing"),
        ("  - files:\n      - {wriet: /x, content: y}\n", 4, 10, "unknown operation `wriet`"),
        ("  - files:\n      - {write: x, content: y}\n", 4, 17, "absolute path"),
        ("  - files:\n      - {write: /x/, content: y}\n", 4, 17, "names a directory"),
        ("  - files:\n      - {write: /x}\n", 4, 9, "needs the key `content`"),
        ("  - files:\n      - {write: /x, content: 5}\n", 4, 30, "takes text"),
        ("  - files:\n      - {write: /x, remove: /x}\n", 4, 9, "does one thing"),
        ("  - files:\n      - {write: /x, content: y, mod: 0644}\n", 4, 33, "unknown key `mod`"),
        ("  - files:\n      - {replace: /x, match: 'a(b', with: c}\n", 4, 32, "unclosed group"),
        ("  - files:\n      - {replace: /x, match: '^a(b', with: c}\n", 4, 33, "unclosed group"),
        ("  - files:\n      - {replace: /x, match: 'a(b)', with: $2}\n", 4, 44, "names the group `2`"),
        ("  - files:\n      - {replace: /x, match: 'a(b)', with: $1x}\n", 4, 44, "names the group `1x`"),
        ("  - files:\n      - {append: /x, line: \"a\\nb\"}\n", 4, 28, "one line"),
        ("  - files:\n      - {copy: gone, to: /x}\n", 4, 16, "gone: no such file"),
        ("  - files:\n      - {remove: /}\n", 4, 18, "root directory"),
        ("  - files:\n      - {write: /x, content: y, owner: \"a:b:c\"}\n", 4, 40, "`owner` cannot be"),
        ("  - files: {write: /x}\n", 3, 12, "takes a list"),
        ("  - agent: {mode: compnion}\n", 3, 19, "`mode` takes"),
        ("  - agnet: {}\n", 3, 5, "unknown step `agnet`"),
        ("  - mfa:\n    users: [a]\n", 4, 5, "stands beside `mfa`"),
        ("  - agent: {}\n    files: []\n", 4, 5, "stands beside `agent`"),
        ("  - [agent]\n", 3, 5, "a step is a mapping"),
        ("  - user: {name: a, name: b}\n", 3, 21, "stands twice"),
        ("  - user: {name: !!int a}\n", 3, 18, "the tag says integer"),
    ] {
        let error = folder.steps(steps).err().unwrap_or_else(|| panic!("accepted: {steps}"));
        let found = findings(&folder, &error);
        let hit = found.iter().any(|(l, c, message)| (*l, *c) == (line, column) && message.contains(part));
        if !hit {
            wrong.push(format!("{steps}wanted {line}:{column} {part}\nfound {found:?}"));
        }
        if found.len() != 1 {
            wrong.push(format!("{steps}{found:?}"));
        }
        let local =
            part.contains("no such file") || part.contains("is a directory") || part.contains(".deb file");
        assert_eq!(error.exit_code(), if local { 4 } else { 2 }, "{steps}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_around_the_steps() {
    let folder = Folder::new();
    for (text, line, column, part) in [
        ("", 1, 1, "the recipe is empty"),
        ("- x\n", 1, 1, "takes a mapping"),
        ("recipe: 1\nsteps:\n  - sshd: [a]\n", 3, 11, "mapping of directives"),
        ("name: x\nsteps: [agent]\n", 1, 1, "needs the key `recipe`"),
        ("recipe: 1\n", 1, 1, "needs the key `steps`"),
        ("recipe: 2\nsteps: [agent]\n", 1, 9, "format 2 is not known"),
        ("recipe: \"1\"\nsteps: [agent]\n", 1, 9, "takes the version"),
        ("recipe: 1\nsteps: []\n", 2, 8, "is empty"),
        ("recipe: 1\nsteps: {agent: {}}\n", 2, 8, "takes a list"),
        ("recipe: 1\nstep: []\nsteps: [agent]\n", 2, 1, "unknown key `step`"),
        ("recipe: 1\nname: [x]\nsteps: [agent]\n", 2, 7, "takes text"),
        ("recipe: 1\nrecipe: 1\nsteps: [agent]\n", 2, 1, "stands twice"),
        ("recipe: 1\nsteps:\n\t- agent\n", 3, 1, "a tab"),
        ("recipe: 1\nsteps: [agent]\n---\nx: 1\n", 3, 1, "second YAML document"),
    ] {
        let error = folder.load(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        let found = findings(&folder, &error);
        assert!(
            found.iter().any(|(l, c, message)| (*l, *c) == (line, column) && message.contains(part)),
            "{text}{found:?}"
        );
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn contradictions_show_both_places() {
    let folder = Folder::new();
    for (steps, second, first, part) in [
        ("  - user: {name: a}\n  - user: {name: a}\n", (4, 5), (3, 5), "second step `user`"),
        ("  - mfa: {users: [a]}\n  - mfa: {users: [b]}\n  - agent\n", (4, 5), (3, 5), "second step `mfa`"),
        (
            "  - overlayroot: {mode: tmpfs}\n  - overlayroot: {mode: tmpfs, swap: true}\n",
            (4, 5),
            (3, 5),
            "second step `overlayroot`",
        ),
        ("  - sshd: {MaxAuthTries: 3}\n  - sshd: {maxauthtries: 4}\n", (4, 12), (3, 12), "contradicts"),
        ("  - sshd: {UsePAM: no}\n  - mfa: {users: [a]}\n", (3, 12), (4, 5), "contradicts step `mfa`"),
        (
            "  - sshd: {PasswordAuthentication: yes}\n  - mfa: {users: [a]}\n",
            (3, 12),
            (4, 5),
            "contradicts step `mfa`",
        ),
        (
            "  - mfa: {users: [a]}\n  - files: [{write: /etc/ssh/sshd_config.d/00-hardtack.conf, content: x}]\n",
            (4, 21),
            (3, 5),
            "which writes it",
        ),
        (
            "  - mfa: {users: [a]}\n  - sshd: {AuthenticationMethods: any}\n",
            (4, 12),
            (3, 5),
            "contradicts step `mfa`",
        ),
        (
            "  - mfa: {users: [a]}\n  - sshd: {ChallengeResponseAuthentication: no}\n",
            (4, 12),
            (3, 5),
            "contradicts step `mfa`",
        ),
        (
            "  - mfa: {users: [a]}\n  - sshd: {PermitEmptyPasswords: yes}\n",
            (4, 12),
            (3, 5),
            "contradicts step `mfa`",
        ),
        ("  - mfa: {users: [a]}\n  - sshd: {AllowUsers: [bob, c]}\n", (4, 12), (3, 5), "leaves `a` out"),
        (
            "  - mfa: {users: [mara]}\n  - sshd: {AllowUsers: [maria, c]}\n",
            (4, 12),
            (3, 5),
            "it has `maria`; one of the two may be misspelt",
        ),
        ("  - mfa: {users: [a]}\n  - sshd: {DenyUsers: a}\n", (4, 12), (3, 5), "lets `a` in"),
        (
            "  - sshd: {KbdInteractiveAuthentication: yes, ChallengeResponseAuthentication: no}\n",
            (3, 47),
            (3, 12),
            "contradicts",
        ),
        (
            "  - files:\n      - {write: /x, content: a}\n      - {write: /x, content: b}\n",
            (5, 17),
            (4, 17),
            "two contents",
        ),
        (
            "  - files:\n      - {write: /x, content: a}\n  - files:\n      - {remove: /x}\n",
            (6, 18),
            (4, 17),
            "both there and not there",
        ),
        (
            "  - files:\n      - {write: /d/x, content: a}\n      - {remove: /d}\n",
            (5, 18),
            (4, 17),
            "removes",
        ),
        (
            "  - files:\n      - {link: /x, target: a}\n      - {link: //x, target: b}\n",
            (5, 16),
            (4, 16),
            "two targets",
        ),
        (
            "  - files:\n      - {mkdir: /x, mode: 0700}\n      - {mkdir: /x, mode: 0755}\n",
            (5, 17),
            (4, 17),
            "two modes",
        ),
        (
            "  - files:\n      - {append: /x, line: a}\n      - {write: /x, content: b}\n",
            (5, 17),
            (4, 18),
            "replaces",
        ),
        (
            "  - files:\n      - {write: /x, content: a}\n      - {mkdir: /x/y}\n",
            (5, 17),
            (4, 17),
            "nothing below",
        ),
    ] {
        let error = folder.steps(steps).err().unwrap_or_else(|| panic!("accepted: {steps}"));
        let (class, finding) = error.findings().next().unwrap();
        assert_eq!(class, Class::Usage);
        let said = format!("{} {}", finding.message, finding.hint.as_deref().unwrap_or_default());
        assert!(said.contains(part), "{steps}{said}");
        assert_eq!((finding.line(), finding.column()), second, "{steps}");
        let (other, _) = &finding.related[0];
        assert_eq!((other.line, other.column), first, "{steps}");
    }
}

#[test]
fn what_agrees_is_no_contradiction() {
    let folder = Folder::new();
    let recipe = folder
        .steps(
            "  - agent\n  - agent: {}\n  - sshd: {Port: 22, X11Forwarding: no}\n  - sshd: {x11forwarding: no, Port: 2222, AllowUsers: \"a b\"}\n  - mfa: {users: [a]}\n  - sshd: {UsePAM: yes, AuthenticationMethods: \"publickey,keyboard-interactive\"}\n  - packages: {debs: debs/a.deb}\n  - packages: {debs: [debs]}\n  - files:\n      - {write: /x, content: a}\n      - {write: /x, content: a}\n      - {append: /x, line: b}\n      - {mkdir: /d}\n      - {write: /d/x, content: a}\n      - {remove: /e}\n      - {write: /e/new, content: x}\n",
        )
        .unwrap();
    assert_eq!(recipe.packages().unwrap().debs.len(), 2);
    let names: Vec<_> = recipe.steps.iter().map(Step::name).collect();
    assert_eq!(names, ["agent", "sshd", "mfa", "packages", "files"]);
    let directives: Vec<_> =
        recipe.sshd().unwrap().directives.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(
        directives,
        [
            "Port 22",
            "X11Forwarding no",
            "Port 2222",
            "AllowUsers a b",
            "UsePAM yes",
            "AuthenticationMethods publickey,keyboard-interactive"
        ]
    );
}

#[test]
fn all_findings_come_at_once_and_usage_wins() {
    let folder = Folder::new();
    let error = folder
        .load("recipe: 1\nnmae: x\nsteps:\n  - packages: {debs: [gone]}\n  - user: {name: a, password: {env: NOPE}}\n  - mfa: {factors: [totp]}\n  - files:\n      - {copy: gone, to: x, mode: 999}\n")
        .unwrap_err();
    let found = findings(&folder, &error);
    assert_eq!(found.len(), 8, "{found:#?}");
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(found, sorted);
    assert_eq!(error.exit_code(), 2);
    assert!(error.render().contains("did you mean `name`?"));
    let error =
        folder.steps("  - packages: {debs: [gone]}\n  - files:\n      - {copy: gone, to: /x}\n").unwrap_err();
    assert_eq!((error.findings().count(), error.exit_code()), (2, 4));
}

#[test]
fn mfa_without_agent_is_warned_of() {
    let folder = Folder::new();
    let recipe = folder.steps("  - mfa: {users: [a]}\n").unwrap();
    assert!(recipe.warnings[0].message.contains("nothing enrols"));
}

/// The first cells of a page's tables, `code` only; below `### NAME` as `NAME.key`.
fn documented(page: &str) -> std::collections::BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut heading = String::new();
    let mut inside = false;
    let mut found = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            heading = format!("{name}.");
        } else if let Some(name) = line.strip_prefix("## ") {
            inside = name == "Settings";
            heading.clear();
        } else if let Some(rest) = line.strip_prefix("| `").filter(|_| inside) {
            found.insert(format!("{heading}{}", rest.split('`').next().unwrap()));
        }
    }
    found
}

fn known(prefix: &str, keys: &[keys::Key]) -> Vec<String> {
    keys.iter().map(|key| format!("{prefix}{}", key.name)).collect()
}

#[test]
fn every_key_has_its_line_in_the_reference_and_every_line_its_key() {
    let mut mfa_keys = known("", mfa::KEYS);
    mfa_keys.extend(known("seal.", mfa::SEAL_KEYS));
    mfa_keys.extend(known("recovery.", mfa::RECOVERY_KEYS));
    mfa_keys.extend(known("totp.", mfa::TOTP_KEYS));
    mfa_keys.extend(known("totp.rate_limit.", mfa::RATE_LIMIT_KEYS));
    let file_keys =
        files::operations().into_iter().flat_map(|(name, keys)| known(&format!("{name}."), keys)).collect();
    for (page, keys) in [
        ("README.md", known("", keys::RECIPE)),
        ("packages.md", known("", packages::KEYS)),
        (
            "profile.md",
            [
                known("", profile::KEYS),
                known("exceptions.", profile::EXCEPTION),
                known("open-ports.", profile::OPEN_PORT),
            ]
            .concat(),
        ),
        ("user.md", [known("", user::KEYS), known("password.random.", user::RANDOM_KEYS)].concat()),
        ("mfa.md", mfa_keys),
        ("overlayroot.md", known("", overlayroot::KEYS)),
        ("sshd.md", known("", sshd::KEYS)),
        ("boot.md", known("", boot::KEYS)),
        ("serial-console.md", known("", boot::SERIAL_KEYS)),
        ("files.md", file_keys),
        ("cloud-agents.md", known("", cloud_agents::KEYS)),
        ("agent.md", known("", agent::KEYS)),
    ] {
        assert_eq!(documented(page), keys.into_iter().collect(), "{page}");
    }
    for step in keys::STEPS.iter().map(|step| step.name) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes").join(format!("{step}.md"));
        assert!(path.exists(), "{}", path.display());
    }
}

/// The examples of the reference are recipes that load.
#[test]
fn the_examples_of_the_reference_load() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("extra")).unwrap();
    std::fs::write(folder.path("extra/tool_1.0_amd64.deb"), "").unwrap();
    std::fs::write(folder.path("example.asc"), "").unwrap();
    std::fs::write(folder.path("base.yaml"), "recipe: 1\nsteps: [agent]\n").unwrap();
    let mut count = 0;
    for page in [
        "README",
        "packages",
        "user",
        "mfa",
        "overlayroot",
        "sshd",
        "files",
        "agent",
        "cloud-agents",
        "language",
        "profile",
        "boot",
        "serial-console",
    ] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes").join(format!("{page}.md"));
        let text = std::fs::read_to_string(path).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let loaded = if block.starts_with("recipe:") || block.starts_with("# ") {
                folder.load(block)
            } else {
                folder.steps(block)
            };
            assert!(loaded.is_ok(), "{page}: {}", loaded.unwrap_err());
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

#[test]
fn drivers_machines_and_lines() {
    use crate::model::boot::Driver;
    let folder = Folder::new();
    let all: Vec<Driver> = Driver::WORDS.iter().map(|(_, driver)| *driver).collect();
    for (text, expected) in [
        ("  - boot: check\n", &all[..]),
        ("  - boot: {check: all}\n", &all[..]),
        ("  - boot: {check: nvme}\n", &[Driver::Nvme]),
        ("  - boot: {target: [ec2-nitro, ec2-xen]}\n", &all[..4]),
        ("  - boot: {check: [ena, ena], target: kvm}\n", &[Driver::Ena, Driver::Virtio, Driver::VirtioNet]),
        ("  - boot: {check: ena}\n  - boot: {check: nvme}\n", &[Driver::Nvme, Driver::Ena]),
    ] {
        let recipe = folder.steps(text).unwrap();
        assert_eq!(recipe.boot().unwrap().check, expected, "{text}");
    }
    for (text, device, speed) in [
        ("  - serial-console\n", None, None),
        ("  - serial-console: {}\n", None, None),
        ("  - serial-console: {device: /dev/ttyS1, speed: 9600}\n", Some("ttyS1"), Some(9600)),
        ("  - serial-console: {device: hvc0}\n", Some("hvc0"), None),
    ] {
        let recipe = folder.steps(text).unwrap();
        let step = recipe.serial_console().unwrap();
        assert_eq!((step.device.as_deref(), step.speed), (device, speed), "{text}");
    }
    for (text, what) in [
        ("  - boot: {}\n", "says nothing"),
        ("  - boot\n", "needs settings"),
        ("  - boot: {check: nvm}\n", "did you mean `nvme`"),
        ("  - boot: {target: ec2}\n", "`target` takes"),
        ("  - boot: chek\n", "takes a mapping"),
        ("  - serial-console: {device: tty1}\n", "takes a serial line"),
        ("  - serial-console: {device: \"ttyS0; x\"}\n", "takes a serial line"),
        ("  - serial-console: {speed: 1}\n", "a whole number"),
        ("  - serial-console\n  - serial-console: {device: hvc0}\n", "second step `serial-console`"),
    ] {
        let error = folder.steps(text).unwrap_err().to_string();
        assert!(error.contains(what), "{text}: {error}");
    }
}
