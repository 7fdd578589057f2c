//! What is installed, as the image's package databases say.

use std::collections::{BTreeSet, HashMap};

use hardtack_guest::dpkg::control::Stanza;
use hardtack_guest::dpkg::depends::Sense;
use hardtack_guest::dpkg::{Database, Package};
use hardtack_guest::{Error, OsRelease, Stage, Tree, rpm};

use crate::copyright::licenses;
use crate::purl::purl;

/// A longer `copyright` file is not looked through for licences.
const COPYRIGHT_LIMIT: u64 = 4 << 20;

/// Which system it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `ID` of os-release.
    pub id: String,
    /// `VERSION_ID`.
    pub version_id: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty: Option<String>,
}

/// Which database knows a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manager {
    /// dpkg's.
    #[default]
    Dpkg,
    /// rpm's.
    Rpm,
    /// Cargo's: it is linked into a program, and its one licence is an SPDX expression.
    Cargo,
    /// None: a program, or a library that is no crate.
    None,
}

/// One thing that is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// Which database knows it.
    pub manager: Manager,
    /// The name.
    pub name: String,
    /// The version; of an rpm with the release, and without the epoch.
    pub version: String,
    /// Of an rpm.
    pub epoch: Option<u32>,
    /// The architecture.
    pub architecture: Option<String>,
    /// Name and version of the source package, where they are others.
    pub source: Option<(String, String)>,
    /// Who maintains it.
    pub supplier: Option<String>,
    /// Where it lives.
    pub homepage: Option<String>,
    /// One line about it.
    pub summary: Option<String>,
    /// Names of licences, in its own words.
    pub licenses: Vec<String>,
    /// SHA-256 of the one file that it is, in hexadecimal.
    pub sha256: Option<String>,
    /// The components that it depends on, by their places in the list, ascending.
    pub depends: Vec<usize>,
    /// Its package URL.
    pub purl: String,
}

impl Component {
    /// Whether its licence is an SPDX expression, and not names in a distribution's own words.
    pub(crate) fn is_expression(&self) -> bool {
        matches!(self.manager, Manager::Cargo | Manager::None)
    }
}

/// What is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Which system it is.
    pub os: Origin,
    /// The version, where it is no image but a release of programs.
    pub release: Option<String>,
    /// What is installed, by name, then version and architecture.
    pub components: Vec<Component>,
}

impl Inventory {
    /// Reads the databases of `tree`.
    ///
    /// # Errors
    /// A damaged file system or database.
    pub fn read(tree: &dyn Tree) -> Result<Self, Error> {
        let release = OsRelease::read(tree)?.unwrap_or_default();
        let field = |name: &str| release.get(name).map(one_line);
        let os = Origin {
            id: one_line(release.id()),
            version_id: field("VERSION_ID"),
            pretty: field("PRETTY_NAME"),
        };
        let stage = Stage::new(tree);
        let mut components = Vec::new();
        if let Some(database) = Database::read(&stage)? {
            components.extend(of_dpkg(&stage, &database)?);
        }
        let mut of_rpm: Vec<Component> = rpm::packages(tree)?.iter().map(of_rpm).collect();
        of_rpm.sort_by(|a, b| {
            (&a.name, &a.version, &a.architecture).cmp(&(&b.name, &b.version, &b.architecture))
        });
        components.extend(of_rpm);
        components.extend(agent(&stage)?);
        let mut inventory = Self { os, components, release: None };
        for component in &mut inventory.components {
            component.purl = purl(component, &inventory.os);
        }
        Ok(inventory)
    }
}

/// Everything that dpkg has unpacked, sorted.
fn of_dpkg(stage: &Stage<'_>, database: &Database) -> Result<Vec<Component>, Error> {
    let mut installed: Vec<(&Package, Stanza)> = Vec::new();
    for entry in database.entries().iter().filter(|entry| entry.state.is_unpacked()) {
        let Some(package) = &entry.package else { continue };
        installed.push((package, Stanza::parse(&entry.text(), "/var/lib/dpkg/status", 1)?));
    }
    installed.sort_by(|(a, _), (b, _)| {
        (&a.name, a.version.to_string(), &a.architecture).cmp(&(
            &b.name,
            b.version.to_string(),
            &b.architecture,
        ))
    });
    let packages: Vec<&Package> = installed.iter().map(|(package, _)| *package).collect();
    let native = packages
        .iter()
        .find(|package| package.name == "dpkg")
        .map_or_else(String::new, |package| package.architecture.clone());
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, package) in packages.iter().enumerate() {
        by_name.entry(&package.name).or_default().push(index);
        for provided in &package.provides {
            by_name.entry(&provided.name).or_default().push(index);
        }
    }
    let mut components = Vec::new();
    for (package, stanza) in &installed {
        let field = |name: &str| stanza.get(name).map(str::trim).filter(|text| !text.is_empty());
        let mut depends = BTreeSet::new();
        for group in package.pre_depends.iter().chain(&package.depends) {
            let found = group.0.iter().find_map(|relation| {
                by_name
                    .get(relation.name.as_str())?
                    .iter()
                    .copied()
                    .find(|index| relation.matches(packages[*index], package, &native, Sense::Positive))
            });
            depends.extend(found);
        }
        components.push(Component {
            manager: Manager::Dpkg,
            name: package.name.clone(),
            version: package.version.to_string(),
            architecture: Some(package.architecture.clone()).filter(|text| !text.is_empty()),
            source: source_of(package, field("Source")),
            supplier: field("Maintainer").map(one_line),
            homepage: field("Homepage").map(one_line),
            summary: field("Description").and_then(|text| text.lines().next()).map(one_line),
            licenses: copyright(stage, &package.name)?,
            depends: depends.into_iter().collect(),
            ..Component::default()
        });
    }
    Ok(components)
}

/// What rpm says of a package; what it depends on stands in tags that are not read.
fn of_rpm(package: &rpm::Package) -> Component {
    let given = |text: &str| Some(one_line(text)).filter(|text| !text.is_empty());
    Component {
        manager: Manager::Rpm,
        name: package.name.clone(),
        version: format!("{}-{}", package.version, package.release),
        epoch: package.epoch,
        architecture: given(&package.arch),
        source: given(&package.source_rpm).map(|source| (source, package.version.clone())),
        supplier: given(&package.vendor),
        homepage: given(&package.url),
        summary: given(&package.summary),
        licenses: given(&package.license).into_iter().collect(),
        ..Component::default()
    }
}

/// `Source: gcc-12 (12.2.0-14)`: the name, and the version where it is another one.
fn source_of(package: &Package, field: Option<&str>) -> Option<(String, String)> {
    let field = field?;
    let (name, version) = match field.split_once(" (") {
        Some((name, version)) => (name, version.trim_end_matches(')').to_owned()),
        None => (field, package.version.to_string()),
    };
    Some((name.trim().to_owned(), version))
}

fn copyright(stage: &Stage<'_>, name: &str) -> Result<Vec<String>, Error> {
    let path = format!("/usr/share/doc/{name}/copyright");
    match stage.read_limited(&path, COPYRIGHT_LIMIT) {
        Ok(Some(bytes)) => Ok(licenses(&String::from_utf8_lossy(&bytes))),
        // Links of documentation that lead nowhere are no reason to know nothing of the rest.
        Ok(None) | Err(Error::LinkLoop { .. } | Error::WrongType { .. } | Error::TooLarge { .. }) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// The first-boot program, which no database knows.
fn agent(stage: &Stage<'_>) -> Result<Option<Component>, Error> {
    use sha2::{Digest as _, Sha256};
    const PATH: &str = "/usr/lib/hardtack/hardtack-agent";
    let Some(bytes) = stage.read(PATH)? else { return Ok(None) };
    let digest = crate::hex(&Sha256::digest(&bytes));
    Ok(Some(Component {
        manager: Manager::None,
        name: "hardtack-agent".to_owned(),
        // What it calls itself cannot be asked without running it.
        version: format!("sha256-{}", &digest[..16]),
        summary: Some("first-boot agent".to_owned()),
        sha256: Some(digest),
        ..Component::default()
    }))
}

fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}
