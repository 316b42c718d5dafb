"""The stack of containers: there is no engine here to run it, so what the containers would run is run as processes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from e2e.ports import free_port
from stack.programs import ROOT, TESTING, ask, run, running

FULL = {"collector", "collector-queue", "exporter", "alertmanager", "grafana", "password-check", "prometheus"}
SMALL = {"collector", "collector-queue", "exporter"}
ONE_SHOT = {"collector-queue", "password-check"}
NO_PROGRAMS = {"collector"}
"""Images in which nothing could check the health."""
ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there in the tests

DOCKERFILE = ROOT / "exporter" / "Dockerfile"
PASSWORD_CHECK = ROOT / "grafana" / "check-password.sh"


def compose(profile: str) -> dict[str, Any]:
    """Return the stack as docker compose understands it, the variables of .env put in."""
    program = TESTING.program("docker-compose")
    chosen = {**os.environ, "COMPOSE_PROFILES": profile}
    command = [program, "config", "--format", "json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=chosen, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return compose("full")["services"]


@pytest.mark.parametrize(("profile", "names"), [("full", FULL), ("", SMALL)])
def test_profiles_choose_the_services(profile: str, names: set[str]) -> None:
    assert set(compose(profile)["services"]) == names


@pytest.mark.parametrize("name", FULL)
def test_every_container_is_locked_down(name: str, services: dict[str, Any]) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name == "collector-queue":
        assert (service["user"], service["cap_add"]) == ("0:0", ["CHOWN"])
    else:
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
        assert "cap_add" not in service
    assert (service.get("restart", "no") == "no") == (name in ONE_SHOT)
    assert "mem_limit" in service or name in ONE_SHOT


@pytest.mark.parametrize("name", FULL)
def test_every_image_has_an_exact_version(name: str, services: dict[str, Any]) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+$", services[name]["image"])


@pytest.mark.parametrize("name", FULL)
def test_everything_listens_on_loopback_alone(name: str, services: dict[str, Any]) -> None:
    assert {port["host_ip"] for port in services[name].get("ports", ())} <= {"127.0.0.1"}


@pytest.mark.parametrize("name", FULL - ONE_SHOT - NO_PROGRAMS - {"exporter"})
def test_what_can_say_whether_it_is_well_is_asked(name: str, services: dict[str, Any]) -> None:
    assert services[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", FULL)
def test_what_is_mounted_from_here_exists(name: str, services: dict[str, Any]) -> None:
    for volume in services[name].get("volumes", ()):
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists()
            assert volume["read_only"] is True


def test_a_mistake_in_the_file_would_be_found(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text((ROOT / "docker-compose.yml").read_text().replace("retries: 6", "retriess: 6"))
    shutil.copy(ROOT / ".env", tmp_path)
    ended = run(TESTING.program("docker-compose"), "config", "-q", cwd=tmp_path)
    assert "retriess" in ended.stderr


@pytest.mark.parametrize(
    ("address", "password", "code"),
    [
        ("127.0.0.1", "admin", 0),
        ("::1", "admin", 0),
        (ANYWHERE, "admin", 1),
        (ANYWHERE, "", 1),
        ("192.0.2.7", "admin", 1),
        (ANYWHERE, "a password of one's own", 0),
    ],
)
def test_the_default_password_is_refused_outside_loopback(address: str, password: str, code: int) -> None:
    chosen = {"BIND_ADDRESS": address, "GRAFANA_PASSWORD": password}
    ended = subprocess.run(["sh", PASSWORD_CHECK], env=chosen, capture_output=True, text=True, check=False, timeout=10)
    assert ended.returncode == code
    assert ("set GRAFANA_PASSWORD" in ended.stderr) == bool(code)


class Image:
    """What the Dockerfile says, the values of its arguments put in."""

    def __init__(self, directory: Path) -> None:
        parser = DockerfileParser(path=str(directory))
        parser.content = DOCKERFILE.read_text()
        self.structure = parser.structure
        self.stages = [
            self.structure[start:end] for start, end in zip(self._starts, [*self._starts[1:], None], strict=True)
        ]

    @property
    def _starts(self) -> list[int]:
        return [place for place, each in enumerate(self.structure) if each["instruction"] == "FROM"]

    def values(self, stage: int, instruction: str) -> list[str]:
        """Return what stands behind an instruction, each time that it is used."""
        return [each["value"] for each in self.stages[stage] if each["instruction"] == instruction]

    def environment(self, stage: int) -> dict[str, str]:
        """Return the variables of a stage."""
        pairs = [shlex.split(value) for value in self.values(stage, "ENV")]
        return dict(pair.split("=", 1) for each in pairs for pair in each)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("dockerfile"))


def test_the_image_is_built_in_stages_and_runs_without_privileges(image: Image) -> None:
    assert len(image.stages) == 2
    (user,) = image.values(-1, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert image.values(-1, "COPY") == ["--from=build /opt/llmlab /opt/llmlab"]
    assert not any("pip install" in line or "apt-get" in line for line in image.values(-1, "RUN"))
    assert all("latest" not in line for stage in (0, 1) for line in image.values(stage, "FROM"))
    assert not [each for each in image.structure if each["instruction"] == "ADD"]


def test_what_the_image_does_not_need_is_not_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    copied = {"pyproject.toml", "uv.lock", "README.md", "LICENSE", "instrumentation", "exporter"}
    assert {line[1:] for line in lines if line.startswith("!")} == copied


@pytest.fixture(scope="module")
def built(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the steps of the build stage in a directory, and return the environment that they make."""
    source = tmp_path_factory.mktemp("image")
    place = source / "opt"
    uv = shutil.which("uv") or str(ROOT / ".cache/uv/bin/uv")
    variables = {**os.environ, **image.environment(0), "UV_PROJECT_ENVIRONMENT": str(place)}
    del variables["UV_PYTHON_DOWNLOADS"]
    variables.pop("VIRTUAL_ENV", None)
    for each in image.stages[0]:
        if each["instruction"] == "COPY":
            *copied, target = each["value"].split()
            for name in copied:
                _copy(ROOT / name, source / target / name if target in {".", "./"} else source / target)
        elif each["instruction"] == "RUN" and each["value"].startswith("uv "):
            command = [uv, *shlex.split(each["value"])[1:]]
            ended = subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr
    return place


def _copy(origin: Path, target: Path) -> None:
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(origin, target)


@contextmanager
def container(image: Image, built: Path, data: Path) -> Generator[int]:
    """Run what the container would run, on free ports; yields the HTTP port."""
    (entry,), (command,) = image.values(-1, "ENTRYPOINT"), image.values(-1, "CMD")
    port = free_port()
    arguments = [*json.loads(entry), *json.loads(command), "--http-port", str(port), "--grpc-port", "0"]
    arguments[0] = built / "bin" / arguments[0]
    arguments[arguments.index(ANYWHERE)] = "127.0.0.1"
    with running(
        [*arguments, "--sql-port", "0", "--data", str(data)], f"http://127.0.0.1:{port}/readyz", data.parent / "log"
    ):
        yield port


@pytest.mark.e2e
def test_what_the_container_runs_starts_and_says_that_it_is_well(image: Image, built: Path, tmp_path: Path) -> None:
    (check,) = image.values(-1, "HEALTHCHECK")
    program, *arguments = json.loads(check[check.index("[") :])
    with container(image, built, tmp_path / "data") as port:
        aimed = [argument.replace("4318", str(port)) for argument in arguments]
        assert run(built / "bin" / program, *aimed).returncode == 0
        assert ask(f"http://127.0.0.1:{port}/readyz")["status"] == "ready"
    assert run(built / "bin" / program, *aimed).returncode != 0


@pytest.mark.e2e
def test_the_image_holds_no_development_tools(built: Path) -> None:
    names = {path.name.partition("-")[0] for path in (built / "lib").glob("python*/site-packages/*.dist-info")}
    assert "chdb" in names
    assert not names & {"pytest", "pyright", "ruff", "openai", "hypothesis"}
    assert not list((built / "lib").glob("python*/site-packages/*llmlab*.pth")), "it needs no checkout"


@pytest.mark.e2e
def test_the_first_start_of_the_image_answers_on_its_front_page(image: Image, built: Path, tmp_path: Path) -> None:
    with (
        container(image, built, tmp_path / "data") as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer,
    ):
        assert answer.read().startswith(b"LLMLab exporter")
