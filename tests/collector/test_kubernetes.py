"""The manifests of examples/kubernetes: by Kubernetes' own schema, and by running what their containers run."""

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.build import RECIPE
from collector.process import CONFIGS, command, needs_collector
from environments import ROOT, find_uv
from exporter_process import running

FOLDER = ROOT / "examples" / "kubernetes"
FILES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("sidecar/*.yaml")])
OPERATOR = FOLDER / "prometheus-operator" / "monitors.yaml"
VALIDATOR = "kubernetes-validate==1.37.0"
COLLECTOR = "otel/opentelemetry-collector-contrib"

Manifest = dict[str, Any]


def manifests(*files: Path) -> list[Manifest]:
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def of_kind(*kinds: str) -> list[Manifest]:
    return [each for each in manifests(*FILES) if each["kind"] in kinds]


WORKLOADS = of_kind("Deployment", "StatefulSet")


def containers(workload: Manifest) -> Iterator[Manifest]:
    pod = workload["spec"]["template"]["spec"]
    yield from (*pod.get("initContainers", ()), *pod["containers"])


CONTAINERS = [(workload, each) for workload in WORKLOADS for each in containers(workload)]
COLLECTORS = [(workload, each) for workload, each in CONTAINERS if each["image"].startswith(COLLECTOR)]
each_container = pytest.mark.parametrize(
    ("workload", "container"),
    CONTAINERS,
    ids=[f"{workload['metadata']['name']}/{it['name']}" for workload, it in CONTAINERS],
)


@pytest.mark.e2e
@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    ended = validate(version, *FILES)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.e2e
def test_it_would_not_know_a_mistake(tmp_path: Path) -> None:
    mistake = tmp_path / "mistake.yaml"
    mistake.write_text((FOLDER / "exporter.yaml").read_text().replace("runAsNonRoot", "runAsNonroot"))
    assert validate("1.33", mistake).returncode != 0


def validate(version: str, *files: Path) -> subprocess.CompletedProcess[str]:
    program = [find_uv(), "tool", "run", "--quiet", VALIDATOR, "--strict", "--no-warn", "--quiet", "-k", version]
    return subprocess.run(
        [*program, *(str(file) for file in files)], capture_output=True, text=True, timeout=100, check=False
    )


@each_container
def test_every_container_is_locked_down(workload: Manifest, container: Manifest) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= container["resources"].keys()


@each_container
def test_probes_ask_ports_that_are_there_over_http(workload: Manifest, container: Manifest) -> None:
    ports = {port["name"] for port in container.get("ports", ())}
    probes = [value for key, value in container.items() if key.endswith("Probe")]
    assert probes or container["image"].startswith("example/")
    for probe in probes:
        assert probe["httpGet"]["port"] in ports


@each_container
def test_every_mounted_volume_is_there(workload: Manifest, container: Manifest) -> None:
    named = {each["name"] for each in workload["spec"]["template"]["spec"].get("volumes", ())}
    claimed = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())}
    assert {mount["name"] for mount in container.get("volumeMounts", ())} <= named | claimed


@pytest.mark.parametrize("kind", ["Service", "NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"])
def test_every_selector_finds_something_with_the_ports_it_names(kind: str) -> None:
    found = [each for each in manifests(*FILES, OPERATOR) if each["kind"] == kind]
    assert found
    for each in found:
        labels, ports = selected(each)
        targets = of_kind("Service") if kind == "ServiceMonitor" else [work["spec"]["template"] for work in WORKLOADS]
        (target,) = [it for it in targets if labels.items() <= it["metadata"]["labels"].items()]
        assert ports <= ports_of(target), each["metadata"]["name"]


def selected(manifest: Manifest) -> tuple[dict[str, str], set[str]]:
    """Return the labels that a manifest selects by, and the ports it names."""
    spec = manifest["spec"]
    match manifest["kind"]:
        case "Service":
            return spec["selector"], {port["targetPort"] for port in spec["ports"]}
        case "NetworkPolicy":
            return spec["podSelector"]["matchLabels"], {
                port["port"] for rule in spec["ingress"] for port in rule["ports"]
            }
        case _:
            return spec["selector"]["matchLabels"], {each["port"] for each in spec.get("endpoints", ())}


def ports_of(target: Manifest) -> set[str]:
    """Return the names of the ports of a service or of the pods of a template."""
    spec = target["spec"]
    if "ports" in spec:
        return {port["name"] for port in spec["ports"]}
    return {port["name"] for container in spec["containers"] for port in container["ports"]}


def test_the_images_have_the_versions_of_the_stack() -> None:
    pinned = dict(
        line.split("=", 1) for line in (ROOT / ".env").read_text().splitlines() if "=" in line and "#" not in line
    )
    assert pinned["COLLECTOR_VERSION"] == yaml.safe_load(RECIPE.read_text())["dist"]["version"]
    images = {container["image"] for _, container in CONTAINERS if not container["image"].startswith("example/")}
    assert images == {
        f"llmlab/exporter:{pinned['LLMLAB_VERSION']}",
        f"{COLLECTOR}:{pinned['COLLECTOR_VERSION']}",
    }


@pytest.mark.e2e
@needs_collector
@pytest.mark.parametrize(
    ("workload", "container"), COLLECTORS, ids=[work["metadata"]["name"] for work, _ in COLLECTORS]
)
def test_the_collector_accepts_its_arguments(workload: Manifest, container: Manifest, tmp_path: Path) -> None:
    for config_map in of_kind("ConfigMap"):
        for name, content in config_map["data"].items():
            (tmp_path / name).write_text(content)
    folders = {"/etc/otelcol": CONFIGS, "/etc/otelcol-extras": tmp_path}
    files = [Path(argument.removeprefix("--config=")) for argument in container["args"]]
    said = {each["name"]: each["value"] for each in container["env"]}
    assert {each["name"] for each in container["env"] if each["name"].startswith("LLMLAB_")} <= set(variables())
    ended = subprocess.run(
        command(["validate"], (folders[str(file.parent)] / file.name for file in files)),
        env=os.environ | said | {"LLMLAB_COLLECTOR_QUEUE": str(tmp_path / "queue")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def variables() -> Iterator[str]:
    """Yield the variables that our configurations read."""
    for file in CONFIGS.glob("*.yaml"):
        for part in file.read_text().split("${env:")[1:]:
            yield part.replace("}", ":").partition(":")[0]


@pytest.mark.e2e
def test_the_exporter_accepts_its_arguments_and_answers_its_probes(tmp_path: Path) -> None:
    (container,) = [each for _, each in CONTAINERS if each["image"].startswith("llmlab/")]
    verb, *options = container["args"]
    assert verb == "up"
    free = [
        "0" if before.endswith("-port") else option for before, option in zip(["", *options], options, strict=False)
    ]
    paths = {probe["httpGet"]["path"] for key, probe in container.items() if key.endswith("Probe")}
    here = ["127.0.0.1" if option == "0.0.0.0" else option for option in free]  # noqa: S104
    with running(tmp_path / "data", *here) as exporter:
        for path in paths:
            with urllib.request.urlopen(f"{exporter.url}{path}", timeout=10) as answer:
                assert answer.status == 200
