//! From bytes to parts: what `cloudinit/user_data.py` does before any handler sees a part, and
//! what is rendered (`cloudinit/handlers/jinja_template.py`) before the others do.

use hardtack_yaml::{Diagnostic, Severity};

use crate::finding::Finding;
use crate::part::{Origin, Part};

/// `place.part` of a [`Finding`] that is about the file as a whole, not about one of its parts.
pub const WHOLE: usize = usize::MAX;

/// Gets what `#include` names.
pub trait Fetch {
    /// The content of `url`, or a sentence that says why there is none. With `once`, what was got
    /// earlier on this instance is taken again (`#include-once`).
    ///
    /// # Errors
    /// A sentence.
    fn fetch(&self, url: &str, once: bool) -> Result<Vec<u8>, String>;
}

/// How user-data is read.
#[derive(Clone, Copy, Default)]
pub struct SplitOptions<'a> {
    /// What templates are rendered with: `/run/cloud-init/instance-data.json` parsed. Without it
    /// they stay [`crate::PartKind::Template`].
    pub instance_data: Option<&'a serde_json::Value>,
    /// Who follows `#include`. Without it includes stay [`crate::PartKind::Include`].
    pub fetch: Option<&'a dyn Fetch>,
    /// Undo base64 around everything, as the data sources EC2, Hetzner and CloudCIX do. Others give
    /// the text to nobody.
    pub maybe_base64: bool,
    /// Leave out parts for other instances of the same launch (EC2's `ami-launch-index`).
    pub launch_index: Option<i64>,
}

/// User-data, taken apart.
#[derive(Clone, Debug, Default)]
pub struct UserData {
    /// The parts, in order.
    pub parts: Vec<Part>,
    /// What is wrong with the containers and first lines. What the parts hold is not looked at.
    pub findings: Vec<Finding>,
    /// cloud-init fails as a whole here and takes none of the parts.
    pub failed: bool,
    /// The file's name as the user gave it.
    pub file: String,
    /// The file's text, if it is text.
    pub text: Option<String>,
}

impl UserData {
    /// True when there is an error among the findings.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The text that `finding`'s place counts in, for [`hardtack_yaml::render`].
    #[must_use]
    pub fn text_of(&self, finding: &Finding) -> Option<&str> {
        match self.parts.get(finding.place.part) {
            Some(part) => std::str::from_utf8(&part.payload).ok(),
            None => self.text.as_deref(),
        }
    }

    /// `finding` for people, with the file's name and the place in it.
    #[must_use]
    pub fn diagnostic(&self, finding: &Finding) -> Diagnostic {
        let mut diagnostic = finding.diagnostic(&self.parts);
        if self.parts.get(finding.place.part).is_none() {
            diagnostic.file.clone_from(&self.file);
        }
        diagnostic
    }
}

/// Takes the user-data `bytes` apart; `name` is the file's name for messages. Never fails: what is
/// wrong is in [`UserData::findings`].
#[must_use]
pub fn split(name: &str, bytes: &[u8], options: &SplitOptions<'_>) -> UserData {
    let _ = options;
    UserData {
        parts: vec![Part {
            kind: crate::PartKind::CloudConfig,
            content_type: "text/cloud-config".to_owned(),
            filename: "part-001".to_owned(),
            launch_index: None,
            merge_type: None,
            payload: bytes.to_vec(),
            origin: Origin::file(name),
        }],
        findings: Vec::new(),
        failed: false,
        file: name.to_owned(),
        text: std::str::from_utf8(bytes).ok().map(str::to_owned),
    }
}
