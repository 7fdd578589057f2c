//! What `merge_how` says, in both of its spellings (`cloudinit/mergers/`):
//! `list(append)+dict(recurse_list)+str()`, or a list of `{name: list, settings: [append]}`.

use hardtack_yaml::shorten;

use super::{MERGE_HOW, Refused, take_merge_how};
use crate::finding::{Finding, Place};
use crate::truth::truthy;
use crate::value::{Key, Kind, Map, Value};

/// How mappings, lists and texts are merged. What has no merger stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mergers {
    pub(super) dict: Option<DictMerger>,
    pub(super) list: Option<ListMerger>,
    pub(super) text: Option<TextMerger>,
    /// The user asked for it.
    pub(super) asked: bool,
}

/// `m_dict.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DictMerger {
    /// The later value of a key wins; without it the earlier one.
    pub replace: bool,
    pub recurse_str: bool,
    pub recurse_list: bool,
    /// A null removes the key.
    pub allow_delete: bool,
}

/// `m_list.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListMerger {
    pub method: ListMethod,
    pub recurse_str: bool,
    pub recurse_dict: bool,
    pub recurse_list: bool,
}

/// What becomes of two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListMethod {
    Append,
    Prepend,
    /// Item by item; what the later list has more is lost.
    Replace,
    NoReplace,
}

/// `m_str.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextMerger {
    pub append: bool,
}

/// What is asked whether it holds an option.
enum Options<'a> {
    Words(Vec<&'a str>),
    /// A text as `settings` is searched as Python's `in` does: for the letters.
    Letters(&'a str),
}

impl Options<'_> {
    fn has(&self, word: &str) -> bool {
        match self {
            Self::Words(words) => words.contains(&word),
            Self::Letters(text) => text.contains(word),
        }
    }
}

impl Mergers {
    /// Those of a part: its `merge_how`, then its header, which are taken out of `config`; the
    /// default is that later keys replace earlier ones.
    pub(super) fn of_part(config: &mut Map, header: &str, place: Place) -> Result<Self, Refused> {
        let mut mergers = Self::default();
        if let Some((key, value)) = take_merge_how(config) {
            mergers.add(&value, key.place)?;
        }
        mergers.add_text(header, place)?;
        if mergers.asked {
            return Ok(mergers);
        }
        mergers.add_text("dict(replace)+list()+str()", place)?;
        Ok(Self { asked: false, ..mergers })
    }

    /// Those of a layer (`cloudinit/util.py`, `mergemanydict`); the default is that keys of earlier
    /// layers win. `None` for a `merge_how` over which cloud-init breaks.
    pub(crate) fn of_layer(config: &mut Map) -> Option<Self> {
        let mut mergers = Self::default();
        if let Some((key, value)) = take_merge_how(config) {
            mergers.add(&value, key.place).ok()?;
        }
        if !mergers.asked {
            mergers.add_text("list()+dict()+str()", Place::default()).ok()?;
        }
        Some(mergers)
    }

    fn add(&mut self, value: &Value, place: Place) -> Result<(), Refused> {
        let items = match &value.kind {
            Kind::Text(text) => return self.add_text(text, value.place),
            Kind::List(items) => items,
            Kind::Map(map) if map.is_empty() => return Ok(()),
            _ => return Err(shape(place)),
        };
        for item in items {
            match &item.kind {
                Kind::Map(map) => {
                    let name = map.get(&Key::text("name")).and_then(Value::as_text);
                    let settings = map.get(&Key::text("settings"));
                    let (Some(name), Some(settings)) = (name, settings) else {
                        return Err(shape(item.place));
                    };
                    let name = name.replace('-', "_");
                    self.add_named(name.trim(), || options(settings), item.place)?;
                }
                Kind::List(parts) => {
                    let Some((name, rest)) = parts.split_first() else { return Err(shape(item.place)) };
                    if !truthy(name) {
                        continue;
                    }
                    let Some(name) = name.as_text() else { return Err(shape(item.place)) };
                    let words = rest.iter().filter_map(Value::as_text).collect();
                    self.add_named(name, || Some(Options::Words(words)), item.place)?;
                }
                _ => return Err(shape(item.place)),
            }
        }
        Ok(())
    }

    /// `string_extract_mergers`.
    fn add_text(&mut self, text: &str, place: Place) -> Result<(), Refused> {
        // All of it is read before any of it counts.
        let mut named = Vec::new();
        for one in text.split('+') {
            let one = one.to_lowercase().trim().replace('-', "_");
            if one.is_empty() {
                continue;
            }
            let Some((name, words)) = parse(&one) else {
                let message =
                    format!("`{}` in `merge_how` is not of the form `name(options)`", shorten(&one));
                let hint = "for example `merge_how: \"list(append)+dict(recurse_list)+str()\"`";
                return Err(Refused::listed(Finding::error(MERGE_HOW, place, message).with_hint(hint)));
            };
            named.push((
                name.to_owned(),
                words.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>(),
            ));
        }
        for (name, words) in &named {
            let words = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
            self.add_named(name, || Some(Options::Words(words)), place)?;
        }
        Ok(())
    }

    /// The first merger of each kind counts, but all have to exist.
    fn add_named<'a>(
        &mut self,
        name: &str,
        options: impl FnOnce() -> Option<Options<'a>>,
        place: Place,
    ) -> Result<(), Refused> {
        if name.is_empty() {
            return Ok(());
        }
        self.asked = true;
        let kind = name.strip_prefix("m_").unwrap_or(name);
        if !matches!(kind, "dict" | "list" | "str") {
            let message =
                format!("`merge_how` names the merger `{}`, which cloud-init does not have", shorten(name));
            let hint = "there are `dict`, `list` and `str`";
            return Err(Refused::breaks(Finding::error(MERGE_HOW, place, message).with_hint(hint)));
        }
        let options = options().ok_or_else(|| shape(place))?;
        let recurse_list = options.has("recurse_array") || options.has("recurse_list");
        let recurse_str = options.has("recurse_str");
        match kind {
            "dict" => {
                self.dict.get_or_insert(DictMerger {
                    replace: options.has("replace"),
                    recurse_str,
                    recurse_list,
                    allow_delete: options.has("allow_delete"),
                });
            }
            "list" => {
                let methods = [
                    ("append", ListMethod::Append),
                    ("prepend", ListMethod::Prepend),
                    ("replace", ListMethod::Replace),
                    ("no_replace", ListMethod::NoReplace),
                ];
                let method = methods.into_iter().find(|(word, _)| options.has(word));
                self.list.get_or_insert(ListMerger {
                    method: method.map_or(ListMethod::Replace, |(_, method)| method),
                    recurse_str,
                    recurse_dict: options.has("recurse_dict"),
                    recurse_list,
                });
            }
            _ => {
                self.text.get_or_insert(TextMerger { append: options.has("append") });
            }
        }
        Ok(())
    }
}

/// `name(options)` taken apart.
fn parse(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let words = rest.strip_suffix(')')?;
    let mut letters = name.chars();
    let first = letters.next()?;
    let fits = (first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !words.contains('\n');
    fits.then_some((name, words))
}

/// The `settings` of a merger.
fn options(settings: &Value) -> Option<Options<'_>> {
    match &settings.kind {
        Kind::List(items) => Some(Options::Words(items.iter().filter_map(Value::as_text).collect())),
        Kind::Map(map) => Some(Options::Words(map.keys().filter_map(Key::as_text).collect())),
        Kind::Set(keys) => Some(Options::Words(keys.iter().filter_map(Key::as_text).collect())),
        Kind::Text(text) => Some(Options::Letters(text)),
        _ => None,
    }
}

fn shape(place: Place) -> Refused {
    let message = "`merge_how` is not of a form that cloud-init takes: the part is left out";
    let hint =
        "write `list(append)+dict(recurse_list)+str()`, or a list of `{name: list, settings: [append]}`";
    Refused::breaks(Finding::error(MERGE_HOW, place, message).with_hint(hint))
}
