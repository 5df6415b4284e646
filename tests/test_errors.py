"""Errors: one tree, builtin parents, messages that print as written."""

from __future__ import annotations

import inspect

import pytest

from xstefaland import errors

BUILTIN = {
    errors.InputError: ValueError,
    errors.WrongObjectError: AttributeError,
    errors.MissingVariableError: KeyError,
    errors.UnknownTargetError: KeyError,
    errors.WeightsError: RuntimeError,
    errors.WeightsNotFoundError: KeyError,
    errors.OfflineError: RuntimeError,
    errors.RunError: RuntimeError,
}


@pytest.mark.parametrize(("error", "builtin"), BUILTIN.items())
def test_each_error_is_ours_and_a_builtin(error, builtin):
    """Both ``except XStefalandError`` and ``except <builtin>`` catch it."""
    for parent in (errors.XStefalandError, builtin):
        with pytest.raises(parent, match="what was wrong"):
            raise error("what was wrong")


@pytest.mark.parametrize("error", BUILTIN)
def test_message_prints_without_quotes(error):
    """A KeyError would print its repr; ours print the text, line breaks kept."""
    assert str(error('no "pr"\nuse rename=')) == 'no "pr"\nuse rename='


def test_every_public_error_is_covered_here():
    """A new class in the module must name its builtin parent above."""
    classes = inspect.getmembers(errors, inspect.isclass)
    public = {c for name, c in classes if c.__module__ == errors.__name__}
    private = {c for c in public if c.__name__.startswith("_")}
    assert public - private - {errors.XStefalandError} == set(BUILTIN)


def test_join_problems_keeps_every_problem():
    """All problems appear, numbered; a single one stays on the headline's line."""
    text = errors.join_problems("cannot read", ["first", "second"])
    assert text == "cannot read (2 problems):\n  1. first\n  2. second"
    assert errors.join_problems("cannot read", ["only"]) == "cannot read: only"
