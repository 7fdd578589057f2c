//! User-data, as the host checks it and the guest reads it: any bytes at all.

use hardtack_modules::testing::Tree as Machine;
use hardtack_modules::{Distro, Facts, Request, text};
use hardtack_userdata::check::{CheckOptions, Report, check};
use hardtack_userdata::split::{SplitOptions, split};
use hardtack_userdata::{Value, json};
use hardtack_yaml::{Document, Limits, Node, Span, render};

use crate::memory::bounded;

/// What any piece of user-data may take.
const MEMORY: usize = 64 << 20;
/// What its plan may take besides, which is a line and more of JSON for each of 100,000 values.
const PLAN: usize = 128 << 20;

/// Everything that `hardtack user-data check` does (parts, merging, both dialects, the traps, the pictures),
/// and the plan that the guest's modules make of it.
pub fn userdata(input: &[u8]) {
    let data = serde_json::json!({"v1": {"region": "here", "instance_id": "i-1"}, "ds": {"meta_data": {}}});
    for options in [
        SplitOptions::default(),
        SplitOptions {
            instance_data: Some(&data),
            maybe_base64: true,
            launch_index: Some(0),
            ..Default::default()
        },
    ] {
        let report = bounded(MEMORY, || {
            let report = check("user-data", input, &CheckOptions { split: options });
            let _ = report.pictures();
            let _ = report.findings_json();
            let _ = json::map(&report.config);
            report
        });
        bounded(PLAN, || plan(&report));
    }
}

/// What the guest would do with it, on a machine without anything and on one with accounts and files of
/// the kind that modules change.
fn plan(report: &Report) {
    let accounts = Machine::debian()
        .with("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndebian:x:1000:1000::/home/debian:/bin/bash\n")
        .with("/etc/shadow", "root:*:19000:0:99999:7:::\ndebian:!:19000:0:99999:7:::\n")
        .with("/etc/group", "root:x:0:\nsudo:x:27:debian\ndebian:x:1000:\n")
        .with("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n")
        .with("/etc/hosts", "127.0.0.1 localhost\n")
        .with("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n")
        .with("/etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main\n")
        .with("/home/debian/.ssh/authorized_keys", "ssh-ed25519 AAAA a\n");
    let facts = Facts {
        instance_id: Some("i-1".to_owned()),
        public_keys: vec!["ssh-ed25519 AAAA b".to_owned()],
        block_devices: [("ephemeral0".to_owned(), "vdb".to_owned())].into(),
        devices: vec!["/dev/vda".to_owned(), "/dev/vdb".to_owned()],
        ..Facts::default()
    };
    for (machine, facts) in [(&Machine::new(), &Facts::default()), (&accounts, &facts)] {
        let distro = Distro::read(machine);
        let parts = &report.data.parts;
        let request = Request { config: &report.config, parts, machine, distro: &distro, facts };
        let plan = hardtack_modules::plan(&request);
        let _ = text::text(&plan, parts);
        let _ = text::json(&plan, parts);
        for finding in plan.steps.iter().flat_map(|step| &step.findings) {
            assert!(!finding.message.is_empty(), "{}", finding.code);
        }
    }
}

/// A YAML text: nodes lie inside each other and inside the text, and errors can be shown.
pub fn yaml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    bounded(MEMORY, || {
        match Document::parse("fuzz", text, Limits::default()) {
            Ok(root) => inside(&root, text),
            Err(found) => {
                for diagnostic in &found {
                    within(diagnostic.span, text);
                }
                let _ = render(text, &found);
            }
        }
        match Value::load(text, 0) {
            Ok(value) => {
                let _ = value.to_python_str();
                let _ = json::value(&value);
            }
            Err(found) => within(found[0].place.span, text),
        }
    });
}

fn within(span: Span, text: &str) {
    assert!(text.get(span.range()).is_some(), "{span:?} of {} bytes", text.len());
}

fn inside(node: &Node, text: &str) {
    within(node.span, text);
    for item in node.as_sequence().unwrap_or_default() {
        inside(item, text);
    }
    for (key, value) in node.as_mapping().unwrap_or_default() {
        inside(key, text);
        inside(value, text);
    }
}

/// A MIME message. What has no header gets one.
pub fn mime(input: &[u8]) {
    bounded(MEMORY, || {
        let headed = input.starts_with(b"Content-Type:") || input.starts_with(b"MIME-Version:");
        let header: &[u8] = if headed {
            b""
        } else {
            b"Content-Type: multipart/mixed; boundary=\"X\"\nMIME-Version: 1.0\n\n--X\n"
        };
        let message = [header, input].concat();
        let data = split("message", &message, &SplitOptions::default());
        for finding in &data.findings {
            let _ = data.diagnostic(finding);
        }
    });
}
