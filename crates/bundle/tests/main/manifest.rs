//! The manifest: its text, its keys and its signature against openssl; what other programs write.

use std::fs;
use std::path::Path;

use hardtack_bundle::{
    Bundle, BundleOptions, Error, ImageType, Manifest, Part, PrivateKey, PublicKey, Sealed, Signature,
    Verdict, check, hex, signed_text,
};

use crate::common::{IV, KEY, bundle, certificate, disk, keys, private, session, sh, take_apart};

fn example() -> Manifest {
    Manifest {
        bundler: ("hardtack".to_owned(), "0.1".to_owned()),
        architecture: "x86_64".to_owned(),
        devices: vec![("root".to_owned(), "/dev/sda1".to_owned()), ("ami".to_owned(), "sda1".to_owned())],
        product_codes: vec!["A<B".to_owned()],
        kernel: Some("eki-1".to_owned()),
        ramdisk: Some("eri-1".to_owned()),
        name: "é.img".to_owned(),
        user: "123456789012".to_owned(),
        digest: [1; 20],
        size: 5,
        bundled_size: 16,
        cloud_key: Sealed { key: vec![0xab], iv: vec![0xcd] },
        parts: vec![Part { name: "é.img.part.00".to_owned(), digest: [2; 20] }],
        ..Manifest::default()
    }
}

#[test]
fn the_text_is_what_euca2ools_writes() {
    let text = example().to_xml(None).unwrap();
    let (one, two) = ("01".repeat(20), "02".repeat(20));
    let expected = format!(
        "<?xml version='1.0' encoding='ASCII'?>\n<manifest><version>2007-10-10</version><bundler>\
         <name>hardtack</name><version>0.1</version><release>0</release></bundler><machine_configuration>\
         <architecture>x86_64</architecture><block_device_mapping><mapping><virtual>ami</virtual>\
         <device>sda1</device></mapping><mapping><virtual>root</virtual><device>/dev/sda1</device></mapping>\
         </block_device_mapping><product_codes><product_code>A&lt;B</product_code></product_codes>\
         <kernel_id>eki-1</kernel_id><ramdisk_id>eri-1</ramdisk_id></machine_configuration><image>\
         <name>&#233;.img</name><user>123456789012</user><type>machine</type>\
         <digest algorithm=\"SHA1\">{one}</digest><size>5</size><bundled_size>16</bundled_size>\
         <ec2_encrypted_key algorithm=\"AES-128-CBC\">ab</ec2_encrypted_key>\
         <user_encrypted_key algorithm=\"AES-128-CBC\"/><ec2_encrypted_iv>cd</ec2_encrypted_iv>\
         <user_encrypted_iv/><parts count=\"1\"><part index=\"0\"><filename>&#233;.img.part.00</filename>\
         <digest algorithm=\"SHA1\">{two}</digest></part></parts></image><signature>UNSIGNED</signature>\
         </manifest>"
    );
    assert_eq!(text, expected);
    let back = Manifest::parse(text.as_bytes(), Path::new("m")).unwrap();
    let mut sorted = example();
    sorted.devices.sort();
    assert_eq!(back, sorted);
}

#[test]
fn openssl_opens_the_keys_and_verifies_the_signature() {
    let folder = tempfile::tempdir().unwrap();
    let options = BundleOptions { durable: false, ..BundleOptions::new("i", folder.path()) };
    let path = bundle(&disk(64 << 10), &options);
    let found = Bundle::open(&path, None).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    for (who, sealed) in [("user", &found.manifest.user_key), ("cloud", &found.manifest.cloud_key)] {
        let key = keys().join(format!("{who}.pem"));
        for (bytes, digits) in [(&sealed.key, KEY), (&sealed.iv, IV)] {
            write("sealed", bytes);
            let script = format!("openssl pkeyutl -decrypt -inkey {} -in sealed", key.display());
            assert_eq!(String::from_utf8(sh(folder.path(), &script)).unwrap(), digits);
        }
        // And what openssl seals, we open.
        let certificate = keys().join(format!("{who}.crt"));
        let seal = |digits: &str| {
            let script = format!(
                "printf %s {digits} | openssl pkeyutl -encrypt -certin -inkey {}",
                certificate.display()
            );
            sh(folder.path(), &script)
        };
        let opened = private(who).open(&Sealed { key: seal(KEY), iv: seal(IV) }).unwrap();
        let digits = crate::common::certificate(who).seal(&opened).unwrap();
        assert_eq!(digits, crate::common::certificate(who).seal(&session()).unwrap());
    }
    // Cut as the consumers cut it: by the tags, in the file.
    let Signature::Bytes(signature) = &found.manifest.signature else { panic!() };
    write("signature", signature);
    let text = fs::read_to_string(&path).unwrap();
    let cut = |name: &str| {
        let start = text.find(&format!("<{name}>")).unwrap();
        let close = format!("</{name}>");
        text[start..text.find(&close).unwrap() + close.len()].to_owned()
    };
    let signed = cut("machine_configuration") + &cut("image");
    assert_eq!(signed_text(&text).unwrap(), signed);
    write("signed", signed.as_bytes());
    let verify = format!(
        "openssl dgst -sha1 -verify {} -signature signature signed || \
         openssl pkeyutl -verify -pubin -inkey {0} -pkeyopt digest:sha1 -sigfile signature \
         -in <(openssl dgst -sha1 -binary signed)",
        keys().join("user.pub").display()
    );
    sh(folder.path(), &verify);
}

#[test]
fn keys_are_read_in_both_forms_and_nothing_else() {
    let session = session();
    let sealed = certificate("user").seal(&session).unwrap();
    let path = keys().join("user-pkcs1.pem");
    let key = PrivateKey::from_pem(&fs::read(&path).unwrap(), &path).unwrap();
    assert!(key.open(&sealed).is_some());
    assert!(private("cloud").open(&sealed).is_none());
    assert_eq!(key.sign(b"x").unwrap(), private("user").sign(b"x").unwrap());
    let script = "openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
        openssl req -x509 -key ec.pem -out ec.crt -subj /CN=x -days 1
        openssl rsa -aes128 -passout pass:secret -in user.pem -out sealed.pem 2>/dev/null
        openssl rsa -aes128 -traditional -passout pass:secret -in user.pem -out sealed1.pem 2>/dev/null";
    sh(keys(), script);
    for (name, why) in [
        ("ec.pem", "no RSA key"),
        ("sealed.pem", "passphrase"),
        ("sealed1.pem", "passphrase"),
        ("user.crt", "no private key"),
    ] {
        let error = PrivateKey::from_pem(&fs::read(keys().join(name)).unwrap(), Path::new(name)).unwrap_err();
        assert!(error.to_string().contains(why), "{name}: {error}");
    }
    for (name, why) in [("ec.crt", "no RSA key"), ("user.pem", "no certificate")] {
        let bytes = fs::read(keys().join(name)).unwrap();
        let error = PublicKey::from_certificate(&bytes, Path::new(name)).unwrap_err();
        assert!(error.to_string().contains(why), "{name}: {error}");
    }
}

#[test]
fn damaged_certificates_and_keys_are_told() {
    let mut state = 1_u64;
    let mut random = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let (certificate, key) =
        (fs::read(keys().join("user.crt")).unwrap(), fs::read(keys().join("cloud.pem")).unwrap());
    for _ in 0..300 {
        let (mut one, mut other) = (certificate.clone(), key.clone());
        for bytes in [&mut one, &mut other] {
            let (at, byte) = (random(bytes.len()), random(256) as u8);
            bytes[at] = byte;
            bytes.truncate(random(bytes.len() * 4).max(1));
        }
        // Whatever comes of it, no panic.
        let _ = PublicKey::from_certificate(&one, Path::new("c")).and_then(|key| key.seal(&session()));
        let _ = PrivateKey::from_pem(&other, Path::new("k"));
    }
}

#[test]
fn what_other_programs_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let image = disk(300_000 / 512 * 512);
    let options =
        BundleOptions { part_size: 16384, durable: false, ..BundleOptions::new("i", folder.path()) };
    let path = bundle(&image, &options);
    let text = fs::read_to_string(&path).unwrap();
    let parts = Bundle::open(&path, None).unwrap().manifest.parts.len();
    // euca2ools: an empty part at the end.
    fs::write(folder.path().join("i.part.empty"), "").unwrap();
    let empty = format!(
        "<part index=\"{parts}\"><filename>i.part.empty</filename>\
         <digest algorithm=\"SHA1\">da39a3ee5e6b4b0d3255bfef95601890afd80709</digest></part></parts>"
    );
    let with_empty = text
        .replace("</parts>", &empty)
        .replace(&format!("count=\"{parts}\""), &format!("count=\"{}\"", parts + 1));
    let start = text.find("<signature>").unwrap();
    let unsigned = format!("{}<signature>UNSIGNED</signature></manifest>", &text[..start]);
    let pretty = text.replace("><", ">\n  <");
    let tools = text.replace(
        "</machine_configuration>",
        "<kernel_id>aki-1</kernel_id><ramdisk_id></ramdisk_id><product_codes><product_code>1</product_code>\
         </product_codes></machine_configuration>",
    );
    let ancestry = text.replace(
        "<type>machine</type>",
        "<type>machine</type><!-- of old --><ancestry><ancestor_ami_id>ami-1</ancestor_ami_id></ancestry>",
    );
    for (what, text) in [
        ("a zero-byte part", &with_empty),
        ("no signature", &unsigned),
        ("white space", &pretty),
        ("ec2-ami-tools' order", &tools),
        ("an ancestry", &ancestry),
    ] {
        fs::write(&path, text).unwrap();
        assert!(take_apart(&path).as_ref() == Ok(&image), "{what}: {:?}", take_apart(&path).err());
        let found = Bundle::open(&path, None).unwrap();
        let found = check(&found, Some(&certificate("user")), Some(&private("user")), None, &|_, _, _| {});
        let signature = if what == "no signature" { Verdict::Absent } else { Verdict::Bad };
        assert_eq!(
            (found.signature, found.parts, found.image),
            (signature, Verdict::Good, Verdict::Good),
            "{what}"
        );
    }
    assert_eq!(Manifest::parse(tools.as_bytes(), &path).unwrap().kernel.as_deref(), Some("aki-1"));
    fs::write(&path, &text).unwrap();
    let found = check(
        &Bundle::open(&path, None).unwrap(),
        Some(&certificate("user")),
        Some(&private("user")),
        None,
        &|_, _, _| {},
    );
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert_eq!((found.signature, found.key), (Verdict::Good, Verdict::Good));
    let found =
        check(&Bundle::open(&path, None).unwrap(), Some(&certificate("cloud")), None, None, &|_, _, _| {});
    assert_eq!((found.signature, found.key, found.image), (Verdict::Bad, Verdict::Unknown, Verdict::Unknown));
    let mut kernel = example();
    kernel.image_type = ImageType::Kernel;
    kernel.kernel = Some("true".to_owned());
    let text = kernel.to_xml(Some(&private("user"))).unwrap();
    assert!(!text.contains("block_device") && text.contains("<type>kernel</type>"));
    assert!(matches!(Manifest::parse(b"<a/>", &path), Err(Error::Manifest { .. })));
    assert_eq!(hex::encode(&[1]), "01");
}
