//! Operations of virt-customize as steps.

use std::path::Path;

use serde_yaml::{Mapping, Value};

use super::options::{self, Given, Meaning, Takes};
use super::{Around, ImportError, Imported, Password, mapping, perl, step};
use crate::Secret;

/// A file of commands is text that people write.
const LARGEST_FILE: u64 = 4 << 20;

/// The options of a file of commands: one a line, its name without dashes, then a blank and the value to the end of
/// the line. `#` begins a comment at the beginning of a line only; `\` at its end goes on in the next one, and the line's
/// end stays in the value, as 1.48 and 1.56 have it.
pub(super) fn commands(path: &str, text: &str, sysprep: bool) -> Result<Vec<Given>, ImportError> {
    let mut all = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        while line.ends_with('\\') {
            line.pop();
            let Some((_, more)) = lines.next() else { break };
            line.push('\n');
            line.push_str(more);
        }
        let (name, value) = match line.split_once([' ', '\t']) {
            Some((name, value)) => (name, Some(value)),
            None => (line.as_str(), None),
        };
        let fail = |error: ImportError| error.at(path, number);
        let option = options::find(name, sysprep, false).map_err(fail)?;
        if option.name == "commands-from-file" {
            return Err(fail(ImportError::new("a file of commands cannot name another one")));
        }
        let value = match (option.takes, value) {
            (Takes::Value, Some(value)) if value.starts_with([' ', '\t']) => {
                let what = format!("`{name}` is followed by two blanks, and the second belongs to its value");
                return Err(fail(ImportError::new(what).hint("one blank stands between name and value")));
            }
            (Takes::Value, Some(value)) => value.to_owned(),
            (Takes::Value, None) => return Err(fail(ImportError::new(format!("`{name}` needs a value")))),
            (Takes::Nothing, Some(value)) if !value.trim().is_empty() => {
                return Err(fail(ImportError::new(format!("`{name}` takes no value"))));
            }
            (Takes::Nothing, _) => String::new(),
        };
        let given = Given { name: option.name, meaning: option.meaning, value };
        if given.meaning == Meaning::Setting {
            return Err(fail(ImportError::new(format!("`{name}` stands on the command line only"))));
        }
        all.push(given);
    }
    Ok(all)
}

/// Puts the options of files of commands where they were named.
pub(super) fn with_files(
    given: Vec<Given>,
    sysprep: bool,
    around: &Around<'_>,
) -> Result<Vec<Given>, ImportError> {
    let mut all = Vec::new();
    for one in given {
        if one.name != "commands-from-file" {
            all.push(one);
            continue;
        }
        // It may hold passwords.
        let bytes = around
            .files
            .read_secret(Path::new(&one.value), LARGEST_FILE)
            .map_err(|error| ImportError::new(format!("{}: cannot read it: {error}", one.value)))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| ImportError::new(format!("{}: is not UTF-8 text", one.value)))?;
        all.extend(commands(&one.value, &text, sysprep)?);
    }
    Ok(all)
}

/// The steps, in their order; passwords come last, as with the other tool.
pub(super) fn steps(
    given: &[Given],
    around: &Around<'_>,
    lenient: bool,
    steps: &mut Vec<Value>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let mut passwords: Vec<(String, Value)> = Vec::new();
    for one in given {
        match one.name {
            "password" | "root-password" => {
                let (user, selector) = match one.name {
                    "root-password" => ("root", one.value.as_str()),
                    _ => pair(one, "USER:SELECTOR")?,
                };
                if passwords.iter().any(|(have, _)| have == user) {
                    return Err(ImportError::new(format!("the password of `{user}` is given twice")));
                }
                let password = password(user, selector, imported)?;
                passwords.push((user.to_owned(), password));
            }
            "edit" => {
                let (path, expression) = pair(one, "FILE:EXPRESSION")?;
                for one in perl::substitutions(expression)? {
                    let edit =
                        [("path", path.into()), ("match", one.pattern.into()), ("with", one.with.into())];
                    steps.push(operation("edit", &edit, lenient));
                }
            }
            _ => steps.push(simple(one, around, lenient)?),
        }
    }
    steps.extend(passwords.into_iter().map(|(user, password)| {
        let mut settings = match password {
            Value::Mapping(settings) => settings,
            other => mapping(&[("password", other)]),
        };
        settings.insert("user".into(), user.into());
        step("password", settings)
    }));
    Ok(())
}

/// One option that is one step.
fn simple(one: &Given, around: &Around<'_>, lenient: bool) -> Result<Value, ImportError> {
    let text = |value: &str| Value::from(value);
    let value = one.value.as_str();
    Ok(match one.name {
        "append-line" => {
            let (path, line) = pair(one, "FILE:LINE")?;
            operation("append-line", &[("path", text(path)), ("line", text(line))], lenient)
        }
        "chmod" => {
            let (mode, path) = pair(one, "PERMISSIONS:FILE")?;
            operation("chmod", &[("path", text(path)), ("mode", text(octal(mode)?))], lenient)
        }
        "chown" => {
            let parts: Vec<&str> = value.splitn(3, ':').collect();
            let [uid, gid, path] = parts[..] else { return Err(form(one, "UID:GID:PATH")) };
            operation("chown", &[("path", text(path)), ("owner", format!("{uid}:{gid}").into())], lenient)
        }
        "copy" | "move" => {
            let (from, to) = pair(one, "SOURCE:DESTINATION")?;
            operation(one.name, &[("from", text(from)), ("to", text(to))], lenient)
        }
        "copy-in" => {
            let (from, to) = pair(one, "LOCAL:DIRECTORY")?;
            operation("copy-in", &[("from", text(from)), ("to", text(to))], lenient)
        }
        "tar-in" => {
            let (from, to) = pair(one, "ARCHIVE:DIRECTORY")?;
            operation("tar-in", &[("from", text(from)), ("to", text(to))], lenient)
        }
        "upload" => {
            let (from, to) = pair(one, "FILE:DESTINATION")?;
            operation("upload", &[("from", text(from)), ("to", text(to))], lenient)
        }
        "write" => {
            let (path, content) = pair(one, "FILE:CONTENT")?;
            operation("write", &[("path", text(path)), ("content", text(content))], lenient)
        }
        "link" => {
            let mut parts = value.split(':');
            let (target, paths) = (parts.next().unwrap_or_default(), parts.collect::<Vec<_>>());
            if paths.is_empty() {
                return Err(form(one, "TARGET:LINK[:LINK…]"));
            }
            let paths = Value::Sequence(paths.into_iter().map(Value::from).collect());
            operation("link", &[("target", text(target)), ("path", paths)], lenient)
        }
        "ssh-inject" => ssh_inject(value, around, lenient)?,
        "install" | "uninstall" | "firstboot-install" => {
            let names: Vec<Value> =
                value.split([',', ' ']).filter(|name| !name.is_empty()).map(Value::from).collect();
            if names.is_empty() {
                return Err(form(one, "PACKAGE,PACKAGE…"));
            }
            step(one.name, Value::Sequence(names))
        }
        "update" | "selinux-relabel" => step(one.name, true),
        "run" | "run-command" | "firstboot" | "firstboot-command" => step(one.name, text(value)),
        "hostname" => operation("hostname", &[("name", text(value))], lenient),
        "timezone" => operation("timezone", &[("zone", text(value))], lenient),
        // delete, mkdir, scrub, touch, truncate, truncate-recursive.
        name => operation(name, &[("path", text(value))], lenient),
    })
}

fn operation(name: &str, pairs: &[(&str, Value)], lenient: bool) -> Value {
    let mut settings = mapping(pairs);
    if lenient {
        settings.insert("optional".into(), true.into());
    }
    step(name, settings)
}

/// At the first colon, as the other tool does.
fn pair<'a>(one: &'a Given, wanted: &str) -> Result<(&'a str, &'a str), ImportError> {
    one.value.split_once(':').ok_or_else(|| form(one, wanted))
}

fn form(one: &Given, wanted: &str) -> ImportError {
    let shown = if one.name.contains("password") { String::new() } else { format!(" {}", one.value) };
    ImportError::new(format!("`--{}{shown}`: the value is {wanted}", one.name))
}

/// The other tool takes a number without a leading zero for a decimal one.
fn octal(mode: &str) -> Result<&str, ImportError> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match mode.strip_prefix('0').map(|rest| rest.strip_prefix(['o', 'O']).unwrap_or(rest)) {
        Some("") => Ok("0"),
        Some(rest) if digits(rest) => Ok(mode.trim_start_matches("0o").trim_start_matches("0O")),
        _ => {
            let error =
                ImportError::new(format!("`--chmod {mode}:…`: the mode is no octal number with a leading 0"));
            Err(match (digits(mode), mode.parse::<u32>()) {
                (true, Ok(decimal)) => error.hint(format!(
                    "virt-customize reads {mode} as a decimal number, which is 0{decimal:o}; 0{mode} is probably meant"
                )),
                _ => error.hint("write it as 0755"),
            })
        }
    }
}

fn ssh_inject(value: &str, around: &Around<'_>, lenient: bool) -> Result<Value, ImportError> {
    let (user, selector) = value.split_once(':').unwrap_or((value, ""));
    let (name, key) = match selector.split_once(':') {
        Some(("file", path)) => ("file", path.to_owned()),
        Some(("string", key)) => ("key", key.to_owned()),
        None if selector.is_empty() => {
            let path = (around.default_key)().ok_or_else(|| {
                ImportError::new(format!("`--ssh-inject {user}`: there is no public key in ~/.ssh"))
                    .hint(format!("--ssh-inject {user}:file:KEY.pub"))
            })?;
            ("file", path.to_string_lossy().into_owned())
        }
        _ => {
            return Err(ImportError::new(format!(
                "`--ssh-inject {value}`: the selector is file:PATH or string:KEY"
            )));
        }
    };
    Ok(operation("ssh-inject", &[("user", user.into()), (name, key.into())], lenient))
}

/// The settings of step `password` for a selector. A password of the command line is kept out of the recipe.
fn password(user: &str, selector: &str, imported: &mut Imported) -> Result<Value, ImportError> {
    let (word, rest) = match selector.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (selector, None),
    };
    let mut variable = |value: Option<Secret>| {
        let letters: String = user
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
            .collect();
        let variable = format!("{letters}_PASSWORD");
        imported.passwords.push(Password { variable: variable.clone(), user: user.to_owned(), value });
        Value::Mapping(mapping(&[("env", variable.into())]))
    };
    let settings = |password: Value| Value::Mapping(mapping(&[("password", password)]));
    match (word, rest) {
        ("password", Some(text)) => Ok(settings(variable(Some(Secret::new(text))))),
        ("file", Some(path)) => Ok(settings(Value::Mapping(mapping(&[("file", path.into())])))),
        ("random", None) => Ok(settings(variable(None))),
        ("disabled" | "disable", None) => Ok(settings("disabled".into())),
        ("locked" | "lock", None) => Ok(settings("locked".into())),
        ("locked" | "lock", Some(rest))
            if !rest.is_empty() && !rest.starts_with("lock") && !rest.starts_with("disable") =>
        {
            let mut settings = match password(user, rest, imported)? {
                Value::Mapping(settings) => settings,
                _ => Mapping::new(),
            };
            settings.insert("locked".into(), true.into());
            Ok(Value::Mapping(settings))
        }
        _ => Err(ImportError::new(format!("the password of `{user}`: the selector `{word}` is not known"))
            .hint(
                "password:TEXT, file:PATH, random, disabled, locked, or locked: and one of the first three",
            )),
    }
}
