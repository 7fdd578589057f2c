//! User-data into a template: checked, taken apart at its substitutions, put in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_userdata::check::{CheckOptions, check};
use hardtack_userdata::{Severity, report};

use super::substitution::{self, Names, Piece};
use super::template::{Template, Value, quoted};
use crate::{Error, user_data};

/// What CloudFormation and EC2 take, before base64.
const LARGEST: usize = 16 << 10;

/// What is put into a template.
#[derive(Clone, Default)]
pub struct Filling {
    /// The user-data's name, for messages.
    pub name: String,
    /// The user-data. `{ "Ref": "X" }` and `{"Fn::…": …}` in a text are kept as CloudFormation's. It may have secrets.
    pub user_data: Vec<u8>,
    /// The logical name of the resource whose `UserData` it is; needed where several take some.
    pub resource: Option<String>,
    /// Values of the template's parameters, as far as they are known: user-data is checked with them in it.
    pub parameters: Vec<(String, String)>,
    /// What the check finds does not stop it.
    pub force: bool,
}

impl std::fmt::Debug for Filling {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Filling").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A template with user-data in it.
#[derive(Clone)]
pub struct Rendered {
    /// Its text: as it was, but for the user-data.
    pub text: String,
    /// The resource that has it.
    pub resource: String,
    /// What was found that is no error: pictures for people.
    pub warnings: Vec<String>,
    /// What was done to the user-data.
    pub told: Option<String>,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rendered").field("resource", &self.resource).finish_non_exhaustive()
    }
}

/// Puts user-data into a template: `Fn::Base64` of the text, or of a `Fn::Join` where there are substitutions; what is
/// no text becomes base64 here. All else stays as it was, to the byte.
///
/// # Errors
/// No resource that takes user-data, or several; a substitution that names nothing; user-data with errors; it is too
/// long.
pub fn render(template: &Template, filling: &Filling) -> Result<Rendered, Error> {
    let resource = template.taker(filling.resource.as_deref())?;
    let text = std::str::from_utf8(&filling.user_data).ok().filter(|text| !text.contains('\0'));
    let pieces = substitution::pieces(text.unwrap_or_default());
    let names = names(template, filling, &resource);
    let functions = pieces.iter().any(|piece| matches!(piece, Piece::Function { .. }));
    let (value, warnings, told) = if functions {
        refuse_unknown(filling, &pieces, &names)?;
        let warnings = checked(filling, &pieces, &names)?;
        (joined(filling, &pieces)?, warnings, None)
    } else {
        let files = [(filling.name.clone(), filling.user_data.clone())];
        let prepared = user_data::prepare(&files, filling.force)?;
        let value = match String::from_utf8(prepared.bytes) {
            Ok(text) if !text.contains('\0') => Value::Text(text),
            Ok(text) => Value::Encoded(BASE64.encode(text)),
            Err(error) => Value::Encoded(BASE64.encode(error.into_bytes())),
        };
        (value, prepared.warnings, prepared.told)
    };
    let text = template.with_user_data(&resource, &value)?;
    Ok(Rendered { text, resource, warnings, told })
}

fn names(template: &Template, filling: &Filling, resource: &str) -> Names {
    let example = |kind: &str| if kind == "Number" { "1" } else { "value" }.to_owned();
    let given =
        |name: &str| filling.parameters.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value);
    let parameters = template.parameters().into_iter().map(|(name, parameter)| {
        // What is secret is in no picture.
        let known = given(&name).cloned().or(parameter.default).filter(|_| !parameter.secret);
        let value = known.or(parameter.allowed.first().cloned()).unwrap_or_else(|| example(&parameter.kind));
        (name, value)
    });
    Names { parameters: parameters.collect(), resources: template.resource_names(), own: resource.to_owned() }
}

/// Every substitution that names nothing, with its line.
fn refuse_unknown(filling: &Filling, pieces: &[Piece], names: &Names) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for piece in pieces {
        if let Piece::Function { value, line, .. } = piece
            && let Err(what) = substitution::check(value, names)
        {
            wrong.push(format!("{}:{line}: {what}", filling.name));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::No(wrong.join("\n"))) }
}

/// The user-data with something in the place of each substitution, through the check. What is found in a line with a
/// substitution may be of what stands in for it: it stops nothing.
fn checked(filling: &Filling, pieces: &[Piece], names: &Names) -> Result<Vec<String>, Error> {
    let (mut text, mut unsure) = (String::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Function { value, .. } => {
                let first = text.matches('\n').count() + 1;
                text.push_str(&substitution::stand_in(value, names));
                unsure.extend(first..=text.matches('\n').count() + 1);
            }
        }
    }
    let mut report = check(&filling.name, text.as_bytes(), &CheckOptions::default());
    for at in 0..report.findings.len() {
        let Some(finding) = report.findings.get(at) else { break };
        if unsure.contains(&report.diagnostic(finding).span.line)
            && let Some(finding) = report.findings.get_mut(at)
        {
            finding.severity = Severity::Warning;
        }
    }
    report.cover();
    if report.findings.is_empty() {
        return Ok(Vec::new());
    }
    let pictures = report::of_files(&[(&filling.name, &report)]);
    if !report.is_valid() && !filling.force {
        return Err(Error::No(pictures));
    }
    Ok(vec![pictures])
}

/// The items of `Fn::Join`: a string for each line, as people write them, and the substitutions as they stand.
fn joined(filling: &Filling, pieces: &[Piece]) -> Result<Value, Error> {
    let (mut items, mut size) = (Vec::new(), 0_usize);
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                size = size.saturating_add(text.len());
                items.extend(text.split_inclusive('\n').map(quoted));
            }
            Piece::Function { value, .. } => items.push(one_line(value)),
        }
    }
    if size > LARGEST {
        return Err(Error::No(format!(
            "{}: {size} bytes beside its substitutions, and user-data has at most {LARGEST}: with substitutions in it, it \
             cannot be compressed",
            filling.name
        )));
    }
    Ok(Value::Joined(items))
}

/// A function as JSON whose strings YAML takes, too.
fn one_line(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => quoted(text),
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(entries) => {
            let entry =
                |(key, value): (&String, &serde_json::Value)| format!("{}: {}", quoted(key), one_line(value));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
