"""Tiny random FluxTransformer2DModel of each kind, saved as diffusers saves it and again under Black Forest Labs' names,
with inputs and outputs beside it; and the names and shapes that diffusers gives the published sizes.

usage: flux_transformer_reference.py OUT_DIR
"""

import json
import pathlib
import sys
import types

import torch
from diffusers import FluxFillPipeline, FluxPipeline, FluxTransformer2DModel
from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers
from safetensors.torch import save_file

TINY = dict(in_channels=16, out_channels=16, num_layers=2, num_single_layers=2, attention_head_dim=20,
            num_attention_heads=3, joint_attention_dim=24, pooled_projection_dim=14, axes_dims_rope=(4, 10, 6))
KINDS = {
    "schnell": dict(),
    "dev": dict(guidance_embeds=True),
    "fill": dict(guidance_embeds=True, in_channels=16 + 16 + 256),
}
PUBLISHED = {
    "schnell": dict(),
    "dev": dict(guidance_embeds=True),
    "fill": dict(guidance_embeds=True, in_channels=384, out_channels=64),
}
# Written apart from keyflow's table, and checked below by diffusers' own converter.
PLAIN = [
    ("time_text_embed.timestep_embedder.linear_1", "time_in.in_layer"),
    ("time_text_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("time_text_embed.text_embedder.linear_1", "vector_in.in_layer"),
    ("time_text_embed.text_embedder.linear_2", "vector_in.out_layer"),
    ("time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer"),
    ("time_text_embed.guidance_embedder.linear_2", "guidance_in.out_layer"),
    ("context_embedder", "txt_in"), ("x_embedder", "img_in"),
    ("single_transformer_blocks", "single_blocks"), ("transformer_blocks", "double_blocks"),
    ("norm1_context.linear", "txt_mod.lin"), ("norm1.linear", "img_mod.lin"), ("norm.linear", "modulation.lin"),
    ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
    ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
    ("attn.to_add_out", "txt_attn.proj"), ("attn.to_out.0", "img_attn.proj"),
    ("ff_context.net.0.proj", "txt_mlp.0"), ("ff_context.net.2", "txt_mlp.2"),
    ("ff.net.0.proj", "img_mlp.0"), ("ff.net.2", "img_mlp.2"),
]


def bfl_state(state):
    bfl = {}
    for name, tensor in state.items():
        for old, new in PLAIN:
            name = name.replace(old, new)
        single = name.startswith("single_blocks.")
        norm = "norm" if single else "img_attn.norm"
        name = name.replace("attn.norm_q.weight", norm + ".query_norm.scale")
        name = name.replace("attn.norm_k.weight", norm + ".key_norm.scale")
        if single:
            name = name.replace("proj_out", "linear2")
        if name.startswith("proj_out"):
            name = name.replace("proj_out", "final_layer.linear")
        if name.startswith("norm_out.linear"):
            name = name.replace("norm_out.linear", "final_layer.adaLN_modulation.1")
            tensor = tensor.roll(tensor.shape[0] // 2, 0)
        stack = None
        for part in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"):
            if part in name:
                stack = name.replace(part, "linear1" if single else "img_attn.qkv")
        for part in ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"):
            if part in name:
                stack = name.replace(part, "txt_attn.qkv")
        if stack is None:
            bfl[name] = tensor.contiguous()
        else:
            bfl.setdefault(stack, {})[name] = tensor
    order = ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "proj_mlp")
    for name, parts in bfl.items():
        if isinstance(parts, dict):
            rows = sorted(parts.items(), key=lambda item: [word in item[0] for word in order].index(True))
            bfl[name] = torch.cat([tensor for _, tensor in rows])
    return bfl


def check(bfl, state):
    """The converter knows one width, 3072, for linear1, so its rows there are only labels of their part."""
    labels = torch.cat([torch.full((rows,), float(label)) for label, rows in enumerate((3072, 3072, 3072, 12288))])
    back = convert_flux_transformer_checkpoint_to_diffusers(
        {name: labels if ".linear1." in name else tensor for name, tensor in bfl.items()})
    assert set(back) == set(state), set(back) ^ set(state)
    for name, tensor in back.items():
        parts = [part in name for part in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")]
        if name.startswith("single_") and any(parts):
            assert (tensor == parts.index(True)).all(), name
        else:
            assert torch.equal(tensor, state[name]), name


def tiny(kind, options, out):
    torch.manual_seed(5)
    model = FluxTransformer2DModel(**{**TINY, **options}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(out / kind)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    bfl = bfl_state(state)
    check(dict(bfl), state)
    save_file(bfl, out / f"{kind}_bfl.safetensors")
    other = {"vae.decoder.conv_in.weight": torch.zeros(2), "text_encoders.clip_l.logit_scale": torch.zeros(1)}
    whole = {"model.diffusion_model." + name: tensor for name, tensor in bfl.items()}
    save_file({**whole, **other}, out / f"{kind}_whole.safetensors")

    batch, height, width = 2, 6, 10
    latents = torch.randn(batch, 4, height, width)
    case = dict(latents=latents, timestep=torch.tensor([984.375, 62.5]), text=torch.randn(batch, 7, 24),
                pooled=torch.randn(batch, 14))
    tokens = FluxPipeline._pack_latents(latents, batch, 4, height, width)
    case["tokens"] = tokens
    if kind == "fill":
        case["masked"] = torch.randn(batch, 4, height, width)
        case["mask"] = (torch.rand(batch, 1, 8 * height, 8 * width) > 0.4).float()
        pipeline = types.SimpleNamespace(
            vae_scale_factor=8, _pack_latents=FluxPipeline._pack_latents,
            vae=types.SimpleNamespace(config=types.SimpleNamespace(shift_factor=0.0, scaling_factor=1.0)))
        mask, masked = FluxFillPipeline.prepare_mask_latents(
            pipeline, case["mask"], case["masked"], batch, 4, 1, 8 * height, 8 * width, torch.float32, "cpu", None)
        tokens = torch.cat((tokens, masked, mask), dim=2)
    guidance = None
    if options.get("guidance_embeds"):
        guidance = case["guidance"] = torch.tensor([3.5, 1.25])
    case["ids"] = FluxPipeline._prepare_latent_image_ids(batch, height // 2, width // 2, "cpu", torch.float32)
    with torch.no_grad():
        velocity = model(tokens, case["text"], case["pooled"], case["timestep"] / 1000, case["ids"],
                         torch.zeros(7, 3), guidance, return_dict=False)[0]
    case["velocity"] = FluxPipeline._unpack_latents(velocity, 8 * height, 8 * width, 8)
    save_file({name: tensor.contiguous() for name, tensor in case.items()}, out / f"{kind}_case.safetensors")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind, options in KINDS.items():
        tiny(kind, options, out)
    for variant, options in PUBLISHED.items():
        with torch.device("meta"):
            model = FluxTransformer2DModel(**options)
        lines = [f"{name}\t{'x'.join(map(str, tensor.shape))}\n" for name, tensor in sorted(model.state_dict().items())]
        (out / f"{variant}.tsv").write_text("".join(lines))
        (out / f"{variant}.json").write_text(json.dumps(dict(model.config)))


main()
