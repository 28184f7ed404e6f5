"""Solvers that diffusers lacks, or lacks on flow sigmas, from their published formulas in float64; files as
diffusers_reference.py.

Everything is computed for z = x / alpha and k = noise over data, where k-diffusion's formulas stand (Karras et al.
2206.00364; Lu et al. 2211.01095; Zhang et al. 2308.02157; Zhang & Chen 2204.13902), but for the methods that go by the
slope of flow sigmas, which are computed for x itself. The network is evaluated in float64.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler

STEPS = [1, 2, 7, 20, 50]
SEED = 1234
SHAPE = (1, 3, 5, 7)
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def network(x, t):
    """The toy model; the C++ test spells the same."""
    return torch.tanh(1.3 * x + 0.2) * (0.4 + float(t) / 1000.0) - 0.3 * x


class Path:
    """How z and k of a run become what the network is asked for, and its answer the clean sample."""

    def __init__(self, flow, sigmas):
        self.flow = flow
        betas = torch.linspace(SD["beta_start"] ** 0.5, SD["beta_end"] ** 0.5, 1000, dtype=torch.float32) ** 2
        kept = torch.cumprod(1.0 - betas, dim=0)
        self.logs = np.log((((1 - kept) / kept) ** 0.5).numpy())
        self.ratios = [s / (1 - s) if flow else s for s in sigmas]

    def time(self, k):
        if self.flow:
            return 1000.0 * k / (1 + k)
        return float(np.interp(math.log(k), self.logs, np.arange(1000)))

    def alpha(self, k):
        return 1 / (1 + k) if self.flow else 1 / math.sqrt(1 + k * k)

    def denoised(self, z, k):
        x = z * self.alpha(k)
        out = network(x, self.time(k))
        return x - k / (1 + k) * out if self.flow else z - k * out


def ancestral(k, k_next, eta):
    up = min(k_next, eta * math.sqrt(k_next**2 * (k**2 - k_next**2) / k**2))
    return math.sqrt(k_next**2 - up**2), up


def dpmpp_2s_a(path, z, noise, eta):
    ks = path.ratios
    for i, (k, k_next) in enumerate(zip(ks, ks[1:])):
        down, up = ancestral(k, k_next, eta)
        d = path.denoised(z, k)
        if down == 0:
            z = d
        else:
            h = math.log(k / down)
            middle = k * math.exp(-h / 2)
            inner = middle / k * z - math.expm1(-h / 2) * d
            z = down / k * z - math.expm1(-h) * path.denoised(inner, middle)
        z = z + up * noise(i)
        yield z, k_next


def res_2s(path, z, noise, eta):
    ks = path.ratios
    for k, k_next in zip(ks, ks[1:]):
        d = path.denoised(z, k)
        if k_next == 0:
            z = d
        else:
            h = math.log(k / k_next)
            phi1 = math.expm1(-h) / -h
            phi2 = (phi1 - 1) / -h
            inner = math.exp(-h / 2) * z - math.expm1(-h / 2) * d
            other = path.denoised(inner, k * math.exp(-h / 2))
            z = math.exp(-h) * z + h * ((phi1 - 2 * phi2) * d + 2 * phi2 * other)
        yield z, k_next


def res_multistep(path, z, noise, eta):
    ks, old = path.ratios, None
    for i, (k, k_next) in enumerate(zip(ks, ks[1:])):
        d = path.denoised(z, k)
        if k_next == 0:
            z = d
        else:
            h = math.log(k / k_next)
            phi1 = math.expm1(-h) / -h
            phi2 = (phi1 - 1) / -h
            c = math.log(k / ks[i - 1]) / h if i else 1.0
            slope = phi2 / c * (old - d) if i else 0.0
            z = math.exp(-h) * z + h * (phi1 * d + slope)
        old = d
        yield z, k_next


def dpmpp_3m_sde(path, z, noise, eta):
    ks, past, lengths = path.ratios, [], []
    for i, (k, k_next) in enumerate(zip(ks, ks[1:])):
        d = path.denoised(z, k)
        if k_next == 0:
            z = d
        else:
            h = math.log(k / k_next)
            u = h * (1 + eta)
            z = math.exp(-u) * z - math.expm1(-u) * d
            phi2 = math.expm1(-u) / u + 1
            if len(past) >= 2:
                r0, r1 = lengths[0] / h, lengths[1] / h
                newer, older = (d - past[0]) / r0, (past[0] - past[1]) / r1
                first = newer + (newer - older) * r0 / (r0 + r1)
                z = z + phi2 * first - (phi2 / u - 0.5) * (newer - older) / (r0 + r1)
            elif past:
                z = z + phi2 * (d - past[0]) * h / lengths[0]
            if eta:
                z = z + noise(i) * k_next * math.sqrt(-math.expm1(-2 * h * eta))
            lengths = [h, *lengths]
        past = [d, *past]
        yield z, k_next


EVEN = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]]


def slopes(path, sigmas, x):
    """The slope of the ODE in the listed sigma: flow sigma for x, k for z."""
    alpha = (lambda s: 1 - s) if path.flow else (lambda s: 1.0)
    return lambda y, s: (y - path.denoised(y / alpha(s), s / (1 - s) if path.flow else s)) / s


def by_slope(step):
    """A solver for y = x on flow sigmas, y = z on k; yields z."""

    def run(path, z, noise, eta):
        sigmas = [k / (1 + k) for k in path.ratios] if path.flow else path.ratios
        y = z * (1 - sigmas[0]) if path.flow else z
        slope, past = slopes(path, sigmas, y), []
        for i, (s, s_next) in enumerate(zip(sigmas, sigmas[1:])):
            y, past = step(slope, y, sigmas, i, past)
            yield (y / (1 - s_next) if path.flow else y), path.ratios[i + 1]

    return run


def dpm2_step(slope, y, sigmas, i, past):
    s, s_next = sigmas[i], sigmas[i + 1]
    d = slope(y, s)
    if s_next == 0:
        return y - s * d, past
    middle = math.exp((math.log(s) + math.log(s_next)) / 2)
    return y + (s_next - s) * slope(y + (middle - s) * d, middle), past


def ipndm_step(slope, y, sigmas, i, past):
    past = [slope(y, sigmas[i]), *past][:4]
    total = sum(w * d for w, d in zip(EVEN[len(past) - 1], past))
    return y + (sigmas[i + 1] - sigmas[i]) * total, past


def lms_step(slope, y, sigmas, i, past):
    past = [slope(y, sigmas[i]), *past][:4]
    places = sigmas[i::-1][: len(past)]
    for j, d in enumerate(past):
        basis = np.poly1d([1.0])
        for k, place in enumerate(places):
            if k != j:
                basis = basis * np.poly1d([1.0, -place]) / (places[j] - place)
        whole = basis.integ()
        y = y + float(whole(sigmas[i + 1]) - whole(sigmas[i])) * d
    return y, past


SOLVERS = {
    "dpm++2s_a": dpmpp_2s_a,
    "res_2s": res_2s,
    "res_multistep": res_multistep,
    "dpm++3m_sde": dpmpp_3m_sde,
    "dpm2": by_slope(dpm2_step),
    "ipndm": by_slope(ipndm_step),
    "lms": by_slope(lms_step),
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    table, offset = [], 0
    with (folder / "samples.bin").open("wb") as out:
        for steps in STEPS:
            for flow in (False, True):
                for karras in (False, True):
                    euler = EulerDiscreteScheduler(use_karras_sigmas=karras, **SD)
                    euler.set_timesteps(steps)
                    sigmas = [float(s) for s in euler.sigmas]
                    if flow:
                        low = 0.02 if karras else 0.2
                        sigmas = [float(s) for s in np.linspace(0.98, low, steps)] + [0.0]
                    for name, solver in SOLVERS.items():
                        for eta in (1.0, 0.5) if name in ("dpm++2s_a", "dpm++3m_sde") else (0.0,):
                            path = Path(flow, sigmas)
                            generator = torch.Generator("cpu").manual_seed(SEED)
                            draws = [torch.randn(SHAPE, generator=generator) for _ in range(steps + 1)]
                            k = path.ratios[0]
                            z = draws[0].double() * k
                            samples = [(z * path.alpha(k), k)]
                            for after, at in solver(path, z, lambda i: draws[i + 1].double(), eta):
                                samples.append((after * path.alpha(at), at))
                            data = torch.stack([x for x, _ in samples]).to(torch.float32).numpy()
                            assert np.isfinite(data).all()
                            out.write(data.tobytes())
                            case = {"sampler": name, "flow": flow, "sigmas": sigmas, "eta": eta}
                            table.append({**case, "offset": offset, "samples": list(data.shape)})
                            offset += data.size
    (folder / "cases.json").write_text(json.dumps(table))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]))
