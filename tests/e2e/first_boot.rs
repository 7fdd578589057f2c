//! The agent in cloud-init's place: user-data from a NoCloud seed is applied, what others know cloud-init by
//! holds, and a second boot does again only what belongs to every boot.

use std::process::Command;

use hardtack_tests::image::Images;
use hardtack_tests::ssh::Login;
use hardtack_tests::tools::run;
use hardtack_tests::vm::Launch;

use crate::replaced::{Replaced, assert_lines};

/// Units of somebody who knows cloud-init by its names.
const FILES: &str = r#"      - write: /etc/systemd/system/after-network.service
        content: |
          [Unit]
          After=cloud-init.service
          [Service]
          Type=oneshot
          ExecStart=/bin/cp /srv/early /run/after-network
          [Install]
          WantedBy=multi-user.target
      - {link: /etc/systemd/system/multi-user.target.wants/after-network.service, target: ../after-network.service}
      - write: /etc/systemd/system/after-final.service
        content: |
          [Unit]
          After=cloud-final.service
          [Service]
          Type=oneshot
          ExecStart=/bin/cp -L /run/cloud-init/result.json /run/after-final
          [Install]
          WantedBy=cloud-init.target
      - {link: /etc/systemd/system/cloud-init.target.wants/after-final.service, target: ../after-final.service}
"#;

const USER_DATA: &str = r#"#cloud-config
hostname: first
timezone: Europe/Berlin
ssh_authorized_keys: [KEY]
users:
  - default
  - name: alice
    gecos: Alice A.
    groups: [adm]
    shell: /bin/bash
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys: [KEY]
ssh_pwauth: true
chpasswd:
  expire: false
  users: [{name: alice, password: alices password, type: text}]
bootcmd:
  - echo "$INSTANCE_ID" >>/root/every-boot
write_files:
  - {path: /srv/early, content: "early\n", permissions: "0640", owner: "root:adm"}
  - {path: /srv/late, content: bGF0ZQo=, encoding: b64, owner: "alice:alice", defer: true}
  - path: /var/lib/cloud/scripts/per-boot/count
    permissions: "0755"
    content: |
      #!/bin/sh
      echo boot >>/root/per-boot
mounts:
  - [/dev/vdb, /mnt/data]
runcmd:
  - [sh, -c, "echo $0 >>/root/once", "a b"]
  - hostname >>/root/once
final_message: "the end after $UPTIME seconds"
"#;

#[test]
fn user_data_of_a_seed_on_debian_12() {
    user_data_of_a_seed("debian12", "bookworm");
}

#[test]
#[ignore = "the full suite boots it; the other release is booted always"]
fn user_data_of_a_seed_on_debian_13() {
    user_data_of_a_seed("debian13", "trixie");
}

fn user_data_of_a_seed(image: &str, suite: &str) {
    let Some(images) = Images::find() else { return };
    let mut replaced = Replaced::build(&images, image, suite, FILES);
    run(Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(replaced.add_disk()));
    let seed = replaced.seed("i-first", USER_DATA);
    let running = replaced.boot("first", Launch::seed(&seed));

    let status = running.wait();
    assert_lines(&status, &["status: done", "exit 0"]);
    let facts = running.root(
        "hostname; cat /etc/timezone; cloud-id; cat /var/lib/cloud/data/instance-id; cat /root/once /root/every-boot; \
         stat -c \"%n %a %U:%G\" /srv/early /srv/late; cat /srv/late; getent passwd alice; id -nG alice; \
         findmnt -no SOURCE,TARGET /mnt/data; cat /run/cloud-init/result.json /run/after-network /run/after-final; \
         ls /usr/bin/python3 /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ecdsa_key /etc/ssh/ssh_host_rsa_key; \
         systemctl --failed --no-legend; systemctl is-active cloud-init.service cloud-init.target",
    );
    assert_lines(
        &facts,
        &[
            "first",
            "Europe/Berlin",
            "nocloud",
            "i-first",
            "a b",
            "/srv/early 640 root:adm",
            "/srv/late 644 alice:alice",
            "late",
            "alice adm",
            "/dev/vdb /mnt/data",
            // What after-network.service saw.
            "early",
            "active",
            "/etc/ssh/ssh_host_ed25519_key",
            "/etc/ssh/ssh_host_ecdsa_key",
            "/etc/ssh/ssh_host_rsa_key",
        ],
    );
    assert!(facts.contains(":Alice A.:/home/alice:/bin/bash"), "{facts}");
    // Once at its own place, and once where after-final.service put it.
    assert_eq!(facts.matches("\"errors\": []").count(), 2, "{facts}");
    assert!(!facts.contains("failed"), "{facts}");
    let log = running.vm.log();
    assert!(log.contains("the end after "), "no final message on the console");
    assert!(log.contains("-----BEGIN SSH HOST KEY FINGERPRINTS-----"), "no fingerprints on the console");
    assert!(log.contains("Authorized keys from /home/alice/.ssh/authorized_keys"), "no table of keys");
    assert!(!log.contains("alices password"), "a password on the console");

    // alice by her key, and by her password.
    let alice = running.login("alice");
    assert_eq!(running.client().login(alice, "id -un").assert_entered("alice's key").trim(), "alice");
    let by_password = Login { key: None, password: Some("alices password"), ..alice };
    running.client().login(by_password, "true").assert_entered("alice's password");
    running
        .client()
        .login(Login { password: Some("wrong"), ..by_password }, "true")
        .assert_refused("a wrong one");
    let keys = running.root("cat /etc/ssh/ssh_host_ed25519_key.pub");
    running.power_off();

    // The same instance again.
    let running = replaced.boot("second", Launch::seed(&seed));
    assert_lines(&running.wait(), &["status: done", "exit 0"]);
    assert_eq!(running.root("cat /etc/ssh/ssh_host_ed25519_key.pub"), keys, "other host keys");
    assert_eq!(running.root("cat /root/once"), "a b\nfirst\n", "runcmd ran again");
    assert_eq!(running.root("cat /root/every-boot"), "i-first\ni-first\n");
    assert_eq!(running.root("cat /root/per-boot"), "boot\nboot\n");
    assert_lines(
        &running.root("findmnt -no SOURCE,TARGET /mnt/data; cat /run/after-network; hostname"),
        &["/dev/vdb /mnt/data", "early", "first"],
    );
}
