//! Over HTTP, from a small server of the test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hardtack_repository::{Catalogue, Error, Network, Settings};

use crate::made::{Made, architectures, have};

/// Serves a directory. `/loop/…` redirects to itself, `/on/…` to the file, `/zero/…` never ends.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let root = root.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap().to_owned();
                let close = "Connection: close\r\n";
                let _ = if path.starts_with("/loop/") {
                    write!(
                        stream,
                        "HTTP/1.1 302 Found\r\nLocation: {path}\r\n{close}Content-Length: 0\r\n\r\n"
                    )
                } else if let Some(rest) = path.strip_prefix("/on/") {
                    write!(
                        stream,
                        "HTTP/1.1 301 Moved\r\nLocation: /{rest}\r\n{close}Content-Length: 0\r\n\r\n"
                    )
                } else if path.starts_with("/zero/") {
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\n{close}\r\n");
                    while stream.write_all(&[0; 65536]).is_ok() {}
                    Ok(())
                } else if path.starts_with("/login/") {
                    write!(stream, "HTTP/1.1 200 OK\r\n{close}Content-Length: 6\r\n\r\n<html>")
                } else if path.starts_with("/broken/") {
                    write!(stream, "HTTP/1.1 403 No\r\n{close}Content-Length: 0\r\n\r\n")
                } else {
                    match std::fs::read(root.join(path.trim_start_matches('/'))) {
                        Ok(content) => {
                            let _ = write!(
                                stream,
                                "HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n",
                                content.len()
                            );
                            stream.write_all(&content)
                        }
                        Err(_) => write!(stream, "HTTP/1.1 404 No\r\n{close}Content-Length: 0\r\n\r\n"),
                    }
                };
            });
        }
    });
    address
}

#[test]
fn hosts_are_asked_within_bounds_and_the_cache_serves_without_them() {
    if !have("hosts", &["gpg", "apt-ftparchive", "dpkg-deb", "xz", "zstd", "gzip"]) {
        return;
    }
    let made = Made::new();
    made.key("good", "ed25519", &[], "0");
    made.deb("a", "1.0", "");
    made.index("");
    made.sign(&["good"], &[]);
    let host = serve(made.path("r"));
    let mut settings = Settings::new(SystemTime::now());
    settings.cache = Some(made.path("cache"));
    settings.network = Some(Network { patience: Duration::from_secs(60), ..Network::default() });
    let open = |below: &str, settings: &Settings| {
        let mut source = made.source("good");
        source.uri = format!("{host}{below}");
        Catalogue::open(&[source], &architectures(), settings, None)
    };
    for below in ["", "/on"] {
        assert_eq!(open(below, &settings).unwrap().offers().len(), 1, "{below}");
    }
    let said = |below: &str| open(below, &settings).unwrap_err();
    let error = said("/loop");
    assert!(
        matches!(error, Error::Network { .. }) && error.to_string().contains("more than 5 times"),
        "{error}"
    );
    let error = said("/zero");
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let error = said("/login");
    assert!(matches!(error, Error::Untrusted { .. }) && error.to_string().contains("login"), "{error}");
    let error = said("/broken");
    assert!(error.to_string().contains("status 403"), "{error}");
    let error = said("/none");
    assert!(error.to_string().contains("suite's name"), "{error}");
    // What was fetched stays, for when nobody may be asked; without the cache nothing comes.
    settings.network = None;
    assert_eq!(open("", &settings).unwrap().offers().len(), 1);
    settings.cache = None;
    assert!(matches!(open("", &settings), Err(Error::Offline { .. })));
}
