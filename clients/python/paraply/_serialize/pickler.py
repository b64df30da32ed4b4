"""The pickler for what plain pickle cannot send, or would send by a name that the other end does not have.

Built on cloudpickle, which knows how to send classes, properties, enums and the like by value. Functions are our own
affair: they get the reader's namespace as their globals (see `rebuild`).
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import cloudpickle

from paraply._serialize import names, rebuild
from paraply._serialize.payload import OUT_OF_BAND_BYTES, PYTHON_VERSION, BytesLike
from paraply._serialize.snapshot import Snapshot

#: Each buffer outside the pickle has a price: an entry, and beyond 64 KiB a call of its own. So after this many only those
#: that have it anyway stay outside, and after many more none do.
_SMALL_BUFFERS = 256
_BUFFERS = 4096
_LARGE_BYTES = 64 << 10


class Buffers:
    """Collects what travels outside the pickle."""

    __slots__ = ("raw", "read_only")

    def __init__(self) -> None:
        self.raw: list[BytesLike] = []
        #: A read-only buffer was met; as it is it would make a read-only array at the other end.
        self.read_only = False

    def __call__(self, buffer: pickle.PickleBuffer) -> bool:
        """The pickler's `buffer_callback`: true keeps the buffer inside the pickle."""
        raw = buffer.raw()
        if raw.readonly and type(raw.obj) is not bytes:
            self.read_only = True
        if not self.takes(raw.nbytes):
            return True
        self.raw.append(raw)
        return False

    def takes(self, size: int) -> bool:
        """Whether the next buffer, of `size` bytes, would travel outside."""
        if len(self.raw) < _SMALL_BUFFERS:
            return size >= OUT_OF_BAND_BYTES
        return size >= _LARGE_BYTES and len(self.raw) < _BUFFERS


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Pickles one value. `snapshot`, where given, learns what the pickle depends on."""

    def __init__(
        self,
        file: io.BytesIO,
        buffers: Buffers | None = None,
        *,
        codes: list[types.CodeType] | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffers)
        self._buffers = buffers
        self._codes = codes
        self._snapshot = snapshot
        #: Set once a code object is inside.
        self.python_version = ""

    def reducer_override(self, obj: Any) -> Any:
        """Called by the C pickler for every object but plain scalars and containers."""
        kind = type(obj)
        reduce = _REDUCERS.get(kind)
        if reduce is not None:
            return reduce(self, obj)
        if isinstance(obj, type):
            return self._class(obj)
        if kind.__name__ == "ndarray" and kind.__module__ == "numpy":
            return self._array(obj)
        self._note_volatile()
        return NotImplemented

    def _by_name(self, obj: Any) -> Any:
        spelled = names.spell(obj)
        if spelled is None or self._by_value_on_request(spelled):
            self._note_volatile()
            return super().reducer_override(obj)
        return rebuild.import_by_name, (spelled,)

    def _note_volatile(self) -> None:
        if self._snapshot is not None:
            self._snapshot.volatile = True

    @staticmethod
    def _by_value_on_request(spelled: str) -> bool:
        wanted = cloudpickle.list_registry_pickle_by_value()
        module = spelled.partition(":")[0]
        return any(module == each or module.startswith(f"{each}.") for each in wanted)

    def _function(self, function: types.FunctionType) -> Any:
        spelled = names.spell(function)
        if spelled is not None and not self._by_value_on_request(spelled):
            return NotImplemented  # pickle's own way is by name
        if self._snapshot is not None:
            self._snapshot.add_function(function)
        if names.is_foreign(function):
            # Its data travels with it, and can change in place.
            self._note_volatile()
            return super().reducer_override(function)
        home = names.home_of(function)
        if home is not None:
            if self._by_value_on_request(f"{home}:"):
                self._note_volatile()
                return super().reducer_override(function)
            made: tuple[Any, ...] = (rebuild.make_module_function, (function.__code__, function.__closure__, home))
            return *made, self._state(function, None, 0), None, None, rebuild.set_function_state
        helpers = self._helpers(function)
        origin = rebuild.MAIN if _is_main_dict(function.__globals__) else id(function.__globals__)
        arguments = (function.__code__, function.__closure__, origin, helpers is not None)
        state = self._state(function, helpers, origin)
        return rebuild.make_function, arguments, state, None, None, rebuild.set_function_state

    @staticmethod
    def _state(function: types.FunctionType, helpers: rebuild.Helpers | None, origin: int) -> rebuild.FunctionState:
        return (
            function.__name__,
            function.__qualname__,
            function.__module__,
            function.__doc__,
            function.__defaults__,
            function.__kwdefaults__,
            _annotations(function),
            function.__dict__,
            helpers,
            origin,
        )

    @staticmethod
    def _helpers(function: types.FunctionType) -> rebuild.Helpers | None:
        """What the function's code names that is no data: by name where both ends can import it, else by value."""
        references: dict[str, str] = {}
        values: dict[str, Any] = {}
        submodules: list[str] = []
        for name in names.global_names(function.__code__):
            value = names.global_value(function, name)
            if value is names.ABSENT or not names.travels(value):
                continue
            spelled = names.spell(value)
            if spelled is None or Pickler._by_value_on_request(spelled):
                values[name] = value
            else:
                references[name] = spelled
            if isinstance(value, types.ModuleType):
                submodules += names.used_submodules(value, function.__code__)
        return (references, values, submodules) if references or values else None

    def _class(self, cls: type) -> Any:
        reduced = super().reducer_override(cls)
        if not isinstance(reduced, tuple) or len(reduced) < 6:
            return reduced
        self.python_version = PYTHON_VERSION
        if self._snapshot is not None:
            self._snapshot.add_class(cls)
        if not names.is_main(cls.__module__):
            return reduced
        make, arguments, state, _, _, set_state = reduced
        made = (cls.__qualname__, make, *arguments)
        return rebuild.make_class, made, (set_state, state), None, None, rebuild.set_class_state

    def _code(self, code: types.CodeType) -> Any:
        self.python_version = PYTHON_VERSION
        if self._codes is None:
            return NotImplemented  # cloudpickle's own way
        self._codes.append(code)
        return rebuild.code_at, (len(self._codes) - 1,)

    def _cell(self, cell: types.CellType) -> Any:
        try:
            contents: tuple[Any, ...] = (cell.cell_contents,)
        except ValueError:  # it is empty
            contents = ()
        return rebuild.make_cell, (), contents, None, None, rebuild.set_cell

    def _lru_cache(self, cached: Any) -> Any:
        if names.spell(cached) is not None:
            return NotImplemented
        return rebuild.make_lru_cache, (cached.__wrapped__, cached.cache_parameters())

    def _array(self, array: Any) -> Any:
        self._note_volatile()
        if array.flags.writeable or array.dtype.hasobject:
            return NotImplemented
        buffers = self._buffers
        order = "C" if array.flags.c_contiguous else "F"
        if buffers is None or not buffers.takes(array.nbytes) or not array.flags.forc:
            return array.copy().__reduce_ex__(5)
        arguments = (len(buffers.raw), pickle.PickleBuffer(array), array.dtype, array.shape, order)
        return rebuild.make_array, arguments

    def _memoryview(self, view: memoryview) -> Any:
        if not view.contiguous:
            view = memoryview(view.tobytes())
        native = view.format in "?bBhHiIlLqQnNfd" and view.ndim > 0
        form, shape = (view.format, view.shape) if native else ("B", (view.nbytes,))
        return rebuild.make_memoryview, (pickle.PickleBuffer(view), form, shape)


def _is_main_dict(namespace: dict[str, Any]) -> bool:
    main = sys.modules.get("__main__")
    return main is not None and vars(main) is namespace


def _annotations(function: types.FunctionType) -> dict[str, Any]:
    try:
        return function.__annotations__
    except NameError:  # evaluated when asked for (PEP 649), and a name is not there
        return {}


_REDUCERS: dict[type, Callable[[Pickler, Any], Any]] = {
    types.FunctionType: Pickler._function,
    types.CodeType: Pickler._code,
    types.CellType: Pickler._cell,
    types.ModuleType: Pickler._by_name,
    types.MethodType: Pickler._by_name,
    types.BuiltinMethodType: Pickler._by_name,
    functools._lru_cache_wrapper: Pickler._lru_cache,
    memoryview: Pickler._memoryview,
}
