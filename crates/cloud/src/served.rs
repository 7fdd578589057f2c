//! For tests: a server that gives the answers that it was given, one for each request, and keeps what it was sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::credentials::{Credentials, Provider};
use crate::{Client, Environment, Kind, Patience, Place, Service};

/// What arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// `GET`, `PUT` ….
    pub(crate) method: String,
    /// Path and query, as they stood on the first line.
    pub(crate) target: String,
    /// Headers, lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Sent {
    /// A header's value, empty where it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The form in the body as `NAME=VALUE` lines in their order, without `Action` and `Version` and percent signs.
    pub(crate) fn form(&self) -> Vec<String> {
        let body = String::from_utf8(self.body.clone()).unwrap();
        body.split('&')
            .filter(|pair| !pair.starts_with("Action=") && !pair.starts_with("Version="))
            .map(plain)
            .collect()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// An answer with a body.
pub(crate) fn given(status: u16, body: impl Into<Vec<u8>>) -> Given {
    Given { status, headers: Vec::new(), body: body.into() }
}

/// A body of status 200.
pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Given {
    given(200, body)
}

/// EC2's error of that code.
pub(crate) fn refused(code: &str) -> Given {
    given(
        400,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors>\
             <RequestID>r-1</RequestID></Response>"
        ),
    )
}

impl Given {
    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The server.
pub(crate) struct Served {
    kind: Kind,
    address: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Served {
    /// One that gives these answers and then no more.
    pub(crate) fn new(kind: Kind, answers: impl IntoIterator<Item = Given>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (sent.clone(), answers.into_iter().collect::<Vec<_>>());
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, &answer, &kept);
            }
        });
        Self { kind, address, sent }
    }

    /// A client of it, which tries once.
    pub(crate) fn client(&self) -> Client {
        let mut place = Place::new(self.kind, "eu-central-1");
        for service in Service::ALL {
            place.given.insert(service, self.address.clone());
        }
        let environment = Environment {
            variables: BTreeMap::new(),
            home: None,
            now: || UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            sleep: |_| {},
            random: |bytes| bytes.fill(7),
            trace: None,
        };
        let credentials = Credentials {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Zeroizing::new("secret".to_owned()),
            token: None,
            expires: None::<SystemTime>,
            origin: "the test".to_owned(),
        };
        let patience = Patience { tries: 1, ..Patience::default() };
        Client::new(place, Provider::fixed(credentials), Arc::new(environment), patience)
    }

    /// What it was sent.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request that it was sent.
    pub(crate) fn only(&self) -> Sent {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.into_iter().next().unwrap()
    }
}

/// Reads one request, keeps it, answers, and closes.
fn serve(stream: TcpStream, answer: &Given, kept: &Mutex<Vec<Sent>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let mut sent = Sent {
        method: words.next().unwrap().to_owned(),
        target: words.next().unwrap().to_owned(),
        ..Sent::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        sent.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = sent.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    if sent.header("expect") == "100-continue" {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    sent.body = vec![0; length];
    reader.read_exact(&mut sent.body).unwrap();
    let head = sent.method == "HEAD";
    kept.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", answer.status);
    if answer.status != 204 && !answer.headers.iter().any(|(name, _)| *name == "content-length") {
        text.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let stream = reader.get_mut();
    stream.write_all(text.as_bytes()).unwrap();
    if !head {
        // The client may hang up on an answer that is too long.
        let _ = stream.write_all(&answer.body);
    }
}

fn plain(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            byte
        });
    }
    String::from_utf8(out).unwrap()
}
