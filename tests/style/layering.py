"""Who may include whom: a unit may include only itself and what its line of ALLOWED names."""
import re

import source_tree

FAMILY = {"core", "ops", "weights", "layers"}
MODELS = FAMILY | {"family", "registry"}
PIPELINE = MODELS | {"schedulers", "text", "media", "pipeline"}
ALLOWED = {
    "core": set(),
    "ops": {"core"},
    "text": {"core"},
    "media": {"core"},
    "weights": {"core"},
    "schedulers": {"core"},
    "layers": {"core", "ops", "weights"},
    "family": FAMILY,
    "registry": MODELS,
    "pipeline": PIPELINE,
    "train": PIPELINE,
    "bench": MODELS,
    "apps": PIPELINE | {"train", "bench"},
    "tests": PIPELINE | {"train", "apps", "bench"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def unit_of(path):
    """("family", "wan") of models/wan/x.h or its include; the second part only tells families apart."""
    parts = path.split("/")
    if parts[0] == "src":
        parts = parts[1:]
    if parts[0] == "models":
        if len(parts) == 2:
            return "registry", ""
        return ("layers", "") if parts[1] == "layers" else ("family", parts[1])
    return parts[0], ""


def offence(path, include):
    """Why this include is wrong, or None."""
    if "/" not in include:
        return f'{path}: "{include}" is not rooted at the repository or src/'
    if include.startswith("src/") or ".." in include:
        return f'{path}: "{include}" is written with src/ or ..'
    here, there = unit_of(path), unit_of(include)
    if here[0] not in ALLOWED or there[0] not in ALLOWED:
        return f'{path}: no rule for "{include}"; add the folder to ALLOWED'
    if here == there or there[0] in ALLOWED[here[0]] and not (here[0] == there[0] == "family"):
        return None
    return f'{path}: {"/".join(filter(None, here))} may not include "{include}"'


def check(root):
    found = []
    for file in source_tree.files(root, ".h", ".cpp"):
        path = file.relative_to(root).as_posix()
        if path.startswith("tests/consumer/"):
            continue
        found += filter(None, (offence(path, include) for include in INCLUDE.findall(file.read_text())))
    return found


if __name__ == "__main__":
    source_tree.run(check)
