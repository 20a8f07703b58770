"""Tasks in real processes of their own; none of these needs Spark, so none may start it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from emulator.compute.environments import DependencyError, Environment
from emulator.compute.spec import TaskSpec
from tests.emulator.compute_tools import VOLUME, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("tasks"))
    yield bench
    assert not bench.settings.compute_file.exists(), "a task without SQL started Spark"
    bench.compute.stop()


def test_a_notebook_has_widgets_includes_and_an_exit_value(bench):
    bench.notebook("included = dbutils.widgets.get('given')", path="/Shared/lib/part")
    result, log = bench.run_notebook(
        "# MAGIC %md\n# MAGIC # A title",
        "dbutils.widgets.text('a', 'default')\n"
        "dbutils.widgets.dropdown('b', 'x', ['x', 'y'])\n"
        "print(dbutils.widgets.getAll())",
        '# MAGIC %run ./lib/part $given="from run"',
        "print(included)\nfrom pathlib import Path\nprint(Path.cwd())",
        "dbutils.jobs.taskValues.set('rows', 3)\n"
        "try:\n    dbutils.notebook.exit('done')\nexcept Exception:\n    print('caught')",
        "print('not reached')",
        b="y",
    )
    assert (result.status, result.value, result.task_values) == ("SUCCESS", "done", {"rows": 3})
    assert log.splitlines() == ["{'a': 'default', 'b': 'y'}", "from run", "/Workspace/Shared"]


def test_an_error_shows_the_authors_lines_only(bench):
    result, log = bench.run_notebook("x = 1", "def check(n):\n    return n / 0\n\ncheck(x)")
    assert result.error == "ZeroDivisionError: division by zero"
    assert result.error_trace is not None
    assert '"/Workspace/Shared/notebook", line 7, in <module>\n    check(x)' in result.error_trace
    assert "line 5, in check\n    return n / 0" in result.error_trace
    assert "emulator" not in result.error_trace
    assert result.error_trace in log


def test_a_task_is_told_whatever_keeps_spark_from_it(bench, monkeypatch):
    def fails() -> None:
        raise KeyError("broken on purpose")

    monkeypatch.setattr(bench.compute, "ensure_started", fails)
    result, _ = bench.run_notebook("spark.range(1).count()")
    assert result.error == "SparkUnavailableError: KeyError: 'broken on purpose'"


def test_what_cannot_be_done_says_so(bench):
    calls = {
        "dbutils.widgets.get('none')": "No input widget named none is defined",
        "dbutils.secrets.get('vault', 'key')": "with scope: vault and key: key",
        "dbutils.jobs.taskValues.get('a', 'b')": "outside of a job context",
        "dbutils.notebook.run('./gone')": "'/Workspace/Shared/gone': it does not exist",
        "dbutils.fs.ls('/tmp')": "only paths below /Volumes and /Workspace",
        "dbutils.fs.put('/Volumes/a/b/c/d', '')": "no such volume",
    }
    cell = (
        f"for call in {list(calls)!r}:\n"
        "    try:\n        eval(call)\n"
        "    except Exception as error:\n        print(repr(str(error)))"
    )
    _, log = bench.run_notebook(cell)
    for line, expected in zip(log.splitlines(), calls.values(), strict=True):
        assert expected in line
    result, _ = bench.run_notebook("x = 1", "def broken(:")
    assert "SyntaxError: invalid syntax (notebook, line 4)" in str(result.error)


@pytest.mark.parametrize(
    ("requirement", "error"),
    [
        ("no-such-package", "no-such-package is not installed here"),
        ("pyyaml==1.0", "pyyaml==1.0 does not fit: version"),
        ("py yaml", "no requirement that pip knows"),
        ("/Volumes/a/b/c/x.tar.gz", "only wheels"),
        ("/opt/x.whl", "neither below /Volumes nor below /Workspace"),
    ],
)
def test_dependencies_that_cannot_be_had_name_themselves(bench, requirement, error):
    environment = Environment(bench.settings)
    environment.install(["pyyaml>=6", "pandas"])
    with pytest.raises(DependencyError, match=error):
        environment.install([requirement])


def test_notebooks_run_other_notebooks(bench):
    bench.notebook(
        "dbutils.notebook.exit(dbutils.widgets.get('n') + '!')", path="/Shared/lib/other"
    )
    bench.notebook("import time\ntime.sleep(30)", path="/Shared/lib/slow")
    result, _ = bench.run_notebook(
        "own = 1\nanswer = dbutils.notebook.run('lib/other', 0, {'n': 'x'})\n"
        "dbutils.notebook.exit(f'{answer} {own}')"
    )
    assert result.value == "x! 1"
    result, _ = bench.run_notebook("dbutils.notebook.run('lib/slow', 1)")
    assert result.error == "TimeoutError: /Workspace/Shared/lib/slow did not end within 1 s"


def test_a_wheel_comes_from_the_tasks_environment_and_nowhere_else(bench):
    code = "import sys, product.part\ndef main():\n    print(sys.argv[1:], product.part.NAME)\n"
    wheel = bench.wheel(
        {"product/__init__.py": code, "product/part.py": "NAME = 'part'"},
        entry_points="go = product:main",
    )
    payload = {"package_name": "product", "entry_point": "go", "named_parameters": {"a": "1"}}
    result, log = bench.run("python_wheel", payload, dependencies=[wheel])
    assert (result.status, log) == ("SUCCESS", "['--a=1'] part\n")
    payload = {"package_name": "product", "entry_point": "main", "parameters": ["x"]}
    result, log = bench.run("python_wheel", payload, dependencies=[wheel])
    assert (result.status, log) == ("SUCCESS", "['x'] part\n")
    result, _ = bench.run("python_wheel", payload)
    assert "does the task's environment name its wheel?" in str(result.error)
    payload["entry_point"] = "typo"
    result, _ = bench.run("python_wheel", payload, dependencies=[wheel])
    assert "has no entry point typo; it has: go" in str(result.error)


def test_a_new_wheel_at_the_same_path_is_a_new_wheel(bench):
    payload = {"package_name": "changing", "entry_point": "main"}
    for version in ("one", "two"):
        files = {"changing.py": f"def main():\n    print('{version}')"}
        wheel = bench.wheel(files, name="changing")
        assert bench.run("python_wheel", payload, dependencies=[wheel])[1] == f"{version}\n"


def test_missing_wheels_and_requirements_name_themselves(bench):
    payload = {"package_name": "needy", "entry_point": "main"}
    result, _ = bench.run("python_wheel", payload, dependencies=[f"{VOLUME}/gone-1.whl"])
    assert result.error is not None and f"no such wheel: {VOLUME}/gone-1.whl" in result.error
    wheel = bench.wheel({"needy.py": ""}, name="needy", requires="pyyaml (>=99)")
    result, _ = bench.run("python_wheel", payload, dependencies=[wheel])
    assert result.error is not None and "(needed by needy) does not fit" in result.error


def test_code_of_the_checkout_is_out_of_reach(bench):
    cell = (
        "import importlib.util, os, subprocess, sys\n"
        "names = ['infra', 'tools', 'workloads', 'health_monitor', 'tests']\n"
        "print([n for n in names if importlib.util.find_spec(n)])\n"
        "print(os.environ.get('PYTHONPATH'), os.environ['DATABRICKS_HOST'])"
    )
    _, log = bench.run_notebook(cell)
    assert log.splitlines() == ["[]", "None http://127.0.0.1:9"]


def test_scripts_and_their_exit_codes(bench):
    bench.file("/Shared/helper_module.py", "VALUE = 7")
    bench.file(
        "/Shared/run.py",
        "import sys, helper_module\nprint(sys.argv[1:], __name__)\nsys.exit(int(sys.argv[1]))",
    )
    payload = {"python_file": "/Workspace/Shared/run.py", "parameters": ["0"]}
    result, log = bench.run("spark_python", payload)
    assert (result.status, log) == ("SUCCESS", "['0'] __main__\n")
    result, _ = bench.run("spark_python", {**payload, "parameters": ["3"]})
    assert (result.status, result.error) == ("FAILED", "SystemExit: 3")
    result, _ = bench.run("spark_python", {"python_file": "/Shared/gone.py"})
    assert result.error == "ProgramError: no such Python file: /Shared/gone.py"


def test_a_process_that_vanishes_is_a_failure_with_its_signal(bench):
    result, _ = bench.run_notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (result.status, result.error) == (
        "FAILED",
        "The task's process ended: killed by signal 9.",
    )


def test_time_limits_and_cancel_end_the_process(bench):
    bench.notebook("print('began')\nimport time\ntime.sleep(60)", path="/Shared/sleepy")
    payload = {"notebook_path": "/Shared/sleepy"}
    result, _ = bench.run("notebook", payload, timeout_seconds=2)
    assert (result.status, result.error) == ("TIMEDOUT", "The task did not end within 2 s.")
    cancel = threading.Event()
    seen: list[str] = []

    def note(text: str) -> None:
        seen.append(text)
        cancel.set()

    began = time.monotonic()
    spec = TaskSpec("notebook", payload, "canceled")
    result = bench.compute.run_task(spec, on_output=note, cancel=cancel)
    assert result.status == "CANCELED" and "".join(seen) == "began\n"
    assert time.monotonic() - began < 30


def test_mounted_folders_look_like_themselves(bench):
    cell = f'''
import glob, io, os, shutil, sys, zipfile
from pathlib import Path
root = Path("{VOLUME}/data")
root.mkdir()
(root / "a.txt").write_text("one")
with open(f"{{root}}/b.txt", "w") as f:
    f.write("two")
shutil.copytree(root, f"{{root}}/copy")
os.rename(root / "b.txt", root / "c.txt")
print(sorted(os.listdir(root)), sorted(p.name for p in root.rglob("*.txt")))
print(sorted(e.path for e in os.scandir(root) if e.is_file()), glob.glob(f"{{root}}/copy/*a*"))
print([(d, sorted(f)) for d, _, f in os.walk(root)][0], os.path.realpath(root))
shutil.rmtree(root / "copy")
print((root / "copy").exists(), os.path.getsize(root / "a.txt"), root.stat().st_size > 0)
for wrong in ("{VOLUME}/none/x", "/Workspace/none"):
    try:
        open(wrong)
    except FileNotFoundError as error:
        print(error)
try:
    Path("/Volumes/spark_catalog/platform/other").mkdir(parents=True)
except PermissionError as error:
    print(error)
print([f.path for f in dbutils.fs.ls("dbfs:{VOLUME}/data")], dbutils.fs.head("{VOLUME}/data/a.txt"))
dbutils.fs.put("{VOLUME}/data/p.txt", "put"); dbutils.fs.cp("{VOLUME}/data/p.txt", "{VOLUME}/q/")
dbutils.fs.rm("{VOLUME}/data", True)
Path("/Workspace/Shared/mod_here.py").write_text("X = 5")
sys.path.append("/Workspace/Shared")
import mod_here
print(mod_here.X, Path("/Workspace/Shared/mod_here.py").is_file(), os.path.exists("/etc/hosts"))
'''
    result, log = bench.run_notebook(cell)
    assert result.error_trace is None
    data = f"{VOLUME}/data"
    assert log.splitlines()[:-1] == [
        "['a.txt', 'c.txt', 'copy'] ['a.txt', 'a.txt', 'b.txt', 'c.txt']",
        f"['{data}/a.txt', '{data}/c.txt'] ['{data}/copy/a.txt']",
        f"('{data}', ['a.txt', 'c.txt']) {data}",
        "False 3 True",
        f"[Errno 2] No such file or directory: '{VOLUME}/none/x'",
        "[Errno 2] No such file or directory: '/Workspace/none'",
        "[Errno 1] no such volume, and code cannot create one: "
        "'/Volumes/spark_catalog/platform/other'",
        f"['dbfs:{data}/a.txt', 'dbfs:{data}/c.txt'] one",
        "Wrote 3 bytes.",
    ]
    assert log.splitlines()[-1] == "5 True True"
    assert not (bench.volume / "data").exists()
    assert (bench.volume / "q").exists()
