//! The key `profile`.

use hardtack_profile::{Kind, Packages};

use super::*;

fn read(text: &str) -> Result<Recipe, LoadError> {
    let env = |_: &str| None;
    load_recipe(Path::new("recipe.yaml"), text, &env, &RealFiles)
}

#[test]
fn a_name_is_a_profile_as_it_comes() {
    let profile = read("recipe: 1\nprofile: cis-2\n").unwrap().profile.unwrap();
    assert_eq!(profile, hardtack_profile::Profile::new(Kind::Cis2));
}

#[test]
fn exceptions_go_by_name_or_number() {
    let text = "recipe: 1\nprofile:\n  name: cis-1\n  exceptions:\n    \
                - {control: 3.3.2, reason: it is a router}\n  ssh-from: [10.0.0.0/8, 'fd00::/8']\n  \
                packages: none\n  firewall-rollback: confirmed\n";
    let profile = read(text).unwrap().profile.unwrap();
    assert_eq!(profile.exceptions[0].rule, "sys-send-redirects");
    assert_eq!(profile.exceptions[0].reason, "it is a router");
    assert_eq!(profile.settings.ssh_from, ["10.0.0.0/8", "fd00::/8"]);
    assert_eq!(profile.settings.packages, Packages::None);
    assert!(profile.settings.firewall_confirmed);
}

#[test]
fn ports_besides_ssh_s_are_numbers_or_mappings() {
    let text = "recipe: 1\nprofile:\n  name: cis-1\n  tailoring: web-server\n  \
                open-ports: [443, {port: 443, protocol: udp}, {port: 53, from: 10.0.0.0/8}]\n";
    let profile = read(text).unwrap().profile.unwrap();
    let open: Vec<_> =
        profile.settings.open_ports.iter().map(|one| (one.port, one.protocol.word())).collect();
    assert_eq!(open, [(443, "tcp"), (443, "udp"), (53, "tcp")]);
    assert_eq!(profile.settings.open_ports[2].from, ["10.0.0.0/8"]);
    // Then nothing else is let in, whatever the tailoring leaves out.
    let left_out = |profile: &hardtack_profile::Profile| {
        profile.selected(false).any(|(rule, reason)| rule.id == "fw-nft-deny" && reason.is_some())
    };
    assert!(!left_out(&profile));
    let text = "recipe: 1\nprofile: {name: cis-1, tailoring: web-server}\n";
    assert!(left_out(&read(text).unwrap().profile.unwrap()));
}

#[test]
fn a_number_stands_for_all_of_its_controls() {
    let text =
        "recipe: 1\nprofile: {name: cis-1, exceptions: [{control: 1.5.3, reason: cores are read here}]}\n";
    let profile = read(text).unwrap().profile.unwrap();
    let names: Vec<&str> = profile.exceptions.iter().map(|exception| exception.rule).collect();
    assert!(names.contains(&"core-limits") && names.contains(&"sys-suid-dumpable"), "{names:?}");
}

#[test]
fn what_nobody_can_do_is_told_before_any_image() {
    for (line, wanted) in [
        ("enforce: boot-password", "cannot be enforced without a password"),
        ("ssh-from: 10.0.0.1/8", "is no network"),
        ("ssh-from: []", "names no network"),
        ("open-ports: [{protocol: udp}]", "needs the key `port`"),
        ("open-ports: 0", "from 1 to 65535"),
        ("open-ports: [{port: 53, protocol: sctp}]", "takes `tcp` or `udp`"),
        ("open-ports: [{port: 53, from: 10.0.0.1/8}]", "recipe.yaml:4:33"),
        ("open-ports: [{port: 53, from: []}]", "`from` names no network"),
        ("open-ports: [443, {port: 443, protocol: tcp}]", "recipe.yaml:4:21"),
        ("open-ports: [{port: 53, to: 10.0.0.0/8}]", "`to`"),
        ("ssh-group: \"a b\"", "takes the name of a group"),
        ("time-servers: \"bad name\"", "names or addresses"),
        ("log-host: loghost", "a host and a port"),
        ("tmp-size: much", "is no size"),
    ] {
        let told = read(&format!("recipe: 1\nprofile:\n  name: cis-1\n  {line}\n")).unwrap_err().to_string();
        assert!(told.contains(wanted), "{line}: {told}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "recipe: 1\nprofile:\n  name: cis-3\n  ssh-from: 10.0.0.0/33\n  exceptions:\n    \
                - {control: sys-send-redirect, reason: x}\n    - {control: sys-send-redirects}\n    \
                - {control: sys-send-redirects, reason: ' '}\n  boot-password: secret\n";
    let told = read(text).unwrap_err().to_string();
    for wanted in [
        "did you mean `cis-1`?",
        "\"10.0.0.0/33\" is no network",
        "did you mean `sys-send-redirects`?",
        "an exception needs the key `reason`",
        "an exception needs a reason",
        "`boot-password` takes a hash",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
}
