//! Places in messages and archives, and their bounds.

use std::fmt::Write as _;
use std::io::Write as _;

use hardtack_userdata::{SplitOptions, UserData, limits, split};
use hardtack_yaml::Span;

fn split_text(text: &str) -> UserData {
    split("user-data", text.as_bytes(), &SplitOptions::default())
}

fn places(data: &UserData) -> Vec<(String, usize, usize)> {
    data.parts
        .iter()
        .map(|part| {
            let (file, span) = part.origin.locate(Span { line: 1, column: 1, ..Span::default() });
            (file, span.line, span.column)
        })
        .collect()
}

#[test]
fn parts_know_their_lines() {
    let text = "\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/cloud-config

a: 1
--B
Content-Type: text/cloud-config
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=b.yaml

YTogMQ==
--B
Content-Type: text/cloud-config-archive

#cloud-config-archive
- content: |
    a: 1
- a: 2
  content: x
--B
Content-Type: multipart/mixed; boundary=C

--C

#!/bin/sh
--C--
--B--
";
    let data = split_text(&text.replace("- a: 2\n  content: x\n", "- content: 'x: 1'\n"));
    let wanted = [
        ("user-data", 7, 1),
        ("user-data (b.yaml)", 1, 1),
        ("user-data", 19, 5),
        ("user-data", 20, 13),
        ("user-data", 26, 1),
    ];
    assert_eq!(places(&data), wanted.map(|(file, line, column)| (file.to_owned(), line, column)));

    // What is wrong with an archive within a message stands at its place in the file.
    let data = split_text(text);
    let diagnostic = data.diagnostic(&data.findings[0]);
    assert_eq!((diagnostic.file.as_str(), diagnostic.line(), diagnostic.column()), ("user-data", 20, 6));
    assert_eq!(data.text_of(&data.findings[0]).unwrap().lines().nth(3), Some("- a: 2"));
}

#[test]
fn crlf_counts_as_one_line() {
    let text = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\n#!/bin/sh\r\n--B--\r\n";
    assert_eq!(places(&split_text(text)), [("user-data".to_owned(), 6, 1)]);
}

#[test]
fn too_deep_and_too_many() {
    let mut nested = String::from("MIME-Version: 1.0\n");
    for _ in 0..10_000 {
        nested.push_str("Content-Type: message/rfc822\n\n");
    }
    assert_eq!(failed_with(&nested), "mime-refused");

    let mut deep = String::from("MIME-Version: 1.0\n");
    for level in 0..10_000 {
        let _ = write!(deep, "Content-Type: multipart/mixed; boundary=B{level}\n\n--B{level}\n");
    }
    assert_eq!(failed_with(&deep), "mime-refused");

    let many = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{}--B--\n",
        "--B\n\n#!/bin/sh\n".repeat(limits::PARTS + 1)
    );
    assert_eq!(failed_with(&many), "mime-refused");

    let archive = format!("#cloud-config-archive\n{}", "- x\n".repeat(limits::PARTS + 5));
    assert_eq!(failed_with(&archive), "too-many-parts");

    let aliases = "#cloud-config-archive\n- &a [x, x, x, x, x, x, x, x]\n- &b [*a, *a, *a, *a, *a, *a, *a]\n- &c [*b, *b, *b, *b, *b, *b]\n- &d [*c, *c, *c, *c, *c]\n- [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n";
    assert!(split_text(aliases).parts.is_empty());
}

fn failed_with(text: &str) -> &'static str {
    let data = split_text(text);
    assert!(data.failed && data.parts.len() <= limits::PARTS);
    data.findings.last().unwrap().code
}

#[test]
fn bombs_and_long_texts() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let bomb = gzip(&vec![b' '; limits::UNPACKED + 1]);
    let data = split("f", &bomb, &SplitOptions::default());
    assert_eq!((data.findings[0].code, data.failed, data.parts.len()), ("gzip-too-large", true, 0));

    // Each is small enough, and all of them are not.
    let part = base64(&gzip(&vec![b'#'; limits::UNPACKED / 2]));
    let part = format!("--B\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{part}\n");
    let text =
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{}--B--\n", part.repeat(3));
    let data = split_text(&text);
    assert!(data.failed && data.findings.iter().any(|finding| finding.code == "gzip-too-large"));

    let data = split("f", &vec![b'x'; limits::RAW + 1], &SplitOptions::default());
    assert_eq!((data.findings[0].code, data.failed), ("too-large", true));

    // Nothing here takes time that grows faster than the text.
    for text in [
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; {}\n\n", "a=\"b;c\";".repeat(20_000)),
        format!(
            "MIME-Version: 1.0\nContent-Disposition: x; {}\n\n#!/bin/sh\n",
            "filename*1=a;".repeat(20_000)
        ),
        format!("MIME-Version: 1.0\n{}\n#!/bin/sh\n", "X-A: b\n".repeat(20_000)),
        format!("MIME-Version: 1.0\n\n{}", "\n".repeat(200_000)),
        format!("{}#cloud-config\n", " ".repeat(200_000)),
        format!("#include\n{}", "/a\n".repeat(60_000)),
        "{{ a-".repeat(40_000),
        format!("## template: jinja\n{}", "{{ a.b-c }}".repeat(20_000)),
    ] {
        let start = std::time::Instant::now();
        let data = split_text(&text);
        assert!(start.elapsed().as_secs() < 10, "{}", &text[..60]);
        assert!(data.parts.len() <= limits::PARTS);
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn templates_take_no_more_than_their_share() {
    let data = serde_json::json!({"v1": {"region": "here"}});
    let options = SplitOptions { instance_data: Some(&data), ..SplitOptions::default() };
    for (name, body) in [
        ("repeated", "{{ 'a' * 100000000 }}".to_owned()),
        ("doubled", format!("{{% set x = 'aaaa' %}}{}{{{{ x }}}}", "{% set x = x ~ x %}".repeat(40))),
        (
            "captured",
            format!("{{% set x %}}aaaa{{% endset %}}{}", "{% set x %}{{ x }}{{ x }}{% endset %}".repeat(40)),
        ),
        (
            "replaced",
            format!("{{% set x = 'aaaa' %}}{}", "{% set x = x|replace('a', 'aaaaaaaa') %}".repeat(40)),
        ),
        (
            "looped",
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}".to_owned(),
        ),
        ("printed", format!("{{% for a in range(10000) %}}{}{{% endfor %}}", "x".repeat(100_000))),
        ("listed", format!("{{% set x = [1] %}}{}", "{% set x = x + x %}".repeat(40))),
        ("range", "{{ range(1000000000)|list }}".to_owned()),
        ("itself", "{% set x = [] %}{% do x.append(x) %}{{ x }}".to_owned()),
        (
            "compared",
            "{% set x = [] %}{% do x.append(x) %}{% set y = [x] %}{{ x == y }}{{ x|tojson }}".to_owned(),
        ),
        (
            "deep",
            "{% set n = namespace(x=1) %}{% for a in range(50000) %}{% set n.x = [n.x] %}{% endfor %}"
                .to_owned(),
        ),
        ("deep batches", format!("{{% set x = [1] %}}{}", "{% set x = x|batch(1)|list %}".repeat(100))),
        (
            "deep from within",
            "{% set n = namespace(x=[]) %}{% set all = [n.x] %}{% for a in range(50000) %}{% set m = [] %}{% do n.x.append(m) %}{% set n.x = m %}{% endfor %}".to_owned(),
        ),
        ("namespace", "{% set n = namespace() %}{% set n.x = [n] %}".to_owned()),
        ("recursive", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned()),
        ("called", "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('aaaa') }}".to_owned()),
        ("nested", format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000))),
        ("not", format!("{{{{ {}x }}}}", "not ".repeat(100_000))),
        ("minus", format!("{{{{ {}1 }}}}", "-".repeat(100_000))),
        ("blocks", "{% if x %}".repeat(50_000)),
        ("long", format!("{{{{ 1{} }}}}", " + 1".repeat(100_000))),
        ("filters", format!("{{{{ 1{} }}}}", "|string".repeat(100_000))),
        ("attributes", format!("{{{{ v1{} }}}}", ".a".repeat(100_000))),
        ("many", "{{ v1 }}".repeat(100_000)),
        ("formatted", "{{ '%s' * 1000 % ('a' * 1000000) }}".to_owned()),
        ("padded", "{{ 'a'|center(1000000000) }}".to_owned()),
        ("indented", "{{ ('a\\n' * 100000)|indent(100000) }}".to_owned()),
        ("filled", "{{ '1'.zfill(1000000000) }}".to_owned()),
        ("joined", "{{ range(100000)|join('a' * 100000) }}".to_owned()),
        ("power", "{{ 10 ** 1000000 }}".to_owned()),
    ] {
        let start = std::time::Instant::now();
        let data = split("f", format!("## template: jinja\n#cloud-config\n{body}").as_bytes(), &options);
        assert!(start.elapsed().as_secs() < 10, "{name}");
        let codes: Vec<_> = data.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["template-broken"], "{name}");
    }
}
