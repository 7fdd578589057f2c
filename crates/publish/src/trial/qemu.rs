//! A trial on this machine: QEMU with the image's disk below an overlay that is thrown away, a NoCloud seed, and a
//! network of QEMU's own whose ports are found at 127.0.0.1.
//!
//! Options as of QEMU 7 (`qemu-system-x86_64(1)`). Without KVM, since a host may have `/dev/kvm` that hangs.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hardtack_cloud::Environment;

use super::{Check, Machine, Trial, seed, watch};
use crate::{Error, Teller};

const QEMU: &str = "qemu-system-x86_64";
/// Where distributions keep UEFI for virtual machines.
const FIRMWARE: &[&str] = &[
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/qemu/OVMF.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",
    "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
];
/// No console that is worth reading is longer.
const LONGEST_CONSOLE: u64 = 16 << 20;

/// What QEMU is started with.
#[derive(Clone, Copy, Debug)]
pub struct LocalMachine<'a> {
    /// The image's id.
    pub id: &'a str,
    /// Its disk, qcow2. It is not changed.
    pub disk: &'a Path,
    /// `x86_64`.
    pub architecture: &'a str,
    /// It boots by UEFI alone.
    pub uefi: bool,
    /// `tcg`, `kvm`.
    pub accel: &'a str,
}

/// Says what is missing for a trial on this machine.
///
/// # Errors
/// No QEMU, no UEFI for it, another architecture.
pub fn check_qemu(architecture: &str, uefi: bool, environment: &Environment) -> Result<(), Error> {
    if architecture != "x86_64" && architecture != "i386" {
        return Err(Error::Refused(format!(
            "--test: images of {architecture} are not started on this machine, only those of x86_64"
        )));
    }
    if find(QEMU, environment).is_none() {
        return Err(Error::Usage(format!(
            "--test: {QEMU} is not in PATH, and it is what the image is started by; install QEMU (Debian's package \
             is qemu-system-x86)"
        )));
    }
    if uefi {
        firmware()?;
    }
    Ok(())
}

fn firmware() -> Result<PathBuf, Error> {
    FIRMWARE.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
        Error::Usage(
            "--test: the image boots by UEFI, and there is no OVMF for QEMU on this machine; install it (Debian's \
             package is ovmf)"
                .to_owned(),
        )
    })
}

fn find(program: &str, environment: &Environment) -> Option<PathBuf> {
    let path = environment.variable("PATH")?;
    path.split(':').map(|directory| Path::new(directory).join(program)).find(|path| path.is_file())
}

/// Starts the image, looks at it, and stops it. The console's text goes to `console`; the seed lies beside it.
///
/// # Errors
/// A check does not pass ([`Error::No`]); QEMU does not start.
pub fn on_qemu(
    spec: &LocalMachine<'_>,
    trial: &Trial,
    console: &Path,
    environment: &Environment,
    tell: &dyn Teller,
) -> Result<(), Error> {
    check_qemu(spec.architecture, spec.uefi, environment)?;
    let seed = seed::Seed::write(&console.with_extension("seed"), spec.id, &trial.user_data)?;
    let mut machine = Qemu::start(spec, trial, console, seed.path(), environment)?;
    tell.note(&format!("{} is started by QEMU ({})", spec.id, spec.accel));
    watch(&mut machine, trial, console, environment, tell)
}

struct Qemu {
    child: Child,
    id: String,
    serial: PathBuf,
    ports: BTreeMap<u16, u16>,
}

impl Qemu {
    fn start(
        spec: &LocalMachine<'_>,
        trial: &Trial,
        console: &Path,
        seed: &Path,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let mut ports = BTreeMap::from([(22, free_port()?)]);
        for check in &trial.checks {
            if let Check::Port(port) = check
                && !ports.contains_key(port)
            {
                ports.insert(*port, free_port()?);
            }
        }
        let serial = console.with_extension("serial");
        super::keep(&serial, "")?;
        let mut network = "user,model=virtio-net-pci".to_owned();
        for (guest, host) in &ports {
            network.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
        }
        // A machine whose hardtack is killed ends with it.
        let mut command = match find("setpriv", environment) {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", QEMU]);
                command
            }
            None => Command::new(QEMU),
        };
        for name in environment.variables.keys().filter(|name| is_secret(name)) {
            command.env_remove(name);
        }
        let accel = if spec.accel == "tcg" { "tcg,thread=multi" } else { spec.accel };
        command
            .args([
                "-nodefaults",
                "-no-user-config",
                "-accel",
                accel,
                "-cpu",
                "max",
                "-smp",
                "2",
                "-m",
                "1024",
            ])
            .args(["-display", "none", "-no-reboot", "-monitor", "none", "-vga", "none"])
            .args(["-device", "virtio-rng-pci"])
            .arg("-drive")
            .arg(drive(spec.disk, "format=qcow2,if=virtio,snapshot=on,cache=unsafe"))
            .arg("-drive")
            .arg(drive(seed, "format=raw,if=virtio,readonly=on"))
            .args(["-nic", &network])
            .arg("-serial")
            .arg(format!("file:{}", serial.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if spec.uefi {
            command.arg("-drive").arg(drive(&firmware()?, "format=raw,if=pflash,readonly=on"));
        }
        let child = command.spawn().map_err(|error| Error::file(Path::new(QEMU), "start it", error))?;
        Ok(Self { child, id: spec.id.to_owned(), serial, ports })
    }
}

/// A variable of the environment that may hold a key or a password, which QEMU needs none of.
fn is_secret(name: &str) -> bool {
    ["SECRET", "TOKEN", "PASSW", "PASSPHRASE", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL"]
        .iter()
        .any(|part| name.to_ascii_uppercase().contains(part))
}

/// A drive's option. A comma in a path is doubled.
fn drive(path: &Path, options: &str) -> String {
    format!("file={},{options}", path.display().to_string().replace(',', ",,"))
}

/// A port that nobody listens at just now.
fn free_port() -> Result<u16, Error> {
    let fail = |error| Error::file(Path::new("127.0.0.1"), "find a free port at it", error);
    Ok(TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map_err(fail)?.port())
}

impl Machine for Qemu {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn console(&mut self) -> Result<String, Error> {
        use std::io::Read as _;
        let fail = |error| Error::file(&self.serial, "read the console's text", error);
        let mut text = Vec::new();
        let file = std::fs::File::open(&self.serial).map_err(fail)?;
        file.take(LONGEST_CONSOLE).read_to_end(&mut text).map_err(fail)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn ended(&mut self) -> Result<Option<String>, Error> {
        let status =
            self.child.try_wait().map_err(|error| Error::file(Path::new(QEMU), "watch it", error))?;
        Ok(status.map(|status| format!("QEMU ended with {status}")))
    }

    fn port(&mut self, port: u16) -> Result<Option<(String, u16)>, Error> {
        Ok(self.ports.get(&port).map(|host| ("127.0.0.1".to_owned(), *host)))
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended; nobody is left to be told.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.serial);
    }
}
