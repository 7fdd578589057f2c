//! Reading an answer (RFC 9112): status line, header lines, and the body by length, in chunks, or up to the
//! end of the connection.
//!
//! Lenient where old servers are wrong and nothing is lost by it: line feeds without carriage returns, folded
//! header lines, no end behind the last chunk. Everything is bounded, and a body that is shorter than it was
//! announced is an error.

use std::io::{self, Read};

use crate::Response;
use crate::error::said;

/// Bytes of all lines that are not body: status, headers, trailers.
const LINES_BYTES: usize = 64 << 10;
/// Header lines, and trailer lines.
const LINES: usize = 200;
/// Answers like `100 Continue` before the real one.
const INTERIM: usize = 8;
/// Bytes in front of a chunk, extensions with it.
const CHUNK_LINE: usize = 1 << 10;
/// Bytes that are shown of what is not HTTP.
const SHOWN: usize = 24;

/// Why there is no answer in what came.
#[derive(Debug)]
pub enum Broken {
    /// The system said so while reading.
    Io(io::Error),
    /// It ended too early.
    Ended(String),
    /// It is not HTTP, or too large.
    Wrong(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => formatter.write_str(&said(error)),
            Self::Ended(why) | Self::Wrong(why) => formatter.write_str(why),
        }
    }
}

/// Who undid the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nobody yet.
    Wire,
    /// The program that the bytes come from, which left the header lines as they were.
    Unchunked,
}

/// The answer in `bytes`, which is all that comes.
///
/// # Errors
/// [`Broken`].
pub fn parse_response(bytes: &[u8], limit: usize) -> Result<Response, Broken> {
    let mut source = bytes;
    read_response(&mut source, limit, Form::Wire)
}

/// Reads one answer whose body has at most `limit` bytes; not a byte is read behind what is too much, but
/// for what came with it.
///
/// # Errors
/// [`Broken`].
pub fn read_response(source: &mut dyn Read, limit: usize, form: Form) -> Result<Response, Broken> {
    let mut input = Input { source, buffer: vec![0; 8 << 10], from: 0, to: 0, lines: LINES_BYTES };
    for _ in 0..INTERIM {
        let status = status(&mut input)?;
        let headers = headers(&mut input)?;
        if status == 101 {
            return Err(wrong("the server switches to another protocol, which nobody asked for"));
        }
        if status >= 200 {
            let mut response = Response { status, headers, body: Vec::new() };
            body(&mut input, &mut response, limit, form)?;
            return Ok(response);
        }
    }
    Err(Broken::Wrong(format!("{INTERIM} interim answers came, and no final one")))
}

fn wrong(why: &str) -> Broken {
    Broken::Wrong(why.to_owned())
}

/// What was read and not used yet.
struct Input<'a> {
    source: &'a mut dyn Read,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// Bytes of lines that may still come.
    lines: usize,
}

impl Input<'_> {
    /// What is there, at least one byte unless it is the end.
    fn peek(&mut self) -> Result<&[u8], Broken> {
        if self.from >= self.to {
            self.from = 0;
            self.to = self.source.read(&mut self.buffer).map_err(Broken::Io)?;
        }
        Ok(self.buffer.get(self.from..self.to).unwrap_or_default())
    }

    /// A line without its end, and whether it had one. An empty line without an end is the end.
    fn line(&mut self, limit: usize) -> Result<(Vec<u8>, bool), Broken> {
        let mut line = Vec::new();
        loop {
            let budget = self.lines.min(limit);
            let there = self.peek()?;
            if there.is_empty() {
                return Ok((line, false));
            }
            let end = there.iter().position(|byte| *byte == b'\n');
            let piece = there.get(..end.unwrap_or(there.len())).unwrap_or_default();
            let count = piece.len();
            if line.len() + count > budget {
                return Err(Broken::Wrong(match (limit == CHUNK_LINE, self.lines < CHUNK_LINE) {
                    (true, false) => format!("a chunk is announced by more than {CHUNK_LINE} bytes"),
                    (true, true) => format!("what announces chunks has more than {LINES_BYTES} bytes"),
                    (false, _) => format!("the header has more than {LINES_BYTES} bytes"),
                }));
            }
            line.extend_from_slice(piece);
            self.from += count + usize::from(end.is_some());
            if end.is_some() {
                self.lines = self.lines.saturating_sub(line.len() + 1);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok((line, true));
            }
        }
    }

    /// Moves up to `count` bytes into `body`; fewer only at the end.
    fn take(&mut self, body: &mut Vec<u8>, mut count: usize) -> Result<(), Broken> {
        while count > 0 {
            let there = self.peek()?;
            let piece = there.get(..count.min(there.len())).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            let length = piece.len();
            body.extend_from_slice(piece);
            self.from += length;
            count -= length;
        }
        Ok(())
    }
}

/// `HTTP/1.1 200 OK`.
fn status(input: &mut Input<'_>) -> Result<u16, Broken> {
    let (line, whole) = input.line(LINES_BYTES)?;
    if line.is_empty() && !whole {
        return Err(Broken::Ended("the connection was closed without an answer".to_owned()));
    }
    let not_http = || {
        let shown: String = line
            .iter()
            .take(SHOWN)
            .flat_map(|byte| std::ascii::escape_default(*byte))
            .map(char::from)
            .collect();
        Broken::Wrong(format!("the answer begins with \"{shown}\", which is not HTTP/1.1"))
    };
    let rest = line.strip_prefix(b"HTTP/1.").ok_or_else(not_http)?;
    if !whole {
        return Err(Broken::Ended("the connection was closed within the first line".to_owned()));
    }
    let mut words = rest.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let version = words.next().unwrap_or_default();
    let digits = words.next().unwrap_or_default();
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u16>().ok());
    match number {
        Some(status @ 100..=999)
            if digits.len() == 3 && version.len() == 1 && version.iter().all(u8::is_ascii_digit) =>
        {
            Ok(status)
        }
        _ => Err(not_http()),
    }
}

/// Header lines up to the empty one, names in lower case.
fn headers(input: &mut Input<'_>) -> Result<Vec<(String, String)>, Broken> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for _ in 0..=LINES {
        let (line, whole) = input.line(LINES_BYTES)?;
        if !whole {
            return Err(Broken::Ended("the connection was closed within the header".to_owned()));
        }
        if line.is_empty() {
            return Ok(headers);
        }
        let text = String::from_utf8_lossy(&line);
        if text.starts_with([' ', '\t'])
            && let Some((_, value)) = headers.last_mut()
        {
            value.push(' ');
            value.push_str(text.trim());
            continue;
        }
        let (name, value) = text
            .split_once(':')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| wrong("a header line has no name and colon"))?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Err(Broken::Wrong(format!("the header has more than {LINES} lines")))
}

/// Where the body ends (RFC 9112, 6.3), and it.
fn body(input: &mut Input<'_>, response: &mut Response, limit: usize, form: Form) -> Result<(), Broken> {
    if matches!(response.status, 204 | 304) {
        return Ok(());
    }
    let codings: Vec<String> = values(&response.headers, "transfer-encoding").collect();
    let chunked = !codings.is_empty() && form == Form::Wire;
    if let Some(coding) = codings.iter().find(|coding| !matches!(coding.as_str(), "chunked" | "identity")) {
        let coding: String = coding.chars().take(SHOWN).collect();
        return Err(Broken::Wrong(format!("the body is sent as {coding:?}, which nobody asked for")));
    }
    if chunked && codings.iter().any(|coding| coding == "chunked") {
        return chunks(input, &mut response.body, limit);
    }
    let length = if codings.is_empty() { length(&response.headers)? } else { None };
    let Some(length) = length else {
        input.take(&mut response.body, limit)?;
        if response.body.len() == limit && !input.peek()?.is_empty() {
            return Err(too_large(limit));
        }
        return Ok(());
    };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= limit) else {
        return Err(Broken::Wrong(format!("{length} bytes are announced; at most {limit} are taken")));
    };
    input.take(&mut response.body, length)?;
    let came = response.body.len();
    if came < length {
        return Err(Broken::Ended(format!("the connection was closed after {came} of {length} bytes")));
    }
    Ok(())
}

fn too_large(limit: usize) -> Broken {
    Broken::Wrong(format!("more than {limit} bytes come; no more are taken"))
}

/// The words between commas of all lines with that name, in lower case.
fn values(headers: &[(String, String)], name: &str) -> impl Iterator<Item = String> {
    headers
        .iter()
        .filter(move |(found, _)| found == name)
        .flat_map(|(_, value)| value.split(','))
        .map(|word| word.trim().to_ascii_lowercase())
        .filter(|word| !word.is_empty())
}

/// `Content-Length`, which may stand there twice if it says the same.
fn length(headers: &[(String, String)]) -> Result<Option<u64>, Broken> {
    let mut found = None;
    for word in values(headers, "content-length") {
        let number = word
            .parse::<u64>()
            .ok()
            .filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| wrong("Content-Length is no number of bytes"))?;
        if found.is_some_and(|found| found != number) {
            return Err(wrong("Content-Length says two different things"));
        }
        found = Some(number);
    }
    Ok(found)
}

/// Chunks, and the trailer lines behind them, which are not kept.
fn chunks(input: &mut Input<'_>, body: &mut Vec<u8>, limit: usize) -> Result<(), Broken> {
    let ended = || Broken::Ended("the connection was closed within a chunk".to_owned());
    input.lines = LINES_BYTES;
    loop {
        let (line, whole) = input.line(CHUNK_LINE)?;
        if !whole {
            return Err(ended());
        }
        let line = String::from_utf8_lossy(&line);
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or_else(|| wrong("a chunk begins without its length"))?;
        // What is only a length costs nothing of what lines may take.
        if line.len() <= 16 {
            input.lines = input.lines.saturating_add(line.len() + 2).min(LINES_BYTES);
        }
        if size == 0 {
            break;
        }
        let size = usize::try_from(size)
            .ok()
            .filter(|size| body.len().checked_add(*size).is_some_and(|sum| sum <= limit))
            .ok_or_else(|| too_large(limit))?;
        let before = body.len();
        input.take(body, size)?;
        if body.len() - before < size {
            return Err(ended());
        }
        match input.line(CHUNK_LINE)? {
            (rest, true) if rest.is_empty() => {
                input.lines = input.lines.saturating_add(2).min(LINES_BYTES);
            }
            (_, true) => return Err(wrong("a chunk is longer than its length")),
            (_, false) => return Err(ended()),
        }
    }
    for _ in 0..=LINES {
        let (line, whole) = input.line(LINES_BYTES)?;
        if line.is_empty() || !whole {
            return Ok(());
        }
    }
    Err(Broken::Wrong(format!("more than {LINES} lines follow the last chunk")))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
