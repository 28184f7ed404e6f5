"""Tiny random SD3Transformer2DModel of each kind, saved as diffusers saves it and again under Stability AI's names, with
inputs and outputs beside it; and the names and shapes that diffusers gives the published sizes.

usage: sd3_transformer_reference.py OUT_DIR
"""

import json
import pathlib
import sys

import torch
from diffusers import SD3Transformer2DModel
from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
from safetensors.torch import save_file

TINY = dict(sample_size=12, patch_size=2, in_channels=4, out_channels=4, num_layers=3, attention_head_dim=20,
            num_attention_heads=3, joint_attention_dim=24, caption_projection_dim=60, pooled_projection_dim=14,
            pos_embed_max_size=10)
KINDS = {
    "sd3_medium": dict(),
    "sd35_medium": dict(qk_norm="rms_norm", dual_attention_layers=(0, 1)),
    "sd35_large": dict(qk_norm="rms_norm"),
}
MEDIUM = dict(num_layers=24, num_attention_heads=24, caption_projection_dim=1536, pos_embed_max_size=192)
PUBLISHED = {
    "sd3_medium": MEDIUM,
    "sd35_medium": dict(MEDIUM, pos_embed_max_size=384, qk_norm="rms_norm", dual_attention_layers=tuple(range(13))),
    "sd35_large": dict(MEDIUM, num_layers=38, num_attention_heads=38, caption_projection_dim=2432, qk_norm="rms_norm"),
}
# Written apart from keyflow's table, and checked below by diffusers' own converter.
OUTER = [
    ("pos_embed.pos_embed", "pos_embed"), ("pos_embed.proj", "x_embedder.proj"),
    ("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
    ("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"),
    ("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"),
    ("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"),
    ("norm_out.linear", "final_layer.adaLN_modulation.1"), ("proj_out", "final_layer.linear"),
]
INNER = [
    ("norm1_context.linear", "context_block.adaLN_modulation.1"), ("norm1.linear", "x_block.adaLN_modulation.1"),
    ("attn.norm_added_", "context_block.attn.ln_"), ("attn.norm_", "x_block.attn.ln_"),
    ("attn2.norm_", "x_block.attn2.ln_"), ("attn.to_add_out", "context_block.attn.proj"),
    ("attn.to_out.0", "x_block.attn.proj"), ("attn2.to_out.0", "x_block.attn2.proj"),
    ("ff_context.net.0.proj", "context_block.mlp.fc1"), ("ff_context.net.2", "context_block.mlp.fc2"),
    ("ff.net.0.proj", "x_block.mlp.fc1"), ("ff.net.2", "x_block.mlp.fc2"),
]
STACKS = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}


def sai_state(state, layers):
    sai = {}
    for name, tensor in state.items():
        if name.startswith(("norm_out.linear", f"transformer_blocks.{layers - 1}.norm1_context.linear")):
            tensor = tensor.roll(tensor.shape[0] // 2, 0)
        if any(f".{part}." in name for parts in STACKS.values() for part in parts):
            continue
        for old, new in INNER if name.startswith("transformer_blocks.") else OUTER:
            if old in name:
                name = name.replace(old, new)
                break
        sai[name.replace("transformer_blocks.", "joint_blocks.")] = tensor
    for layer in range(layers):
        for stack, parts in STACKS.items():
            for suffix in ("weight", "bias"):
                names = [f"transformer_blocks.{layer}.{part}.{suffix}" for part in parts]
                if names[0] in state:
                    sai[f"joint_blocks.{layer}.{stack}.{suffix}"] = torch.cat([state[name] for name in names])
    return {name: tensor.contiguous() for name, tensor in sai.items()}


def tiny(kind, options, out):
    torch.manual_seed(6)
    model = SD3Transformer2DModel(**TINY, **options).eval()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.add_(0.1 * torch.randn_like(tensor))
    model.save_pretrained(out / kind)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    sai = sai_state(state, TINY["num_layers"])
    back = convert_sd3_transformer_checkpoint_to_diffusers(dict(sai))
    assert set(back) == set(state), set(back) ^ set(state)
    for name, tensor in back.items():
        assert torch.equal(tensor, state[name]), name
    save_file(sai, out / f"{kind}_sai.safetensors")
    other = {"first_stage_model.decoder.conv_in.bias": torch.zeros(2),
             "text_encoders.clip_g.transformer.text_projection.weight": torch.zeros(1)}
    whole = {"model.diffusion_model." + name: tensor for name, tensor in sai.items()}
    save_file({**whole, **other}, out / f"{kind}_whole.safetensors")

    case = dict(latents=torch.randn(2, 4, 6, 10), timestep=torch.tensor([984.375, 62.5]), text=torch.randn(2, 7, 24),
                pooled=torch.randn(2, 14))
    inputs = (case["latents"], case["text"], case["pooled"], case["timestep"])
    with torch.no_grad():
        case["velocity"] = model(*inputs, return_dict=False)[0]
        case["without_1"] = model(*inputs, skip_layers=[1], return_dict=False)[0]
        case["without_0_2"] = model(*inputs, skip_layers=[0, 2], return_dict=False)[0]
    save_file({name: tensor.contiguous() for name, tensor in case.items()}, out / f"{kind}_case.safetensors")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind, options in KINDS.items():
        tiny(kind, options, out)
    for variant, options in PUBLISHED.items():
        # Its table of positions is computed, which the meta device cannot, and costs seconds in full size.
        with torch.device("meta"):
            small = SD3Transformer2DModel(**{**options, "pos_embed_max_size": 2})
        shapes = {name: list(tensor.shape) for name, tensor in small.state_dict().items()}
        shapes["pos_embed.pos_embed"][1] = options["pos_embed_max_size"] ** 2
        lines = [f"{name}\t{'x'.join(map(str, shape))}\n" for name, shape in sorted(shapes.items())]
        (out / f"{variant}.tsv").write_text("".join(lines))
        (out / f"{variant}.json").write_text(
            json.dumps({**small.config, "pos_embed_max_size": options["pos_embed_max_size"]}))


main()
