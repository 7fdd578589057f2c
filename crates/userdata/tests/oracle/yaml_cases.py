#!/usr/bin/env python3
"""Texts that were YAML, damaged by chance, with what PyYAML makes of them.

    python3 yaml_cases.py SEED COUNT [LONGEST]

Writes JSON lines: {"yaml", "ok" and "str" | "error" | "breaks" | "recursive", "libyaml"}. "error" is what
cloud-init reports, "breaks" what its loader stumbles over. "libyaml" says why libyaml's verdict is
another; a difference without a known reason ends the script. Needs python3-yaml only.
"""

import glob
import json
import os
import random
import re
import sys

import yaml

from python_values import tag

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..", "..", "..")

PIECES = [
    "\t", " ", "  ", "\n", "\n\n", "\r\n", "\r", ":", ": ", " :", "- ", "-", "-\n", "? ", "?", "#", " #",
    "&a ", "*a", "&a", "*a ", "!!str ", "!!int ", "!!float ", "!!binary ", "!!set ", "!!omap ", "!!pairs ",
    "!!bool ", "!!null ", "!!timestamp ", "!foo ", "! ", "!", "!<tag:yaml.org,2002:str> ", "!!", "|", "|\n", ">",
    "|-\n", "|+\n", "|2\n", ">-\n", ">1+\n", "|0\n", "|-2", '"', "'", "\\", "''", '""', "\\n", '"\\x41"',
    '"\\u00e9"', '"\\q"', '"\\\n', "[", "]", "{", "}", ",", ", ", "[]", "{}", "[a, b]", "{a: b}", "{a: b, }",
    "{? a}", "[a: b]", "[? a : b]", "@", "`", "%", "%YAML 1.1\n", "%TAG ! tag:x:\n", "---", "---\n", "\n---\n",
    "\n...\n", "...", "<<: *a", "<<: {a: 1}", "<<", "=", "~", "null", "yes", "no", "0644", "0o7", "0x1f", "0b1",
    "1_0", "1:30", "22:22", "1e3", "1.0e+3", ".5", ".inf", ".nan", "2001-01-01", "2001-01-01 00:00:00",
    "2001-01-01T1:2:3.5+1:30", "\u00a0", "\u0085", "\u2028", "\u2029", "\ufeff", "\x00", "\x07", "\x1b", "\x7f",
    "\x80", "\ue000", "\ufffe", "\U0001f600", "é", "key: value", "a: b: c", "- a: b", "-a", ":a", "?a", "a:b",
    "a :b", '"a": b', '"a":b', '{"a":b}', "{a:b}", "[a:b]", "a\tb", 'a: "b\n  c"', "a: 'b\n\n  c'", "a\n b",
    ">\n a\n  b\n\n c\n", "|\n  a\n   b\n\n\n", "&b [*b]", "&c {x: y}", '"\t"', "'a'b'", '"a"b', "- - -",
    "- - a\n  - b", "? - a\n: - b",
]

SCALARS = ["0123456789_:.-+eExXob ", "yesnotrufalYESNOTRUFAL~", "0123456789abcdef:", "2001-0123456789T:.Z+ ",
           "ab:#-?,[]{}&*!|>'\"%@` \t"]

# Why libyaml and PyYAML's own scanner disagree.
REASONS = [
    ("a tab separates", lambda text, ours: "\t" in text),
    ("a byte order mark inside", lambda text, ours: "\ufeff" in text),
    ("half of a surrogate pair", lambda text, ours: "\\ud8" in text),
    ("a directive of an unknown name", lambda text, ours: re.search(r"(?m)^%", text)),
    ("a `!` alone before nothing", lambda text, ours: re.search(r"!(\s|$)", text)),
    ("a `?` or `:` in a plain scalar in brackets", lambda text, ours: re.search(r"[\[{]", text) and re.search("[?:]", text)),
    ("a `#` right behind a block's sign", lambda text, ours: re.search(r"[|>][-+0-9]*#", text)),
    ("a key of more than 1024 characters", lambda text, ours: len(text) > 1024),
    ("a document's end", lambda text, ours: "..." in text or "---" in text),
]


def verdict(text, loader):
    try:
        value = yaml.load(text, loader)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        return {"error": type(error).__name__}
    except Exception as error:
        return {"breaks": type(error).__name__}
    try:
        answer = {"ok": tag(value)}
    except RecursionError:
        return {"recursive": True}
    except TypeError as error:
        return {"odd": str(error)}
    # A set has no order, and the pairs of !!omap are tuples: their text is not ours.
    if "__set__" not in json.dumps(answer) and "!!omap" not in text and "!!pairs" not in text:
        answer["str"] = str(value)
    return answer


def mutate(text):
    for _ in range(random.choice([1, 1, 1, 2, 2, 3, 4])):
        at = random.randrange(len(text) + 1)
        if random.random() < 0.6:
            marks = [m.start() + random.choice([0, 0, 1]) for m in re.finditer(r"[\n:\-\"'#\[\]{},|>&*!? ]", text)]
            at = random.choice(marks) if marks else at
        way = random.random()
        lines = text.split("\n")
        line = random.randrange(len(lines))
        if way < 0.45:
            text = text[:at] + random.choice(PIECES) + text[at:]
        elif way < 0.65:
            text = text[:at] + text[at + random.choice([1, 1, 1, 2, 3, 8]):]
        elif way < 0.75:
            text = text[:at] + random.choice(PIECES) + text[at + random.choice([1, 2]):]
        elif way < 0.83:
            lines[line] = random.choice([" ", "  ", "   ", "\t"]) + lines[line]
            text = "\n".join(lines)
        elif way < 0.9:
            lines[line] = lines[line][random.choice([1, 2]):]
            text = "\n".join(lines)
        elif way < 0.94:
            lines.insert(line, random.choice(lines))
            text = "\n".join(lines)
        elif way < 0.96:
            text = text.replace("\n", random.choice(["\r\n", "\r"]))
        else:
            text = "\n".join(lines[:line] if random.random() < 0.5 else lines[line:])
    return text


def scalar():
    letters = random.choice(SCALARS)
    return "".join(random.choice(letters) for _ in range(random.randrange(1, 12)))


def composed(depth=0):
    way = random.random()
    if depth > 3 or way < 0.35:
        return random.choice(PIECES + [scalar()])
    inner = lambda: composed(depth + 2).strip("\n")
    if way < 0.5:
        return "[" + random.choice([", ", ",", "\n, "]).join(inner() for _ in range(random.randrange(0, 4))) + "]"
    if way < 0.65:
        pairs = (inner() + random.choice([": ", ":", " : ", ""]) + inner() for _ in range(random.randrange(0, 3)))
        return "{" + ", ".join(pairs) + "}"
    shift = lambda text: text.replace("\n", "\n" + " " * random.choice([1, 2, 2, 2, 3]))
    if way < 0.85:
        keys = ["a", "b", '"c"', "? k\n", "1", "<<"]
        behind = [": ", ":", "\n: ", ": &a ", ": !!str ", ":\n  "]
        lines = range(random.randrange(1, 4))
        return "\n".join(random.choice(keys) + random.choice(behind) + shift(composed(depth + 1)) for _ in lines)
    return "\n".join("- " + shift(composed(depth + 1)) for _ in range(random.randrange(1, 4)))


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    longest = int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 20
    random.seed(seed)
    hand = open(os.path.join(HERE, "hand.yaml"), encoding="utf-8").read().split("\n=====\n")
    bases = [open(path, encoding="utf-8").read() for path in sorted(glob.glob(os.path.join(TOP, "cloud-config/*.yaml")))]
    seen = set()
    queue = [text for text in hand if len(text) <= longest]
    while len(seen) < count:
        way = random.random()
        if queue:
            text = queue.pop()
        elif way < 0.3 and bases:
            lines = random.choice(bases).split("\n")
            first = random.randrange(max(1, len(lines) - 10))
            text = mutate("\n".join(lines[first:first + random.randrange(3, 25)]))
        elif way < 0.6:
            text = mutate(random.choice(hand))
        elif way < 0.75:
            text = random.choice(["", "a: ", "- ", "{a: ", '["']) + scalar()
        else:
            text = composed()
        if text in seen or len(text) > longest:
            continue
        seen.add(text)
        answer = verdict(text, yaml.SafeLoader)
        if yaml.__with_libyaml__:
            other = verdict(text, yaml.CSafeLoader)
            if ("ok" in answer, answer.get("ok")) != ("ok" in other, other.get("ok")):
                why = [name for name, fits in REASONS if fits(text, answer)]
                if not why:
                    sys.exit(f"libyaml says something else, and why is not known: {text!r}: {answer} {other}")
                answer["libyaml"] = why[0]
        print(json.dumps({"yaml": text, **answer}))


main()
