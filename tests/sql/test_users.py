"""Users and their tokens, in the file and on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmlab_exporter.cli.sql_users import grafana_token, sql_users
from llmlab_exporter.sql.users import (
    BadUser,
    Scope,
    Users,
    ensure_first_user,
    new_token,
    token_path,
    users_path,
    write_private,
)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(users_path(tmp_path))


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(sql_users, [*arguments, "--data", str(data)])


def test_the_first_start_makes_a_user_for_grafana_whose_token_is_in_a_private_file(
    users: Users, tmp_path: Path
) -> None:
    ensure_first_user(users, token_path(tmp_path))
    token = token_path(tmp_path).read_text()
    found = users.authenticate("grafana", token)
    assert found is not None
    assert found.scope == Scope(None, None)
    for path in (token_path(tmp_path), users_path(tmp_path)):
        assert path.stat().st_mode & 0o777 == 0o600
    ensure_first_user(users, token_path(tmp_path))
    assert token_path(tmp_path).read_text() == token


def test_the_token_itself_is_in_no_list_of_users(users: Users, tmp_path: Path) -> None:
    token = new_token()
    users.add("a", Scope("acme"), token)
    assert token not in users_path(tmp_path).read_text()
    assert len(token) >= 43


def test_a_token_is_its_users_alone(users: Users) -> None:
    users.add("a", Scope("acme"), "token of a")
    users.add("b", Scope(None, "web"), "token of b")
    assert users.authenticate("a", "token of b") is None
    assert users.authenticate("a", "") is None
    assert users.authenticate("", "") is None
    assert users.authenticate("nobody", "token of a") is None
    found = users.authenticate("b", "token of b")
    assert found is not None
    assert found.scope == Scope(None, "web")


def test_a_change_of_the_file_counts_at_once(users: Users, tmp_path: Path) -> None:
    other = Users(users_path(tmp_path))
    assert users.all() == []
    other.add("a", Scope(), "t")
    assert users.authenticate("a", "t") is not None
    other.remove("a")
    assert users.authenticate("a", "t") is None


def test_who_was_removed_does_not_come_back(users: Users, tmp_path: Path) -> None:
    ensure_first_user(users, token_path(tmp_path))
    users.remove("grafana")
    ensure_first_user(users, token_path(tmp_path))
    assert users.all() == []


@pytest.mark.parametrize("name", ["", "a:b", "a\nb"])
def test_some_names_cannot_be_a_users(name: str, users: Users) -> None:
    with pytest.raises(BadUser, match="name"):
        users.add(name, Scope(), "t")


def test_a_name_is_taken_once(users: Users) -> None:
    users.add("a", Scope(), "t")
    with pytest.raises(BadUser, match="already"):
        users.add("a", Scope(), "u")
    with pytest.raises(BadUser, match="no user b"):
        users.remove("b")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"users": [{"name": "a"}]}', '{"users": 1}'])
def test_a_broken_file_lets_nobody_in(text: str, users: Users, tmp_path: Path) -> None:
    write_private(users_path(tmp_path), text.encode())
    with pytest.raises(BadUser, match=r"sql-users\.json cannot be read"):
        users.authenticate("a", "")


def test_a_user_is_added_listed_and_removed_on_the_command_line(users: Users, tmp_path: Path) -> None:
    added = run(tmp_path, "add", "acme-web", "--org", "acme", "--project", "web")
    assert added.exit_code == 0
    assert users.authenticate("acme-web", added.stdout.strip()) is not None
    assert run(tmp_path, "add", "everybody").exit_code == 0
    assert run(tmp_path, "list").stdout == "acme-web  org acme, project web\neverybody  all rows\n"
    assert run(tmp_path, "rm", "acme-web").exit_code == 0
    assert run(tmp_path, "list").stdout == "everybody  all rows\n"


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    for failed in (run(tmp_path, "rm", "nobody"), run(tmp_path, "add", "a:b"), run(tmp_path / "no", "rm", "a")):
        assert failed.exit_code == 1
        assert failed.stderr.startswith("error: ")
        assert "hint: " in failed.stderr


def test_the_token_of_grafana_is_printed(tmp_path: Path) -> None:
    printed = CliRunner().invoke(grafana_token, ["--data", str(tmp_path)])
    assert printed.stdout.strip() == token_path(tmp_path).read_text()
    run(tmp_path, "rm", "grafana")
    gone = CliRunner().invoke(grafana_token, ["--data", str(tmp_path)])
    assert (gone.exit_code, "was removed" in gone.stderr) == (1, True)
    assert json.loads(users_path(tmp_path).read_text()) == {"users": []}
