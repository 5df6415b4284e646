"""Mutations: small wrong changes to a file of Python, one at a time.

Each is the replacement of one expression or statement, so that everything else keeps
its line. Annotations, decorators, docstrings, strings, imports and what is for type
checking only stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
PAIRS = [  # functions and methods that are easily taken for each other
    ("min", "max"),
    ("minimum", "maximum"),
    ("nanmin", "nanmax"),
    ("clamp_min", "clamp_max"),
    ("any", "all"),
    ("floor", "ceil"),
    ("sin", "cos"),
    ("sum", "mean"),
    ("nansum", "nanmean"),
    ("log1p", "expm1"),
    ("exp", "log"),
]
SWAPPED = dict(PAIRS) | {b: a for a, b in PAIRS}
GENERIC = ("Literal", "Callable", "Mapping", "Sequence", "dict", "list", "tuple")
DROPPED = ("abs", "sqrt", "sorted", "float", "int", "reversed")


@dataclass(frozen=True)
class Mutation:
    """One change.

    Parameters
    ----------
    line : int
        Where it begins, from 1.
    start, end : int
        Bytes of the source that are replaced.
    kind : str
        What sort of mistake it is.
    old, new : str
        Code before and after.
    statement : bool
        A whole statement, not an expression.
    """

    line: int
    start: int
    end: int
    kind: str
    old: str
    new: str
    statement: bool = False

    def apply(self, source: bytes, probe: str = "") -> bytes:
        """Return the source with the change; `probe`: an expression to run there."""
        new = self.new
        if probe:
            new = f"{probe}; {new}" if self.statement else f"({probe}, {new})[1]"
        return source[: self.start] + new.encode() + source[self.end :]


def mutations(source: bytes) -> list[Mutation]:
    """Return every mutation of a file, in the order of its lines.

    Parameters
    ----------
    source : bytes
        A Python file in UTF-8.
    """
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, kind, new in _changes(tree):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        old, statement = source[start:end].decode(), isinstance(node, ast.stmt)
        text = ast.unparse(new) if statement else f"({ast.unparse(new)})"
        found.append(Mutation(node.lineno, start, end, kind, old, text, statement))
    return sorted(set(found), key=lambda m: (m.start, m.end, m.kind, m.new))


Located = ast.expr | ast.stmt
Change = tuple[Located, str, ast.AST]


def _changes(node: ast.AST) -> Iterator[Change]:
    """Walk through the code that runs and yield (node, kind, its replacement)."""
    if isinstance(node, ast.expr):
        yield from ((node, kind, new) for kind, new in _of_expression(node))
    elif isinstance(node, ast.stmt):
        yield from ((node, kind, new) for kind, new in _of_statement(node))
    for child in _children(node):
        yield from _changes(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node that may be changed."""
    skipped: tuple[str, ...] = ()
    match node:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Raise():
            return
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return
        case ast.Subscript(value=ast.Name(id=name)) if name in GENERIC:
            return
        case ast.Call() if _is_log(node):
            return
        case ast.FunctionDef() | ast.ClassDef():
            skipped = ("decorator_list", "returns", "bases", "keywords")
        case ast.AnnAssign() | ast.arg():
            skipped = ("annotation",)
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            values = value if isinstance(value, list) else [value]
            yield from (each for each in values if isinstance(each, ast.AST))


def _is_log(node: ast.Call) -> bool:
    return ast.unparse(node.func).startswith(("logger.", "warnings.warn"))


def _of_expression(node: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    """Mistakes in one expression."""
    match node:
        case ast.Compare(ops=[op], left=left, comparators=right):
            yield "comparison", ast.Compare(left, [COMPARE[type(op)]()], right)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            if not any(_is_text(side) for side in (left, right)):
                yield "arithmetic", ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "and/or", ast.BoolOp(other, values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            yield "not dropped", operand
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "sign dropped", operand
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "branches swapped", ast.IfExp(test, orelse, body)
        case ast.Constant(value=bool() as value):
            yield "boolean", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", ast.Constant(value + 1)
            yield "constant", ast.Constant(value - 1)
        case ast.Slice() | ast.Tuple() | ast.Name() | ast.Attribute():
            return
        case ast.Subscript(value=value, slice=ast.Slice() as part):
            yield from (("slice", _with_slice(value, s)) for s in _slices(part))
        case ast.Call():
            yield from _of_call(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _slices(part: ast.Slice) -> Iterator[ast.Slice]:
    """Bounds that are no plain numbers (those are constants), one too high."""
    one = ast.Constant(1)
    if part.lower is not None and not isinstance(part.lower, ast.Constant):
        more = ast.BinOp(part.lower, ast.Add(), one)
        yield ast.Slice(more, part.upper, part.step)
    if part.upper is not None and not isinstance(part.upper, ast.Constant):
        less = ast.BinOp(part.upper, ast.Sub(), one)
        yield ast.Slice(part.lower, less, part.step)


def _with_slice(value: ast.expr, part: ast.Slice) -> ast.Subscript:
    return ast.Subscript(value, part, ast.Load())


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    """Another function, none, or an argument forgotten."""
    match node.func:
        case ast.Name(id=name) if name in SWAPPED:
            other: ast.expr = ast.Name(SWAPPED[name], ast.Load())
            yield "function", ast.Call(other, node.args, node.keywords)
        case ast.Attribute(value=value, attr=name) if name in SWAPPED:
            other = ast.Attribute(value, SWAPPED[name], ast.Load())
            yield "function", ast.Call(other, node.args, node.keywords)
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name in DROPPED and len(node.args) == 1:
        yield "call dropped", node.args[0]
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            kept = node.keywords[:index] + node.keywords[index + 1 :]
            yield "argument dropped", ast.Call(node.func, node.args, kept)


def _of_statement(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Forget a statement that leaves no name behind."""
    match node:
        case ast.Expr(value=ast.Call() as call) if not _is_log(call):
            yield "statement dropped", ast.Pass()
        case ast.AugAssign() | ast.Continue() | ast.Break() | ast.Raise():
            yield "statement dropped", ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield "statement dropped", ast.Pass()
