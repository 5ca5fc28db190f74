"""Files of wrangler become a catalog that can be imported and stack files that can be parsed, and nothing is lost in silence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crane_infra.config.assets import Assets
from crane_infra.config.bindings import Binding, DurableObject, Json, RateLimit
from crane_infra.config.catalog import Limits, Placement
from crane_infra.config.class_migrations import ClassMigration, TransferredClass
from crane_infra.config.consistency import neighbours, require_consistent
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.config.settings import Service
from crane_infra.errors import WranglerError
from crane_infra.wrangler.plan import plan_import
from tests.repository import ROOT
from tests.wrangler_files import shapes
from tests.wrangler_files.conftest import OWN, Clone, lines
from tests.wrangler_files.shapes import HOSTILE, KV, LIVE_ID, SHAPES, STAGING_ID

RUFF = Path(sys.executable).parent / "ruff"


class TestEachShape:
    """Ten projects."""

    @pytest.mark.parametrize("files", SHAPES.values(), ids=SHAPES)
    def test_gives_files_that_a_run_can_use_and_a_second_run_leaves_alone(self, clone: Clone, files: dict[str, str]) -> None:
        assert [change for change in clone.take(files).changes if not change.diff] == []
        catalog = clone.catalog()
        for environment in ENVIRONMENTS:
            settings = clone.settings(environment)
            assert set(settings.workers) == set(catalog.workers)
            assert set(settings.databases) == set(catalog.databases)
        assert [change.diff for change in clone.plan(files).changes] == ["", "", ""]

    def test_gives_source_that_ruff_leaves_as_it_is(self, clone: Clone, tmp_path: Path) -> None:
        written = []
        for number, files in enumerate(SHAPES.values()):
            (change, *_) = clone.plan(files).changes
            written.append(tmp_path / f"catalog_{number}.py")
            written[-1].write_text(change.after, encoding="utf-8")
        for command in (["format", "--check", "--diff"], ["check", "--ignore", "INP001,S105,S106"]):
            run = [str(word) for word in (RUFF, *command, "--config", ROOT / "pyproject.toml", *written)]
            ended = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path)
            assert ended.returncode == 0, ended.stdout + ended.stderr

    @pytest.mark.parametrize(
        "name", ["top level and production, TOML", "every kind of binding", "monorepo with a service and a shared database"]
    )
    def test_that_is_complete_passes_the_comparison_of_a_run(self, clone: Clone, name: str) -> None:
        clone.take(SHAPES[name])
        for environment in ENVIRONMENTS:
            settings = clone.settings(environment)
            require_consistent(clone.catalog(), settings, neighbours(settings, {}))


class TestEnvironments:
    def test_the_top_level_is_staging_where_there_is_a_production(self, clone: Clone) -> None:
        clone.take(shapes.TOP_AND_PRODUCTION_TOML)
        catalog, staging, live = clone.catalog(), clone.settings("staging"), clone.settings("production")
        assert catalog.workers["shop"].variables == {"REGION": "eu"}
        assert catalog.workers["shop"].environment_variables == ("MODE",)
        assert (staging.workers["shop"].variables, live.workers["shop"].variables) == ({"MODE": "staging"}, {"MODE": "production"})
        assert (staging.databases["shop"].adopt, live.databases["shop"].adopt) == (STAGING_ID, LIVE_ID)
        assert catalog.databases["shop"].migrations == "db/migrations"
        assert (staging.workers["shop"].adopt, live.workers["shop"].adopt) == (True, True)
        assert live.account_id == "ab" * 16

    def test_what_is_inherited_is_inherited_and_the_rest_is_not(self, clone: Clone) -> None:
        """Crons, flags and places come from the top level; variables and bindings do not."""
        plan = clone.take(
            shapes.TOP_AND_PRODUCTION_TOML
            | {"wrangler.toml": shapes.TOP_AND_PRODUCTION_TOML["wrangler.toml"].replace('REGION = "eu" }', "}").replace('", }', '" }')}
        )
        assert clone.settings("production").workers["shop"].crons == ("*/5 * * * *", "0 0 * * *")
        assert "production has no REGION" in lines(plan.notes)
        clone.take(shapes.STAGING_AND_PRODUCTION_JSONC)
        worker = clone.catalog().workers["mail"]
        assert (worker.placement, worker.limits) == (Placement(mode="smart"), Limits(cpu_ms=50))
        staging, live = clone.settings("staging").workers["mail"], clone.settings("production").workers["mail"]
        assert (staging.preview_urls, staging.logpush, staging.tail_consumers) == (True, True, ("tail",))
        assert (live.preview_urls, live.logpush, live.tail_consumers, live.crons) == (False, None, None, ())
        assert live.observability == staging.observability is not None

    def test_a_file_without_environments_is_production_and_staging_is_new(self, clone: Clone) -> None:
        plan = clone.take(shapes.TOP_LEVEL_ONLY_JSON)
        staging, live = clone.settings("staging"), clone.settings("production")
        assert (staging.workers["solo"].adopt, live.workers["solo"].adopt) == (False, True)
        assert (staging.databases["solo"].name, staging.databases["solo"].adopt) == ("solo-staging", None)
        assert live.workers["solo"].bindings == {"CACHE": KV}
        assert "staging has no CACHE yet" in lines(plan.notes)
        assert plan.environments == (f"{clone.project}/wrangler.json: staging is new, production is top-level",)

    def test_what_a_user_sets_for_the_new_staging_stays(self, clone: Clone) -> None:
        clone.take(shapes.TOP_LEVEL_ONLY_JSON)
        file = clone.root / "Pulumi.staging.yaml"
        text = (
            file.read_text(encoding="utf-8")
            .replace("solo-staging", "other")
            .replace("    solo: {}", f"    solo:\n      bindings:\n        CACHE: {KV[::-1]}")
        )
        file.write_text(text, encoding="utf-8")
        assert [change.diff for change in clone.plan(shapes.TOP_LEVEL_ONLY_JSON).changes] == ["", "", ""]
        assert clone.settings("staging").workers["solo"].bindings == {"CACHE": KV[::-1]}

    def test_options_choose_other_environments(self, clone: Clone) -> None:
        files = {"wrangler.toml": shapes.NAMES_OF_WRANGLER["wrangler.toml"] + '[env.dev]\nname = "foo-staging"\n'}
        plan = clone.plan(files, staging="dev", production="top-level")
        assert plan.environments == (f"{clone.project}/wrangler.toml: staging is env.dev, production is top-level",)
        assert "env.staging: is neither" in lines(plan.notes)
        assert "adopt: true" in plan.changes[2].after

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("nope", None), "env.nope: is not in the file. Give --staging one of: top-level, staging, production."),
            (
                ("production", "production"),
                "production would be both staging and production. Give --production another one, or run with --staging none.",
            ),
            ((None, "none"), "env.none: is not in the file. Give --production one of: top-level, staging, production."),
        ],
    )
    def test_an_option_that_does_not_fit_is_refused(self, clone: Clone, options: tuple[str | None, str | None], said: str) -> None:
        with pytest.raises(WranglerError) as refused:
            clone.plan(shapes.NAMES_OF_WRANGLER, *options)
        assert said in str(refused.value)

    def test_a_name_that_crane_does_not_give_is_not_adopted_in_staging(self, clone: Clone) -> None:
        plan = clone.take(shapes.NAMES_OF_WRANGLER)
        assert clone.settings("production").workers["foo-production"].adopt
        assert not clone.settings("staging").workers["foo-production"].adopt
        assert "staging is foo-staging with wrangler, and foo-production-staging here" in lines(plan.notes)

    def test_a_resource_of_production_is_not_bound_in_staging(self, clone: Clone) -> None:
        plan = clone.take(shapes.SHARED_RESOURCES)
        staging = clone.settings("staging")
        assert (staging.workers["one"].bindings, staging.databases["d"].adopt) == ({}, None)
        assert "staging binds the kv_namespace of production" in lines(plan.notes)
        assert "staging binds the database of production" in lines(plan.notes)
        assert "staging has no ONLY_LIVE" in lines(plan.notes)


class TestBindings:
    def test_every_kind_is_carried_over(self, clone: Clone) -> None:
        plan = clone.take(shapes.EVERY_KIND)
        worker, live = clone.catalog().workers["all-kinds"], clone.settings("production").workers["all-kinds"]
        kinds = {type(binding) for binding in worker.bindings.values()}
        assert kinds == set(Binding.__subclasses__())
        assert isinstance(worker.bindings["CONFIG"], Json)
        assert worker.bindings["LIMIT"] == RateLimit(limit=100, period=60)
        assert live.bindings["TOKEN"] == {"store_id": "store", "secret_name": "token-live"}
        assert (live.bindings["PIPE"], live.bindings["CACHE"]) == ("pipe-live", KV[::-1])
        assert (worker.version_metadata, [secret.key for secret in worker.secrets]) == ("VERSION", ["API_KEY", "SIGNING"])
        assert worker.variables == {"TEXT": 'it\'s "quoted" \u202e'}
        assert plan.notes == ()

    def test_a_database_of_staging_alone_is_made_new_in_production(self, clone: Clone) -> None:
        text = shapes.TOP_AND_PRODUCTION_TOML["wrangler.toml"].partition("[[env.production.d1_databases]]")[0]
        plan = clone.take({"wrangler.toml": text})
        assert {place: clone.settings(place).databases["shop"].name for place in ENVIRONMENTS} == {
            "staging": "shop-staging",
            "production": "shop-production",
        }
        assert "production has no shop" in lines(plan.notes)

    def test_what_differs_in_the_build_or_in_the_version_is_named(self, clone: Clone) -> None:
        text = shapes.TOP_AND_PRODUCTION_TOML["wrangler.toml"]
        changed = text.replace(
            "[env.production]", '[env.production]\ncompatibility_date = "2026-01-01"\ndefine = { A = "1" }\nno_bundle = true'
        )
        plan = clone.take({"wrangler.toml": changed.replace("src/index.ts", "src/worker.mjs")})
        worker = clone.catalog().workers["shop"]
        assert (worker.compatibility_date, worker.main_module) == ("2026-01-01", "worker.mjs")
        assert [note.where.rpartition(" ")[2] for note in plan.notes if "differs" in note.what] == ["compatibility_date", "define"]

    def test_a_monorepo_keeps_services_classes_and_the_shared_database(self, clone: Clone) -> None:
        plan = clone.take(shapes.MONOREPO)
        catalog = clone.catalog()
        assert {place: clone.settings(place).workers["api"].services for place in ENVIRONMENTS} == {
            "staging": {"BILLING": Service(worker="billing", entrypoint="Invoices")},
            "production": {"BILLING": Service(worker="billing")},
        }
        assert catalog.workers["billing"].bindings == {"ROOMS": DurableObject(class_name="Room", in_worker="api")}
        assert (catalog.workers["api"].databases, catalog.workers["billing"].databases) == ({"DB": "main"}, {"MAIN": "main"})
        assert (catalog.databases["main"].migrations, catalog.workers["api"].bundle) == ("db/migrations", "services/api/dist")
        assert clone.settings("staging").workers_dir.resolve() == clone.project
        assert plan.notes == ()

    def test_the_migrations_of_durable_object_classes_keep_their_order(self, clone: Clone) -> None:
        clone.take(shapes.CLASSES)
        assert clone.catalog().workers["chat"].class_migrations == (
            ClassMigration(tag="v1", new_classes=("Room",)),
            ClassMigration(tag="v2", renamed_classes={"Room": "Hall"}, new_sqlite_classes=("Log",)),
            ClassMigration(tag="v3", transferred_classes=(TransferredClass(from_worker="old", from_class="A", to_class="B"),)),
            ClassMigration(tag="v4", deleted_classes=("Log",), loses_objects=True),
        )

    @pytest.mark.parametrize(
        ("step", "said"),
        [
            ({"tag": "v1"}, "migrations[0]: the step v1 changes no class"),
            ({"tag": "v1", "new_classes": ["a b"]}, "migrations[0].new_classes.0: String should match"),
            (
                {"tag": "v1", "transferred_classes": [{"from": "A", "from_script": "elsewhere", "to": "B"}]},
                "migrations[0]: takes a class over from elsewhere, which is not among the imported workers",
            ),
        ],
    )
    def test_a_step_that_cannot_be_declared_is_refused(self, clone: Clone, step: dict[str, object], said: str) -> None:
        file = {"name": "chat", "main": "a.js", "compatibility_date": "2025-01-01", "migrations": [step]}
        with pytest.raises(WranglerError) as caught:
            clone.plan({"wrangler.json": json.dumps(file)})
        assert said in str(caught.value)

    def test_static_assets_are_declared_and_the_worker_is_built_beside_them(self, clone: Clone) -> None:
        plan = clone.take(shapes.WITH_ASSETS)
        app, pages = (clone.catalog().workers[name] for name in ("app", "docs"))
        handling = {"not_found_handling": "single-page-application", "run_worker_first": ("/api/*",)}
        assert app.assets == Assets(directory="app/dist", binding="ASSETS", **handling)
        assert (app.bundle, pages.bundle) == ("app/dist-worker", "docs/dist")
        assert pages.assets == Assets(directory="site/public")
        assert any("into dist-worker instead" in step for step in plan.steps)
        assert not [note for note in map(str, plan.notes) if "assets:" in note or "assets." in note]

    @pytest.mark.parametrize(("key", "value"), [("html_handling", '"x"'), ("run_worker_first", '["api"]'), ("directory", "1")])
    def test_static_assets_that_cannot_be_declared_are_refused_with_their_place(self, clone: Clone, key: str, value: str) -> None:
        given = f'{{"directory": "public", "{key}": {value}}}'
        shape = f'{{"name": "app", "main": "a.js", "compatibility_date": "2025-01-01", "assets": {given}}}'
        with pytest.raises(WranglerError, match=rf"wrangler\.jsonc assets\.{key}: "):
            clone.plan({"wrangler.jsonc": shape})

    def test_the_folder_of_migrations_is_the_one_that_a_pattern_names(self, clone: Clone) -> None:
        plan = clone.take(shapes.PATTERN)
        assert clone.catalog().databases["drizzle"].migrations == "drizzle"
        assert "migrations_pattern" not in lines(plan.notes)

    @pytest.mark.parametrize(
        "said",
        [
            "pippo: is no key of wrangler that is known here",
            "usage_model: is an old key, which wrangler no longer reads",
            "routes[0]: the route shop.example.com/api/* is not declared here",
            "keep_vars: variables set in the dashboard are not kept",
            "migrations[1]: v2 deletes all objects of Old, and the catalog says that this is meant",
            "assets.directory: is missing, so nobody can tell which files are served",
            "site: Workers Sites cannot be declared",
            "queues.consumers[0]: the consumer of jobs is not declared here",
            "worker_loaders: this kind of binding cannot be declared",
            "services[0]: OTHER calls other, which is not among the imported workers",
            "services[1]: PROPS has properties, which the provider does not know",
            "unsafe.bindings[0]: an unsafe binding cannot be declared",
            "vars.secure: 'secure' is a name that the stack file cannot have",
            "vars.a-b: 'a-b' is no name of a binding",
            "queues.rate: cannot be declared here",
            "services[0].environment: cannot be declared here",
            "env.dev: is neither staging nor production here",
        ],
    )
    def test_what_is_not_carried_over_is_named(self, clone: Clone, said: str) -> None:
        (note,) = [note for note in map(str, clone.plan(shapes.WHAT_CANNOT_BE_CARRIED_OVER).notes) if said in note]
        assert note.startswith(f"{clone.project}/wrangler.jsonc ")
        assert note.endswith(".")

    def test_a_route_takes_the_worker_from_workers_dev_as_with_wrangler(self, clone: Clone) -> None:
        clone.take(shapes.WHAT_CANNOT_BE_CARRIED_OVER)
        live = clone.settings("production").workers["web"]
        assert (live.workers_dev, live.url) == (False, "https://shop.example.com/api")

    def test_a_worker_without_an_address_is_not_opened_to_the_public(self, clone: Clone) -> None:
        plan = clone.take(shapes.HIDDEN_WORKER)
        live = clone.settings("production").workers["inner"]
        assert (live.workers_dev, live.url) == (False, "https://inner.invalid")
        assert clone.settings("staging").workers["inner"].url == "https://inner-staging.invalid"
        clone.take({"wrangler.toml": shapes.HIDDEN_WORKER["wrangler.toml"].replace("[env.stage]", "[env.other]")})
        assert clone.settings("staging").workers["inner"].workers_dev is False
        assert "workers_dev: has no address at which checks can ask the worker" in lines(plan.notes)


class TestFiles:
    def test_a_stack_file_keeps_its_comments_secrets_and_other_keys(self, clone: Clone) -> None:
        clone.take(shapes.TOP_AND_PRODUCTION_TOML)
        text = (clone.root / "Pulumi.staging.yaml").read_text(encoding="utf-8")
        kept = [line for line in OWN.splitlines() if "gone" not in line]
        assert [line for line in kept if line not in text.splitlines()] == []
        assert "gone" not in text

    def test_settings_of_the_users_own_stay(self, clone: Clone) -> None:
        clone.take(shapes.TOP_AND_PRODUCTION_TOML)
        file = clone.root / "Pulumi.production.yaml"
        text = file.read_text(encoding="utf-8").replace("      adopt: true\n", "      give-up: [OLD]  # gone\n      adopt: true\n")
        file.write_text(text, encoding="utf-8")
        assert clone.plan(shapes.TOP_AND_PRODUCTION_TOML).changes[2].diff == ""
        assert clone.settings("production").workers["shop"].give_up == ("OLD",)

    def test_a_stack_file_that_is_not_there_is_created(self, clone: Clone) -> None:
        (clone.root / "Pulumi.staging.yaml").unlink()
        clone.take(shapes.TOP_AND_PRODUCTION_TOML)
        assert clone.config("staging")["crane-infra:databases"] == {"shop": {"name": "shop-staging", "adopt": STAGING_ID}}

    @pytest.mark.parametrize("text", ["config: {crane-infra:databases: {}}\n", "config: [\n", "- x\n"])
    def test_a_stack_file_that_cannot_be_edited_is_refused(self, clone: Clone, text: str) -> None:
        (clone.root / "Pulumi.staging.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(Exception, match=r"Pulumi\.staging\.yaml: cannot be"):
            clone.plan(shapes.TOP_AND_PRODUCTION_TOML)

    @pytest.mark.parametrize(
        "value", [HOSTILE, "1e3", "0o14", "yes", "", " x ", "${x}", "{{x}}", "🦀 é", "x" * 300, "[1]", "~", "a: b", "- a"]
    )
    def test_a_value_arrives_as_it_is_and_never_becomes_code(self, clone: Clone, value: str) -> None:
        both = json.dumps({"SAME": value, "CONFIG": {value: [value]}})
        file = f'{{"name": "w-staging", "main": "a.js", "compatibility_date": "2025-01-01", "vars": {{"EACH": "s", "SAME": {json.dumps(value)}}},'
        file += f' "env": {{"production": {{"name": "w", "vars": {both[:-1]}, "EACH": {json.dumps(value)}}}}}}}}}'
        clone.take({"wrangler.json": file})
        worker = clone.catalog().workers["w"]
        assert worker.variables == {"SAME": value}
        assert worker.bindings["CONFIG"] == Json(value={value: [value]})
        assert clone.config("production")["crane-infra:workers"]["w"]["variables"] == {"EACH": value}
        assert all(char.isprintable() or char == "\n" for change in clone.plan({"wrangler.json": file}).changes for char in change.after)


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("wrangler.toml", "name = ", "wrangler.toml: is no valid TOML: Invalid value"),
            ("wrangler.jsonc", '{"name": }', "wrangler.jsonc: is no valid JSON: "),
            ("wrangler.json", "[]", "wrangler.json: holds no object. Name a file of wrangler."),
            ("wrangler.json", "", "wrangler.json: is no valid JSON: "),
            ("wrangler.yaml", "", "wrangler.yaml: is neither .toml nor .json nor .jsonc"),
            ("wrangler.json", "[" * 100000, "wrangler.json: is n"),
            ("wrangler.toml", "a = " + "[" * 5000 + "]" * 5000, "wrangler.toml: is n"),
            ("wrangler.toml", 'name = "x"\nenv = 1', "wrangler.toml env: is not a table of environments"),
            ("wrangler.toml", 'main = "x"', "wrangler.toml name: the worker has no name there. Add the name that it has at Cloudflare."),
            ("wrangler.toml", 'name = "A B"', "wrangler.toml name: is not the name of a worker"),
            ("wrangler.toml", 'name = "a"\ncompatibility_date = 2025-01-01', "wrangler.toml compatibility_date: is a date or time"),
            ("wrangler.toml", 'name = "a"\nvars = {A = inf}', "wrangler.toml vars.A: inf is no number that JSON has"),
            ("wrangler.json", '{"name": "a", "vars": {"A": "\\ud800"}}', "wrangler.json"),
            ("wrangler.toml", 'name = "a"\nmain = "a.js"', "wrangler.toml compatibility_date: is missing"),
            ("wrangler.toml", 'name = "a"\ncompatibility_date = "2025-01-01"', "wrangler.toml main: is missing"),
            ("wrangler.toml", 'name = "a"\npages_build_output_dir = "x"', "this is a project of Pages, not a worker"),
            ("wrangler.toml", 'name = "a"\n[[kv_namespaces]]\nid = "x"', "wrangler.toml kv_namespaces[0]: binding is missing"),
            ("wrangler.toml", 'name = "a"\n[[kv_namespaces]]\nbinding = "X"\nid = 1', "wrangler.toml kv_namespaces[0].id: is not a text"),
            ("wrangler.toml", 'name = "a"\nkv_namespaces = 1', "wrangler.toml kv_namespaces: Input should be a valid list"),
            (
                "wrangler.toml",
                'name = "a"\n[[d1_databases]]\nbinding = 1',
                "wrangler.toml d1_databases[0].binding: Input should be a valid string",
            ),
            ("wrangler.toml", 'name = "a"\n[limits]\ncpu_ms = "x"\n', "wrangler.toml limits.cpu_ms: Input should be a valid integer"),
            (
                "wrangler.json",
                '{"name": "a", "main": "a.js", "compatibility_date": "\\u001b[31m"}',
                "compatibility_date: '\\x1b[31m' is not a compatibility",
            ),
            ("wrangler.json", '{"name": "a", "vars": {"\\u001b[31m": NaN}}', "vars.\\x1b[31m: nan is no number"),
            ("wrangler.toml", 'name = "a_b"\nmain = "a.js"\ncompatibility_date = "2025-01-01"', "wrangler.toml workers.a_b: "),
        ],
    )
    def test_is_refused_in_one_line_that_says_where(self, clone: Clone, name: str, text: str, said: str) -> None:
        with pytest.raises(WranglerError) as refused:
            clone.plan({name: text})
        shown = str(refused.value).replace(f"{clone.project}/", "")
        assert said in shown
        assert shown.isprintable() or shown.count("\n") == len(refused.value.errors) - 1

    def test_all_faults_of_all_files_are_named_at_once(self, clone: Clone) -> None:
        (clone.project / "folder").mkdir(parents=True)
        paths = clone.write({"a/wrangler.toml": "x = ", "b/wrangler.toml": 'name = "b"\nlogpush = 1\nai = 2'})
        with pytest.raises(WranglerError) as refused:
            plan_import([*paths, clone.project / "folder", clone.project / "gone.toml"], clone.root, None, None)
        assert [error.where.rpartition("/")[2] for error in refused.value.errors] == ["wrangler.toml", "folder", "gone.toml"]
        with pytest.raises(WranglerError) as refused:
            plan_import(paths[1:], clone.root, None, None)
        assert [error.where.rpartition(" ")[2] for error in refused.value.errors] == ["logpush", "ai"]

    def test_two_files_of_one_worker_are_refused(self, clone: Clone) -> None:
        (text,) = shapes.TOP_LEVEL_ONLY_JSON.values()
        with pytest.raises(WranglerError, match=r"solo is the worker of .*/a/wrangler\.json too\. Import one of the two"):
            clone.plan({"a/wrangler.json": text, "b/wrangler.json": text})
