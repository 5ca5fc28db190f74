"""The command shows a difference and writes only when it is told to."""

import pytest
from typer.testing import CliRunner

from crane_infra.cli.app import make_app
from tests.wrangler_files import shapes
from tests.wrangler_files.conftest import OWN, Clone


class TestTheCommand:
    def test_writes_nothing_unless_it_is_told_to(self, clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(clone.root)
        (path,) = clone.write(shapes.TOP_AND_PRODUCTION_TOML)

        def run(*words: str) -> str:
            result = CliRunner().invoke(make_app("import-wrangler"), ["import-wrangler", str(path), *words])
            assert result.exit_code == 0, result.output
            return result.output

        assert "+    return Catalog(" in run()
        assert not (clone.root / "crane_infra" / "catalog.py").exists()
        assert "wrote crane_infra/catalog.py\nwrote Pulumi.production.yaml\nwrote Pulumi.staging.yaml\n" in run("--write")
        assert "Nothing changes: the files say this already." in run("--write")
        (clone.root / "Pulumi.staging.yaml").write_text(OWN, encoding="utf-8")
        shown = run()
        assert "+++ Pulumi.staging.yaml" in shown
        assert "+++ Pulumi.production.yaml" not in shown
