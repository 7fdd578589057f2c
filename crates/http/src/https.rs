//! `https`, through the curl or wget that the image has.
//!
//! The agent has no TLS of its own: rustls with ring makes a static program 0.88 MiB larger, with RustCrypto's
//! algorithms 0.79 MiB, and 3 MiB are all that the agent may have; this crate takes 0.18 MiB. Measured with
//! rustls 0.23 and rustc 1.95.0 (opt-level z, LTO, one unit, abort, stripped) by a program that sends one
//! request to an address:
//!
//! ```text
//! RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --target x86_64-unknown-linux-gnu
//! plain                     1,134,240 bytes
//! this crate                1,322,432 bytes
//! rustls, ring              2,056,576 bytes
//! rustls, rustls-rustcrypto 1,965,824 bytes
//! ```
//!
//! Metadata services speak plain HTTP. What needs TLS is `#include`, `write_files` with a source, and
//! `phone_home`. Nearly all images have curl or wget, which know the image's certificates; where both are
//! missing the error says what to install.
//!
//! Nothing goes into the arguments, which every user can read, but limits: URL, header lines and body are
//! curl's configuration on its standard input. wget takes a list of URLs there, but no header lines; it is
//! used when there are none. Answers come as they are on the wire, and are read like any other, with the same
//! bounds and deadlines; a program that takes too long is killed.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::answer::{Broken, Form, read_response};
use crate::client::{Hop, USER_AGENT, lines};
use crate::deadline::{Deadline, Timed, is_late};
use crate::error::said;
use crate::{Error, Method, Response};

/// Where programs are looked for, below the root.
const FOLDERS: [&str; 5] = ["usr/bin", "bin", "usr/local/bin", "usr/sbin", "sbin"];
/// Bytes of a body that is sent. curl takes lines of 100 KiB in its configuration, escapes with them.
const BODY: usize = 32 << 10;
/// Bytes of what a program complains.
const COMPLAINT: u64 = 4 << 10;
/// How often a program that has closed its output is looked after.
const STEP: Duration = Duration::from_millis(5);
/// How long its complaint is waited for after its end.
const LINGER: Duration = Duration::from_millis(100);
/// curl's status when it does not know an option: releases before 7.33 have no `--http1.1`, and no HTTP/2
/// either.
const UNKNOWN_OPTION: i32 = 2;

/// Sends one request. That nobody here can send it is an [`Error::Url`], which no repetition mends.
pub(crate) fn send(root: &Path, hop: &Hop<'_>) -> Result<Response, Error> {
    let never = |why: String| Error::Url { url: hop.url.to_string(), why };
    if let Some(curl) = find(root, "curl") {
        let config = config(hop).map_err(never)?;
        let modern = curl_arguments(hop, &["--http1.1"]);
        let mut ended = run(&curl, &modern, &config, hop, Form::Wire);
        if matches!(ended.status, Some(UNKNOWN_OPTION)) {
            ended = run(&curl, &curl_arguments(hop, &[]), &config, hop, Form::Wire);
        }
        return ended.outcome("curl", hop);
    }
    let Some(wget) = find(root, "wget") else {
        let why = "https needs curl or wget, and the image has neither: install curl and ca-certificates";
        return Err(never(why.to_owned()));
    };
    if !hop.headers.is_empty() || hop.url.authorization().is_some() || hop.method != Method::Get {
        let why = "https with header lines or a body needs curl, and the image has only wget: install curl";
        return Err(never(why.to_owned()));
    }
    let list = format!("{}\n", hop.url.without_user());
    run(&wget, &wget_arguments(hop), list.as_bytes(), hop, Form::Unchunked).outcome("wget", hop)
}

fn find(root: &Path, name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| root.join(folder).join(name)).find(|path| path.is_file())
}

fn curl_arguments(hop: &Hop<'_>, more: &[&str]) -> Vec<String> {
    // `-q` comes first: no .curlrc. `--raw` leaves chunks alone, so that a missing one is noticed.
    let fixed = ["-q", "--silent", "--show-error", "--include", "--raw", "--globoff"];
    let limits = [
        ("--connect-timeout", hop.first.seconds().to_string()),
        ("--max-time", hop.total.seconds().to_string()),
        ("--max-filesize", hop.limit.to_string()),
        ("--config", "-".to_owned()),
    ];
    let fixed = fixed.iter().chain(more).map(|word| (*word).to_owned());
    fixed.chain(limits.into_iter().flat_map(|(name, value)| [name.to_owned(), value])).collect()
}

/// wget follows redirections itself: it has nothing that must not go along.
fn wget_arguments(hop: &Hop<'_>) -> Vec<String> {
    vec![
        "--quiet".to_owned(),
        "--save-headers".to_owned(),
        "--content-on-error".to_owned(),
        "--tries=1".to_owned(),
        format!("--timeout={}", hop.first.seconds()),
        format!("--max-redirect={}", hop.redirects),
        format!("--user-agent={USER_AGENT}"),
        "--output-document=-".to_owned(),
        "--input-file=-".to_owned(),
    ]
}

/// curl's configuration: one option in each line, its value in quotes.
fn config(hop: &Hop<'_>) -> Result<Vec<u8>, String> {
    let mut config = Vec::new();
    option(&mut config, "url", hop.url.without_user().as_bytes());
    option(&mut config, "request", hop.method.word().as_bytes());
    let lines = lines(hop);
    for (name, value) in &lines {
        // An empty value would remove the line.
        let line = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        option(&mut config, "header", line.as_bytes());
    }
    if hop.method != Method::Get || !hop.body.is_empty() {
        if hop.body.len() > BODY || hop.body.contains(&0) {
            return Err(format!("a body over https has to be text of at most {BODY} bytes"));
        }
        if hop.body.first() == Some(&b'@') {
            return Err("a body over https cannot begin with @, which is a file's name to curl".to_owned());
        }
        option(&mut config, "data-binary", hop.body);
        // Lines that curl would add.
        option(&mut config, "header", b"Expect:");
        if !lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            option(&mut config, "header", b"Content-Type:");
        }
    }
    Ok(config)
}

fn option(config: &mut Vec<u8>, name: &str, value: &[u8]) {
    config.extend(name.as_bytes());
    config.extend(b" = \"");
    for byte in value {
        match byte {
            b'\n' => config.extend(b"\\n"),
            b'\r' => config.extend(b"\\r"),
            b'\t' => config.extend(b"\\t"),
            0x0b => config.extend(b"\\v"),
            b'"' | b'\\' => config.extend([b'\\', *byte]),
            other => config.push(*other),
        }
    }
    config.extend(b"\"\n");
}

/// How a program ended.
struct Ended {
    answer: Result<Response, Broken>,
    /// `None` when it was killed.
    status: Option<i32>,
    complaint: String,
    /// The deadline that held when the answer ended.
    deadline: Deadline,
}

/// Runs a program that gets `input` and prints an answer.
fn run(program: &Path, arguments: &[String], input: &[u8], hop: &Hop<'_>, form: Form) -> Ended {
    let fail = |error: io::Error| Ended {
        answer: Err(Broken::Io(error)),
        status: None,
        complaint: String::new(),
        deadline: hop.first,
    };
    let (mut child, mut talk, complaints) = match start(program, arguments) {
        Ok(started) => started,
        Err(error) => return fail(error),
    };
    let mut timed = Timed::new(&mut talk, hop.first, hop.total);
    // A program that does not read says why by its status.
    let _ = timed.send(input);
    let answer = match timed.finish() {
        Ok(()) => read_response(&mut timed, hop.limit, form),
        Err(error) => Err(Broken::Io(error)),
    };
    let deadline = timed.deadline();
    let ends = match &answer {
        Err(Broken::Wrong(_)) => None,
        Err(Broken::Io(error)) if is_late(error) => None,
        _ => wait(&mut child, hop.total),
    };
    if ends.is_none() {
        // Nobody waits for it any longer; it may be gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
    let mut complaint = Vec::new();
    if complaints.set_read_timeout(Some(LINGER)).is_ok() {
        let _ = complaints.take(COMPLAINT).read_to_end(&mut complaint);
    }
    let complaint = String::from_utf8_lossy(&complaint).into_owned();
    Ended { answer, status: ends, complaint, deadline }
}

fn start(program: &Path, arguments: &[String]) -> io::Result<(Child, UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let (complaints, their_complaints) = UnixStream::pair()?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/nonexistent"), ("LC_ALL", "C")])
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::from(OwnedFd::from(their_complaints)))
        .spawn()?;
    Ok((child, ours, complaints))
}

/// The status of a program that has nothing more to say.
fn wait(child: &mut Child, deadline: Deadline) -> Option<i32> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.code().unwrap_or(-1)),
            Ok(None) => {
                deadline.left()?;
                std::thread::sleep(STEP);
            }
            Err(_) => return None,
        }
    }
}

impl Ended {
    fn outcome(self, program: &str, hop: &Hop<'_>) -> Result<Response, Error> {
        let host = hop.url.server();
        let connection = |why: String| Error::Connection { host: hop.url.server(), why };
        let status = match (self.answer, self.status) {
            // wget's 8 is an answer like 404.
            (Ok(response), Some(0)) => return Ok(response),
            (Ok(response), Some(8)) if program == "wget" => return Ok(response),
            (Err(Broken::Wrong(why)), _) => return Err(Error::Answer { host, why }),
            (Err(Broken::Io(error)), None) if is_late(&error) => {
                return Err(Error::Timeout { host, seconds: self.deadline.seconds() });
            }
            (Err(Broken::Io(error)), None) => {
                return Err(connection(format!("cannot run {program}: {}", said(&error))));
            }
            (Ok(_), None) => return Err(Error::Timeout { host, seconds: hop.total.seconds() }),
            (Err(Broken::Ended(why)), Some(0)) => return Err(connection(why)),
            (_, None) => return Err(connection(format!("{program} did not end"))),
            (_, Some(status)) => status,
        };
        let certificates = "is the clock right, and is ca-certificates installed?";
        let text = match (program, status) {
            ("curl", _) => complaint(&self.complaint),
            (_, 4) => "the network failed".to_owned(),
            (_, 5) => format!("the certificate is not trusted: {certificates}"),
            _ => String::new(),
        };
        let text = if text.is_empty() { format!("it ended with status {status}") } else { text };
        Err(match (program, status) {
            ("curl", 6) => Error::Name { host: hop.url.host.clone(), why: format!("curl: {text}") },
            ("curl", 28) => Error::Timeout { host, seconds: self.deadline.seconds() },
            ("curl", 63) => {
                Error::Answer { host, why: format!("more than {} bytes are announced", hop.limit) }
            }
            ("curl", 51 | 60 | 77) => connection(format!("curl: {text}: {certificates}")),
            _ => connection(format!("{program}: {text}")),
        })
    }
}

/// `curl: (60) SSL certificate problem: …` without its beginning, and not too long.
fn complaint(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("curl: (")).unwrap_or_default();
    let line = line.split_once(") ").map_or("", |(_, rest)| rest);
    line.chars().filter(|letter| !letter.is_control()).take(160).collect()
}

#[cfg(test)]
#[path = "https_tests.rs"]
mod tests;
