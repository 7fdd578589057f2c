//! coreos-cloudinit's rules (`config/validate/rules.go`).

use hardtack_yaml::{Span, did_you_mean};

use super::report::{Grade, Report};
use super::tree::{Content, Tree};
use super::url;
use crate::coreos::content;
use crate::coreos::decode::underscored;
use crate::coreos::generated::quote;
use crate::coreos::shape::{self, Field, Shape, Valid};
use crate::coreos::units;
use crate::finding::{Finding, Place};
use crate::{operator, schema};

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `coreos.etcd.discovery` is a URL.
    DiscoveryUrl,
    /// The content of each file can be decoded.
    Encoding,
    /// Keys are known, and values of the right type.
    Structure,
    /// Options have values that they take.
    Validity,
    /// No file is written below `/usr`.
    WriteFiles,
    /// `write_files` does not stand under `coreos`.
    WriteFilesUnderCoreos,
}

/// All rules, in coreos-cloudinit's order.
pub const RULES: &[Rule] = &[
    Rule::DiscoveryUrl,
    Rule::Encoding,
    Rule::Structure,
    Rule::Validity,
    Rule::WriteFiles,
    Rule::WriteFilesUnderCoreos,
];

const ROOT: Field = Field::new("", Shape::Section(shape::CLOUD_CONFIG));

/// What the rules share.
pub(super) struct Checker<'a> {
    pub part: usize,
    pub report: &'a mut Report,
    /// Keys and indexes down to the value that is looked at.
    pub path: Vec<String>,
}

impl Checker<'_> {
    /// Runs `rule`.
    pub(super) fn run(&mut self, rule: Rule, root: &Tree<'_>) {
        match rule {
            Rule::DiscoveryUrl => self.discovery_url(root),
            Rule::Encoding => self.encoding(root),
            Rule::Structure => self.structure(root, &ROOT),
            Rule::Validity => self.validity(root, &ROOT),
            Rule::WriteFiles => self.write_files(root),
            Rule::WriteFilesUnderCoreos => self.write_files_under_coreos(root),
        }
    }

    fn finding(&self, code: &'static str, span: Span, path: &[&str], message: String) -> Finding {
        let place = Place { part: self.part, span };
        let path = self.path.iter().map(String::as_str).chain(path.iter().copied());
        Finding::error(code, place, message).at(path.collect::<Vec<_>>().join("."))
    }

    fn discovery_url(&mut self, root: &Tree<'_>) {
        let etcd = root.child("coreos").and_then(|coreos| coreos.child("etcd"));
        let Some(url) = etcd.and_then(|etcd| etcd.child("discovery")) else { return };
        if url.content == Content::Nothing || url::is_request_uri(&url.content.go_string()) {
            return;
        }
        let message = format!("`{}` is no URL", short(&url.content.go_string()));
        let finding = self
            .finding("bad-value", url.span(), &["coreos", "etcd", "discovery"], message)
            .with_hint("write all of it: `https://discovery.example.org/TOKEN`");
        self.report.add(Grade::Warning, url.line, "discovery URL is not valid".to_owned(), finding);
    }

    fn encoding(&mut self, root: &Tree<'_>) {
        for file in root.named("write_files").flat_map(|files| &files.children) {
            let Some(encoding) = file.child("encoding").filter(|node| node.content != Content::Nothing)
            else {
                continue;
            };
            let name = encoding.content.go_string();
            let content = file.child("content");
            let decoded = match content.map(|content| &content.content) {
                Some(Content::Text(text)) => content::decode(text, &name),
                Some(other) => content::decode(other.go_string().as_bytes(), &name),
                None => content::decode(Content::Nothing.go_string().as_bytes(), &name),
            };
            if decoded.is_none() && self.report.has_room() {
                let known = is_encoding(&name);
                let span = content.filter(|_| known).map_or(encoding.span(), Tree::span);
                let key = if known { "content" } else { "encoding" };
                let place = Place { part: self.part, span };
                let finding = encoding_problem(place, content.is_some(), &name)
                    .at(format!("write_files.{}.{key}", file.step()));
                let message = format!("content cannot be decoded as {}", quote(&name));
                self.report.add(Grade::Error, content.map_or(0, |content| content.line), message, finding);
            }
        }
    }

    fn structure(&mut self, tree: &Tree<'_>, field: &Field) {
        if !tree.content.fits(field.shape) {
            if !self.report.has_room() {
                return;
            }
            let message =
                format!("incorrect type for {} (want {})", quote(&self.name(tree)), field.shape.name());
            let finding = self.wrong_type(tree, field);
            self.report.add(Grade::Warning, tree.line, message, finding);
            return;
        }
        match field.shape {
            Shape::Section(fields) => {
                for child in &tree.children {
                    let Some(known) = fields.iter().find(|field| field.name == child.name) else {
                        if !self.report.has_room() {
                            continue;
                        }
                        let message = format!("unrecognized key {}", quote(&child.name));
                        let finding = self.unknown_key(child, fields);
                        self.report.add(Grade::Warning, child.line, message, finding);
                        continue;
                    };
                    if let Some(why) = known.deprecated
                        && self.report.has_room()
                    {
                        let message = format!("deprecated key {} ({why})", quote(&child.name));
                        let finding = self.finding(
                            "deprecated",
                            child.key_span(),
                            &[&child.step()],
                            format!("`{}` is deprecated: {why}", short(&child.step())),
                        );
                        self.report.add(Grade::Warning, child.line, message, finding);
                    }
                    self.inside(child, |checker| checker.structure(child, known));
                }
            }
            Shape::List(of) => {
                let item = Field::new("", *of);
                for child in &tree.children {
                    self.inside(child, |checker| checker.structure(child, &item));
                }
            }
            _ => {}
        }
    }

    fn validity(&mut self, tree: &Tree<'_>, field: &Field) {
        if field.valid != Valid::Any && !tree.content.is_zero() {
            match tree.content.go_value() {
                None => self.report.broken_off = true,
                Some(value) if !field.valid.takes(&value) && self.report.has_room() => {
                    let finding = self.bad_value(tree, field, &value);
                    self.report.add(Grade::Error, tree.line, format!("invalid value {value}"), finding);
                }
                Some(_) => {}
            }
        }
        match field.shape {
            Shape::Section(fields) => {
                for child in &tree.children {
                    if let Some(known) = fields.iter().find(|field| field.name == child.name) {
                        self.inside(child, |checker| checker.validity(child, known));
                    }
                }
            }
            Shape::List(of) => {
                let item = Field::new("", *of);
                for child in &tree.children {
                    self.inside(child, |checker| checker.validity(child, &item));
                }
            }
            _ => {}
        }
    }

    fn write_files(&mut self, root: &Tree<'_>) {
        for file in root.named("write_files").flat_map(|files| &files.children) {
            let Some(path) = file.child("path").filter(|node| node.content != Content::Nothing) else {
                continue;
            };
            let text = path.content.go_string();
            if !directory(&text).starts_with("/usr") || !self.report.has_room() {
                continue;
            }
            let message = format!("`{}` is below /usr, which is read-only on CoreOS", short(&text));
            let finding = self
                .finding("read-only", path.span(), &["write_files", &file.step(), "path"], message)
                .with_hint("write it below /etc, /opt or /var");
            let message = "file cannot be written to a read-only filesystem".to_owned();
            self.report.add(Grade::Error, path.line, message, finding);
        }
    }

    fn write_files_under_coreos(&mut self, root: &Tree<'_>) {
        let coreos = root.child("coreos");
        let Some(files) = coreos.and_then(|coreos| coreos.child("write_files")) else { return };
        if files.content == Content::Nothing {
            return;
        }
        let message = "`write_files` stands under `coreos`, where nothing reads it".to_owned();
        let finding = self
            .finding("misplaced-key", files.key_span(), &["coreos", &files.step()], message)
            .with_hint("move it to the left margin, beside `coreos`");
        self.report.add(
            Grade::Info,
            files.line,
            "write_files doesn't belong under coreos".to_owned(),
            finding,
        );
    }

    /// The key, or the list's key with an index: `units[0]`.
    fn name(&self, tree: &Tree<'_>) -> String {
        if tree.index.is_none() {
            return tree.name.clone();
        }
        let is_index = |step: &&String| step.bytes().all(|byte| byte.is_ascii_digit());
        let indexes = self.path.iter().rev().take_while(is_index).count();
        let key = self.path.len().checked_sub(indexes + 1).and_then(|at| self.path.get(at));
        let indexes: String =
            self.path.iter().skip(self.path.len() - indexes).map(|index| format!("[{index}]")).collect();
        key.map_or(String::new(), |key| underscored(key)) + &indexes
    }

    /// With `child` at the end of the path.
    fn inside<T>(&mut self, child: &Tree<'_>, what: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(child.step());
        let out = what(self);
        self.path.pop();
        out
    }

    fn wrong_type(&self, tree: &Tree<'_>, field: &Field) -> Finding {
        let found = match &tree.content {
            Content::Nothing => "nothing".to_owned(),
            Content::List => "a list".to_owned(),
            Content::Map => "a mapping".to_owned(),
            Content::Text(_) if field.secret() => "text".to_owned(),
            Content::Text(text) => format!("the text `{}`", short(&String::from_utf8_lossy(text))),
            Content::Bool(value) => format!("the boolean `{value}`"),
            other => format!("the number `{}`", other.go_value().unwrap_or_default()),
        };
        let last = self.path.last().map(String::as_str).unwrap_or_default();
        let what = if tree.index.is_some() {
            format!("`{}`", short(&self.name(tree)))
        } else {
            format!("`{}`", short(last))
        };
        let span = if tree.content == Content::Nothing { tree.key_span() } else { tree.span() };
        let message =
            format!("{what} is {found}, and coreos-cloudinit takes {} there", field.shape.describe());
        let finding = self.finding("wrong-type", span, &[], message);
        match (&tree.content, field.shape) {
            (Content::Nothing, _) => finding.with_hint("give it a value, or leave the key out"),
            (Content::Text(text), Shape::Section(fields)) if fields == shape::USER && text == b"default" => {
                finding.with_hint("only cloud-init knows a default user; coreos-cloudinit passes it over")
            }
            (Content::Text(_), Shape::Bool) => finding.with_hint("write `true` or `false`, without quotes"),
            (_, Shape::List(Shape::Text)) => finding.with_hint(format!("write a list: `{last}: [ONE, TWO]`")),
            (_, Shape::List(_)) => finding.with_hint("write a list: each item begins with `- `"),
            _ => finding.with_hint("it is passed over"),
        }
    }

    fn unknown_key(&self, child: &Tree<'_>, fields: &'static [Field]) -> Finding {
        let top = self.path.is_empty();
        let step = child.step();
        let finding = |message: String| self.finding("unknown-key", child.key_span(), &[&step], message);
        if top && schema::is_known_key(&step) {
            let hint = match step == operator::KEY {
                true => "hardtack's agent does, and reads it where the image has one",
                false => "cloud-init does, and applies it where it is installed",
            };
            return finding(format!("coreos-cloudinit does not know `{}`", short(&step))).with_hint(hint);
        }
        let finding = match top {
            true => finding(format!("neither coreos-cloudinit nor cloud-init knows `{}`", short(&step))),
            false => {
                let section = self.path.join(".");
                finding(format!("coreos-cloudinit does not know `{}` under `{section}`", short(&step)))
            }
        };
        if let Some(near) = did_you_mean(&child.name, fields.iter().map(|field| field.name)) {
            return finding.with_hint(format!("did you mean `{near}`?"));
        }
        let under_coreos = shape::COREOS.iter().any(|field| field.name == child.name);
        if under_coreos && top {
            return finding.with_hint(format!("move it under `coreos:`: `coreos.{}`", child.name));
        }
        if !top && shape::CLOUD_CONFIG.iter().any(|field| field.name == child.name) {
            return finding.with_hint(format!("move `{}` to the left margin", short(&step)));
        }
        finding.with_hint("it is passed over")
    }

    fn bad_value(&self, tree: &Tree<'_>, field: &Field, value: &str) -> Finding {
        let message = format!(
            "`{}` is no value of `{}`, which takes {}",
            short(value),
            short(&tree.step()),
            field.valid.describe()
        );
        let finding = self.finding("bad-value", tree.span(), &[], message);
        let hint = match field.valid {
            Valid::Words(words) => {
                let near = did_you_mean(value, words.iter().copied());
                if let Some(near) = near.filter(|_| !matches!(value, "enable" | "mask")) {
                    format!("did you mean `{near}`?")
                } else if field.name == "reboot_strategy" && value == "false" {
                    "write `off`".to_owned()
                } else if field.name == "reboot_strategy" && value == "best-effort" {
                    "it was dropped; `etcd-lock` or `reboot` comes nearest".to_owned()
                } else if field.name == "command" && matches!(value, "enable" | "mask") {
                    format!("write `{value}: true` beside it")
                } else if field.name == "proxy" && matches!(value, "true" | "false") {
                    "write `on` or `off`".to_owned()
                } else {
                    return finding;
                }
            }
            Valid::Permissions if value.starts_with("0o") => "write it without the `o`".to_owned(),
            Valid::WindowStart => "put the time in quotes, and write the day as `Mon`, `Tue`…".to_owned(),
            Valid::Any | Valid::Permissions | Valid::WindowLength => return finding,
        };
        finding.with_hint(hint)
    }
}

/// Whether `name` is an encoding that coreos-cloudinit knows.
fn is_encoding(name: &str) -> bool {
    shape::FILE.iter().any(|field| field.name == "encoding" && field.valid.takes(name))
}

/// A file whose content does not fit its encoding.
pub(super) fn encoding_problem(place: Place, content: bool, encoding: &str) -> Finding {
    if !is_encoding(encoding) {
        let words = ["base64", "gzip", "gzip+base64", "b64", "gz", "gz+b64"];
        let hint = match did_you_mean(encoding, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "leave `encoding` out for text as it stands, or use `base64`, `gzip` or `gzip+base64`"
                .to_owned(),
        };
        let message = format!(
            "the encoding `{}` is unknown, and the whole configuration is refused for it",
            short(encoding)
        );
        return Finding::error("bad-value", place, message).with_hint(hint);
    }
    if !content {
        let message = format!("the file has the encoding `{encoding}` and no content");
        return Finding::error("bad-value", place, message)
            .with_hint("add `content`, or take `encoding` away");
    }
    let message = format!("the content is not {encoding}, and the whole configuration is refused for it");
    let hint = if encoding.starts_with("gz") && !encoding.contains('+') {
        "packed content in a text file is base64 as well: `gzip+base64`"
    } else {
        "make it with `base64 -w0 FILE` or `gzip -c FILE | base64 -w0`"
    };
    Finding::error("bad-value", place, message).with_hint(hint)
}

/// Go's `path.Dir` of an absolute path; of any other what does not begin with a slash.
fn directory(path: &str) -> String {
    let Some((directory, _)) = path.rsplit_once('/') else { return String::new() };
    if path.starts_with('/') { units::join(&[directory]) } else { String::new() }
}

/// At most 40 characters.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
