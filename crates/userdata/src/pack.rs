//! Several files packed into one piece of user-data: a MIME multi-part message that cloud-init takes
//! apart again as it would each of them (`cloudinit/cmd/devel/make_mime.py` makes such ones, too).
//!
//! The result depends on nothing but the files: the boundary comes from their content, and gzip says no
//! time.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use thiserror::Error;

use crate::mime::params;
use crate::part::{Part, PartKind};
use crate::split::{SplitOptions, UserData, split};
use crate::traps::CLOUDS;
use crate::{format, limits};

/// Above this many bytes the result is compressed: the least that a cloud takes.
pub const GZIP_ABOVE: usize = 16 << 10;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name without folders: the part's file name.
    pub name: String,
    /// What it holds: anything that is user-data by itself.
    pub content: Vec<u8>,
    /// Its type, if its first line does not say it.
    pub content_type: Option<String>,
}

/// When the result is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gzip {
    /// Above [`GZIP_ABOVE`].
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The user-data.
    pub bytes: Vec<u8>,
    /// How many bytes it has before compression.
    pub plain: usize,
    /// Whether it is compressed.
    pub gzip: bool,
    /// The file names of its parts.
    pub parts: Vec<String>,
    /// What may not be meant, a sentence each.
    pub warnings: Vec<String>,
}

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No file.
    #[error("there is nothing to pack")]
    Empty,
    /// Nobody would handle a file.
    #[error("{name}: the first line does not say what this is, so cloud-init would ignore it")]
    UnknownType {
        /// The file.
        name: String,
    },
    /// A type that is none.
    #[error("{name}: cloud-init has no handler for the type `{content_type}`")]
    NoHandler {
        /// The file.
        name: String,
        /// The type.
        content_type: String,
    },
    /// A file that cloud-init does not read.
    #[error("{name}: {why}")]
    Refused {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// More than a cloud takes.
    #[error("the user-data has {bytes} bytes, and {cloud} takes {limit}")]
    TooLarge {
        /// Bytes of the result.
        bytes: usize,
        /// Bytes that are taken, before base64.
        limit: usize,
        /// Who takes no more.
        cloud: &'static str,
    },
    /// The result does not read as the files do.
    #[error("the packed parts would not read as the files do; please report this")]
    NotTheSame,
}

/// Packs `inputs` in their order.
///
/// One file alone stays as it is. More become a multi-part message; files that are messages or archives
/// themselves are taken apart first.
///
/// # Errors
/// When cloud-init would not handle a file. The clouds' limits are [`Packed::fits`].
pub fn pack(inputs: &[Input], gzip: Gzip) -> Result<Packed, Error> {
    let mut parts = Vec::new();
    for input in inputs {
        parts.extend(taken_apart(input)?);
    }
    let warnings = warnings(&parts);
    let plain = match inputs {
        [] => return Err(Error::Empty),
        [only] if only.content_type.is_none() => plain(&only.content),
        _ => message(&parts),
    };
    let names = parts.iter().map(|part| part.filename.clone()).collect();
    let length = plain.len();
    let compress = gzip == Gzip::Always || (gzip == Gzip::Auto && length > GZIP_ABOVE);
    let bytes = if compress { compressed(&plain) } else { plain };
    let read = split("", &bytes, &SplitOptions::default());
    if inputs.len() > 1 && !same(&parts, &read) {
        return Err(Error::NotTheSame);
    }
    Ok(Packed { bytes, plain: length, gzip: compress, parts: names, warnings })
}

impl Packed {
    /// Whether the cloud takes it; `None` is the one that takes the least.
    ///
    /// # Errors
    /// [`Error::TooLarge`]. A cloud that is not among [`CLOUDS`] takes anything.
    pub fn fits(&self, cloud: Option<&str>) -> Result<(), Error> {
        let limit = match cloud {
            Some(name) => CLOUDS.iter().find(|(known, _)| *known == name),
            None => CLOUDS.iter().min_by_key(|(_, limit)| *limit),
        };
        match limit {
            Some((cloud, limit)) if self.bytes.len() > *limit => {
                Err(Error::TooLarge { bytes: self.bytes.len(), limit: *limit, cloud })
            }
            _ => Ok(()),
        }
    }
}

/// What a file says without its own compression.
fn plain(content: &[u8]) -> Vec<u8> {
    crate::gunzip::gunzip(content, limits::UNPACKED).unwrap_or_else(|_| content.to_vec())
}

/// The parts of one file. Templates stay templates, and includes stay includes.
fn taken_apart(input: &Input) -> Result<Vec<Part>, Error> {
    let name = input.name.clone();
    let data = split(&name, &input.content, &SplitOptions::default());
    if let Some(content_type) = &input.content_type {
        let known = format::TYPES.contains(&content_type.as_str());
        let part = data.parts.into_iter().next().filter(|_| known);
        let Some(part) = part else {
            return Err(Error::NoHandler { name, content_type: content_type.clone() });
        };
        let kind = format::kind_of(content_type);
        return Ok(vec![Part {
            kind,
            content_type: content_type.clone(),
            filename: name,
            payload: plain(&input.content),
            ..part
        }]);
    }
    if data.failed {
        let why = data.findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
        return Err(Error::Refused { name, why });
    }
    let mut parts = data.parts;
    if parts.is_empty() {
        return Err(Error::Refused { name, why: "there is no part in it".to_owned() });
    }
    if let [only] = parts.as_mut_slice()
        && only.filename == "part-001"
    {
        only.filename.clone_from(&name);
    }
    match parts.iter().find(|part| !format::TYPES.contains(&part.content_type.as_str())) {
        Some(part) if part.content_type == format::NOT_MULTIPART => Err(Error::UnknownType { name }),
        Some(part) => Err(Error::NoHandler { name, content_type: part.content_type.clone() }),
        None => Ok(parts),
    }
}

fn warnings(parts: &[Part]) -> Vec<String> {
    let mut warnings = Vec::new();
    let scripts: Vec<&str> = parts
        .iter()
        .filter(|part| part.kind == PartKind::Script)
        .map(|part| part.filename.as_str())
        .collect();
    for (index, name) in scripts.iter().enumerate() {
        if scripts.iter().take(index).any(|earlier| earlier == name) {
            warnings.push(format!("there are several scripts of the name `{name}`: only the last one runs"));
        }
    }
    if !scripts.is_sorted() {
        warnings.push(format!(
            "scripts run in the order of their names, not in this one: {}",
            scripts.join(", ")
        ));
    }
    let is_script = |part: &&Part| {
        matches!(
            part.kind,
            PartKind::Script
                | PartKind::ScriptPerBoot
                | PartKind::ScriptPerInstance
                | PartKind::ScriptPerOnce
        )
    };
    for part in parts.iter().filter(is_script).filter(|part| !part.payload.starts_with(b"#!")) {
        warnings.push(format!(
            "`{}` is packed as a script and does not start with `#!`: it does not run",
            part.filename
        ));
    }
    warnings
}

/// All parts in one message.
fn message(parts: &[Part]) -> Vec<u8> {
    let bodies: Vec<(String, bool)> = parts.iter().map(body).collect();
    let boundary = boundary(&bodies);
    let mut out = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n");
    for (part, (body, encoded)) in parts.iter().zip(&bodies) {
        let encoding = if *encoded { "base64" } else { "7bit" };
        let _ = writeln!(out, "--{boundary}\nContent-Type: {}; charset=\"utf-8\"", part.content_type);
        let _ = writeln!(out, "MIME-Version: 1.0\nContent-Transfer-Encoding: {encoding}");
        let name: String = part
            .filename
            .chars()
            .map(|character| if character.is_control() { '_' } else { character })
            .collect();
        let _ = writeln!(out, "Content-Disposition: attachment; {}", params::format("filename", &name));
        for (header, value) in [("Launch-Index", &part.launch_index), ("Merge-Type", &part.merge_type)] {
            if let Some(value) = value {
                let value: String = value.split(['\r', '\n']).map(str::trim).collect::<Vec<_>>().join(" ");
                let _ = writeln!(out, "{header}: {value}");
            }
        }
        let _ = write!(out, "\n{body}\n");
    }
    let _ = writeln!(out, "--{boundary}--");
    out.into_bytes()
}

/// The payload as it stands in the message, and whether that is base64. What is not plain ASCII would
/// not survive as it is.
fn body(part: &Part) -> (String, bool) {
    let plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~');
    match std::str::from_utf8(&part.payload) {
        Ok(text) if part.payload.iter().all(plain) => (text.to_owned(), false),
        _ => {
            let mut text = String::new();
            for line in part.payload.chunks(57) {
                text.push_str(&BASE64.encode(line));
                text.push('\n');
            }
            (text, true)
        }
    }
}

/// A line that does not stand in any of them, always the same for the same ones.
fn boundary(bodies: &[(String, bool)]) -> String {
    // FNV-1a.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bodies.iter().flat_map(|(body, _)| body.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    loop {
        let boundary = format!("==hardtack-{hash:016x}==");
        if !bodies.iter().any(|(body, _)| body.contains(&boundary)) {
            return boundary;
        }
        hash = hash.wrapping_add(1);
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// Whether what was read is what was to be packed.
fn same(parts: &[Part], read: &UserData) -> bool {
    let holds = |part: &Part| {
        part.content_type == format::ARCHIVE || matches!(part.kind, PartKind::Include | PartKind::IncludeOnce)
    };
    // An archive becomes several parts when it is read.
    if parts.iter().any(holds) {
        return !read.failed;
    }
    parts.len() == read.parts.len()
        && parts.iter().zip(&read.parts).all(|(part, read)| {
            part.content_type == read.content_type && part.kind == read.kind && part.payload == read.payload
        })
}
