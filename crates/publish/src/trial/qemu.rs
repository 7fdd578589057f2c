//! A trial on this machine: QEMU with the image's disk below an overlay that is thrown away, a NoCloud seed, and a
//! network of QEMU's own whose ports are found at 127.0.0.1.
//!
//! Without KVM, since a host may have `/dev/kvm` that hangs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;

use hardtack_cloud::Environment;
use hardtack_local::instance::DiskBus;
use hardtack_local::qemu::{
    self, Card, Disk, Firmware, Link, Machine as Emulated, QEMU, Reconnect, Start, free_port,
};

use super::{Check, Machine, Trial, seed, watch};
use crate::{Error, Teller};

/// No console that is worth reading is longer.
const LONGEST_CONSOLE: u64 = 16 << 20;
/// Processors and MiB of memory of the machine.
const SIZE: (u32, u64) = (2, 1024);
/// Who needs QEMU.
const WHO: &str = "--test";

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
    Ok(qemu::check(architecture, uefi, WHO, environment)?)
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
        let disk = |file: &Path, format, snapshot| Disk {
            file: file.to_owned(),
            format,
            bus: DiskBus::Virtio,
            serial: None,
            snapshot,
            read_only: !snapshot,
        };
        let firmware = match spec.uefi {
            true => Some(Firmware { code: qemu::firmware(WHO)?.0, variables: None }),
            false => None,
        };
        let card = Card {
            link: Link::User { ports: ports.clone(), metadata: None },
            mac: None,
            capture: None,
            boot: false,
        };
        let machine = Emulated {
            accel: spec.accel.to_owned(),
            processors: SIZE.0,
            memory: SIZE.1,
            uuid: None,
            smbios: None,
            firmware,
            disks: vec![disk(spec.disk, "qcow2", true), disk(seed, "raw", false)],
            cards: vec![card],
            console: serial.clone(),
            monitor: None,
            ends_at_reboot: true,
            reconnect: Reconnect::default(),
        };
        let start = Start { arguments: &machine.arguments(), directory: None, errors: None };
        Ok(Self { child: start.spawn(environment)?, id: spec.id.to_owned(), serial, ports })
    }
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
