//! Several files in one.

use std::io::Read;

use serde_json::json;

use crate::{Ran, run_in, top};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("a.yaml", "#cloud-config\nhostname: web\nruncmd: [[a]]\n"),
        ("b.yaml", "#cloud-config\nmerge_how: list(append)+dict(recurse_list)\nruncmd: [[b]]\n"),
        ("c.sh", "#!/bin/sh\necho ü\n"),
        ("unknown", "hello\n"),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn shown(folder: &tempfile::TempDir, bytes: &[u8]) -> serde_json::Value {
    run_in(folder.path(), &["show", "-", "--json"], bytes).json()
}

#[test]
fn what_is_packed_reads_as_the_files_do() {
    let folder = folder();
    let ran = run_in(folder.path(), &["pack", "a.yaml", "b.yaml", "c.sh", "--output", "out"], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.ends_with(" bytes\n") && ran.err.starts_with("out: 3 parts, "), "{}", ran.err);
    let bytes = std::fs::read(folder.path().join("out")).unwrap();
    let shown = shown(&folder, &bytes);
    assert_eq!(shown["config"]["runcmd"], json!([["a"], ["b"]]), "{shown}");
    let names: Vec<_> =
        shown["parts"].as_array().unwrap().iter().map(|part| part["filename"].clone()).collect();
    assert_eq!(names, ["a.yaml", "b.yaml", "c.sh"]);
    assert_eq!(shown["parts"][2]["payload_b64"], "IyEvYmluL3NoCmVjaG8gw7wK");
    let again = run_in(folder.path(), &["pack", "a.yaml", "b.yaml", "c.sh", "--output", "-"], b"");
    assert!(again.bytes == bytes, "the same files give the same bytes");
}

#[test]
fn gzip_when_it_is_needed_or_asked_for() {
    let folder = folder();
    let pack = |options: &[&str]| -> Ran {
        run_in(folder.path(), &[&["pack", "-", "--output", "-"], options].concat(), long().as_bytes())
    };
    let ran = pack(&[]);
    assert!(ran.bytes.starts_with(b"\x1f\x8b") && ran.err.contains(" before gzip"), "{}", ran.err);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&ran.bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, long());
    let never = pack(&["--gzip", "never"]);
    assert_eq!(never.code, 1);
    assert!(never.err.contains("EC2 takes 16384") && never.bytes.is_empty(), "{}", never.err);
    assert_eq!(pack(&["--gzip", "never", "--for", "openstack"]).code, 0);
    let small = run_in(folder.path(), &["pack", "c.sh", "--gzip", "always", "--output", "-"], b"");
    assert!(small.bytes.starts_with(b"\x1f\x8b"));
}

fn long() -> String {
    format!("#cloud-config\n# {}\nhostname: web\n", "long ".repeat(4000))
}

#[test]
fn files_that_nobody_would_read_are_refused() {
    let folder = folder();
    let ran = run_in(folder.path(), &["pack", "a.yaml", "unknown", "--output", "out"], b"");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("unknown:") && ran.err.contains("hint: "), "{}", ran.err);
    assert!(!folder.path().join("out").exists());
    let typed = run_in(
        folder.path(),
        &["pack", "a.yaml", "c.sh:text/x-shellscript-per-boot", "--output", "out"],
        b"",
    );
    assert_eq!(typed.code, 0, "{}", typed.err);
    let bytes = std::fs::read(folder.path().join("out")).unwrap();
    assert_eq!(shown(&folder, &bytes)["parts"][1]["type"], "text/x-shellscript-per-boot");
}

#[test]
fn a_type_that_nobody_knows_is_a_mistake_of_the_command() {
    let folder = folder();
    let ran = run_in(folder.path(), &["pack", "c.sh:foo/bar", "--output", "out"], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("c.sh: unknown type `foo/bar`"), "{}", ran.err);
    let ran = run_in(folder.path(), &["pack", "unknown:text/x-shellscript", "--output", "out"], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("warning: `unknown` is packed as a script"), "{}", ran.err);
}

#[test]
fn an_output_appears_whole_or_not_at_all() {
    let folder = folder();
    let pack = |options: &[&str]| {
        run_in(folder.path(), &[&["pack", "a.yaml", "--output", "c.sh"], options].concat(), b"")
    };
    let ran = pack(&[]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("c.sh: exists already"), "{}", ran.err);
    assert!(std::fs::read_to_string(folder.path().join("c.sh")).unwrap().starts_with("#!/bin/sh"));
    assert_eq!(pack(&["--force"]).code, 0);
    assert!(std::fs::read_to_string(folder.path().join("c.sh")).unwrap().starts_with("#cloud-config"));
    assert_eq!(run_in(folder.path(), &["pack", "a.yaml", "--output", "none/out"], b"").code, 4);
    assert_eq!(run_in(folder.path(), &["pack", "none", "--output", "out"], b"").code, 4);
}

#[test]
fn the_shipped_parts_pack_into_what_ec2_takes() {
    let parts = top().join("cloud-config/parts");
    let files = ["base.yaml", "more.yaml", "setup.sh", "every-boot.sh"];
    let ran = run_in(&parts, &[&["pack"], &files[..], &["--for", "ec2"]].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let checked = run_in(&parts, &["check", "--strict", "-"], &ran.bytes);
    assert_eq!(checked.code, 0, "{}", checked.out);
    let shown = run_in(&parts, &["show", "-", "--json"], &ran.bytes).json();
    assert_eq!(shown["config"]["runcmd"].as_array().map(Vec::len), Some(2), "{shown}");
}
