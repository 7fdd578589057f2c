#!/usr/bin/env python3
"""What the real cloud-init writes for network configurations.

Usage, in a checkout of cloud-init: python3 verdicts.py [MUTATIONS] < configs.yaml > verdicts.jsonl

Each document of the input is one configuration. With a number, so many mutations of them follow. Each line of
the output holds the text, and for every renderer the files or the exception's name. The lines that the
project words itself (the headers of files) are left empty.
"""
import copy
import io
import json
import logging
import os
import random
import sys
import tempfile
from unittest import mock

import yaml

from cloudinit import net, subp, util
from cloudinit.net import eni, netplan, network_manager, network_state, networkd, sysconfig

CARDS = {
    "52:54:00:12:34:00": "ens3",
    "52:54:00:12:34:01": "ens4",
    "de:ad:be:ef:00:07": "enp0s7",
}
RHEL = {
    "control": "etc/sysconfig/network",
    "iface_templates": "%(base)s/network-scripts/ifcfg-%(name)s",
    "route_templates": {
        "ipv4": "%(base)s/network-scripts/route-%(name)s",
        "ipv6": "%(base)s/network-scripts/route6-%(name)s",
    },
}
SUSE = {
    "control": "etc/sysconfig/network/config",
    "flavor": "suse",
    "iface_templates": "%(base)s/network/ifcfg-%(name)s",
    "netrules_path": "etc/udev/rules.d/85-persistent-net-cloud-init.rules",
    "route_templates": {
        "ipv4": "%(base)s/network/ifroute-%(name)s",
        "ipv6": "%(base)s/network/ifroute-%(name)s",
    },
}
RENDERERS = {
    "eni": lambda: eni.Renderer({"eni_path": "etc/network/interfaces.d/50-cloud-init"}),
    "netplan": lambda: netplan.Renderer({"features": ["none"], "netplan_path": "etc/netplan/50-cloud-init.yaml"}),
    "networkd": lambda: networkd.Renderer(),
    "sysconfig": lambda: sysconfig.Renderer(RHEL),
    "suse": lambda: sysconfig.Renderer(SUSE),
    "network-manager": lambda: network_manager.Renderer(),
}
sysconfig._make_header = lambda sep="#": sep + "\n" + sep


def files(folder):
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            with open(path, newline="") as stream:
                found[path[len(folder):]] = stream.read()
    return found


def verdict(text, make):
    with tempfile.TemporaryDirectory() as folder:
        try:
            config = util.load_yaml(text, default="broken", allowed=(object,))
            renderer = make()
            state = network_state.parse_net_config_data(config, renderer=renderer)
            if isinstance(renderer, networkd.Renderer):
                renderer.network_conf_dir = "/etc/systemd/network/"
            renderer.render_network_state(state, target=folder)
        except Exception as error:
            return {"error": type(error).__name__}
        found = files(folder)
        for path, content in found.items():
            if "NetworkManager/system" in path:
                found[path] = content.split("\n", 2)[2]
            if path.endswith("50-cloud-init.yaml"):
                found[path] = content[1:]
        found = {path: content for path, content in found.items() if "30-cloud-init-ip6" not in path}
        return {"files": found}


WORDS = [None, True, False, 0, 1, 9000, -1, 1.5, "", "eth0", "ens3", "yes", "no", "on", "1500", "10.0.0.1", "10.9.0.7/16",
         "2001:db8::7/64", "2001:db8::1", "default", "0.0.0.0/0", "::/0", "255.255.0.0", "64", "static", "static6", "dhcp",
         "dhcp4", "dhcp6", "manual", "ipv6_slaac", "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless", [], {}, ["a", "b"],
         ["10.0.0.2", "2001:db8::53"], {"a": 1}, "a: b", "# x", " lead", "multi\nline", "\u00e9t\u00e9", "x" * 100 + " " + "y" * 30,
         "52:54:00:12:34:01", "none", "physical", "bond", "bridge", "vlan", "loopback", "hotplug", "auto", "null", "~", "1e3",
         "2026-11-21", "tab\tin", "it's", "\"q\"", "a  b", "-", "- a", "bond0", 64, 24, "fe80::1%ens3"]
KEYS = ["mtu", "gateway", "gateway4", "gateway6", "metric", "netmask", "prefix", "routes", "dns_search", "dns_nameservers",
        "accept-ra", "optional", "wakeonlan", "control", "type", "address", "addresses", "set-name", "match", "dhcp4", "dhcp6",
        "dhcp4-overrides", "params", "name", "mac_address", "macaddress", "interface", "search", "keep_configuration",
        "nameservers", "config_id", "vlan_id", "link", "id", "parameters", "interfaces", "bridge_stp", "bond-mode",
        "bond_miimon", "dhcp4domain", "routing-policy", "table", "destination", "network", "to", "via", "version", "ethernets"]


def spots(node, found):
    if isinstance(node, dict):
        for key in list(node):
            found.append((node, key))
            spots(node[key], found)
    elif isinstance(node, list):
        for key in range(len(node)):
            found.append((node, key))
            spots(node[key], found)
    return found


def mutate(config, rng, donors):
    config = copy.deepcopy(config)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = spots(config, [])
        if not found:
            return config
        node, key = rng.choice(found)
        how = rng.randrange(6)
        if how == 0:
            del node[key]
        elif how == 1:
            node[key] = copy.deepcopy(rng.choice(WORDS))
        elif how == 2 and isinstance(node, dict):
            node[rng.choice(KEYS)] = copy.deepcopy(rng.choice(WORDS))
        elif how == 3:
            donor, name = rng.choice(donors)
            node[key] = copy.deepcopy(donor[name])
        elif how == 4 and isinstance(node, list):
            node.insert(0, copy.deepcopy(node[key]))
        elif isinstance(node, dict):
            donor, name = rng.choice(donors)
            node[name if isinstance(donor, dict) else rng.choice(KEYS)] = copy.deepcopy(donor[name])
    return config


def main():
    logging.disable(logging.CRITICAL)
    configs = list(yaml.safe_load_all(sys.stdin))
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    donors = [spot for config in configs for spot in spots(config, [])]
    mutated = [mutate(rng.choice(configs), rng, donors) for _ in range(wanted)]
    ip = lambda name, *rest, **more: "/sbin/ip" if name == "ip" else None
    with mock.patch.object(network_state, "get_interfaces_by_mac", lambda: CARDS), mock.patch.object(
        network_state, "find_interface_name_from_mac", CARDS.get
    ), mock.patch.object(subp, "which", ip), mock.patch.object(util, "chownbyname", lambda *a: None), mock.patch.object(
        netplan, "netplan_api_write_yaml_file", lambda *a, **k: False
    ):
        for config in configs + mutated:
            text = yaml.dump(config, Dumper=Plain, allow_unicode=True, sort_keys=False, default_flow_style=None)
            line = {"text": text}
            for name, make in RENDERERS.items():
                line[name] = verdict(text, make)
            print(json.dumps(line))


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


main()
