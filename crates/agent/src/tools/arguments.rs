//! Arguments as Python's argparse takes them: options may be shortened as long as they are told apart,
//! short ones may stand together, and a value may follow with or without `=`.

/// An option.
#[derive(Clone, Copy)]
pub(super) struct Opt {
    /// Without its dashes.
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) takes: Takes,
}

/// What comes behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
    /// One of these.
    One(&'static [&'static str]),
    /// One or more of these.
    Some(&'static [&'static str]),
}

/// Without a value.
pub(super) const fn flag(long: &'static str, short: Option<char>) -> Opt {
    Opt { long, short, takes: Takes::Nothing }
}

/// With a value.
pub(super) const fn value(long: &'static str, short: Option<char>) -> Opt {
    Opt { long, short, takes: Takes::Value }
}

/// What was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Options by their long names, in order; those without a value have an empty one.
    options: Vec<(&'static str, String)>,
    /// Everything else.
    pub(super) words: Vec<String>,
}

impl Given {
    pub(super) fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// The last value counts.
    pub(super) fn get(&self, long: &str) -> Option<&str> {
        self.options.iter().rfind(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    pub(super) fn all(&self, long: &str) -> Vec<&str> {
        self.options.iter().filter(|(name, _)| *name == long).map(|(_, value)| value.as_str()).collect()
    }
}

/// Reads `arguments`; at most `words` of them may be none of the `options`.
///
/// # Errors
/// A sentence for whoever called.
pub(super) fn parse(options: &[Opt], words: usize, arguments: &[String]) -> Result<Given, String> {
    let mut given = Given::default();
    let mut rest = arguments.iter().map(String::as_str).peekable();
    let mut only_words = false;
    while let Some(argument) = rest.next() {
        if only_words || argument == "-" || !argument.starts_with('-') {
            given.words.push(argument.to_owned());
            continue;
        }
        if argument == "--" {
            only_words = true;
            continue;
        }
        // What is left of a group of short options.
        let mut group = argument;
        loop {
            let (option, attached, more) = find(options, group)?;
            let name = format!("--{}", option.long);
            if option.takes == Takes::Nothing {
                if attached.is_some() && more.is_none() {
                    return Err(format!("{name} takes no value"));
                }
                given.options.push((option.long, String::new()));
                match more {
                    Some(more) => {
                        group = more;
                        continue;
                    }
                    None => break,
                }
            }
            let is_value = |next: &&str| *next == "-" || !next.starts_with('-');
            let first = match attached {
                Some(text) => text.to_owned(),
                None => rest.next_if(is_value).ok_or_else(|| format!("{name} needs a value"))?.to_owned(),
            };
            let mut values = vec![first];
            if matches!(option.takes, Takes::Some(_)) && attached.is_none() {
                values.extend(std::iter::from_fn(|| rest.next_if(is_value)).map(str::to_owned));
            }
            for value in values {
                if let Takes::One(known) | Takes::Some(known) = option.takes
                    && !known.contains(&value.as_str())
                {
                    return Err(format!("{name}: {value:?} is none of {}", known.join(", ")));
                }
                given.options.push((option.long, value));
            }
            break;
        }
    }
    if let Some(extra) = given.words.get(words) {
        return Err(format!("{extra:?} is not understood"));
    }
    Ok(given)
}

/// The option at the start of `argument`, a value that is attached to it, and the same as a group of more
/// short options.
fn find<'a>(options: &[Opt], argument: &'a str) -> Result<(Opt, Option<&'a str>, Option<&'a str>), String> {
    let unknown = || format!("{argument:?} is no option of this command");
    if let Some(long) = argument.strip_prefix("--") {
        let (name, attached) = match long.split_once('=') {
            Some((name, attached)) => (name, Some(attached)),
            None => (long, None),
        };
        if let Some(option) = options.iter().find(|option| option.long == name) {
            return Ok((*option, attached, None));
        }
        let mut near = options.iter().filter(|option| option.long.starts_with(name));
        return match (near.next(), near.next()) {
            (Some(option), None) => Ok((*option, attached, None)),
            (Some(one), Some(other)) => {
                Err(format!("{argument:?} may be --{} or --{}", one.long, other.long))
            }
            _ => Err(unknown()),
        };
    }
    let short = argument.strip_prefix('-').unwrap_or(argument);
    let mut characters = short.chars();
    let first = characters.next();
    let option =
        options.iter().find(|option| first.is_some() && option.short == first).ok_or_else(unknown)?;
    let behind = characters.as_str();
    let attached = (!behind.is_empty()).then(|| behind.strip_prefix('=').unwrap_or(behind));
    Ok((*option, attached, (!behind.is_empty()).then_some(behind)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OPTIONS: [Opt; 5] = [
        flag("long", Some('l')),
        flag("wait", Some('w')),
        Opt { long: "format", short: None, takes: Takes::One(&["json", "yaml"]) },
        value("user-data", Some('u')),
        Opt { long: "configs", short: Some('c'), takes: Takes::Some(&["all", "network"]) },
    ];

    fn read(text: &str) -> Result<Given, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&OPTIONS, 1, &words)
    }

    #[test]
    fn the_same_in_many_ways() {
        for text in
            ["--wait --long --format json", "-wl --form=json", "-lw --f json", "--lo -w --format=json"]
        {
            let given = read(text).unwrap();
            assert!(given.has("wait") && given.has("long"), "{text}");
            assert_eq!(given.get("format"), Some("json"), "{text}");
        }
        assert_eq!(read("-ufile key").unwrap().get("user-data"), Some("file"));
        assert_eq!(read("-wu file").unwrap().get("user-data"), Some("file"));
        assert_eq!(read("-c all network -w").unwrap().all("configs"), ["all", "network"]);
        assert_eq!(read("-- --wait").unwrap().words, ["--wait"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["--format xml", "--format", "--nonsense", "-x", "a b", "--wait=1", "-c some", "-"] {
            assert_eq!(read(text).is_err(), text != "-", "{text}");
        }
    }
}
