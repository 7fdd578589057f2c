//! The two checksums of ext4: crc32c (metadata_csum) and crc16 (uninit_bg).
//!
//! Linux, fs/ext4/ext4.h `ext4_chksum`: crc32c without the final inversion, started with a seed;
//! lib/crc16.c: the polynomial 0x8005, reflected.

/// crc32c of `bytes`, continued from `seed`.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    // The crate inverts before and after, as everybody but ext4 does.
    !crc32c::crc32c_append(!seed, bytes)
}

/// crc16 of `bytes`, continued from `seed`.
pub(crate) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 != 0 { crc >> 1 ^ 0xa001 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // RFC 3720, appendix B.4 (32 zero bytes), without the final inversion.
        assert_eq!(crc32c(!0, &[0; 32]), !0x8a91_36aa);
        assert_eq!(crc32c(crc32c(!0, b"1234"), b"56789"), crc32c(!0, b"123456789"));
        assert_eq!(crc32c(!0, b"123456789"), !0xe306_9283);
        // CRC-16/ARC and, from all ones, CRC-16/MODBUS (reveng catalogue).
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
        assert_eq!(crc16(!0, b"123456789"), 0x4b37);
    }
}
