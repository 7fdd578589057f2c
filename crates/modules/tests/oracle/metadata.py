"""EC2's metadata: ec2_metadata_more.jsonl."""

import common

common.checkout()

from cloudinit.sources import normalize_pubkey_data
from cloudinit.sources.helpers.ec2 import MetadataMaterializer

BASE = "http://169.254.169.254/latest/meta-data/"

TREES = [
    {"": ""},
    {"": "a", "a": ""},
    {"": "a\nb/", "a": "x\n", "b/": ""},
    {"": "a\na", "a": "1"},
    {"": "a/\na", "a/": "b", "a/b": "1", "a": "2"},
    {"": "a/\na/", "a/": "b", "a/b": "1"},
    {"": " a \n\n b/ \n/\n", "a": "1", "b/": ""},
    {"": "security-credentials\nsecurity-credentials/\na", "a": "1"},
    {"": "public-keys/", "public-keys/": "0=k", "public-keys/0/openssh-key": "ssh-rsa A k"},
    {"": "public-keys/", "public-keys/": "0=k\n1=k", "public-keys/0/openssh-key": "a", "public-keys/1/openssh-key": "b"},
    {"": "public-keys/", "public-keys/": "x=k", "public-keys/x%3Dk": "a"},
    {"": "public-keys/", "public-keys/": " 7 = my key ", "public-keys/7/openssh-key": "a\nb\n\n"},
    {"": "public-keys/", "public-keys/": "0=a=b", "public-keys/0/openssh-key": "a"},
    {"": "public-keys", "public-keys": "ssh-rsa A\nssh-rsa B\n"},
    {"": "public-keys", "public-keys": "ssh-rsa A"},
    {"": "public-keys/", "public-keys/": ""},
    {"": "j", "j": "{\"a\": [1, 2.5, null, true]}"},
    {"": "j", "j": " {\"a\": 1}\n"},
    {"": "j", "j": "{not json}"},
    {"": "j", "j": "{not json}\nmore}"},
    {"": "j", "j": "[1]"},
    {"": "l", "l": "one\ntwo\r\nthree"},
    {"": "l", "l": "\n"},
    {"": "l", "l": "a\rb"},
    {"": "with space\nü", "with%20space": "1", "%C3%BC": "2"},
    {"": "deep/", "deep/": "er/", "deep/er/": "est/\nx", "deep/er/x": "1", "deep/er/est/": "y", "deep/er/est/y": "2"},
    {"": "slashes//", "slashes/": "a", "slashes/a": "1"},
    {"": "missing"},
    {"": "missing/"},
    {"": "tags/", "tags/": "instance/", "tags/instance/": "Name", "tags/instance/Name": "box"},
]


def main():
    cases = []
    for tree in TREES:

        def get(url):
            return tree[url[len(BASE):]].encode()

        case = {"tree": tree}
        try:
            found = MetadataMaterializer(tree[""].encode(), BASE, get).materialize()
            case["materialized"] = found
            case["public_keys"] = normalize_pubkey_data(found.get("public-keys"))
        except Exception as error:
            case["error"] = type(error).__name__
        cases.append(case)
    common.save("ec2_metadata_more", cases)


main()
