//! Certificates of authorities (`config/cc_ca_certs.py`).

use hardtack_userdata::{Finding, options, truth};

use crate::action::{Action, Content};
use crate::machine::Machine;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{read_text, run, write};

/// `ca_certs`.
pub const MODULE: Module = Module {
    name: "ca_certs",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["ca-certs", "ca_certs"],
    run: plan,
};

/// Where a distribution keeps its certificates.
struct Place {
    /// Directories that `remove_defaults` empties.
    emptied: &'static [&'static str],
    /// A file whose lines `remove_defaults` switches off.
    list: Option<&'static str>,
    /// Of a new certificate, up to its number.
    before: &'static str,
    /// Behind the number.
    after: &'static str,
    update: &'static str,
}

fn place(variant: &str, family: &str) -> Place {
    match (variant, family) {
        ("photon", _) => Place {
            emptied: &["/etc/pki/tls/certs", "/etc/ssl/certs"],
            list: None,
            before: "/etc/ssl/certs/cloud-init-ca-cert-",
            after: ".pem",
            update: "rehash_ca_certificates.sh",
        },
        (_, "aosc") => Place {
            emptied: &[],
            list: Some("/etc/ca-certificates/conf.d/cloud-init.conf"),
            before: "/etc/ssl/certs/cloud-init-ca-cert-",
            after: ".pem",
            update: "update-ca-bundle",
        },
        (_, "suse") => Place {
            emptied: &[],
            list: None,
            before: "/usr/share/pki/trust/anchors/cloud-init-ca-cert-",
            after: ".crt",
            update: "update-ca-certificates",
        },
        (_, "redhat") => Place {
            // Only for these does the real module remove anything.
            emptied: if matches!(variant, "rhel" | "amazon") {
                &["/etc/pki/ca-trust", "/usr/share/pki/ca-trust-source"]
            } else {
                &[]
            },
            list: None,
            before: "/usr/share/pki/ca-trust-source/anchors/cloud-init-ca-cert-",
            after: ".crt",
            update: "update-ca-trust",
        },
        _ => Place {
            emptied: &[],
            list: Some("/etc/ca-certificates.conf"),
            before: "/usr/local/share/ca-certificates/cloud-init-ca-cert-",
            after: ".crt",
            update: "update-ca-certificates",
        },
    }
}

fn plan(request: &Request<'_>) -> Outcome {
    let (key, value) = match (get(request.config, "ca_certs"), get(request.config, "ca-certs")) {
        (Some(value), _) => ("ca_certs", value),
        (None, Some(value)) => ("ca-certs", value),
        (None, None) => return Outcome::default(),
    };
    let Some(map) = value.as_map() else {
        return Outcome::failed(reading::wrong(value, key, "a mapping with `trusted`"));
    };
    let place = place(&request.distro.variant, &request.distro.family);
    let mut outcome = Outcome::default();
    let remove = get(map, "remove_defaults").or_else(|| get(map, "remove-defaults"));
    if remove.is_some_and(truth::truthy) {
        remove_defaults(request, &place, &mut outcome);
    }
    for (index, certificate) in options::get_list(map, "trusted").unwrap_or_default().iter().enumerate() {
        let text = certificate.to_python_str();
        if !text.contains("-----BEGIN ") {
            let message = "this certificate has no `-----BEGIN CERTIFICATE-----`, and nothing will trust it";
            let path = format!("{key}.trusted.{index}");
            outcome.findings.push(Finding::warning(reading::SKIPPED, certificate.place, message).at(path));
        }
        let number = index + 1;
        outcome.actions.push(write(format!("{}{number}{}", place.before, place.after), text));
    }
    outcome.actions.push(run([place.update]));
    outcome
}

fn remove_defaults(request: &Request<'_>, place: &Place, outcome: &mut Outcome) {
    let machine = request.machine;
    for directory in place.emptied {
        let mut found = Vec::new();
        files(machine, directory, 0, &mut found);
        outcome.actions.extend(found.into_iter().map(|path| Action::Remove { path }));
    }
    if let Some(list) = place.list
        && let Some(text) = read_text(machine, list).filter(|text| !text.is_empty())
    {
        outcome.actions.push(write(list, switched_off(&text)));
    }
    if request.distro.family == "debian" {
        outcome.actions.push(Action::Run {
            argv: vec!["debconf-set-selections".to_owned(), "-".to_owned()],
            stdin: Some(Content::open("ca-certificates ca-certificates/trust_new_crts select no")),
            environment: Vec::new(),
            optional: false,
        });
    }
}

/// All files below a directory; certificates lie a few levels deep.
fn files(machine: &dyn Machine, directory: &str, depth: usize, found: &mut Vec<String>) {
    for name in machine.list(directory) {
        let path = format!("{directory}/{name}");
        if depth < 6 && !machine.list(&path).is_empty() {
            files(machine, &path, depth + 1, found);
        } else {
            found.push(path);
        }
    }
}

/// The list with every certificate switched off.
fn switched_off(text: &str) -> String {
    const HEADER: &str = "# Modified by cloud-init to deselect certs due to user-data";
    let mut out: Vec<String> = Vec::new();
    let mut told = false;
    for line in text.lines() {
        if line == HEADER {
            told = true;
        } else if !line.is_empty() && !line.starts_with(['#', '!']) {
            if !told {
                out.push(HEADER.to_owned());
                told = true;
            }
            out.push(format!("!{line}"));
            continue;
        }
        out.push(line.to_owned());
    }
    out.join("\n") + "\n"
}
