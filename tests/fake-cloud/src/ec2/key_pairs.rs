//! `ImportKeyPair`, `DescribeKeyPairs`, `DeleteKeyPair` ("Amazon EC2 key pairs", "Create a key pair … fingerprint", EC2
//! user guide; RFC 4253, section 6.6, for the key's own form; RFC 8017, appendix A.1, for DER's).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::{Call, filter, tag_set};
use crate::holdings::KeyPair;
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::xml::Xml;

fn format() -> Refusal {
    Refusal::bad("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
}

/// Strings of a key in SSH's form.
fn strings(mut blob: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !blob.is_empty() {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        found.push(rest.get(..length)?);
        blob = rest.get(length..)?;
    }
    Some(found)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let long: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            bytes.extend(long);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Kind and fingerprint of a public key.
fn fingerprint(text: &str, euca: bool) -> Result<(&'static str, String), Refusal> {
    let mut words = text.split_whitespace();
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let blob = STANDARD.decode(blob).map_err(|_| format())?;
    let parts = strings(&blob).ok_or_else(format)?;
    match (kind, parts.as_slice()) {
        ("ssh-rsa", [b"ssh-rsa", exponent, modulus]) => {
            if ![1024, 2048, 4096].contains(&(modulus.len().saturating_sub(1) * 8)) {
                return Err(Refusal::bad("InvalidKey.Format", "Key length is 1024, 2048 or 4096"));
            }
            let numbers = der(0x30, &[der(0x02, modulus), der(0x02, exponent)].concat());
            // rsaEncryption, 1.2.840.113549.1.1.1, without parameters.
            let algorithm = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
            let bits = der(0x03, &[vec![0], numbers].concat());
            let info = der(0x30, &[der(0x30, &algorithm), bits].concat());
            let digest = Md5::digest(&info);
            let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(("rsa", hex.join(":")))
        }
        ("ssh-ed25519", [b"ssh-ed25519", point]) if !euca && point.len() == 32 => {
            Ok(("ed25519", STANDARD.encode(sha2::Sha256::digest(&blob))))
        }
        _ => Err(format()),
    }
}

/// `ImportKeyPair`.
pub(crate) fn import(call: &Call<'_>) -> Answer {
    let euca = call.shared.euca();
    let (name, material) = (call.params.need("KeyName")?, call.params.need("PublicKeyMaterial")?);
    let mut tags = if euca { Default::default() } else { call.params.specified_tags(&["key-pair"])? };
    call.params.finish()?;
    if name.len() > 255 || !name.is_ascii() || name.trim() != name {
        let text = format!("Value ({name}) for parameter KeyName is invalid.");
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    let bytes = STANDARD.decode(material).map_err(|_| format())?;
    let text = String::from_utf8(bytes).map_err(|_| format())?;
    let (kind, fingerprint) = fingerprint(&text, euca)?;
    let mut world = call.shared.world();
    let key = (call.caller.account.clone(), name.clone());
    if world.region(&call.caller.region).key_pairs.contains_key(&key) {
        let text = format!("The keypair '{name}' already exists.");
        return Err(Refusal::bad("InvalidKeyPair.Duplicate", text));
    }
    let pair = KeyPair {
        id: world.id("key", false),
        name,
        fingerprint,
        kind,
        public: text.trim_end().to_owned(),
        tags: tags.remove("key-pair").unwrap_or_default(),
        created: call.shared.now(),
    };
    let answer = Call::answer("ImportKeyPair", |xml| {
        xml.text("keyName", &pair.name).text("keyFingerprint", &pair.fingerprint);
        if !euca {
            xml.text("keyPairId", &pair.id);
            tag_set(xml, &pair.tags);
        }
    });
    world.region(&call.caller.region).key_pairs.insert(key, pair);
    Ok(answer)
}

/// `DescribeKeyPairs`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    let (names, filters) = (call.params.list("KeyName"), call.params.filters()?);
    let (ids, public) = if call.shared.euca() {
        (Vec::new(), false)
    } else {
        (call.params.list("KeyPairId"), call.params.flag("IncludePublicKey")? == Some(true))
    };
    call.params.finish()?;
    let mut world = call.shared.world();
    let account = &call.caller.account;
    let region = world.region(&call.caller.region);
    let own: Vec<&KeyPair> =
        region.key_pairs.iter().filter(|((owner, _), _)| owner == account).map(|(_, pair)| pair).collect();
    if let Some(name) = names.iter().find(|name| !own.iter().any(|pair| pair.name == **name)) {
        let text = format!("The key pair '{name}' does not exist");
        return Err(Refusal::bad("InvalidKeyPair.NotFound", text));
    }
    if let Some(id) = ids.iter().find(|id| !own.iter().any(|pair| pair.id == **id)) {
        let text = format!("The key pair ID '{id}' does not exist");
        return Err(Refusal::bad("InvalidKeyPair.NotFound", text));
    }
    let mut found = Vec::new();
    for pair in own {
        let field = |name: &str| {
            Some(vec![match name {
                "key-name" => pair.name.clone(),
                "fingerprint" => pair.fingerprint.clone(),
                "key-pair-id" => pair.id.clone(),
                _ => return None,
            }])
        };
        let asked =
            (names.is_empty() && ids.is_empty()) || names.contains(&pair.name) || ids.contains(&pair.id);
        if asked && filter::holds(&filters, &pair.tags, field)? {
            found.push(pair);
        }
    }
    let euca = call.shared.euca();
    Ok(Call::answer("DescribeKeyPairs", |xml| {
        xml.items("keySet", found, |xml, pair| write(xml, pair, euca, public));
    }))
}

fn write(xml: &mut Xml, pair: &KeyPair, euca: bool, public: bool) {
    xml.text("keyName", &pair.name).text("keyFingerprint", &pair.fingerprint);
    if euca {
        return;
    }
    xml.text("keyPairId", &pair.id).text("keyType", pair.kind).text("createTime", time::iso(pair.created));
    if public {
        xml.text("publicKey", &pair.public);
    }
    tag_set(xml, &pair.tags);
}

/// `DeleteKeyPair`; one that is not there is no error.
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let (name, id) = if call.shared.euca() {
        (Some(call.params.need("KeyName")?), None)
    } else {
        (call.params.get("KeyName"), call.params.get("KeyPairId"))
    };
    call.params.finish()?;
    if name.is_none() == id.is_none() {
        let text = "The request must contain either the parameter KeyName or the parameter KeyPairId";
        return Err(Refusal::bad("MissingParameter", text));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    region.key_pairs.retain(|(owner, _), pair| {
        *owner != call.caller.account || !(name.as_ref() == Some(&pair.name) || id.as_ref() == Some(&pair.id))
    });
    Call::done("DeleteKeyPair")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ssh-keygen -lf`, and `openssl … -pubout -outform DER | md5sum`.
    #[test]
    fn fingerprints_are_those_of_the_tools() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDx4m+mIRBOz+omSHz7odUiPqH8r3bmtCiBlX5UiWT1yXr65w0S\
             2eYlKRKUbZTW0Y6eVIboZq/sOSLa8Ax0RpVskUtpaoNBEhTT61QlQ+K89GM0AEF/4TyqHAEp2wz22UGXdIcqIjWB\
             Zws6kJorDMzYrg258A/fRW9tdFB1ah0YZ477EWMWjk3eV0dO4gkrmV+bkXbDmemCwcqSOyJHVQOyTgOU1JpqNPC9\
             hlvScY9WLMMHHcfsvOXfTU7DJXothACd1u91vLdgw0/Q9v8yiPeNbpASc4C4KjbP7J3q2VK/pDFoYFOrwWyWsC2t\
             B6XB8XScdiNWQtmq5ZfY4KfBeC2J";
        let wanted = "b4:80:f1:63:5c:f1:2f:79:df:12:d2:60:a9:72:80:30".to_owned();
        assert_eq!(fingerprint(rsa, true).ok(), Some(("rsa", wanted)));
        assert!(fingerprint(&rsa[..99], false).is_err());
        let ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtBiLGGDPl6lzx4ajPYxCWBZTQgGh7UeHRd2LfD7QzA me";
        let blob = STANDARD.decode(ed25519.split(' ').nth(1).unwrap_or_default()).unwrap_or_default();
        let digest = STANDARD.encode(sha2::Sha256::digest(blob));
        assert_eq!(fingerprint(ed25519, false).ok(), Some(("ed25519", digest)));
        assert!(fingerprint(ed25519, true).is_err_and(|why| why.code == "InvalidKey.Format"), "Eucalyptus");
    }
}
