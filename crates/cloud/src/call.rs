//! A call by its name, and what its answer must hold. Answers are hostile input: what is missing, empty, no number
//! or no id is an error that names the call, never a default and never a panic.
//!
//! An empty id is refused above all: euca2ools prints `IMAGE` with nothing behind it and ends with 0 when a server
//! answers RegisterImage with something else.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

use crate::query::Query;
use crate::transport::{Request, Response};
use crate::xml::{self, Element};
use crate::{Client, Error, Service};

/// Longest id that is taken for one: a KMS key's ARN, a token of a block.
const LONGEST_ID: usize = 2048;
/// Pages of a list, at most; 1,000 entries are on each.
pub(crate) const PAGES: usize = 1_000;

/// A service and one of its actions. `docs/calls.md` has a row for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call(pub(crate) Service, pub(crate) &'static str);

impl Call {
    /// Sends it in the query protocol.
    pub(crate) fn query(self, client: &Client, query: &Query) -> Result<Element, Error> {
        client.query(self.0, self.1, query)
    }

    /// The same for what must not be done twice.
    pub(crate) fn query_once(self, client: &Client, query: &Query) -> Result<Element, Error> {
        client.query_once(self.0, self.1, query)
    }

    /// Sends it in the JSON protocol.
    pub(crate) fn json(self, client: &Client, input: &Value) -> Result<Value, Error> {
        client.json(self.0, self.1, input)
    }

    /// Sends it as a request of its own; `limit` bounds the answer's body.
    pub(crate) fn send(
        self,
        client: &Client,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Response, Error> {
        client.send(self.0, self.1, request, limit)
    }

    /// The root element of an answer's body.
    pub(crate) fn xml(self, response: &Response) -> Result<Element, Error> {
        xml::parse(&response.body).map_err(|what| self.wrong(what))
    }

    /// The object in an answer's body.
    pub(crate) fn object(self, response: &Response) -> Result<Value, Error> {
        match serde_json::from_slice(&response.body) {
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err(self.wrong("JSON that is no object")),
            Err(error) => Err(self.wrong(format!("no JSON: {error}"))),
        }
    }

    /// The error of an answer that is none.
    pub(crate) fn wrong(self, what: impl Into<String>) -> Error {
        Error::Answer { service: self.0.name(), call: self.1.to_owned(), what: what.into() }
    }

    /// The error of something that cannot be asked for.
    pub(crate) fn unusable(self, what: impl Display) -> Error {
        Error::Usage(format!("{} cannot be asked for: {what}", self.1))
    }

    /// The text at `path`, which must be there.
    pub(crate) fn text<'a>(self, element: &'a Element, path: &[&str]) -> Result<&'a str, Error> {
        element
            .at(path)
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.missing(&path.join("/")))
    }

    /// The id at `path`: some letters and digits, and signs that ids, ARNs and tokens have.
    pub(crate) fn id(self, element: &Element, path: &[&str]) -> Result<String, Error> {
        self.checked_id(self.text(element, path)?, &path.join("/"))
    }

    /// The number at `path`, where there is one.
    pub(crate) fn number<T: FromStr>(self, element: &Element, path: &[&str]) -> Result<Option<T>, Error> {
        element
            .at(path)
            .map(|text| text.trim().parse().map_err(|_| self.no("number", &path.join("/"), text)))
            .transpose()
    }

    /// `true` or `false` at `path`, where it is there.
    pub(crate) fn flag(self, element: &Element, path: &[&str]) -> Result<Option<bool>, Error> {
        match element.at(path).map(str::trim) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => Err(self.no("truth value", &path.join("/"), other)),
        }
    }

    /// The text of `name`, which must be there.
    pub(crate) fn json_text<'a>(self, value: &'a Value, name: &str) -> Result<&'a str, Error> {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.missing(name))
    }

    /// The id of `name`.
    pub(crate) fn json_id(self, value: &Value, name: &str) -> Result<String, Error> {
        self.checked_id(self.json_text(value, name)?, name)
    }

    /// The number of `name`, which must be there.
    pub(crate) fn json_number(self, value: &Value, name: &str) -> Result<u64, Error> {
        let found = value.get(name).ok_or_else(|| self.missing(name))?;
        found.as_u64().ok_or_else(|| self.no("number from 0 up", name, &found.to_string()))
    }

    /// The entries of the list `name`; none where it is missing.
    pub(crate) fn json_list<'a>(self, value: &'a Value, name: &str) -> Result<&'a [Value], Error> {
        match value.get(name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(entries)) => Ok(entries),
            Some(other) => Err(self.no("list", name, &other.to_string())),
        }
    }

    fn checked_id(self, text: &str, name: &str) -> Result<String, Error> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
        if text.len() <= LONGEST_ID && text.bytes().all(known) {
            Ok(text.to_owned())
        } else {
            Err(self.no("id", name, text))
        }
    }

    fn missing(self, name: &str) -> Error {
        self.wrong(format!("{name} is missing or empty"))
    }

    fn no(self, kind: &str, name: &str, found: &str) -> Error {
        self.wrong(format!("{name} is \"{}\", which is no {kind}", shown(found)))
    }
}

/// Bytes that all pages of a list may take in memory. 100,000 images take about half of it.
const HEAVIEST: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// All pages of a list of the query protocol: `each` is given the root of each, and says whether more are wanted. The
/// token of the next page is at `token`.
pub(crate) fn pages(
    call: Call,
    client: &Client,
    query: &Query,
    token: &[&str],
    mut each: impl FnMut(&Element) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut next: Option<String> = None;
    let mut weight = 0_usize;
    for _ in 0..PAGES {
        let mut query = query.clone();
        query.maybe("NextToken", next.as_deref());
        let root = call.query(client, &query)?;
        weight = weight.saturating_add(root.weight());
        if weight > HEAVIEST {
            return Err(call.wrong(format!(
                "its list takes more than {} MiB: narrow it down by other filters",
                HEAVIEST >> 20
            )));
        }
        if !each(&root)? {
            return Ok(());
        }
        let token = root.at(token).map(str::to_owned);
        if token.is_some() && token == next {
            return Err(call.wrong("the next page is the same as this one"));
        }
        match token {
            Some(token) => next = Some(token),
            None => return Ok(()),
        }
    }
    Err(call.wrong(format!("its list has more than {PAGES} pages: narrow it down by other filters")))
}

/// A foreign text for a message: short, without characters that a terminal obeys.
pub(crate) fn shown(text: &str) -> String {
    const LENGTH: usize = 60;
    let mut out: String = text.chars().take(LENGTH).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(LENGTH).is_some() {
        out.push('…');
    }
    out
}

/// The same, whole.
pub(crate) fn shown_whole(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const CALL: Call = Call(Service::Ec2, "DescribeImages");

    fn element(xml: &str) -> Element {
        xml::parse(xml.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        for good in [
            "ami-1",
            "arn:aws:kms:r:1:key/k",
            "AAUBAcuWqOCnDNuKle11s7IIX6jp6FYcC/q8oT93913HhvLvA+3JRrSybp/0=",
        ] {
            assert_eq!(CALL.id(&element(&format!("<a><b> {good} </b></a>")), &["b"]).unwrap(), good);
        }
        let long = "x".repeat(LONGEST_ID + 1);
        for bad in ["a b", "a&#10;b", "a&lt;b", "ü", &long, " ", ""] {
            assert!(CALL.id(&element(&format!("<a><b>{bad}</b></a>")), &["b"]).is_err(), "{bad}");
        }
        assert!(CALL.id(&element("<a/>"), &["b"]).is_err());
    }

    #[test]
    fn foreign_text_in_messages_is_short_and_tame() {
        let text = shown(&format!("a\u{1b}[2J\n{}", "x".repeat(100_000)));
        assert!(text.starts_with("a?[2J?x") && text.chars().count() == 61, "{text}");
    }

    #[test]
    fn numbers_and_truths_are_read_or_refused() {
        let root = element("<a><n>18446744073709551615</n><m>-1</m><t>true</t><f>0</f><x>yes</x></a>");
        assert_eq!(CALL.number(&root, &["n"]).unwrap(), Some(u64::MAX));
        assert!(CALL.number::<u64>(&root, &["m"]).is_err());
        assert_eq!(CALL.number::<u64>(&root, &["o"]).unwrap(), None);
        assert_eq!(CALL.flag(&root, &["t"]).unwrap(), Some(true));
        assert_eq!(CALL.flag(&root, &["f"]).unwrap(), Some(false));
        assert_eq!(CALL.flag(&root, &["o"]).unwrap(), None);
        let error = CALL.flag(&root, &["x"]).unwrap_err().to_string();
        assert!(error.contains("DescribeImages") && error.contains("x is \"yes\""), "{error}");
    }

    /// Service and action of each row.
    fn documented() -> BTreeSet<(String, String)> {
        let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/calls.md");
        let text = std::fs::read_to_string(table).unwrap();
        let row = |line: &str| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let (service, action) = (cells.next()?, cells.next()?);
            Some((service.to_owned(), action.strip_prefix('`')?.strip_suffix('`')?.to_owned()))
        };
        text.lines().filter_map(row).collect()
    }

    /// Service and action of each `Call(Service::X, "Y")` in the sources.
    fn called(directory: &Path, found: &mut BTreeSet<(String, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                called(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                // In two halves, or this line would be one of them.
                for rest in text.split(concat!(": Call = Call(", "Service::")).skip(1) {
                    let (service, rest) = rest.split_once(", \"").unwrap();
                    let service = match service {
                        "Ec2" => Service::Ec2,
                        "S3" => Service::S3,
                        "Ebs" => Service::Ebs,
                        "Sts" => Service::Sts,
                        "Ssm" => Service::Ssm,
                        "Kms" => Service::Kms,
                        "Bootstrap" => Service::Bootstrap,
                        "CloudFormation" => Service::CloudFormation,
                        "AutoScaling" => Service::AutoScaling,
                        "Properties" => Service::Properties,
                        other => panic!("{other}"),
                    };
                    let action = rest.split('"').next().unwrap();
                    found.insert((service.name().to_owned(), action.to_owned()));
                }
            }
        }
    }

    #[test]
    fn every_call_has_its_row_and_every_row_its_call() {
        let mut found = BTreeSet::new();
        called(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 40, "{found:?}");
        assert_eq!(found, documented());
    }

    /// Names of calls stand in [`Call`]s only: whoever sends one by other means is not in the table.
    #[test]
    fn no_call_goes_round_the_table() {
        fn look(directory: &Path) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    look(&path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.display().to_string();
                if name.ends_with("tests.rs") || name.contains("/client") || name.contains("/tests/") {
                    continue;
                }
                for sent in
                    [".query(Service::", ".query_once(Service::", ".json(Service::", ".send(Service::"]
                {
                    assert!(!text.replace(&format!("\"{sent}\""), "").contains(sent), "{name} has {sent}");
                }
            }
        }
        look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    }
}
