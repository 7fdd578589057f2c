//! What a text is in the dialect of coreos-cloudinit, in the words of the oracle's cases.

use base64::Engine as _;
use hardtack_userdata::Severity;
use hardtack_userdata::coreos::{self, Addresses, CloudConfig, UnitAction, validate};
use serde_json::{Map, Value, json};

/// The addresses that the oracle has.
pub(crate) fn addresses() -> Addresses {
    Addresses {
        public_ipv4: Some("198.51.100.7".to_owned()),
        private_ipv4: Some("10.1.2.3".to_owned()),
        public_ipv6: None,
        private_ipv6: Some("fd00::5".to_owned()),
    }
}

/// Everything about `input`.
pub(crate) fn describe(input: &str) -> Value {
    let report = validate::report(input);
    let entries: Vec<Value> = report
        .entries
        .iter()
        .map(|entry| json!({"kind": entry.grade.word(), "message": entry.message, "line": entry.line}))
        .collect();
    let mut findings = Vec::new();
    let config = CloudConfig::read(input, 0, &mut findings);
    let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    let mut told = Vec::new();
    coreos::check(input, 0, &mut told);
    let told: Vec<Value> = told
        .iter()
        .map(|finding| {
            json!([
                format!("{:?}", finding.severity),
                finding.place.span.line,
                finding.place.span.column,
                finding.code,
                finding.path,
                finding.message,
                finding.hint,
            ])
        })
        .collect();
    let mut out = json!({
        "entries": entries,
        "broken_off": report.broken_off,
        "refused": refused,
        "substituted": coreos::substitute(input, &addresses()),
        "findings": told,
    });
    if !refused {
        out["config"] = configuration(&config);
    }
    out
}

fn configuration(config: &CloudConfig) -> Value {
    let list = |items: &[String]| format!("[{}]", items.join(" "));
    let users: Vec<String> = config
        .users
        .iter()
        .map(|user| {
            format!(
                "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
                user.name,
                user.passwd,
                list(&user.ssh_authorized_keys),
                list(&user.github_users),
                user.import_url,
                user.gecos,
                user.homedir,
                user.no_create_home,
                user.primary_group,
                list(&user.groups),
                user.no_user_group,
                user.system,
                user.no_log_init,
                user.shell
            )
        })
        .collect();
    let files: Vec<String> = config
        .write_files
        .iter()
        .map(|file| {
            let content = base64::engine::general_purpose::STANDARD.encode(&file.content);
            format!("{}|{content}|{}|{}", file.path, file.owner, file.permissions)
        })
        .collect();
    let update = &config.coreos.update;
    let mut texts = Map::new();
    if let Some(text) = coreos::generated::flannel(&config.coreos.flannel) {
        texts.insert("flannel".to_owned(), text.into());
    }
    if let Some(text) = config.coreos.oem.release() {
        texts.insert("oem".to_owned(), text.into());
    }
    let actions: Vec<String> = config.unit_actions().iter().map(action).collect();
    json!({
        "hostname": config.hostname,
        "manage_etc_hosts": config.manage_etc_hosts,
        "ssh_authorized_keys": config.ssh_authorized_keys,
        "users": users,
        "write_files": files,
        "update": [update.reboot_strategy, update.group, update.server],
        "texts": texts,
        "actions": actions,
    })
}

fn action(action: &UnitAction) -> String {
    match action {
        UnitAction::Place { path, content, .. } | UnitAction::DropIn { path, content, .. } => {
            format!("place {path}\n{content}")
        }
        UnitAction::Mask { path, .. } => format!("mask {path}"),
        UnitAction::Unmask { path, .. } => format!("unmask {path}"),
        UnitAction::Enable { unit, runtime } => format!("enable {unit} {runtime}"),
        UnitAction::DaemonReload => "daemon-reload".to_owned(),
        UnitAction::Command { unit, command } => format!("{command} {unit}"),
        UnitAction::UnknownCommand { unit, command } => format!("unknown {command} {unit}"),
    }
}
