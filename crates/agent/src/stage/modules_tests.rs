//! Stages on a tree of files: what is noted of modules, and what counts as their failure.
#![allow(clippy::unwrap_used)]

use crate::stage::{Stage, run};
use crate::testing::Tree;

fn machine(user_data: &str) -> Tree {
    Tree::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file(
            "etc/cloud/cloud.cfg",
            "datasource_list: [NoCloud, None]\n\
             cloud_init_modules: [seed_random, write_files, mounts]\n\
             cloud_config_modules: [ntp, runcmd]\n\
             cloud_final_modules: [scripts_user, phone_home]\n",
        )
        .file("proc/cmdline", "")
        .file("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\n")
        .file("var/lib/cloud/seed/nocloud/user-data", user_data)
}

fn boot(files: &Tree) -> serde_json::Value {
    for stage in [Stage::Local, Stage::Network, Stage::Config, Stage::Final] {
        run(&files.host(), stage).unwrap();
    }
    serde_json::from_str(&files.read("run/cloud-init/result.json")).unwrap()
}

#[test]
fn modules_that_always_run_are_noted_though_nothing_asks_for_them() {
    let files = machine("#cloud-config\n{}\n");
    boot(&files);
    let noted = |name: &str| files.host().exists(&format!("/var/lib/cloud/instance/sem/{name}"));
    for name in ["consume_data", "config_seed_random", "config_mounts", "config_scripts_user"] {
        assert!(noted(name), "{name}");
    }
    for name in ["config_write_files", "config_ntp", "config_runcmd", "config_phone_home"] {
        assert!(!noted(name), "{name}");
    }
}

#[test]
fn a_call_that_nobody_answers_is_told_and_fails_nothing() {
    let files =
        machine("#cloud-config\nphone_home: {url: 'http://127.0.0.1:9/', post: [instance_id], tries: 1}\n");
    let result = boot(&files);
    assert_eq!(result["v1"]["errors"], serde_json::json!([]));
    let status: serde_json::Value = serde_json::from_str(&files.read("run/cloud-init/status.json")).unwrap();
    let told = status["v1"]["modules-final"]["recoverable_errors"]["WARNING"].to_string();
    assert!(told.contains("phone_home: http://127.0.0.1:9: "), "{told}");
}

#[test]
fn a_module_fails_once_and_the_configuration_is_kept_as_yaml() {
    let files = machine(
        "#cloud-config\nwrite_files:\n- {path: /b, content: !!binary aGk=}\n\
         runcmd: [{a: b}, {c: d}]\nday: 2001-12-14\n",
    );
    let result = boot(&files);
    let errors = result["v1"]["errors"].as_array().unwrap();
    let of = |name: &str| errors.iter().filter(|error| error.as_str().unwrap().starts_with(name)).count();
    assert_eq!(of("('runcmd', "), 1, "{result}");
    let kept = files.read("var/lib/cloud/instance/cloud-config.txt");
    assert_eq!(
        kept,
        "#cloud-config\n\n# from 1 files\n# part-001\n\n---\nday: 2001-12-14\nruncmd:\n-   a: b\n-   c: d\n\
         write_files:\n-   content: !!binary |\n        aGk=\n    path: /b\n...\n"
    );
}
