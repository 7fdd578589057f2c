//! QEMU: its command line, which accelerator works here, its monitor.
//!
//! - [`Machine`] is what is emulated, and [`Machine::arguments`] the command line: the only one of this project.
//! - [`of_spec`] makes the one of an instance.
//! - [`Start`] starts it as a child that ends with its parent, and without secrets around it.

mod accel;
mod machine;
mod process;
mod qmp;
mod spec;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use hardtack_cloud::Environment;

use crate::Error;

pub use accel::{Kvm, Verdict, kvm_opens};
pub use machine::{Card, Disk, Firmware, Link, Machine, Reconnect, Smbios};
pub(crate) use process::no_port;
pub use process::{Start, can_listen, free_port, is_secret};
pub use qmp::{Event, Monitor};
pub(crate) use spec::mac;
pub use spec::{GUEST_ADDRESS, of_spec, uuid};

/// The program.
pub const QEMU: &str = "qemu-system-x86_64";

/// Where distributions keep UEFI for virtual machines: the code, and an empty store of variables.
const FIRMWARE: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),
];

/// Says what is missing for machines of this kind; `what` begins the message.
///
/// # Errors
/// No QEMU, no UEFI for it, another architecture.
pub fn check(architecture: &str, uefi: bool, what: &str, environment: &Environment) -> Result<(), Error> {
    if architecture != "x86_64" && architecture != "i386" {
        return Err(Error::Refused(format!(
            "{what}: images of {architecture} are not started on this machine, only those of x86_64; a cloud has \
             machines of {architecture}: --on aws"
        )));
    }
    if find(QEMU, environment).is_none() {
        return Err(Error::Usage(format!(
            "{what}: {QEMU} is not in PATH, and it is what the image is started by; install QEMU (Debian's package \
             is qemu-system-x86)"
        )));
    }
    if uefi {
        firmware(what)?;
    }
    Ok(())
}

/// UEFI: the code, and an empty store of variables, which a machine needs a copy of.
///
/// # Errors
/// There is none.
pub fn firmware(what: &str) -> Result<(PathBuf, PathBuf), Error> {
    let found = FIRMWARE.iter().map(|(code, variables)| (PathBuf::from(code), PathBuf::from(variables)));
    found.into_iter().find(|(code, variables)| code.is_file() && variables.is_file()).ok_or_else(|| {
        Error::Usage(format!(
            "{what}: the image boots by UEFI, and there is no OVMF for QEMU on this machine; install it (Debian's \
             package is ovmf)"
        ))
    })
}

/// Where a program of PATH is.
pub fn find(program: &str, environment: &Environment) -> Option<PathBuf> {
    let path = environment.variable("PATH")?;
    path.split(':').map(|directory| Path::new(directory).join(program)).find(|path| path.is_file())
}
