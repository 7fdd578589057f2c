//! RPM packages, versions 3 and 4: what lies before the payload, which is a compressed cpio archive.
//!
//! The format: rpm's `docs/manual/format_v4.md` and `format_header.md`: a lead of 96 bytes, the
//! signature header (filled up to a multiple of 8), the main header, the payload. The headers are
//! passed over: neither signatures nor digests of the package are checked.

use std::path::Path;

use super::input::{Input, Walk, uncarry};
use crate::Error;

const LEAD: u64 = 96;
const HEADER_MAGIC: &[u8] = &[0x8e, 0xad, 0xe8];
/// A header's magic, version, reserved bytes and its two counts.
const INTRO: usize = 16;
/// Bytes per entry of a header's index.
const ENTRY: u64 = 16;

/// The payload of a package, still compressed.
pub(super) fn payload<'a>(input: Input<'a>, path: &Path) -> Result<Input<'a>, Error> {
    let corrupt = |what: String| Error::Corrupt { path: path.to_owned(), format: "rpm", what };
    let mut walk = Walk::new(input);
    let mut next = LEAD;
    for (name, align) in [("signature", 8), ("main", 1)] {
        let truncated =
            || corrupt(format!("it ends before {next:#x}, in the {name} header: it is truncated"));
        if !walk.advance(next).map_err(|error| uncarry(path, error))? {
            return Err(truncated());
        }
        let mut intro = [0; INTRO];
        if walk.fill(&mut intro).map_err(|error| uncarry(path, error))? < INTRO {
            return Err(truncated());
        }
        let [m0, m1, m2, version, _, _, _, _, n0, n1, n2, n3, s0, s1, s2, s3] = intro;
        if [m0, m1, m2] != *HEADER_MAGIC || version != 1 {
            return Err(corrupt(format!("no {name} header is at {next:#x}")));
        }
        let entries = u64::from(u32::from_be_bytes([n0, n1, n2, n3]));
        let store = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
        next = (walk.at() + entries * ENTRY + store).next_multiple_of(align);
    }
    if !walk.advance(next).map_err(|error| uncarry(path, error))? {
        return Err(corrupt(format!("it ends before its payload at {next:#x}: it is truncated")));
    }
    Ok(walk.rest())
}
