"""Tiny random CLIPVisionModels, saved as transformers saves them, again with the prefix that transformers 4 wrote and
under Wan's own names, with inputs and penultimate outputs beside them.

usage: clip_vision_reference.py OUT_DIR
"""

import pathlib
import re
import sys

import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel

KINDS = {"gelu": dict(hidden_act="gelu"), "quick_gelu": dict(hidden_act="quick_gelu")}
TINY = dict(hidden_size=48, intermediate_size=72, num_hidden_layers=4, num_attention_heads=3, image_size=35, patch_size=7,
            projection_dim=16)
LAYER = {"layer_norm1": "norm1", "layer_norm2": "norm2", "self_attn.out_proj": "attn.proj", "mlp.fc1": "mlp.0",
         "mlp.fc2": "mlp.2"}


def official(state):
    out = {
        "visual.cls_embedding": state["embeddings.class_embedding"].view(1, 1, -1),
        "visual.pos_embedding": state["embeddings.position_embedding.weight"].unsqueeze(0),
        "visual.patch_embedding.weight": state["embeddings.patch_embedding.weight"],
        "visual.head": torch.randn(48, 16),
        "log_scale": torch.tensor(1.0),
        "textual.norm.weight": torch.randn(8),
    }
    for side in ("weight", "bias"):
        out[f"visual.pre_norm.{side}"] = state[f"pre_layrnorm.{side}"]
        out[f"visual.post_norm.{side}"] = state[f"post_layernorm.{side}"]
        for i in range(TINY["num_hidden_layers"]):
            ours, theirs = f"encoder.layers.{i}.", f"visual.transformer.{i}."
            out[f"{theirs}attn.to_qkv.{side}"] = torch.cat(
                [state[f"{ours}self_attn.{p}_proj.{side}"] for p in ("q", "k", "v")])
            for old, new in LAYER.items():
                out[f"{theirs}{new}.{side}"] = state[f"{ours}{old}.{side}"]
    assert sum(t.numel() for n, t in out.items() if n.startswith("visual.")) == \
        sum(t.numel() for t in state.values()) + 48 * 16
    return {name: tensor.contiguous() for name, tensor in out.items()}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind, options in KINDS.items():
        torch.manual_seed(11)
        model = CLIPVisionModel(CLIPVisionConfig(**TINY, **options)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(out / kind)
        state = {re.sub(r"^vision_model\.", "", n): t.contiguous() for n, t in model.state_dict().items()}
        state.pop("embeddings.position_ids", None)
        prefixed = {"vision_model." + n: t for n, t in state.items()}
        prefixed["vision_model.embeddings.position_ids"] = torch.arange(26).unsqueeze(0)
        save_file(prefixed, out / f"{kind}_prefixed.safetensors")
        save_file(official(state), out / f"{kind}_official.safetensors")
        pixels = torch.randn(2, 3, TINY["image_size"], TINY["image_size"])
        with torch.no_grad():
            hidden = model(pixels, output_hidden_states=True).hidden_states[-2]
        picture = torch.rand(2, 3, 51, 83) * 2 - 1
        squashed = torch.nn.functional.interpolate(picture, size=(35, 35), mode="bicubic", align_corners=False)
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
        std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
        save_file(dict(pixels=pixels, hidden=hidden.contiguous(), picture=picture,
                       prepared=((squashed * 0.5 + 0.5) - mean) / std), out / f"{kind}_case.safetensors")


main()
