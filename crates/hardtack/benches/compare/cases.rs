//! What is compared with what. The first two contenders of a case make its ratio.

use std::path::{Path, PathBuf};

use crate::inputs::{Inputs, installed};

/// A command that is measured.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<String>,
    /// The file that it makes or changes; removed before and after.
    pub(crate) output: PathBuf,
    /// The output is a copy of this before the command starts, which is not measured.
    pub(crate) on_copy_of: Option<PathBuf>,
    pub(crate) standard_input: Option<PathBuf>,
}

/// Contenders for the same work.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What the ratio is to be at most, where there is an aim.
    pub(crate) aim: Option<f64>,
    pub(crate) contenders: Vec<Contender>,
}

/// All cases, in the order of the tables.
pub(crate) fn all(inputs: &Inputs) -> Vec<Case> {
    let mut cases = conversions(inputs);
    cases.extend(builds(inputs));
    cases.extend(edits(inputs));
    cases.extend(user_data(inputs));
    cases
}

/// Checking a file of user-data that is as large as EC2 takes them.
fn user_data(inputs: &Inputs) -> Option<Case> {
    const PEER: &str = "cloud-init";
    if !installed(PEER) {
        assert!(std::env::var_os("CI").is_none(), "{PEER} is not installed");
        eprintln!("SKIPPED: {PEER} is not installed: its schema is not compared with our check");
        return None;
    }
    let file = inputs.path("16KiB.yaml");
    let contender = |name, command: &[&str]| Contender {
        name,
        command: strings(command),
        output: inputs.path("no output"),
        on_copy_of: None,
        standard_input: None,
    };
    Some(Case {
        name: "check of 16 KiB of cloud-config against `cloud-init schema`",
        aim: Some(0.02),
        contenders: vec![
            contender(
                "hardtack user-data check",
                &[env!("CARGO_BIN_EXE_hardtack"), "user-data", "check", text(&file)],
            ),
            contender("cloud-init schema -c", &[PEER, "schema", "-c", text(&file)]),
        ],
    })
}

fn conversions(inputs: &Inputs) -> Vec<Case> {
    let (one, four) = (inputs.path("1T.qcow2"), inputs.path("4G.qcow2"));
    let to_raw = |name, source: &Path, aim| {
        let contenders = vec![
            // The same work on both sides: neither waits for the disk.
            convert(inputs, "hardtack --no-sync", source, "raw", &["--no-sync"]),
            qemu(inputs, "qemu-img", source, &["-O", "raw"]),
            convert(inputs, "hardtack", source, "raw", &[]),
        ];
        Case { name, aim, contenders }
    };
    vec![
        to_raw("qcow2 with zlib to raw", &inputs.zlib, Some(0.40)),
        to_raw("qcow2 with zstd to raw", &inputs.path("zstd.qcow2"), None),
        to_raw("uncompressed qcow2 to raw", &inputs.path("plain.qcow2"), Some(1.0)),
        Case {
            name: "a disk of 1 TiB against one of 4 GiB, the same data, to raw",
            aim: Some(1.2),
            contenders: vec![
                convert(inputs, "hardtack, 1 TiB", &one, "raw", &[]),
                convert(inputs, "hardtack, 4 GiB", &four, "raw", &[]),
                qemu(inputs, "qemu-img, 1 TiB", &one, &["-O", "raw"]),
                qemu(inputs, "qemu-img, 4 GiB", &four, &["-O", "raw"]),
            ],
        },
        Case {
            name: "raw to qcow2 with zlib",
            aim: None,
            contenders: vec![
                convert(inputs, "hardtack", &inputs.path("root.raw"), "qcow2", &[]),
                qemu(inputs, "qemu-img", &inputs.path("root.raw"), &["-O", "qcow2", "-c"]),
            ],
        },
    ]
}

fn builds(inputs: &Inputs) -> Vec<Case> {
    vec![
        Case {
            name: "build with 600 edits against our convert, to raw",
            aim: Some(1.05),
            contenders: vec![
                build(inputs, "hardtack build", "600.yaml", &inputs.zlib, "out.raw", &[]),
                convert(inputs, "hardtack convert", &inputs.zlib, "raw", &[]),
            ],
        },
        Case {
            name: "qcow2 to qcow2 with 600 edits against `qemu-img convert -c`",
            aim: Some(0.05),
            contenders: vec![
                build(inputs, "hardtack build", "600.yaml", &inputs.zlib, "out.qcow2", &[]),
                qemu(inputs, "qemu-img, without edits", &inputs.zlib, &["-O", "qcow2", "-c"]),
                convert(inputs, "hardtack convert", &inputs.zlib, "qcow2", &[]),
            ],
        },
    ]
}

/// Only the edits: ours into an overlay, the others into a copy that was there before.
fn edits(inputs: &Inputs) -> Vec<Case> {
    let disk = inputs.path("root.raw");
    let case = |name, recipe: &str, script: &str, files: usize| {
        let copy = inputs.path("copy.raw");
        let debugfs = Contender {
            name: "debugfs -w -f",
            command: strings(&[
                "debugfs",
                "-w",
                "-f",
                text(&inputs.path(script)),
                &inputs.for_debugfs(&copy),
            ]),
            output: copy.clone(),
            on_copy_of: Some(disk.clone()),
            standard_input: None,
        };
        let ours = build(inputs, "hardtack build --overlay", recipe, &disk, "out.qcow2", &["--overlay"]);
        let mut contenders = vec![ours, debugfs];
        if installed("guestfish") {
            contenders.push(guestfish(inputs, copy, files));
        }
        Case { name, aim: None, contenders }
    };
    vec![
        case("only edits: 100 files", "100.yaml", "100.debugfs", 100),
        case("only edits: 500 files", "500.yaml", "500.debugfs", 500),
        case("only edits: one file of 20 MB", "large.yaml", "large.debugfs", 1),
    ]
}

/// guestfish boots a small machine, here without KVM, as most containers have none.
fn guestfish(inputs: &Inputs, copy: PathBuf, files: usize) -> Contender {
    let mut script = "run\nmount /dev/sda1 /\nmkdir-p /opt/bench\n".to_owned();
    let file = inputs.path(if files == 1 { "large" } else { "small" });
    for number in 0..files {
        script.push_str(&format!("upload {} /opt/bench/{number:03}\n", file.display()));
    }
    let path = inputs.path(&format!("{files}.guestfish"));
    std::fs::write(&path, script).unwrap();
    let disk = text(&copy).to_owned();
    Contender {
        name: "guestfish under TCG",
        command: strings(&[
            "env",
            "LIBGUESTFS_BACKEND=direct",
            "LIBGUESTFS_BACKEND_SETTINGS=force_tcg",
            "guestfish",
            "--rw",
            "--format=raw",
            "-a",
            &disk,
        ]),
        output: copy,
        on_copy_of: Some(inputs.path("root.raw")),
        standard_input: Some(path),
    }
}

fn convert(inputs: &Inputs, name: &'static str, source: &Path, format: &str, options: &[&str]) -> Contender {
    let output = inputs.path(&format!("out.{format}"));
    let mut command = strings(&[env!("CARGO_BIN_EXE_hardtack"), "convert", text(source), text(&output)]);
    command.extend(strings(options));
    Contender { name, command, output, on_copy_of: None, standard_input: None }
}

fn build(
    inputs: &Inputs,
    name: &'static str,
    recipe: &str,
    source: &Path,
    output: &str,
    options: &[&str],
) -> Contender {
    let output = inputs.path(output);
    let mut command = strings(&[env!("CARGO_BIN_EXE_hardtack"), "build", text(&inputs.path(recipe))]);
    command.extend(strings(&["--source", text(source), "--output", text(&output)]));
    command.extend(strings(options));
    Contender { name, command, output, on_copy_of: None, standard_input: None }
}

fn qemu(inputs: &Inputs, name: &'static str, source: &Path, options: &[&str]) -> Contender {
    let output = inputs.path("theirs");
    let mut command = strings(&["qemu-img", "convert", "-m", "16", "-W"]);
    command.extend(strings(options));
    command.extend(strings(&[text(source), text(&output)]));
    Contender { name, command, output, on_copy_of: None, standard_input: None }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
