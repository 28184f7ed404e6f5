"""Tiny random AutoencoderKLs, saved as diffusers saves them, with the attention's old names, and under the publishers'
names; with pictures, latents and outputs beside them.

usage: autoencoder_kl_reference.py OUT_DIR
"""

import pathlib
import re
import sys

import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from safetensors.torch import save_file

KINDS = {
    "quantised": dict(block_out_channels=(16, 24, 32), layers_per_block=2, latent_channels=4, norm_num_groups=8),
    "shifted": dict(block_out_channels=(8, 16), layers_per_block=1, latent_channels=6, norm_num_groups=4,
                    use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.4, shift_factor=0.12),
    "without_attention": dict(block_out_channels=(12, 12, 24, 24), layers_per_block=1, latent_channels=4,
                              norm_num_groups=3, mid_block_add_attention=False),
}
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def ldm(state, levels):
    """The same weights in latent-diffusion's modules, its attention made of 1x1 convolutions."""
    out = {}
    for name, tensor in state.items():
        if match := re.fullmatch(r"(.*)mid_block\.attentions\.0\.(.*)\.(weight|bias)", name):
            half, layer, side = match.groups()
            name = f"{half}mid.attn_1.{ATTENTION[layer]}.{side}"
            tensor = tensor[:, :, None, None] if tensor.dim() == 2 else tensor
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{levels - 1 - int(m[1])}.block", name)
        name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
        name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        out[name] = tensor.contiguous()
    return out


def check(model, state, names):
    """diffusers' own reader of such files finds the same weights."""
    back = convert_ldm_vae_checkpoint({"first_stage_model." + n: t for n, t in names.items()}, model.config)
    assert set(back) == set(state), set(back) ^ set(state)
    for name, tensor in state.items():
        assert torch.equal(back[name].reshape(tensor.shape), tensor), name


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind, options in KINDS.items():
        torch.manual_seed(11)
        levels = len(options["block_out_channels"])
        model = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * levels,
                              up_block_types=["UpDecoderBlock2D"] * levels, **options).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(out / kind)
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}

        def old_name(name):
            for new, old in OLD.items():
                name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
            return name

        save_file({old_name(n): t for n, t in state.items()}, out / f"{kind}_old.safetensors")
        publisher = ldm(state, levels)
        check(model, state, publisher)
        save_file(publisher | {"loss.logvar": torch.zeros(())}, out / f"{kind}_ldm.safetensors")
        other = {"model.diffusion_model.out.0.weight": torch.randn(3)}
        save_file({"first_stage_model." + n: t for n, t in publisher.items()} | other,
                  out / f"{kind}_pipeline.safetensors")

        stride = 2 ** (levels - 1)
        latents = torch.randn(2, options["latent_channels"], 7, 10)
        pixels = torch.rand(2, 3, 7 * stride, 10 * stride) * 2 - 1
        with torch.no_grad():
            posterior = model.encode(pixels).latent_dist
            decoded = model.decode(latents).sample
        noise = torch.randn_like(latents)
        shift = options.get("shift_factor") or 0.0
        scaled = (posterior.mean - shift) * model.config.scaling_factor
        case = dict(pixels=pixels, mean=posterior.mean, logvar=posterior.logvar, noise=noise,
                    sample=posterior.mean + posterior.std * noise, scaled=scaled, latents=latents, decoded=decoded)
        save_file({n: t.contiguous() for n, t in case.items()}, out / f"{kind}_case.safetensors")


main()
