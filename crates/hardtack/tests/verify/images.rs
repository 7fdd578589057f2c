//! A real image, hardened, generalized, with packages and operations.

use std::fs;
use std::process::Command;

use hardtack_tests::image::Images;

use crate::{Bench, agent, control, ids};

const RECIPE: &str = r#"recipe: 1
name: real
steps:
  - generalize
  - packages: {debs: [DEBS]}
  - user: {name: debian, password: {env: DEBIAN_PASSWORD}, authorized_keys: [id.pub]}
  - mfa: {users: [debian], scope: sshd, factors: [publickey, password, totp]}
  - sshd: {PermitRootLogin: "no", X11Forwarding: "no"}
  - files: [{write: /etc/x, content: "x\n"}]
    when: {os: debian}
  - hostname: gate
  - timezone: Europe/Berlin
  - edit: {path: /etc/adduser.conf, match: '^#?DIR_MODE=.*$', with: 'DIR_MODE=0700', expect: 1}
  - move: {from: /etc/issue.net, to: /etc/issue.old}
  - delete: "/var/cache/apt/*"
  - run-command: "date > /root/date"
  - agent: {mode: companion}
"#;

#[test]
fn a_real_image_passes_when_it_was_built_and_says_why_when_not() {
    let Some(images) = Images::find() else { return };
    let Some(bench) = Bench::new() else { return };
    agent(bench.0.path());
    let debs = images.debs("bookworm");
    fs::write(bench.path("r.yaml"), RECIPE.replace("DEBS", debs.to_str().unwrap())).unwrap();
    let key = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(bench.path("id"))
        .output();
    if key.is_err() {
        eprintln!("SKIPPED: ssh-keygen is not installed");
        return;
    }
    let disk = images.disk("debian12");
    let plain = disk.to_str().unwrap();
    let with = ["--agent", "agent"];
    bench.text(0, &[&["build", "r.yaml", "--source", plain, "--output", "b.qcow2"], &with[..]].concat());
    let built = bench.json(0, &[&["verify", "r.yaml", "b.qcow2"], &with[..]].concat());
    assert_eq!(built["counts"]["fail"], 0, "{built}");
    assert_eq!(built["counts"]["not-applicable"], 0, "{built}");
    bench.text(0, &[&["plan", "r.yaml", "b.qcow2", "--detailed-exitcode"], &with[..]].concat());

    let judged = bench.json(1, &[&["verify", "r.yaml", plain], &with[..]].concat());
    assert_eq!(ids(&judged), ids(&built));
    for (id, why) in [
        ("generalize/machine-id", "/etc/machine-id: "),
        ("packages/libqrencode4", "/usr/lib/x86_64-linux-gnu/libqrencode.so.4: is not there"),
        ("sshd/X11Forwarding", "X11Forwarding yes is in force instead of no"),
        ("sshd/PermitRootLogin", "nothing sets PermitRootLogin to no"),
        ("mfa", "/etc/pam.d/sshd: line "),
        ("mfa/ways-in", "holds only together with what does not hold: packages, user, mfa, sshd, agent"),
        ("operations/4 move /etc/issue.old", "/etc/issue.net: is there and should not be"),
        ("agent", "/usr/lib/hardtack/hardtack-agent: is not there"),
    ] {
        let found = control(&judged, id);
        assert_eq!(found["outcome"], "fail", "{found}");
        assert!(found["why"].as_str().unwrap().contains(why), "{found}");
    }
    assert_eq!(control(&judged, "sshd/X11Forwarding")["where"][0]["path"], "/etc/ssh/sshd_config");
}
