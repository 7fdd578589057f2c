//! First and later boots of a machine in a cloud, whose service is there, gone, lying, or another instance's. Time is
//! virtual.
#![allow(clippy::unwrap_used)]

use hardtack_datasource::testing::{Cloud, Reply, Server, Table, VirtualClock};

use super::*;
use crate::stage::Stage;
use crate::testing::Tree as Files;

const LIST: &str = "datasource_list: [Ec2, None]\n";

/// A machine with one card, whose cloud is at `url`.
fn machine(url: &str) -> Files {
    Files::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file(
            "etc/cloud/cloud.cfg",
            &format!(
                "{LIST}datasource: {{Ec2: {{metadata_urls: ['{url}']}}}}\ncloud_init_modules: [write_files]\n"
            ),
        )
        .file("proc/cmdline", "root=/dev/vda1\n")
        .file("sys/class/net/eth0/address", "d0:0d:0a:bc:12:34\n")
        .file("sys/class/net/eth0/carrier", "1\n")
        .directory("sys/class/net/eth0/device")
        .file("usr/sbin/netplan", "")
}

/// The local stage and the one behind it; the second returns what it failed with.
fn boot(files: &Files, web: &dyn Transport, clock: &dyn Clock) -> Vec<String> {
    let host = files.host();
    let _ = std::fs::remove_dir_all(host.path("/run"));
    crate::stage::run(&host, Stage::Local).unwrap();
    let log = Log::open(&host);
    with(&host, &log, web, clock).unwrap().errors
}

fn note(files: &Files, name: &str) -> String {
    files.read(&format!("var/lib/cloud/data/{name}")).trim().to_owned()
}

/// Whom a data source has said the machine to be in this boot.
fn said(files: &Files) -> Option<String> {
    crate::facts::instance_id_said(&files.host(), true)
}

fn eucalyptus() -> Cloud {
    Cloud::eucalyptus()
        .with("user-data", "#cloud-config\nwrite_files: [{path: /made, append: true, content: once}]\n")
}

const NETPLAN: &str = "etc/netplan/50-cloud-init.yaml";

#[test]
fn an_outage_keeps_the_machine_what_it_is() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud");
    let up = Table::new(&clock).with("cloud", eucalyptus());
    boot(&files, &up, &clock);
    assert_eq!((note(&files, "instance-id").as_str(), files.read("made").as_str()), ("i-0abc1234", "once"));
    assert_eq!(said(&files).as_deref(), Some("i-0abc1234"));
    let first = files.read(NETPLAN);
    assert!(first.contains("d0:0d:0a:bc:12:34"), "{first}");

    let starting = eucalyptus().lies(|_, _| Some(Reply::starting()));
    let hanging = eucalyptus().lies(|_, _| Some(Reply::Hang));
    let portal = eucalyptus().lies(|_, _| Some(Reply::login_page()));
    let away = Table::new(&clock);
    for (name, web) in [
        ("gone", away),
        ("starting", Table::new(&clock).with("cloud", starting)),
        ("hanging", Table::new(&clock).with("cloud", hanging)),
        ("lying", Table::new(&clock).with("cloud", portal)),
        ("back", Table::new(&clock).with("cloud", eucalyptus())),
    ] {
        let begun = clock.now();
        boot(&files, &web, &clock);
        assert_eq!(note(&files, "instance-id"), "i-0abc1234", "{name}");
        assert_eq!(
            said(&files).is_some(),
            name == "back",
            "{name}: what an earlier boot knew was said by nobody"
        );
        assert_eq!(note(&files, "previous-instance-id"), "i-0abc1234", "{name}");
        assert_eq!(files.read("made"), "once", "{name}");
        assert_eq!(files.read(NETPLAN), first, "{name}");
        assert!(files.host().exists("/var/lib/cloud/instances/i-0abc1234/sem/config_write_files"), "{name}");
        // SSH is not kept waiting for what changes nothing.
        assert!((clock.now() - begun).as_secs() <= 20, "{name}: {:?}", clock.now() - begun);
    }
}

#[test]
fn a_copy_of_a_machine_is_another_one_and_has_a_network() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud");
    boot(&files, &Table::new(&clock).with("cloud", eucalyptus()), &clock);
    // The image is started again: another card, another id.
    let files = files.file("sys/class/net/eth0/address", "d0:0d:0b:ad:00:01\n");
    let other = || {
        eucalyptus()
            .with("meta-data/instance-id", "i-0bad0001")
            .with("user-data", "#cloud-config\nwrite_files: [{path: /made, append: true, content: -again}]\n")
    };
    // It may take a while until its cloud can say so.
    let slow = other().lies(|_, number| (number < 60).then(Reply::starting));
    boot(&files, &Table::new(&clock).with("cloud", slow), &clock);
    let config = files.read(NETPLAN);
    assert!(config.contains("d0:0d:0b:ad:00:01") && !config.contains("0a:bc"), "{config}");
    for (id, mac) in [("i-0abc1234", "d0:0d:0a:bc:12:34"), ("i-0bad0001", "d0:0d:0b:ad:00:01")] {
        let applied = files.read(&format!("var/lib/cloud/instances/{id}/network-config.json"));
        assert!(applied.contains(mac), "{applied}");
    }
    assert_eq!(note(&files, "instance-id"), "i-0bad0001");
    assert_eq!(said(&files).as_deref(), Some("i-0bad0001"));
    assert_eq!(note(&files, "previous-instance-id"), "i-0abc1234");
    assert_eq!(files.read("made"), "once-again");
    // And from now on it is that one.
    boot(&files, &Table::new(&clock), &clock);
    assert_eq!(
        (note(&files, "instance-id").as_str(), files.read("made").as_str()),
        ("i-0bad0001", "once-again")
    );
}

#[test]
fn the_same_over_a_port() {
    let clock = VirtualClock::new();
    let server = Server::start(eucalyptus()).unwrap();
    let files = machine(&server.url());
    let web = crate::web::transport(&files.host());
    boot(&files, web.as_ref(), &clock);
    assert_eq!(note(&files, "instance-id"), "i-0abc1234");
    drop(server);
    boot(&files, web.as_ref(), &clock);
    assert_eq!(note(&files, "instance-id"), "i-0abc1234");
    assert_eq!(files.read("made"), "once");
}

#[test]
fn no_data_source_takes_no_time() {
    let clock = VirtualClock::new();
    for (list, named) in [("[None]", true), ("[NoCloud, None]", false)] {
        let config = format!(
            "datasource_list: {list}\ncloud_init_modules: []\ncloud_config_modules: []\ncloud_final_modules: \
             [final_message]\n"
        );
        let files = machine("http://cloud").file("etc/cloud/cloud.cfg", &config);
        boot(&files, &Table::new(&clock).with("169.254.169.254", eucalyptus()), &clock);
        assert_eq!(note(&files, "instance-id"), "iid-datasource-none");
        crate::stage::run(&files.host(), Stage::Final).unwrap();
        let status = files.read("run/cloud-init/status.json");
        assert_eq!(status.contains("Used fallback datasource"), !named, "{status}");
    }
    assert_eq!(clock.now().as_secs(), 0);
}

#[test]
fn a_guess_needs_a_route() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud").file("etc/cloud/cloud.cfg", "{}\n");
    boot(&files, &Table::new(&clock).with("169.254.169.254", eucalyptus()), &clock);
    assert_eq!(note(&files, "instance-id"), "iid-datasource-none");
    assert!(clock.now().as_secs() <= 4, "{:?}", clock.now());
    let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
    for (route, id) in [
        ("eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "iid-datasource-none"),
        ("eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "i-0abc1234"),
    ] {
        let files = machine("http://cloud")
            .file("etc/cloud/cloud.cfg", "{}\n")
            .file("proc/net/route", &format!("{head}{route}"));
        boot(&files, &Table::new(&clock).with("169.254.169.254", eucalyptus()), &clock);
        assert_eq!(note(&files, "instance-id"), id);
    }
    // Nobody is at the end of the route: a while at the first boot, a moment at the others.
    let files = machine("http://cloud").file("etc/cloud/cloud.cfg", "{}\n").file(
        "proc/net/route",
        &format!("{head}eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"),
    );
    let mut waits = Vec::new();
    for _ in 0..2 {
        let begun = clock.now();
        boot(
            &files,
            &Table::new(&clock).with("169.254.169.254", eucalyptus().lies(|_, _| Some(Reply::Hang))),
            &clock,
        );
        waits.push((clock.now() - begun).as_secs());
    }
    assert!(matches!(waits.as_slice(), [10..=16, 3..=6]), "{waits:?}");
}

#[test]
fn a_seed_may_want_everything_before_the_network() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud")
        .file("etc/cloud/cloud.cfg", "datasource_list: [NoCloud, None]\ncloud_init_modules: [write_files]\n")
        .file("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\ndsmode: local\n")
        .file(
            "var/lib/cloud/seed/nocloud/user-data",
            "#cloud-config\nwrite_files: [{path: /made, content: early}]\n",
        );
    let host = files.host();
    crate::stage::run(&host, Stage::Local).unwrap();
    assert_eq!(files.read("made"), "early");
    std::fs::remove_file(host.path("/made")).unwrap();
    let log = Log::open(&host);
    let done = with(&host, &log, &Table::new(&clock), &clock).unwrap();
    assert_eq!((done.datasource, done.errors.len()), (None, 0));
    assert_eq!(said(&files).as_deref(), Some("i-1"));
    assert!(!host.exists("/made"));
    // What the next boot finds.
    std::fs::remove_dir_all(host.path("/var/lib/cloud/seed")).unwrap();
    let files = files.file("etc/cloud/cloud.cfg", "cloud_init_modules: [write_files]\n");
    boot(&files, &Table::new(&clock).with("169.254.169.254", eucalyptus()), &clock);
    assert_eq!((note(&files, "instance-id").as_str(), clock.now().as_secs()), ("i-1", 0));
}

#[test]
fn switched_off_is_off_for_all_stages() {
    let files = machine("http://cloud").file("etc/cloud/ds-identify.cfg", "policy: disabled\n");
    let host = files.host();
    for stage in [Stage::Local, Stage::Network, Stage::Config, Stage::Final] {
        crate::stage::run(&host, stage).unwrap();
    }
    assert!(host.exists("/run/cloud-init/disabled") && !host.exists("/run/cloud-init/enabled"));
    assert!(!host.exists("/run/cloud-init/status.json") && !host.exists("/var/lib/cloud/data/status.json"));
    assert!(!host.exists("/run/cloud-init/result.json") && !host.exists("/var/lib/cloud/instance"));
    assert!(!host.exists("/etc/netplan"));
}

#[test]
fn several_cards_of_ec2_are_in_the_files_and_those_that_are_down_are_owed() {
    let clock = VirtualClock::new();
    let macs = "meta-data/network/interfaces/macs";
    let cloud = eucalyptus()
        .with(&format!("{macs}/d0:0d:0c:00:00:02/device-number"), "1")
        .with(&format!("{macs}/d0:0d:0c:00:00:02/local-ipv4s"), "172.16.1.9");
    let files = machine("http://cloud")
        .file("sys/class/net/eth1/address", "d0:0d:0c:00:00:02\n")
        .directory("sys/class/net/eth1/device")
        .file("proc/net/if_inet6", "20010db8000000000000000000000005 02 40 00 80 eth0\n");
    boot(&files, &Table::new(&clock).with("cloud", cloud), &clock);
    // The one that the metadata came over is up.
    assert_eq!(files.read("run/hardtack/network-cards"), "netplan\neth1\n");
    let config = files.read(NETPLAN);
    assert!(config.contains("eth0") && config.contains("eth1") && config.contains("d0:0d:0c"), "{config}");
    assert!(files.read("run/cloud-init/network-config.json").contains("eth1"));
    boot(&files, &Table::new(&clock), &clock);
    assert_eq!(files.read(NETPLAN), config);
    // Later boots begin with the files.
    assert!(!files.host().exists("/run/hardtack/network-cards"));
}

#[test]
fn what_somebody_rules_out_is_over_and_what_is_away_is_not() {
    let clock = VirtualClock::new();
    let known = |list: &str| {
        let files = machine("http://cloud");
        boot(&files, &Table::new(&clock).with("cloud", eucalyptus()), &clock);
        let files = files.file("etc/cloud/cloud.cfg", &format!("{list}cloud_init_modules: []\n"));
        boot(&files, &Table::new(&clock), &clock);
        note(&files, "instance-id")
    };
    assert_eq!(known("datasource_list: [NoCloud, ConfigDrive, None]\n"), "iid-datasource-none");
    assert_eq!(known("datasource_list: [None]\n"), "iid-datasource-none");
    assert_eq!(known("datasource_list: [NoCloud, Ec2, None]\n"), "i-0abc1234");
    assert_eq!(known(""), "i-0abc1234");
    // The marks of another cloud, which is away.
    let files = machine("http://cloud");
    boot(&files, &Table::new(&clock).with("cloud", eucalyptus()), &clock);
    let files = files
        .file("etc/cloud/cloud.cfg", "cloud_init_modules: []\n")
        .file("sys/class/dmi/id/product_name", "OpenStack Nova\n");
    boot(&files, &Table::new(&clock), &clock);
    assert_eq!(note(&files, "instance-id"), "i-0abc1234");
    let result = files.read("run/cloud-init/ds-identify.log");
    assert!(result.contains("OpenStack: found"), "{result}");
}

#[test]
fn what_a_service_says_of_the_network_is_for_the_next_boot() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud")
        .file("etc/cloud/cloud.cfg", "datasource_list: [OpenStack]\ncloud_init_modules: []\n")
        .file("sys/class/net/eth0/address", "fa:16:3e:00:00:01\n");
    let cloud = Cloud::openstack().with(
        "openstack/2018-08-27/network_data.json",
        r#"{"links": [{"ethernet_mac_address": "fa:16:3e:00:00:01", "id": "tap0", "type": "ovs"}],
            "networks": [{"id": "n", "link": "tap0", "type": "ipv4", "ip_address": "10.0.0.7",
                          "netmask": "255.255.255.0", "routes": []}], "services": []}"#,
    );
    let host = files.host();
    crate::stage::run(&host, Stage::Local).unwrap();
    assert!(files.read(NETPLAN).contains("dhcp4: true"));
    let log = Log::open(&host);
    with(&host, &log, &Table::new(&clock).with("169.254.169.254", cloud), &clock).unwrap();
    assert!(files.read(NETPLAN).contains("10.0.0.7/24"), "{}", files.read(NETPLAN));
    boot(&files, &Table::new(&clock), &clock);
    assert!(files.read(NETPLAN).contains("10.0.0.7/24"));
}

#[test]
fn user_data_that_fails_as_a_whole_does_nothing_in_any_stage() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud").file("inc", "#cloud-config\nwrite_files: [{path: /made, defer: true}]\n").file(
        "etc/cloud/cloud.cfg",
        "datasource_list: [NoCloud, None]\ncloud_config_modules: []\ncloud_final_modules: [write_files_deferred]\n",
    );
    let seed = "var/lib/cloud/seed/nocloud";
    let files = files
        .file(&format!("{seed}/meta-data"), "instance-id: i-1\n")
        .file(&format!("{seed}/user-data"), "#include\nfile:///missing\nfile:///inc\n");
    assert_eq!(boot(&files, &Table::new(&clock), &clock), ["Consuming user data failed!"]);
    // Whoever mends it gets in; it counts as not done, and is done again when the user-data is whole.
    let ran: Vec<String> =
        Record::load(&files.host()).modules.into_iter().map(|module| module.module).collect();
    assert!(ran.iter().any(|module| module == "ssh"), "{ran:?}");
    assert!(!files.host().exists("/var/lib/cloud/instance/sem/config_ssh"));
    crate::stage::run(&files.host(), Stage::Final).unwrap();
    assert!(!files.host().exists("/made"));
    assert_eq!(files.read("var/lib/cloud/instance/cloud-config.txt"), "");
    // Without what fails it is done.
    let files = files.file(&format!("{seed}/user-data"), "#include\nfile:///inc\n");
    assert_eq!(boot(&files, &Table::new(&clock), &clock), Vec::<String>::new());
    crate::stage::run(&files.host(), Stage::Final).unwrap();
    assert!(files.host().exists("/made"));
}

#[test]
fn a_seed_is_found_also_where_the_stage_before_never_ran() {
    let clock = VirtualClock::new();
    let files = machine("http://cloud")
        .file("etc/cloud/cloud.cfg", "datasource_list: [NoCloud, None]\ncloud_init_modules: [write_files]\n")
        .file("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-seed\ndsmode: local\n")
        .file(
            "var/lib/cloud/seed/nocloud/user-data",
            "#cloud-config\nwrite_files: [{path: /made, content: x}]\n",
        );
    let host = files.host();
    crate::config::directory(&host, crate::config::RUNTIME).unwrap();
    crate::instance::directories(&host).unwrap();
    let log = Log::open(&host);
    assert!(with(&host, &log, &Table::new(&clock), &clock).unwrap().errors.is_empty());
    assert_eq!((note(&files, "instance-id").as_str(), files.read("made").as_str()), ("i-seed", "x"));
}
