//! Lines of a journal, and what they come to.
//!
//! Each line is one JSON object; the first is the header. A line that does not end is one whose writing was cut off.
//! Whatever a file holds, reading it ends with an error at most: it takes memory for what it says, no more.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{Header, Resource, Standing, Ticket};

/// The version of the format.
const VERSION: u32 = 1;
/// Digits of a journal's id.
const DIGITS: usize = 32;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub(super) enum Record {
    Header {
        version: u32,
        id: String,
        #[serde(flatten)]
        header: Header,
    },
    Intend {
        ticket: u64,
        region: String,
        resource: Resource,
    },
    Made {
        ticket: u64,
        id: String,
    },
    Removed {
        ticket: u64,
    },
    Keep {
        key: String,
        value: serde_json::Value,
    },
    Result {
        result: serde_json::Value,
    },
}

impl Record {
    pub(super) fn header(id: &str, header: &Header) -> Self {
        Self::Header { version: VERSION, id: id.to_owned(), header: header.clone() }
    }

    /// The line, its end included. JSON has no line ends of its own.
    pub(super) fn line(&self) -> Result<Vec<u8>, std::io::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// All that the lines say.
#[derive(Default)]
pub(super) struct Contents {
    /// Id and header, once they are known.
    pub(super) head: Option<(String, Header)>,
    standing: BTreeMap<u64, Standing>,
    /// The ticket of what stands, by region and resource.
    tickets: HashMap<(String, String), u64>,
    /// JSON by key: a text takes less memory than a value, and there may be one for each block of a disk.
    kept: BTreeMap<String, Box<str>>,
    pub(super) result: Option<serde_json::Value>,
    next: u64,
}

impl Contents {
    /// Takes the next line in, or says what is wrong with it.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<(), String> {
        // serde_json's own text may repeat what it found, and values can be secret.
        let record: Record = serde_json::from_slice(line).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                "it is no record that this version knows; was it written by a newer hardtack?".to_owned()
            }
            _ => format!("it is no JSON at byte {}", error.column()),
        })?;
        self.apply(record)
    }

    /// What `record` changes, or what contradicts it.
    pub(super) fn apply(&mut self, record: Record) -> Result<(), String> {
        if self.head.is_some() == matches!(record, Record::Header { .. }) {
            let what = if self.head.is_some() { "a second header" } else { "a record before the header" };
            return Err(format!("it is {what}"));
        }
        let unknown = |ticket: u64| format!("nothing with ticket {ticket} stands");
        match record {
            Record::Header { version, .. } if version != VERSION => {
                return Err(format!(
                    "it is a journal of version {version}, and this hardtack knows {VERSION}"
                ));
            }
            Record::Header { id, header, .. } => {
                if id.len() != DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(format!("the journal's id is not {DIGITS} hexadecimal digits"));
                }
                self.head = Some((id, header));
            }
            Record::Intend { ticket, region, resource } => {
                if ticket < self.next {
                    return Err(format!("ticket {ticket} is given twice"));
                }
                self.next = ticket.checked_add(1).ok_or_else(|| format!("no ticket comes after {ticket}"))?;
                self.tickets.insert(key(&region, &resource), ticket);
                self.standing.insert(ticket, Standing { ticket: Ticket(ticket), region, resource, id: None });
            }
            Record::Made { ticket, id } => {
                self.standing.get_mut(&ticket).ok_or_else(|| unknown(ticket))?.id = Some(id);
            }
            Record::Removed { ticket } => {
                let gone = self.standing.remove(&ticket).ok_or_else(|| unknown(ticket))?;
                let key = key(&gone.region, &gone.resource);
                if self.tickets.get(&key) == Some(&ticket) {
                    self.tickets.remove(&key);
                }
            }
            Record::Keep { key, value } => {
                self.kept.insert(key, value.to_string().into());
            }
            // Null: what was finished is being undone.
            Record::Result { result } => self.result = Some(result).filter(|result| !result.is_null()),
        }
        Ok(())
    }

    /// Nothing stands, and it is of another run than `wanted`. What is kept is of no use to that one.
    pub(super) fn is_empty_of_another(&self, wanted: &Header) -> bool {
        let other = self.head.as_ref().is_some_and(|(_, header)| header != wanted);
        other && self.standing.is_empty()
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn ticket(&self, region: &str, resource: &Resource) -> Option<u64> {
        self.tickets.get(&key(region, resource)).copied()
    }

    pub(super) fn get(&self, ticket: u64) -> Option<&Standing> {
        self.standing.get(&ticket)
    }

    pub(super) fn standing(&self) -> impl Iterator<Item = &Standing> {
        self.standing.values()
    }

    pub(super) fn kept_text(&self, key: &str) -> Option<&str> {
        self.kept.get(key).map(|text| &**text)
    }

    /// Every value under a key with that prefix, and what follows it.
    pub(super) fn kept_all<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, serde_json::Value)> + 'a {
        self.kept
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
            .map_while(move |(key, text)| Some((key.strip_prefix(prefix)?, text)))
            .filter_map(|(rest, text)| Some((rest, serde_json::from_str(text).ok()?)))
    }

    /// The records that say what stands, without values: those of a run that came to its end.
    pub(super) fn finished(&self, result: &serde_json::Value) -> Vec<Record> {
        let mut records = Vec::new();
        if let Some((id, header)) = &self.head {
            records.push(Record::header(id, header));
        }
        for standing in self.standing.values() {
            let ticket = standing.ticket.0;
            let (region, resource) = (standing.region.clone(), standing.resource.clone());
            records.push(Record::Intend { ticket, region, resource });
            if let Some(id) = &standing.id {
                records.push(Record::Made { ticket, id: id.clone() });
            }
        }
        records.push(Record::Result { result: result.clone() });
        records
    }

    /// Values are not needed any more.
    pub(super) fn forget(&mut self, result: &serde_json::Value) {
        self.kept.clear();
        self.result = Some(result.clone());
    }
}

fn key(region: &str, resource: &Resource) -> (String, String) {
    // A resource is texts: nothing of it can fail to become JSON.
    (region.to_owned(), serde_json::to_string(resource).unwrap_or_default())
}
