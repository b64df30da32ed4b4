"""The rows of the checklist that are IPython's: each is a document of a few cells, run in a shell of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "programs"))

from running import run_in_ipython

CONNECT = "# %%\nimport paraply as ipp\nrc = ipp.Client()\nrc[:].clear(block=True);\n"


def test_s0_17_px_runs_a_line_on_all_engines(cluster: Any, tmp_path: Path) -> None:
    printed = run_in_ipython(CONNECT + "# %%\n%px x = 6 * 7\n# %%\nprint(rc[:]['x'])", tmp_path)
    assert "[42, 42, 42, 42]" in printed


def test_s1_06_timeit(cluster: Any, tmp_path: Path) -> None:
    cell = "# %%\n%timeit -n1 -r1 rc[2].apply_sync(len, 'abc')\n"
    assert "per loop" in run_in_ipython(CONNECT + cell, tmp_path)


def test_s1_26_px_imports_under_another_name(cluster: Any, tmp_path: Path) -> None:
    printed = run_in_ipython(CONNECT + "# %%\n%px import numpy as np\n# %%\nprint(rc[:]['np.__name__'])", tmp_path)
    assert "['numpy', 'numpy', 'numpy', 'numpy']" in printed


def test_s1_35_px_imports_what_only_engines_have(cluster: Any, tmp_path: Path) -> None:
    engines = "# %%\n%px import sys, types; sys.modules['wget'] = types.ModuleType('wget')\n# %%\n%px import wget\n"
    check = "# %%\nimport importlib.util\nprint(importlib.util.find_spec('wget'), rc[0]['wget.__name__'])"
    assert "None wget" in run_in_ipython(CONNECT + engines + check, tmp_path)


def test_s1_41_ls_lists_where_the_client_works(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "bloque6.zip").touch()
    assert "bloque6.zip" in run_in_ipython(CONNECT + "# %%\n%ls\n", tmp_path)


def test_s2_27_px_shows_what_engines_print(cluster: Any, tmp_path: Path) -> None:
    printed = run_in_ipython(CONNECT + "# %%\n%px print('hi')\n", tmp_path)
    assert sorted(printed.splitlines()) == [f"[stdout:{engine}] hi" for engine in range(4)]


def test_s2_29_px_cell(cluster: Any, tmp_path: Path) -> None:
    cell = "# %%\n%%px\nimport math\nF=2.0*math.sin(0.25*math.pi)\nprint(F)\n"
    printed = run_in_ipython(CONNECT + cell, tmp_path)
    assert sorted(printed.splitlines()) == [f"[stdout:{engine}] 1.414213562373095" for engine in range(4)]


def test_an_error_is_shown_after_the_output(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        run_in_ipython(CONNECT + "# %%\n%px print('before'); 1 / 0\n", tmp_path)
    printed = str(caught.value)
    assert printed.index("[stdout:0] before") < printed.index("ZeroDivisionError: division by zero")
    assert "4 errors" in printed


DISPLAYS = "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))\nprint('text')\n"


def test_displays_and_results_are_shown_after_what_was_streamed(cluster: Any, tmp_path: Path) -> None:
    printed = run_in_ipython(f"{CONNECT}# %%\n%%px\n{DISPLAYS}6 * 7\n", tmp_path)
    for engine in range(4):
        assert printed.count(f"[stdout:{engine}] text") == 1
        assert f"[output:{engine}]\n<IPython.core.display.HTML object>" in printed
        assert f"Out[{engine}:" in printed
    assert printed.rindex("[stdout:") < printed.index("[output:0]") < printed.index("Out[0:")


def test_displays_are_shown_before_an_error(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        run_in_ipython(f"{CONNECT}# %%\n%%px\n{DISPLAYS}1 / 0\n", tmp_path)
    printed = str(caught.value)
    assert printed.index("[output:0]") < printed.index("ZeroDivisionError: division by zero")
