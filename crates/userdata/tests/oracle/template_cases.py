#!/usr/bin/env python3
"""Asks cloud-init what templates render to.

    template_cases.py CHECKOUT > cases.jsonl

Every line of the output is one case: {"template", "ok"}, or "error" with the name of the exception; null where
cloud-init ignores the part. The first line has the "instance_data" of all that have none of their own.
"""

import json
import logging
import sys

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)

from cloudinit.handlers.jinja_template import render_jinja_payload  # noqa: E402
from cloudinit.templater import detect_template  # noqa: E402

DATA = {
    "base64-encoded-keys": ["ds/secret"],
    "v1": {
        "cloud_name": "ec2", "local-hostname": "h1.example.org", "local_hostname": "h1.example.org", "instance_id": "i-01", "region": "eu-1",
        "availability_zone": "eu-1a", "public_ssh_keys": ["ssh-ed25519 AAAA a@b", "ssh-rsa BBBB"], "system_platform": None, "number": 5, "float": 1.0, "yes": True,
    },
    "ds": {"meta_data": {"instance-id": "i-01", "tags": {"Name": "web 1", "role-x": "a"}, "disks": [{"id": 1}, {"id": 2}], "empty": {}, "nothing": []}, "secret": "aGk=", "v1.0": {"x-y": 1}},
    "merged_cfg": {"a": {"b": [1, 2.5, "x'y", None, True, {"k": "v"}]}}, "userdata": "x", "v2": {"region": "eu-2"}, "zz": "end", "umlaut": "\u00e4",
}

BODIES = [
    "#cloud-config\nhostname: {{ v1.local_hostname }}\n", "{{ instance_id }} {{ region }} {{ v1.region }} {{ zz }}", "{{ v1['local-hostname'] }} {{ v1.local_hostname.split('.')[0] }}",
    "{{ ds.meta_data.instance_id }} {{ ds['meta_data']['instance-id'] }} {{ ds.v1_0.x_y }} {{ ds['v1.0']['x-y'] }}", "{{ ds.secret }}", "{{ nope }}", "{{ v1.nope }} x", "{{ nope.nope }}", "{{ v1.nope.nope }}",
    "{{ v1.local-hostname }}", "{{ a-b }}", "{{ nope|default('d') }} {{ nope|d }}|{{ v1.nope|default('e') }}", "{{ nope|upper }}", "{{ nope ~ 'x' }}", "{{ nope + 'x' }}", "{{ nope is defined }} {{ region is defined }} {{ v1.nope is undefined }}",
    "{% if nope %}a{% else %}b{% endif %}", "{% for x in nope %}a{% else %}b{% endfor %}", "{% if v1.region == 'eu-1' %}\nyes\n{% endif %}\nend\n", "{% for k in v1.public_ssh_keys %}\n- {{ k }}\n{% endfor %}\nend\n", "{%- for k in [1, 2] -%} {{ k }} {%- endfor -%}",
    "{% for d in ds.meta_data.disks %}{{ loop.index }}:{{ d.id }}{{ ',' if not loop.last }}{% endfor %}", "{% set x = 'a' %}{{ x }}{{ x * 3 }}", "{% set ns = namespace(x=0) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, b=3) }}", "{# comment #}x", "{% raw %}{{ x }}{% endraw %}", "{{ '{{' }}", "{{", "{% if %}", "{% endif %}", "{{ x | nofilter }}", "{{ x is notest }}", "{% nope %}", "{{ 1 + }}", "{{ 'a }}", "}} x %}",
    "{{ v1.system_platform }} {{ v1.yes }} {{ v1.number }} {{ v1.float }} {{ none }} {{ true }} {{ 1.5 }} {{ 10 / 4 }} {{ 10 // 4 }} {{ 2 ** 3 }} {{ 7 % 4 }}", "{{ merged_cfg.a.b }}", "{{ merged_cfg }}", "{{ ds.meta_data.tags }}", "{{ ds.meta_data.empty }} {{ ds.meta_data.nothing }}",
    "{{ ds.meta_data.tags.Name|upper }} {{ ds.meta_data.tags['role-x'] }} {{ ds.meta_data.tags.role_x }}", "{{ v1.public_ssh_keys|join(',') }} {{ v1.public_ssh_keys|length }} {{ v1.public_ssh_keys[0] }} {{ v1.public_ssh_keys[5] }} {{ v1.public_ssh_keys|first }} {{ v1.public_ssh_keys|last }}",
    "{{ v1.region.upper() }} {{ v1.region.replace('-', '_') }} {{ v1.region.startswith('eu') }} {{ 'a,b'.split(',') }} {{ ' x '.strip() }} {{ 'x'.join(['a', 'b']) }}", "{{ ds.meta_data.tags.items()|list }}", "{{ ds.meta_data.tags.get('Name') }} {{ ds.meta_data.tags.get('x') }} {{ ds.meta_data.tags.get('x', 'y') }}",
    "{{ ds.meta_data.tags.keys()|list }} {{ ds.meta_data.tags.values()|list }}", "{% for k, v in ds.meta_data.tags.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in ds.meta_data.tags %}{{ k }};{% endfor %}", "{% for k, v in ds.meta_data.tags|dictsort %}{{ k }};{% endfor %}", "{{ 'Name' in ds.meta_data.tags }} {{ 'x' in ds.meta_data.tags }} {{ 'eu' in region }}",
    "{{ ds.meta_data.tags|tojson }} {{ [1, 'a<b', none, true]|tojson }}", "{{ region|replace('eu', 'us') }} {{ region|title }} {{ region|capitalize }} {{ '  x '|trim }} {{ 'a b'|wordcount }} {{ 5|string + 'x' }} {{ '5'|int + 1 }} {{ 'x'|int }} {{ '1.5'|float }} {{ -5|abs }} {{ 3.7|round }} {{ 3.14159|round(2) }}",
    "{{ [3,1,2]|sort }} {{ [1,2,3]|sum }} {{ [1,2]|max }} {{ [1,1,2]|unique|list }} {{ ['a','b']|map('upper')|list }} {{ [1,2,3]|select('odd')|list }} {{ [1,2,3]|reject('odd')|list }} {{ [1,2,3]|reverse|list }} {{ 'abc'|reverse }}", "{{ ds.meta_data.disks|map(attribute='id')|join('+') }} {{ ds.meta_data.disks|selectattr('id', 'equalto', 2)|list }}",
    "{{ 'a' if nope else 'b' }} {{ 'a' if region }} {{ not nope }}", "{{ 'a' if nope }}", "{% do [].append(1) %}x", "{% set l = [] %}{% do l.append(1) %}{{ l }}", "{{ umlaut }} \u00e4 {{ '\u2192' }}", "a\r\nb {{ region }}\r\n", "a\n\n\n", "a", "", "\n", "{{ region }}\n", "{{ region }}\n\n", "{% if true %}\n\na\n{% endif %}\n",
    "x {% if true %}y{% endif %} z\n", "{{ region -}}  \n b", "a\n  {%- if true %}b{% endif %}", "{% with x = 1 %}{{ x }}{% endwith %}", "{% filter upper %}a{{ region }}{% endfilter %}", "{% set x %}a{{ region }}{% endset %}{{ x }}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% block b %}x{% endblock %}", "{{ 1 < 2 and 2 < 3 or false }} {{ 1 == 1.0 }} {{ 'a' < 'b' }}",
    "{{ region[0:2] }} {{ region[-1] }} {{ [1,2,3][1:] }}", "{{ (1, 2) }}", "{{ {'a': 1, 'b': [2]} }} {{ {'a': 1}.a }} {{ {'a': 1}['b'] }}", "{{ 5 is number }} {{ 'a' is string }} {{ [] is iterable }} {{ {} is mapping }} {{ none is none }} {{ 4 is even }} {{ 4 is divisibleby 2 }} {{ nope is none }}", "{{ 'it''s' }}", '{{ "a\\nb" }} {{ \'\\u00e4\' }}', "{{ 1e3 }} {{ 0x1f }} {{ 1_000 }} {{ 0.1 + 0.2 }} {{ 1e100 }}",
    "{{ [1, 2] + [3] }} {{ 'a' + 'b' }} {{ 'a' + 1 }}", "{{ 'a' ~ 1 ~ none ~ true }}", "{{ region }}{# x\ny #}\nz", "{{ v1 }}", "{{ nope() }}", "{{ nope[0] }}", "{{ nope|length }}", "{{ nope|join(',') }}|{{ nope|list }}", "{{ nope == 'x' }} {{ nope != 'x' }} {{ nope == nope2 }}", "{{ 'x' in nope }}", "{{ nope|int }}", "{{ 1 / 0 }}", "{{ range(3)|list }} {{ range(2, 10, 3)|list }}", "{{ dict(a=1) }}",
    "{{ cycler('a', 'b').next() }}", "{{ 'abc'|center(9) }}|{{ 'abc'|indent(2) }}|{{ 'a\nb'|indent }}", "{{ 'x' * 3 }} {{ 3 * 'x' }} {{ [1] * 2 }}", "{{ loop }}", "{{ self }}", "{{ region.nope }}", "{{ v1.system_platform.nope }}", "{{ 'a'.nope() }}", "{{ '%s-%s'|format(1, 'a') }}", "{{ '%s' % region }}", "{{ '{}'.format(region) }}", "{{ 'abc'.find('c') }} {{ 'abc'.index('c') }} {{ 'abc'.count('a') }} {{ 'a b'.title() }} {{ 'abc'.endswith('c') }} {{ 'a-b'.partition('-') }} {{ 'abc'.zfill(5) }} {{ 'abc'.lstrip('a') }} {{ 'a b c'.rsplit(' ', 1) }} {{ '12'.isdigit() }}",
    "{{ nope and 'x' }}|{{ nope or 'x' }}|{{ region and 'x' }}", "{{ [nope] }} {{ (nope,) }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set (a, b) = (1, 2) %}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }};{% endfor %}", "{% for a in [1, 2, 3] if a != 2 %}{{ a }}{{ loop.length }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "{% macro m() %}{{ region }}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}", "{% macro m(a) %}[{{ a }}{{ caller() }}]{% endmacro %}{% call m(1) %}c{% endcall %}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }} {{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}",
    "{{ loop.cycle(1, 2) }}", "{% for i in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{{ loop.revindex }}{{ loop.first }}{% endfor %}", "{% for i in [1, 2] %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}", "{% for c in 'ab' %}{{ c }},{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}",
    "{{ 7 // -2 }} {{ -7 // 2 }} {{ 7 % -2 }} {{ -7 % 2 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 1.5 // 1 }} {{ 5.5 % 2 }} {{ true + 1 }}", "{{ 1 if true }} {{ (1 if false) }} {{ 1 if false else 2 if false else 3 }}", "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1 == 1 }}", "{{ 'a' not in 'abc' }} {{ not 'a' in 'abc' }} {{ 1 in [1.0] }} {{ 1 in 'a' }}", "{{ 'abc'[::-1] }} {{ 'abc'[-2:] }} {{ [1,2,3,4][::2] }} {{ [1,2,3][5:] }} {{ 'abc'[1:2] }}",
    "{{ 'a b'|title }} {{ 'a-b (c)'|title }} {{ \"it's\"|title }} {{ 'ABC'|capitalize }}", "{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c'.split(None, 1) }} {{ 'a\nb'.splitlines() }}", "{{ 'x-{}-{}'.format(1, 'a') }} {{ '{1}{0}{n}{{'.format('a', 'b', n=3) }}", "{{ '%d%% %s %r' % (5, 'a', 'b') }}", "{{ '%s' % (1, 2) }}", "{{ 'abc'|list }} {{ {'b': 1, 'a': 2}|list }} {{ {'b': 1, 'a': 2}|dictsort }}",
    "{{ [3, 1, 2]|sort(reverse=true) }} {{ ['b', 'A', 'c']|sort }} {{ ['b', 'A']|sort(case_sensitive=true) }} {{ [{'a': 2}, {'a': 1}]|sort(attribute='a') }}", "{{ [1, 'a']|sort }}", "{{ ['A', 'a', 'b']|unique|list }} {{ ['b', 'a']|min }} {{ []|max }} {{ []|first }} {{ [1, 2]|sum(start=10) }}", "{{ [{'a': 1}, {'b': 2}]|map(attribute='a')|list }} {{ [{'a': 1}, {}]|map(attribute='a', default=0)|list }}", "{{ [0, 1, '']|select|list }} {{ [1, 2, 3]|select('gt', 1)|list }} {{ [1, 2]|reject('eq', 1)|list }} {{ [{'a': 1}, {'a': 0}]|rejectattr('a')|list }}",
    "{{ 'a'|default('b') }} {{ ''|default('b', true) }} {{ none|default('b') }} {{ false|d('b', boolean=true) }}", "{{ '10'|int(base=16) }} {{ 'ff'|int(0, 16) }} {{ 'z'|int(5) }} {{ 1.9|int }} {{ '1.9'|int }} {{ 'x'|float }} {{ 5|float }}", "{{ 2.5|round }} {{ 3.5|round }} {{ 2.55|round(1) }} {{ 2.1|round(0, 'ceil') }} {{ 2.9|round(method='floor') }}", "{{ '<a&\"b'|e }} {{ 'a b/c?d'|urlencode }} {{ 'a<b'|safe }}", "{{ 'a\nb\n\nc'|indent(2) }}|{{ 'a\nb'|indent(2, true) }}", "{{ [1,2,3,4,5]|batch(2)|list }}", "{{ 'abcdefghij'|truncate(5) }} {{ 'abc def ghi'|truncate(8) }} {{ 'abcdefghijk'|truncate(5, true) }}",
    "{{ region is string and region is not none }} {{ 3 is in [1, 3] }} {{ 3 is gt 2 }} {{ 3 is sameas 3 }} {{ 'a' is eq 'a' }} {{ 5 is divisibleby(5) }} {{ 'upper' is filter }} {{ true is boolean }} {{ 1.0 is float }} {{ 1 is integer }}", "{{ not nope is defined }} {{ nope is not defined }}", "{{ 1 is number == true }}", "{% if region is defined and region %}y{% endif %}", "{{ 'a' 'b' }}{{ 'a' ~ 'b' 'c' }}", "{{ {'a': {'b': 1}}.a.b }} {{ [[1, 2]][0][1] }} {{ [1, 2].0 }}", "{{ }}", "{% %}", "{{ 1; 2 }}", "{{ [1, }}", "{{ (1, }}", "{{ {'a' 1} }}", "{{ a b }}", "{% if 1 %}", "{% for %}{% endfor %}", "{% if 1 %}{% endfor %}", "{% else %}", "{% macro %}{% endmacro %}", "{% set %}", "{% set 1 = 2 %}", "{{ 1 if }}", "{{ | upper }}", "{{ a. }}", "{{ a[ }}", "{{ 'a\\' }}", "{% raw %}", "{# x", "{{ @ }}", "{{ a ? b }}", "{{ $x }}",
    "a {%- if true -%} b {%- endif -%} c", "a\n{%+ if true %}\nb\n{%- endif +%}\nc", "{# c #}\nx\n{#- c -#}\n y", "{{- 'a' -}}\n x {{+ 1 }}", "{% if true -%}\n\n a{% endif %}", "{% raw -%}\n {{ x }} {%- endraw %}\ny", "{% raw %}\n{{ x }}\n{% endraw %}\ny", "a{% if true %}\n{% endif %}\nb", "{{ 'a' }}\n{{ 'b' }}\n", "#!/bin/sh\n{% for u in ds.meta_data.tags %}\nuseradd '{{ u }}'\n{% endfor %}\nexit\n", "#cloud-config\nusers:\n{% for k in v1.public_ssh_keys %}\n  - {{ k.split()[2]|default('none') }}\n{% endfor %}\n",
    "#cloud-config\n{% if v1.cloud_name == 'ec2' and v1.region.startswith('eu') -%}\nruncmd: [echo]\n{%- elif v1.cloud_name == 'azure' %}\nx: y\n{% else %}\nz\n{% endif %}\nhostname: {{ v1.local_hostname.split('.')|first }}\n", "{% set name = v1.local_hostname.replace('.', '-') %}\nhostname: {{ name }}\nfqdn: {{ name ~ '.' ~ v1.region }}\n", "{{ ds.meta_data.disks[0]['id'] }} {{ ds['meta_data'].tags['Name'] }} {{ ds.meta_data.nope.x|default('y') }}", "{{ ds.meta_data.nope is defined }} {{ ds.nope.nope is defined }}", "{{ v1.public_ssh_keys|map('replace', ' ', '_')|join('\n') }}", "{{ '\\x41\\u00e9\\U0001f600\\q' }}", "{{ 1_0.5_0 }} {{ 1e2 }} {{ 1.5e-3 }} {{ 0b101 }} {{ 0o17 }} {{ 00 }}", "{{ '' if nope else none }}", "{{ [none, true, 1.0]|join('-') }} {{ none ~ 1.0 }}", "{{ namespace(a=1).a }} {% set n = namespace() %}{{ n.x }}", "{% set n = 1 %}{% set n.x = 2 %}", "{{ dict(a=1, b=2).items()|list }} {{ {'a': 1}.update({'b': 2}) }}", "{% set l = [1] %}{% do l.extend([2]) %}{% do l.insert(0, 0) %}{{ l.pop() }}{{ l }}{{ l.index(1) }}", "{{ 'x'|nope }}", "{{ 'x'|upper|lower|title }}", "{{ ['a']|first|upper }}", "{{ nope.upper() }}", "{{ nope|first }}", "{{ nope|replace('a', 'b') }}", "{{ nope|trim }} {{ nope|string }}", "{{ 5 - nope }}", "{{ nope - 5 }}", "{{ -nope }}", "{{ nope < 5 }}", "{{ nope|float }}", "{{ nope|tojson }}", "{{ nope|sort }}", "{{ nope * 2 }}", "{{ nope % 2 }}",
]

HEADERS = ["## template: jinja\n", "## template:jinja\n", "##template: jinja\n", "## Template: JINJA \r\n", "## template: basic\n", "## template: jinja2\n", "##\ttemplate:\tjinja\n", " ## template: jinja\n", "", "## template: jinja"]


def cases():
    for body in BODIES:
        yield HEADERS[0] + body, DATA
    for header in HEADERS:
        yield header + "x {{ v1.region }}\n", DATA
    yield HEADERS[0] + "{{ a }} {{ v1 }}", {}
    yield HEADERS[0] + "{{ a }} {{ v1.a }} {{ b_c }}", {"v1": {"a": 1}, "a": 2, "b-c": 3}
    yield HEADERS[0] + "{{ a }} {{ b_c }} {{ b_c_d }}", {"v1": {"w": 1}, "w": 2, "b.c": 3, "b_c": 4, "b-c.d": 5}


for number, (template, data) in enumerate(cases()):
    case = {"template": template}
    if number == 0 or data is not DATA:
        case["instance_data"] = data
    try:
        # The handler refuses what is no Jinja before it renders.
        case["ok"] = render_jinja_payload(template, "x", data) if detect_template(template)[0] == "jinja" else None
    except Exception as error:  # templates may raise anything
        case["error"] = type(error).__name__
    print(json.dumps(case))
