//! The way from a file to the disk in it: one container after the other is opened, and only the
//! disk itself is ever written to a temporary file.

use std::fs::File;
use std::path::Path;

use super::choice::{Archive, Choice, Found, Likeness, Outcome, is_named, rate};
use super::codec::{Budget, Codec, Unpacked};
use super::cpio::Cpio;
use super::input::{Input, Region, uncarry};
use super::scratch::{self, Stream};
use super::tar::Tar;
use super::vhd::VhdSource;
use super::vmdk::VmdkSource;
use super::{Opened, Source, SourceOptions, rpm};
use crate::detect::{HEAD, Kind, TAIL, kind_of};
use crate::{Backing, BlockSource, Error, Qcow2Source, RawSource, Window};

/// Containers in each other; an archive and its compression count as one.
const DEEPEST: u32 = 4;
/// Members of an archive that are looked at.
const MOST_MEMBERS: usize = 1 << 20;

/// Where in the containers an input is.
#[derive(Clone, Copy)]
struct Place<'a> {
    depth: u32,
    /// It is what comes out of a compressed stream.
    is_unpacked: bool,
    /// It is a member of an archive, with this name.
    member: Option<&'a str>,
    /// A member is still to be found by its name.
    wanted: Option<&'a str>,
    /// It is in the member that was asked for.
    asked: bool,
}

struct Explorer<'a> {
    path: &'a Path,
    options: &'a SourceOptions<'a>,
    budget: Budget,
}

/// Opens `file`, whose lock has been looked at.
pub(super) fn open(
    file: File,
    path: &Path,
    length: u64,
    options: &SourceOptions<'_>,
) -> Result<Opened, Error> {
    let (limit, is_space) = match (options.limit, &options.scratch) {
        (Some(limit), _) => (limit, false),
        (None, Some(directory)) => (scratch::free_space(directory)?, true),
        (None, None) => (u64::MAX, false),
    };
    let explorer = Explorer { path, options, budget: Budget::new(path, limit, is_space) };
    let wanted = options.member.as_deref();
    let place = Place { depth: 0, is_unpacked: false, member: None, wanted, asked: false };
    let input = Input::File(Region::whole(file, path, length), options.progress);
    match explorer.explore(input, place)? {
        Outcome::Nothing(error) => Err(error),
        Outcome::Found(found) => {
            Ok(Opened { source: found.image?, formats: found.formats, members: found.members })
        }
    }
}

impl Explorer<'_> {
    /// Looks for the disk in `input`.
    fn explore(&self, input: Input<'_>, place: Place<'_>) -> Result<Outcome, Error> {
        let (head, input) = input.peek(HEAD).map_err(|error| uncarry(self.path, error))?;
        let kind = kind_of(&head, &[]);
        let is_archive = matches!(kind, Kind::Tar | Kind::Cpio);
        let is_container = is_archive || matches!(kind, Kind::Compressed(_) | Kind::Rpm);
        let mut inner = Place { is_unpacked: matches!(kind, Kind::Compressed(_)), ..place };
        if is_container && !(is_archive && place.is_unpacked) {
            inner.depth += 1;
        }
        if inner.depth > DEEPEST {
            let what = format!("more than {DEEPEST} containers are in each other: unpack the outer ones");
            return Err(self.unsupported("nested", what));
        }
        match kind {
            Kind::Compressed(codec) => {
                self.scratch(codec.name())?;
                let unpacked = Unpacked::new(codec, input.into_reader(), &self.budget)?;
                self.within(codec.name(), self.explore(Input::Stream(Box::new(unpacked)), inner)?)
            }
            Kind::Tar => self.within("tar", self.search(&mut Tar::new(input, self.path), inner)?),
            Kind::Cpio => self.within("cpio", self.search(&mut Cpio::new(input, self.path, "cpio"), inner)?),
            Kind::Rpm => {
                let payload = rpm::payload(input, self.path)?;
                self.within("rpm", self.package(payload, inner)?)
            }
            _ if place.wanted.is_some() => {
                let what = "it is no archive, so no member of it can be named".to_owned();
                Ok(Outcome::Nothing(self.unsupported(self.name_of(kind), what)))
            }
            _ => {
                let likeness = match place.member {
                    _ if place.asked => Some(Likeness::Asked),
                    Some(name) => rate(&head, name, None),
                    // Not a member of anything, so it is what is meant.
                    None => Some(Likeness::Disk),
                };
                match likeness {
                    Some(likeness) => Ok(match self.disk(input, likeness, place.depth == 0)? {
                        // A file of any kind that turns out to be no disk.
                        Found { image: Err(error), .. } if likeness < Likeness::Disk => {
                            Outcome::Nothing(error)
                        }
                        found => Outcome::Found(found),
                    }),
                    None => {
                        Ok(Outcome::Nothing(self.unsupported(self.name_of(kind), "it is no disk".to_owned())))
                    }
                }
            }
        }
    }

    fn unsupported(&self, format: &'static str, what: String) -> Error {
        Error::Unsupported { path: self.path.to_owned(), format, what }
    }

    fn name_of(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Qcow2 => "qcow2",
            Kind::Vmdk => "vmdk",
            Kind::Vhd => "vhd",
            Kind::Foreign(foreign) => foreign.name(),
            _ => "raw",
        }
    }

    /// Adds a container to the way.
    fn within(&self, format: &'static str, outcome: Outcome) -> Result<Outcome, Error> {
        Ok(match outcome {
            Outcome::Found(mut found) => {
                found.formats.push(format);
                Outcome::Found(found)
            }
            nothing => nothing,
        })
    }

    /// Looks into the payload of a package: its compression and its archive are parts of it.
    fn package(&self, payload: Input<'_>, place: Place<'_>) -> Result<Outcome, Error> {
        let (head, payload) = payload.peek(16).map_err(|error| uncarry(self.path, error))?;
        let codec = Codec::of(&head).or_else(|| head.starts_with(&[0x5d, 0, 0]).then_some(Codec::Lzma));
        let archive = match codec {
            Some(codec) => {
                Input::Stream(Box::new(Unpacked::new(codec, payload.into_reader(), &self.budget)?))
            }
            None => payload,
        };
        self.search(&mut Cpio::new(archive, self.path, "rpm"), place)
    }

    /// Looks for the disk among the members of an archive.
    fn search(&self, archive: &mut dyn Archive, place: Place<'_>) -> Result<Outcome, Error> {
        let format = archive.format();
        // What is inside the member that was asked for is chosen among as usual.
        let mut choice = Choice::new(self.path, place.wanted);
        let mut count = 0;
        while let Some(entry) = archive.next()? {
            count += 1;
            if count > MOST_MEMBERS {
                return Err(self.unsupported(format, format!("it has more than {MOST_MEMBERS} members")));
            }
            choice.see(&entry.name);
            let here = place.wanted.is_some_and(|wanted| is_named(&entry.name, wanted));
            // An initial RAM disk holds files of all kinds, and their names tell nothing.
            let telling = if format == "cpio" { "" } else { &entry.name };
            let inner = Place {
                is_unpacked: false,
                member: Some(telling),
                wanted: place.wanted.filter(|_| !here),
                asked: here,
                ..place
            };
            let (head, content) = archive.content().peek(HEAD).map_err(|error| uncarry(self.path, error))?;
            let kind = kind_of(&head, &[]);
            let result = match kind {
                Kind::Compressed(_) | Kind::Tar | Kind::Cpio | Kind::Rpm => self.explore(content, inner),
                _ if inner.wanted.is_some() => continue,
                _ => {
                    let likeness = match here {
                        true => Some(Likeness::Asked),
                        false => rate(&head, telling, Some(entry.size)),
                    };
                    let Some(likeness) = likeness else { continue };
                    if !choice.wants(likeness, &entry.name) {
                        continue;
                    }
                    // Holes take no room, but the caller's limit is for the whole.
                    let counted = if self.budget.is_space { entry.stored } else { entry.size };
                    if !matches!(content, Input::File(..)) {
                        self.budget.check(format, counted)?;
                    }
                    self.disk(content, likeness, false).map(Outcome::Found)
                }
            };
            match result {
                Ok(Outcome::Found(mut found)) => {
                    if here {
                        found.likeness = Likeness::Asked;
                    }
                    // Nor is every file in an archive in an archive meant to be a disk.
                    let is_nested = found.members.is_empty();
                    if found.likeness > Likeness::Possible || is_nested {
                        choice.offer(&entry.name, found);
                    }
                }
                Ok(Outcome::Nothing(error)) if here => choice.fail(error),
                Ok(Outcome::Nothing(_)) => {}
                Err(error) if error.is_refusal() => choice.fail(error),
                Err(error) => return Err(error),
            }
        }
        archive.finish()?;
        choice.decide(format)
    }

    /// Opens the disk that `input` is. A format that is not read is found, and refused later.
    fn disk(&self, input: Input<'_>, likeness: Likeness, is_direct: bool) -> Result<Found, Error> {
        let region = match input {
            Input::File(region, _) => region,
            Input::Stream(stream) => self.land(Stream::Plain(stream), "raw")?,
            Input::Sparse(stream) => self.land(Stream::Sparse(stream), "raw")?,
        };
        let head = region.read_some(0, HEAD)?;
        let tail = region.read_some(region.len().saturating_sub(TAIL), TAIL)?;
        let kind = kind_of(&head, &tail);
        let format = self.name_of(kind);
        let image = match kind {
            Kind::Qcow2 => self.qcow2(region, is_direct),
            Kind::Vmdk => VmdkSource::new(region).map(Source::Vmdk),
            Kind::Vhd => VhdSource::new(region).map(Source::Vhd),
            Kind::Foreign(foreign) => Err(foreign.error(self.path)),
            _ => self.raw(region),
        };
        match image {
            Err(error) if !error.is_refusal() => Err(error),
            image => Ok(Found { likeness, image, formats: vec![format], members: Vec::new() }),
        }
    }

    /// The directory to unpack into.
    fn scratch(&self, format: &'static str) -> Result<&Path, Error> {
        self.options.scratch.as_deref().ok_or_else(|| {
            let what = "it has to be unpacked, and no directory is given for that".to_owned();
            self.unsupported(format, what)
        })
    }

    fn land(&self, mut stream: Stream<'_>, format: &'static str) -> Result<Region, Error> {
        scratch::land(&mut stream, self.scratch(format)?, self.path, format, &self.budget)
    }

    /// A qcow2 image needs a file of its own. From inside a container it may name no other file.
    fn qcow2(&self, region: Region, is_direct: bool) -> Result<Source, Error> {
        let is_member = region.range.start > 0;
        let region = match is_member {
            true => self.land(Stream::Plain(Input::File(region, None).into_reader()), "qcow2")?,
            false => region,
        };
        let backing = if is_direct { &self.options.backing } else { &Backing::Refuse };
        let (file, length) = (self.file_of(&region)?, region.len());
        Qcow2Source::new_with(file, self.path, length, backing).map(|disk| Source::Qcow2(Box::new(disk)))
    }

    fn raw(&self, region: Region) -> Result<Source, Error> {
        let file = self.file_of(&region)?;
        let range = region.range.clone();
        if range.start == 0 && range.end.is_multiple_of(512) {
            return RawSource::new(file, self.path, range.end).map(Source::Raw);
        }
        if !region.len().is_multiple_of(512) {
            return RawSource::new(file, self.path, region.len()).map(Source::Raw);
        }
        // The file itself need not end with a whole sector, but a member starts and ends with one.
        let disk = RawSource::new(file, self.path, range.end.next_multiple_of(512))?;
        Window::new(disk, range).map(Source::Part)
    }

    fn file_of(&self, region: &Region) -> Result<File, Error> {
        region.file.try_clone().map_err(|source| Error::io(self.path, "use its file twice", source))
    }
}
