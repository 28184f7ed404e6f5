"""Trajectories of diffusers' flow-matching schedulers on a small nonlinear model.

Writes OUT_DIR/cases.json (settings, sigmas, timesteps, and where a case's numbers begin) and OUT_DIR/samples.bin
(float32: the start, then the sample after each step). Needs diffusers 0.42.1 and scipy (for the beta spacing).
"""

import json
import pathlib
import sys

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

STEPS = [1, 2, 4, 7, 20, 50]
SHIFTS = [1.0, 3.0, 5.0, 8.0, 16.0]
SEED = 1234


def velocity(x, t):
    """The toy model; the C++ test spells the same."""
    time = float(t) / 1000.0
    return torch.tanh(1.3 * x + 0.2) * (0.4 + time) - 0.3 * x


def official_lists(kind, steps, shift):
    """The sigmas and timesteps of the official Wan solvers, by their formulas."""
    if kind == "wan_unipc":
        sigmas = np.linspace(float(np.float32(0.999)), 0, steps + 1)[:-1]
    else:
        sigmas = np.linspace(1, 0, steps + 1)[:steps]
    sigmas = shift * sigmas / (1 + (shift - 1) * sigmas)
    timesteps = torch.from_numpy(sigmas * 1000).to(torch.int64)
    return torch.from_numpy(np.append(sigmas, 0).astype(np.float32)), timesteps


def schedulers():
    """Yields (settings for the C++ side, scheduler ready to step)."""
    flow = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}

    def unipc(settings, set_args=None, **config):
        scheduler = UniPCMultistepScheduler(**flow, flow_shift=settings["shift"], **config)
        scheduler.set_timesteps(settings["steps"], **(set_args or {}))
        return {"sampler": "unipc", "kind": "diffusers_unipc", **settings}, scheduler

    def dpm(settings, set_args=None, **config):
        scheduler = DPMSolverMultistepScheduler(**flow, flow_shift=settings["shift"], **config)
        scheduler.set_timesteps(settings["steps"], **(set_args or {}))
        return {"sampler": "dpm++2m", "kind": "diffusers_dpm", **settings}, scheduler

    def euler(settings, set_args=None, **config):
        scheduler = FlowMatchEulerDiscreteScheduler(shift=settings["shift"], **config)
        scheduler.set_timesteps(settings["steps"], **(set_args or {}))
        return {"sampler": "euler", "kind": "flow_match_euler", **settings}, scheduler

    for steps in STEPS:
        for shift in SHIFTS:
            base = {"steps": steps, "shift": shift}
            yield unipc(base)
            yield dpm(base)
            yield euler(base)
            heun = FlowMatchHeunDiscreteScheduler(shift=shift)
            heun.set_timesteps(steps)
            yield {"sampler": "heun", "kind": "flow_match_euler", **base}, heun
            for kind, make, sampler in (("wan_unipc", unipc, "unipc"), ("wan_dpm", dpm, "dpm++2m")):
                settings, scheduler = make(base)
                scheduler.sigmas, scheduler.timesteps = official_lists(kind, steps, shift)
                yield {**settings, "kind": kind, "sampler": sampler}, scheduler
        base = {"steps": steps, "shift": 5.0}
        for order, variant in ((1, "bh2"), (3, "bh2"), (4, "bh2"), (2, "bh1"), (3, "bh1")):
            yield unipc({**base, "order": order, "variant": variant}, solver_order=order, solver_type=variant)
        yield unipc({**base, "disable_corrector": [0, 2]}, disable_corrector=[0, 2])
        yield unipc({**base, "spacing": "karras"}, use_karras_sigmas=True)
        yield dpm({**base, "variant": "heun"}, solver_type="heun")
        for spacing in ("karras", "exponential", "beta"):
            yield euler({**base, "spacing": spacing}, **{f"use_{spacing}_sigmas": True})
        for law, mu in (("exponential", 0.8), ("linear", 2.5)):
            config = {"use_dynamic_shifting": True, "time_shift_type": law}
            dynamic = {**base, "dynamic": law, "mu": mu}
            yield euler(dynamic, {"mu": mu}, **config)
            sigmas = np.linspace(1.0, 1 / steps, steps)
            explicit = {**dynamic, "sigmas": sigmas.tolist()}
            yield euler(explicit, {"mu": mu, "sigmas": sigmas.tolist()}, **config)
            yield unipc(explicit, {"mu": mu, "sigmas": sigmas.copy()}, **config)
            yield unipc(dynamic, {"mu": mu}, **config)
        yield dpm({**base, "dynamic": "exponential", "mu": 0.8}, {"mu": 0.8}, use_dynamic_shifting=True)
        if steps > 1:
            ending = {**base, "shift_terminal": 0.1}
            yield euler(ending, shift_terminal=0.1)
            yield unipc(ending, shift_terminal=0.1)
            yield euler({**ending, "spacing": "karras"}, shift_terminal=0.1, use_karras_sigmas=True)
        settings, scheduler = euler(base, stochastic_sampling=True)
        yield {**settings, "sampler": "lcm"}, scheduler
        for variant in ("midpoint", "heun"):
            settings, scheduler = dpm(
                {**base, "variant": variant}, algorithm_type="sde-dpmsolver++", solver_type=variant
            )
            yield {**settings, "sampler": "dpm++2m_sde"}, scheduler


def trajectory(settings, scheduler):
    """The start and the sample after each step (bh1: without the last); a stochastic run has one sample, drawn from the same generator."""
    stochastic = settings["sampler"] in ("lcm", "dpm++2m_sde")
    generator = torch.Generator("cpu").manual_seed(SEED)
    x = torch.randn((1 if stochastic else 2, 3, 5, 7), generator=generator)
    scheduler.set_begin_index(0)
    samples = [x]
    for i, t in enumerate(scheduler.timesteps):
        options = {"generator": generator} if stochastic else {}
        x = scheduler.step(velocity(x, t), t, x, return_dict=False, **options)[0]
        # Heun takes two of diffusers' steps for one of ours, but for the last: what stands in between is not kept.
        if getattr(scheduler, "state_in_first_order", True) or i + 1 == len(scheduler.timesteps):
            samples.append(x)
    # diffusers' bh1 ends in inf * 0 when the last sigma is 0.
    return samples[:-1] if settings.get("variant") == "bh1" else samples


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    cases, offset = [], 0
    with (folder / "samples.bin").open("wb") as out:
        for settings, scheduler in schedulers():
            samples = trajectory(settings, scheduler)
            sigmas = [float(s) for s in scheduler.sigmas]
            timesteps = [float(t) for t in scheduler.timesteps]
            if settings["sampler"] == "heun":
                sigmas = sigmas[:1] + sigmas[1:-1:2] + sigmas[-1:]
                timesteps = timesteps[:1] + timesteps[1::2]
            data = torch.stack(samples).to(torch.float32).numpy()
            assert np.isfinite(data).all(), settings
            out.write(data.tobytes())
            cases.append({**settings, "sigmas_out": sigmas, "timesteps_out": timesteps, "offset": offset})
            cases[-1]["samples"] = list(data.shape)
            offset += data.size
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]))
