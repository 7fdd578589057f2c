//! DNS messages (RFC 1035, AAAA of RFC 3596): one question, and the addresses in its answer.
//!
//! Names are kept as on the wire, uncompressed and in lower case, so that they compare as DNS compares
//! them. A compression pointer has to point in front of the name that it continues: no loop can be made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a name on the wire.
const NAME: usize = 255;
/// Addresses that are kept of one answer.
const ADDRESSES: usize = 16;
/// Pointers in one name.
const POINTERS: usize = 64;
/// Aliases that are followed.
pub(crate) const ALIASES: usize = 8;

const CNAME: u16 = 5;
const INTERNET: u16 = 1;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A = 1,
    /// IPv6 addresses.
    Aaaa = 28,
}

/// A name on the wire, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Vec<u8>);

impl Name {
    /// A name of text: `example.com`. `None` when it cannot be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.strip_suffix('.').unwrap_or(text).split('.') {
            let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            wire.push(length);
            wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        wire.push(0);
        (wire.len() <= NAME).then_some(Self(wire))
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// A random number, by which an answer is known.
    pub id: u16,
    /// What for.
    pub name: Name,
    /// Which addresses.
    pub kind: Kind,
}

/// What a server says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses, behind all aliases.
    Addresses(Vec<IpAddr>),
    /// The name is another one's alias, whose addresses are not told here.
    Alias(Name),
    /// The name exists, and has no such address.
    Nothing,
    /// There is no such name.
    NoName,
    /// The answer did not fit; ask over TCP.
    Truncated,
    /// The server cannot or will not tell: 2 is SERVFAIL, 5 is REFUSED.
    Refused(u8),
}

impl Question {
    /// The message that asks it: recursion wanted, no extensions.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(16 + self.name.0.len());
        message.extend(self.id.to_be_bytes());
        for word in [0x0100_u16, 1, 0, 0, 0] {
            message.extend(word.to_be_bytes());
        }
        message.extend(&self.name.0);
        message.extend((self.kind as u16).to_be_bytes());
        message.extend(INTERNET.to_be_bytes());
        message
    }

    /// What `message` answers. `None` when it is no answer to this question, or cannot be read: somebody
    /// else may have sent it, and the true one still come.
    #[must_use]
    pub fn answer(&self, message: &[u8]) -> Option<Answer> {
        let mut reader = Reader { message, at: 0 };
        let (id, flags) = (reader.word()?, reader.word()?);
        let (questions, answers) = (reader.word()?, reader.word()?);
        let _ = (reader.word()?, reader.word()?);
        // An answer to a plain query.
        if id != self.id || flags & 0xf800 != 0x8000 {
            return None;
        }
        let code = (flags & 0xf) as u8;
        // Servers that cannot read a question do not always repeat it.
        if questions == 0 && code != 0 && code != 3 {
            return Some(Answer::Refused(code));
        }
        let asked = (reader.name()?, reader.word()?, reader.word()?);
        if questions != 1 || asked != (self.name.clone(), self.kind as u16, INTERNET) {
            return None;
        }
        if flags & 0x0200 != 0 {
            return Some(Answer::Truncated);
        }
        match code {
            0 => Some(self.follow(&reader.records(answers)?)),
            3 => Some(Answer::NoName),
            code => Some(Answer::Refused(code)),
        }
    }

    /// From alias to alias to addresses.
    fn follow(&self, records: &[Record]) -> Answer {
        let mut name = &self.name;
        for _ in 0..=ALIASES {
            let found: Vec<IpAddr> = records
                .iter()
                .filter(|record| record.owner == *name)
                .filter_map(|record| match record.data {
                    Data::Address(address) if address.is_ipv4() == (self.kind == Kind::A) => Some(address),
                    _ => None,
                })
                .take(ADDRESSES)
                .collect();
            if !found.is_empty() {
                return Answer::Addresses(found);
            }
            let alias = records.iter().find_map(|record| match &record.data {
                Data::Alias(target) if record.owner == *name => Some(target),
                _ => None,
            });
            match alias {
                Some(target) => name = target,
                None if *name == self.name => return Answer::Nothing,
                None => return Answer::Alias(name.clone()),
            }
        }
        Answer::Nothing
    }
}

struct Record {
    owner: Name,
    data: Data,
}

enum Data {
    Address(IpAddr),
    Alias(Name),
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let end = self.at.checked_add(N)?;
        let bytes = self.message.get(self.at..end)?.try_into().ok()?;
        self.at = end;
        Some(bytes)
    }

    fn word(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    /// A name, whose end becomes the place to read on.
    fn name(&mut self) -> Option<Name> {
        let mut wire = Vec::new();
        // Where the piece that is read begins: a pointer goes in front of it.
        let (mut piece, mut at) = (self.at, self.at);
        let mut end = None;
        let mut pointers = 0;
        loop {
            let length = usize::from(*self.message.get(at)?);
            match length >> 6 {
                0 => {
                    let next = at.checked_add(length)?.checked_add(1)?;
                    let label = self.message.get(at..next)?;
                    if wire.len() + label.len() > NAME {
                        return None;
                    }
                    // The length of a label is less than any letter.
                    wire.extend(label.iter().map(u8::to_ascii_lowercase));
                    at = next;
                    if length == 0 {
                        self.at = end.unwrap_or(at);
                        return Some(Name(wire));
                    }
                }
                3 => {
                    let low = usize::from(*self.message.get(at.checked_add(1)?)?);
                    let target = (length & 0x3f) << 8 | low;
                    end = end.or(at.checked_add(2));
                    pointers += 1;
                    if target >= piece || pointers > POINTERS {
                        return None;
                    }
                    (piece, at) = (target, target);
                }
                _ => return None,
            }
        }
    }

    /// Addresses and aliases among the next `count` records.
    fn records(&mut self, count: u16) -> Option<Vec<Record>> {
        let mut records = Vec::new();
        for _ in 0..count {
            let owner = self.name()?;
            let (kind, class) = (self.word()?, self.word()?);
            let _time_to_live: [u8; 4] = self.take()?;
            let length = usize::from(self.word()?);
            let end = self.at.checked_add(length)?;
            let bytes = self.message.get(self.at..end)?;
            let data = match (kind, class) {
                (1, INTERNET) => Some(Data::Address(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into())),
                (28, INTERNET) => {
                    Some(Data::Address(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()))
                }
                (CNAME, INTERNET) => {
                    let target = self.name()?;
                    (self.at == end).then_some(Data::Alias(target))
                }
                _ => None,
            };
            records.extend(data.map(|data| Record { owner, data }));
            self.at = end;
        }
        Some(records)
    }
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
