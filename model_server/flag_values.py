"""How the text of a flag becomes its value, or one sentence that says what was expected."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1


def integer(minimum: int, maximum: int = INT32_MAX) -> Callable[[str], int]:
    """A whole number from `minimum` to `maximum`."""

    def parse_integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"expected {minimum} to {maximum}, got {value}")
        return value

    return parse_integer


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, got {text}")
    return value


def boolean(text: str) -> bool:
    """true, 1, false or 0."""
    if text.lower() in ("true", "1", "false", "0"):
        return text.lower() in ("true", "1")
    raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")


def address(text: str) -> str:
    """An IP address, or `localhost`."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an IP address, got {text!r}") from None


def one_of(*choices: str) -> Callable[[str], str]:
    """One of a few words."""

    def parse_choice(text: str) -> str:
        if text not in choices:
            shown = ", ".join(repr(choice) for choice in choices)
            raise argparse.ArgumentTypeError(f"expected one of {shown}, got {text!r}")
        return text

    return parse_choice


def channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    """`key=value,key=value`, for gRPC; a value that is a whole number is passed on as one."""
    pairs: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("=")
        if not (key and separator):
            raise argparse.ArgumentTypeError(f"expected key=value,key=value, got {text!r}")
        is_integer = value.removeprefix("-").isdecimal() and abs(int(value)) <= INT32_MAX
        pairs.append((key, int(value) if is_integer else value))
    return tuple(pairs)
