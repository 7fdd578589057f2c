#!/usr/bin/env python3
"""Asks cloud-init which parts many pieces of user-data have.

    parts_cases.py CHECKOUT [--count N] [--seed N] > cases.jsonl

CHECKOUT is a checkout of cloud-init; Python needs what cloud-init needs. Every line of the output is one
case: {"name", "userdata_b64", "ok": [{"type", "filename", "launch_index", "payload_b64", "merge"}]}, or
"error" with the name of the exception that cloud-init raises. The hand-made cases come first, then N random
ones: messages with odd headers, boundaries and encodings, archives with odd entries, and all of them with a
few bytes changed.
"""

import argparse
import base64
import gzip
import json
import logging
import random
import sys
import tempfile
import warnings

parser = argparse.ArgumentParser()
parser.add_argument("checkout")
parser.add_argument("--count", type=int, default=0)
parser.add_argument("--seed", type=int, default=1)
ARGS = parser.parse_args()
sys.path.insert(0, ARGS.checkout)
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from cloudinit import helpers, user_data  # noqa: E402

TEMPORARY = tempfile.mkdtemp()
PATHS = helpers.Paths({"cloud_dir": TEMPORARY, "run_dir": TEMPORARY})


def parts(raw):
    found = []
    for part in user_data.UserDataProcessor(PATHS).process(raw).walk():
        if part.get_content_maintype() == "multipart":
            continue
        payload = part.get_payload(decode=True) or b""
        headers = dict(part)
        found.append(
            {
                "type": part.get_content_type(),
                "filename": part.get_filename(),
                "launch_index": part.get("Launch-Index"),
                "payload_b64": base64.b64encode(payload).decode(),
                "merge": headers.get("Merge-Type", "") or headers.get("X-Merge-Type", "") or None,
            }
        )
    return found


def b64(data, width=76):
    text = base64.b64encode(data).decode()
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def pack(data):
    return gzip.compress(data, mtime=0)


def mime(*bodies, head="Content-Type: multipart/mixed; boundary=\"B\"\nMIME-Version: 1.0\n", boundary="B", end="--B--\n"):
    return (head + "\n" + "".join(f"--{boundary}\n{body}\n" for body in bodies) + end).encode()


CONFIG = "#cloud-config\na: 1\n"
SCRIPT = "#!/bin/sh\necho hi\n"

BODIES = {
    "empty": b"",
    "config": CONFIG.encode(),
    "script": SCRIPT.encode(),
    "script crlf": b"#!/bin/sh\r\necho hi\r\n",
    "binary": bytes(range(256)),
    "not utf-8 config": b"#cloud-config\na: \xe9\n",
    "not utf-8 script": b"#!/bin/sh\necho \xff\n",
    "utf-16": CONFIG.encode("utf-16"),
    "bom": b"\xef\xbb\xbf" + CONFIG.encode(),
    "bom mime": b"\xef\xbb\xbf" + mime("\nx"),
    "document start": b"---\n#cloud-config\n",
    "space": b"# cloud-config\na: 1\n",
    "blank lines": b"\n \t\r\n#cloud-config\na: 1\n",
    "unicode blanks": "\u3000\u2028\x1c\x85#cloud-config\na: 1\n".encode(),
    "case": b"#Cloud-CONFIG\na: 1\n",
    "longer": b"#cloud-configuration\na: 1\n",
    "archive suffix": b"#cloud-config-archives\n- a\n",
    "jsonp": b'#cloud-config-jsonp\n[{"op":"add","path":"/a","value":1}]',
    "jinja": b"## template: jinja\n#cloud-config\nx: {{ v1.x }}\n",
    "jinja2": b"## template: jinja2\n#cloud-config\n",
    "no space jinja": b"##template: jinja\n#cloud-config\n",
    "boothook": b"#cloud-boothook\n#!/bin/sh\n",
    "part-handler": b"#part-handler\nx = 1\n",
    "type as start": b"text/x-shellscript-per-boot\nx",
    "ignition": b'{"ignition":{"version":"3.0.0"}}',
    "launch index": b"#cloud-config\nlaunch-index: 3\n",
    "launch index text": b"#cloud-config\nlaunch-index: ' 3 '\n",
    "launch index word": b"#cloud-config\nlaunch-index: x\n",
    "launch index bool": b"#cloud-config\nlaunch-index: yes\n",
    "launch index float": b"#cloud-config\nlaunch-index: 2.9\n",
    "launch index octal": b"#cloud-config\nlaunch-index: 010\n",
    "launch index null": b"#cloud-config\nlaunch-index:\n",
    "launch index list": b"#cloud-config\nlaunch-index: [1]\n",
    "launch index broken": b"#cloud-config\nlaunch-index: 3\n\tx: y\n",
    "mime-version in a script": b"#!/bin/sh\ncat <<E\nMIME-Version: 1.0\nE\n# \xc3\xa9 \xe2\x86\x92\n",
    "mime-version in a config": b"#cloud-config\na: 'mime-version:'\n\n",
    "mime-version first": b"MIME-Version: 1.0\n#cloud-config\na: 1\n",
    "mime-version late": b"Content-Type: text/plain\n" + b"X: y\n" * 1000 + b"MIME-Version: 1.0\n\n#!/bin/sh\n",
    "mime not utf-8": mime("Content-Type: text/x-shellscript\n\n#!/bin/sh") + b"\xff",
    "blank before mime": b"\n" + mime("\n#!/bin/sh"),
}

GZIPS = {
    "gz": pack(CONFIG.encode()),
    "gz of mime": pack(mime("\n" + SCRIPT)),
    "gz of nothing": pack(b""),
    "gz twice": pack(pack(CONFIG.encode())),
    "gz members": pack(b"#cloud-") + pack(b"config\na: 1\n"),
    "gz zeros": pack(CONFIG.encode()) + b"\0\0\0",
    "gz zeros between": pack(b"#cloud-") + b"\0" * 9 + pack(b"config\na: 1\n"),
    "gz trailing": pack(CONFIG.encode()) + b"x",
    "gz cut": pack(CONFIG.encode())[:-3],
    "gz cut more": pack(CONFIG.encode())[:14],
    "gz crc": pack(CONFIG.encode())[:-8] + b"\0\0\0\0" + pack(CONFIG.encode())[-4:],
    "gz length": pack(CONFIG.encode())[:-4] + b"\0\0\0\1",
    "gz magic only": b"\x1f\x8b",
    "gz method": b"\x1f\x8b\x07" + pack(CONFIG.encode())[3:],
    "gz name": b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"name\0" + pack(CONFIG.encode())[10:],
    "gz all flags": b"\x1f\x8b\x08\x1e" + b"\0" * 6 + b"\x03\0abcname\0comment\0\1\2" + pack(CONFIG.encode())[10:],
    "gz reserved flag": b"\x1f\x8b\x08\xe0" + b"\0" * 6 + pack(CONFIG.encode())[10:],
}

TYPES = [
    "text/cloud-config", "text/x-shellscript", "text/plain", "TEXT/Cloud-Config", "text/x-not-multipart",
    "text/cloud-boothook", "text/part-handler", "text/jinja2", "text/cloud-config-jsonp", "text/cloud-config-archive",
    "text/x-shellscript-per-boot", "text/x-shellscript-per-once", "application/octet-stream", "text", "text/a/b", "",
    "application/x-gzip", "application/gzip", "message/rfc822", "multipart/mixed", "multipart/mixed; boundary=C",
    "multipart/digest; boundary=C", "message/delivery-status", "message/partial", "text/html", "x/y", "/", "text/",
    "text/x-include-url", 'text/cloud-config; charset="utf-8"', "text/cloud-config; name=n.yaml", "text/plain; name=\"n;1.sh\"",
    "text/cloud-config;\n charset=us-ascii;\n\tname*=utf-8''%C3%A4.yaml",
]

FILENAMES = [
    "a.sh", '"a b.sh"', '"/etc/passwd"', '"../../x"', '""', "", '" "', "a;b", '"a;b"', '"a\\"b"', "'a'", "<a>", '"a', 'a"', "\u00e4.sh",
    '"\u00e4\u2192.sh"', "=?utf-8?b?w6Q=?=", '"=?utf-8?q?=C3=A4?="', '"a\\\\b"', "a\tb", "a\n b",
]

EXTENDED = [
    "filename*=utf-8''%C3%A4.sh", "filename*=UTF-8'en'x%20y", "filename*=latin-1''%e4", "filename*=x", "filename*=''x", "filename*=nope''%41",
    "filename*=a'b", "filename*0=a; filename*1=b", "filename*1=b; filename*0=a", "filename*0*=utf-8''%C3; filename*1*=%A4; filename*2=.sh",
    "filename*0=a; filename=b", "filename*=utf-8''x; filename*0=y", "filename*=utf-8''x; filename*=utf-8''y", "filename*x=1", "filename*0**=1",
    "FILENAME=x", "filename = x", "filename", "filename=", "x=1; filename=y", "filename=a; filename=b", "filename=%41", "filename*=\"utf-8''%41\"",
    "filename*=us-ascii''%C3%A4", "filename*=utf-8''%C3", "filename*01=b; filename*1=a", "filename*=utf-8''%zz%4", "name*0=x; name*=y; filename=z",
]

ENCODINGS = [
    ("7bit", lambda t: t), ("8bit", lambda t: t), ("base64", lambda t: b64(t.encode())), ("BASE64", lambda t: b64(t.encode(), 20)),
    ("base64 ", lambda t: b64(t.encode())), ("base64; x", lambda t: b64(t.encode())), ("base64", lambda t: b64(t.encode()).rstrip("=")),
    ("base64", lambda t: b64(t.encode()) + "!"), ("base64", lambda t: b64(t.encode())[:-1]), ("base64", lambda t: b64(t.encode())[:-3]),
    ("base64", lambda t: "=" + b64(t.encode())), ("base64", lambda t: b64(t.encode(), 5).replace("\n", "\r\n")), ("base64", lambda t: t),
    ("quoted-printable", lambda t: t.replace("=", "=3D").replace("e", "=65")), ("Quoted-Printable", lambda t: t.replace("o", "=\no")),
    ("quoted-printable", lambda t: "=" + t + "=4="), ("quoted-printable", lambda t: t.replace("c", "=\r\nc").replace("i", "=zz")),
    ("x-uuencode", lambda t: uu(t)), ("uuencode", lambda t: "junk\n" + uu(t)), ("uue", lambda t: uu(t).replace("end", "")),
    ("x-uue", lambda t: uu(t).replace("644", "9")), ("x-uuencode", lambda t: t), ("x-uuencode", lambda t: uu(t).replace("`", " ")),
    ("binary", lambda t: t), ("gzip", lambda t: t), ("", lambda t: t),
]


def uu(text):
    import binascii

    data = text.encode()
    lines = [binascii.b2a_uu(data[at : at + 45], backtick=True).decode() for at in range(0, len(data), 45)]
    return "begin 644 name\n" + "".join(lines) + "`\nend\n"


ARCHIVES = {
    "strings": "- '#!/bin/sh'\n- plain\n- |\n  #cloud-boothook\n  #!/bin/sh\n",
    "inner archive": "- |\n  #cloud-config-archive\n  - x\n",
    "inner include": "- |\n  #include\n  http://192.0.2.1/\n",
    "inner mime": "- |\n  MIME-Version: 1.0\n  Content-Type: text/x-shellscript\n\n  #!/bin/sh\n",
    "inner jinja": "- |\n  ## template: jinja\n  #cloud-config\n",
    "null": "", "comment": "# nothing\n", "mapping": "a: b\n", "text": "abc\n", "number": "5\n", "broken": "- [\n", "two documents": "- a\n---\n- b\n",
    "set": "!!set {a: }\n",
    "other entries": "- 5\n- null\n- [a]\n- 2001-01-01\n- true\n- ok\n",
    "no content": "- {filename: x}\n- {}\n- {type: text/x-shellscript}\n",
    "null content": "- {content: }\n", "int content": "- {content: 5}\n", "list content": "- {content: [a]}\n",
    "int content typed": "- {content: 5, type: text/cloud-config}\n",
    "binary": "- {content: !!binary IyEvYmluL3No}\n", "binary not utf-8": "- {content: !!binary /w==}\n",
    "binary typed": "- {content: !!binary IyEvYmluL3No, type: text/x-shellscript}\n",
    "binary typed not utf-8": "- {content: !!binary /w==, type: text/x-shellscript}\n",
    "binary octets": "- {content: !!binary /w==, type: application/octet-stream}\n",
    "umlaut": "- {content: '#!/bin/sh \u00e4 \u2192', filename: '\u00e4.sh'}\n",
    "umlaut octets": "- {content: '\u00e4\u2192\U0001f600', type: application/octet-stream}\n",
    "bad type": "- {content: x, type: cloud-config}\n", "int type": "- {content: x, type: 5}\n", "null type": "- {content: x, type: }\n",
    "empty type": "- {content: x, type: ''}\n", "zero type": "- {content: x, type: 0}\n", "list type": "- {content: x, type: [a]}\n",
    "odd types": "- {content: x, type: text/a/b}\n- {content: x, type: 'text/x; charset=y'}\n- {content: x, type: /}\n- {content: x, type: text/}\n",
    "upper type": "- {content: '\u00e4', type: TEXT/Cloud-Config}\n", "multipart type": "- {content: x, type: multipart/mixed}\n",
    "filenames": "- {content: x, filename: }\n- {content: x, filename: ''}\n- {content: x, filename: 5}\n- {content: x, filename: 0644}\n- {content: x, filename: [a, 1]}\n- {content: x, filename: 'a\"b;c'}\n- {content: x, filename: \"a\\nb\"}\n- {content: x, filename: ' a '}\n- {content: x, filename: 2001-01-01}\n- {content: x, filename: yes}\n- {content: x, filename: 1.50}\n",
    "launch index": "- {content: x, launch-index: 3}\n- {content: x, launch-index: '3'}\n- {content: x, launch-index: }\n- {content: x, launch-index: yes}\n- {content: x, launch-index: 1.0}\n- {content: 'launch-index: 7'}\n- {content: 'launch-index: 7', launch-index: 8}\n- {content: x, launch-index: [1]}\n- {content: 'launch-index: 7', type: text/plain}\n",
    "headers": "- {content: x, Merge-Type: 'list()'}\n- {content: x, merge-type: 'list()'}\n- {content: x, X-Merge-Type: 'dict()'}\n- {content: x, Foo: }\n- {content: x, Content-Type: text/x-shellscript}\n- {content: x, Launch-Index: '4'}\n- {content: x, Filename: f}\n- {content: x, CONTENT-DISPOSITION: 'attachment; filename=f'}\n",
    "encoding header": "- {content: aGk=, type: application/octet-stream, Content-Transfer-Encoding: base64}\n- {content: aGk=, Content-Transfer-Encoding: base64}\n",
    "int header": "- {content: x, Foo: 5}\n", "int key": "- {content: x, 5: x}\n", "bool key": "- {content: x, on: x}\n",
    "gzip type": "- {content: x, type: application/x-gzip}\n", "rfc822 type": "- {content: x, type: message/rfc822}\n",
    "duplicate": "- {content: x, content: y}\n", "anchors": "- &a {content: x}\n- *a\n- {<<: *a, filename: z}\n", "tab": "-\tx\n",
}

MESSAGES = {
    "plain": mime("Content-Type: text/plain\n\n" + SCRIPT), "no header": mime("\n" + CONFIG), "no blank": mime("Content-Type: text/x-shellscript\n#!/bin/sh"),
    "eaten": mime("Content-Type: text/cloud-config\npackages:\n - a\nx: 1\n"), "no end": mime("\n" + SCRIPT, end=""), "no end newline": mime("\n" + SCRIPT, end="--B--"),
    "no boundary": mime("\n" + SCRIPT, head="Content-Type: multipart/mixed\nMIME-Version: 1.0\n"),
    "wrong boundary": mime("\n" + SCRIPT, boundary="C"), "only end": b"Content-Type: multipart/mixed; boundary=B\nMIME-Version: 1.0\n\npre\n--B--\nx",
    "double boundary": mime("\n" + SCRIPT).replace(b"--B\n", b"--B\n--B\n", 1), "boundary then end": b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n--B--\nx\n--B\ny\n",
    "blanks behind boundary": mime("\n" + SCRIPT).replace(b"--B\n", b"--B \t \n"), "blank before boundary": mime("\n" + SCRIPT).replace(b"--B\n", b" --B\n"),
    "boundary longer": mime("\n" + SCRIPT).replace(b"--B\n", b"--Bx\n"), "boundary quoted blanks": mime("\n" + SCRIPT, head='Content-Type: multipart/mixed; boundary="B "\nMIME-Version: 1.0\n'),
    "boundary empty": b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=""\n\n--\n\nx\n----\n', "boundary extended": mime("\n" + SCRIPT, head="Content-Type: multipart/mixed; boundary*=utf-8''%42\nMIME-Version: 1.0\n"),
    "boundary pieces": mime("\n" + SCRIPT, head='Content-Type: multipart/mixed; boundary*1=""; boundary*0="B"\nMIME-Version: 1.0\n'),
    "boundary mixed": mime("\n" + SCRIPT, head="Content-Type: multipart/mixed; boundary*=utf-8''B; boundary*0=B\nMIME-Version: 1.0\n"),
    "crlf": mime("Content-Type: text/x-shellscript\n\n" + SCRIPT).replace(b"\n", b"\r\n"), "cr": mime("Content-Type: text/x-shellscript\n\n" + SCRIPT).replace(b"\n", b"\r"),
    "mixed ends": mime("Content-Type: text/x-shellscript\r\n\r\n" + SCRIPT + "\r\nx\r\r\n"), "empty part": mime(""), "empty parts": mime("", "\n", "\n\n"),
    "part of blanks": mime("\n   \n"), "preamble": mime("\n" + SCRIPT).replace(b"\n--B", b"\nThis is a message.\n#!/bin/sh\n--B", 1), "epilogue": mime("\n" + SCRIPT) + b"--B\n\n#!/bin/sh\n",
    "from": b"From me\n" + mime("\n" + SCRIPT), "from late": mime("From you\nContent-Type: text/plain\n\n" + SCRIPT), "from last": mime("Content-Type: text/cloud-config\nFrom you\n\n" + SCRIPT),
    "from middle": mime("Content-Type: text/cloud-config\nFrom you\nX: y\n\n" + SCRIPT), "from last, no blank": mime("Content-Type: text/cloud-config\nFrom you\n" + SCRIPT),
    "continuation first": mime(" x: y\nContent-Type: text/x-shellscript\n\n" + SCRIPT), "colon first": mime(": y\n z\nContent-Type: text/x-shellscript\n\n" + SCRIPT),
    "two types": mime("Content-Type: text/x-shellscript\nContent-Type: text/cloud-config\n\nx"), "type case": mime("CONTENT-TYPE: Text/X-ShellScript\n\nx"),
    "nested": mime('Content-Type: multipart/mixed; boundary="C"\n\n--C\n\n#!/bin/sh\n--C\nContent-Type: text/cloud-config\n\nx: 1\n--C--\n', "\n" + SCRIPT),
    "nested open": mime('Content-Type: multipart/mixed; boundary="C"\n\n--C\n\n#!/bin/sh\n', "\n" + SCRIPT), "nested same": mime('Content-Type: multipart/mixed; boundary="B"\n\n--B\n\n#!/bin/sh\n--B--\n', "\n" + SCRIPT),
    "rfc822": mime("Content-Type: message/rfc822\n\nContent-Type: text/x-shellscript\nSubject: x\n\n" + SCRIPT),
    "rfc822 whole": b"MIME-Version: 1.0\nContent-Type: message/rfc822\n\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n",
    "rfc822 multipart": mime('Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary="C"\n\n--C\n\n#!/bin/sh\n--C\n\n#cloud-config\n--C--\n'),
    "digest": b"MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=B\n\n--B\n\nSubject: x\n\n#!/bin/sh\n--B\nContent-Type: text/plain\n\n#!/bin/sh\n--B--\n",
    "delivery status": mime("Content-Type: message/delivery-status\n\nA: b\n\nC: d\nE: f\n\nG: h\n"), "delivery status whole": b"MIME-Version: 1.0\nContent-Type: message/delivery-status\n\nA: b\n\n\n\nC: d\n#!/bin/sh\n",
    "umlauts": mime("Content-Type: text/x-shellscript\n\n#!/bin/sh\n# \u00e4 \u2192 \U0001f600"), "umlauts config": mime("Content-Type: text/cloud-config; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\na: \u00e4"),
    "umlauts qp": mime("Content-Type: text/cloud-config\nContent-Transfer-Encoding: quoted-printable\n\na: \u00e4=C3=A4"), "umlauts b64": mime("Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n\u00e4" + b64("a: \u00e4".encode())),
    "umlaut header": mime("Content-Type: text/cloud-config\nX-\u00e4: b\n\na: 1"), "long": mime(*[f"\n#!/bin/sh\n# {n}" for n in range(30)]),
    "gz": mime("Content-Type: application/x-gzip\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=x.gz\nLaunch-Index: 4\nMerge-Type: list()\n\n" + b64(pack(SCRIPT.encode()))),
    "gz umlaut": mime("Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + b64(pack("#!/bin/sh\n# \u00e4\u2192".encode()))),
    "gz not utf-8": mime("Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + b64(pack(b"#!/bin/sh\n\xff"))),
    "gz archive": mime("Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + b64(pack(b"#cloud-config-archive\n- a\n- '#!/bin/sh'\n"))),
    "gz no gz": mime("Content-Type: application/gzip\n\nplain"), "gz empty": mime("Content-Type: application/gzip\n\n"), "gz unknown": mime("Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + b64(pack(b"plain"))),
    "gz gz": mime("Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + b64(pack(pack(b"plain")))), "archive": mime("Content-Type: text/cloud-config-archive\n\n- a\n- '#!/bin/sh'\n", "\n" + SCRIPT),
    "archive b64": mime("Content-Type: text/cloud-config-archive\nContent-Transfer-Encoding: base64\n\n" + b64(b"- a\n- '#!/bin/sh'\n")), "archive plain": mime("\n#cloud-config-archive\n- a\n"),
    "indices": mime(*[f"Content-Type: text/cloud-config\n{key}: {value}\n\nlaunch-index: 9" for key, value in [("Launch-Index", "3"), ("launch-index", " 4 "), ("Launch-Index", "x"), ("Launch-Index", ""), ("Launch-Index", "1_0"), ("Launch-Index", "+5"), ("Launch-Index", "0x1")]]),
    "indices not config": mime("Content-Type: text/x-shellscript\nLaunch-Index: 3\n\nx", "Content-Type: text/plain\n\nlaunch-index: 3", "\n#cloud-config\nlaunch-index: 3"),
    "merge types": mime(*[f"Content-Type: text/cloud-config\n{key}: list(append)+dict()\n\na: 1" for key in ["Merge-Type", "X-Merge-Type", "merge-type", "x-merge-type", "MERGE-TYPE"]]),
    "merge types both": mime("Content-Type: text/cloud-config\nMerge-Type:\nX-Merge-Type: a\n\na: 1", "Content-Type: text/cloud-config\nmerge-type: b\nMerge-Type: a\n\na: 1"),
    "merge type folded": mime("Content-Type: text/cloud-config\nMerge-Type: list(append)+\n dict()\n\na: 1"), "name lost": mime("Content-Type: text/plain; name=x.sh\n\n" + SCRIPT, "Content-Type: text/x-shellscript; name=x.sh\n\n" + SCRIPT),
    "single name": b"MIME-Version: 1.0\nContent-Type: text/x-shellscript; name=x.sh\n\n#!/bin/sh\n", "single": b"Content-Type: text/cloud-config\nMIME-Version: 1.0\n\na: 1\n",
    "header fold": b"Content-Type:\n multipart/mixed;\n\tboundary=\"B\"\nMIME-Version: 1.0\n\n--B\n\n#!/bin/sh\n--B--\n", "header fold in quotes": b"Content-Type: multipart/mixed; boundary=\"B\n C\"\nMIME-Version: 1.0\n\n--B\n C\n\n#!/bin/sh\n",
    "tab before value": b"Content-Type:\tmultipart/mixed; boundary=B\nMIME-Version: 1.0\n\n--B\n\n#!/bin/sh\n--B--\n", "space before colon": b"Content-Type : multipart/mixed; boundary=B\nMIME-Version: 1.0\n\n--B\n\n#!/bin/sh\n--B--\n",
}


def handmade():
    for group in (BODIES, GZIPS, MESSAGES):
        yield from group.items()
    for name, text in ARCHIVES.items():
        yield "archive: " + name, ("#cloud-config-archive\n" + text).encode()
    for kind in TYPES:
        for body in (SCRIPT, "x: 1\n"):
            yield f"type {kind!r}", mime(f"Content-Type: {kind}\n\n{body}")
        if "*=" not in kind:  # Python encodes such a name once too often
            yield f"archive type {kind!r}", json_archive([{"content": "x", "type": kind}])
    for name in FILENAMES:
        yield f"filename {name!r}", mime(f"Content-Disposition: attachment; filename={name}\n\n{SCRIPT}")
        yield f"name {name!r}", mime(f"Content-Type: text/x-shellscript; name={name}\n\n{SCRIPT}")
        yield f"archive filename {name!r}", json_archive([{"content": "x", "filename": name}])
    for text in EXTENDED:
        yield f"extended {text!r}", mime(f"Content-Disposition: attachment; {text}\nContent-Type: text/plain; name=z\n\n{SCRIPT}")
    for encoding, encode in ENCODINGS:
        for body in (SCRIPT, "a: 1", CONFIG * 5):
            yield f"encoding {encoding!r}", mime(f"Content-Type: text/cloud-config\nContent-Transfer-Encoding: {encoding}\n\n{encode(body)}")


def json_archive(entries):
    return ("#cloud-config-archive\n" + json.dumps(entries)).encode()


def random_message(random, depth=0):
    boundary = random.choice(["B", "=_1", "C D", "B", "C"])
    head = f'Content-Type: multipart/{random.choice(["mixed", "alternative", "digest"])}; boundary="{boundary}"\n'
    if depth == 0:
        head = random.choice(["", "Subject: x\n"]) + head + "MIME-Version: 1.0\n"
    out = head + random.choice(["\n", "\n", "\n", "\npreamble\n", ""])
    for _ in range(random.randrange(5)):
        out += f"--{boundary}{random.choice(['', '', '', ' ', '--'] )}\n"
        if depth < 3 and random.random() < 0.2:
            out += random_message(random, depth + 1)
            continue
        encoding, encode = random.choice(ENCODINGS)
        body = random.choice([SCRIPT, CONFIG, "x: 1\n", "#cloud-config-archive\n- a\n", "\u00e4\u2192\n", "", "launch-index: 2\n", "\r\nx\r\n"])
        headers = [f"Content-Type: {random.choice(TYPES)}\n", f"Content-Transfer-Encoding: {encoding}\n"]
        headers += [f"Content-Disposition: attachment; filename={random.choice(FILENAMES)}\n", f"Content-Disposition: inline; {random.choice(EXTENDED)}\n"]
        headers += [f"Launch-Index: {random.choice(['1', ' 2', 'x', '-1'])}\n", "Merge-Type: list()\n", "X-Merge-Type: dict()\n", "x: y\n z\n", " c\n", "From x\n"]
        picked = random.sample(headers, random.randrange(len(headers)))
        coded = f"Content-Transfer-Encoding: {encoding}\n" in picked
        out += "".join(picked) + random.choice(["\n", "\n", "\n", ""]) + (encode(body) if coded else body) + random.choice(["\n", "", "\n\n", "\r\n"])
    return out + random.choice([f"--{boundary}--\n", f"--{boundary}--", "", "epilogue\n", f"--{boundary}--\nepilogue\n--{boundary}\nx"])


def random_archive(random):
    entries = []
    for _ in range(random.randrange(4)):
        if random.random() < 0.3:
            entries.append(random.choice([SCRIPT, CONFIG, "x", "", "\u00e4", 5, None]))
            continue
        entry = {}
        for key, values in {
            "content": [SCRIPT, CONFIG, "x: 1", "launch-index: 5", "", "\u00e4\u2192"], "type": [kind for kind in TYPES if "*=" not in kind] + [None, ""], "filename": FILENAMES + [5, None],
            "launch-index": [1, "2", None, True, "x"], "Merge-Type": ["list()", None], "Content-Transfer-Encoding": ["base64"], "X": ["y"],
        }.items():
            if random.random() < 0.5:
                entry[key] = random.choice(values)
        entries.append(entry)
    return json_archive(entries)


def mutated(random, raw):
    raw = bytearray(raw)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(raw) + 1)
        kind = random.randrange(5)
        if kind == 0:
            del raw[at : at + random.randrange(1, 5)]
        elif kind == 1:
            raw[at:at] = random.choice([b"\n", b"\r", b"\r\n", b" ", b"\t", b"--", b"=", b";", b'"', b":", b"\xc3\xa4", b"%41", b"*", b"\0", b"\x0b", b"B", b"\\"])
        elif kind == 2:
            start = random.randrange(len(raw) + 1)
            raw[at:at] = raw[start : start + random.randrange(1, 40)]
        elif kind == 3:
            raw = raw.replace(b"\n", b"\r\n") if random.random() < 0.3 else raw
        else:
            lines = bytes(raw).split(b"\n")
            random.shuffle(lines) if random.random() < 0.1 else lines.pop(random.randrange(len(lines)))
            raw = bytearray(b"\n".join(lines))
    return bytes(raw)


def main():
    source = random.Random(ARGS.seed)
    chosen = list(handmade())
    made = [raw for _, raw in chosen]
    for number in range(ARGS.count):
        kind = number % 4
        if kind == 0:
            raw = random_message(source).encode()
        elif kind == 1:
            raw = random_archive(source)
        elif kind == 2:
            raw = mutated(source, source.choice(made))
        else:
            raw = mutated(source, random_message(source).encode())
        chosen.append((f"random {number}", raw))
    seen = set()
    for name, raw in chosen:
        if raw in seen or b"http" in raw and b"192.0.2.1" not in raw:
            continue
        seen.add(raw)
        case = {"name": name, "userdata_b64": base64.b64encode(raw).decode()}
        try:
            case["ok"] = parts(raw)
        except Exception as error:  # whatever cloud-init did not expect
            case["error"] = type(error).__name__
        print(json.dumps(case))


main()
