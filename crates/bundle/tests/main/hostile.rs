//! Manifests and parts that somebody changed: refused in words, nothing left behind, never a panic.

use std::fs;
use std::path::Path;

use hardtack_bundle::{Bundle, BundleOptions, Manifest, unbundle};
use hardtack_disk::AtomicFile;

use crate::common::{IV, KEY, bundle, disk, session, sh, take_apart};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn manifests_that_lead_elsewhere_or_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = disk(1 << 20);
    let options =
        BundleOptions { part_size: 1 << 16, durable: false, ..BundleOptions::new("i", folder.path()) };
    let path = bundle(&image, &options);
    let text = fs::read_to_string(&path).unwrap();
    let manifest = Bundle::open(&path, None).unwrap().manifest;
    let count = manifest.parts.len();
    let (size, bundled) = (manifest.size, manifest.bundled_size);
    let element = |name: &str, value: u64| format!("<{name}>{value}</{name}>");
    for (from, to, why) in [
        ("i.part.01".to_owned(), "../i.part.01".to_owned(), "no `/`"),
        ("i.part.01".to_owned(), "/etc/passwd".to_owned(), "no `/`"),
        ("i.part.01".to_owned(), "..".to_owned(), "a directory"),
        ("i.part.01".to_owned(), String::new(), "needs a name"),
        ("i.part.01".to_owned(), "i.part&#10;01".to_owned(), "control"),
        ("i.part.01".to_owned(), "i.part.00".to_owned(), "SHA-1"),
        ("i.part.01".to_owned(), "missing".to_owned(), "cannot open the part"),
        ("index=\"1\"".to_owned(), "index=\"0\"".to_owned(), "missing, or there twice"),
        ("index=\"1\"".to_owned(), "index=\"18446744073709551615\"".to_owned(), "missing, or there twice"),
        (format!("count=\"{count}\""), "count=\"99999999999\"".to_owned(), "lists"),
        (format!("count=\"{count}\""), "count=\"x\"".to_owned(), "no number"),
        (element("size", size), element("size", size + 512), "the manifest says"),
        (element("size", size), element("size", u64::MAX), "the manifest says"),
        (element("size", size), String::new(), "missing"),
        (element("bundled_size", bundled), element("bundled_size", 0), "bundled_size is 0"),
        (element("bundled_size", bundled), element("bundled_size", bundled + 16), "the parts have"),
        (element("bundled_size", bundled), "<bundled_size>-1</bundled_size>".to_owned(), "no number"),
        ("2007-10-10".to_owned(), "2014-01-14".to_owned(), "only 2007-10-10"),
        ("</image>".to_owned(), String::new(), "no XML"),
        ("<manifest>".to_owned(), "<!DOCTYPE a [<!ENTITY b 'c'>]><manifest>".to_owned(), "document type"),
        ("<manifest>".to_owned(), "<manifest>&b;".to_owned(), "unknown entity"),
        ("<image>".to_owned(), "<x>".repeat(40) + "<image>", "in each other"),
        ("<image>".to_owned(), format!("<x>{}</x><image>", "y".repeat(70_000)), "a text of more than"),
    ] {
        let changed = text.replacen(&from, &to, 1);
        assert_ne!(changed, text, "{from}");
        fs::write(&path, changed).unwrap();
        let error = take_apart(&path).unwrap_err();
        assert!(error.contains(why), "{from} -> {to}: {error}");
        assert!(!error.contains(KEY) && !error.contains(IV));
    }
    fs::write(&path, vec![b' '; 6 << 20]).unwrap();
    assert!(take_apart(&path).unwrap_err().contains("are the most"));
    // A FIFO in place of a part would be waited for.
    fs::write(&path, &text).unwrap();
    sh(folder.path(), "rm i.part.01; mkfifo i.part.01");
    assert!(take_apart(&path).unwrap_err().contains("no regular file"));
}

#[test]
fn a_changed_byte_in_a_part_leaves_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let image = disk(1 << 20);
    let options =
        BundleOptions { part_size: 1 << 16, durable: false, ..BundleOptions::new("i", folder.path()) };
    let path = bundle(&image, &options);
    let part = folder.path().join("i.part.02");
    let good = fs::read(&part).unwrap();
    let mut random = Random(7);
    for _ in 0..500 {
        let mut bad = good.clone();
        let at = random.below(bad.len());
        match random.below(3) {
            0 => bad[at] ^= 1 << random.below(8),
            1 => bad.truncate(at),
            _ => bad.insert(at, 0),
        }
        fs::write(&part, &bad).unwrap();
        let error = take_apart(&path).unwrap_err();
        assert!(error.contains("i.part.02") && error.contains("SHA-1"), "{error}");
    }
    fs::write(&part, &good).unwrap();
    assert!(take_apart(&path).unwrap() == image);
}

/// Encrypts whatever is in `packed` as the only part of a bundle that says its image has `size` bytes.
fn wrap(folder: &Path, size: u64) -> std::path::PathBuf {
    sh(folder, &format!("openssl enc -aes-128-cbc -K {KEY} -iv {IV} -in packed -out p.part.0"));
    let digests =
        sh(folder, "sha1sum < p.part.0 | cut -c1-40; (zcat packed 2>/dev/null || :) | sha1sum | cut -c1-40");
    let digests = String::from_utf8(digests).unwrap();
    let digest = |line: usize| -> [u8; 20] {
        let line = digests.lines().nth(line).unwrap();
        hardtack_bundle::hex::decode(line).unwrap().try_into().unwrap()
    };
    let manifest = Manifest {
        name: "p".to_owned(),
        digest: digest(1),
        size,
        bundled_size: fs::metadata(folder.join("p.part.0")).unwrap().len(),
        user_key: crate::common::certificate("user").seal(&session()).unwrap(),
        parts: vec![hardtack_bundle::Part { name: "p.part.0".to_owned(), digest: digest(0) }],
        ..Manifest::default()
    };
    let path = folder.join("p.manifest.xml");
    fs::write(&path, manifest.to_xml(None).unwrap()).unwrap();
    path
}

#[test]
fn archives_of_gnu_tar_are_read_and_others_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = "n".repeat(150);
    let at = folder.path();
    sh(
        at,
        &format!(
            "truncate -s 3M img; printf hello | dd of=img bs=1 seek=1000000 conv=notrunc status=none
        for at in $(seq 0 2 200); do printf x | dd of=img bs=4096 seek=$at conv=notrunc status=none; done
        cp --sparse=always img {long}; echo two > second"
        ),
    );
    let image = fs::read(at.join("img")).unwrap();
    for tar in [
        "tar cS --format=gnu img | gzip -9",
        "tar c --format=gnu img | gzip -1",
        "tar c --format=ustar img | gzip",
        &format!("tar cS --format=gnu {long} | gzip"),
        "tar cS --format=gnu img second | gzip",
        "tar c --format=gnu img | split -b 700000 --filter=gzip",
        "tar c --format=gnu -b 200 img | gzip",
    ] {
        sh(at, &format!("{tar} > packed"));
        assert!(take_apart(&wrap(at, image.len() as u64)).as_ref() == Ok(&image), "{tar}");
    }
    let mut small = image.clone();
    small.truncate(1000);
    for (tar, why) in [
        ("tar cS --format=pax --sparse-version=1.0 img | gzip", "pax"),
        ("mkdir -p dir; tar c dir | gzip", "type 5"),
        ("ln -sf img link; tar c link | gzip", "type 2"),
        ("head -c 100000 /dev/zero | gzip", "checksum"),
        ("head -c 100 /dev/zero | gzip", "cannot be read"),
        ("head -c 100000 /dev/urandom", "cannot be read"),
        ("tar c --format=gnu img | head -c 1000000 | gzip", "cannot be unpacked"),
        ("tar c --format=gnu img | gzip | head -c 2000", "cannot be unpacked"),
        ("(tar c --format=gnu img | gzip; echo rubbish)", "cannot be unpacked"),
        ("(tar c --format=gnu img; head -c 100M /dev/zero) | gzip", "follow the image"),
        ("tar c --format=gnu second | gzip", "the manifest says"),
    ] {
        sh(at, &format!("set +o pipefail; {tar} > packed"));
        let error = take_apart(&wrap(at, image.len() as u64)).unwrap_err();
        assert!(error.contains(why), "{tar}: {error}");
    }
}

#[test]
fn thousands_of_changed_archives_and_manifests_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let image = disk(200 << 10);
    let options = BundleOptions { durable: false, ..BundleOptions::new("i", at) };
    let path = bundle(&image, &options);
    let text = fs::read(&path).unwrap();
    let mut random = Random(99);
    let words: [&[u8]; 8] = [
        b"<image>",
        b"</image>",
        b"99999999999999999999",
        b"<part index=\"0\">",
        b"&#0;",
        b"<",
        b"\0",
        b"]]>",
    ];
    for round in 0..4000 {
        let mut bad = text.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(bad.len());
            match random.below(4) {
                0 => bad[place] = random.below(256) as u8,
                1 => drop(bad.drain(place..(place + random.below(100)).min(bad.len()))),
                2 => drop(bad.splice(place..place, words[random.below(words.len())].iter().copied())),
                _ => bad.truncate(place.max(1)),
            }
            if bad.is_empty() {
                bad.push(b'<');
            }
        }
        let _ = Manifest::parse(&bad, Path::new("m")).map(|manifest| manifest.to_xml(None));
        if round % 20 == 0 {
            fs::write(&path, &bad).unwrap();
            // A change of names, say, is none of the image.
            if let Ok(found) = take_apart(&path) {
                assert!(found == image);
                fs::remove_file(at.join("unbundled.raw")).unwrap();
            }
        }
    }
    // The inside changed, with digests that fit: headers and maps that lie.
    sh(at, "truncate -s 1M img; for at in $(seq 0 2 200); do
        printf x | dd of=img bs=4096 seek=$at conv=notrunc status=none; done; tar cS --format=gnu img > img.tar");
    let tar = fs::read(at.join("img.tar")).unwrap();
    for _ in 0..60 {
        let mut bad = tar.clone();
        for _ in 0..=random.below(2) {
            let place = [124, 386, 482, 483, 512, 1016][random.below(6)] + random.below(12);
            bad[place] = [0, 0x80, 0xff, b'7', b'0', b' '][random.below(6)];
        }
        let sum: u32 = bad[..512]
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        bad[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        fs::write(at.join("img.tar"), &bad).unwrap();
        sh(at, "gzip -1 < img.tar > packed");
        let manifest = wrap(at, 1 << 20);
        let found = Bundle::open(&manifest, None).unwrap();
        let mut out = AtomicFile::create(&at.join("x.raw")).unwrap();
        let _ = unbundle(&found, &session(), &mut out, &|_, _, _| {});
        assert!(out.file().metadata().unwrap().len() <= 1 << 20);
    }
}
