//! The name under which EC2 attached an NVMe disk, asked of the disk itself.
//!
//! The kernel numbers NVMe disks in the order in which they answer, so `/dev/nvme1n1` may be another disk after the
//! next boot. Amazon's disks hold the name of the block device mapping in the vendor's bytes of what they say to the
//! command Identify: `/dev/sdf` or `sdf`, filled up with blanks, on a volume of EBS; `ephemeral0:sdb` or
//! `ephemeral0:none`, filled up with zeros, on an instance store.
//!
//! - NVM Express Base Specification 1.4, 5.15: Identify Controller (vendor from byte 0, model from byte 24, the
//!   vendor's own from byte 3072) and Identify Namespace (the vendor's own from byte 384), 4096 bytes each.
//! - `ebsnvme-id` of amazon-ec2-utils: 32 bytes for the name; the namespace's count before the controller's.

#![deny(unsafe_code)]

mod ask;

use std::fs::File;
use std::io;

/// The length of what Identify answers.
pub const LENGTH: usize = 4096;
/// What Identify answers.
pub type Answer = [u8; LENGTH];

/// Amazon's number among the vendors of PCI.
const AMAZON: u16 = 0x1d0f;
const MODEL: usize = 24;
const MODEL_LENGTH: usize = 40;
const CONTROLLER_NAME: usize = 3072;
const NAMESPACE_NAME: usize = 384;
const NAME_LENGTH: usize = 32;

/// What a disk says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The vendor's number.
    pub vendor: u16,
    /// The model, without the blanks behind it.
    pub model: String,
    /// The name of the block device mapping, if the disk is one of Amazon's and has one.
    pub name: Option<String>,
}

/// Asks the disk that is opened as `file`: the controller, then its first namespace.
///
/// # Errors
/// The file is not an NVMe disk, or the disk does not answer.
pub fn disk(file: &File) -> io::Result<Disk> {
    let controller = ask::controller(file)?;
    // Not every disk answers for a namespace by the controller's file, and nothing hangs on it.
    let namespace = ask::first_namespace(file).ok();
    Ok(read(&controller, namespace.as_deref()))
}

/// Reads what a disk answered.
#[must_use]
pub fn read(controller: &Answer, namespace: Option<&Answer>) -> Disk {
    let vendor = u16::from_le_bytes([controller[0], controller[1]]);
    let model = text(controller, MODEL, MODEL_LENGTH).unwrap_or_default();
    let name = namespace
        .and_then(|namespace| text(namespace, NAMESPACE_NAME, NAME_LENGTH))
        .or_else(|| text(controller, CONTROLLER_NAME, NAME_LENGTH))
        .filter(|_| vendor == AMAZON);
    Disk { vendor, model, name }
}

/// The printable text at a place: it ends at the first zero byte, and blanks around it are filling.
fn text(answer: &Answer, at: usize, length: usize) -> Option<String> {
    let bytes = answer.get(at..at + length)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(length);
    let text = std::str::from_utf8(&bytes[..end]).ok()?.trim_matches(' ');
    (!text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EBS: &str = "Amazon Elastic Block Store";
    const STORE: &str = "Amazon EC2 NVMe Instance Storage";

    fn answer(vendor: u16, model: &str, at: usize, name: &[u8], filling: u8) -> Answer {
        let mut answer = [0; LENGTH];
        answer[..2].copy_from_slice(&vendor.to_le_bytes());
        answer[MODEL..MODEL + MODEL_LENGTH].fill(b' ');
        answer[MODEL..MODEL + model.len()].copy_from_slice(model.as_bytes());
        answer[at..at + NAME_LENGTH].fill(filling);
        answer[at..at + name.len()].copy_from_slice(name);
        answer
    }

    #[test]
    fn names_are_read_as_amazon_writes_them() {
        for (model, name, filling, is) in [
            (EBS, &b"/dev/sdf"[..], b' ', Some("/dev/sdf")),
            (EBS, b"sdf", b' ', Some("sdf")),
            (EBS, b"xvdba", 0, Some("xvdba")),
            (STORE, b"ephemeral0:sdb", 0, Some("ephemeral0:sdb")),
            (STORE, b"ephemeral0:sdb\0S", b'S', Some("ephemeral0:sdb")),
            (STORE, b"ephemeral1:none", b' ', Some("ephemeral1:none")),
            (EBS, b"", 0, None),
            (EBS, b"", b' ', None),
            (EBS, b"sd\x1bf", b' ', None),
            (EBS, b"\xff\xff", b' ', None),
            (EBS, b"12345678901234567890123456789012", 0, Some("12345678901234567890123456789012")),
        ] {
            let disk = read(&answer(AMAZON, model, CONTROLLER_NAME, name, filling), None);
            assert_eq!(disk.name.as_deref(), is, "{name:?}");
            assert_eq!((disk.vendor, disk.model.as_str()), (AMAZON, model));
        }
    }

    #[test]
    fn only_amazon_s_bytes_are_a_name_and_the_namespace_counts_first() {
        // QEMU's disks: another vendor, whatever stands there.
        let other = read(&answer(0x1b36, "QEMU NVMe Ctrl", CONTROLLER_NAME, b"/dev/sdf", b' '), None);
        assert_eq!((other.name, other.model.as_str()), (None, "QEMU NVMe Ctrl"));
        let controller = answer(AMAZON, EBS, CONTROLLER_NAME, b"sdf", b' ');
        let namespace = answer(0, "", NAMESPACE_NAME, b"sdg", b' ');
        assert_eq!(read(&controller, Some(&namespace)).name.as_deref(), Some("sdg"));
        assert_eq!(read(&controller, Some(&[0; LENGTH])).name.as_deref(), Some("sdf"));
    }

    #[test]
    fn what_is_no_disk_is_an_error() {
        assert!(disk(&File::open("/dev/null").unwrap()).is_err());
    }
}
