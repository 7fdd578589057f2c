//! What a template left behind: `${VAR}` and `%{ if … }` of Terraform, `<YOUR_KEY>`, `CHANGEME`.

use super::walk::{self, What};
use super::{Report, shown, trap, window};
use crate::value::Map;

/// Keys below which neither a shell nor a template of cloud-init takes part, so that a `${…}` stays one.
const LITERAL: &[&str] = &[
    "ca_certs",
    "chpasswd",
    "fqdn",
    "groups",
    "hostname",
    "keyboard",
    "locale",
    "mounts",
    "ntp",
    "packages",
    "password",
    "resolv_conf",
    "rh_subscription",
    "ssh_authorized_keys",
    "ssh_import_id",
    "ssh_keys",
    "timezone",
    "ubuntu_pro",
    "user",
    "users",
    "wireguard",
];

/// The same of each file.
const LITERAL_OF_FILES: &[&str] = &["owner", "path", "permissions"];

/// Bytes that a placeholder has at most.
const WORD: usize = 64;

/// What references of Terraform start with.
const TERRAFORM: &[&str] = &[
    "aws_",
    "azurerm_",
    "base64encode(",
    "base64gzip(",
    "count.",
    "data.",
    "each.",
    "file(",
    "google_",
    "join(",
    "jsonencode(",
    "local.",
    "module.",
    "path.module",
    "random_password.",
    "self.",
    "templatefile(",
    "terraform.",
    "tls_private_key.",
    "var.",
    "yamlencode(",
];

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    walk::each(config, &mut |spot| {
        let What::Scalar(value) = spot.what else { return };
        let Some(text) = value.as_text() else { return };
        // A template of the module itself has variables of its own.
        let literal = (LITERAL.contains(&spot.top) && spot.name != "template")
            || (spot.top == "write_files" && LITERAL_OF_FILES.contains(&spot.name));
        let found = terraform(text).or_else(|| if literal { placeholder(text) } else { None });
        let Some(found) = found else { return };
        let secret = spot.is_secret || spot.top == "chpasswd";
        let what = if secret { "this value".to_owned() } else { shown(found) };
        report.tell(trap(
            "placeholder",
            report.within("placeholder", value.place, found),
            spot.path,
            format!("{what} looks like a placeholder that nobody has filled in"),
            "put in the value, or let the tool that writes this file do it",
        ));
    });
}

/// What only Terraform understands, wherever it stands.
fn terraform(text: &str) -> Option<&str> {
    for (at, _) in text.match_indices("${") {
        let inner = window(text, at + 2, WORD);
        // `$${` is Terraform's own escape.
        let escaped = text.get(..at).is_some_and(|before| before.ends_with('$'));
        if !escaped && TERRAFORM.iter().any(|start| inner.trim_start_matches(['~', ' ']).starts_with(start)) {
            return Some(upto(text, at, "}"));
        }
    }
    for (at, _) in text.match_indices("%{") {
        let inner = window(text, at + 2, WORD).trim_start_matches(['~', ' ']);
        let word = inner.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let shaped = matches!(word, "else" | "endif" | "endfor")
            || (matches!(word, "if" | "for") && inner.contains(' '));
        if shaped {
            return Some(upto(text, at, "}"));
        }
    }
    None
}

/// From `at` to the first `end`.
fn upto<'t>(text: &'t str, at: usize, end: &str) -> &'t str {
    let rest = window(text, at, 2 * WORD);
    rest.find(end).and_then(|to| rest.get(..to + end.len())).unwrap_or(rest)
}

/// What stays as it stands where nothing is replaced.
fn placeholder(text: &str) -> Option<&str> {
    if let Some(at) = text.find("${") {
        return Some(upto(text, at, "}"));
    }
    if let Some(at) = text.find("{{") {
        return Some(upto(text, at, "}}"));
    }
    for (at, _) in text.match_indices('<') {
        let inner = window(text, at + 1, WORD);
        let Some(end) = inner.find('>') else { continue };
        let word = inner.get(..end).unwrap_or_default();
        let named = word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.len() > 1
            && word.chars().all(|c| c.is_ascii_alphanumeric() || " _-.".contains(c));
        if named {
            return text.get(at..at + end + 2);
        }
    }
    let bare = text.trim();
    let upper = bare.to_ascii_uppercase();
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let between = |mark: &str| {
        bare.len() > 2 * mark.len()
            && bare.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark)).is_some_and(word)
    };
    let named = ["CHANGEME", "CHANGE_ME", "CHANGE-ME", "REPLACEME", "REPLACE_ME", "REPLACE-ME"]
        .contains(&upper.as_str())
        || bare.starts_with("YOUR_")
        || between("@@")
        || between("__")
        || between("%");
    named.then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_leave_behind() {
        for (text, wanted) in [
            ("key ${var.ssh_key}", "${var.ssh_key}"),
            ("${file(\"x\")} a", "${file(\"x\")}"),
            ("%{ if x }a%{ endif }", "%{ if x }"),
            ("%{~ for a in b ~}", "%{~ for a in b ~}"),
        ] {
            assert_eq!(terraform(text), Some(wanted));
        }
        for text in ["echo ${HOME}", "$${var.x}", "date +%{y}", "${variable}", "100%{", "${", "%{"] {
            assert_eq!(terraform(text), None, "{text}");
        }
        for (text, wanted) in [
            ("ssh-rsa <YOUR KEY> me", "<YOUR KEY>"),
            ("${NAME}", "${NAME}"),
            ("{{ hostname }}", "{{ hostname }}"),
            (" changeme ", "changeme"),
            ("@@KEY@@", "@@KEY@@"),
            ("__KEY__", "__KEY__"),
            ("YOUR_KEY", "YOUR_KEY"),
        ] {
            assert_eq!(placeholder(text), Some(wanted));
        }
        for text in
            ["Me <me@example.com>", "a<b", "a > b <", "$6$a$b", "<>", "____", "%%", "web1", "yours", "<é"]
        {
            assert_eq!(placeholder(text), None, "{text}");
        }
    }
}
