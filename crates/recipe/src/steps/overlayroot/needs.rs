//! What overlayroot needs inside an initramfs, and what of it an initramfs has not got.
//!
//! Facts: the script itself (cloud-initramfs-tools 0.18 to 0.48), boots of Debian 12 and 13 with
//! and without busybox and cryptsetup-initramfs.

use std::collections::BTreeSet;

use hardtack_guest::initramfs::{Blob, Kind, View};
use hardtack_guest::kmod::{Modules, module_name};

use super::script;

/// Directories of programs, in the order of the script's `PATH`.
pub(super) const PATH: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];
/// overlayroot's script inside an initramfs.
pub(super) const SCRIPT: &str = "scripts/init-bottom/overlayroot";
/// The order of the scripts beside it.
pub(super) const ORDER: &str = "scripts/init-bottom/ORDER";
/// The real mke2fs, where no applet of busybox can shadow it.
pub(super) const OWN_MKE2FS: &str = "usr/lib/hardtack/mke2fs";
/// A mount that finds out the type of a file system itself.
pub(super) const OWN_MOUNT: &str = "usr/lib/hardtack/mount";
/// Our copies of kernel modules, by version.
pub(super) const OWN_MODULES: &str = "usr/lib/hardtack/modules";

/// Programs that the script runs in every mode.
pub(super) const COMMON_TOOLS: [&str; 7] = ["mount", "mkdir", "rm", "cat", "grep", "uname", "modprobe"];
/// Programs for a random key.
pub(super) const KEY_TOOLS: [&str; 4] = ["mktemp", "head", "sha512sum", "mv"];
/// Programs for an encrypted disk.
pub(super) const CRYPT_TOOLS: [&str; 2] = ["cryptsetup", "wipefs"];

/// Programs that find a disk and tell what became of it.
pub(super) const GUARD_TOOLS: [&str; 3] = ["sleep", "readlink", "ln"];

/// Loaded by glibc when a thread of libargon2 ends (seen: "libgcc_s.so.1 must be installed for
/// pthread_exit to work", and luksFormat fails); no program names it.
pub(super) const THREAD_LIBRARY: &str = "libgcc_s.so.1";

/// Modules for an encrypted disk: of each group, one must be there. cryptsetup's default is
/// aes-xts-plain64; `xts` asks for `ecb` where no accelerated driver is.
pub(super) const CRYPT_MODULES: [&[&str]; 5] = [
    &["dm_mod"],
    &["dm_crypt"],
    &["xts"],
    &["ecb"],
    &["aes_generic", "aes", "aes_x86_64", "aesni_intel", "aes_arm64", "aes_ce_blk", "aes_arm"],
];
/// Modules that make it faster, or that other versions of cryptsetup use: taken along where the
/// image has them when others are missing.
pub(super) const EXTRA_MODULES: [&str; 13] = [
    "aesni_intel",
    "aes_ce_blk",
    "cryptd",
    "crypto_simd",
    "cbc",
    "essiv",
    "sha256_generic",
    "sha256_ssse3",
    "sha512_generic",
    "hmac",
    "af_alg",
    "algif_skcipher",
    "algif_hash",
];

/// What the recipe asks an initramfs to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// An encrypted disk.
    pub(super) crypt: bool,
    /// A key that the script makes.
    pub(super) random_key: bool,
    /// Waiting for a disk.
    pub(super) wait: bool,
    /// Groups of modules without which it cannot work.
    pub(super) modules: Vec<Vec<String>>,
    /// The disk is looked for, and watched over.
    pub(super) guard: bool,
    /// Modules that it needs if the kernel has them as modules (disk and file system drivers).
    pub(super) drivers: Vec<String>,
}

/// One thing that an initramfs has not got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missing {
    /// overlayroot's script.
    Script,
    /// The script is there and not executable.
    ScriptMode,
    /// The script is there and nothing runs it.
    Order,
    /// A program, or one of its libraries.
    Program(String),
    /// A library of a program that is there.
    Library {
        /// The program's path.
        program: String,
        /// The library's name.
        library: String,
    },
    /// A real mke2fs under a name that busybox does not shadow, and a script that calls it.
    Mke2fs,
    /// A mount that knows `--move` and finds file system types out: klibc's does not (seen:
    /// "failed mount backing device", "failed to move root away").
    Mount,
    /// A program that waits for a disk.
    WaitForRoot,
    /// What finds the disk and keeps what is on it.
    Guard,
    /// None of these modules is there with what it depends on.
    Modules(Vec<String>),
}

impl Missing {
    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Script | Self::ScriptMode => "overlayroot's script".to_owned(),
            Self::Order => "overlayroot's place in the order of scripts".to_owned(),
            Self::Program(name) => format!("the program {name}"),
            Self::Library { program, library } => format!("{library} (for {program})"),
            Self::Mke2fs => "a real mke2fs where busybox's does not shadow it".to_owned(),
            Self::Mount => {
                "a mount with the options that overlayroot uses (klibc's has not got them)".to_owned()
            }
            Self::WaitForRoot => "wait-for-root".to_owned(),
            Self::Guard => "the search for the disk, and its protection".to_owned(),
            Self::Modules(names) => match &names[..] {
                [name] => format!("the kernel module {name}"),
                names => format!("one of the kernel modules {}", names.join(", ")),
            },
        }
    }
}

/// An initramfs with the kernel that it is for.
pub(super) struct Subject<'a> {
    /// What is in it.
    pub(super) view: &'a View,
    /// The kernel's version; `None` when it has no modules and nothing tells.
    pub(super) version: Option<&'a str>,
    /// The modules that the image has for it.
    pub(super) modules: &'a Modules,
}

impl Subject<'_> {
    /// Everything that `wants` needs and the initramfs has not got.
    pub(super) fn missing(&self, wants: &Wants) -> Vec<Missing> {
        let mut missing = BTreeSet::new();
        let text = self.view.text(SCRIPT);
        match self.view.resolve(SCRIPT).and_then(|path| self.view.lstat(&path)) {
            Some(node) if text.is_some() && node.mode & 0o111 == 0 => {
                missing.insert(Missing::ScriptMode);
            }
            Some(_) if text.is_some() => {}
            _ => {
                missing.insert(Missing::Script);
            }
        }
        if let Some(order) = self.view.text(ORDER)
            && script::order(order).is_some()
        {
            missing.insert(Missing::Order);
        }
        for tool in tools(wants) {
            self.program(tool, &mut missing);
        }
        if wants.crypt
            && let Some((program, blob)) = self.find("cryptsetup")
            && self.library(THREAD_LIBRARY).is_none()
            && self.uses_argon2(blob)
        {
            missing.insert(Missing::Library { program, library: THREAD_LIBRARY.to_owned() });
        }
        let text = text.unwrap_or_default();
        if wants.crypt && !self.has_mke2fs(text, &mut missing) {
            missing.insert(Missing::Mke2fs);
        }
        if !self.has_mount(text, &mut missing) {
            missing.insert(Missing::Mount);
        }
        // A script that has another way to wait needs none of ours.
        if wants.wait
            && (text.is_empty() || text.contains("wait-for-root"))
            && self.find("wait-for-root").is_none()
        {
            missing.insert(Missing::WaitForRoot);
        }
        if wants.guard
            && (!script::is_guarded(text) || self.view.text(script::OVERLAY_PATH) != Some(script::OVERLAY))
        {
            missing.insert(Missing::Guard);
        }
        let present = self.modules_present(text);
        for group in &wants.modules {
            if !group.iter().any(|name| self.has_module(name, &present)) {
                missing.insert(Missing::Modules(group.clone()));
            }
        }
        for driver in &wants.drivers {
            if self.modules.path(driver).is_some() && !self.has_module(driver, &present) {
                missing.insert(Missing::Modules(vec![driver.clone()]));
            }
        }
        missing.into_iter().collect()
    }

    /// The program that `name` runs, by the script's `PATH`.
    pub(super) fn find(&self, name: &str) -> Option<(String, &Blob)> {
        PATH.iter().find_map(|directory| {
            let path = self.view.resolve(&format!("{directory}/{name}"))?;
            let blob = self.view.file(&path)?;
            Some((path, blob))
        })
    }

    fn program(&self, name: &str, missing: &mut BTreeSet<Missing>) {
        match self.find(name) {
            None => {
                missing.insert(Missing::Program(name.to_owned()));
            }
            Some((path, blob)) => self.libraries(&path, blob, missing),
        }
    }

    /// Notes the libraries that a program and its libraries need and that are nowhere.
    fn libraries(&self, program: &str, blob: &Blob, missing: &mut BTreeSet<Missing>) {
        let mut pending = vec![blob];
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(blob) = pending.pop() {
            let Some(elf) = &blob.elf else { continue };
            let interpreter = elf.interpreter.as_deref().map(|path| path.trim_start_matches('/'));
            for wanted in elf.needed.iter().map(String::as_str).chain(interpreter) {
                if !seen.insert(wanted) {
                    continue;
                }
                match self.library(wanted) {
                    Some(blob) => pending.push(blob),
                    None => {
                        missing.insert(Missing::Library {
                            program: program.to_owned(),
                            library: wanted.to_owned(),
                        });
                    }
                }
            }
        }
    }

    /// True for a cryptsetup with libargon2; later ones have OpenSSL's, which needs nothing more.
    fn uses_argon2(&self, cryptsetup: &Blob) -> bool {
        let needs = |blob: &Blob, name: &str| {
            blob.elf.as_ref().is_some_and(|elf| elf.needed.iter().any(|needed| needed.starts_with(name)))
        };
        let library = cryptsetup
            .elf
            .as_ref()
            .and_then(|elf| elf.needed.iter().find(|name| name.starts_with("libcryptsetup.so")))
            .and_then(|name| self.library(name));
        needs(cryptsetup, "libargon2.so") || library.is_some_and(|library| needs(library, "libargon2.so"))
    }

    fn library(&self, name: &str) -> Option<&Blob> {
        if name.contains('/') {
            return self.view.file(name);
        }
        let beside = format!("/{name}");
        let path = self.view.paths().find(|path| path.ends_with(&beside) && path.contains("lib"))?;
        self.view.file(path)
    }

    fn has_mke2fs(&self, text: &str, missing: &mut BTreeSet<Missing>) -> bool {
        if script::calls_own_mke2fs(text) {
            let Some(blob) = self.view.file(OWN_MKE2FS) else { return false };
            self.libraries(OWN_MKE2FS, blob, missing);
            return true;
        }
        if !text.is_empty() && !script::calls_mke2fs(text) {
            // A script that makes file systems in a way that we do not know.
            return true;
        }
        let shell = self.find("sh").is_some_and(|(_, blob)| has_applet(blob, "mke2fs"));
        match self.find("mke2fs") {
            Some((path, blob)) if !shell && !has_applet(blob, "mke2fs") => {
                self.libraries(&path, blob, missing);
                true
            }
            _ => false,
        }
    }

    fn has_mount(&self, text: &str, missing: &mut BTreeSet<Missing>) -> bool {
        if script::calls_own_mount(text) {
            let Some(blob) = self.view.file(OWN_MOUNT) else { return false };
            self.libraries(OWN_MOUNT, blob, missing);
            return true;
        }
        // A mount that is missing altogether is among the missing programs.
        !self.find("mount").is_some_and(|(_, blob)| is_klibc(blob))
    }

    /// Names of the modules that lie in the initramfs where they will be found.
    fn modules_present(&self, script_text: &str) -> BTreeSet<String> {
        let mut present = BTreeSet::new();
        let Some(version) = self.version else { return present };
        let is_module = |name: &str| name.ends_with(".ko") || name.contains(".ko.");
        let files = |directory: &str| -> Vec<String> {
            self.view
                .below(directory)
                .filter(|(name, node)| matches!(node.kind, Kind::File(_)) && is_module(name))
                .map(|(name, _)| name.to_owned())
                .collect()
        };
        present.extend(files(&format!("lib/modules/{version}")).iter().map(|name| module_name(name)));
        if script::loads_modules(script_text) {
            // "03-dm_crypt.ko": the number is the order.
            present.extend(files(&format!("{OWN_MODULES}/{version}")).iter().map(|name| {
                let name = name.split_once('-').map_or(name.as_str(), |(_, name)| name);
                module_name(name)
            }));
        }
        present
    }

    fn has_module(&self, name: &str, present: &BTreeSet<String>) -> bool {
        if self.modules.is_builtin(name) {
            return true;
        }
        if self.modules.path(name).is_none() {
            return present.contains(&module_name(name));
        }
        self.modules
            .closure(&[name])
            .iter()
            .filter(|need| self.is_hard(name, need))
            .all(|need| present.contains(need))
    }

    /// Soft dependencies may be missing.
    fn is_hard(&self, name: &str, need: &str) -> bool {
        module_name(name) == need || self.modules.needs(name).iter().any(|hard| hard == need)
    }
}

/// The programs that `wants` needs.
pub(super) fn tools(wants: &Wants) -> Vec<&'static str> {
    let mut tools = COMMON_TOOLS.to_vec();
    if wants.crypt {
        tools.extend(CRYPT_TOOLS);
    }
    if wants.crypt && wants.random_key {
        tools.extend(KEY_TOOLS);
    }
    if wants.wait && !wants.guard {
        tools.push("sleep");
    }
    if wants.guard {
        tools.extend(GUARD_TOOLS);
    }
    tools
}

/// True for a program of klibc, whose tools know the simplest options only.
fn is_klibc(blob: &Blob) -> bool {
    blob.elf.as_ref().and_then(|elf| elf.interpreter.as_deref()).is_some_and(|path| path.contains("klibc"))
}

/// True for a busybox that has the applet.
pub(super) fn has_applet(blob: &Blob, name: &str) -> bool {
    blob.content.as_deref().is_some_and(|content| program_has_applet(content, name))
}

/// True for the bytes of a busybox that has the applet: its names stand between zero bytes.
pub(super) fn program_has_applet(program: &[u8], name: &str) -> bool {
    let entry = [b"\0", name.as_bytes(), b"\0"].concat();
    hardtack_guest::initramfs::is_busybox(program)
        && program.windows(entry.len()).any(|window| window == entry)
}
