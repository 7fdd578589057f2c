//! The filter `tojson`.

use super::run::{Outcome, Run};
use super::value::{DEPTH, Value};

/// `json.dumps(value, sort_keys=True)`, safe for HTML as Jinja makes it.
pub(super) fn write(run: &mut Run, value: &Value, depth: usize, out: &mut String) -> Outcome<()> {
    run.charge(8)?;
    if depth > DEPTH {
        return run.stop("nested too deep for JSON");
    }
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(_) | Value::Float(_) => out.push_str(&run.print(value)?),
        Value::Text(text) => {
            run.charge(text.len().saturating_mul(6))?;
            json_text(text, out);
        }
        Value::List(_) | Value::Tuple(_) => {
            out.push('[');
            for (index, item) in run.items(value)?.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(run, item, depth + 1, out)?;
            }
            out.push(']');
        }
        Value::Map(names) => {
            let mut names: Vec<_> = names.borrow().clone().into_iter().collect();
            names.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push('{');
            for (index, (name, value)) in names.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                run.charge(name.len().saturating_mul(6))?;
                json_text(name, out);
                out.push_str(": ");
                write(run, value, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => return run.stop("a value that is no JSON"),
    }
    Ok(())
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for unit in text.encode_utf16() {
        match char::from_u32(u32::from(unit)) {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(character @ ' '..='~') if !matches!(character, '<' | '>' | '&' | '\'') => {
                out.push(character)
            }
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out.push('"');
}
