//! The plan as a whole: order, what becomes of keys, what is shown.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Distro, Facts, KeyState, Machine, Plan, Request, Stage, base, plan, table, text};
use hardtack_userdata::{Map, Origin, Part, PartKind, json};
use serde_json::{Value as Json, json};

use crate::cases::{all, config, own, same};

fn part(yaml: &str) -> Part {
    Part {
        kind: PartKind::CloudConfig,
        content_type: "text/cloud-config".to_owned(),
        filename: "part-001".to_owned(),
        launch_index: None,
        merge_type: None,
        payload: yaml.as_bytes().to_vec(),
        origin: Origin::file("user-data.yaml"),
    }
}

fn planned(yaml: &str, machine: &dyn Machine, facts: &Facts) -> (Plan, Vec<Part>) {
    let config = config(yaml);
    let parts = vec![part(yaml)];
    let distro = Distro::read(machine);
    (plan(&Request { config: &config, parts: &parts, machine, distro: &distro, facts }), parts)
}

#[test]
fn modules_run_in_the_order_of_every_distribution() {
    all(&own("order"), |case| {
        let variant = case["variant"].as_str().unwrap();
        let distro = Distro { variant: variant.to_owned(), ..Distro::default() };
        let ours = table::order(&Map::new(), &distro);
        for (name, stage) in [("init", Stage::Network), ("config", Stage::Config), ("final", Stage::Final)] {
            let names: Vec<&str> = ours
                .iter()
                .filter(|entry| entry.stage == stage && entry.name != "consume_data")
                .map(|entry| entry.name.as_str())
                .collect();
            same(&json!(names), &case[name])?;
        }
        let base = json::map(&base::config(&distro));
        for (key, value) in case["base"].as_object().unwrap() {
            same(&base[key], value).map_err(|error| format!("{key}:\n{error}"))?;
        }
        Ok(())
    });
}

#[test]
fn every_module_of_cloud_init_is_known_or_unsupported() {
    let silent = ["byobu", "install_hotplug", "landscape", "reset_rmc", "ubuntu_drivers", "raspberry_pi"];
    for case in own("order") {
        for list in ["init", "config", "final"] {
            for name in case[list].as_array().unwrap() {
                let name = name.as_str().unwrap();
                let known = table::find(name).is_some()
                    || hardtack_modules::unsupported::reason(name).is_some()
                    || name == "ubuntu_autoinstall"
                    || silent.contains(&name);
                assert!(known, "{name} of {} is dropped silently", case["variant"]);
            }
        }
    }
}

#[test]
fn lists_of_the_configuration_win() {
    let config = config(
        "cloud_init_modules: [cc_mounts, [set-hostname, always], {name: bootcmd, frequency: once}, 5]\n\
         cloud_config_modules: []\ncloud_final_modules: null\n",
    );
    let order = table::order(&config, &Distro::read(&Tree::debian()));
    let names: Vec<_> = order.iter().map(|entry| (entry.name.as_str(), entry.frequency)).collect();
    use hardtack_modules::Frequency::{Always, Once};
    // User-data is taken in before any module, whatever the lists say.
    assert_eq!(
        names,
        [("consume_data", None), ("mounts", None), ("set_hostname", Some(Always)), ("bootcmd", Some(Once))]
    );
}

#[test]
fn every_key_is_told() {
    let yaml = "hostname: web\nansible: {}\nyum_repos: {a: {baseurl: x}}\nx-anchor: 1\nntp: text\noutput: {all: x}\n";
    let (plan, parts) = planned(yaml, &Tree::debian(), &Facts::default());
    let states: Vec<_> = plan.keys.iter().map(|key| (key.key.as_str(), key.state)).collect();
    assert_eq!(
        states,
        [
            ("hostname", KeyState::Applied),
            ("ansible", KeyState::Unsupported),
            ("yum_repos", KeyState::Ignored),
            ("x-anchor", KeyState::Ignored),
            ("ntp", KeyState::Failed),
            ("output", KeyState::Applied),
        ]
    );
    let [finding] = plan.findings.as_slice() else { panic!("{:?}", plan.findings) };
    assert_eq!(finding.path, "ansible");
    assert_eq!(finding.diagnostic(&parts).span.line, 2);
    assert!(finding.hint.as_deref().unwrap_or_default().contains("runcmd"));
}

#[test]
fn a_key_that_nothing_reads_is_told_why() {
    let (plan, _) =
        planned("network: {}\nwrite-files: []\nnothing-like: 1\n", &Tree::debian(), &Facts::default());
    let reasons: Vec<_> = plan.keys.iter().map(|key| key.reason.clone().unwrap_or_default()).collect();
    assert!(reasons[0].contains("network-config"), "{reasons:?}");
    assert!(reasons[1].contains("did you mean `write_files`"), "{reasons:?}");
    assert_eq!(reasons[2], "nothing reads a key of this name");
}

#[test]
fn later_modules_see_what_earlier_ones_write() {
    let yaml = "hostname: web\nfqdn: web.example\nmanage_etc_hosts: true\nwrite_files:\n- path: /etc/cloud/templates/hosts.debian.tmpl\n  content: \"## template: jinja\\n127.0.1.1 {{fqdn}} own\\n\"\n";
    let (plan, _) = planned(yaml, &Tree::debian(), &Facts::default());
    let shown = text::json(&plan, &[]).to_string();
    assert!(shown.contains("127.0.1.1 web.example own"), "{shown}");
    // set_hostname has written the name already, so that update_hostname only notes it down.
    let update = plan.steps.iter().find(|step| step.module == "update_hostname").unwrap();
    assert_eq!(update.actions.len(), 1, "{:?}", update.actions);
}

#[test]
fn the_metadata_names_the_machine_before_the_network() {
    let facts = Facts {
        local_hostname: Some("md.example".to_owned()),
        instance_id: Some("i-1".to_owned()),
        ..Facts::default()
    };
    let (plan, _) = planned("preserve_hostname: true\n", &Tree::debian(), &facts);
    let step = plan.steps.first().unwrap();
    assert_eq!((step.stage, step.module.as_str()), (Stage::Local, "set_hostname"));
}

#[test]
fn what_an_earlier_boot_has_read_names_the_machine_too() {
    let facts = Facts {
        local_hostname: Some("md".to_owned()),
        instance_id: Some("i-1".to_owned()),
        ..Facts::default()
    };
    let first = |tree: &Tree| {
        let (plan, _) = planned("hostname: mine\n", tree, &facts);
        let step = plan.steps.first().unwrap();
        assert_eq!((step.stage, step.module.as_str()), (Stage::Local, "set_hostname"));
        format!("{:?}", step.actions)
    };
    assert!(first(&Tree::debian()).contains("\"md\""));
    let known = Tree::debian().with("/var/lib/cloud/instance/cloud-config.txt", "hostname: mine\n");
    assert!(first(&known).contains("\"mine\""));
}

#[test]
fn secrets_are_not_shown() {
    let canary = "canary-5f3a";
    let yaml = format!(
        "password: {canary}\nchpasswd:\n  users: [{{name: root, password: {canary}, type: text}}]\n\
         users:\n- default\n- {{name: joe, plain_text_passwd: {canary}}}\n\
         ssh_keys:\n  rsa_private: {canary}\n\
         random_seed: {{data: {canary}}}\n\
         mounts: [[//nas/x, /x, cifs, 'username=u,password={canary}']]\n\
         apt: {{proxy: 'http://user:{canary}@proxy', sources: {{a: {{source: 'deb https://u:{canary}@host x'}}}}, debconf_selections: {{a: 'a a/password password {canary}'}}}}\n\
         phone_home: {{url: 'https://user:{canary}@host/'}}\n"
    );
    let (plan, parts) = planned(&yaml, &Tree::debian(), &Facts::default());
    for shown in [text::text(&plan, &parts), text::json(&plan, &parts).to_string(), format!("{plan:?}")] {
        for line in shown.lines().filter(|line| line.contains(canary)) {
            // `Debug` of an action that posts shows the URL: nobody prints that.
            assert!(line.contains("Post"), "{line}");
        }
    }
    assert!(!text::text(&plan, &parts).contains(canary));
}

/// The finding of that code and its line.
fn told(plan: &Plan, module: &str, path: &str) -> (usize, String) {
    let mut findings = plan.steps.iter().filter(|step| step.module == module).flat_map(|step| &step.findings);
    let found = findings.rfind(|finding| finding.path == path);
    let found = found.unwrap_or_else(|| panic!("nothing at {path}: {:?}", plan.steps));
    (found.place.span.line, format!("{}; {}", found.message, found.hint.as_deref().unwrap_or_default()))
}

#[test]
fn what_the_machine_does_not_have_is_told_with_its_place() {
    let yaml = "ntp: {ntp_client: openntpd}\npackages:\n- snap: [certbot]\nchpasswd:\n  users:\n  - {name: root, password: a, type: text}\n  - {name: ghost, password: b, type: text}\nwrite_files:\n- {path: /a, owner: ghost}\napt:\n  preserve_sources_list: true\n  primary: [{arches: [default], uri: 'http://m'}]\n  disable_suites: [updates]\n";
    let (plan, parts) = planned(yaml, &Tree::debian(), &Facts::default());
    for (module, path, line, wanted) in [
        ("ntp", "ntp.config.template", 1, "no template"),
        ("package_update_upgrade_install", "packages", 2, "no snap on the machine, and certbot"),
        ("set_passwords", "chpasswd", 7, "no user ghost"),
        ("write_files", "write_files.0.owner", 9, "neither `users` nor `groups` makes it"),
        ("apt_configure", "apt.primary", 12, "only used for $MIRROR"),
        ("apt_configure", "apt.disable_suites", 13, "is not used"),
    ] {
        let (at, message) = told(&plan, module, path);
        assert_eq!(at, line, "{message}");
        assert!(message.contains(wanted), "{message}");
    }
    let shown = text::text(&plan, &parts);
    assert!(shown.contains("\n  write_files: failed: there is no user ghost"), "{shown}");
    assert!(!shown.contains(":0:0"), "{shown}");
    let made = format!("users: [{{name: ghost}}]\n{yaml}");
    let (plan, _) = planned(&made, &Tree::debian(), &Facts::default());
    assert!(told(&plan, "write_files", "write_files.0.owner").1.contains("users are made after this"));
    let set = plan.steps.iter().find(|step| step.module == "set_passwords").unwrap();
    assert_eq!(set.findings, []);
}

#[test]
fn packages_may_make_the_owners_of_late_files() {
    let yaml = "write_files:\n- {path: /a, owner: redis, defer: true, content: a}\n- {path: /b, defer: true, content: b}\n";
    let step = |yaml: &str| {
        let (plan, _) = planned(yaml, &Tree::debian(), &Facts::default());
        plan.steps.into_iter().find(|step| step.module == "write_files_deferred").unwrap()
    };
    use hardtack_userdata::Severity;
    let alone = step(yaml);
    assert_eq!((alone.actions.len(), alone.findings[0].severity), (1, Severity::Error));
    let with = step(&format!("{yaml}packages: [redis-server]\n"));
    assert_eq!((with.actions.len(), with.findings[0].severity), (2, Severity::Warning));
}

#[test]
fn clients_of_time_that_nothing_installs_are_told() {
    let yaml = "ntp: {ntp_client: systemd-timesyncd}\n";
    let (plan, _) = planned(yaml, &Tree::debian(), &Facts::default());
    let (line, message) = told(&plan, "ntp", "ntp.ntp_client");
    assert_eq!(line, 1);
    assert!(message.contains("packages: [systemd-timesyncd]"), "{message}");
    let machine = Tree::debian().with("/lib/systemd/systemd-timesyncd", "");
    let (plan, _) = planned(yaml, &machine, &Facts::default());
    assert!(plan.steps.iter().filter(|step| step.module == "ntp").all(|step| step.findings.is_empty()));
}

#[test]
fn early_commands_are_given_the_instance() {
    let (plan, parts) = planned("bootcmd: [ls]\n", &Tree::debian(), &Facts::default());
    let shown = text::text(&plan, &parts);
    assert!(shown.contains("run INSTANCE_ID='$INSTANCE_ID' /bin/sh"), "{shown}");
}

#[test]
fn secrets_in_urls_are_not_shown() {
    for (url, wanted) in [
        ("http://x/?token=geheim&a=1#b", "http://x/?token=…&a=1#b"),
        ("http://u:geheim@x/$INSTANCE_ID/?a=1&api_key=geheim", "http://u:…@x/$INSTANCE_ID/?a=1&api_key=…"),
        ("http://x/?a=b=c&d", "http://x/?a=b=c&d"),
        ("http://x/", "http://x/"),
    ] {
        assert_eq!(text::no_password(url), wanted);
    }
}

#[test]
fn a_plan_reads_well() {
    let yaml =
        "hostname: web\nmounts:\n- [/dev/vdb, /data]\npackages: [vim]\ntimezone: Mars/Base\nchef: {}\n";
    let (plan, parts) = planned(yaml, &Tree::debian(), &Facts::default());
    let wanted =
        ["set_hostname", "mounts", "timezone", "package_update_upgrade_install", "power_state_change"];
    let plan = Plan {
        steps: plan.steps.into_iter().filter(|step| wanted.contains(&step.module.as_str())).collect(),
        ..plan
    };
    assert_eq!(
        text::text(&plan, &parts),
        "with the network, before logins
  mounts (once per instance)
    make directory /data 0755
    write /etc/fstab 0644:
      | /dev/vdb\t/data\tauto\tdefaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig\t0\t2
    run mount -a (may fail)
    run systemctl daemon-reload (may fail)
  set_hostname (once per instance)
    write /etc/hostname 0644:
      | web
    run hostname web (may fail)
    write /var/lib/cloud/data/set-hostname 0644:
      | {
      |  \"fqdn\": \"localhost\",
      |  \"hostname\": \"web\"
      | }
    note: the whole name (fqdn) comes from the cloud's metadata, if that has one
beside other services
  timezone (once per instance)
    error: `timezone` is \"Mars/Base\", and there is no file /usr/share/zoneinfo/Mars/Base (user-data.yaml:5:11); the machine has no /usr/share/zoneinfo: install tzdata
at the end
  package_update_upgrade_install (once per instance)
    run DEBIAN_FRONTEND=noninteractive apt-get --option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet update
    run DEBIAN_FRONTEND=noninteractive apt-get --option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet install vim
    note: apt is not asked for packages that it does not know, and the module fails for them
keys that are not applied
  timezone: failed: `timezone` is \"Mars/Base\", and there is no file /usr/share/zoneinfo/Mars/Base
  chef: unsupported: install chef from `runcmd`, with its configuration in `write_files`
"
    );
}

#[test]
fn of_a_file_that_is_there_the_change_is_shown() {
    let machine =
        Tree::debian().with("/etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n").with("/etc/hostname", "web\n");
    let (plan, parts) =
        planned("hostname: web\nmounts: [[tmpfs, /t, tmpfs, size=1g]]\n", &machine, &Facts::default());
    let shown = text::text(&plan, &parts);
    assert!(
        shown.contains("write /etc/fstab 0644: 1 line kept, 0 lines dropped\n      + tmpfs\t/t\ttmpfs\tsize=1g,comment=cloudconfig\t0\t2\n"),
        "{shown}"
    );
    assert!(shown.contains("write /etc/hostname 0644: as it is already\n"), "{shown}");
}

#[test]
fn no_name_reaches_the_terminal_as_it_is() {
    let (plan, parts) = planned(
        "write_files: [{path: \"/a\\e[2J\\n    run rm\", content: x}]\n\"b\\e\\n\": 1\n",
        &Tree::debian(),
        &Facts::default(),
    );
    let shown = text::text(&plan, &parts);
    assert!(shown.contains(r"/a\u{1b}[2J\n    run rm"), "{shown}");
    assert!(shown.contains(r"  b\u{1b}\n: "), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn the_json_has_its_form() {
    let (plan, parts) = planned("timezone: Mars/Base\n", &Tree::debian(), &Facts::default());
    let shown = text::json(&plan, &parts);
    let names = |value: &Json| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&shown), ["distro", "findings", "keys", "steps"]);
    let step = &shown["steps"].as_array().unwrap().iter().find(|step| step["module"] == "timezone").unwrap();
    assert_eq!(step["findings"][0]["line"], 1);
    assert_eq!(step["stage"], "config");
    assert_eq!(shown["keys"][0]["state"], "failed");
}

/// Machines of every family, with little on them.
fn machines() -> Vec<Tree> {
    let ids = [
        "debian",
        "ubuntu",
        "rhel",
        "fedora",
        "alpine",
        "opensuse-leap",
        "arch",
        "photon",
        "gentoo",
        "flatcar",
    ];
    ids.iter().map(|id| Tree::new().with("/etc/os-release", format!("ID={id}\n"))).collect()
}

#[test]
fn no_configuration_breaks_a_plan() {
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/schema.jsonl");
    let Ok(text) = std::fs::read_to_string(&shared) else {
        eprintln!("SKIPPED: {} is not there", shared.display());
        return;
    };
    let machines = machines();
    let mut planned = 0;
    for (index, line) in text.lines().enumerate() {
        let case: Json = serde_json::from_str(line).unwrap();
        let yaml = case["yaml"].as_str().unwrap();
        let Ok(Some(config)) = hardtack_userdata::load::load_config(yaml, 0) else { continue };
        let parts = vec![part(yaml)];
        let machine = &machines[index % machines.len()];
        let distro = Distro::read(machine);
        let plan = plan(&Request {
            config: &config,
            parts: &parts,
            machine,
            distro: &distro,
            facts: &Facts::default(),
        });
        assert_eq!(plan.keys.len(), config.len());
        assert!(!text::text(&plan, &parts).is_empty());
        planned += 1;
    }
    assert!(planned > 100, "{planned}");
}

#[test]
fn odd_values_under_every_key_break_no_plan() {
    let values = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "''",
        "text",
        "[]",
        "[null]",
        "[[]]",
        "[[null, null]]",
        "[{}]",
        "{}",
        "{a: null}",
        "{null: null}",
        "{1: [2]}",
        "[5, true, text, {a: b}]",
        "2001-02-03",
        "!!binary aGk=",
        "!!set {a}",
        "99999999999999999999999999999999999999999999",
        "[a, [b], {c: [d]}]",
        "{mode: [], url: {}, layout: 5}",
    ];
    let machines = machines();
    let mut keys: Vec<&str> =
        table::modules().iter().flat_map(|module| module.keys.iter().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    for value in values {
        let yaml: String = keys.iter().map(|key| format!("{key}: {value}\n")).collect();
        for machine in &machines {
            let (plan, parts) = planned(&yaml, machine, &Facts::default());
            assert_eq!(plan.keys.len(), keys.len(), "{value}");
            assert!(text::json(&plan, &parts).is_object());
        }
    }
}

#[test]
fn large_lists_do_not_take_long() {
    let many = |item: &dyn Fn(usize) -> String| (0..10_000).map(item).collect::<Vec<_>>().join(", ");
    let names = many(&|n| format!("p{n}"));
    let rows = many(&|n| format!("[d{n}, /m{n}]"));
    let texts = [
        format!("packages: [{names}]"),
        format!("mounts: [{rows}]"),
        format!("device_aliases: {{a: b}}\ndisk_setup: {{{}}}", many(&|n| format!("d{n}: {{}}"))),
        format!("yum_repos: {{{}}}", many(&|n| format!("r{n}: {{baseurl: x}}"))),
        format!("yum_repos: {{r: {{{}}}}}", many(&|n| format!("o{n}: 1"))),
        format!("rsyslog: {{configs: [{}]}}", many(&|n| format!("{{content: a, filename: f{n}}}"))),
        format!("phone_home: {{url: x, post: [{names}]}}"),
        format!("ssh_import_id: [{names}]"),
        format!("ntp: {{servers: [{names}]}}"),
        format!("ca_certs: {{trusted: [{names}]}}"),
        format!("apt: {{sources: {{{}}}}}", many(&|n| format!("s{n}: {{source: x}}"))),
        format!("apt: {{disable_suites: [{names}], sources_list: 'deb x y'}}"),
    ];
    for yaml in texts {
        for id in ["debian", "rhel"] {
            // Repositories of yum are read on Red Hat's, everything else on Debian's.
            if yaml.starts_with("yum") != (id == "rhel") {
                continue;
            }
            let machine = Tree::new()
                .with("/etc/os-release", format!("ID={id}\n"))
                .with("/usr/bin/apt-get", "")
                .with("/usr/bin/sudo", "")
                .with("/usr/bin/ssh-import-id", "");
            let start = std::time::Instant::now();
            let (plan, _) = planned(&yaml, &machine, &Facts::default());
            let head: String = yaml.chars().take(30).collect();
            // A debug build, and others at work beside it: what grows with the square takes minutes.
            assert!(start.elapsed().as_secs() < 20, "{head}: {:?}", start.elapsed());
            assert!(!plan.keys.is_empty());
        }
    }
}
