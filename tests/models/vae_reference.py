"""Tiny random AutoencoderKLWan of diffusers, and what it makes of small videos: whole, and in tiles."""
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import save_file

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(7)
vae = AutoencoderKLWan(
    base_dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True]
).eval()
with torch.no_grad():
    for parameter in vae.parameters():
        if parameter.dim() > 1:
            parameter.mul_(1.5)
        else:
            parameter.add_(0.1 * torch.randn_like(parameter))
vae.save_pretrained(out / "vae")

mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
inverse = 1.0 / torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
tensors = {}
with torch.no_grad():
    for frames in (1, 5, 9, 17):
        video = torch.rand(2, 3, frames, 40, 24) * 2 - 1
        moments = vae.encode(video).latent_dist
        latents = (moments.mode() - mean) * inverse
        tensors[f"video{frames}"] = video
        tensors[f"latents{frames}"] = latents
        tensors[f"decoded{frames}"] = vae.decode(latents / inverse + mean).sample
    vae.enable_tiling(32, 32, 24, 24)
    video = torch.rand(1, 3, 5, 56, 80) * 2 - 1
    latents = (vae.encode(video).latent_dist.mode() - mean) * inverse
    tensors["tiled_video"] = video
    tensors["tiled_latents"] = latents
    tensors["tiled_decoded"] = vae.decode(latents / inverse + mean).sample
save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / "tensors.safetensors")
