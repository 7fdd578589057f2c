//! Parameters of the query protocol. Each one must be asked for: what nobody asked for is unknown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::http::{self, Request};
use crate::refusal::Refusal;

/// Parameters that belong to every call or to signature version 2.
const COMMON: [&str; 9] = [
    "Action",
    "Version",
    "AWSAccessKeyId",
    "SignatureVersion",
    "SignatureMethod",
    "Signature",
    "Timestamp",
    "Expires",
    "SecurityToken",
];

/// The parameters of a call.
#[derive(Debug)]
pub(crate) struct Params {
    values: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
}

impl Params {
    /// Those of the query and of a form in the body.
    pub(crate) fn of(request: &Request) -> Self {
        let mut values: BTreeMap<_, _> = http::pairs(&request.query, true).into_iter().collect();
        let form = request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if form {
            values.extend(http::pairs(&String::from_utf8_lossy(&request.body), true));
        }
        Self { values, used: RefCell::default() }
    }

    /// A value, as if it were asked for; for the log.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A value that may be missing or empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.used.borrow_mut().insert(name.to_owned());
        self.values.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A value that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<String, Refusal> {
        self.get(name).ok_or_else(|| {
            Refusal::bad("MissingParameter", format!("The request must contain the parameter {name}"))
        })
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong(name, &text))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(text) => Err(wrong(name, text)),
        }
    }

    /// One of a few values.
    pub(crate) fn one_of(&self, name: &str, known: &[&str]) -> Result<Option<String>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if known.contains(&text.as_str()) { Ok(Some(text)) } else { Err(wrong(name, &text)) }
    }

    /// The numbers of `NAME.1`, `NAME.2.…`.
    fn numbers(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{name}.");
        let rest = self.values.keys().filter_map(|key| key.strip_prefix(&prefix));
        rest.filter_map(|rest| rest.split('.').next()?.parse().ok()).collect()
    }

    /// `NAME.1`, `NAME.2` ….
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let numbers = self.numbers(name).into_iter();
        numbers.filter_map(|number| self.get(&format!("{name}.{number}"))).collect()
    }

    /// `NAME.1`, `NAME.2` as prefixes of what belongs to each.
    pub(crate) fn structures(&self, name: &str) -> Vec<String> {
        self.numbers(name).into_iter().map(|number| format!("{name}.{number}")).collect()
    }

    /// `Tag.1.Key`, `Tag.1.Value` below `name`.
    pub(crate) fn tags(&self, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let mut tags = BTreeMap::new();
        for prefix in self.structures(name) {
            let key = self.need(&format!("{prefix}.Key"))?;
            let value = self.get(&format!("{prefix}.Value")).unwrap_or_default();
            check_tag(&key, &value)?;
            tags.insert(key, value);
        }
        Ok(tags)
    }

    /// `TagSpecification.N`, for the resource types in `known`.
    pub(crate) fn specified_tags(
        &self,
        known: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, Refusal> {
        let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for prefix in self.structures("TagSpecification") {
            let kind = self.need(&format!("{prefix}.ResourceType"))?;
            if !known.contains(&kind.as_str()) {
                let text = format!("'{kind}' is not a valid taggable resource type for this operation.");
                return Err(Refusal::bad("InvalidParameterValue", text));
            }
            all.entry(kind).or_default().extend(self.tags(&format!("{prefix}.Tag"))?);
        }
        Ok(all)
    }

    /// `Filter.N.Name` and `Filter.N.Value.M`.
    pub(crate) fn filters(&self) -> Result<Vec<(String, Vec<String>)>, Refusal> {
        let mut filters = Vec::new();
        for prefix in self.structures("Filter") {
            filters.push((self.need(&format!("{prefix}.Name"))?, self.list(&format!("{prefix}.Value"))));
        }
        Ok(filters)
    }

    /// Everything that was sent but for signatures, to tell one call from another.
    pub(crate) fn fingerprint(&self) -> String {
        let own = self.values.iter().filter(|(name, _)| !COMMON.contains(&name.as_str()));
        own.map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// Everything was asked for that was sent; and it was no trial.
    pub(crate) fn finish(&self) -> Result<(), Refusal> {
        let trial = self.flag("DryRun")? == Some(true);
        let used = self.used.borrow();
        let unknown =
            self.values.keys().find(|name| !used.contains(*name) && !COMMON.contains(&name.as_str()));
        if let Some(name) = unknown {
            let text = format!("The parameter {name} is not recognized");
            return Err(Refusal::bad("UnknownParameter", text));
        }
        if trial {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Err(Refusal::new(412, "DryRunOperation", text));
        }
        Ok(())
    }
}

/// Lengths of tags, and the prefix that is not the user's (Tag restrictions, EC2 user guide).
pub(crate) fn check_tag(key: &str, value: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Err(Refusal::bad("InvalidParameterValue", format!("Tag '{key}' is too long or empty")));
    }
    if key.starts_with("aws:") {
        let text = "Tag keys starting with 'aws:' are reserved for internal use";
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    Ok(())
}

/// A value that a parameter cannot have.
pub(crate) fn wrong(name: &str, value: &str) -> Refusal {
    Refusal::bad("InvalidParameterValue", format!("Invalid value '{value}' for {name}"))
}
