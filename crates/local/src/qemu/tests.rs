#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::instance::{DiskBus, Like, Spec, Volume};

fn spec() -> Spec {
    Spec {
        id: "i-0123456789abcdef0".to_owned(),
        instance_type: "t3.small".to_owned(),
        processors: 2,
        memory: 2048,
        ephemeral: Some(1 << 30),
        volumes: vec![Volume { size: 1 << 30, device: "/dev/vdc".to_owned() }],
        ..Spec::default()
    }
}

fn line(spec: &Spec, accel: &str, code: Option<&Path>, private: bool, capture: bool) -> String {
    let ports = BTreeMap::from([(22, 40022), (80, 40080)]);
    let private =
        private.then(|| (Link::Switch("/c/networks/lab/switch".into()), "0e:00:00:00:00:01".to_owned()));
    let capture = capture.then_some(Path::new("packets"));
    of_spec(spec, accel, &ports, "/proc/1/exe relay metadata", code, private, capture).arguments().join("\n")
}

#[test]
fn the_command_line_of_an_instance_as_of_ec2() {
    let uuid = "ec201234-5678-4abc-8ef0-0123456789ab";
    let drive = |number, file: &str| {
        format!("-drive\nif=none,id=disk{number},format=qcow2,file={file},cache=unsafe,discard=unmap")
    };
    let expected = [
        "-nodefaults\n-no-user-config\n-machine\nq35\n-accel\ntcg,thread=multi\n-cpu\nmax\n-smp\n2\n-m\n2048"
            .to_owned(),
        "-display\nnone\n-vga\nnone\n-device\nvirtio-rng-pci".to_owned(),
        format!("-uuid\n{uuid}"),
        "-smbios\ntype=0,vendor=Amazon EC2,version=1.0".to_owned(),
        format!("-smbios\ntype=1,manufacturer=Amazon EC2,product=t3.small,uuid={uuid},serial={uuid}"),
        "-smbios\ntype=2,manufacturer=Amazon EC2,asset=i-0123456789abcdef0".to_owned(),
        "-smbios\ntype=3,manufacturer=Amazon EC2,asset=Amazon EC2".to_owned(),
        drive(0, "root.qcow2"),
        "-device\nvirtio-blk-pci,drive=disk0,serial=vol0023456789abcdef0,bootindex=0".to_owned(),
        drive(1, "ephemeral0.qcow2"),
        "-device\nvirtio-blk-pci,drive=disk1,serial=AWS0023456789abcdef0".to_owned(),
        drive(2, "volume-0.qcow2"),
        "-device\nvirtio-blk-pci,drive=disk2,serial=vol0123456789abcdef0".to_owned(),
        "-netdev\nuser,id=net0,net=169.254.0.0/16,dhcpstart=169.254.0.15,hostfwd=tcp:127.0.0.1:40022-:22,\
         hostfwd=tcp:127.0.0.1:40080-:80,guestfwd=tcp:169.254.169.254:80-cmd:/proc/1/exe relay metadata"
            .to_owned(),
        "-device\nvirtio-net-pci,netdev=net0,mac=0a:01:23:45:67:89".to_owned(),
        "-chardev\nfile,id=console,path=console.log\n-serial\nchardev:console".to_owned(),
        "-qmp\nunix:monitor,server=on,wait=off".to_owned(),
    ];
    assert_eq!(line(&spec(), "tcg", None, false, false), expected.join("\n"));
}

#[test]
fn eucalyptus_has_no_marks_and_a_uuid_of_its_own() {
    let spec = Spec { like: Like::Eucalyptus, ..spec() };
    let line = line(&spec, "kvm", None, false, false);
    assert!(!line.contains("-smbios") && !line.contains("ec2"), "{line}");
    assert!(line.contains("-uuid\nda701234-5678-4abc-8ef0-0123456789ab"), "{line}");
    assert!(line.contains("-accel\nkvm\n"), "{line}");
}

#[test]
fn nvme_disks_have_the_serials_of_ebs() {
    let line = line(&Spec { disk_bus: DiskBus::Nvme, ..spec() }, "tcg", None, false, false);
    assert!(line.contains("-device\nnvme,drive=disk0,serial=vol0023456789abcdef0,bootindex=0\n"), "{line}");
    assert!(line.contains("-device\nnvme,drive=disk1,serial=AWS0023456789abcdef0\n"), "{line}");
    assert!(!line.contains("virtio-blk"), "{line}");
}

#[test]
fn a_private_network_is_the_second_card_and_is_captured() {
    let line = line(&spec(), "tcg", None, true, true);
    assert!(
        line.contains(
            "-netdev\nstream,id=net1,server=off,addr.type=unix,addr.path=/c/networks/lab/switch,reconnect-ms=1000"
        ),
        "{line}"
    );
    assert!(line.contains("-object\nfilter-dump,id=dump1,netdev=net1,file=packets"), "{line}");
    assert!(!line.contains("dump0") && !line.contains("-boot"), "{line}");
    let alone = super::tests::line(&spec(), "tcg", None, false, true);
    assert!(alone.contains("-object\nfilter-dump,id=dump0,netdev=net0,file=packets"), "{alone}");
}

#[test]
fn a_machine_boots_from_its_network_once() {
    let spec = Spec { netboot: true, ..spec() };
    let bios = line(&spec, "tcg", None, true, false);
    assert!(bios.contains("-boot\norder=cn,once=nc,reboot-timeout=5000"), "{bios}");
    assert!(!bios.contains("bootindex"), "{bios}");
    assert!(bios.contains("mac=0a:01:23:45:67:89,romfile=\n"), "{bios}");
    let uefi = line(&spec, "tcg", Some(Path::new("/usr/share/a,b/CODE.fd")), true, false);
    assert!(uefi.contains("netdev=net1,mac=0e:00:00:00:00:01,bootindex=0"), "{uefi}");
    assert!(uefi.contains("serial=vol0023456789abcdef0,bootindex=1"), "{uefi}");
    assert!(
        uefi.contains("-drive\nif=pflash,unit=0,format=raw,readonly=on,file=/usr/share/a,,b/CODE.fd"),
        "{uefi}"
    );
    assert!(uefi.contains("-drive\nif=pflash,unit=1,format=raw,file=variables.fd"), "{uefi}");
}

#[test]
fn every_id_has_a_uuid_and_a_hardware_address() {
    for id in ["", "i-1", "i-0123456789abcdef0", "i-ffffffffffffffffffffffffffffffff"] {
        let uuid = uuid(&Spec { id: id.to_owned(), ..Spec::default() });
        assert_eq!((uuid.len(), uuid.matches('-').count()), (36, 4), "{uuid}");
        assert!(uuid.starts_with("ec2"), "{uuid}");
        assert_eq!(mac(id).len(), 17, "{id}");
    }
}

#[test]
fn secrets_stay_here() {
    assert!(
        is_secret("AWS_SECRET_ACCESS_KEY") && is_secret("EC2_ACCESS_KEY") && is_secret("aws_session_token")
    );
    assert!(is_secret("MYSQL_PWD") && is_secret("OPENAI_API_KEY") && is_secret("SSH_AUTH_SOCK"));
    for plain in ["PATH", "HOME", "PWD", "OLDPWD", "LANG", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH"] {
        assert!(!is_secret(plain), "{plain}");
    }
}

#[test]
fn what_is_known_of_kvm_holds_for_this_qemu_and_this_boot() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment {
        variables: BTreeMap::from([("PATH".to_owned(), folder.path().display().to_string())]),
        home: None,
        now: std::time::SystemTime::now,
        sleep: |_| {},
        random: |_| {},
        trace: None,
    };
    std::fs::write(folder.path().join(QEMU), "one").unwrap();
    let verdict = Verdict::new(folder.path(), &environment);
    assert_eq!(verdict.get(), None);
    verdict.keep(Kvm::Hangs);
    assert_eq!(Verdict::new(folder.path(), &environment).get(), Some(Kvm::Hangs));
    std::fs::write(folder.path().join(QEMU), "another").unwrap();
    assert_eq!(Verdict::new(folder.path(), &environment).get(), None);
    std::fs::write(folder.path().join("accel.json"), "[[[").unwrap();
    assert_eq!(verdict.get(), None);
}

#[test]
fn a_port_that_cannot_be_had_is_told_without_options_of_qemu() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = can_listen(port, 80).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("port {port} of 127.0.0.1 is in use; give another one, or let one be chosen: --port 80")
    );
    drop(listener);
    assert!(can_listen(port, 80).is_ok());
    let error = no_port(80, 443, true).to_string();
    assert!(error.contains("below 1024") && error.contains("--port 8080:443"), "{error}");
}
