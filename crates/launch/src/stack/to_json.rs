//! A template in YAML as JSON, for clouds that take nothing else (Eucalyptus).
//!
//! Source: CloudFormation's user guide, "Intrinsic function reference": `!Ref X` is `{"Ref": X}`, `!GetAtt A.B` is
//! `{"Fn::GetAtt": ["A", "B"]}`, `!Condition X` is `{"Condition": X}`, every other `!X` is `{"Fn::X": …}`.

use hardtack_yaml::{Kind, Node, Scalar, Style, shorten};
use serde_json::{Map, Value};

/// The same template as JSON.
///
/// # Errors
/// A tag that is none of CloudFormation's, with its line.
pub(super) fn json(node: &Node) -> Result<Value, String> {
    let plain = match &node.kind {
        Kind::Scalar(scalar) => value(scalar),
        Kind::Sequence(items) => Value::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        Kind::Mapping(pairs) => {
            let mut map = Map::new();
            for (key, node) in pairs {
                let name = key.text().ok_or_else(|| at(key, "a key that is no text"))?;
                map.insert(name.to_owned(), json(node)?);
            }
            Value::Object(map)
        }
    };
    let Some(tag) = node.tag.as_deref() else { return Ok(plain) };
    if let Some(kind) = tag.strip_prefix("tag:yaml.org,2002:") {
        return match (kind, &node.kind) {
            ("str", Kind::Scalar(scalar)) => Ok(Value::String(scalar.text.clone())),
            ("int" | "float" | "bool" | "null" | "timestamp" | "seq" | "map", _) => Ok(plain),
            _ => Err(at(node, &format!("the tag !!{}, which is none of CloudFormation's", shorten(kind)))),
        };
    }
    let name = tag.strip_prefix('!').unwrap_or_default();
    let is_function = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let function = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ if is_function => format!("Fn::{name}"),
        _ => return Err(at(node, &format!("the tag {}, which is none of CloudFormation's", shorten(tag)))),
    };
    // Functions take their arguments as texts.
    let argument = match (name, &node.kind) {
        ("GetAtt", Kind::Scalar(scalar)) => match scalar.text.split_once('.') {
            Some((resource, attribute)) => Value::from(vec![resource, attribute]),
            None => return Err(at(node, "!GetAtt without an attribute: it is RESOURCE.ATTRIBUTE")),
        },
        (_, Kind::Scalar(scalar)) => Value::String(scalar.text.clone()),
        _ => plain,
    };
    Ok(Value::Object(Map::from_iter([(function, argument)])))
}

fn at(node: &Node, what: &str) -> String {
    format!("line {}: {what}", node.span.line)
}

/// Numbers as they are written, and `true` and `false`; everything else is text: `0644`, `2010-09-09`, `yes`.
fn value(scalar: &Scalar) -> Value {
    let text = || Value::String(scalar.text.clone());
    if scalar.style != Style::Plain {
        return text();
    }
    match scalar.text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        written => match serde_json::from_str::<serde_json::Number>(written) {
            // What JSON would write otherwise stays text.
            Ok(number) if number.to_string() == written => Value::Number(number),
            _ => text(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::stack::Template;

    fn converted(text: &str) -> Result<serde_json::Value, String> {
        let template = Template::parse("t", text.as_bytes()).unwrap();
        let text = template.to_json().map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn short_tags_become_functions() {
        let text = "AWSTemplateFormatVersion: 2010-09-09\nParameters:\n  Size: {Type: Number, Default: 3, NoEcho: false}\n\
                    Resources:\n  A:\n    Type: AWS::EC2::Instance\n    Condition: Big\n    Properties:\n      ImageId: !Ref Image\n      \
                    Zone: !Select [0, !GetAZs '']\n      Port: 0644\n      Owner: 012345678901\n      Id: !GetAtt Group.GroupId\n      \
                    UserData: !Base64\n        Fn::Join: ['', [a, !Sub '${B}-c', yes, ~]]\n      X: !If [Big, !Ref 'AWS::NoValue', 1.5]\n\
                    Conditions:\n  Big: !And [!Condition Other, !Equals [!Ref Size, 3]]\n";
        assert_eq!(
            converted(text).unwrap(),
            json!({
                "AWSTemplateFormatVersion": "2010-09-09",
                "Parameters": {"Size": {"Type": "Number", "Default": 3, "NoEcho": false}},
                "Resources": {"A": {"Type": "AWS::EC2::Instance", "Condition": "Big", "Properties": {
                    "ImageId": {"Ref": "Image"},
                    "Zone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
                    "Port": "0644",
                    "Owner": "012345678901",
                    "Id": {"Fn::GetAtt": ["Group", "GroupId"]},
                    "UserData": {"Fn::Base64": {"Fn::Join": ["", ["a", {"Fn::Sub": "${B}-c"}, "yes", null]]}},
                    "X": {"Fn::If": ["Big", {"Ref": "AWS::NoValue"}, 1.5]},
                }}},
                "Conditions": {"Big": {"Fn::And": [{"Condition": "Other"}, {"Fn::Equals": [{"Ref": "Size"}, 3]}]}},
            })
        );
        // JSON stays as it is.
        let json = "{\"Resources\": {\"A\": {\"Type\": \"T\"}}}";
        assert_eq!(Template::parse("t", json.as_bytes()).unwrap().to_json().unwrap(), json);
    }

    #[test]
    fn what_is_none_of_cloudformations_is_told_with_its_line() {
        let said = converted("Resources:\n  A:\n    Type: !!python/object T\n").unwrap_err();
        assert!(said.contains("line 3") && said.contains("!!python/object"), "{said}");
        let said = converted("Resources:\n  A:\n    Type: !GetAtt T\n").unwrap_err();
        assert!(said.contains("line 3") && said.contains("RESOURCE.ATTRIBUTE"), "{said}");
        let said = converted("Resources:\n  A:\n    Type: !a/b T\n").unwrap_err();
        assert!(said.contains("!a/b"), "{said}");
    }
}
