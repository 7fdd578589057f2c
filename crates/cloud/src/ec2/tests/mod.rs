//! What is sent, word for word, and what is read of answers as the API reference shows them.

mod account;
mod image;
mod instance;
mod key;
mod network;
mod register;
mod security;
mod size;
mod snapshot;
mod volume;

use crate::Kind;
use crate::served::{Given, Served, ok};

fn aws(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Aws, answers)
}

fn euca(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Euca, answers)
}

/// An answer of a call.
fn answer(call: &str, content: &str) -> Given {
    ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{call}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n \
         <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>{content}</{call}Response>"
    ))
}

fn done(call: &str) -> Given {
    answer(call, "<return>true</return>")
}

fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn tags_are_set() {
    let served = aws([done("CreateTags"), answer("CreateTags", "<return>false</return>")]);
    let client = served.client();
    let tags = pairs(&[("hardtack:journal", "j"), ("Name", "a & b")]);
    super::create_tags(&client, &["ami-1", "snap-1"], &tags).unwrap();
    assert!(super::create_tags(&client, &["ami-1"], &tags).is_err());
    super::create_tags(&client, &[], &tags).unwrap();
    super::create_tags(&client, &["ami-1"], &[]).unwrap();
    let sent = served.sent();
    assert_eq!(sent.len(), 2);
    assert!(String::from_utf8_lossy(&sent[0].body).starts_with("Action=CreateTags&Version=2016-11-15&"));
    let expected = [
        "ResourceId.1=ami-1",
        "ResourceId.2=snap-1",
        "Tag.1.Key=hardtack:journal",
        "Tag.1.Value=j",
        "Tag.2.Key=Name",
        "Tag.2.Value=a & b",
    ];
    assert_eq!(sent[0].form(), expected);
}
