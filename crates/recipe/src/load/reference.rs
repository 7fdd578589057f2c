//! The list of all steps and keys, for people: a page made of the tables that the loader reads by, and compared with the one
//! in docs/.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use super::keys::{self, Key, Shape, StepKeys};
use super::{generalize, operation, vars, when};

const PAGE: &str = "docs/recipes/reference.md";

const HEAD: &str = "\
# All steps and keys

What a recipe may hold, in short. How things work together stands in [Recipes](README.md) and on the page of each step;
`hardtack schema recipe` has the same for editors.

A key that must be there is **bold**; `key.other` is the key `other` within `key`. Instead of a value there may be a variable:
`{var: NAME}` or `{format: \"…${NAME}…\"}` ([the language](language.md)). A *secret* is text, `{env: NAME}` or `{file: PATH}`.

This page is made of the tables that the program reads recipes by.
";

fn reference() -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "Keys of a recipe", "The top of the file.", &Shape::Keys(keys::RECIPE));
    section(
        &mut page,
        "Conditions: `when`",
        "What a step's `when` asks of the image.",
        &Shape::Keys(when::FACTS),
    );
    let environment = &Shape::Keys(vars::FROM_ENVIRONMENT);
    section(
        &mut page,
        "Variables: `vars`",
        "A name, and a value, a list, nothing, or this mapping.",
        environment,
    );
    part(&mut page, "Steps", keys::STEPS, |name| format!("{name}.md"));
    let operations = operation::keys();
    part(&mut page, "Operations", &operations, |_| "operations.md".to_owned());
    part(&mut page, "What belongs to one machine", &generalize::keys(), |_| "generalize.md".to_owned());
    page
}

fn part(page: &mut String, title: &str, steps: &[StepKeys], place: impl Fn(&str) -> String) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {title}\n");
    let simple = |step: &&StepKeys| rows(&step.shape, "").is_empty();
    for step in steps.iter().filter(|step| !simple(step)) {
        let short = match shape(&step.shape) {
            short if short == "mapping" => String::new(),
            short => format!(" Takes: {short}."),
        };
        let _ =
            write!(page, "\n### `{}`\n\n{}{short} [More]({}).\n", step.name, step.about, place(step.name));
        table(page, &step.shape);
    }
    if steps.iter().any(|step| simple(&step)) {
        page.push_str("\nWithout keys of their own:\n\n| step | takes | |\n|---|---|---|\n");
    }
    for step in steps.iter().filter(simple) {
        let (name, takes, about) = (step.name, cell(&shape(&step.shape)), cell(step.about));
        let _ = writeln!(page, "| [`{name}`]({}) | {takes} | {about} |", place(name));
    }
}

fn section(page: &mut String, title: &str, about: &str, shape: &Shape) {
    let _ = write!(page, "\n## {title}\n\n{about}\n");
    table(page, shape);
}

fn table(page: &mut String, shape: &Shape) {
    page.push_str("\n| key | value | |\n|---|---|---|\n");
    for [key, value, about] in rows(shape, "") {
        let _ = writeln!(page, "| {key} | {} | {} |", cell(&value), cell(&about));
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The keys within `of`, those within them behind each.
fn rows(of: &Shape, within: &str) -> Vec<[String; 3]> {
    match of {
        Shape::Keys(keys) => keys.iter().flat_map(|key| of_key(key, within)).collect(),
        Shape::Open(keys, other) => {
            let mut rows: Vec<_> = keys.iter().flat_map(|key| of_key(key, within)).collect();
            rows.push(["any other".to_owned(), shape(other), String::new()]);
            rows
        }
        Shape::Several(of) | Shape::List(of) => rows(of, within),
        Shape::OneOf(shapes) => {
            let mut all: Vec<[String; 3]> = Vec::new();
            for row in shapes.iter().flat_map(|shape| rows(shape, within)) {
                // Keys that several alternatives have.
                if !all.contains(&row) {
                    all.push(row);
                }
            }
            all
        }
        _ => Vec::new(),
    }
}

fn of_key(key: &Key, within: &str) -> Vec<[String; 3]> {
    let name = format!("{within}{}", key.name);
    let shown = if key.needed { format!("**`{name}`**") } else { format!("`{name}`") };
    let mut rows_of_key = vec![[shown, shape(&key.shape), key.about.to_owned()]];
    rows_of_key.extend(rows(&key.shape, &format!("{name}.")));
    rows_of_key
}

/// What a value is, in words.
fn shape(of: &Shape) -> String {
    match of {
        Shape::Text => "text".to_owned(),
        Shape::Bool => "boolean".to_owned(),
        Shape::Whole(least, most) if least == most => format!("{least}"),
        Shape::Whole(least, u32::MAX) => format!("number from {least}"),
        Shape::Whole(least, most) => format!("number, {least} to {most}"),
        Shape::Mode => "octal mode".to_owned(),
        Shape::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::Scalar => "text, number or boolean".to_owned(),
        Shape::Null => "nothing".to_owned(),
        Shape::Content => "secret".to_owned(),
        Shape::Several(of) => format!("{}, or a list", shape(of)),
        Shape::List(of) => format!("list: {}", shape(of)),
        Shape::Keys(_) | Shape::Open(..) => "mapping".to_owned(),
        Shape::Ref("steps") => "list of [steps](#steps)".to_owned(),
        Shape::Ref("vars") => "[variables](#variables-vars)".to_owned(),
        Shape::Ref("when") => "[conditions](#conditions-when)".to_owned(),
        Shape::Ref(name) => (*name).to_owned(),
        Shape::OneOf(shapes) => {
            let mut all: Vec<String> = Vec::new();
            for one in shapes.iter().map(shape) {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
            all.join("; or ")
        }
    }
}

#[test]
fn the_page_is_that_of_these_tables() {
    let wanted = reference();
    hardtack_tests::markdown::assert_generated(PAGE, &wanted, "-p hardtack-recipe");
    // Every step of the schema has its line.
    for step in keys::steps() {
        assert!(wanted.contains(&format!("`{}`", step.name)), "{}", step.name);
    }
}
