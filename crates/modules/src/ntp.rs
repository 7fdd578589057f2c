//! Clients of time servers (`config/cc_ntp.py`). Files are made of the templates in `/etc/cloud/templates`;
//! where the machine has none, of the settings that cloud-init's own have in common
//! (`templates/chrony.conf.*.tmpl`, `ntp.conf.*`, `timesyncd.conf`).

use std::collections::BTreeMap;

use hardtack_userdata::{Finding, Kind, Map, Place, Value, truth};
use serde_json::Value as Json;

use crate::basic_template;
use crate::machine::Distro;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::packages;
use crate::reading::{self, get};
use crate::system::{read_text, run, service, write};

/// `ntp`.
pub const MODULE: Module =
    Module { name: "ntp", stage: Stage::Config, frequency: Frequency::Instance, keys: &["ntp"], run: plan };

/// How a client is installed, configured and started.
#[derive(Clone, Debug)]
struct Client {
    name: String,
    program: String,
    file: String,
    packages: Vec<String>,
    service: String,
    template: Option<String>,
    template_name: String,
}

fn client(name: &str, distro: &Distro) -> Option<Client> {
    let variant = distro.variant.as_str();
    let (program, file, package, service) = match name {
        "chrony" => ("chronyd", "/etc/chrony.conf", "chrony", "chrony"),
        "ntp" => ("ntpd", "/etc/ntp.conf", "ntpsec", "ntp"),
        "ntpdate" => ("ntpdate", "/etc/ntp.conf", "ntpdate", "ntpdate"),
        "openntpd" => ("ntpd", "/etc/ntpd.conf", "", "ntpd"),
        "systemd-timesyncd" => (
            "/lib/systemd/systemd-timesyncd",
            "/etc/systemd/timesyncd.conf.d/cloud-init.conf",
            "",
            "systemd-timesyncd",
        ),
        _ => return None,
    };
    let mut client = Client {
        name: name.to_owned(),
        program: program.to_owned(),
        file: file.to_owned(),
        packages: if package.is_empty() { Vec::new() } else { vec![package.to_owned()] },
        service: service.to_owned(),
        template: None,
        template_name: match name {
            "systemd-timesyncd" => "timesyncd.conf",
            "chrony" => "chrony.conf.{distro}",
            "openntpd" => "ntpd.conf.{distro}",
            _ => "ntp.conf.{distro}",
        }
        .to_owned(),
    };
    let daemon = matches!(
        variant,
        "alpine"
            | "azurelinux"
            | "centos"
            | "cos"
            | "mariner"
            | "openmandriva"
            | "suse"
            | "photon"
            | "rhel"
            | "almalinux"
            | "cloudlinux"
            | "rocky"
    );
    match name {
        "chrony" => {
            if daemon {
                "chronyd".clone_into(&mut client.service);
            }
            if matches!(variant, "alpine" | "cos" | "debian" | "ubuntu") {
                "/etc/chrony/chrony.conf".clone_into(&mut client.file);
            }
        }
        "ntp" => {
            if daemon && !matches!(variant, "azurelinux" | "cos" | "mariner") {
                "ntpd".clone_into(&mut client.service);
            }
            if variant == "alpine" {
                client.packages.clear();
            }
        }
        "systemd-timesyncd" => {
            if matches!(variant, "aosc" | "azurelinux" | "mariner" | "photon" | "suse" | "raspberry-pi-os") {
                "/usr/lib/systemd/systemd-timesyncd".clone_into(&mut client.program);
            }
            if matches!(variant, "aosc" | "azurelinux" | "mariner" | "photon") {
                "/etc/systemd/timesyncd.conf".clone_into(&mut client.file);
            }
        }
        _ => {}
    }
    Some(client)
}

fn installed(request: &Request<'_>, client: &Client) -> bool {
    if client.program.contains('/') {
        request.machine.exists(&client.program)
    } else {
        request.machine.program(&client.program).is_some()
    }
}

/// Before SUSE 15, unless it is MicroOS.
fn old_suse(distro: &Distro) -> bool {
    let major = distro.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    !distro.id.contains("micro") && major.is_some_and(|major| major < 15)
}

fn choose(request: &Request<'_>, wanted: Option<&str>) -> Option<Client> {
    if let Some(name) = wanted.filter(|name| !name.is_empty() && *name != "auto") {
        return client(name, request.distro);
    }
    let preferred: &[&str] = match request.distro.family.as_str() {
        "alpine" => &["chrony", "ntp"],
        "suse" if old_suse(request.distro) => &["ntp", "systemd-timesyncd", "chrony"],
        "suse" => &["chrony", "systemd-timesyncd", "ntp"],
        _ => &["chrony", "systemd-timesyncd", "ntp", "ntpdate"],
    };
    let clients: Vec<Client> = preferred.iter().filter_map(|name| client(name, request.distro)).collect();
    clients.iter().find(|client| installed(request, client)).or(clients.first()).cloned()
}

fn plan(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "ntp") else { return Outcome::default() };
    let empty = Map::new();
    let map = match &value.kind {
        Kind::Null => &empty,
        Kind::Map(map) => map,
        _ => return Outcome::failed(reading::wrong(value, "ntp", "a mapping, or nothing at all")),
    };
    if get(map, "enabled").is_some_and(truth::is_false) {
        return Outcome::default();
    }
    let wanted = get(map, "ntp_client").filter(|name| truth::truthy(name)).map(Value::to_python_str);
    let settings = get(map, "config").and_then(Value::as_map).unwrap_or(&empty);
    let mut chosen = match choose(request, wanted.as_deref()) {
        Some(client) => client,
        // A client of another name is described by `config` alone.
        None => Client {
            name: wanted.unwrap_or_default(),
            program: String::new(),
            file: String::new(),
            packages: Vec::new(),
            service: String::new(),
            template: None,
            template_name: String::new(),
        },
    };
    if let Err(finding) = settings_of(settings, &mut chosen) {
        return Outcome::failed(*finding);
    }
    if chosen.program.is_empty() || chosen.file.is_empty() || chosen.service.is_empty() {
        let place = reading::place(map, "ntp_client");
        let message = format!("`ntp.ntp_client` is {:?}, which is no client that is known", chosen.name);
        let finding = Finding::error(reading::UNUSABLE, place, message).at("ntp.ntp_client");
        return Outcome::failed(
            finding.with_hint("write chrony, systemd-timesyncd, ntp or auto, or all of `ntp.config`"),
        );
    }
    let list = |name: &str| -> Vec<String> {
        get(map, name).and_then(Value::as_list).unwrap_or_default().iter().map(Value::to_python_str).collect()
    };
    let mut hosts =
        Hosts { servers: list("servers"), pools: list("pools"), peers: list("peers"), allow: list("allow") };
    hosts.fill(&chosen, request.distro);
    let mut outcome = Outcome::default();
    let place = reading::place(map, "config");
    let template = chosen.template.clone().or_else(|| {
        let name = chosen.template_name.replace("{distro}", &request.distro.variant);
        read_text(request.machine, &format!("/etc/cloud/templates/{name}.tmpl"))
    });
    let text = match template.map(|template| basic_template::rendered(&template, hosts.names())) {
        Some(Ok(text)) => text,
        Some(Err(error)) => {
            let message = format!("the file of {} cannot be made: {error}", chosen.name);
            return Outcome::failed(
                Finding::error(reading::UNUSABLE, place, message).at("ntp.config.template"),
            );
        }
        // A template that the configuration names is not replaced by something else.
        None if get(settings, "template_name").is_some_and(|name| !name.is_null()) => {
            let message = format!("there is no template /etc/cloud/templates/{}.tmpl", chosen.template_name);
            return Outcome::failed(
                Finding::error(reading::UNUSABLE, place, message).at("ntp.config.template_name"),
            );
        }
        None => match text(&chosen, &hosts, request.distro) {
            Some(text) => text,
            None => {
                let message = format!("there is no template for the file of {}", chosen.name);
                let finding = Finding::error(reading::UNUSABLE, place, message).at("ntp.config.template");
                return Outcome::failed(finding.with_hint("write it into `ntp.config.template`"));
            }
        },
    };
    if let Some(old) = read_text(request.machine, &chosen.file) {
        outcome.actions.push(write(format!("{}.dist", chosen.file), old));
    }
    outcome.actions.push(write(chosen.file.clone(), text));
    if !installed(request, &chosen) {
        let names: Vec<&str> = chosen.packages.iter().map(String::as_str).collect();
        if !names.is_empty() {
            outcome.actions.extend(packages::install(request, &names));
        } else {
            let message = format!(
                "the machine does not have {}, and cloud-init knows no package to install for it: its service cannot be started",
                chosen.name
            );
            let finding = Finding::warning("program-missing", place_of_client(map), message);
            let hint = format!("write `config: {{packages: [{}]}}`, or take another client", chosen.name);
            outcome.findings.push(finding.at("ntp.ntp_client").with_hint(hint));
        }
    }
    outcome.actions.push(run(service("reload", &chosen.service, request.machine, request.distro)));
    outcome
}

/// Where the client is named.
fn place_of_client(map: &Map) -> Place {
    get(map, "ntp_client").map(|value| value.place).unwrap_or_default()
}

/// `ntp.config` over what is known of the client.
fn settings_of(settings: &Map, client: &mut Client) -> Result<(), Box<Finding>> {
    for (key, value) in settings {
        let name = key.to_python_str();
        let path = format!("ntp.config.{name}");
        if name == "packages" {
            let Some(list) = value.as_list() else {
                return Err(Box::new(reading::wrong(value, &path, "a list of packages")));
            };
            client.packages = list.iter().map(Value::to_python_str).collect();
            continue;
        }
        if matches!(name.as_str(), "template" | "template_name") && value.is_null() {
            continue;
        }
        let Some(text) = value.as_text() else { return Err(Box::new(reading::wrong(value, &path, "text"))) };
        match name.as_str() {
            "check_exe" => text.clone_into(&mut client.program),
            "confpath" => text.clone_into(&mut client.file),
            "service_name" => text.clone_into(&mut client.service),
            "template" if !text.is_empty() => client.template = Some(text.to_owned()),
            "template_name" => text.clone_into(&mut client.template_name),
            _ => {}
        }
    }
    Ok(())
}

struct Hosts {
    servers: Vec<String>,
    pools: Vec<String>,
    peers: Vec<String>,
    allow: Vec<String>,
}

impl Hosts {
    /// What templates call them.
    fn names(&self) -> BTreeMap<String, Json> {
        let lists = [
            ("servers", &self.servers),
            ("pools", &self.pools),
            ("peers", &self.peers),
            ("allow", &self.allow),
        ];
        lists.iter().map(|(name, list)| ((*name).to_owned(), Json::from((*list).clone()))).collect()
    }

    /// The distribution's own pools where the configuration names nobody.
    fn fill(&mut self, client: &Client, distro: &Distro) {
        let pool = match distro.variant.as_str() {
            "alpine" | "eurolinux" => String::new(),
            "suse" => "opensuse.".to_owned(),
            variant => format!("{variant}."),
        };
        let names = || (0..4).map(|number| format!("{number}.{pool}pool.ntp.org")).collect();
        if self.servers.is_empty() && distro.variant == "alpine" && client.service == "ntpd" {
            self.servers = names();
        } else if self.servers.is_empty() && self.pools.is_empty() && distro.variant != "cos" {
            self.pools = names();
        }
    }
}

/// The client's file.
fn text(client: &Client, hosts: &Hosts, distro: &Distro) -> Option<String> {
    let mut out = String::new();
    let mut line = |words: &[&str]| {
        out.push_str(&words.join(" "));
        out.push('\n');
    };
    match client.name.as_str() {
        "systemd-timesyncd" => {
            line(&["# Created by cloud-init"]);
            line(&["[Time]"]);
            let all: Vec<&str> = hosts.servers.iter().chain(&hosts.pools).map(String::as_str).collect();
            if !all.is_empty() {
                line(&[&format!("NTP={}", all.join(" "))]);
            }
        }
        "chrony" => {
            line(&["# Created by cloud-init"]);
            hosts.pools.iter().for_each(|host| line(&["pool", host, "iburst"]));
            hosts.servers.iter().for_each(|host| line(&["server", host, "iburst"]));
            hosts.peers.iter().for_each(|host| line(&["peer", host]));
            hosts.allow.iter().for_each(|net| line(&["allow", net]));
            if matches!(distro.variant.as_str(), "debian" | "ubuntu" | "raspberry-pi-os") {
                line(&["keyfile /etc/chrony/chrony.keys"]);
                line(&["driftfile /var/lib/chrony/chrony.drift"]);
                line(&["maxupdateskew 100.0"]);
            } else {
                line(&["driftfile /var/lib/chrony/drift"]);
            }
            line(&["logdir /var/log/chrony"]);
            line(&["rtcsync"]);
            line(&["makestep 1.0 3"]);
        }
        "ntp" | "ntpdate" => {
            line(&["# Created by cloud-init"]);
            line(&["driftfile /var/lib/ntp/ntp.drift"]);
            hosts.pools.iter().for_each(|host| line(&["pool", host, "iburst"]));
            hosts.servers.iter().for_each(|host| line(&["server", host, "iburst"]));
            hosts.peers.iter().for_each(|host| line(&["peer", host]));
            line(&["restrict -4 default kod notrap nomodify nopeer noquery limited"]);
            line(&["restrict -6 default kod notrap nomodify nopeer noquery limited"]);
            line(&["restrict 127.0.0.1"]);
            line(&["restrict ::1"]);
        }
        _ => return None,
    }
    Some(out)
}
