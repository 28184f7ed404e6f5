"""Runs of diffusers' schedulers from their configs, as its pipelines drive them; files as diffusers_reference.py.

Every case holds the scheduler's own config and what a render asks for: the C++ side makes its schedule of these alone.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)
from diffusers.schedulers import AysSchedules

STEPS = [1, 2, 7, 20, 50]
SEED = 1234
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
RANDOM = (EulerAncestralDiscreteScheduler, KDPM2AncestralDiscreteScheduler, LCMScheduler, TCDScheduler)
LAWS = {"use_karras_sigmas": True}, {"use_exponential_sigmas": True}, {"use_beta_sigmas": True}
SLOPES = (
    HeunDiscreteScheduler,
    KDPM2DiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    LMSDiscreteScheduler,
    EulerDiscreteScheduler,
    EulerAncestralDiscreteScheduler,
)


def network(x, t):
    """The toy model; the C++ test spells the same."""
    return torch.tanh(1.3 * x + 0.2) * (0.4 + float(t) / 1000.0) - 0.3 * x


def calculate_shift(tokens, base=256, most=4096, base_shift=0.5, max_shift=1.15):
    """The line of FLUX's pipeline."""
    slope = (max_shift - base_shift) / (most - base)
    return tokens * slope + base_shift - slope * base


def cases():
    """Yields (scheduler, request of the C++ side, arguments of set_timesteps, arguments of step)."""

    def made(cls, steps, set_args=None, step_args=None, request=None, **config):
        scheduler = cls(**config)
        return scheduler, {"steps": steps, **(request or {})}, set_args or {}, step_args or {}

    for steps in STEPS:
        # Every sampler with its usual list at every number of steps; what hangs on other keys at two of them.
        every = steps in (2, 7)
        for prediction in ("epsilon", "v_prediction"):
            sd = {**SD, "prediction_type": prediction}
            yield made(PNDMScheduler, steps, skip_prk_steps=True, steps_offset=1, **sd)
            for cls in SLOPES:
                yield made(cls, steps, **sd)
            yield made(TCDScheduler, steps, step_args={"eta": 0.3}, request={"eta": 0.3}, **sd)
            yield made(LCMScheduler, steps, **sd)
            for order in (2, 3):
                yield made(UniPCMultistepScheduler, steps, solver_order=order, **sd)
                yield made(DPMSolverMultistepScheduler, steps, solver_order=order, **sd)
            yield made(DPMSolverMultistepScheduler, steps, algorithm_type="sde-dpmsolver++", **sd)
            yield made(DDIMScheduler, steps, clip_sample=False, set_alpha_to_one=False, steps_offset=1, **sd)
            ddim = {"clip_sample": False, "timestep_spacing": "trailing", **sd}
            yield made(DDIMScheduler, steps, step_args={"eta": 1.0}, request={"eta": 1.0}, **ddim)
            if every:
                yield from keys_of(made, steps, sd)
        if every:
            yield made(EulerDiscreteScheduler, steps, interpolation_type="log_linear", **SD)
            yield made(EulerDiscreteScheduler, steps, final_sigmas_type="sigma_min", **SD)
            yield made(EulerDiscreteScheduler, steps, beta_schedule="squaredcos_cap_v2")
            yield made(DPMSolverMultistepScheduler, steps, beta_schedule="squaredcos_cap_v2")
        yield from flow(made, steps, every)
        if steps in (7, 20):
            for strength in (0.2, 0.5, 0.58, 0.8, 1.0) if steps == 7 else (0.3, 0.8):
                yield from pictures(made, steps, {"request": {"strength": strength}})
    yield from own_lists(made)


def keys_of(made, steps, sd):
    """What the keys of the variance-preserving schedulers change."""
    yield made(PNDMScheduler, steps, skip_prk_steps=True, set_alpha_to_one=True, **sd)
    for cls in SLOPES:
        yield made(cls, steps, timestep_spacing="leading", steps_offset=1, **sd)
        yield made(cls, steps, timestep_spacing="trailing", **sd)
        # diffusers' Karras list of LMS asks numpy for a method of torch.
        if cls not in (EulerAncestralDiscreteScheduler, LMSDiscreteScheduler):
            for law in LAWS:
                yield made(cls, steps, **law, **sd)
    for eta in (0.0, 1.0):
        yield made(TCDScheduler, steps, step_args={"eta": eta}, request={"eta": eta}, **sd)
    yield made(LCMScheduler, steps, original_inference_steps=100, **sd)
    for order, kind in ((1, "bh2"), (2, "bh1")):
        yield made(UniPCMultistepScheduler, steps, solver_order=order, solver_type=kind, **sd)
    yield made(UniPCMultistepScheduler, steps, timestep_spacing="leading", steps_offset=1, **sd)
    yield made(UniPCMultistepScheduler, steps, disable_corrector=[0, 1], **sd)
    yield made(UniPCMultistepScheduler, steps, final_sigmas_type="sigma_min", **sd)
    for law in LAWS:
        yield made(UniPCMultistepScheduler, steps, **law, **sd)
        yield made(DPMSolverMultistepScheduler, steps, **law, **sd)
    for order in (2, 3):
        yield made(DPMSolverMultistepScheduler, steps, solver_order=order, solver_type="heun", **sd)
    ddim = {"clip_sample": False, "timestep_spacing": "trailing"}
    yield made(DDIMScheduler, steps, step_args={"eta": 0.4}, request={"eta": 0.4}, **ddim, **sd)
    zero = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", **sd}
    for cls in (
        EulerDiscreteScheduler,
        EulerAncestralDiscreteScheduler,
        DPMSolverMultistepScheduler,
        UniPCMultistepScheduler,
    ):
        yield made(cls, steps, **zero)
    if sd["prediction_type"] == "v_prediction":
        yield made(DDIMScheduler, steps, clip_sample=False, **zero)
        yield made(TCDScheduler, steps, step_args={"eta": 0.3}, request={"eta": 0.3}, **zero)
        yield made(LCMScheduler, steps, **zero)


def flow(made, steps, every):
    """Stable Diffusion 3 leaves the list to the scheduler, FLUX hands 1 ... 1/S over."""
    yield made(FlowMatchEulerDiscreteScheduler, steps, shift=3.0)
    yield made(FlowMatchHeunDiscreteScheduler, steps, shift=3.0)
    yield made(FlowMatchEulerDiscreteScheduler, steps, shift=3.0, stochastic_sampling=True)
    even = np.linspace(1.0, 1 / steps, steps).tolist()
    schnell = {"request": {"even_sigmas": True, "tokens": 1024}}
    yield made(FlowMatchEulerDiscreteScheduler, steps, {"sigmas": even}, shift=1.0, **schnell)
    for tokens in (256, 1024, 4096, 9000) if every else (4096,):
        for law in ("exponential", "linear"):
            dev = {"shift": 3.0, "use_dynamic_shifting": True, "time_shift_type": law}
            request = {"even_sigmas": True, "tokens": tokens}
            args = {"sigmas": even, "mu": calculate_shift(tokens)}
            yield made(FlowMatchEulerDiscreteScheduler, steps, args, request=request, **dev)
        request, args = {"tokens": tokens}, {"mu": calculate_shift(tokens, 256, 4096, 0.6, 0.9)}
        other = {"use_dynamic_shifting": True, "base_shift": 0.6, "max_shift": 0.9}
        yield made(FlowMatchEulerDiscreteScheduler, steps, args, request=request, **other)
        if steps > 1:
            yield made(FlowMatchEulerDiscreteScheduler, steps, args, request=request, shift_terminal=0.1, **other)
    for law in LAWS:
        yield made(FlowMatchEulerDiscreteScheduler, steps, shift=3.0, **law)
    wan = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 5.0}
    yield made(UniPCMultistepScheduler, steps, **wan)
    yield made(DPMSolverMultistepScheduler, steps, **wan)


def pictures(made, steps, picture):
    """Picture to picture: some steps are left out."""
    yield made(PNDMScheduler, steps, skip_prk_steps=True, steps_offset=1, **SD, **picture)
    yield made(DDIMScheduler, steps, clip_sample=False, set_alpha_to_one=False, steps_offset=1, **SD, **picture)
    for cls in (*SLOPES, DPMSolverMultistepScheduler, UniPCMultistepScheduler, LCMScheduler):
        # diffusers' LMS takes the weights of order 4 for the one slope it has when it starts in the middle.
        if cls is not LMSDiscreteScheduler:
            yield made(cls, steps, **SD, **picture)
    yield made(FlowMatchEulerDiscreteScheduler, steps, shift=3.0, **picture)
    yield made(FlowMatchHeunDiscreteScheduler, steps, shift=3.0, **picture)


def own_lists(made):
    """Sigmas and times that the caller gives."""
    for name in ("StableDiffusion", "StableDiffusionXL"):
        sigmas, times = AysSchedules[f"{name}Sigmas"], AysSchedules[f"{name}Timesteps"]
        yield made(EulerDiscreteScheduler, 10, {"sigmas": sigmas}, request={"sigmas": sigmas}, **SD)
        for cls in (EulerDiscreteScheduler, HeunDiscreteScheduler, DPMSolverMultistepScheduler):
            yield made(cls, 10, {"timesteps": times}, request={"timesteps": times}, **SD)
    times = [999, 759, 499, 259]
    yield made(LCMScheduler, 4, {"timesteps": times}, request={"timesteps": times}, **SD)
    sigmas = [1.0, 0.9, 0.5, 0.25]
    yield made(FlowMatchEulerDiscreteScheduler, 4, {"sigmas": sigmas}, request={"sigmas": sigmas}, shift=1.0)


def left_out(scheduler, steps, strength):
    """get_timesteps of the pipelines of Stable Diffusion and of Stable Diffusion 3."""
    if type(scheduler).__name__.startswith("FlowMatch"):
        return int(max(steps - min(steps * strength, steps), 0))
    return max(steps - min(int(steps * strength), steps), 0)


def is_random(scheduler, step_args):
    config = scheduler.config
    chosen = config.get("algorithm_type") == "sde-dpmsolver++" or config.get("stochastic_sampling")
    return isinstance(scheduler, RANDOM) or bool(chosen) or step_args.get("eta", 0) > 0


def trajectory(scheduler, request, set_args, step_args):
    if "timesteps" in set_args or "sigmas" in set_args:
        scheduler.set_timesteps(**set_args)
    else:
        scheduler.set_timesteps(request["steps"], **set_args)
    random = is_random(scheduler, step_args)
    options = dict(step_args)
    generator = torch.Generator("cpu").manual_seed(SEED)
    x = torch.randn((1 if random else 2, 3, 5, 7), generator=generator)
    if random:
        options["generator"] = generator

    strength = request.get("strength")
    first = 0 if strength is None else left_out(scheduler, request["steps"], strength) * scheduler.order
    times = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    if strength is None:
        x = x * getattr(scheduler, "init_noise_sigma", 1.0)
    else:
        picture = torch.linspace(-1, 1, 3 * 5 * 7).reshape(1, 3, 5, 7).expand_as(x)
        start = times[:1].repeat(x.shape[0])
        x = scheduler.scale_noise(picture, start, x) if hasattr(scheduler, "scale_noise") else scheduler.add_noise(
            picture, x, start
        )
    samples, asked = [x], []
    for i, t in enumerate(times):
        seen = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        asked.append(float(t))
        x = scheduler.step(network(seen, t), t, x, return_dict=False, **options)[0]
        # Between the two halves of a step nothing is kept.
        inside = not getattr(scheduler, "state_in_first_order", True)
        if isinstance(scheduler, PNDMScheduler):
            inside = i == 0 and len(times) > 1
        # Heun goes into the second half of a last step that it does not have.
        if not inside or i + 1 == len(times):
            samples.append(x)
    return samples, asked


def config_of(scheduler):
    config = {k: (list(v) if isinstance(v, tuple) else v) for k, v in scheduler.config.items()}
    infinite = [k for k, v in config.items() if isinstance(v, float) and math.isinf(v)]
    return {**config, "_class_name": type(scheduler).__name__, **{k: None for k in infinite}}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    table, offset = [], 0
    with (folder / "samples.bin").open("wb") as out:
        for scheduler, request, set_args, step_args in cases():
            samples, asked = trajectory(scheduler, request, set_args, step_args)
            data = torch.stack(samples).to(torch.float32).numpy()
            if not np.isfinite(data).all():
                # bh1 ends in inf * 0 where the last sigma is 0, as a picture's last step without noise does.
                assert scheduler.config.get("solver_type") == "bh1", (scheduler.config, request)
                data = data[:-1]
                assert np.isfinite(data).all()
            out.write(np.ascontiguousarray(data).tobytes())
            case = {"config": config_of(scheduler), "request": request, "asked": asked}
            table.append({**case, "offset": offset, "samples": list(data.shape)})
            offset += data.size
    (folder / "cases.json").write_text(json.dumps(table))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]))
