"""Tiny random UNet2DConditionModels and ControlNetModels of every kind in the family, saved as diffusers saves them and
again as single files under the original names, with inputs and outputs beside them; and the names and shapes that
diffusers gives the published sizes.

usage: sd_reference.py OUT_DIR
"""

import json
import pathlib
import sys

import torch
from diffusers import ControlNetModel, LatentConsistencyModelPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint, convert_ldm_unet_checkpoint
from safetensors.torch import save_file

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
KINDS = {
    "sd1": dict(down=[CROSS, CROSS, PLAIN], block_out_channels=[16, 24, 32], attention_head_dim=4, cross_attention_dim=24),
    "sd2": dict(down=[CROSS, CROSS, PLAIN], block_out_channels=[16, 32, 48], attention_head_dim=[2, 4, 6],
                cross_attention_dim=40, use_linear_projection=True, upcast_attention=True, layers_per_block=1),
    "sdxl": dict(down=[PLAIN, CROSS, CROSS], block_out_channels=[16, 24, 32], attention_head_dim=[2, 3, 4],
                 cross_attention_dim=28, transformer_layers_per_block=[1, 2, 3], use_linear_projection=True,
                 addition_embed_type="text_time", addition_time_embed_dim=8,
                 projection_class_embeddings_input_dim=12 + 6 * 8),
    "refiner": dict(down=[PLAIN, CROSS, CROSS, PLAIN], block_out_channels=[16, 16, 32, 32],
                    attention_head_dim=[2, 2, 4, 4], cross_attention_dim=12, transformer_layers_per_block=2,
                    use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
                    projection_class_embeddings_input_dim=12 + 5 * 8),
    "inpaint": dict(down=[CROSS, PLAIN], block_out_channels=[16, 32], attention_head_dim=8, cross_attention_dim=24,
                    in_channels=9),
    "lcm": dict(down=[CROSS, PLAIN], block_out_channels=[16, 16], attention_head_dim=4, cross_attention_dim=24,
                time_cond_proj_dim=16, mid_block_type=None, flip_sin_to_cos=False, freq_shift=1),
    "plain_middle": dict(down=[CROSS, CROSS], block_out_channels=[16, 32], attention_head_dim=4, cross_attention_dim=24,
                         mid_block_type="UNetMidBlock2D", norm_eps=1e-3),
}
CONTROLLED = {"sd1": dict(), "sdxl": dict(controlnet_conditioning_channel_order="bgr")}
HINT = (4, 6, 8, 10)
SD1 = dict(down=[CROSS, CROSS, CROSS, PLAIN], block_out_channels=[320, 640, 1280, 1280], attention_head_dim=8,
           cross_attention_dim=768)
SD2 = dict(SD1, attention_head_dim=[5, 10, 20, 20], cross_attention_dim=1024, use_linear_projection=True,
           upcast_attention=True)
SDXL = dict(down=[PLAIN, CROSS, CROSS], block_out_channels=[320, 640, 1280], attention_head_dim=[5, 10, 20],
            cross_attention_dim=2048, transformer_layers_per_block=[1, 2, 10], use_linear_projection=True,
            addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
PUBLISHED = {
    "sd15": dict(SD1, sample_size=64), "sd15_inpaint": dict(SD1, in_channels=9, sample_size=64),
    "sd21": dict(SD2, sample_size=96), "sd21_base": dict(SD2, sample_size=64),
    "sd2_inpaint": dict(SD2, in_channels=9, sample_size=64), "sdxl_base": dict(SDXL, sample_size=128),
    "sdxl_inpaint": dict(SDXL, in_channels=9, sample_size=128),
    "sdxl_refiner": dict(SDXL, down=[PLAIN, CROSS, CROSS, PLAIN], block_out_channels=[384, 768, 1536, 1536],
                         attention_head_dim=[6, 12, 24, 24], cross_attention_dim=1280, transformer_layers_per_block=4,
                         projection_class_embeddings_input_dim=2560, sample_size=128),
}
PUBLISHED_CONTROL = {"control_sd15": SD1, "control_sd21": SD2, "control_sdxl": SDXL}


def options(kind, **base):
    given = dict(base, **kind)
    down = given.pop("down")
    up = [name.replace("Down", "Up") for name in reversed(down)]
    return dict(given, down_block_types=down, up_block_types=up)


def shaken(model):
    """Every weight random, the norms' and the zero convolutions' too."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


RES_BLOCK = {"in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
             "out_layers.3": "conv2", "skip_connection": "conv_shortcut"}


def original(state):
    """Walks the blocks as LDM builds them, and takes diffusers' tensors for each module in turn."""
    state, out = dict(state), {}

    def take(theirs, ours):
        found = [name for name in state if name.startswith(ours + ".")]
        for name in found:
            out[theirs + name[len(ours):]] = state.pop(name)
        return bool(found)

    def take_res_block(theirs, ours):
        return any([take(f"{theirs}.{a}", f"{ours}.{b}") for a, b in RES_BLOCK.items()])

    for theirs, ours in [("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
                         ("time_embed.cond_proj", "time_embedding.cond_proj"), ("label_emb.0.0", "add_embedding.linear_1"),
                         ("label_emb.0.2", "add_embedding.linear_2"), ("input_blocks.0.0", "conv_in"),
                         ("out.0", "conv_norm_out"), ("out.2", "conv_out"),
                         ("middle_block_out.0", "controlnet_mid_block")]:
        take(theirs, ours)
    block, level = 1, 0
    while any(name.startswith(f"down_blocks.{level}.") for name in state):
        layer = 0
        while take_res_block(f"input_blocks.{block}.0", f"down_blocks.{level}.resnets.{layer}"):
            take(f"input_blocks.{block}.1", f"down_blocks.{level}.attentions.{layer}")
            block, layer = block + 1, layer + 1
        if take(f"input_blocks.{block}.0.op", f"down_blocks.{level}.downsamplers.0.conv"):
            block += 1
        level += 1
    take_res_block("middle_block.0", "mid_block.resnets.0")
    take("middle_block.1", "mid_block.attentions.0")
    take_res_block("middle_block.2", "mid_block.resnets.1")
    block, level = 0, 0
    while any(name.startswith(f"up_blocks.{level}.") for name in state):
        layer = 0
        while take_res_block(f"output_blocks.{block}.0", f"up_blocks.{level}.resnets.{layer}"):
            attends = take(f"output_blocks.{block}.1", f"up_blocks.{level}.attentions.{layer}")
            block, layer = block + 1, layer + 1
        take(f"output_blocks.{block - 1}.{2 if attends else 1}", f"up_blocks.{level}.upsamplers.0")
        level += 1
    if take("input_hint_block.0", "controlnet_cond_embedding.conv_in"):
        place = 2
        while take(f"input_hint_block.{place}", f"controlnet_cond_embedding.blocks.{place // 2 - 1}"):
            place += 2
        take(f"input_hint_block.{place}", "controlnet_cond_embedding.conv_out")
        zero = 0
        while take(f"zero_convs.{zero}.0", f"controlnet_down_blocks.{zero}"):
            zero += 1
    assert not state, sorted(state)
    return out


def same(a, b):
    assert set(a) == set(b), set(a) ^ set(b)
    assert all(torch.equal(a[name], b[name]) for name in a)


def save_case(path, tensors):
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)


def conditions(config):
    """Keyword arguments of diffusers and tensors for keyflow."""
    if config.addition_embed_type is None:
        return {}, {}
    ids = 5 if config.projection_class_embeddings_input_dim == 12 + 5 * 8 else 6
    pooled, time_ids = torch.randn(2, 12), torch.randint(0, 1025, (2, ids)).float()
    return dict(added_cond_kwargs=dict(text_embeds=pooled, time_ids=time_ids)), dict(pooled=pooled, time_ids=time_ids)


def tiny_unet(kind, out):
    torch.manual_seed(7)
    model = shaken(UNet2DConditionModel(**options(KINDS[kind], norm_num_groups=8, sample_size=16)))
    model.save_pretrained(out / kind)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    single = {"model.diffusion_model." + name: tensor for name, tensor in original(state).items()}
    if KINDS[kind].get("mid_block_type", CROSS) == CROSS:
        same(convert_ldm_unet_checkpoint(single, dict(model.config)), state)
    # What else such files hold.
    rest = {"first_stage_model.decoder.conv_in.weight": torch.randn(4, 4, 3, 3), "betas": torch.rand(10),
            "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77).unsqueeze(0),
            "model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7),
            "control_model.time_embed.0.weight": torch.randn(8, 8)}
    save_file({**single, **rest}, out / f"{kind}_single.safetensors")
    save_file(original(state), out / f"{kind}_original.safetensors")
    case = dict(latents=torch.randn(2, model.config.in_channels, 9, 13), timestep=torch.tensor([999, 37]),
                context=torch.randn(2, 5, model.config.cross_attention_dim))
    arguments, added = conditions(model.config)
    if model.config.time_cond_proj_dim:
        added["guidance"] = torch.tensor([7.5, 1.0])
        arguments["timestep_cond"] = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
            None, added["guidance"] - 1, model.config.time_cond_proj_dim)
    with torch.no_grad():
        case["output"] = model(case["latents"], case["timestep"], case["context"], **arguments, return_dict=False)[0]
        even = case["latents"][:, :, :8, :8].contiguous()
        case["output_8x8"] = model(even, case["timestep"], case["context"], **arguments, return_dict=False)[0]
    save_case(out / f"{kind}_case.safetensors", {**case, **added})
    return model, case, arguments


def residuals(name, down, middle):
    return {**{f"{name}_{i}": tensor for i, tensor in enumerate(down)}, f"{name}_middle": middle}


def tiny_control(kind, out, unet, case, arguments):
    torch.manual_seed(11)
    name = f"{kind}_control"
    first = shaken(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT, **CONTROLLED[kind]))
    first.save_pretrained(out / name)
    state = {key: tensor.contiguous() for key, tensor in first.state_dict().items()}
    single = {"control_model." + key: tensor for key, tensor in original(state).items()}
    if kind == "sd1":
        same(convert_controlnet_checkpoint(single, dict(first.config)), state)
    save_file({**single, "model.diffusion_model.time_embed.0.weight": torch.randn(8, 8), "logvar": torch.rand(4)},
              out / f"{name}_single.safetensors")
    save_file(original(state), out / f"{name}_original.safetensors")
    second = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(6, 7))
    second = shaken(ControlNetModel(**{**second.config, "global_pool_conditions": True}))
    second.save_pretrained(out / f"{name}_pooled")
    picture, other = torch.rand(2, 3, 72, 104), torch.rand(2, 3, 18, 26)
    inputs = (case["latents"], case["timestep"], case["context"])
    with torch.no_grad():
        one = first(*inputs, picture, 0.7, **arguments, return_dict=False)
        guess = first(*inputs, picture, 0.7, guess_mode=True, **arguments, return_dict=False)
        two = second(*inputs, other, 1.3, **arguments, return_dict=False)
        both = [a + b for a, b in zip(one[0], two[0])], one[1] + two[1]
        output = unet(*inputs, **arguments, down_block_additional_residuals=one[0],
                      mid_block_additional_residual=one[1], return_dict=False)[0]
        output_both = unet(*inputs, **arguments, down_block_additional_residuals=both[0],
                           mid_block_additional_residual=both[1], return_dict=False)[0]
    save_case(out / f"{name}_case.safetensors",
              dict(picture=picture, other_picture=other, output=output, output_both=output_both,
                   **residuals("one", *one), **residuals("guess", *guess), **residuals("pooled", *two)))


def published(out, variant, model):
    lines = [f"{name}\t{'x'.join(map(str, tensor.shape))}\n" for name, tensor in sorted(model.state_dict().items())]
    (out / f"{variant}.tsv").write_text("".join(lines))
    names = sorted(original(model.state_dict()).items())
    lines = [f"{name}\t{'x'.join(map(str, tensor.shape))}\n" for name, tensor in names]
    (out / f"{variant}_original.tsv").write_text("".join(lines))
    (out / f"{variant}.json").write_text(json.dumps(dict(model.config)))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        made = tiny_unet(kind, out)
        if kind in CONTROLLED:
            tiny_control(kind, out, *made)
    with torch.device("meta"):
        for variant, sizes in PUBLISHED.items():
            published(out, variant, UNet2DConditionModel(**options(sizes)))
        for variant, sizes in PUBLISHED_CONTROL.items():
            unet = UNet2DConditionModel(**options(sizes))
            published(out, variant, ControlNetModel.from_unet(unet, load_weights_from_unet=False))


main()
