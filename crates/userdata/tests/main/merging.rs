//! `data/merge_user_parts.jsonl`, `data/merge_cases.jsonl`: parts merged as cloud-init merges them. The
//! second was made by `oracle/merge_cases.py`; `HARDTACK_MERGE_CASES=file` runs more of its output.

use hardtack_userdata::merge::{Merged, merge_parts};
use hardtack_userdata::{Origin, Part, PartKind, json};
use serde_json::{Value as Json, json};

use crate::cases::{cases, equal};

fn part(index: usize, kind: PartKind, text: &str, merge_type: Option<&str>) -> Part {
    Part {
        kind,
        content_type: "text/cloud-config".to_owned(),
        filename: format!("part-{:03}", index + 1),
        launch_index: None,
        merge_type: merge_type.map(str::to_owned),
        payload: text.as_bytes().to_vec(),
        origin: Origin::default(),
    }
}

fn merge(texts: &[&str]) -> Merged {
    let kind = |text: &str| {
        if text.trim_start().starts_with("#cloud-config-jsonp") {
            PartKind::JsonPatch
        } else {
            PartKind::CloudConfig
        }
    };
    let parts: Vec<_> =
        texts.iter().enumerate().map(|(index, text)| part(index, kind(text), text, None)).collect();
    merge_parts(&parts)
}

fn check(merged: &Merged, wanted: &Json, case: &Json) {
    let ours = json!({
        "merged": json::map(&merged.config),
        "ok_parts": merged.ok_parts,
        "error_parts": merged.error_parts,
    });
    assert!(equal(&ours, wanted), "{case}: ours {ours}");
}

#[test]
fn parts_merge_as_in_cloud_init() {
    let cases = cases("merge_user_parts.jsonl", "HARDTACK_MERGE_USER_PARTS");
    assert!(cases.len() >= 10);
    for case in cases {
        let texts: Vec<_> =
            case["parts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        check(&merge(&texts), &case["ok"], &case);
    }
}

#[test]
fn random_parts_merge_as_in_cloud_init() {
    let cases = cases("merge_cases.jsonl", "HARDTACK_MERGE_CASES");
    assert!(cases.len() > 300);
    for case in cases {
        let parts = case["parts"].as_array().unwrap().iter().enumerate();
        let parts: Vec<_> = parts
            .map(|(index, one)| {
                let kind =
                    if one["jsonp"] == json!(true) { PartKind::JsonPatch } else { PartKind::CloudConfig };
                part(index, kind, one["text"].as_str().unwrap(), one["merge_type"].as_str())
            })
            .collect();
        check(&merge_parts(&parts), &case["ok"], &case);
    }
}

/// What surprises people is told.
#[test]
fn surprises_are_warned_of() {
    for (texts, code, path, words) in [
        (["runcmd: [a, b]", "runcmd: [c]"], "earlier-part-replaced", "runcmd", "2 items there are lost"),
        (["ssh: {a: 1}", "ssh: {b: 2}"], "earlier-part-replaced", "ssh", "1 key there are lost"),
        (
            ["hostname: a", "hostname: b\nmerge_how: \"list(append)+dict(recurse_list)+str()\""],
            "earlier-part-wins",
            "hostname",
            "the value of `part-001` stays",
        ),
        (["a: {b: 1}", "a: {b: 2}\nmerge_how: dict()"], "earlier-part-wins", "a.b", "stays"),
        (
            ["users: [a]", "users: [b, c]\nmerge_how: \"list()+dict(recurse_list)\""],
            "earlier-part-wins",
            "users",
            "the last 1 here are lost",
        ),
        (["a: 1", "b: 2\nmerge_how: list(append)"], "merge-how", "", "nothing of this part is merged"),
        (["a: 1", "b: 2\nmerge_how: nosuch()"], "merge-how", "", "`nosuch`"),
        (["a: 1", "b: 2\nmerge_how: list"], "merge-how", "", "not of the form"),
        (["a: 1", "b: 2\nmerge_how: 5"], "merge-how", "", "not of a form"),
        (["a: 1", "# nothing"], "empty-config", "", "empty"),
        (
            ["a: 1", "#cloud-config-jsonp\n[{\"op\": \"remove\", \"path\": \"/b\"}]"],
            "json-patch",
            "",
            "no `/b`",
        ),
        (["a: 1", "#cloud-config-jsonp\n[{]"], "yaml-syntax", "", "not valid JSON"),
    ] {
        let merged = merge(&texts);
        let found: Vec<_> = merged.findings.iter().filter(|found| found.code == code).collect();
        assert_eq!(found.len(), 1, "{texts:?}: {:?}", merged.findings);
        assert_eq!((found[0].path.as_str(), found[0].place.part), (path, 1), "{texts:?}");
        assert!(found[0].message.contains(words), "{texts:?}: {}", found[0].message);
    }
    for texts in [["a: 1", "a: 2"], ["runcmd: [a]", "runcmd: [a]"], ["a: []", "a: [1]"]] {
        assert_eq!(merge(&texts).findings, [], "{texts:?}");
    }
}

#[test]
fn values_keep_the_place_that_they_came_from() {
    let merged = merge(&["a: 1\nb: 2", "c: 3\n\nb: 4"]);
    let place = |index: usize| merged.config.get_index(index).unwrap().1.place;
    assert_eq!((place(0).part, place(1).part, place(2).part), (0, 1, 1));
    assert_eq!((place(1).span.line, place(1).span.column), (3, 4));
    let merged =
        merge(&["a: []", "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/a/-\", \"value\": \"x\"}]"]);
    let item = merged.config.get_index(0).unwrap().1.as_list().unwrap()[0].place;
    assert_eq!((item.part, item.span.line, item.span.column), (1, 2, 41));
}

/// Many parts that are each within the limits are not together.
#[test]
fn parts_are_bounded_together() {
    let big = format!("l: [{}]\nmerge_how: \"list(append)+dict(recurse_list)\"", "x, ".repeat(30_000));
    let merged = merge(&vec![big.as_str(); 50]);
    assert!(merged.ok_parts.len() < 10, "{}", merged.ok_parts.len());
    assert_eq!(merged.findings.last().map(|found| found.code), Some("too-much-config"));

    let copies = "{\"op\": \"copy\", \"from\": \"/a\", \"path\": \"/a/-\"},".repeat(60);
    let bomb = format!("#cloud-config-jsonp\n[{}]", copies.trim_end_matches(','));
    let merged = merge(&["a: [x]", &bomb]);
    assert!(merged.findings[0].message.contains("copies too much"), "{:?}", merged.findings);
    assert_eq!(json::map(&merged.config), json!({"a": ["x"]}));
}
