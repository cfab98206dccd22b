"""Pickles of numbers, text, containers and numpy arrays, read without running anything they say.

A pickle is a program: whoever made it can have it call any function when it is read in the usual way, and a few bytes
of it can describe more than memory holds. Here the standard library's reader finds no function but those that describe
numpy arrays and knows no opcode but those they need. Containers that stand in several places (lists of references to
lists of references ...) are refused, and so are copies that together would be larger than the file.
"""

import contextlib
import os
import pickle
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

READ = "numbers, text, containers and arrays"
# Containers and what they hold, functions, their calls, references; no classes' objects, nothing outside the file.
OPCODES = frozenset(b"(.]})tlduaepqrghjRbcsNIJKMLFGSTUVXBC\x80\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x93\x94\x95\x96")
MOST_OPCODES = 2_000_000  # of one pair, or of a pickle that is no list of pairs; a clip has fewer than 100
DTYPE = re.compile("[<>=|]?[biufcSU][0-9]+")  # numbers and text, no objects
SMALL = 16384  # bytes; larger arrays that were given out are forgotten, smaller ones (embeddings) may be referred to
STATE = 30  # parts, at least, between an array's beginning and its end
FORGOTTEN = object()


class _Memo(dict):
    """What later parts of a pickle may refer to: all but containers and what is forgotten."""

    def __init__(self):
        super().__init__()
        self.fresh: list[int] = []  # keys, since a pair was given out

    def __setitem__(self, key, value):
        super().__setitem__(key, FORGOTTEN if isinstance(value, tuple | list | dict) else value)
        self.fresh.append(key)

    def __getitem__(self, key):
        if (value := super().__getitem__(key)) is FORGOTTEN:
            raise ValueError("a container, or a large part, that stands in several places is refused")
        return value

    def replace(self, old, new) -> None:
        """Put a whole array where an empty one stood, some parts before."""
        self.update({key: new for key in self.fresh[-STATE:] if self.get(key) is old})

    def forget(self) -> None:
        """Drop what was large in the last pair."""
        self.update({key: FORGOTTEN for key in self.fresh if _num_bytes(self.get(key)) > SMALL})
        self.fresh = []


class _Dtype:
    """A numpy type; its byte order comes later."""

    def __init__(self, code: str, *_):
        self.code, self.order = code, ""

    def value(self) -> np.dtype:
        if not DTYPE.fullmatch(self.order + self.code):
            raise ValueError(f"an array of {self.code} is refused; only numbers and text are read")
        return np.dtype(self.order + self.code)


def _from_buffer(data: bytes | str, dtype: _Dtype, shape, order: str = "C") -> np.ndarray:
    """Make an array of raw numbers; Python 2 wrote them as text."""
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype.value()).reshape(shape, order=order)


# All that a pickle may call; numpy.ndarray is an argument only.
FUNCTIONS = {
    "numpy.ndarray": "numpy.ndarray",
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": lambda *_: np.empty(0),  # its content comes later
    "numpy.core.multiarray.scalar": lambda dtype, data: _from_buffer(data, dtype, 1)[0],
    "numpy.core.numeric._frombuffer": _from_buffer,
    "_codecs.encode": lambda text, encoding: text.encode({"latin1": "latin1"}[encoding]),  # bytes, of protocol 2
    "__builtin__.bytes": lambda: b"",
    "builtins.bytes": lambda: b"",
}


class _Unpickler(pickle._Unpickler):
    """The standard library's reader, the one in Python: it can be extended, and stopped after every pair."""

    def __init__(self, file):
        super().__init__(file, encoding="latin1")
        self.memo = _Memo()
        self.size = os.fstat(file.fileno()).st_size
        # Of all copies together: protocol 2 has numbers as text, of which bytes are made, of which an array is made.
        self.bytes_left = 2 * self.size

    def find_class(self, module, name):
        """Look a function up; every other one is refused."""
        full_name = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full_name not in FUNCTIONS:
            raise ValueError(f"'{full_name}' is refused; only {READ} are read")
        return FUNCTIONS[full_name]

    def steps(self) -> Iterator[bytes]:
        """Carry out the opcodes one by one; gives out each."""
        self._unframer = pickle._Unframer(self._read, self._file_readline)
        self.read, self.readline = self._unframer.read, self._unframer.readline
        self.metastack, self.stack, self.num_opcodes = [], [], 0
        self.append = self.stack.append
        while (opcode := self.read(1)) != pickle.STOP:
            if not opcode:
                raise EOFError("it ends too early")
            if opcode[0] not in OPCODES:
                raise ValueError(f"the opcode {opcode} is refused; only {READ} are read")
            self.num_opcodes += 1
            if self.num_opcodes > MOST_OPCODES:
                raise ValueError(f"more than {MOST_OPCODES} opcodes for one value are refused")
            self.dispatch[opcode[0]](self)
            yield opcode

    def pairs(self) -> Iterator[tuple]:
        """Give out the pairs of a list one by one; each is then forgotten."""
        given_out = 0  # pairs whose places still stand on the stack, behind the list
        for opcode in self.steps():
            if len(self.metastack) > 1:  # within a pair
                continue
            count = sum(map(len, self.metastack), len(self.stack))
            if opcode in (pickle.APPEND, pickle.APPENDS) and count == 1:
                if any(item is not None for item in self.stack[0]):
                    raise ValueError("it lists other things than pairs")
                self.stack[0], given_out = [], 0
            elif opcode in (pickle.TUPLE, pickle.TUPLE2) and count == given_out + 2 and len(self.stack[-1]) == 2:
                yield self.stack[-1]
                self.stack[-1] = None
                given_out, self.num_opcodes = given_out + 1, 0
                self.memo.forget()
        if [type(value) for value in self.stack] != [list]:
            raise ValueError("it is no list; other pickles are refused")

    def _read(self, num_bytes: int) -> bytes:
        """Read from the file; what is said to be longer than the file gets no memory."""
        if num_bytes > self.size:
            raise EOFError("it ends too early")
        return self._file_read(num_bytes)

    def _reduce(self) -> None:
        self.load_reduce()
        self._count(self.stack[-1])

    def _build(self) -> None:
        """Complete a type or an array."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Dtype):
            target.order = state[1]
        elif isinstance(target, np.ndarray):
            _, shape, dtype, is_fortran, data = state
            array = _from_buffer(data, dtype, shape, "F" if is_fortran else "C")
            self._count(array)
            self.memo.replace(target, array)
            self.stack[-1] = array
        else:
            raise ValueError(f"a {type(target).__name__} with a state is refused; only arrays and their types have one")

    def _count(self, made) -> None:
        """See that no more is made of the file than it holds."""
        self.bytes_left -= _num_bytes(made)
        if self.bytes_left < 0:
            raise ValueError("it describes more than it holds, which is refused")

    dispatch = pickle._Unpickler.dispatch | {
        pickle.REDUCE[0]: _reduce,
        pickle.BUILD[0]: _build,
        pickle.BYTEARRAY8[0]: pickle._Unpickler.load_binbytes8,  # the other has no limit
    }


def _num_bytes(value) -> int:
    """Memory of the data of a value."""
    return len(value) if isinstance(value, str | bytes) else getattr(value, "nbytes", 0)


def read_pickle(path: str | os.PathLike) -> object:
    """Read a pickle of numbers, text, containers and numpy arrays.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged, would run code, or would fill the memory; nothing of it was run.
    """
    with _opened(path) as unpickler:
        for _ in unpickler.steps():
            pass
        return unpickler.stack.pop()


def read_list(path: str | os.PathLike) -> Iterator[tuple]:
    """Read a pickled list of pairs; one of them is in memory at a time. Raises what ``read_pickle`` does."""
    with _opened(path) as unpickler:
        yield from unpickler.pairs()


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[_Unpickler]:
    """Open a pickle, and name it in errors."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no {path}; name another file")
    damage = (
        *(pickle.UnpicklingError, struct.error, LookupError, TypeError, AttributeError, EOFError, ArithmeticError),
        *(RecursionError, MemoryError),
    )
    try:
        with open(path, "rb") as file:
            yield _Unpickler(file)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; nothing of it was run") from error
    except damage as error:
        raise ValueError(
            f"{path}: is damaged, or no pickle ({type(error).__name__}: {error}); copy it again"
        ) from error
