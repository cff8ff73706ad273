"""The page: one file, whose script and style are named by their hashes in its Content-Security-Policy."""

import base64
import hashlib
import re
from pathlib import Path

FILE = Path(__file__).with_name("page.html")


def page() -> tuple[bytes, dict[str, str]]:
    """The page and its headers."""
    text = FILE.read_text(encoding="utf-8")
    policy = "; ".join((
        "default-src 'none'", f"script-src {_hashes(text, 'script')}", f"style-src {_hashes(text, 'style')}",
        "img-src 'self' blob: data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'",
    ))  # fmt: skip
    return text.encode(), {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-cache",
    }


def _hashes(text: str, tag: str) -> str:
    """The sources of all inline elements of a tag. Source: W3C, Content Security Policy Level 3, 2.3.1."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
