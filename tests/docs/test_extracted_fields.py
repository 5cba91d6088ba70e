from __future__ import annotations

import json
import re

from senders.definitions import load_definition, resolve, shipped_slugs
from tests.docs.pages import DOCS, only_block

ROW = re.compile(r"^\| (`[^|]*`) \| (`[^|]*`) \|$", re.MULTILINE)


def test_the_page_lists_the_fields_of_every_type() -> None:
    page = (DOCS / "extracted-fields.md").read_text()
    listed = {
        slug: fields.strip("`").split("` `")
        for slugs, fields in ROW.findall(page)
        for slug in slugs.strip("`").split("`, `")
        if slug != "webhook_type"
    }

    assert listed == {
        slug: [one.name for one in resolve(slug).extract]
        for slug in shipped_slugs()
        if resolve(slug).extract
    }


def test_the_map_of_the_page_is_valid() -> None:
    extract = json.loads(only_block("json extract"))

    definition = load_definition({"slug": "a", "name": "A", "extract": extract})

    assert [one.name for one in definition.extract] == list(extract)
