#![allow(clippy::unwrap_used)]

use super::Url;

/// Text, host, port, path.
const GOOD: &[(&str, &str, u16, &str)] = &[
    ("http://169.254.169.254/latest/api/token", "169.254.169.254", 80, "/latest/api/token"),
    ("HTTP://Example.COM", "example.com", 80, "/"),
    ("https://example.com", "example.com", 443, "/"),
    ("http://example.com:8080?a=b", "example.com", 8080, "/?a=b"),
    ("http://example.com:/x", "example.com", 80, "/x"),
    ("http://example.com./x", "example.com.", 80, "/x"),
    ("http://[fd00:ec2::254]/latest/", "fd00:ec2::254", 80, "/latest/"),
    ("http://[FE80::1%25eth0]:81/", "fe80::1%eth0", 81, "/"),
    ("http://[fe80::1%eth0]/", "fe80::1%eth0", 80, "/"),
    ("http://[fe80::1%25]/", "fe80::1%25", 80, "/"),
    ("http://[::ffff:1.2.3.4]/", "::ffff:1.2.3.4", 80, "/"),
    ("http://user:p%40ss@h/x", "h", 80, "/x"),
    ("http://a@b@h/x", "h", 80, "/x"),
    (" http://h/a b?c d#e \n", "h", 80, "/a%20b?c%20d"),
    ("http://h/a%20b%zz%", "h", 80, "/a%20b%25zz%25"),
    ("http://h/é\r\nX: y", "h", 80, "/%C3%A9%0D%0AX:%20y"),
    ("http://h/a/./b/../c/..", "h", 80, "/a/"),
    ("http://h/../../x", "h", 80, "/x"),
    ("http://h//a//b/", "h", 80, "//a//b/"),
    ("http://h\\@evil/", "h", 80, "/%5C@evil/"),
    ("http://h/?next=/a/../b", "h", 80, "/?next=/a/../b"),
    ("http://under_score-1.x/", "under_score-1.x", 80, "/"),
];

/// Text, and a part of what is said about it.
const BAD: &[(&str, &str)] = &[
    ("", "no URL"),
    ("example.com", "no URL"),
    ("ftp://example.com/", "\"ftp\""),
    ("file:///etc/passwd", "\"file\""),
    ("http://", "no host"),
    ("http:///x", "no host"),
    ("http://user@/x", "no host"),
    ("http://h:0/", "port 0"),
    ("http://h:65536/", "port 65536"),
    ("http://h:8o/", "no number"),
    ("http://h:+80/", "no number"),
    ("http://::1/", "brackets"),
    ("http://[::1/", "not closed"),
    ("http://[::1]x/", "only a port"),
    ("http://[1.2.3.4]/", "no IPv6"),
    ("http://[fe80::1%]/", "no network interface"),
    ("http://[fe80::1%25..]/", "no network interface"),
    ("http://[fe80::1%../../x]/", "not closed"),
    ("http://[fe80::1%0123456789abcdef]/", "no network interface"),
    ("http://1.2.3/", "no IPv4"),
    ("http://256.1.1.1/", "no IPv4"),
    ("http://bücher.example/", "xn--"),
    ("http://a b/", "' '"),
    ("http://a%41/", "'%'"),
    ("http://a..b/", "labels"),
    ("http://.a/", "labels"),
];

#[test]
fn what_a_url_names() {
    for (text, host, port, path) in GOOD {
        let url = Url::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (*host, *port, *path), "{text:?}");
        assert_eq!(url.tls, text.starts_with("https"), "{text:?}");
        assert_eq!(Url::parse(&url.without_user()).unwrap().path, url.path, "{text:?}");
    }
}

#[test]
fn what_is_no_url() {
    for (text, part) in BAD {
        let error = Url::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
    let long = format!("http://h/{}", "a".repeat(9000));
    assert!(Url::parse(&long).unwrap_err().to_string().contains("9009 bytes"));
    assert!(Url::parse("http://h/").unwrap().join(&long).is_err());
}

#[test]
fn references() {
    // RFC 3986, 5.4.
    let base = Url::parse("http://a/b/c/d;p?q").unwrap();
    for (reference, path) in [
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("?y", "/b/c/d;p?y"),
        ("g?y", "/b/c/g?y"),
        ("#s", "/b/c/d;p?q"),
        ("g#s", "/b/c/g"),
        (";x", "/b/c/;x"),
        ("", "/b/c/d;p?q"),
        (".", "/b/c/"),
        ("./", "/b/c/"),
        ("..", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../../g", "/g"),
        ("/./g", "/g"),
        ("g.", "/b/c/g."),
        ("..g", "/b/c/..g"),
        ("./../g", "/b/g"),
        ("g;x=1/../y", "/b/c/y"),
        ("g?y/../x", "/b/c/g?y/../x"),
    ] {
        let joined = base.join(reference).unwrap();
        assert_eq!((joined.host.as_str(), joined.path.as_str()), ("a", path), "{reference:?}");
    }
    let other = base.join("//g:81/x").unwrap();
    assert_eq!((other.host.as_str(), other.port, other.tls), ("g", 81, false));
    assert!(base.join("https://g").unwrap().tls);
    assert!(base.join("file:///etc/shadow").is_err());
    assert!(base.join("http:g").is_err());
}

#[test]
fn users_stay_hidden_and_at_home() {
    let url = Url::parse("http://Aladdin:open%20sesame@h/x?sig=s3cret").unwrap();
    assert_eq!(url.authorization().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(format!("{url} {url:?}"), "http://h/x?… Url(http://h/x?…)");
    assert!(url.join("/y").unwrap().authorization().is_some());
    assert!(url.join("http://h/y").unwrap().authorization().is_some());
    assert!(url.join("https://h/y").unwrap().authorization().is_some());
    assert!(url.join("http://h:81/y").unwrap().authorization().is_none());
    assert!(url.join("//other/y").unwrap().authorization().is_none());
    let secure = Url::parse("https://u:p@h/").unwrap();
    assert!(secure.join("http://h/").unwrap().authorization().is_none());
    for bad in ["http://u:s3cret@h:x/?s3cret", "u:s3cret@h/", "http://u:s3/cret@h/", "ftp://s3cret@h"] {
        let error = Url::parse(bad).unwrap_err().to_string();
        assert!(!error.contains("s3cret") && !error.contains("cret@"), "{error}");
    }
}

#[test]
fn what_the_host_line_says() {
    for (text, line) in [
        ("http://h:80/", "h"),
        ("https://h:80/", "h:80"),
        ("http://[fe80::1%25eth0]:81/", "[fe80::1]:81"),
        ("https://[::1]/", "[::1]"),
    ] {
        assert_eq!(Url::parse(text).unwrap().host_line(), line);
    }
    assert_eq!(Url::parse("http://[fe80::1%25eth0]/").unwrap().to_string(), "http://[fe80::1%eth0]/");
}
