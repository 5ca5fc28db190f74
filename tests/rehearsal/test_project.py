"""The local copies of the stack files keep what a stack decides, and nothing that names what is real."""

from pathlib import Path

import pytest
import yaml

from crane_infra.rehearsal import project
from tests.rehearsal.test_engine import RUNNING

REAL = "b2182c5b-6f83-47e8-87ee-3dc62511c24e"
DATABASE = {
    "name": "notes-staging",
    "adopt": REAL,
    "accept-findings": {"0002_drop.sql": ["contract-not-declared"]},
    "out-of-order": True,
}
WORKER = {
    "adopt": True,
    "url": "https://real.example",
    "variables": {"A": "b"},
    "crons": ["* * * * *"],
    "replace-deployment": REAL,
    "bindings": {"CACHE": REAL, "STORE": {"store_id": REAL, "secret_name": REAL}},
}


@pytest.fixture
def copied(tmp_path: Path) -> dict[str, object]:
    """The copy of a stack file with every kind of setting."""
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "crane-infra", "runtime": "python"}))
    config = {
        "crane-infra:account-id": "f" * 32,
        "crane-infra:workers-subdomain": "sub",
        "crane-infra:databases": {"notes": DATABASE},
        "crane-infra:workers": {"web": WORKER},
    }
    for environment in ("staging", "production"):
        (tmp_path / f"Pulumi.{environment}.yaml").write_text(yaml.safe_dump({"config": config}))
    here = project.Project(tmp_path, tmp_path / ".crane" / "local")
    here.folder.mkdir(parents=True)
    project.write(here, RUNNING)
    loaded: dict[str, object] = yaml.safe_load((here.folder / "Pulumi.staging.yaml").read_text())["config"]
    return loaded


def test_what_a_stack_accepts_is_accepted_locally_too(copied: dict[str, object]) -> None:
    assert copied["crane-infra:databases"] == {"notes": {name: value for name, value in DATABASE.items() if name != "adopt"}}


def test_nothing_that_names_a_real_resource_is_copied(copied: dict[str, object]) -> None:
    assert REAL not in str(copied)
    assert "real.example" not in str(copied)
    assert copied["crane-infra:workers"] == {
        "web": {
            "variables": {"A": "b"},
            "crons": ["* * * * *"],
            "bindings": {
                "CACHE": "local-cache-staging",
                "STORE": {"store_id": "local-store-staging", "secret_name": "local-store-staging"},
            },
            "url": f"{RUNNING.edge_url}/web-staging",
        }
    }


def test_what_encrypts_a_stack_and_what_is_encrypted_stay_when_its_file_is_written_again(copied: dict[str, object], tmp_path: Path) -> None:
    """Whichever of Pulumi's providers of secrets it is: without the key in the file, nobody could decrypt the state."""
    assert "crane-infra:secrets" not in copied
    here = project.Project(tmp_path, tmp_path / ".crane" / "local")
    file = here.folder / "Pulumi.staging.yaml"
    encrypted = {"crane-infra:secrets": {"KEY": {"secure": "v1:ciphertext"}}}
    for kept in ({"encryptionsalt": "v1:salt"}, {"secretsprovider": "hashivault://crane", "encryptedkey": "d3JhcHBlZA=="}):
        file.write_text(yaml.safe_dump({**kept, "config": encrypted}), encoding="utf-8")
        project.write(here, RUNNING)
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert written == {**kept, "config": written["config"]}
        assert encrypted.items() <= written["config"].items()
