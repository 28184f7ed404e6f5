"""A file's name says what is inside, in snake_case."""
import re

import source_tree

EMPTY_WORDS = re.compile(r"(^|_)(utils?|helpers?|misc|common|stuff)(_|$)")
SNAKE = re.compile(r"[a-z0-9_]+")


def offence(path):
    """Why this name is wrong, or None."""
    folders, _, name = path.rpartition("/")
    for part in [*folders.split("/"), name.split(".")[0]]:
        if EMPTY_WORDS.search(part):
            return f"{path}: '{part}' says nothing"
    return None if SNAKE.fullmatch(name.split(".")[0]) else f"{path}: not snake_case"


def check(root):
    paths = (f.relative_to(root).as_posix() for f in source_tree.files(root, ".h", ".cpp", ".py", ".sh"))
    return [text for text in map(offence, paths) if text]


if __name__ == "__main__":
    source_tree.run(check)
