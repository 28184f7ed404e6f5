"""Texts and what ftfy, html and Wan's cleaning make of them. Usage: clean_reference.py OUT_DIR"""
import html
import html.entities
import json
import pathlib
import random
import re
import sys
import unicodedata

import ftfy
from ftfy import badness, chardata

PLAIN = [
    "a cat walks on the beach, slow motion", "色调艳丽，过曝，静态，细节模糊不清，字幕", "镜头晃动，一只白猫在雪地里奔跑。",
    "日本語のテキスト、東京タワー", "안녕하세요 세계", "مرحبا بالعالم، قطة تمشي", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "Привет, мир! Съешь ещё этих мягких булок", "Καλημέρα κόσμε", "naïve café déjà vu — “quoted” … ‘single’", "Ærøskøbing, Åland, Øre",
    "voilà le travail", "à la mode", "às vezes, àquela hora", "Příliš žluťoučký kůň", "Zażółć gęślą jaźń", "İstanbul'da ığdır",
    "Ąžuolų šlaitas", "👨‍👩‍👧‍👦 family 👍🏽 🇫🇷 🏴󠁧󠁢󠁷󠁬󠁳󠁿", "½ × ¾ = 3⁄8 ± 2°C ≈ ∞", "price: £5, €10, ¥100, ¢7", "© ® ™ § ¶ • … – —",
    "ﬁne ﬂuid ﬃ ﬆ Ǆ ĳ ŉ", "Ｆｕｌｌｗｉｄｔｈ　ｓｐａｃｅ ｶﾞｷﾞ ﾀｰﾝ ￡￥￦ ￣", "e\u0301 A\u030a o\u0323\u0302 가 ㄱㅏ", "tab\tnew\nline\r\nold\rmac\u2028ls\u2029ps\x85nel",
    "  odd \u00a0 spaces\u2003\u2009\u200a here\u3000\u200b ", "\x1b[36;44mblue\x1b[0m \x1b[1", "bell\x07 del\x7f bom\ufeff arabic\u206a anno\ufff9",
    "soft\u00adhyphen zero\u200dwidth", "\x1c\x1dsep\x1e\x1f end", "", " ", "\n\n", "<b>html &amp; more</b>", "&lt;b&gt; &amp;amp; &#39;x&#39; &quot;",
    "a < b &amp; c", "first &amp; line\nsecond < line &amp;\nthird &amp; line", "&NTILDE; &ntilde; &nTILDE; &SZLIG; &EACUTE;&FILIG;", "&#x41;&#65;&#0;&#128;&#x9d;&#xD800;&#1114112;&#1;&#11;&#12;&#xFDD0;&#xFFFE;",
    "&copy &copyx &notit; &notin; &amp &ampx; &#65 &#x41 &#; &#x; &;", "&hellip;&nbsp;&NonBreakingSpace;&bne;&Tab;&NewLine;x", "&" + "a" * 40 + ";", "&amp;" * 5, "&amp;amp;amp;lt;",
    "Â£10 Ã©tÃ© Ã la mode", "donâ€™t â€œquoteâ€\x9d â€œquoteâ€�", "âœ” No problems", "schÃ¶n", "sÃ³", "Ã‚Â¡", "l’Ã©tÃ© déjà", "ÐŸÑ€Ð¸Ð²ÐµÑ‚",
    "РџСЂРёРІРµС‚", "вЂњРџСЂРёРІРµС‚вЂќ", "æ—¥æœ¬èªž", "ã\x83\x84 &macr;\\_(ã\x83\x84)_/&macr;", "ÃƒÂ©", "ÃƒÆ’Ã‚Â©", "├⌐t├⌐", "‚Äú√©t√©‚Äù", "Î±Î²Î³", "β€™", "ā€™ā€œ",
    "(╯°□°)╯︵ ┻━┻", "ʕ•ᴥ•ʔ ¯\\_(ツ)_/¯ ಠ_ಠ", "Ò_Ó Õ_Õ ô_ô", "ÃÃÃ", "Ø§Ù„Ø¹Ø±Ø¨ÙŠØ©", "à¤¨à¤®à¤¸à¥à¤¤à¥‡", "ПРИВЕТ ВГР°С", "\x80\x99\x9d\x81 c1", "it\x92s a \x93c1\x94 \x85",
    "í\xa0½í²©", "í ½í²©", "À\x80null", "Ã©\x1a Ã�", "naÃ¯ve cafÃ© costs 10â‚¬", "JosÃ© MarÃ\xada", "AHÅ™, the new sofa from IKEA®", "Â«ÃtÃ©Â»",
]
CODE_PAGES = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253", "sloppy-windows-1254",
              "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"]


def expand(members):
    return [chr(c) for m in re.finditer(r"(.)-(.)|(.)", members, re.S)
            for c in (range(ord(m[1]), ord(m[2]) + 1) if m[1] else [ord(m[3])])]


def texts():
    yield from PLAIN
    for plain in PLAIN:
        for page in CODE_PAGES:
            once = plain.encode().decode(page)
            yield once
            yield once.replace("\xa0", " ")
            yield "mixed déjà " + once
            if page.startswith("sloppy"):
                yield re.sub("[\x80-\x9f]", "\ufffd", once)
                yield re.sub("[\x80-\x9f]", "?", once)
            if page in CODE_PAGES[:2]:
                yield once.encode().decode(page)
    rng = random.Random(5)
    odd = sorted({c for v in [*badness.MOJIBAKE_CATEGORIES.values(), *chardata.UTF8_CLUES.values()] for c in expand(v)})
    ascii_ = "abcXYZ .,?!'\"12<&;\n\t\x1b[m"
    for _ in range(4000):
        yield "".join(rng.choice(odd if rng.random() < 0.7 else ascii_) for _ in range(rng.randint(2, 9)))
    for name in html.entities.html5:
        yield f"&{name} &{name.upper()} &{name.lower()}x"
    wide = "".join(map(chr, range(0xFF01, 0xFFF0)))
    yield from (wide[i:i + 16] for i in range(0, len(wide), 16))
    marks = [chr(c) for c in range(0x300, 0x34F)] + ["\u1161", "\u11a8", "\u3099", "\u0f71", "\u0f72", "\u0334", "\u09be"]
    bases = "aeiouAOCsS가ᄀかΑωक\u09c7ặ"
    for _ in range(600):
        yield rng.choice(bases) + "".join(rng.choice(marks) for _ in range(rng.randint(1, 3)))


def clean(text):
    text = ftfy.fix_text(text)
    text = html.unescape(html.unescape(text)).strip()
    return re.sub(r"\s+", " ", text).strip()


out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
cases = [[t, ftfy.fix_text(t), clean(t)] for t in dict.fromkeys(texts()) if "\0" not in t]
assert unicodedata.unidata_version >= "14"
(out / "clean.json").write_text(json.dumps(cases, ensure_ascii=False), encoding="utf-8")
print(len(cases), "texts")
