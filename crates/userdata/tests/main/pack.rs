//! Packed files read back as they are.

use hardtack_userdata::pack::{Error, GZIP_ABOVE, Gzip, Input, Packed, pack};
use hardtack_userdata::{SplitOptions, split};

fn input(name: &str, content: &str) -> Input {
    Input { name: name.to_owned(), content: content.as_bytes().to_vec(), content_type: None }
}

fn packed(inputs: &[Input]) -> Packed {
    pack(inputs, Gzip::Auto).unwrap()
}

#[test]
fn the_message_as_it_is_documented() {
    let packed = packed(&[
        input("base.yaml", "#cloud-config\npackages: [git]\n"),
        input("\u{e4}.sh", "#!/bin/sh\necho \u{e4}\n"),
    ]);
    let text = String::from_utf8(packed.bytes).unwrap();
    let boundary = text.split('"').nth(1).unwrap();
    let wanted = "\
Content-Type: multipart/mixed; boundary=\"B\"
MIME-Version: 1.0

--B
Content-Type: text/cloud-config; charset=\"utf-8\"
MIME-Version: 1.0
Content-Transfer-Encoding: 7bit
Content-Disposition: attachment; filename=\"base.yaml\"

#cloud-config
packages: [git]

--B
Content-Type: text/x-shellscript; charset=\"utf-8\"
MIME-Version: 1.0
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*=utf-8''%C3%A4.sh

IyEvYmluL3NoCmVjaG8gw6QK

--B--
";
    assert_eq!(text.replace(boundary, "B"), wanted);
}

#[test]
fn what_was_packed_is_what_is_read() {
    let message = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/cloud-config\nMerge-Type: list(append)+dict()\nLaunch-Index: 2\nContent-Disposition: attachment; filename=\"a b.yaml\"\n\na: 1\n--B--\n";
    let inputs = [
        input("a.yaml", "#cloud-config\na: 1\n\n\n"),
        input("b.sh", "#!/bin/sh\r\n\u{e9}\u{2192}\r"),
        input("c.mime", message),
        input("d", "## template: jinja\n#cloud-config\na: {{ b }}"),
        input("e", "#cloud-boothook\n#!/bin/sh\n--B\nFrom x\n"),
    ];
    let packed = packed(&inputs);
    assert_eq!(packed.parts, ["a.yaml", "b.sh", "a b.yaml", "d", "e"]);
    assert_eq!(packed, pack(&inputs, Gzip::Auto).unwrap());
    let data = split("f", &packed.bytes, &SplitOptions::default());
    let read: Vec<_> = data
        .parts
        .iter()
        .map(|part| {
            let payload = String::from_utf8(part.payload.clone()).unwrap();
            (part.content_type.as_str(), payload, part.launch_index.as_deref(), part.merge_type.as_deref())
        })
        .collect();
    let content = |index: usize| String::from_utf8(inputs[index].content.clone()).unwrap();
    let wanted = [
        ("text/cloud-config", content(0), None, None),
        ("text/x-shellscript", content(1), None, None),
        ("text/cloud-config", "a: 1".to_owned(), Some("2"), Some("list(append)+dict()")),
        ("text/jinja2", content(3), None, None),
        ("text/cloud-boothook", content(4), None, None),
    ];
    assert_eq!(read, wanted);
}

#[test]
fn one_file_stays_as_it_is_and_large_ones_are_compressed() {
    let small = input("a", "#cloud-config\na: 1\n");
    assert_eq!(packed(std::slice::from_ref(&small)).bytes, small.content);

    let large = input("a", &format!("#cloud-config\n# {}\n", "x".repeat(GZIP_ABOVE)));
    let auto = packed(std::slice::from_ref(&large));
    assert!(auto.gzip && auto.bytes.len() < 200 && auto.fits(None).is_ok());
    // No time, no name: the same bytes each time.
    assert_eq!(auto.bytes.get(..8), Some(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..]));
    assert_eq!(split("f", &auto.bytes, &SplitOptions::default()).parts[0].payload, large.content);

    let never = pack(&[large], Gzip::Never).unwrap();
    let wanted = Error::TooLarge { bytes: never.bytes.len(), limit: 16_384, cloud: "EC2" };
    assert_eq!((never.fits(None), never.fits(Some("EC2"))), (Err(wanted.clone()), Err(wanted)));
    assert_eq!(never.fits(Some("OpenStack")), Ok(()));
}

#[test]
fn what_nobody_would_read_is_refused() {
    for (text, wanted) in [
        ("hello\n", "x: the first line does not say what this is, so cloud-init would ignore it"),
        (
            "#cloud-config-archive\n- content: 5\n",
            "x: the content of this part is `5`, not text: cloud-init fails as a whole",
        ),
        (
            "MIME-Version: 1.0\nContent-Type: text/html\n\nx",
            "x: cloud-init has no handler for the type `text/html`",
        ),
        ("MIME-Version: 1.0\nContent-Type: multipart/mixed\n\nx", "x: there is no part in it"),
    ] {
        assert_eq!(pack(&[input("x", text)], Gzip::Auto).unwrap_err().to_string(), wanted);
    }
    assert_eq!(pack(&[], Gzip::Auto), Err(Error::Empty));
    let typed = |kind: &str| Input { content_type: Some(kind.to_owned()), ..input("x", "echo\n") };
    assert!(pack(&[typed("text/html")], Gzip::Auto).is_err());
    let packed = packed(&[typed("text/x-shellscript-per-boot")]);
    assert_eq!(
        split("f", &packed.bytes, &SplitOptions::default()).parts[0].content_type,
        "text/x-shellscript-per-boot"
    );
}

#[test]
fn scripts_run_by_name() {
    let scripts = [input("b.sh", "#!/bin/sh\n"), input("a.sh", "#!/bin/sh\n"), input("a.sh", "#!/bin/sh\n")];
    let warnings = packed(&scripts).warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(packed(&scripts[1..2]).warnings.is_empty());
}
