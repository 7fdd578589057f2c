use super::*;

fn systemd(version: u32) -> MemoryTree {
    tree()
        .file("/etc/machine-id", "00112233445566778899aabbccddeeff\n")
        .file("/usr/lib/systemd/systemd", "")
        .file(&format!("/usr/lib/systemd/libsystemd-shared-{version}.4-1.fc40.so"), "")
}

fn machine_id(tree: &MemoryTree, step: &str) -> (Option<String>, Option<String>) {
    let look = |stage: &Stage<'_>| {
        (stage.read_text("/etc/machine-id").unwrap(), stage.read_link("/var/lib/dbus/machine-id").unwrap())
    };
    staged(tree, step, look).unwrap().2
}

#[test]
fn the_machine_id_is_never_filled() {
    let own = "00112233445566778899aabbccddeeff\n";
    let word = Some("uninitialized\n".to_owned());
    let empty = Some(String::new());
    let step = "- machine-id";
    assert_eq!(machine_id(&systemd(252), step), (word.clone(), None));
    assert_eq!(machine_id(&systemd(246), step), (empty.clone(), None));
    assert_eq!(machine_id(&systemd(252), "- machine-id: {value: empty}"), (empty.clone(), None));
    assert_eq!(machine_id(&systemd(252), "- generalize: {machine-id: empty}"), (empty, None));
    let dbus = systemd(247).file("/var/lib/dbus/machine-id", own);
    assert_eq!(machine_id(&dbus, step), (word.clone(), Some("/etc/machine-id".into())));
    let linked = systemd(247).link("/etc/machine-id", "/data/id").file("/data/id", own);
    assert_eq!(machine_id(&linked, step), (word, None));
    // Without systemd there is no file: an empty one is damaged to D-Bus.
    let other = tree().file("/etc/machine-id", own).file("/var/lib/dbus/machine-id", own);
    assert_eq!(machine_id(&other, step), (None, None));
    let error = failure(&systemd(246), "- machine-id: {value: uninitialized}");
    assert!(error.to_string().contains("systemd 246 does not know"), "{error}");
}

#[test]
fn other_places_that_give_an_id_are_told() {
    let tree = systemd(255)
        .file(
            "/boot/grub/grub.cfg",
            "linux /vmlinuz root=UUID=1 systemd.machine_id=00112233445566778899aabbccddeeff\n",
        )
        .file("/etc/kernel/cmdline", "quiet systemd.machine_id=firmware\n")
        .file("/etc/credstore/system.machine_id", "x");
    let (_, notes, ()) = staged(&tree, "- machine-id", |_| ()).unwrap();
    let told: Vec<&str> = notes.iter().map(|note| note.text.split(' ').next().unwrap()).collect();
    assert_eq!(told, ["/etc/credstore/system.machine_id", "/boot/grub/grub.cfg"]);
}

#[test]
fn host_keys_go_where_somebody_makes_new_ones() {
    let server = tree()
        .file("/usr/sbin/sshd", "")
        .file("/usr/bin/ssh-keygen", "")
        .file(
            "/etc/ssh/sshd_config",
            "HostKey /etc/ssh/ssh_host_rsa_key\nhostkey=\"/data/key\"\nHostKey /no/key\n",
        )
        .file("/data/key", "x")
        .file("/etc/ssh/ssh_host_rsa_key", "x")
        .file("/etc/ssh/ssh_host_rsa_key.pub", "x");
    let error = failure(&server, "- ssh-hostkeys");
    assert!(error.to_string().contains("nothing in this image makes new ones"), "{error}");
    let StepError::Refused { hint: Some(hint), .. } = error else { panic!("{error:?}") };
    assert!(hint.contains("add step `agent`"), "{hint}");

    let (changed, notes, ()) = staged(&server, "- ssh-hostkeys: {optional: true}", |_| ()).unwrap();
    let gone = ["remove /etc/ssh/ssh_host_rsa_key", "remove /etc/ssh/ssh_host_rsa_key.pub"];
    assert_eq!(changed, gone);
    let notes: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("/data/key stays"), "{notes:?}");
    assert!(notes[1].contains("sshd would not start"), "{notes:?}");

    let cloud = server.clone().file("/usr/lib/systemd/system/cloud-init.service", "");
    assert_eq!(changes(&cloud, "- ssh-hostkeys"), gone);
    // A key that the recipe brings is one that somebody wants.
    let brought = "- ssh-hostkeys\n- files: [{write: /etc/ssh/ssh_host_rsa_key, content: mine}]";
    assert_eq!(changes(&server, brought).len(), 2);
    // Without a server nobody misses them.
    let none = tree().file("/etc/ssh/ssh_host_rsa_key", "x");
    assert_eq!(changes(&none, "- ssh-hostkeys"), ["remove /etc/ssh/ssh_host_rsa_key"]);
}

#[test]
fn the_name_of_the_iscsi_initiator_is_made_again() {
    let name = "/etc/iscsi/initiatorname.iscsi";
    let red_hat = tree().file(name, "InitiatorName=iqn.1993-08.org.debian:01:abc\n");
    assert_eq!(changes(&red_hat, "- iscsi-iqn"), [format!("remove {name}")]);
    let debian =
        red_hat.file("/usr/lib/open-iscsi/startup-checks.sh", "if grep GenerateName=yes $NAMEFILE\n");
    let (_, _, text) = staged(&debian, "- iscsi-iqn", |stage| stage.read_text(name).unwrap()).unwrap();
    assert_eq!(text.as_deref(), Some("GenerateName=yes\n"));
}
