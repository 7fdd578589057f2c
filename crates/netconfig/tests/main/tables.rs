//! The tables on the console, and OpenStack's networks, against the real program's.

use hardtack_netconfig::config::Card;
use hardtack_netconfig::info::{Address, Interface, Route, tables};
use hardtack_netconfig::openstack;
use hardtack_userdata::json;
use serde_json::Value as Json;

fn word(json: &Json, key: &str) -> String {
    json[key].as_str().unwrap_or_default().to_owned()
}

fn interface((name, device): (&String, &Json)) -> Interface {
    let addresses = |family: &str, scope: &str| {
        let found = device[family].as_array().unwrap().iter();
        found
            .map(|one| Address { address: word(one, "ip"), mask: word(one, "mask"), scope: word(one, scope) })
            .collect()
    };
    Interface {
        name: name.clone(),
        up: device["up"].as_bool().unwrap(),
        hardware: word(device, "hwaddr"),
        ipv4: addresses("ipv4", "scope"),
        ipv6: addresses("ipv6", "scope6"),
    }
}

fn routes(routes: &Json, empty: &str) -> Vec<Route> {
    let found = routes.as_array().unwrap().iter();
    found
        .map(|route| Route {
            destination: word(route, "destination"),
            gateway: route["gateway"].as_str().unwrap_or(empty).to_owned(),
            mask: word(route, "genmask"),
            interface: word(route, "iface"),
            flags: word(route, "flags"),
        })
        .collect()
}

#[test]
fn tables_look_like_the_real_ones() {
    let mut count = 0;
    for line in include_str!("../data/tables.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let interfaces: Vec<Interface> =
            case["interfaces"].as_object().unwrap().iter().map(interface).collect();
        let (ipv4, ipv6) =
            (routes(&case["routes"]["ipv4"], "0.0.0.0"), routes(&case["routes"]["ipv6"], "::"));
        assert_eq!(tables(&interfaces, &ipv4, &ipv6), case["text"].as_str().unwrap());
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn network_data_is_converted_as_the_real_one_is() {
    let cards = [("52:54:00:12:34:00", "ens3"), ("52:54:00:12:34:01", "ens4")].map(|(mac, name)| Card {
        name: name.to_owned(),
        mac: mac.to_owned(),
        driver: None,
    });
    let mut refused = 0;
    for line in include_str!("../data/openstack.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let found = openstack::convert(&openstack::from_json(&case["data"]), &cards);
        let found = found.map_or(Json::Null, |found| json::value(&found));
        assert_eq!(found, case["config"], "{}", case["data"]);
        refused += usize::from(found.is_null());
    }
    assert!((5..40).contains(&refused), "{refused}");
}
