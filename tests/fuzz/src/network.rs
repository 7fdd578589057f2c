//! Network configuration of any kind: every renderer takes it or says why not.

use hardtack_netconfig::bring_up::renames;
use hardtack_netconfig::config::{Card, Says, from_command_line, says};
use hardtack_netconfig::render::{Image, Renderer, render};
use hardtack_netconfig::{openstack, proc};
use hardtack_userdata::Value;

use crate::memory::bounded;

/// What a configuration and one renderer's files may take.
const MEMORY: usize = 256 << 20;

const RENDERERS: [Renderer; 5] =
    [Renderer::Eni, Renderer::Netplan, Renderer::Networkd, Renderer::Sysconfig, Renderer::NetworkManager];

/// A text as a seed's `network-config`, as `network_data.json`, as files of `/proc/net`.
pub fn network(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    bounded(MEMORY, || {
        let _ = (proc::routes4(text), proc::routes6(text), proc::addresses6(text), proc::addresses4(text));
        let _ = from_command_line(text);
        let Ok(value) = Value::load(text, 0) else { return };
        let card = Card { name: "eth0".into(), mac: "52:54:00:12:34:00".into(), driver: None };
        if let Ok(converted) = openstack::convert(&value, std::slice::from_ref(&card)) {
            every(&converted, &card);
        }
        if let Ok(Says::This(config)) = says(&value) {
            every(&config, &card);
        }
    });
}

fn every(config: &Value, card: &Card) {
    let cards = std::slice::from_ref(card);
    let _ = renames(config, cards);
    for suse in [false, true] {
        let image = Image { has_ip: !suse, netplan_ipv6_mtu: suse, whole_interfaces: false, suse };
        for renderer in RENDERERS {
            match render(renderer, config, cards, &image, &|_| Some("search a\nnameserver 1.1.1.1\n".into()))
            {
                Ok(rendered) => {
                    for file in &rendered.files {
                        assert!(file.path.starts_with("/etc/"), "{}", file.path);
                        // What netplan reads is YAML again.
                        if file.path.ends_with(".yaml") && file.text.len() < 1 << 20 {
                            assert!(Value::load(&file.text, 0).is_ok(), "{}", file.text);
                        }
                    }
                }
                Err(finding) => assert!(!finding.message.is_empty()),
            }
        }
    }
}
