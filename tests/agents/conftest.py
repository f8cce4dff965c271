import os
import shutil

import pytest
import torch

# As in `make test`: with two threads and a second busy process, tiny networks take 50 times longer.
torch.set_num_threads(1)


@pytest.fixture
def browser():
    """Chromium, headless; skips where there is none.

    It needs ``pip install playwright`` and a Chromium: the one of ``playwright install chromium``,
    one on the PATH, or the one that the environment variable CHROMIUM names.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    named = os.environ.get("CHROMIUM")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=named or next(filter(None, found), None), args=["--no-sandbox"]
            )
        except api.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()
