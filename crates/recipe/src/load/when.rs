//! `when`: what must be so of the image for a step to be carried out.

use hardtack_guest::dpkg::Version;
use hardtack_inspect::facts::{Facts, Init, Initramfs, numbers};
use hardtack_yaml::{Kind, Node};

use super::keys::{Key, Shape, names};
use super::reader::Reader;

const WORDS: Shape = Shape::Several(&Shape::Text);
const PACKAGE: &[Key] = &[
    Key::must("name", Shape::Text, "The package."),
    Key::may("version", Shape::Scalar, "A comparison as dpkg makes it: \">= 1:9.2\"."),
];

/// What can be asked. Several keys must all hold; several words of one key are alternatives.
pub(crate) const FACTS: &[Key] = &[
    Key::may("os", WORDS, "`ID` of os-release: debian, ubuntu, rocky…"),
    Key::may("like", WORDS, "`ID` or one of `ID_LIKE` of os-release."),
    Key::may("version", Shape::Scalar, "`VERSION_ID` of os-release: 24.04, \">= 12\", \">= 9, < 10\"."),
    Key::may("codename", WORDS, "`VERSION_CODENAME` of os-release: bookworm, noble…"),
    Key::may("architecture", WORDS, "What its programs run on: amd64, arm64, i386, armhf, riscv64…"),
    Key::may(
        "package",
        Shape::Several(&Shape::OneOf(&[Shape::Text, Shape::Keys(PACKAGE)])),
        "Packages that are all installed (dpkg).",
    ),
    Key::may("kernel", Shape::Scalar, "The newest kernel: 6.1, \">= 5.15\"."),
    Key::may("init", Shape::Several(&Shape::Words(&["systemd", "upstart", "sysv"])), "What starts first."),
    Key::may(
        "initramfs",
        Shape::Several(&Shape::Words(&["initramfs-tools", "dracut", "none"])),
        "What makes the initramfs.",
    ),
    Key::may("boot", Shape::Several(&Shape::Words(&["bios", "uefi"])), "What kind of machine it starts on."),
    Key::may("exists", WORDS, "Paths that are all there, absolute; links are followed."),
    Key::may("cloud-init", Shape::Bool, "cloud-init is there, or is not."),
    Key::may("not", Shape::Ref("when"), "This does not hold."),
    Key::may("any", Shape::List(&Shape::Ref("when")), "One of these holds."),
    Key::may("all", Shape::List(&Shape::Ref("when")), "All of these hold."),
];

/// A condition.
pub(super) enum When {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Os(Vec<String>),
    Like(Vec<String>),
    Codename(Vec<String>),
    Architecture(Vec<String>),
    Version(Vec<Comparison<Vec<u64>>>),
    Kernel(Vec<Comparison<Vec<u64>>>),
    Package(String, Vec<Comparison<Version>>),
    Init(Init),
    Initramfs(Initramfs),
    Boot(Boot),
    Exists(String),
    CloudInit(bool),
}

/// What a machine starts with.
#[derive(Clone, Copy)]
pub(super) enum Boot {
    Bios,
    Uefi,
}

/// An operator, and what stands behind it.
pub(super) struct Comparison<T> {
    operator: Operator,
    with: T,
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Operator {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// Reads the condition; `None` when it is wrong, which is told.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<When> {
    if node.as_mapping().is_none_or(<[_]>::is_empty) {
        reader.error_hint(
            node.span,
            format!(
                "`when` takes a mapping of facts, found {}",
                if node.as_mapping().is_some() { "an empty one".to_owned() } else { node.describe() }
            ),
            format!("facts are {}", super::reader::list(&names(FACTS))),
        );
        return None;
    }
    let fields = reader.open_fields(node, "`when`", &names(FACTS))?;
    let mut all = Vec::new();
    let mut whole = true;
    for (name, key, value) in fields.pairs() {
        if !FACTS.iter().any(|fact| fact.name == *name) {
            reader.unknown(key.span, "fact", name, "`when`", &names(FACTS));
            whole = false;
            continue;
        }
        match fact(reader, name, value) {
            Some(condition) => all.push(condition),
            None => whole = false,
        }
    }
    whole.then_some(When::All(all))
}

fn fact(reader: &mut Reader<'_>, name: &str, value: &Node) -> Option<When> {
    Some(match name {
        "os" => When::Os(words(reader, value, name)?),
        "like" => When::Like(words(reader, value, name)?),
        "codename" => When::Codename(words(reader, value, name)?),
        "architecture" => When::Architecture(
            words(reader, value, name)?.iter().map(|word| architecture(word).to_owned()).collect(),
        ),
        "version" => When::Version(comparisons(reader, value, name, &dotted)?),
        "kernel" => When::Kernel(comparisons(reader, value, name, &dotted)?),
        "init" => When::Any(choices(reader, value, name, Init::WORDS, When::Init)?),
        "initramfs" => When::Any(choices(reader, value, name, Initramfs::WORDS, When::Initramfs)?),
        "boot" => {
            let boots = [("bios", Boot::Bios), ("uefi", Boot::Uefi)];
            When::Any(choices(reader, value, name, &boots, When::Boot)?)
        }
        "cloud-init" => When::CloudInit(reader.boolean(value, name)?),
        "exists" => {
            let paths = words(reader, value, name)?;
            if let Some(path) = paths.iter().find(|path| !path.starts_with('/')) {
                let message = format!("`exists` takes absolute paths in the image, found `{path}`");
                reader.error_hint(value.span, message, "start it with `/`");
                return None;
            }
            When::All(paths.into_iter().map(When::Exists).collect())
        }
        "package" => {
            let items = reader.items(value, name);
            let found: Vec<When> = items.iter().filter_map(|item| package(reader, item)).collect();
            if found.len() != items.len() || found.is_empty() {
                return None;
            }
            When::All(found)
        }
        "not" => When::Not(Box::new(read(reader, value)?)),
        "any" | "all" => {
            let Kind::Sequence(items) = &value.kind else {
                let message = format!("`{name}` takes a list of conditions, found {}", value.describe());
                reader.error_hint(value.span, message, "write `- ` before each one");
                return None;
            };
            if items.is_empty() {
                reader.error(value.span, format!("`{name}` is empty"));
                return None;
            }
            let found: Vec<When> = items.iter().filter_map(|item| read(reader, item)).collect();
            if found.len() != items.len() {
                return None;
            }
            if name == "any" { When::Any(found) } else { When::All(found) }
        }
        _ => return None,
    })
}

fn words(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Vec<String>> {
    let items = reader.items(node, what);
    let found: Vec<String> =
        items.iter().filter_map(|item| reader.line(item, what)).map(str::to_owned).collect();
    if items.is_empty() && node.as_sequence().is_some() {
        reader.error(node.span, format!("`{what}` is empty"));
    }
    (found.len() == items.len() && !found.is_empty()).then_some(found)
}

fn choices<T: Copy>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    known: &[(&str, T)],
    make: impl Fn(T) -> When,
) -> Option<Vec<When>> {
    let items = reader.items(node, what);
    if items.is_empty() && node.as_sequence().is_some() {
        reader.error(node.span, format!("`{what}` is empty"));
    }
    let found: Vec<When> = items.iter().filter_map(|item| reader.word(item, what, known)).map(make).collect();
    (found.len() == items.len() && !found.is_empty()).then_some(found)
}

fn package(reader: &mut Reader<'_>, node: &Node) -> Option<When> {
    if node.as_mapping().is_none() {
        return Some(When::Package(reader.line(node, "package")?.to_owned(), Vec::new()));
    }
    let fields = reader.keyed(node, "`package`", PACKAGE)?;
    let name = reader.required(&fields, "name", node.span).and_then(|value| reader.line(value, "name"))?;
    let versions = match fields.get("version") {
        Some(value) => comparisons(reader, value, "version", &|text| Version::parse(text))?,
        None => Vec::new(),
    };
    Some(When::Package(name.to_owned(), versions))
}

/// `>= 12, < 14`; without an operator, equal.
fn comparisons<T>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    parse: &dyn Fn(&str) -> Result<T, String>,
) -> Option<Vec<Comparison<T>>> {
    const OPERATORS: [(&str, Operator); 7] = [
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        ("!=", Operator::Unequal),
        ("==", Operator::Equal),
        ("=", Operator::Equal),
        (">", Operator::More),
        ("<", Operator::Less),
    ];
    // `24.04` is a number to YAML; its text is what is meant.
    let Some(text) = node.text().filter(|_| !node.is_null() && node.tag.is_none()) else {
        let message = format!("`{what}` takes a version or a comparison, found {}", node.describe());
        reader.error_hint(node.span, message, "write it as \">= 12\" or \">= 12, < 14\"");
        return None;
    };
    let mut found = Vec::new();
    for part in text.split(',').map(str::trim) {
        let operator =
            OPERATORS.iter().find_map(|(sign, operator)| Some((part.strip_prefix(sign)?, *operator)));
        let (version, operator) = operator.unwrap_or((part, Operator::Equal));
        match parse(version.trim()) {
            Ok(with) => found.push(Comparison { operator, with }),
            Err(reason) => {
                reader.error_hint(
                    node.span,
                    format!("`{what}`: {reason}"),
                    "write it as \">= 12\" or \">= 12, < 14\"",
                );
                return None;
            }
        }
    }
    Some(found)
}

fn dotted(text: &str) -> Result<Vec<u64>, String> {
    let parts: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
    parts.map_err(|_| format!("`{text}` is no version of numbers and dots"))
}

/// Debian's word for an architecture.
fn architecture(word: &str) -> &str {
    match word {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i686" | "i586" | "x86" => "i386",
        "ppc64le" => "ppc64el",
        "loongarch64" => "loong64",
        other => other,
    }
}

impl When {
    /// Whether it holds for the image; the error says why that cannot be told.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Result<bool, String> {
        let is =
            |fact: &Option<String>, words: &[String]| fact.as_ref().is_some_and(|fact| words.contains(fact));
        Ok(match self {
            Self::All(all) => {
                for one in all {
                    if !one.holds(facts)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Any(any) => {
                for one in any {
                    if one.holds(facts)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(one) => !one.holds(facts)?,
            Self::Os(words) => is(&facts.os, words),
            Self::Like(words) => is(&facts.os, words) || facts.like.iter().any(|like| words.contains(like)),
            Self::Codename(words) => is(&facts.codename, words),
            Self::Architecture(words) => {
                facts.architecture.is_some_and(|fact| words.iter().any(|word| word == fact))
            }
            Self::Version(wanted) => compare(facts.version.as_deref(), wanted),
            Self::Kernel(wanted) => compare(facts.kernels.first().map(String::as_str), wanted),
            Self::Package(name, wanted) => {
                let found = facts.package(name).map_err(|_| {
                    format!(
                        "the image has no database of dpkg, so whether `{name}` is installed cannot be told"
                    )
                })?;
                found.is_some_and(|version| {
                    wanted.iter().all(|one| one.operator.holds(version.cmp(&one.with)))
                })
            }
            Self::Init(init) => facts.init == Some(*init),
            Self::Initramfs(initramfs) => facts.initramfs == *initramfs,
            Self::Boot(Boot::Bios) => facts.bios,
            Self::Boot(Boot::Uefi) => facts.uefi,
            Self::Exists(path) => facts.exists(path).map_err(|error| error.to_string())?,
            Self::CloudInit(wanted) => facts.cloud_init == *wanted,
        })
    }
}

/// As many numbers are compared as the recipe names: 9.4 is `9`, and is not `> 9`.
fn compare(fact: Option<&str>, wanted: &[Comparison<Vec<u64>>]) -> bool {
    let Some(fact) = fact.map(numbers).filter(|numbers| !numbers.is_empty()) else { return false };
    wanted.iter().all(|one| {
        let mut cut = fact.clone();
        cut.resize(one.with.len(), 0);
        one.operator.holds(cut.cmp(&one.with))
    })
}
