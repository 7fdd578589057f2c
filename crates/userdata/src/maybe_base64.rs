//! Base64 around the whole of user-data, which EC2, Hetzner and CloudCIX undo and others do not
//! (`cloudinit/util.py`, `maybe_b64decode`).

/// The bytes that `bytes` stand for, when they are base64 from the first to the last character.
/// Python's strict mode: no line breaks, no character beyond the alphabet. Bits that the last
/// character has too many are let pass.
#[must_use]
pub fn strict(bytes: &[u8]) -> Option<Vec<u8>> {
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = bytes.get(..bytes.len() - padding)?;
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let fits = match text.len() % 4 {
        // Python minds padding that nothing needs only where there is nothing else.
        0 => padding == 0 || !text.is_empty(),
        2 => padding == 2,
        3 => padding == 1,
        _ => false,
    };
    if !fits || !text.iter().all(alphabet) {
        return None;
    }
    crate::lenient_base64::decode(bytes).ok()
}

/// What a data source that undoes base64 makes of `bytes`.
#[must_use]
pub fn maybe_decode(bytes: &[u8]) -> Vec<u8> {
    strict(bytes).unwrap_or_else(|| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::strict;

    #[test]
    fn whole_and_clean_or_not_at_all() {
        assert_eq!(strict(b"YWJjZA=="), Some(b"abcd".to_vec()));
        assert_eq!(strict(b"abcd"), Some(vec![0x69, 0xb7, 0x1d]));
        assert_eq!(strict(b""), Some(Vec::new()));
        assert_eq!(strict(b"YWJj=="), Some(b"abc".to_vec()));
        for text in
            ["YWJjZA==\n", "YWJjZA", "YWJjZA=", "YW JjZA==", "YWJjZA===", "=YWJj", "==", "A===", "YW==YW=="]
        {
            assert_eq!(strict(text.as_bytes()), None, "{text}");
        }
    }
}
