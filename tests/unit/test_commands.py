"""Every part of a command that the product prints is quoted by one function, `components.shell.word`.

Names of objects, words of servers and values of a config go into commands that a person pastes into a shell. The test
reads the product's code, and follows each part of a command back to a constant, a number or `word`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("components", "config", "deploy", "plugin", "policies", "tlsctl")

PROGRAM = re.compile(
    r"(^|\0|&& |\n +|`)(cmctl|curl|dig|export|gcloud|helm|istioctl|kubectl|make|pip|pulumi|python|sleep|uv|xdg-open) "
)
"""How a command begins, or goes on, in a text in which a null stands for each part that is put in."""

FIXES = {"Problem": 2, "config_problem": 2, "failed": 3, "note": 2, "problem": 3}
"""The position of the fix among the arguments of what takes one: every text that is made there is a command."""

QUOTING = {"word", "words", "address"}
"""The functions that return words of a command; `Stack.address` adds options to one, and its own test says so."""

WORDS = {"dotted", "set_input"}
"""`set_input` returns words for people where there is no command; `words` quotes what `dotted` returns."""

PURE = {"int", "len", "max", "min", "round"}
KEEPING = {"filter", "fromkeys", "join", "list", "removeprefix", "sorted", "strip", "tuple"}
"""Functions whose result is quoted if their arguments are."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """Where an expression is: names are looked up from here."""

    file: str
    function: Function | None = None

    def is_in(self, module: str) -> bool:
        return f"/{self.file}".endswith(f"/{module.lstrip('.').replace('.', '/')}.py")


@dataclass
class Code:
    """Code whose names can be looked up. A name with an underscore is looked up in its own file."""

    functions: dict[str, list[tuple[Function, Place]]] = field(default_factory=dict)
    constants: dict[str, list[tuple[ast.expr, Place]]] = field(default_factory=dict)
    calls: dict[str, list[tuple[ast.Call, Place]]] = field(default_factory=dict)
    commands: list[tuple[ast.expr, Place]] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)

    def read(self, file: str, text: str) -> None:
        tree = ast.parse(text)
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom):
                for alias in statement.names:
                    imported = ast.Attribute(ast.Name(statement.module or ""), alias.name)
                    self.constants.setdefault(key(alias.asname or alias.name, file), []).append((imported, Place(file)))
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
                for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                    if isinstance(target, ast.Name):
                        self.constants.setdefault(key(target.id, file), []).append((statement.value, Place(file)))
        self._visit(tree, Place(file))

    def _visit(self, node: ast.AST, place: Place) -> None:
        if isinstance(node, Function):
            place = Place(place.file, node)
            self.functions.setdefault(key(node.name, place.file), []).append((node, place))
        if isinstance(node, ast.Call):
            self.calls.setdefault(key(called(node.func), place.file), []).append((node, place))
            for fix in fixes(node):
                self.commands += [(text, place) for text in made_texts(fix, place)]
        if isinstance(node, ast.expr) and PROGRAM.search(outline(node)):
            self.commands.append((node, place))
        for child in ast.iter_child_nodes(node):
            self._visit(child, place)

    def unquoted(self) -> list[str]:
        """Return the places of commands with a part that is not quoted, and that part."""
        found = {
            f"{place.file}:{part.lineno}: {ast.unparse(part)}"
            for command, place in self.commands
            for part in parts(command)
            if not self.is_quoted(part, place)
        }
        return sorted(found)

    def is_quoted(self, value: ast.expr, place: Place) -> bool:
        if id(value) in self.asked:
            return True  # A recursion: its other branch decides.
        self.asked.add(id(value))
        try:
            return self._is_quoted(value, place)
        finally:
            self.asked.discard(id(value))

    def _is_quoted(self, value: ast.expr, place: Place) -> bool:
        match value:
            case ast.Constant():
                return True
            case ast.FormattedValue(format_spec=ast.JoinedStr()):
                return True  # A number, or the specification fails.
            case ast.FormattedValue() | ast.Starred() | ast.Subscript() | ast.NamedExpr():
                return self.is_quoted(value.value, place)
            case ast.GeneratorExp() | ast.ListComp():
                return self.is_quoted(value.elt, place)
            case ast.IfExp():
                return self.is_quoted(value.body, place) and self.is_quoted(value.orelse, place)
            case ast.BinOp():
                return self.is_quoted(value.left, place) and self.is_quoted(value.right, place)
            case ast.JoinedStr() | ast.BoolOp() | ast.Dict():
                return all(self.is_quoted(one, place) for one in value.values)
            case ast.Tuple() | ast.List() | ast.Set():
                return all(self.is_quoted(one, place) for one in value.elts)
            case ast.Name():
                return self._name(value.id, place)
            case ast.Attribute(value=ast.Name(id=module)) if value.attr.isupper():
                return self._constant([one for one in self.constants.get(value.attr, []) if one[1].is_in(module)])
            case ast.Attribute():
                return self._returns(key(value.attr, place.file))
            case ast.Call():
                return self._call(value, place)
        return False

    def _call(self, call: ast.Call, place: Place) -> bool:
        name = called(call.func)
        if name in QUOTING | WORDS | PURE:
            return True
        if name == "map":
            return called(call.args[0]) in QUOTING
        if name in KEEPING:
            owner = [call.func.value] if isinstance(call.func, ast.Attribute) and name != "fromkeys" else []
            return all(self.is_quoted(one, place) for one in (*owner, *call.args))
        return self._returns(key(name, place.file))

    def _returns(self, name: str) -> bool:
        """Tell whether every function of a name returns what is quoted."""
        returned = [
            (node.value, place)
            for function, place in self.functions.get(name, [])
            for node in ast.walk(function)
            if isinstance(node, ast.Return | ast.Yield) and node.value
        ]
        return bool(returned) and all(self.is_quoted(value, place) for value, place in returned)

    def _name(self, name: str, place: Place) -> bool:
        if place.function and (assigned := list(assignments(name, place.function))):
            return all(self.is_quoted(value, place) for value in assigned)
        if place.function and name in parameters(place.function):
            return self._parameter(name, place)
        known = self.constants.get(key(name, place.file), [])
        return self._constant([one for one in known if one[1].file == place.file])

    def _constant(self, values: list[tuple[ast.expr, Place]]) -> bool:
        return bool(values) and all(self.is_quoted(value, place) for value, place in values)

    def _parameter(self, name: str, place: Place) -> bool:
        """Tell whether a parameter is a number, or every call of its function gives it what is quoted."""
        assert place.function
        names = parameters(place.function)
        if names[name] in ("int", "float", "bool"):
            return True
        values = []
        for call, caller in self.calls.get(key(place.function.name, place.file), []):
            values += [(keyword.value, caller) for keyword in call.keywords if keyword.arg == name]
            by_position = dict(zip((one for one in names if one != "self"), call.args, strict=False))
            values += [(by_position[name], caller)] if name in by_position else []
        return bool(values) and all(self.is_quoted(value, caller) for value, caller in values)


def key(name: str, file: str) -> str:
    return f"{file} {name}" if name.startswith("_") else name


def called(function: ast.expr) -> str:
    """Return the name of what is called, without what stands before a dot."""
    match function:
        case ast.Attribute():
            return function.attr
        case ast.Name():
            return function.id
    return ""


def parameters(function: Function) -> dict[str, str]:
    """Return the annotations of a function's parameters."""
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {one.arg: ast.unparse(one.annotation) if one.annotation else "" for one in listed}


def assignments(name: str, function: Function) -> Iterator[ast.expr]:
    """Yield the values that a function gives to a local name."""
    for node in ast.walk(function):
        match node:
            case ast.Assign():
                for target in node.targets:
                    yield from matched(name, target, node.value)
            case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
                yield from matched(name, node.target, node.value) if node.value else ()
            case ast.For() | ast.comprehension():
                for item in node.iter.elts if isinstance(node.iter, ast.Tuple | ast.List) else [node.iter]:
                    yield from matched(name, node.target, item)


def matched(name: str, target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    """Yield the part of a value that an assignment gives to a name."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    if isinstance(target, ast.Tuple):
        items = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
        for one, item in zip(target.elts, items, strict=False):
            yield from matched(name, one, item)


def fixes(call: ast.Call) -> Iterator[ast.expr]:
    """Yield the fixes among the arguments of a call."""
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "fix")
    if (position := FIXES.get(called(call.func))) is not None:
        yield from call.args[position:] if called(call.func) == "note" else call.args[position : position + 1]


def made_texts(value: ast.AST, place: Place, seen: frozenset[str] = frozenset()) -> Iterator[ast.expr]:
    """Yield the texts that are put together for a value; a function that is called for it is looked at by itself."""
    if isinstance(value, ast.JoinedStr):
        yield value
    elif isinstance(value, ast.Name) and place.function and value.id not in seen:
        for assigned in assignments(value.id, place.function):
            yield from made_texts(assigned, place, seen | {value.id})
    elif not isinstance(value, ast.Call):
        for child in ast.iter_child_nodes(value):
            yield from made_texts(child, place, seen)


def outline(node: ast.expr) -> str:
    """Return a text that is put together, with a null for each part that is put in; empty for anything else."""
    match node:
        case ast.JoinedStr():
            return "".join(str(one.value) if isinstance(one, ast.Constant) else "\0" for one in node.values)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            return "".join(str(one.value) if isinstance(one, ast.Constant) else "\0" for one in (left, right))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)))):
            return text
    return ""


def parts(command: ast.expr) -> list[ast.expr]:
    match command:
        case ast.JoinedStr():
            return [one for one in command.values if isinstance(one, ast.FormattedValue)]
        case ast.BinOp():
            return [command.left, command.right]
        case ast.Call():
            return [*command.args, *(keyword.value for keyword in command.keywords)]
    return []


def test_every_part_of_a_printed_command_is_quoted_by_one_function() -> None:
    code = Code()
    for folder in PRODUCT:
        for file in sorted((ROOT / folder).rglob("*.py")):
            code.read(str(file.relative_to(ROOT)), file.read_text())
    assert len(code.commands) > 80, "they are looked at"
    assert code.unquoted() == []


@pytest.mark.parametrize(
    "statements",
    [
        "return f'kubectl delete secret {name}'",
        "return 'kubectl delete secret ' + name",
        "return 'kubectl delete secret %s' % name",
        "return 'kubectl delete secret {}'.format(name)",
        "return ' '.join(f'kubectl delete secret {one}' for one in name)",
        "secret = name.strip()\n  return f'kubectl delete secret {secret}'",
        "secret = word('a') if name else name\n  return f'kubectl delete secret {secret}'",
        "return f'{name} kubectl get pods'",
        "return f'pulumi up && kubectl delete secret {name}'",
        "return helper(name)",
        "fix = f'rm {name}'\n  return Problem('a', 'b', (fix,))",
        "return Problem('a', 'b', fix=('ls', f'rm {name.lower()}'))",
        "for option, value in (('--a', word(name)), ('--b', name)):\n    yield f'kubectl get {option} {value}'",
    ],
)
def test_a_command_with_a_part_that_is_not_quoted_is_found(statements: str) -> None:
    code = Code()
    code.read("a.py", f"def helper(name):\n  return f'kubectl get {{name}}'\n\ndef fix(name):\n  {statements}\n")
    assert code.unquoted()


@pytest.mark.parametrize(
    "statements",
    [
        "return f'kubectl delete secret {word(name)}'",
        "option = f'--namespace {word(name)} ' if name else ''\n  return f'kubectl {option}get pods'",
        "return f'kubectl get {KIND} {_KIND} {a.KIND}'",
        "return f'sleep {len(name)} {seconds} {number:.0f}'",
        "return Problem(f'Secret {name}', f'is {name}', (helper('pods'),))",
        "return Problem('a', f'{name}: kubectl reads it', tuple(map(word, name)))",
        "for option, value in (('--a', word(name)), ('--b', 1)):\n    yield f'kubectl get {option} {value}'",
    ],
)
def test_a_command_whose_parts_are_quoted_is_not(statements: str) -> None:
    code = Code()
    code.read(
        "a.py",
        "KIND = _KIND = 'pods'\n\ndef helper(name):\n  return f'kubectl get {name}'\n\nPODS = helper(KIND)\n"
        f"def fix(name, seconds: int):\n  {statements}\n",
    )
    code.read("b.py", "_KIND = KIND = input()\n\ndef _fix(name):\n  return f'kubectl get {word(name)}'\n")
    assert code.unquoted() == []
