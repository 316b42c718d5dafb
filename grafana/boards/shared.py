"""Panels that more than one dashboard has."""

from typing import Any

from boards.panel import Panel, override
from boards.query import PROMETHEUS, promql_now
from boards.styles import Column, table

_FIRING = 'ALERTS{alertname=~"LLM.+", alertstate="firing", severity!="info"}'
_COLUMNS = {
    "alertname": "Alert",
    "severity": "Severity",
    "budget": "Budget",
    "project": "Project",
    "model": "Model",
}
_SEVERITIES = {
    "type": "value",
    "options": {
        "critical": {"color": "red", "index": 0},
        "warning": {"color": "orange", "index": 1},
    },
}


def firing_alerts(*, width: int, height: int) -> Panel:
    """List the alerts of LLMLab's rules that fire now and are more than a note."""
    arrange = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "Value": True},
            "indexByName": {name: place for place, name in enumerate(_COLUMNS)},
            "renameByName": _COLUMNS,
        },
    }
    return table(
        "Alerts that fire",
        "What the alerting rules in prometheus/rules say needs somebody now, without mere notes. Empty is good, as "
        "long as the rules are loaded.",
        promql_now(f"max by ({', '.join(_COLUMNS)}) ({_FIRING})", as_table=True),
        [Column(name="Alert", width=170), Column(name="Severity", width=80)],
        width=width,
        height=height,
        no_value="No alert fires",
        transformations=[arrange],
        overrides=[
            override("Severity", mappings=[_SEVERITIES], custom_cellOptions={"type": "color-text"}),
        ],
    )


def alert_annotations() -> dict[str, Any]:
    """Mark on graphs when an alert about money fired."""
    return {
        "name": "Alerts",
        "datasource": PROMETHEUS,
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"LLM(Spend|Budget).+", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{budget}} {{project}}",
        "tagKeys": "severity",
        "step": "10m",
    }
