//! What comes over the network before anybody can be trusted: answers, URLs in them, DNS messages.

use std::io::Read;

use hardtack_http::answer::{Broken, Form, parse_response, read_response};
use hardtack_http::dns::{Answer, Kind, Name, Question};
use hardtack_http::resolv_conf::ResolvConf;
use hardtack_http::{Response, Url, hosts};

use crate::memory::bounded;

/// What a message of 8 KiB may take.
const MEMORY: usize = 4 << 20;
/// Bytes of a body.
const BODY: usize = 1000;

/// The first byte says what the others are: an answer, a URL and references to it, configuration.
pub fn http(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    bounded(MEMORY, || match kind {
        b'u' => url(&String::from_utf8_lossy(rest)),
        b'c' => names(&String::from_utf8_lossy(rest)),
        _ => answer(rest),
    });
}

/// One byte at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

/// However the bytes come, they mean the same.
fn answer(bytes: &[u8]) {
    let whole = outcome(parse_response(bytes, BODY));
    let drip = outcome(read_response(&mut Drip(bytes), BODY, Form::Wire));
    assert_eq!(whole, drip);
    let _ = read_response(&mut Drip(bytes), BODY, Form::Unchunked);
    if let Ok(response) = whole {
        assert!(response.body.len() <= BODY && (200..1000).contains(&response.status));
    }
}

fn outcome(result: Result<Response, Broken>) -> Result<Response, String> {
    result.map_err(|broken| {
        let why = broken.to_string();
        assert!(!why.chars().any(char::is_control) && why.len() < 300, "{why:?}");
        why
    })
}

/// A line is a URL; those behind it are references to it.
fn url(text: &str) {
    let mut lines = text.lines();
    let Ok(mut url) = Url::parse(lines.next().unwrap_or_default()) else { return };
    sound(&url);
    for reference in lines {
        if let Ok(joined) = url.join(reference) {
            sound(&joined);
            url = joined;
        }
    }
}

/// Nothing in it leaves the line that it stands on, and it means itself.
fn sound(url: &Url) {
    assert!(
        url.path.starts_with('/') && url.path.bytes().all(|byte| byte.is_ascii_graphic()),
        "{}",
        url.path
    );
    let line = url.host_line();
    assert!(line.bytes().all(|byte| byte.is_ascii_graphic() && !b"/@?#".contains(&byte)), "{line}");
    let scheme = if url.tls { "https" } else { "http" };
    let again = Url::parse(&format!("{scheme}://{line}{}", url.path)).map_err(|error| error.to_string());
    let again = again.unwrap_or_else(|error| {
        assert!(error.contains("at most"), "{error}");
        url.clone()
    });
    assert_eq!((&again.path, again.port, again.host_line()), (&url.path, url.port, line));
}

fn names(text: &str) {
    let conf = ResolvConf::parse(text);
    assert!(conf.servers.len() <= 3 && conf.search.len() <= 6 && (1..=5).contains(&conf.attempts));
    assert!(conf.candidates("host").contains(&"host".to_owned()));
    let _ = hosts::addresses(text, "host");
    let _ = Name::new(text);
}

/// An answer to a question, whose number and name stand in it already so that damage gets deep.
pub fn dns(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let Some(name) = Name::new("host.example.com") else { return };
    for kind in [Kind::A, Kind::Aaaa] {
        let question = Question { id: 0x1234, name: name.clone(), kind };
        let mut message = question.message();
        message[2] = 0x80;
        message[3] = *first;
        if let Some((count, records)) = rest.split_first() {
            message[7] = *count;
            message.extend(records);
        }
        bounded(MEMORY, || {
            for bytes in [input, &message] {
                match question.answer(bytes) {
                    Some(Answer::Addresses(found)) => {
                        assert!((1..=16).contains(&found.len()));
                        assert!(found.iter().all(|address| address.is_ipv4() == (kind == Kind::A)));
                    }
                    // What is asked next is a question.
                    Some(Answer::Alias(name)) => {
                        let next = Question { id: 1, name, kind };
                        let mut echo = next.message();
                        echo[2] = 0x80;
                        assert_eq!(next.answer(&echo), Some(Answer::Nothing));
                    }
                    _ => {}
                }
            }
        });
    }
}
