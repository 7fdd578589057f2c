//! Templates: their form, parameters, and the functions in them ("Template anatomy" and "Intrinsic function reference",
//! CloudFormation user guide).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Bytes of a template in a request, at most.
const SIZE: usize = 51_200;
/// Kinds of resources that can be made here.
const KINDS: [&str; 5] = [
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::EC2::Instance",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
];

/// Code `ValidationError`.
pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::bad("ValidationError", text)
}

/// A template that was looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    pub(super) body: Map<String, Value>,
}

/// What names stand for.
pub(super) struct Names<'a> {
    pub(super) template: &'a Template,
    /// Parameters, pseudo parameters, and ids of resources that are made.
    pub(super) values: &'a BTreeMap<String, Value>,
    pub(super) zones: &'a [String],
}

impl Template {
    /// Looks at a template's form.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > SIZE {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must \
                 have length less than or equal to {SIZE}"
            )));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            invalid(format!("Template format error: JSON not well-formed. (line {line}, column {column})"))
        })?;
        let Value::Object(body) = value else {
            return Err(invalid("Template format error: unsupported structure."));
        };
        let template = Self { body };
        if template.resources().is_empty() {
            return Err(invalid("Template format error: At least one Resources member must be defined."));
        }
        let unknown: Vec<&str> = template
            .resources()
            .iter()
            .map(|(_, resource)| kind(resource))
            .filter(|kind| !KINDS.contains(kind))
            .collect();
        if !unknown.is_empty() {
            let text =
                format!("Template format error: Unrecognized resource types: [{}]", unknown.join(", "));
            return Err(invalid(text));
        }
        let mut missing = Vec::new();
        let known = |name: &str| {
            name.starts_with("AWS::")
                || template.section("Parameters").is_some_and(|section| section.contains_key(name))
                || template.section("Resources").is_some_and(|section| section.contains_key(name))
        };
        for (_, resource) in template.resources() {
            for name in references(resource) {
                if !known(&name) && !missing.contains(&name) {
                    missing.push(name);
                }
            }
        }
        if !missing.is_empty() {
            return Err(invalid(format!(
                "Template format error: Unresolved resource dependencies [{}] in the Resources block of the template",
                missing.join(", ")
            )));
        }
        Ok(template)
    }

    pub(super) fn section(&self, name: &str) -> Option<&Map<String, Value>> {
        self.body.get(name)?.as_object()
    }

    pub(super) fn description(&self) -> Option<&str> {
        self.body.get("Description")?.as_str()
    }

    fn resources(&self) -> Vec<(&String, &Value)> {
        self.section("Resources").into_iter().flatten().collect()
    }

    /// Names of the resources, those that others need before them.
    pub(super) fn order(&self) -> Result<Vec<String>, Refusal> {
        let mut left = self.resources();
        let mut done: Vec<String> = Vec::new();
        while !left.is_empty() {
            let waits = |resource: &Value| {
                references(resource).iter().any(|name| left.iter().any(|(other, _)| *other == name))
            };
            let Some(index) = left.iter().position(|(_, resource)| !waits(resource)) else {
                let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
                return Err(invalid(format!(
                    "Circular dependency between resources: [{}]",
                    names.join(", ")
                )));
            };
            done.push(left.remove(index).0.clone());
        }
        Ok(done)
    }

    /// Values of all parameters: those that were given, else their defaults.
    pub(super) fn parameters(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Value>, Refusal> {
        let empty = Map::new();
        let section = self.section("Parameters").unwrap_or(&empty);
        let unknown: Vec<&str> =
            given.keys().filter(|name| !section.contains_key(*name)).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(invalid(format!(
                "Parameters: [{}] do not exist in the template",
                unknown.join(", ")
            )));
        }
        let (mut values, mut missing) = (BTreeMap::new(), Vec::new());
        for (name, parameter) in section {
            let text = |key: &str| parameter.get(key).map(scalar);
            let Some(value) = given.get(name).cloned().or_else(|| text("Default")) else {
                missing.push(name.as_str());
                continue;
            };
            let kind = text("Type").unwrap_or_default();
            if kind == "Number" && value.parse::<f64>().is_err() {
                return Err(invalid(format!("Parameter '{name}' must be a number.")));
            }
            let allowed = parameter.get("AllowedValues").and_then(Value::as_array);
            if allowed.is_some_and(|list| !list.iter().any(|have| scalar(have) == value)) {
                return Err(invalid(format!("Parameter '{name}' must be one of AllowedValues")));
            }
            let bound = |key: &str| text(key).and_then(|text| text.parse::<f64>().ok());
            let number = value.parse::<f64>().unwrap_or_default();
            if bound("MinValue").is_some_and(|least| number < least)
                || bound("MaxValue").is_some_and(|most| number > most)
            {
                return Err(invalid(format!("Parameter '{name}' is out of its bounds")));
            }
            let list = kind == "CommaDelimitedList" || kind.starts_with("List<");
            let value = if list {
                value.split(',').map(|text| Value::from(text.trim())).collect()
            } else {
                Value::from(value)
            };
            values.insert(name.clone(), value);
        }
        if !missing.is_empty() {
            return Err(invalid(format!("Parameters: [{}] must have values", missing.join(", "))));
        }
        Ok(values)
    }

    /// The kind of a resource.
    pub(super) fn kind(&self, name: &str) -> String {
        self.section("Resources").and_then(|all| all.get(name)).map(kind).unwrap_or_default().to_owned()
    }

    /// A resource's properties, with all functions carried out.
    pub(super) fn properties(&self, name: &str, names: &Names<'_>) -> Result<Value, Refusal> {
        let found = self.section("Resources").and_then(|all| all.get(name)?.get("Properties"));
        found.map_or(Ok(Value::Object(Map::new())), |value| resolve(value, names, 0))
    }
}

fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// A value as a string.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Names that a value refers to.
fn references(value: &Value) -> Vec<String> {
    let mut names = Vec::new();
    match value {
        Value::Array(list) => names.extend(list.iter().flat_map(references)),
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("Ref" | "DependsOn", Value::String(name)) => names.push(name.clone()),
                    ("DependsOn", Value::Array(list)) => names.extend(list.iter().map(scalar)),
                    ("Fn::GetAtt", Value::Array(list)) => names.extend(list.first().map(scalar)),
                    _ => names.extend(references(inner)),
                }
            }
        }
        _ => {}
    }
    names
}

fn malformed(function: &str) -> Refusal {
    invalid(format!("Template error: the arguments of {function} are not what it takes"))
}

pub(super) fn resolve(value: &Value, names: &Names<'_>, depth: usize) -> Result<Value, Refusal> {
    if depth > 32 {
        return Err(invalid("Template error: nested too deeply"));
    }
    let inner = |value: &Value| resolve(value, names, depth + 1);
    let (key, argument) = match value {
        Value::Array(list) => return list.iter().map(inner).collect(),
        Value::Object(map) => match (map.len(), map.iter().next()) {
            (1, Some((key, argument))) if key == "Ref" || key.starts_with("Fn::") => (key.as_str(), argument),
            _ => {
                let mut all = Map::new();
                for (key, value) in map {
                    let value = inner(value)?;
                    if !value.is_null() {
                        all.insert(key.clone(), value);
                    }
                }
                return Ok(Value::Object(all));
            }
        },
        other => return Ok(other.clone()),
    };
    if key == "Ref" {
        let name = argument.as_str().unwrap_or_default();
        if name == "AWS::NoValue" {
            return Ok(Value::Null);
        }
        return names.values.get(name).cloned().ok_or_else(|| invalid(format!("Unresolved Ref {name}")));
    }
    let argument = inner(argument)?;
    let list = || argument.as_array().ok_or_else(|| malformed(key));
    match key {
        "Fn::Base64" => {
            let text = argument.as_str().ok_or_else(|| malformed(key))?;
            Ok(STANDARD.encode(text).into())
        }
        "Fn::Join" => {
            let [Value::String(between), Value::Array(parts)] = list()?.as_slice() else {
                return Err(malformed(key));
            };
            if parts.iter().any(|part| part.is_array() || part.is_object()) {
                return Err(malformed(key));
            }
            Ok(parts.iter().map(scalar).collect::<Vec<_>>().join(between).into())
        }
        "Fn::GetAZs" => Ok(names.zones.to_vec().into()),
        "Fn::Select" => {
            let [index, Value::Array(all)] = list()?.as_slice() else { return Err(malformed(key)) };
            let index = scalar(index).parse().unwrap_or(usize::MAX);
            all.get(index).cloned().ok_or_else(|| malformed(key))
        }
        "Fn::FindInMap" => {
            let [map, first, second] = list()?.as_slice() else { return Err(malformed(key)) };
            let found = names.template.section("Mappings").and_then(|section| {
                section.get(&scalar(map))?.get(scalar(first))?.get(scalar(second)).cloned()
            });
            found.ok_or_else(|| invalid(format!("Template error: Unable to get mapping for {argument}")))
        }
        "Fn::GetAtt" => {
            let parts: Vec<String> = list()?.iter().map(scalar).collect();
            let name = parts.join(".");
            names
                .values
                .get(&name)
                .cloned()
                .ok_or_else(|| invalid(format!("Template error: resource has no attribute {name}")))
        }
        _ => Err(invalid(format!("Template error: {key} is not known here"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_carried_out() {
        let text = r#"{ "Resources": { "Box": { "Type": "AWS::EC2::Instance", "Properties": { "UserData":
            { "Fn::Base64": { "Fn::Join": ["", ["a=", { "Ref": "Size" }, "\n"]] } } } } },
            "Parameters": { "Size": { "Type": "Number", "Default": 3 } } }"#;
        let template = Template::parse(text).unwrap();
        let values = template.parameters(&BTreeMap::new()).unwrap();
        let names = Names { template: &template, values: &values, zones: &[] };
        assert_eq!(template.properties("Box", &names).unwrap()["UserData"], STANDARD.encode("a=3\n"));
        let refused = |text: &str| Template::parse(text).unwrap_err().message;
        assert!(refused("{,").contains("JSON not well-formed"));
        assert!(refused("{}").contains("At least one Resources"));
        assert!(refused(&text.replace("\"Size\" }", "\"Sice\" }")).contains("dependencies [Sice]"));
        let given = BTreeMap::from([("x".to_owned(), "y".to_owned())]);
        assert!(template.parameters(&given).unwrap_err().message.contains("[x] do not exist"));
    }
}
