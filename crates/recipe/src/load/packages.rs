//! The `packages` step's settings.

use std::io;
use std::path::{Path, PathBuf};

use hardtack_guest::dpkg::Version;
use hardtack_guest::dpkg::depends::is_package_name;
use hardtack_repository::{Given, Upgrade};
use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::{Fields, Reader};
use crate::model::{DebFile, PackagesStep, Repository};

const NAMES: Shape = Shape::Several(&Shape::Text);

const REPOSITORY: &[Key] = &[
    Key::must("uri", NAMES, "Addresses: http:, https: or file:."),
    Key::must("suite", NAMES, "Suites (bookworm), or a path that ends with a slash."),
    Key::may("components", NAMES, "Components (main)."),
    Key::may("architectures", NAMES, "Architectures; those of the image when left out."),
    Key::may("keyring", Shape::Text, "A file of this machine with the keys that sign it."),
];

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[
    Key::may("debs", NAMES, ".deb files of this machine, or directories with such files."),
    Key::may("install", NAMES, "Packages from repositories: name, name=version, name:arch, name/suite."),
    Key::may("remove", NAMES, "Packages that go; their configuration files stay."),
    Key::may("purge", NAMES, "Packages that go, with their configuration files."),
    Key::may("upgrade", Shape::Words(&["none", "security", "all"]), "What is brought up to date."),
    Key::may("hold", NAMES, "Packages that apt leaves as they are."),
    Key::may(
        "repository",
        Shape::Several(&Shape::OneOf(&[Shape::Words(&["image"]), Shape::Keys(REPOSITORY)])),
        "Where packages come from; `image` stands for the image's own lists of sources.",
    ),
    Key::may("keyring", Shape::Text, "Keys for those repositories that name none."),
    Key::may("lock", Shape::Text, "A file of this machine that pins versions and digests."),
    Key::may("recommends", Shape::Bool, "Whether what packages recommend comes too."),
];

/// Reads the step's settings.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<PackagesStep> {
    let fields = reader.keyed(node, "step `packages`", KEYS)?;
    if fields.pairs().is_empty() {
        reader.error(
            at,
            "step `packages` needs one of the keys `debs`, `install`, `remove`, `purge`, `upgrade`, `hold`",
        );
        return None;
    }
    let mut step = PackagesStep::default();
    if let Some(debs) = fields.get("debs") {
        files(reader, &mut step, debs);
    }
    step.install = names(reader, &fields, "install", true);
    step.remove = names(reader, &fields, "remove", false);
    step.purge = names(reader, &fields, "purge", false);
    step.hold = names(reader, &fields, "hold", false);
    if let Some(value) = fields.get("upgrade") {
        let words = [("none", Upgrade::None), ("security", Upgrade::Security), ("all", Upgrade::All)];
        step.upgrade = reader.word(value, "upgrade", &words).unwrap_or_default();
    }
    let keyring = fields.get("keyring").and_then(|value| keys(reader, value));
    if let Some(value) = fields.get("repository") {
        for item in reader.items(value, "repository") {
            step.repositories.extend(repository(reader, item, keyring.as_ref()));
        }
    }
    if let (Some(value), true) = (fields.get("keyring"), step.repositories.is_empty()) {
        reader.error_hint(
            value.span,
            "`keyring` without `repository`",
            "name the repository that these keys sign",
        );
    }
    if let Some(value) = fields.get("lock") {
        step.lock = reader.line(value, "lock").map(|text| reader.host_path(text));
    }
    if let Some(value) = fields.get("recommends") {
        step.recommends = reader.boolean(value, "recommends");
    }
    both(reader, &fields, &step);
    Some(step)
}

/// What cannot both hold.
fn both(reader: &mut Reader<'_>, fields: &Fields<'_>, step: &PackagesStep) {
    let plain = |name: &String| name.split(['=', '/', ':']).next().unwrap_or_default().to_owned();
    let install: Vec<String> = step.install.iter().map(plain).collect();
    for (key, list) in [("remove", &step.remove), ("purge", &step.purge)] {
        for name in list.iter().map(plain) {
            let Some(span) = fields.key_span(key) else { continue };
            if install.contains(&name) {
                reader.error(span, format!("`{key}` and `install` both name `{name}`"));
            }
            if step.hold.iter().map(plain).any(|held| held == name) {
                reader.error(span, format!("`{key}` and `hold` both name `{name}`"));
            }
        }
    }
}

/// Names of packages; with `exact` also a version, a suite.
fn names(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &'static str, exact: bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let Some(value) = fields.get(key) else { return found };
    for item in reader.items(value, key) {
        let Some(text) = reader.line(item, key) else { continue };
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let (name, suite) = match name.split_once('/') {
            Some((name, suite)) => (name, Some(suite)),
            None => (name, None),
        };
        let (name, architecture) = match name.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture)),
            None => (name, None),
        };
        let word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        let fits = is_package_name(name)
            && architecture.is_none_or(is_package_name)
            && version.is_none_or(|version| exact && Version::parse(version).is_ok())
            && suite.is_none_or(|suite| exact && word(suite));
        if !fits {
            let hint = if exact {
                "write name, name:arch, name=version or name/suite"
            } else {
                "write name or name:arch"
            };
            reader.error_hint(item.span, format!("`{key}`: {text:?} is no package"), hint);
        } else if !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    found
}

fn keys(reader: &mut Reader<'_>, node: &Node) -> Option<(String, Vec<u8>)> {
    let name = reader.line(node, "keyring")?;
    Some((name.to_owned(), reader.read(name, node.span)?))
}

fn repository(
    reader: &mut Reader<'_>,
    node: &Node,
    keyring: Option<&(String, Vec<u8>)>,
) -> Option<Repository> {
    if node.text() == Some("image") {
        return Some(Repository::Image);
    }
    let fields = reader.keyed(node, "`repository`", REPOSITORY)?;
    let uri = reader.required(&fields, "uri", node.span);
    let suite = reader.required(&fields, "suite", node.span);
    let mut list = |key: &'static str, value: Option<&Node>| -> Vec<String> {
        let Some(value) = value else { return Vec::new() };
        let items = reader.items(value, key);
        items.iter().filter_map(|item| reader.line(item, key).map(str::to_owned)).collect()
    };
    let mut given = Given {
        uris: list("uri", uri),
        suites: list("suite", suite),
        components: list("components", fields.get("components")),
        architectures: list("architectures", fields.get("architectures")),
        keyring: keyring.cloned(),
    };
    if let Some(value) = fields.get("keyring") {
        given.keyring = Some(keys(reader, value)?);
    }
    (uri.is_some() && suite.is_some()).then_some(Repository::Given(given))
}

fn files(reader: &mut Reader<'_>, step: &mut PackagesStep, debs: &Node) {
    let items = reader.items(debs, "debs");
    if items.is_empty() && debs.as_sequence().is_some() {
        reader.error(debs.span, "`debs` is empty; it lists files or directories");
    }
    for item in items {
        let Some(text) = reader.line(item, "debs") else { continue };
        let path = reader.host_path(text);
        match reader.files.is_directory(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !text.ends_with(".deb") => {
                let message = format!("{}: no such file or directory", path.display());
                let hint = format!("relative paths start from the recipe's directory; {}", fetch(reader));
                reader.local_hint(item.span, message, Some(hint));
            }
            Err(error) => reader.local(item.span, &path, &error),
            Ok(false) => add(step, path),
            Ok(true) => directory(reader, step, &path, item.span),
        }
    }
}

/// How packages get into a directory.
fn fetch(reader: &Reader<'_>) -> String {
    let names = if reader.asks_for_codes { CODES } else { "NAME" };
    format!("fetch packages into it, on a machine of the image's release: `apt-get download {names}`")
}

fn directory(reader: &mut Reader<'_>, step: &mut PackagesStep, path: &Path, span: Span) {
    let listed = match reader.files.list(path) {
        Ok(listed) => listed,
        Err(error) => return reader.local(span, path, &error),
    };
    let debs: Vec<PathBuf> =
        listed.into_iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "deb")).collect();
    if debs.is_empty() {
        let hint = fetch(reader);
        return reader.local_hint(span, format!("{}: holds no .deb file", path.display()), Some(hint));
    }
    for path in debs {
        add(step, path);
    }
}

/// What the step `mfa` needs: the PAM module, and what it needs itself, which no image has.
const CODES: &str = "libpam-google-authenticator libqrencode4";

fn add(step: &mut PackagesStep, path: PathBuf) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !step.debs.iter().any(|deb| deb.path == path) {
        step.debs.push(DebFile { name, path });
    }
}
