#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::{config, find, send};
use crate::client::Hop;
use crate::deadline::Deadline;
use crate::{Error, Method, Response, Url};

/// Sends to `url` with the programs below `root`.
fn ask(
    root: &Path,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response, Error> {
    ask_within(root, method, url, headers, body, Duration::from_secs(20))
}

fn ask_within(
    root: &Path,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    limit: Duration,
) -> Result<Response, Error> {
    let url = Url::parse(url).unwrap();
    let total = Deadline::after(limit);
    send(root, &Hop { method, url: &url, headers, body, limit: 1000, redirects: 2, first: total, total })
}

/// A root with a program of that name, which is a script.
fn image(program: &str, script: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("usr/bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(program);
    fs::write(&path, format!("#!/bin/sh\n{}\n", script.replace("ROOT", root.path().to_str().unwrap())))
        .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    root
}

/// A server that says the same to everybody, and keeps what it was asked.
fn serve(answer: &'static str, count: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x?a=b", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..count {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            while !text.ends_with(b"\r\n\r\n") && !text.ends_with(b"end") {
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0, "{:?}", String::from_utf8_lossy(&text));
                text.extend(&buffer[..count]);
            }
            asked.push(String::from_utf8(text).unwrap());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (url, thread)
}

/// Whether this machine has the program; its absence is an error in CI.
fn has(program: &str) -> bool {
    let found = find(Path::new("/"), program).is_some();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

#[test]
fn the_real_curl_sends_what_it_is_told() {
    if !has("curl") {
        return;
    }
    let root = Path::new("/");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let (url, thread) = serve(chunked, 1);
    let response = ask(root, Method::Get, &url, &[("X-Token", "a\"b\\c\td@"), ("X-Empty", "")], b"").unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, &b"abc"[..]));
    let asked = thread.join().unwrap().concat();
    assert!(asked.starts_with("GET /x?a=b HTTP/1.1\r\n"), "{asked}");
    for line in ["X-Token: a\"b\\c\td@", "X-Empty:", "User-Agent: hardtack/", "Accept-Encoding: identity"] {
        assert!(asked.contains(&format!("\r\n{line}")), "{line}: {asked}");
    }
    let (url, thread) = serve("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 2);
    let put = ask(root, Method::Put, &url, &[], b"").unwrap();
    assert_eq!((put.status, put.body.as_slice()), (404, &b"no"[..]));
    ask(root, Method::Post, &url, &[], b"a\"\n\r\t\\@b=\xc3\xa9&end").unwrap();
    let asked = thread.join().unwrap();
    assert!(
        asked[0].starts_with("PUT /x?a=b") && asked[0].contains("\r\nContent-Length: 0\r\n"),
        "{asked:?}"
    );
    assert!(!asked[0].contains("Content-Type") && !asked[1].contains("Expect"), "{asked:?}");
    assert!(asked[1].ends_with("\r\n\r\na\"\n\r\t\\@b=é&end"), "{asked:?}");
    // Nothing is followed, and nothing is missed.
    let (url, thread) = serve("HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", 1);
    assert_eq!(ask(root, Method::Get, &url, &[], b"").unwrap().status, 302);
    thread.join().unwrap();
    for (answer, part) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "curl: transfer closed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", "bytes are announced"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "curl: transfer closed"),
        ("", "mpty reply from server"),
    ] {
        let (url, thread) = serve(answer, 1);
        let error = ask(root, Method::Get, &url, &[], b"").unwrap_err().to_string();
        thread.join().unwrap();
        assert!(error.contains(part), "{answer:?}: {error}");
    }
    let error = ask(root, Method::Get, "http://127.0.0.1:1/", &[], b"").unwrap_err();
    assert!(matches!(&error, Error::Connection { why, .. } if why.starts_with("curl: ")), "{error}");
    let error = ask(root, Method::Get, "http://no-such-name.invalid/", &[], b"").unwrap_err();
    assert!(matches!(&error, Error::Name { .. }), "{error}");
}

#[test]
fn the_real_wget_fetches() {
    if !has("wget") {
        return;
    }
    let root = image("wget", &format!("exec {} \"$@\"", find(Path::new("/"), "wget").unwrap().display()));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
    for (answer, status, body) in [(chunked, 200, "abc"), (missing, 404, "no")] {
        let (url, thread) = serve(answer, 1);
        let response = ask(root.path(), Method::Get, &url, &[], b"").unwrap();
        assert_eq!((response.status, response.body.as_slice()), (status, body.as_bytes()));
        assert!(thread.join().unwrap().concat().starts_with("GET /x?a=b HTTP/1.1\r\n"));
    }
    let error = ask(root.path(), Method::Get, "http://127.0.0.1:1/", &[], b"").unwrap_err().to_string();
    assert!(error.contains("wget: the network failed"), "{error}");
}

#[test]
fn arguments_hold_no_secret() {
    let root = image(
        "curl",
        "echo \"$@\" > ROOT/argv; cat > ROOT/config; env > ROOT/env\nprintf 'HTTP/1.1 200 OK\\r\\n\\r\\nabc'",
    );
    let url = "https://user:s3cret@h/p?s3cret";
    let response = ask(root.path(), Method::Post, url, &[("X", "s3cret")], b"s3cret").unwrap();
    assert_eq!(response.body, b"abc");
    let argv = fs::read_to_string(root.path().join("argv")).unwrap();
    assert!(
        argv.starts_with("-q ") && argv.contains(" --max-time 20 ") && !argv.contains("s3cret"),
        "{argv}"
    );
    assert!(!fs::read_to_string(root.path().join("env")).unwrap().contains("s3cret"));
    let config = fs::read_to_string(root.path().join("config")).unwrap();
    for line in [
        "url = \"https://h:443/p?s3cret\"",
        "request = \"POST\"",
        "header = \"Authorization: Basic dXNlcjpzM2NyZXQ=\"",
        "header = \"X: s3cret\"",
        "data-binary = \"s3cret\"",
    ] {
        assert!(config.lines().any(|found| found == line), "{line}: {config}");
    }
}

#[test]
fn what_curl_would_read_as_something_else_is_not_sent() {
    let url = Url::parse("https://h/").unwrap();
    let total = Deadline::after(Duration::from_secs(1));
    for body in [&b"@/etc/shadow"[..], b"a\0b", &[b'a'; 40_000]] {
        let hop = Hop {
            method: Method::Post,
            url: &url,
            headers: &[],
            body,
            limit: 1,
            redirects: 0,
            first: total,
            total,
        };
        assert!(config(&hop).is_err());
    }
}

#[test]
fn how_curl_ends() {
    for (script, wanted) in [
        ("echo 'curl: (6) Could not resolve host: h' >&2; exit 6", "h: curl: Could not resolve host: h"),
        (
            "echo 'curl: (60) SSL certificate problem: expired' >&2; exit 60",
            "h:443: curl: SSL certificate problem: expired: is the clock right, and is ca-certificates installed?",
        ),
        ("exit 28", "h:443: no answer within 20 s"),
        ("exit 63", "h:443: more than 1000 bytes are announced"),
        ("exit 35", "h:443: curl: it ended with status 35"),
        ("kill -9 $$", "h:443: curl: it ended with status -1"),
        (
            "cat > /dev/null; printf 'HTTP/1.1 200 OK\\r\\n\\r\\nabc'; exit 56",
            "h:443: curl: it ended with status 56",
        ),
        ("cat > /dev/null; exit 0", "h:443: the connection was closed without an answer"),
        ("echo junk", "h:443: the answer begins with \"junk\", which is not HTTP/1.1"),
        (
            "printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'; exec yes",
            "h:443: more than 1000 bytes come; no more are taken",
        ),
        ("case \"$*\" in *--http1.1*) exit 2;; esac; exit 7", "h:443: curl: it ended with status 7"),
    ] {
        let root = image("curl", script);
        let error = ask(root.path(), Method::Get, "https://h/", &[], b"").unwrap_err();
        assert_eq!(error.to_string(), wanted, "{script}");
    }
}

#[test]
fn programs_that_do_not_end_are_killed() {
    for script in [
        "exec sleep 1000",
        "printf 'HTTP/1.1 200 OK\\r\\n'; exec sleep 1000",
        "cat > /dev/null; printf 'HTTP/1.1 200 OK\\r\\n\\r\\nabc'; exec >&- <&-; exec sleep 1000",
    ] {
        let root = image("curl", script);
        let limit = Duration::from_millis(400);
        let error = ask_within(root.path(), Method::Get, "https://h/", &[], b"", limit).unwrap_err();
        assert_eq!(error.to_string(), "h:443: no answer within 1 s", "{script}");
    }
}

#[test]
fn without_curl() {
    let root =
        image("wget", "cat > ROOT/list; echo \"$@\" > ROOT/argv; printf 'HTTP/1.1 200 OK\\r\\n\\r\\nabc'");
    assert_eq!(ask(root.path(), Method::Get, "https://h/?s3cret", &[], b"").unwrap().body, b"abc");
    assert_eq!(fs::read_to_string(root.path().join("list")).unwrap(), "https://h:443/?s3cret\n");
    assert!(!fs::read_to_string(root.path().join("argv")).unwrap().contains("s3cret"));
    for (method, url, headers) in [
        (Method::Get, "https://h/", &[("X", "y")][..]),
        (Method::Get, "https://u:p@h/", &[]),
        (Method::Put, "https://h/", &[]),
    ] {
        let error = ask(root.path(), method, url, headers, b"").unwrap_err().to_string();
        assert!(error.contains("install curl"), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = ask(empty.path(), Method::Get, "https://h/", &[], b"").unwrap_err().to_string();
    assert!(error.contains("the image has neither: install curl and ca-certificates"), "{error}");
}

/// openssl's server with a certificate of its own for `localhost`, and its port.
struct Secure {
    server: std::process::Child,
    port: String,
}

impl Secure {
    fn start(folder: &Path) -> Self {
        use std::io::BufRead;
        use std::process::{Command, Stdio};
        let [key, certificate] = ["key.pem", "ca.pem"].map(|name| folder.join(name));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), certificate.as_os_str()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", "0", "-www", "-key"])
            .args([key.as_os_str(), "-cert".as_ref(), certificate.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = std::io::BufReader::new(server.stdout.take().unwrap()).lines();
        let line = said.map(Result::unwrap).find(|line| line.starts_with("ACCEPT")).unwrap();
        Self { server, port: line.rsplit(':').next().unwrap().to_owned() }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn over_tls() {
    use crate::{Client, Limits, Request, Transport};
    if !(has("openssl") && has("curl") && has("wget")) {
        return;
    }
    let [curl, wget] = ["curl", "wget"].map(|name| find(Path::new("/"), name).unwrap());
    let root = image("curl", &format!("exec {} --cacert ROOT/ca.pem \"$@\"", curl.display()));
    let secure = Secure::start(root.path());
    let url = format!("https://localhost:{}/", secure.port);
    // A server without TLS sends there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = format!("http://{}/", listener.local_addr().unwrap());
    let location = url.clone();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 301 Moved\r\nLocation: {location}\r\n\r\n").unwrap();
    });
    let limits = Limits { connect: Duration::from_secs(20), ..Limits::default() };
    let request = Request { method: Method::Get, url: &start, headers: &[], body: b"", limits };
    let response = Client::new(root.path()).send(&request).unwrap();
    thread.join().unwrap();
    assert!(response.status == 200 && response.body.starts_with(b"<HTML>"), "{response:?}");
    // A certificate that nobody trusts.
    let request = Request { url: &url, ..request };
    let error = Client::default().send(&request).unwrap_err().to_string();
    assert!(error.contains("curl: SSL certificate problem: self"), "{error}");
    assert!(error.ends_with("is the clock right, and is ca-certificates installed?"), "{error}");
    let other = image("wget", &format!("exec {} \"$@\"", wget.display()));
    let error = Client::new(other.path()).send(&request).unwrap_err().to_string();
    assert!(error.contains("wget: the certificate is not trusted"), "{error}");
    let script = format!("exec {} --ca-certificate={}/ca.pem \"$@\"", wget.display(), root.path().display());
    let trusting = image("wget", &script);
    assert_eq!(Client::new(trusting.path()).send(&request).unwrap().status, 200);
}
