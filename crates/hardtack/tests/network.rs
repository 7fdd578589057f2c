//! Private networks with the switch as a process of this program.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hardtack_cloud::Environment;
use hardtack_local::network::{Member, join, leave};
use hardtack_local::{Error, Program};

fn environment() -> Environment {
    Environment {
        variables: std::collections::BTreeMap::new(),
        home: None,
        now: SystemTime::now,
        sleep: std::thread::sleep,
        random: |bytes| bytes.fill(1),
        trace: None,
    }
}

fn program() -> Program {
    Program { path: PathBuf::from(env!("CARGO_BIN_EXE_hardtack")) }
}

fn joined(catalog: &Path, instance: &str) -> Member {
    join(catalog, "n", instance, false, &program(), &environment()).unwrap()
}

/// An instance's connection, by the way that QEMU takes.
fn connect(catalog: &Path, instance: &str, member: &Member) -> UnixStream {
    // QEMU's working directory cannot be ours: by a name of it that is short.
    let directory = std::fs::File::open(catalog.join("instances").join(instance)).unwrap();
    let there = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&directory));
    let stream = UnixStream::connect(Path::new(&there).join(&member.socket)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn mac(member: &Member) -> Vec<u8> {
    member.mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn one_switch_for_all_who_come_at_once() {
    let directory = tempfile::tempdir().unwrap();
    // Longer than a socket's address.
    let catalog = directory.path().join("c".repeat(120));
    for instance in ["i-1", "i-2", "i-3"] {
        std::fs::create_dir_all(catalog.join("instances").join(instance)).unwrap();
    }
    let members: Vec<Member> = std::thread::scope(|scope| {
        let threads = ["i-1", "i-2", "i-3"].map(|instance| scope.spawn(|| joined(&catalog, instance)));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    let mut addresses: Vec<&str> = members.iter().map(|member| member.address.as_str()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    assert_eq!(joined(&catalog, "i-1"), members[0]);
    let mut one = connect(&catalog, "i-1", &members[0]);
    let mut two = connect(&catalog, "i-2", &members[1]);
    let frame = [&[0xff; 6][..], &mac(&members[0]), &[0x88, 0xb5], &[7; 46]].concat();
    let sent = [&[0, 0, 0, 60][..], &frame].concat();
    // What is sent before the other one is known to the switch is lost, as on a wire.
    two.set_nonblocking(true).unwrap();
    let mut got = vec![0; sent.len()];
    let mut tries = 0;
    while two.read(&mut got).is_err() {
        one.write_all(&sent).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        tries += 1;
        assert!(tries < 1000, "nothing comes through the switch");
    }
    assert_eq!(got, sent);
    // A second switch is refused.
    let network = catalog.join("networks/n");
    let second = std::process::Command::new(program().path).arg("switch").arg(&network).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("runs already"));
    leave(&catalog, "n", "i-1").unwrap();
    std::fs::remove_dir_all(catalog.join("instances/i-1")).unwrap();
    // With the directory gone the switch ends by itself.
}

#[test]
fn a_switch_that_does_not_start_is_told() {
    let catalog = tempfile::tempdir().unwrap();
    let program = Program { path: PathBuf::from("/bin/false") };
    let error = join(catalog.path(), "n", "i-1", false, &program, &environment()).unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("does not start")), "{error}");
    let error = join(catalog.path(), "../n", "i-1", false, &program, &environment()).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
}
