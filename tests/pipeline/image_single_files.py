"""The weights of tiny models under the names of the files that their publishers release."""

import re

import torch
from safetensors.torch import save_file

from image_models import definitions_of

sd = definitions_of("models/sd_reference.py")
sd3 = definitions_of("models/sd3_transformer_reference.py")
flux = definitions_of("models/flux_transformer_reference.py")
vaes = definitions_of("models/autoencoder_kl_reference.py")
clips = definitions_of("models/clip_text_reference.py")


def named(prefix, state):
    return {prefix + name: tensor.clone().contiguous() for name, tensor in state.items()}


def unet(parts):
    return named("model.diffusion_model.", sd.original(parts["unet"].state_dict()))


def vae(parts, prefix="first_stage_model."):
    state = parts["vae"].state_dict()
    return named(prefix, vaes.ldm(state, len(parts["vae"].config.block_out_channels)))


def clip_state(model):
    return {re.sub(r"^text_model\.", "", name): tensor for name, tensor in model.state_dict().items()}


def huggingface(model, prefix, projection=True):
    """The names of transformers 4, as all published files have them."""
    state = clip_state(model)
    head = state.pop("text_projection.weight", None)
    state["embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    result = named(prefix + "text_model.", state)
    if head is not None and projection:
        result[prefix + "text_projection.weight"] = head.clone()
    return result


def openclip(model, prefix):
    clips.TINY["num_hidden_layers"] = model.config.num_hidden_layers
    return named(prefix, clips.openclip(clip_state(model)))


def with_unused_layer(names, layers):
    """The last layer that SD 2 files carry and nobody runs, and its projection."""
    place = f".resblocks.{layers - 1}."
    last = {name.replace(place, f".resblocks.{layers}."): torch.randn_like(t) for name, t in names.items()
            if place in name}
    return {**names, **last, "cond_stage_model.model.text_projection": torch.randn(64, 64)}


def t5(model, prefix=""):
    """The embedding under one of its two names inside a whole model, under both in a file of its own."""
    state = model.state_dict()
    if prefix:
        del state["encoder.embed_tokens.weight"]
    return named(prefix, state)


def write(out, models):
    """A file for each model that is published as one, and FLUX.1's parts. Gives the settings that name them."""
    out.mkdir()
    words, words_pad = str(out.parent / "words"), str(out.parent / "words_pad")
    parts = models["sd15"]
    save_file({**unet(parts), **vae(parts), **huggingface(parts["text_encoder"], "cond_stage_model.transformer."),
               "alphas_cumprod": torch.rand(1000), "model_ema.decay": torch.tensor(0.9999)}, out / "sd15.safetensors")
    parts = models["sd21"]
    text = openclip(parts["text_encoder"], "cond_stage_model.model.")
    save_file({**unet(parts), **vae(parts), **with_unused_layer(text, parts["text_encoder"].config.num_hidden_layers)},
              out / "sd21.safetensors")
    parts = models["sdxl"]
    save_file({**unet(parts), **vae(parts), "denoiser.sigmas": torch.rand(1000),
               **huggingface(parts["text_encoder"], "conditioner.embedders.0.transformer."),
               **openclip(parts["text_encoder_2"], "conditioner.embedders.1.model.")}, out / "sdxl.safetensors")
    parts = models["sd3"]
    transformer = sd3.sai_state(parts["transformer"].state_dict(), parts["transformer"].config.num_layers)
    save_file({**named("model.diffusion_model.", transformer), **vae(parts),
               **huggingface(parts["text_encoder"], "text_encoders.clip_l.transformer.", projection=False),
               **huggingface(parts["text_encoder_2"], "text_encoders.clip_g.transformer."),
               **t5(parts["text_encoder_3"], "text_encoders.t5xxl.transformer.")}, out / "sd3.safetensors")
    parts = models["flux_dev"]
    save_file(named("", flux.bfl_state(parts["transformer"].state_dict())), out / "flux1-dev.safetensors")
    save_file(vae(parts, ""), out / "ae.safetensors")
    save_file(huggingface(parts["text_encoder"], ""), out / "clip_l.safetensors")
    save_file(t5(parts["text_encoder_2"]), out / "t5xxl.safetensors")
    one = {name: {"model": str(out / f"{name}.safetensors")} for name in ("sd15", "sd21", "sdxl", "sd3")}
    one["sd15"]["tokenizer"], one["sd21"]["tokenizer"] = words, words_pad
    flux_files = dict(transformer="flux1-dev", vae="ae", text_encoder="clip_l", text_encoder_3="t5xxl")
    one["flux_dev"] = {field: str(out / f"{name}.safetensors") for field, name in flux_files.items()}
    return one
