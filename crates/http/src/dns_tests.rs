#![allow(clippy::unwrap_used)]

use super::{Answer, Kind, Name, Question};

fn question() -> Question {
    Question { id: 0x1234, name: Name::new("WWW.example.com").unwrap(), kind: Kind::A }
}

/// A header like an answer's, the question, and records as they are given.
fn reply(flags: u16, records: &[&[u8]]) -> Vec<u8> {
    let asked = question().message();
    let mut message = asked.clone();
    message[2..4].copy_from_slice(&flags.to_be_bytes());
    message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for record in records {
        message.extend(*record);
    }
    message
}

/// A record of the name that the two bytes point to.
fn record(owner: [u8; 2], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend([0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    record.extend(data);
    record
}

#[test]
fn a_question_on_the_wire() {
    let wire = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    assert_eq!(question().message(), wire);
    for bad in ["", "a..b", ".", &"a".repeat(64), &"a.".repeat(128)] {
        assert_eq!(Name::new(bad), None, "{bad:?}");
    }
    assert_eq!(Name::new("a."), Name::new("A"));
}

#[test]
fn addresses_behind_aliases() {
    // www is an alias of `a.` + example.com at 16, which is one of `b.` + the same.
    let answers = [
        record([0xc0, 12], 5, b"\x01a\xc0\x10"),
        record([0xc0, 45], 5, b"\x01B\xc0\x10"),
        record([0xc0, 12], 99, b"other"),
        record([0xc0, 61], 1, &[10, 0, 0, 1]),
        record([0xc0, 61], 1, &[10, 0, 0, 2]),
        record([0xc0, 16], 1, &[6, 6, 6, 6]),
        record([0xc0, 61], 28, &[0; 16]),
    ];
    let records: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
    let Some(Answer::Addresses(found)) = question().answer(&reply(0x8180, &records)) else {
        panic!("{:?}", question().answer(&reply(0x8180, &records)))
    };
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1", "10.0.0.2"]);
    let only_alias = question().answer(&reply(0x8180, &records[..2]));
    assert_eq!(only_alias, Some(Answer::Alias(Name::new("b.example.com").unwrap())));
    assert_eq!(question().answer(&reply(0x8180, &[])), Some(Answer::Nothing));
    // An alias of itself.
    let circle = record([0xc0, 12], 5, &[0xc0, 12]);
    assert_eq!(question().answer(&reply(0x8180, &[&circle])), Some(Answer::Nothing));
}

#[test]
fn what_servers_say() {
    for (flags, answer) in [
        (0x8183, Answer::NoName),
        (0x8182, Answer::Refused(2)),
        (0x8185, Answer::Refused(5)),
        (0x8380, Answer::Truncated),
    ] {
        assert_eq!(question().answer(&reply(flags, &[])), Some(answer));
    }
    // FORMERR without the question.
    let short = b"\x12\x34\x81\x81\0\0\0\0\0\0\0\0";
    assert_eq!(question().answer(short), Some(Answer::Refused(1)));
}

#[test]
fn no_answer_to_this_question() {
    let right = reply(0x8180, &[&record([0xc0, 12], 1, &[1, 2, 3, 4])]);
    assert!(question().answer(&right).is_some());
    for (at, byte) in [
        // The number, a question instead of an answer, another operation, no question, name, type, class.
        (0, 0),
        (2, 0x01),
        (2, 0x91),
        (5, 0),
        (5, 2),
        (13, b'x'),
        (30, 28),
        (32, 3),
        // More records than there are, a pointer to itself, forwards, a wrong length.
        (7, 2),
        (34, 33),
        (34, 200),
        (44, 3),
        (44, 5),
    ] {
        let mut wrong = right.clone();
        wrong[at] = byte;
        assert_eq!(question().answer(&wrong), None, "byte {at}");
    }
    for length in 0..right.len() {
        assert_eq!(question().answer(&right[..length]), None, "{length} bytes");
    }
}

#[test]
fn no_loops_and_no_endless_names() {
    // Two pointers at each other, a chain of labels longer than a name may be.
    for data in [&[0xc0, 47, 0xc0, 45][..], &[0xc0, 45], &[0x40], &[0x80, 1], &[63]] {
        let looping = record([0xc0, 12], 5, data);
        assert_eq!(question().answer(&reply(0x8180, &[&looping])), None, "{data:?}");
    }
    let mut long = Vec::new();
    for _ in 0..5 {
        long.push(62);
        long.extend([b'a'; 62]);
    }
    long.push(0);
    let mut endless = record([0xc0, 12], 5, &[]);
    endless[10..12].copy_from_slice(&(long.len() as u16).to_be_bytes());
    endless.extend(long);
    assert_eq!(question().answer(&reply(0x8180, &[&endless])), None);
}
