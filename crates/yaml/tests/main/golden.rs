//! `data/yaml11.jsonl`: what PyYAML 6 answered. Regenerating needs Python and PyYAML; the cases
//! are (text, result or exception class).

use hardtack_yaml::{Document, Kind, Limits, Node, Value};
use serde_json::{Map, Value as Json, json};

/// Cases where we differ on purpose: (text, reason). None among these.
const DIFFERENT: &[(&str, &str)] = &[];

/// A node as the golden file writes Python's objects.
pub(crate) fn python(node: &Node) -> Result<Json, String> {
    Ok(match &node.kind {
        Kind::Scalar(scalar) => match node.value()? {
            Value::Null => Json::Null,
            Value::Bool(value) => json!(value),
            Value::Int(value) => match i64::try_from(value) {
                Ok(value) => json!(value),
                Err(_) => json!(value.to_string()),
            },
            Value::HugeInt => json!("huge"),
            Value::Float(value) if value.is_nan() => json!({"__float__": "nan"}),
            Value::Float(value) if value.is_infinite() => {
                json!({"__float__": if value > 0.0 { "inf" } else { "-inf" }})
            }
            Value::Float(value) => json!(value),
            Value::Timestamp => json!({"__date__": scalar.text}),
            Value::Binary => json!({"__bytes_b64__": scalar.text}),
            _ => json!(scalar.text),
        },
        Kind::Sequence(items) => Json::Array(items.iter().map(python).collect::<Result<_, _>>()?),
        Kind::Mapping(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                let name = match (key.value()?, key.text()) {
                    (Value::Text, Some(text)) => text.to_owned(),
                    (other, _) => format!("{other:?}"),
                };
                map.insert(name, python(value)?);
            }
            Json::Object(map)
        }
    })
}

#[test]
fn reads_what_pyyaml_reads() {
    let golden = include_str!("../data/yaml11.jsonl");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in golden.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let text = case["yaml"].as_str().unwrap();
        count += 1;
        if DIFFERENT.iter().any(|(different, _)| *different == text) {
            continue;
        }
        let ours = Document::parse("case", text, Limits::default())
            .map_err(|found| found[0].message.clone())
            .and_then(|root| python(&root));
        let theirs = &case["safe_load"];
        let same = match (&ours, theirs.get("ok")) {
            (Ok(ours), Some(theirs)) => ours == theirs,
            (Err(_), None) => true,
            _ => false,
        };
        if !same {
            wrong.push(format!("{text:?}: ours {ours:?}, PyYAML {theirs}"));
        }
    }
    assert!(count > 50, "the golden file is gone");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// More answers of PyYAML 6, found by comparing both on made-up scalars.
#[test]
fn scalars_as_pyyaml_resolves_them() {
    for (text, wanted) in [
        ("y", Ok(json!("y"))),
        ("No", Ok(json!(false))),
        ("nO", Ok(json!("nO"))),
        ("NULL", Ok(Json::Null)),
        ("-.5", Ok(json!("-.5"))),
        ("1.", Ok(json!(1.0))),
        ("1.5e3", Ok(json!("1.5e3"))),
        ("1_000.5", Ok(json!(1000.5))),
        ("190:20:30.15", Ok(json!(685_230.15))),
        ("01:10", Ok(json!("01:10"))),
        ("-1:30", Ok(json!(-90))),
        ("1:60", Ok(json!("1:60"))),
        ("0b_", Err(())),
        ("0x_", Err(())),
        ("0_", Ok(json!(0))),
        ("! 5", Ok(json!(5))),
        ("! '5'", Ok(json!(5))),
        ("!!int x", Err(())),
        ("2001-01-01", Ok(json!({"__date__": "2001-01-01"}))),
        ("2001-1-1", Ok(json!("2001-1-1"))),
        ("2001-02-29", Err(())),
        ("2001-12-14 21:59:43.10 -5", Ok(json!({"__date__": "2001-12-14 21:59:43.10 -5"}))),
        ("&a+ x", Err(())),
        ("&a x", Ok(json!("x"))),
    ] {
        let ours = Document::parse("case", &format!("- {text}"), Limits::default())
            .map_err(|_| ())
            .and_then(|root| python(&root.as_sequence().unwrap()[0]).map_err(|_| ()));
        assert_eq!(ours, wanted, "{text}");
    }
}
