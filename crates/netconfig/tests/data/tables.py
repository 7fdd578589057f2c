#!/usr/bin/env python3
"""The tables that the real cloud-init prints for interfaces and routes.

Usage, in a checkout of cloud-init: python3 tables.py > tables.jsonl
"""
import json
from unittest import mock

from cloudinit import netinfo, subp

CASES = []


def addr(name, mac, flags, ipv4, ipv6):
    info = [{"family": "inet", "local": a, "prefixlen": p, "scope": s} for a, p, s in ipv4]
    info += [{"family": "inet6", "local": a, "prefixlen": p, "scope": s} for a, p, s in ipv6]
    kind = "ether" if mac else "loopback"
    return {"ifname": name, "flags": flags, "link_type": kind, "address": mac or "00:00:00:00:00:00", "addr_info": info}


LO = addr("lo", "", ["LOOPBACK", "UP", "LOWER_UP"], [("127.0.0.1", 8, "host")], [("::1", 128, "host")])
ETH = addr("eth0", "52:54:00:12:34:56", ["UP", "LOWER_UP"], [("10.0.2.15", 24, "global")], [("fec0::5054:ff:fe12:3456", 64, "site"), ("fe80::5054:ff:fe12:3456", 64, "link")])
DOWN = addr("ens4", "52:54:00:12:34:57", ["BROADCAST"], [], [])
V4 = "default via 10.0.2.2 dev eth0 metric 100\n10.0.2.0/24 dev eth0 proto kernel scope link src 10.0.2.15\n10.0.2.3 dev eth0 scope link\n"
V6 = "::1 dev lo proto kernel metric 256 pref medium\nfe80::/64 dev eth0 proto kernel metric 256 pref medium\ndefault via fe80::2 dev eth0 proto ra metric 1024 expires 1795sec\nlocal ::1 dev lo table local\nlocal fe80::5054:ff:fe12:3456 dev eth0 table local\nmulticast ff00::/8 dev eth0 table local\n"
for devices, v4, v6 in [([LO], "", ""), ([LO, ETH], V4, V6), ([ETH, DOWN, LO], V4, ""), ([DOWN], "", V6), ([], "", "")]:
    def run(command, *rest, **more):
        if "addr" in command:
            return subp.SubpResult(json.dumps(devices), "")
        return subp.SubpResult(v6 if "-6" in command else v4, "")

    with mock.patch.object(subp, "subp", run), mock.patch.object(subp, "which", lambda *a, **k: "/sbin/ip" if a[0] == "ip" else None):
        routes = netinfo.route_info()
        info = netinfo.netdev_info(empty="")
        print(json.dumps({"interfaces": info, "routes": routes, "text": netinfo.debug_info()}))
