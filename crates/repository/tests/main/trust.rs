//! What is believed, and what is refused, each with its own error.

use std::time::{Duration, SystemTime};

use hardtack_guest::dpkg::admin::Architectures;
use hardtack_guest::{MemoryTree, Stage};
use hardtack_repository::{
    Catalogue, Distrust, Error, Image, Keys, Lock, Request, Settings, Stale, resolve, sources,
};

use crate::made::{Made, architectures, have};

const TOOLS: [&str; 7] = ["gpg", "gpgv", "apt-ftparchive", "dpkg-deb", "xz", "gzip", "zstd"];

const STATUS: &str =
    "Package: dpkg\nStatus: install ok installed\nEssential: yes\nArchitecture: amd64\nVersion: 1\n";

fn image() -> Image {
    let tree = MemoryTree::new().file("/var/lib/dpkg/status", STATUS);
    Image::read(&Stage::new(&tree)).unwrap()
}

fn made() -> Made {
    let made = Made::new();
    made.key("good", "ed25519", &[], "0");
    made.deb("a", "1.0", "Depends: b (>= 2)\n");
    made.deb("b", "2.0", "");
    made.index("");
    made
}

fn install(names: &[&str]) -> Request {
    Request { install: names.iter().map(|name| (*name).to_owned()).collect(), ..Request::default() }
}

#[test]
fn a_good_repository_is_fetched_locked_and_taken_again_without_a_network() {
    if !have("a_good_repository", &TOOLS) {
        return;
    }
    let made = made();
    made.sign(&["good"], &[]);
    assert!(made.gpgv("good"));
    let mut settings = Settings::new(SystemTime::now());
    settings.cache = Some(made.path("cache"));
    let catalogue = made.open_with("good", &settings, None).unwrap();
    assert_eq!(catalogue.offers().len(), 2);
    assert!(catalogue.notes().is_empty(), "{:?}", catalogue.notes());
    let solution = resolve(&catalogue, &image(), &install(&["a"])).unwrap();
    let names: Vec<&str> = solution.changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let fetched = catalogue.fetch(&solution, &settings, Some(&made.path("out"))).unwrap();
    assert_eq!(fetched.len(), 2);
    assert_eq!(fetched[0].path, made.path("out/a_1.0_all.deb"));
    assert_eq!(
        std::fs::read(&fetched[0].path).unwrap(),
        std::fs::read(made.path("r/pool/a_1.0_all.deb")).unwrap()
    );

    // The lock: the same text each time, read back, and taken again.
    let lock = Lock::of(&catalogue, &solution);
    let text = lock.write();
    assert_eq!(Lock::parse(&text, "lock").unwrap(), lock);
    let again = lock.request("lock", &catalogue, &install(&["a"])).unwrap();
    assert_eq!(Lock::of(&catalogue, &resolve(&catalogue, &image(), &again).unwrap()), lock);

    // A lock of another repository is none, nor is one by which something goes that nobody asked for.
    let refused = |change: &dyn Fn(&mut Lock)| {
        let mut changed = lock.clone();
        change(&mut changed);
        changed.request("lock", &catalogue, &install(&["a"])).unwrap_err().to_string()
    };
    let text = refused(&|lock| lock.repositories[0].suite = "other".to_owned());
    assert!(text.contains("other, which neither the recipe nor the image names"), "{text}");
    let text = refused(&|lock| lock.packages[0].repository = "https://elsewhere.example".to_owned());
    assert!(text.contains("from https://elsewhere.example"), "{text}");
    let text = refused(&|lock| lock.removed.push("dpkg".to_owned()));
    assert!(text.contains("removes dpkg"), "{text}");

    // A new version does not come with the lock, and does without it.
    made.deb("b", "3.0", "");
    made.index("");
    made.sign(&["good"], &[]);
    let newer = made.open_with("good", &settings, Some(&lock)).unwrap();
    let locked = resolve(&newer, &image(), &lock.request("lock", &newer, &install(&["a"])).unwrap()).unwrap();
    assert_eq!(Lock::of(&newer, &locked).packages, lock.packages);
    let free = resolve(&newer, &image(), &install(&["a"])).unwrap();
    assert_eq!(free.changes[1].to.as_deref(), Some("3.0"));

    // The same version with other bytes, and a version that is gone, are refused by the lock.
    std::fs::remove_file(made.path("r/pool/b_2.0_all.deb")).unwrap();
    made.deb("b", "2.0", "Section: other\n");
    made.index("");
    made.sign(&["good"], &[]);
    let other = made.open_with("good", &settings, Some(&lock)).unwrap();
    let error = lock.request("lock", &other, &install(&["a"])).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }) && error.to_string().contains("another file"), "{error}");
    std::fs::remove_file(made.path("r/pool/b_2.0_all.deb")).unwrap();
    made.index("");
    made.sign(&["good"], &[]);
    let gone = made.open_with("good", &settings, Some(&lock)).unwrap();
    let error = lock.request("lock", &gone, &install(&["a"])).unwrap_err();
    assert!(error.to_string().contains("no repository offers now"), "{error}");

    // A directory of files instead of all that.
    let mut pile = Settings::new(SystemTime::now());
    pile.offline = Some(made.path("out"));
    let catalogue = Catalogue::open(&[], &architectures(), &pile, None).unwrap();
    let solution = resolve(&catalogue, &image(), &install(&["a"])).unwrap();
    assert_eq!(catalogue.fetch(&solution, &pile, None).unwrap().len(), 2);

    // And a host that may not be asked has what the cache has: nothing here.
    let mut nowhere = made.source("good");
    nowhere.uri = "https://mirror.invalid/debian".to_owned();
    let error = Catalogue::open(&[nowhere], &architectures(), &settings, None).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error}");
}

#[test]
fn signatures_are_judged_as_gpgv_judges_them() {
    if !have("signatures", &TOOLS) {
        return;
    }
    let made = made();
    made.key("other", "ed25519", &[], "0");
    made.key("rsa", "rsa3072", &[], "0");
    made.key("weak", "rsa1024", &[], "0");
    made.key("old", "ed25519", &["--faked-system-time", "20200101T000000"], "1d");
    made.key("gone", "ed25519", &[], "0");
    let untrusted = |ring: &str| match made.open(ring) {
        Err(Error::Untrusted { distrust, .. }) => Some(distrust),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    };
    let inrelease = made.path("r/dists/stable/InRelease");
    let edit = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&inrelease).unwrap();
        assert!(text.contains(from));
        std::fs::write(&inrelease, text.replacen(from, to, 1)).unwrap();
    };

    made.sign(&["rsa"], &[]);
    assert_eq!((untrusted("rsa"), made.gpgv("rsa")), (None, true));
    // Several: one good one is enough.
    made.sign(&["other", "good"], &[]);
    assert_eq!((untrusted("good"), made.gpgv("good")), (None, true));
    // Another key.
    made.sign(&["other"], &[]);
    assert!(matches!(untrusted("good"), Some(Distrust::UnknownKey(names)) if names.len() == 1));
    assert!(!made.gpgv("good"));
    // Changed afterwards.
    made.sign(&["good"], &[]);
    edit("Codename: book", "Codename: boot");
    assert!(matches!(untrusted("good"), Some(Distrust::Bad(_))));
    assert!(!made.gpgv("good"));
    // Blanks at a line's end are not covered, and so not seen.
    made.sign(&["good"], &[]);
    edit("Codename: book", "Codename: book \t");
    assert_eq!((untrusted("good"), made.gpgv("good")), (None, true));
    // Text around the message, a second message: GnuPG skips what is before, we refuse.
    made.sign(&["good"], &[]);
    let text = std::fs::read_to_string(&inrelease).unwrap();
    for mixed in [format!("Suite: evil\n{text}"), format!("{text}Suite: evil\n"), format!("{text}{text}")] {
        std::fs::write(&inrelease, mixed).unwrap();
        assert!(matches!(untrusted("good"), Some(Distrust::Malformed(_))));
    }
    // Not signed at all.
    std::fs::remove_file(&inrelease).unwrap();
    assert_eq!(untrusted("good"), Some(Distrust::Unsigned));
    // A signature in its own file, binary and armored; and one that does not fit.
    let folder = made.path("r/dists/stable");
    let (release, detached) = (folder.join("Release"), folder.join("Release.gpg"));
    for armor in ["--armor", "--no-armor"] {
        let user = ["--local-user", "good@example.org", "--output", detached.to_str().unwrap()];
        made.gpg(&[&user[..], &[armor, "--detach-sign", release.to_str().unwrap()]].concat());
        assert_eq!(untrusted("good"), None, "{armor}");
    }
    let kept = std::fs::read_to_string(&release).unwrap();
    std::fs::write(&release, kept.replace("book", "boot")).unwrap();
    assert!(matches!(untrusted("good"), Some(Distrust::Bad(_))));
    std::fs::write(&release, kept).unwrap();
    // Digests that can be forged.
    for digest in ["SHA1", "RIPEMD160"] {
        made.sign(&["rsa"], &["--allow-weak-digest-algos", "--digest-algo", digest]);
        assert!(matches!(untrusted("rsa"), Some(Distrust::WeakDigest { .. })), "{digest}");
        assert!(!made.gpgv("rsa"), "{digest}");
    }
    // A short key: gpgv of Debian 12 takes it, apt since 2.7.13 does not.
    made.sign(&["weak"], &[]);
    assert!(matches!(untrusted("weak"), Some(Distrust::WeakKey { .. })));
    // A key that expired, a signature that did, one that is still to come.
    made.sign(&["old"], &["--faked-system-time", "20200101T010000"]);
    assert!(matches!(untrusted("old"), Some(Distrust::KeyExpired { .. })));
    assert!(!made.gpgv("old"));
    made.sign(&["good"], &["--faked-system-time", "20380101T000000"]);
    assert!(matches!(untrusted("good"), Some(Distrust::SignatureInFuture { .. })));
    made.sign(&["good"], &["--default-sig-expire", "seconds=1"]);
    std::thread::sleep(Duration::from_millis(2100));
    assert!(matches!(untrusted("good"), Some(Distrust::SignatureExpired { .. })));
    assert!(!made.gpgv("good"));
    // A key whose owner withdrew it.
    made.sign(&["gone"], &[]);
    assert_eq!(untrusted("gone"), None);
    let revocations = made.path("g/openpgp-revocs.d");
    let mut found = false;
    for entry in std::fs::read_dir(revocations).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        if text.contains("gone@example.org") {
            let file = made.path("revocation");
            std::fs::write(&file, text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
            made.gpg(&["--import", file.to_str().unwrap()]);
            found = true;
        }
    }
    assert!(found);
    made.export("gone");
    assert!(matches!(untrusted("gone"), Some(Distrust::KeyRevoked(_))));
    assert!(!made.gpgv("gone"));
    // No ring, and one that is none.
    let mut source = made.source("good");
    source.keys = Keys::Rings(Vec::new());
    let open = |source| Catalogue::open(&[source], &architectures(), &Settings::new(SystemTime::now()), None);
    assert!(matches!(open(source.clone()), Err(Error::Untrusted { distrust: Distrust::NoKeyring, .. })));
    source.keys = Keys::Rings(vec![("x.gpg".to_owned(), b"hello".to_vec())]);
    assert!(matches!(open(source.clone()), Err(Error::Malformed { .. })));
    // An armored ring, two in one file, and only one fingerprint of it.
    made.sign(&["good"], &[]);
    let armored = |name: &str| made.gpg(&["--armor", "--export", &format!("{name}@example.org")]).stdout;
    let both = [armored("other"), armored("good")].concat();
    source.keys = Keys::Rings(vec![("x.asc".to_owned(), both)]);
    assert!(open(source.clone()).is_ok());
    source.fingerprints = vec!["0".repeat(40)];
    assert!(matches!(open(source), Err(Error::Untrusted { distrust: Distrust::UnknownKey(_), .. })));
}

#[test]
fn a_subkey_signs_for_its_primary_key() {
    if !have("a_subkey_signs", &TOOLS) {
        return;
    }
    let made = made();
    made.gpg(&["--quick-gen-key", "two <two@example.org>", "ed25519", "cert", "0"]);
    let listed = made.gpg(&["--with-colons", "--list-keys", "two@example.org"]).stdout;
    let listed = String::from_utf8(listed).unwrap();
    let print =
        listed.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned();
    made.gpg(&["--quick-add-key", &print, "rsa2048", "sign", "0"]);
    made.export("two");
    made.sign(&["two"], &[]);
    assert!(made.gpgv("two"));
    let catalogue = made.open("two").unwrap();
    assert_eq!(catalogue.releases()[0].key.as_deref(), Some(print.as_str()));
}

#[test]
fn what_is_old_new_or_another_is_refused() {
    if !have("what_is_old", &TOOLS) {
        return;
    }
    let made = made();
    let now = SystemTime::now();
    let stale = |result: Result<Catalogue, Error>| match result {
        Err(Error::Stale { stale, .. }) => stale,
        other => panic!("{other:?}"),
    };
    made.release("Valid-Until: Sat, 10 May 2025 09:30:19 UTC");
    made.sign(&["good"], &[]);
    assert!(matches!(stale(made.open("good")), Stale::Expired { .. }));
    let mut settings = Settings::new(now);
    settings.allow_expired = true;
    let allowed = made.open_with("good", &settings, None).unwrap();
    assert!(allowed.notes()[0].contains("2025-05-10T09:30:19Z"), "{:?}", allowed.notes());
    let mut source = made.source("good");
    source.check_valid_until = false;
    Catalogue::open(&[source.clone()], &architectures(), &Settings::new(now), None).unwrap();
    made.release("Date: Sat, 10 May 2025 09:30:19 UTC");
    made.sign(&["good"], &[]);
    source.check_valid_until = true;
    source.valid_until_max = Some(86_400);
    assert!(matches!(
        stale(Catalogue::open(&[source], &architectures(), &Settings::new(now), None)),
        Stale::Expired { .. }
    ));

    made.release("Date: Fri, 01 Jan 2038 00:00:00 UTC");
    made.sign(&["good"], &[]);
    assert!(matches!(stale(made.open("good")), Stale::Future { .. }));

    let mut other = made.source("good");
    std::os::unix::fs::symlink(made.path("r/dists/stable"), made.path("r/dists/testing")).unwrap();
    other.suite = "testing".to_owned();
    made.release("");
    made.sign(&["good"], &[]);
    let result = Catalogue::open(&[other], &architectures(), &Settings::new(now), None);
    assert!(matches!(stale(result), Stale::OtherSuite { .. }));

    // Rolled back: against the cache, and against the lock.
    let mut cached = Settings::new(now);
    cached.cache = Some(made.path("cache"));
    let newer = made.open_with("good", &cached, None).unwrap();
    let lock = Lock::of(&newer, &resolve(&newer, &image(), &install(&["b"])).unwrap());
    made.release("Date: Sat, 10 May 2025 09:30:19 UTC");
    made.sign(&["good"], &[]);
    assert!(matches!(stale(made.open_with("good", &cached, None)), Stale::RolledBack { .. }));
    assert!(matches!(
        stale(made.open_with("good", &Settings::new(now), Some(&lock))),
        Stale::RolledBack { .. }
    ));
    assert!(made.open_with("good", &Settings::new(now), None).is_ok());
}

#[test]
fn indexes_and_packages_are_what_the_release_says() {
    if !have("indexes_and_packages", &TOOLS) {
        return;
    }
    let made = made();
    made.sign(&["good"], &[]);
    let folder = made.path("r/dists/stable/main/binary-amd64");
    let catalogue = made.open("good").unwrap();
    let solution = resolve(&catalogue, &image(), &install(&["b"])).unwrap();
    // A package that was changed: the same length, a byte more.
    let deb = made.path("r/pool/b_2.0_all.deb");
    let good = std::fs::read(&deb).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    for content in [bad, [&good[..], b"x"].concat(), good[1..].to_vec()] {
        std::fs::write(&deb, content).unwrap();
        let error =
            catalogue.fetch(&solution, &Settings::new(SystemTime::now()), Some(&made.path("o"))).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    }
    assert!(std::fs::read_dir(made.path("o")).unwrap().next().is_none(), "something was left");
    std::fs::remove_file(&deb).unwrap();
    let error =
        catalogue.fetch(&solution, &Settings::new(SystemTime::now()), Some(&made.path("o"))).unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{error}");
    // Indexes, in every compression: each alone, then changed.
    let all = ["Packages.xz", "Packages.zst", "Packages.gz", "Packages"];
    for name in all {
        let keep: Vec<(&str, Vec<u8>)> =
            all.into_iter().map(|name| (name, std::fs::read(folder.join(name)).unwrap())).collect();
        for other in all.into_iter().filter(|other| *other != name) {
            std::fs::remove_file(folder.join(other)).unwrap();
        }
        assert_eq!(made.open("good").unwrap().offers().len(), 2, "{name}");
        let mut bytes = std::fs::read(folder.join(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        std::fs::write(folder.join(name), bytes).unwrap();
        assert!(matches!(made.open("good"), Err(Error::Mismatch { .. })), "{name}");
        for (name, content) in keep {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
    // By hash, where the release says so and the plain names are of tomorrow already.
    made.release("Acquire-By-Hash: yes");
    made.sign(&["good"], &[]);
    let name = folder.join("Packages.xz");
    let sum = std::process::Command::new("sha256sum").arg(&name).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap().split(' ').next().unwrap().to_owned();
    std::fs::create_dir_all(folder.join("by-hash/SHA256")).unwrap();
    std::fs::rename(&name, folder.join("by-hash/SHA256").join(sum)).unwrap();
    std::fs::write(&name, b"tomorrow").unwrap();
    assert_eq!(made.open("good").unwrap().offers().len(), 2);
}

/// A signed release is no reason to trust what its makers wrote.
#[test]
fn hostile_indexes_are_refused() {
    if !have("hostile_indexes", &TOOLS) {
        return;
    }
    let made = made();
    let folder = made.path("r/dists/stable/main/binary-amd64");
    let good = std::fs::read_to_string(folder.join("Packages")).unwrap();
    let with = |content: &[u8]| {
        for name in ["Packages.xz", "Packages.zst", "Packages.gz"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        std::fs::write(folder.join("Packages"), content).unwrap();
        made.release("");
        made.sign(&["good"], &[]);
        made.open("good")
    };
    assert_eq!(with(good.as_bytes()).unwrap().offers().len(), 2);
    for file in
        ["../../etc/passwd", "/etc/passwd", "pool/%2e%2e/a.deb", "pool/../../a.deb", "http://x/a.deb", "a\\b"]
    {
        let error = with(good.replace("pool/a_1.0_all.deb", file).as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Malformed { line: Some(1), .. }), "{file}: {error}");
        assert!(error.to_string().contains("leads out"), "{error}");
    }
    for (what, text) in [
        ("no sum", good.replace("SHA256:", "SHA255:")),
        ("no size", good.replace("\nSize:", "\nSise:")),
        ("a version", good.replace("Version: 1.0", "Version: 1 0")),
        ("a line", good.replace("Version: 1.0", "Version 1.0")),
        ("a relation", good.replace("b (>= 2)", "b (>= ")),
        ("twice", good.replace("Version: 1.0", "Version: 1.0\nVersion: 2.0")),
        ("long", good.replace("Version: 1.0", &format!("Version: 1.0\nX: {}", "y".repeat(2 << 20)))),
    ] {
        assert!(matches!(with(text.as_bytes()), Err(Error::Malformed { line: Some(_), .. })), "{what}");
    }
    // Bytes turned over, by a fixed sequence: an error or a result, no panic.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..12 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..4 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = usize::try_from(seed >> 20).unwrap() % bytes.len();
            bytes[at] = u8::try_from(seed & 0xff).unwrap();
        }
        let _ = with(&bytes);
    }
    // A bomb: 64 MiB of zeros in a few KiB, where the release lists a small plain file.
    std::fs::write(folder.join("Packages"), vec![0; 64 << 20]).unwrap();
    for (tool, ending) in [("xz", "xz"), ("gzip", "gz"), ("zstd", "zst")] {
        crate::made::run(std::process::Command::new(tool).arg("-kf").arg(folder.join("Packages")));
        let packed = folder.join(format!("Packages.{ending}"));
        let bomb = std::fs::read(&packed).unwrap();
        std::fs::remove_file(&packed).unwrap();
        std::fs::write(folder.join("Packages"), &good).unwrap();
        std::fs::write(&packed, bomb).unwrap();
        made.release("");
        made.sign(&["good"], &[]);
        let error = made.open("good").unwrap_err();
        assert!(error.to_string().contains("decompresses to more"), "{ending}: {error}");
        std::fs::remove_file(&packed).unwrap();
        std::fs::write(folder.join("Packages"), vec![0; 64 << 20]).unwrap();
    }
}

/// Damaged keyrings and messages: an error or a verdict, no panic.
#[test]
fn damaged_signatures_and_keys_do_no_harm() {
    if !have("damaged_signatures", &TOOLS) {
        return;
    }
    let made = made();
    made.sign(&["good"], &[]);
    let inrelease = made.path("r/dists/stable/InRelease");
    let (message, ring) = (std::fs::read(&inrelease).unwrap(), made.ring("good"));
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 20).unwrap()
    };
    let mut refused = 0;
    for turn in 0..400 {
        let mut source = made.source("good");
        let target = if turn % 2 == 0 { message.clone() } else { ring.clone() };
        let mut bytes = target;
        let at = random() % bytes.len();
        match turn % 3 {
            0 => bytes[at] ^= u8::try_from(random() % 255 + 1).unwrap(),
            1 => bytes.truncate(at),
            _ => {
                bytes.remove(at);
            }
        }
        if turn % 2 == 0 {
            std::fs::write(&inrelease, bytes).unwrap();
        } else {
            std::fs::write(&inrelease, &message).unwrap();
            source.keys = Keys::Rings(vec![("x".to_owned(), bytes)]);
        }
        refused += usize::from(
            Catalogue::open(&[source], &architectures(), &Settings::new(SystemTime::now()), None).is_err(),
        );
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn the_images_own_lists_are_read() {
    let armored = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    let tree = MemoryTree::new()
        .file(
            "/etc/apt/sources.list",
            "# x\ndeb http://m.example/debian trixie main contrib # y\ndeb-src http://m.example/debian trixie main\n\
             deb [arch=amd64,arm64 signed-by=/k.gpg check-valid-until=no by-hash=no] https://o.example/x ./\n\
             deb cdrom:[Debian]/ trixie main\n",
        )
        .file(
            "/etc/apt/sources.list.d/d.sources",
            format!("Types: deb deb-src\nURIs: http://a.example/d/ mirror+file:/etc/m\nSuites: trixie trixie-updates\nComponents: main\nSigned-By:\n {armored}\n .\n abc\n\nTypes: deb\nURIs: http://b.example\nSuites: s\nComponents: main\nEnabled: no\n"),
        )
        .file("/etc/apt/sources.list.d/e.list.bak", "nonsense\n")
        .file("/etc/apt/trusted.gpg.d/x.gpg", "ring")
        .file("/k.gpg", "other");
    let (found, skipped) = sources::of_image(&Stage::new(&tree), false).unwrap();
    let shown: Vec<String> =
        found.iter().map(|one| format!("{} {} {}", one.uri, one.suite, one.components.join("+"))).collect();
    assert_eq!(
        shown,
        [
            "http://m.example/debian trixie main+contrib",
            "https://o.example/x ./ ",
            "http://a.example/d trixie main",
            "http://a.example/d trixie-updates main",
        ]
    );
    assert_eq!(
        found[0].keys,
        Keys::Rings(vec![("/etc/apt/trusted.gpg.d/x.gpg".to_owned(), b"ring".to_vec())])
    );
    assert_eq!(found[1].keys, Keys::Rings(vec![("/k.gpg".to_owned(), b"other".to_vec())]));
    assert_eq!(found[1].architectures, Some(vec!["amd64".to_owned(), "arm64".to_owned()]));
    assert_eq!((found[1].check_valid_until, found[1].by_hash), (false, Some(false)));
    let Keys::Rings(rings) = &found[2].keys else { panic!() };
    assert_eq!(rings[0].1, format!("{armored}\n\nabc\n").as_bytes());
    assert_eq!(skipped.len(), 2, "{skipped:?}");

    for (line, wanted) in [
        ("deb [trusted=yes] http://x.example s main", "trusted=yes"),
        ("deb [allow-insecure=yes] http://x.example s main", "allow-insecure"),
        ("deb [signed-by=/none] http://x.example s main", "/none"),
        ("deb http://x.example s", "needs components"),
        ("deb http://x.example ./ main", "slash"),
        ("deb http://x.example ../../s main", "leads out"),
        ("deb http://u:p@x.example s main", "password"),
        ("deb http://x.example", "names no suite"),
        ("rpm http://x.example s main", "begins neither"),
    ] {
        let tree = MemoryTree::new().file("/etc/apt/sources.list", format!("\n{line}\n"));
        let error = sources::of_image(&Stage::new(&tree), false).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.starts_with("/etc/apt/sources.list:2:"), "{line}: {error}");
    }
    let tree = MemoryTree::new().file("/etc/apt/sources.list", "deb [trusted=yes] http://x.example s main\n");
    let (found, _) = sources::of_image(&Stage::new(&tree), true).unwrap();
    assert_eq!(found[0].keys, Keys::Trusted);
    let _: Architectures = architectures();
}
