"""The suite itself: no section of the page without a test, and no test without a section."""

import importlib
import pkgutil

from . import __path__ as folder
from .page import SECTIONS


def test_every_section_of_the_page_has_a_test_and_every_test_a_section() -> None:
    modules = [
        importlib.import_module(f"{__package__}.{module.name}")
        for module in pkgutil.iter_modules(folder)
        if module.name.startswith("test_") and module.name != "test_every_section"
    ]
    tests = [
        (module.__name__, name, (test.__doc__ or "").partition(":")[0])
        for module in modules
        for name, test in vars(module).items()
        if name.startswith("test_")
    ]
    assert [test for test in tests if test[2] not in SECTIONS] == []
    assert {section for _, _, section in tests} == set(SECTIONS)
