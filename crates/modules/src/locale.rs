//! The locale (`config/cc_locale.py`; `apply_locale` of the classes in `cloudinit/distros/`).

use hardtack_userdata::{Finding, Kind, Value, options, truth};

use crate::action::Action;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::packages;
use crate::reading;
use crate::sysconfig;
use crate::system::{self, read_text, run, systemd, write};

/// `locale`.
pub const MODULE: Module = Module {
    name: "locale",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["locale", "locale_configfile"],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    let config = request.config;
    let given = options::get_str(config, "locale");
    let file = options::get_str(config, "locale_configfile");
    let systemd = systemd(request.machine, request.distro);
    let family = request.distro.family.as_str();
    let known = match family {
        "debian" => debian_locale(request).unwrap_or_else(|| "C.UTF-8".to_owned()),
        "alpine" => "C.UTF-8".to_owned(),
        "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" => {
            let path = if systemd { "/etc/locale.conf" } else { "/etc/sysconfig/i18n" };
            read_text(request.machine, path)
                .and_then(|text| sysconfig::get(&text, "LANG"))
                .filter(|locale| !locale.is_empty())
                .unwrap_or_else(|| "en_US.UTF-8".to_owned())
        }
        _ => "en_US.UTF-8".to_owned(),
    };
    let locale = given.clone().unwrap_or(known);
    if truth::is_false(&Value::new(Kind::Text(locale.clone()))) {
        return Outcome::default();
    }
    let mut outcome = Outcome::default();
    if !locale.chars().all(|character| character.is_ascii_alphanumeric() || "_-.@".contains(character)) {
        let place = reading::place(config, "locale");
        let message = format!("`locale` is {locale:?}, which is no name of a locale");
        let finding = Finding::error(reading::UNUSABLE, place, message).at("locale");
        return Outcome::failed(finding.with_hint("write a name like de_DE.UTF-8"));
    }
    let shell = |default: &str, name: &str| {
        let path = file.clone().unwrap_or_else(|| default.to_owned());
        let old = read_text(request.machine, &path);
        write(path, sysconfig::with(old.as_deref(), &[(name, &locale)], request.facts))
    };
    match family {
        "debian" => debian(request, &locale, file.as_deref(), &mut outcome),
        "alpine" => {
            let path = file.unwrap_or_else(|| "/etc/profile.d/50-cloud-init-locale.sh".to_owned());
            let text = format!(
                "#\n# This file is created by cloud-init once per new instance boot\n#\nexport CHARSET=UTF-8\n\
                 export LANG={locale}\nexport LC_COLLATE=C\n"
            );
            outcome.actions.push(write(path, text));
        }
        "suse" if !systemd => outcome.actions.push(shell("/etc/sysconfig/language", "RC_LANG")),
        "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" if !systemd => {
            outcome.actions.push(shell("/etc/sysconfig/i18n", "LANG"));
        }
        "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" | "suse" | "aosc" => {
            outcome.actions.push(shell("/etc/locale.conf", "LANG"));
        }
        "photon" | "mariner" => {
            outcome.actions.push(shell("/etc/locale.conf", "LANG"));
            outcome.actions.push(system::try_run(["systemctl", "restart", "systemd-localed"]));
        }
        "arch" => {
            let text = format!("{}\n{locale} UTF-8\n", system::header("Created", request.facts));
            outcome.actions.push(write("/etc/locale.gen", text));
            outcome.actions.push(run(["locale-gen"]));
            outcome.actions.push(run(["localectl", "set-locale", &locale]));
        }
        _ if given.is_some() => {
            let place = reading::place(config, "locale");
            let message = format!("no way is known to set the locale on {}", request.distro.variant);
            outcome.findings.push(Finding::warning(reading::UNSUPPORTED, place, message).at("locale"));
        }
        _ => {}
    }
    outcome
}

const DEBIAN_FILE: &str = "/etc/default/locale";

fn debian_locale(request: &Request<'_>) -> Option<String> {
    sysconfig::get(&read_text(request.machine, DEBIAN_FILE)?, "LANG").filter(|locale| !locale.is_empty())
}

/// A command in an environment that needs no locale.
fn bare<const N: usize>(argv: [&str; N]) -> Action {
    let environment =
        ["LANGUAGE", "LANG", "LC_ALL"].map(|name| (name.to_owned(), "C.UTF-8".to_owned())).to_vec();
    Action::Run { argv: argv.map(str::to_owned).to_vec(), stdin: None, environment, optional: false }
}

fn debian(request: &Request<'_>, locale: &str, file: Option<&str>, outcome: &mut Outcome) {
    let file = file.unwrap_or(DEBIAN_FILE);
    let set = debian_locale(request);
    let there = request.machine.exists(file);
    let same = set.as_deref().unwrap_or("C.UTF-8").to_lowercase() == locale.to_lowercase();
    if same && there && set.is_some() {
        return;
    }
    let builtin = ["c", "c.utf-8", "c.utf8", "posix"].contains(&locale.to_lowercase().as_str());
    if !builtin {
        if request.machine.program("locale-gen").is_none() {
            outcome.actions.extend(packages::install(request, &["locales"]));
        }
        let supported = read_text(request.machine, "/usr/share/i18n/SUPPORTED").unwrap_or_default();
        let line = supported_line(&supported, locale);
        let old = read_text(request.machine, "/etc/locale.gen").unwrap_or_default();
        outcome.actions.push(write("/etc/locale.gen", with_line(&old, &line)));
        outcome.actions.push(bare(["locale-gen", "--keep-existing"]));
    }
    if request.machine.program("update-locale").is_none() && builtin {
        outcome.actions.extend(packages::install(request, &["locales"]));
    }
    outcome.actions.push(bare([
        "update-locale",
        &format!("--locale-file={file}"),
        &format!("LANG={locale}"),
    ]));
}

/// `/etc/locale.gen` with the line switched on.
fn with_line(old: &str, line: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut found = false;
    for raw in old.lines() {
        let plain = raw.trim().trim_start_matches(['#', ' ']).trim_end();
        if !plain.is_empty() && plain == line {
            lines.push(line);
            found = true;
        } else {
            lines.push(raw);
        }
    }
    if !found {
        lines.push(line);
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

/// The line of `/usr/share/i18n/SUPPORTED` that a locale means, or one made of its parts.
fn supported_line(supported: &str, wanted: &str) -> String {
    let word = |text: &str, more: &str| {
        !text.is_empty()
            && text.chars().all(|character| character.is_ascii_alphanumeric() || more.contains(character))
    };
    let (rest, modifier) = match wanted.split_once('@') {
        Some((rest, modifier)) if word(modifier, "_-") => (rest, Some(modifier)),
        _ => (wanted, None),
    };
    let (base, charset) = match rest.split_once('.') {
        Some((base, charset)) if word(charset, "-") => (base, Some(charset)),
        _ => (rest, None),
    };
    let plain =
        !base.is_empty() && base.chars().all(|character| character.is_ascii_alphabetic() || character == '_');
    let (prefix, charset) = if plain {
        (modifier.map_or_else(|| base.to_owned(), |modifier| format!("{base}@{modifier}")), charset)
    } else {
        (wanted.to_owned(), None)
    };
    // `prefix`, then `.charset` and `@modifier` or nothing, then the character map.
    let rest_of = |line: &'_ str| -> Option<String> {
        let mut words = line.split_whitespace();
        let (first, _, None) = (words.next()?, words.next()?, words.next()) else { return None };
        first.strip_prefix(prefix.as_str()).map(str::to_owned)
    };
    let fits = |rest: &str| {
        let rest = rest
            .strip_prefix('.')
            .map_or(rest, |rest| rest.find('@').map_or("", |at| rest.get(at..).unwrap_or_default()));
        rest.is_empty() || (rest.starts_with('@') && rest.len() > 1)
    };
    let candidates: Vec<&str> = supported
        .lines()
        .map(str::trim)
        .filter(|line| rest_of(line).is_some_and(|rest| fits(&rest)))
        .collect();
    if let Some(charset) = charset {
        let exact = format!(".{charset}");
        let found = candidates.iter().find(|line| {
            rest_of(line)
                .and_then(|rest| rest.strip_prefix(&exact).map(str::to_owned))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        });
        if let Some(line) = found {
            return (*line).to_owned();
        }
    }
    if let Some(line) = candidates.iter().find(|line| line.to_lowercase().ends_with(" utf-8")) {
        return (*line).to_owned();
    }
    candidates.first().map_or_else(
        || {
            let charset = charset.unwrap_or("UTF-8");
            format!("{prefix}.{charset} {charset}")
        },
        |line| (*line).to_owned(),
    )
}
