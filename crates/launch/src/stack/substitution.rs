//! CloudFormation's functions in a user-data file: what stands there as a JSON object with the one key `Ref` or `Fn::…`
//! stays a substitution; every other text, braces included, stays text.
//!
//! Source: CloudFormation's reference of intrinsic functions and pseudo parameters; Eucalyptus'
//! `FunctionEvaluation.java` for what it knows of them.

use std::collections::BTreeMap;

use hardtack_yaml::{did_you_mean, shorten};
use serde_json::{Map, Value};

/// Functions that give a text.
const FUNCTIONS: [&str; 12] = [
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
];
/// Parameters that every stack has, with something that they could be.
const PSEUDO: [(&str, &str); 8] = [
    ("AWS::AccountId", "123456789012"),
    ("AWS::NotificationARNs", "arn"),
    ("AWS::NoValue", ""),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "us-east-1"),
    ("AWS::StackId", "stack-id"),
    ("AWS::StackName", "stack"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// A part of user-data.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text as it is.
    Text(String),
    /// A function of CloudFormation's: as it goes into the template, and the line where it stands, from 1.
    Function { value: Value, line: usize },
}

/// What a template has that functions can name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Parameters, with something that they could be.
    pub(super) parameters: BTreeMap<String, String>,
    /// Logical names of resources.
    pub(super) resources: Vec<String>,
    /// The resource whose user-data it is: it cannot name itself.
    pub(super) own: String,
}

/// Takes `text` apart; two texts never stand beside each other.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut done, mut from, mut line) = (0, 0, 1);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('{')) {
        let start = from.saturating_add(found);
        line += text.get(from..start).map_or(0, |passed| passed.matches('\n').count());
        let Some((value, length)) = function(text.get(start..).unwrap_or_default()) else {
            from = start.saturating_add(1);
            continue;
        };
        let end = start.saturating_add(length);
        if let Some(before) = text.get(done..start).filter(|before| !before.is_empty()) {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let passed = text.get(start..end).map_or(0, |source| source.matches('\n').count());
        pieces.push(Piece::Function { value, line });
        line += passed;
        (done, from) = (end, end);
    }
    if let Some(rest) = text.get(done..).filter(|rest| !rest.is_empty()) {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

/// The function that `text` begins with, and its length.
fn function(text: &str) -> Option<(Value, usize)> {
    // Most braces are a shell's: they are not read any further.
    let key = text.strip_prefix('{')?.trim_start().strip_prefix('"')?;
    if !key.starts_with("Ref\"") && !key.starts_with("Fn::") {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let Some(Ok(Value::Object(object))) = values.next() else { return None };
    let length = values.byte_offset();
    let (name, argument) = single(&object)?;
    let value = match (name, argument) {
        // As YAML's long form has it; JSON wants a list.
        ("Fn::GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.')?;
            serde_json::json!({ "Fn::GetAtt": [resource, attribute] })
        }
        _ => Value::Object(object.clone()),
    };
    Some((value, length))
}

fn single(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

/// Says what is wrong with a function, as the rest of a sentence that begins with the place.
pub(super) fn check(value: &Value, names: &Names) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check(item, names)),
        Value::Object(object) => {
            let Some((name, argument)) = single(object) else {
                return object.values().try_for_each(|value| check(value, names));
            };
            match (name, argument) {
                ("Ref", Value::String(to)) => known(to, names, true),
                ("Ref", _) => Err("Ref wants the name of a parameter or a resource".to_owned()),
                ("Fn::GetAtt", Value::Array(path)) => match path.as_slice() {
                    [Value::String(resource), attribute] => {
                        known(resource, names, false)?;
                        check(attribute, names)
                    }
                    _ => Err("Fn::GetAtt wants [\"RESOURCE\", \"ATTRIBUTE\"]".to_owned()),
                },
                ("Fn::GetAtt", _) => Err("Fn::GetAtt wants [\"RESOURCE\", \"ATTRIBUTE\"]".to_owned()),
                ("Fn::Sub", argument) => sub(argument, names),
                (name, argument) if FUNCTIONS.contains(&name) => check(argument, names),
                (name, _) if name.starts_with("Fn::") => {
                    let near = did_you_mean(name, FUNCTIONS).map(|near| format!("; did you mean {near}?"));
                    let near = near.unwrap_or_default();
                    Err(format!("{} is no function of CloudFormation's{near}", shorten(name)))
                }
                // The map of Fn::Sub, or an entry of it.
                (_, argument) => check(argument, names),
            }
        }
        _ => Ok(()),
    }
}

/// `"…${Name}…${Resource.Attribute}…${!Literal}"`, or `["…", {names of its own}]`.
fn sub(argument: &Value, names: &Names) -> Result<(), String> {
    let wants = || "Fn::Sub wants a text, or a text and a map".to_owned();
    let (text, own) = match argument {
        Value::String(text) => (text, None),
        Value::Array(both) => match both.as_slice() {
            [Value::String(text), Value::Object(own)] => (text, Some(own)),
            _ => return Err(wants()),
        },
        _ => return Err(wants()),
    };
    if let Some(own) = own {
        own.values().try_for_each(|value| check(value, names))?;
    }
    for word in text.split("${").skip(1) {
        let Some((word, _)) = word.split_once('}') else { continue };
        let word = word.trim();
        if word.starts_with('!') || own.is_some_and(|own| own.contains_key(word)) {
            continue;
        }
        match word.split_once('.') {
            Some((resource, _)) => known(resource, names, false)?,
            None => known(word, names, true)?,
        }
    }
    Ok(())
}

fn known(name: &str, names: &Names, any: bool) -> Result<(), String> {
    if name == names.own {
        return Err(format!(
            "{} is the resource whose user-data this is, and cannot name itself",
            shorten(name)
        ));
    }
    let pseudo = PSEUDO.iter().any(|(pseudo, _)| *pseudo == name);
    if names.resources.iter().any(|known| known == name)
        || any && (pseudo || names.parameters.contains_key(name))
    {
        return Ok(());
    }
    let parameters = names.parameters.keys().map(String::as_str).filter(|_| any);
    let pseudo = PSEUDO.iter().map(|(name, _)| *name).filter(|_| any);
    let all = parameters.chain(names.resources.iter().map(String::as_str)).chain(pseudo);
    let near = did_you_mean(name, all).map(|near| format!("; did you mean {near}?"));
    let what = if any { "neither a parameter nor a resource" } else { "no resource" };
    Err(format!("the template has {what} {}{}", shorten(name), near.unwrap_or_default()))
}

/// Something that a function could become, so that the user-data around it can be checked.
pub(super) fn stand_in(value: &Value, names: &Names) -> String {
    let Some((name, argument)) = value.as_object().and_then(single) else { return String::new() };
    match (name, argument) {
        ("Ref", Value::String(name)) => {
            let pseudo = PSEUDO.iter().find(|(pseudo, _)| pseudo == name).map(|(_, value)| *value);
            let parameter = names.parameters.get(name).map(String::as_str);
            parameter.or(pseudo).unwrap_or(name).to_owned()
        }
        ("Fn::Join", Value::Array(both)) => match both.as_slice() {
            [Value::String(between), Value::Array(parts)] => {
                let part = |part: &Value| match part {
                    Value::String(text) => text.clone(),
                    other => stand_in(other, names),
                };
                parts.iter().map(part).collect::<Vec<_>>().join(between)
            }
            _ => "joined".to_owned(),
        },
        _ => "value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> Names {
        Names {
            parameters: [("ClusterSize".to_owned(), "3".to_owned())].into(),
            resources: vec!["Group".to_owned(), "Launch".to_owned()],
            own: "Launch".to_owned(),
        }
    }

    fn shown(text: &str) -> Vec<String> {
        let show = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Function { value, line, .. } => format!("{line}: {value}"),
        };
        pieces(text).into_iter().map(show).collect()
    }

    #[test]
    fn functions_are_found_and_all_else_is_text() {
        assert_eq!(
            shown(
                "a: { \"Ref\" : \"X\" }b\n{\"Fn::GetAtt\":[\"A\",\n\"B\"]}\n{\"Ref\":\"Y\"}{\"Ref\":\"Z\"}"
            ),
            [
                "a: ",
                "1: {\"Ref\":\"X\"}",
                "b\n",
                "2: {\"Fn::GetAtt\":[\"A\",\"B\"]}",
                "\n",
                "4: {\"Ref\":\"Y\"}",
                "4: {\"Ref\":\"Z\"}"
            ]
        );
        for text in [
            "${HOME} $private_ipv4 {{ v1.region }} {a: 1} {\"Reference\": \"x\"} { } {",
            "{\"Ref\": \"X\", \"other\": 1}",
            "{\"Ref\": \"X\"",
            "{Ref: X}",
            "{\"a\": \"Ref\"}",
            "{\"Ref\"",
        ] {
            assert_eq!(shown(text), [text], "{text}");
        }
        assert_eq!(shown("{ {\"Ref\": \"X\"} }"), ["{ ", "1: {\"Ref\":\"X\"}", " }"]);
        assert_eq!(shown("{\"Fn::GetAtt\": \"A.B.C\"}"), ["1: {\"Fn::GetAtt\":[\"A\",\"B.C\"]}"]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn names_must_be_known() {
        for good in [
            json!({"Ref": "ClusterSize"}),
            json!({"Ref": "Group"}),
            json!({"Ref": "AWS::StackName"}),
            json!({"Fn::GetAtt": ["Group", {"Ref": "ClusterSize"}]}),
            json!({"Fn::Sub": "${ClusterSize} ${!Literal} ${AWS::Region} ${Group.Arn} $x"}),
            json!({"Fn::Sub": ["${Own}", {"Own": {"Ref": "Group"}}]}),
            json!({"Fn::Join": [",", [{"Ref": "Group"}, "x"]]}),
            json!({"Fn::Select": [0, {"Fn::GetAZs": ""}]}),
        ] {
            assert_eq!(check(&good, &names()), Ok(()), "{good}");
        }
        for (bad, said) in [
            (
                json!({"Ref": "ClusterSiez"}),
                "neither a parameter nor a resource ClusterSiez; did you mean ClusterSize?",
            ),
            (json!({"Ref": "Banana"}), "neither a parameter nor a resource Banana"),
            (json!({"Ref": "Launch"}), "cannot name itself"),
            (json!({"Ref": 1}), "Ref wants"),
            (json!({"Fn::GetAtt": ["ClusterSize", "x"]}), "no resource ClusterSize"),
            (json!({"Fn::GetAtt": ["Group"]}), "Fn::GetAtt wants"),
            (json!({"Fn::Sub": "${Gruop}"}), "did you mean Group?"),
            (json!({"Fn::Jion": ["", []]}), "did you mean Fn::Join?"),
            (json!({"Fn::Join": ["", [{"Ref": "No"}]]}), "neither a parameter nor a resource No"),
        ] {
            let error = check(&bad, &names()).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn stand_ins_are_what_could_stand_there() {
        assert_eq!(stand_in(&json!({"Ref": "ClusterSize"}), &names()), "3");
        assert_eq!(stand_in(&json!({"Ref": "AWS::Region"}), &names()), "us-east-1");
        assert_eq!(stand_in(&json!({"Fn::Join": ["-", ["a", {"Ref": "ClusterSize"}]]}), &names()), "a-3");
    }
}
