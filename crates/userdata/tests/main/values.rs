//! `data/yaml11.jsonl`, `data/bools.jsonl`: values as PyYAML and cloud-init read them; values as Python
//! writes them; texts made to hurt.

use std::time::{Duration, Instant};

use hardtack_userdata::load::{BREAKS, ROOT, SYNTAX, VALUE, load_config};
use hardtack_userdata::{Key, Kind, Map, Value, json, options, truth};
use serde_json::json;

use crate::cases::{cases, equal};

#[test]
fn values_are_those_of_pyyaml() {
    let cases = cases("yaml11.jsonl", "HARDTACK_YAML11");
    assert!(cases.len() > 50);
    for case in cases {
        let text = case["yaml"].as_str().unwrap();
        let ours = Value::load(text, 0);
        match (case["safe_load"].get("ok"), &ours) {
            (Some(wanted), Ok(value)) => assert!(equal(wanted, &json::value(value)), "{text:?}: {value:?}"),
            (None, Err(_)) => {}
            (wanted, _) => panic!("{text:?}: {wanted:?} {ours:?}"),
        }
        let config = load_config(text, 0).ok().flatten().map(|map| json::map(&map)).unwrap_or_default();
        assert!(equal(&case["load_yaml_dict"], &config), "{text:?}: {config}");
    }
}

#[test]
fn booleans_are_those_of_cloud_init() {
    let cases = cases("bools.jsonl", "HARDTACK_BOOLS");
    assert!(cases.len() > 10);
    for case in cases {
        let text = case["yaml"].as_str().unwrap();
        let value = Value::load(text, 0).unwrap();
        assert!(equal(&case["parsed"], &json::value(&value)), "{text}");
        assert_eq!(json!(truth::is_true(&value)), case["is_true"], "{text}");
        assert_eq!(json!(truth::is_false(&value)), case["is_false"], "{text}");
        assert_eq!(json!(truth::translate_bool(&value)), case["translate_bool"], "{text}");
    }
}

fn python(text: &str) -> String {
    Value::load(text, 0).unwrap().to_python_str()
}

#[test]
fn texts_are_those_of_python() {
    for (text, wanted) in [
        ("yes", "True"),
        ("0644", "420"),
        ("10.0", "10.0"),
        ("1.0e+16", "1e+16"),
        ("123456789012345.0", "123456789012345.0"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-.inf", "-inf"),
        ("~", "None"),
        ("0xffffffffffffffffffffffffffffffffffffffff", "1461501637330902918203684832716283019655932542975"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.100000-05:00"),
        ("[1, a, \"it's\", ~]", "[1, 'a', \"it's\", None]"),
        ("{a: [], 1: {}}", "{'a': [], 1: {}}"),
        (
            "[2001-01-02, 2001-01-02 03:04:00 Z]",
            "[datetime.date(2001, 1, 2), datetime.datetime(2001, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)]",
        ),
        ("!!binary aGkA", "b'hi\\x00'"),
        ("[\"\\u00e9\\x01\\u200b\\n'\\\"\"]", "['é\\x01\\u200b\\n\\'\"']"),
    ] {
        assert_eq!(python(text), wanted, "{text}");
    }
}

#[test]
fn options_are_converted_as_cloud_init_does() {
    let config = load_config("i: 0644\nt: ' 1_000 '\nb: on\nn: ~\nf: 1.5\nl: [a]\n", 0).unwrap().unwrap();
    assert_eq!(options::get_str(&config, "n").as_deref(), Some("None"));
    assert_eq!(options::get_str(&config, "missing"), None);
    assert_eq!(options::get_int(&config, "i", 0), Ok(420));
    assert_eq!(options::get_int(&config, "t", 0), Ok(1000));
    assert_eq!(options::get_int(&config, "f", 0), Err("1.5".to_owned()));
    assert_eq!(options::get_int(&config, "missing", 7), Ok(7));
    assert!(options::get_bool(&config, "b", false) && !options::get_bool(&config, "n", true));
    assert_eq!(options::get_list(&config, "n").unwrap().len(), 0);
    assert_eq!(options::get_list(&config, "i").unwrap()[0].as_text(), Some("420"));
    assert_eq!(options::get_list(&config, "l").unwrap().len(), 1);
}

/// What PyYAML reports, what it stumbles over, and what is no configuration, are told apart.
#[test]
fn refusals_have_their_kind_and_place() {
    for (text, code, line, column) in [
        ("a: @x", SYNTAX, 1, 4),
        ("a: 1\nb: {c: !foo x}", VALUE, 2, 8),
        ("? [a]\n: b", VALUE, 1, 3),
        ("a: <<", VALUE, 1, 4),
        ("a: 2001-02-30", VALUE, 1, 4),
        ("a: !!bool maybe", BREAKS, 1, 4),
        ("a: !!int ''", BREAKS, 1, 4),
        ("a: !!timestamp soon", BREAKS, 1, 4),
        ("a: !!omap {b: 1}", VALUE, 1, 11),
        ("b: {<<: 5}", VALUE, 1, 9),
        ("- a", ROOT, 1, 1),
        ("just text", ROOT, 1, 1),
    ] {
        let found = load_config(text, 3).unwrap_err();
        let place = found[0].place;
        assert_eq!((found[0].code, place.part), (code, 3), "{text}: {found:?}");
        assert_eq!((place.span.line, place.span.column), (line, column), "{text}: {found:?}");
    }
    let found = Value::load_bytes(b"a: 1\n# \xff\n", 0).unwrap_err();
    assert_eq!((found[0].code, found[0].place.span.line, found[0].place.span.column), ("not-utf8", 2, 3));
}

#[test]
fn equal_keys_are_one_key() {
    let map = load_config("1: a\n2: b\n1.0: c\ntrue: d\n\"1\": e\n", 0).unwrap().unwrap();
    let shown: Vec<_> = map.iter().map(|(key, value)| (key.to_python_str(), value.to_python_str())).collect();
    let wanted = [("1", "d"), ("2", "b"), ("1", "e")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(shown, wanted);
    assert!(matches!(map.get_index(0).unwrap().0.kind, Kind::Int(1)), "the first key's own form stays");
}

#[test]
fn merged_keys_stand_where_python_puts_them() {
    let text = "x: &x {p: 1, q: 2}\ny: &y {q: 3, r: 4}\nz:\n  s: 0\n  <<: [*x, *y]\n  p: 5\n";
    let map = load_config(text, 0).unwrap().unwrap();
    let keys: Vec<_> = map.get(&Key::text("z")).and_then(Value::as_map).unwrap().iter().collect();
    let shown = keys.iter().map(|(key, value)| format!("{}{}", key.to_python_str(), value.to_python_str()));
    assert_eq!(shown.collect::<Vec<_>>(), ["q2", "r4", "p5", "s0"]);
}

/// Everything ends at once, with an error or a small value.
#[test]
fn bombs_are_refused_quickly() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut merges = "a0: &a0 {k0: 1, l0: 2}\n".to_owned();
    for level in 1..400 {
        let before = level - 1;
        let names = vec![format!("*a{before}"); 10].join(", ");
        aliases.push_str(&format!("a{level}: &a{level} [{names}]\n"));
        merges.push_str(&format!("a{level}: &a{level}\n  <<: [*a{before}, *a{before}]\n  k{level}: 1\n"));
    }
    aliases.truncate(16 << 10);
    merges.truncate(16 << 10);
    let blocks: String = (0..2000).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let refused = [
        aliases,
        merges,
        blocks,
        "[".repeat(10_000),
        "- ".repeat(10_000),
        "{a: ".repeat(10_000),
        "? ".repeat(10_000),
        "[{".repeat(500_000),
        format!("a: &a {}\nb: [{}]", "x".repeat(4000), "*a,".repeat(2000)),
        format!("[{}]", "? a, ".repeat(50_000)),
        format!("a: 1{}", ":59".repeat(5000)),
        format!("a: 0x{}", "f".repeat(100_000)),
        "9".repeat(1 << 20),
        "a: b\n".repeat(200_000),
        "!".repeat(1 << 20),
    ];
    for text in refused {
        let begun = Instant::now();
        let found = Value::load(&text, 0).expect_err(text.get(..20).unwrap());
        assert!(found[0].message.len() < 400, "{}", found[0].message.get(..80).unwrap());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {:?}", text.get(..20), begun.elapsed());
    }
    for text in
        ["\n".repeat(1 << 20), format!("'{}'", "\n".repeat(1 << 20)), format!("a: {}", "b ".repeat(1 << 19))]
    {
        let begun = Instant::now();
        Value::load(&text, 0).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {:?}", text.get(..20), begun.elapsed());
    }
}

#[test]
fn places_count_in_the_text() {
    let map: Map = load_config("#cloud-config\nusers:\n  - name: é\n    uid: 5\n", 2).unwrap().unwrap();
    let (key, users) = map.get_index(0).unwrap();
    assert_eq!((key.place.part, key.place.span.line, key.place.span.column), (2, 2, 1));
    let user = &users.as_list().unwrap()[0];
    assert_eq!((user.place.span.line, user.place.span.column), (3, 5));
    let uid = user.get("uid").unwrap();
    assert_eq!((uid.place.span.line, uid.place.span.column), (4, 10));
}
