//! Servers that answer, and servers that misbehave.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use hardtack_http::{Client, Error, Limits, Method};

use crate::support::{LONG, SHORT, answers, get, hang, read_request, send, server};

#[test]
fn what_a_request_looks_like() {
    let (address, asked) = answers(|_| "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok".to_owned());
    let url = format!("http://me:pw@{address}/a b?c");
    let headers = [("X-Token", "t"), ("Content-Type", "text/x")];
    let response = send(&Client::default(), Method::Put, &url, &headers, b"body", LONG).unwrap();
    assert_eq!(
        (response.status, response.header("x-a"), response.body.as_slice()),
        (200, Some("b"), &b"ok"[..])
    );
    let wanted = format!(
        "PUT /a%20b?c HTTP/1.1\r\nHost: {address}\r\nUser-Agent: hardtack/{}\r\nAccept: */*\r\n\
         Accept-Encoding: identity\r\nAuthorization: Basic bWU6cHc=\r\nX-Token: t\r\nContent-Type: text/x\r\n\
         Content-Length: 4\r\nConnection: close\r\n\r\nbody",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(asked.recv().unwrap(), wanted);
    send(&Client::default(), Method::Put, &format!("http://{address}/"), &[("user-agent", "x")], b"", LONG)
        .unwrap();
    let empty = asked.recv().unwrap();
    assert!(empty.contains("\r\nuser-agent: x\r\n") && !empty.contains("hardtack/"), "{empty}");
    assert!(empty.contains("\r\nContent-Length: 0\r\n"), "{empty}");
    get(&format!("http://{address}/"), LONG).unwrap();
    assert!(!asked.recv().unwrap().contains("Content-Length"));
}

#[test]
fn headers_that_cannot_be_sent() {
    for (name, value) in
        [("X", "a\r\nY: b"), ("X", "a\0"), ("X Y", "a"), ("", "a"), ("@x", "a"), ("Connection", "a")]
    {
        let sent =
            send(&Client::default(), Method::Get, "http://127.0.0.1:1/?q", &[(name, value)], b"", LONG);
        let error = sent.unwrap_err();
        assert!(matches!(error, Error::Url { .. }), "{name:?}: {error}");
        assert!(!error.to_string().contains("Y: b") && !error.to_string().contains('\n'), "{error}");
    }
}

/// What a server does, and a part of what is said about it.
type Bad = (fn(TcpStream), &'static str);

#[test]
fn servers_that_break_off() {
    let cases: [Bad; 6] = [
        (|mut stream| drop(read_request(&mut stream)), "closed without an answer"),
        (|stream| stream.shutdown(Shutdown::Both).unwrap(), ""),
        // Closing with something unread resets the connection.
        (
            |mut stream| {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").unwrap();
                std::thread::sleep(Duration::from_millis(50));
            },
            "",
        ),
        (
            |mut stream| {
                read_request(&mut stream);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").unwrap();
            },
            "closed after 3 of 9 bytes",
        ),
        (
            |mut stream| {
                read_request(&mut stream);
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc").unwrap();
            },
            "closed within a chunk",
        ),
        (
            |mut stream| {
                read_request(&mut stream);
                stream.write_all(b"HTTP/1.1 200 OK\r\nServer: x").unwrap();
            },
            "closed within the header",
        ),
    ];
    for (number, (act, part)) in cases.into_iter().enumerate() {
        let address = server(act);
        let error = get(&format!("http://{address}/"), LONG).unwrap_err();
        assert!(matches!(error, Error::Connection { .. }), "{number}: {error}");
        assert!(error.to_string().contains(part), "{number}: {error}");
    }
}

#[test]
fn servers_that_take_their_time() {
    let cases: [Bad; 5] = [
        (hang, "within 1 s"),
        (
            |mut stream| {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").unwrap();
                hang(stream);
            },
            "within 1 s",
        ),
        // One byte now and then must not keep anybody waiting.
        (|stream| drip(stream, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "within 1 s"),
        (|stream| drip(stream, b"HTTP/1.1 200 OK\r\n\r\n", b"a"), "within 1 s"),
        (
            |stream| drip(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
            "within 1 s",
        ),
    ];
    for (number, (act, part)) in cases.into_iter().enumerate() {
        let address = server(act);
        let error = get(&format!("http://{address}/"), SHORT).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{number}: {error}");
        assert!(error.to_string().contains(part), "{number}: {error}");
    }
}

/// One byte after the other, without an end.
fn drip(mut stream: TcpStream, start: &[u8], again: &[u8]) {
    stream.set_nodelay(true).unwrap();
    for byte in start.iter().chain(again.iter().cycle()) {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn servers_without_an_end() {
    let cases: [Bad; 5] = [
        (|stream| pour(stream, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "more than 200 lines"),
        (|stream| pour(stream, b"HTTP/1.1 200 OK\r\nX: ", b"aaaaaaaaaaaaaaaa"), "more than 65536 bytes"),
        (
            |stream| pour(stream, b"HTTP/1.1 200 OK\r\n\r\n", b"aaaaaaaaaaaaaaaa"),
            "more than 1048576 bytes come",
        ),
        (
            |stream| {
                pour(
                    stream,
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    b"10\r\naaaaaaaaaaaaaaaa\r\n",
                )
            },
            "more than 1048576 bytes come",
        ),
        (|stream| pour(stream, b"", b"\x16\x03\x01"), "more than 65536 bytes"),
    ];
    for (number, (act, part)) in cases.into_iter().enumerate() {
        let address = server(act);
        let error = get(&format!("http://{address}/"), LONG).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{number}: {error}");
        assert!(error.to_string().contains(part), "{number}: {error}");
    }
}

/// The same again and again, as fast as it goes.
fn pour(mut stream: TcpStream, start: &[u8], again: &[u8]) {
    let much = again.repeat(4096 / again.len());
    let _ = stream.write_all(start);
    while stream.write_all(&much).is_ok() {}
}

#[test]
fn ten_megabytes() {
    let address = server(|mut stream| {
        read_request(&mut stream);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 10 << 20);
        let _ = stream.write_all(&vec![b'a'; 10 << 20]);
    });
    let url = format!("http://{address}/");
    let response = get(&url, Limits { body: 10 << 20, ..LONG }).unwrap();
    assert!(response.body.len() == 10 << 20 && response.body.iter().all(|byte| *byte == b'a'));
    let error = get(&url, LONG).unwrap_err().to_string();
    assert!(error.contains("10485760 bytes are announced; at most 1048576"), "{error}");
}

#[test]
fn connections_that_stay_open_are_not_waited_for() {
    for (answer, status, body) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n", 404, ""),
    ] {
        let address = server(move |mut stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            hang(stream);
        });
        let response = get(&format!("http://{address}/"), LONG).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (status, body.as_bytes()), "{answer:?}");
    }
}

#[test]
fn a_refusal_before_the_body_was_read_counts() {
    let address = server(|mut stream| {
        let mut line = [0; 4];
        let _ = std::io::Read::read_exact(&mut stream, &mut line);
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.shutdown(Shutdown::Write);
        hang(stream);
    });
    let url = format!("http://{address}/");
    let body = vec![b'a'; 8 << 20];
    assert_eq!(send(&Client::default(), Method::Post, &url, &[], &body, LONG).unwrap().status, 413);
}

#[test]
fn nobody_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(&format!("http://{free}/"), LONG).unwrap_err();
    assert_eq!(error.to_string(), format!("{free}: connection refused"));
    let error = get(&format!("http://localhost:{}/", free.port()), LONG).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("localhost:{}: 127.0.0.1: connection refused", free.port())),
        "{error}"
    );
    let error = get("http://[fe80::1%25no-such-if]/", LONG).unwrap_err().to_string();
    assert!(error.contains("no network interface no-such-if"), "{error}");
}

#[test]
fn over_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        request
    });
    get(&format!("http://[::1]:{port}/"), LONG).unwrap();
    assert!(thread.join().unwrap().contains(&format!("\r\nHost: [::1]:{port}\r\n")));
}
