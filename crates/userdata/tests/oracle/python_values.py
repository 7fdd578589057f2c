"""Python's values as JSON with tags: the form that all of these data files have."""

import base64
import datetime
import math


def tag(value, depth=0):
    if depth > 120:
        raise RecursionError
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < (1 << 64) else {"__int__": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"__float__": repr(value)}
    if isinstance(value, bytes):
        return {"__bytes_b64__": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"__datetime__": str(value)}
    if isinstance(value, datetime.date):
        return {"__date__": str(value)}
    if isinstance(value, (list, tuple)):
        return [tag(item, depth + 1) for item in value]
    if isinstance(value, set):
        return {"__set__": sorted((tag(item, depth + 1) for item in value), key=str)}
    if isinstance(value, dict):
        return {key(name): tag(item, depth + 1) for name, item in value.items()}
    raise TypeError(type(value))


def key(name):
    if isinstance(name, str):
        return name
    if isinstance(name, bytes):
        return "__bytes_b64__:" + base64.b64encode(name).decode()
    return f"__{type(name).__name__}__:{name}"
