//! What a source is called by.

use crate::Error;

/// What a source is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `ami-…`.
    Image(String),
    /// `snap-…`.
    Snapshot(String),
    /// `ssm:/aws/service/…`: a parameter with an image's id.
    Parameter(String),
    /// `owner=…,name=…` (`*` and `?` in names; other filters too): the newest of them.
    Newest {
        /// Owners.
        owners: Vec<String>,
        /// Filters: name, values.
        filters: Vec<(String, Vec<String>)>,
    },
}

impl Name {
    /// What `text` means; `None` where it is a path.
    ///
    /// # Errors
    /// It begins like one of these and is none.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        if let Some(parameter) = text.strip_prefix("resolve:ssm:").or_else(|| text.strip_prefix("ssm:")) {
            let known = |char: char| char.is_ascii_alphanumeric() || "/_.-:".contains(char);
            if parameter.is_empty() || parameter.len() > 2048 || !parameter.chars().all(known) {
                return Err(Error::Usage(format!(
                    "{text:?}: after ssm: comes a parameter's name, as ssm:/aws/service/debian/release/13/latest/amd64"
                )));
            }
            return Ok(Some(Self::Parameter(parameter.to_owned())));
        }
        for (prefix, make) in
            [("ami-", Self::Image as fn(String) -> Self), ("snap-", Self::Snapshot as fn(String) -> Self)]
        {
            let Some(number) = text.strip_prefix(prefix) else { continue };
            if number.contains(['.', '/']) {
                return Ok(None);
            }
            // 8 digits until 2016, 17 since.
            let digits = number.chars().all(|char| matches!(char, '0'..='9' | 'a'..='f'));
            if !digits || !(8..=17).contains(&number.len()) {
                return Err(Error::Usage(format!(
                    "{text:?}: an id is {prefix} and 17 (or 8) hexadecimal digits; a file of that name is ./{text}"
                )));
            }
            return Ok(Some(make(text.to_owned())));
        }
        match text.split_once('=') {
            Some((key, _)) if is_filter(key) => newest(text).map(Some),
            _ => Ok(None),
        }
    }
}

/// The filters that a list may begin with; a path may have an equals sign, too.
fn is_filter(key: &str) -> bool {
    matches!(key, "owner" | "name" | "architecture" | "virtualization-type" | "description")
        || key.starts_with("tag:")
}

fn newest(text: &str) -> Result<Name, Error> {
    let (mut owners, mut filters) = (Vec::new(), Vec::<(String, Vec<String>)>::new());
    for part in text.split(',') {
        let Some((key, value)) =
            part.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty())
        else {
            return Err(Error::Usage(format!(
                "{text:?}: {part:?} is no filter; a list is as owner=099720109477,name=ubuntu/images/*,architecture=x86_64"
            )));
        };
        match filters.iter_mut().find(|(known, _)| known == key) {
            _ if key == "owner" => owners.push(value.to_owned()),
            Some((_, values)) => values.push(value.to_owned()),
            None => filters.push((key.to_owned(), vec![value.to_owned()])),
        }
    }
    if owners.is_empty() {
        return Err(Error::Usage(format!(
            "{text:?}: without an owner anybody's image of that name would be taken; add owner=ACCOUNT (or amazon, self)"
        )));
    }
    if filters.is_empty() {
        return Err(Error::Usage(format!("{text:?}: which of the owner's images? add name=…")));
    }
    Ok(Name::Newest { owners, filters })
}
