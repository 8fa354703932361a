"""`sdk/typescript`: its own suites, some of them against a whole service, and its types against our document."""

import json
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.clients.node import NodeFailed, NodeProject
from tests.running_service import Service, running_service

from .openapi_document import sms_part
from .sdk import SDK, compiled_sdk

# The first test of a fresh checkout installs and compiles.
pytestmark = pytest.mark.timeout(400)

GENERATOR = "node_modules/openapi-typescript/bin/cli.js"
RENEW = "`make sdk-types` writes it anew; then fit src/types.ts to it"


@pytest.fixture(scope="module")
def sdk() -> NodeProject:
    """Compiled, which is the check of its types, strictly and against the generated ones."""
    return compiled_sdk()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own: the page's examples begin on an empty ledger."""
    with running_service(tmp_path_factory.mktemp("typescript") / "data") as service:
        yield service


def suite(sdk: NodeProject, name: str, **variables: str) -> None:
    """Run one of its suites. Raises NodeFailed with the failed tests."""
    options = ["--test-reporter=spec", "--test-timeout=20000"]
    told = sdk.run("--test", arguments=[*options, f"dist/tests/{name}.test.js"], variables=variables)
    assert re.search(r"^\S+ pass [1-9]", told, re.MULTILINE), told


@pytest.mark.parametrize("name", ["requests", "retries"])
def test_the_client_keeps_its_promises_to_a_scripted_server(sdk: NodeProject, name: str) -> None:
    suite(sdk, name)


@pytest.mark.parametrize("name", ["page", "service"])
def test_the_client_works_with_the_service(sdk: NodeProject, service: Service, name: str) -> None:
    assert service.ready.server_key is not None
    suite(
        sdk,
        name,
        TRANSACTIONAL_API_KEY=service.ready.server_key,
        TRANSACTIONAL_BASE_URL=f"{service.ready.url}/v1",
    )


def test_the_committed_document_is_the_one_that_is_served(service: Service) -> None:
    served = httpx.get(f"{service.ready.url}/docs/openapi.json", trust_env=False).json()
    assert sms_part(served) == json.loads((SDK / "openapi.json").read_text()), RENEW


def test_the_generated_types_are_those_of_the_document(sdk: NodeProject) -> None:
    generated = sdk.run(GENERATOR, arguments=["openapi.json", "--empty-objects-unknown"])
    assert generated == (SDK / "tests" / "openapi.ts").read_text(), RENEW


def check_types(sdk: NodeProject, name: str, *modules: str) -> None:
    """Compile modules that use the package as its users do, strictly. Raises NodeFailed with the errors."""
    folder = SDK / "dist" / name
    folder.mkdir(exist_ok=True)
    for number, module in enumerate(modules):
        (folder / f"module{number}.ts").write_text(module)
    options = {"extends": "../../tests/tsconfig.json", "include": ["."], "compilerOptions": {"rootDir": "."}}
    (folder / "tsconfig.json").write_text(json.dumps(options))
    sdk.run("node_modules/typescript/bin/tsc", arguments=["--noEmit", "-p", str(folder)])


def test_a_wrong_type_is_found(sdk: NodeProject) -> None:
    with pytest.raises(NodeFailed, match="Type 'string' is not assignable to type 'number'"):
        check_types(
            sdk,
            "planted",
            "import { Transactional } from 'smsledger-client';\n"
            "void new Transactional({ apiKey: 'a' }).sms.list({ count: 'many' });\n",
        )


def test_the_readmes_examples_compile(sdk: NodeProject) -> None:
    examples = re.findall(r"^```ts\n(.*?)^```", (SDK / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(examples) == 4
    check_types(sdk, "readme", *examples)


def test_the_package_has_the_client_and_nothing_else(sdk: NodeProject) -> None:
    done = subprocess.run(
        [*sdk.node.npm, "pack", "--dry-run", "--json", "--ignore-scripts", "--offline"],
        cwd=SDK,
        env=sdk.node.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (package,) = json.loads(done.stdout)
    names = {file["path"] for file in package["files"]}
    tops = {"README.md", "LICENSE", "package.json"}
    assert tops < names
    assert all(name.startswith(("dist/esm/", "dist/cjs/", "src/")) for name in names - tops)
    assert "dependencies" not in json.loads((SDK / "package.json").read_text())
