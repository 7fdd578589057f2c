//! The `otpauth://` URL that authenticator apps read.
//!
//! Format: <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>. Algorithm, digits
//! and period are left at their defaults and out of the URL: a shorter URL is a smaller QR code.

/// Longest part of a label, in encoded characters: keeps the QR code within 80 columns.
const PART_LIMIT: usize = 40;

/// Builds the URL: issuer is the recipe, the account is `user@host`, followed by the instance.
///
/// Only the first label of the host name counts, and an instance that the host name contains
/// already is not repeated. Without a host the account is `user` alone.
#[must_use]
pub fn url(recipe: &str, user: &str, host: &str, instance: Option<&str>, secret: &str) -> String {
    let issuer = encode(if recipe.is_empty() { "hardtack" } else { recipe });
    let short = host.split('.').next().unwrap_or_default();
    let mut account = encode(user);
    if !short.is_empty() {
        account.push('@');
        account.push_str(&encode(short));
    }
    if let Some(instance) = instance.filter(|id| !id.is_empty() && !short.contains(*id)) {
        account.push_str("%20");
        account.push_str(&encode(instance));
    }
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}")
}

/// Percent-encodes all but RFC 3986's unreserved characters, up to a whole character below the limit.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    let mut buffer = [0; 4];
    for character in text.chars() {
        let part: String = match character {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.' | '_' | '~' => character.to_string(),
            other => other.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")).collect(),
        };
        if encoded.len() + part.len() > PART_LIMIT {
            break;
        }
        encoded.push_str(&part);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_from_recipe_host_and_instance() {
        for (host, instance, label) in [
            ("web-1.example.org", Some("i-0abc"), "debian-3fa:debian@web-1%20i-0abc"),
            ("i-0abc", Some("i-0abc"), "debian-3fa:debian@i-0abc"),
            ("web-1", None, "debian-3fa:debian@web-1"),
            ("", None, "debian-3fa:debian"),
            ("web 1:2", Some(""), "debian-3fa:debian@web%201%3A2"),
        ] {
            assert_eq!(
                url("debian-3fa", "debian", host, instance, "ABC"),
                format!("otpauth://totp/{label}?secret=ABC&issuer=debian-3fa")
            );
        }
    }

    #[test]
    fn long_or_foreign_names_stay_short_and_whole() {
        let url =
            url(&"é".repeat(90), &"u".repeat(300), &"h".repeat(300), Some(&"i".repeat(300)), &"A".repeat(32));
        assert!(url.len() < 290, "{}", url.len());
        assert!(url.contains("%C3%A9:"), "{url}");
    }
}
