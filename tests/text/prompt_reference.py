"""Prompts in the syntax of AUTOMATIC1111, read and cut into chunks by a second implementation. Usage: prompt_reference.py OUT_DIR

The reader works by regular expressions and the chunker by lists of words; both follow the description in
src/text/prompt_syntax.h and prompt_chunks.h. A tiny CLIP vocabulary of bytes and a few words is made here.
"""
import json
import pathlib
import random
import re
import sys

import transformers

out = pathlib.Path(sys.argv[1])
WORDS = "a an the cat dog house red sky on in of photo important ultra detailed art style by sun hill".split()


def clip_vocabulary(folder, pad):
    """Bytes in CLIP's order, each also as the end of a word, then the merges that spell WORDS."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    pieces, merges = letters + [letter + "</w>" for letter in letters], []
    for word in WORDS:
        left = word[0] if len(word) > 1 else word + "</w>"
        for i, letter in enumerate(word[1:], 1):
            right = letter + ("</w>" if i == len(word) - 1 else "")
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
                pieces.append(left + right)
            left += right
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    assert len(set(pieces)) == len(pieces)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": pad, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}))
    return transformers.CLIPTokenizer.from_pretrained(folder)


PART = re.compile(r"\\[()\[\]\\]|\\|\(|\[|:\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)|\)|\]|[^\\()\[\]:]+|:", re.S)
BREAK = re.compile(r"\s*\bBREAK\b\s*")


def read(prompt):
    """[[text, weight, breaks]]: brackets are matched first, weights multiplied from the inside out afterwards."""
    leaves, spans, open_ = [], [], {"(": [], "[": []}
    for match in PART.finditer(prompt):
        part = match[0]
        if part[0] == "\\":
            leaves.append([part[1:], False])
        elif part in open_:
            open_[part].append(len(leaves))
        elif match["weight"] and open_["("]:
            spans.append((open_["("].pop(), len(leaves), float(match["weight"])))
        elif part == ")" and open_["("]:
            spans.append((open_["("].pop(), len(leaves), 1.1))
        elif part == "]" and open_["["]:
            spans.append((open_["["].pop(), len(leaves), 1 / 1.1))
        else:
            for i, text in enumerate(BREAK.split(part)):
                leaves.append([text, i > 0])
    for bracket, factor in (("(", 1.1), ("[", 1 / 1.1)):
        spans += [(begin, len(leaves), factor) for begin in open_[bracket]]
    pieces = []
    for i, (text, breaks) in enumerate(leaves):
        weight = 1.0
        for begin, end, factor in spans:
            if begin <= i < end:
                weight *= factor
        if pieces and not breaks and pieces[-1][1] == weight:
            pieces[-1][0] += text
        else:
            pieces.append([text, weight, breaks])
    pieces = [piece for piece in pieces if piece[0] or piece[2]]
    return pieces or [["", 1.0, False]]


def chunks(tokenizer, pieces, length, window):
    """Rows of ids and weights."""
    vocabulary = tokenizer.get_vocab()
    start, end, comma = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"], vocabulary[",</w>"]
    pad, room = vocabulary[tokenizer.pad_token], length - 2
    rows, commas = [[]], [None]

    def new_row(tokens=()):
        rows.append(list(tokens))
        commas.append(None)

    for text, weight, breaks in pieces:
        if breaks:
            new_row()
        for token in tokenizer(text).input_ids[1:-1]:
            if len(rows[-1]) == room:
                at = commas[-1]
                keep = room if token == comma or at is None or room - at > window else at + 1
                moved = rows[-1][keep:]
                del rows[-1][keep:]
                new_row(moved)
            elif token == comma:
                commas[-1] = len(rows[-1])
            rows[-1].append((token, weight))
    if len(rows) > 1 and not rows[-1]:
        rows.pop()
    result = []
    for row in rows:
        ids = [start, *(t for t, _ in row), end]
        weights = [1.0, *(w for _, w in row), 1.0]
        result.append([ids + [pad] * (length - len(ids)), weights + [1.0] * (length - len(ids))])
    return result


FIXED = ["", " ", "normal text", "an (important) word", "(unbalanced", r"\(literal\]", "(unnecessary)(parens)",
         "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "((a))", "(a:1.21) ((b))", "[a]", "[[a]]", "([a])", "(a [b) c] d",
         "a) b] c", "a: b :c", "(a:b)", "(a:1.2.3)", "(a:.)", "(a:)", "(a: 1.5 )", "(a:+2)", "(a:-1)", "(a:+-1)", "(a:.5)", "(a:2.)", "a:1.2)",
         "(a:1e5)", "(:1.2)", "()", "(())", "a BREAK b", "aBREAK b", "BREAK", "BREAK a", "a BREAK", "a BREAK BREAK b", "a break b", "a\n BREAK \nb",
         "BREAK:BREAK", r"a \ b", r"a \\ b", r"\\(a)", r"(a\:1.2)", "(a\\)", "{a|b} | c", "a AND b", "# a\nb", "(色调:1.2) BREAK 字幕", "<lora", "<a:b>",
         "(a, (b:1.4) c:0.5)", "(a (b (c (d)))) e", "[a:b]", "(embedding:cat:1.2)"]


def prompts():
    rng = random.Random(5)
    yield from FIXED
    parts = WORDS + ["(", ")", "[", "]", "(", ")", ":1.3)", ":0.7)", ": 2 )", " ", " ", ",", ",", "BREAK", " BREAK ", "\\(", "\\", "\\]", ".", "字", ":"]
    for _ in range(400):
        yield "".join(rng.choice(parts) + rng.choice(["", " "]) for _ in range(rng.randint(1, 40)))
    for _ in range(60):
        yield " ".join(rng.choice(WORDS + [","] * 3 + ["(red:1.2)", "BREAK"][:rng.randint(0, 2)]) for _ in range(rng.randint(60, 400)))
    for count in (74, 75, 76, 150, 151):
        yield " ".join(["cat"] * count)
        yield " ".join(["cat"] * (count - 3)) + ", dog, a"
        yield " ".join(["cat"] * (count - 30)) + "," + " dog" * 40


def editing(prompt):
    """Prompts that ask for editing are refused; none of them belongs here."""
    return re.search(r"\[[^\[\]]*(\||:\s*[-+]?[.\d]+\s*\])", prompt)


def main():
    tokenizer = clip_vocabulary(out / "end", "<|endoftext|>")
    other = clip_vocabulary(out / "zero", "!")
    cases = []
    for prompt in dict.fromkeys(prompts()):
        if editing(prompt):
            continue
        pieces = read(prompt)
        case = {"prompt": prompt, "pieces": pieces}
        for name, t in (("end", tokenizer), ("zero", other)):
            case[name] = chunks(t, pieces, 77, 20)
            plain = t(prompt, padding="max_length", max_length=77, truncation=True).input_ids
            case[name + "_plain"] = [plain, len(t(prompt).input_ids) > 77]
        case["short"] = chunks(tokenizer, pieces, 12, 4)
        cases.append(case)
    (out / "cases.json").write_text(json.dumps(cases, ensure_ascii=False), encoding="utf-8")
    print(len(cases), "prompts")


if __name__ == "__main__":
    main()
