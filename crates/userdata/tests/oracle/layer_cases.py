#!/usr/bin/env python3
"""Layers of configuration and kernel command lines at random, with what cloud-init makes of them.

    python3 layer_cases.py CLOUD-INIT-CHECKOUT SEED COUNT

Writes JSON lines: {"layers": [YAML…], "effective"} and {"cmdline", "yaml", "nocloud", "network"}.
"""

import base64
import json
import logging
import os
import random
import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
logging.disable(logging.CRITICAL)

import yaml
from cloudinit import util
from cloudinit.net import cmdline as net_cmdline
from cloudinit.sources import DataSourceNoCloud

from python_values import tag

HOW = ["list(append)+dict(no_replace,recurse_list)+str()", "dict(replace)", "list()", "dict(recurse_str)+str(append)"]
WORDS = [
    "ro", "quiet", "cc:", "cc: ", " cc:", "cc=", "end_cc", "end_cc ", "a: 1", "b: [x, 'y']", "%5Bx%5D", "\\n", "%", "%4",
    "%C3%A9", "%ff", "xcc:", "ds=nocloud", "ds=nocloud-net", "ds=nocloudy", "ds=nocloud;", ";s=http://x/", ";s=/seed/",
    ";h=name;i=id", ";dsmode=net", ";s=", ";s", ";k=v=w", ";s=cow://x", "ci.ds=nocloud", "ds=nocloud;h=a", "\t", "=",
    "network-config=", "network-config=disabled", "network-config=!", "network-config=YTogMQ==", "network-config=YQ",
    "network-config=" + base64.b64encode(b"version: 1\n").decode(),
]


def value(depth=0):
    way = random.random()
    if depth > 2 or way < 0.4:
        return random.choice([1, 2, True, None, "s", "t", ""])
    if way < 0.6:
        return [value(depth + 1) for _ in range(random.randrange(0, 3))]
    return {random.choice("klm"): value(depth + 1) for _ in range(random.randrange(0, 4))}


def layers():
    made = []
    for _ in range(random.randrange(1, 5)):
        layer = {random.choice("abcd"): value() for _ in range(random.randrange(0, 4))}
        if random.random() < 0.15:
            layer["merge_how"] = random.choice(HOW)
        made.append(layer)
    texts = [yaml.safe_dump(layer, sort_keys=False) for layer in made]
    try:
        return {"layers": texts, "effective": tag(util.mergemanydict(made))}
    except TypeError:
        # Over a text and a list that are to be joined all of cloud-init breaks.
        return layers()


def cmdline():
    line = "".join(random.choice(WORDS) + random.choice([" ", " ", ""]) for _ in range(random.randrange(1, 7)))
    fill = {}
    found = DataSourceNoCloud.load_cmdline_data(fill, line)
    # As far as the command line goes: what is encoded in it is read elsewhere.
    blobs = []
    net_cmdline._b64dgz = lambda data: blobs.append(data) or ""
    network = net_cmdline.read_kernel_cmdline_config(line)
    said = "disabled" if network else None
    if blobs:
        try:
            said = {"b64": base64.b64encode(base64.b64decode(blobs[-1])).decode()}
        except (TypeError, ValueError):
            said = "broken"
    return {
        "cmdline": line,
        "yaml": util.read_cc_from_cmdline(line),
        "nocloud": fill if found else None,
        "network": said,
    }


random.seed(int(sys.argv[2]))
for number in range(int(sys.argv[3])):
    print(json.dumps(layers() if number % 2 else cmdline()))
