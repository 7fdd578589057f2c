//! What cloud-init makes of a text before any handler sees it: containers opened, includes followed,
//! types told by first characters (`cloudinit/user_data.py`, `UserDataProcessor`).

use hardtack_yaml::Span;

use crate::finding::{Finding, Place, Severity};
use crate::mime::parse::{self, Oddity};
use crate::mime::{At, Id, Message, Payload, transfer};
use crate::part::Origin;
use crate::split::{Fetch, Source, WHOLE};
use crate::wording::shown;
use crate::{archive, format, gunzip, include, launch_index, limits, python};

/// Types of what is gzip.
const GZIP_TYPES: [&str; 8] = [
    "application/gzip",
    "application/gzip-compressed",
    "application/gzipped",
    "application/x-compress",
    "application/x-compressed",
    "application/x-gunzip",
    "application/x-gzip",
    "application/x-gzip-compressed",
];

/// How far into a text cloud-init looks for `MIME-Version:`.
const MIME_WINDOW: usize = 4096;

/// The begin of a text.
const BEGIN: Span = Span { start: 0, end: 0, line: 1, column: 1 };

/// Takes user-data apart.
pub(crate) struct Processor<'a> {
    pub(crate) fetch: Option<&'a dyn Fetch>,
    /// All messages that there are.
    pub(crate) messages: Vec<Message>,
    /// Those that became parts.
    pub(crate) attached: Vec<Id>,
    /// Texts that findings count in.
    pub(crate) sources: Vec<Source>,
    pub(crate) findings: Vec<Finding>,
    /// Findings about messages, which have no place among the parts yet.
    pub(crate) about: Vec<(Id, Finding)>,
    /// cloud-init raises an exception here.
    pub(crate) failed: bool,
    /// Bytes unpacked and fetched so far.
    pub(crate) spent: usize,
    /// There were more parts than are read, which is told once.
    full: bool,
    /// Plain text that a header calls base64.
    pub(crate) plain: Vec<Id>,
}

impl<'a> Processor<'a> {
    pub(crate) fn new(fetch: Option<&'a dyn Fetch>) -> Self {
        Self {
            fetch,
            messages: Vec::new(),
            attached: Vec::new(),
            sources: Vec::new(),
            findings: Vec::new(),
            about: Vec::new(),
            failed: false,
            spent: 0,
            full: false,
            plain: Vec::new(),
        }
    }

    /// Where findings about the text `bytes` at `origin` count.
    pub(crate) fn source(&mut self, bytes: &[u8], origin: &Origin) -> usize {
        let text = crate::utf8::readable(bytes);
        self.sources.push(Source { origin: origin.clone(), text });
        WHOLE - (self.sources.len() - 1)
    }

    fn fail(&mut self, finding: Finding) {
        self.failed = true;
        self.findings.push(finding);
    }

    /// Unpacks `bytes`, as far as there is room.
    fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<u8>, gunzip::Error> {
        let unpacked = gunzip::gunzip(bytes, limits::UNPACKED.saturating_sub(self.spent));
        self.spent = match &unpacked {
            Ok(unpacked) => self.spent.saturating_add(unpacked.len()),
            Err(gunzip::Error::TooLarge(_)) => limits::UNPACKED,
            Err(_) => self.spent,
        };
        unpacked
    }

    /// One text: the whole, or what an include named (`convert_string`).
    pub(crate) fn blob(&mut self, bytes: Vec<u8>, origin: Origin, depth: usize) {
        let (bytes, origin, source) = match self.unpack(&bytes) {
            Ok(unpacked) if gunzip::is_gzip(&bytes) => {
                let origin = Origin { file: format!("{} (unpacked)", origin.file), ..Origin::default() };
                let source = self.source(&unpacked, &origin);
                (unpacked, origin, source)
            }
            result => {
                let source = self.source(&bytes, &origin);
                let place = Place { part: source, span: BEGIN };
                match result {
                    Err(error @ gunzip::Error::TooLarge(_)) => {
                        let message = format!("this is gzip, and {error}");
                        return self.fail(
                            Finding::error("gzip-too-large", place, message)
                                .with_hint("user-data has to be smaller: fetch large files while booting"),
                        );
                    }
                    Err(error) if error != gunzip::Error::NotGzip => {
                        let message =
                            format!("{error}: cloud-init takes it for unknown binary data and ignores it");
                        self.findings.push(
                            Finding::error("gzip-damaged", place, message)
                                .with_hint("compress it again: gzip -9 < FILE > FILE.gz"),
                        );
                    }
                    _ => {}
                }
                (bytes, origin, source)
            }
        };
        let window = bytes.get(..MIME_WINDOW).unwrap_or(&bytes).to_ascii_lowercase();
        let is_mime = find(&window, b"mime-version:").is_some();
        if !is_mime {
            let id = self.messages.len();
            let mut message = Message { payload: Payload::Bytes(bytes), origin, ..Message::default() };
            message.add("Content-Type", format::NOT_MULTIPART);
            message.add("MIME-Version", "1.0");
            self.messages.push(message);
            return self.message(id, source, depth);
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let mut finding = match crate::utf8::text(error.as_bytes(), source) {
                    Err(finding) => finding,
                    Ok(_) => return,
                };
                finding.message = "a MIME message that is not UTF-8: cloud-init fails as a whole".to_owned();
                finding.hint =
                    Some("encode binary parts as base64 (Content-Transfer-Encoding: base64)".to_owned());
                return self.fail(Finding::clone(&finding));
            }
        };
        let mut oddities = Vec::new();
        let parsed =
            parse::parse(&parse::Source { text: &text, origin: &origin }, &mut self.messages, &mut oddities);
        for (oddity, span) in oddities {
            self.findings.push(odd(oddity, Place { part: source, span }));
        }
        match parsed {
            Ok(id) => self.message(id, source, depth),
            Err(error) => {
                let place = Place { part: source, span: BEGIN };
                let finding = Finding::error("mime-refused", place, error.to_string());
                self.fail(finding.with_hint("write one flat multipart message, one part for each file"));
            }
        }
    }

    /// All parts of the message `base` (`_process_msg`).
    fn message(&mut self, base: Id, source: usize, depth: usize) {
        let mut waiting = vec![base];
        while let Some(id) = waiting.pop() {
            let Some(message) = self.messages.get(id) else { continue };
            if let Payload::List(list) = &message.payload {
                waiting.extend(list.iter().rev());
            }
            if message.main_type() != "multipart" {
                self.part(base, id, source, depth);
            }
        }
    }

    fn part(&mut self, base: Id, id: Id, source: usize, depth: usize) {
        let Some(message) = self.messages.get(id) else { return };
        if !fits(&message.payload) {
            let At { start, line } = message.body;
            let place =
                Place { part: source, span: Span { start, end: start, line: line.max(1), column: 1 } };
            return self.fail(too_long(place));
        }
        let mut id = id;
        let mut said = message.content_type();
        let mut payload = message.decoded();
        let mut origin = message.origin.clone();
        let encoding = message.transfer_encoding();
        let At { start, line } = message.head;
        let mut here = Place { part: source, span: Span { start, end: start, line: line.max(1), column: 1 } };
        if !matches!(encoding.as_str(), "" | "7bit" | "8bit" | "binary") {
            let name = message.filename().ok().flatten().filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| format!("part-{:03}", self.attached.len() + 1));
            origin = Origin { file: format!("{} ({name})", origin.file), ..Origin::default() };
        }
        let there = self.header(id, "content-transfer-encoding", here);
        self.encoding(id, &encoding, &payload, there);
        let compressed = GZIP_TYPES.contains(&said.as_str());
        if compressed {
            let Some(old) = self.messages.get(id).cloned() else { return };
            let unpacked = match self.unpack(&payload) {
                Ok(unpacked) => unpacked,
                Err(error) => {
                    let message = format!("a part of the type {said}: {error}; cloud-init fails as a whole");
                    let hint = "compress it again, or send it as it is with its own type";
                    let code = match error {
                        gunzip::Error::TooLarge(_) => "gzip-too-large",
                        _ => "gzip-damaged",
                    };
                    return self.fail(Finding::error(code, here, message).with_hint(hint));
                }
            };
            let Ok(text) = String::from_utf8(unpacked) else {
                let message = format!(
                    "a part of the type {said} that does not unpack to UTF-8: cloud-init fails as a whole"
                );
                let hint = "send binary files through write_files, or fetch them while booting";
                return self.fail(Finding::error("gzip-not-utf8", here, message).with_hint(hint));
            };
            if python::escaped_length(&text) > limits::UNPACKED {
                return self.fail(too_long(here));
            }
            "text/plain".clone_into(&mut said);
            payload = text.clone().into_bytes();
            origin = Origin { file: format!("{} (unpacked)", origin.file), ..Origin::default() };
            // A new message, which has less headers.
            let mut fresh =
                Message { payload: Payload::Text(text), origin: origin.clone(), ..Message::default() };
            fresh.add("Content-Type", format::type_of_bytes(&payload).unwrap_or(format::PLAIN));
            fresh.add("MIME-Version", "1.0");
            match old.filename() {
                Ok(Some(name)) if !name.is_empty() => fresh.set_filename(&name),
                Ok(_) => {}
                Err(error) => return self.broken(&error.to_string(), here),
            }
            if let Some(index) = old.get(launch_index::HEADER) {
                fresh.add(launch_index::HEADER, index);
            }
            if old.get("merge-type").or_else(|| old.get("x-merge-type")).is_some() {
                let message = "the Merge-Type header of a compressed part is lost in cloud-init";
                let hint = "write merge_how into the configuration, or do not compress the part";
                let there = self.header(id, "merge-type", here);
                self.findings.push(Finding::warning("merge-type-lost", there, message).with_hint(hint));
            }
            fresh.body = At { start: 0, line: 1 };
            here = Place { part: self.source(&payload, &origin), span: BEGIN };
            id = self.messages.len();
            self.messages.push(fresh);
        }
        let told = matches!(said.as_str(), format::PLAIN | format::NOT_MULTIPART | format::SCRIPT)
            .then(|| format::type_of_bytes(&payload))
            .flatten();
        let kind = told.map_or_else(|| said.clone(), str::to_owned);
        if let Some(message) = self.messages.get_mut(id)
            && kind != said
        {
            message.replace("Content-Type", kind.clone());
        }
        match kind.as_str() {
            format::INCLUDE | format::INCLUDE_ONCE => {
                return self.include(id, &payload, &origin, source, depth);
            }
            format::ARCHIVE => return self.archive(&payload, &origin),
            _ => {}
        }
        if let Some(message) = self.messages.get_mut(base) {
            // Of the whole, not of the part: one more reason why names in Content-Type get lost.
            message.replace("Content-Type", kind);
        }
        if let Some(message) = self.messages.get_mut(id) {
            message.origin = origin;
        }
        self.attach(id, here);
    }

    fn broken(&mut self, error: &str, here: Place) {
        let message = format!("a header of this part: {error}; cloud-init fails as a whole");
        let hint = "write the file name as filename=\"NAME\"";
        self.fail(Finding::error("mime-refused", here, message).with_hint(hint));
    }

    /// The line of the header `name`, or of what ends with that, of the message `id`; `here` if there is
    /// none.
    fn header(&self, id: Id, name: &str, here: Place) -> Place {
        let text = self.sources.get(WHOLE - here.part).and_then(|source| source.text.as_deref());
        let message = self.messages.get(id).filter(|message| message.head.line > 0);
        let (Some(text), Some(message)) = (text, message) else { return here };
        let At { mut start, mut line } = message.head;
        for header in text.get(start..).unwrap_or_default().split_inclusive('\n') {
            if header.trim_end().is_empty() {
                break;
            }
            let found = header.split(':').next().unwrap_or_default();
            if found.to_ascii_lowercase().ends_with(name) {
                let end = start + header.trim_end_matches(['\r', '\n']).len();
                return Place { part: here.part, span: Span { start, end, line, column: 1 } };
            }
            start += header.len();
            line += 1;
        }
        here
    }

    /// What is wrong with the transfer encoding of a message.
    fn encoding(&mut self, id: Id, encoding: &str, decoded: &[u8], here: Place) {
        if !transfer::KNOWN.contains(&encoding) {
            let message =
                format!("{} is no transfer encoding: the part is taken as it is written", shown(encoding));
            let hint = match transfer::KNOWN.contains(&encoding.trim()) {
                true => "remove the blanks behind it",
                false => "write 7bit, base64 or quoted-printable",
            };
            self.findings.push(Finding::error("transfer-encoding", here, message).with_hint(hint));
        }
        let written = match self.messages.get(id).map(|message| &message.payload) {
            Some(Payload::Text(text)) => text.as_bytes(),
            Some(Payload::Bytes(bytes)) => bytes,
            _ => return,
        };
        if encoding == "base64" && !transfer::is_clean_base64(written) {
            if format::type_of_bytes(written).is_some() {
                let message =
                    "this is plain text, although the header says base64: cloud-init makes other bytes of it";
                let hint = "remove this header, or encode the part: base64 < FILE";
                let finding = Finding::warning("transfer-base64", here, message).with_hint(hint);
                // Told here, and not once more for the bytes.
                let is_lost = std::str::from_utf8(decoded).is_err();
                let severity = if is_lost { Severity::Error } else { Severity::Warning };
                self.findings.push(Finding { severity, ..finding });
                self.plain.extend(is_lost.then_some(id));
                return;
            }
            let message = match decoded.len() * 4 >= written.len() * 3 && !written.is_empty() {
                true => "this is not base64, although the header says so: the part is taken as it is written",
                false => "this base64 is damaged: cloud-init takes what it can read of it",
            };
            let hint = "encode the part again: base64 < FILE";
            self.findings.push(Finding::warning("transfer-base64", here, message).with_hint(hint));
        }
    }

    /// One part more (`_attach_part`).
    fn attach(&mut self, id: Id, here: Place) {
        let number = self.attached.len() + 1;
        if number > limits::PARTS {
            if !self.full {
                self.full = true;
                let message = format!("there are more than {} parts", limits::PARTS);
                self.fail(Finding::error("too-many-parts", here, message).with_hint("put several into one"));
            }
            return;
        }
        let merge_type = self.header(id, "merge-type", here);
        let Some(message) = self.messages.get_mut(id) else { return };
        match message.filename() {
            Ok(Some(name)) if !name.is_empty() => {}
            Ok(_) => message.set_filename(&format!("part-{number:03}")),
            Err(error) => return self.broken(&error.to_string(), here),
        }
        launch_index::attach(message);
        let exact = ["Merge-Type", "X-Merge-Type"].iter().any(|name| message.get_exact(name).is_some());
        if !exact && let Some(value) = message.get("merge-type").or_else(|| message.get("x-merge-type")) {
            let text = format!(
                "the header that says {} is not written `Merge-Type`: it does not count",
                shown(value)
            );
            let finding =
                Finding::warning("merge-type-case", merge_type, text).with_hint("write it `Merge-Type:`");
            self.findings.push(finding);
        }
        if let Payload::Text(text) = &message.payload
            && let Some(mut finding) = mangled(text)
            && !matches!(message.transfer_encoding().as_str(), "base64" | "quoted-printable")
        {
            if message.body.line > 0 {
                let span = &mut finding.place.span;
                span.start += message.body.start;
                span.end += message.body.start;
                span.line += message.body.line - 1;
                finding.place.part = here.part;
                self.findings.push(finding);
            } else {
                self.about.push((id, finding));
            }
        }
        self.attached.push(id);
    }

    fn archive(&mut self, payload: &[u8], origin: &Origin) {
        let source = self.source(payload, origin);
        let archive = archive::explode(payload, origin, source);
        for (finding, fails) in archive.findings {
            self.failed |= fails;
            self.findings.push(finding);
        }
        for message in archive.messages {
            if self.full {
                return;
            }
            let id = self.messages.len();
            let line = message.origin.lines_before.saturating_add(1);
            self.messages.push(message);
            self.attach(id, Place { part: source, span: Span { line, column: 1, ..Span::default() } });
        }
    }

    fn include(&mut self, id: Id, payload: &[u8], origin: &Origin, source: usize, depth: usize) {
        let text = String::from_utf8_lossy(payload);
        let places = include::places(&text);
        let Some(fetch) = self.fetch else {
            let here = Place { part: source, span: BEGIN };
            if let Some(message) = self.messages.get_mut(id) {
                message.origin = origin.clone();
                message.is_include = true;
            }
            self.attach(id, here);
            for place in &places {
                let message =
                    format!("{} is not followed here: what it holds is not checked", shown(&place.url));
                self.about
                    .push((id, include_finding(Severity::Warning, "include-not-followed", place, message)));
            }
            return;
        };
        let counts = self.source(payload, origin);
        for place in places {
            if depth >= limits::NESTING {
                let message = format!("includes are nested more than {} levels deep", limits::NESTING);
                let mut finding = include_finding(Severity::Error, "include-too-deep", &place, message);
                finding.place.part = counts;
                return self.fail(finding);
            }
            let content = fetch.fetch(&place.url, place.once);
            let message = match content {
                Ok(content) if self.spent.saturating_add(content.len()) <= limits::UNPACKED => {
                    self.spent += content.len();
                    self.blob(content, Origin::file(place.url), depth + 1);
                    continue;
                }
                Ok(_) => {
                    self.spent = limits::UNPACKED;
                    format!("{} is too large: {} bytes are read in all", shown(&place.url), limits::UNPACKED)
                }
                Err(why) => format!("{}: {why}; cloud-init fails as a whole", shown(&place.url)),
            };
            let mut finding = include_finding(Severity::Error, "include-failed", &place, message)
                .with_hint("everything behind an address has to be there when the instance boots");
            finding.place.part = counts;
            self.fail(finding);
        }
    }
}

fn include_finding(
    severity: Severity,
    code: &'static str,
    place: &include::Place,
    message: String,
) -> Finding {
    let end = place.start.saturating_add(place.url.len());
    let span = Span { start: place.start, end, line: place.line, column: place.column };
    let finding = Finding::error(code, Place { part: 0, span }, message);
    Finding { severity, ..finding }
}

/// Whether text beyond ASCII, as it arrives, is not too long.
fn fits(payload: &Payload) -> bool {
    match payload {
        Payload::Text(text) => text.is_ascii() || python::escaped_length(text) <= limits::UNPACKED,
        _ => true,
    }
}

fn too_long(place: Place) -> Finding {
    let message = format!("a part that grows to more than {} bytes as cloud-init reads it", limits::UNPACKED);
    Finding::error("gzip-too-large", place, message)
        .with_hint("encode it as base64, or fetch it while booting")
}

/// Text beyond ASCII in a message does not arrive as it was written.
fn mangled(text: &str) -> Option<Finding> {
    let start = text.find(|character: char| !character.is_ascii())?;
    let found = text.get(start..)?.chars().next()?;
    let before = text.get(..start)?;
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let span = Span { start, end: start + 1, line, column: before.len() - from + 1 };
    let place = Place { part: 0, span };
    let hint =
        "encode the part as base64 (Content-Transfer-Encoding: base64); `hardtack user-data pack` does";
    let finding = if text.chars().any(|character| ('\u{80}'..='\u{ff}').contains(&character)) {
        let message = format!(
            "`{found}` in a MIME part without base64: cloud-init turns it into a byte that is not UTF-8"
        );
        Finding::error("mime-not-ascii", place, message)
    } else {
        let code = u32::from(found);
        let escape = if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") };
        let message = format!("`{found}` in a MIME part without base64: cloud-init turns it into `{escape}`");
        Finding::warning("mime-not-ascii", place, message)
    };
    Some(finding.with_hint(hint))
}

fn odd(oddity: Oddity, place: Place) -> Finding {
    match oddity {
        Oddity::NoBoundary => Finding::error(
            "mime-no-boundary",
            place,
            "this multipart message does not say its boundary: cloud-init finds no part in it",
        )
        .with_hint("write Content-Type: multipart/mixed; boundary=\"BOUNDARY\""),
        Oddity::BoundaryMissing(name) => Finding::error(
            "mime-boundary-missing",
            place,
            format!("the boundary {} does not begin any line: cloud-init finds no part", shown(&name)),
        )
        .with_hint("each part starts with a line `--` and the boundary, exactly as the header says it"),
        Oddity::NotClosed(name) => Finding::warning(
            "mime-not-closed",
            place,
            format!(
                "the line `--{name}--` that ends this multipart message is missing: was the end cut off?"
            ),
        )
        .with_hint("add it behind the last part"),
        Oddity::Header(name) => Finding::warning(
            "mime-header",
            place,
            format!(
                "{} is read as a header of the message, and its line is lost for the content",
                shown(&name)
            ),
        )
        .with_hint("leave an empty line between the headers and the content"),
    }
}

/// Where `wanted` begins in `bytes`.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
