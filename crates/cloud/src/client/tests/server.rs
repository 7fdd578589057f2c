//! A server on the loopback that answers each request by the next line of a script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Status, headers, body.
    Whole(u16, Vec<(String, String)>, String),
    /// A refusal after the headers: the body is not read, and the connection ends.
    Early(String),
    /// These bytes, then the end of the connection.
    Raw(String),
    /// The end of the connection.
    Reset,
    /// Nothing, for longer than any client here waits.
    Silent,
    /// A body that comes a byte at a time, without an end.
    Drip,
}

impl Reply {
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self::Whole(status, Vec::new(), body.to_owned())
    }

    pub(super) fn ok(body: &str) -> Self {
        Self::new(200, body)
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Whole(_, headers, _) = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) first: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// The server; it ends with the test.
pub(super) struct Server {
    address: String,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    replies: Mutex<Vec<Reply>>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    stop: AtomicBool,
}

impl Server {
    pub(super) fn new(mut replies: Vec<Reply>) -> Self {
        replies.reverse();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            replies: Mutex::new(replies),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let for_thread = shared.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stop.load(Ordering::SeqCst) {
                    return;
                }
                for_thread.connections.fetch_add(1, Ordering::SeqCst);
                let shared = for_thread.clone();
                thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Nobody listens any more.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some(seen) = read(&mut reader, stream, shared) {
        let head = seen.first.starts_with("HEAD ");
        shared.seen.lock().unwrap().push(seen);
        let reply = shared.replies.lock().unwrap().pop();
        if !answer(stream, reply.unwrap_or(Reply::Reset), head, shared) {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream, shared: &Shared) -> Option<Seen> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|length| *length > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen { first: first.trim_end().to_owned(), headers, body: Vec::new() };
    if matches!(shared.replies.lock().unwrap().last(), Some(Reply::Early(_))) {
        return Some(seen);
    }
    if seen.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    seen.body = vec![0; length];
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

/// False: the connection ends.
fn answer(mut stream: &TcpStream, reply: Reply, head: bool, shared: &Shared) -> bool {
    match reply {
        Reply::Whole(status, headers, body) => {
            let mut text = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            if !head {
                text.push_str(&body);
            }
            stream.write_all(text.as_bytes()).is_ok()
        }
        Reply::Early(body) => {
            let head = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
            false
        }
        Reply::Raw(text) => {
            let _ = stream.write_all(text.as_bytes());
            false
        }
        Reply::Reset => false,
        Reply::Silent => {
            while !shared.stop.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            false
        }
        Reply::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let _ = stream.write_all(b"9\r\n");
            for _ in 0..50 {
                // Slower than the client waits in all, quicker than it waits for a byte.
                thread::sleep(Duration::from_millis(100));
                if shared.stop.load(Ordering::SeqCst) || stream.write_all(b"x").is_err() {
                    break;
                }
            }
            false
        }
    }
}
