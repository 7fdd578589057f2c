//! What a configuration in coreos-cloudinit's dialect does.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Distro, Facts, Machine, Plan, Request, plan};
use hardtack_userdata::coreos::Addresses;
use hardtack_userdata::{SplitOptions, load, merge, split};

fn distro() -> Distro {
    Distro {
        id: "debian".to_owned(),
        family: "debian".to_owned(),
        variant: "debian".to_owned(),
        ..Distro::default()
    }
}

fn plan_of(text: &str, machine: &dyn Machine, facts: &Facts) -> Plan {
    let data = split("x", text.as_bytes(), &SplitOptions::default());
    let merged = merge::merge_parts(&data.parts);
    assert!(load::load_config(text, 0).is_ok());
    plan(&Request { config: &merged.config, parts: &data.parts, machine, distro: &distro(), facts })
}

/// What the modules of the dialect do, one line for each action.
fn done(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| step.module.starts_with("coreos"));
    steps
        .flat_map(|step| &step.actions)
        .map(|action| match action {
            Action::Write { path, content, mode, owner } => {
                let text = String::from_utf8_lossy(&content.bytes).into_owned();
                let text = if content.secret { "<secret>".to_owned() } else { format!("{text:?}") };
                let owner = owner.as_ref().map_or(String::new(), |owner| {
                    format!(" {:?}:{:?}", owner.user.as_deref(), owner.group.as_deref())
                });
                format!("write {path} {:o}{owner} {text}", mode.unwrap_or(0))
            }
            Action::Link { path, target } => format!("link {path} {target}"),
            Action::Remove { path } => format!("remove {path}"),
            Action::Run { argv, optional, stdin, .. } => {
                let input = if stdin.is_some() { " <input" } else { "" };
                format!("{} {}{input}", if *optional { "try" } else { "run" }, argv.join(" "))
            }
            Action::Live { what, details } => {
                let details: Vec<String> =
                    details.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("live {what} {}", details.join(" "))
            }
            other => format!("{other:?}"),
        })
        .collect()
}

fn facts() -> Facts {
    Facts {
        addresses: Addresses { private_ipv4: Some("10.1.2.3".to_owned()), ..Addresses::default() },
        local_hostname: Some("of-metadata".to_owned()),
        ..Facts::default()
    }
}

#[test]
fn everything_comes_in_the_programs_order() {
    let text = "#cloud-config
coreos:
  units:
    - name: web.service
      command: start
      enable: true
      content: addr $private_ipv4
    - name: lan.network
      content: x
    - name: old.service
      mask: true
  update: {reboot-strategy: off, group: beta}
  oem: {id: acme}
  flannel: {etcd_password: hush}
  locksmith: {group: g, etcd_password: hush}
hostname: box
users:
  - name: core
    passwd: $6$a$b
    ssh-authorized-keys: [\" k1 \"]
    groups: [a, b]
ssh_authorized_keys: [k2]
manage_etc_hosts: localhost
write-files:
  - {path: /opt/../opt/x, permissions: 755, owner: 'root:adm', content: hi}
runcmd: [ls]
";
    let machine =
        Tree::debian().with("/etc/coreos/update.conf", "GROUP=stable\n").with("/etc/environment", "LANG=C\n");
    let plan = plan_of(text, &machine, &facts());
    assert_eq!(
        done(&plan),
        [
            "write /etc/hostname 644 \"box\\n\"",
            "try hostname box",
            "run useradd core --password * --groups a,b -m",
            "run chpasswd -e <input",
            "live authorized-keys user=core key=k1",
            "live authorized-keys user=core key=k2",
            "write /opt/x 755 Some(\"root\"):Some(\"adm\") \"hi\"",
            "write /etc/oem-release 644 \"ID=acme\\nVERSION_ID=\\nNAME=\\\"\\\"\\nHOME_URL=\\\"\\\"\\nBUG_REPORT_URL=\\\"\\\"\\n\"",
            "write /etc/coreos/update.conf 644 \"GROUP=beta\\nREBOOT_STRATEGY=off\\n\"",
            "write /etc/hosts 644 \"127.0.0.1 box\\n\"",
            "write /run/flannel/options.env 644 <secret>",
            "write /etc/environment 644 \"LANG=C\\nCOREOS_PRIVATE_IPV4=10.1.2.3\\n\"",
            "write /etc/systemd/system/web.service 644 \"addr 10.1.2.3\"",
            "run systemctl enable --force web.service",
            "write /etc/systemd/network/lan.network 644 \"x\"",
            "link /etc/systemd/system/old.service /dev/null",
            "write /run/systemd/system/locksmithd.service.d/20-cloudinit.conf 644 <secret>",
            "link /run/systemd/system/locksmithd.service /dev/null",
            "run systemctl daemon-reload",
            "try systemctl restart systemd-networkd.service",
            "try systemctl start web.service",
            "try systemctl stop locksmithd.service",
            "try systemctl restart update-engine.service",
        ]
    );
    // cloud-init's modules leave those keys alone, and do the rest.
    let modules: Vec<&str> = plan.steps.iter().map(|step| step.module.as_str()).collect();
    assert!(modules.contains(&"runcmd"), "{modules:?}");
    for replaced in ["write_files", "set_hostname", "update_hostname", "update_etc_hosts"] {
        assert!(!modules.contains(&replaced), "{modules:?}");
    }
    let key = |name: &str| plan.keys.iter().find(|key| key.key == name).expect("reported").modules.clone();
    assert_eq!(key("write-files"), ["coreos_files"]);
    assert!(key("runcmd").contains(&"runcmd".to_owned()));
}

#[test]
fn an_error_ends_what_comes_behind_it() {
    let text = "#cloud-config
coreos:
  units: [{name: a.service, command: start}]
hostname: box
manage_etc_hosts: true
write_files: [{path: /x, content: x}]
";
    let plan = plan_of(text, &Tree::debian(), &facts());
    assert_eq!(done(&plan), ["write /etc/hostname 644 \"box\\n\"", "try hostname box"]);
    let unknown = "#cloud-config
coreos:
  units: [{name: a.service, command: begin}, {name: b.service, command: start}]
";
    let plan = plan_of(unknown, &Tree::debian(), &Facts::default());
    assert_eq!(done(&plan), Vec::<String>::new());
    assert!(plan.steps.iter().any(|step| step.module == "coreos_units" && !step.findings.is_empty()));
}

#[test]
fn masks_are_taken_away_from_empty_files_only() {
    let text = "#cloud-config
coreos:
  units:
    - {name: a.service, runtime: true}
    - {name: b.service, runtime: true}
    - {name: fleet.service, runtime: true, mask: true}
";
    let machine = Tree::debian()
        .with("/run/systemd/system/a.service", "")
        .with("/run/systemd/system/b.service", "[Unit]\n");
    assert_eq!(
        done(&plan_of(text, &machine, &Facts::default())),
        [
            "remove /run/systemd/system/a.service",
            "link /run/systemd/system/fleet.service /dev/null",
            // The section `fleet` brings the service without a mask, as in coreos-cloudinit.
            "remove /run/systemd/system/fleet.service",
        ]
    );
}

#[test]
fn an_address_that_is_not_known_stays_a_word_in_the_plan() {
    let text = "#cloud-config
coreos: {units: [{name: a.service, content: $private_ipv4 $public_ipv4}]}
";
    let machine = Tree::debian().with("/etc/environment", "COREOS_PUBLIC_IPV4=198.51.100.7\n");
    let plan = plan_of(text, &machine, &Facts::default());
    assert!(
        done(&plan).iter().any(|line| line.ends_with("\"$private_ipv4 198.51.100.7\"")),
        "{:?}",
        done(&plan)
    );
    assert!(plan.steps.iter().any(|step| step.notes.iter().any(|note| note.contains("`$private_ipv4`"))));
}

#[test]
fn keys_for_an_account_that_is_not_there_are_told_of() {
    let text = "#cloud-config
coreos: {}
ssh_authorized_keys: [k]
users: [{name: joe, coreos-ssh-import-github: joe}]
";
    let plan = plan_of(text, &Tree::debian(), &Facts::default());
    assert_eq!(done(&plan), ["run useradd joe --password * -m"]);
    let codes: Vec<&str> =
        plan.steps.iter().flat_map(|step| &step.findings).map(|finding| finding.code).collect();
    assert_eq!(codes, ["unsupported", "skipped-value"]);
    let core = Tree::debian()
        .with("/etc/passwd", "core:x:500:500::/home/core:/bin/bash\n")
        .with("/usr/bin/update-ssh-keys", "");
    let plan = plan_of(text, &core, &Facts { public_keys: vec!["m".to_owned()], ..Facts::default() });
    assert!(done(&plan).contains(&"run update-ssh-keys -u core -a coreos-cloudinit <input".to_owned()));
}

#[test]
fn thousands_of_users_end_soon() {
    let users: String = (0..1000).map(|index| format!("  - {{name: u{index}}}\n")).collect();
    let plan = plan_of(&format!("#cloud-config\ncoreos: {{}}\nusers:\n{users}"), &Tree::debian(), &facts());
    assert_eq!(done(&plan).iter().filter(|line| line.starts_with("run useradd")).count(), 1000);
}

#[test]
fn other_configurations_are_left_alone() {
    let plan = plan_of("#cloud-config\nhostname: a\nwrite-files: []\n", &Tree::debian(), &Facts::default());
    assert!(plan.steps.iter().all(|step| !step.module.starts_with("coreos")));
    assert_eq!(done(&plan), Vec::<String>::new());
}

#[test]
fn the_examples_do_what_they_say() {
    let docker = plan_of(
        include_str!("../../../../cloud-config/coreos-docker-ephemeral.yaml"),
        &Tree::debian(),
        &facts(),
    );
    let commands: Vec<String> = done(&docker)
        .into_iter()
        .filter(|line| line.starts_with("try systemctl") || line.starts_with("run systemctl"))
        .collect();
    assert_eq!(
        commands,
        [
            "run systemctl daemon-reload",
            "try systemctl start format-ephemeral.service",
            "try systemctl start var-lib-docker.mount"
        ]
    );
    let cluster =
        plan_of(include_str!("../../../../cloud-config/coreos-cluster.yaml"), &Tree::debian(), &facts());
    assert!(
        done(&cluster).iter().any(|line| line.contains("ETCD_ADDR=10.1.2.3:4001")),
        "{:?}",
        done(&cluster)
    );
    // The sections make the same drop-ins, below /run.
    let section = plan_of(
        "#cloud-config\ncoreos:\n  etcd: {addr: '$private_ipv4:4001', peer-addr: '$private_ipv4:7001'}\n",
        &Tree::debian(),
        &facts(),
    );
    let drop_in = "write /run/systemd/system/etcd.service.d/20-cloudinit.conf 644 \"[Service]\\nEnvironment=\\\"ETCD_ADDR=10.1.2.3:4001\\\"\\nEnvironment=\\\"ETCD_PEER_ADDR=10.1.2.3:7001\\\"\\n\"";
    assert!(done(&section).contains(&drop_in.to_owned()), "{:?}", done(&section));
}

#[test]
fn the_default_user_of_an_image_stays_and_coreos_has_no_other() {
    let of = |machine: &Tree| {
        let data = split(
            "user-data",
            b"#cloud-config\ncoreos: {}\nusers: [{name: core}]\n",
            &SplitOptions::default(),
        );
        let merged = merge::merge_parts(&data.parts);
        let distro = Distro::read(machine);
        let facts = facts();
        let parts = &data.parts;
        let plan = plan(&Request { config: &merged.config, parts, machine, distro: &distro, facts: &facts });
        plan.steps
            .iter()
            .filter(|step| step.module == "users_groups")
            .map(|step| step.actions.len())
            .sum::<usize>()
    };
    assert!(of(&Tree::debian()) > 0, "the login keys of the cloud need their owner");
    assert_eq!(of(&Tree::new().with("/etc/os-release", "ID=flatcar\nID_LIKE=coreos\n")), 0);
}

/// Warnings of the dialect's modules.
fn warned(text: &str, facts: &Facts) -> Vec<String> {
    let plan = plan_of(text, &Tree::debian(), facts);
    let steps = plan.steps.into_iter().filter(|step| step.module.starts_with("coreos"));
    steps.flat_map(|step| step.findings).map(|finding| finding.message).collect()
}

#[test]
fn what_is_passed_over_for_its_kind_is_told() {
    for (text, wanted) in [
        ("coreos: [1, 2]\n", "`coreos` is a list, where a mapping belongs: nothing of it is done"),
        (
            "coreos: {units: {a: b}}\n",
            "`coreos.units` is a mapping, where a list belongs: there are no units",
        ),
        ("coreos: {etcd: 7}\n", "`coreos.etcd` is a number, where a mapping belongs: nothing of it is done"),
        ("coreos: {bogus: 1}\n", "nothing reads `coreos.bogus`"),
        ("coreos: {units: [{command: start}]}\n", "this unit is passed over"),
    ] {
        let found = warned(&format!("#cloud-config\n{text}"), &facts());
        assert!(found.iter().any(|message| message.ends_with(wanted)), "{text}: {found:?}");
    }
    let fine = "#cloud-config\ncoreos:\n  oem: {id: x}\n  update: null\n  units:\n    - name: a.service\n      mask: true\n";
    assert_eq!(warned(fine, &facts()), Vec::<String>::new());
}

#[test]
fn an_address_that_a_running_machine_lacks_is_told() {
    let text = "#cloud-config\ncoreos:\n  fleet:\n    public-ip: $public_ipv4\n    metadata: $private_ipv4\n";
    assert_eq!(warned(text, &facts()), Vec::<String>::new());
    let running = Facts { uptime: Some(1.0), ..facts() };
    assert_eq!(warned(text, &running), ["`$public_ipv4` stays as it is: the machine has no such address"]);
}
