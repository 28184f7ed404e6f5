"""Writes torch checkpoints of every kind the reader accepts, and for each NAME.pth the values as NAME.safetensors.

usage: checkpoint_reference.py OUT_DIR
"""

import argparse
import collections
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)


def write(name, value, tensors, **options):
    torch.save(value, out / f"{name}.pth", **options)
    # clone(): safetensors refuses tensors that share memory.
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, out / f"{name}.safetensors")


net = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.GroupNorm(1, 3), torch.nn.BatchNorm1d(3))
state = net.state_dict()
write("state_dict", state, state)
write("legacy", state, state, _use_new_zipfile_serialization=False)
write("protocol4", state, state, pickle_protocol=4)
write("protocol5", state, state, pickle_protocol=5)

base = torch.randn(4, 6)
views = {
    "whole": base,
    "tied": base,
    "transposed": base.t(),
    "row": base[2],
    "column": base[:, 1],
    "block": base[1:3, 2:5],
    "stepped": base[::2, ::3],
    "expanded": base[0].unsqueeze(0).expand(7, 6),
    "scalar": base[3, 5],
    "empty": base[:, :0],
}
write("views", views, views)
write("legacy_views", views, views, _use_new_zipfile_serialization=False)

dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
          torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
          torch.bool]
typed = {str(t).removeprefix("torch."): torch.arange(6, dtype=torch.float32).to(t).reshape(2, 3) for t in dtypes}
write("dtypes", typed, typed)

parameters = {"weight": torch.nn.Parameter(torch.randn(3, 2)), "bias": torch.nn.Parameter(torch.randn(3), requires_grad=False)}
parameters["weight"].note = "an attribute"
write("parameters", parameters, parameters)

weights = {"a.weight": torch.randn(2, 2), "a.bias": torch.randn(2)}


class Settings(argparse.Namespace):
    """A training class, pickled by name: must stay an inert placeholder."""


training = {
    "epoch": 3,
    "global_step": 12345678901234,
    "state_dict": weights,
    "optimizer_states": [{"state": {0: {"exp_avg": torch.randn(2)}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.95)}]}],
    "hyper_parameters": Settings(name="run", widths=[1, 2], table={"x": None, "y": True}),
    "callbacks": {Settings: {"best": float("nan")}},
    "kind": collections.OrderedDict(a=1),
    "tags": {"set", "of", "tags"},
    "blob": b"\x00\xff",
}
write("training", training, weights)
write("legacy_training", training, weights, _use_new_zipfile_serialization=False)
write("model_state", {"model_state": weights, "step": torch.tensor(3)}, weights)
write("params_ema", {"params": {"a.weight": torch.zeros(1)}, "params_ema": weights}, weights)

embedding = {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.randn(2, 768)}, "name": "style", "step": 499}
write("embedding", embedding, {"string_to_param.*": embedding["string_to_param"]["*"]})

alone = torch.randn(2, 3)
write("alone", alone, {"tensor": alone})

# Many small tensors: more entries than a batch of the pickler, keys of more than 256 memo slots.
many = {f"layer.{i}.weight": torch.full((2,), float(i)) for i in range(1500)}
write("many", many, many)
