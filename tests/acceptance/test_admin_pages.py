"""A real browser uses the admin: it adds a trigger, runs it and reads the result."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule
from playwright.sync_api import ConsoleMessage, Locator, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import AgentFactory, make_created, record
from tests.owners import agent_of, make_group, make_user, owned_by
from triggers.models import Trigger
from webhooks.endpoints.secrets import live_secrets

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# On a busy machine a page takes longer than the default of 5 seconds.
expect.set_options(timeout=30_000)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ, reason="needs chromium"
    ),
]


@pytest.fixture
def page(
    live_server: LiveServer, admin: User, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    """A browser's page of a logged-in administrator.

    The test fails if a script raises an error or violates the content security policy.
    """
    # Playwright keeps an event loop running in this thread; Django refuses that.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    # Connections of the server's threads would prevent that the database is dropped.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS)
        )
        page = browser.new_page(base_url=live_server.url)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: note_violation(message, errors))
        log_in(page)
        yield page
        browser.close()
        # While a loop runs, Django uses another connection than without one.
        connection.close()
    assert errors == []


def note_violation(message: ConsoleMessage, errors: list[str]) -> None:
    if "Content Security Policy" in message.text:
        errors.append(f"{message.location}: {message.text}")


def log_in(page: Page) -> None:
    page.goto(reverse("admin:login"))
    page.get_by_label("Username").fill("ana")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Triggers").first).to_be_visible()


def choose_agent(page: Page, name: str) -> None:
    page.locator(
        ".field-agent .select2-selection, #select2-id_agent-container"
    ).first.click()
    page.locator(".select2-dropdown .select2-search__field").fill(name)
    page.locator(".select2-results__option", has_text=name).click()


def test_the_form_shows_only_what_the_kind_of_trigger_needs(page: Page) -> None:
    page.goto(reverse("admin:triggers_trigger_add"))
    kind = page.locator("#id_trigger_type")

    kind.select_option("event")

    expect(page.locator("#id_event_types")).to_be_visible()
    expect(page.locator("#id_cron_expression")).to_be_hidden()

    kind.select_option("cron")
    page.locator("#id_schedule_type").select_option("cron")
    expect(page.locator("#id_cron_expression")).to_be_visible()
    expect(page.locator("#id_event_types")).to_be_hidden()


def link_to(page: Page, row: Model) -> Locator:
    """Return the first link to the page of a row."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return page.locator(f'a[href="{reverse(name, args=[row.pk])}"]').first


def test_a_trigger_is_added_run_and_followed_to_its_event(page: Page) -> None:
    AgentFactory.create(name="writer")
    page.goto(reverse("admin:triggers_trigger_add"))
    page.locator("#id_name").fill("weekly report")
    choose_agent(page, "writer")
    page.locator("#id_trigger_type").select_option("manual")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="weekly report").first.click()

    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("weekly report will run")).to_be_visible()
    drain()
    page.reload()

    execution = TriggerExecution.objects.get()
    assert execution.trigger == Trigger.objects.get(name="weekly report")
    link_to(page, execution).click()
    expect(page.get_by_text("trigger.run").first).to_be_visible()
    link_to(page, execution.event).click()
    expect(page.get_by_text("The raw bytes")).to_be_visible()


def test_the_signed_line_is_copied(page: Page) -> None:
    created = make_created(trigger_type="webhook", webhook={"type_slug": "github"})
    page.goto(reverse("admin:triggers_trigger_change", args=[created.trigger.pk]))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy").nth(1).click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -X POST http://testserver/webhooks/wht_")


def test_a_secret_is_rotated_in_a_dialog_and_shown_once(page: Page) -> None:
    created = make_created(trigger_type="webhook", webhook={"type_slug": "github"})
    endpoint = created.trigger.endpoint
    assert endpoint is not None
    page.goto(reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk]))

    page.get_by_role("link", name="Rotate secret").click()
    page.get_by_label("Hours for which").fill("1")
    page.get_by_role("button", name="Rotate secret").click()

    expect(page.get_by_text("Secret, shown this once")).to_be_visible()
    endpoint.refresh_from_db()
    current, previous = live_secrets(endpoint)
    assert previous == created.webhook_secret
    expect(page.get_by_text(current)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Secret, shown this once")).to_be_hidden()


def test_a_session_is_ended_from_the_menu_of_the_user(page: Page, admin: User) -> None:
    Client().force_login(admin)
    page.goto(reverse("admin:index"))

    page.locator("#nav-sidebar").get_by_text("ana@example.test").click()
    page.get_by_role("link", name="Your sessions").click()
    expect(page.get_by_text("Chrome on Linux")).to_be_visible()
    page.get_by_role("button", name="End", exact=True).click()

    expect(page.get_by_text("The session ended.")).to_be_visible()
    expect(page.get_by_role("button", name="End", exact=True)).to_be_hidden()
    assert admin.sessions.count() == 1


def test_a_dialog_keeps_the_focus_and_returns_it(page: Page) -> None:
    created = make_created(trigger_type="webhook", webhook={"type_slug": "github"})
    assert created.trigger.endpoint is not None
    pk = created.trigger.endpoint.pk
    page.goto(reverse("admin:webhooks_webhookendpoint_change", args=[pk]))
    opener = page.get_by_role("link", name="Rotate secret")
    dialog = page.get_by_role("dialog", name="Rotate secret")
    close = dialog.get_by_role("button", name="Close")

    opener.focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Secret", exact=True)).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    expect(dialog.get_by_role("button", name="Rotate secret")).to_be_focused()
    page.keyboard.press("Tab")
    expect(close).to_be_focused()
    page.keyboard.press("Enter")

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()

    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Secret", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_long_name_breaks_no_page(page: Page) -> None:
    name = "Nightly report of everything that was sold, by shop and country, " * 3
    trigger = make_created(name=name.strip()).trigger
    url = reverse("admin:triggers_trigger_change", args=[trigger.pk])

    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(url)
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_contain_text(name.strip())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert heading.evaluate("h1 => h1.scrollHeight - h1.clientHeight") <= 1
        assert heading.evaluate("h1 => h1.scrollWidth - h1.clientWidth") <= 1


def test_a_wide_table_scrolls_in_its_own_region(page: Page) -> None:
    make_created(name="Large invoices", trigger_type="event", event_types=["invoice.*"])
    event = record()
    drain()
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto(reverse("admin:events_event_change", args=[event.pk]))

    expect(page.get_by_text("Large invoices").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_history_is_not_cut_off(page: Page) -> None:
    make_created(name="Large invoices", trigger_type="event", event_types=["invoice.*"])
    record()
    drain()
    page.set_viewport_size({"width": 1280, "height": 800})

    page.goto(reverse("admin:executions_triggerexecution_changelist"))

    right = page.locator("#result_list").evaluate(
        "table => table.getBoundingClientRect().right"
    )
    assert right <= 1280


def test_a_test_event_is_sent_and_redelivered(page: Page) -> None:
    created = make_created(trigger_type="webhook", webhook={"type_slug": "slack"})
    assert created.trigger.endpoint is not None
    pk = created.trigger.endpoint.pk
    page.goto(reverse("admin:webhooks_webhookendpoint_change", args=[pk]))
    page.get_by_label("Event", exact=True).select_option("message")
    page.get_by_role("button", name="Send test event").click()
    page.get_by_role("link", name="its delivery").click()

    page.get_by_role("button", name="Redeliver").click()

    expect(page.get_by_text("Redelivered as a new event")).to_be_visible()
    assert list(Event.objects.values_list("type", flat=True)) == ["slack.message"] * 2


def test_an_inspected_delivery_appears_without_a_reload(page: Page) -> None:
    created = make_created(trigger_type="webhook", webhook={"type_slug": "slack"})
    assert created.trigger.endpoint is not None
    pk = created.trigger.endpoint.pk
    page.goto(reverse("admin:webhooks_webhookendpoint_change", args=[pk]))
    page.get_by_role("button", name="Show incoming requests").click()
    expect(page.get_by_text("No request has arrived yet")).to_be_visible()

    url = page.locator("pre").first.inner_text().removeprefix("http://testserver")
    page.request.post(url, data={"event": {"type": "message"}})

    expect(
        page.get_by_text("Would be rejected: the signature does not match.")
    ).to_be_visible()
    assert not Event.objects.exists()


NEW_AGENT = {
    "name": "writer",
    "backend": "celery",
    "config": {"task": "agents.tasks.echo"},
}


def test_the_pages_of_the_api_work_under_their_policy(page: Page) -> None:
    page.goto("/api/docs")
    expect(page.get_by_role("heading", name="Tickhook")).to_be_visible()
    page.get_by_text("/api/v1/agents", exact=True).first.click()
    expect(page.get_by_role("button", name="Try it out")).to_be_visible()

    page.goto("/api/v1/agents")
    page.locator("#id__content").fill(json.dumps(NEW_AGENT))
    page.get_by_role("button", name="POST").click()
    expect(page.get_by_text("HTTP 201 Created")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def test_a_crontab_is_shown_in_words(page: Page) -> None:
    crontab = CrontabSchedule.objects.create(minute="0", hour="9")
    page.goto(reverse("admin:django_celery_beat_periodictask_add"))

    page.locator("#id_crontab").select_option(str(crontab.pk))

    expect(page.get_by_text("Translation: At 09:00")).to_be_visible()


def test_the_triggers_of_a_closed_account_are_handed_over(page: Page) -> None:
    ben, cleo = make_user("ben"), make_user("cleo")
    make_user("dan")
    ops = make_group("ops")
    cleo.groups.add(ops)
    trigger = owned_by(ben, agent=agent_of(ops))
    page.goto(reverse("admin:auth_user_change", args=[ben.pk]))

    page.get_by_label("Active").uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Hand over").click()

    refused = page.get_by_role("row", name="dan")
    expect(refused).to_contain_text(trigger.agent.name)
    page.get_by_label("cleo").check()
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_text("Moved 1.")).to_be_visible()
    trigger.refresh_from_db()
    assert (trigger.owner, trigger.owner_lost_at) == (cleo, None)
