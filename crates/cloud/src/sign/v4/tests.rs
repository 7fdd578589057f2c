//! The public vectors (`tests/data/aws-signing-test-suite.json`) through our function, and S3's examples.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use zeroize::Zeroizing;

use super::*;
use crate::url::encode;

fn credentials(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials {
        id: id.to_owned(),
        secret: Zeroizing::new(secret.to_owned()),
        token: token.map(|token| Zeroizing::new(token.to_owned())),
        expires: None,
        origin: String::new(),
    }
}

/// 2015-08-30T12:36:00Z, the time of all vectors.
fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

struct Parsed {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
}

fn parse(text: &str) -> Parsed {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (first, rest) = head.split_once('\n').unwrap_or((head, ""));
    let (method, target) = first.trim_end_matches(" HTTP/1.1").split_once(' ').unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in rest.lines() {
        match line.split_once(':').filter(|_| !line.starts_with(' ')) {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            // A value in several lines cannot be sent any more; it counts as one line.
            None => headers.last_mut().unwrap().1.push_str(&format!(" {}", line.trim())),
        }
    }
    Parsed {
        method: method.to_owned(),
        path: path.split('/').map(|part| encode(&decode(part))).collect::<Vec<_>>().join("/"),
        query: query.map(|query| {
            let pairs = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, value)) => format!("{}={}", encode(&decode(name)), encode(&decode(value))),
                None => encode(pair),
            });
            pairs.collect::<Vec<_>>().join("&")
        }),
        headers,
        body: body.to_owned(),
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[test]
fn the_public_vectors() {
    let suite: Value =
        serde_json::from_str(include_str!("../../../tests/data/aws-signing-test-suite.json")).unwrap();
    let mut passed = 0;
    for case in suite["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let context = &case["context"];
        if context["omit_session_token"] == true {
            // The token is added after signing: our requests always sign it.
            continue;
        }
        let keys = &context["credentials"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let credentials = credentials(
            &text(&keys["access_key_id"]),
            &text(&keys["secret_access_key"]),
            keys["token"].as_str(),
        );
        let request = parse(&text(&case["request"]));
        let expected = parse(&text(&case["signed"]));
        let host = header(&request.headers, "host").unwrap();
        let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("https://{host}{}{query}", request.path);
        let manner = Manner {
            // The vectors' paths are not encoded yet: ours are.
            encoded_again: false,
            normalized: context["normalize"] == true,
            digest: context["sign_body"] == true,
        };
        let (region, service) = (text(&context["region"]), text(&context["service"]));
        let scope = Scope { region: &region, service: &service, time: time() };
        let payload = Payload::of(request.body.as_bytes());
        let added = sign(&request.method, &url, &request.headers, &payload, &credentials, scope, manner)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for wanted in ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
            assert_eq!(header(&added, wanted), header(&expected.headers, wanted), "{name}: {wanted}");
        }
        passed += 1;
    }
    assert_eq!(passed, 37);
}

/// "Signature calculations for the Authorization header" (Amazon S3 API reference), example "GET object".
#[test]
fn the_example_of_s3_with_a_range() {
    let credentials = credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
    // 2013-05-24T00:00:00Z
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
    let headers = [("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let payload = Payload::of(b"");
    let scope = Scope { region: "us-east-1", service: "s3", time };
    let url = "https://examplebucket.s3.amazonaws.com/test.txt";
    let added =
        sign("GET", url, &headers, &payload, &credentials, scope, Manner::of("s3", &payload)).unwrap();
    assert!(
        header(&added, "authorization")
            .unwrap()
            .ends_with("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    );
}

/// The same page, "PUT object": a path with a character that is encoded, which S3 does not encode again.
#[test]
fn the_example_of_s3_with_an_encoded_key() {
    let credentials = credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let payload = Payload::of(b"Welcome to Amazon S3.");
    let scope = Scope { region: "us-east-1", service: "s3", time };
    let url = "https://examplebucket.s3.amazonaws.com/test%24file.text";
    let added =
        sign("PUT", url, &headers, &payload, &credentials, scope, Manner::of("s3", &payload)).unwrap();
    assert!(
        header(&added, "authorization")
            .unwrap()
            .ends_with("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    );
}

#[test]
fn a_body_that_is_not_signed_is_said_to_be() {
    let credentials = credentials("AKIDEXAMPLE", "secret", Some("token"));
    let headers = [("host".to_owned(), "ebs.example".to_owned())];
    let scope = Scope { region: "us-east-1", service: "ebs", time: time() };
    let manner = Manner::of("ebs", &Payload::Unsigned);
    let url = "https://ebs.example/snapshots/snap-1/blocks/2";
    let added = sign("PUT", url, &headers, &Payload::Unsigned, &credentials, scope, manner).unwrap();
    assert_eq!(header(&added, "x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
    assert_eq!(header(&added, "x-amz-security-token"), Some("token"));
    assert!(
        header(&added, "authorization")
            .unwrap()
            .contains("host;x-amz-content-sha256;x-amz-date;x-amz-security-token")
    );
}

#[test]
fn what_cannot_be_signed_is_an_error_without_its_text() {
    let credentials = credentials("AKIDEXAMPLE", "secret", None);
    let scope = Scope { region: "us-east-1", service: "s3", time: time() };
    let payload = Payload::of(b"");
    let manner = Manner::of("s3", &payload);
    let headers = [("x-amz-meta-a".to_owned(), "hidden\nvalue\u{0}".to_owned())];
    let error = sign("GET", "https://a b/", &headers, &payload, &credentials, scope, manner).unwrap_err();
    assert!(!error.contains("hidden"), "{error}");
}
