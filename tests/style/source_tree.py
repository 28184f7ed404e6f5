"""The files a style check looks at, and the line it ends with."""
import pathlib
import subprocess
import sys


def files(root, *suffixes):
    """Tracked files under root (all files where there is no git), with one of the suffixes if any is given."""
    root = pathlib.Path(root)
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0:
        paths = [root / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [p for p in root.rglob("*") if not {".venv", "build", "out"} & set(p.relative_to(root).parts)]
    return sorted(p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes))


def run(check):
    """Calls check(root) -> list of offences, prints them, exits 1 if there is one."""
    offences = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(offences) if offences else "clean")
    sys.exit(1 if offences else 0)
