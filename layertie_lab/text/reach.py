"""Whether the Hugging Face hub can be reached, told in bounded time.

The libraries are imported in the functions: only runs that ask the hub wait for them.
"""

from __future__ import annotations

import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 2.5
"""Longest wait for the hub's first answer. The libraries' own retries take about 24 seconds before they give up."""
_YES = {"1", "true", "yes", "on"}
_switch = threading.Lock()


def hub_forbidden() -> bool:
    """Whether the environment forbids downloads (HF_HUB_OFFLINE, HF_DATASETS_OFFLINE or TRANSFORMERS_OFFLINE)."""
    from huggingface_hub import constants

    names = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
    return constants.HF_HUB_OFFLINE or any(os.environ.get(name, "").lower() in _YES for name in names)


def hub_address() -> str:
    """The hub's address (HF_ENDPOINT where that is set)."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def hub_reachable(seconds: float = SECONDS) -> bool:
    """Whether the hub answers at all within some seconds, through the environment's proxies if it names any."""
    answered = threading.Event()
    # A name server that does not answer ignores every timeout, so the wait is on a thread and not on the call.
    thread = threading.Thread(target=_knock, args=(hub_address(), seconds, answered), daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


def _knock(address: str, seconds: float, answered: threading.Event) -> None:
    try:
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=seconds):
            answered.set()
    except urllib.error.HTTPError as error:
        # "No such page" is an answer; a gateway's 5xx is not.
        if error.code < 500:
            answered.set()
        error.close()
    except urllib.error.URLError as error:
        # Something answered; whether its certificate is good is for the libraries, which bring their own list.
        if isinstance(error.reason, ssl.SSLError):
            answered.set()
    except (OSError, ValueError):
        return


@contextmanager
def downloads_forbidden() -> Iterator[None]:
    """Make `datasets` and `huggingface_hub` use what is cached and nothing else."""
    import datasets.config
    from huggingface_hub import constants

    # Both libraries read their environment variable once, at import; what they look at later are these two names.
    with _switch:
        before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
        try:
            yield
        finally:
            datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
