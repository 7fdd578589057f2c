//! `hardtack bundle` and `hardtack unbundle` as people and programs run them.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with disk.raw (24 MiB, 3 of them data), two pairs of keys, and key and vector.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let mut bytes = vec![0_u8; 24 << 20];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for start in (0..bytes.len()).step_by(2 << 20) {
            for byte in &mut bytes[start..start + (256 << 10)] {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 56) as u8 & 0x3f;
            }
        }
        bytes[446..462].copy_from_slice(&[0x80, 0, 33, 0, 0x83, 9, 9, 9, 0, 8, 0, 0, 0, 0x10, 0, 0]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(folder.path("disk.raw"), bytes).unwrap();
        std::fs::write(folder.path("secret"), SECRET).unwrap();
        folder.sh("for who in user cloud; do
               openssl req -x509 -newkey rsa:1024 -nodes -keyout $who.pem -out $who.crt -subj /CN=x \
                 -days 1 2>/dev/null; done");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sh(&self, script: &str) -> String {
        let output =
            Command::new("bash").args(["-o", "pipefail", "-ec", script]).current_dir(self.0.path()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn hardtack(&self, arguments: &str, environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("CI", "true")
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    /// Runs it, and expects `code`; both its streams.
    fn expect(&self, code: i32, arguments: &str, environment: &[(&str, &str)]) -> (String, String) {
        let output = self.hardtack(arguments, environment);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments}: {out}{err}");
        for secret in SECRET.lines() {
            assert!(!out.contains(secret) && !err.contains(secret), "{arguments}: a secret is shown");
        }
        (out, err)
    }
}

const SECRET: &str = "0f0e0d0c0b0a09080706050403020100\n00112233445566778899aabbccddeeff\n";
const ENVIRONMENT: &[(&str, &str)] = &[
    ("EC2_USER_ID", "1234-5678-9012"),
    ("EC2_CERT", "user.crt"),
    ("EC2_PRIVATE_KEY", "user.pem"),
    ("EUCALYPTUS_CERT", "cloud.crt"),
];

#[test]
fn a_bundle_goes_round_with_the_environment_of_ec2_bundle_image() {
    let folder = Folder::new();
    let (out, _) =
        folder.expect(0, "bundle -i disk.raw -d b -r x86_64 -B ami=sda1,root=/dev/sda1", ENVIRONMENT);
    assert!(out.ends_with("Wrote manifest b/disk.raw.manifest.xml\n"), "{out}");
    let manifest = std::fs::read_to_string(folder.path("b/disk.raw.manifest.xml")).unwrap();
    assert!(manifest.contains("<user>123456789012</user><type>machine</type>"), "{manifest}");
    let (out, _) = folder.expect(0, "unbundle --check b/disk.raw.manifest.xml", ENVIRONMENT);
    assert!(out.contains("signature good, parts good, private key good, image good"), "{out}");
    folder.expect(0, "unbundle b/disk.raw.manifest.xml -o back.raw", ENVIRONMENT);
    folder.sh("cmp disk.raw back.raw");
    // The cloud opens it too, and finds it under its own name.
    folder.sh("mkdir out");
    folder.expect(0, "unbundle -m b/disk.raw.manifest.xml -s b -d out -k cloud.pem", &[]);
    folder.sh("cmp disk.raw out/disk.raw");
    let (_, err) = folder.expect(4, "bundle disk.raw -o b", ENVIRONMENT);
    assert!(err.contains("exists already") && err.contains("--force"), "{err}");
    folder.expect(0, "bundle disk.raw -o b --force", ENVIRONMENT);
    folder.expect(0, "unbundle --check b/disk.raw.manifest.xml", ENVIRONMENT);
    let (_, err) = folder.expect(4, "unbundle b/disk.raw.manifest.xml -o back.raw", ENVIRONMENT);
    assert!(err.contains("exists already"), "{err}");
}

#[test]
fn the_same_disk_gives_the_same_bundle_whatever_it_is_stored_as() {
    let folder = Folder::new();
    folder.sh("qemu-img convert -c -O qcow2 disk.raw disk.qcow2; gzip -k disk.raw");
    for (index, image) in ["disk.raw", "disk.qcow2", "disk.raw.gz"].iter().enumerate() {
        let arguments = format!("bundle {image} -p d -o b{index} --key-and-iv secret --json");
        let (out, _) = folder.expect(0, &arguments, ENVIRONMENT);
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(told["size"], 24 << 20);
        assert_eq!(told["signed"], true);
        assert_eq!(told["sealed_for"], serde_json::json!(["cloud", "user"]));
        folder.sh(&format!("diff -r b0 b{index}"));
    }
    folder.expect(0, "unbundle b1/d.manifest.xml -o back.raw --key-and-iv secret", &[]);
    folder.sh("cmp disk.raw back.raw");
    folder.expect(0, "bundle disk.raw -o single --gzip single --dense --level 1", ENVIRONMENT);
    folder.expect(0, "unbundle single/disk.raw.manifest.xml -o single.raw", ENVIRONMENT);
    folder.sh("cmp disk.raw single.raw");
}

#[test]
fn a_damaged_bundle_is_told_by_check_and_leaves_no_image() {
    let folder = Folder::new();
    folder.expect(0, "bundle disk.raw -o b", ENVIRONMENT);
    folder.sh("printf x | dd of=b/disk.raw.part.00 bs=1 seek=1000000 conv=notrunc status=none");
    let (out, _) = folder.expect(1, "unbundle --check b/disk.raw.manifest.xml --json", ENVIRONMENT);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&told["good"], &told["parts"], &told["image"]),
        (&false.into(), &"bad".into(), &"unknown".into())
    );
    assert!(told["problems"][0].as_str().unwrap().contains("part.00"), "{told}");
    let (_, err) = folder.expect(3, "unbundle b/disk.raw.manifest.xml -o back.raw", ENVIRONMENT);
    assert!(err.contains("part.00: damaged part"), "{err}");
    assert!(!folder.path("back.raw").exists());
    let (_, err) = folder.expect(1, "unbundle --check b/disk.raw.manifest.xml -c cloud.crt", ENVIRONMENT);
    assert!(err.contains("signature"), "{err}");
    folder.sh("sed -i 's/<image>/<imaeg>/' b/disk.raw.manifest.xml");
    let (out, _) = folder.expect(1, "unbundle --check b/disk.raw.manifest.xml", ENVIRONMENT);
    assert!(out.contains("damaged"), "{out}");
    folder.expect(3, "unbundle b/disk.raw.manifest.xml -o back.raw", ENVIRONMENT);
    folder.expect(4, "unbundle --check b/none.manifest.xml", ENVIRONMENT);
}

#[test]
fn what_is_missing_is_said_in_the_words_people_know() {
    let folder = Folder::new();
    for (arguments, environment, why) in [
        ("bundle disk.raw -o b", &[][..], "missing account ID; please supply one with --user"),
        ("bundle disk.raw -o b -u 1", &[], "missing cloud certificate; please supply one with --ec2cert"),
        ("bundle disk.raw -o b -B ami", ENVIRONMENT, "NAME=DEVICE"),
        ("bundle disk.raw disk.raw -p x -o b", ENVIRONMENT, "one image"),
        ("bundle disk.raw -o b -k user.crt", ENVIRONMENT, "no private key"),
        ("bundle disk.raw -o b --key-and-iv user.crt", ENVIRONMENT, "32 hexadecimal digits"),
        ("bundle disk.raw -o b --gzip single --level 12", ENVIRONMENT, "1 to 9"),
        ("bundle disk.raw -o b -p a/b", ENVIRONMENT, "no name of a bundle"),
        ("bundle disk.raw -o b -u abc", ENVIRONMENT, "\"abc\" is no account's number"),
        ("bundle disk.raw -o b -u 12345678901a", ENVIRONMENT, "12 digits"),
        ("bundle disk.raw -o b --user=---", ENVIRONMENT, "12 digits"),
        ("bundle disk.raw -o b --kernel foo", ENVIRONMENT, "eki-… or aki-…"),
        ("bundle disk.raw -o b --kernel eri-12345678", ENVIRONMENT, "eki-… or aki-…"),
        ("bundle disk.raw -o b --ramdisk windows", ENVIRONMENT, "eri-… or ari-…"),
        ("bundle disk.raw -o b --ramdisk eri-", ENVIRONMENT, "eri-… or ari-…"),
        ("bundle disk.raw -o b --eucarc none", ENVIRONMENT, "cannot read eucarc"),
    ] {
        let code = if why.contains("eucarc") { 4 } else { 2 };
        let (_, err) = folder.expect(code, arguments, environment);
        assert!(err.contains(why), "{arguments}: {err}");
        assert!(!folder.path("b").exists() || std::fs::read_dir(folder.path("b")).unwrap().count() == 0);
    }
    let (_, err) = folder.expect(2, "register b/x.manifest.xml -n web-1 --catalog c --kernel foo", &[]);
    assert!(err.contains("eki-… or aki-…"), "{err}");
    let environment = &[("EC2_USER_ID", "1"), ("EUCALYPTUS_CERT", "cloud.crt")];
    let (_, err) = folder.expect(0, "bundle disk.raw -o b", environment);
    assert!(err.contains("not signed") && err.contains("unbundle it yourself"), "{err}");
    let manifest = std::fs::read_to_string(folder.path("b/disk.raw.manifest.xml")).unwrap();
    assert!(manifest.contains("<signature>UNSIGNED</signature>"));
    assert!(manifest.contains("<user_encrypted_key algorithm=\"AES-128-CBC\"/>"));
    let (_, err) = folder.expect(2, "unbundle b/disk.raw.manifest.xml -o x.raw -k user.pem", &[]);
    assert!(err.contains("does not open"), "{err}");
    let (_, err) = folder.expect(2, "unbundle b/disk.raw.manifest.xml -o x.raw", &[]);
    assert!(err.contains("missing private key"), "{err}");
}

#[test]
fn private_keys_may_have_a_passphrase() {
    let folder = Folder::new();
    folder.sh("printf 'correct horse\\nnot this\\n' > phrase; echo wrong > other
        openssl rsa -in user.pem -traditional -aes128 -passout file:phrase -out legacy.pem 2>/dev/null ||
          openssl rsa -in user.pem -aes128 -passout file:phrase -out legacy.pem 2>/dev/null
        openssl pkcs8 -topk8 -in user.pem -v2 aes-256-cbc -passout file:phrase -out sealed.pem
        openssl genpkey -algorithm ed25519 -aes128 -pass file:phrase -out ed.pem
        openssl pkcs8 -topk8 -in user.pem -v1 PBE-SHA1-3DES -passout file:phrase -out old.pem");
    for key in ["legacy.pem", "sealed.pem"] {
        let with = |verb: &str| format!("{verb} -k {key} --passphrase-file phrase");
        folder.expect(0, &with(&format!("bundle disk.raw -o {key}.b")), ENVIRONMENT);
        let manifest = format!("{key}.b/disk.raw.manifest.xml");
        let (out, _) = folder.expect(0, &format!("unbundle --check {manifest}"), ENVIRONMENT);
        assert!(out.contains("signature good"), "{out}");
        let (out, _) = folder.expect(0, &with(&format!("unbundle --check {manifest}")), &[]);
        assert!(out.contains("private key good, image good"), "{out}");
        folder.expect(0, &with(&format!("unbundle {manifest} -o {key}.raw")), &[]);
        folder.sh(&format!("cmp disk.raw {key}.raw; mkdir -p cat/buckets/x; cp -r {key}.b/* cat/buckets/x/"));
        let register = format!("register x/disk.raw.manifest.xml -n of-{key} --catalog cat");
        let (out, _) = folder.expect(0, &with(&register), &[]);
        assert!(out.starts_with("IMAGE\tami-"), "{out}");
        let wrong = format!("unbundle {manifest} -o no.raw -k {key} --passphrase-file other");
        let (_, err) = folder.expect(2, &wrong, &[]);
        assert!(err.contains(key) && err.contains("the passphrase in other is not this key's"), "{err}");
        // A session of its own has no terminal.
        let output = Command::new("setsid")
            .args([
                "--wait",
                env!("CARGO_BIN_EXE_hardtack"),
                "unbundle",
                &manifest,
                "-o",
                "no.raw",
                "-k",
                key,
            ])
            .current_dir(folder.0.path())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && err.contains("--passphrase-file"), "{err}");
    }
    for (key, why) in [("ed.pem", "no RSA key"), ("old.pem", "openssl rsa -in old.pem")] {
        let (_, err) =
            folder.expect(2, &format!("bundle disk.raw -o n -k {key} --passphrase-file phrase"), ENVIRONMENT);
        assert!(err.contains(why) && !err.contains("correct horse"), "{err}");
    }
    assert!(!folder.path("no.raw").exists());
}

#[test]
fn standard_input_is_an_image_of_a_given_size() {
    let folder = Folder::new();
    let hardtack = env!("CARGO_BIN_EXE_hardtack");
    let owner = "-u 123456789012 -c user.crt -k user.pem --ec2cert cloud.crt --key-and-iv secret";
    folder.expect(0, "bundle disk.raw -p d -o file --image-size 24M --key-and-iv secret", ENVIRONMENT);
    folder.sh(&format!("cat disk.raw | {hardtack} bundle -i - -p d --image-size 25165824 -o pipe {owner}"));
    folder.sh("diff -r file pipe");
    // Whatever a file may hold: an image of another format, a kernel of any length.
    folder.sh("qemu-img convert -O qcow2 disk.raw d.qcow2; head -c 100001 disk.raw > vmlinuz; mkdir scratch");
    folder.sh(&format!(
        "{hardtack} bundle - -p d --image-size $(stat -c %s d.qcow2) -o q --scratch scratch {owner} < d.qcow2
         {hardtack} bundle -i - -p k --image-size 100001 --image-type kernel -o k {owner} < vmlinuz
         grep -q '<type>kernel</type>' k/k.manifest.xml; diff -r file q
         {hardtack} unbundle k/k.manifest.xml -o k.back -k user.pem; cmp vmlinuz k.back"
    ));
    for (size, what) in [(25_165_823_u64, "more bytes"), (25_165_825, "25165824 bytes")] {
        let line =
            format!("{hardtack} bundle -i - -p x --image-size {size} -o x {owner} < disk.raw 2>&1; echo $?");
        let said = folder.sh(&format!("set +e; {line}"));
        assert!(said.ends_with("3\n") && said.contains("standard input") && said.contains(what), "{said}");
    }
    let (_, err) = folder.expect(3, "bundle disk.raw -o x --image-size 1M", ENVIRONMENT);
    assert!(err.contains("disk.raw") && err.contains("25165824"), "{err}");
    for line in ["bundle -i - -o x", "bundle -i - -p x -o x", "bundle -i - --image-size 1M -o x"] {
        let (_, err) = folder.expect(2, line, ENVIRONMENT);
        assert!(err.contains("--prefix and --image-size"), "{err}");
    }
    let left: Vec<_> =
        ["x", "scratch"].map(|name| std::fs::read_dir(folder.path(name)).map_or(0, Iterator::count)).into();
    assert_eq!(left, [0, 0]);
}

#[test]
fn parts_have_the_size_that_is_wanted() {
    let folder = Folder::new();
    folder.expect(
        0,
        "bundle disk.raw -o b --part-size 512K --block-device-mappings ami=sda --batch",
        ENVIRONMENT,
    );
    let sizes = folder.sh("stat -c %s b/disk.raw.part.*");
    let sizes: Vec<u64> = sizes.lines().map(|line| line.parse().unwrap()).collect();
    let (last, others) = sizes.split_last().unwrap();
    assert!(others.len() > 2 && others.iter().all(|size| *size == 512 << 10), "{sizes:?}");
    assert!(*last > 0 && *last <= 512 << 10 && last.is_multiple_of(16), "{sizes:?}");
    folder.expect(0, "unbundle b/disk.raw.manifest.xml -o back.raw", ENVIRONMENT);
    folder.sh("cmp disk.raw back.raw");
    let (_, err) = folder.expect(2, "bundle disk.raw -o c --part-size 1000001", ENVIRONMENT);
    assert!(err.contains("multiple of 16"), "{err}");
}

#[test]
#[ignore = "the full suite: 40,000 files"]
fn of_too_many_parts_none_is_left() {
    let folder = Folder::new();
    let (_, err) = folder.expect(2, "bundle disk.raw -o c --part-size 16 --no-sync", ENVIRONMENT);
    assert!(err.contains("parts of 16 bytes") && err.contains("make larger parts"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path("c")).unwrap().count(), 0);
}

#[test]
fn ids_of_kernels_are_written_as_they_are() {
    let folder = Folder::new();
    for (option, element) in [
        (
            "--kernel eki-12345678 --ramdisk eri-87654321",
            "<kernel_id>eki-12345678</kernel_id><ramdisk_id>eri-87654321<",
        ),
        ("--kernel windows", "<kernel_id>windows</kernel_id>"),
        ("--kernel aki-0123456789abcdef0 -u 1234-5678-9013", "<kernel_id>aki-0123456789abcdef0</kernel_id>"),
    ] {
        let (_, err) =
            folder.expect(0, &format!("bundle disk.raw -o b --force --no-sync {option}"), ENVIRONMENT);
        assert!(!err.contains("note:"), "{err}");
        let manifest = std::fs::read_to_string(folder.path("b/disk.raw.manifest.xml")).unwrap();
        assert!(manifest.contains(element) && manifest.contains("<type>machine</type>"), "{manifest}");
    }
    let (_, err) = folder.expect(0, "bundle disk.raw -o k --kernel yes -u 42 --no-sync", ENVIRONMENT);
    assert!(err.contains("note: account 42: the accounts of EC2 and Eucalyptus have 12 digits"), "{err}");
    let manifest = std::fs::read_to_string(folder.path("k/disk.raw.manifest.xml")).unwrap();
    assert!(manifest.contains("<type>kernel</type>") && manifest.contains("<kernel_id>true<"), "{manifest}");
}

#[test]
fn keys_that_do_not_belong_together_are_told() {
    let folder = Folder::new();
    let (_, err) = folder.expect(0, "bundle disk.raw -o b --no-sync", ENVIRONMENT);
    assert!(!err.contains("note:"), "{err}");
    let (_, err) = folder.expect(0, "bundle disk.raw -o other --no-sync -k cloud.pem", ENVIRONMENT);
    assert!(err.contains("note: cloud.pem is not the key of user.crt: the signature cannot be"), "{err}");
    assert!(err.contains("that key cannot open the bundle"), "{err}");
}

#[test]
fn a_bad_signature_is_told_while_unbundling() {
    let folder = Folder::new();
    folder.expect(0, "bundle disk.raw -o b --no-sync", ENVIRONMENT);
    let manifest = "b/disk.raw.manifest.xml";
    let mut number = 0;
    let mut unbundle = |options: &str, environment: &[(&str, &str)]| {
        number += 1;
        let line = format!("unbundle {manifest} -o {number}.raw --no-sync --json {options}");
        let (out, err) = folder.expect(0, &line, environment);
        let told: Value = serde_json::from_str(&out).unwrap();
        let is_told = err.contains(&format!("warning: {manifest}: BAD SIGNATURE"));
        assert_eq!(is_told, told["signature"] == "bad", "{out}{err}");
        (told["signature"].as_str().unwrap().to_owned(), err)
    };
    assert_eq!(unbundle("", ENVIRONMENT).0, "good");
    assert_eq!(unbundle("-k user.pem", &[]).0, "good");
    // The cloud has signed nothing, and can open it all the same.
    assert_eq!(unbundle("-k cloud.pem", &[]).0, "unknown");
    assert_eq!(unbundle("-k user.pem", &[("EC2_CERT", "none.crt")]).0, "good");
    let (signature, err) = unbundle("-k user.pem -c cloud.crt", &[]);
    assert!(signature == "bad" && err.contains("the certificate cloud.crt"), "{err}");
    folder.expect(4, &format!("unbundle {manifest} -o no.raw -k user.pem -c none.crt"), &[]);
    folder.sh(&format!("sed -i 's/<architecture>x86_64</<architecture>i386</' {manifest}"));
    assert_eq!(unbundle("", ENVIRONMENT).0, "bad");
    let (signature, err) = unbundle("-k user.pem", &[]);
    assert!(signature == "bad" && err.contains("the private key that opens it"), "{err}");
    folder.expect(1, &format!("unbundle --check {manifest}"), ENVIRONMENT);
    folder.sh(&format!("sed -i 's/<signature>.*</<signature>UNSIGNED<\\/signature></' {manifest}"));
    assert_eq!(unbundle("", ENVIRONMENT).0, "absent");
    folder.sh("cmp disk.raw 1.raw; cmp disk.raw 5.raw");
}

#[test]
fn directories_and_leftovers_are_named() {
    let folder = Folder::new();
    // What a run leaves that was killed after its first parts.
    folder.sh("mkdir b; echo half > b/disk.raw.part.00; echo half > b/disk.raw.part.01");
    let (_, err) = folder.expect(4, "bundle disk.raw -o b", ENVIRONMENT);
    assert!(err.contains("b/disk.raw.part.00: exists already") && err.contains("--force"), "{err}");
    folder.sh("test \"$(cat b/disk.raw.part.00 b/disk.raw.part.01)\" = \"$(printf 'half\\nhalf')\"");
    folder.expect(0, "bundle disk.raw -o b --force --no-sync", ENVIRONMENT);
    folder.expect(0, "unbundle --check b/disk.raw.manifest.xml", ENVIRONMENT);
    assert!(!folder.path("b/disk.raw.part.01").exists());
    for (directory, what) in [("none/of/it", "no such directory"), ("disk.raw", "no directory")] {
        let (_, err) =
            folder.expect(4, &format!("unbundle b/disk.raw.manifest.xml -d {directory}"), ENVIRONMENT);
        assert!(err.contains(&format!("hardtack: {directory}: ")) && err.contains(what), "{err}");
    }
}

#[test]
fn keys_on_the_command_line_are_not_taken() {
    let folder = Folder::new();
    let (key, iv) = SECRET.trim().split_once('\n').unwrap();
    for option in [format!("--enc-key {key}"), format!("--enc-iv {iv}"), format!("--enc-key={key}")] {
        for verb in ["bundle disk.raw -o b", "install disk.raw -n web-1 --catalog c"] {
            let (_, err) = folder.expect(2, &format!("{verb} {option}"), ENVIRONMENT);
            assert!(err.contains("--enc-") && err.contains("--key-and-iv FILE"), "{err}");
        }
    }
    assert!(!folder.path("b").exists() && !folder.path("c").exists());
}

#[test]
fn kernels_and_eucarc() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path(".euca")).unwrap();
    let eucarc = "export EC2_CERT=${EUCA_KEY_DIR}/../user.crt\nexport EC2_USER_ID='42'\n\
        export EC2_PRIVATE_KEY=${EUCA_KEY_DIR}/../user.pem\nexport EUCALYPTUS_CERT=${EUCA_KEY_DIR}/../cloud.crt\n";
    std::fs::write(folder.path(".euca/eucarc"), eucarc).unwrap();
    // A RAM disk is packed, and stays so; neither has whole sectors.
    folder.sh("head -c 100001 disk.raw > vmlinuz; gzip -c disk.raw > initrd.gz");
    folder.expect(0, "bundle vmlinuz -o b --kernel true -B ami=sda", &[]);
    let manifest = std::fs::read_to_string(folder.path("b/vmlinuz.manifest.xml")).unwrap();
    assert!(manifest.contains("<type>kernel</type>") && manifest.contains("<kernel_id>true</kernel_id>"));
    assert!(manifest.contains("<user>42</user>") && !manifest.contains("block_device"));
    folder.expect(0, "unbundle b/vmlinuz.manifest.xml -o back", &[]);
    folder.sh("cmp vmlinuz back");
    folder.expect(0, "bundle initrd.gz -o b --ramdisk true", &[]);
    folder.expect(0, "unbundle b/initrd.gz.manifest.xml -o back.gz", &[]);
    folder.sh("cmp initrd.gz back.gz");
}

#[test]
fn hardened_and_bundled_in_one_pass_is_what_a_build_writes() {
    let folder = Folder::new();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/sample.qcow2");
    let recipe = "recipe: 1\nname: x\nsteps:\n  - files:\n      - {write: /etc/motd, content: \"hard\\n\"}\n";
    std::fs::write(folder.path("x.yaml"), recipe).unwrap();
    let environment = [ENVIRONMENT, &[("SOURCE_DATE_EPOCH", "1700000000")]].concat();
    let (out, _) = folder.expect(0, &format!("bundle {sample} --recipe x.yaml -o b --json"), &environment);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["changes"], &told["confirmed"]), (&1.into(), &1.into()), "{told}");
    folder.expect(0, "unbundle b/sample.manifest.xml -o back.raw", ENVIRONMENT);
    folder.expect(0, &format!("build x.yaml --source {sample} -o built.raw"), &environment);
    folder.sh("cmp built.raw back.raw");
}

#[test]
fn nothing_is_left_when_it_is_interrupted() {
    let folder = Folder::new();
    folder.sh("head -c 40M /dev/urandom > noise.raw");
    let mut child = Command::new(env!("CARGO_BIN_EXE_hardtack"))
        .args(["bundle", "noise.raw", "-o", "b", "--level", "12"])
        .current_dir(folder.0.path())
        .envs(ENVIRONMENT.iter().copied())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !folder.path("b/noise.raw.part.00").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a part");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    folder.sh(&format!("kill -INT {}", child.id()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let left: Vec<_> = std::fs::read_dir(folder.path("b")).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(left.is_empty(), "{left:?}");
}
