#![allow(clippy::unwrap_used)]
//! Programs as their packages lay them out.

use hardtack_guest::{MemoryTree, Stage};

use super::*;

const STATUS: &str = "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n\n\
                      Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n";

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/var/lib/dpkg/status", STATUS)
        .file("/var/lib/dpkg/arch", "")
        .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n")
        .file("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
        .dir("/etc/systemd/system")
}

/// Applies the step twice; what differs from the image, path by path.
fn run<'t>(tree: &'t MemoryTree, id: &str) -> Result<(Stage<'t>, Vec<String>), String> {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    apply(id, &mut cx).map_err(|error| error.to_string())?;
    let first = cx.stage.edits().unwrap().len();
    apply(id, &mut cx).map_err(|error| error.to_string())?;
    assert_eq!(cx.stage.edits().unwrap().len(), first);
    let notes = cx.notes.iter().map(|note| note.text.clone()).collect();
    Ok((stage, notes))
}

fn paths(stage: &Stage<'_>) -> Vec<String> {
    stage.edits().unwrap().iter().map(|edit| edit.path.to_string()).collect()
}

#[test]
fn what_is_not_there_changes_nothing() {
    let tree = debian();
    for agent in CLOUD_AGENTS {
        assert!(paths(&run(&tree, agent.id).unwrap().0).is_empty(), "{}", agent.id);
    }
}

#[test]
fn a_unit_is_masked_and_a_snap_gets_a_drop_in() {
    let tree = debian()
        .file("/usr/bin/amazon-ssm-agent", "")
        .file("/lib/systemd/system/amazon-ssm-agent.service", "[Service]\n");
    let (stage, _) = run(&tree, "amazon-ssm-agent").unwrap();
    let mask = "/etc/systemd/system/amazon-ssm-agent.service";
    assert_eq!(paths(&stage), [mask]);
    assert_eq!(stage.read_link(mask).unwrap().unwrap(), "/dev/null");

    let snap = "/etc/systemd/system/snap.amazon-ssm-agent.amazon-ssm-agent.service";
    let tree = debian().link("/snap/bin/amazon-ssm-agent", "/usr/bin/snap").file(snap, "[Service]\n");
    let (stage, _) = run(&tree, "amazon-ssm-agent").unwrap();
    let text = stage.read_text(&format!("{snap}.d/50-hardtack.conf")).unwrap().unwrap();
    assert!(text.contains("[Unit]\nConditionPathExists=!/\n"), "{text}");
    assert!(stage.read_text(snap).unwrap().is_some());

    let trusty = MemoryTree::new()
        .file("/usr/sbin/waagent", "")
        .file("/etc/init/walinuxagent.conf", "exec /usr/sbin/waagent -daemon\n");
    let (stage, _) = run(&trusty, "walinuxagent").unwrap();
    assert_eq!(stage.read_text("/etc/init/walinuxagent.override").unwrap().unwrap(), "manual\n");
}

#[test]
fn sshd_asks_instance_connect_no_more() {
    let program = "/usr/share/ec2-instance-connect/eic_run_authorized_keys";
    // Ubuntu's package: options of the unit.
    let drop_in = "ssh.service.d/ec2-instance-connect.conf";
    let options = format!(
        "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS -o \"AuthorizedKeysCommand {program} %%u %%f\" \
         -o \"AuthorizedKeysCommandUser ec2-instance-connect\"\n"
    );
    let brought =
        debian().file(program, "").file(&format!("/usr/lib/systemd/system/{drop_in}"), options.as_str());
    let (stage, _) = run(&brought, "ec2-instance-connect").unwrap();
    assert_eq!(stage.read_link(&format!("/etc/systemd/system/{drop_in}")).unwrap().unwrap(), "/dev/null");
    let folder = "/etc/systemd/system/ssh.service.d";
    assert_eq!(paths(&stage), [folder.to_owned(), format!("/etc/systemd/system/{drop_in}")]);

    // Amazon Linux': lines of the configuration, here in a block besides.
    let line = "AuthorizedKeysCommand /opt/aws/bin/eic_run_authorized_keys %u %f";
    let text = format!("{line}\nAuthorizedKeysCommandUser ec2-instance-connect\nMatch User ann\n  {line}\n");
    let written =
        debian().file("/opt/aws/bin/eic_run_authorized_keys", "").file("/etc/ssh/sshd_config", text.as_str());
    let (stage, _) = run(&written, "ec2-instance-connect").unwrap();
    let now = stage.read_text("/etc/ssh/sshd_config").unwrap().unwrap();
    assert_eq!(now.matches("# hardtack: override: AuthorizedKeysCommand /opt").count(), 2, "{now}");

    // An administrator's unit is nobody's to edit.
    let own = debian().file(program, "").file(&format!("/etc/systemd/system/{drop_in}"), options.as_str());
    let error = run(&own, "ec2-instance-connect").map(|_| ()).unwrap_err();
    assert!(error.contains("/etc/systemd/system/ssh.service.d/ec2-instance-connect.conf:3"), "{error}");
    // Somebody else's command stays.
    let sss = debian().file(program, "").file(
        "/etc/ssh/sshd_config",
        "AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys\nAuthorizedKeysCommandUser nobody\n",
    );
    assert!(paths(&run(&sss, "ec2-instance-connect").unwrap().0).is_empty());
}

#[test]
fn a_package_without_scripts_goes() {
    let status = format!(
        "{STATUS}Package: afterburn\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.8\n\n\
         Package: qemu-guest-agent\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:7.2\n\n"
    );
    let tree = debian()
        .file("/var/lib/dpkg/status", status)
        .file("/var/lib/dpkg/info/format", "1\n")
        .file("/var/lib/dpkg/info/afterburn.list", "/.\n/usr\n/usr/bin\n/usr/bin/afterburn\n")
        .file("/usr/bin/afterburn", "")
        .file("/var/lib/dpkg/info/qemu-guest-agent.list", "/.\n/usr\n/usr/sbin\n/usr/sbin/qemu-ga\n")
        .file("/var/lib/dpkg/info/qemu-guest-agent.prerm", "#!/bin/sh\n")
        .file("/usr/sbin/qemu-ga", "")
        .file("/usr/lib/systemd/system/qemu-guest-agent.service", "[Service]\n");
    let (stage, notes) = run(&tree, "afterburn").unwrap();
    assert!(stage.lstat("/usr/bin/afterburn").unwrap().is_none());
    assert_eq!(notes[0], "the package afterburn is removed");
    let (stage, notes) = run(&tree, "qemu-guest-agent").unwrap();
    assert!(stage.lstat("/usr/sbin/qemu-ga").unwrap().is_some());
    assert!(notes[0].starts_with("the package qemu-guest-agent stays ("), "{notes:?}");
}

#[test]
fn what_nothing_is_known_to_start_is_refused() {
    let tree = debian().file("/usr/bin/vmtoolsd", "");
    let error = run(&tree, "vmware-tools").map(|_| ()).unwrap_err();
    assert!(error.contains("/usr/bin/vmtoolsd"), "{error}");
}
