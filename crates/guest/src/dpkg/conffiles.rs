//! Configuration files of packages: which of two versions stays.
//!
//! Follows dpkg's `deferred_configure_conffile` (`src/main/configure.c`), as with
//! `--force-confold` and nobody to ask.

use md5::{Digest, Md5};

use super::status::Conffile;
use crate::{Error, FileType, READ_LIMIT, Set, Stage};

/// What `Conffiles` has in the place of a sum until the file is configured for the first time.
pub(super) const NEW_CONFFILE: &str = "newconffile";

/// A configuration file on its way.
pub(super) struct NewConffile {
    pub(super) record: Conffile,
    /// What was unpacked, with permission bits and owner; `None` if nothing was.
    pub(super) distributed: Option<(Vec<u8>, u32, (u32, u32))>,
}

/// Configures one configuration file as `dpkg --force-confold` would; true when the image's own was
/// kept and the package's laid beside it.
pub(super) fn settle(stage: &mut Stage<'_>, target: &str, conffile: &mut NewConffile) -> Result<bool, Error> {
    let Some((content, mode, owner)) = conffile.distributed.take() else { return Ok(false) };
    let real = stage.resolve(target)?.to_string();
    let present = stage.stat(&real)?;
    let current = match present {
        Some(found) if found.kind == FileType::Regular => {
            Some(md5_hex(&stage.read_limited(&real, READ_LIMIT)?.unwrap_or_default()))
        }
        Some(_) => {
            return Err(Error::Refused(format!(
                "{real}: is not a file, and a package has a configuration file there"
            )));
        }
        None => None,
    };
    let new = md5_hex(&content);
    let old = std::mem::replace(&mut conffile.record.hash, new.clone());
    if current.as_ref() == Some(&new) {
        return Ok(false);
    }
    // A file that was there keeps its owner and mode, whoever's content it gets.
    let set =
        present.map_or(Set::all(mode, owner.0, owner.1), |found| Set::all(found.mode, found.uid, found.gid));
    let untouched = current.as_ref() == Some(&old);
    let is_news = old != new;
    if current.is_none() && old == NEW_CONFFILE || untouched && is_news {
        stage.write(&real, content, set)?;
        return Ok(false);
    }
    if !is_news {
        return Ok(false);
    }
    stage.remove(&format!("{real}.dpkg-old"))?;
    stage.write(&format!("{real}.dpkg-dist"), content, set)?;
    Ok(true)
}

/// The sum as dpkg writes it.
pub(super) fn md5_hex(content: &[u8]) -> String {
    Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
