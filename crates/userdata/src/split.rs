//! From bytes to parts: what `cloudinit/user_data.py` does before any handler sees a part, and
//! what is rendered (`cloudinit/handlers/jinja_template.py`) before the others do.

use std::collections::HashMap;

use hardtack_yaml::{Diagnostic, Severity, Span};

use crate::finding::{Finding, Place};
use crate::mime::Message;
use crate::part::{Origin, Part, PartKind};
use crate::process::Processor;
use crate::{first_line, format, launch_index, limits, maybe_base64, template};

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
    /// Texts that findings count in whose `place.part` is [`WHOLE`], or that much less.
    sources: Vec<Source>,
    /// Parts that are plain text which a header calls base64, and become no UTF-8 by that.
    plain: Vec<usize>,
    /// Parts that are no UTF-8, as [`crate::utf8::readable`] shows them.
    readable: HashMap<usize, String>,
}

/// A text that is no part: the file, what a gzip unpacks to, an archive.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(crate) text: Option<String>,
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
        if let Some(part) = self.parts.get(finding.place.part) {
            let readable = self.readable.get(&finding.place.part).map(String::as_str);
            return readable.or_else(|| std::str::from_utf8(&part.payload).ok());
        }
        match self.source(finding) {
            Some(source) => source.text.as_deref(),
            None => self.text.as_deref(),
        }
    }

    /// `finding` for people, with the file's name and the place in it.
    #[must_use]
    pub fn diagnostic(&self, finding: &Finding) -> Diagnostic {
        let mut diagnostic = finding.diagnostic(&self.parts);
        if self.parts.get(finding.place.part).is_none() {
            match self.source(finding) {
                Some(source) => (diagnostic.file, diagnostic.span) = source.origin.locate(finding.place.span),
                None => diagnostic.file.clone_from(&self.file),
            }
        }
        diagnostic
    }

    /// Whether what `finding` says was told better: bytes that are only what a wrong header makes of text.
    #[must_use]
    pub fn is_told(&self, finding: &Finding) -> bool {
        finding.code == crate::utf8::CODE && self.plain.contains(&finding.place.part)
    }

    fn source(&self, finding: &Finding) -> Option<&Source> {
        self.sources.get(WHOLE - finding.place.part)
    }
}

/// Takes the user-data `bytes` apart; `name` is the file's name for messages. Never fails: what is
/// wrong is in [`UserData::findings`].
#[must_use]
pub fn split(name: &str, bytes: &[u8], options: &SplitOptions<'_>) -> UserData {
    let mut data = UserData {
        file: name.to_owned(),
        text: std::str::from_utf8(bytes).ok().map(str::to_owned),
        ..UserData::default()
    };
    if bytes.len() > limits::RAW {
        let message = format!("{} bytes of user-data; at most {} are read", bytes.len(), limits::RAW);
        let place = Place { part: WHOLE, span: Span { line: 1, column: 1, ..Span::default() } };
        data.findings = vec![
            Finding::error("too-large", place, message)
                .with_hint("clouds take 16 to 64 KiB: fetch large files while booting"),
        ];
        data.failed = true;
        data.text = None;
        return data;
    }
    let mut processor = Processor::new(options.fetch);
    let decoded = options.maybe_base64.then(|| maybe_base64::strict(bytes)).flatten();
    match decoded {
        Some(decoded) if !bytes.is_empty() => {
            let origin = Origin { file: format!("{name} (base64 undone)"), ..Origin::default() };
            processor.blob(decoded, origin, 0);
        }
        _ => processor.blob(bytes.to_vec(), Origin::file(name), 0),
    }
    let Processor { messages, attached, sources, findings, about, failed, plain, .. } = processor;
    let mut places = HashMap::new();
    for id in launch_index::leaves(&messages, &attached, options.launch_index) {
        let Some(message) = messages.get(id) else { continue };
        places.entry(id).or_insert(data.parts.len());
        data.parts.push(part(message, data.parts.len()));
    }
    data.plain = plain.iter().filter_map(|id| places.get(id).copied()).collect();
    data.failed = failed;
    data.sources = sources;
    data.findings = findings;
    for (id, mut finding) in about {
        if let Some(index) = places.get(&id) {
            finding.place.part = *index;
            data.findings.push(finding);
        }
    }
    for (index, part) in data.parts.iter_mut().enumerate() {
        if part.kind == PartKind::Template {
            template::part(part, index, options.instance_data, &mut data.findings);
        }
    }
    first_line::look(&mut data);
    let mut findings = std::mem::take(&mut data.findings);
    findings.retain(|finding| !data.is_told(finding));
    data.findings = findings;
    for (index, part) in data.parts.iter().enumerate() {
        if std::str::from_utf8(&part.payload).is_err()
            && let Some(text) = crate::utf8::readable(&part.payload)
        {
            data.readable.insert(index, text);
        }
    }
    data
}

fn part(message: &Message, number: usize) -> Part {
    let content_type = message.content_type();
    let kind = match content_type.as_str() {
        // In an archive nobody follows it.
        format::INCLUDE if message.is_include => PartKind::Include,
        format::INCLUDE_ONCE if message.is_include => PartKind::IncludeOnce,
        other => format::kind_of(other),
    };
    Part {
        kind,
        filename: match message.filename() {
            Ok(Some(name)) if !name.is_empty() => name,
            // What stood in a message that became no part itself (`handlers/__init__.py`, `walk`).
            _ => format!("part-{number:03}"),
        },
        launch_index: message.get(launch_index::HEADER).map(str::to_owned),
        merge_type: ["Merge-Type", "X-Merge-Type"]
            .into_iter()
            .filter_map(|name| message.get_exact(name))
            .find(|value| !value.is_empty())
            .map(str::to_owned),
        payload: message.decoded(),
        origin: message.origin.clone(),
        content_type,
    }
}
