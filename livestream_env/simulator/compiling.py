"""How the simulator's functions are compiled, and one thing that only machine code knows."""

# mypy: disable-error-code="no-untyped-def, call-overload, import-untyped"
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from livestream_env.simulator.state import PLAIN_PYTHON

_COMMON: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Who calls the kernel keeps the arrays alive. Counting references to them would cost two atomic
    # operations whenever one is used, and the world's are used a hundred times in a step.
    "_nrt": False,
}
entry_point = njit(cache=True, **_COMMON)
# Into their callers: a function that is called takes the arrays of the world by value, which costs
# more than most of what these functions do. Wrappers for Python would double the time to compile.
inlined = njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_COMMON)

_CACHE_LINE = 64  # bytes
_LANES = 16  # float32 in the widest vector register
SPARE_LANES = 6


def _num_lanes(length: int) -> int:
    return -(-(length + SPARE_LANES) // _LANES) * _LANES


if PLAIN_PYTHON:

    def prefetch(array, i):
        """Nothing."""

    def move(target, at, source, count):
        """Copy numbers, see below."""
        target.reshape(-1)[at : at + count] = source.reshape(-1)[:count].copy()

    def lanes(dtype, like):
        """Numbers to work on, see below."""
        return np.zeros(_num_lanes(like.shape[0]), dtype)

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

    @intrinsic
    def lanes(typing_context, dtype, like):
        """Numbers to work on, on the stack, not set: as many as ``like`` has, and six or more.

        A loop over ten candidates is unrolled before LLVM looks for loops that vectors can do, and
        not looked at again. One over a multiple of sixteen is done sixteen at a time.
        """
        number = dtype.instance_type
        array = types.Array(number, 1, "C")
        length = _num_lanes(like.shape[0])

        def codegen(context, builder, signature, arguments):
            kind = context.get_data_type(number)
            made = context.make_array(array)(context, builder)
            item = context.get_constant(types.intp, context.get_abi_sizeof(kind))
            size = context.get_constant(types.intp, length)
            context.populate_array(
                made,
                data=cgutils.alloca_once(builder, kind, size=length),
                shape=cgutils.pack_array(builder, [size]),
                strides=cgutils.pack_array(builder, [item]),
                itemsize=item,
                meminfo=None,
            )
            return made._getvalue()

        return array(dtype, like), codegen

    @intrinsic
    def move(typing_context, target, at, source, count):
        """Copy the first ``count`` numbers of ``source`` to ``target``, from the ``at``-th on.

        Both are C-contiguous, of the same type, and may overlap.
        """

        def codegen(context, builder, signature, arguments):
            into, begin, out_of, number = arguments
            data = context.make_array(target)(context, builder, into).data
            given = context.make_array(source)(context, builder, out_of).data
            item = context.get_abi_sizeof(context.get_data_type(target.dtype))
            cgutils.raw_memmove(builder, builder.gep(data, [begin]), given, number, item)
            return context.get_dummy_value()

        return types.void(target, at, source, count), codegen
