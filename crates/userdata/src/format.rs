//! What a text is by its first characters, and which types somebody handles
//! (`cloudinit/handlers/__init__.py`, `type_from_starts_with`, `INCLUSION_TYPES_MAP`).

use crate::part::PartKind;
use crate::python;

/// What text may begin with, in lower case, the longest first, and its type.
const STARTS: [(&str, &str); 9] = [
    ("#cloud-config-archive", ARCHIVE),
    ("#cloud-config-jsonp", JSON_PATCH),
    ("## template: jinja", TEMPLATE),
    ("#cloud-boothook", BOOTHOOK),
    ("#part-handler", PART_HANDLER),
    ("#cloud-config", CLOUD_CONFIG),
    ("#include-once", INCLUDE_ONCE),
    ("#include", INCLUDE),
    ("#!", SCRIPT),
];

/// cloud-init's table holds these as beginnings too, for want of a better place.
const TYPES_AS_STARTS: [&str; 3] = [PER_INSTANCE, PER_BOOT, PER_ONCE];

pub(crate) const ARCHIVE: &str = "text/cloud-config-archive";
pub(crate) const JSON_PATCH: &str = "text/cloud-config-jsonp";
pub(crate) const TEMPLATE: &str = "text/jinja2";
pub(crate) const BOOTHOOK: &str = "text/cloud-boothook";
pub(crate) const PART_HANDLER: &str = "text/part-handler";
pub(crate) const CLOUD_CONFIG: &str = "text/cloud-config";
pub(crate) const INCLUDE_ONCE: &str = "text/x-include-once-url";
pub(crate) const INCLUDE: &str = "text/x-include-url";
pub(crate) const SCRIPT: &str = "text/x-shellscript";
pub(crate) const PER_BOOT: &str = "text/x-shellscript-per-boot";
pub(crate) const PER_INSTANCE: &str = "text/x-shellscript-per-instance";
pub(crate) const PER_ONCE: &str = "text/x-shellscript-per-once";
pub(crate) const NOT_MULTIPART: &str = "text/x-not-multipart";
pub(crate) const PLAIN: &str = "text/plain";

/// All types that cloud-init does something with, for "did you mean".
pub const TYPES: [&str; 12] = [
    CLOUD_CONFIG,
    ARCHIVE,
    JSON_PATCH,
    SCRIPT,
    PER_BOOT,
    PER_INSTANCE,
    PER_ONCE,
    BOOTHOOK,
    PART_HANDLER,
    TEMPLATE,
    INCLUDE,
    INCLUDE_ONCE,
];

/// The longest beginning is shorter than this.
const LONGEST: usize = 40;

/// The type that `text` shows by its first characters; white space before them and their case do
/// not matter.
#[must_use]
pub fn type_from_starts_with(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches(python::is_space);
    let head: String = text.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    TYPES_AS_STARTS
        .iter()
        .map(|kind| (*kind, *kind))
        .chain(STARTS)
        .find(|(start, _)| head.starts_with(start))
        .map(|(_, kind)| kind)
}

/// As [`type_from_starts_with`] for bytes, which may be anything behind their first line.
#[must_use]
pub fn type_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    type_from_starts_with(&String::from_utf8_lossy(leading(bytes)))
}

/// White space and a little of what follows it: enough to tell the type.
fn leading(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    // A blank of Unicode is never more than three bytes; whatever else comes first ends the search.
    while let Some(rest) = bytes.get(end..)
        && let Some(width) = (1..=3).find(|width| {
            rest.get(..*width)
                .and_then(|start| std::str::from_utf8(start).ok())
                .is_some_and(|start| start.chars().all(python::is_space) && !start.is_empty())
        })
    {
        end += width;
    }
    bytes.get(..bytes.len().min(end.saturating_add(4 * LONGEST))).unwrap_or_default()
}

/// What is done with a part of the type `content_type`.
#[must_use]
pub fn kind_of(content_type: &str) -> PartKind {
    match content_type {
        CLOUD_CONFIG => PartKind::CloudConfig,
        JSON_PATCH => PartKind::JsonPatch,
        SCRIPT => PartKind::Script,
        PER_BOOT => PartKind::ScriptPerBoot,
        PER_INSTANCE => PartKind::ScriptPerInstance,
        PER_ONCE => PartKind::ScriptPerOnce,
        BOOTHOOK => PartKind::Boothook,
        PART_HANDLER => PartKind::PartHandler,
        TEMPLATE => PartKind::Template,
        _ => PartKind::Unhandled,
    }
}

#[cfg(test)]
mod tests {
    use super::{type_from_starts_with, type_of_bytes};

    #[test]
    fn the_longest_beginning_wins() {
        for (text, wanted) in [
            ("#cloud-config", Some("text/cloud-config")),
            ("#cloud-configuration", Some("text/cloud-config")),
            ("#cloud-config-archive", Some("text/cloud-config-archive")),
            ("#Cloud-Config-JSONP", Some("text/cloud-config-jsonp")),
            ("#include-once\nx", Some("text/x-include-once-url")),
            ("#included", Some("text/x-include-url")),
            ("## Template: Jinja2", Some("text/jinja2")),
            ("##  template: jinja", None),
            ("\u{a0}\u{2028}\u{1c}#!x", Some("text/x-shellscript")),
            ("text/x-shellscript-per-boot", Some("text/x-shellscript-per-boot")),
            ("\u{feff}#cloud-config", None),
            ("# cloud-config", None),
            ("", None),
        ] {
            assert_eq!(type_from_starts_with(text), wanted, "{text:?}");
            assert_eq!(type_of_bytes(text.as_bytes()), wanted, "{text:?}");
        }
    }

    #[test]
    fn bytes_behind_the_beginning_do_not_matter() {
        assert_eq!(type_of_bytes(b"#cloud-config\xff\xfe"), Some("text/cloud-config"));
        assert_eq!(type_of_bytes(b"\xff#cloud-config"), None);
    }
}
