"""Trajectories of diffusers' variance-preserving schedulers on a small nonlinear model; files as diffusers_reference.py.

A network on the ve path (Euler) sees its input scaled by 1 / sqrt(1 + sigma^2), as in diffusers.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

STEPS = [1, 2, 4, 7, 20, 50]
SEED = 1234
BETAS = {
    "stable_diffusion": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "ruyi": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.03},
    "linear": {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    "squaredcos": {"beta_schedule": "squaredcos_cap_v2"},
}


def network(x, t):
    """The toy model; the C++ test spells the same."""
    return torch.tanh(1.3 * x + 0.2) * (0.4 + float(t) / 1000.0) - 0.3 * x


def schedulers():
    """Yields (settings for the C++ side, scheduler ready to step, arguments of step)."""

    def made(sampler, kind, cls, steps, betas="stable_diffusion", step_args=None, **config):
        prediction = config.setdefault("prediction_type", "epsilon")
        scheduler = cls(**BETAS[betas], **config)
        scheduler.set_timesteps(steps)
        settings = {"sampler": sampler, "kind": kind, "steps": steps, "betas": betas, "prediction": prediction}
        settings["times"] = config.get("timestep_spacing", "leading" if kind in ("ddim", "lcm") else "linspace")
        settings["offset_of_times"] = config.get("steps_offset", 0)
        settings["zero_terminal_snr"] = config.get("rescale_betas_zero_snr", False)
        settings["end_at_zero"] = config.get("set_alpha_to_one", config.get("final_sigmas_type", "zero") == "zero")
        for name in ("karras", "exponential", "beta"):
            if config.get(f"use_{name}_sigmas"):
                settings["spacing"] = name
        settings["eta"] = (step_args or {}).get("eta", 0.0)
        settings["variant"] = config.get("solver_type", "")
        return settings, scheduler, step_args or {}

    for steps in STEPS:
        for times, offset in (("leading", 1), ("linspace", 0), ("trailing", 0)):
            spacing = {"timestep_spacing": times, "steps_offset": offset}
            for prediction in ("epsilon", "v_prediction", "sample"):
                ddim = {**spacing, "prediction_type": prediction, "clip_sample": False, "set_alpha_to_one": False}
                yield made("ddim", "ddim", DDIMScheduler, steps, **ddim)
            yield made("euler", "euler", EulerDiscreteScheduler, steps, **spacing)
            yield made("euler", "euler", EulerDiscreteScheduler, steps, prediction_type="v_prediction", **spacing)
            yield made("euler_a", "euler", EulerAncestralDiscreteScheduler, steps, **spacing)
            for betas in BETAS:
                yield made("dpm++2m", "multistep", DPMSolverMultistepScheduler, steps, betas, **spacing)
                yield made("unipc", "multistep", UniPCMultistepScheduler, steps, betas, **spacing)
        plain = {"clip_sample": False}
        yield made("ddim", "ddim", DDIMScheduler, steps, "ruyi", {"eta": 0.7}, **plain)
        yield made("ddim", "ddim", DDIMScheduler, steps, "linear", {"eta": 1.0}, timestep_spacing="trailing", **plain)
        snr = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
        yield made("ddim", "ddim", DDIMScheduler, steps, **snr, **plain)
        yield made("dpm++2m", "multistep", DPMSolverMultistepScheduler, steps, **snr)
        for name in ("karras", "exponential", "beta"):
            law = {f"use_{name}_sigmas": True}
            yield made("euler", "euler", EulerDiscreteScheduler, steps, **law)
            yield made("dpm++2m", "multistep", DPMSolverMultistepScheduler, steps, **law)
        yield made("dpm++2m", "multistep", DPMSolverMultistepScheduler, steps, final_sigmas_type="sigma_min")
        yield made("dpm++2m", "multistep", DPMSolverMultistepScheduler, steps, solver_type="heun")
        yield made("dpm++2m_sde", "multistep", DPMSolverMultistepScheduler, steps, algorithm_type="sde-dpmsolver++")
        yield made("lcm", "lcm", LCMScheduler, steps, clip_sample=False)


def trajectory(settings, scheduler, step_args):
    stochastic = settings["sampler"] in ("lcm", "dpm++2m_sde", "euler_a") or settings["eta"] > 0
    generator = torch.Generator("cpu").manual_seed(SEED)
    x = torch.randn((1 if stochastic else 2, 3, 5, 7), generator=generator)
    if settings["kind"] == "euler":
        x = x * scheduler.init_noise_sigma
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    samples = [x]
    for t in scheduler.timesteps:
        options = {"generator": generator} if stochastic else {}
        seen = scheduler.scale_model_input(x, t)
        x = scheduler.step(network(seen, t), t, x, return_dict=False, **step_args, **options)[0]
        samples.append(x)
    return samples


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    cases, offset = [], 0
    with (folder / "samples.bin").open("wb") as out:
        for settings, scheduler, step_args in schedulers():
            samples = trajectory(settings, scheduler, step_args)
            data = torch.stack(samples).to(torch.float32).numpy()
            assert np.isfinite(data).all(), settings
            out.write(data.tobytes())
            settings["timesteps_out"] = [float(t) for t in scheduler.timesteps]
            # DDIM and LCM keep no list of sigmas.
            settings["sigmas_out"] = [float(s) for s in scheduler.sigmas] if hasattr(scheduler, "sigmas") else []
            cases.append({**settings, "offset": offset, "samples": list(data.shape)})
            offset += data.size
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]))
