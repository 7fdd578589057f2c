//! Calls against a server that answers by a script.

mod server;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use zeroize::Zeroizing;

use self::server::{Reply, Server};
use super::*;
use crate::credentials::Credentials;
use crate::{Kind, Scheme};

const SECRET: &str = "SECRETSECRETSECRET";

static SLEPT: AtomicU64 = AtomicU64::new(0);
static TRACED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn environment() -> Environment {
    Environment {
        variables: std::collections::BTreeMap::new(),
        home: None,
        now: || SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160),
        sleep: |_| {
            SLEPT.fetch_add(1, Ordering::SeqCst);
        },
        random: |bytes| bytes.fill(255),
        trace: None,
    }
}

fn client_with(server: &Server, path: &str, scheme: Scheme, environment: Environment) -> Client {
    let mut place = Place::new(Kind::Euca, "us-east-1");
    place.scheme = scheme;
    for service in Service::ALL {
        place.given.insert(service, format!("{}{path}", server.address()));
    }
    let credentials = Credentials {
        id: "AKIDEXAMPLE".to_owned(),
        secret: Zeroizing::new(SECRET.to_owned()),
        token: Some(Zeroizing::new("TOKENTOKEN".to_owned())),
        expires: None,
        origin: "a test".to_owned(),
    };
    let patience = Patience {
        connect: Duration::from_secs(20),
        attempt: Duration::from_secs(20),
        tries: 3,
        pause: Duration::from_millis(1),
    };
    Client::new(place, Provider::fixed(credentials), Arc::new(environment), patience)
}

fn client(server: &Server) -> Client {
    client_with(server, "", Scheme::V4, environment())
}

/// One that does not wait for long.
fn hasty(server: &Server) -> Client {
    let Inner { place, provider, environment, patience, .. } = &*client(server).inner;
    let patience = Patience { attempt: Duration::from_millis(200), ..*patience };
    Client::new(place.clone(), provider.clone(), environment.clone(), patience)
}

fn get(path: &str) -> Request<'static> {
    Request {
        method: "GET",
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Signed(b""),
    }
}

fn described() -> Reply {
    Reply::ok("<DescribeImagesResponse xmlns='x'><imagesSet/></DescribeImagesResponse>")
}

#[test]
fn a_call_is_signed_with_host_and_token_and_answered() {
    let server = Server::new(vec![Reply::ok("hello").header("X-Amz-Meta-A", "b")]);
    let mut request = get("/bucket/key%20x");
    request.query = vec![("acl".to_owned(), String::new())];
    let answer = client_with(&server, "/services/objectstorage", Scheme::V4, environment())
        .send(Service::S3, "GetObject", &request, 100)
        .unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
    assert_eq!(answer.header("x-amz-meta-a"), Some("b"));
    let seen = server.seen();
    assert_eq!(seen[0].first, "GET /services/objectstorage/bucket/key%20x?acl HTTP/1.1");
    assert_eq!(seen[0].header("host"), Some(server.address().trim_start_matches("http://")));
    let authorization = seen[0].header("authorization").unwrap();
    assert!(authorization.contains("Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request"));
    assert!(
        authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token")
    );
    assert_eq!(seen[0].header("x-amz-security-token"), Some("TOKENTOKEN"));
}

#[test]
fn a_query_is_a_form_with_action_and_version() {
    let server = Server::new(vec![described()]);
    let mut query = Query::default();
    query.set("Filter.1.Name", "a b&c").list("Owner", ["self"]);
    let root = client(&server).query(Service::Ec2, "DescribeImages", &query).unwrap();
    assert!(root.child("imagesSet").is_some());
    let seen = server.seen();
    assert_eq!(seen[0].first, "POST / HTTP/1.1");
    assert_eq!(
        String::from_utf8_lossy(&seen[0].body),
        "Action=DescribeImages&Version=2016-11-15&Filter.1.Name=a%20b%26c&Owner.1=self"
    );
}

#[test]
fn a_query_of_version_2_carries_its_signature_in_the_form() {
    let server = Server::new(vec![described()]);
    let client = client_with(&server, "/services/compute", Scheme::V2, environment());
    client.query(Service::Ec2, "DescribeImages", &Query::default()).unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].first, "POST /services/compute HTTP/1.1");
    assert_eq!(seen[0].header("authorization"), None);
    let body = String::from_utf8_lossy(&seen[0].body).into_owned();
    assert!(body.contains("SignatureVersion=2") && body.contains("&Signature="), "{body}");
}

#[test]
fn a_call_without_credentials_has_none() {
    let reply = "<AssumeRoleWithWebIdentityResponse/>";
    let server = Server::new(vec![Reply::ok(reply)]);
    client(&server).query_unsigned(Service::Sts, "AssumeRoleWithWebIdentity", &Query::default()).unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(seen[0].header("x-amz-security-token"), None);
    assert!(String::from_utf8_lossy(&seen[0].body).contains("Version=2011-06-15"));
}

#[test]
fn json_names_its_target() {
    let server = Server::new(vec![Reply::ok("{\"Parameter\":{\"Value\":\"v\"}}")]);
    let input = serde_json::json!({"Name": "/a"});
    let answer = client(&server).json(Service::Ssm, "GetParameter", &input).unwrap();
    assert_eq!(answer["Parameter"]["Value"], "v");
    assert_eq!(server.seen()[0].header("x-amz-target"), Some("AmazonSSM.GetParameter"));
    assert_eq!(server.seen()[0].body, b"{\"Name\":\"/a\"}");
}

#[test]
fn what_passes_is_tried_again_up_to_the_bound() {
    let server = Server::new(vec![Reply::new(500, ""), Reply::Reset, Reply::ok("x")]);
    let answer = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 10).unwrap();
    assert_eq!(answer.body, b"x");
    assert_eq!(server.seen().len(), 3);

    let server = Server::new(vec![Reply::new(503, "<Error><Code>SlowDown</Code></Error>"); 9]);
    let error = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 10).unwrap_err();
    assert!(error.is("SlowDown"), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn a_refusal_says_whether_an_earlier_try_may_have_been_carried_out() {
    let no = || {
        Reply::new(400, "<Response><Errors><Error><Code>InvalidParameter</Code></Error></Errors></Response>")
    };
    let busy = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
    for (before, refused) in [
        (vec![], true),
        (vec![Reply::new(503, busy)], true),
        (vec![Reply::Reset], false),
        (vec![Reply::new(500, ""), Reply::new(503, busy)], false),
    ] {
        let server = Server::new(before.into_iter().chain([no()]).collect());
        let error = client(&server).query(Service::Ec2, "CopyImage", &Query::default()).unwrap_err();
        assert!(error.is("InvalidParameter"), "{error}");
        assert_eq!(error.is_refusal(), refused, "{error:?}");
    }
    let server = Server::new(vec![Reply::new(503, busy); 9]);
    let error = client(&server).query(Service::Ec2, "CopyImage", &Query::default()).unwrap_err();
    assert!(!error.is_refusal(), "{error:?}");
}

#[test]
fn what_stays_is_an_error_at_once() {
    for (status, body, code) in [
        (403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>", "AccessDenied"),
        (402, "{\"__type\":\"ServiceQuotaExceededException\"}", "ServiceQuotaExceededException"),
        (
            400,
            "<Response><Errors><Error><Code>InvalidAMIName.Duplicate</Code></Error></Errors></Response>",
            "InvalidAMIName.Duplicate",
        ),
        (501, "<Error><Code>NotImplemented</Code></Error>", "NotImplemented"),
    ] {
        let server = Server::new(vec![Reply::new(status, body); 3]);
        let error = client(&server).send(Service::S3, "PutObject", &get("/b/k"), 10).unwrap_err();
        assert_eq!((error.status(), error.code()), (Some(status), Some(code)), "{error}");
        assert_eq!(server.seen().len(), 1, "{code}");
    }
}

#[test]
fn a_large_body_is_not_sent_to_who_refuses_its_headers() {
    let body = vec![7; 10 << 20];
    let mut request = get("/b/k");
    (request.method, request.body) = ("PUT", Body::Signed(&body));
    let refusal = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let server = Server::new(vec![Reply::Early(refusal.to_owned()); 3]);
    let error = client(&server).send(Service::S3, "PutObject", &request, 10).unwrap_err();
    assert!(error.is("AccessDenied"), "{error}");
    assert_eq!(server.seen().len(), 1);

    let server = Server::new(vec![Reply::ok("")]);
    client(&server).send(Service::S3, "PutObject", &request, 10).unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].body.len(), seen[0].header("transfer-encoding")), (10 << 20, None));
    let signed = seen[0].header("authorization").unwrap();
    assert!(!signed.contains("expect"), "{signed}");
}

#[test]
fn a_proxy_is_asked_and_named_without_its_password() {
    let through = |proxy: &Server| {
        let target = Server::new(Vec::new());
        let mut with = environment();
        let address = proxy.address().replace("http://", "http://user:hidden@");
        with.variables.insert("HTTP_PROXY".to_owned(), address);
        let client = client_with(&target, "", Scheme::V4, with);
        let error = client.query_once(Service::Ec2, "RegisterImage", &Query::default()).unwrap_err();
        assert!(target.seen().is_empty());
        error.to_string()
    };
    let proxy = Server::new(vec![Reply::new(407, "no"); 3]);
    let error = through(&proxy);
    assert!(error.contains("status 407") && error.contains("through the proxy 127.0.0.1:"), "{error}");
    assert!(!error.contains("hidden"), "{error}");
    assert_eq!(proxy.seen().len(), 1);
    assert!(proxy.seen()[0].first.starts_with("CONNECT 127.0.0.1:"));

    // Nothing has arrived: even what is sent once is sent again.
    let proxy = Server::new(vec![Reply::new(503, "no"); 3]);
    through(&proxy);
    assert_eq!(proxy.seen().len(), 3);
}

#[test]
fn what_must_not_be_done_twice_is_not_sent_again_once_it_may_have_arrived() {
    for reply in [Reply::Reset, Reply::new(500, ""), Reply::Silent] {
        let server = Server::new(vec![reply]);
        hasty(&server).query_once(Service::Ec2, "RegisterImage", &Query::default()).unwrap_err();
        assert_eq!(server.seen().len(), 1);
    }
    let throttled = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
    let unavailable = "<Response><Errors><Error><Code>Unavailable</Code></Error></Errors></Response>";
    let server = Server::new(vec![
        Reply::new(503, throttled),
        Reply::new(503, unavailable),
        Reply::ok("<RegisterImageResponse/>"),
    ]);
    client(&server).query_once(Service::Ec2, "RegisterImage", &Query::default()).unwrap();
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn answers_are_bounded_in_size_and_time() {
    let server = Server::new(vec![Reply::ok(&"x".repeat(1_000))]);
    let error = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 999).unwrap_err();
    assert!(error.to_string().contains("longer than 999 bytes"), "{error}");
    assert_eq!(server.seen().len(), 1);

    // Without a length, in chunks.
    let server = Server::new(vec![Reply::Raw(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
            .to_owned(),
    )]);
    let error = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 9).unwrap_err();
    assert!(error.to_string().contains("longer than 9 bytes"), "{error}");

    for endless in [Reply::Silent, Reply::Drip] {
        let server = Server::new(vec![endless; 3]);
        let error = hasty(&server).send(Service::S3, "GetObject", &get("/b/k"), 9).unwrap_err();
        assert!(error.to_string().contains("no whole answer in time"), "{error}");
        assert_eq!(server.seen().len(), 3);
    }
}

#[test]
fn answers_that_are_no_http_or_end_early_are_transport_errors() {
    for raw in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "220 smtp.example ESMTP\r\n\r\n",
        "",
    ] {
        let server = Server::new(vec![Reply::Raw(raw.to_owned()); 3]);
        let error = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 1_000).unwrap_err();
        assert!(matches!(error, Error::Transport { .. }), "{raw:?}: {error}");
        assert_eq!(server.seen().len(), 3, "{raw:?}");
    }
}

#[test]
fn a_bucket_of_another_region_is_named_and_not_followed() {
    let elsewhere = Server::new(vec![Reply::ok("never")]);
    let server = Server::new(vec![
        Reply::new(301, "<Error><Code>PermanentRedirect</Code><Message>use it</Message></Error>")
            .header("x-amz-bucket-region", "eu-west-1")
            .header("location", elsewhere.address()),
    ]);
    let error = client(&server).send(Service::S3, "PutObject", &get("/b/k"), 10).unwrap_err();
    assert!(error.is("PermanentRedirect"));
    let text = error.to_string();
    assert!(
        text.contains("the bucket is in the region eu-west-1, not in us-east-1; give --region eu-west-1"),
        "{text}"
    );
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn pages_of_proxies_are_no_answers() {
    let page =
        Reply::new(403, "<html><body><p>blocked</p></body></html>").header("content-type", "text/html");
    for (reply, tries) in [(page, 1), (Reply::new(407, ""), 1), (Reply::new(502, ""), 3)] {
        let server = Server::new(vec![reply; 3]);
        let error = client(&server).query(Service::Ec2, "DescribeImages", &Query::default()).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
        assert!(error.to_string().contains("does a proxy stand between?"), "{error}");
        assert_eq!(server.seen().len(), tries);
    }
    let server = Server::new(vec![Reply::ok("<html><body>log in first</body></html>")]);
    let error = client(&server).query(Service::Ec2, "DescribeImages", &Query::default()).unwrap_err();
    assert!(error.to_string().contains("<html> in the place of <DescribeImagesResponse>"), "{error}");
}

#[test]
fn credentials_that_have_ended_are_fetched_anew_once() {
    let ended = "<Error><Code>ExpiredToken</Code><Message>ended</Message></Error>";
    let server = Server::new(vec![Reply::new(400, ended), Reply::ok("x")]);
    client(&server).send(Service::S3, "GetObject", &get("/b/k"), 10).unwrap();
    assert_eq!(server.seen().len(), 2);

    let server = Server::new(vec![Reply::new(400, ended); 5]);
    let error = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 10).unwrap_err();
    assert!(error.is("ExpiredToken"));
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_clock_that_is_off_is_named() {
    let reply = Reply::new(403, "<Error><Code>RequestTimeTooSkewed</Code><Message>too far</Message></Error>")
        .header("date", "Sun, 30 Aug 2015 13:36:00 GMT");
    let server = Server::new(vec![reply]);
    let error = client(&server).send(Service::S3, "GetObject", &get("/b/k"), 10).unwrap_err();
    assert!(
        error.to_string().contains("this machine's clock is 60 minutes behind the service's: set it"),
        "{error}"
    );
}

#[test]
fn a_service_that_is_not_there_is_named_with_its_address() {
    let server = Server::new(Vec::new());
    let client = client(&server);
    let address = server.address().to_owned();
    server.stop();
    let mut request = get("/b/k");
    request.query = vec![("hidden".to_owned(), "hidden".to_owned())];
    let error = client.send(Service::S3, "PutObject", &request, 10).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("the connection is refused"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn tries_are_traced_without_secrets() {
    let traced =
        Environment { trace: Some(|line| TRACED.lock().unwrap().push(line.to_owned())), ..environment() };
    let server = Server::new(vec![Reply::new(500, ""), described()]);
    let client = client_with(&server, "", Scheme::V4, traced);
    client.query(Service::Ec2, "DescribeImages", &Query::default()).unwrap();
    let lines = TRACED.lock().unwrap().clone();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("EC2 DescribeImages: status 200, "), "{lines:?}");
    assert!(lines[1].ends_with("ms, try 2"), "{lines:?}");
    let debug = format!("{client:?}{lines:?}");
    assert!(!debug.contains(SECRET) && !debug.contains("TOKENTOKEN"));
}

#[test]
fn connections_are_used_again_but_not_for_what_is_sent_once() {
    let server = Server::new(vec![described(), described(), Reply::ok("<RegisterImageResponse/>")]);
    let client = client(&server);
    client.query(Service::Ec2, "DescribeImages", &Query::default()).unwrap();
    client.in_region("us-east-1").query(Service::Ec2, "DescribeImages", &Query::default()).unwrap();
    assert_eq!(server.connections(), 1);
    client.query_once(Service::Ec2, "RegisterImage", &Query::default()).unwrap();
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_proxy_and_authorities_that_cannot_be_used_are_usage() {
    let server = Server::new(Vec::new());
    let mut with = environment();
    with.variables.insert("AWS_CA_BUNDLE".to_owned(), "/nowhere/ca.pem".to_owned());
    let client = client_with(&server, "", Scheme::V4, with);
    let error = client.query(Service::Ec2, "DescribeImages", &Query::default()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
    assert!(server.seen().is_empty());

    let mut with = environment();
    with.variables.insert("http_proxy".to_owned(), "http://user:hidden@".to_owned());
    let client = client_with(&server, "", Scheme::V4, with);
    let error = client.query(Service::Ec2, "DescribeImages", &Query::default()).unwrap_err().to_string();
    assert!(error.contains("HTTP_PROXY") && !error.contains("hidden"), "{error}");
}
