//! Answers as services send them, and what nobody should send.

use super::*;

const IMAGES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
    <imagesSet>
        <item>
            <imageId>ami-1</imageId>
            <name>a &amp; b &#60;c&#x3E;<![CDATA[ <d> ]]>é</name>
            <tagSet/>
        </item>
        <item><imageId>ami-2</imageId><description> two </description></item>
    </imagesSet>
</DescribeImagesResponse>
"#;

#[test]
fn an_answer_becomes_a_tree() {
    let root = parse(IMAGES.as_bytes()).unwrap();
    assert_eq!(root.name, "DescribeImagesResponse");
    assert_eq!(root.text, "");
    let items: Vec<&Element> = root.child("imagesSet").unwrap().all("item").collect();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].at(&["name"]), Some("a & b <c> <d> é"));
    assert_eq!(items[0].at(&["tagSet"]), None);
    assert_eq!(items[1].at(&["description"]), Some(" two "));
    assert_eq!(root.at(&["imagesSet", "item", "imageId"]), Some("ami-1"));
}

#[test]
fn prefixes_and_attributes_are_left_out() {
    let root = parse(b"<euca:A xmlns:euca='x' b='&nonsense;'><euca:c>1</euca:c></euca:A>").unwrap();
    assert_eq!((root.name.as_str(), root.at(&["c"])), ("A", Some("1")));
}

#[test]
fn what_is_no_document_is_an_error_that_says_why() {
    for (text, why) in [
        ("", "no XML element"),
        ("hello", "text outside"),
        ("<a>", "ends inside of <a>"),
        ("<a></b>", "XML, byte"),
        ("</a>", "XML, byte"),
        ("<a/><b/>", "two root elements"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type declaration"),
        ("<a>&x;</a>", "an XML entity that is none"),
        ("<a>&#0;</a>", "an XML entity that is none"),
        ("<a>&#99999999999;</a>", "an XML entity that is none"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert!(parse(b"<a>\xff</a>").unwrap_err().contains("byte 3 is no UTF-8"));
}

#[test]
fn depth_and_number_are_bounded() {
    let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    parse(deep(DEEPEST).as_bytes()).unwrap();
    assert!(parse(deep(DEEPEST + 1).as_bytes()).unwrap_err().contains("64 deep"));
    assert!(parse("<a>".repeat(1 << 20).as_bytes()).unwrap_err().contains("64 deep"));
    let many = format!("<a>{}</a>", "<b/>".repeat(MOST));
    assert!(parse(many.as_bytes()).unwrap_err().contains("more than 1000000"));
}

#[test]
fn damaged_answers_never_panic() {
    // A linear congruential generator (Knuth's MMIX): the same damage in each run.
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let marks = b"<>&;/!?-[]'\"= \0\xff\xc3aD";
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = IMAGES.as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = marks[next(marks.len())],
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, marks[next(marks.len())]),
                _ => {
                    let end = (at + next(40)).min(bytes.len());
                    bytes.drain(at..end);
                    if bytes.is_empty() {
                        bytes.push(b'<');
                    }
                }
            }
        }
        match parse(&bytes) {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} {bad}");
}
