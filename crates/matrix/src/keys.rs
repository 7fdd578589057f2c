//! The keys of a matrix file, as data: the loader and the JSON Schema are made of the same table.

use hardtack_recipe::reading::{Key, Shape, schema_of};
use serde_json::{Value, json};

/// The top of the file.
pub(crate) const MATRIX: &[Key] = &[
    Key::must("matrix", Shape::Whole(1, 1), "The version of the matrix format: 1."),
    Key::may(
        "recipes",
        Shape::List(&Shape::OneOf(&[Shape::Text, Shape::Keys(RECIPE)])),
        "Recipes; each is built with every source. Paths start from this file's directory.",
    ),
    Key::may(
        "sources",
        Shape::List(&Shape::OneOf(&[Shape::Text, Shape::Keys(SOURCE)])),
        "Images to start from.",
    ),
    Key::may(
        "output",
        Shape::Text,
        "The image to make of each: ${recipe} and ${source} are the names of both, ${name} that of the job.",
    ),
    Key::may(
        "exclude",
        Shape::List(&Shape::Keys(EXCLUDE)),
        "Pairs that are not built; a name alone stands for all pairs that have it.",
    ),
    Key::may("include", Shape::List(&Shape::Keys(INCLUDE)), "More jobs, one by one."),
];

/// A recipe of the list.
pub(crate) const RECIPE: &[Key] = &[
    Key::must("recipe", Shape::Text, "The recipe's file."),
    Key::may("name", Shape::Text, "Its name here; else that of the file without its suffix."),
    Key::may("set", Shape::Open(&[], &Shape::Scalar), "Values for variables of the recipe; never a secret."),
];

/// A source of the list.
pub(crate) const SOURCE: &[Key] = &[
    Key::must("source", Shape::Text, "The image's file."),
    Key::may("name", Shape::Text, "Its name here; else that of the file without its suffix."),
    Key::may("digest", Shape::Text, "What the file must be: `sha256:` and 64 hexadecimal digits."),
];

/// Pairs that are not built.
pub(crate) const EXCLUDE: &[Key] = &[
    Key::may("recipe", Shape::Text, "The name of a recipe of the list."),
    Key::may("source", Shape::Text, "The name of a source of the list."),
];

/// One more job.
pub(crate) const INCLUDE: &[Key] = &[
    Key::must("recipe", Shape::Text, "The name of a recipe of the list, or a file."),
    Key::must("source", Shape::Text, "The name of a source of the list, or a file."),
    Key::may("output", Shape::Text, "The image to make; else as `output` of the matrix says."),
    Key::may("name", Shape::Text, "The job's name; else those of recipe and source with `-` between them."),
    Key::may("set", Shape::Open(&[], &Shape::Scalar), "Values for variables of the recipe; never a secret."),
    Key::may("digest", Shape::Text, "What the source must be: `sha256:` and 64 hexadecimal digits."),
];

/// The schema (JSON Schema, draft 2020-12) of matrix files: for editors.
#[must_use]
pub fn matrix_schema() -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hardtack matrix",
        "description": "Many images: `hardtack build --matrix FILE` makes them.",
        "allOf": [
            schema_of(MATRIX),
            {"anyOf": [{"required": ["recipes", "sources", "output"]}, {"required": ["include"]}]},
        ],
    });
    digests(&mut schema);
    schema
}

/// Every property `digest` gets the pattern of one, which no shape of the table has.
fn digests(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let digest = fields.get_mut("properties").and_then(|all| all.get_mut("digest"));
            if let Some(digest) = digest.and_then(Value::as_object_mut) {
                digest.insert("pattern".to_owned(), "^sha256:[0-9A-Fa-f]{64}$".into());
            }
            fields.values_mut().for_each(digests);
        }
        Value::Array(items) => items.iter_mut().for_each(digests),
        _ => {}
    }
}
