//! Kernel modules of one kernel version: names, dependencies, the order to load them in.
//!
//! Facts: `modules.dep(5)`, `modprobe.d(5)` (softdep), kmod's `libkmod-module.c` (names: `-` is
//! `_`, everything from `.ko` on is dropped).

use std::collections::{BTreeMap, BTreeSet};

use crate::initramfs::{Module, expand};
use crate::{Error, GuestPath, Stage};

/// What `depmod` wrote about the modules of one kernel version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// By module name: path below the version's directory, and the names it depends on.
    loadable: BTreeMap<String, (String, Vec<String>)>,
    builtin: BTreeSet<String>,
    soft: BTreeMap<String, Vec<String>>,
}

/// The module's name as the kernel has it, from a path or file name.
#[must_use]
pub fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split_once(".ko").map_or(file, |(stem, _)| stem);
    stem.replace('-', "_")
}

impl Modules {
    /// Reads the texts of `modules.dep`, `modules.builtin` and `modules.softdep`; lines that
    /// cannot be understood are left out.
    #[must_use]
    pub fn parse(dep: &str, builtin: &str, softdep: &str) -> Self {
        let mut modules = Self::default();
        for line in dep.lines() {
            if let Some((path, needs)) = line.split_once(':') {
                let needs = needs.split_whitespace().map(module_name).collect();
                modules.loadable.insert(module_name(path), (path.trim().to_owned(), needs));
            }
        }
        modules.builtin =
            builtin.lines().map(str::trim).filter(|line| !line.is_empty()).map(module_name).collect();
        for line in softdep.lines() {
            let mut words = line.split_whitespace();
            if words.next() != Some("softdep") {
                continue;
            }
            let Some(name) = words.next() else { continue };
            // What is wanted after the module counts as well: it is to be there, in some order.
            let wanted = words.filter(|word| !word.ends_with(':')).map(module_name);
            modules.soft.entry(module_name(name)).or_default().extend(wanted);
        }
        modules
    }

    /// Reads those of `version` from the image.
    ///
    /// # Errors
    /// A file that cannot be read; missing files are empty ones.
    pub fn read(stage: &Stage<'_>, version: &str) -> Result<Self, Error> {
        let text = |name: &str| -> Result<String, Error> {
            let bytes = stage.read(&format!("/lib/modules/{version}/{name}"))?;
            Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
        };
        Ok(Self::parse(&text("modules.dep")?, &text("modules.builtin")?, &text("modules.softdep")?))
    }

    /// True when nothing at all is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.loadable.is_empty() && self.builtin.is_empty()
    }

    /// True when the kernel itself holds the module.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        self.builtin.contains(&module_name(name))
    }

    /// The path of a loadable module below the version's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&str> {
        self.loadable.get(&module_name(name)).map(|(path, _)| path.as_str())
    }

    /// Everything that a loadable module depends on, as `modules.dep` lists it.
    #[must_use]
    pub fn needs(&self, name: &str) -> &[String] {
        self.loadable.get(&module_name(name)).map_or(&[], |(_, needs)| needs)
    }

    /// The names of `wanted` and of everything they need, in an order in which they can be loaded.
    /// Built-in and unknown names are left out; soft dependencies are taken along.
    #[must_use]
    pub fn closure(&self, wanted: &[&str]) -> Vec<String> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        // A stack instead of recursion, since the files are the image's: a name is pushed once to
        // be opened and once, below its dependencies, to be put down.
        let mut stack: Vec<(String, bool)> =
            wanted.iter().rev().map(|name| (module_name(name), false)).collect();
        while let Some((name, opened)) = stack.pop() {
            if opened {
                order.push(name);
                continue;
            }
            let Some((_, needs)) = self.loadable.get(&name) else { continue };
            if !seen.insert(name.clone()) {
                continue;
            }
            stack.push((name.clone(), true));
            let soft = self.soft.get(&name).into_iter().flatten();
            stack.extend(needs.iter().chain(soft).rev().map(|need| (need.clone(), false)));
        }
        order
    }
}

/// Reads a loadable module from the image, unpacked (`.ko`, `.ko.gz`, `.ko.xz`, `.ko.zst`).
///
/// # Errors
/// A missing or damaged file.
pub fn read_module(stage: &Stage<'_>, version: &str, path: &str) -> Result<Vec<u8>, Error> {
    let file = if path.starts_with('/') { path.to_owned() } else { format!("/lib/modules/{version}/{path}") };
    let missing = || Error::Missing { path: GuestPath::new(&file) };
    let packed = stage.read(&file)?.ok_or_else(missing)?;
    expand(&packed, Module::LIMIT).map_err(|error| Error::Content {
        path: GuestPath::new(&file),
        line: None,
        what: format!("a damaged kernel module: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/drivers/md/dm-crypt.ko.xz: kernel/drivers/md/dm-mod.ko.xz
kernel/drivers/md/dm-mod.ko.xz:
kernel/arch/x86/crypto/aesni-intel.ko.xz: kernel/crypto/crypto_simd.ko.xz kernel/crypto/cryptd.ko.xz
kernel/crypto/crypto_simd.ko.xz: kernel/crypto/cryptd.ko.xz
kernel/crypto/cryptd.ko.xz:
kernel/crypto/xts.ko.xz:
kernel/a.ko: kernel/b.ko
kernel/b.ko: kernel/a.ko
";

    fn modules() -> Modules {
        Modules::parse(
            DEP,
            "kernel/crypto/ecb.ko\nkernel/crypto/aes_generic.ko\n",
            "# x\nsoftdep dm_crypt pre: xts post: ecb\n",
        )
    }

    #[test]
    fn names() {
        for (path, name) in [
            ("kernel/arch/x86/crypto/aesni-intel.ko.xz", "aesni_intel"),
            ("dm-crypt.ko", "dm_crypt"),
            ("overlay", "overlay"),
            ("x/ext4.ko.zst", "ext4"),
        ] {
            assert_eq!(module_name(path), name);
        }
    }

    #[test]
    fn closure_loads_dependencies_first() {
        assert_eq!(modules().closure(&["dm_crypt"]), ["dm_mod", "xts", "dm_crypt"]);
        assert_eq!(modules().closure(&["aesni-intel"]), ["cryptd", "crypto_simd", "aesni_intel"]);
        assert_eq!(modules().closure(&["ecb", "nothing"]), Vec::<String>::new());
        assert!(modules().is_builtin("ecb"));
        assert_eq!(modules().path("dm-mod"), Some("kernel/drivers/md/dm-mod.ko.xz"));
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(modules().closure(&["a"]), ["b", "a"]);
    }
}
