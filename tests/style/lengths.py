"""Files over 400 lines are printed, files over 600 fail, but for these."""
import source_tree

EXEMPT = {  # path: reason (tables only)
    "configs/tokenizers/clip/merges.txt": "CLIP's vocabulary",
    "configs/tokenizers/openclip/merges.txt": "a link to it",
}
SUFFIXES = (".h", ".cpp", ".py", ".cmake", ".txt", ".sh")


def judge(path, lines):
    """("note" or "offence", text), or None for a file of proper length."""
    if lines <= 400 or path in EXEMPT:
        return None
    return ("offence" if lines > 600 else "note"), f"{path}: {lines} lines (soft limit 400, hard limit 600)"


def check(root):
    verdicts = []
    for file in source_tree.files(root, *SUFFIXES):
        verdicts.append(judge(file.relative_to(root).as_posix(), file.read_bytes().count(b"\n")))
    verdicts = [v for v in verdicts if v]
    print("\n".join(text for kind, text in verdicts if kind == "note"))
    return [text for kind, text in verdicts if kind == "offence"]


if __name__ == "__main__":
    source_tree.run(check)
