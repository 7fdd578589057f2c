//! VMware and OVF (`dscheck_VMware`, `dscheck_OVF` in `tools/ds-identify`).

use super::checks::{Answer, first, found_if, is_azure, seed};
use super::marks::Marks;
use super::{config, shell};

const SCHEMA: &[u8] = b"http://schemas.dmtf.org/ovf/environment/1";

pub(super) fn check(marks: &Marks<'_>) -> Answer {
    let answers = &marks.question.answers;
    if answers.guestinfo_in_environment {
        return Answer::Found("the environment has VMX_GUESTINFO".to_owned());
    }
    if marks.question.virtualization != "vmware" || !answers.vmware_tools {
        return Answer::No;
    }
    if answers.guestinfo {
        return Answer::Found("VMware's guestinfo has data".to_owned());
    }
    found_if(is_customized(marks), || "VMware's guest customization is enabled".to_owned())
}

fn is_customized(marks: &Marks<'_>) -> bool {
    const PLUGIN: &str = "plugins/vmsvc/libdeployPkgPlugin.so";
    let places = ["", "64", "/x86_64-linux-gnu", "/aarch64-linux-gnu", "/i386-linux-gnu"];
    let has_plugin = ["vmware-tools", "open-vm-tools"].iter().any(|package| {
        places.iter().any(|place| marks.is_file(&format!("/usr/lib{place}/{package}/{PLUGIN}")))
    });
    let disabled = config::value(marks.machine, "disable_vmware_customization");
    let disabled = disabled.as_deref().and_then(config::behind_colon);
    has_plugin && matches!(disabled, Some("0" | "false" | "False"))
}

pub(super) fn ovf(marks: &Marks<'_>) -> Answer {
    if let found @ Answer::Found(_) = seed(marks, "ovf", &["ovf-env.xml"]) {
        return found;
    }
    // Azure's disk looks like OVF too.
    if marks.question.virtualization == "none" || is_azure(marks) {
        return Answer::No;
    }
    let answers = &marks.question.answers;
    let environment = answers.ovf_environment.as_deref().unwrap_or_default();
    let guestinfo = marks.question.virtualization == "vmware"
        && answers.vmware_tools
        && (environment.starts_with("<?xml") || environment.starts_with("<?XML"));
    let guestinfo = found_if(guestinfo, || "VMware's guestinfo has an OVF environment".to_owned());
    let disk = marks.isos().into_iter().find(|(path, label)| is_ovf_disk(marks, path, label));
    first([guestinfo, disk.map_or(Answer::No, |(path, _)| Answer::Found(format!("{path} is an OVF disk")))])
}

fn is_ovf_disk(marks: &Marks<'_>, path: &str, label: &str) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else { return false };
    let optical = match name.as_bytes() {
        [b's', b'r', digit] => digit.is_ascii_digit(),
        [b'h', b'd', letter] => letter.is_ascii_lowercase(),
        _ => false,
    };
    if !optical {
        return false;
    }
    match label {
        "OVF-TRANSPORT" | "ovf-transport" | "OVFENV" | "ovfenv" | "OVF ENV" | "ovf env" => return true,
        "config-2" | "CONFIG-2" | "cidata" | "CIDATA" => return false,
        _ if label.starts_with("rd_rdfe_stable") => return false,
        _ => {}
    }
    let size = marks.machine.read(&format!("/sys/class/block/{name}/size"));
    let Some((size, true)) = size.map(|bytes| shell::read(&bytes)) else { return false };
    // In units of 512 bytes; from 10 MB on it is something else.
    let small = size.parse::<u64>().is_ok_and(|size| size / 2048 < 10);
    small && marks.machine.read(path).is_some_and(|bytes| holds_schema(&bytes))
}

/// grep without regard to case; the points stand for any character.
fn holds_schema(bytes: &[u8]) -> bool {
    bytes.windows(SCHEMA.len()).any(|window| {
        window.iter().zip(SCHEMA).all(|(byte, wanted)| match wanted {
            b'.' => *byte != b'\n',
            _ => byte.eq_ignore_ascii_case(wanted),
        })
    })
}
