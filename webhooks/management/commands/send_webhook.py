from __future__ import annotations

from collections import Counter
from typing import Any

import httpx2
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import TickhookError
from webhooks.endpoints.sample_requests import TestRequest, curl_line
from webhooks.endpoints.sending import Outbound, plan_requests

TIMEOUT_SECONDS = 30.0


class Command(BaseCommand):
    help = "Send a webhook as one of the known senders would, signed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", help="the sender, such as github")
        parser.add_argument("--event", default="", help="which of its samples")
        to = parser.add_mutually_exclusive_group(required=True)
        to.add_argument("--endpoint", help="an endpoint here: wht_… or its path")
        to.add_argument("--url", help="any other address")
        parser.add_argument("--secret", help="instead of the endpoint's own")
        parser.add_argument("--body", help="a file, or - for standard input")
        parser.add_argument("--count", type=int, default=1)
        parser.add_argument("--header", action="append", default=[], metavar="K:V")
        parser.add_argument(
            "--print", action="store_true", help="send nothing: show it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            requests = list(plan_requests(Outbound.read(options)))
        except (TickhookError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["print"]:
            self.stdout.write("\n\n".join(map(curl_line, requests)))
            return
        self.stdout.write(self._send(requests))

    def _send(self, requests: list[TestRequest]) -> str:
        answers: Counter[int] = Counter()
        url = requests[0].url
        with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            for sent in requests:
                try:
                    answer = client.request(
                        sent.method, url, headers=sent.headers, content=sent.body
                    )
                except httpx2.HTTPError as error:
                    raise CommandError(f"{url} does not answer: {error}") from error
                answers[answer.status_code] += 1
        told = ", ".join(f"{status}: {n}" for status, n in sorted(answers.items()))
        return f"Sent {len(requests)} to {url}; answered {told}; last: {answer.text}"
