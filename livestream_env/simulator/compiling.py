"""How the simulator's functions are compiled, and one thing that only machine code knows."""

# mypy: disable-error-code="no-untyped-def, call-overload, import-untyped"
from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic

from livestream_env.code_cache import cached_njit, compiling
from livestream_env.simulator.state import PLAIN_PYTHON, kernel_array

_COMMON: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Who calls the kernel keeps the arrays alive. Counting references to them would cost two atomic
    # operations whenever one is used, and the world's are used a hundred times in a step.
    "_nrt": False,
}
entry_point = cached_njit(no_cfunc_wrapper=True, **_COMMON)
# Into their callers: a function that is called takes the arrays of the world by value, which costs
# more than most of what these functions do. Wrappers for Python would double the time to compile.
inlined = njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_COMMON)


def plain(function: Any) -> Callable[..., Any]:
    """The Python function behind a compiled one; where it only calculates, it takes arrays."""
    return cast(Callable[..., Any], getattr(function, "py_func", function))


def machine_code(what: str, function: Any, *arguments: Any) -> Callable[..., Any]:
    """What an entry point is compiled to for arguments of the types of these.

    Calling the entry point itself looks at every argument's type anew, which takes longer than
    all else around the kernel. What is returned looks at the number of dimensions and the size of
    the items and no further: it is for who makes the arrays, and knows their types. Where there is
    no machine code it is the plain function. ``what`` it is is told if it has to be compiled.
    """
    if PLAIN_PYTHON:
        return lambda *given: function(
            *(kernel_array(a) if isinstance(a, np.ndarray) else a for a in given)
        )
    with compiling(what):
        return _on_a_stack_of_its_own(function.compile, tuple(map(typeof, arguments)))


def _on_a_stack_of_its_own(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that calls many others, as a compiler does.

    CPython 3.11 and later keeps the frames of Python functions in chunks of 16 KiB. A call that
    does not fit maps a new chunk, its return unmaps it, and a loop that calls across such an end
    does so in every turn: 360,000 times, for a quarter of the time that this kernel takes to
    compile. This frame asks for so large a chunk that all the compiler's frames have room in it.
    """
    return function(*arguments)


_HALF_A_MEBIBYTE = 1 << 16  # words: a chunk has a power of two, so that as much is left over
_on_a_stack_of_its_own.__code__ = _on_a_stack_of_its_own.__code__.replace(
    co_stacksize=_HALF_A_MEBIBYTE
)


_CACHE_LINE = 64  # bytes
_LANES = 16  # float32 in the widest vector register


def _num_lanes(length: int, spare: int) -> int:
    return -(-(length + spare) // _LANES) * _LANES


if PLAIN_PYTHON:

    def prefetch(array, i):
        """Nothing."""

    def after(array, count):
        """The numbers of ``array`` (1-D, C-contiguous) after the first ``count``."""
        return array[count:]

    def move(target, at, source, count):
        """Copy the first ``count`` numbers of ``source`` to ``target``, from the ``at``-th on."""
        target.reshape(-1)[at : at + count] = source.reshape(-1)[:count].copy()

    def lanes(dtype, like, spare):
        """Numbers to work on: ``like`` has as many, but for ``spare`` more and rounding up."""
        return np.zeros(_num_lanes(like.shape[0], spare), dtype)

    def position(array, value):
        """Where ``value`` is first in ``array``, or -1."""
        return int(np.append(np.flatnonzero(array == value), -1)[0])

    def dot(x, y):
        """Scalar product of two vectors of a multiple of four components, as four sums."""
        a, b, c, d = (x * y).reshape(-1, 4).cumsum(0)[-1]
        return (a + c) + (b + d)

else:
    # In loops over ten candidates LLVM finds nothing for vector registers, because it unrolls them
    # before it looks. Here they are used by name, or through loops of a length that it leaves.

    @intrinsic
    def prefetch(typing_context, array, i):
        """Ask for the item ``array[i]`` to be brought into the cache, and do not wait for it.

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
            size = context.get_abi_sizeof(context.get_data_type(array.dtype))
            for at in range(0, size, _CACHE_LINE):
                line = builder.gep(place, [number(at)])
                builder.call(function, [line, read, keep, data_cache])
            return context.get_dummy_value()

        return types.void(array, i), codegen

    @intrinsic
    def after(typing_context, array, count):
        """The numbers of ``array`` (1-D, C-contiguous) after the first ``count``.

        As ``array[count:]``, which looks at the sign and the size of the count, and has Numba work
        for a twentieth of a second.
        """

        def codegen(context, builder, signature, arguments):
            given = context.make_array(array)(context, builder, arguments[0])
            rest = context.make_array(array)(context, builder)
            length = builder.sub(builder.extract_value(given.shape, 0), arguments[1])
            context.populate_array(
                rest,
                data=builder.gep(given.data, [arguments[1]]),
                shape=cgutils.pack_array(builder, [length]),
                strides=given.strides,
                itemsize=given.itemsize,
                meminfo=None,
            )
            return rest._getvalue()

        return array(array, count), codegen

    @intrinsic
    def move(typing_context, target, at, source, count):
        """Copy the first ``count`` numbers of ``source`` to ``target``, from the ``at``-th on.

        Both are C-contiguous, of the same type, and may overlap.
        """

        def codegen(context, builder, signature, arguments):
            into, begin, out_of, number = arguments
            data = context.make_array(target)(context, builder, into).data
            given = context.make_array(source)(context, builder, out_of).data
            size = context.get_abi_sizeof(context.get_data_type(target.dtype))
            cgutils.raw_memmove(builder, builder.gep(data, [begin]), given, number, size)
            return context.get_dummy_value()

        return types.void(target, at, source, count), codegen

    @intrinsic(prefer_literal=True)
    def lanes(typing_context, dtype, like, spare):
        """Numbers to work on, on the stack, not set: as many as ``like`` has, and ``spare`` more.

        Rounded up to a multiple of sixteen: a long loop over so many is done sixteen at a time.
        """
        number = dtype.instance_type
        array = types.Array(number, 1, "C")
        length = _num_lanes(like.shape[0], spare.literal_value)

        def codegen(context, builder, signature, arguments):
            kind = context.get_data_type(number)
            made = context.make_array(array)(context, builder)
            item = context.get_constant(types.intp, context.get_abi_sizeof(kind))
            shape = [context.get_constant(types.intp, length)]
            context.populate_array(
                made,
                data=cgutils.alloca_once(builder, kind, size=length),
                shape=cgutils.pack_array(builder, shape),
                strides=cgutils.pack_array(builder, [item]),
                itemsize=item,
                meminfo=None,
            )
            return made._getvalue()

        return array(dtype, like, spare), codegen

    def _vector(context, builder, array, value, first, count):
        """``count`` items of an array from the ``first`` on, as one LLVM value."""
        kind = ir.VectorType(context.get_data_type(array.dtype), count)
        data = context.make_array(array)(context, builder, value).data
        place = builder.gep(data, [ir.IntType(64)(first)])
        loaded = builder.load(builder.bitcast(place, kind.as_pointer()))
        loaded.align = context.get_abi_sizeof(context.get_data_type(array.dtype))
        return loaded

    @intrinsic
    def position(typing_context, array, value):
        """Where ``value`` is first in ``array``, a field of a record; or -1."""
        length = array.shape[0]

        def codegen(context, builder, signature, arguments):
            items = _vector(context, builder, array, arguments[0], 0, length)
            one, index = ir.VectorType(items.type.element, 1), ir.VectorType(ir.IntType(32), length)
            wanted = builder.insert_element(
                ir.Constant(one, ir.Undefined), arguments[1], index.element(0)
            )
            wanted = builder.shuffle_vector(
                wanted, ir.Constant(one, ir.Undefined), ir.Constant(index, [0] * length)
            )
            found = builder.bitcast(builder.icmp_signed("==", items, wanted), ir.IntType(length))
            first = builder.cttz(found, ir.IntType(1)(0))
            wide = ir.IntType(64)
            first = builder.zext(first, wide) if length < 64 else builder.trunc(first, wide)
            none = builder.icmp_unsigned("==", found, found.type(0))
            return builder.select(none, wide(-1), first)

        return types.int64(array, array.dtype), codegen

    @intrinsic
    def dot(typing_context, x, y):
        """Scalar product of two vectors, fields of records, of a multiple of four components."""

        def codegen(context, builder, signature, arguments):
            total = None
            for first in range(0, x.shape[0], 4):
                pair = [
                    _vector(context, builder, kind, value, first, 4)
                    for kind, value in zip((x, y), arguments, strict=True)
                ]
                product = builder.fmul(*pair)
                total = product if total is None else builder.fadd(total, product)
            a, b, c, d = (builder.extract_element(total, ir.IntType(32)(i)) for i in range(4))
            return builder.fadd(builder.fadd(a, c), builder.fadd(b, d))

        return types.float32(x, y), codegen
