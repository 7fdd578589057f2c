//! The JSON Schema of recipes, made of the tables that the loader reads by.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Shape, StepKeys};
use super::{vars, when};

/// The schema (JSON Schema, draft 2020-12): for editors, which complete and check while people write. What
/// depends on other values, on files or on the image, only the loader knows.
#[must_use]
pub fn recipe_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hardtack recipe",
        "description": "What an image shall be; `hardtack build RECIPE --source IMAGE --output FILE` makes it.",
        "allOf": [
            mapping(keys::RECIPE),
            {"anyOf": [{"required": ["steps"]}, {"required": ["include"]}, {"required": ["profile"]}]},
        ],
        "$defs": {
            "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
            "step": one_step(&keys::steps()),
            "when": with(mapping(when::FACTS), "minProperties", json!(1)),
            "vars": {
                "type": ["object", "null"],
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"},
                "additionalProperties": {"anyOf": [
                    {"type": ["string", "number", "boolean", "null"]},
                    {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
                    mapping(vars::FROM_ENVIRONMENT),
                ]},
            },
            "variable": {
                "description": "A variable, or text with variables in it.",
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"var": {"type": "string", "description": "The name of a variable of `vars`."}},
                        "required": ["var"],
                        "additionalProperties": false,
                    },
                    {
                        "type": "object",
                        "properties": {"format": {
                            "type": "string",
                            "description": "Text in which each ${NAME} is a variable; $${ is ${ itself.",
                        }},
                        "required": ["format"],
                        "additionalProperties": false,
                    },
                ],
            },
            "content": {"anyOf": [
                {"type": "string"},
                {"$ref": "#/$defs/elsewhere"},
                {"$ref": "#/$defs/variable"},
            ]},
            "elsewhere": {
                "type": "object",
                "properties": {
                    "env": {"type": "string", "description": "The environment variable; its value is a secret."},
                    "file": {"type": "string", "description": "The file; what is in it is a secret."},
                },
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false,
            },
        },
    })
}

/// An entry of `steps`: a name alone, or a step with its settings and perhaps `when`.
fn one_step(steps: &[StepKeys]) -> Value {
    let mut properties = Map::new();
    for step in steps {
        properties.insert(step.name.to_owned(), about(shape(step.shape), step.about));
    }
    let when = json!({"$ref": "#/$defs/when", "description": "The step is carried out where this holds of the image."});
    properties.insert("when".to_owned(), when);
    let alone = steps.iter().filter(|step| step.bare());
    let bare: Vec<Value> = alone.map(|step| json!({"const": step.name, "description": step.about})).collect();
    json!({"anyOf": [
        {
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "if": {"required": ["when"]},
            "then": {"minProperties": 2, "maxProperties": 2},
            "else": {"minProperties": 1, "maxProperties": 1},
        },
        {"anyOf": bare},
    ]})
}

/// The schema of a mapping with these keys, where no variable stands for anything.
#[must_use]
pub fn schema_of(keys: &[Key]) -> Value {
    mapping_with(keys, false)
}

fn mapping(keys: &[Key]) -> Value {
    mapping_with(keys, true)
}

fn mapping_with(keys: &[Key], variables: bool) -> Value {
    let mut properties = Map::new();
    for key in keys {
        properties.insert(key.name.to_owned(), about(shape_with(key.shape, variables), key.about));
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    // Nothing is a mapping without keys.
    let kind = if required.is_empty() { json!(["object", "null"]) } else { json!("object") };
    json!({"type": kind, "properties": properties, "required": required, "additionalProperties": false})
}

fn shape(of: Shape) -> Value {
    shape_with(of, true)
}

/// `variables`: one may stand for the value.
fn shape_with(of: Shape, variables: bool) -> Value {
    let any = |mut schemas: Vec<Value>| {
        if variables {
            schemas.push(json!({"$ref": "#/$defs/variable"}));
        }
        json!({"anyOf": schemas})
    };
    let shape = |of| shape_with(of, variables);
    match of {
        Shape::Text => any(vec![json!({"type": "string"})]),
        Shape::Bool => any(vec![json!({"type": "boolean"})]),
        Shape::Whole(least, most) => any(vec![json!({"type": "integer", "minimum": least, "maximum": most})]),
        Shape::Mode => any(vec![
            json!({"type": "string", "pattern": "^(0o)?[0-7]{3,5}$"}),
            json!({"type": "integer", "minimum": 0}),
        ]),
        Shape::Words(words) => any(vec![json!({"enum": words})]),
        Shape::Scalar => any(vec![json!({"type": ["string", "number", "boolean"]})]),
        Shape::Null => json!({"type": "null"}),
        Shape::Content => json!({"$ref": "#/$defs/content"}),
        Shape::List(of) => any(vec![json!({"type": "array", "items": shape(*of)})]),
        Shape::Several(of) => any(vec![shape(*of), json!({"type": "array", "items": shape(*of)})]),
        Shape::Keys(keys) => mapping_with(keys, variables),
        Shape::Open(keys, other) => {
            with(mapping_with(keys, variables), "additionalProperties", shape(*other))
        }
        Shape::Ref(name) => json!({"$ref": format!("#/$defs/{name}")}),
        Shape::OneOf(shapes) => json!({"anyOf": shapes.iter().map(|one| shape(*one)).collect::<Vec<_>>()}),
    }
}

fn about(schema: Value, words: &str) -> Value {
    with(schema, "description", json!(words))
}

fn with(mut schema: Value, key: &str, value: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
    schema
}
