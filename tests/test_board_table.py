"""The table of machines: what bundles, emulation and instruction counts read."""

from conftest import ROOT

from workstation.boards import COUNTED, EMULATED, TABLE, TARGETS


def test_every_row_has_a_name_and_a_use_of_its_own() -> None:
    assert len({board.name for board in TABLE}) == len(TABLE)
    targets = [board.target for board in TABLE if board.target]
    assert len(set(targets)) == len(targets)
    assert {board.name for board in TABLE} == {*EMULATED, *(board.name for board in TABLE if board.target)}


def test_every_lock_of_a_row_exists() -> None:
    for board in TABLE:
        for lock in board.locks:
            assert (ROOT / f"requirements/board-{lock}.txt").exists(), (board.name, lock)


def test_an_emulated_cpu_that_is_not_counted_equals_one_that_is_or_is_32_bit() -> None:
    cpus = {EMULATED[name].cpu for name in COUNTED}
    for board in EMULATED.values():
        assert board.cpu in cpus or board.system.architecture == "armhf", board.name


def test_a_target_is_named_after_its_board_and_system() -> None:
    for board in TABLE:
        if board.target:
            assert board.target in (board.name, f"{board.name}-{board.system.suite}")
            assert TARGETS[board.target] is board.system
