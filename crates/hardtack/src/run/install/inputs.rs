//! What an image is made of, as a digest: source, recipe with all that it refers to, packages, agent, options, tool.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use hardtack_bundle::hex;
use hardtack_publish::fingerprint::Inputs;
use hardtack_recipe::{HostFiles, RealFiles, Recipe};
use sha2::{Digest as _, Sha256};

use super::Order;
use crate::agent_file;
use crate::error::CliError;
use crate::run::build;

/// Remembers what a recipe has read of the host.
#[derive(Default)]
pub(super) struct Witness {
    seen: RefCell<Vec<(String, String)>>,
}

impl Witness {
    /// Reads the recipe, and remembers all that it asks for.
    pub(super) fn recipe(&self, path: &Path) -> Result<Recipe, CliError> {
        let environment = |name: &str| {
            let value = std::env::var(name).ok();
            self.see(format!("variable {name}"), value.as_ref().map(|value| digest(value.as_bytes())));
            value
        };
        let recipe = build::read_recipe_with(path, &environment, self)?;
        self.see("recipe".to_owned(), Some(file(path)?));
        self.see("name".to_owned(), Some(digest(recipe.name.as_bytes())));
        for deb in recipe.packages().into_iter().flat_map(|packages| &packages.debs) {
            self.see("package".to_owned(), Some(file(&deb.path)?));
        }
        Ok(recipe)
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

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        RealFiles.is_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFiles.list(path)
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

/// A file's digest.
pub(in crate::run) fn file(path: &Path) -> Result<String, CliError> {
    let fail = |error| CliError::io(path, "read it", error);
    let mut file = File::open(path).map_err(fail)?;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut buffer).map_err(fail)?;
        if count == 0 {
            return Ok(hex::encode(&sum.finalize()));
        }
        sum.update(buffer.get(..count).unwrap_or_default());
    }
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
