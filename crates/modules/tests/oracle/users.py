"""Users and groups: users_more.jsonl (what is normalized), create_user_more.jsonl (what is done)."""

import copy
import json

import common

common.checkout()

import trace as tracing

from cloudinit.config import cc_users_groups
from cloudinit.distros import ug_util

UBUNTU = {
    "name": "ubuntu",
    "lock_passwd": True,
    "gecos": "Ubuntu",
    "groups": ["adm", "cdrom", "dip", "lxd", "sudo"],
    "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
    "shell": "/bin/bash",
}
DEFAULTS = [UBUNTU, {"name": "alpine", "groups": "adm, wheel", "doas": ["permit nopass alpine"]}, {"gecos": "no name"}, None]

NORMALIZE = [
    "users: ['a,b', default]",
    "users: 'b,a,,b'",
    "users: ''",
    "users: ','",
    "users: [a, a, {name: a, uid: 7}]",
    "users: [{name: a, uid: 7}, a]",
    "users: [{name: a, x: {p: 1}}, {name: a, x: {q: 2}}]",
    "users: [{name: a, x: [1]}, {name: a, x: {q: 2}}]",
    "users: [{name: a, x: s}, {name: a, x: {q: 2}}]",
    "users: [{name: a, x: 5}, {name: a, x: {q: 2}}]",
    "users: [{name: a, x: null}, {name: a, x: {q: 2}}]",
    "users: [{name: a, lock-passwd: false}]",
    "users: [{name: a, lock-passwd: false, lock_passwd: true}]",
    "users: [{name: a, lock_passwd: true, lock-passwd: false}]",
    "users: [{name: a, ' gecos ': x, '': y, '-': z}]",
    "users: [{name: a, 5: x}]",
    "users: [{name: 5}]",
    "users: [{name: null}]",
    "users: [{name: [a]}]",
    "users: [{name: {a: b}}]",
    "users: [{name: true}, {name: 1}]",
    "users: [[a, [b]], c]",
    "users: [[a, {b: c}], c]",
    "users: [[a, '', null, 0, 5], c]",
    "users: [[]]",
    "users: {}",
    "users: {a: 'yes', b: 'no', c: 1, d: 0, e: 1.0, f: on}",
    "users: {a: null}",
    "users: {a: [b]}",
    "users: {5: true, 'x,y': true}",
    "users: {a: {name: other, uid: 4}}",
    "users: {default: false, a: true}",
    "users: {default: {gecos: Me}, a: true}",
    "users: null",
    "users: 2020-01-01",
    "users: [2020-01-01]",
    "users: [true]",
    "users: [default, default]",
    "users: [default, {name: default, gecos: Other}]",
    "users: [{gecos: First}, {gecos: Second, shell: /bin/zsh}]",
    "users: [default, {name: ubuntu, groups: 'docker, adm'}]",
    "users: [default, {name: ubuntu, groups: null}]",
    "users: [default, {name: ubuntu, groups: {docker: x}}]",
    "users: [default, {name: ubuntu, groups: [5]}]",
    "users: [default, {name: ubuntu, groups: 5}]",
    "users: [default, {name: ubuntu, groups: []}]",
    "users: [{groups: [docker]}]",
    "users: [{name: ubuntu}, default]",
    "users: [{name: ubuntu, sudo: null, ssh-authorized-keys: [k]}, default]",
    "user: null",
    "user: ''",
    "user: []",
    "user: [a]",
    "user: 5",
    "user: {gecos: x}",
    "user: {name: 5}",
    "user: {name: joe, groups: [a]}",
    "user: {name: joe, groups: 'a,b', sudo: null}\nusers: [default, {name: joe, gecos: J}]",
    "user: joe\nusers: {a: true}",
    "user: joe\nusers: {default: false}",
    "user: joe\nusers: a",
    "user: joe\nusers: null",
    "user: joe\nusers: 5",
    "groups: null",
    "groups: ''",
    "groups: ' a , b,a'",
    "groups: {}",
    "groups: {a: [y, x, y], b: 'q, p', c: {z: 1}, d: []}",
    "groups: {a: null}",
    "groups: {a: 5}",
    "groups: {5: [a]}",
    "groups: {a: [1, x]}",
    "groups: {a: [2, 1, 1.0, true]}",
    "groups: [{a: null}]",
    "groups: [{a: {b: c}}]",
    "groups: [{a: [x], b: y}, a, {c: []}]",
    "groups: [a, a, 'b,c']",
    "groups: [[a]]",
    "groups: [null]",
    "groups: [true]",
    "groups: [{5: x}]",
    "groups: true",
    "users: [{name: a, merge_how: 'dict(replace)', uid: 1}]",
    "users: [{name: a, uid: 1}, {name: a, merge_how: 'dict(replace)', uid: 2}]",
    "users: [{name: a, g: [1]}, {name: a, merge_how: 'dict(recurse_list)+list(append)', g: [2]}]",
]

VALUES = {
    "gecos": ["J D", "", None, 5],
    "homedir": ["/x", "", 7],
    "primary_group": ["p", "users", ""],
    "groups": ["a, b", ["a", "b"], {"a": 1}, "adm", [], None, "a,a", ["a b", " c"], [5], 5, ""],
    "create_groups": [False, True, None, "no"],
    "no_user_group": [True, False, "x"],
    "no_log_init": [True, 0],
    "no_create_home": [True, False, "false"],
    "system": [True, False, None],
    "uid": [1005, "1005", 0, None, 0o644, 1.5, True],
    "passwd": ["$6$x$y", "", None, 12345, "a:b"],
    "shell": ["/bin/bash", None, True],
    "expiredate": ["2032-09-01", None],
    "inactive": ["5", 5],
    "selinux_user": ["staff_u", None],
    "plain_text_passwd": ["pw", "", None, 12345, True, "a:b", "l\nm"],
    "hashed_passwd": ["$6$x$y", "", None, "$y$j9T$a$b"],
    "lock_passwd": [True, False, None, "false", 0, ""],
    "lock-passwd": [False],
    "sudo": ["ALL=(ALL) ALL", ["ALL=(ALL) ALL", "ALL=(x) NOPASSWD:/bin/ls"], False, None, "", True, [5], {"a": 1}, []],
    "doas": [["permit nopass NAME"], "permit nopass NAME", [], None, ["permit other"], [5], ["permit NAME", "bad"]],
    "ssh_authorized_keys": [
        ["ssh-ed25519 AAAA a@b", "ssh-ed25519 AAAA a@b"],
        "ssh-rsa AAAA x",
        {"k": "ssh-rsa AAAA x"},
        None,
        [],
        [5],
        [["a"]],
        5,
        "",
        ["garbage"],
    ],
    "ssh_redirect_user": [True, False, "default", "other", 1, None, "true"],
    "ssh_import_id": [["gh:x"], None],
    "snapuser": ["a@b.c"],
    "known": [True],
    "other": ["x"],
    "name ": ["twice"],
}
FILES = {
    "/etc/sudoers": ["@includedir /etc/sudoers.d\n", "#includedir /etc/sudoers.d/ \n", "root ALL\n", "  | includedir /etc/sudoers.d\n|includedir /etc/x/../sudoers.d\n", None],
    "/etc/sudoers.d/90-cloud-init-users": [None, None, "# there\n", "\n# User rules for joe\njoe ALL=(ALL) ALL\n"],
    "/etc/doas.conf": [None, None, "permit root\n"],
}


def tagged(value):
    """Groups and users as JSON: keys that are no text as in the other files."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else f"__{type(key).__name__}__:{key}": tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    return value


class Distro:
    def __init__(self, default):
        self.default = default

    def get_default_user(self):
        return copy.deepcopy(self.default)


def normalize(yaml, default):
    case = {"cloud_config": yaml, "distro_default_user": default}
    try:
        users, groups = ug_util.normalize_users_groups(common.load(yaml), Distro(default))
        name, _ = ug_util.extract_default(copy.deepcopy(users))
        case["ok"] = {
            "users": [[tagged({key: None}) and next(iter(tagged({key: None}))), tagged(value)] for key, value in users.items()],
            "groups": [[next(iter(tagged({key: None}))), tagged(value)] for key, value in groups.items()],
            "default": name,
        }
    except Exception as error:
        case["error"] = type(error).__name__
    return case


def create(yaml, files, distro="debian", programs=("passwd", "usermod", "useradd", "groupadd"), keys=(), snappy=False):
    files = {path: text for path, text in files.items() if text is not None}
    case = {"cloud_config": yaml, "files": files, "distro": distro, "programs": list(programs), "keys": list(keys)}
    machine = tracing.Traced(files, programs=programs)
    machine.snappy = snappy
    if snappy:
        case["snappy"] = True
    config = common.load(yaml)

    def function():
        cloud = common.cloud(distro, config, {"public-keys": list(keys)}, machine)
        cc_users_groups.handle("x", config, cloud, [])

    return tracing.run(case, machine, function)


def random_users(chance):
    users = []
    for _ in range(chance.choice([1, 1, 1, 2])):
        name = chance.choice(["joe", "joe", "ann", "old", "blank"])
        user = {"name": name}
        for key in chance.sample(list(VALUES), chance.randint(0, 5)):
            # Mistakes that stop everything are rarer than people make them, so that more is seen.
            value = chance.choice(VALUES[key] if chance.random() < 0.4 else VALUES[key][:2])
            if isinstance(value, list):
                value = [item.replace("NAME", name) if isinstance(item, str) else item for item in value]
            user[key] = value
        users.append(user)
    config = {"users": users}
    if chance.random() < 0.3:
        config["users"].insert(chance.randint(0, 1), "default")
    if chance.random() < 0.2:
        config["groups"] = chance.choice([["a"], [{"g": ["old", "joe"]}], "a,users", {"g": "old"}, [5], {"g": [5]}])
    config["system_info"] = {"default_user": UBUNTU}
    return config


def random_value(chance, depth=2):
    kind = chance.random()
    if kind < 0.5 or depth == 0:
        return chance.choice(["a", "b", "a,b", " c ", "default", "ubuntu", "", None, True, False, 0, 1, 5, 1.5, "yes", "no"])
    if kind < 0.75:
        return [random_value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    keys = ["a", "b", "x", "name", "groups", "lock-passwd", "lock_passwd", "default", "ubuntu"]
    return {chance.choice(keys): random_value(chance, depth - 1) for _ in range(chance.randint(0, 3))}


def random_names(chance):
    """`users`, `user` and `groups` that mostly make sense."""
    def user():
        kind = chance.random()
        if kind < 0.4:
            return chance.choice(["a", "b", "default", "ubuntu", "a,b"])
        if kind < 0.9:
            config = {"name": chance.choice(["a", "b", "default", "ubuntu"])}
            if chance.random() < 0.1:
                del config["name"]
            for key in chance.sample(["groups", "gecos", "lock-passwd", "lock_passwd", "sudo", "m"], chance.randint(0, 3)):
                config[key] = random_value(chance, 1) if chance.random() < 0.3 else chance.choice([["adm", "a"], "a,adm", {"p": 1}, {"q": [1]}, "text", None])
            return config
        return random_value(chance, 1)

    config = {}
    if chance.random() < 0.9:
        config["users"] = [user() for _ in range(chance.randint(0, 4))] if chance.random() < 0.8 else random_value(chance)
    if chance.random() < 0.3:
        config["user"] = chance.choice(["a", "ubuntu", {"name": "b", "groups": ["z"]}, {"name": "a", "m": {"p": 2}}]) if chance.random() < 0.8 else random_value(chance)
    if chance.random() < 0.4:
        config["groups"] = chance.choice([["g", {"h": ["a", "b"]}, "g"], "g,h", {"g": "a,b", "h": []}]) if chance.random() < 0.5 else random_value(chance)
    return config


def main():
    cases = [normalize(yaml, default) for yaml in NORMALIZE for default in DEFAULTS[: 4 if "default" in yaml or "user:" in yaml else 1]]
    chance = tracing.chance("names")
    for _ in range(tracing.COUNT or 150):
        cases.append(normalize(json.dumps(random_names(chance)), chance.choice(DEFAULTS)))
    common.save("users_more", cases)
    cases = []
    info = "system_info: " + json.dumps({"default_user": UBUNTU}) + "\n"
    for key, values in VALUES.items():
        for value in values:
            for name in ("joe", "old"):
                user = {"name": name, key: json.loads(json.dumps(value).replace("NAME", name))}
                cases.append(create(info + "users: " + json.dumps([user, "last"]), {"/etc/sudoers": FILES["/etc/sudoers"][0]}))
    for file, texts in FILES.items():
        for text in texts:
            user = {"name": "joe", "sudo": "ALL=(ALL) ALL", "doas": ["permit joe"]}
            cases.append(create(info + "users: " + json.dumps([user, {"name": "ann", "sudo": ["a", "b"]}]), {file: text}))
    for name in ("joe", "old", "blank"):
        for lock in (True, False):
            for word in ("passwd", "hashed_passwd", "plain_text_passwd", None):
                user = {"name": name, "lock_passwd": lock}
                if word:
                    user[word] = "$6$a$b"
                for distro, programs in (
                    ("debian", ("passwd", "usermod", "useradd", "groupadd")),
                    ("debian", ("usermod", "useradd", "groupadd")),
                    ("alpine", ("passwd",)),
                ):
                    cases.append(create(info + "users: " + json.dumps([user]), {}, distro, programs))
    for redirect in (True, "default", "no", 1, False):
        for keys in ((), ("ssh-rsa AAAA cloud",)):
            for users in (["default", {"name": "joe", "ssh_redirect_user": redirect}], [{"name": "joe", "ssh_redirect_user": redirect}]):
                cases.append(create(info + "users: " + json.dumps(users), {}, keys=keys))
    chance = tracing.chance("users")
    for index in range(tracing.COUNT or 250):
        files = {path: chance.choice(texts) for path, texts in FILES.items()}
        distro, programs = chance.choice(
            [
                ("debian", ("passwd", "usermod", "useradd", "groupadd")),
                ("ubuntu", ("passwd", "usermod", "useradd", "groupadd")),
                ("rhel", ("passwd", "usermod", "useradd", "groupadd")),
                ("alpine", ("passwd",)),
                ("alpine", ("passwd", "usermod", "useradd", "groupadd")),
            ]
        )
        yaml = json.dumps(random_users(chance))
        snappy = distro == "ubuntu" and chance.random() < 0.2
        cases.append(create(yaml, files, distro, programs, chance.choice([(), ("ssh-rsa AAAA cloud",)]), snappy))
    common.save("create_user_more", cases)


main()
