//! From text to messages, as `email/feedparser.py` does it: nothing is refused, what is odd is
//! worked around in a way of its own.

use std::ops::Range;

use hardtack_yaml::Span;
use thiserror::Error;

use super::{At, Id, Message, Payload, params};
use crate::limits;
use crate::part::Origin;

/// Why a text was not taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Error {
    /// Python's package fails over a parameter.
    #[error(transparent)]
    Param(#[from] params::Mixed),
    /// Messages in messages in messages.
    #[error("messages are nested more than {} levels deep", limits::NESTING)]
    TooDeep,
    /// Too many of them.
    #[error("there are more than {} parts", limits::PARTS)]
    TooMany,
}

/// Something odd that Python's package says nothing about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// A multipart without the parameter `boundary`.
    NoBoundary,
    /// The boundary does not occur.
    BoundaryMissing(String),
    /// The boundary that ends it does not occur.
    NotClosed(String),
    /// A header that mail does not have: most often the first line of the content.
    Header(String),
}

/// Where parsed text came from.
pub(crate) struct Source<'a> {
    /// What is parsed.
    pub(crate) text: &'a str,
    /// Where it stands.
    pub(crate) origin: &'a Origin,
}

/// Takes `source` apart into `messages`. The first new one is the whole.
pub(crate) fn parse(
    source: &Source<'_>,
    messages: &mut Vec<Message>,
    oddities: &mut Vec<(Oddity, Span)>,
) -> Result<Id, Error> {
    let mut parser = Parser {
        source,
        at: At { start: 0, line: 1 },
        pushed: Vec::new(),
        stops: Vec::new(),
        last: messages.len(),
        messages,
        oddities,
    };
    parser.message(None, 0)
}

/// What a reader does not read over.
enum Stop {
    /// `--boundary`, with all that may follow it.
    Boundary(String),
    /// An empty line.
    Blank,
}

/// A line with its end.
#[derive(Clone, Copy)]
struct Line {
    at: At,
    end: usize,
}

struct Parser<'a> {
    source: &'a Source<'a>,
    /// What comes next. There is no table of lines: eight million empty ones are only a few bytes of
    /// gzip.
    at: At,
    pushed: Vec<Line>,
    stops: Vec<Stop>,
    messages: &'a mut Vec<Message>,
    /// The message made last, or the multipart that ended last: its final line break is the
    /// boundary's.
    last: Id,
    oddities: &'a mut Vec<(Oddity, Span)>,
}

impl<'a> Parser<'a> {
    fn text(&self, line: &Line) -> &'a str {
        self.source.text.get(line.at.start..line.end).unwrap_or_default()
    }

    /// The next line, up to what the messages around this one wait for.
    fn next(&mut self) -> Option<Line> {
        let line = match self.pushed.pop() {
            Some(line) => line,
            None => {
                let line = line_at(self.source.text, self.at)?;
                self.at = At { start: line.end, line: self.at.line + 1 };
                line
            }
        };
        let text = self.text(&line);
        let stops = self.stops.iter().any(|stop| match stop {
            Stop::Boundary(separator) => boundary(separator, text).is_some(),
            Stop::Blank => text.starts_with(['\r', '\n']),
        });
        if stops {
            self.pushed.push(line);
            return None;
        }
        Some(line)
    }

    fn odd(&mut self, oddity: Oddity, at: At) {
        if self.oddities.len() < limits::PARTS {
            let length = line_at(self.source.text, at).map_or(0, |line| self.text(&line).trim_end().len());
            let span = Span { start: at.start, end: at.start + length, line: at.line, column: 1 };
            self.oddities.push((oddity, span));
        }
    }

    /// The line with the type, among the headers that begin at `start`.
    fn content_type_line(&self, start: At) -> At {
        let mut at = start;
        while let Some(line) = line_at(self.source.text, at) {
            let text = self.text(&line);
            if text.trim_end().is_empty() {
                break;
            }
            if text.split(':').next().unwrap_or_default().eq_ignore_ascii_case("content-type") {
                return at;
            }
            at = At { start: line.end, line: at.line + 1 };
        }
        start
    }

    fn message(&mut self, parent: Option<Id>, depth: usize) -> Result<Id, Error> {
        if depth > limits::NESTING {
            return Err(Error::TooDeep);
        }
        if self.messages.len() >= limits::PARTS {
            return Err(Error::TooMany);
        }
        let id = self.messages.len();
        let in_digest = self.parent(parent).is_some_and(|parent| parent.content_type() == "multipart/digest");
        self.messages.push(Message { in_digest, ..Message::default() });
        if let Some(parent) = parent.and_then(|parent| self.messages.get_mut(parent)) {
            match &mut parent.payload {
                Payload::List(list) => list.push(id),
                other => *other = Payload::List(vec![id]),
            }
        }
        self.last = id;
        let start = self.headers(id);
        let kind = self.parent(Some(id)).map(Message::content_type).unwrap_or_default();
        if kind == "message/delivery-status" {
            self.delivery_status(id, depth)?;
        } else if kind.starts_with("message/") {
            self.message(Some(id), depth + 1)?;
        } else if kind.starts_with("multipart/") {
            self.multipart(id, start, depth)?;
        } else {
            let body = self.rest();
            self.set_text(id, body);
        }
        Ok(id)
    }

    fn parent(&self, id: Option<Id>) -> Option<&Message> {
        id.and_then(|id| self.messages.get(id))
    }

    /// Reads the headers and tells where they began.
    fn headers(&mut self, id: Id) -> At {
        let mut lines = Vec::new();
        let mut start = None;
        while let Some(line) = self.next() {
            start.get_or_insert(line.at);
            if !is_header(self.text(&line)) {
                if !self.text(&line).starts_with(['\r', '\n']) {
                    self.pushed.push(line);
                }
                break;
            }
            lines.push(line);
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        // False until a header was seen that counts, and that the next line may continue.
        let mut open = false;
        let count = lines.len();
        let mut strange = Vec::new();
        for (index, range) in lines.into_iter().enumerate() {
            let line = self.text(&range);
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut().filter(|_| open) {
                    value.push_str(line);
                }
                continue;
            }
            open = false;
            if line.starts_with("From ") {
                if index > 0 && index + 1 == count {
                    self.pushed.push(range);
                    break;
                }
                continue;
            }
            if let Some((name, value)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) {
                if !is_known(name) && strange.len() < limits::PARTS {
                    strange.push((name.to_owned(), range.at));
                }
                // Nobody asks for the others, and there may be as many as there are bytes.
                open = COUNT.iter().any(|known| name.eq_ignore_ascii_case(known));
                if open {
                    headers.push((name.to_owned(), value.trim_start_matches([' ', '\t']).to_owned()));
                }
            }
        }
        for (name, at) in strange {
            self.odd(Oddity::Header(name), at);
        }
        for (_, value) in &mut headers {
            value.truncate(value.trim_end_matches(['\r', '\n']).len());
        }
        let start = start.unwrap_or(self.at);
        if let Some(message) = self.messages.get_mut(id) {
            message.headers = headers;
            message.head = start;
        }
        start
    }

    /// Blocks of headers, each a message without a body.
    fn delivery_status(&mut self, id: Id, depth: usize) -> Result<(), Error> {
        loop {
            self.stops.push(Stop::Blank);
            let outcome = self.message(Some(id), depth + 1);
            self.stops.pop();
            outcome?;
            let _ = self.next();
            match self.next() {
                Some(line) => self.pushed.push(line),
                None => return Ok(()),
            }
        }
    }

    fn multipart(&mut self, id: Id, start: At, depth: usize) -> Result<(), Error> {
        let Some(name) = self.parent(Some(id)).map_or(Ok(None), Message::boundary)? else {
            self.odd(Oddity::NoBoundary, self.content_type_line(start));
            let body = self.rest();
            self.set_text(id, body);
            return Ok(());
        };
        let separator = format!("--{name}");
        let mut preamble = Piece::default();
        let mut begun = false;
        let mut closed = false;
        while let Some(line) = self.next() {
            let Some(end) = boundary(&separator, self.text(&line)) else {
                preamble.push(line);
                continue;
            };
            if end {
                closed = true;
                break;
            }
            begun = true;
            // Several in a row part nothing; one that ends the whole does not, among them.
            while let Some(line) = self.next() {
                if boundary(&separator, self.text(&line)).is_none() {
                    self.pushed.push(line);
                    break;
                }
            }
            self.stops.push(Stop::Boundary(separator.clone()));
            let outcome = self.message(Some(id), depth + 1);
            self.stops.pop();
            outcome?;
            self.cut_line_break();
            self.last = id;
        }
        if !begun {
            self.odd(Oddity::BoundaryMissing(name), self.content_type_line(start));
            self.set_text(id, preamble);
            while self.next().is_some() {}
        } else if closed {
            while self.next().is_some() {}
        } else {
            self.odd(Oddity::NotClosed(name), self.content_type_line(start));
        }
        Ok(())
    }

    /// The line break before a boundary belongs to it.
    fn cut_line_break(&mut self) {
        if let Some(Message { payload: Payload::Text(text), .. }) = self.messages.get_mut(self.last) {
            let ending = ["\r\n", "\r", "\n"].into_iter().find(|ending| text.ends_with(ending));
            text.truncate(text.len() - ending.map_or(0, str::len));
        }
    }

    fn rest(&mut self) -> Piece {
        let mut piece = Piece::default();
        while let Some(line) = self.next() {
            piece.push(line);
        }
        piece
    }

    fn set_text(&mut self, id: Id, piece: Piece) {
        let text: String =
            piece.ranges.iter().filter_map(|range| self.source.text.get(range.clone())).collect();
        let body = piece.first.unwrap_or(self.at);
        let origin = Origin {
            file: self.source.origin.file.clone(),
            lines_before: self.source.origin.lines_before.saturating_add(body.line - 1),
            columns_before: self.source.origin.columns_before,
        };
        if let Some(message) = self.messages.get_mut(id) {
            message.payload = Payload::Text(text);
            message.origin = origin;
            message.body = body;
        }
    }
}

/// Lines, most often one behind the other.
#[derive(Default)]
struct Piece {
    first: Option<At>,
    ranges: Vec<Range<usize>>,
}

impl Piece {
    fn push(&mut self, line: Line) {
        self.first.get_or_insert(line.at);
        match self.ranges.last_mut() {
            Some(last) if last.end == line.at.start => last.end = line.end,
            _ => self.ranges.push(line.at.start..line.end),
        }
    }
}

/// The line that starts at `at`; it ends with `\n`, `\r\n`, `\r`, or the text.
fn line_at(text: &str, at: At) -> Option<Line> {
    let rest = text.get(at.start..).filter(|rest| !rest.is_empty())?;
    let length = match rest.find(['\n', '\r']) {
        Some(end) if rest.get(end..).is_some_and(|ending| ending.starts_with("\r\n")) => end + 2,
        Some(end) => end + 1,
        None => rest.len(),
    };
    Some(Line { at, end: at.start + length })
}

/// Whether `line` is a boundary, and then whether it is the last one.
fn boundary(separator: &str, line: &str) -> Option<bool> {
    let rest = line.strip_prefix(separator)?;
    let (rest, end) = match rest.strip_prefix("--") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    matches!(rest.trim_start_matches([' ', '\t']), "" | "\n" | "\r" | "\r\n").then_some(end)
}

/// A header, its continuation, or mail's envelope.
fn is_header(line: &str) -> bool {
    if line.starts_with([' ', '\t']) || line.starts_with("From ") {
        return true;
    }
    line.bytes().find(|byte| !matches!(byte, b'!'..=b'9' | b';'..=b'~')) == Some(b':')
}

/// Headers that anybody asks for.
const COUNT: [&str; 6] = [
    "content-type",
    "content-disposition",
    "content-transfer-encoding",
    "launch-index",
    "merge-type",
    "x-merge-type",
];

/// Headers that messages have.
fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 16] = [
        "mime-version",
        "merge-type",
        "launch-index",
        "number-attachments",
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "reply-to",
        "received",
        "return-path",
        "sender",
        "user-agent",
    ];
    let name = name.to_ascii_lowercase();
    name.starts_with("content-") || name.starts_with("x-") || KNOWN.contains(&name.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Oddity, Source, parse};
    use crate::mime::{Message, Payload};
    use crate::part::Origin;

    fn read(text: &str) -> (Vec<Message>, Vec<Oddity>) {
        let mut messages = Vec::new();
        let mut oddities = Vec::new();
        let origin = Origin::default();
        parse(&Source { text, origin: &origin }, &mut messages, &mut oddities).unwrap();
        (messages, oddities.into_iter().map(|(oddity, _)| oddity).collect())
    }

    fn bodies(text: &str) -> Vec<(usize, String)> {
        let (messages, _) = read(text);
        messages
            .into_iter()
            .filter_map(|message| match message.payload {
                Payload::Text(text) => Some((message.origin.lines_before, text)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn parts_lose_the_line_break_before_their_boundary() {
        let text = "Content-Type: multipart/mixed; boundary=B\n\npreamble\n--B\n\none\n\n--B \t\nA: b\n c\n\ntwo\r\n--B--\nend";
        assert_eq!(bodies(text), [(5, "one\n".to_owned()), (11, "two".to_owned())]);
        assert_eq!(read(text).1, [Oddity::Header("A".to_owned())]);
    }

    #[test]
    fn an_outer_boundary_ends_inner_parts() {
        let text = "Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--A\n\ny\n--A--\n";
        assert_eq!(bodies(text), [(7, "x".to_owned()), (10, "y".to_owned())]);
        assert_eq!(read(text).1, [Oddity::NotClosed("B".to_owned())]);
    }

    #[test]
    fn what_has_no_parts_is_text() {
        for (text, wanted) in [
            ("Content-Type: multipart/mixed\n\nx\n", Oddity::NoBoundary),
            ("Content-Type: multipart/mixed; boundary=B\n\nx\n", Oddity::BoundaryMissing("B".to_owned())),
            (
                "Content-Type: multipart/mixed; boundary=B\n\nx\n--B--\ny",
                Oddity::BoundaryMissing("B".to_owned()),
            ),
        ] {
            let (messages, oddities) = read(text);
            assert_eq!(oddities, [wanted]);
            assert!(matches!(&messages[0].payload, Payload::Text(text) if text == "x\n"), "{text}");
        }
    }
}
