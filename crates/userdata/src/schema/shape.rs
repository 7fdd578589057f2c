//! What a value may be: the words that the modules' keys are described with.
//!
//! A module file (`schema/modules/x.rs`) holds `static`s of these and one table of the top-level keys
//! that the module reads:
//!
//! ```text
//! pub(super) static KEYS: Keys = &[("growpart", Shape::Map(&GROWPART))];
//!
//! static GROWPART: MapShape = MapShape {
//!     fields: &[
//!         ("mode", Shape::OneOf(&[
//!             Shape::Choice(&["auto", "growpart", "gpart", "off"]),
//!             Shape::Old(&Old { shape: Shape::Only(false), since: "22.3", instead: "write `'off'`, in quotes" }),
//!         ])),
//!         ("devices", TEXTS),
//!     ],
//!     ..CLOSED
//! };
//! ```
//!
//! How the words differ where cloud-init's verdict does (`cloudinit/config/schema.py`):
//!
//! * [`Shape::Kinds`] is a list of types (`type: [string, array]`), [`Shape::OneOf`] and
//!   [`Shape::AnyOf`] are the keywords of that name. Cloud-init's own `oneOf` forgives a mapping that
//!   has a key `type` nearly everything, so the two are not the same.
//! * A text may be `!!binary` for [`Shape::Text`] and [`Shape::Format`], never for
//!   [`Shape::Choice`] and [`Shape::Matching`].
//! * Keywords that cloud-init's validator (draft 4) does not know are left out: `prefixItems`, the
//!   formats `uri` and `hostname` (both need a package that is not installed with it),
//!   `additionalItems` beside a single `items`.
//! * `changed` warns as `deprecated` does: both are [`Old`].
//! * Without `additionalProperties: false`, a mapping is [`OPEN`].

/// A table of keys and what their values may be.
pub(super) type Keys = &'static [(&'static str, Shape)];

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Anything, null included.
    Any,
    /// Null.
    Null,
    /// `true` or `false`.
    Bool,
    /// This boolean, and nothing else.
    Only(bool),
    /// Text, or bytes.
    Text,
    /// Text of a form; bytes are refused.
    Matching(&'static Pattern),
    /// Text of a form; bytes are not looked at.
    Format(&'static Pattern),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A whole number.
    Int,
    /// A whole number that is at least this.
    IntFrom(i64),
    /// A number that is at least this.
    NumberFrom(i64),
    /// A list.
    List(&'static ListShape),
    /// A mapping.
    Map(&'static MapShape),
    /// One of several types, each at most once: the type decides which shape counts.
    Kinds(&'static [Shape]),
    /// Exactly one of these.
    OneOf(&'static [Shape]),
    /// At least one of these.
    AnyOf(&'static [Shape]),
    /// What is deprecated: a warning, then the shape inside.
    Old(&'static Old),
}

/// A form of texts or of keys.
pub(super) struct Pattern {
    /// Whether a text has it.
    pub(super) matches: fn(&str) -> bool,
    /// What it is, for people: ``a size such as `512M` ``.
    pub(super) wanted: &'static str,
}

/// A list.
pub(super) struct ListShape {
    /// Each item.
    pub(super) items: Shape,
    /// The least number of items.
    pub(super) min: usize,
    /// The greatest number of items.
    pub(super) max: usize,
    /// No two items are equal.
    pub(super) unique: bool,
}

/// A mapping.
pub(super) struct MapShape {
    /// Keys with a shape of their own. Spellings that are deprecated stand here too, as [`Old`].
    pub(super) fields: Keys,
    /// Keys that must be there, whatever their value.
    pub(super) required: &'static [&'static str],
    /// The least number of keys.
    pub(super) min: usize,
    /// Keys that are not in `fields`.
    pub(super) others: Others,
    /// What several keys must fulfil together.
    pub(super) rules: &'static [Rule],
}

/// Keys that are not listed.
#[derive(Clone, Copy)]
pub(super) enum Others {
    /// An error.
    Refused,
    /// Anything goes.
    Any,
    /// Any key, with a value of this shape (`additionalProperties` with a schema).
    Each(&'static Shape),
    /// Keys of a form with a value of this shape, the rest is refused (`patternProperties` with
    /// `additionalProperties: false`). A key that is not text is an error.
    Named(&'static Pattern, &'static Shape),
    /// Keys of a form with a value of this shape, and anything else (`patternProperties` alone). A key
    /// that is not text is an error.
    NamedOpen(&'static Pattern, &'static Shape),
}

/// What several keys of a mapping must fulfil together.
pub(super) enum Rule {
    /// Exactly one of these groups of keys is there as a whole (`oneOf` of `required`).
    ExactlyOne(&'static [&'static [&'static str]]),
    /// At least one of these keys (`anyOf` of `required`).
    AtLeastOne(&'static [&'static str]),
    /// Not both of these (`not` of `required`).
    NotBoth(&'static str, &'static str),
}

/// What cloud-init takes and warns about.
pub(super) struct Old {
    /// What the value may be.
    pub(super) shape: Shape,
    /// The release that deprecated it.
    pub(super) since: &'static str,
    /// What to do instead, as a hint: ``write `lock_passwd` ``.
    pub(super) instead: &'static str,
}

/// A mapping that refuses keys it does not list.
pub(super) const CLOSED: MapShape =
    MapShape { fields: &[], required: &[], min: 0, others: Others::Refused, rules: &[] };

/// A mapping that takes any further keys.
pub(super) const OPEN: MapShape =
    MapShape { fields: &[], required: &[], min: 0, others: Others::Any, rules: &[] };

/// A list of any length. Its items are anything until told.
pub(super) const LIST: ListShape = ListShape { items: Shape::Any, min: 0, max: usize::MAX, unique: false };

/// A list of anything.
pub(super) const ANY_LIST: Shape = Shape::List(&LIST);

/// A mapping of anything.
pub(super) const ANY_MAP: Shape = Shape::Map(&OPEN);

/// A list of texts.
pub(super) const TEXTS: Shape = Shape::List(&ListShape { items: Shape::Text, ..LIST });

/// A list of one text or more.
pub(super) const SOME_TEXTS: Shape = Shape::List(&ListShape { items: Shape::Text, min: 1, ..LIST });

/// A list of different texts.
pub(super) const UNIQUE_TEXTS: Shape = Shape::List(&ListShape { items: Shape::Text, unique: true, ..LIST });

/// A key that is one line and not empty: `^.+$`.
pub(super) const NAME: Pattern = Pattern { matches: one_line, wanted: "a name" };

/// Python's `^.+$`: `$` matches before a line break at the end, too.
pub(super) fn one_line(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    !text.is_empty() && !text.contains('\n')
}
