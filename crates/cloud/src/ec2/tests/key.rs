use super::super::*;
use super::{answer, aws, done, euca, pairs};
use crate::Error;
use crate::served::refused;

const LINE: &str = "ssh-ed25519 AAAA me";

#[test]
fn key_pairs_are_read() {
    let list = "<keySet><item><keyPairId>key-1</keyPairId><keyName>me</keyName><keyType>ed25519</keyType>\
        <keyFingerprint>SHA256:x</keyFingerprint><tagSet><item><key>a</key><value>b</value></item></tagSet></item>\
        <item><keyName>old</keyName><keyFingerprint>1f:51</keyFingerprint></item></keySet>";
    let name = "DescribeKeyPairs";
    let served = aws([answer(name, list), answer(name, ""), answer(name, "<keySet><item/></keySet>")]);
    let client = served.client();
    let found = describe_key_pairs(&client, &["me", "old"], &[]).unwrap();
    let first = KeyPair {
        name: "me".to_owned(),
        id: Some("key-1".to_owned()),
        fingerprint: "SHA256:x".to_owned(),
        kind: Some("ed25519".to_owned()),
        tags: pairs(&[("a", "b")]),
    };
    assert_eq!(found[0], first);
    assert_eq!((found[1].name.as_str(), found[1].id.as_deref()), ("old", None));
    assert!(describe_key_pairs(&client, &[], &[]).is_err());
    assert!(describe_key_pairs(&client, &[], &[]).is_err());
    let sent = served.sent();
    assert_eq!(sent[0].form(), ["KeyName.1=me", "KeyName.2=old"]);
    // This call has no pages.
    assert!(String::from_utf8_lossy(&sent[1].body).ends_with("Version=2016-11-15"));
}

#[test]
fn a_public_key_is_imported() {
    let made = "<keyName>me</keyName><keyFingerprint>f</keyFingerprint>";
    let served = aws([answer("ImportKeyPair", made), refused("InvalidKeyPair.Duplicate")]);
    let client = served.client();
    let tags = pairs(&[("a", "b")]);
    assert_eq!(import_key_pair(&client, "me", LINE, &tags).unwrap().fingerprint, "f");
    assert!(import_key_pair(&client, "me", LINE, &tags).unwrap_err().is("InvalidKeyPair.Duplicate"));
    let expected = [
        "KeyName=me",
        "PublicKeyMaterial=c3NoLWVkMjU1MTkgQUFBQSBtZQ==",
        "TagSpecification.1.ResourceType=key-pair",
        "TagSpecification.1.Tag.1.Key=a",
        "TagSpecification.1.Tag.1.Value=b",
    ];
    assert_eq!(served.sent()[0].form(), expected);
    let served = euca([answer("ImportKeyPair", made)]);
    import_key_pair(&served.client(), "me", LINE, &tags).unwrap();
    assert_eq!(served.only().form(), expected[..2]);
}

#[test]
fn a_key_pair_is_removed_once() {
    let served =
        aws([done("DeleteKeyPair"), refused("InvalidKeyPair.NotFound"), refused("UnauthorizedOperation")]);
    let client = served.client();
    delete_key_pair(&client, "me").unwrap();
    delete_key_pair(&client, "me").unwrap();
    assert!(matches!(delete_key_pair(&client, "me"), Err(Error::Service { .. })));
    assert_eq!(served.sent()[0].form(), ["KeyName=me"]);
}
