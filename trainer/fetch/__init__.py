"""`python -m trainer fetch cifar10`: the reference dataset, from its origin or from a file one has.

Downloads survive what downloads meet (broken connections, Ctrl-C, a full disk) and are checked against
the published digest before a byte is unpacked; the dataset appears by one rename. What may stand in an
archive is trainer.archives' business.
"""

from __future__ import annotations

from trainer.fetch.cifar10 import CIFAR10_NAME, fetch_cifar10
from trainer.fetch.command import add_arguments, main, run
from trainer.fetch.download import Retry
from trainer.fetch.failures import FetchError

__all__ = ["CIFAR10_NAME", "FetchError", "Retry", "add_arguments", "fetch_cifar10", "main", "run"]
