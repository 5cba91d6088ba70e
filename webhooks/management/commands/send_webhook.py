from __future__ import annotations

from collections import Counter
from typing import Any

import httpx2
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import TickhookError
from webhooks.endpoints.sample_requests import SampleRequest, curl_command
from webhooks.endpoints.sending import SendOptions, build_requests

TIMEOUT_SECONDS = 30.0


class Command(BaseCommand):
    help = "Send a signed sample webhook, as a known sender would send it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", help="the sender, such as github")
        parser.add_argument("--event", default="", help="which of its samples")
        to = parser.add_mutually_exclusive_group(required=True)
        to.add_argument("--endpoint", help="an endpoint here: wht_… or its path")
        to.add_argument("--url", help="any other URL")
        parser.add_argument("--secret", help="instead of the endpoint's own secret")
        parser.add_argument("--body", help="a file, or - for standard input")
        parser.add_argument("--count", type=int, default=1)
        parser.add_argument("--header", action="append", default=[], metavar="K:V")
        parser.add_argument(
            "--print", action="store_true", help="print curl commands, send nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            requests = list(build_requests(SendOptions.read(options)))
        except (TickhookError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["print"]:
            self.stdout.write("\n\n".join(map(curl_command, requests)))
            return
        self.stdout.write(self._send(requests))

    def _send(self, requests: list[SampleRequest]) -> str:
        statuses: Counter[int] = Counter()
        url = requests[0].url
        with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            for sent in requests:
                try:
                    answer = client.request(
                        sent.method, url, headers=sent.headers, content=sent.body
                    )
                except httpx2.HTTPError as error:
                    raise CommandError(f"{url} does not answer: {error}") from error
                statuses[answer.status_code] += 1
        counts = ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items()))
        return f"Sent {len(requests)} to {url}; answered {counts}; last: {answer.text}"
