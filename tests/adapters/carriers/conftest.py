"""Lets the conformance suite, which is no test module itself, explain its failed asserts."""

import pytest

pytest.register_assert_rewrite("tests.adapters.carriers.conformance")
