from __future__ import annotations

import pytest

from access.browsers import describe_browser

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
         "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {KIT} Chrome/142.0 Safari/537.36 Edg/142.0",
         "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 16) {KIT} Chrome/142.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15",
         "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) CriOS/142 Safari/604",
         "Chrome on iOS"),
        ("curl/8.15.0", "curl"),
        ("python-requests/2.32.5", "Python"),
        ("", "Unknown browser"),
        ("<script>alert(1)</script>", "Unknown browser"),
        ("Firefox/" * 10_000, "Firefox"),
    ],
)  # fmt: skip
def test_a_browser_is_described_in_short_words(user_agent: str, words: str) -> None:
    assert describe_browser(user_agent) == words
