//! Whether an image of the same inputs is there already.

use hardtack_bundle::hex;
use hardtack_cloud::Client;
use hardtack_cloud::ec2::{Image, ImageFilter, describe_images};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// The tag with the digest of everything that an image is made of.
pub const TAG: &str = "hardtack:inputs";

/// The tag of an image that is to be tested: [`NOT_TESTED`] until it has passed, then [`PASSED`]. Images that nobody
/// tests have none.
pub const TESTED: &str = "hardtack:tested";
/// Its test has not passed yet.
pub const NOT_TESTED: &str = "no";
/// Its test has passed.
pub const PASSED: &str = "yes";

/// False where the tags say of an image that its test has not passed: its run was ended before, or still goes on.
pub fn may_be_used<'a>(mut tags: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    !tags.any(|tag| tag == (TESTED, NOT_TESTED))
}

/// Collects what an image is made of, under names, in any order.
#[derive(Clone, Debug, Default)]
pub struct Inputs(std::collections::BTreeMap<String, String>);

impl Inputs {
    /// A digest or another text that says all of one input: "source" → "sha256:…".
    pub fn add(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// SHA-256 of all of it, hexadecimal.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            // With its length, so that no two lists look the same.
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        }
        hex::encode(&digest.finalize())
    }
}

/// The newest available image of the account with these inputs that has not its test before it.
///
/// # Errors
/// Those of `DescribeImages`.
pub fn find(client: &Client, digest: &str) -> Result<Option<Image>, Error> {
    if digest.is_empty() {
        return Ok(None);
    }
    let filter = ImageFilter {
        owners: vec!["self".to_owned()],
        filters: vec![
            (format!("tag:{TAG}"), vec![digest.to_owned()]),
            ("state".to_owned(), vec!["available".to_owned()]),
        ],
        ..ImageFilter::default()
    };
    let images = describe_images(client, &filter)?;
    // What a service makes of a filter that it does not know is not trusted.
    let same = |image: &Image| {
        image.state == "available"
            && image.tags.iter().any(|(name, value)| name == TAG && value == digest)
            && may_be_used(image.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    };
    Ok(images
        .into_iter()
        .filter(same)
        .max_by(|one, other| (&one.created, &one.id).cmp(&(&other.created, &other.id))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_every_input_and_on_no_order() {
        let of = |inputs: &[(&str, &str)]| {
            let mut all = Inputs::default();
            for (name, value) in inputs {
                all.add(name, value);
            }
            all.digest()
        };
        let one = of(&[("source", "sha256:1"), ("recipe", "2")]);
        assert_eq!(one.len(), 64);
        assert_eq!(one, of(&[("recipe", "2"), ("source", "sha256:1")]));
        for other in [
            &[("source", "sha256:1"), ("recipe", "3")][..],
            &[("source", "sha256:1")],
            &[("source", "sha256:1"), ("recip", "e2")],
            &[("source", "sha256:1r"), ("ecipe", "2")],
            &[],
        ] {
            assert_ne!(one, of(other), "{other:?}");
        }
    }
}
