"""Text that no tracked file may hold: whole-torch headers, a machine's paths and hosts, left-overs, missing guards."""
import re

import source_tree

CODE = (".h", ".cpp")
# (what it is, pattern, suffixes it concerns, paths it spares). Patterns are split so that this file passes itself.
RULES = [
    ("all of torch is included; take <ATen/ops/x.h>", r"#\s*include\s*<torch/" r"(torch|all|extension)\.h>", CODE,
     r"(^|/)train"),
    ("path of a machine", r"(?<![\w./])/" r"(work|farm|home|root)/", (), r"^LICENSE"),
    ("host of a registry", r"files\.python" r"hosted|deb\.deb" r"ian\.org|registry\.npm" r"js|py" r"pi\.org", (), None),
    ("left-over mark", r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", CODE + (".py", ".cmake", ".sh"), None),
    ("disabled test", r"\bDISABLED" r"_", CODE, None),
    ("death test", r"\b(EXPECT|ASSERT)_DE" r"ATH\b", CODE, None),
    ("third-party header in a header", r"#\s*include\s*<(sentencepiece\w*\.h|libav\w+/|libsw\w+/|sqlite3\.h|CLI/|spdlog/"
     r"|stb/|stb_|nlohmann/json\.hpp|benchmark/)", (".h",), r"^(tests|apps)/"),
]
TEXT = CODE + (".py", ".cmake", ".sh", ".txt", ".md", ".json", ".in", ".yml", "")


def offences(path, text):
    found = []
    suffix = "." + path.rpartition(".")[2] if "." in path.rpartition("/")[2] else ""
    for what, pattern, suffixes, spared in RULES:
        if (suffixes and suffix not in suffixes) or (spared and re.search(spared, path)):
            continue
        for match in re.finditer(pattern, text):
            found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match.group(0)}")
    if suffix == ".h" and not text.startswith("#pragma once"):
        found.append(f"{path}:1: a header begins with #pragma once")
    return found


def check(root):
    found = []
    for file in source_tree.files(root, *TEXT):
        path = file.relative_to(root).as_posix()
        if not path.startswith(("weights/manifests/", "weights/mini/")):
            found += offences(path, file.read_text(errors="replace"))
    return found


if __name__ == "__main__":
    source_tree.run(check)
