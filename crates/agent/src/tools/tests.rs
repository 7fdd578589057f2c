#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::testing::Tree;

/// A verdict of the real program (`tests/oracle/tools.py`).
#[derive(Deserialize)]
struct Case {
    tool: String,
    arguments: Vec<String>,
    files: BTreeMap<String, Option<String>>,
    systemctl: BTreeMap<String, Option<String>>,
    environment: String,
    root: bool,
    out: String,
    code: u8,
}

fn tree(files: &BTreeMap<String, Option<String>>) -> Tree {
    files.iter().fold(Tree::new(), |tree, (path, content)| match content {
        Some(content) => tree.file(path, content),
        None => tree.directory(path),
    })
}

/// Exit status, standard output, standard error.
fn call(host: &Host, name: &str, arguments: &[&str]) -> (u8, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let world = World { host, systemctl: &|_| None, environment: String::new(), is_root: true };
    let (mut out, mut complain) = (Vec::new(), Vec::new());
    let code = answer(&world, name, &arguments, &mut out, &mut complain);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(complain).unwrap())
}

#[test]
fn answers_are_those_of_cloud_init() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("../../tests/data/tools.jsonl").lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let tree = tree(&case.files);
        let host = tree.host();
        let ask = |arguments: &[&str]| case.systemctl.get(*arguments.last()?).cloned().flatten();
        let world =
            World { host: &host, systemctl: &ask, environment: case.environment.clone(), is_root: case.root };
        let (mut out, mut complain) = (Vec::new(), Vec::new());
        let code = match case.tool.as_str() {
            "cloud-id" => answer(&world, "cloud-id", &case.arguments, &mut out, &mut complain),
            tool => run_command(&world, tool, &case.arguments, &mut out, &mut complain),
        };
        let out = String::from_utf8(out).unwrap();
        // What was called wrongly, cloud-init explains on standard output.
        let explains = case.tool == "query" && case.out.starts_with("usage:");
        if code != case.code || (out != case.out && !explains) {
            wrong.push(format!(
                "{} {:?}\n{:?}\n--- {} ---\n{}\n--- here {code} ---\n{out}",
                case.tool, case.arguments, case.files, case.code, case.out
            ));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 300, "{count}");
}

#[test]
fn a_command_that_is_not_there_says_so() {
    let tree = Tree::new();
    let host = tree.host();
    for command in ["analyze", "collect-logs", "devel", "schema", "nonsense", "--nonsense"] {
        let (code, out, complaint) = call(&host, "cloud-init", &[command, "x"]);
        assert_eq!((code, out.as_str()), (2, ""), "{command}");
        assert!(complaint.contains(command), "{complaint}");
    }
    assert_eq!(call(&host, "cloud-init", &[]).0, 2);
    assert_eq!(call(&host, "cloud-init", &["status", "--format", "xml"]).0, 2);
    assert_eq!(call(&host, "cloud-init", &["single"]).0, 2);
    for name in ["status", "query", "clean", "init", "modules", "single", "features"] {
        let (code, out, _) = call(&host, "cloud-init", &[name, "--help"]);
        assert!(code == 0 && out.starts_with("usage: cloud-init "), "{name}: {out}");
        assert!(out.lines().all(|line| line.len() <= 80), "{out}");
    }
}

#[test]
fn the_version_is_where_scripts_look_for_it() {
    let tree = Tree::new();
    for flag in ["--version", "-v"] {
        let (code, out, _) = call(&tree.host(), "cloud-init", &[flag]);
        assert_eq!(code, 0);
        assert!(out.starts_with("/usr/bin/cloud-init 26.2-hardtack"), "{out}");
    }
}

#[test]
fn clean_leaves_what_is_not_the_instances() {
    let made = || {
        Tree::new()
            .file("var/lib/cloud/seed/nocloud/meta-data", "")
            .file("var/lib/cloud/instances/i-1/sem/config_ssh", "")
            .link("var/lib/cloud/instance", "/var/lib/cloud/instances/i-1")
            .file("var/lib/cloud/data/status.json", "{}")
            .file("var/log/cloud-init.log", "")
            .file("var/log/cloud-init-output.log.1.gz", "")
            .file("var/log/own.log", "")
            .file("var/log/syslog", "")
            .file("etc/cloud/cloud.cfg.d/05.cfg", "output: {all: '| tee -a /var/log/own.log'}\n")
            .file("etc/netplan/50-cloud-init.yaml", "")
            .file("etc/netplan/60-mine.yaml", "")
            .file("etc/ssh/sshd_config.d/50-cloud-init.conf", "")
            .file("etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n/dev/vdb /mnt auto comment=cloudconfig 0 2\n")
            .file("etc/machine-id", "0123\n")
            .directory("run/systemd/system")
    };
    let tree = made();
    let host = tree.host();
    assert_eq!(call(&host, "cloud-init", &["clean"]).0, 0);
    assert_eq!(host.names("/var/lib/cloud"), ["seed"]);
    assert!(host.exists("/var/log/cloud-init.log") && host.exists("/etc/netplan/50-cloud-init.yaml"));
    assert_eq!(tree.read("etc/machine-id"), "0123\n");

    let tree = made();
    let host = tree.host();
    assert_eq!(call(&host, "cloud-init", &["clean", "-ls", "--machine-id", "-c", "network", "fstab"]).0, 0);
    assert!(host.names("/var/lib/cloud").is_empty());
    assert_eq!(host.names("/var/log"), ["syslog"]);
    assert_eq!(host.names("/etc/netplan"), ["60-mine.yaml"]);
    assert!(host.exists("/etc/ssh/sshd_config.d/50-cloud-init.conf"));
    assert_eq!(tree.read("etc/fstab"), "/dev/vda1 / ext4 defaults 0 1\n");
    assert_eq!(tree.read("etc/machine-id"), "uninitialized\n");
    assert_eq!(call(&host, "cloud-init", &["clean", "-c", "nonsense"]).0, 2);
}
