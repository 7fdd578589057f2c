//! Takes from the image's own files what an initramfs lacks, and makes the archive to put behind
//! it.

use std::collections::BTreeSet;

use hardtack_guest::elf::Elf;
use hardtack_guest::initramfs::{Archive, Entry, Kind, View, digest, is_busybox};
use hardtack_guest::kmod::{Modules, read_module};
use hardtack_guest::{Error, FileType, Stage};

use super::needs::{self, Missing, Subject, Wants};
use super::script::{self, OWN};

/// Directories of programs in an image, in the order that they are looked through.
const PROGRAMS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// overlayroot's script in an image, the administrator's own version first.
pub(super) const IMAGE_SCRIPTS: [&str; 2] = [
    "/etc/initramfs-tools/scripts/init-bottom/overlayroot",
    "/usr/share/initramfs-tools/scripts/init-bottom/overlayroot",
];
/// Links followed on the way to one file, as the kernel has it.
const LINKS: usize = 40;

/// Something that neither the initramfs nor the image has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Absent {
    /// In words.
    pub(super) what: String,
    /// The Debian package that has it.
    pub(super) package: String,
}

/// An archive in the making, together with the tree that it will make.
pub(super) struct Supply<'a, 't> {
    stage: &'a Stage<'t>,
    view: View,
    archive: Archive,
    absent: BTreeSet<Absent>,
    /// Libraries seen already, so that a circle of them ends.
    libraries: BTreeSet<String>,
}

/// What came out.
pub(super) struct Supplied {
    /// The archive; empty bytes when nothing was added.
    pub(super) archive: Vec<u8>,
    /// What it lacks still.
    pub(super) absent: Vec<Absent>,
}

/// Makes the archive that gives `subject` all that is `missing`.
///
/// # Errors
/// Files of the image that cannot be read.
pub(super) fn supply(
    stage: &Stage<'_>,
    subject: &Subject<'_>,
    wants: &Wants,
    missing: &[Missing],
) -> Result<Supplied, Error> {
    let mut supply = Supply {
        stage,
        view: subject.view.clone(),
        archive: Archive::default(),
        absent: BTreeSet::new(),
        libraries: BTreeSet::new(),
    };
    supply.all(subject, wants, missing)?;
    // The proof: the same question to the tree as it will be.
    let after = Subject { view: &supply.view, version: subject.version, modules: subject.modules };
    let left = after.missing(wants);
    for item in left {
        if supply.absent.is_empty() {
            supply
                .absent
                .insert(Absent { what: item.describe(), package: package_of(&item, subject.version) });
        }
    }
    let archive = if supply.archive.is_empty() { Vec::new() } else { supply.archive.finish() };
    Ok(Supplied { archive, absent: supply.absent.into_iter().collect() })
}

impl Supply<'_, '_> {
    fn all(&mut self, subject: &Subject<'_>, wants: &Wants, missing: &[Missing]) -> Result<(), Error> {
        let mut text = match subject.view.text(needs::SCRIPT) {
            Some(text) => Some(text.to_owned()),
            None => self.image_script()?,
        };
        if text.is_none() {
            self.lacks("overlayroot's initramfs script", "overlayroot");
        }
        let mut modules = BTreeSet::new();
        for item in missing {
            match item {
                // Behind everything else that changes the script.
                Missing::Script | Missing::ScriptMode | Missing::Order | Missing::Guard => {}
                Missing::Program(name) => self.program(name)?,
                Missing::Library { program, library } => self.library_of(subject, program, library)?,
                Missing::Mke2fs => {
                    if self.own_program("mke2fs", needs::OWN_MKE2FS)? {
                        text = text.map(|text| script::redirect_mke2fs(&text));
                    }
                }
                Missing::Mount => {
                    if self.own_mount()? {
                        text = text.map(|text| script::redirect_mount(&text));
                    }
                }
                Missing::WaitForRoot => {
                    let content = script::WAIT_FOR_ROOT.as_bytes().to_vec();
                    let directory = if self.view.is_directory("sbin") { "sbin" } else { "bin" };
                    self.put(&format!("{directory}/wait-for-root"), Entry::File { mode: 0o755, content });
                }
                Missing::Modules(names) => {
                    modules.extend(names.iter().find(|name| subject.modules.path(name).is_some()).cloned());
                    if names.iter().all(|name| subject.modules.path(name).is_none()) {
                        self.lacks(&item.describe(), &kernel_package(subject.version));
                    }
                }
            }
        }
        if !modules.is_empty()
            && let Some(version) = subject.version
        {
            self.modules(version, subject.modules, wants)?;
            match text.as_deref().map(script::add_loader) {
                Some(Some(changed)) => text = Some(changed),
                Some(None) => {
                    self.lacks("a known place in overlayroot's script to load modules from", "overlayroot")
                }
                None => {}
            }
        }
        if missing.contains(&Missing::Guard) {
            let content = script::OVERLAY.as_bytes().to_vec();
            self.put(script::OVERLAY_PATH, Entry::File { mode: 0o644, content });
            match text.as_deref().map(script::add_guard) {
                Some(Some(changed)) => text = Some(changed),
                Some(None) => {
                    self.lacks("a known way in which overlayroot's script erases a disk", "overlayroot");
                }
                None => {}
            }
        }
        if let Some(text) = text {
            self.script(&text, missing);
        }
        Ok(())
    }

    /// Adds the script where it differs from the one that is there, and its line in `ORDER`.
    fn script(&mut self, text: &str, missing: &[Missing]) {
        if self.view.text(needs::SCRIPT) != Some(text) || missing.contains(&Missing::ScriptMode) {
            self.put(needs::SCRIPT, Entry::File { mode: 0o755, content: text.as_bytes().to_vec() });
        }
        if let Some(order) = self.view.text(needs::ORDER).and_then(script::order) {
            self.put(needs::ORDER, Entry::File { mode: 0o644, content: order.into_bytes() });
        }
    }

    fn image_script(&self) -> Result<Option<String>, Error> {
        for path in IMAGE_SCRIPTS {
            if let Some(text) = self.stage.read_text(path)?.filter(|text| !text.trim().is_empty()) {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn lacks(&mut self, what: &str, package: &str) {
        self.absent.insert(Absent { what: what.to_owned(), package: package.to_owned() });
    }

    /// A program by its usual name: the image's own, or busybox under that name.
    fn program(&mut self, name: &str) -> Result<(), Error> {
        for directory in PROGRAMS {
            let path = format!("{directory}/{name}");
            let Some(bytes) = self.image_file(&path)? else { continue };
            if let Some(elf) = Elf::parse(&bytes).filter(|_| !is_busybox(&bytes)) {
                self.take(&path)?;
                if self.libraries.iter().any(|library| library.starts_with("libargon2.so")) {
                    let origin = self.stage.resolve(&path)?;
                    self.library(origin.as_str(), &elf, needs::THREAD_LIBRARY)?;
                }
                return Ok(());
            }
        }
        // What is in the initramfs already comes first.
        let inside = self
            .view
            .resolve("bin/busybox")
            .filter(|path| self.view.file(path).is_some_and(|blob| needs::has_applet(blob, name)));
        let busybox = match inside {
            Some(path) => Some(path),
            None => self.image_busybox(name)?,
        };
        match busybox {
            Some(path) => {
                let directory = if self.view.is_directory("bin") { "bin" } else { "usr/bin" };
                self.put(&format!("{directory}/{name}"), Entry::Symlink(format!("/{path}")));
            }
            None => self.lacks(&format!("the program {name}"), program_package(name)),
        }
        Ok(())
    }

    fn image_busybox(&mut self, applet: &str) -> Result<Option<String>, Error> {
        for path in ["/usr/bin/busybox", "/bin/busybox", "/usr/lib/initramfs-tools/bin/busybox"] {
            if let Some(bytes) = self.image_file(path)?
                && needs::program_has_applet(&bytes, applet)
            {
                self.take(path)?;
                return Ok(Some(path.trim_start_matches('/').to_owned()));
            }
        }
        Ok(None)
    }

    /// Busybox as our mount, or else the real one (seen: it cannot make the overlay read-only
    /// again, which the script survives).
    fn own_mount(&mut self) -> Result<bool, Error> {
        match self.image_busybox("mount")? {
            Some(busybox) => {
                self.put(needs::OWN_MOUNT, Entry::Symlink(format!("/{busybox}")));
                Ok(true)
            }
            None => self.own_program("mount", needs::OWN_MOUNT),
        }
    }

    /// A real program (never busybox) under a name of ours; false when the image has none.
    fn own_program(&mut self, name: &str, place: &str) -> Result<bool, Error> {
        for directory in PROGRAMS {
            let path = format!("{directory}/{name}");
            let Some(content) = self.image_file(&path)? else { continue };
            let Some(elf) = Elf::parse(&content).filter(|_| !is_busybox(&content)) else { continue };
            self.put(place, Entry::File { mode: 0o755, content });
            let origin = self.stage.resolve(&path)?;
            self.libraries(origin.as_str(), &elf)?;
            return Ok(true);
        }
        self.lacks(&format!("the program {name}"), program_package(name));
        Ok(false)
    }

    /// A library that a program of the initramfs needs. The image's program may be newer, so the
    /// library is searched for as that program does.
    fn library_of(&mut self, subject: &Subject<'_>, program: &str, library: &str) -> Result<(), Error> {
        match subject.view.file(program).and_then(|blob| blob.elf.clone()) {
            Some(elf) => self.library(&format!("/{program}"), &elf, library),
            None => Ok(()),
        }
    }

    /// The libraries of an ELF file, and theirs.
    fn libraries(&mut self, origin: &str, elf: &Elf) -> Result<(), Error> {
        let mut pending = vec![(origin.to_owned(), elf.clone())];
        while let Some((origin, elf)) = pending.pop() {
            for name in elf.needed.iter().chain(&elf.interpreter) {
                if !self.libraries.insert(name.clone()) {
                    continue;
                }
                if let Some((path, found)) = self.find_library(&origin, &elf, name)? {
                    self.take_one(&path)?;
                    pending.push((self.stage.resolve(&path)?.as_str().to_owned(), found));
                } else if !self.in_view(name) {
                    self.lacks(&format!("the library {name}"), "the one that has it");
                }
            }
        }
        Ok(())
    }

    fn library(&mut self, origin: &str, elf: &Elf, name: &str) -> Result<(), Error> {
        let wanted = Elf { needed: vec![name.to_owned()], interpreter: None, ..elf.clone() };
        self.libraries(origin, &wanted)
    }

    fn in_view(&self, name: &str) -> bool {
        let end = format!("/{name}");
        self.view.paths().any(|path| path.ends_with(&end))
    }

    /// Where the dynamic linker of the image would find a library.
    fn find_library(&self, origin: &str, elf: &Elf, name: &str) -> Result<Option<(String, Elf)>, Error> {
        let mut candidates = Vec::new();
        if name.contains('/') {
            candidates.push(name.to_owned());
        } else {
            let here = origin.rsplit_once('/').map_or("", |(directory, _)| directory);
            for directory in &elf.search {
                candidates.push(format!(
                    "{}/{name}",
                    directory.replace("${ORIGIN}", here).replace("$ORIGIN", here)
                ));
            }
            candidates
                .extend(self.library_directories(elf)?.iter().map(|directory| format!("{directory}/{name}")));
        }
        for path in candidates {
            if let Some(bytes) = self.image_file(&path)?
                && let Some(found) = Elf::parse(&bytes).filter(|found| found.fits(elf))
            {
                return Ok(Some((path, found)));
            }
        }
        Ok(None)
    }

    fn library_directories(&self, elf: &Elf) -> Result<Vec<String>, Error> {
        // ELF machine numbers of Debian's architectures.
        let triplet = match (elf.machine, elf.wide) {
            (62, true) => "x86_64-linux-gnu",
            (3, false) => "i386-linux-gnu",
            (183, _) => "aarch64-linux-gnu",
            (40, _) => "arm-linux-gnueabihf",
            (21, true) => "powerpc64le-linux-gnu",
            (22, true) => "s390x-linux-gnu",
            (243, true) => "riscv64-linux-gnu",
            _ => "",
        };
        let mut directories = Vec::new();
        if !triplet.is_empty() {
            directories.push(format!("/lib/{triplet}"));
            directories.push(format!("/usr/lib/{triplet}"));
        }
        directories.extend(["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(str::to_owned));
        for entry in self.stage.list("/etc/ld.so.conf.d")? {
            let path = format!("/etc/ld.so.conf.d/{}", entry.name);
            if !entry.name.ends_with(".conf") {
                continue;
            }
            let text = self.stage.read(&path)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            directories
                .extend(text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned));
        }
        Ok(directories)
    }

    /// A file of the image; `None` when there is none, or something else.
    fn image_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.stage.stat(path)? {
            Some(metadata) if metadata.kind == FileType::Regular => self.stage.read(path),
            _ => Ok(None),
        }
    }

    /// A program or library of the image at its own path, with all its libraries.
    fn take(&mut self, path: &str) -> Result<(), Error> {
        self.take_one(path)?;
        if let Some(elf) = self.image_file(path)?.as_deref().and_then(Elf::parse) {
            let origin = self.stage.resolve(path)?;
            self.libraries(origin.as_str(), &elf)?;
        }
        Ok(())
    }

    /// One file of the image at its own path, with the links that lead to it.
    fn take_one(&mut self, path: &str) -> Result<(), Error> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            self.directories(parent)?;
            let real = self.stage.resolve_parent(&path)?;
            let place = format!("{}/{name}", parent.trim_start_matches('/'));
            if let Some(target) = self.stage.read_link(real.as_str())? {
                // The same link, or a file of the same name, may be there already: what counts is
                // the file that it leads to in the end.
                if self.view.lstat(&place).is_none_or(|node| node.kind == Kind::Symlink) {
                    if self.view.target(&place) != Some(&target) {
                        self.put(&place, Entry::Symlink(target.clone()));
                    }
                    path = if target.starts_with('/') {
                        target
                    } else {
                        let directory =
                            real.parent().map(|parent| parent.as_str().to_owned()).unwrap_or_default();
                        hardtack_guest::GuestPath::new(&format!("{directory}/{target}")).as_str().to_owned()
                    };
                    continue;
                }
            }
            let Some(content) = self.image_file(&path)? else { return Ok(()) };
            let same = self.view.file(&place).is_some_and(|blob| blob.digest == digest(&content));
            if !same {
                self.put(&place, Entry::File { mode: 0o755, content });
            }
            return Ok(());
        }
        Ok(())
    }

    /// Makes the directories of an image's path, with the image's own links among them (`/lib` is
    /// one on a merged system) where the initramfs has nothing of that name.
    fn directories(&mut self, path: &str) -> Result<(), Error> {
        let mut pending: Vec<String> =
            path.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut here = String::new();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            let next = format!("{here}/{part}");
            let inside = next.trim_start_matches('/').to_owned();
            if !self.view.is_directory(&inside) {
                match self.stage.read_link(&next)? {
                    Some(target) if links < LINKS => {
                        links += 1;
                        self.put(&inside, Entry::Symlink(target.clone()));
                        if target.starts_with('/') {
                            here.clear();
                        }
                        let whole = hardtack_guest::GuestPath::new(&format!("{here}/{target}"));
                        pending.extend(whole.components().rev().map(str::to_owned));
                        here.clear();
                        continue;
                    }
                    _ => self.put(&inside, Entry::Directory),
                }
            }
            here = next;
        }
        Ok(())
    }

    /// Modules as plain `.ko` files in a directory of ours, numbered in the order of loading. They
    /// stay out of `/lib/modules`: modprobe would only find them there through index files that
    /// describe the whole set.
    fn modules(&mut self, version: &str, modules: &Modules, wants: &Wants) -> Result<(), Error> {
        let mut names: Vec<&str> = wants.modules.iter().flatten().map(String::as_str).collect();
        names.extend(wants.drivers.iter().map(String::as_str));
        if wants.crypt {
            names.extend(needs::EXTRA_MODULES);
        }
        let directory = format!("{}/{version}", needs::OWN_MODULES);
        for (index, name) in modules.closure(&names).iter().enumerate() {
            let Some(path) = modules.path(name) else { continue };
            let content = read_module(self.stage, version, path)?;
            self.put(&format!("{directory}/{index:02}-{name}.ko"), Entry::File { mode: 0o644, content });
        }
        self.put(
            &format!("{OWN}/load-modules"),
            Entry::File { mode: 0o644, content: script::LOAD_MODULES.into() },
        );
        // kmod looks at the name that it is called by.
        let subject = Subject { view: &self.view, version: Some(version), modules };
        let inside = subject.find("kmod").map(|(path, _)| path);
        match inside {
            Some(kmod) => self.put(&format!("{OWN}/insmod"), Entry::Symlink(format!("/{kmod}"))),
            None if self.own_program("kmod", &format!("{OWN}/kmod"))? => {
                self.put(&format!("{OWN}/insmod"), Entry::Symlink("kmod".to_owned()));
            }
            None => {}
        }
        Ok(())
    }

    /// Adds a member and the directories above it.
    fn put(&mut self, path: &str, entry: Entry) {
        let mut directory = String::new();
        let parts: Vec<&str> = path.split('/').collect();
        for part in parts.iter().take(parts.len().saturating_sub(1)) {
            directory = if directory.is_empty() { (*part).to_owned() } else { format!("{directory}/{part}") };
            if !self.view.is_directory(&directory) {
                self.add(&directory, &Entry::Directory);
            }
        }
        // A file that has several names would change under all of them: it is unlinked by a link
        // of the same name first, since another type makes the kernel remove what is there.
        if let (Entry::File { .. }, Some(Kind::File(blob))) =
            (&entry, self.view.lstat(path).map(|node| node.kind))
            && self.view.blob(blob).is_some_and(|blob| blob.names > 1)
        {
            self.add(path, &Entry::Symlink("hardtack-replaces-this".to_owned()));
        }
        self.add(path, &entry);
    }

    fn add(&mut self, path: &str, entry: &Entry) {
        self.view.apply(path, entry);
        self.archive.add(path, entry);
    }
}

/// The Debian package of a program.
pub(super) fn program_package(name: &str) -> &'static str {
    match name {
        "cryptsetup" => "cryptsetup",
        "wipefs" => "util-linux",
        "mount" => "mount",
        "mke2fs" => "e2fsprogs",
        "modprobe" | "kmod" => "kmod",
        "grep" => "grep",
        _ => "busybox",
    }
}

fn kernel_package(version: Option<&str>) -> String {
    version.map_or_else(|| "linux-image".to_owned(), |version| format!("linux-image-{version}"))
}

fn package_of(item: &Missing, version: Option<&str>) -> String {
    match item {
        Missing::Script | Missing::ScriptMode | Missing::Order | Missing::WaitForRoot | Missing::Guard => {
            "overlayroot".to_owned()
        }
        Missing::Program(name) => program_package(name).to_owned(),
        Missing::Library { program, .. } => {
            program_package(program.rsplit('/').next().unwrap_or(program)).to_owned()
        }
        Missing::Mke2fs => "e2fsprogs".to_owned(),
        Missing::Mount => "mount".to_owned(),
        Missing::Modules(_) => kernel_package(version),
    }
}
