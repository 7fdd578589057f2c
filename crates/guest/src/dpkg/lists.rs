//! The image's own package lists (`/var/lib/apt/lists/*_Packages`, as apt downloaded them), asked
//! for what is missing. They may be stale or absent: they only make messages better.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::ops::Range;

use super::control::Stanza;
use super::depends::{Group, Sense};
use super::package::Package;
use crate::{Error, Stage};

const FOLDER: &str = "/var/lib/apt/lists";
/// All lists together, unpacked: Debian's main with its updates has some 60 MiB.
const LIMIT: u64 = 1 << 30;

/// Everything that the lists offer.
#[derive(Clone, Debug, Default)]
pub struct Available {
    texts: Vec<String>,
    by_name: HashMap<String, Vec<(usize, Range<usize>)>>,
}

/// A package that can be fetched.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The package.
    pub package: Package,
    /// Its file, relative to the archive's root (`pool/main/…`).
    pub file_name: String,
}

impl Available {
    /// Reads the lists. What cannot be read is passed over.
    pub fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut available = Self::default();
        let mut left = LIMIT;
        for entry in stage.list(FOLDER)? {
            let (stem, suffix) = match entry.name.rsplit_once('.') {
                Some((stem, suffix)) if stem.ends_with("_Packages") => (stem, suffix),
                _ => (entry.name.as_str(), ""),
            };
            if !stem.ends_with("_Packages") {
                continue;
            }
            let Ok(Some(raw)) = stage.read_limited(&format!("{FOLDER}/{}", entry.name), LIMIT) else {
                continue;
            };
            let reader: Box<dyn Read> = match suffix {
                "" => Box::new(raw.as_slice()),
                "gz" => Box::new(flate2::bufread::MultiGzDecoder::new(raw.as_slice())),
                "xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(raw.as_slice())),
                "lz4" => Box::new(lz4_flex::frame::FrameDecoder::new(raw.as_slice())),
                "zst" => match zstd::stream::read::Decoder::new(raw.as_slice()) {
                    Ok(reader) => Box::new(reader),
                    Err(_) => continue,
                },
                _ => continue,
            };
            let mut text = Vec::new();
            if reader.take(left).read_to_end(&mut text).is_err() {
                continue;
            }
            left -= text.len() as u64;
            available.add(String::from_utf8_lossy(&text).into_owned());
        }
        Ok(available)
    }

    fn add(&mut self, text: String) {
        let number = self.texts.len();
        let mut start = 0;
        for stanza in text.split("\n\n") {
            let range = start..start + stanza.len();
            start = range.end + 2;
            let mut names = Vec::new();
            for line in stanza.lines() {
                if let Some(name) = line.strip_prefix("Package:") {
                    names.push(name.trim().to_owned());
                } else if let Some(provided) = line.strip_prefix("Provides:") {
                    let heads = provided.split(',').filter_map(|one| one.split(['(', ':']).next());
                    names.extend(heads.map(|name| name.trim().to_owned()));
                }
            }
            for name in names {
                self.by_name.entry(name).or_default().push((number, range.clone()));
            }
        }
        self.texts.push(text);
    }

    /// The best offer for a dependency of `owner`: the first alternative that is known, in its
    /// latest version.
    #[must_use]
    pub fn find(&self, group: &Group, owner: &Package, native: &str) -> Option<Offer> {
        group.0.iter().find_map(|relation| {
            let offers = self.by_name.get(&relation.name)?.iter().filter_map(|(text, range)| {
                let stanza = Stanza::parse(self.texts.get(*text)?.get(range.clone())?, FOLDER, 1).ok()?;
                let package = Package::from_stanza(&stanza, FOLDER).ok()?;
                let fits = relation.matches(&package, owner, native, Sense::Positive);
                let file_name = stanza.get("Filename")?.to_owned();
                fits.then_some(Offer { package, file_name })
            });
            // Of providers the one that really has the name.
            offers.max_by(|a, b| {
                let real = |offer: &Offer| offer.package.name == relation.name;
                real(a).cmp(&real(b)).then_with(|| a.package.version.cmp(&b.package.version))
            })
        })
    }

    /// The offers for all of `missing` (what is needed, and by whom), and for what those need in
    /// turn beyond `present`; each once, by name. Groups without an offer are left out.
    #[must_use]
    pub fn find_all(&self, missing: &[(Group, Package)], present: &[Package], native: &str) -> Vec<Offer> {
        let mut present = present.to_vec();
        let mut offers: Vec<Offer> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut pending = missing.to_vec();
        while let Some((group, owner)) = pending.pop() {
            let here = present.iter().any(|package| {
                group.0.iter().any(|relation| relation.matches(package, &owner, native, Sense::Positive))
            });
            if here || !seen.insert(group.to_string()) || offers.len() >= 200 {
                continue;
            }
            let Some(offer) = self.find(&group, &owner, native) else { continue };
            let needs = offer.package.pre_depends.iter().chain(&offer.package.depends);
            pending.extend(needs.map(|group| (group.clone(), offer.package.clone())));
            present.push(offer.package.clone());
            offers.push(offer);
        }
        offers.sort_by(|a, b| a.package.name.cmp(&b.package.name));
        offers
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::MemoryTree;
    use crate::dpkg::depends::parse_field;
    use std::io::Write;

    const LIST: &str = "Package: liba\nVersion: 1\nArchitecture: amd64\nDepends: libb\nFilename: pool/a_1.deb\n\n\
        Package: liba\nVersion: 2\nArchitecture: amd64\nDepends: libb\nFilename: pool/a_2.deb\n\n\
        Package: libb\nVersion: 7\nArchitecture: amd64\nProvides: virt\nDepends: libc6, liba\nFilename: pool/b_7.deb\n\n";

    #[test]
    fn finds_files_and_what_they_need() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(LIST.as_bytes()).unwrap();
        let gz = gz.finish().unwrap();
        for (name, content) in [("x_Packages", LIST.as_bytes()), ("x_Packages.gz", gz.as_slice())] {
            let tree = MemoryTree::new()
                .file(&format!("{FOLDER}/{name}"), content)
                .file(&format!("{FOLDER}/lock"), "");
            let available = Available::read(&Stage::new(&tree)).unwrap();
            let package =
                |text: &str| Package::from_stanza(&Stanza::parse(text, "t", 1).unwrap(), "t").unwrap();
            let owner = package("Package: o\nVersion: 1\nArchitecture: amd64\n");
            let libc = package("Package: libc6\nVersion: 2\nArchitecture: amd64\n");
            let missing = parse_field("liba (>= 1), nothing").unwrap();
            let missing: Vec<_> = missing.into_iter().map(|group| (group, owner.clone())).collect();
            let offers = available.find_all(&missing, &[libc], "amd64");
            let files: Vec<&str> = offers.iter().map(|offer| offer.file_name.as_str()).collect();
            assert_eq!(files, ["pool/a_2.deb", "pool/b_7.deb"], "{name}");
            let virt = parse_field("virt").unwrap().remove(0);
            assert_eq!(available.find(&virt, &owner, "amd64").unwrap().file_name, "pool/b_7.deb");
        }
    }
}
