"""The last message and the power state: final_message_more.jsonl, power_state_more.jsonl."""

import itertools

import common

common.checkout()

from cloudinit import templater
from cloudinit.config import cc_final_message, cc_power_state_change

SUBS = {
    "uptime": "12.34",
    "timestamp": "Thu, 01 Jan 1970 00:00:12 +0000",
    "version": "26.2",
    "datasource": "DataSourceNoCloud [seed=/dev/sr0]",
}
SUBS.update({key.upper(): value for key, value in list(SUBS.items())})
MESSAGES = [
    "",
    "  \n",
    "plain",
    " padded \n",
    "$uptime",
    "${UPTIME}s",
    "$UPTIMEs",
    "$uptime.x",
    "${uptime.x}",
    "$unknown",
    "${unknown}",
    "$ $$ $-",
    "$$uptime",
    "${uptime",
    "${}",
    "${up time}",
    "costs 5$",
    "$5",
    "two\nlines $version",
    "## template: jinja\n{{ version }}",
    "## template:jinja\n{{version}}{{ UPTIME }} {{none_such}}",
    "## template: basic\n$version",
    "## template: other\n$version",
    "##template: jinja\n{{version}}",
    "##  TEMPLATE: JINJA\n{{version}}\n",
    "# template: jinja\n{{version}}",
    "## template: jinja",
    "## template: jinja\n$version {{version}}",
    "## template: jinja\n{# c #}\n{{version}}",
    "## template: jinja\n{{version",
    "## template: jinja\na { b } {version}",
    "{{version}} $version",
    "ü $datasource é",
]


def messages():
    cases = []
    for message in MESSAGES:
        case = {"final_message": message, "subs": SUBS}
        text = message.strip() or cc_final_message.FINAL_MESSAGE_DEF
        try:
            case["ok"] = templater.render_string(text, SUBS)
        except Exception as error:
            case["error"] = type(error).__name__
        cases.append(case)
    return cases


def power():
    modes = ["reboot", "halt", "poweroff", "'reboot'", "off", "Reboot", "null", "5", "[reboot]"]
    delays = [None, "now", "'now'", "NOW", "5", "'5'", "'+5'", "+5", "-5", "'-5'", "0", "1.9", "true", "abc", "null", "' 7 '", "1_0", "'1_0'", "'_1'", "[5]", "'1.5'", "'05'", "1e3"]
    messages = [None, "bye", "''", "null", "'see you'", "0"]
    timeouts = [None, "30", "0", "'30'", "1.5", "'1e2'", "abc", "null", "true", "[1]", "' 5 '", "inf", "-1"]
    conditions = [None, "true", "false", "'true'", "no", "[sh, -c, 'exit 0']", "[]", "''", "5", "null", "{a: b}", "[a, 1, null]"]
    texts = ["{}", "power_state: null", "power_state: {}", "power_state: text", "power_state: [reboot]", "power_state: 0"]
    for values in itertools.chain(
        itertools.product(modes, delays, [None], [None], [None]),
        itertools.product(["reboot"], [None, "5"], messages, timeouts, [None]),
        itertools.product(["poweroff"], [None], [None, "bye"], [None, "7"], conditions),
    ):
        keys = ["mode", "delay", "message", "timeout", "condition"]
        body = ", ".join(f"{key}: {value}" for key, value in zip(keys, values) if value is not None)
        texts.append("power_state: {%s}" % body)
    cases = []
    from cloudinit import distros

    distro = distros.fetch("debian")("debian", {}, None) if False else distros.fetch("debian")
    for yaml in dict.fromkeys(texts):
        case = {"cloud_config": yaml}
        try:
            argv, timeout, condition = cc_power_state_change.load_power_state(common.load(yaml), distro)
            if isinstance(condition, list):
                condition = [str(word) for word in condition]
            if timeout is not None and timeout in (float("inf"), float("-inf")):
                continue
            case["ok"] = [argv, timeout, condition]
        except Exception as error:
            case["error"] = type(error).__name__
        cases.append(case)
    return cases


common.save("final_message_more", messages())
common.save("power_state_more", power())
