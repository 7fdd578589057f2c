//! Parts that nobody handles, and first lines that nobody understands: cloud-init logs one line about
//! them and boots on (`cloudinit/handlers/__init__.py`, `walker_callback`).

use hardtack_yaml::{Span, did_you_mean};

use crate::finding::{Finding, Place, Severity};
use crate::part::{Part, PartKind};
use crate::split::UserData;
use crate::wording::shown;
use crate::{format, gunzip, maybe_base64, python};

/// Keys that show that a text is meant as cloud-config.
const KEYS: [&str; 31] = [
    "apt",
    "bootcmd",
    "ca_certs",
    "chpasswd",
    "coreos",
    "disable_root",
    "disk_setup",
    "final_message",
    "fqdn",
    "fs_setup",
    "groups",
    "growpart",
    "hardtack",
    "hostname",
    "locale",
    "manage_etc_hosts",
    "mounts",
    "ntp",
    "package_update",
    "package_upgrade",
    "packages",
    "password",
    "phone_home",
    "power_state",
    "runcmd",
    "ssh_authorized_keys",
    "ssh_pwauth",
    "swap",
    "timezone",
    "users",
    "write_files",
];

/// Headers that are nearly known, as [`squeezed`], and the one that is meant.
const NEARLY: [(&str, &str); 16] = [
    ("#cloudconfig", "#cloud-config"),
    ("#cloudinit", "#cloud-config"),
    ("cloudconfig", "#cloud-config"),
    ("cloudinit", "#cloud-config"),
    ("#!cloudconfig", "#cloud-config"),
    ("#userdata", "#cloud-config"),
    ("#cloudconfigarchive", "#cloud-config-archive"),
    ("#cloudconfigjsonp", "#cloud-config-jsonp"),
    ("#cloudboothook", "#cloud-boothook"),
    ("#boothook", "#cloud-boothook"),
    ("cloudboothook", "#cloud-boothook"),
    ("#parthandler", "#part-handler"),
    ("#include", "#include"),
    ("include", "#include"),
    ("#includeonce", "#include-once"),
    ("#template:jinja", "## template: jinja"),
];

/// Looks at all parts of `data`.
pub(crate) fn look(data: &mut UserData) {
    let mut findings = Vec::new();
    if data.parts.is_empty() && data.findings.is_empty() {
        let place = Place { part: crate::split::WHOLE, span: Span { line: 1, column: 1, ..Span::default() } };
        findings.push(Finding::warning("empty", place, "there is no part in this user-data"));
    }
    for (index, part) in data.parts.iter().enumerate() {
        match part.kind {
            // What is wrong with a template was told when it was rendered.
            PartKind::Unhandled if part.content_type == format::TEMPLATE => {}
            PartKind::Unhandled => unhandled(part, index, data, &mut findings),
            PartKind::Script
            | PartKind::ScriptPerBoot
            | PartKind::ScriptPerInstance
            | PartKind::ScriptPerOnce
            | PartKind::Boothook => script(part, index, &mut findings),
            PartKind::Include | PartKind::IncludeOnce => include(part, index, &mut findings),
            _ => {}
        }
        if part.kind != PartKind::Unhandled {
            handled(part, index, &mut findings);
        }
    }
    names(&data.parts, &mut findings);
    data.findings.append(&mut findings);
}

/// The first line of `text` that is not empty: its number, its first byte, and itself.
fn first_line(text: &str) -> (usize, usize, &str) {
    let mut start = 0;
    for (number, line) in text.split('\n').enumerate() {
        if !line.trim().is_empty() {
            return (number + 1, start, line.trim_end());
        }
        start += line.len() + 1;
    }
    (1, 0, "")
}

fn span_of(text: &str) -> Span {
    let (line, start, words) = first_line(text);
    let blanks = words.len() - words.trim_start().len();
    Span { start: start + blanks, end: start + words.len(), line, column: blanks + 1 }
}

/// Without blanks, hyphens and underscores, in lower case.
fn squeezed(line: &str) -> String {
    line.chars()
        .filter(|character| !python::is_space(*character) && !matches!(character, '-' | '_'))
        .flat_map(char::to_lowercase)
        .take(60)
        .collect()
}

/// What is probably meant by a header that is none. A `#` more or less does not matter.
fn nearly(line: &str) -> Option<&'static str> {
    let line = squeezed(line);
    let hashes = line.len() - line.trim_start_matches('#').len();
    let line = if hashes > 1 { line.get(hashes - 1..).unwrap_or_default() } else { &line };
    let line = line.split([':', ';', ',']).next().filter(|_| !line.contains("template")).unwrap_or(line);
    if line.starts_with("#template:jinja") {
        return Some("## template: jinja");
    }
    NEARLY.iter().find(|(known, _)| *known == line).map(|(_, meant)| *meant)
}

/// The header that `line` is, but for slips of the fingers.
fn misspelt(line: &str) -> Option<&'static str> {
    // Sentences and settings are none.
    let comment = line.trim_start_matches(['#', '!', '/', ' ']);
    let (word, more) = comment.split_once([' ', '\t']).unwrap_or((comment, ""));
    let starts = line.starts_with(['#', '!', '/']);
    if !(starts || more.is_empty()) || !word.starts_with(|c: char| c.is_alphabetic()) || word.len() > 40 {
        return None;
    }
    let letters: String = word.chars().filter(|character| character.is_alphanumeric()).collect();
    let known = NEARLY.iter().map(|(known, _)| known.trim_start_matches(['#', '!']));
    let meant = did_you_mean(&letters, known.filter(|known| known.len() > 8))?;
    // "cloud" alone, and what is no slip.
    let near = letters.chars().count().abs_diff(meant.len()) < 3 && letters.len() > 8;
    let same = |(known, _): &&(&str, &str)| known.trim_start_matches(['#', '!']) == meant;
    NEARLY.iter().find(same).filter(|_| near).map(|(_, meant)| *meant)
}

/// `#!/bin/sh` with its first two characters wrong.
fn shebang(line: &str) -> Option<String> {
    let rest = line.trim_start_matches(['#', '!', ' ']);
    let marks = line.get(..line.len() - rest.len()).unwrap_or_default();
    let folder = ["/bin/", "/usr/"].iter().any(|folder| rest.starts_with(folder));
    (folder && marks.len() < 5).then(|| format!("#!{rest}"))
}

fn error(code: &'static str, index: usize, span: Span, message: impl Into<String>, hint: &str) -> Finding {
    Finding::error(code, Place { part: index, span }, message).with_hint(hint)
}

fn unhandled(part: &Part, index: usize, data: &UserData, findings: &mut Vec<Finding>) {
    let begin = Span { start: 0, end: 0, line: 1, column: 1 };
    let bytes = part.payload.as_slice();
    if bytes.is_empty() || bytes.iter().all(u8::is_ascii_whitespace) {
        if data.parts.len() == 1 {
            let place = Place { part: index, span: begin };
            findings.push(Finding::warning(
                "empty",
                place,
                "this user-data is empty: cloud-init does nothing with it",
            ));
        }
        return;
    }
    if matches!(part.content_type.as_str(), format::ARCHIVE | format::INCLUDE | format::INCLUDE_ONCE) {
        let message = "an archive or include within an archive: cloud-init does not open it, and ignores it";
        findings.push(error("nested-container", index, begin, message, "write its parts one level up"));
        return;
    }
    let told = !matches!(part.content_type.as_str(), format::NOT_MULTIPART | format::PLAIN);
    if told {
        let message = format!(
            "cloud-init has no handler for the type {}: it ignores this part",
            shown(&part.content_type)
        );
        let hint = did_you_mean(&part.content_type, format::TYPES).map_or_else(
            || format!("the types are {}", format::TYPES.join(", ")),
            |meant| format!("did you mean {meant}?"),
        );
        findings.push(error("unknown-type", index, begin, message, &hint));
        return;
    }
    if let Some((code, message, hint)) = binary(bytes) {
        if code == "gzip-twice" && data.findings.iter().any(|finding| finding.code == "gzip-damaged") {
            return;
        }
        findings.push(error(code, index, begin, message, hint));
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    let span = span_of(&text);
    let (_, _, line) = first_line(&text);
    let line = line.trim();
    let (code, message, hint) = match data.text.as_deref().filter(|text| is_indented_message(text)) {
        Some(_) => (
            "mime-start",
            "this MIME message is indented: cloud-init finds no headers in it, and ignores all of it"
                .to_owned(),
            "remove the blanks before all lines (Terraform: `<<-EOT` instead of `<<EOT`)".to_owned(),
        ),
        None => words(&text, line),
    };
    findings.push(error(code, index, span, message, &hint));
}

/// A message all of whose lines stand further right.
fn is_indented_message(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let words = line.trim_start_matches([' ', '\t']).to_ascii_lowercase();
    words.len() < line.len()
        && ["content-type: multipart", "mime-version:"].iter().any(|name| words.starts_with(name))
}

/// What is no text, or no text as it should be.
fn binary(bytes: &[u8]) -> Option<(&'static str, &'static str, &'static str)> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    if bytes.starts_with(BOM) {
        return Some((
            "byte-order-mark",
            "a byte order mark stands before the first line: cloud-init does not recognise the header and ignores all of it",
            "save the file as UTF-8 without BOM",
        ));
    }
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let zeros = bytes.iter().take(64).skip(1).step_by(2).all(|byte| *byte == 0) && bytes.len() > 3;
    if utf16 || zeros {
        return Some((
            "utf-16",
            "this is UTF-16, which cloud-init does not read: it ignores all of it",
            "save the file as UTF-8 (PowerShell: Set-Content -Encoding utf8NoBOM)",
        ));
    }
    if gunzip::is_gzip(bytes) {
        return Some((
            "gzip-twice",
            "this is gzip that cloud-init does not unpack (it unpacks once, and only what is whole): it ignores all of it",
            "compress the text once",
        ));
    }
    let packed: [&[u8]; 5] = [b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\x04\x22\x4d\x18"];
    if packed.iter().any(|magic| bytes.starts_with(magic)) {
        return Some((
            "compressed",
            "this is compressed in a way that cloud-init does not know: it ignores all of it",
            "use gzip, the only one that it unpacks",
        ));
    }
    let joined: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if let Some(decoded) = maybe_base64::strict(&joined).filter(|_| joined.len() > 7)
        && (format::type_of_bytes(&decoded).is_some()
            || gunzip::is_gzip(&decoded)
            || decoded.to_ascii_lowercase().starts_with(b"content-type:"))
    {
        return Some((
            "base64",
            "all of this is base64, which cloud-init undoes only for some clouds (EC2, Hetzner), and not with line breaks",
            "hand over the decoded text; tools and APIs encode it where the cloud needs that",
        ));
    }
    None
}

/// What a text is whose first line `line` is no header.
fn words(text: &str, line: &str) -> (&'static str, String, String) {
    let ignored = "cloud-init ignores all of it";
    let own = |text: &str| text.to_owned();
    let lower = line.to_lowercase();
    if line.starts_with("---") || line.starts_with("%YAML") {
        return (
            "document-start",
            format!("{} stands before the header: {ignored}", shown(line)),
            own("put #cloud-config into the very first line; `---` may stand below it, or not at all"),
        );
    }
    if line.starts_with("## ") && lower.contains("template") || lower.starts_with("##template") {
        return (
            "template-header",
            format!("{} is not the header of a template: {ignored}", shown(line)),
            own("write exactly `## template: jinja`; cloud-init knows no other way for user-data"),
        );
    }
    if lower.starts_with("#ps1")
        || lower.starts_with("rem cmd")
        || lower.starts_with("<powershell>")
        || lower.starts_with("<script>")
    {
        return (
            "windows",
            format!("{} is for Windows (cloudbase-init, EC2Launch); on Linux {ignored}", shown(line)),
            own("a script for Linux starts with #!/bin/sh"),
        );
    }
    if line.starts_with('{') && text.contains("\"ignition\"") {
        return (
            "ignition",
            format!("this is an Ignition configuration: {ignored}"),
            own("Ignition is for Fedora CoreOS and Flatcar; write #cloud-config here"),
        );
    }
    let says = |key: &str| {
        text.lines().any(|line| line.trim_end().strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
    };
    if says("variant") && (says("version") || says("ignition")) {
        return (
            "ignition",
            format!("this is a Butane configuration: {ignored}"),
            own("Butane is for Fedora CoreOS and Flatcar; write #cloud-config here"),
        );
    }
    let has_version = text.get(..4096).unwrap_or(text).to_lowercase().contains("mime-version:");
    if (lower.starts_with("content-type:") || lower.starts_with("mime-version:")) && !has_version {
        return (
            "mime-version",
            format!("a MIME message without `MIME-Version:` in its first 4096 bytes: {ignored}"),
            own("add the header `MIME-Version: 1.0`"),
        );
    }
    let mail = |line: &str| line.to_lowercase().starts_with("content-type: multipart");
    if text.lines().take(20).any(mail) || (lower.starts_with("mime-version:") && has_version) {
        return (
            "mime-start",
            format!(
                "something stands before the headers of this MIME message, if only an empty line: {ignored}"
            ),
            own(
                "the first line is `Content-Type: multipart/mixed; boundary=\"…\"`, without an empty line above",
            ),
        );
    }
    if let Some(meant) = shebang(line) {
        let meant = shown(&meant);
        return (
            "header",
            format!("{} is not {meant}: {ignored}", shown(line)),
            format!("write exactly {meant} as the first line"),
        );
    }
    if let Some(meant) = nearly(line).or_else(|| misspelt(line)) {
        return (
            "header",
            format!("{} is not {meant}: {ignored}", shown(line)),
            format!("write exactly {meant} as the first line"),
        );
    }
    // A header further below: comments before it, or a licence.
    let below = text.lines().take(200).skip(1).find(|line| {
        let line = line.trim();
        line.starts_with("#cloud-") || line.starts_with("#!/") || line.starts_with("## template: jinja")
    });
    if let Some(below) = below.filter(|_| line.starts_with('#')) {
        return (
            "header-not-first",
            format!("{} stands before the header {}: {ignored}", shown(line), shown(below.trim())),
            own("the header is the first line of the file; comments go below it"),
        );
    }
    let quoted = |key: &&&str| text.contains(&format!("\"{key}\""));
    if KEYS.iter().any(|key| says(key)) || (line.starts_with('{') && KEYS.iter().filter(quoted).count() > 0) {
        return (
            "missing-header",
            format!("this looks like cloud-config without its header: {ignored}"),
            own("write #cloud-config as the first line"),
        );
    }
    (
        "unknown-format",
        format!("{} is no header that cloud-init knows: {ignored}", shown(line)),
        own(
            "the first line is #cloud-config, #!/bin/sh, #cloud-boothook, #include, #cloud-config-archive or ## template: jinja",
        ),
    )
}

fn script(part: &Part, index: usize, findings: &mut Vec<Finding>) {
    let place = |span| Place { part: index, span };
    if let Err(mut finding) = crate::utf8::text(&part.payload, index) {
        // As for configuration, and the part is lost as well: it cannot be written.
        finding.message =
            finding.message.replace("ignores the whole part", "cannot write the script, and does not run it");
        findings.push(Finding::clone(&finding));
        return;
    }
    let text = String::from_utf8_lossy(&part.payload);
    let span = span_of(&text);
    let (_, _, line) = first_line(&text);
    let line = line.trim();
    if part.kind == PartKind::Boothook {
        // The header goes away, and blanks behind it.
        let rest = text.trim_start_matches(python::is_space);
        let rest = rest.strip_prefix("#cloud-boothook").unwrap_or(&text).trim_start_matches(python::is_space);
        if !rest.starts_with("#!") {
            findings.push(
                Finding::error(
                    "no-interpreter",
                    place(span),
                    "this boothook does not say its interpreter: it does not run",
                )
                .with_hint("write #!/bin/sh into the line below #cloud-boothook"),
            );
        }
        return;
    }
    if nearly(line) == Some("#cloud-config") {
        findings.push(
            Finding::error(
                "header",
                place(span),
                format!("{} makes a script of this: nothing in it is configured", shown(line)),
            )
            .with_hint("write exactly #cloud-config as the first line"),
        );
    } else if !text.starts_with("#!") {
        let message = if line.starts_with("#!") {
            "something stands before the `#!` of this script: the kernel does not run it"
        } else {
            "this script does not start with `#!`: the kernel does not run it"
        };
        findings.push(
            Finding::error("no-interpreter", place(span), message)
                .with_hint("make #!/bin/sh the very first characters"),
        );
    } else if let Some((message, hint)) = crate::interpreter::look(line) {
        findings.push(Finding::warning("interpreter", place(span), message).with_hint(hint));
    }
}

fn include(part: &Part, index: usize, findings: &mut Vec<Finding>) {
    let text = String::from_utf8_lossy(&part.payload);
    let places = crate::include::places(&text);
    if places.is_empty() {
        let place = Place { part: index, span: span_of(&text) };
        let message = "this include names no URL: cloud-init does nothing with it";
        findings.push(
            Finding::warning("include-empty", place, message)
                .with_hint("write one URL a line below the first one"),
        );
    }
    for place in places {
        let span = Span {
            start: place.start,
            end: place.start + place.url.len(),
            line: place.line,
            column: place.column,
        };
        let lower = place.url.to_lowercase();
        let known = ["http://", "https://", "ftp://", "ftps://", "file:", "/"];
        if !known.iter().any(|start| lower.starts_with(start)) {
            let message =
                format!("{} is no address that cloud-init can fetch: it fails as a whole", shown(&place.url));
            let hint =
                "one URL a line: https://…, file:///…; `#include` stands at the very begin of its line";
            findings.push(error("include-address", index, span, message, hint));
        }
    }
}

/// What is odd about a part that somebody handles.
fn handled(part: &Part, index: usize, findings: &mut Vec<Finding>) {
    let text = String::from_utf8_lossy(&part.payload);
    let span = span_of(&text);
    let place = Place { part: index, span };
    let (_, _, line) = first_line(&text);
    let header = line.trim_start();
    if let Some(index) = part.launch_index.as_deref().filter(|index| python::int(index).is_none()) {
        let message = format!("the launch index {} is no number: no instance takes this part", shown(index));
        findings
            .push(Finding::error("launch-index", place, message).with_hint("write a whole number from 0"));
    }
    let known = format::type_from_starts_with(&text);
    if known.is_none_or(|known| known != part.content_type) || header.starts_with("#!") {
        return;
    }
    if header.chars().any(char::is_uppercase)
        && let Some(end) =
            header.find(|c: char| c.is_whitespace() && !header.starts_with("## ")).or(Some(header.len()))
        && header.get(..end).is_some_and(|word| word.chars().any(char::is_uppercase))
    {
        let message = format!("cloud-init takes {} in any case, other programs do not", shown(header));
        findings.push(Finding::warning("header-case", place, message).with_hint("write it in lower case"));
    }
    if !text.starts_with(header.get(..1).unwrap_or_default()) {
        let severity =
            if part.content_type == format::TEMPLATE { Severity::Error } else { Severity::Warning };
        let message = "the header is not the very first thing: cloud-init finds it, other programs do not";
        let finding =
            Finding::warning("header-late", place, message).with_hint("remove the white space before it");
        findings.push(Finding { severity, ..finding });
    }
    let word = header.split(python::is_space).next().unwrap_or_default().to_lowercase();
    let exact =
        ["#cloud-config", "#cloud-config-archive", "#cloud-config-jsonp", "#cloud-boothook", "#part-handler"];
    if word.starts_with("#cloud-") && !exact.contains(&word.as_str()) && part.kind == PartKind::CloudConfig {
        let message = format!("cloud-init takes {} for #cloud-config", shown(&word));
        findings
            .push(Finding::warning("header-longer", place, message).with_hint("write exactly #cloud-config"));
    }
}

/// Scripts that overwrite each other.
fn names(parts: &[Part], findings: &mut Vec<Finding>) {
    let mut seen: std::collections::HashMap<(PartKind, String), usize> = std::collections::HashMap::new();
    for (index, part) in parts.iter().enumerate() {
        if !matches!(
            part.kind,
            PartKind::Script
                | PartKind::ScriptPerBoot
                | PartKind::ScriptPerInstance
                | PartKind::ScriptPerOnce
        ) {
            continue;
        }
        if seen.insert((part.kind, part.filename.replace('/', "_")), index).is_some() {
            let place = Place { part: index, span: Span { line: 1, column: 1, ..Span::default() } };
            let message =
                format!("an earlier script has the name {} too: this one replaces it", shown(&part.filename));
            findings.push(
                Finding::warning("same-filename", place, message)
                    .with_hint("give each script a name of its own"),
            );
        }
    }
}
