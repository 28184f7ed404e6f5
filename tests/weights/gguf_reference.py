"""A file as the gguf package writes it, model.gguf, and its tensors unpacked by the package, expected.safetensors."""
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

Type = gguf.GGMLQuantizationType


def main(out):
    rng = np.random.default_rng(3)
    writer = gguf.GGUFWriter(out / "model.gguf", "wan")
    writer.add_name("a name that nobody asks for")
    writer.add_array("tokenizer.ggml.tokens", ["<pad>", "a", "é"])
    writer.add_array("tokenizer.ggml.scores", [0.5, -1.0, 2.0])
    expected = {}

    def add(name, data, kind=None):
        if kind is None:
            writer.add_tensor(name, data)
            expected[name] = data
        else:
            packed = gguf.quants.quantize(data, kind)
            writer.add_tensor(name, packed, raw_dtype=kind)
            expected[name] = gguf.quants.dequantize(packed, kind)

    add("norm.weight", rng.normal(size=(5,)).astype(np.float32))
    add("half.weight", rng.normal(size=(3, 4)).astype(np.float16))
    add("count", np.arange(6, dtype=np.int64).reshape(2, 3))
    add("bf16.weight", rng.normal(size=(4, 6)).astype(np.float32), Type.BF16)
    for kind in (Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1):
        add(f"{kind.name.lower()}.weight", rng.normal(size=(6, 64)).astype(np.float32), kind)
    # A convolution as ComfyUI-GGUF flattens it.
    conv = rng.normal(size=(8, 32, 3, 3)).astype(np.float32)
    writer.add_array("comfy.gguf.orig_shape.conv.weight", tuple(int(size) for size in conv.shape))
    add("conv.weight", conv.reshape(-1, 256), Type.Q8_0)
    expected["conv.weight"] = expected["conv.weight"].reshape(conv.shape)
    # The patch embedding of Wan's published files has five dimensions.
    add("patch_embedding.weight", rng.normal(size=(4, 3, 1, 2, 2)).astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, out / "expected.safetensors")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    main(folder)
