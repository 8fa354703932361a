"""Templates in Liquid, compiled once. Plain ones (text and `{{ name }}` only) are joined without the engine.

No template storage here, and no autoescaping: an SMS is not HTML.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from liquid import Environment, RenderContext, StrictDefaultUndefined
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import FilterArgumentError, LiquidError, LoopIterationLimitError, UndefinedError

from smsledger.application.admin.templates import TemplateInvalid
from smsledger.application.directory import CompiledTemplate, MissingVariable, TemplateFailed

_PLAIN_OUTPUT = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_ANY_MARKUP = re.compile(r"\{\{|\{%")
# Words with a meaning of their own in Liquid; a variable of that name is the engine's business.
_LITERALS = frozenset(
    {"true", "false", "nil", "null", "empty", "blank", "and", "or", "not", "contains", "if", "else"}
)
_UNDEFINED_NAME = re.compile(r"^'?([^\s']+)'? is undefined")


# What the engine's filters let through for odd values: `modulo: 0` of a float, `base64_decode` of what is none.
_ENGINE_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
OUTPUT_BYTES_MAX = 20_000
LOOP_ITERATIONS_MAX = 1_000
MARKUP_MAX = 300
"""Opening braces of a new template: what the engine takes to read them grows with their square."""
_FILE_TAGS = frozenset({"include", "render"})
"""Tags that read other templates, of which there are none to read."""


class _SmsEnvironment(Environment):
    """Liquid with limits: a template cannot exhaust time or memory."""

    loop_iteration_limit = LOOP_ITERATIONS_MAX
    output_stream_limit = OUTPUT_BYTES_MAX
    local_namespace_limit = 20_000
    context_depth_limit = 10


_environment = _SmsEnvironment(undefined=StrictDefaultUndefined, strict_filters=True)


def _replace(function: Callable[..., str]) -> Callable[..., str]:
    """The filter `replace`, which alone makes a text of the product of two lengths."""

    @functools.wraps(function)  # with the marks by which the engine knows what a filter wants to be given
    def replace(text: Any, wanted: Any, instead: Any = "") -> str:
        if str(text).count(str(wanted)) * len(str(instead)) > OUTPUT_BYTES_MAX:
            raise FilterArgumentError("replace: the text becomes too long", token=None)
        return function(text, wanted, instead)

    return replace


def _evaluate_range(literal: RangeLiteral, context: RenderContext) -> range:
    """A range is short to write; filters make a list of it, and `contains` goes through it."""
    made = _whole_range(literal, context)
    if len(made) > LOOP_ITERATIONS_MAX:
        raise LoopIterationLimitError(f"a range of more than {LOOP_ITERATIONS_MAX}", token=literal.token)
    return made


_environment.filters["replace"] = _replace(_environment.filters["replace"])
_whole_range = RangeLiteral.evaluate
RangeLiteral.evaluate = _evaluate_range  # type: ignore[method-assign, assignment]  # the engine has no limit to set


class LiquidTemplate:
    """Any template, rendered by the engine."""

    def __init__(self, source: str) -> None:
        try:
            self._template = _environment.from_string(source)
        except LiquidError as error:
            raise TemplateFailed(reason=_first_line(error)) from None

    def render(self, model: Mapping[str, Any]) -> str:
        """See CompiledTemplate."""
        try:
            return self._template.render(_without_nulls(model))  # not as keywords: one may be called `self`
        except UndefinedError as error:
            named = _UNDEFINED_NAME.search(str(error))
            raise MissingVariable(variable=named.group(1) if named else _first_line(error)) from None
        except LiquidError as error:
            raise TemplateFailed(reason=_first_line(error)) from None
        except _ENGINE_FAULTS as error:
            raise TemplateFailed(reason=f"{type(error).__name__} in a filter or tag") from error


class PlainTemplate:
    """A template of text and plain variables; anything but strings and integers goes through the engine."""

    def __init__(self, source: str) -> None:
        # split() with one group: text, name, text, name, …, text
        pieces = _PLAIN_OUTPUT.split(source)
        self._texts = pieces[0::2]
        self._names = pieces[1::2]
        self._engine = LiquidTemplate(source)

    def render(self, model: Mapping[str, Any]) -> str:
        """See CompiledTemplate."""
        parts = [self._texts[0]]
        for name, text in zip(self._names, self._texts[1:], strict=True):
            value = model.get(name)
            if type(value) is str:
                parts.append(value)
            elif type(value) is int:
                parts.append(str(value))
            else:
                return self._engine.render(model)
            parts.append(text)
        body = "".join(parts)
        # So long that the engine may find it too long, or with line ends that it makes one character.
        if len(body) > OUTPUT_BYTES_MAX // 4 or "\r" in body:
            return self._engine.render(model)
        return body


class BrokenTemplate:
    """A stored template that is no valid Liquid: whoever sends it is told so, and every other template works."""

    def __init__(self, failure: TemplateFailed) -> None:
        self._failure = failure

    def render(self, model: Mapping[str, Any]) -> str:  # noqa: ARG002  # the port's signature
        """See CompiledTemplate."""
        raise TemplateFailed(**self._failure.details)


def compile_template(source: str) -> CompiledTemplate:
    """The template behind `source`. Raises TemplateFailed where it is not valid Liquid."""
    names = set(_PLAIN_OUTPUT.findall(source))
    rest = _PLAIN_OUTPUT.sub("", source)
    if _ANY_MARKUP.search(rest) or names & _LITERALS:
        return LiquidTemplate(source)
    return PlainTemplate(source)


def _without_nulls(value: Any) -> Any:
    """`value` without what is null in its objects: to a template, null is a variable that was not given.

    Liquid would write nothing in its place, and "Your code is " would be sent.
    """
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value


def inspect_template(source: str) -> tuple[str, ...]:
    """The variables that `source` takes, in the order of the text. Raises TemplateInvalid.

    Stricter than compiling: what the engine would only stumble over when it renders is refused too.
    """
    if len(_ANY_MARKUP.findall(source)) > MARKUP_MAX:
        raise TemplateInvalid(reason=f"at most {MARKUP_MAX} variables and tags", line=1, column=1)
    try:
        template = _environment.from_string(source)
        analysis = template.analyze(include_partials=False)
    except LiquidError as error:
        context = error.context()
        line, column = (context[0], context[1] + 1) if context else _end_of(source)
        raise TemplateInvalid(reason=_first_line(error), line=line, column=column) from None
    except RecursionError:
        raise TemplateInvalid(reason="it is nested too deeply", line=1, column=1) from None
    for kind, found, known in (
        ("filter", analysis.filters, _environment.filters.keys()),
        ("tag", analysis.tags, _environment.tags.keys() - _FILE_TAGS),
    ):
        for name, places in found.items():
            if name not in known:
                line, column = _place(source, places[0].index)
                raise TemplateInvalid(reason=f"there is no {kind} '{name}'", line=line, column=column)
    return tuple(sorted(analysis.globals, key=lambda name: analysis.globals[name][0].span.index))


def _place(source: str, index: int) -> tuple[int, int]:
    """Line and column, both from 1."""
    before = source[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def _end_of(source: str) -> tuple[int, int]:
    """Where the engine names no place, something is missing at the end."""
    return _place(source, len(source))


def _first_line(error: LiquidError) -> str:
    """What went wrong, without the engine's drawing of where."""
    return str(error).partition("\n")[0]
