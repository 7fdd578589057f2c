//! The service over its socket, as guests find it.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

mod agent;

use super::*;

fn random(bytes: &mut [u8]) {
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
}

fn identity(like: Like) -> Identity {
    Identity {
        like,
        imds_v2: like == Like::Ec2,
        instance: "i-0123456789abcdef0".to_owned(),
        reservation: "r-0123456789abcdef0".to_owned(),
        image: "ami-0123456789abcdef0".to_owned(),
        instance_type: "t3.small".to_owned(),
        architecture: "x86_64".to_owned(),
        address: "169.254.0.15".to_owned(),
        mac: "52:54:00:ab:cd:ef".to_owned(),
        private: Some(("0e:68:74:01:00:0a".to_owned(), "10.7.8.10".to_owned(), 24)),
        public_address: Some("127.0.0.1:2222".to_owned()),
        key: Some(("my key".to_owned(), "ssh-ed25519 AAAA me".to_owned())),
        devices: vec![
            ("ami".to_owned(), "/dev/vda".to_owned()),
            ("root".to_owned(), "/dev/vda".to_owned()),
            ("ephemeral0".to_owned(), "/dev/vdb".to_owned()),
        ],
        user_data: Some(vec![0x1f, 0x8b, 0, 0xff, 0x0a]),
        tags: vec![("Name".to_owned(), "one".to_owned()), ("a/b".to_owned(), "two".to_owned())],
        launched: 1_767_323_045,
        ..Identity::default()
    }
}

/// Serves `identity` while `then` asks.
fn served(identity: &Identity, then: impl FnOnce(&dyn Fn(&[u8]) -> Vec<u8>)) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata");
    let listener = UnixListener::bind(&path).unwrap();
    let log = Mutex::new(Vec::new());
    let asked = |method: &str, path: &str| log.lock().unwrap().push(format!("{method} {path}"));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(identity, &listener, random, SystemTime::now, &asked));
        then(&|request| {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // It may have answered, and closed, before all of it is read.
            let _ = stream.write_all(request);
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        });
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        server.join().unwrap().unwrap();
    });
    log.into_inner().unwrap()
}

fn status(answer: &[u8]) -> u16 {
    String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).parse().unwrap_or(0)
}

fn body(answer: &[u8]) -> Vec<u8> {
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer[at + 4..].to_vec()
}

fn text(answer: &[u8]) -> String {
    assert_eq!(status(answer), 200, "{}", answer.escape_ascii());
    String::from_utf8(body(answer)).unwrap()
}

#[test]
fn ec2_with_tokens() {
    let asked = served(&identity(Like::Ec2), |ask| {
        assert_eq!(status(&ask(b"GET /latest/meta-data/instance-id HTTP/1.1\r\n\r\n")), 401);
        assert_eq!(status(&ask(b"GET / HTTP/1.1\r\n\r\n")), 401);
        assert_eq!(status(&ask(b"GET /latest/api/token HTTP/1.1\r\n\r\n")), 405);
        let token =
            |headers: &str| ask(format!("PUT /latest/api/token HTTP/1.1\r\n{headers}\r\n").as_bytes());
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
        assert_eq!(status(&token("")), 400);
        assert_eq!(status(&token(&ttl.replace("21600", "21601"))), 400);
        assert_eq!(status(&token(&format!("{ttl}X-Forwarded-For: 10.0.0.1\r\n"))), 403);
        let token = text(&token(ttl));
        assert_eq!(token.len(), 56);
        let with = |line: &str| {
            ask(format!("{line} HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n\r\n").as_bytes())
        };
        let get = |path: &str| text(&with(&format!("GET {path}")));
        let versions = get("/");
        assert!(versions.starts_with("1.0\n2007-01-19\n") && versions.ends_with("\nlatest"), "{versions}");
        assert_eq!(get("/latest/"), "dynamic\nmeta-data\nuser-data");
        assert_eq!(get("/latest/meta-data/public-keys/"), "0=my key");
        assert_eq!(get("/latest/meta-data/public-keys/0/"), "openssh-key");
        assert_eq!(get("/2021-03-23/meta-data/tags/instance/"), "Name");
        assert_eq!(get("/latest/meta-data/local-ipv4"), "10.7.8.10");
        assert_eq!(get("/latest/meta-data/hostname"), "ip-10-7-8-10.local-1.compute.internal");
        assert_eq!(get("/latest/meta-data/public-ipv4"), "127.0.0.1");
        let card = "/latest/meta-data/network/interfaces/macs/0e:68:74:01:00:0a";
        assert_eq!(get(&format!("{card}/subnet-ipv4-cidr-block")), "10.7.8.0/24");
        assert_eq!(status(&with(&format!("GET {card}/device-number"))), 404);
        let document = get("/latest/dynamic/instance-identity/document");
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["pendingTime"], "2026-01-02T03:04:05Z");
        assert_eq!(document["availabilityZone"], ZONE);
        let user_data = with("GET /latest/user-data");
        assert_eq!(body(&user_data), [0x1f, 0x8b, 0, 0xff, 0x0a]);
        assert!(user_data.windows(24).any(|part| part == b"application/octet-stream"));
        for wrong in
            ["GET /2021-03-24/meta-data/", "GET /latest/meta-data/iam", "GET /latest/meta-data/ami", "GET /x"]
        {
            assert_eq!(status(&with(wrong)), 404, "{wrong}");
        }
        assert_eq!(status(&with("POST /latest/meta-data/")), 405);
        let head = with("HEAD /latest/meta-data/ami-id");
        assert_eq!((status(&head), body(&head).len()), (200, 0));
    });
    assert_eq!(asked.first().map(String::as_str), Some("GET /latest/meta-data/instance-id"));
}

#[test]
fn ec2_where_tokens_are_not_required() {
    let identity = Identity { imds_v2: false, user_data: None, key: None, ..identity(Like::Ec2) };
    served(&identity, |ask| {
        let get = |path: &str, more: &str| ask(format!("GET {path} HTTP/1.0\r\n{more}\r\n").as_bytes());
        assert_eq!(text(&get("/latest/meta-data/instance-id", "")), identity.instance);
        assert_eq!(status(&get("/latest/meta-data/instance-id", "X-aws-ec2-metadata-token: wrong\r\n")), 401);
        assert_eq!(status(&get("/latest/user-data", "")), 404);
        assert_eq!(text(&get("/latest", "")), "dynamic\nmeta-data");
        assert_eq!(status(&get("/latest/meta-data/public-keys/", "")), 404);
    });
}

#[test]
fn eucalyptus() {
    served(&identity(Like::Eucalyptus), |ask| {
        let get = |path: &str| text(&ask(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()));
        let put = b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
        assert_eq!(status(&ask(put)), 404);
        assert_eq!(get("/1999-12-31/meta-data/ami-id"), "emi-0123456789abcdef0");
        assert_eq!(get("/latest/meta-data/mac"), "52:54:00:AB:CD:EF");
        assert_eq!(
            get("//latest//meta-data//network/interfaces/macs/"),
            "0E:68:74:01:00:0A/\n52:54:00:AB:CD:EF/"
        );
        assert_eq!(get("/1.0/meta-data/block-device-mapping/"), "ami\nemi\nephemeral0\nroot");
        assert_eq!(get("/1.0/meta-data/block-device-mapping/emi"), "vda");
        assert_eq!(get("/1.0/meta-data/block-device-mapping/root"), "/dev/vda");
        assert_eq!(get("/latest/meta-data/hostname"), "euca-10-7-8-10.eucalyptus.internal");
        assert_eq!(get("/latest/meta-data/public-keys"), "0=my key");
        for wrong in
            ["/1999-12-31", "/199-12-31/meta-data/", "/latest/meta-data/profile", "/latest/meta-data/tags/"]
        {
            let answer = ask(format!("GET {wrong} HTTP/1.1\r\n\r\n").as_bytes());
            assert_eq!(status(&answer), 404, "{wrong}");
        }
        let answer = ask(b"GET /latest/user-data HTTP/1.1\r\n\r\n");
        assert_eq!(body(&answer), [0x1f, 0x8b, 0, 0xff, 0x0a]);
        assert!(answer.windows(17).any(|part| part == b"Connection: close"));
    });
}

#[test]
fn hostile_requests_are_answered_or_dropped() {
    let pattern =
        b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nHost: a\r\n\r\n";
    served(&identity(Like::Ec2), |ask| {
        let mut state = 0x9e37_79b9_u32;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize % below
        };
        for _ in 0..500 {
            let mut request = pattern.to_vec();
            for _ in 0..=next(4) {
                let at = next(request.len());
                match next(4) {
                    0 => request[at] = next(256) as u8,
                    1 => request.insert(at, next(256) as u8),
                    2 => request.truncate(at + 1),
                    _ => drop(request.remove(at)),
                }
                if request.is_empty() {
                    request.push(b'G');
                }
            }
            let answer = ask(&request);
            assert!([200, 400, 401, 403, 404, 405].contains(&status(&answer)), "{}", request.escape_ascii());
        }
        let mut long = b"GET /latest/".to_vec();
        long.resize(100_000, b'a');
        assert!([0, 400].contains(&status(&ask(&long))));
        assert_eq!(status(&ask(b"GET /latest/meta-data/../../etc/passwd HTTP/1.1\r\n\r\n")), 401);
        // A body that nobody wants.
        let mut request = pattern.to_vec();
        request.resize(300_000, b'x');
        assert_eq!(text(&ask(&request)).len(), 56);
        assert!(ask(b"").is_empty());
    });
}

#[test]
fn a_flood_is_closed_and_does_not_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata");
    let listener = UnixListener::bind(&path).unwrap();
    let identity = identity(Like::Eucalyptus);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(&identity, &listener, random, SystemTime::now, &|_, _| {}));
        let connect = || {
            let stream = UnixStream::connect(&path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            stream
        };
        // Those that say nothing have all places.
        let silent: Vec<_> = (0..server::MOST).map(|_| connect()).collect();
        for _ in 0..300 {
            assert_eq!(connect().read(&mut [0; 1]).unwrap(), 0);
        }
        drop(silent);
        // They are free again, a moment later.
        let answered = (0..6000).any(|_| {
            let mut stream = connect();
            let mut answer = Vec::new();
            let asked = stream.write_all(b"GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n");
            let _ = asked.and_then(|()| stream.read_to_end(&mut answer));
            std::thread::sleep(Duration::from_millis(if answer.is_empty() { 10 } else { 0 }));
            !answer.is_empty()
        });
        assert!(answered);
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        server.join().unwrap().unwrap();
    });
}

#[test]
fn what_is_shown_of_an_identity_has_no_secrets() {
    let identity = Identity { user_data: Some(b"SECRET".to_vec()), ..identity(Like::Ec2) };
    assert!(!format!("{identity:?}").contains("SECRET"));
}

#[test]
fn times_and_networks() {
    assert_eq!(time(0), "1970-01-01T00:00:00Z");
    assert_eq!(time(951_782_399), "2000-02-28T23:59:59Z");
    assert_eq!(time(951_868_799), "2000-02-29T23:59:59Z");
    assert_eq!(time(u64::MAX), "9999-12-31T23:59:59Z");
    assert_eq!(network_of("10.1.2.3", 24).as_deref(), Some("10.1.2.0/24"));
    assert_eq!(network_of("10.1.2.3", 0).as_deref(), Some("0.0.0.0/0"));
    assert_eq!(network_of("10.1.2.3", 33), None);
    assert_eq!(network_of("x", 24), None);
}
