//! Instances with a QEMU that is none: this test program plays it, and the supervisor, too.

// A test that cannot run says so.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hardtack_cloud::Environment;

use super::*;
use crate::{Error, supervisor};

/// Set where this program is to play something: the directory of an instance.
const SUPERVISOR: &str = "HARDTACK_PLAY_SUPERVISOR";
const QEMU: &str = "HARDTACK_PLAY_QEMU";
const SWITCH: &str = "HARDTACK_PLAY_SWITCH";
/// The program that all of them are.
const PROGRAM: &str = "HARDTACK_PLAY_PROGRAM";

fn environment(path: &str) -> Environment {
    Environment {
        variables: BTreeMap::from([("PATH".to_owned(), path.to_owned())]),
        home: None,
        now: SystemTime::now,
        sleep: std::thread::sleep,
        random: |bytes| {
            use std::io::Read as _;
            std::fs::File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
        },
        trace: None,
    }
}

struct World {
    folder: tempfile::TempDir,
    environment: Environment,
    instances: Instances,
    program: Program,
}

impl World {
    /// `qemu` is shell before the program that plays QEMU.
    fn new(qemu: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let this = std::env::current_exe().unwrap();
        let script = |name: &str, text: String| {
            let file = programs.join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
            file
        };
        let play =
            |what: &str| format!("exec '{}' --exact --nocapture instance::tests::{what}\n", this.display());
        script(
            "qemu-system-x86_64",
            format!("#!/bin/sh\necho \"$*\" >>arguments\n{qemu}\n{QEMU}=1 {}", play("plays_qemu")),
        );
        let path_of_program = script(
            "hardtack",
            format!(
                "#!/bin/sh\nexport PATH='{path}' {PROGRAM}=\"$0\"\n\
                 test $1 = switch && {SWITCH}=\"$2\" {}\
                 export {SUPERVISOR}=\"$2\"\n{}",
                play("plays_the_switch"),
                play("plays_the_supervisor")
            ),
        );
        let instances = Instances::new(&folder.path().join("catalog"));
        let program = Program { path: path_of_program };
        Self { environment: environment(&path), folder, instances, program }
    }

    fn spec(&self, digit: char) -> Spec {
        Spec {
            id: format!("i-{}", digit.to_string().repeat(17)),
            architecture: "x86_64".to_owned(),
            processors: 1,
            memory: 64,
            root_size: Some(1 << 20),
            ephemeral: Some(1 << 20),
            accel: Accel::Tcg,
            ..Spec::default()
        }
    }

    fn begin(&self, spec: &Spec) -> Result<Instance, Error> {
        self.instances.begin(spec, b"#cloud-config\n", &self.program, &self.environment)
    }

    fn directory(&self, spec: &Spec) -> PathBuf {
        self.folder.path().join("catalog/instances").join(&spec.id)
    }

    fn names(&self) -> Vec<String> {
        let listed = std::fs::read_dir(self.folder.path().join("catalog/instances")).unwrap();
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !so() {
            assert!(std::time::Instant::now() < deadline, "it never came so far: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for instance in self.instances.all().unwrap_or_default() {
            let _ = self.instances.terminate(&instance.spec.id, &self.environment);
        }
    }
}

#[test]
fn plays_the_supervisor() {
    let Some(directory) = std::env::var_os(SUPERVISOR) else { return };
    let environment = environment(&std::env::var("PATH").unwrap());
    let program = Program { path: PathBuf::from(std::env::var_os(PROGRAM).unwrap()) };
    let code = i32::from(supervisor::run(Path::new(&directory), &program, &environment).is_err());
    std::process::exit(code);
}

#[test]
fn plays_the_switch() {
    let Some(directory) = std::env::var_os(SWITCH) else { return };
    let environment = environment(&std::env::var("PATH").unwrap());
    let code = i32::from(crate::network::switch(Path::new(&directory), &environment).is_err());
    std::process::exit(code);
}

#[test]
fn plays_qemu() {
    if std::env::var_os(QEMU).is_none() {
        return;
    }
    let listener = UnixListener::bind("monitor").unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    writeln!(stream, "{{\"QMP\": {{}}}}").unwrap();
    std::fs::write("console.log", "[    1.0] Run /init as init process\n").unwrap();
    std::thread::spawn({
        let mut stream = stream.try_clone().unwrap();
        move || {
            let mut full = false;
            while !Path::new("poweroff").exists() {
                std::thread::sleep(Duration::from_millis(20));
                if Path::new("full").exists() != full {
                    full = !full;
                    let event =
                        r#"{"event": "BLOCK_IO_ERROR", "data": {"action": "stop", "reason": "No space"}}"#;
                    if full {
                        writeln!(stream, "{event}").unwrap();
                    }
                }
            }
            let event = r#"{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}"#;
            writeln!(stream, "{event}").unwrap();
            std::process::exit(0);
        }
    });
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap();
        let answer = match line.contains("blockstats") {
            true => r#"{"return": [{"stats": {"rd_operations": 7, "wr_operations": 0}}]}"#,
            false => r#"{"return": {}}"#,
        };
        writeln!(stream, "{answer}").unwrap();
        if line.contains("\"cont\"") && !Path::new("full").exists() {
            writeln!(stream, r#"{{"event": "RESUME"}}"#).unwrap();
        }
    }
    std::process::exit(0);
}

#[test]
fn an_instance_runs_until_it_is_terminated_and_leaves_nothing() {
    let world = World::new("");
    let spec = world.spec('a');
    let begun = world.begin(&spec).unwrap();
    assert_eq!((begun.state.name.as_str(), begun.accel.as_deref()), ("running", Some("tcg")));
    assert!(begun.ports.contains_key(&22));
    let directory = world.directory(&spec);
    let mode = |name: &str| directory.join(name).symlink_metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("user-data"), mode("instance.json")), (0o700, 0o600, 0o600));
    assert_eq!((mode("control"), mode("metadata"), mode("monitor")), (0o600, 0o600, 0o600));
    assert_eq!(world.instances.find(&spec.id).unwrap(), Some(begun.clone()));
    assert_eq!(world.instances.all().unwrap(), [begun]);
    // Another of the same id does not disturb it.
    assert!(world.begin(&spec).unwrap_err().to_string().contains("already"));
    world.until("console", || world.instances.console(&spec.id, 8).unwrap().is_some_and(|(_, all)| all > 0));
    let (last, all) = world.instances.console(&spec.id, 8).unwrap().unwrap();
    assert_eq!((last.as_slice(), all), (b"process\n".as_slice(), 36));
    // Two that end it at once: one has done it.
    let ended = std::thread::scope(|scope| {
        let end = || world.instances.terminate(&spec.id, &world.environment).unwrap();
        let other = scope.spawn(end);
        [end(), other.join().unwrap()].into_iter().filter(|ended| *ended).count()
    });
    assert_eq!(ended, 1);
    assert_eq!(world.names(), [""; 0]);
    assert_eq!(world.instances.find(&spec.id).unwrap(), None);
    assert!(!world.instances.terminate(&spec.id, &world.environment).unwrap());
}

#[test]
fn an_instance_that_switches_itself_off_is_stopped() {
    let world = World::new("");
    let spec = world.spec('b');
    world.begin(&spec).unwrap();
    std::fs::write(world.directory(&spec).join("poweroff"), "").unwrap();
    world.until("stopped", || world.instances.find(&spec.id).unwrap().unwrap().state.name == "stopped");
    let reason = world.instances.find(&spec.id).unwrap().unwrap().state.reason.unwrap();
    assert!(reason.contains("InstanceInitiatedShutdown"), "{reason}");
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
}

#[test]
fn a_supervisor_that_is_killed_takes_qemu_with_it() {
    let world = World::new("echo $$ >qemu.pid");
    let spec = world.spec('c');
    let process = world.begin(&spec).unwrap().process.unwrap();
    let qemu = std::fs::read_to_string(world.directory(&spec).join("qemu.pid")).unwrap();
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    world.until("stopped", || world.instances.find(&spec.id).unwrap().unwrap().state.name == "stopped");
    let found = world.instances.find(&spec.id).unwrap().unwrap();
    assert_eq!(found.state.reason.as_deref(), Some("its supervisor was killed"));
    if crate::qemu::find("setpriv", &world.environment).is_some() {
        let stat = format!("/proc/{}/stat", qemu.trim());
        let gone = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
        world.until("QEMU's end", gone);
    } else {
        eprintln!("SKIPPED: no setpriv here, and without it QEMU outlives its supervisor");
    }
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn what_qemu_says_is_told_and_nothing_is_left() {
    let world = World::new("echo 'qemu-system-x86_64: cannot set up guest memory' >&2; exit 1");
    let error = world.begin(&world.spec('d')).unwrap_err().to_string();
    assert!(error.contains("cannot set up guest memory"), "{error}");
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_port_that_somebody_took_meanwhile_is_another_one() {
    let refuse = "port=$(expr \"$*\" : '.*hostfwd=tcp:127.0.0.1:\\([0-9]*\\)-:22')\n\
        test $(wc -l <arguments) -gt 1 || { echo \"Could not set up host forwarding rule \
        'tcp:127.0.0.1:$port-:22'\" >&2; exit 1; }";
    let world = World::new(refuse);
    let spec = world.spec('e');
    let begun = world.begin(&spec).unwrap();
    let arguments = std::fs::read_to_string(world.directory(&spec).join("arguments")).unwrap();
    assert_eq!(arguments.lines().count(), 2);
    let line = arguments.lines().last().unwrap();
    assert!(line.contains(&format!("127.0.0.1:{}-:22", begun.ports[&22])), "{line}");
    // One that was asked for is not changed in silence.
    let asked = Spec { ports: vec![Port { guest: 22, host: Some(40_999) }], ..world.spec('f') };
    let error = world.begin(&asked).unwrap_err().to_string();
    assert!(error.contains("port 40999 of 127.0.0.1 is in use"), "{error}");
    assert!(!error.contains("hostfwd") && !error.contains("forwarding rule"), "{error}");
}

#[test]
fn what_a_kill_left_half_made_is_begun_anew_or_removed() {
    let world = World::new("");
    let (one, other) = (world.spec('1'), world.spec('2'));
    let half = |spec: &Spec| world.folder.path().join("catalog/instances").join(format!(".{}", spec.id));
    for spec in [&one, &other] {
        std::fs::create_dir_all(half(spec)).unwrap();
        std::fs::write(half(spec).join("root.qcow2"), "half").unwrap();
    }
    assert_eq!(world.instances.all().unwrap(), []);
    world.begin(&one).unwrap();
    assert!(world.instances.terminate(&other.id, &world.environment).unwrap());
    assert_eq!(world.names(), std::slice::from_ref(&one.id));
    // One that has its name and was never started.
    let never = world.spec('3');
    std::fs::create_dir(world.directory(&never)).unwrap();
    write_value(&world.directory(&never).join("instance.json"), &never).unwrap();
    let found = world.instances.find(&never.id).unwrap().unwrap();
    assert_eq!(found.state.name, "stopped");
    assert!(found.state.reason.unwrap().contains("never started"));
    assert!(world.instances.terminate(&never.id, &world.environment).unwrap());
}

#[test]
fn damaged_instances_are_shown_and_can_be_removed() {
    let world = World::new("");
    let spec = world.spec('4');
    std::fs::create_dir_all(world.directory(&spec)).unwrap();
    let path = world.directory(&spec).join("instance.json");
    let moved = serde_json::to_string(&world.spec('5')).unwrap();
    let deep = "[".repeat(100_000);
    for text in ["", "{}", "null", "\u{0}", &moved, &deep] {
        std::fs::write(&path, text).unwrap();
        let all = world.instances.all().unwrap();
        let reason = all[0].state.reason.as_deref().unwrap();
        assert_eq!((all.len(), all[0].spec.id.as_str()), (1, spec.id.as_str()));
        assert!(reason.contains(&spec.id), "{reason}");
    }
    write_value(&path, &spec).unwrap();
    // A pipe that nobody writes to, and a state that is none.
    std::fs::write(world.directory(&spec).join("state.json"), "nonsense").unwrap();
    assert_eq!(world.instances.find(&spec.id).unwrap().unwrap().state.name, "stopped");
    for id in ["", "..", "i-../../etc", "i-0123456789ABCDEF0"] {
        assert!(world.instances.terminate(id, &world.environment).is_err(), "{id}");
        assert_eq!(world.instances.find(id).unwrap(), None, "{id}");
    }
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn what_can_be_known_to_fail_fails_before_anything_is_made() {
    let world = World::new("");
    let spec = world.spec('6');
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let wrong = [
        Spec { id: "web".to_owned(), ..spec.clone() },
        Spec { architecture: "arm64".to_owned(), ..spec.clone() },
        Spec { disk: Some(PathBuf::from("/nowhere/disk.qcow2")), ..spec.clone() },
        Spec { netboot: true, ..spec.clone() },
        Spec { capture: Some(PathBuf::from("lab.pcap")), ..spec.clone() },
        Spec { capture: Some(PathBuf::from("/nowhere/lab.pcap")), ..spec.clone() },
        Spec { network: Some("lab_1".to_owned()), ..spec.clone() },
        Spec { network: Some("lab_1".to_owned()), multicast: true, ..spec.clone() },
        Spec { root_size: Some(0), ..spec.clone() },
        Spec { volumes: vec![Volume { size: 0, device: "/dev/vdc".to_owned() }], ..spec.clone() },
        Spec { ports: vec![Port { guest: 80, host: Some(taken) }], ..spec.clone() },
    ];
    for spec in wrong {
        assert!(world.begin(&spec).is_err(), "{spec:?}");
    }
    assert!(!world.folder.path().join("catalog").exists());
    let named = |name: &str| Spec { network: Some(name.to_owned()), ..spec.clone() };
    let check = |spec: &Spec| world.instances.check(spec, "web-1", &world.environment);
    assert!(matches!(check(&named("lab_1")), Err(Error::Usage(_))));
    assert!(check(&Spec { id: String::new(), ..named("lab-1") }).is_ok());
}

#[test]
fn one_that_was_begun_with_a_name_that_is_none_can_be_removed() {
    let world = World::new("");
    let spec = Spec { network: Some("lab_1".to_owned()), ..world.spec('6') };
    std::fs::create_dir_all(world.directory(&spec)).unwrap();
    write_value(&world.directory(&spec).join("instance.json"), &spec).unwrap();
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn an_image_stays_as_long_as_disks_lie_over_it() {
    let world = World::new("");
    let id = format!("ami-{}", "1".repeat(17));
    let spec = Spec { image: id.clone(), ..world.spec('6') };
    let catalog = crate::catalog::Catalog::new(world.instances.catalog());
    let entry = crate::catalog::Entry { id: id.clone(), name: "web".to_owned(), ..Default::default() };
    let write = |path: &Path| std::fs::write(path, "disk").map_err(|error| Error::file(path, "write", error));
    catalog.add(&entry, write).unwrap();
    world.begin(&spec).unwrap();
    let error = catalog.remove(&id).unwrap_err();
    assert!(matches!(error, Error::Refused(_)) && error.to_string().contains(&spec.id), "{error}");
    assert!(catalog.disk(&id).is_file());
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
    assert!(catalog.remove(&id).unwrap());
}

#[test]
fn a_capture_that_breaks_is_told_and_the_instance_goes_on() {
    let world = World::new("printf 'this is no capture at all' >packets");
    let spec = Spec { capture: Some(world.folder.path().join("lab.pcap")), ..world.spec('6') };
    world.begin(&spec).unwrap();
    let find = || world.instances.find(&spec.id).unwrap().unwrap();
    world.until("the note", || !find().notes.is_empty());
    assert!(find().notes[0].starts_with("packets are not captured any more: "), "{:?}", find().notes);
    assert_eq!(find().state, State { name: "running".to_owned(), reason: None });
}

#[test]
fn a_qemu_that_refuses_kvm_computes_itself() {
    let world = World::new(
        "case \"$*\" in *'-accel kvm'*) echo 'failed to initialize kvm: Operation not permitted' >&2; exit 1;; esac",
    );
    let auto = world.begin(&Spec { accel: Accel::Auto, ..world.spec('7') }).unwrap();
    let why = auto.accel.unwrap();
    assert!(matches!(why.as_str(), "tcg (QEMU refuses KVM here)" | "tcg (no KVM here)"), "{why}");
    let error = world.begin(&Spec { accel: Accel::Kvm, ..world.spec('8') }).unwrap_err().to_string();
    assert!(error.contains("kvm"), "{error}");
}

#[test]
fn a_start_that_failed_takes_no_packets_of_the_next() {
    let header = "\\324\\303\\262\\241\\2\\0\\4\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\4\\0\\1\\0\\0\\0";
    let packet = "\\1\\0\\0\\0\\0\\0\\0\\0\\3\\0\\0\\0\\3\\0\\0\\0abc";
    let world = World::new(&format!(
        "test $(wc -l <arguments) -gt 3 || {{ echo 'host forwarding rule' >&2; exit 1; }}\n\
         printf '{header}{packet}' >packets"
    ));
    let to = world.folder.path().join("lab.pcap");
    let spec = Spec { capture: Some(to.clone()), ..world.spec('9') };
    world.begin(&spec).unwrap();
    world.until("the packet", || std::fs::metadata(&to).unwrap().len() >= 43);
    assert!(std::fs::read(&to).unwrap().ends_with(b"abc"));
    let log = std::fs::read_to_string(world.directory(&spec).join("supervisor.log")).unwrap();
    assert!(!log.contains("capture"), "{log}");
}

#[test]
fn older_qemus_come_back_to_their_switch_in_other_words() {
    for (unknown, expected) in [("reconnect-ms=*", ",reconnect=1 "), ("reconnect*", "/switch.sock -device")] {
        let world = World::new(&format!(
            "case \"$*\" in *,{unknown}) echo \"-netdev stream: Parameter 'reconnect' is unexpected\" >&2; exit 1;; esac"
        ));
        let spec = Spec { network: Some("lab".to_owned()), ..world.spec('a') };
        let begun = world.begin(&spec).unwrap();
        assert!(begun.private_address.unwrap().starts_with("10."));
        let arguments = std::fs::read_to_string(world.directory(&spec).join("arguments")).unwrap();
        let last = arguments.lines().last().unwrap();
        assert!(last.contains(expected), "{last}");
    }
}

#[test]
fn a_disk_without_room_is_told_and_waited_for() {
    let world = World::new("");
    let spec = world.spec('b');
    world.begin(&spec).unwrap();
    let reason = || world.instances.find(&spec.id).unwrap().unwrap().state.reason;
    let full = world.directory(&spec).join("full");
    std::fs::write(&full, "").unwrap();
    world.until("a sign", || reason().is_some_and(|reason| reason.ends_with("No space")));
    assert_eq!(world.instances.find(&spec.id).unwrap().unwrap().state.name, "running");
    std::fs::remove_file(&full).unwrap();
    world.until("it goes on", || reason().is_none());
}

#[test]
fn whatever_is_damaged_it_can_be_terminated() {
    let world = World::new("");
    let spec = Spec { network: Some("lab".to_owned()), ..world.spec('c') };
    world.begin(&spec).unwrap();
    let members = world.folder.path().join("catalog/networks/lab/members.json");
    assert!(std::fs::read_to_string(&members).unwrap().contains(&spec.id));
    std::fs::write(&members, "[").unwrap();
    let other = Spec { network: spec.network.clone(), ..world.spec('d') };
    let error = world.begin(&other).unwrap_err().to_string();
    assert!(error.contains("take another network"), "{error}");
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_qemu_without_a_supervisor_ends_with_its_instance() {
    // Nothing that would live on when it is killed.
    let world = World::new("mkfifo hold; read line <hold");
    let spec = world.spec('e');
    let directory = world.directory(&spec);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::set_permissions(directory.parent().unwrap(), std::fs::Permissions::from_mode(0o700)).unwrap();
    write_value(&directory.join("instance.json"), &spec).unwrap();
    let start = |program: &str| {
        let mut command = std::process::Command::new(program);
        command.arg("1000").current_dir(&directory).spawn().unwrap()
    };
    let mut qemu = start(world.folder.path().join("programs/qemu-system-x86_64").to_str().unwrap());
    // Somebody's shell, say.
    let mut other = start("sleep");
    world.until("it works there", || directory.join("arguments").exists());
    assert!(world.instances.terminate(&spec.id, &world.environment).unwrap());
    assert!(!qemu.wait().unwrap().success());
    assert_eq!(other.try_wait().unwrap(), None);
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_directory_that_others_can_write_to_has_no_instances() {
    let world = World::new("");
    let spec = world.spec('f');
    let above = world.folder.path().join("catalog/instances");
    std::fs::create_dir_all(&above).unwrap();
    std::fs::set_permissions(&above, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let error = world.begin(&spec).unwrap_err().to_string();
    assert!(error.contains("others may write there (mode 1777)"), "{error}");
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn catalogs_may_be_called_anything() {
    let long = "d".repeat(120);
    for name in ["with a space", "a,b=c", "quote's \"and\" $HOME `x` %41", "new\nline", long.as_str()] {
        let world = World::new("");
        let instances = Instances::new(&world.folder.path().join(name));
        let spec = Spec { network: Some("lab".to_owned()), ..world.spec('1') };
        let begun = instances.begin(&spec, b"", &world.program, &world.environment).unwrap();
        assert_eq!(begun.state.name, "running", "{name}");
        assert!(instances.terminate(&spec.id, &world.environment).unwrap());
    }
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new("");
    let other = world.folder.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
    let instances = Instances::new(&other);
    let spec = Spec { network: Some("lab".to_owned()), ..world.spec('2') };
    let begun = instances.begin(&spec, b"", &world.program, &world.environment).unwrap();
    assert_eq!(begun.state.name, "running");
    assert!(instances.terminate(&spec.id, &world.environment).unwrap());
}
