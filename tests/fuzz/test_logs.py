"""Damaged logs of every format are read or refused, soon, and by a ValueError that names them."""

from __future__ import annotations

import functools
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from livestream_env.logs import read_kuailive_m3, read_logs, read_twitch
from tests.fuzz.harness import find_nothing
from tests.logs.files import lines, to_parquet, to_zip, write

GIBIBYTE = 1 << 30
TOKENS = (b"\0", b"\n", b"\r", b"\r\n", b'"', b",", b"\xff\xfe", b"\xef\xbb\xbf", b"-1", b"NULL")
TOKENS += (b"9" * 25, b"1e309", b"nan", b"\xed\xa0\x80", b"x" * 200_000, b"\n" * 5000, b"," * 5000)
FORMATS = ("csv", "parquet", "zip", "zip of parquet", "npy", "npz", "twitch", "m3")


@functools.cache
def _originals() -> Path:
    """A log in every format, made once per process."""
    root = Path(tempfile.mkdtemp(prefix="fuzz_logs_"))
    for name in FORMATS:
        write(root / name / "log", lines())
    to_parquet(root / "parquet" / "log")
    to_zip(root / "zip" / "log")
    to_parquet(root / "zip of parquet" / "log")
    to_zip(root / "zip of parquet" / "log")
    titles = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.save(root / "npy" / "log" / "title_embeddings.npy", titles)
    np.savez_compressed(root / "npz" / "log" / "title_embeddings.npz", titles)
    for name in ("zip", "zip of parquet"):
        shutil.rmtree(root / name / "log")
    shutil.rmtree(root / "twitch" / "log")
    (root / "twitch" / "log").mkdir()
    rows = "".join(f"{i % 3},{1000 + i % 5},name{i % 5},{i},{i + 3}\n" for i in range(50))
    (root / "twitch" / "log" / "100k_a.csv").write_text(rows)
    renamed = {"user": "user_id_set", "streamer": "author_profile", "room": "live_room_meta"}
    renamed |= {"click": "live_interaction", "negative": "live_show"}
    for old, new in renamed.items():
        table = (root / "m3" / "log" / f"{old}.csv").read_text()
        table = table.replace("watch_live_time", "play_duration")
        (root / "m3" / "log" / f"{new}.csv").write_text(table)
    for path in (root / "m3" / "log").glob("*.csv"):
        if path.stem not in renamed.values():
            path.unlink()
    return root


def prepare() -> None:
    """What the cases share: all formats can be read as they are."""
    for name in FORMATS:
        assert _read(_originals() / name / "log", name) == "read", name


def _read(folder: Path, name: str) -> str:
    path = folder if folder.is_dir() else folder.with_suffix(".zip")
    reader = {"twitch": read_twitch, "m3": read_kuailive_m3}.get(name, read_logs)
    try:
        logs = reader(path)
    except FileNotFoundError as error:
        assert str(path) in str(error), error
        return "refused: not there"
    except ValueError as error:
        assert str(path) in str(error), f"does not name the log: {error}"
        return "refused"
    assert len(logs.click) == logs.report.files[_clicks(name)].kept
    return "read"


def _clicks(name: str) -> str:
    return {"twitch": "100k_a", "m3": "live_interaction"}.get(name, "click")


def _damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, insert, repeat or remove something, once or a few times."""
    for _ in range(rng.integers(1, 4)):
        size = len(content)
        at, end = sorted(rng.integers(0, size + 1, 2).tolist())
        match rng.integers(7):
            case 0 if size:
                one = bytearray(content)
                one[min(at, size - 1)] ^= 1 << rng.integers(8)
                content = bytes(one)
            case 1:
                content = content[:at]
            case 2:
                content = content[:at] + TOKENS[rng.integers(len(TOKENS))] + content[at:]
            case 3:
                content = content[:at] + rng.bytes(int(rng.integers(1, 64))) + content[at + 8 :]
            case 4:
                content = content[:at] + content[at:end] * int(rng.integers(2, 20)) + content[end:]
            case 5:
                content = content[:at] + content[end:]
            case _:
                old, new = (TOKENS[i] for i in rng.integers(len(TOKENS), size=2))
                content = content.replace(old[:3], new[:3])
    return content


def try_log(seed: int) -> str:
    """Damage one file of a log, packed or in what is packed, and read it."""
    rng = np.random.default_rng(seed)
    name = FORMATS[seed % len(FORMATS)]
    with tempfile.TemporaryDirectory(prefix="fuzz_log_") as folder:
        copy = Path(folder) / name
        shutil.copytree(_originals() / name, copy)
        files = sorted(file for file in copy.rglob("*") if file.is_file())
        if name in ("npy", "npz"):
            files = [file for file in files if file.suffix != ".csv"]
        file = files[rng.integers(len(files))]
        if file.suffix == ".zip" and rng.random() < 0.5:
            with zipfile.ZipFile(file) as archive:
                members = {member: archive.read(member) for member in archive.namelist()}
            member = sorted(members)[rng.integers(len(members))]
            members[member] = _damage(members[member], rng)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for key, content in members.items():
                    archive.writestr(key, content)
        else:
            file.write_bytes(_damage(file.read_bytes(), rng))
        return f"{name}: {_read(copy / 'log', name)}"


@pytest.mark.slow
@pytest.mark.fuzz
def test_damaged_logs() -> None:
    find_nothing("tests.fuzz.test_logs:try_log", more_memory=2 * GIBIBYTE)
