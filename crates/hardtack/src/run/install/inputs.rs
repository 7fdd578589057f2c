//! What an image is made of, as a digest: source, recipe with all that it refers to, packages, agent, options, tool.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use hardtack_bundle::hex;
use hardtack_disk::{Backing, Qcow2Source, SourceFormat, detect_format};
use hardtack_publish::fingerprint::Inputs;
use hardtack_recipe::{HostFiles, HostType, RealFiles, Recipe};
use sha2::{Digest as _, Sha256};

use super::Order;
use crate::agent_file;
use crate::args::SourceArgs;
use crate::error::CliError;
use crate::run::build;
use crate::run::written::Written;

/// What a file's digest is made of.
const BLOCK: usize = 1 << 20;

/// Remembers what a recipe has read of the host.
#[derive(Default)]
pub(super) struct Witness {
    seen: RefCell<Vec<(String, String)>>,
    /// The digest of the recipe's file.
    own: RefCell<String>,
}

impl Witness {
    /// Reads the recipe, and remembers all that it asks for.
    pub(super) fn recipe(&self, path: &Path, set: &[(String, String)]) -> Result<Recipe, CliError> {
        let own = file(path)?;
        self.own.replace(own.clone());
        let environment = |name: &str| {
            let value = std::env::var(name).ok();
            self.see(format!("variable {name}"), value.as_ref().map(|value| self.secret(value.as_bytes())));
            value
        };
        let recipe = Written::new(path, set).read_with(&environment, self)?;
        for (name, value) in set {
            self.see(format!("set {name}"), Some(digest(value.as_bytes())));
        }
        self.see("recipe".to_owned(), Some(own));
        self.see("name".to_owned(), Some(digest(recipe.name.as_bytes())));
        for deb in recipe.packages().into_iter().flat_map(|packages| &packages.debs) {
            self.see("package".to_owned(), Some(file(&deb.path)?));
        }
        Ok(recipe)
    }

    fn secret(&self, content: &[u8]) -> String {
        slow(content, &self.own.borrow())
    }

    fn see(&self, name: String, digest: Option<String>) {
        self.seen.borrow_mut().push((name, digest.unwrap_or_else(|| "none".to_owned())));
    }
}

impl HostFiles for Witness {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = RealFiles.read(path, limit)?;
        // Without its path: a runner has its files elsewhere each time, and the recipe says what they are for.
        self.see("file".to_owned(), Some(digest(&content)));
        Ok(content)
    }

    fn read_secret(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = RealFiles.read_secret(path, limit)?;
        self.see("secret".to_owned(), Some(self.secret(&content)));
        Ok(content)
    }

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        RealFiles.is_directory(path)
    }

    fn kind(&self, path: &Path, follow: bool) -> io::Result<(HostType, u32)> {
        let found = RealFiles.kind(path, follow)?;
        self.see("kind".to_owned(), Some(format!("{found:?}")));
        Ok(found)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let paths = RealFiles.list(path)?;
        for one in &paths {
            let name = one.strip_prefix(path).unwrap_or(one).as_os_str().as_encoded_bytes();
            self.see("name".to_owned(), Some(digest(name)));
        }
        Ok(paths)
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

/// The digest of what may be a password. It goes into a tag that everybody in the account can read, who knows the other
/// inputs: trying a guess is made as dear as it is with the hash in Debian's /etc/shadow (yescrypt, 16 MiB), which
/// needs the image itself. `salt`: that a table of guesses is good for one recipe only.
fn slow(secret: &[u8], salt: &str) -> String {
    let mut key = [0; 32];
    match yescrypt::yescrypt(secret, salt.as_bytes(), &yescrypt::Params::default(), &mut key) {
        Ok(()) => hex::encode(&key),
        // It refuses parameters that do not fit, and these are its own.
        Err(_) => digest(&[salt.as_bytes(), secret].concat()),
    }
}

/// A file's digest: of its blocks that have something in them, with their places, and of its length. Holes are not
/// read, for a disk may be terabytes of them; where they are makes no difference.
pub(in crate::run) fn file(path: &Path) -> Result<String, CliError> {
    let fail = |error| CliError::io(path, "read it", error);
    let mut file = File::open(path).map_err(fail)?;
    let length = file.seek(SeekFrom::End(0)).map_err(fail)?;
    let (mut sum, zeros, mut buffer) = (Sha256::new(), vec![0; BLOCK], vec![0; BLOCK]);
    let mut at = 0;
    while at < length {
        at = match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => at.max(data - data % BLOCK as u64),
            Err(rustix::io::Errno::NXIO) => break,
            // No hole is known here: a file system without them, or a device.
            Err(_) => at,
        };
        let count = length.saturating_sub(at).min(BLOCK as u64);
        let block = buffer.get_mut(..usize::try_from(count).unwrap_or(BLOCK)).unwrap_or_default();
        file.read_exact_at(block, at).map_err(fail)?;
        if zeros.get(..block.len()) != Some(&*block) {
            sum.update(at.to_be_bytes());
            sum.update(block);
        }
        at += count;
    }
    sum.update(length.to_be_bytes());
    Ok(hex::encode(&sum.finalize()))
}

/// The digest of a source: of its file, and where backing files are read of those too.
pub(super) fn source(path: &Path, options: &SourceArgs) -> Result<String, CliError> {
    let own = file(path)?;
    let Some(directory) = &options.backing_dir else { return Ok(own) };
    if detect_format(path)? != SourceFormat::Qcow2 {
        return Ok(own);
    }
    let image = Qcow2Source::open_with(path, &Backing::Within(directory.clone()))?;
    let below = image.backing_files().into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
    if below.is_empty() {
        return Ok(own);
    }
    Ok(digest(format!("{own} above {}", below.join(" ")).as_bytes()))
}

/// The digest of everything that the image is made of. `source` says all of the disk that it begins with; `form` is
/// what becomes of it. Its name, its tags and who may start it are none of it.
pub(super) fn of_order(order: &Order<'_>, source: &str, form: &str) -> Result<String, CliError> {
    let arguments = order.arguments;
    let mut inputs = Inputs::default();
    inputs.add("tool", env!("CARGO_PKG_VERSION")).add("source", source).add("form", form);
    // In the order in which the recipe asks for them: two packages may have one name.
    for (place, (name, digest)) in order.witness.seen.borrow().iter().enumerate() {
        inputs.add(&format!("recipe {place:06} {name}"), digest);
    }
    if order.recipe.is_some()
        && let Some(agent) = agent_file::find(arguments.harden.agent.as_deref())?
    {
        inputs.add("agent", &digest(&agent));
    }
    let request = &order.request;
    let options = [
        ("member", arguments.open.member.clone()),
        ("grow", arguments.harden.grow.map(|size| size.to_string())),
        ("sparsify", Some(format!("{} {}", arguments.harden.sparsify, arguments.harden.no_sparsify))),
        ("epoch", build::epoch_from_environment()?.map(|epoch| epoch.to_string())),
        ("architecture", arguments.arch.map(|arch| arch.name().to_owned())),
        ("virtualization", request.virtualization.clone()),
        ("boot mode", request.boot_mode.map(|mode| mode.name().to_owned())),
        ("kernel", arguments.register.kernel.clone()),
        ("ramdisk", arguments.register.ramdisk.clone()),
        ("platform", request.platform.clone()),
        ("root device", request.root_device.clone()),
        ("metadata", Some(format!("{} {} {}", request.imds_v2, request.tpm, arguments.register.no_ena))),
        ("volume", Some(format!("{} {:?}", arguments.register.volume_type, arguments.register.volume_size))),
        ("devices", Some(arguments.packing.block_device_mapping.join(","))),
        ("product codes", Some(arguments.packing.productcodes.join(","))),
        ("encrypted", Some(format!("{} {:?}", arguments.snapshot.encrypted, arguments.snapshot.kms_keys))),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            inputs.add(name, &value);
        }
    }
    Ok(inputs.digest())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_files_digest_depends_on_its_content_and_on_no_hole() {
        let directory = tempfile::tempdir().unwrap();
        let of = |length: u64, pieces: &[(u64, &[u8])]| {
            let path = directory.path().join("disk");
            let file = File::create(&path).unwrap();
            file.set_len(length).unwrap();
            for (place, bytes) in pieces {
                file.write_all_at(bytes, *place).unwrap();
            }
            super::file(&path).unwrap()
        };
        let length = 5 * BLOCK as u64 + 512;
        let (late, zeros) = (3 * BLOCK as u64 + 7, vec![0; 4 * BLOCK]);
        let one = of(length, &[(late, b"x"), (length - 1, b"y")]);
        assert_eq!(
            one,
            of(length, &[(0, &zeros), (late, b"x"), (length - 1, b"y")]),
            "zeros that are stored"
        );
        for (length, pieces) in [
            (length, &[(late, &b"x"[..])][..]),
            (length, &[(late + 1, b"x"), (length - 1, b"y")]),
            (length, &[(late + BLOCK as u64, b"x"), (length - 1, b"y")]),
            (length + 512, &[(late, b"x"), (length - 1, b"y")]),
            (length, &[]),
            (0, &[]),
        ] {
            assert_ne!(one, of(length, pieces), "{length} {pieces:?}");
        }
    }

    #[test]
    fn a_password_in_the_digest_is_dear_to_guess() {
        let one = slow(b"secret", "recipe");
        assert_eq!(one, slow(b"secret", "recipe"));
        assert_ne!(one, slow(b"secret", "another"));
        assert_ne!(one, slow(b"Secret", "recipe"));
        for cheap in [&b"secret"[..], b"recipesecret"] {
            assert_ne!(one, digest(cheap));
        }
    }

    #[test]
    #[allow(clippy::print_stderr)]
    fn a_sources_digest_is_of_its_backing_files_too() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let qemu_img = |arguments: &[&str]| {
            let made =
                std::process::Command::new("qemu-img").args(arguments).current_dir(&directory).output();
            made.is_ok_and(|output| output.status.success())
        };
        std::fs::write(at("base"), vec![1; 1 << 20]).unwrap();
        if !qemu_img(&["create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "middle"]) {
            assert!(std::env::var_os("CI").is_none(), "no qemu-img");
            eprintln!("SKIPPED: no qemu-img");
            return;
        }
        assert!(qemu_img(&["create", "-q", "-f", "qcow2", "-b", "middle", "-F", "qcow2", "top"]));
        let options = SourceArgs { backing_dir: Some(directory.path().to_owned()), ..SourceArgs::default() };
        let of = |name: &str| source(&at(name), &options).unwrap();
        let (top, base) = (of("top"), of("base"));
        assert_eq!(top, of("top"));
        assert_eq!(base, super::file(&at("base")).unwrap(), "one file is its own digest");
        assert_ne!(top, super::file(&at("top")).unwrap());
        std::fs::write(at("base"), vec![2; 1 << 20]).unwrap();
        assert_ne!(of("top"), top);
        // Without --backing-dir nothing below is read; opening such an image is refused later.
        let own = source(&at("top"), &SourceArgs::default()).unwrap();
        assert_eq!(own, super::file(&at("top")).unwrap());
    }

    /// Reading all of it would take the better part of an hour.
    #[test]
    fn holes_are_not_read_for_a_digest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        let file = File::create(&path).unwrap();
        file.set_len(8 << 40).unwrap();
        file.write_all_at(b"x", 4 << 40).unwrap();
        assert_eq!(super::file(&path).unwrap().len(), 64);
    }
}
