#!/usr/bin/env python3
"""What the real cloud-init makes of network_data.json.

Usage, in a checkout of cloud-init: python3 openstack.py [MUTATIONS] > openstack.jsonl
"""
import copy
import json
import logging
import random
import sys
from unittest import mock

from cloudinit import net, util
from cloudinit.sources.helpers import openstack

logging.disable(logging.CRITICAL)
MACS = {"52:54:00:12:34:00": "ens3", "52:54:00:12:34:01": "ens4"}
BASE = [
    {
        "links": [{"id": "tap1", "type": "ovs", "ethernet_mac_address": "52:54:00:12:34:00", "mtu": 1450, "vif_id": "x"}],
        "networks": [
            {"id": "n0", "link": "tap1", "type": "ipv4_dhcp", "network_id": "y"},
            {"id": "n1", "link": "tap1", "type": "ipv6", "ip_address": "2001:db8::5", "netmask": "ffff:ffff::", "gateway": "2001:db8::1", "routes": []},
        ],
        "services": [{"type": "dns", "address": "192.0.2.53"}],
    },
    {
        "links": [
            {"id": "a", "type": "phy", "ethernet_mac_address": "52:54:00:12:34:00", "mtu": None},
            {"id": "b", "type": "phy", "ethernet_mac_address": "52:54:00:12:34:01", "name": "left"},
            {"id": "c", "type": "bond", "bond_links": ["a", "b"], "bond_mode": "4", "bond_miimon": 100, "bond-x": 1, "ethernet_mac_address": "52:54:00:12:34:0A"},
            {"id": "d", "type": "vlan", "vlan_id": 602, "vlan_link": "c", "vlan_mac_address": "52:54:00:12:34:0b"},
        ],
        "networks": [
            {"id": "n", "link": "c", "type": "ipv4", "ip_address": "10.0.0.5", "netmask": "255.255.255.0", "services": [{"type": "dns", "address": "10.0.0.2"}, {"type": "ntp", "address": "10.0.0.3"}],
             "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1", "services": [{"type": "dns", "address": "10.0.0.2"}]}]},
            {"id": "m", "link": "d", "type": "ipv6_slaac"},
            {"id": "o", "link": "d", "type": "ipv6_dhcpv6-stateful"},
            {"id": "p", "link": "b", "type": "static", "ip_address": "10.1.0.1/16"},
        ],
    },
    {},
]
VALUES = [None, "", "a", "tap1", "phy", "bond", "vlan", 7, [], {}, ["a"], "52:54:00:12:34:01", "ipv6_dhcp", "static6", True]


def spots(node, found):
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []:
        found.append((node, key))
        spots(node[key], found)
    return found


rng = random.Random(5)
cases = list(BASE)
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
    case = copy.deepcopy(rng.choice(BASE[:2]))
    node, key = rng.choice(spots(case, []))
    if rng.randrange(2):
        del node[key]
    else:
        node[key] = copy.deepcopy(rng.choice(VALUES))
    cases.append(case)
with mock.patch.object(net, "get_interfaces_by_mac", lambda: MACS), mock.patch.object(net, "get_ib_hwaddrs_by_interface", dict), mock.patch.object(util, "udevadm_settle", lambda *a: None):
    for case in cases:
        try:
            wanted = openstack.convert_net_json(copy.deepcopy(case))
        except Exception:
            wanted = None
        print(json.dumps({"data": case, "config": wanted}))
