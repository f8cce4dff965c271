"""Refusing a file costs seconds and megabytes, however far it unpacks, and says which it was."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livestream_env.logs import read_logs, read_twitch
from livestream_env.logs import source as source_module
from livestream_env.logs import table_file as table_file_module
from tests.logs.files import lines, write

MEBIBYTE = 1 << 20
RUN = """
import resource, sys, time
from livestream_env.logs import read_logs
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
try:
    read_logs(sys.argv[1])
    print("taken")
except ValueError as error:
    print(" ".join(str(error).split()))
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def refusal(path: Path, seconds: float = 30.0) -> str:
    """What is said of the file; it took less than so many seconds, and than 1 GiB more memory."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path)], capture_output=True, text=True, check=True
    )
    message, figures = done.stdout.splitlines()
    passed_s, kibibytes = map(float, figures.split())
    assert passed_s < seconds and kibibytes < MEBIBYTE, (message, passed_s, kibibytes)
    return message


def zipped(path: Path, name: str, pieces) -> Path:
    """The small log, its file ``name`` replaced by what ``pieces`` are together."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, text in lines().items():
            if other != name:
                archive.writestr(f"{other}.csv", "\n".join(text))
        with archive.open(f"{name}.csv", "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece)
    return path


def header(name: str) -> bytes:
    return lines()[name][0].encode() + b"\n"


@pytest.mark.slow
@pytest.mark.parametrize("piece", [b"\n" * MEBIBYTE, b"1" * MEBIBYTE, b"1,2,3,4,5\n" * 104_858])
def test_a_zip_bomb(tmp_path, piece):
    path = zipped(tmp_path / "log.zip", "click", [header("click"), *([piece] * 512)])
    assert path.stat().st_size < 10 * MEBIBYTE
    assert "log.zip:click.csv would unpack from" in refusal(path, 10.0)


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"\n", b"?\n", b"?" * 999 + b"\n"])
def test_lines_in_vain_that_are_packed_little(tmp_path, line):
    """Noise keeps the file from being a bomb."""
    noise = np.random.default_rng(0).integers(128, 256, 9 * MEBIBYTE, np.uint8).tobytes()
    count = 200 * MEBIBYTE // len(line)
    path = zipped(tmp_path / "log.zip", "click", [header("click"), line * count, noise])
    message = refusal(path)
    assert "log.zip:click.csv" in message and message != "taken"


@pytest.mark.slow
@pytest.mark.parametrize("text", ["?", '"', "9" * 300_000])
def test_a_plain_file_of_one_kind_of_garbage(tmp_path, text):
    path = write(tmp_path / "log", lines())
    body = (text + "\n") * (10 * MEBIBYTE // (len(text) + 1))
    (path / "click.csv").write_text(lines()["click"][0] + "\n" + body)
    message = refusal(path)
    assert "click.csv: none of its" in message or "click.csv has" in message


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(table_file_module, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(table_file_module, "BLOCK_BYTES", 64)
    path = write(tmp_path / "log", lines() | {"click": [*lines()["click"], "1" * 2000]})
    with pytest.raises(ValueError, match=r"click\.csv: line 8 is longer than 1,000 bytes"):
        read_logs(path)
    path = write(tmp_path / "other", lines() | {"click": ["x" * 2000, "1"]})
    with pytest.raises(ValueError, match=r"click\.csv: its first line is longer than 1,000 bytes"):
        read_logs(path)


def test_a_field_of_the_header_that_is_too_long(tmp_path):
    first, *rest = lines()["click"]
    path = write(tmp_path, lines() | {"click": [f"{first},{'x' * 140_000}", *rest]})
    with pytest.raises(ValueError, match=r"click\.csv has a first line that cannot be read"):
        read_logs(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_too_many_columns(tmp_path, suffix):
    path = write(tmp_path, lines())
    names = [f"c{i}" for i in range(20_000)]
    (path / "click.csv").write_text(",".join(names) + "\n")
    if suffix == "parquet":
        (path / "click.csv").unlink()
        pq.write_table(
            pa.table({name: pa.array([], "i8") for name in names}), path / "click.parquet"
        )
    with pytest.raises(ValueError, match=rf"click\.{suffix} has 20,000 columns, at most 4,096"):
        read_logs(path)


def test_mostly_unusable_or_blank_lines_end_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(table_file_module, "MAX_LINES_IN_VAIN", 10)
    monkeypatch.setattr(table_file_module, "BLOCK_BYTES", 64)
    good = lines()["click"]
    path = write(tmp_path / "a", lines() | {"click": [*good, *["?"] * 1000]})
    with pytest.raises(
        ValueError, match=r"click\.csv has \d\d unusable lines among its first \d\d"
    ):
        read_logs(path)
    path = write(tmp_path / "b", lines() | {"click": [*good, *[""] * 1000]})
    with pytest.raises(ValueError, match=r"click\.csv has \d\d\d blank lines among its first"):
        read_logs(path)
    path = write(tmp_path / "c", lines() | {"click": [*good, *good[1:], *["?"] * 9]})
    assert len(read_logs(path).click) == 6


def test_a_constant_column_of_parquet(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "UNPACKED_BYTES", 1 << 16)
    path = write(tmp_path, lines())
    (path / "click.csv").unlink()
    constant = pa.array(np.ones(1_000_000, np.int64))
    names = lines()["click"][0].split(",")
    pq.write_table(pa.table(dict.fromkeys(names, constant)), path / "click.parquet")
    with pytest.raises(ValueError, match=r"click\.parquet would unpack from [\d,]+ to 8,000,000"):
        read_logs(path)


def test_an_array_of_titles_that_unpacks_to_too_much(tmp_path, monkeypatch):
    path = write(tmp_path, lines())
    np.savez_compressed(path / "title_embeddings.npz", a=np.zeros((10_000, 100), np.float32))
    monkeypatch.setattr(source_module, "UNPACKED_BYTES", 1 << 16)
    with pytest.raises(ValueError, match=r"title_embeddings\.npz would unpack from"):
        read_logs(path)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("block", [1 << 20, 7])
def test_line_ends(tmp_path, monkeypatch, end, block):
    monkeypatch.setattr(table_file_module, "BLOCK_BYTES", block)
    expected = read_logs(write(tmp_path / "a", lines()))
    path = write(tmp_path / "b", lines())
    for file in path.glob("*.csv"):
        file.write_bytes(file.read_bytes().replace(b"\n", end.encode()))
    found = read_logs(path)
    assert found.click.equals(expected.click) and found.room.equals(expected.room)
    assert found.user.equals(expected.user)
    noted = "has line ends of old Macs" in found.report.files["click"].notes
    assert noted == (end == "\r")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_names_that_read_like_missing_values_are_names(tmp_path, suffix):
    names = ["null", "NA", "nan", "None", "NULL", "NaN", "\\N", "007", "7", "ninja", "true", "1e5"]
    users = range(len(names))
    path = tmp_path / f"100k_a.{suffix}"
    if suffix == "csv":
        path.write_text("".join(f"{i},{1000 + i},{names[i]},1,3\n" for i in users))
    else:
        columns = (users, range(1000, 1000 + len(names)), names, [1] * len(names), [3] * len(names))
        keys = ("user_id", "live_id", "streamer", "start", "stop")
        pq.write_table(pa.table(dict(zip(keys, map(list, columns), strict=True))), path)
    assert set(read_twitch(path).streamer["name"]) == set(names)


def test_texts_of_users_too_and_beside_a_row_that_cannot_be_read(tmp_path):
    first, *rows = lines()["user"]
    rows = [row.replace("24-30", "NULL").replace("50+", "") for row in rows]
    for number, table in enumerate(([first, *rows], [first, *rows, "?,1"])):
        age = read_logs(write(tmp_path / str(number), lines() | {"user": table})).user["age"]
        assert list(age.astype(object))[:2] == ["NULL", "18-23"] and age.isna()[2]


@pytest.mark.parametrize("value", ["", "NULL", "NA", "nan"])
def test_moments_may_still_be_empty(tmp_path, value):
    """Of KuaiLive-M3, whose rooms may have an end that is not known."""
    from livestream_env.logs.parsing import Parser
    from livestream_env.logs.schema import MISSING, Column

    column = Column("end", "moment", nullable=True)
    parser = Parser(["id", "end"], {"id": Column("id"), "end": column}, 8.0)
    block = f"1,2025-05-05 20:00:00\n2,{value}\n".encode()
    fast = parser._fast_csv(block, 1, 2).columns["end"]
    (slow,) = [parser._slow_csv(block, 1, True).columns["end"]]
    assert fast.tolist() == slow.tolist() and fast[1] == MISSING
