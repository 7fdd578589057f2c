"""Verdicts of cloud-init's own `status`, `cloud-id` and `query` on trees of files.

    cd cloud-init && python3 …/crates/agent/tests/oracle/tools.py > …/crates/agent/tests/data/tools.jsonl

A line is a case: the files of a machine, what systemctl answers there, who asks, what is asked, and what the
program prints and exits with.
"""

import builtins
import contextlib
import io
import json
import os
import random
import sys
import tempfile
from unittest import mock

sys.path.insert(0, os.getcwd())

from cloudinit import helpers, subp  # noqa: E402
from cloudinit.cmd import cloud_id, query, status  # noqa: E402

ROOT = tempfile.mkdtemp()
PATHS = helpers.Paths({"cloud_dir": "/var/lib/cloud", "run_dir": "/run/cloud-init"})
REAL_OPEN = builtins.open
REAL_EXISTS = os.path.exists


def inside(path):
    text = os.fspath(path) if not isinstance(path, int) else path
    if isinstance(text, str) and text.startswith(("/run/", "/etc/cloud", "/var/lib/cloud", "/data/")):
        return ROOT + text
    return path


def run(case):
    for path, content in case["files"].items():
        full = ROOT + "/" + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if content is None:
            os.makedirs(full, exist_ok=True)
        else:
            with REAL_OPEN(full, "wb") as file:
                file.write(content.encode("latin-1") if path in case.get("latin", []) else content.encode())
    answers = case["systemctl"]

    def ask(args, **_):
        text = answers.get(args[-1])
        if text is None:
            raise subp.ProcessExecutionError(stderr="no")
        return subp.SubpResult(text, "")

    systemd = "run/systemd/system" in case["files"]
    out, err = io.StringIO(), io.StringIO()
    program = {"status": status, "cloud-id": cloud_id, "query": query}[case["tool"]]
    handle = status.handle_status_args if program is status else program.handle_args
    line = case["files"].get("proc/cmdline", "")
    with contextlib.ExitStack() as stack:
        for patch in [
            mock.patch.object(builtins, "open", lambda path, *a, **k: REAL_OPEN(inside(path), *a, **k)),
            mock.patch.object(os.path, "exists", lambda path: REAL_EXISTS(inside(path))),
            mock.patch.object(status, "read_cfg_paths", lambda: PATHS),
            mock.patch.object(cloud_id, "read_cfg_paths", lambda: PATHS),
            mock.patch.object(query, "read_cfg_paths", lambda: PATHS),
            mock.patch.object(status, "uses_systemd", lambda: systemd),
            mock.patch.object(status, "get_cmdline", lambda: line),
            mock.patch.object(status, "sleep", lambda _: None),
            mock.patch.object(subp, "subp", ask),
            mock.patch.object(os, "getuid", lambda: 0 if case["root"] else 1000),
            mock.patch.dict(os.environ, {"KERNEL_CMDLINE": case["environment"]}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ]:
            stack.enter_context(patch)
        try:
            code = handle(case["tool"], program.get_parser().parse_args(case["arguments"]))
        except Exception:
            # A traceback: Python's exit status for it.
            code = 1
    for name in os.listdir(ROOT):
        import shutil

        shutil.rmtree(os.path.join(ROOT, name))
    case["out"] = out.getvalue()
    case["code"] = code
    print(json.dumps(case, sort_keys=True))


def case(tool, arguments, files, systemctl=None, environment="", root=True, **more):
    run(
        {
            "tool": tool,
            "arguments": arguments,
            "files": files,
            "systemctl": systemctl or {},
            "environment": environment,
            "root": root,
            **more,
        }
    )


STAGES = ["init-local", "init", "modules-config", "modules-final"]


def v1(done, running=None, datasource="DataSourceNoCloud [seed=/dev/vdb]", errors=None, recoverable=None):
    v1 = {"datasource": datasource, "stage": running}
    for number, stage in enumerate(STAGES):
        begun = number < done or stage == running
        v1[stage] = {
            "errors": (errors or {}).get(stage, []),
            "recoverable_errors": (recoverable or {}).get(stage, {}),
            "start": 4.5 + number if begun else None,
            "finished": 5.25 + number if number < done else None,
        }
    return {"v1": v1}


def unit(active, sub, file="enabled", pid="0"):
    return f"MainPID={pid}\nActiveState={active}\nSubState={sub}\nUnitFileState={file}"


FINAL, CONFIG, NETWORK, LOCAL, MAIN = [
    f"{name}.service"
    for name in ["cloud-final", "cloud-config", "cloud-init-network", "cloud-init-local", "cloud-init-main"]
]
EXITED = {name: unit("active", "exited") for name in [FINAL, CONFIG, NETWORK, LOCAL, MAIN]}
BASE = {"run/systemd/system": None, "run/cloud-init/enabled": ""}


def with_status(value, result=False, **files):
    tree = dict(BASE)
    tree["run/cloud-init/status.json"] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if result:
        tree["run/cloud-init/result.json"] = "{}"
    tree.update({name.replace("__", "/"): content for name, content in files.items()})
    return tree


LONG = "a failure that is told at such a length that YAML has to fold it, since no line is longer than eighty"
TREES = [
    # Not begun, and every way of being disabled or enabled.
    ({}, {}, ""),
    ({"run/systemd/system": None}, {}, ""),
    (BASE, {}, ""),
    ({"run/systemd/system": None, "run/cloud-init/disabled": ""}, {}, ""),
    ({**BASE, "etc/cloud/cloud-init.disabled": ""}, {}, ""),
    ({"etc/cloud/cloud-init.disabled": ""}, {}, ""),
    ({**BASE, "proc/cmdline": "ro cloud-init=disabled quiet"}, {}, ""),
    ({"proc/cmdline": "ro cloud-init=disabled quiet"}, {}, ""),
    ({**BASE, "proc/cmdline": "ro cloud-init=enabled", "etc/cloud/cloud-init.disabled": ""}, {}, ""),
    ({**BASE, "proc/cmdline": "ro xcloud-init=disabled"}, {}, ""),
    (BASE, {}, "cloud-init=disabled"),
    (BASE, {"show-environment": "LANG=C\nKERNEL_CMDLINE=cloud-init=disabled"}, ""),
    (BASE, {"show-environment": "LANG=C"}, ""),
    # At work, stage by stage.
    (with_status(v1(0, "init-local", datasource=None)), {FINAL: unit("inactive", "dead")}, ""),
    (with_status(v1(1, "init", datasource="")), {FINAL: unit("activating", "start", pid="7")}, ""),
    (with_status(v1(2, None)), {FINAL: unit("inactive", "dead")}, ""),
    (with_status(v1(3, "modules-final")), {}, ""),
    (with_status(v1(3, "modules-final"), etc__cloud__x=""), EXITED, ""),
    (
        with_status(v1(2, "modules-config", recoverable={"init": {"WARNING": ["w"]}})),
        {FINAL: unit("inactive", "dead")},
        "",
    ),
    (with_status(v1(2, None, errors={"init": ["e"]})), {FINAL: unit("inactive", "dead")}, ""),
    # Units that end it.
    (with_status(v1(2, None)), {**EXITED, FINAL: unit("failed", "failed")}, ""),
    (with_status(v1(2, None)), {**EXITED, FINAL: unit("activating", "failed")}, ""),
    (with_status(v1(2, None)), {**EXITED, CONFIG: unit("failed", "failed")}, ""),
    (with_status(v1(2, None)), {**EXITED, LOCAL: unit("failed", "exit-code")}, ""),
    (with_status(v1(2, None)), {**EXITED, MAIN: unit("inactive", "dead", file="")}, ""),
    (with_status(v1(2, None)), {**EXITED, NETWORK: unit("inactive", "dead", file="masked")}, ""),
    (with_status(v1(2, None)), {**EXITED, FINAL: unit("inactive", "dead", file="static")}, ""),
    (with_status(v1(2, None)), {**EXITED, FINAL: unit("inactive", "dead", file="enabled-runtime")}, ""),
    (with_status(v1(2, None)), {**EXITED, FINAL: unit("active", "running")}, ""),
    (with_status(v1(2, None)), {**EXITED, FINAL: unit("active", "running", pid="9")}, ""),
    (with_status(v1(2, None), etc__cloud__x=""), {FINAL: unit("active", "exited")}, ""),
    # Done.
    (with_status(v1(4), result=True), EXITED, ""),
    (with_status(v1(4, datasource="DataSourceEc2Local"), result=True), {}, ""),
    (with_status(v1(4, datasource="Other X"), result=True), {}, ""),
    (with_status(v1(4, datasource=None), result=True), {}, ""),
    (with_status(v1(4, errors={"init": ["b", LONG], "modules-final": ["c: d", "", "- e"]}), result=True), {}, ""),
    (
        with_status(
            v1(
                4,
                recoverable={
                    "init": {"WARNING": ["one\ntwo", LONG], "ERROR": ["x"]},
                    "modules-final": {"WARNING": ["three"], "DEPRECATED": ["d"]},
                },
            ),
            result=True,
        ),
        {},
        "",
    ),
    (
        with_status(v1(4, errors={"init": ["e"]}, recoverable={"init": {"WARNING": ["w"]}}), result=True),
        {},
        "",
    ),
    (with_status(v1(4, recoverable={"init": {"WARNING": []}}), result=True), {}, ""),
    # Odd files.
    (with_status({"v1": {}}), {FINAL: unit("inactive", "dead")}, ""),
    (with_status({}, result=True), {}, ""),
    (with_status({"v1": {"init": {"start": 1}}}, result=True), {}, ""),
    (with_status({"v1": {"init": {"start": 99999.5}, "x": {"finished": 3e9}, "y": [1]}}, result=True), {}, ""),
    (with_status("{"), {}, ""),
    (with_status("[]"), {}, ""),
    (with_status(v1(4), result=True, etc__cloud__cloud_x=""), {}, "cloud-init=disabled"),
    ({**with_status(v1(4), result=True), "etc/cloud/cloud-init.disabled": ""}, {}, ""),
]

for tree, systemctl, environment in TREES:
    for arguments in [[], ["--long"], ["--format", "json"], ["--format=yaml"]]:
        case("status", arguments, tree, systemctl, environment)
for tree in [*[tree for tree, *_ in TREES if "run/cloud-init/result.json" in tree][:6]]:
    if "disabled" not in json.dumps(tree):
        # Without an answer to the first question it would ask for ever.
        case("status", ["--wait"], tree, {"show-environment": ""})
        case("status", ["-wl"], tree, {"show-environment": ""})

# YAML of any text.
RANDOM = random.Random(7)
PIECES = ["a", "word", "-", ":", ": ", " #", "#", "'", '"', "\\", "\n", " ", "  ", "\t", "é", "…", "{", "}", "[",
          "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "?", "? ", "- ", "...", "---", "null", "~", "1", "0x1f",
          "1e3", "2020-01-01", "yes", "=", "<<", "\u2028", "\x85", "\x07", "😀", "12:30", "\ufeff", "longer-word "]
for _ in range(60):
    texts = ["".join(RANDOM.choice(PIECES) for _ in range(RANDOM.choice([1, 1, 2, 3, 8, 40, 120]))) for _ in range(8)]
    tree = with_status(v1(4, errors={"init": texts[:4]}, recoverable={"init": {"WARNING": texts[4:]}}), result=True)
    case("status", ["--format", "yaml"], tree)

# cloud-id.
DONE = with_status(v1(4), result=True)


def data(**members):
    return {"run/cloud-init/instance-data.json": json.dumps({"v1": members, "ds": {"meta_data": {"a": 1}}})}


for members in [
    {"cloud_name": "aws", "region": "cn-north-1", "platform": "ec2"},
    {"cloud_name": "aws", "region": "us-gov-west-1", "platform": "ec2"},
    {"cloud_name": "aws", "region": "eu-west-1", "platform": "ec2"},
    {"cloud_name": "unknown", "region": None, "platform": "nocloud"},
    {"cloud_name": "nocloud", "region": "", "platform": "nocloud"},
    {"platform": "openstack"},
    {},
]:
    for arguments in [[], ["--long"], ["-j"]]:
        case("cloud-id", arguments, {**DONE, **data(**members)})
case("cloud-id", [], DONE)
case("cloud-id", ["-i", "/data/x.json"], {**DONE, "data/x.json": json.dumps({"v1": {"cloud_name": "gce"}})})
case("cloud-id", ["-i", "/data/x.json"], {**DONE, "data/x.json": "{"})
case("cloud-id", [], {"run/systemd/system": None, "run/cloud-init/disabled": ""})
case("cloud-id", [], BASE)
case("cloud-id", [], {**with_status(v1(1)), **data(cloud_name="nocloud")})

# query.
KNOWN = {
    "ds": {"_doc": "d", "meta_data": {"local-hostname": "vm", "a.b": {"c-d": [1, {"e-f": None}]}, "é": 1.5}},
    "v1": {"region": "r", "cloud-name": "c", "cloud_name": "c", "nested": {"v2": {"x": 1}, "y": True}},
    "region": "other",
    "empty": {},
    "text-with": "line\nline",
}
SECRET = {**KNOWN, "v1": {**KNOWN["v1"], "secret": "s"}}
TREE = {
    "run/cloud-init/instance-data.json": json.dumps(KNOWN),
    "run/cloud-init/instance-data-sensitive.json": json.dumps(SECRET),
    "run/cloud-init/combined-cloud-config.json": json.dumps({"ssh_pwauth": False, "users": ["a"]}),
    "var/lib/cloud/instance/user-data.txt": "#cloud-config\n{}\n",
    "var/lib/cloud/instance/vendor-data.txt": "",
}
QUESTIONS = [
    ["--all"], ["-l"], ["v1"], ["v1.region"], ["region"], ["ds.meta_data"], ["ds.meta-data"],
    ["ds.meta_data.local-hostname"], ["ds.meta_data.local_hostname"], ["ds.meta_data.a_b"],
    ["ds.meta_data.a_b.c_d"], ["ds.meta_data.a_b.c_d.0"], ["nope"], ["v1.nope"], ["v1.region.x"], ["empty"],
    ["-l", "v1"], ["-l", "v1.region"], ["-l", "empty"], ["userdata"], ["vendordata"], ["combined_cloud_config"],
    ["combined_cloud_config.users"], ["text-with"], ["text_with"], ["x"], ["v2"], ["nested.v2.x"], ["nested.x"],
    ["--format", "{{ v1.region }}-{{ ds.meta_data.local_hostname }}"], ["-f", "{{ nope }}"], ["-f", "{{"],
    ["-f", ""], ["-f", "{% if v1.nested.y %}yes{% endif %}"], ["-f", "{{ v1.nested }}"], ["-f", "{{ '' }}"],
    [], ["v1", "--format", "{{ region }}"], ["-u", "/data/user", "userdata"],
    ["-i", "/data/known.json", "a"], ["-i", "/data/none.json", "a"],
]
for root in [True, False]:
    for question in QUESTIONS:
        tree = {**TREE, "data/user": "other\n", "data/known.json": '{"a": {"b": "ü"}}'}
        case("query", question, tree, root=root)
    case("query", ["v1.secret"], TREE, root=root)
    case("query", ["--all"], {"run/cloud-init/instance-data.json": "{}"}, root=root)
    case("query", ["--all"], {}, root=root)
