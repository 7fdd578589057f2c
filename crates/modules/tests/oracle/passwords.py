"""Passwords: set_passwords_more.jsonl."""

import json
from unittest import mock

import common

common.checkout()

import trace as tracing

from cloudinit import distros
from cloudinit.config import cc_set_passwords
from cloudinit.log import log_util

HASHES = ["$6$a$b", "$1$a$b", "$2a$10$abc", "$2y$x$y", "$5$$b", "$6$a$", "$6$$$", "$y$a$b", "$6$a", "$6a$b", "x$6$a$b", "$6$a$b:c", "$2b$a$b", "$6$rounds=5$salt$hash"]
LINES = [f"h:{text}" for text in HASHES] + ["a:b", "a:R", "a:RANDOM", "a:random", "a:", ":b", "a:b:c", "a: b ", "a", "", "a:RANDOM "]
USERS = [
    {"name": "a", "password": "b", "type": "text"},
    {"name": "a", "password": "$6$a$b"},
    {"name": "a", "password": "plain"},
    {"name": "a", "password": "$6$a$b", "type": "hash"},
    {"name": "a", "type": "RANDOM"},
    {"name": "a", "password": "x", "type": "RANDOM"},
    {"name": "a", "type": "text"},
    {"name": "a"},
    {"name": "a", "password": 5, "type": "text"},
    {"name": "a", "password": None},
    {"name": 5, "type": "RANDOM"},
    {"name": "a", "password": "b", "type": "TEXT"},
    {"name": "a", "password": "b", "type": None},
    {"password": "b"},
    {"password": "b", "type": "text"},
    {"password": "b", "type": "other"},
    "a:b",
    5,
    None,
    ["name"],
]
PWAUTH = ["true", "false", "yes", "'yes'", "'No'", "' TRUE '", "1", "0", "2", "null", "unchanged", "UNCHANGED", "maybe", "''", "[]", "{}", "1.0", "'1'", "on", "off"]
SSHD = [
    "Port 22\n#PasswordAuthentication yes\nPasswordAuthentication no\n",
    "PasswordAuthentication yes\n",
    "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n",
    " Include /etc/ssh/sshd_config.d/*.conf\n",
    "",
    None,
]
CHPASSWD = ["null", "5", "''", "'list'", "'a:b'", "[]", "[users]", "[a]", "{}", "{list: null}", "{list: ''}", "{list: []}", "{users: null}", "{users: []}", "{users: a}", "{users: {name: a}}",
            "{list: 5}", "{list: {a: b}}", "{list: true}", "{list: [5]}", "{list: [[a]]}", "{list: [null]}", "{expire: 5}", "true"]


def one(yaml, sshd="", own=None, distro="debian", systemd=True):
    files = {}
    if sshd is not None:
        files["/etc/ssh/sshd_config"] = sshd
    if own is not None:
        files["/etc/ssh/sshd_config.d/50-cloud-init.conf"] = own
    case = {"cloud_config": yaml, "files": files, "distro": distro, "programs": ["passwd"]}
    if systemd:
        files["/run/systemd/system"] = ""
    config = common.load(yaml)
    machine = tracing.Traced(files, programs=["passwd"])

    def console(text, **kwargs):
        machine.done.append(["console", text])

    def function():
        with mock.patch.object(cc_set_passwords, "rand_user_password", lambda: "RANDPW"), mock.patch.object(
            log_util, "multi_log", console
        ), mock.patch.object(distros, "uses_systemd", lambda: systemd):
            cloud = common.cloud(distro, config, {}, machine)
            cc_set_passwords.handle("x", config, cloud, [])

    tracing.run(case, machine, function)
    if not any(event[:2] == ["run", ["chpasswd"]] for event in case["done"]):
        # Random passwords that could not be set are not printed, as cloud-init does.
        case["done"] = [event for event in case["done"] if event[0] != "console"]
    return case


def main():
    cases = []
    for line in LINES:
        cases.append(one("chpasswd: " + json.dumps({"list": [line]})))
        cases.append(one("ssh_pwauth: true\nchpasswd: " + json.dumps({"list": line + "\nz:9"})))
    for user in USERS:
        cases.append(one("ssh_pwauth: true\nchpasswd: " + json.dumps({"users": [user]})))
        cases.append(one("chpasswd: " + json.dumps({"users": [{"name": "z", "password": "9", "type": "text"}, user], "expire": False})))
    for value in CHPASSWD:
        cases.append(one(f"chpasswd: {value}\nssh_pwauth: true"))
    for value in PWAUTH:
        for sshd in SSHD:
            cases.append(one(f"ssh_pwauth: {value}", sshd))
    for own in ("", "PasswordAuthentication yes\n", "# x\nMatch all\n PasswordAuthentication no\n"):
        cases.append(one("ssh_pwauth: true", SSHD[2], own))
    for distro in ("alpine", "rhel", "opensuse", "debian"):
        cases.append(one("ssh_pwauth: true", SSHD[0], None, distro, distro in ("rhel", "opensuse")))
    info = "\nsystem_info: {default_user: {name: ubuntu}, ssh_svcname: mysshd}\n"
    for password in ("pw", "''", "null", "5", "R", "RANDOM", "a:b", "$6$a$b", "[a]", "true", "$y$a$b"):
        for users in ("", "users: [default]", "users: [joe]", "user: joe", "users: 5", "users: [5]"):
            cases.append(one(f"password: {password}\n{users}{info}"))
    cases.append(one(f"password: pw\nusers: [default]\nssh_pwauth: true\nchpasswd: {{expire: false}}{info}"))
    cases.append(one(f"password: pw\nusers: [default]\nchpasswd: {{list: ['a:b']}}{info}"))
    chance = tracing.chance("passwords")
    for _ in range(tracing.COUNT or 150):
        settings = {}
        good = [line for line in LINES if ":" in line]
        if chance.random() < 0.7:
            lines = [chance.choice(good if chance.random() < 0.97 else LINES) for _ in range(chance.randint(0, 4))]
            settings["list"] = lines if chance.random() < 0.5 else "\n".join(lines)
        if chance.random() < 0.7:
            settings["users"] = [{**user, "name": "u%d" % at} if isinstance(user, dict) else user for at, user in enumerate(chance.choice(USERS[:8] if chance.random() < 0.95 else USERS) for _ in range(chance.randint(0, 4)))]
        if chance.random() < 0.5:
            settings["expire"] = chance.choice([True, False, "no", None, "yes", 0])
        cases.append(one("chpasswd: " + json.dumps(settings) + f"\nssh_pwauth: {chance.choice(PWAUTH)}\npassword: pw\nusers: [default]{info}", chance.choice(SSHD)))
    common.save("set_passwords_more", cases)


main()
