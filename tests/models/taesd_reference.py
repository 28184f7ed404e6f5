"""A tiny random AutoencoderTiny, saved as diffusers saves it and under its author's names; where the shared data folder
is there, also outputs of the published weights, and the PSNR of a real picture through them.

usage: taesd_reference.py OUT_DIR
"""

import pathlib
import re
import sys

import numpy
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import load_file, save_file

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared/data"
PUBLISHED = {"taesd": 4, "taesdxl": 4, "taesd3": 16, "taef1": 16}


def by_author(half, state):
    """One half under the indexes of the author's sequences."""
    prefix, more = half + ".layers.", 1 if half == "decoder" else 0
    return {re.sub(r"^\d+", lambda m: str(int(m[0]) + more), name[len(prefix):]): tensor.contiguous()
            for name, tensor in state.items() if name.startswith(prefix)}


def by_diffusers(half, state):
    less = 1 if half == "decoder" else 0
    return {f"{half}.layers." + re.sub(r"^\d+", lambda m: str(int(m[0]) - less), name): tensor.float()
            for name, tensor in state.items()}


def run(model, latents, pixels):
    with torch.no_grad():
        return dict(pixels=pixels, latents=latents, encoded=model.encode(pixels).latents.contiguous(),
                    decoded=model.decode(latents).sample.contiguous())


def psnr(model, path):
    picture = Image.open(path).convert("RGB").resize((256, 256), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(numpy.array(picture)).permute(2, 0, 1).unsqueeze(0).float() / 255
    with torch.no_grad():
        back = model.decode(model.encode(pixels * 2 - 1).latents).sample
    error = ((back / 2 + 0.5).clamp(0, 1) - pixels).double().square().mean()
    return -10 * error.log10()


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(11)
    random = AutoencoderTiny(encoder_block_out_channels=(12, 12, 12), decoder_block_out_channels=(12, 12, 12),
                             num_encoder_blocks=(1, 2, 3), num_decoder_blocks=(3, 2, 1), latent_channels=5).eval()
    random.save_pretrained(out / "random")
    state = random.state_dict()
    for half in ("encoder", "decoder"):
        save_file(by_author(half, state), out / f"random_{half}.safetensors")
    save_file({f"taesd_{half}.{name}": tensor for half in ("encoder", "decoder")
               for name, tensor in by_author(half, state).items()}, out / "random_both.safetensors")
    save_file(run(random, torch.randn(2, 5, 6, 9) * 3, torch.rand(2, 3, 24, 36) * 2 - 1), out / "random_case.safetensors")
    if not SHARED.exists():
        return
    for name, channels in PUBLISHED.items():
        model = AutoencoderTiny(latent_channels=channels).eval()
        halves = {half: load_file(SHARED / f"taesd/{name}_{half}.safetensors") for half in ("encoder", "decoder")}
        model.load_state_dict(by_diffusers("encoder", halves["encoder"]) | by_diffusers("decoder", halves["decoder"]))
        case = run(model, torch.randn(2, channels, 4, 7), torch.rand(2, 3, 32, 56) * 2 - 1)
        case["psnr"] = psnr(model, SHARED / "images/wan2.1/flf2v_input_first_frame.png").float()
        save_file(case, out / f"{name}_case.safetensors")


main()
