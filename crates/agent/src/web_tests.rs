#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use hardtack_modules::Content;
use hardtack_userdata::split::Fetch;

use super::{INCLUDE, Includes, Patience, fetch_with, local, post_with, with_scheme};
use crate::host::Host;

/// Tries at once.
const QUICK: Patience = Patience { pause: Duration::ZERO, ..INCLUDE };

/// A server that gives these answers, one for each connection, and tells what it was asked.
fn serve(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            // A form ends with a field that the tests call `end`.
            while !(text.ends_with(b"end=") || text.starts_with(b"GET") && text.ends_with(b"\r\n\r\n")) {
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0);
                text.extend(&buffer[..count]);
            }
            tell.send(String::from_utf8(text).unwrap()).unwrap();
            // Each character is a byte.
            let bytes: Vec<u8> = answer.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
            stream.write_all(&bytes).unwrap();
        }
    });
    (url, asked)
}

fn includes(host: &Host) -> Includes {
    Includes { patience: QUICK, ..Includes::new(host) }
}

#[test]
fn failures_are_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let (url, asked) = serve(&[
        "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 No\r\n\r\n",
        "",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    ]);
    assert_eq!(includes(&host).fetch(&format!("{url}/x"), false).unwrap(), b"abc");
    assert_eq!(asked.iter().count(), 5);
    let (url, asked) = serve(&["HTTP/1.1 404 No\r\n\r\n"; 2]);
    let patience = Patience { tries: 2, ..QUICK };
    let error = fetch_with(&host, &format!("{url}/x?secret"), &[], patience).unwrap_err();
    assert!(error.contains("status 404") && !error.contains("secret"), "{error}");
    assert_eq!(asked.iter().count(), 2);
}

#[test]
fn once_is_once() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let (url, _asked) = serve(&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"]);
    for _ in 0..2 {
        assert_eq!(includes(&host).fetch(&url, true).unwrap(), b"abc");
    }
    let names = host.names(super::CACHE);
    assert!(names.len() == 1 && names[0].len() == 32, "{names:?}");
    assert!(
        Includes { patience: Patience { tries: 1, ..QUICK }, ..includes(&host) }.fetch(&url, false).is_err()
    );
}

#[test]
fn files_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    std::fs::write(folder.path().join("x"), "content").unwrap();
    for place in ["/x", "file:///x", "FILE:///x?y#z", " file://localhost/x"] {
        assert_eq!(includes(&host).fetch(place, false).unwrap(), b"content", "{place}");
    }
    assert!(includes(&host).fetch("file:///y", false).unwrap_err().contains("/y is not there"));
    assert!(includes(&host).fetch("/", false).unwrap_err().contains("no file"));
    assert_eq!(local("http:///x"), None);
    assert_eq!(with_scheme("example.com/a:b"), "http://example.com/a:b");
    assert_eq!(with_scheme("https://e"), "https://e");
}

#[test]
fn what_cannot_be_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let error = includes(&host).fetch("gopher://u:secret@x/", false).unwrap_err();
    assert!(error.contains("gopher") && !error.contains("secret"), "{error}");
    let header = [("X-Token".to_owned(), Content::secret("a\r\nb"))];
    let error = fetch_with(&host, "http://127.0.0.1:1/", &header, INCLUDE).unwrap_err();
    assert!(error.contains("X-Token"), "{error}");
}

#[test]
fn forms() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let (url, asked) = serve(&["HTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]);
    let fields = [("a b".to_owned(), "c&d\n".to_owned()), ("end".to_owned(), String::new())];
    post_with(&host, &format!("{url}/i-1/"), &fields, QUICK).unwrap();
    let requests: Vec<String> = asked.iter().collect();
    assert_eq!(requests.len(), 2);
    let (head, body) = requests[1].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /i-1/ HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 17\r\n"),
        "{head}"
    );
    assert_eq!(body, "a+b=c%26d%0A&end=");
    let (url, asked) = serve(&["HTTP/1.1 200 OK\r\n\r\n"]);
    post_with(&host, &url, &[], QUICK).unwrap();
    assert!(asked.iter().all(|request| request.starts_with("GET / HTTP/1.1")));
    assert!(post_with(&host, "/x", &fields, QUICK).is_err());
}

#[test]
fn what_comes_packed_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    // `abc`.
    let (url, _asked) = serve(
        &["HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n\r\n\u{1f}\u{8b}\u{8}\u{0}\u{0}\u{0}\u{0}\u{0}\u{2}\u{3}\u{4b}\u{4c}\u{4a}\u{6}\u{0}\u{c2}\u{41}\u{24}\u{35}\u{3}\u{0}\u{0}\u{0}";
            2],
    );
    assert_eq!(includes(&host).fetch(&url, false).unwrap(), b"abc");
    assert_eq!(fetch_with(&host, &url, &[], QUICK).unwrap(), b"abc");
    let (url, _asked) = serve(&["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nabc"]);
    assert!(includes(&host).fetch(&url, false).unwrap_err().contains("cannot be unpacked"));
}

#[test]
fn a_hooks_path_is_told_to_nobody() {
    let told = |place: &str| {
        super::without_path(
            &format!("{}: status 500", hardtack_http::url::shown(&super::with_scheme(place))),
            place,
        )
    };
    assert_eq!(told("https://hooks.example/T0/SECRET?x=y"), "https://hooks.example: status 500");
    assert_eq!(told("http://user:word@[::1]:80/SECRET"), "http://[::1]:80: status 500");
    assert_eq!(told("http://hooks.example"), "http://hooks.example: status 500");
}
