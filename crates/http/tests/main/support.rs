//! Servers that do as a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use hardtack_http::{Client, Error, Limits, Method, Request, Response, Transport};

/// A server whose every connection is `act`'s, in a thread of its own.
pub(crate) fn server(act: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let act = act.clone();
            std::thread::spawn(move || act(stream.unwrap()));
        }
    });
    address
}

/// A server that reads requests and gives what `answer` makes of each.
pub(crate) fn answers(
    answer: impl Fn(&str) -> String + Send + Sync + Clone + 'static,
) -> (SocketAddr, Receiver<String>) {
    let (tell, asked) = channel();
    let address = server(move |mut stream| {
        let request = read_request(&mut stream);
        let _ = tell.send(request.clone());
        let _ = stream.write_all(answer(&request).as_bytes());
    });
    (address, asked)
}

/// A whole request, its body by `Content-Length`.
pub(crate) fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend(&buffer[..count]),
            _ => return text,
        }
    }
}

/// Waits until the client has gone.
pub(crate) fn hang(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

/// Short, for what never comes.
pub(crate) const SHORT: Limits = Limits {
    connect: Duration::from_millis(300),
    total: Duration::from_millis(600),
    body: 1 << 20,
    redirects: 5,
};

/// Long, for what comes.
pub(crate) const LONG: Limits =
    Limits { connect: Duration::from_secs(20), total: Duration::from_secs(60), body: 1 << 20, redirects: 5 };

pub(crate) fn get(url: &str, limits: Limits) -> Result<Response, Error> {
    send(&Client::default(), Method::Get, url, &[], b"", limits)
}

pub(crate) fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    limits: Limits,
) -> Result<Response, Error> {
    client.send(&Request { method, url, headers, body, limits })
}
