//! Gzip as Python's `gzip.GzipFile` reads it: several members, zeros behind the last one, nothing
//! else. cloud-init takes what is no whole gzip for plain bytes (`cloudinit/util.py`, `decomp_gzip`).

use flate2::{Crc, Decompress, FlushDecompress, Status};
use thiserror::Error;

/// Why something was not unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It does not start as gzip does.
    #[error("it is not gzip")]
    NotGzip,
    /// It starts as gzip does, and is not.
    #[error("the gzip data is damaged")]
    Damaged,
    /// It ends too early.
    #[error("the gzip data is cut off")]
    Cut,
    /// Something follows that is not gzip.
    #[error("something that is not gzip follows the gzip data")]
    Trailing,
    /// It unpacks to more than is read.
    #[error("it unpacks to more than {0} bytes")]
    TooLarge(usize),
}

/// The first bytes of gzip.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// True for what claims to be gzip.
#[must_use]
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What `bytes` unpack to, at most `limit` bytes.
///
/// # Errors
/// When it is not gzip from begin to end, or too much. Never reads on behind the limit.
pub fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() {
        if !is_gzip(rest) {
            return Err(if first { Error::NotGzip } else { Error::Trailing });
        }
        first = false;
        let body = header(rest)?;
        rest = member(body, limit, &mut out)?;
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
    }
    Ok(out)
}

/// What follows the header of a member.
fn header(bytes: &[u8]) -> Result<&[u8], Error> {
    let (head, mut rest) = bytes.split_first_chunk::<10>().ok_or(Error::Cut)?;
    let [_, _, method, flags, ..] = head;
    if *method != 8 {
        return Err(Error::Damaged);
    }
    if flags & 4 != 0 {
        let (length, behind) = rest.split_first_chunk::<2>().ok_or(Error::Cut)?;
        rest = behind.get(usize::from(u16::from_le_bytes(*length))..).ok_or(Error::Cut)?;
    }
    // The file's name and a comment, each up to a zero byte.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |at| at + 1);
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..).ok_or(Error::Cut)?;
    }
    Ok(rest)
}

/// Unpacks one member behind its header into `out`, and gives what follows it.
fn member<'a>(bytes: &'a [u8], limit: usize, out: &mut Vec<u8>) -> Result<&'a [u8], Error> {
    let mut inflate = Decompress::new(false);
    let mut sum = Crc::new();
    let mut chunk = vec![0; 32 << 10];
    let mut rest = bytes;
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status =
            inflate.decompress(rest, &mut chunk, FlushDecompress::None).map_err(|_| Error::Damaged)?;
        let read = usize::try_from(inflate.total_in() - read).unwrap_or_default();
        let written = usize::try_from(inflate.total_out() - written).unwrap_or_default();
        rest = rest.get(read..).unwrap_or_default();
        let fresh = chunk.get(..written).unwrap_or_default();
        if out.len().saturating_add(written) > limit {
            return Err(Error::TooLarge(limit));
        }
        sum.update(fresh);
        out.extend_from_slice(fresh);
        match status {
            Status::StreamEnd => break,
            _ if read == 0 && written == 0 => return Err(Error::Cut),
            _ => {}
        }
    }
    let (wanted, rest) = rest.split_first_chunk::<4>().ok_or(Error::Cut)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(Error::Cut)?;
    let found = u32::try_from(inflate.total_out() & 0xffff_ffff).unwrap_or_default();
    if u32::from_le_bytes(*wanted) != sum.sum() || u32::from_le_bytes(*length) != found {
        return Err(Error::Damaged);
    }
    Ok(rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Error, gunzip};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn whole_members_and_zeros_and_nothing_else() {
        let one = gzip(b"one");
        let two = gzip(b"two");
        assert_eq!(gunzip(&one, 100), Ok(b"one".to_vec()));
        assert_eq!(gunzip(&[one.clone(), vec![0; 5], two].concat(), 100), Ok(b"onetwo".to_vec()));
        assert_eq!(gunzip(&[one.as_slice(), b"x"].concat(), 100), Err(Error::Trailing));
        assert_eq!(gunzip(b"plain", 100), Err(Error::NotGzip));
        for end in 2..one.len() {
            assert!(gunzip(&one[..end], 100).is_err(), "{end}");
        }
        let mut wrong = one;
        let sum = wrong.len() - 5;
        wrong[sum] ^= 1;
        assert_eq!(gunzip(&wrong, 100), Err(Error::Damaged));
    }

    #[test]
    fn a_bomb_is_an_error() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20 << 10);
        assert_eq!(gunzip(&bomb, 1 << 20), Err(Error::TooLarge(1 << 20)));
    }
}
