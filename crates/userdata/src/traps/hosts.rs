//! Names of the machine and of others (`cloudinit/config/cc_set_hostname.py`, `cc_ntp.py`; hostname(7)),
//! certificates.

use super::{Report, shown, top, trap};
use crate::truth::{is_true, truthy};
use crate::value::{Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    for name in ["hostname", "fqdn"] {
        let Some(value) = top(config, name).filter(|value| truthy(value)) else { continue };
        if top(config, "preserve_hostname").is_some_and(is_true) {
            report.tell(trap(
                "hostname-ignored",
                value.place,
                name,
                format!("`preserve_hostname: true` stops cloud-init from setting `{name}`"),
                format!("leave out one of the two, `preserve_hostname` or `{name}`"),
            ));
        }
        let Some(text) = value.as_text() else { continue };
        if let Some(problem) = problem(text).filter(|_| !report.is_told(value.place)) {
            report.tell(trap(
                "hostname-invalid",
                value.place,
                name,
                format!("{} is no name of a host: {problem}", shown(text)),
                "use letters, digits and `-`, at most 63 between two dots",
            ));
        }
    }
    let label = top(config, "hostname").and_then(Value::as_text);
    let full = top(config, "fqdn");
    if let (Some(label), Some(value)) = (label, full)
        && let Some(full) = value.as_text()
        && full.contains('.')
        && (full.split('.').next() != label.split('.').next() || (label.contains('.') && label != full))
    {
        report.tell(trap(
            "fqdn-of-another-host",
            value.place,
            "fqdn",
            format!("{} does not begin with the hostname {}", shown(full), shown(label)),
            "give both the same first name",
        ));
    }
    certificates(config, report);
    ntp(config, report);
}

fn problem(name: &str) -> Option<&'static str> {
    if name.len() > 253 {
        return Some("it is longer than 253 letters");
    }
    for label in name.trim_end_matches('.').split('.') {
        if label.is_empty() {
            return Some("two dots stand side by side");
        }
        if label.len() > 63 {
            return Some("a part of it is longer than 63 letters");
        }
        if label.contains('_') {
            return Some("it has an underscore in it");
        }
        if let Some(character) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Some(if character.is_whitespace() {
                "it has a space in it"
            } else {
                "it has a character in it that names may not have"
            });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some("a part of it begins or ends with `-`");
        }
    }
    None
}

/// `cloudinit/config/cc_ca_certs.py` writes the texts as they are.
fn certificates(config: &Map, report: &mut Report<'_>) {
    for name in ["ca_certs", "ca-certs"] {
        let trusted = top(config, name).and_then(|value| value.get("trusted"));
        for (index, item) in trusted.and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
            let Some(text) = item.as_text() else { continue };
            let lines = text.trim().lines().count();
            if (text.contains("-----BEGIN CERTIFICATE-----") && lines > 2) || report.is_told(item.place) {
                continue;
            }
            let joined = text.contains("-----BEGIN CERTIFICATE-----");
            let what =
                if joined { "its lines were joined" } else { "it lacks `-----BEGIN CERTIFICATE-----`" };
            report.tell(trap(
                "certificate-not-pem",
                item.place,
                format!("{name}.trusted.{index}"),
                format!("this is no certificate in PEM: {what}"),
                "put in the whole file, as a block: `- |`",
            ));
        }
    }
}

fn ntp(config: &Map, report: &mut Report<'_>) {
    let Some(ntp) = top(config, "ntp") else { return };
    for kind in ["servers", "pools", "peers"] {
        for (index, item) in ntp.get(kind).and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
            let Some(text) = item.as_text().filter(|text| text.contains([' ', '/', ','])) else { continue };
            report.tell(trap(
                "not-a-host",
                item.place,
                format!("ntp.{kind}.{index}"),
                format!("{} is no name of one host", shown(text)),
                "give each host its own item, without `http://` and options",
            ));
        }
    }
}
