//! The few pieces of DER (X.690) that public keys are made of.

/// A reader over DER bytes; every read is checked, nothing is ever allocated by a claimed length.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// Universal tags that occur in public keys.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The content of the next element, which must have `tag`.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'a [u8], String> {
        let short = || "the key's DER ends too early".to_owned();
        let (&found, rest) = self.rest.split_first().ok_or_else(short)?;
        if found != tag {
            return Err(format!("the key's DER has an element {found:#04x} where {tag:#04x} belongs"));
        }
        let (&first, mut rest) = rest.split_first().ok_or_else(short)?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return Err("the key's DER has a length of an impossible form".to_owned());
            }
            length = 0;
            for _ in 0..count {
                let (&byte, after) = rest.split_first().ok_or_else(short)?;
                length = (length << 8) | usize::from(byte);
                rest = after;
            }
        }
        let content = rest.get(..length).ok_or_else(short)?;
        self.rest = &rest[length..];
        Ok(content)
    }

    /// True when nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
