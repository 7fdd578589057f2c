//! The process behind a running instance.
//!
//! It has the instance's lock (its standard input, as [`begin`](crate::Instances::begin) gives it), answers for the
//! metadata service, starts QEMU as its child, and writes down in `state.json` how things stand. QEMU ends with it, also
//! when it is killed.

mod control;
mod identity;
mod start;
mod watch;

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use hardtack_cloud::Environment;
use rustix::fs::{CWD, Mode};

use self::watch::{Done, Opinion, Watch, tells_of_programs};
use crate::instance::{
    Accel, Lock, Program, Report, Short, Spec, State, make_disks, read_value, write_value,
};
use crate::network::Member;
use crate::qemu::{GUEST_ADDRESS, Kvm, Link, Monitor, Reconnect, Verdict, kvm_opens, mac};
use crate::{Error, metadata, network, qemu};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Looks between two questions to QEMU's monitor.
const QUESTIONS: u32 = 4;
/// Looks between two at the console's length.
const TRIMS: u32 = 40;
/// What is said of a machine that QEMU has stopped.
const STILL: &str = "stands still, since a disk of it cannot be written, and goes on once it can";
/// Looks until a machine that stands still is told to go on.
const AGAIN: u32 = 12;
/// How much of a console is looked through.
const CONSOLE: u64 = 256 << 10;
/// What people are told of an instance at most.
const NOTES: usize = 16;
/// QEMU is asked to end, and then killed.
const END: Duration = Duration::from_secs(5);

/// Runs the instance in `directory` until it ends: the body of a hidden verb. The thread that calls this is the one that
/// QEMU ends with.
///
/// # Errors
/// It could not be started; `state.json` says why, too.
pub fn run(directory: &Path, program: &Program, environment: &Environment) -> Result<(), Error> {
    let directory = std::fs::canonicalize(directory)
        .map_err(|error| Error::file(directory, "find the instance's directory", error))?;
    let lock = own(&directory)?;
    // A terminal that is closed ends its session, and this is of none. One that leads a session already may stay.
    let _ = rustix::process::setsid();
    Lock::sign(&directory)?;
    let mut report = Report { process: Some(std::process::id()), ..Report::pending() };
    let result = Supervisor::new(&directory, program, environment, &mut report).and_then(|mut it| it.run());
    if let Err(error) = &result {
        report.failed = report.state.name != "running";
        report.state = State { name: "stopped".to_owned(), reason: Some(error.to_string()) };
    }
    write_value(&directory.join("state.json"), &report)?;
    drop(lock);
    result
}

/// The lock: given as standard input, or taken.
fn own(directory: &Path) -> Result<Lock, Error> {
    if let Ok(given) = std::io::stdin().as_fd().try_clone_to_owned() {
        let given = Lock(given.into());
        if given.hold(directory).unwrap_or(false) {
            return Ok(given);
        }
    }
    Lock::take(directory)?.ok_or_else(|| {
        Error::Refused(format!("{}: this instance has a supervisor already", directory.display()))
    })
}

/// How an instance came to its end.
enum End {
    /// Somebody wanted it.
    Asked,
    /// By itself.
    Itself(String),
    /// It stood still under KVM.
    Hangs,
}

struct Supervisor<'a> {
    directory: PathBuf,
    spec: Spec,
    environment: &'a Environment,
    report: &'a mut Report,
    verdict: Verdict,
    member: Option<Member>,
    control: UnixListener,
    requests: Arc<AtomicU64>,
    short: Short,
    /// What KVM had come to when it hung.
    hung: Option<Done>,
    /// What this QEMU knows.
    reconnect: Reconnect,
    /// What threads have to say to people.
    news: (Sender<String>, Receiver<String>),
}

impl<'a> Supervisor<'a> {
    fn new(
        directory: &Path,
        program: &Program,
        environment: &'a Environment,
        report: &'a mut Report,
    ) -> Result<Self, Error> {
        let missing = || Error::Refused(format!("{}: it has no instance.json", directory.display()));
        let spec: Spec = read_value(&directory.join("instance.json"))?.ok_or_else(missing)?;
        let catalog = directory.parent().and_then(Path::parent).unwrap_or(directory);
        let member = match spec.network.as_deref().filter(|_| !spec.multicast) {
            Some(name) => Some(network::join(catalog, name, &spec.id, spec.netboot, program, environment)?),
            None => None,
        };
        // What boots from the network has the address that its server gives.
        let address = member.as_ref().map_or(GUEST_ADDRESS, |member| &member.address);
        report.private_address = (!spec.netboot).then(|| address.to_owned());
        let short = Short::open(directory)?;
        let fail = |what| move |error| Error::file(directory, what, error);
        let control = short.listen("control").map_err(fail("listen on its control socket"))?;
        control.set_nonblocking(true).map_err(fail("listen on its control socket"))?;
        let requests = Arc::new(AtomicU64::new(0));
        let service = short.listen("metadata").map_err(fail("listen on its metadata socket"))?;
        let identity = identity::of(&spec, directory, member.as_ref())?;
        let (counter, random, now) = (requests.clone(), environment.random, environment.now);
        std::thread::spawn(move || {
            let asked = |_: &str, _: &str| {
                counter.fetch_add(1, Ordering::Relaxed);
            };
            // The guest sees that nobody answers; there is nobody else to tell.
            let _ = metadata::serve(&identity, &service, random, now, &asked);
        });
        Ok(Self {
            directory: directory.to_owned(),
            verdict: Verdict::new(catalog, environment),
            spec,
            environment,
            report,
            member,
            control,
            requests,
            short,
            hung: None,
            reconnect: Reconnect::default(),
            news: channel(),
        })
    }

    fn run(&mut self) -> Result<(), Error> {
        let (mut accel, mut why) = self.choose()?;
        loop {
            let tried = accel == "kvm" && self.spec.accel == Accel::Auto && self.verdict.get().is_none();
            let (mut child, monitor) = match self.start(accel) {
                Ok(Some(started)) => started,
                Ok(None) => return self.stopped("terminated"),
                // QEMU may refuse KVM where the device opens.
                Err(error) if accel == "kvm" && self.spec.accel == Accel::Auto && is_of_kvm(&error) => {
                    (accel, why) = ("tcg", Some("QEMU refuses KVM here"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let told = why.or(tried.then_some("being tried"));
            self.report.accel = Some(told.map_or_else(|| accel.to_owned(), |why| format!("{accel} ({why})")));
            self.report.state = State { name: "running".to_owned(), reason: None };
            let written = self.write();
            let end = written.map(|()| self.watch(&mut child, monitor, tried));
            stop(&mut child, self.environment);
            let end = end?;
            match end {
                End::Asked => return self.stopped("terminated"),
                End::Itself(reason) => return self.stopped(&reason),
                End::Hangs => {
                    (accel, why) = ("tcg", Some("KVM hangs here"));
                    let note = format!("KVM hangs here; {} is started anew with TCG", self.spec.id);
                    self.report.notes.push(note);
                    self.requests.store(0, Ordering::Relaxed);
                    make_disks(&self.spec, &self.directory)?;
                    start::variables(&self.spec, &self.directory)?;
                }
            }
        }
    }

    /// The accelerator, and why it is not KVM.
    fn choose(&self) -> Result<(&'static str, Option<&'static str>), Error> {
        match self.spec.accel {
            Accel::Tcg => Ok(("tcg", None)),
            Accel::Kvm => match kvm_opens() {
                Ok(()) => Ok(("kvm", None)),
                Err(why) => Err(Error::Refused(format!("{why}; leave --accel kvm away"))),
            },
            Accel::Auto => Ok(match (kvm_opens(), self.verdict.get()) {
                (Err(_), _) => ("tcg", Some("no KVM here")),
                (Ok(()), Some(Kvm::Hangs)) => ("tcg", Some("KVM hangs here")),
                (Ok(()), _) => ("kvm", None),
            }),
        }
    }

    fn stopped(&mut self, reason: &str) -> Result<(), Error> {
        self.report.state = State { name: "stopped".to_owned(), reason: Some(reason.to_owned()) };
        Ok(())
    }

    fn write(&self) -> Result<(), Error> {
        write_value(&self.directory.join("state.json"), &*self.report)
    }

    /// Looks after QEMU until it ends, or is to end. `tried`: whether KVM works is not known.
    fn watch(&mut self, child: &mut Child, mut monitor: Monitor, tried: bool) -> End {
        let began = (self.environment.now)();
        let mut watch = Watch::default();
        let learn = tried || self.hung.is_some();
        let mut learnt = !learn;
        let mut reason = None;
        let (mut operations, mut writes) = (0, 0);
        let (mut still, mut written) = (None, true);
        for look in 0_u32.. {
            for event in monitor.events() {
                let word = |name| event.data.get(name).and_then(|word| word.as_str()).unwrap_or("");
                match event.name.as_str() {
                    "SHUTDOWN" => reason = Some(word("reason").to_owned()),
                    // QEMU stops a machine whose disk has no room, instead of breaking its file systems.
                    "BLOCK_IO_ERROR" if word("action") == "stop" => {
                        (still, written) = (Some(look), false);
                        // The host is not to be blamed on KVM.
                        learnt = true;
                        self.report.state.reason = Some(format!("it {STILL}: {}", word("reason")));
                    }
                    "RESUME" => {
                        (still, written) = (None, false);
                        self.report.state.reason = None;
                    }
                    _ => {}
                }
            }
            while let Ok(note) = self.news.1.try_recv() {
                // A QEMU that is started anew may have the same to say.
                if self.report.notes.len() < NOTES && !self.report.notes.contains(&note) {
                    self.report.notes.push(note);
                    written = false;
                }
            }
            // Where the disk is full, it may have to be tried again.
            if !written && look % QUESTIONS == 0 {
                written = self.write().is_ok();
            }
            if let Some(since) = still
                && look.wrapping_sub(since) % AGAIN == AGAIN - 1
            {
                // There may be room again. If not, it stops again.
                let _ = monitor.ask("cont", &serde_json::json!({}));
            }
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return End::Itself(self.words(reason.as_deref(), &status.to_string())),
                Err(error) => return End::Itself(format!("QEMU cannot be watched: {error}")),
            }
            if control::asked_to_end(&self.control) {
                return End::Asked;
            }
            if look % TRIMS == 0 {
                start::trim(&self.directory);
            }
            if !learnt && look % QUESTIONS == 0 {
                // A monitor that does not answer shows nothing new.
                if let Ok(found) = monitor.operations() {
                    (operations, writes) = found;
                }
                let (console, all) = start::console(&self.directory, CONSOLE);
                let requests = self.requests.load(Ordering::Relaxed);
                let done = Done { console: all, operations, writes, requests };
                let at = (self.environment.now)().duration_since(began).unwrap_or_default();
                match watch.look(at, done, tells_of_programs(&console)) {
                    // One that waits for a boot server does nothing, and rightly.
                    Opinion::Hangs if tried && !self.spec.netboot => {
                        self.hung = Some(watch.last());
                        return End::Hangs;
                    }
                    Opinion::Runs => {
                        learnt = true;
                        match self.hung {
                            Some(hung)
                                if done.operations > hung.operations || done.console > hung.console =>
                            {
                                self.verdict.keep(Kvm::Hangs);
                            }
                            None => {
                                self.verdict.keep(Kvm::Works);
                                self.report.accel = Some("kvm".to_owned());
                                written = false;
                            }
                            Some(_) => {}
                        }
                    }
                    Opinion::Unknown => {}
                    Opinion::Over | Opinion::Hangs => learnt = true,
                }
            }
            (self.environment.sleep)(PAUSE);
        }
        End::Asked
    }

    /// Why QEMU ended, in EC2's words where it has some.
    fn words(&self, reason: Option<&str>, status: &str) -> String {
        match reason {
            Some("guest-shutdown") => {
                "Client.InstanceInitiatedShutdown: the instance switched itself off".to_owned()
            }
            Some("guest-panic") => "the instance's kernel has crashed".to_owned(),
            Some("host-signal") => "QEMU was told to end by a signal".to_owned(),
            Some(other) if !other.is_empty() => format!("QEMU ended: {other}"),
            _ => {
                let said = crate::instance::last_line(&self.directory.join("supervisor.log"));
                format!("QEMU ended ({status}){said}")
            }
        }
    }

    /// What the second card is connected to.
    fn private(&self) -> Option<(Link, String)> {
        if let Some(member) = &self.member {
            // A socket's name has at most 107 bytes, and QEMU works in the instance's directory.
            let catalog = self.directory.parent().and_then(Path::parent);
            let below = catalog.and_then(|catalog| member.socket.strip_prefix(catalog).ok());
            let socket = below.map_or_else(|| member.socket.clone(), |below| Path::new("../..").join(below));
            return Some((Link::Switch(socket), member.mac.clone()));
        }
        let name = self.spec.network.as_ref()?;
        // FNV-1a: the same name is the same group.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [a, b, c, d] = hash.to_be_bytes();
        let port = 20_000 + u32::from(u16::from_be_bytes([c, d])) % 20_000;
        Some((
            Link::Multicast(format!("239.255.{a}.{b}:{port}")),
            mac(&self.spec.id).replacen("0a:", "0e:", 1),
        ))
    }

    /// Takes packets out of the pipe that QEMU writes them to.
    fn capture(&self) -> Result<Option<PathBuf>, Error> {
        let Some(to) = self.spec.capture.clone() else { return Ok(None) };
        let pipe = self.directory.join("packets");
        // Another one for each start: whoever still waits for a QEMU that never came so far would read a part of this one's.
        let _ = std::fs::remove_file(&pipe);
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .map_err(|error| Error::file(&pipe, "make the pipe", error.into()))?;
        let news = self.news.0.clone();
        std::thread::spawn(move || {
            // It waits until QEMU opens it, too.
            let copied = std::fs::File::open(&pipe)
                .map_err(|error| Error::file(&pipe, "open the pipe", error))
                .and_then(|from| network::capture(from, &to).map(|()| to));
            // Packets that are not kept are no reason to end the instance; it is told.
            if let Err(error) = copied {
                start::log(&pipe.with_file_name("supervisor.log"), &error.to_string());
                let _ = news.send(format!("packets are not captured any more: {error}"));
            }
        });
        Ok(Some(PathBuf::from("packets")))
    }

    fn ports(&self, fixed: &BTreeMap<u16, u16>) -> Result<BTreeMap<u16, u16>, Error> {
        let mut ports = fixed.clone();
        for port in &self.spec.ports {
            if let Some(host) = port.host {
                ports.insert(port.guest, host);
            }
        }
        for guest in std::iter::once(22).chain(self.spec.ports.iter().map(|port| port.guest)) {
            while !ports.contains_key(&guest) {
                let free = qemu::free_port()?;
                if !ports.values().any(|used| *used == free) {
                    ports.insert(guest, free);
                }
            }
        }
        Ok(ports)
    }
}

/// Whether QEMU's last words are about KVM.
fn is_of_kvm(error: &Error) -> bool {
    error.to_string().to_ascii_lowercase().contains("kvm")
}

/// Ends QEMU: `kill` in any case, since all of it is in this process's hands.
fn stop(child: &mut Child, environment: &Environment) {
    let deadline = (environment.now)().checked_add(END);
    if let Some(process) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
        && matches!(child.try_wait(), Ok(None))
    {
        // It flushes what it has of a capture.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }
    while matches!(child.try_wait(), Ok(None)) {
        if deadline.is_none_or(|deadline: SystemTime| (environment.now)() >= deadline) {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        (environment.sleep)(PAUSE / 5);
    }
}
