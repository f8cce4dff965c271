"""How the simulator's functions are compiled, and one thing that only machine code knows."""

# mypy: disable-error-code="no-untyped-def, call-overload, import-untyped"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic

from livestream_env.simulator.state import PLAIN_PYTHON, kernel_array

_COMMON: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Who calls the kernel keeps the arrays alive. Counting references to them would cost two atomic
    # operations whenever one is used, and the world's are used a hundred times in a step.
    "_nrt": False,
}
entry_point = njit(cache=True, no_cfunc_wrapper=True, **_COMMON)
# Into their callers: a function that is called takes the arrays of the world by value, which costs
# more than most of what these functions do. Wrappers for Python would double the time to compile.
inlined = njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_COMMON)


def machine_code(function: Any, *arguments: Any) -> Callable[..., Any]:
    """What an entry point is compiled to for arguments of the types of these.

    Calling the entry point itself looks at every argument's type anew, which takes longer than
    all else around the kernel. What is returned looks at the number of dimensions and the size of
    the items and no further: it is for who makes the arrays, and knows their types. Where there is
    no machine code it is the plain function.
    """
    if PLAIN_PYTHON:
        return lambda *given: function(
            *(kernel_array(a) if isinstance(a, np.ndarray) else a for a in given)
        )
    return function.compile(tuple(map(typeof, arguments)))


_CACHE_LINE = 64  # bytes

if PLAIN_PYTHON:

    def prefetch(array, i):
        """Nothing."""

else:

    @intrinsic
    def prefetch(typing_context, array, i):
        """Ask for the record ``array[i]`` to be brought into the cache, and do not wait for it.

        Any int64 will do for ``i``: nothing is read.
        """

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[0]).data
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
            function = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
                "llvm.prefetch.p0i8",
            )
            read, keep, data_cache = number(0), number(3), number(1)
            for at in range(0, array.dtype.size, _CACHE_LINE):
                line = builder.gep(place, [number(at)])
                builder.call(function, [line, read, keep, data_cache])
            return context.get_dummy_value()

        return types.void(array, i), codegen
