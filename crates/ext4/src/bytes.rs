//! Little-endian numbers in blocks. Everything on an ext4 disk is little-endian but the journal.
//!
//! Reading beyond the end gives 0 and writing there does nothing: lengths are checked where a block
//! is read, and a hostile offset that slipped through must not become a panic.

/// The bytes at `at`, zeros beyond the end.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}

/// The 16-bit number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

/// The 32-bit number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

/// Replaces the bytes at `at`.
pub(crate) fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(target) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..new.len())) {
        target.copy_from_slice(new);
    }
}

/// Replaces the 16-bit number at `at`.
pub(crate) fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    put(bytes, at, &value.to_le_bytes());
}

/// Replaces the 32-bit number at `at`.
pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    put(bytes, at, &value.to_le_bytes());
}

/// The low 32 bits of a number that is stored in two halves.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn low_u32(value: u64) -> u32 {
    value as u32
}

/// The low 16 bits of a number that is stored in two halves.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn low_u16(value: u64) -> u16 {
    value as u16
}

/// Replaces a number whose halves stand at `low` and `high`, the latter only when there is one.
pub(crate) fn put_split_u32(bytes: &mut [u8], low: usize, high: Option<usize>, value: u64) {
    put_u32(bytes, low, low_u32(value));
    if let Some(high) = high {
        put_u32(bytes, high, low_u32(value >> 32));
    }
}

/// Replaces a 32-bit number that is stored in two 16-bit halves.
pub(crate) fn put_split_u16(bytes: &mut [u8], low: usize, high: Option<usize>, value: u32) {
    put_u16(bytes, low, low_u16(value.into()));
    if let Some(high) = high {
        put_u16(bytes, high, low_u16(u64::from(value) >> 16));
    }
}
