//! The text that is signed.
//!
//! It is the file's own text, cut by a search for the tags: `XMLUtil.get_xml` of ec2-ami-tools and
//! `XMLParser.getXML` of Eucalyptus' Walrus do it so. White space inside counts, and a tag with an
//! attribute is not found.

/// From `<machine_configuration>` to its end, then from `<image>` to its end; `None` where they lack.
pub fn signed_text(manifest: &str) -> Option<String> {
    let cut = |name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let start = manifest.find(&open)?;
        let length = manifest.get(start..)?.find(&close)?;
        manifest.get(start..start + length + close.len())
    };
    Some(format!("{}{}", cut("machine_configuration")?, cut("image")?))
}
