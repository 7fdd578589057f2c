//! `application/x-www-form-urlencoded`, as Python's `urllib.parse.urlencode` writes it.

/// The value of `Content-Type` for [`encode`].
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The fields, in order: `a=b+c&d=%C3%A9`.
#[must_use]
pub fn encode<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        quote(&mut text, name.as_ref());
        text.push('=');
        quote(&mut text, value.as_ref());
    }
    text
}

/// `quote_plus`: letters, digits and `_.-~` stay.
fn quote(text: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b' ' => text.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn as_python_does() {
        // urllib.parse.urlencode([("pub_key", "ssh-rsa A+/= root@h\n"), ("é", "~*'()!"), ("e", "")])
        let fields = [("pub_key", "ssh-rsa A+/= root@h\n"), ("é", "~*'()!"), ("e", "")];
        assert_eq!(encode(&fields), "pub_key=ssh-rsa+A%2B%2F%3D+root%40h%0A&%C3%A9=~%2A%27%28%29%21&e=");
        assert_eq!(encode::<&str, &str>(&[]), "");
    }
}
