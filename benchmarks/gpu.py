"""Everything that only a GPU can tell, in under 8 minutes: tests, exactness, speed, attention.

    make gpu                                    # here, in .venv
    python benchmarks/gpu.py [FOLDER] [--minutes 8] [--out out]

FOLDER holds photographs. Wants a Python with torch, torch-geometric, triton and numba; what else is
missing may be wheels on PYTHONPATH. Needs no network and installs nothing. Each part runs in a
process of its own and for so long: whatever fails or takes too long is told, and the next part
begins. Prints a table and one JSON, and writes the latter to gpu.json as it comes.

Without a GPU the same parts run on tiny input in Triton's interpreter, in two minutes or so: their
times mean nothing, but the script is known to work.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
#: Seconds that each part may take; more where parts before took less.
PARTS = {"kernel tests": 130, "exact": 120, "speed": 95, "attention": 35, "model tests": 80}
#: Seconds kept for the report.
RESERVE = 10


@dataclass(frozen=True)
class Finding:
    """What one check or measurement of a part came to: figures, or why it failed."""

    part: str
    what: str
    seconds: float
    result: dict[str, Any]

    @property
    def failed(self) -> bool:
        """Whether it did not run to its end, or found a difference."""
        return "error" in self.result or self.result.get("equal") is False

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {_short(value)}" for name, value in self.result.items())
        mark = "FAILED" if self.failed else "ok"
        return f"{self.part:12} | {self.what:34} | {self.seconds:6.1f} s | {mark:6} | {figures}"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if not isinstance(value, str):
        return str(value)
    lines = value.strip().splitlines() or [""]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (raised or lines)[-1][:160]


def run_part(part: str, folder: Path, results: Path) -> None:
    """In a process of its own: every check of a part, each guarded, a line of JSON for each."""
    sys.path.insert(0, str(ROOT))
    from gpu_parts import CHECKS

    for what, check in CHECKS[part](folder):
        start = time.perf_counter()
        try:
            result = check()
        except Exception:
            result = {"error": traceback.format_exc()[-2000:]}
        line = json.dumps([part, what, time.perf_counter() - start, result])
        with results.open("a") as file:
            file.write(line + "\n")


def findings_of(part: str, folder: Path, seconds: float) -> list[Finding]:
    """What a part found in so many seconds; the last finding is how it ended, if not by itself."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        results, log = Path(scratch, "results"), Path(scratch, "log")
        results.touch()
        command = [sys.executable, __file__, str(folder), "--part", part, "--results", str(results)]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=environment(), stdout=out, stderr=out, start_new_session=True
            )
            try:
                ended = f"ended with status {process.wait(seconds)}"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with the tests that it runs
                process.wait()
                ended = f"stopped after {seconds:.0f} s"
        found = [Finding(*json.loads(line)) for line in results.read_text().splitlines()]
        if process.returncode:
            tail = log.read_text(errors="replace")[-2000:]
            taken = time.perf_counter() - start
            found.append(Finding(part, "the part", taken, {"error": f"{tail}\n{ended}"}))
    return found


def environment() -> dict[str, str]:
    """For the parts: spitgraph need not be installed; without a GPU, Triton interprets."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    interpreted = {}
    if not torch.cuda.is_available():  # tiny tensors: threads would only wait for each other
        interpreted = {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    told = {"PYTHONUNBUFFERED": "1"}  # what a part says is there when it is stopped
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)} | told | interpreted


def machine() -> str:
    """Where the figures were taken."""
    gpu = "no GPU: Triton's interpreter, tiny input"
    if torch.cuda.is_available():
        gpu = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{gpu}; PyTorch {torch.__version__}, Python {python}, {os.cpu_count()} cores"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    examples = ROOT / "examples" / "pictures"
    parser.add_argument("folder", type=Path, nargs="?", default=examples, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=8, help="at most (default: 8)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (default: out)")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    return options


def main() -> None:
    options = arguments()
    if options.part:
        return run_part(options.part, options.folder, options.results)
    end = time.perf_counter() + 60 * options.minutes - RESERVE
    report: dict[str, Any] = {"machine": machine(), "findings": []}
    options.out.mkdir(parents=True, exist_ok=True)
    print(report["machine"], flush=True)
    failures = 0
    for index, part in enumerate(options.only):
        left = end - time.perf_counter()
        later = sum(PARTS[name] for name in options.only[index + 1 :])
        # what parts before left over, this one may have; where time is short, all get less
        seconds = max(left - later, left * PARTS[part] / (PARTS[part] + later))
        for finding in findings_of(part, options.folder, seconds):
            print(finding, flush=True)
            failures += finding.failed
            report["findings"].append(vars(finding))
        (options.out / "gpu.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    print(json.dumps(report, ensure_ascii=False))
    if failures:
        raise SystemExit(f"{failures} findings failed")


if __name__ == "__main__":
    main()
