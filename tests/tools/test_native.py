"""The models of the boards' CPUs: arithmetic, memory, calls and the cost of instructions."""

from pathlib import Path

import pytest

from tools import native
from tools.native import RISCV, XTENSA, blocks, mpy, riscv, xtensa
from tools.native.machine import MachineError, Memory
from tools.native.target import CYCLES, INSTRUCTIONS, REGISTERS, Instruction, Target

_SOURCE = """
import micropython

@micropython.viper
def arithmetic(a: int, b: int, n: int) -> int:
    x = (a + b) * 3 - (a ^ b) + (a & b) - (a | b)
    if a < b:
        x += 1
    if a >= b:
        x += 2
    if a == b or a != 7:
        x += 4
    return (x >> n) + (-a << n)

@micropython.viper
def quotient(a: int, b: int) -> int:
    return a // b * 1000 + a % b

def plain_bytecode_between():
    return [quotient(1, 1)]

@micropython.viper
def load8(buf: ptr8, at: int) -> int:
    return buf[at]

@micropython.viper
def load16(buf: ptr16, at: int) -> int:
    return buf[at]

@micropython.viper
def load32(buf: ptr32, at: int) -> int:
    return buf[at]

@micropython.viper
def store(bytes_: ptr8, halves: ptr16, words: ptr32, value: int):
    bytes_[1] = value
    halves[1] = value
    words[1] = value

@micropython.viper
def count_down(n: int):
    while n:
        n -= 1

@micropython.viper
def looks_a_name_up(n: int):
    print(n)

@micropython.viper
def shift_20(n: int) -> int:
    return n << 20
"""


@pytest.fixture(name="kernels", scope="module", params=native.TARGETS, ids=lambda t: t.name)
def _kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> native.Kernels:
    source = tmp_path_factory.mktemp("native") / "sample.py"
    source.write_text(_SOURCE)
    return native.load(source, request.param)


@pytest.mark.parametrize("a", [0, 7, -7, 12345, -99999])
@pytest.mark.parametrize("b", [1, -1, 7, 54321])
@pytest.mark.parametrize("n", [0, 3, 9])
def test_integer_arithmetic_is_pythons(kernels: native.Kernels, a: int, b: int, n: int) -> None:
    x = (a + b) * 3 - (a ^ b) + (a & b) - (a | b)
    x += (a < b) + 2 * (a >= b) + 4 * (a == b or a != 7)
    assert kernels.arithmetic(a, b, n) == (x >> n) + (-a << n)


@pytest.mark.parametrize(("a", "b"), [(7, 2), (-7, 2), (7, -2), (-7, -2)])
def test_division_rounds_down_as_the_runtime_does(kernels: native.Kernels, a: int, b: int) -> None:
    assert kernels.quotient(a, b) == a // b * 1000 + a % b


def test_loads_are_little_endian_and_without_sign(kernels: native.Kernels) -> None:
    data = bytes([0, 0, 0, 0, 0xFE, 0xFF, 0, 0])
    assert kernels.load8(data, 4) == 0xFE
    assert kernels.load16(data, 2) == 0xFFFE
    assert kernels.load32(data, 1) == 0xFFFE


def test_stores_are_cut_to_their_size(kernels: native.Kernels) -> None:
    octets, halves, words = bytearray(8), bytearray(8), bytearray(8)
    kernels.store(octets, halves, words, -2)
    assert octets == b"\0\xfe\0\0\0\0\0\0"
    assert halves == b"\0\0\xfe\xff\0\0\0\0"
    assert words == b"\0\0\0\0\xfe\xff\xff\xff"


def test_an_access_outside_a_buffer_is_an_error(kernels: native.Kernels) -> None:
    for at in (8, -1):
        with pytest.raises(MachineError, match="load of 1 bytes"):
            kernels.load8(bytes(8), at)
    with pytest.raises(MachineError, match="6 is outside a buffer of 7 bytes"):
        kernels.load16(bytes(7), 3)


def test_an_unaligned_access_is_an_error(kernels: native.Kernels) -> None:
    with pytest.raises(MachineError, match="not aligned"):
        kernels.load16(native.Skewed(bytes(8), 1), 0)
    with pytest.raises(MachineError, match="not aligned"):
        kernels.load32(native.Skewed(bytes(8), 2), 0)


def test_a_store_to_a_constant_is_an_error(kernels: native.Kernels) -> None:
    with pytest.raises(MachineError, match="read-only"):
        kernels.store(bytes(8), bytearray(8), bytearray(8), 0)


def test_a_call_with_wrong_arguments_is_an_error(kernels: native.Kernels) -> None:
    with pytest.raises(TypeError, match=r"load8\(\) does not take 1 arguments"):
        kernels.load8(bytes(8))
    with pytest.raises(MachineError, match="no integer"):
        kernels.load8(bytes(8), bytes(8))
    with pytest.raises(MachineError, match="no pointer"):
        kernels.load8(0, 0)


def test_integers_that_a_board_would_allocate_are_errors(kernels: native.Kernels) -> None:
    with pytest.raises(MachineError, match="no small integer"):
        kernels.count_down(1 << 30)
    with pytest.raises(MachineError, match="no small integer"):
        kernels.shift_20(1 << 10)


def test_a_kernel_that_needs_the_runtime_is_an_error(kernels: native.Kernels) -> None:
    with pytest.raises(MachineError, match="entry 5 of the runtime's function table"):
        kernels.looks_a_name_up(1)


def test_an_error_leaves_the_kernel_usable(kernels: native.Kernels) -> None:
    for _ in range(3):
        with pytest.raises(MachineError):
            kernels.load8(bytes(8), 9)
        assert kernels.load8(bytes(8), 7) == 0


def test_only_viper_functions_are_taken_from_a_module(kernels: native.Kernels) -> None:
    assert "count_down" in {kernel.name for kernel in kernels}
    with pytest.raises(AttributeError, match="no viper function plain_bytecode_between"):
        kernels.plain_bytecode_between()


def test_instructions_grow_linearly_with_a_loop(kernels: native.Kernels) -> None:
    def cost(n: int) -> int:
        kernels.count_down(n)
        return kernels.count_down.last_cost.instructions

    turn = cost(1) - cost(0)
    assert turn > 3
    assert cost(50) == cost(0) + 50 * turn


# The cost model: hand-made instructions, so that each rule stands alone.


def _run(
    *listing: tuple[str, ...], registers: dict[int, int] | None = None, target: Target = XTENSA
) -> list[int]:
    """Run instructions of 3 bytes from address 0; operands starting with @ are addresses."""
    instructions = [
        Instruction(
            3 * at,
            3,
            mnemonic,
            tuple(
                f"r[{text[1:]}]" if text.startswith("a") else int(text.lstrip("@"), 0)
                for text in operands
            ),
        )
        for at, (mnemonic, *operands) in enumerate(listing)
    ]
    memory = Memory()
    base = memory.map(bytearray(range(16)))
    translated = blocks.translate(instructions, base, target)
    state = [0] * REGISTERS
    state[1] = base
    for register, value in (registers or {}).items():
        state[register] = value
    address: int | None = 0
    while address is not None:
        address = translated[address](state, memory, lambda _address, _registers: 0)
    return state


def test_an_instruction_costs_one_cycle() -> None:
    state = _run(("movi", "a2", "5"), ("addi", "a3", "a2", "-6"), ("retw",))
    assert (state[INSTRUCTIONS], state[CYCLES]) == (3, 3)
    assert state[3] == 0xFFFFFFFF


def test_using_a_value_right_after_its_load_costs_a_cycle_more() -> None:
    at_once = _run(("l32i", "a2", "a1", "4"), ("mov", "a3", "a2"), ("retw",))
    later = _run(("l32i", "a2", "a1", "4"), ("movi", "a4", "1"), ("mov", "a3", "a2"), ("retw",))
    assert at_once[CYCLES] == at_once[INSTRUCTIONS] + 1
    assert later[CYCLES] == later[INSTRUCTIONS]
    assert at_once[3] == 0x07060504


def test_a_stall_between_two_blocks_counts_only_when_the_first_runs() -> None:
    listing = (
        ("beqz", "a5", "@6"),
        ("l32i", "a2", "a1", "0"),
        ("mov", "a3", "a2"),
        ("retw",),
    )
    through = _run(*listing, registers={5: 1})
    around = _run(*listing, registers={5: 0})
    assert through[CYCLES] == through[INSTRUCTIONS] + 1  # the stall
    assert around[CYCLES] == around[INSTRUCTIONS] + 2  # the branch


def test_a_multiplication_costs_two_cycles() -> None:
    state = _run(("mull", "a2", "a3", "a4"), ("retw",), registers={3: 0x10001, 4: 0x10001})
    assert state[CYCLES] == state[INSTRUCTIONS] + 1
    assert state[2] == 0x00020001


def test_a_taken_branch_costs_two_cycles_more_than_one_that_is_not() -> None:
    listing = (("blt", "a2", "a3", "@6"), ("movi", "a4", "1"), ("retw",))
    taken = _run(*listing, registers={2: 0xFFFFFFFF, 3: 0})
    fallen = _run(*listing, registers={2: 0, 3: 0xFFFFFFFF})
    assert (taken[INSTRUCTIONS], taken[CYCLES], taken[4]) == (2, 4, 0)
    assert (fallen[INSTRUCTIONS], fallen[CYCLES], fallen[4]) == (3, 3, 1)


def test_shifts_follow_the_shift_amount_register() -> None:
    state = _run(
        ("ssr", "a2"),
        ("sra", "a3", "a8"),
        ("srl", "a4", "a8"),
        ("ssl", "a2"),
        ("sll", "a5", "a8"),
        ("retw",),
        registers={2: 4, 8: 0x80000010},
    )
    assert (state[3], state[4], state[5]) == (0xF8000001, 0x08000001, 0x00000100)


def test_an_instruction_without_a_model_is_named() -> None:
    with pytest.raises(MachineError, match="no model of rsil at 0x0"):
        _run(("rsil", "a2", "0"), ("retw",))


# What a chip forbids


def test_code_memory_gives_an_esp32_whole_words_only() -> None:
    memory = Memory()
    code = memory.map(bytes(range(8)), by_words=True)
    assert memory.load32(code + 4) == 0x07060504
    for load in (memory.load8, memory.load16):
        with pytest.raises(MachineError, match="takes whole words only"):
            load(code)
    with pytest.raises(MachineError, match="read-only"):
        memory.store32(code, 0)


def test_a_literal_lies_on_a_word_before_the_instruction() -> None:
    jump, entry, ret = b"\x06\x01\x00\0", bytes.fromhex("366100"), bytes.fromhex("1df0")
    good = jump + bytes(4) + entry + bytes.fromhex("21ffff") + ret
    assert any(item.mnemonic == "l32r" for item in xtensa.decode(good))
    beyond = jump + bytes(4) + entry + bytes.fromhex("210080") + ret  # 128 KB back
    with pytest.raises(MachineError, match="can't reach a literal"):
        xtensa.decode(beyond)


def _caller_of(code: bytes, target: Target) -> native.Kernel:
    return native.Kernel("hand_made", code, 1, target)


def test_a_function_that_forgets_a_register_of_its_callers_is_an_error() -> None:
    keeps = bytes.fromhex("8280")  # ret
    assert _caller_of(keeps, RISCV)() is not None
    with pytest.raises(MachineError, match="returns with register 8 changed"):
        _caller_of(bytes.fromhex("0144") + keeps, RISCV)()  # li s0, 0
    with pytest.raises(MachineError, match="returns with register 2 changed"):
        _caller_of(bytes.fromhex("4111") + keeps, RISCV)()  # addi sp, sp, -16


def test_a_store_where_others_spill_registers_is_an_error() -> None:
    head, ret = b"\x06\0\0\0" + bytes.fromhex("368100"), bytes.fromhex("1df0")  # entry a1, 64
    assert _caller_of(head + bytes.fromhex("226107") + ret, XTENSA)() is not None  # [a1 + 28]
    with pytest.raises(MachineError, match="where its own registers may be spilled"):
        _caller_of(head + bytes.fromhex("22610a") + ret, XTENSA)()  # s32i a2, a1, 40


def test_a_jump_through_a_register_that_nobody_set_is_an_error() -> None:
    with pytest.raises(MachineError, match="a jump to nobody knows where"):
        riscv.decode(bytes.fromhex("0285"))  # jr a0


# .mpy files


def _compile(tmp_path: Path, source: str, arch: str = "xtensawin") -> bytes:
    path = tmp_path / "module.py"
    path.write_text(source)
    return mpy.compile_module(path, arch)


def test_a_file_for_another_cpu_is_refused(tmp_path: Path) -> None:
    data = _compile(tmp_path, _SOURCE, "armv7m")
    with pytest.raises(mpy.MpyError, match="wanted is 10"):
        mpy.parse(data, XTENSA)


def test_a_file_that_is_no_mpy_is_refused() -> None:
    with pytest.raises(mpy.MpyError, match=r"not a \.mpy of version 6"):
        mpy.parse(b"\x7fELF....", XTENSA)


def test_a_truncated_file_is_refused_at_every_length(tmp_path: Path) -> None:
    data = _compile(tmp_path, _SOURCE)
    for length in range(len(data)):
        with pytest.raises(mpy.MpyError):
            mpy.parse(data[:length], XTENSA)


def test_source_that_does_not_compile_is_refused_with_the_compilers_words(tmp_path: Path) -> None:
    with pytest.raises(mpy.MpyError, match="SyntaxError"):
        _compile(tmp_path, "def f(:\n")
