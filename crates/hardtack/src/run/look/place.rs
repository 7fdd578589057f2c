//! `IMAGE:/path`, `IMAGE@N:/path`: which image, which partition, which path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hardtack_disk::{BlockWrite, Overlay};
use hardtack_guest::{Error, Guest, GuestPath, Metadata, Stage, Tree, glob, open_partition, partitions};

use crate::args::{SourceArgs, WhereArgs};
use crate::error::CliError;
use crate::source::Input;
use crate::{talk, terminal};

/// What an argument names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::run) struct Spec {
    /// The image's file.
    pub(in crate::run) image: PathBuf,
    /// The partition, where one is named.
    pub(in crate::run) partition: Option<u32>,
    /// The path in it, as given.
    pub(in crate::run) path: String,
}

impl Spec {
    /// Reads `text`; `exists` says whether there is a file of a name. A colon or an `@` in the name of a file
    /// that exists is a part of its name.
    pub(in crate::run) fn parse(text: &str, exists: &dyn Fn(&Path) -> bool) -> Result<Self, CliError> {
        let image = |name: &str| -> Option<(PathBuf, Option<u32>)> {
            let numbered =
                name.rsplit_once('@').and_then(|(name, number)| Some((name, number.parse().ok()?)));
            match numbered {
                _ if exists(Path::new(name)) => Some((name.into(), None)),
                Some((name, number)) if exists(Path::new(name)) => Some((name.into(), Some(number))),
                _ => None,
            }
        };
        let colons = text.match_indices(':').filter(|(at, _)| text[at + 1..].starts_with('/'));
        let mut splits: Vec<(&str, &str)> = colons.map(|(at, _)| (&text[..at], &text[at + 1..])).collect();
        splits.push((text.strip_suffix(':').unwrap_or(text), "/"));
        splits.push((text, "/"));
        for (name, path) in &splits {
            if let Some((image, partition)) = image(name) {
                return Ok(Self { image, partition, path: (*path).to_owned() });
            }
        }
        match splits.as_slice() {
            // Nothing of that name exists: opening it says so.
            [(name, path), _, _, ..] => {
                Ok(Self { image: (*name).into(), partition: None, path: (*path).to_owned() })
            }
            _ => match text.split_once(':') {
                Some((name, path)) if exists(Path::new(name)) && !path.is_empty() => Err(CliError::usage(
                    format!("{text}: paths in an image begin with a slash: {name}:/{path}"),
                )),
                _ => Ok(Self { image: text.into(), partition: None, path: "/".to_owned() }),
            },
        }
    }
}

/// An image, or a partition of it, that is looked at.
pub(in crate::run) struct Looked {
    /// The image as it was called, for messages.
    pub(in crate::run) name: String,
    /// Its files.
    pub(in crate::run) tree: Box<dyn Tree>,
}

impl Looked {
    /// Opens the guest of an image, or the file system of one partition; the image is only read.
    pub(in crate::run) fn open(
        image: &Path,
        partition: Option<u32>,
        options: &SourceArgs,
    ) -> Result<Self, CliError> {
        let input = Input::open(image, options, None)?;
        let name = image.display().to_string();
        let within = |error: Error| CliError::from(error).within(image);
        let disk: Arc<dyn BlockWrite> = Arc::new(Overlay::new(input.disk.clone()));
        if let Some(number) = partition {
            return Ok(Self {
                name,
                tree: Box::new(Readable(open_partition(&disk, number).map_err(within)?)),
            });
        }
        let error = match Guest::open_to_read(disk.clone()) {
            Ok(guest) => {
                for note in guest.notes() {
                    talk::note(&format!("{name}: {note}"));
                }
                return Ok(Self { name, tree: Box::new(guest) });
            }
            Err(error) => error,
        };
        let Ok(all) = partitions(&disk) else { return Err(within(error)) };
        let mut readable: Vec<_> = all
            .iter()
            .filter_map(|volume| Some((volume, open_partition(&disk, volume.number).ok()?)))
            .collect();
        if readable.len() == 1
            && let Some((volume, tree)) = readable.pop()
        {
            talk::note(&format!("{name}: no system on it; this is {}", volume.describe()));
            return Ok(Self { name, tree: Box::new(Readable(tree)) });
        }
        let names: Vec<String> = readable.iter().map(|(volume, _)| volume.describe()).collect();
        let error = within(error);
        Err(match names.as_slice() {
            [] => error,
            _ => error.hint(format!("--partition N looks into one partition: {}", names.join(", "))),
        })
    }

    /// What `path` is, which must exist.
    pub(in crate::run) fn existing(&self, path: &GuestPath) -> Result<Metadata, CliError> {
        self.tree.lstat(path)?.ok_or_else(|| self.missing(path.as_str()))
    }

    fn missing(&self, path: &str) -> CliError {
        CliError::refused(format!(
            "{}:{}: no such file or directory in the image",
            self.name,
            terminal::safe(path)
        ))
    }

    /// Where `path` really is, or all that it means as a pattern: links followed, of its last component with
    /// `follow`.
    pub(in crate::run) fn resolve(
        &self,
        stage: &Stage<'_>,
        path: &str,
        follow: bool,
    ) -> Result<Vec<GuestPath>, CliError> {
        // A slash at the end asks for what a link leads to, as everywhere.
        let follow = follow || path.ends_with('/');
        let real = |path: &str| if follow { stage.resolve(path) } else { stage.resolve_parent(path) };
        let found = real(path)?;
        if self.tree.lstat(&found)?.is_some() {
            return Ok(vec![found]);
        }
        // A file of just that name comes before those that the pattern means.
        let matched = if glob::is_pattern(path) { glob::glob(stage, path)? } else { Vec::new() };
        if matched.is_empty() {
            return Err(self.missing(path));
        }
        Ok(matched.iter().map(|path| real(path)).collect::<Result<_, _>>()?)
    }
}

/// A file system as a tree.
struct Readable(Box<dyn hardtack_guest::FileSystem>);

impl Tree for Readable {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        self.0.lstat(path)
    }
    fn read_dir(&self, path: &GuestPath) -> Result<Vec<hardtack_guest::DirEntry>, Error> {
        self.0.read_dir(path)
    }
    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        self.0.read_at(path, offset, buf)
    }
    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        self.0.read_link(path)
    }
    fn xattrs(&self, path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.0.xattrs(path)
    }
    fn identity(&self, path: &GuestPath) -> Result<Option<hardtack_guest::Identity>, Error> {
        self.0.identity(path)
    }
}

/// The images of one command, each opened once.
pub(super) struct Images<'a> {
    arguments: &'a WhereArgs,
    open: BTreeMap<(PathBuf, Option<u32>), Arc<Looked>>,
}

impl<'a> Images<'a> {
    pub(super) fn new(arguments: &'a WhereArgs) -> Self {
        Self { arguments, open: BTreeMap::new() }
    }

    /// The image that `given` names, and the path in it.
    pub(super) fn open(&mut self, given: &str) -> Result<(Arc<Looked>, String), CliError> {
        let spec = Spec::parse(given, &|path| path.exists())?;
        let partition = match (spec.partition, self.arguments.partition) {
            (Some(one), Some(other)) if one != other => {
                return Err(CliError::usage(format!(
                    "{given}: says partition {one}, and --partition says {other}"
                )));
            }
            (one, other) => one.or(other),
        };
        let key = (spec.image, partition);
        if let Some(known) = self.open.get(&key) {
            return Ok((known.clone(), spec.path));
        }
        let looked = Arc::new(Looked::open(&key.0, partition, &self.arguments.open)?);
        self.open.insert(key, looked.clone());
        Ok((looked, spec.path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_of_files_that_exist_win() {
        let exists =
            |path: &Path| ["a.img", "b:c.img", "d@2", "e:/f.img"].iter().any(|one| path == Path::new(one));
        for (text, image, partition, path) in [
            ("a.img", "a.img", None, "/"),
            ("a.img:", "a.img", None, "/"),
            ("a.img:/etc", "a.img", None, "/etc"),
            ("a.img@15:/EFI", "a.img", Some(15), "/EFI"),
            ("a.img@15", "a.img", Some(15), "/"),
            ("a.img:/etc/x:/y", "a.img", None, "/etc/x:/y"),
            ("b:c.img:/etc", "b:c.img", None, "/etc"),
            ("d@2:/x", "d@2", None, "/x"),
            ("d@2@3:/x", "d@2", Some(3), "/x"),
            ("e:/f.img:/x", "e:/f.img", None, "/x"),
            ("gone.img:/x:/y", "gone.img", None, "/x:/y"),
            ("gone.img", "gone.img", None, "/"),
        ] {
            let wanted = Spec { image: image.into(), partition, path: path.to_owned() };
            assert_eq!(Spec::parse(text, &exists).unwrap(), wanted, "{text}");
        }
        let error = Spec::parse("a.img:etc", &exists).unwrap_err().report();
        assert!(error.contains("a.img:/etc"), "{error}");
    }
}
