//! What is given for the parameters of a template, compared before anything is asked for.

use hardtack_yaml::{did_you_mean, shorten};

use super::template::Template;
use crate::Error;

/// Every parameter has a value that it can have, and every value is of a parameter. Values of secret ones are in no
/// message.
///
/// # Errors
/// What is missing, unknown, given twice, or not allowed: all of it.
pub fn check(template: &Template, given: &[(String, String)]) -> Result<(), Error> {
    let parameters = template.parameters();
    let mut wrong = Vec::new();
    for (at, (name, value)) in given.iter().enumerate() {
        let Some(parameter) = parameters.get(name) else {
            let near = did_you_mean(name, parameters.keys().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            wrong.push(format!("the template has no parameter {}{near}", shorten(name)));
            continue;
        };
        if given.iter().take(at).any(|(earlier, _)| earlier == name) {
            wrong.push(format!("the parameter {name} is given twice"));
        }
        if !parameter.allowed.is_empty() && !parameter.allowed.contains(value) {
            let allowed = parameter.allowed.join(", ");
            let found = if parameter.secret { "what is given".to_owned() } else { shorten(value) };
            wrong.push(format!("the parameter {name} can be {allowed}, and not {found}"));
        }
        if parameter.kind == "Number" && value.trim().parse::<f64>().is_err() {
            wrong.push(format!("the parameter {name} is a number, and what is given is none"));
        }
    }
    let missing: Vec<&str> = parameters
        .iter()
        .filter(|(name, parameter)| {
            parameter.default.is_none() && !given.iter().any(|(given, _)| given == *name)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !missing.is_empty() {
        wrong.push(format!(
            "the template wants parameters that are not given: {} (-p NAME=VALUE)",
            missing.join(", ")
        ));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Usage(wrong.join("\n"))) }
}

/// What a parameter will be: what is given, else its default.
pub fn value(template: &Template, given: &[(String, String)], name: &str) -> Option<String> {
    let own = given.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.clone());
    own.or_else(|| template.parameters().get(name)?.default.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Parameters:\n  Size: {Type: Number, Default: 3}\n  Key: {Type: String}\n  Vm: {Type: String, Default: \
                            a, AllowedValues: [a, b]}\n  Code: {Type: String, NoEcho: true, Default: x, AllowedValues: [x]}\n\
                            Resources: {A: {Type: T}}\n";

    fn said(given: &[(&str, &str)]) -> String {
        let template = Template::parse("t", TEMPLATE.as_bytes()).unwrap();
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(&template, &given).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn parameters_are_compared_with_the_template() {
        assert_eq!(said(&[("Key", "k"), ("Size", "5")]), "");
        let text = said(&[("Sise", "5"), ("Vm", "c"), ("Code", "hunter2")]);
        assert!(text.contains("no parameter Sise; did you mean Size?"), "{text}");
        assert!(text.contains("Vm can be a, b, and not c"), "{text}");
        assert!(text.contains("not given: Key") && !text.contains("hunter2"), "{text}");
        assert!(said(&[("Key", "k"), ("Key", "l")]).contains("given twice"));
        assert!(said(&[("Key", "k"), ("Size", "many")]).contains("is a number"));
        let template = Template::parse("t", TEMPLATE.as_bytes()).unwrap();
        assert_eq!(value(&template, &[], "Size").as_deref(), Some("3"));
        assert_eq!(value(&template, &[("Size".to_owned(), "7".to_owned())], "Size").as_deref(), Some("7"));
    }
}
