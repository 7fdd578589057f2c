#![allow(clippy::unwrap_used)]

use std::io::{self, Read};

use super::{Broken, Form, parse_response, read_response};

/// What comes, and the status and body in it.
const GOOD: &[(&str, u16, &str)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", 200, "abc"),
    ("HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.0 404 Not Found\nServer: x\n\nno", 404, "no"),
    ("HTTP/1.1 200\r\nCONTENT-LENGTH:3\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc",
        200,
        "abc",
    ),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", 204, ""),
    ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, ""),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc"),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n2;x=\"y\"\r\nbc\r\n00\r\nT: x\r\n\r\n",
        200,
        "abc",
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \nabc\n0\n", 200, "abc"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\tc\r\nContent-Length: 0\r\n\r\n", 200, ""),
];

/// What comes, and a part of what is said about it.
const BAD: &[(&str, &str)] = &[
    ("", "without an answer"),
    ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n", "\"SSH-2.0-OpenSSH_9.2p1 De\""),
    ("\x15\x03\x01\x02", "\"\\x15\\x03\\x01\\x02\""),
    ("<html>", "not HTTP"),
    ("\r\n", "not HTTP"),
    ("HTTP/2 200 OK\r\n\r\n", "not HTTP"),
    ("HTTP/1.1 2000 OK\r\n\r\n", "not HTTP"),
    ("HTTP/1.1 OK\r\n\r\n", "not HTTP"),
    ("HTTP/1.1 +20 OK\r\n\r\n", "not HTTP"),
    ("HTTP/1.1 099 OK\r\n\r\n", "not HTTP"),
    ("HTTP/1.10 200 OK\r\n\r\n", "not HTTP"),
    ("HTTP/1.1 200 O", "within the first line"),
    ("HTTP/1.1 200 OK\r\nServer: x\r\n", "within the header"),
    ("HTTP/1.1 200 OK\r\nServer", "within the header"),
    ("HTTP/1.1 200 OK\r\nServer\r\n\r\n", "no name"),
    ("HTTP/1.1 200 OK\r\n: x\r\n\r\n", "no name"),
    ("HTTP/1.1 101 Switching\r\n\r\n", "another protocol"),
    ("HTTP/1.1 100 Continue\r\n\r\n", "without an answer"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "after 3 of 9 bytes"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\nabc", "65 bytes are announced"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "no number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", "no number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "two different"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "\"gzip\""),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "within a chunk"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "without its length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nabc def\r\n", "without its length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", "without its length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n", "without its length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", "without its length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "more than 64 bytes"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n", "within a chunk"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", "more than 64 bytes"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "within a chunk"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc", "within a chunk"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "longer than its length"),
];

const LIMIT: usize = 64;

/// One byte at a time, as a slow server's come.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

#[test]
fn answers() {
    for (text, status, body) in GOOD {
        let drip = read_response(&mut Drip(text.as_bytes()), LIMIT, Form::Wire);
        for response in [parse_response(text.as_bytes(), LIMIT), drip] {
            let response = response.unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!((response.status, response.body.as_slice()), (*status, body.as_bytes()), "{text:?}");
        }
    }
    let folded = parse_response(GOOD.last().unwrap().0.as_bytes(), LIMIT).unwrap();
    assert_eq!((folded.header("x"), folded.header("y")), (Some("a b c"), None));
}

#[test]
fn no_answers() {
    for (text, part) in BAD {
        let drip = read_response(&mut Drip(text.as_bytes()), LIMIT, Form::Wire);
        for response in [parse_response(text.as_bytes(), LIMIT), drip] {
            let error = response.err().unwrap_or_else(|| panic!("{text:?} is an answer")).to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}

#[test]
fn a_body_may_have_as_many_bytes_as_it_may() {
    let exact = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(LIMIT));
    assert_eq!(parse_response(exact.as_bytes(), LIMIT).unwrap().body.len(), LIMIT);
    let error = parse_response(format!("{exact}a").as_bytes(), LIMIT).unwrap_err();
    assert!(matches!(error, Broken::Wrong(why) if why.contains("more than 64 bytes")));
    assert!(parse_response(b"HTTP/1.1 200 OK\r\n\r\n", 0).is_ok());
}

#[test]
fn lines_are_bounded() {
    let start = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (text, part) in [
        ("H".repeat(70_000), "more than 65536 bytes"),
        (format!("{start}X: {}", "a".repeat(70_000)), "more than 65536 bytes"),
        (format!("{start}{}", "X: y\r\n".repeat(201)), "more than 200 lines"),
        (format!("{start}{}", format!("X: {}\r\n", "y".repeat(1000)).repeat(70)), "more than 65536 bytes"),
        (format!("{chunked}3;{}", "x".repeat(2000)), "more than 1024 bytes"),
        (
            format!("{chunked}{}", format!("1;{}\r\na\r\n", "x".repeat(900)).repeat(80)),
            "announces chunks has more than 65536",
        ),
        (format!("{chunked}0\r\n{}", "X: y\r\n".repeat(201)), "200 lines follow"),
        ("HTTP/1.1 100 Continue\r\n\r\n".repeat(9), "8 interim answers"),
    ] {
        let error = parse_response(text.as_bytes(), 1 << 20).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    // Many small chunks are nothing bad.
    let many = format!("{chunked}{}0\r\n\r\n", "1\r\na\r\n".repeat(50_000));
    assert_eq!(parse_response(many.as_bytes(), 1 << 20).unwrap().body.len(), 50_000);
}

#[test]
fn chunks_that_somebody_else_undid() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nabc";
    assert_eq!(read_response(&mut text.as_bytes(), LIMIT, Form::Unchunked).unwrap().body, b"abc");
}
