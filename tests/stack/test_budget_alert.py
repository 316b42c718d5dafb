"""A call is made, a budget is overspent, and people hear of it: every part of the way is the real one."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from e2e.traces import post, request, span
from exporter_process import ExporterProcess, running
from stack.programs import ALERTMANAGER, PROMETHEUS, SHIPPED, alertmanager, ask, prometheus, wait_for
from stack.sinks import Hooks, Mailbox, hooks, mailbox

pytestmark = pytest.mark.e2e

BUDGETS = """
budgets:
  platform: {limit: 1000, scope: {project: platform}}
  research: {limit: 1000, scope: {project: research}}
  calm: {limit: 1000, scope: {project: calm}}
  small: {limit: 10, period: day, time_zone: Europe/Berlin, scope: {project: small}}
"""
MILLION = 1_000_000


class Stack(NamedTuple):
    """What runs."""

    exporter: ExporterProcess
    alertmanager: str
    hooks: Hooks
    mailbox: Mailbox

    def spend(self, project: str, *usd: int) -> None:
        """Make calls that cost so much each: $2 per million tokens that gpt-5-mini writes."""
        calls = [span(secrets.randbits(63), usage={"input_tokens": 0, "output_tokens": n * MILLION // 2}) for n in usd]
        assert post(self.exporter.url, request(calls, llmlab_project=project)).status == 200

    def alerts(self, *, muted: bool) -> set[tuple[str, str]]:
        """Return the budgets and thresholds that fire, as Alertmanager sees them."""
        found: Any = ask(f"http://{self.alertmanager}/api/v2/alerts", filter='alertname="LLMBudgetThreshold"')
        return {
            (alert["labels"]["budget"], alert["labels"]["threshold"])
            for alert in found
            if bool(alert["status"]["inhibitedBy"]) == muted
        }


def configuration(directory: Path, hooks: Hooks, mailbox: Mailbox) -> Path:
    """Return the shipped configuration with all channels in use, and with secrets that lead here."""
    text = (SHIPPED / "alertmanager.yml").read_text()
    text = text.replace("/etc/alertmanager/templates", str(SHIPPED / "templates"))
    text = text.replace("/etc/alertmanager/secrets", str(directory))
    text = text.replace("https://hooks.example.com", hooks.url).replace("smtp.example.com:587", mailbox.address)
    for name, secret in {
        "slack_url": f"{hooks.url}/slack",
        "discord_url": f"{hooks.url}/discord",
        "teams_url": f"{hooks.url}/teams",
        "webhook_token": "token-of-the-webhook",
        "smtp_password": "unused",
    }.items():
        (directory / name).write_text(secret)
    config: Any = yaml.safe_load(text)
    channels = {receiver["name"]: receiver for receiver in config["receivers"]}
    for name in ("discord", "teams", "email", "webhook"):
        channels["team"] |= {kind: used for kind, used in channels[name].items() if kind != "name"}
    (mail,) = channels["team"]["email_configs"]
    mail["require_tls"] = False  # the mail server here has no certificate
    del mail["auth_username"], mail["auth_password_file"]
    channels["oncall"] |= {kind: used for kind, used in channels["team"].items() if kind != "name"}
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "2s", "group_interval": "2s"}
    path = directory / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module", params=list(zip(PROMETHEUS, ALERTMANAGER, strict=True)), ids=repr)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    old_or_new, alerting = request.param
    directory = tmp_path_factory.mktemp("stack")
    (directory / "budgets.yaml").write_text(BUDGETS)
    with ExitStack() as running_now:
        start = running_now.enter_context
        hooked, box = start(hooks()), start(mailbox())
        exporter = start(running(directory / "data", "--budgets", str(directory / "budgets.yaml")))
        alerts = start(alertmanager(alerting, directory, configuration(directory, hooked, box)))
        start(prometheus(old_or_new, directory, exporter.url.removeprefix("http://"), alerts))
        yield Stack(exporter, alerts, hooked, box)


def test_who_overspends_a_budget_hears_of_it_everywhere(stack: Stack) -> None:
    stack.spend("platform", 850)
    wait_for(lambda: ("platform", "80") in stack.alerts(muted=False), "the alert for 80 %")
    assert ("platform", "50") in wait_for(lambda: stack.alerts(muted=True), "the alert for 50 % to be muted")
    summary = "Budget platform has used 85% of its limit for the month"
    said = "$850.00 of $1000.00 is spent; the alert is for 80 %."

    (slack,) = wait_for(lambda: of(stack.hooks.at("/slack"), summary), "the message in Slack")
    (attachment,) = slack["attachments"]
    assert attachment["title"] == summary
    assert said in attachment["text"]
    assert attachment["title_link"] == "http://localhost:3000/d/llm-budgets?var-budget=platform"
    assert attachment["color"] == "#ecb22e"
    assert attachment["actions"][0]["url"] == attachment["title_link"]

    (discord,) = wait_for(lambda: of(stack.hooks.at("/discord"), summary), "the message in Discord")
    (embed,) = discord["embeds"]
    assert embed["title"] == summary
    assert said in embed["description"]
    assert "Runbook: docs/runbooks/LLMBudgetThreshold.md" in embed["description"]

    (teams,) = wait_for(lambda: of(stack.hooks.at("/teams"), summary), "the message in Teams")
    assert said in str(teams)

    (webhook,) = wait_for(lambda: of(stack.hooks.at("/llmlab"), summary), "the webhook")
    assert webhook["alerts"][0]["labels"]["threshold"] == "80"
    assert webhook["alerts"][0]["annotations"]["summary"] == summary
    (headers,) = {each.headers["Authorization"] for each in stack.hooks.received if each.path == "/llmlab"}
    assert headers == "Bearer token-of-the-webhook"

    mails = wait_for(lambda: [mail for mail in stack.mailbox.mails if mail["Subject"] == summary], "the mail")
    body = mails[0].get_body(("plain",))
    assert body is not None
    assert said in body.get_content()


def test_the_highest_threshold_mutes_those_below(stack: Stack) -> None:
    stack.spend("research", 850, 850)
    wait_for(lambda: ("research", "100") in stack.alerts(muted=False), "the alert for 100 %")
    wait_for(lambda: {("research", "50"), ("research", "80")} <= stack.alerts(muted=True), "the others to be muted")
    assert ("research", "80") not in stack.alerts(muted=False)
    (slack,) = wait_for(
        lambda: [each for each in of(stack.hooks.at("/slack"), "the alert is for 100 %") if "research" in str(each)],
        "the message in Slack",
    )
    assert slack["attachments"][0]["color"] == "#e01e5a"


def test_budgets_do_not_mute_each_other(stack: Stack) -> None:
    stack.spend("small", 850)
    wait_for(lambda: ("small", "100") in stack.alerts(muted=False), "the alert for 100 % of one budget")
    stack.spend("calm", 850)
    wait_for(lambda: ("calm", "80") in stack.alerts(muted=False), "the alert for 80 % of the other")
    wait_for(lambda: ("calm", "50") in stack.alerts(muted=True), "the other to mute its own")


def of(messages: list[Any], text: str) -> list[Any]:
    """Return the messages that contain a text."""
    return [message for message in messages if text in str(message)]
