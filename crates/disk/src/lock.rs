//! Tells whether a running QEMU may write to an image.
//!
//! QEMU (`block/file-posix.c`, "image locking") takes *open file description* locks on single
//! bytes of the image: byte 100 + n when it uses permission n, byte 200 + n when it does not
//! share permission n. The permissions (`include/block/block-common.h`): 0 consistent read,
//! 1 write, 2 write unchanged, 3 resize. A reader must stay away when somebody uses "write" or
//! "resize", or does not share "consistent read". A virtual machine or `qemu-img convert` that
//! only reads holds 100, 201 and 203, and disturbs nobody.
//!
//! `F_OFD_GETLK` may ask about a write lock on a file that is open read-only, and takes no lock,
//! so QEMU is not disturbed by us either. (Through `nix`: rustix asserts that a lock's owner is a
//! positive process id, and that of these locks is -1.)

use std::fs::File;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::Error;

const USES_WRITE: i64 = 101;
const USES_RESIZE: i64 = 103;
const KEEPS_CONSISTENT_READ: i64 = 200;

/// Refuses `file` while another program has it open for writing and says so the way QEMU does.
pub(crate) fn refuse_locked(file: &File, path: &Path) -> Result<(), Error> {
    for byte in [USES_WRITE, USES_RESIZE, KEEPS_CONSISTENT_READ] {
        let mut probe = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: byte,
            l_len: 1,
            l_pid: 0,
        };
        // A file system without locks has nobody who holds one.
        if fcntl(file, FcntlArg::F_OFD_GETLK(&mut probe)).is_ok()
            && probe.l_type != libc::F_UNLCK as libc::c_short
        {
            return Err(Error::Locked { path: path.to_owned() });
        }
    }
    Ok(())
}
