//! A QR code as PNG: one bit for each pixel, uncompressed.
//!
//! ISO/IEC 15948: signature, IHDR, IDAT (a zlib stream of stored blocks, RFC 1950 and 1951), IEND.
//! A code of 70 modules at 8 pixels has 40 kB; a compressor would save little and cost a crate
//! in the agent.

use super::QrCode;

/// Longest stored block of RFC 1951.
const STORED_LIMIT: usize = 65_535;

pub(super) fn draw(code: &QrCode, scale: usize) -> Vec<u8> {
    let side = code.width() * scale;
    let mut pixels = Vec::with_capacity((side / 8 + 2) * side);
    for y in 0..code.width() {
        // Filter type 0, then the bits; 1 is white.
        let mut row = vec![0_u8; 1 + side.div_ceil(8)];
        for at in 0..side {
            if !code.dark(at / scale, y)
                && let Some(byte) = row.get_mut(1 + at / 8)
            {
                *byte |= 0x80 >> (at % 8);
            }
        }
        for _ in 0..scale {
            pixels.extend_from_slice(&row);
        }
    }
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    // At most 185 modules of 64 pixels: 11,840 fits.
    let side = u32::try_from(side).unwrap_or_default().to_be_bytes();
    let mut header = Vec::new();
    header.extend_from_slice(&side);
    header.extend_from_slice(&side);
    // One bit, greyscale, deflate, adaptive filters, not interlaced.
    header.extend_from_slice(&[1, 0, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &header);
    chunk(&mut png, *b"IDAT", &zlib_stored(&pixels));
    chunk(&mut png, *b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    png.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
    let start = png.len();
    png.extend_from_slice(&kind);
    png.extend_from_slice(data);
    let check = crc32(&png[start..]);
    png.extend_from_slice(&check.to_be_bytes());
}

fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = data.chunks(STORED_LIMIT).count();
    for (index, block) in data.chunks(STORED_LIMIT).enumerate() {
        stream.push(u8::from(index + 1 == blocks));
        let length = u16::try_from(block.len()).unwrap_or_default();
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler32(data).to_be_bytes());
    stream
}

fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
