//! `matrix`: one recipe, several images.

use std::path::PathBuf;

use hardtack_yaml::{Kind, Node};

use super::keys::{Key, Shape};
use super::reader::Reader;
use super::vars::Vars;

/// The keys of a row.
pub(crate) const ROW: &[Key] = &[
    Key::must("source", Shape::Text, "The image to start from."),
    Key::must("output", Shape::Text, "The image to make."),
    Key::may("vars", Shape::Ref("vars"), "Variables of this row; they win over `vars` of the recipe."),
];

/// One image to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line of the recipe, from 1.
    pub line: usize,
    /// The image to start from.
    pub source: PathBuf,
    /// The image to make.
    pub output: PathBuf,
}

/// The rows; two of them never have one output.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Vec<Row> {
    let Kind::Sequence(items) = &node.kind else {
        let message = format!("`matrix` takes a list of rows, found {}", node.describe());
        reader.error_hint(node.span, message, "write `- {source: IMAGE, output: IMAGE, vars: {…}}`");
        return Vec::new();
    };
    if items.is_empty() {
        reader.error(node.span, "`matrix` is empty");
    }
    let mut rows: Vec<Row> = Vec::new();
    for item in items {
        let Some(fields) = reader.keyed(item, "a row of `matrix`", ROW) else { continue };
        let mut path = |key: &'static str| -> Option<PathBuf> {
            let value = reader.required(&fields, key, item.span)?;
            let text = reader.line(value, key)?;
            Some(reader.host_path(text))
        };
        let (source, output) = (path("source"), path("output"));
        let (Some(source), Some(output)) = (source, output) else { continue };
        if let Some(before) = rows.iter().find(|row| row.output == output) {
            let message = format!("the rows of line {} and {} have one output", before.line, item.span.line);
            reader.error(item.span, message);
        }
        rows.push(Row { line: item.span.line, source, output });
    }
    rows
}

/// Takes the variables of row `index`.
pub(super) fn take(reader: &mut Reader<'_>, node: &Node, index: usize, vars: &mut Vars) {
    let row = node.as_sequence().and_then(|rows| rows.get(index));
    if let Some(row) = row.and_then(|row| row.get("vars")) {
        vars.declare_row(reader, row);
    }
}
