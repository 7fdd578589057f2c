//! User-data taken apart, beside what cloud-init 26.2 makes of the same bytes.
//!
//! `tests/oracle/parts_cases.py` and `template_cases.py` make such cases from a checkout of cloud-init; a
//! file of any number of them is compared with `HARDTACK_PARTS_CASES=FILE cargo test -p hardtack-userdata
//! formats`, and `HARDTACK_TEMPLATE_CASES`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_userdata::{
    Fetch, PartKind, SplitOptions, UserData, format, maybe_base64, show, split, template,
};
use serde_json::{Value as Json, json};

use crate::cases::cases;

/// What includes name in these tests.
struct Files(BTreeMap<&'static str, &'static [u8]>);

impl Fetch for Files {
    fn fetch(&self, url: &str, _once: bool) -> Result<Vec<u8>, String> {
        self.0.get(url).map(|content| content.to_vec()).ok_or_else(|| "there is no such file".to_owned())
    }
}

fn decode(text: &Json) -> Vec<u8> {
    BASE64.decode(text.as_str().unwrap()).unwrap()
}

fn codes(data: &UserData) -> Vec<&str> {
    data.findings.iter().map(|finding| finding.code).collect()
}

fn split_text(text: &str) -> UserData {
    split("user-data", text.as_bytes(), &SplitOptions::default())
}

#[test]
fn types_by_first_characters() {
    for case in cases("type_detect.jsonl", "HARDTACK_TYPE_CASES") {
        let bytes = match case["payload"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => decode(&case["payload_b64"]),
        };
        assert_eq!(format::type_of_bytes(&bytes), case["type"].as_str(), "{case}");
    }
}

#[test]
fn base64_that_may_be_none() {
    for case in cases("ec2_maybe_b64.jsonl", "HARDTACK_BASE64_CASES") {
        let raw = decode(&case["raw_b64"]);
        let wanted = match case["decoded_b64"].as_str() {
            // Python's own base64 of what came out, or that text itself.
            Some(text) => BASE64.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()),
            None => Vec::new(),
        };
        let found = maybe_base64::maybe_decode(&raw);
        assert!(
            found == wanted
                || BASE64.encode(&found) == case["decoded_b64"]
                || found == case["decoded_b64"].as_str().unwrap().as_bytes(),
            "{case}"
        );
    }
}

#[test]
fn parts_as_cloud_init_finds_them() {
    let files =
        Files(BTreeMap::from([("file:///tmp/ci-golden/inc.txt", &b"#cloud-config\nfrom: include\n"[..])]));
    let mut wrong = String::new();
    let all = cases("parts.jsonl", "HARDTACK_PARTS_CASES").into_iter().chain(cases("parts_cases.jsonl", ""));
    for case in all {
        let options = SplitOptions { fetch: Some(&files), ..SplitOptions::default() };
        let data = split("user-data", &decode(&case["userdata_b64"]), &options);
        let mut parts = show::json(&data.parts, &Json::Null)["parts"].clone();
        for (index, part) in parts.as_array_mut().unwrap().iter_mut().enumerate() {
            let wanted = &case["ok"][index];
            if wanted.get("merge").is_some() {
                part["merge"] = json!(data.parts[index].merge_type);
            }
            // Parts in messages in messages have no name, but for their handler.
            if wanted["filename"].is_null() && data.parts[index].filename.starts_with("part-") {
                part["filename"] = Json::Null;
            }
        }
        let same = match case.get("error") {
            Some(_) => data.failed && data.has_errors(),
            None => !data.failed && parts == case["ok"],
        };
        if !same {
            let _ = writeln!(wrong, "{case}\n  found {parts} failed {} {:?}", data.failed, codes(&data));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Templates with what is not known here (`template/engine.rs` says what).
const OTHER_TEMPLATES: [&str; 2] = ["cycler", "{{ self }}"];

#[test]
fn templates_as_cloud_init_renders_them() {
    let mut wrong = String::new();
    let mut different = 0;
    let all =
        cases("jinja.jsonl", "HARDTACK_TEMPLATE_CASES").into_iter().chain(cases("template_cases.jsonl", ""));
    let mut data = Json::Null;
    for case in all {
        if let Some(own) =
            case.get("instance_data").filter(|own| data.is_null() || own["ds"]["v1.0"].is_object())
        {
            data = own.clone();
        }
        let template = case["template"].as_str().unwrap();
        let found = template::render(template, case.get("instance_data").unwrap_or(&data)).ok();
        let wanted = case.get("ok").and_then(Json::as_str);
        if found.as_deref() == wanted {
            continue;
        }
        if OTHER_TEMPLATES.iter().any(|other| template.contains(other)) {
            different += 1;
        } else {
            let _ = writeln!(wrong, "{template:?}\n  wanted {wanted:?}\n  found  {found:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(different, OTHER_TEMPLATES.len(), "differences that are none any more");
}

#[test]
fn a_rendered_template_is_what_it_renders_to() {
    let data = json!({"v1": {"local_hostname": "h"}});
    let options = SplitOptions { instance_data: Some(&data), ..SplitOptions::default() };
    for (text, kind, payload, codes_wanted) in [
        (
            "## template: jinja\n#cloud-config\na: {{ local_hostname }}\n",
            PartKind::CloudConfig,
            "#cloud-config\na: h\n",
            vec![],
        ),
        (
            "## template: jinja\n#!/bin/sh\n{{ nope }}",
            PartKind::Script,
            "#!/bin/sh\nCI_MISSING_JINJA_VAR/nope",
            vec!["template-missing"],
        ),
        (
            "## template: jinja\n#cloud-config-jsonp\n[]",
            PartKind::Unhandled,
            "#cloud-config-jsonp\n[]",
            vec!["template-result"],
        ),
        (
            "## template: jinja\n{{ a.b }}",
            PartKind::Unhandled,
            "## template: jinja\n{{ a.b }}",
            vec!["template-broken"],
        ),
        (
            "## template: jinja\n{% if %}",
            PartKind::Unhandled,
            "## template: jinja\n{% if %}",
            vec!["template-broken"],
        ),
        ("## template: jinja2\nx", PartKind::Unhandled, "## template: jinja2\nx", vec!["template-header"]),
        ("\n## template: jinja\nx", PartKind::Unhandled, "\n## template: jinja\nx", vec!["template-header"]),
    ] {
        let data = split("f", text.as_bytes(), &options);
        assert_eq!(data.parts[0].content_type, "text/jinja2");
        assert_eq!(
            (data.parts[0].kind, String::from_utf8_lossy(&data.parts[0].payload)),
            (kind, payload.into())
        );
        assert_eq!(codes(&data), codes_wanted, "{text}");
    }
    let data = split_text("## template: jinja\n#cloud-config\na: {{ x }}\n");
    assert_eq!((data.parts[0].kind, codes(&data)), (PartKind::Template, vec!["template-not-rendered"]));
}

#[test]
fn includes_are_followed_reported_or_fail() {
    let files = Files(BTreeMap::from([
        ("https://a", &b"#include-once\nhttps://b\nhttps://c"[..]),
        ("https://b", b"#!/bin/sh\n"),
        ("https://c", b"MIME-Version: 1.0\n\n#cloud-config\n"),
        ("https://loop", b"#include https://loop"),
    ]));
    let options = SplitOptions { fetch: Some(&files), ..SplitOptions::default() };
    let data = split("f", b"#include\nhttps://a\n# x\nhttps://b\n", &options);
    let kinds: Vec<_> = data.parts.iter().map(|part| (part.kind, part.filename.as_str())).collect();
    let wanted =
        [(PartKind::Script, "part-001"), (PartKind::CloudConfig, "part-002"), (PartKind::Script, "part-003")];
    assert_eq!((kinds.as_slice(), data.failed), (&wanted[..], false));
    assert_eq!(data.parts[0].origin.file, "https://b");

    for (text, code) in
        [("#include https://nope\n", "include-failed"), ("#include https://loop", "include-too-deep")]
    {
        let data = split("f", text.as_bytes(), &options);
        assert_eq!((codes(&data), data.failed), (vec![code], true));
    }
    let data = split_text("#include\nhttps://a\nhtp:/b\n");
    assert_eq!(data.parts[0].kind, PartKind::Include);
    assert_eq!(codes(&data), ["include-not-followed", "include-not-followed", "include-address"]);
    let place = data.findings[1].place.span;
    assert_eq!((place.line, place.column, place.start, place.end), (3, 1, 19, 25));
}

#[test]
fn parts_for_other_instances_are_left_out() {
    let text = "#cloud-config-archive\n- {content: a, launch-index: 1}\n- {content: b}\n- {content: 'launch-index: 2'}\n- {content: c, launch-index: x}\n";
    for (index, wanted) in
        [(None, "a,b,launch-index: 2,c"), (Some(1), "a,b"), (Some(2), "b,launch-index: 2"), (Some(3), "b")]
    {
        let data =
            split("f", text.as_bytes(), &SplitOptions { launch_index: index, ..SplitOptions::default() });
        let found: Vec<_> = data.parts.iter().map(|part| String::from_utf8_lossy(&part.payload)).collect();
        assert_eq!(found.join(","), wanted, "{index:?}");
    }
}

#[test]
fn base64_counts_where_the_cloud_says_so() {
    let text = BASE64.encode("#cloud-config\na: 1\n");
    let data = split_text(&text);
    assert_eq!((data.parts[0].content_type.as_str(), codes(&data)), ("text/x-not-multipart", vec!["base64"]));
    let data = split("f", text.as_bytes(), &SplitOptions { maybe_base64: true, ..SplitOptions::default() });
    assert_eq!((data.parts[0].kind, codes(&data)), (PartKind::CloudConfig, vec![]));
}

/// Name, user-data, and codes of what is found.
fn first_lines() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mime = |headers: &str, body: &str| {
        format!("Content-Type: multipart/mixed; boundary=\"B\"\nMIME-Version: 1.0\n\n--B\n{headers}\n\n{body}\n--B--\n").into_bytes()
    };
    let gzip = |bytes: &[u8]| {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let packed = gzip(b"#cloud-config\na: 1\n");
    let utf16: Vec<u8> = "\u{feff}#cloud-config\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("right", b"#cloud-config\na: 1\n".to_vec(), ""),
        ("crlf", b"#cloud-config\r\na: 1\r\n".to_vec(), ""),
        ("blank behind #", b"# cloud-config\na: 1\n".to_vec(), "header"),
        ("underscore", b"#cloud_config\na: 1\n".to_vec(), "header"),
        ("cloud-init", b"#cloud-init\na: 1\n".to_vec(), "header"),
        ("no #", b"cloud-config\na: 1\n".to_vec(), "header"),
        ("two #", b"##cloud-config\na: 1\n".to_vec(), "header"),
        ("#!cloud-config", b"#!cloud-config\na: 1\n".to_vec(), "header"),
        ("# boothook", b"# cloud-boothook\n".to_vec(), "header"),
        ("# include", b"# include\nhttp://x\n".to_vec(), "header"),
        ("one # template", b"# template: jinja\n#cloud-config\n".to_vec(), "header"),
        ("letter missing", b"#cloud-confg\nhostname: a\n".to_vec(), "header"),
        ("letters swapped", b"#cloud-conifg\nhostname: a\n".to_vec(), "header"),
        ("point", b"#cloud.config\nhostname: a\n".to_vec(), "header"),
        ("dash", "#cloud\u{2013}config\nhostname: a\n".into(), "header"),
        ("slashes", b"//cloud-config\nhostname: a\n".to_vec(), "header"),
        ("boothook misspelt", b"#cloud-bothook\n#!/bin/sh\n".to_vec(), "header"),
        ("no header", b"# cloud settings\nhostname: a\n".to_vec(), "missing-header"),
        ("slash for #!", b"#/bin/bash\nls\n".to_vec(), "header"),
        ("!# for #!", b"!#/bin/bash\nls\n".to_vec(), "header"),
        ("interpreter misspelt", b"#!/bin/basj\nls\n".to_vec(), "interpreter"),
        ("interpreter without folder", b"#!powershell\nls\n".to_vec(), "interpreter"),
        ("interpreter without slash", b"#!bin/bash\nls\n".to_vec(), "interpreter"),
        ("include of nothing", b"#include\n# http://x\n".to_vec(), "include-empty"),
        (
            "message indented",
            b"  Content-Type: multipart/mixed; boundary=\"B\"\n  MIME-Version: 1.0\n\n  --B\n  #cloud-config\n  --B--\n".to_vec(),
            "mime-start",
        ),
        (
            "text called base64",
            mime("Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64", "#cloud-config\nhostname: a\n"),
            "transfer-base64",
        ),
        ("case", b"#Cloud-Config\na: 1\n".to_vec(), "header-case"),
        ("blank line", b"\n#cloud-config\na: 1\n".to_vec(), "header-late"),
        ("longer", b"#cloud-configs\na: 1\n".to_vec(), "header-longer"),
        ("byte order mark", "\u{feff}#cloud-config\na: 1\n".into(), "byte-order-mark"),
        ("utf-16", utf16, "utf-16"),
        ("document start", b"---\n#cloud-config\na: 1\n".to_vec(), "document-start"),
        ("comment first", b"# my server\n\n#cloud-config\na: 1\n".to_vec(), "header-not-first"),
        ("no header", b"users:\n  - default\n".to_vec(), "missing-header"),
        ("no header, JSON", b"{\"packages\": [\"a\"]}".to_vec(), "missing-header"),
        ("base64", BASE64.encode("#!/bin/sh\necho\n").into_bytes(), "base64"),
        ("Ignition", b"{\"ignition\": {\"version\": \"3.0.0\"}}".to_vec(), "ignition"),
        ("Butane", b"variant: fcos\nversion: 1.5.0\n".to_vec(), "ignition"),
        ("PowerShell", b"#ps1_sysnative\nx\n".to_vec(), "windows"),
        ("batch", b"rem cmd\n".to_vec(), "windows"),
        ("template without blank", b"##template: jinja\n#cloud-config\n".to_vec(), "template-header"),
        ("template: basic", b"## template: basic\n#cloud-config\n".to_vec(), "template-header"),
        (
            "hyphen in a template",
            b"## template: jinja\n#cloud-config\na: {{ ds.meta-data.x }}\n".to_vec(),
            "template-hyphen template-not-rendered",
        ),
        ("template, syntax", b"## template: jinja\n#cloud-config\n{% if %}\n".to_vec(), "template-broken"),
        ("words", b"hello\n".to_vec(), "unknown-format"),
        ("empty", Vec::new(), "empty"),
        ("script, blank", b" #!/bin/sh\n".to_vec(), "no-interpreter"),
        ("script, not UTF-8", b"#!/bin/sh\necho \xff\n".to_vec(), "not-utf8"),
        ("boothook without #!", b"#cloud-boothook\necho\n".to_vec(), "no-interpreter"),
        (
            "include, blank",
            b"  #include https://x\n".to_vec(),
            "include-not-followed include-address header-late",
        ),
        ("gzip, damaged", packed[..packed.len() - 3].to_vec(), "gzip-damaged"),
        ("gzip twice", gzip(&packed), "gzip-twice"),
        ("xz", b"\xfd7zXZ\0".to_vec(), "compressed"),
        ("archive, mapping", b"#cloud-config-archive\na: 1\n".to_vec(), "archive-root"),
        (
            "archive, entries",
            b"#cloud-config-archive\n- content: 5\n- 5\n- type: script\n  content: x\n- content: x\n  A: 1\n"
                .to_vec(),
            "archive-entry archive-entry-ignored archive-entry archive-entry",
        ),
        (
            "archive, include",
            b"#cloud-config-archive\n- |\n  #include\n  https://x\n".to_vec(),
            "nested-container",
        ),
        (
            "MIME, no version",
            b"Content-Type: multipart/mixed; boundary=B\n\n--B--\n".to_vec(),
            "mime-version",
        ),
        ("MIME, empty line first", [b"\n".to_vec(), mime("", "#!/bin/sh")].concat(), "mime-start"),
        (
            "MIME, no boundary",
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n--B\n".to_vec(),
            "mime-no-boundary",
        ),
        (
            "MIME, another boundary",
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=C\n\n--B\n".to_vec(),
            "mime-boundary-missing",
        ),
        (
            "MIME, cut off",
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n#!/bin/sh\n".to_vec(),
            "mime-not-closed",
        ),
        (
            "MIME, content as header",
            mime("Content-Type: text/cloud-config\npackages:\n  - a", "a: 1"),
            "mime-header",
        ),
        ("MIME, type", mime("Content-Type: text/x-shellscirpt", "x"), "unknown-type"),
        ("MIME, plain", mime("Content-Type: text/plain", "hello"), "unknown-format"),
        (
            "MIME, encoding",
            mime("Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64 ", "YTogMQ=="),
            "transfer-encoding",
        ),
        (
            "MIME, damaged base64",
            mime("Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64", "YTogMQ="),
            "transfer-base64",
        ),
        ("MIME, umlaut", mime("Content-Type: text/cloud-config", "a: \u{e4}"), "mime-not-ascii"),
        ("MIME, arrow", mime("Content-Type: text/cloud-config", "a: \u{2192}"), "mime-not-ascii"),
        (
            "MIME, not UTF-8",
            mime("Content-Type: text/cloud-config", "a: ").into_iter().chain([0xff]).collect(),
            "not-utf8",
        ),
        (
            "MIME, merge type",
            mime("Content-Type: text/cloud-config\nmerge-type: list()", "a: 1"),
            "merge-type-case",
        ),
        (
            "MIME, launch index",
            mime("Content-Type: text/cloud-config\nLaunch-Index: x", "a: 1"),
            "launch-index",
        ),
        ("MIME, gzip that is none", mime("Content-Type: application/x-gzip", "x"), "gzip-damaged"),
        (
            "MIME, one parameter twice",
            mime("Content-Disposition: x; filename*=a; filename*0=b", "#!/bin/sh"),
            "mime-refused",
        ),
        (
            "names",
            b"#cloud-config-archive\n- {content: '#!/bin/sh', filename: f}\n- {content: '#!/bin/sh -e', filename: f}\n"
                .to_vec(),
            "same-filename",
        ),
    ]
}

#[test]
fn too_many_parts_are_told_once() {
    let text = format!("#cloud-config-archive\n{}", "- '#!/bin/sh'\n".repeat(20_000));
    let data = split_text(&text);
    assert!(data.failed);
    assert_eq!(codes(&data), ["too-many-parts"]);
}

#[test]
fn a_long_json_patch_is_applied() {
    let first = r#"{"op":"add","path":"/runcmd","value":[]}"#;
    let more = r#",{"op":"add","path":"/runcmd/0","value":"a"}"#.repeat(15_000);
    let text = format!("#cloud-config-jsonp\n[{first}{more}]");
    let report = hardtack_userdata::check::check("f", text.as_bytes(), &Default::default());
    assert!(report.is_valid(), "{:?}", report.findings.first());
    assert!(report.config.values().next().is_some());
}

#[test]
fn text_called_base64_stays_an_error_without_a_second_one() {
    let text = "Content-Type: text/cloud-config\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n#cloud-config\nhostname: a\n";
    let report = hardtack_userdata::check::check("f", text.as_bytes(), &Default::default());
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["transfer-base64"]);
    assert!(!report.is_valid());
}

/// `HARDTACK_BLESS=1 cargo test -p hardtack-userdata formats` writes the pictures anew.
#[test]
fn first_lines_that_nobody_understands() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/first_lines.txt");
    let mut pictures = String::new();
    let mut wrong = String::new();
    for (name, bytes, wanted) in first_lines() {
        let data = split("user-data", &bytes, &SplitOptions::default());
        let found = codes(&data).join(" ");
        if found != wanted {
            let _ = writeln!(wrong, "{name}: {found:?} and not {wanted:?}");
        }
        let _ = writeln!(pictures, "=== {name}");
        for finding in &data.findings {
            let text = data.text_of(finding).unwrap_or_default();
            pictures.push_str(&hardtack_yaml::render(text, &[data.diagnostic(finding)]));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    if std::env::var_os("HARDTACK_BLESS").is_some() {
        std::fs::write(&file, &pictures).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    let changed = known.lines().zip(pictures.lines()).find(|(known, now)| known != now);
    assert_eq!(changed, None, "HARDTACK_BLESS=1 takes the new words over");
    assert_eq!(known.len(), pictures.len());
}
