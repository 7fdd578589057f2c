//! Sizes as people write them, and how much swap a machine gets (`cloudinit/util.py`: `human2bytes`;
//! `config/cc_mounts.py`: `suggested_swapsize`).

/// Bytes of `10M`, `10MB`, `10MiB`, `1.5G`, `512`: all units are powers of 1024. `None` for what is no
/// size, and for what is negative.
#[must_use]
pub fn human_to_bytes(text: &str) -> Option<u64> {
    let size = text.strip_suffix("iB").or_else(|| text.strip_suffix('B')).unwrap_or(text);
    let units =
        [('B', 1.0), ('K', 1024.0), ('M', 1_048_576.0), ('G', 1_073_741_824.0), ('T', 1_099_511_627_776.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(letter, unit)| Some((size.strip_suffix(*letter)?, *unit)))
        .unwrap_or((size, 1.0));
    let number = python_float(number)?;
    if number < 0.0 {
        return None;
    }
    whole(number * unit)
}

/// `float(text)`: blanks around it, and single underscores between digits.
#[must_use]
pub fn python_float(text: &str) -> Option<f64> {
    let text = text.trim();
    // Rust reads `infinity` and `nan` like Python, and neither of them `0x1p3`.
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'_' {
            let digit = |index: Option<usize>| {
                index.and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_digit)
            };
            if !digit(at.checked_sub(1)) || !digit(at.checked_add(1)) {
                return None;
            }
        }
    }
    text.replace('_', "").parse().ok()
}

/// `int(number)` of what fits.
fn whole(number: f64) -> Option<u64> {
    // 2^63 is exact; beyond it nobody has a disk.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (number.is_finite() && (0.0..LIMIT).contains(&number)).then_some(number as u64)
}

const GIB: u64 = 1 << 30;

/// Bytes of swap for `size: auto`: by the memory, and not more than `limit` or what the disk has room for.
#[must_use]
pub fn swap(memory: u64, free: u64, limit: Option<u64>) -> u64 {
    #[allow(clippy::cast_precision_loss)]
    let most = match limit {
        None => whole(free as f64 / 4.0).unwrap_or(u64::MAX).min(memory.saturating_mul(2)),
        Some(limit) if limit as f64 > free as f64 * 0.9 => whole(free as f64 * 0.9).unwrap_or(limit),
        Some(limit) => limit,
    };
    let least = if memory < 4 * GIB {
        memory
    } else if memory < 16 * GIB {
        4 * GIB
    } else {
        #[allow(clippy::cast_precision_loss)]
        let root = (memory as f64 / GIB as f64).sqrt().round_ties_even();
        whole(root).unwrap_or(0).saturating_mul(GIB)
    };
    least.min(most)
}
