"""Files that do something when they are read by pickle."""

from __future__ import annotations

import base64
import json
import pickle
import zipfile
from pathlib import Path


class Bomb:
    """Unpickling it makes the file ``sign``."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.sign), "w")


def write_malicious_model(path: Path, sign: Path) -> None:
    """A model of Stable-Baselines3 that makes ``sign`` when it is loaded."""
    data = pickle.dumps(Bomb(sign))
    coded = base64.b64encode(data).decode()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", json.dumps({"policy_class": {":serialized:": coded}}))
        file.writestr("policy.pth", data)
