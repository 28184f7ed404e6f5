"""What diffusers' pipelines of the image families make of tiny random models: folders that save_pretrained wrote, the
same weights as published single files, and for every case the settings of keyflow, the latents and the picture.
Usage: image_reference.py OUT_DIR"""

import json
import os
import shutil
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from image_models import Parts, control_net, picture
from image_single_files import write as write_single_files

OUT = Path(sys.argv[1]).resolve()
PROMPT, NEGATIVE, SEED = "the cat  jumps on a red box", "blurred, low quality", 7
SIZES = {"sd": (72, 56), "transformer": (80, 48)}  # width, height
CLIP_HABIT = {"sd15": 1, "sdxl": 2}  # keyflow's clip_skip for the layer that diffusers calls 0
tensors, cases, models, pipes = {}, [], {}, {}


def mask_picture(width, height):
    """White where it is painted anew; its edges lie between latent positions."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 + 1 : height // 2 + 9, width // 3 + 1 : width - 10] = 255
    mask[5:17, 3:14] = 255
    return Image.fromarray(mask)


def draw_pictures():
    """By the name that settings call them."""
    drawn = {"wide.png": picture(100, 60, 3)}
    for kind, (width, height) in SIZES.items():
        drawn[f"{kind}.png"] = picture(width, height, 4)
        drawn[f"{kind}_edges.png"] = picture(width, height, 5)
        drawn[f"{kind}_mask.png"] = mask_picture(width, height)
    for name, drawing in drawn.items():
        drawing.save(OUT / name)
    return drawn


def model(name, parts, class_name, **options):
    """Makes a model and saves its folder."""
    models[name] = parts
    pipes[name] = pipeline(name, class_name, **options)
    pipes[name].save_pretrained(OUT / name)


def pipeline(name, class_name, scheduler=None, **options):
    """Another pipeline with the parts of a model."""
    parts = dict(models[name])
    if "unet" in parts and "tokenizer_2" not in parts:
        options = dict(safety_checker=None, feature_extractor=None, requires_safety_checker=False, **options)
    if scheduler is not None:
        parts["scheduler"] = scheduler
    pipe = getattr(diffusers, class_name)(**parts, **options)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def rescheduled(name, base, class_name, **options):
    """A scheduler made from a model's own, saved in a copy of the model's folder."""
    kind = getattr(diffusers, class_name)
    scheduler = kind.from_config(kind.load_config(OUT / base / "scheduler"), **options)
    shutil.copytree(OUT / base, OUT / name, copy_function=os.link)
    shutil.rmtree(OUT / name / "scheduler")
    scheduler.save_pretrained(OUT / name / "scheduler")
    index = json.loads((OUT / name / "model_index.json").read_text())
    index["scheduler"][1] = class_name
    (OUT / name / "model_index.json").unlink()  # the other folder has it too
    (OUT / name / "model_index.json").write_text(json.dumps(index))
    return scheduler


def settings_of(base, call, size, told):
    """The call in keyflow's words."""
    width, height = size
    settings = dict(prompt=PROMPT, negative=call.get("negative_prompt") or "", width=width, height=height, seed=SEED,
                    steps=call["num_inference_steps"], conventions="diffusers", dtype="fp32", tiling="off",
                    prompt_syntax="plain")
    if told:
        settings["guidance"] = call["guidance_scale"]
    elif "guidance_scale" in call:
        settings["guidance_scale"] = call["guidance_scale"]
    if "true_cfg_scale" in call:
        settings["guidance_scale"] = call["true_cfg_scale"]
    for name in ("strength", "eta", "guidance_rescale"):
        if name in call:
            settings[name] = call[name]
    if "clip_skip" in call:
        settings["clip_skip"] = call["clip_skip"] + CLIP_HABIT[base]
    return settings


def call_of(pipe, call, output_type):
    with torch.no_grad():
        return pipe(**call, generator=torch.Generator("cpu").manual_seed(SEED), output_type=output_type).images


def record(name, base, pipe, kind, folder=None, start=None, mask=None, controls=(), told=False, call=None, **settings):
    """Runs one case and keeps what it makes. `start`, `mask`, `controls` are names of pictures; `told` says that
    guidance_scale is an input of the network; `settings` are those that no argument of the pipeline stands for."""
    width, height = SIZES[kind]
    call = {"prompt": PROMPT, "num_inference_steps": 4, **call}
    settings = {"model": str(OUT / (folder or base)), **settings_of(base, call, SIZES[kind], told), **settings}
    passed = dict(call)
    if base == "lcm":
        passed.pop("negative_prompt", None)
    if start:
        passed["image"] = drawn[start].resize((width, height), Image.LANCZOS)
        settings["init_image"] = str(OUT / start)
    if not (start and not mask and kind == "sd"):  # which take the size of the picture for that of the frame
        passed.update(width=width, height=height)
    if mask:
        passed["mask_image"] = drawn[mask]
        settings["mask"] = str(OUT / mask)
    if controls:
        passed["image"] = [drawn[entry] for entry in controls] if len(controls) > 1 else drawn[controls[0]]
        settings["control_images"] = [str(OUT / entry) for entry in controls]
    if "clip_skip" in call:
        skip_for_both(base, pipe, passed)
    latents = call_of(pipe, passed, "latent")
    if latents.dim() == 3:
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
    frame = call_of(pipe, passed, "np")[0]  # [H, W, 3] in [0, 1]
    if type(pipe).__name__ == "StableDiffusion3InpaintPipeline":
        # Of all pipelines this one decodes without the shift that it encoded with.
        factors = pipe.vae.config
        with torch.no_grad():
            pixels = pipe.vae.decode(latents / factors.scaling_factor + factors.shift_factor).sample[0]
        frame = (pixels / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
    ends = float(((frame == 0) | (frame == 1)).mean())
    print(f"{name}: latents spread {float(latents.std()):.2f}, pixels spread {frame.std():.2f}, at the ends {ends:.2f}")
    if mask:
        # keyflow leaves the pixels outside the mask alone; diffusers decodes them from their latents.
        kept = np.asarray(drawn[mask]) < 128
        frame[kept] = np.asarray(drawn[start].resize((width, height), Image.LANCZOS))[kept] / 255
    tensors[f"{name}.latents"] = latents.unsqueeze(2).contiguous()  # [1, Z, 1, h, w]
    tensors[f"{name}.frame"] = torch.from_numpy(frame).permute(2, 0, 1).float().contiguous()
    cases.append({"name": name, "settings": settings})


def skip_for_both(base, pipe, passed):
    """diffusers skips layers for the prompt alone, keyflow (as A1111) for both. It also looks for the final norm where
    transformers 5 no longer has it."""
    pipe.text_encoder.__dict__["text_model"] = pipe.text_encoder
    text = dict(device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False, clip_skip=passed["clip_skip"])
    with torch.no_grad():
        embeds = pipe.encode_prompt(passed.pop("negative_prompt"), **text)
    passed["negative_prompt_embeds"] = embeds[0]
    if base == "sdxl":
        passed["negative_pooled_prompt_embeds"] = embeds[2]


def sd1_cases(parts):
    model("sd15", parts.sd15(), "StableDiffusionPipeline")
    call = dict(negative_prompt=NEGATIVE, guidance_scale=4.0)
    base = pipes["sd15"]
    record("sd15", "sd15", base, "sd", call=call)
    record("sd15_one_step", "sd15", base, "sd", call=dict(call, num_inference_steps=1))
    record("sd15_clip_skip", "sd15", base, "sd", call=dict(call, clip_skip=1))
    record("sd15_rescale", "sd15", base, "sd", call=dict(call, guidance_rescale=0.6))
    karras = dict(use_karras_sigmas=True)
    samplers = {
        "euler": ("EulerDiscreteScheduler", {}, {"sampler": "euler"}),
        "euler_a": ("EulerAncestralDiscreteScheduler", {}, {"sampler": "euler_a"}),
        "ddim": ("DDIMScheduler", dict(clip_sample=False), {"sampler": "ddim"}),
        "dpm": ("DPMSolverMultistepScheduler", karras, {"sampler": "dpm++2m", "schedule": "karras"}),
        "unipc": ("UniPCMultistepScheduler", {}, {"sampler": "unipc"}),
        "tcd": ("TCDScheduler", dict(clip_sample=False), {"sampler": "tcd"}),
    }
    schedulers = {word: rescheduled(f"sd15_{word}", "sd15", name, **own) for word, (name, own, _) in samplers.items()}
    options = {"ddim": dict(eta=0.5), "tcd": dict(eta=0.3, guidance_scale=1.0)}
    for word, (_, _, asked) in samplers.items():
        pipe = pipeline("sd15", "StableDiffusionPipeline", schedulers[word])
        given = {**call, "num_inference_steps": 5, **options.get(word, {})}
        record(f"sd15_{word}", "sd15", pipe, "sd", folder=f"sd15_{word}", call=given)
        # The same asked for by settings, of the folder whose own sampler is another.
        cases.append({"name": f"sd15_{word}_asked", "expected": f"sd15_{word}",
                      "settings": {**cases[-1]["settings"], "model": str(OUT / "sd15"), **asked}})

    start = pipeline("sd15", "StableDiffusionImg2ImgPipeline")
    record("sd15_img2img", "sd15", start, "sd", start="sd.png", call=dict(call, strength=0.6))
    record("sd15_img2img_resized", "sd15", start, "sd", start="wide.png", call=dict(call, strength=0.5))
    record("sd15_img2img_whole", "sd15", start, "sd", start="sd.png", call=dict(call, strength=1.0))
    start = pipeline("sd15", "StableDiffusionImg2ImgPipeline", schedulers["euler_a"])
    record("sd15_img2img_euler_a", "sd15", start, "sd", folder="sd15_euler_a", start="sd.png",
           call=dict(call, strength=0.6))

    masked = dict(start="sd.png", mask="sd_mask.png")
    paint = pipeline("sd15", "StableDiffusionInpaintPipeline")
    record("sd15_masked", "sd15", paint, "sd", **masked, call=dict(call, strength=1.0))
    record("sd15_masked_part", "sd15", paint, "sd", **masked, call=dict(call, strength=0.7, num_inference_steps=5))
    for word in ("euler", "euler_a", "ddim", "dpm"):
        paint = pipeline("sd15", "StableDiffusionInpaintPipeline", schedulers[word])
        record(f"sd15_masked_{word}", "sd15", paint, "sd", folder=f"sd15_{word}", **masked,
               call=dict(call, strength=0.8, num_inference_steps=5))

    model("sd15_inpainting", parts.sd15_inpainting(), "StableDiffusionInpaintPipeline")
    paint = pipes["sd15_inpainting"]
    record("sd15_inpainting", "sd15_inpainting", paint, "sd", **masked, call=dict(call, strength=1.0))
    record("sd15_inpainting_part", "sd15_inpainting", paint, "sd", **masked, call=dict(call, strength=0.7))
    scheduler = rescheduled("sd15_inpainting_euler_a", "sd15_inpainting", "EulerAncestralDiscreteScheduler")
    record("sd15_inpainting_euler_a", "sd15_inpainting",
           pipeline("sd15_inpainting", "StableDiffusionInpaintPipeline", scheduler), "sd",
           folder="sd15_inpainting_euler_a", **masked, call=dict(call, strength=1.0))

    model("lcm", parts.lcm(), "LatentConsistencyModelPipeline")
    record("lcm", "lcm", pipes["lcm"], "sd", told=True, call=dict(guidance_scale=8.5))
    control_cases("sd15", "StableDiffusionControlNetPipeline", call)


def sd2_cases(parts):
    model("sd21", parts.sd21(), "StableDiffusionPipeline")
    call = dict(negative_prompt=NEGATIVE, guidance_scale=4.0)
    record("sd21", "sd21", pipes["sd21"], "sd", call=call)
    scheduler = rescheduled("sd21_zero_snr", "sd21", "DDIMScheduler", rescale_betas_zero_snr=True,
                            timestep_spacing="trailing")
    record("sd21_zero_snr", "sd21", pipeline("sd21", "StableDiffusionPipeline", scheduler), "sd",
           folder="sd21_zero_snr", call=dict(call, guidance_rescale=0.7))


def sdxl_cases(parts):
    model("sdxl", parts.sdxl(), "StableDiffusionXLPipeline", add_watermarker=False)
    call = dict(negative_prompt=NEGATIVE, guidance_scale=4.0)
    base = pipes["sdxl"]
    record("sdxl", "sdxl", base, "sd", call=call)
    record("sdxl_no_negative", "sdxl", base, "sd", call=dict(guidance_scale=4.0))
    record("sdxl_empty_negative", "sdxl", base, "sd", call=dict(call, negative_prompt=""), empty_negative="text")
    record("sdxl_clip_skip", "sdxl", base, "sd", call=dict(call, clip_skip=1))
    scheduler = rescheduled("sdxl_turbo", "sdxl", "EulerAncestralDiscreteScheduler", timestep_spacing="trailing")
    fast = pipeline("sdxl", "StableDiffusionXLPipeline", scheduler, add_watermarker=False)
    record("sdxl_turbo", "sdxl", fast, "sd", folder="sdxl_turbo", call=dict(guidance_scale=0.0, num_inference_steps=2))
    scheduler = rescheduled("sdxl_lightning", "sdxl", "EulerDiscreteScheduler", timestep_spacing="trailing")
    fast = pipeline("sdxl", "StableDiffusionXLPipeline", scheduler, add_watermarker=False)
    record("sdxl_lightning", "sdxl", fast, "sd", folder="sdxl_lightning", call=dict(guidance_scale=0.0))
    start = pipeline("sdxl", "StableDiffusionXLImg2ImgPipeline", add_watermarker=False)
    record("sdxl_img2img", "sdxl", start, "sd", start="sd.png", call=dict(call, strength=0.6))
    masked = dict(start="sd.png", mask="sd_mask.png")
    paint = pipeline("sdxl", "StableDiffusionXLInpaintPipeline", add_watermarker=False)
    record("sdxl_masked", "sdxl", paint, "sd", **masked, call=dict(call, strength=0.8))
    model("sdxl_inpainting", parts.sdxl_inpainting(), "StableDiffusionXLInpaintPipeline", add_watermarker=False)
    paint = pipes["sdxl_inpainting"]
    record("sdxl_inpainting", "sdxl_inpainting", paint, "sd", **masked, call=dict(call, strength=1.0))
    model("refiner", parts.refiner(), "StableDiffusionXLImg2ImgPipeline", requires_aesthetics_score=True,
          force_zeros_for_empty_prompt=False, add_watermarker=False)
    record("refiner", "refiner", pipes["refiner"], "sd", start="sd.png", call=dict(call, strength=0.6))
    control_cases("sdxl", "StableDiffusionXLControlNetPipeline", call, add_watermarker=False)


def control_cases(base, class_name, call, **options):
    nets = [control_net(models[base]["unet"], 50),
            control_net(models[base]["unet"], 51, controlnet_conditioning_channel_order="bgr")]
    folders = [str(OUT / f"{base}_control_{i}") for i in range(2)]
    for net, folder in zip(nets, folders):
        net.save_pretrained(folder)
    one = pipeline(base, class_name, controlnet=nets[0], **options)
    record(f"{base}_control", base, one, "sd", controls=["sd_edges.png"], control_nets=folders[:1],
           control_strengths=[0.7], call=dict(call, controlnet_conditioning_scale=0.7))
    # Not with PNDM, whose doubled step diffusers counts as one of its own where a ControlNet begins and ends.
    kind = diffusers.EulerDiscreteScheduler
    euler = kind.from_config(kind.load_config(OUT / base / "scheduler"))
    both = pipeline(base, class_name, euler, controlnet=nets, **options)
    strengths, starts, stops = [0.7, 1.3], [0.0, 0.25], [0.5, 1.0]
    spans = dict(controlnet_conditioning_scale=strengths, control_guidance_start=starts, control_guidance_end=stops)
    record(f"{base}_controls", base, both, "sd", controls=["sd_edges.png", "sd.png"], sampler="euler",
           control_nets=folders, control_strengths=strengths, control_starts=starts, control_stops=stops,
           call={**call, **spans})


def sd3_cases(parts):
    call = dict(negative_prompt=NEGATIVE, guidance_scale=4.0)
    model("sd3", parts.sd3(), "StableDiffusion3Pipeline")
    record("sd3", "sd3", pipes["sd3"], "transformer", call=call)
    start = pipeline("sd3", "StableDiffusion3Img2ImgPipeline")
    record("sd3_img2img", "sd3", start, "transformer", start="transformer.png", call=dict(call, strength=0.6))
    paint = pipeline("sd3", "StableDiffusion3InpaintPipeline")
    masked = dict(start="transformer.png", mask="transformer_mask.png")
    record("sd3_masked", "sd3", paint, "transformer", **masked, call=dict(call, strength=1.0))
    record("sd3_masked_part", "sd3", paint, "transformer", **masked, call=dict(call, strength=0.7))
    model("sd35", parts.sd35(), "StableDiffusion3Pipeline")
    record("sd35", "sd35", pipes["sd35"], "transformer", call=call)
    model("sd35_no_t5", dict(models["sd35"], text_encoder_3=None, tokenizer_3=None), "StableDiffusion3Pipeline")
    record("sd35_no_t5", "sd35_no_t5", pipes["sd35_no_t5"], "transformer", call=call)
    skip = dict(skip_guidance_layers=[0, 2], skip_layer_guidance_scale=2.8, skip_layer_guidance_start=0.2,
                skip_layer_guidance_stop=0.7)
    record("sd35_skip_layers", "sd35", pipes["sd35"], "transformer", call={**call, **skip}, skip_layers=[0, 2],
           skip_layer_scale=2.8, skip_layer_start=0.2, skip_layer_stop=0.7)


def flux_cases(parts):
    call = dict(guidance_scale=3.5, max_sequence_length=512)
    base = dict(base="flux_dev", kind="transformer", told=True)
    masked = dict(start="transformer.png", mask="transformer_mask.png")
    model("flux_dev", parts.flux_dev(), "FluxPipeline")
    record("flux_dev", pipe=pipes["flux_dev"], **base, call=call)
    record("flux_dev_guided", pipe=pipes["flux_dev"], **base,
           call=dict(call, negative_prompt=NEGATIVE, true_cfg_scale=2.5))
    start = pipeline("flux_dev", "FluxImg2ImgPipeline")
    record("flux_dev_img2img", pipe=start, **base, start="transformer.png", call=dict(call, strength=0.6))
    paint = pipeline("flux_dev", "FluxInpaintPipeline")
    record("flux_dev_masked", pipe=paint, **base, **masked, call=dict(call, strength=0.7))
    model("flux_schnell", parts.flux_schnell(), "FluxPipeline")
    record("flux_schnell", "flux_schnell", pipes["flux_schnell"], "transformer", call=dict(max_sequence_length=256))
    model("flux_fill", parts.flux_fill(), "FluxFillPipeline")
    fill = dict(base="flux_fill", pipe=pipes["flux_fill"], kind="transformer", told=True, **masked)
    record("flux_fill", **fill, call=dict(call, guidance_scale=30.0, strength=1.0))
    record("flux_fill_part", **fill, call=dict(call, guidance_scale=30.0, strength=0.7))


diffusers.utils.logging.set_verbosity_error()
OUT.mkdir(parents=True, exist_ok=True)
for folder in OUT.iterdir():
    shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
drawn = draw_pictures()
tiny = Parts(OUT)
for family in (sd1_cases, sd2_cases, sdxl_cases, sd3_cases, flux_cases):
    family(tiny)
single_files = write_single_files(OUT / "single", models)
save_file(tensors, OUT / "reference.safetensors")
(OUT / "cases.json").write_text(json.dumps({"cases": cases, "single_files": single_files}, indent=1))
