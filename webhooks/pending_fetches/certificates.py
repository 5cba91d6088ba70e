from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from django.db import models

from webhooks.models import Errand, ErrandKind, ErrandStatus


class FetchedCertificates(Mapping[str, str]):
    """The certificates that workers have fetched, by URL: PEM texts.

    One that is there never changes and is remembered; one that is not is looked for
    again each time.
    """

    def __getitem__(self, url: str) -> str:
        return _load(url)

    def __iter__(self) -> Iterator[str]:
        return iter(_done().values_list("url", flat=True))

    def __len__(self) -> int:
        return _done().count()


@lru_cache(maxsize=256)
def _load(url: str) -> str:
    found = _done().filter(url=url).values_list("result", flat=True).first()
    if found is None:
        raise KeyError(url)
    return found


def _done() -> models.QuerySet[Errand]:
    return Errand.objects.filter(kind=ErrandKind.CERTIFICATE, status=ErrandStatus.DONE)
