#!/usr/bin/env python3
"""Asks cloud-init's own schema about many cloud-configs.

    schema_cases.py CHECKOUT [--texts FILE] [--count N] [--seed N] [--paths] > cases.jsonl

CHECKOUT is a checkout of cloud-init; Python needs what cloud-init needs (PyYAML, jsonschema). Every
line of the output is one case: {"name", "yaml", "valid", "errors", "deprecations"}, the last two with
[path, message] pairs, with --paths only the paths. Where cloud-init's check ends in an exception of its own, "crash" names it, and
the case counts as not valid.

The cases are, in this order: with --texts only those of that file, where every line begins one unless
it is indented, empty, an item or a comment; otherwise
  * every key that the schema has, with about fifty values of all types;
  * every mapping that it has, with keys missing, unknown, misspelled and of other types;
  * the examples of the documentation, as they are and changed in all the ways of `mutations`;
  * random pairs of changes of these.
--count takes that many of them, evenly chosen.
"""

import argparse
import copy
import datetime
import itertools
import json
import random
import re
import sys
from pathlib import Path

import yaml

parser = argparse.ArgumentParser()
parser.add_argument("checkout", type=Path)
parser.add_argument("--texts", type=Path)
parser.add_argument("--count", type=int)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--paths", action="store_true")
ARGS = parser.parse_args()
sys.path.insert(0, str(ARGS.checkout))

from cloudinit.config import schema as cloud_schema  # noqa: E402

SCHEMA = cloud_schema.get_schema()
VALIDATOR = cloud_schema._get_validator(SCHEMA, False)
# The validator is the same for every case; making it takes longer than the check.
cloud_schema._get_validator = lambda _schema, _strict: VALIDATOR
RANDOM = random.Random(ARGS.seed)

PROBES = [
    None, True, False, 0, 1, -1, -2, 5, 1342, 2**70, -(2**70), 1.0, 1.5, -0.5, float("inf"), float("nan"),
    "", "x", "5", "-1", "+5", "now", "true", "yes", "auto", "none", "all", "RANDOM", "10M", ".5G", "1.5.2G", "a:b",
    ":b", "a,b", "a,,b", "a b", "two\nlines", "line\n", "2031-12-24", "2031-13-24", "2031-1-2", "http://example.com/x",
    b"bytes", b"", datetime.date(2031, 12, 24), datetime.datetime(2031, 12, 24, 1, 2, 3), {"a", "b"},
    [], [""], ["a"], ["a", "b"], ["a", "a"], [b"a", "a"], [1], [1, 2], [None], [True, "a"], ["a", 1], [[]], [["a"]],
    [["a", "b"]], [["a", "b", "c"]], [[1, 2]], [[1, "82"], 5], [["a", 1]], [{}], [{"a": "b"}], [{"type": "a"}],
    ["a"] * 6, ["a", "b", "c", "d", "e", "f", "g"], [None] * 6, ["a", None, "b", "c", "d", "e"],
    {}, {"a": "b"}, {"a": 1}, {"a": None}, {"a": []}, {"a": {}}, {"a": ["b"]}, {"a": {"b": "c"}}, {1: "a"}, {None: "a"},
    {"": "a"}, {"a\nb": "c"}, {"a\n": "c"}, {"type": "a"}, {"type": None, "a": 5}, {"a": 5, "my_type": 5},
    {"type": "a", "b": {"my type": 5}}, {"name": "a"}, {"name": 5, "type": "b"},
]


def resolve(node):
    """A schema with its references put in place, siblings kept: cloud-init's validator heeds both."""
    if isinstance(node, list):
        return [resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: resolve(value) for key, value in node.items() if key != "$ref"}
    if isinstance(node.get("$ref"), str):
        target = resolve(SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]])
        both = {**target, **out}
        if "type" in target and "type" in out:
            both["type"] = out["type"]
        return both
    return out


def kind_of(schema):
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return kinds[0]
    if kinds is None:
        for word in ("oneOf", "anyOf", "allOf"):
            for branch in schema.get(word, []):
                if kind_of(branch):
                    return kind_of(branch)
        return "object" if "properties" in schema else None
    return kinds


def sample(schema):
    """A small value that mostly fits."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = kind_of(schema)
    for word in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(word, []):
            if "type" in branch or "enum" in branch:
                return sample({**branch, **{k: v for k, v in schema.items() if k not in (word, "type")}})
    if kind == "object":
        out = {}
        required = list(schema.get("required", []))
        for branch in (schema.get("oneOf", []) + schema.get("anyOf", []))[:1]:
            required += branch.get("required", [])
        for key in required:
            out[key] = sample(schema.get("properties", {}).get(key, {"type": "string"}))
        if not out and schema.get("minProperties"):
            for key, value in itertools.islice(schema.get("properties", {}).items(), 1):
                out[key] = sample(value)
            if not out:
                out["abc"] = "x"
        return out
    if kind == "array":
        return [sample(schema.get("items", {"type": "string"})) for _ in range(schema.get("minItems", 0))]
    if kind == "string" and "date" == schema.get("format"):
        return "2031-12-24"
    return {"string": "10M" if "BKMGT" in schema.get("pattern", "") else "x", "boolean": True, "integer": 3,
            "number": 3, "null": None}.get(kind, "x")


def walk(schema, path, wrap):
    """Yields (path, schema, wrap) for every place of the schema; wrap makes a whole config of a value."""
    yield path, schema, wrap
    for word in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(word, []):
            if set(branch) - {"required", "not", "deprecated"}:
                yield from walk(branch, path, wrap)
    for key, value in schema.get("properties", {}).items():
        yield from walk(value, f"{path}.{key}", lambda v, key=key: wrap({**as_dict(sample(schema)), key: v}))
    for pattern, value in schema.get("patternProperties", {}).items():
        name = "rsa_private" if "rsa" in pattern else "abc"
        yield from walk(value, f"{path}.{name}", lambda v, name=name: wrap({**as_dict(sample(schema)), name: v}))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], f"{path}.abc", lambda v: wrap({"abc": v}))
    if isinstance(schema.get("items"), dict):
        def item(value):
            padding = max(schema.get("minItems", 0) - 1, 0)
            return wrap([value] + [sample(schema["items"]) for _ in range(padding)])
        yield from walk(schema["items"], f"{path}.0", item)


def as_dict(value):
    return value if isinstance(value, dict) else {}


def top_level():
    for definition in SCHEMA["allOf"]:
        for key, value in resolve(definition).get("properties", {}).items():
            yield key, value
    yield "version", {}
    yield "migrate", {}


def typos(key):
    middle = max(len(key) // 2, 1)
    yield key[:middle] + key[middle + 1:]
    yield key + "s"
    yield key.replace("_", "-") if "_" in key else key.replace("-", "_")
    yield key.upper()
    if len(key) > 2:
        yield key[0] + key[2] + key[1] + key[3:]


def from_schema():
    for key, value in top_level():
        seen = set()
        for path, schema, wrap in walk(value, key, lambda v, key=key: {key: v}):
            # A place that two branches describe is probed for both, since what surrounds it differs.
            values = list(PROBES)
            text = json.dumps(schema, default=str)
            for choice in re.findall(r'"enum": \[(.*?)\]', text)[:4]:
                values += [json.loads(word) for word in re.findall(r'"[^"]*"|true|false', choice)][:6]
            values.append(sample(schema))
            if "minimum" in schema:
                values += [schema["minimum"], schema["minimum"] - 1]
            if "maxItems" in schema or "minItems" in schema:
                for length in range(schema.get("maxItems", 3) + 2):
                    values.append([sample(schema.get("items", {}))] * length)
            for value in values:
                yield f"schema {path} = {value!r}", wrap(value)
            properties = schema.get("properties", {})
            whole = {name: sample(inner) for name, inner in properties.items()}
            objects = [as_dict(sample(schema)), whole] if properties else []
            for base in objects:
                if (path, str(base)) in seen:
                    continue
                seen.add((path, str(base)))
                yield f"schema {path} whole", wrap(base)
                for extra in ("abc", "type", "name", 5, None, True, "", "x-y"):
                    yield f"schema {path} with {extra!r}", wrap({**base, extra: "x"})
                for name in base:
                    yield f"schema {path} without {name}", wrap({k: v for k, v in base.items() if k != name})
                    for typo in typos(name):
                        changed = {(typo if k == name else k): v for k, v in base.items()}
                        yield f"schema {path} {name} as {typo}", wrap(changed)
                for one, other in itertools.combinations(properties, 2):
                    if one.replace("-", "_") == other.replace("-", "_") or "oneOf" in schema or len(properties) < 5:
                        yield f"schema {path} {one} {other}", wrap({k: sample(properties[k]) for k in (one, other)})


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, path + (key,))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(value, path, change):
    value = copy.deepcopy(value)
    above = at(value, path[:-1])
    change(above, path[-1])
    return value


def mutations(config):
    for path in places(config):
        if not path:
            continue
        old = at(config, path)
        name = ".".join(map(str, path))
        key = path[-1]

        def put(new):
            return changed(config, path, lambda above, key: above.__setitem__(key, new))
        values = [None, 5, "x", [], {}, [old], {"a": old}, True]
        if isinstance(old, str):
            values += [old + " ", old.upper(), old.encode(), "", f" {old}"]
        if isinstance(old, bool):
            values += [str(old), int(old), not old]
        elif isinstance(old, int):
            values += [-old, -1, str(old), float(old), old + 0.5]
        if isinstance(old, list):
            values += [old + old, old[:1], old + [None], old + [5], old + ["x"], old + [{}], dict.fromkeys(map(str, old)),
                       {str(i): item for i, item in enumerate(old)}, old * 4, " ".join(map(str, old))]
        if isinstance(old, dict):
            values += [list(old), list(old.items()) and [[k, v] for k, v in old.items()], {**old, "type": "x"},
                       {**old, "unknown_key": "x"}, {**old, 5: "x"}]
        for new in values:
            yield f"{name} = {new!r}"[:120], put(new)
        if isinstance(key, str):
            for typo in typos(key):
                def rename(above, key, typo=typo):
                    items = [(typo if k == key else k, v) for k, v in above.items()]
                    above.clear()
                    above.update(items)
                yield f"{name} as {typo}", changed(config, path, rename)
        yield f"without {name}", changed(config, path, lambda above, key: above.__delitem__(key))


def examples():
    files = sorted(ARGS.checkout.glob("doc/module-docs/*/*.yaml")) + sorted(ARGS.checkout.glob("doc/examples/*.txt"))
    for file in files:
        text = file.read_text()
        if file.name == "data.yaml" or not text.lstrip().startswith("#cloud-config"):
            continue
        try:
            config = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(config, dict):
            yield f"{file.parent.name}/{file.name}", text, config


def cases():
    """(name, text or configuration) of every case."""
    if ARGS.texts:
        for text in re.split(r"^(?![ \n#]|- |$)", ARGS.texts.read_text(), flags=re.M)[1:]:
            text = re.sub(r"^#.*\n|\n+\Z", "", text, flags=re.M)
            yield text.partition("\n")[0], text + "\n"
        return
    for name, config in from_schema():
        yield name, config
    for name, text, config in examples():
        yield name, text
        for how, changed_config in mutations(config):
            yield f"{name}: {how}", changed_config
            if RANDOM.random() < 0.1:
                first = RANDOM.randrange(200)
                for how_again, config_again in itertools.islice(mutations(changed_config), first, first + 1):
                    yield f"{name}: {how}, {how_again}", config_again


def dump(config):
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return "#cloud-config\n" + yaml.dump(config, Dumper=dumper, sort_keys=False, allow_unicode=True)


def verdict(text):
    config = yaml.safe_load(text)
    if not isinstance(config, dict):
        return None
    try:
        cloud_schema.validate_cloudconfig_schema(config, schema=SCHEMA, strict=True, log_deprecations=False)
    except cloud_schema.SchemaValidationError as error:
        return {
            "valid": not error.has_errors(),
            "errors": [list(problem) for problem in error.schema_errors or []],
            "deprecations": [list(problem) for problem in error.schema_deprecations or []],
        }
    except Exception as error:  # cloud-init does not expect these, either
        return {"valid": False, "errors": [], "deprecations": [], "crash": type(error).__name__}
    return {"valid": True, "errors": [], "deprecations": []}


def main():
    chosen = list(cases())
    if ARGS.count and ARGS.count < len(chosen):
        step = len(chosen) / ARGS.count
        chosen = [chosen[int(index * step)] for index in range(ARGS.count)]
    seen = set()
    for name, text in chosen:
        text = text if isinstance(text, str) else dump(text)
        if text in seen:
            continue
        seen.add(text)
        try:
            result = verdict(text)
        except (yaml.YAMLError, ValueError):
            continue
        if result and ARGS.paths:
            for word in ("errors", "deprecations"):
                result[word] = sorted({path for path, _message in result[word]})
        if result:
            print(json.dumps({"name": name, "yaml": text, **result}, ensure_ascii=False))


main()
