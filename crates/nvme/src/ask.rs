//! The command Identify by the kernel's ioctl: the only unsafe code of the project.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use crate::{Answer, LENGTH};

/// `struct nvme_passthru_cmd` of linux/nvme_ioctl.h.
#[repr(C)]
#[derive(Default)]
struct Command {
    opcode: u8,
    flags: u8,
    rsvd1: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

/// `NVME_IOCTL_ADMIN_CMD`.
const ADMIN: Opcode = opcode::read_write::<Command>(b'N', 0x41);
const IDENTIFY: u8 = 0x06;

/// Where the answer goes. Disks write whole double words, some drivers want a page.
#[repr(C, align(4096))]
struct Page(Answer);

/// Identify Controller.
pub(crate) fn controller(file: &File) -> io::Result<Box<Answer>> {
    identify(file, 0, 1)
}

/// Identify Namespace of the first one, the only one that EC2's disks have.
pub(crate) fn first_namespace(file: &File) -> io::Result<Box<Answer>> {
    identify(file, 1, 0)
}

fn identify(file: &File, nsid: u32, cdw10: u32) -> io::Result<Box<Answer>> {
    let mut page = Box::new(Page([0; LENGTH]));
    let mut command = Command {
        opcode: IDENTIFY,
        nsid,
        addr: page.0.as_mut_ptr().expose_provenance() as u64,
        data_len: LENGTH as u32,
        cdw10,
        ..Command::default()
    };
    // SAFETY: `ADMIN` takes a pointer to a `struct nvme_passthru_cmd`, which `Command` is field by field, and writes
    // its `result` only. The kernel writes at most `data_len` bytes to `addr`: `page` is that long, is borrowed by
    // nobody else, and lives until the call has returned, by which time the disk has written all that it will.
    // Files that are no NVMe disks know no such command and answer with an error.
    let status = unsafe { ioctl(file, Updater::<ADMIN, Command>::new(&mut command)) };
    status?;
    Ok(Box::new(page.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_the_kernel_s() {
        assert_eq!(size_of::<Command>(), 72);
        assert_eq!(std::mem::offset_of!(Command, addr), 24);
        assert_eq!(std::mem::offset_of!(Command, cdw10), 40);
        // _IOWR('N', 0x41, struct nvme_admin_cmd), as ebsnvme-id has it.
        assert_eq!(ADMIN, 0xC048_4E41);
    }
}
