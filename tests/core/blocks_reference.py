"""Blocks of every format with the numbers that the gguf package unpacks, and what it packs: blocks.safetensors."""
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

Type = gguf.GGMLQuantizationType
FORMATS = {
    "q4_0": (Type.Q4_0, [0]), "q4_1": (Type.Q4_1, [0, 2]), "q5_0": (Type.Q5_0, [0]), "q5_1": (Type.Q5_1, [0, 2]),
    "q8_0": (Type.Q8_0, [0]), "q2_k": (Type.Q2_K, [80, 82]), "q3_k": (Type.Q3_K, [108]), "q4_k": (Type.Q4_K, [0, 2]),
    "q5_k": (Type.Q5_K, [0, 2]), "q6_k": (Type.Q6_K, [208]),
}
ROWS, COLUMNS = 7, 768


def main(out):
    rng = np.random.default_rng(5)
    tensors = {}
    for name, (kind, halves) in FORMATS.items():
        block, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (ROWS, COLUMNS // block, size), dtype=np.uint8)
        for i, at in enumerate(halves):
            # Finite float16 of every size, some subnormal, some negative, some zero.
            scale = rng.normal(0, 1, blocks.shape[:2]) * 10.0 ** rng.integers(-8, 4, blocks.shape[:2])
            scale[0, 0] = 0
            blocks[..., at:at + 2] = scale.astype(np.float16)[..., None].view(np.uint8)
        packed = blocks.reshape(ROWS, -1)
        tensors[f"{name}.blocks"] = packed
        tensors[f"{name}.values"] = gguf.quants.dequantize(packed, kind)
    source = rng.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32) * np.float32(0.02)
    source[1] *= 1e4
    source[2, :32] = 0
    source[3, :64] = 0.25
    source[4] = np.abs(source[4])
    source[5] = np.round(source[5] * 100) / 100  # ties in the rounding
    tensors["source"] = source
    for name in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0"):
        tensors[f"{name}.packed"] = gguf.quants.quantize(source, FORMATS[name][0])
    save_file(tensors, Path(out) / "blocks.safetensors")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    main(sys.argv[1])
