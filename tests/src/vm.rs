//! A virtual machine: QEMU with a serial console in a log and on a socket, SSH on a loopback port.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::tools::run;

/// A boot under emulation takes a minute on an idle machine. SSH waits up to 15 for packages that wait for the boot.
const BOOT: Duration = Duration::from_secs(1200);

/// What a kernel says whose timer interrupts did not come in time, on a host that is busy with
/// other things: no fault of the image, so the machine is started again.
const STARVED: &str = "IO-APIC + timer doesn't work";
const STARTS: u32 = 4;

/// A running machine; killed when dropped.
pub struct Vm {
    qemu: Child,
    command: Command,
    starts: u32,
    /// Everything that came over the serial port.
    pub console: PathBuf,
    serial: PathBuf,
    /// Where its port 22 is on this host.
    pub port: u16,
}

/// What to boot.
pub struct Machine<'a> {
    /// The disk, written to.
    pub disk: &'a Path,
    /// Its format.
    pub format: &'a str,
    /// Where it gets identity and user-data from.
    pub launch: Launch<'a>,
    /// A second disk (`/dev/vdb`).
    pub extra: Option<&'a Path>,
    /// NVMe disks and their serial numbers, in the order of their slots.
    pub nvme: &'a [(&'a Path, &'a str)],
    /// Where log and sockets go.
    pub directory: &'a Path,
    /// Names the log.
    pub name: &'a str,
}

/// How a machine is told who it is.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    source: Source<'a>,
    uuid: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Silence,
    Seed(&'a Path),
    Service { port: u16, relay: &'a str },
}

impl<'a> Launch<'a> {
    /// Nobody tells it anything.
    #[must_use]
    pub fn silence() -> Self {
        Self { source: Source::Silence, uuid: None }
    }

    /// A NoCloud seed, on the last disk.
    #[must_use]
    pub fn seed(file: &'a Path) -> Self {
        Self { source: Source::Seed(file), uuid: None }
    }

    /// A metadata service at 169.254.169.254: it is behind `port` on this host's loopback address, and `relay` is
    /// the program of that name of this crate, which an integration test knows.
    #[must_use]
    pub fn service(port: u16, relay: &'a str) -> Self {
        Self { source: Source::Service { port, relay }, uuid: None }
    }

    /// The same on a machine with this UUID, as SMBIOS tells it; clouds are known by its first letters.
    #[must_use]
    pub fn on(self, uuid: &'a str) -> Self {
        Self { uuid: Some(uuid), ..self }
    }
}

/// The network card's address: one that metadata services in tests name.
pub const MAC: &str = "0a:00:00:00:00:05";

impl Vm {
    /// Starts QEMU: TCG unless `HARDTACK_ACCEL` says otherwise ("kvm").
    pub fn start(machine: &Machine<'_>) -> Self {
        let console = machine.directory.join(format!("{}.log", machine.name));
        let serial = machine.directory.join(format!("{}.sock", machine.name));
        let _ = std::fs::remove_file(&serial);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let accel = match std::env::var("HARDTACK_ACCEL") {
            Ok(accel) => accel,
            Err(_) => "tcg,thread=multi".to_owned(),
        };
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-accel", &accel, "-cpu", "max", "-smp", "2", "-m", "1024"])
            .args(["-display", "none", "-no-reboot", "-monitor", "none"])
            .arg("-drive")
            .arg(format!("file={},format={},if=virtio,cache=unsafe", machine.disk.display(), machine.format));
        // The order of the drives is the order of their names: overlayroot's disk is /dev/vdb.
        if let Some(extra) = machine.extra {
            command.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", extra.display()));
        }
        for (number, (disk, serial)) in machine.nvme.iter().enumerate() {
            let drive = format!("file={},format=raw,if=none,id=nvme{number},cache=unsafe", disk.display());
            command.args(["-drive", &drive, "-device", &format!("nvme,drive=nvme{number},serial={serial}")]);
        }
        let mut network = format!("user,model=virtio-net-pci,mac={MAC},hostfwd=tcp:127.0.0.1:{port}-:22");
        match machine.launch.source {
            Source::Silence => {}
            Source::Seed(seed) => {
                command
                    .arg("-drive")
                    .arg(format!("file={},format=raw,if=virtio,readonly=on", seed.display()));
            }
            // The address has to lie inside the user network. With `-cmd` every connection gets a relay.
            Source::Service { port, relay } => network.push_str(&format!(
                ",net=169.254.0.0/16,dhcpstart=169.254.0.15,guestfwd=tcp:169.254.169.254:80-cmd:{relay} {port}"
            )),
        }
        if let Some(uuid) = machine.launch.uuid {
            command.arg("-smbios").arg(format!("type=1,uuid={uuid},serial={uuid}"));
        }
        command
            .arg("-nic")
            .arg(network)
            .arg("-chardev")
            .arg(format!(
                "socket,id=s0,path={},server=on,wait=off,logfile={},logappend=off",
                serial.display(),
                console.display()
            ))
            .args(["-serial", "chardev:s0"])
            .stdin(Stdio::null());
        let qemu = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { qemu, command, starts: 1, console, serial, port }
    }

    /// The console so far, whatever bytes it holds.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.console).unwrap_or_default()).into_owned()
    }

    /// Waits until the console shows `text`; fails with the console's end.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + BOOT;
        while !self.log().contains(text) {
            if self.starts < STARTS && self.log().contains(STARVED) {
                self.restart();
            }
            if let Some(status) = self.qemu.try_wait().unwrap() {
                panic!("QEMU ended ({status}) before the console showed {text:?}:\n{}", self.tail());
            }
            assert!(Instant::now() < deadline, "the console never showed {text:?}:\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn restart(&mut self) {
        self.stop();
        let _ = std::fs::remove_file(&self.serial);
        self.starts += 1;
        self.qemu = self.command.spawn().unwrap();
        // QEMU empties the log when it opens it.
        std::thread::sleep(Duration::from_secs(2));
    }

    fn stop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }

    /// Waits until the machine has switched itself off.
    pub fn wait_for_end(&mut self) {
        let deadline = Instant::now() + BOOT;
        while self.qemu.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the machine never went down:\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Talks to the serial port: sends each text after its prompt was seen, returns what came.
    pub fn converse(&self, turns: &[(&str, &str)], until: &str) -> String {
        let mut socket = UnixStream::connect(&self.serial).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut seen = String::new();
        let mut from = 0;
        socket.write_all(b"\r").unwrap();
        for (prompt, answer) in turns {
            from = Self::expect(&mut socket, &mut seen, from, prompt);
            socket.write_all(format!("{answer}\r").as_bytes()).unwrap();
        }
        Self::expect(&mut socket, &mut seen, from, until);
        seen
    }

    fn expect(socket: &mut UnixStream, seen: &mut String, from: usize, text: &str) -> usize {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut buffer = [0; 4096];
        loop {
            if let Some(found) = seen[from..].find(text) {
                return from + found + text.len();
            }
            assert!(Instant::now() < deadline, "the serial port never said {text:?}:\n{seen}");
            if let Ok(count) = socket.read(&mut buffer) {
                seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        }
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A NoCloud seed on a vfat disk.
pub fn seed(file: &Path, instance: &str, user_data: &str) {
    let directory = file.parent().unwrap();
    std::fs::write(file, vec![0; 1 << 20]).unwrap();
    run(Command::new("mkfs.vfat").args(["-n", "CIDATA"]).arg(file));
    for (name, text) in [
        ("meta-data", format!("instance-id: {instance}\nlocal-hostname: hard\n")),
        ("user-data", user_data.to_owned()),
    ] {
        let source = directory.join(name);
        std::fs::write(&source, text).unwrap();
        run(Command::new("mcopy").arg("-i").arg(file).arg(&source).arg(format!("::{name}")));
    }
}
