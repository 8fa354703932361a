"""Templates: the fast way gives what the engine gives, and no template exhausts the process."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smsledger.adapters.templates import LiquidTemplate, PlainTemplate, compile_template, inspect_template
from smsledger.application.admin.templates import TemplateInvalid
from smsledger.application.directory import CompiledTemplate, MissingVariable, TemplateFailed

NAMES = st.sampled_from(
    [
        "a",
        "name",
        "code_2",
        "_x",
        "self",
        "args",
        "kwargs",
        "forloop",
        "size",
        "first",
        "in",
        "with",
        "as",
        "for",
        "true",
        "false",
        "nil",
        "null",
        "empty",
        "blank",
        "and",
        "or",
        "not",
        "contains",
        "if",
        "else",
        "end",
    ]
)
SPACES = st.text(" \t\n", max_size=2)
OUTPUTS = st.builds("{{{{{}{}{}}}}}".format, SPACES, NAMES, SPACES)
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["{", "}", "{{", "}}", "{%", "%}", "{#", "#}", "\\", "'", '"', "é€🎉"]
)
ODD_OUTPUTS = st.sampled_from(
    [
        "{{ a.b }}",
        "{{ a | upcase }}",
        "{{- a -}}",
        "{{ 'x' }}",
        "{{ 1 }}",
        "{{}}",
        "{{ }}",
        "{% if a %}x{% endif %}",
        "{% raw %}{{ a }}{% endraw %}",
        "{% comment %}{{ a }}{% endcomment %}",
        "{{ a }",
        "{ { a } }",
        "{{ a b }}",
    ]
)
SOURCES = st.lists(OUTPUTS | TEXTS | ODD_OUTPUTS, max_size=6).map("".join)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
MODELS = st.dictionaries(NAMES | st.text(max_size=3), LEAVES | VALUES, max_size=6)


def rendered(template: CompiledTemplate, model: dict[str, Any]) -> str | tuple[type, str]:
    """The text, or what went wrong."""
    try:
        return template.render(model)
    except (MissingVariable, TemplateFailed) as error:
        return type(error), str(error)


@given(SOURCES, MODELS)
@example("{{ self }}{{ args }}", {"self": None, "args": 1, "kwargs": True})
@example("{{{ a }}", {"a": "x"})
@example("{{ a }}}", {"a": "x"})
@example("{{ a }}\n", {"a": "{{ b }}", "b": "c"})
@example("x\r\n{{ a }}", {"a": "\ry"})
def test_the_fast_way_gives_what_the_engine_gives(source: str, model: dict[str, Any]) -> None:
    try:
        engine = LiquidTemplate(source)
    except TemplateFailed:
        with pytest.raises(TemplateFailed):
            compile_template(source)
        return
    assert rendered(compile_template(source), model) == rendered(engine, model)


@pytest.mark.parametrize("characters", [4_999, 5_000, 5_001, 10_000, 20_000, 20_001, 30_000])
@pytest.mark.parametrize("character", ["x", "é", "€", "🎉"])
def test_the_fast_way_has_the_engines_limit_of_output(characters: int, character: str) -> None:
    source, model = "{{ a }}", {"a": character * characters}
    assert isinstance(compile_template(source), PlainTemplate)
    assert rendered(compile_template(source), model) == rendered(LiquidTemplate(source), model)


def test_text_and_variables_alone_take_the_fast_way() -> None:
    assert isinstance(compile_template("Your code is {{ code }}, {{name}}."), PlainTemplate)
    assert isinstance(compile_template("No variable"), PlainTemplate)
    assert isinstance(compile_template("{{ code | upcase }}"), LiquidTemplate)
    assert isinstance(compile_template("{{ true }}"), LiquidTemplate)


@pytest.mark.parametrize("source", ["{{ code }}", "{{ code }}{% if true %}{% endif %}"])
@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", ""), (0, "0"), (-7, "-7"), (True, "true"), (False, "false"), (1.5, "1.5")],
)
def test_values_become_text_as_in_liquid(source: str, value: Any, text: str) -> None:
    assert compile_template(source).render({"code": value}) == text


@pytest.mark.parametrize(
    ("source", "model", "variable"),
    [
        ("{{ code }}", {"code": None}, "code"),
        ("{{ code | upcase }}", {"code": None}, "code"),
        ("{{ user.name }}", {"user": {"name": None}}, "user.name"),
        ("{% for one in all %}{{ one.name }}{% endfor %}", {"all": [{"name": None}]}, "one.name"),
        ("{% if name %}{{ name }}{% endif %}", {"name": None}, "name"),
    ],
)
def test_null_is_a_missing_variable(source: str, model: dict[str, Any], variable: str) -> None:
    with pytest.raises(MissingVariable) as caught:
        compile_template(source).render(model)
    assert caught.value.details["variable"] == variable


def test_a_default_stands_for_null_too() -> None:
    assert compile_template("{{ name | default: 'you' }}").render({"name": None}) == "you"


def test_values_are_not_escaped_and_not_rendered_again() -> None:
    template = compile_template("{{ a }}{% if true %} & {{ a }}{% endif %}")
    assert template.render({"a": "<{{ b }}>", "b": "x"}) == "<{{ b }}> & <{{ b }}>"


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("Hi {{ name }}", "name"),
        ("{{ code }} {{ name }}", "name"),
        ("{{ name | upcase }}", "name"),
        ("{{ user.name }}", "user"),
        ("{{ known.name }}", "name"),
        ("{% if true %}{{ name }}{% endif %}", "name"),
        ("{% for one in names %}{{ one }}{% endfor %}", "names"),
    ],
)
def test_a_missing_variable_is_named(source: str, missing: str) -> None:
    with pytest.raises(MissingVariable) as caught:
        compile_template(source).render({"code": "1", "known": {}})
    assert missing in str(caught.value.details["variable"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["{{ name | default: 'you' }}", "{{ name | default: 'you' | upcase }}"])
def test_a_default_makes_a_variable_optional(source: str) -> None:
    template = compile_template(source)
    assert template.render({}).lower() == "you"
    assert template.render({"name": "Ann"}).lower() == "ann"


@pytest.mark.parametrize(
    "source",
    [
        "{{",
        "{{ a",
        "{% if a %}",
        "{% nonsense %}",
        "{{ a | nonsense }}",
        "{{ a b }}",
        "{% endif %}",
        "{{ 1 + }}",
    ],
)
def test_what_is_not_liquid_is_refused_in_one_line(source: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        compile_template(source).render({"a": "x"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..100000) %}{{ i }}{% endfor %}",
        "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
        "{% for i in (1..900) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}",
        "{% for i in (1..99999999999999999999999) %}{% endfor %}",
        "{% assign x = 'x' %}{% for i in (1..900) %}{% assign x = x | append: x %}{% endfor %}",
        "{% tablerow i in (1..100000) %}{{ i }}{% endtablerow %}",
        "{{ (1..100000000) | join: '' | size }}",
        "{{ (1..100000000) | reverse | first }}",
        "{% if (1..100000000) contains 'x' %}{% endif %}",
        (
            "{% assign x = 'xxxxxxxxxx' %}{% for i in (1..10) %}{% assign x = x | append: x %}{% endfor %}"
            "{{ x | replace: 'x', x | size }}"
        ),
    ],
)
def test_a_template_cannot_exhaust_the_process(source: str) -> None:
    with pytest.raises(TemplateFailed):
        compile_template(source).render({})


@pytest.mark.parametrize(
    "source",
    [
        "{{ a | divided_by: 0 }}",
        "{{ a | date: 5 }}",
        "{{ a | slice: 'x' }}",
        "{{ a | truncate: 'x' }}",
        "{{ a | modulo: 0 }}",
        "{{ a | round: 'x' }}",
        "{{ a | join: 1 }}",
        "{{ a | sort: 'x' }}",
        "{{ a | map: 'x' }}",
        "{{ a | times: a }}",
        "{{ a | url_decode }}",
        "{{ a | base64_decode }}",
        "{{ a | strip_html }}",
        "{% include 'x' %}",
        "{% render 'x' %}",
        "{{ a[b] }}",
        "{{ a.first.first }}",
    ],
)
@pytest.mark.parametrize("value", ["x", "", 7, 10**400, -1.5, True, None, [1, "b"], {"b": 1}], ids=repr)
def test_whatever_goes_wrong_in_the_engine_is_an_error_of_the_template(source: str, value: Any) -> None:
    result = rendered(LiquidTemplate(source), {"a": value, "b": value})
    assert isinstance(result, str | tuple)


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("No variable", ()),
        ("{{ b }} {{ a }} {{ b }}", ("b", "a")),
        ("{{ name | default: 'x' }} {{ order.id }}", ("name", "order")),
        ("{% for one in items %}{{ one.name }}{% endfor %}{% assign z = q %}{{ z }}", ("items", "q")),
        ("{% if a %}{{ b }}{% endif %}", ("a", "b")),
    ],
)
def test_inspecting_names_the_variables_that_a_template_takes(
    source: str, variables: tuple[str, ...]
) -> None:
    assert inspect_template(source) == variables


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("Code {{ code }", "line 1, column 6"),
        ("a\nb {% if %}x{% endif %}", "missing expression (line 2, column 6)"),
        ("a\n{{ x | nope }}", "there is no filter 'nope' (line 2, column 8)"),
        ("{% nope %}", "unexpected tag 'nope' (line 1, column 4)"),
        ("{% include 'x' %}", "there is no tag 'include' (line 1, column 4)"),
        ("{% if a %}\n", "expected tag endif"),
        ("{% if a %}" * 300, "nesting limit"),
        ("{{" * 5_000, "at most 300 variables and tags"),
    ],
)
def test_inspecting_refuses_what_could_not_be_rendered_and_says_where(source: str, problem: str) -> None:
    with pytest.raises(TemplateInvalid) as refusal:
        inspect_template(source)
    assert problem in str(refusal.value)
