//! Redirections: where they lead, with which method, and what does not go along.

use hardtack_http::{Client, Error, Limits, Method};

use crate::support::{LONG, answers, get, send};

fn to(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\ngone")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn methods() {
    for (status, method, word, body) in [
        (301, Method::Get, "GET", ""),
        (302, Method::Post, "GET", ""),
        (301, Method::Post, "GET", ""),
        (301, Method::Put, "PUT", "x"),
        (303, Method::Put, "GET", ""),
        (303, Method::Post, "GET", ""),
        (307, Method::Post, "POST", "x"),
        (308, Method::Put, "PUT", "x"),
    ] {
        let (address, asked) = answers(move |request| match request.split(' ').nth(1) {
            Some("/a/b") => to(status, "../c"),
            _ => OK.to_owned(),
        });
        let url = format!("http://{address}/a/b");
        let sent: &[u8] = if method == Method::Get { b"" } else { b"x" };
        let headers = [("X-Token", "t"), ("Content-Type", "text/x")];
        let response = send(&Client::default(), method, &url, &headers, sent, LONG).unwrap();
        assert_eq!(response.body, b"ok");
        asked.recv().unwrap();
        let second = asked.recv().unwrap();
        assert!(second.starts_with(&format!("{word} /c HTTP/1.1\r\n")), "{status}: {second}");
        assert!(second.ends_with(&format!("\r\n\r\n{body}")), "{status}: {second}");
        // The same server, the same headers.
        assert!(second.contains("\r\nX-Token: t\r\n"), "{status}: {second}");
        assert_eq!(second.contains("Content-Type"), word != "GET" || method == Method::Get, "{status}");
    }
}

#[test]
fn secrets_stay_at_home() {
    let (other, asked) = answers(|_| OK.to_owned());
    // Another port is another server.
    let (first, _first) = answers(move |_| to(307, &format!("http://{other}/x")));
    let url = format!("http://user:pw@{first}/");
    let headers =
        [("X-aws-ec2-metadata-token", "t"), ("Authorization", "Bearer t"), ("Content-Type", "text/x")];
    send(&Client::default(), Method::Post, &url, &headers, b"x", LONG).unwrap();
    let seen = asked.recv().unwrap();
    assert!(!seen.contains("token") && !seen.contains("Authorization"), "{seen}");
    assert!(seen.contains("Content-Type: text/x"), "{seen}");
    // Not even on the way back.
    let (home, back) = answers(move |request| match request.split(' ').nth(1) {
        Some("/") => to(302, &format!("http://localhost:{}/out", request_port(request))),
        Some("/out") => to(302, &format!("http://127.0.0.1:{}/in", request_port(request))),
        _ => OK.to_owned(),
    });
    let headers = [("X-Token", "t")];
    send(&Client::default(), Method::Get, &format!("http://{home}/"), &headers, b"", LONG).unwrap();
    let with: Vec<bool> = (0..3).map(|_| back.recv().unwrap().contains("X-Token")).collect();
    assert_eq!(with, [true, false, false]);
}

fn request_port(request: &str) -> String {
    let host = request.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap();
    host.rsplit(':').next().unwrap().to_owned()
}

#[test]
fn loops_end() {
    let (address, asked) = answers(|_| to(302, "/"));
    let url = format!("http://{address}/");
    let error = get(&url, Limits { redirects: 3, ..LONG }).unwrap_err();
    assert_eq!(error.to_string(), format!("{address}: it redirects more than 3 times"));
    assert_eq!(asked.try_iter().count(), 4);
    let response = get(&url, Limits { redirects: 0, ..LONG }).unwrap();
    assert_eq!((response.status, response.body.as_slice()), (302, &b"gone"[..]));
}

#[test]
fn to_nowhere() {
    for (location, part) in [
        ("file:///etc/shadow", "\"file\" is not known"),
        ("http://a b/", "cannot stand in a host"),
        ("//u:s3cret@/x", "no host"),
    ] {
        let (address, _asked) = answers(move |_| to(301, location));
        let error = get(&format!("http://{address}/"), LONG).unwrap_err();
        assert!(matches!(error, Error::Url { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(part) && text.contains(&format!("({address} redirects there)")), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    // What names no place is an answer like any other.
    let (address, _asked) = answers(|_| "HTTP/1.1 300 Choices\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert_eq!(get(&format!("http://{address}/"), LONG).unwrap().status, 300);
    let (address, _asked) = answers(|_| to(302, ""));
    assert_eq!(get(&format!("http://{address}/"), LONG).unwrap().status, 302);
    let (address, _asked) = answers(|_| "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert_eq!(get(&format!("http://{address}/"), LONG).unwrap().status, 302);
}
