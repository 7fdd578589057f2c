//! MIME messages as Python's `email` package reads them (`compat32` policy), odd ones included:
//! cloud-init sees user-data through it.
//!
//! * [`parse`]: from text to messages (`email/feedparser.py`).
//! * [`params`]: `Content-Type: text/plain; name="x"` (`email/message.py`, `email/utils.py`).
//! * [`transfer`]: base64, quoted-printable, uuencode (`get_payload(decode=True)`).
//!
//! Header values are not decoded by RFC 2047, since that policy does not do it. Parameters are, by
//! RFC 2231. Messages live in a list and name each other by index: nothing here recurses deeper than
//! [`crate::limits::NESTING`].

pub(crate) mod params;
pub(crate) mod parse;
pub(crate) mod transfer;

use crate::part::Origin;
use crate::python;

/// Index of a message in its list.
pub(crate) type Id = usize;

/// One message: headers, and a body of some kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Names and values, in order. A value keeps the line breaks of its folds.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, transfer encoding not undone.
    pub(crate) payload: Payload,
    /// In a `multipart/digest`, which has another default type.
    pub(crate) in_digest: bool,
    /// Where its headers begin in the text that was parsed.
    pub(crate) head: At,
    /// Where its body begins there.
    pub(crate) body: At,
    /// An include that somebody might follow.
    pub(crate) is_include: bool,
    /// Where the body stands as long as nothing decodes it.
    pub(crate) origin: Origin,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct At {
    /// The byte.
    pub(crate) start: usize,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// The body of a message.
#[derive(Clone, Debug, Default)]
pub(crate) enum Payload {
    /// Nothing.
    #[default]
    None,
    /// Bytes that nobody took for text.
    Bytes(Vec<u8>),
    /// Text: what of it is beyond ASCII suffers ([`python::raw_unicode_escape`]).
    Text(String),
    /// More messages.
    List(Vec<Id>),
}

impl Message {
    /// The first value of the header `name`, whose case does not matter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| same(key, name)).map(|(_, value)| value.as_str())
    }

    /// The header as [`dict(message)`] gives it to handlers: it must be written exactly so.
    pub(crate) fn get_exact(&self, name: &str) -> Option<&str> {
        if self.headers.iter().any(|(key, _)| key == name) { self.get(name) } else { None }
    }

    /// One more header.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// The only header of that name.
    pub(crate) fn replace(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(key, _)| !same(key, name));
        self.add(name, value);
    }

    /// `type/subtype` in lower case.
    pub(crate) fn content_type(&self) -> String {
        let Some(value) = self.get("content-type") else {
            return if self.in_digest { "message/rfc822" } else { "text/plain" }.to_owned();
        };
        let kind = python::strip(value.split(';').next().unwrap_or_default()).to_lowercase();
        if kind.matches('/').count() == 1 { kind } else { "text/plain".to_owned() }
    }

    /// `type` in lower case.
    pub(crate) fn main_type(&self) -> String {
        self.content_type().split('/').next().unwrap_or_default().to_owned()
    }

    /// The file name, if one was given. It may be empty.
    pub(crate) fn filename(&self) -> Result<Option<String>, params::Mixed> {
        let name = match self.param("content-disposition", "filename")? {
            Some(name) => Some(name),
            None => self.param("content-type", "name")?,
        };
        Ok(name.map(|name| python::strip(&name.collapse()).to_owned()))
    }

    /// What stands between the parts.
    pub(crate) fn boundary(&self) -> Result<Option<String>, params::Mixed> {
        let boundary = self.param("content-type", "boundary")?;
        Ok(boundary.map(|boundary| boundary.collapse().trim_end_matches(python::is_space).to_owned()))
    }

    fn param(&self, header: &str, name: &str) -> Result<Option<params::Param>, params::Mixed> {
        self.get(header).map_or(Ok(None), |value| params::get(value, name))
    }

    /// The transfer encoding in lower case, as written otherwise.
    pub(crate) fn transfer_encoding(&self) -> String {
        self.get("content-transfer-encoding").unwrap_or_default().to_lowercase()
    }

    /// The body with its transfer encoding undone; nothing for a list of messages.
    pub(crate) fn decoded(&self) -> Vec<u8> {
        let encoding = self.transfer_encoding();
        match &self.payload {
            Payload::None | Payload::List(_) => Vec::new(),
            Payload::Bytes(bytes) => transfer::decode(bytes.clone(), &encoding),
            Payload::Text(text) if text.is_ascii() => transfer::decode(text.clone().into_bytes(), &encoding),
            Payload::Text(text) => transfer::decode(python::raw_unicode_escape(text), &encoding),
        }
    }

    /// Says the file's name, as [`Message::filename`] will read it.
    pub(crate) fn set_filename(&mut self, name: &str) {
        self.replace("Content-Disposition", format!("attachment; {}", params::format("filename", name)));
    }
}

fn same(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name) || key.to_lowercase() == name.to_lowercase()
}
