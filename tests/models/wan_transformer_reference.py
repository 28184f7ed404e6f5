"""Tiny random WanTransformer3DModel of each kind, saved as diffusers saves it and again under Wan's own names, with
inputs and outputs beside it; and the names and shapes that diffusers gives the published sizes.

usage: wan_transformer_reference.py OUT_DIR
"""

import json
import pathlib
import sys

import torch
from diffusers import WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from safetensors.torch import save_file

TINY = dict(patch_size=(1, 2, 2), num_attention_heads=3, attention_head_dim=20, out_channels=16, text_dim=24, freq_dim=64,
            ffn_dim=96, num_layers=2)
KINDS = {
    "t2v": dict(in_channels=16),
    "i2v": dict(in_channels=36, image_dim=40, added_kv_proj_dim=60),
    "flf2v": dict(in_channels=36, image_dim=40, added_kv_proj_dim=60, pos_embed_seq_len=10),
}
PUBLISHED = {
    "t2v_1_3b": dict(num_attention_heads=12, ffn_dim=8960, num_layers=30),
    "t2v_14b": dict(),
    "i2v_14b": dict(in_channels=36, image_dim=1280, added_kv_proj_dim=5120),
    "flf2v_14b": dict(in_channels=36, image_dim=1280, added_kv_proj_dim=5120, pos_embed_seq_len=514),
    "i2v_a14b": dict(in_channels=36),
    "fun_1_3b_inp": dict(num_attention_heads=12, ffn_dim=8960, num_layers=30, in_channels=36, image_dim=1280,
                         added_kv_proj_dim=1536),
    "ti2v_5b": dict(num_attention_heads=24, ffn_dim=14336, num_layers=30, in_channels=48, out_channels=48),
}
# Written apart from keyflow's table, and checked below by diffusers' own converter.
OFFICIAL = [
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("condition_embedder.image_embedder.norm1", "img_emb.proj.0"),
    ("condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"),
    ("condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"),
    ("condition_embedder.image_embedder.norm2", "img_emb.proj.4"),
    ("condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos"),
    ("attn1.to_out.0", "self_attn.o"), ("attn2.to_out.0", "cross_attn.o"),
    ("attn1.to_", "self_attn."), ("attn2.to_", "cross_attn."),
    ("attn1.", "self_attn."), ("attn2.add_k_proj", "cross_attn.k_img"), ("attn2.add_v_proj", "cross_attn.v_img"),
    ("attn2.norm_added_k", "cross_attn.norm_k_img"), ("attn2.", "cross_attn."),
    (".norm2.", ".norm3."), ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"), ("proj_out", "head.head"),
]


def official_name(name):
    if name.endswith("scale_shift_table"):
        return name.replace("scale_shift_table", "modulation") if name.startswith("blocks.") else "head.modulation"
    for old, new in OFFICIAL:
        name = name.replace(old, new)
    return name


def tiny(kind, options, out):
    torch.manual_seed(7)
    model = WanTransformer3DModel(**TINY, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(out / kind)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    official = {official_name(name): tensor for name, tensor in state.items()}
    back = convert_wan_transformer_to_diffusers({n: t for n, t in official.items() if n != "img_emb.emb_pos"})
    assert set(back) == set(state) - {"condition_embedder.image_embedder.pos_embed"}, set(back) ^ set(state)
    save_file(official, out / f"{kind}_official.safetensors")
    save_file({"model.diffusion_model." + n: t for n, t in official.items()}, out / f"{kind}_prefixed.safetensors")

    images = 2 if kind == "flf2v" else 1
    latents = torch.randn(2, options["in_channels"], 3, 6, 10)
    timestep = torch.tensor([999.0, 37.0])
    text = torch.randn(2, 512, TINY["text_dim"])
    text[0, 9:] = 0
    text[1, 1:] = 0
    case = dict(latents=latents, timestep=timestep, text=text)
    image = None
    if "image_dim" in options:
        image = torch.randn(2 * images, 5, options["image_dim"])
        case["image"] = image.view(2, images * 5, -1)
    with torch.no_grad():
        case["velocity"] = model(latents, timestep, text, image, return_dict=False)[0]
    save_file({name: tensor.contiguous() for name, tensor in case.items()}, out / f"{kind}_case.safetensors")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind, options in KINDS.items():
        tiny(kind, options, out)
    for variant, options in PUBLISHED.items():
        with torch.device("meta"):
            model = WanTransformer3DModel(**{"text_dim": 4096, **options})
        lines = [f"{name}\t{'x'.join(map(str, tensor.shape))}\n" for name, tensor in sorted(model.state_dict().items())]
        (out / f"{variant}.tsv").write_text("".join(lines))
        (out / f"{variant}.json").write_text(json.dumps(dict(model.config)))


main()
