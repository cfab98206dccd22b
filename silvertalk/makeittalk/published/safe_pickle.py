"""Pickles of numbers, strings, containers and numpy arrays, read without running anything they say.

A pickle is a program: whoever made it can have it call any function when it is read in the usual way. Here its
opcodes (documented in the standard library's pickletools) are followed by an interpreter of our own that knows no
function but those numpy arrays are described by; another one is refused by its name.
"""

import contextlib
import os
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
STRINGS = ("STRING", "BINSTRING", "SHORT_BINSTRING")  # of Python 2: bytes, or text
# Values that opcodes carry with them.
LITERALS = {"INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT", *STRINGS} | {
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    "BYTEARRAY8",
}
READ = "numbers, text, containers and arrays"
KINDS = "biufcSU"  # of arrays: numbers and text, no objects
SMALL = 16384  # bytes; larger arrays that were given out are forgotten, smaller ones (embeddings) may be referred to


@dataclass(slots=True)
class _Name:
    """Something a pickle wants to import."""

    name: str


@dataclass(slots=True)
class _Dtype:
    """A numpy type; its byte order comes later."""

    code: str
    order: str = "="

    def value(self) -> np.dtype:
        dtype = np.dtype(self.code)
        if dtype.kind not in KINDS:
            raise ValueError(f"an array of {dtype} is refused; only numbers and text are read")
        return dtype if self.order in "|=" else dtype.newbyteorder(self.order)


@dataclass(slots=True)
class _Array:
    """A numpy array; its content comes later."""

    content: np.ndarray | None = None


class _Interpreter:
    """Follows the opcodes of one pickle."""

    def __init__(self, file):
        self.file = file
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}
        self.fresh: list[int] = []  # keys of the memo, since a pair was given out

    def run(self) -> object:
        """Return what the pickle describes."""
        for opcode, argument, _ in pickletools.genops(self.file):
            if opcode.name == "STOP":
                break
            self._step(opcode.name, argument)
        return _finished(self.stack.pop())

    def run_list(self) -> Iterator[tuple]:
        """Give out the pairs of a list one by one; each is then forgotten."""
        given_out = 0  # pairs that still stand on the stack, behind the list
        for opcode, argument, _ in pickletools.genops(self.file):
            if opcode.name == "STOP":
                _the(list, self.stack[-1])
                return
            self._step(opcode.name, argument)
            if opcode.name in ("APPEND", "APPENDS") and len(self.stack) == 1:
                if any(item is not None for item in self.stack[0]):
                    raise ValueError("it lists other things than pairs")
                self.stack[0], given_out = [], 0
            elif opcode.name in ("TUPLE", "TUPLE2") and len(self.stack) == given_out + 2:
                _the(list, self.stack[0])
                if len(self.stack[-1]) == 2:
                    yield _finished(self.stack[-1])
                    self.stack[-1] = None
                    given_out += 1
                    self._forget()

    def _forget(self) -> None:
        """Drop what was large in the last pair."""
        for key in self.fresh:
            if _is_large(self.memo[key]):
                self.memo[key] = None
        self.fresh = []

    def _step(self, name: str, argument) -> None:
        """Carry out one opcode."""
        stack = self.stack
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("TUPLE", "LIST"):
            items = self._since_mark()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name == "DICT":
            items = self._since_mark()
            stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._since_mark()
            _the(list, stack[-1]).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _the(dict, stack[-1]).update(zip(items[::2], items[1::2], strict=True))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            key = len(self.memo) if name == "MEMOIZE" else argument
            self.memo[key] = stack[-1]
            self.fresh.append(key)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            stack.append(_Name(argument.replace(" ", ".") if name == "GLOBAL" else f"{stack.pop(-2)}.{stack.pop()}"))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_described(stack.pop(), arguments))
        elif name == "BUILD":
            state = stack.pop()
            _build(stack[-1], state)
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"the opcode {name} is refused; only {READ} are read")

    def _since_mark(self) -> list:
        first = self.marks.pop()
        items = self.stack[first:]
        del self.stack[first:]
        return items


def _the(kind: type, value):
    """Return a value of the kind it has to be."""
    if isinstance(value, _Name) and kind is not _Name:
        raise ValueError(f"'{value.name}' is refused; only {READ} are read")
    if type(value) is not kind:
        raise ValueError(f"a {type(value).__name__} stands where a {kind.__name__} has to be")
    return value


def _is_large(value) -> bool:
    """Whether a part is more than later parts of a list would refer to: a matrix, or the pair it is in."""
    if isinstance(value, tuple):
        return any(map(_is_large, value))
    if isinstance(value, _Array):
        return value.content is not None and value.content.nbytes > SMALL
    return isinstance(value, str | bytes | bytearray) and len(value) > SMALL


def _described(function: object, arguments: tuple):
    """What numpy's functions would return; every other function is refused."""
    name = _the(_Name, function).name.replace("numpy._core.", "numpy.core.")
    if name == "numpy.core.multiarray._reconstruct":
        if _the(_Name, arguments[0]).name != "numpy.ndarray":
            raise ValueError(f"'{arguments[0].name}' is refused; only plain arrays are read")
        return _Array()
    if name == "numpy.dtype":
        return _Dtype(_the(str, arguments[0]))
    if name == "numpy.core.multiarray.scalar":
        return np.frombuffer(_as_bytes(arguments[1]), _the(_Dtype, arguments[0]).value())[0]
    if name == "numpy.core.numeric._frombuffer":
        data, dtype, shape, order = arguments
        return _Array(np.frombuffer(data, _the(_Dtype, dtype).value()).reshape(shape, order=order))
    if name == "_codecs.encode" and arguments[1] == "latin1":  # bytes, as protocol 2 writes them
        return arguments[0].encode("latin1")
    if name in ("__builtin__.bytes", "builtins.bytes") and not arguments:
        return b""
    raise ValueError(f"it would call '{function.name}', which is refused; only {READ} are read")


def _build(target: object, state: tuple) -> None:
    """Complete a type or an array."""
    if isinstance(target, _Dtype):
        target.order = _the(str, state[1])
    elif isinstance(target, _Array):
        _, shape, dtype, is_fortran, data = state
        values = np.frombuffer(_as_bytes(data), _the(_Dtype, dtype).value())
        target.content = values.reshape(shape, order="F" if is_fortran else "C")
    else:
        raise ValueError(f"a {type(target).__name__} with a state is refused; only arrays and their types have one")


def _as_bytes(data: bytes | str) -> bytes:
    """Raw numbers; Python 2 wrote them as text."""
    return data.encode("latin1") if isinstance(data, str) else _the(bytes, data)


def _finished(value):
    """Replace descriptions of arrays by arrays."""
    if isinstance(value, _Array):
        if value.content is None:
            raise ValueError("an array has no content")
        return value.content
    if isinstance(value, _Name):
        _the(object, value)
    if isinstance(value, _Dtype):
        return value.value()
    if isinstance(value, tuple | list):
        return type(value)(_finished(part) for part in value)
    if isinstance(value, dict):
        return {_finished(key): _finished(part) for key, part in value.items()}
    return value


def read_pickle(path: str | os.PathLike) -> object:
    """Read a pickle of numbers, text, containers and numpy arrays.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged, or would run code; nothing of it was run.
    """
    with _opened(path) as file:
        return _Interpreter(file).run()


def read_list(path: str | os.PathLike) -> Iterator[tuple]:
    """Read a pickled list of pairs; one of them is in memory at a time. Raises what ``read_pickle`` does."""
    with _opened(path) as file:
        yield from _Interpreter(file).run_list()


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a pickle, and name it in errors."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no {path}; name another file")
    try:
        with open(path, "rb") as file:
            yield file
    except ValueError as error:
        raise ValueError(f"{path}: {error}; nothing of it was run") from error
    except (LookupError, TypeError, AttributeError, EOFError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"{path}: is damaged, or no pickle ({type(error).__name__}: {error}); copy it again"
        ) from error
