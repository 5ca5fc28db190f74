"""The second way: Pulumi's own installer.

The script is saved to a file before it runs, so a connection that breaks off never runs half a script. The installer changes no shell
profile. A machine that cannot reach the internet gets an error after a few seconds.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING

from bring.found import PINNED, WayError, text
from bring.work import run, say

if TYPE_CHECKING:
    from pathlib import Path

    from bring.home import Home

URL = "https://get.pulumi.com"
CONNECT_SECONDS = 5
INSTALL_SECONDS = 600


def install(home: Home, url: str) -> Path:
    """Install the pinned engine with the installer at ``url``, and return the folder of its programs.

    Raises WayError if the installer cannot be fetched, fails, or installs something else.
    """
    say(f"installing Pulumi {text(PINNED)} with the official installer ({url}); this takes about a minute")
    script = _fetch(url)
    with home.site() as site:
        saved = site / "install.sh"
        saved.write_bytes(script)
        command = ("sh", saved, "--version", text(PINNED), "--install-root", site, "--no-edit-path")
        run(command, log=home.log, cwd=site, env=os.environ, limit=INSTALL_SECONDS)
    return home.bin


def _fetch(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise WayError(f"{url} is not a web address")
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer:  # noqa: S310 - the scheme was just checked
            script: bytes = answer.read()
    except urllib.error.HTTPError as error:
        raise WayError(f"it answered {error.code}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise WayError(f"it cannot be reached ({getattr(reason, 'strerror', None) or reason})") from error
    if not script.startswith(b"#!"):
        raise WayError("its answer is not a script")
    return script
