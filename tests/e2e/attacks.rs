//! Attacks on one booted machine: user-data, packages and cloud agents that make SSH ask for less.

use std::path::Path;
use std::process::Command;

use hardtack_tests::image::Images;
use hardtack_tests::knocking::{Knocker, Knocking, Tally};
use hardtack_tests::package::next_version;
use hardtack_tests::ssh::{Login, make_key};
use hardtack_tests::tools::{output, run};
use hardtack_tests::vm::{Launch, Vm, seed};
use serde_json::Value;

use crate::captured::HERE;
use crate::codes::{block, calm_down};
use crate::hardened::{AGENT, Hardened, Owner, RECIPE, UP, append};
use crate::replaced::assert_lines;
use crate::workshop::{PASSWORD, Workshop};

/// What `status` says where the guard finds nothing. (The boot may not have ended, so that its exit code is another
/// than 0.)
const KEPT: &str = "logins ask for what was promised";

/// The package, where the image has it for the attack.
const UPGRADE: &str = "  - files:\n      - {copy: openssh-server.deb, to: /root/openssh-server.deb}\n";

/// A second user with key, password and sudo; passwords for SSH; and a `Match` block that asks for the key alone.
const USER_DATA: &str = r#"#cloud-config
locale: false
ssh_pwauth: true
users:
  - default
  - name: mallory
    shell: /bin/bash
    lock_passwd: false
    hashed_passwd: "HASH"
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys: ["KEY"]
write_files:
  - path: /etc/ssh/sshd_config.d/10-match.conf
    content: |
      Match User debian
        AuthenticationMethods publickey
"#;

/// The user-data with the operator's part for debian; the secret of that part.
fn user_data(workshop: &Workshop, other: &Path) -> (String, String) {
    let public = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    let hash = run(Command::new("openssl").args(["passwd", "-6", PASSWORD]));
    let text = USER_DATA.replace("KEY", public.trim()).replace("HASH", hash.trim());
    std::fs::write(workshop.path().join("launch.yaml"), text).unwrap();
    run(workshop.command().args(["user-data", "totp", "--user", "debian", "--output", "totp.yaml"]));
    run(workshop.command().args(["user-data", "pack", "launch.yaml", "totp.yaml", "--output", "user-data"]));
    let part = std::fs::read_to_string(workshop.path().join("totp.yaml")).unwrap();
    let secret = part.lines().find_map(|line| line.trim().strip_prefix("\"debian\":")).unwrap();
    let packed = std::fs::read_to_string(workshop.path().join("user-data")).unwrap();
    (packed, secret.trim().trim_matches('"').to_owned())
}

/// What a command of the user who is logged in on the serial console prints.
fn on_console(vm: &Vm, command: &str) -> String {
    let said = vm.converse(&[("$ ", &format!("{command}; echo the \"\"end"))], "the end");
    said.split("the \"\"end").nth(1).unwrap_or_default().to_owned()
}

/// Knocks with key and password while `work` is done, and a while longer.
fn knocking<T>(workshop: &Workshop, port: u16, knocker: &Knocker, work: impl FnOnce() -> T) -> (T, Tally) {
    let knocking = Knocking::start(workshop.path(), port, knocker);
    let done = work();
    (done, knocking.finish())
}

/// The next version of the SSH server's package, with a conffile that dpkg asks about: it is another one than the
/// installed version's.
fn upgrade(images: &Images, to: &Path) {
    next_version(&images.root("bookworm"), "openssh-server", to, |tree| {
        let file = tree.join("etc/pam.d/sshd");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("google"));
        std::fs::write(file, text + "# the next version\n").unwrap();
    });
}

#[test]
fn the_upgrade_is_a_package_like_debians() {
    let Some(images) = Images::find() else { return };
    let directory = tempfile::TempDir::new().unwrap();
    let package = directory.path().join("openssh-server.deb");
    upgrade(&images, &package);
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&package));
    for file in ["./etc/pam.d/sshd", "./usr/sbin/sshd", "ssh.service"] {
        assert!(listed.lines().any(|line| line.ends_with(file)), "no {file}:\n{listed}");
    }
    let conffiles = run(Command::new("dpkg-deb").arg("--info").arg(&package).arg("conffiles"));
    assert!(conffiles.lines().any(|line| line == "/etc/pam.d/sshd"), "{conffiles}");
}

fn machine(images: &Images, changes: &[(&str, &str)]) -> Hardened {
    let workshop = Workshop::new(images, "bookworm");
    workshop.change(RECIPE, changes);
    upgrade(images, &workshop.path().join("openssh-server.deb"));
    append(&workshop, UPGRADE);
    Hardened::build(workshop, images, "debian12")
}

#[test]
fn on_a_machine_that_stops_ssh() {
    let Some(images) = Images::find() else { return };
    let hardened = machine(&images, &[]);
    let workshop = &hardened.workshop;
    let other = make_key(workshop.path(), "other");
    let (user_data, secret) = user_data(workshop, &other);

    // It is told before the launch.
    let check =
        output(workshop.command().args(["user-data", "check", "user-data", "--image"]).arg(&hardened.disk));
    let told = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert!(!check.status.success() && told.contains("AuthenticationMethods"), "{told}");
    assert!(!told.contains(&secret), "the secret was shown");

    let seed_file = workshop.path().join("seed.img");
    seed(&seed_file, "i-attacked", &user_data);
    let mut vm = hardened.start("attacked", Launch::seed(&seed_file).on(HERE));
    let thief = Knocker {
        user: "debian".to_owned(),
        key: workshop.key.clone(),
        password: PASSWORD.to_owned(),
        secret: None,
    };
    let (_, tally) = knocking(workshop, vm.port, &thief, || vm.wait_for(UP));
    eprintln!("attacked: {tally:?}");
    tally.assert_nobody_entered();

    // The block is loud; the operator's secret is not in it.
    let told = block(workshop, &vm.console, &["id_ed25519"]);
    let drift = told["drift"].as_array().unwrap();
    assert!(drift.iter().any(|line| line.to_string().contains("10-match.conf")), "{told}");
    assert_operators(&told, &vm.log(), &secret);

    // SSH is stopped. The serial console lets in who has password and code, and status says why.
    let mut owner = Owner::new(workshop, vm.port, "debian", &workshop.key, PASSWORD, &secret);
    let code = owner.codes.fresh();
    vm.converse(&[("login:", "debian"), ("assword:", PASSWORD), ("erification code:", &code)], "$ ");
    let status =
        on_console(&vm, &format!("systemctl is-active ssh.service; sudo {AGENT} status; echo exit $?"));
    assert!(status.contains("inactive") || status.contains("failed"), "{status}");
    assert!(status.contains("exit 1") && status.contains("10-match.conf"), "{status}");
    let started = on_console(&vm, "sudo systemctl start ssh; echo exit $?; systemctl is-active ssh.service");
    assert!(!started.contains("exit 0") && !started.lines().any(|line| line.trim() == "active"), "{started}");
    // The guard sees that the file is gone, too, and starts SSH itself: on a busy machine the two meet.
    let mended = on_console(
        &vm,
        &format!(
            "sudo rm /etc/ssh/sshd_config.d/10-match.conf; sudo systemctl start ssh; \
             for n in $(seq 90); do systemctl -q is-active ssh.service && break; sleep 2; done; \
             systemctl is-active ssh.service; sudo {AGENT} status; echo exit $?"
        ),
    );
    assert!(mended.contains(KEPT) && mended.lines().any(|line| line.trim() == "active"), "{mended}");

    // All three get in; a second user and an old code do not.
    calm_down();
    owner.enter("true");
    let used = owner.codes.of(owner.codes.used);
    owner
        .client
        .login(Login { code: Some(&used), ..owner.without_code() }, "true")
        .assert_refused("an old code");
    let mallory =
        Login { user: "mallory", key: Some(&other), password: Some(PASSWORD), code: Some("123456") };
    owner.client.login(mallory, "true").assert_refused("the second user");
    owner.client.login(Login { key: None, ..mallory }, "true").assert_refused("the second user's password");
    owner.client.login(Login { user: "root", ..mallory }, "true").assert_refused("root");

    upgrade_leaves_pam(workshop, &mut vm, &thief, &mut owner);

    // A cloud's agent gives sshd options of its own.
    let folder = "/etc/systemd/system/ssh.service.d";
    let options = format!("{folder}/90-agent.conf");
    let script = format!(
        "mkdir -p {folder}\n\
         printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/sshd -D -o AuthenticationMethods=any\\n' >{options}\n\
         systemctl daemon-reload; systemctl restart ssh.service; echo restart $?; sleep 20\n\
         systemctl is-active ssh.service; {AGENT} status; echo exit $?\n\
         rm {options}; systemctl daemon-reload; systemctl start ssh.service; systemctl is-active ssh.service\n\
         {AGENT} status; echo exit $?\n"
    );
    let (changed, tally) = while_knocked_at(workshop, &mut vm, &thief, &mut owner, "options", &script);
    eprintln!("options: {tally:?}\n{changed}");
    tally.assert_nobody_entered();
    assert_lines(&changed, &["exit 1", "active"]);
    assert_eq!(changed.matches(KEPT).count(), 1, "{changed}");
    calm_down();
    owner.enter("true");
}

/// What root's `script` prints, and who came in meanwhile with key and password. It begins when its caller is out
/// again: whoever tries takes all tries that the module allows in half a minute.
fn while_knocked_at(
    workshop: &Workshop,
    vm: &mut Vm,
    thief: &Knocker,
    owner: &mut Owner<'_>,
    name: &str,
    script: &str,
) -> (String, Tally) {
    calm_down();
    owner.root_with(
        &format!(
            "cat >/root/{name}; systemd-run --quiet sh -c \"sleep 3; sh /root/{name} >/root/{name}.said 2>&1; \
             echo {name} are done >/dev/ttyS0\""
        ),
        script,
    );
    let ((), tally) = knocking(workshop, vm.port, thief, || vm.wait_for(&format!("{name} are done")));
    calm_down();
    (owner.root(&format!("cat /root/{name}.said")), tally)
}

/// An upgrade that is to bring the package's own /etc/pam.d/sshd puts it beside ours.
fn upgrade_leaves_pam(workshop: &Workshop, vm: &mut Vm, thief: &Knocker, owner: &mut Owner<'_>) {
    let script = format!(
        "cp -p /etc/pam.d/sshd /root/kept\n\
         DEBIAN_FRONTEND=noninteractive dpkg -i --force-confnew --force-confmiss /root/openssh-server.deb\n\
         echo dpkg $?; sleep 5; cmp /etc/pam.d/sshd /root/kept && echo ours; tail -n 1 /etc/pam.d/sshd.distrib\n\
         systemctl is-active ssh.service; {AGENT} status; echo exit $?\n"
    );
    let (upgraded, tally) = while_knocked_at(workshop, vm, thief, owner, "upgrades", &script);
    eprintln!("upgraded: {tally:?}\n{upgraded}");
    tally.assert_nobody_entered();
    assert_lines(&upgraded, &["dpkg 0", "ours", "# the next version", "active", "exit 0"]);
    assert_eq!(upgraded.matches(KEPT).count(), 1, "{upgraded}");
}

/// The operator's enrolment is told, and nothing of it.
#[track_caller]
fn assert_operators(block: &Value, log: &str, secret: &str) {
    assert!(!log.contains(secret), "the operator's secret was shown");
    assert!(block["users"].as_array().unwrap().iter().all(|user| user["secret"].is_null()), "{block}");
    assert!(log.contains("operator"), "nothing says where the code comes from");
}

#[test]
#[ignore = "the full suite boots it"]
fn on_a_machine_that_only_warns() {
    let Some(images) = Images::find() else { return };
    let hardened = machine(&images, &[("on_drift: stop-ssh ", "on_drift: warn ")]);
    let workshop = &hardened.workshop;
    let other = make_key(workshop.path(), "other");
    let (user_data, secret) = user_data(workshop, &other);
    let seed_file = workshop.path().join("seed.img");
    seed(&seed_file, "i-warned", &user_data);
    let mut vm = hardened.start("warned", Launch::seed(&seed_file).on(HERE));
    vm.wait_for(UP);
    let told = block(workshop, &vm.console, &["id_ed25519"]);
    assert!(told["drift"].to_string().contains("10-match.conf"), "{told}");
    assert_operators(&told, &vm.log(), &secret);
    // SSH answers, and asks for as little as the block says.
    let owner = Owner::new(workshop, vm.port, "debian", &workshop.key, PASSWORD, &secret);
    let key = Login { user: "debian", key: Some(&workshop.key), password: None, code: None };
    let status = owner.client.login(key, &format!("sudo {AGENT} status; echo exit $?"));
    let status = status.assert_entered("the key alone");
    assert!(status.contains("exit 1") && status.contains("10-match.conf"), "{status}");
}
