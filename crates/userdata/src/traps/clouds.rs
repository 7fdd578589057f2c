//! How much user-data the clouds take.

use super::trap;
use crate::finding::{Finding, Place};
use crate::split::WHOLE;

/// A cloud, and how many bytes of user-data it takes before base64: EC2's API reference, Nova's
/// (65,535 characters of base64), Azure's `customData`, Compute Engine's metadata values.
pub const CLOUDS: &[(&str, usize)] =
    &[("EC2", 16_384), ("OpenStack", 49_149), ("Azure", 65_535), ("Google Compute Engine", 262_144)];

/// A warning for a file of `bytes` bytes that is too large for some of the [`CLOUDS`].
#[must_use]
pub fn too_large(bytes: usize) -> Option<Finding> {
    let refusing: Vec<String> = CLOUDS
        .iter()
        .filter(|(_, limit)| bytes > *limit)
        .map(|(cloud, limit)| format!("{cloud} ({limit})"))
        .collect();
    let (last, before) = refusing.split_last()?;
    let message = match before {
        [] => format!("{bytes} bytes are more than {last} takes"),
        _ => format!("{bytes} bytes are more than {} and {last} take", before.join(", ")),
    };
    let place = Place { part: WHOLE, ..Place::default() };
    let hint = "make it smaller with `hardtack user-data pack`, or fetch the rest at boot";
    Some(trap("too-large-for-clouds", place, "", message, hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::too_large;

    #[test]
    fn each_cloud_has_its_own_limit() {
        assert_eq!(too_large(16_384), None);
        assert_eq!(too_large(16_385).unwrap().message, "16385 bytes are more than EC2 (16384) takes");
        let message = too_large(70_000).unwrap().message;
        assert!(message.ends_with("EC2 (16384), OpenStack (49149) and Azure (65535) take"), "{message}");
    }
}
