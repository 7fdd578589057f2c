//! Layouts of partitions, and what programs are told and say about them (`config/cc_disk_setup.py`).

use serde_json::Value;

use crate::error::AgentError;

/// A kind of partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Mbr,
    Gpt,
}

impl Table {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "mbr" => Some(Self::Mbr),
            "gpt" => Some(Self::Gpt),
            _ => None,
        }
    }
}

/// What a disk is to look like.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Layout {
    /// It stays as it is.
    None,
    /// It loses its table.
    Remove,
    /// One partition.
    One,
    /// Percentages with types.
    Parts(Vec<Part>),
}

/// A partition of the layout.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    percent: Option<f64>,
    kind: Option<String>,
    /// A list of another length than two.
    broken: bool,
}

/// A partition with its size in sectors, 0 for what is left, and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sized {
    sectors: u64,
    kind: Option<String>,
}

impl Layout {
    /// Reads the detail; `None` for what is no layout.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::None);
        }
        if text.to_lowercase() == "remove" {
            return Some(Self::Remove);
        }
        match serde_json::from_str(text).ok()? {
            Value::Bool(true) => Some(Self::One),
            Value::Bool(false) | Value::Null => Some(Self::None),
            Value::Array(parts) if parts.is_empty() => Some(Self::None),
            Value::Array(parts) => Some(Self::Parts(parts.iter().map(Part::read).collect())),
            Value::Number(number) if number.as_f64() == Some(0.0) => Some(Self::None),
            _ => None,
        }
    }

    /// Whether partitions of these types are what is asked for: as many, and of the types that are given.
    pub(super) fn matches(&self, found: &[String]) -> Result<bool, AgentError> {
        match self {
            Self::One => Ok(!found.is_empty()),
            Self::Parts(parts) if parts.len() == found.len() => {
                for (part, found) in parts.iter().zip(found) {
                    if let Some(wanted) = &part.kind
                        && !is_type(wanted, found)?
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// What sfdisk reads for an MBR.
    pub(super) fn for_mbr(&self, sectors: u64) -> Result<String, AgentError> {
        let Self::Parts(parts) = self else { return Ok(",,83".to_owned()) };
        if parts.len() > 4 {
            return Err(AgentError::text(format!(
                "{} partitions are asked for, and an MBR has room for 4; write table_type: gpt",
                parts.len()
            )));
        }
        let lines = sized(parts, sectors)?.into_iter().map(|part| {
            let kind = part.kind.as_deref().unwrap_or("83").to_owned();
            match part.sectors {
                Some(sectors) => format!(",{sectors},{kind}"),
                None => format!(",,{kind}"),
            }
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// The partitions of a GPT.
    pub(super) fn for_gpt(&self, sectors: u64) -> Result<Vec<Sized>, AgentError> {
        let Self::Parts(parts) = self else { return Ok(vec![Sized { sectors: 0, kind: None }]) };
        let sized = sized(parts, sectors)?;
        Ok(sized
            .into_iter()
            .map(|part| Sized { sectors: part.sectors.unwrap_or(0), kind: part.kind })
            .collect())
    }
}

impl Part {
    fn read(value: &Value) -> Self {
        match value {
            Value::Array(words) => {
                let kind = words.get(1).map(word);
                Self { percent: words.first().and_then(percent), kind, broken: words.len() != 2 }
            }
            _ => Self { percent: percent(value), kind: None, broken: false },
        }
    }
}

/// `float(value)`.
fn percent(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::String(text) => hardtack_modules::sizes::python_float(text),
        _ => None,
    }
}

/// `str(value)`, as far as it can be a type.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A partition with its size; the last one takes what is left.
struct Share {
    sectors: Option<u64>,
    kind: Option<String>,
}

fn sized(parts: &[Part], sectors: u64) -> Result<Vec<Share>, AgentError> {
    let last = parts.len().saturating_sub(1);
    let share = |(index, part): (usize, &Part)| {
        let number = index + 1;
        if part.broken {
            return Err(AgentError::text(format!(
                "partition {number} of the layout is no pair [percentage, type]"
            )));
        }
        let percent =
            part.percent.filter(|percent| percent.is_finite() && *percent >= 0.0).ok_or_else(|| {
                AgentError::text(format!("partition {number} of the layout has no percentage for its size"))
            })?;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let size = (sectors as f64 * (percent / 100.0)) as u64;
        Ok(Share { sectors: (index != last).then_some(size), kind: part.kind.clone() })
    };
    parts.iter().enumerate().map(share).collect()
}

/// The options that sgdisk is called with, one after the other.
pub(super) fn for_sgdisk(parts: &[Sized]) -> Vec<[String; 2]> {
    let mut calls = Vec::new();
    for (part, number) in parts.iter().zip(1..) {
        let end = if part.sectors == 0 { "0".to_owned() } else { format!("+{}", part.sectors) };
        // A percentage that comes to nothing is `+0`.
        let end = if number < parts.len() && part.sectors == 0 { "+0".to_owned() } else { end };
        calls.push(["-n".to_owned(), format!("{number}:0:{end}")]);
        if let Some(kind) = &part.kind {
            calls.push(["-t".to_owned(), format!("{number}:{}", four(kind))]);
        }
    }
    calls
}

/// What sfdisk reads for a GPT.
pub(super) fn for_sfdisk(parts: &[Sized]) -> String {
    let line = |(part, number): (&Sized, usize)| {
        let kind = part.kind.as_deref().map(four);
        let kind = match &kind {
            Some(kind) if kind.len() == 36 => kind.as_str(),
            Some(kind) => guid(kind).unwrap_or(LINUX),
            None => LINUX,
        };
        if number < parts.len() { format!(",+{},{kind}\n", part.sectors) } else { format!(",,{kind}\n") }
    };
    parts.iter().zip(1..).map(line).collect()
}

/// `82` → `8200`.
fn four(kind: &str) -> String {
    format!("{kind:0<4}")
}

/// Whether two words mean the same type: two digits, sgdisk's four, or a GUID.
fn is_type(wanted: &str, found: &str) -> Result<bool, AgentError> {
    let code = |text: &str| {
        let text = text.to_uppercase();
        match text.len() {
            2 => Ok(format!("{text}00")),
            4 | 36 => Ok(text),
            _ => Err(AgentError::text(format!("{text:?} is no partition type; write 83, 8300 or a GUID"))),
        }
    };
    let (wanted, found) = (code(wanted)?, code(found)?);
    if wanted.len() == found.len() {
        return Ok(wanted == found);
    }
    let long = |text: String| {
        if text.len() == 36 {
            return Ok(text);
        }
        guid(&text).map(str::to_owned).ok_or_else(|| {
            AgentError::text(format!(
                "the GUID of the partition type {text} is not known here; write the GUID"
            ))
        })
    };
    Ok(long(wanted)? == long(found)?)
}

const LINUX: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

/// The GUID of one of sgdisk's codes (`sgdisk -L`; the UEFI forum's and the Discoverable Partitions
/// Specification's). Not all of sgdisk's hundreds: those that a cloud's disk has.
fn guid(code: &str) -> Option<&'static str> {
    const GUIDS: [(&str, &str); 24] = [
        ("0700", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
        ("0B00", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
        ("0C00", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
        ("0C01", "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"),
        ("2700", "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC"),
        ("4100", "9E1A2D38-C612-4316-AA26-8B49521E5A8B"),
        ("8200", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),
        ("8300", LINUX),
        ("8301", "8DA63339-0007-60C0-C436-083AC8230908"),
        ("8302", "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"),
        ("8303", "44479540-F297-41B2-9AF7-D131D5F0458A"),
        ("8304", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"),
        ("8305", "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"),
        ("8306", "3B8F8425-20E0-4F3B-907F-1A25A76F98E8"),
        ("8307", "69DAD710-2CE4-4E3C-B16C-21A1D49ABED3"),
        ("8308", "7FFEC5C9-2D00-49B7-8941-3EA10A5586B7"),
        ("8309", "CA7D7CCB-63ED-4C53-861C-1742536059CC"),
        ("8310", "4D21B016-B534-45C2-A9FB-5C16E091FD2D"),
        ("8E00", "E6D6D379-F507-44C2-A23C-238F2A3DF928"),
        ("BF00", "6A898CC3-1DD2-11B2-99A6-080020736631"),
        ("BF01", "6A898CC3-1DD2-11B2-99A6-080020736631"),
        ("EF00", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
        ("EF02", "21686148-6449-6E6F-744E-656564454649"),
        ("FD00", "A19D880F-05FC-4D3B-A006-743F0F84911E"),
    ];
    let code = code.to_uppercase();
    GUIDS.iter().find(|(known, _)| *known == code).map(|(_, guid)| *guid)
}

/// The types that `sfdisk -l` shows: the last number of each of the device's lines, but of extended ones.
pub(super) fn types_of_sfdisk(text: &str, device: &str) -> Vec<String> {
    let mut types = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(first), Some(last)) = (words.first(), words.last()) else { continue };
        if !first.contains(device) || ["extended", "empty"].contains(&last.to_lowercase().as_str()) {
            continue;
        }
        let number = |word: &&&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        types.push(
            words
                .iter()
                .skip(1)
                .rev()
                .find(number)
                .map_or_else(|| "None".to_owned(), |word| (*word).to_owned()),
        );
    }
    types
}

/// The codes that `sgdisk -p` shows.
pub(super) fn types_of_sgdisk(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| !line.trim().starts_with("Number"))
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(5).map(str::to_owned))
        .collect()
}

/// The types in `sfdisk -J`.
pub(super) fn types_of_json(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let partitions = value.pointer("/partitiontable/partitions").and_then(Value::as_array);
    partitions
        .into_iter()
        .flatten()
        .filter_map(|partition| partition.get("type").and_then(Value::as_str).map(str::to_owned))
        .collect()
}
