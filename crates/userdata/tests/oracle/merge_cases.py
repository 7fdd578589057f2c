#!/usr/bin/env python3
"""Parts that are merged at random, with what cloud-init makes of them.

    python3 merge_cases.py CLOUD-INIT-CHECKOUT SEED COUNT [LONGEST]

Writes JSON lines: {"parts": [{"text", "jsonp", "merge_type"}], "ok": {"merged", "ok_parts", "error_parts"}}.
Needs what cloud-init needs: PyYAML, jsonpatch, jsonschema, jinja2.
"""

import json
import logging
import os
import random
import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
logging.disable(logging.CRITICAL)

import yaml
from cloudinit import handlers
from cloudinit.handlers.cloud_config import CloudConfigPartHandler

from python_values import tag


class Paths:
    def get_ipath(self, name):
        return None


def run(parts):
    handler = CloudConfigPartHandler(Paths())
    handler.handle_part(None, handlers.CONTENT_START, None, None, None, None)
    for number, part in enumerate(parts, 1):
        kind = "text/cloud-config-jsonp" if part.get("jsonp") else "text/cloud-config"
        headers = {"Merge-Type": part["merge_type"]} if "merge_type" in part else {}
        handler.handle_part(None, kind, f"part-{number:03}", part["text"], None, headers)
    # What is no mapping is ignored when it is read again.
    merged = handler.cloud_buf if isinstance(handler.cloud_buf, dict) else {}
    names = {"ok_parts": list(handler.file_names), "error_parts": list(handler.error_file_names)}
    return {"merged": tag(merged), **names}


KEYS = ["a", "b", "runcmd", "users", "write_files", "x"]
OPTIONS = {
    "dict": ["replace", "no_replace", "recurse_str", "recurse_array", "recurse_list", "allow_delete",
             "recurse_dict", "junk"],
    "list": ["append", "prepend", "replace", "no_replace", "recurse_str", "recurse_dict", "recurse_array",
             "recurse_list"],
    "str": ["append", "replace"],
}
SPECIAL = [
    None, "", [], {}, 5, True, {"name": "list", "settings": ["append"]},
    [["list", "append"], ["dict", "recurse_list"], ["str"]], "list(append)+dict(recurse_list)+str()",
    "list(append)+dict(recurse_array)+str(append)", "list(append)+dict(no_replace, recurse_list)+str()",
]
POINTERS = [
    "", "/a", "/b", "/runcmd", "/runcmd/-", "/runcmd/0", "/runcmd/1", "/runcmd/9", "/runcmd/01", "/a/k", "/a/k/l",
    "/a/0", "/users/-", "/users/0/k", "/x~1y", "/x~0y", "/x~2", "a", "/-", "/a/-/k", "/b/k", "/a//b", "/1",
]
ODD_PATCHES = [
    "", "[", "{}", '"x"', '["a"]', "[1]", '[{"op":"add"}]', '[{"op":"nope","path":"/a"}]', "[] x", "null",
    '[{"op":"add","path":5,"value":1}]', '[{"path":"/a"}]', '[{"op":"add","path":"/a","value":1,"value":2}]',
    "[NaN]", '[{"op":"add","path":"/z","value":{"q":1,"q":2}}]', '[{"op":"add","path":"/z","value":-0.0}]',
    '[{"op":"add","path":"/z","value":1E400}]', '[{"op":"add","path":"/z","value":"\\ud83d\\ude00"}]',
    '[{"op":"add","path":"/z","value":123456789012345678901234567890}]',
]
ODD_PARTS = [
    "", "# nothing", "just text", "[a]", "a: [", "a: !!bool x", "a: !!int x", 'a: "\x01"', "? [a]\n: b",
    "a: 2001-99-99", "--- 1\n--- 2",
]


def value(depth=0):
    way = random.random()
    if depth > 2 or way < 0.45:
        return random.choice([1, 2, 0, True, False, None, "s", "t", "abc", "", 1.5, "no"])
    if way < 0.72:
        return [value(depth + 1) for _ in range(random.randrange(0, 4))]
    return {random.choice(["k", "l", "m", 1]): value(depth + 1) for _ in range(random.randrange(0, 3))}


def spoiled(text):
    return random.choice([
        text.upper(), text.replace("_", "-"), text + "+", " " + text, text.replace(")", " )"),
        text.replace("(", ""), text[:-1], text + "x", "list", "dict (a)", "", "+",
    ])


def merge_how():
    way = random.random()
    kinds = list(OPTIONS)
    random.shuffle(kinds)
    if random.random() < 0.15:
        kinds = kinds[: random.randrange(0, 3)]
    if random.random() < 0.08:
        kinds.append(random.choice(["dict", "nosuch", "Dict", "m_list"]))
    picked = []
    for kind in kinds:
        options = OPTIONS.get(kind, ["append"])
        picked.append((kind, random.sample(options, min(len(options), random.choice([0, 1, 1, 2, 3])))))
    if way < 0.6:
        text = "+".join(f"{kind}({random.choice([',', ', ']).join(options)})" for kind, options in picked)
        return spoiled(text) if random.random() < 0.06 else text
    if way < 0.9:
        items = [{"name": kind, "settings": options} for kind, options in picked]
        if random.random() < 0.15 and items:
            at = random.randrange(len(items))
            odd = random.random()
            if odd < 0.2:
                del items[at]["settings"]
            elif odd < 0.4:
                items[at]["settings"] = random.choice(
                    ["append", "replace,recurse_list", None, 5, {"append": 1}, "no_replace"]
                )
            elif odd < 0.6:
                items[at]["name"] = random.choice(["", " list ", "LIST", None, 5, "no-such"])
            else:
                items[at] = random.choice(
                    [["list", "append"], ["dict", "no_replace", "recurse_list"], "list(append)", 5, None, [], [None],
                     [""]]
                )
        return items
    return random.choice(SPECIAL)


def patch():
    if random.random() < 0.05:
        return random.choice(ODD_PATCHES)
    operations = []
    for _ in range(random.choice([1, 1, 2, 3])):
        operation = {
            "op": random.choice(["add", "add", "remove", "replace", "move", "copy", "test"]),
            "path": random.choice(POINTERS),
        }
        if operation["op"] in ("move", "copy") and random.random() < 0.95:
            operation["from"] = random.choice(POINTERS)
        if operation["op"] in ("add", "replace", "test") and random.random() < 0.96:
            operation["value"] = value()
        operations.append(operation)
    return random.choice(["#cloud-config-jsonp\n", "#cloud-config-jsonp\n", "", "  \n"]) + json.dumps(operations)


def part(first):
    if not first and random.random() < 0.18:
        return {"text": patch(), "jsonp": True}
    if random.random() < 0.03:
        return {"text": random.choice(ODD_PARTS)}
    config = {random.choice(KEYS): value() for _ in range(random.randrange(1, 4))}
    if random.random() < (0.15 if first else 0.5):
        config["merge_how"] = merge_how()
    if random.random() < 0.08:
        config["merge_type"] = merge_how()
    head = random.choice(["", "#cloud-config\n"])
    made = {"text": head + yaml.safe_dump(config, default_flow_style=random.choice([None, True, False]), sort_keys=False)}
    header = merge_how()
    if random.random() < 0.1 and isinstance(header, str):
        made["merge_type"] = header
    return made


def main():
    seed, count = int(sys.argv[2]), int(sys.argv[3])
    longest = int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 20
    random.seed(seed)
    seen = set()
    while len(seen) < count:
        parts = [part(number == 0) for number in range(random.choice([1, 2, 2, 2, 3, 4]))]
        line = json.dumps(parts)
        if line in seen or len(line) > longest:
            continue
        seen.add(line)
        print(json.dumps({"parts": parts, "ok": run(parts)}))


main()
