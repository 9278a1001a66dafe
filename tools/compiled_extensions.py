"""Install torch-scatter and torch-cluster where a wheel fits the installed PyTorch; never compile.

Run by the environment's own Python. Looks where pip is set to look (PIP_FIND_LINKS included), then
in PyG's wheel index, gives up within seconds where that does not answer, and prints one line.
"""

import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch-scatter", "torch-cluster")
SECONDS = 4  # to wait for a host that does not answer


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


def pip_install(*arguments: str) -> bool:
    return run("-m", "pip", "install", "--quiet", *arguments).returncode == 0


def loads(package: str) -> bool:
    """Whether it is installed *and* was built for the PyTorch that is installed."""
    return run("-c", f"import {package.replace('-', '_')}").returncode == 0


def installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def take_wheel(package: str, *find_links: str) -> bool:
    """Install a wheel and keep it only if it loads: its name does not tell the PyTorch it needs."""
    quick = ("--timeout", str(SECONDS), "--retries", "0")
    if pip_install("--only-binary=:all:", "--no-deps", *quick, *find_links, package):
        pip_install(package)  # what it needs itself, e.g. SciPy
        if loads(package):
            return True
        run("-m", "pip", "uninstall", "--yes", package)
    return False


def pyg_index() -> str | None:
    """Address of PyG's wheels for the installed PyTorch, None where it does not answer."""
    torch = run("-c", "import torch; print(torch.__version__)").stdout.strip()
    url = f"https://data.pyg.org/whl/torch-{torch if '+' in torch else torch + '+cpu'}.html"
    answers = []

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(url, timeout=SECONDS).status)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):  # there; pip has certificates of its own
                answers.append(error.reason)
        except OSError:
            pass

    # In a thread, because looking up a host's name heeds no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return url if answers else None


def main() -> None:
    missing = [package for package in PACKAGES if not loads(package)]
    for package in filter(installed, missing):  # built for another PyTorch
        run("-m", "pip", "uninstall", "--yes", package)
    missing = [package for package in missing if not take_wheel(package)]
    if missing and (index := pyg_index()):
        missing = [package for package in missing if not take_wheel(package, "--find-links", index)]
    if missing:
        print(
            f"No wheel of {' and '.join(missing)} fits: plain PyTorch does the same work, "
            "somewhat slower (`make ext` compiles them, about 15 minutes)."
        )
    else:
        print("Compiled torch-scatter and torch-cluster are in use.")


if __name__ == "__main__":
    main()
