//! Unpacking a package into the stage, and configuring one that has no scripts.
//!
//! Follows dpkg's `process_archive`, `tarobject` (`src/main/archives.c`), `pkg_remove_old_files`
//! (`unpack.c`) and `deferred_configure_conffile` (`configure.c`, as with `--force-confold` and
//! nobody to ask). Modification times are not kept. Hard links become copies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::admin::{
    Architectures, Filters, Ids, Override, info_file, info_files, info_format, overrides, owners,
    shares_files,
};
use super::conffiles::{NEW_CONFFILE, NewConffile, md5_hex, settle};
use super::deb::{DATA_LIMIT, Deb, EntryKind, TarEntry};
use super::depends::Sense;
use super::diversions::{Diversion, diversions};
use super::package::Package;
use super::status::{Conffile, Database, Entry, STATUS_FILE, State};
use super::triggers::{Directive, Interests, directives};
use crate::{Error, FileType, Set, Stage};

/// dpkg's databases of one image.
#[derive(Clone, Debug)]
pub struct World {
    /// The packages.
    pub database: Database,
    /// The architectures.
    pub architectures: Architectures,
    /// The layout of `info/`.
    pub info_format: u32,
    diversions: Vec<Diversion>,
    overrides: BTreeMap<String, Override>,
    ids: Ids,
    filters: Filters,
    /// Who is interested in which triggers.
    pub interests: Interests,
}

/// What unpacking one package has done, beyond its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The paths that came or went, as they are called in packages.
    pub changed: Vec<String>,
    /// Installed packages and the triggers that they now have to process.
    pub triggers: BTreeSet<(String, String)>,
    /// Configuration files of the image that were kept; the package's stands beside, at
    /// `.dpkg-dist`.
    pub kept: Vec<String>,
}

impl World {
    /// Reads them; `None` when the image has no dpkg.
    pub fn read(stage: &Stage<'_>) -> Result<Option<Self>, Error> {
        let Some(database) = Database::read(stage)? else { return Ok(None) };
        // dpkg writes changes there first; what is left of an interrupted run counts more than the
        // status file, and is not read here.
        let updates = "/var/lib/dpkg/updates";
        if let Some(entry) =
            stage.list(updates)?.iter().find(|entry| entry.name.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(Error::Refused(format!(
                "{updates}/{}: dpkg was interrupted in the image; run dpkg --configure -a in it first",
                entry.name
            )));
        }
        let ids = Ids::read(stage)?;
        Ok(Some(Self {
            architectures: Architectures::read(stage, &database)?,
            info_format: info_format(stage)?,
            diversions: diversions(stage)?,
            overrides: overrides(stage, &ids)?,
            ids,
            filters: Filters::read(stage)?,
            interests: Interests::read(stage)?,
            database,
        }))
    }

    /// Writes the status database and the interests in triggers.
    pub fn write(&self, stage: &mut Stage<'_>) -> Result<(), Error> {
        self.interests.write(stage)?;
        stage.write(STATUS_FILE, self.database.write(), Set::default())
    }

    /// Unpacks a package and, if `configure`, takes it to "installed"; that is only right for a
    /// package without scripts. Dependencies are not looked at here.
    pub fn unpack(&mut self, stage: &mut Stage<'_>, deb: &Deb, configure: bool) -> Result<Outcome, Error> {
        let entries = deb.entries(DATA_LIMIT)?;
        let mut run = Run::prepare(self, stage, deb, &entries)?;
        for entry in entries {
            run.place(stage, entry)?;
        }
        run.remove_old(stage)?;
        run.finish(stage, configure)
    }

    /// The installed packages that a package's coming or going concerns, with the triggers. Packages
    /// that still have to be configured do everything then.
    pub(super) fn concerned(
        &self,
        changed: &[String],
        directives: &[Directive],
        own: &Package,
    ) -> BTreeSet<(String, String)> {
        let mut found: BTreeSet<(String, String)> = BTreeSet::new();
        let mut path = |path: &str| {
            let concerned = self.interests.of_path(path);
            found.extend(concerned.map(|(package, trigger)| (package.to_owned(), trigger.to_owned())));
        };
        changed.iter().for_each(|changed| path(changed));
        for directive in directives {
            let Directive::Activate { trigger } = directive else { continue };
            if trigger.starts_with('/') {
                path(trigger);
            }
        }
        for directive in directives {
            let Directive::Activate { trigger } = directive else { continue };
            found
                .extend(self.interests.of_name(trigger).map(|package| (package.to_owned(), trigger.clone())));
        }
        found.retain(|(package, _)| {
            let entry = self.database.by_name(package);
            *package != own.full_name() && entry.is_some_and(|entry| entry.state.is_configured())
        });
        found
    }

    pub(super) fn diverted<'a>(&'a self, path: &'a str, package: &str) -> &'a str {
        self.diversions
            .iter()
            .find(|diversion| diversion.from == path && diversion.package.as_deref() != Some(package))
            .map_or(path, |diversion| &diversion.to)
    }
}

struct Run<'w, 'd> {
    world: &'w mut World,
    deb: &'d Deb,
    old: Option<Entry>,
    old_list: Vec<String>,
    owners: HashMap<String, Vec<usize>>,
    conffiles: Vec<NewConffile>,
    /// The new list of files.
    list: Vec<String>,
    /// Paths that are links of this very package: nothing may be unpacked below them.
    links: HashSet<String>,
    /// Paths to be taken out of other packages' lists, by index into the database.
    taken: BTreeMap<usize, Vec<String>>,
    sums: Vec<(String, String)>,
    outcome: Outcome,
}

impl<'w, 'd> Run<'w, 'd> {
    fn prepare(
        world: &'w mut World,
        stage: &Stage<'_>,
        deb: &'d Deb,
        entries: &[TarEntry],
    ) -> Result<Self, Error> {
        let old = world.database.instance(&deb.package).cloned();
        let mut old_list = Vec::new();
        if let Some(package) = old.as_ref().and_then(|entry| entry.package.as_ref()) {
            let text = stage.read_text(&info_file(package, world.info_format, "list"))?.unwrap_or_default();
            old_list = text.lines().map(str::to_owned).collect();
        }
        let mut paths: HashSet<String> = entries.iter().map(|entry| listed(&entry.path)).collect();
        paths.extend(old_list.iter().cloned());
        for path in paths.clone() {
            if let Some(alias) = usr_alias(stage, &path)? {
                paths.insert(alias);
            }
        }
        let owners = owners(stage, &world.database, world.info_format, &paths)?;
        let mut run = Self {
            world,
            deb,
            old,
            old_list,
            owners,
            conffiles: Vec::new(),
            list: Vec::new(),
            links: HashSet::new(),
            taken: BTreeMap::new(),
            sums: Vec::new(),
            outcome: Outcome::default(),
        };
        run.read_conffiles()?;
        Ok(run)
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::Refused(format!("{}: {what}", self.deb.file_name))
    }

    fn read_conffiles(&mut self) -> Result<(), Error> {
        let text = self.deb.member_text("conffiles").unwrap_or_default();
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            let (path, remove_on_upgrade) = match line.strip_prefix("remove-on-upgrade ") {
                Some(path) => (path, true),
                None => (line, false),
            };
            if !path.starts_with('/') {
                return Err(self.wrong(format!("conffiles: {line:?} is no absolute path")));
            }
            let mut hash = None;
            for index in self.owners.get(path).into_iter().flatten() {
                let entry = &self.world.database.entries()[*index];
                let own =
                    entry.package.as_ref().is_some_and(|package| package.same_instance(&self.deb.package));
                let known = entry.conffiles.iter().find(|known| known.path == path);
                if let Some(known) = known.filter(|_| own || hash.is_none()) {
                    hash = Some(known.hash.clone());
                }
            }
            self.conffiles.push(NewConffile {
                record: Conffile {
                    path: path.to_owned(),
                    hash: hash.unwrap_or_else(|| NEW_CONFFILE.to_owned()),
                    obsolete: false,
                    remove_on_upgrade,
                },
                distributed: None,
            });
        }
        Ok(())
    }

    /// One entry of `data.tar`.
    fn place(&mut self, stage: &mut Stage<'_>, entry: TarEntry) -> Result<(), Error> {
        let path = listed(&entry.path);
        if self
            .links
            .iter()
            .any(|link| entry.path.strip_prefix(link.as_str()).is_some_and(|rest| rest.starts_with('/')))
        {
            return Err(self.wrong(format!("{path} lies below a symbolic link of the same package")));
        }
        if let Some(diversion) = self.world.diversions.iter().find(|diversion| diversion.to == path) {
            return Err(self.wrong(format!("{path} is where the image has diverted {} to", diversion.from)));
        }
        let target = self.world.diverted(&path, &self.deb.package.name).to_owned();
        if entry.path != "/" {
            self.outcome.changed.push(target.clone());
        }
        let present = stage.lstat(&target)?;
        let leads_to_directory =
            || Ok::<_, Error>(stage.stat(&target)?.is_some_and(|found| found.kind == FileType::Directory));
        let keeps_directory = match (&entry.kind, present.map(|found| found.kind)) {
            (EntryKind::Directory, Some(_)) => leads_to_directory()?,
            (EntryKind::Symlink(_), Some(FileType::Directory)) => true,
            (EntryKind::Symlink(to), Some(FileType::Symlink)) => {
                leads_to_directory()? && {
                    let above = target.rsplit_once('/').map_or("", |(above, _)| above);
                    let to = if to.starts_with('/') { to.clone() } else { format!("{above}/{to}") };
                    stage.resolve(&to)? == stage.resolve(&target)?
                }
            }
            _ => false,
        };
        if !keeps_directory {
            let is_directory = entry.kind == EntryKind::Directory;
            if self.belongs_to_others(stage, &path, &target, is_directory, &entry)? {
                // Another package, which replaces this one, has the file: it stays, and is theirs.
                return Ok(());
            }
        }
        self.list.push(path.clone());
        let may_stay = matches!(entry.kind, EntryKind::Directory | EntryKind::Symlink(_));
        if self.world.filters.skips(&path, may_stay) || keeps_directory || entry.path == "/" {
            return Ok(());
        }
        let set = match self.world.overrides.get(&path) {
            Some(known) => Set::all(known.mode, known.owner.0, known.owner.1),
            None => {
                let owner = self.world.ids.owner(&entry.owner_names, entry.owner);
                Set::all(entry.mode, owner.0, owner.1)
            }
        };
        let kind = present.map(|found| found.kind);
        if kind == Some(FileType::Directory) {
            return Err(self.wrong(format!("{path} is a directory in the image and not one in the package")));
        }
        match entry.kind {
            EntryKind::Directory => {
                if kind.is_some() {
                    stage.remove(&target)?;
                }
                stage.mkdir(&target, set)
            }
            EntryKind::Symlink(to) => {
                self.links.insert(entry.path);
                stage.symlink(&target, &to)
            }
            EntryKind::File(content) => self.place_file(stage, &path, &target, content, set, kind),
            EntryKind::HardLink(original) => {
                if !self.list.contains(&original) {
                    return Err(self.wrong(format!(
                        "{path} is a hard link to {original}, which does not come before it"
                    )));
                }
                if self.conffiles.iter().any(|conffile| conffile.record.path == original) {
                    return Err(
                        self.wrong(format!("{path} is a hard link to the configuration file {original}"))
                    );
                }
                let original = self.world.diverted(&original, &self.deb.package.name).to_owned();
                let content = stage.read_limited(&original, DATA_LIMIT)?.unwrap_or_default();
                let set = match stage.lstat(&original)? {
                    Some(found) => Set::all(found.mode, found.uid, found.gid),
                    None => set,
                };
                self.place_file(stage, &path, &target, content, set, kind)
            }
        }
    }

    fn place_file(
        &mut self,
        stage: &mut Stage<'_>,
        path: &str,
        target: &str,
        content: Vec<u8>,
        set: Set,
        present: Option<FileType>,
    ) -> Result<(), Error> {
        self.sums.push((path.to_owned(), md5_hex(&content)));
        let own = self.conffiles.iter_mut().find(|conffile| conffile.record.path == path);
        if let Some(conffile) = own.filter(|conffile| !conffile.record.remove_on_upgrade) {
            conffile.distributed = Some((content, set.mode.unwrap_or(0o644), set.owner.unwrap_or_default()));
            return Ok(());
        }
        if matches!(present, Some(FileType::Symlink | FileType::Special)) {
            stage.remove(target)?;
        }
        stage.write(target, content, set)
    }

    /// Decides about a path that other packages have in their lists: an error, taking it over, or
    /// (true) leaving it to them.
    fn belongs_to_others(
        &mut self,
        stage: &Stage<'_>,
        path: &str,
        target: &str,
        is_directory: bool,
        entry: &TarEntry,
    ) -> Result<bool, Error> {
        let alias = usr_alias(stage, path)?;
        let mut others: Vec<(usize, String)> = Vec::new();
        for spelling in std::iter::once(path.to_owned()).chain(alias) {
            others.extend(
                self.owners.get(&spelling).into_iter().flatten().map(|index| (*index, spelling.clone())),
            );
        }
        let here = stage.lstat(target)?;
        let own = &self.deb.package;
        let native = self.world.architectures.native.clone();
        for (index, spelling) in others {
            let other = &self.world.database.entries()[index];
            let Some(package) = &other.package else { continue };
            if package.same_instance(own) {
                continue;
            }
            if shares_files(package, own) {
                let same = match &entry.kind {
                    EntryKind::File(content) => {
                        package.version != own.version
                            || stage.read_limited(target, DATA_LIMIT)?.as_ref() == Some(content)
                    }
                    _ => true,
                };
                if !same {
                    return Err(self.wrong(format!("{path} differs from the one of {}", package.full_name())));
                }
                continue;
            }
            let diverted = self.world.diversions.iter().find(|diversion| diversion.from == path);
            if diverted.is_some_and(|diversion| {
                let by = diversion.package.as_deref();
                by == Some(&own.name) || by == Some(&package.name)
            }) {
                continue;
            }
            if here.is_none() && is_directory || other.state == State::ConfigFiles {
                continue;
            }
            let is_conffile = self.conffiles.iter().any(|conffile| conffile.record.path == path);
            if is_conffile && other.conffiles.iter().any(|known| known.obsolete && known.path == path) {
                continue;
            }
            // A Replaces must name the package itself, as in dpkg.
            let replaces = |by: &Package, what: &Package| {
                by.replaces.iter().any(|relation| {
                    relation.name == what.name && relation.matches(what, by, &native, Sense::Negative)
                })
            };
            if replaces(own, package) {
                self.taken.entry(index).or_default().push(spelling);
            } else if replaces(package, own) {
                return Ok(true);
            } else {
                let spelled = if spelling == path { String::new() } else { format!(" (there {spelling})") };
                return Err(self.wrong(format!(
                    "{path} is also in the package {} ({}) of the image{spelled}",
                    package.full_name(),
                    package.version
                )));
            }
        }
        Ok(false)
    }

    /// Removes what the old version had and the new one has not.
    fn remove_old(&mut self, stage: &mut Stage<'_>) -> Result<(), Error> {
        let Some(old) = self.old.clone() else { return Ok(()) };
        let new: HashSet<String> = self.list.iter().cloned().collect();
        let mut new_places = HashSet::new();
        for path in &self.list {
            new_places.insert(stage.resolve_parent(self.world.diverted(path, &self.deb.package.name))?);
        }
        for path in self.old_list.clone().iter().rev() {
            let is_new_conffile = self.conffiles.iter().any(|conffile| conffile.record.path == *path);
            if new.contains(path) || is_new_conffile || path == "/." {
                continue;
            }
            let target = self.world.diverted(path, &self.deb.package.name).to_owned();
            let Some(found) = stage.lstat(&target)? else { continue };
            let leads_to_directory =
                stage.stat(&target)?.is_some_and(|found| found.kind == FileType::Directory);
            let others = self.owners.get(path).into_iter().flatten().any(|index| {
                let package = self.world.database.entries()[*index].package.as_ref();
                package.is_some_and(|package| !package.same_instance(&self.deb.package))
            });
            if leads_to_directory && others {
                continue;
            }
            if found.kind == FileType::Directory {
                if stage.list(&target)?.is_empty() {
                    stage.remove(&target)?;
                }
                continue;
            }
            if new_places.contains(&stage.resolve_parent(&target)?) {
                continue;
            }
            if let Some(conffile) = old.conffiles.iter().find(|conffile| conffile.path == *path) {
                let record = Conffile { obsolete: true, ..conffile.clone() };
                self.list.push(path.clone());
                self.conffiles.push(NewConffile { record, distributed: None });
                continue;
            }
            if others {
                continue;
            }
            stage.remove(&target)?;
            self.outcome.changed.push(target);
        }
        Ok(())
    }

    /// The databases.
    fn finish(mut self, stage: &mut Stage<'_>, configure: bool) -> Result<Outcome, Error> {
        let own = self.deb.package.clone();
        for conffile in &mut self.conffiles {
            let target = self.world.diverted(&conffile.record.path, &own.name).to_owned();
            if configure {
                if settle(stage, &target, conffile)? {
                    self.outcome.kept.push(conffile.record.path.clone());
                }
            } else if let Some((content, mode, owner)) = conffile.distributed.take() {
                let real = stage.resolve(&target)?;
                stage.write(&format!("{real}.dpkg-new"), content, Set::all(mode, owner.0, owner.1))?;
            }
        }
        self.write_info(stage)?;
        self.take_over(stage)?;

        let text = self.deb.member_text("triggers").unwrap_or_default();
        let new = directives(&text, &self.deb.file_name)?;
        self.outcome.triggers = self.world.concerned(&self.outcome.changed, &new, &own);

        let state = if configure { State::Installed } else { State::Unpacked };
        let conffiles: Vec<Conffile> =
            self.conffiles.iter().map(|conffile| conffile.record.clone()).collect();
        let entry = Entry::new(&self.deb.control, &self.deb.file_name, self.old.as_ref(), state, &conffiles)?;
        self.world.database.put(entry);
        Ok(self.outcome)
    }

    fn write_info(&mut self, stage: &mut Stage<'_>) -> Result<(), Error> {
        let format = self.world.info_format;
        let own = &self.deb.package;
        let mut old_triggers = Vec::new();
        if let Some(package) = self.old.as_ref().and_then(|old| old.package.as_ref()) {
            for (kind, path) in info_files(stage, package, format)? {
                if kind == "triggers" {
                    let text = stage.read_text(&path)?.unwrap_or_default();
                    old_triggers = directives(&text, &path)?;
                }
                // The new package writes those that it has; see below.
                let stays = package.full_name() == own.full_name()
                    && (matches!(kind.as_str(), "list" | "md5sums") || self.deb.members.contains_key(&kind));
                if !stays {
                    stage.remove(&path)?;
                }
            }
        }
        let list: String = self.list.iter().map(|path| format!("{path}\n")).collect();
        stage.write(&info_file(own, format, "list"), list.into_bytes(), Set::all(0o644, 0, 0))?;
        for (kind, member) in &self.deb.members {
            stage.write(
                &info_file(own, format, kind),
                member.content.clone(),
                Set::all(member.mode, 0, 0),
            )?;
        }
        if !self.deb.members.contains_key("md5sums") {
            let sums: String =
                self.sums.iter().map(|(path, sum)| format!("{sum}  {}\n", &path[1..])).collect();
            stage.write(&info_file(own, format, "md5sums"), sums.into_bytes(), Set::all(0o644, 0, 0))?;
        }
        let text = self.deb.member_text("triggers").unwrap_or_default();
        let new = directives(&text, &self.deb.file_name)?;
        self.world.interests.replace(own, &old_triggers, &new);
        Ok(())
    }

    /// Takes files out of the lists of packages that this one replaces.
    fn take_over(&self, stage: &mut Stage<'_>) -> Result<(), Error> {
        for (index, paths) in &self.taken {
            let Some(package) = &self.world.database.entries()[*index].package else { continue };
            let path = info_file(package, self.world.info_format, "list");
            let text = stage.read_text(&path)?.unwrap_or_default();
            let left: Vec<&str> =
                text.lines().filter(|line| !paths.iter().any(|taken| taken == line)).collect();
            let mut has_files = false;
            for line in &left {
                has_files |= stage.lstat(line)?.is_some_and(|found| found.kind != FileType::Directory);
            }
            if !has_files {
                return Err(self.wrong(format!(
                    "takes over all files of the package {}, which would vanish; that is not done here",
                    package.full_name()
                )));
            }
            let text: String = left.iter().map(|line| format!("{line}\n")).collect();
            stage.write(&path, text.into_bytes(), Set::default())?;
        }
        Ok(())
    }
}

/// As in `.list` files, where the root is `/.`.
fn listed(path: &str) -> String {
    if path == "/" { "/.".to_owned() } else { path.to_owned() }
}

/// The other name of a path on an image where `/bin`, `/lib`, `/lib64`… are links into `/usr`.
fn usr_alias(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    let inner = path.strip_prefix("/usr").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let Some((top, _)) = inner[1..].split_once('/') else { return Ok(None) };
    if !(matches!(top, "bin" | "sbin") || top.starts_with("lib")) {
        return Ok(None);
    }
    let merged = match stage.read_link(&format!("/{top}"))? {
        Some(to) => to.trim_start_matches('/').trim_end_matches('/') == format!("usr/{top}"),
        None => false,
    };
    Ok(merged.then(|| if inner.len() == path.len() { format!("/usr{inner}") } else { inner.to_owned() }))
}
