"""Each style check finds what it is for, and lets pass what is right."""
import unittest

import content
import layering
import lengths
import names


class Layering(unittest.TestCase):
    def test_lets_pass(self):
        for path, include in [("src/ops/rope.cpp", "core/shape.h"), ("models/wan/vae.cpp", "models/layers/conv.h"),
                              ("models/wan/vae.cpp", "models/wan/vae.h"), ("models/registry.cpp", "models/t5/encoder.h"),
                              ("src/pipeline/render.cpp", "schedulers/samplers.h"), ("apps/video.cpp", "media/output.h"),
                              ("models/layers/linear.cpp", "weights/scope.h")]:
            self.assertIsNone(layering.offence(path, include), (path, include))

    def test_finds(self):
        for path, include in [("src/core/error.cpp", "ops/rope.h"), ("src/ops/rope.cpp", "weights/scope.h"),
                              ("models/wan/vae.cpp", "models/t5/encoder.h"), ("models/wan/vae.cpp", "models/registry.h"),
                              ("models/layers/norm.cpp", "models/wan/vae.h"), ("schedulers/euler.cpp", "models/wan/vae.h"),
                              ("models/wan/vae.cpp", "schedulers/euler.h"), ("src/pipeline/render.cpp", "apps/console.h"),
                              ("src/text/clean.cpp", "clean.h"), ("src/text/clean.cpp", "src/core/error.h"),
                              ("src/text/clean.cpp", "nowhere/x.h")]:
            self.assertIsNotNone(layering.offence(path, include), (path, include))


class Others(unittest.TestCase):
    def test_lengths(self):
        self.assertIsNone(lengths.judge("a.cpp", 400))
        self.assertEqual(lengths.judge("a.cpp", 401)[0], "note")
        self.assertEqual(lengths.judge("a.cpp", 601)[0], "offence")

    def test_names(self):
        for path in ("src/ops/rope.cpp", "tests/style/checks_test.py", "models/wan/keys.cpp"):
            self.assertIsNone(names.offence(path), path)
        for path in ("src/util/x.h", "src/core/string_utils.h", "src/core/helpers.cpp", "src/core/Error.h",
                     "models/common/x.h", "src/core/misc.h"):
            self.assertIsNotNone(names.offence(path), path)

    def test_content(self):
        whole, path = "#include <torch/" + "torch.h>\n", "/wo" + "rk/x"
        self.assertEqual(content.offences("src/core/a.cpp", "#include <ATen/ops/ones.h>\n"), [])
        self.assertEqual(content.offences("apps/train/optimizer.cpp", whole), [])
        self.assertEqual(content.offences("src/core/a.h", "#pragma once\n"), [])
        for name, text in [("src/core/a.cpp", whole), ("README.md", path), ("src/core/a.cpp", "// TO" + "DO\n"),
                           ("src/core/a.h", "int f();\n"), ("src/core/a.h", "#pragma once\n#include <CLI/CLI.hpp>\n"),
                           ("Makefile", "pip install -i https://py" + "pi.org/simple")]:
            self.assertEqual(len(content.offences(name, text)), 1, (name, text))


if __name__ == "__main__":
    unittest.main()
