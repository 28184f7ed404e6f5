#!/usr/bin/env python3
"""Times a network of keyflow and the same network on the same weights in diffusers, in turns (A B B A), and prints the
ratio. diffusers runs at the best of its dtypes and memory formats, found first; keyflow at what its probe chooses.

  .venv/bin/python bench/compare_diffusers.py wan-dit-1.3b wan-vae-decode [--keyflow build/keyflow] [--rounds 2]
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import json, resource, sys, time, torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
module, folder, dtype, layout, threads, rounds = sys.argv[1:]
torch.set_num_threads(int(threads))
dtype = getattr(torch, dtype)
kind = WanTransformer3DModel if module == "wan-dit-1.3b" else AutoencoderKLWan
net = kind.from_pretrained(folder, torch_dtype=dtype).eval()
if layout == "channels_last" and module != "wan-dit-1.3b":
    for m in net.modules():
        if isinstance(m, torch.nn.Conv3d):
            m.weight.data = m.weight.data.contiguous(memory_format=torch.channels_last_3d)
        elif isinstance(m, torch.nn.Conv2d):
            m.weight.data = m.weight.data.contiguous(memory_format=torch.channels_last)
torch.manual_seed(3)
def shaped(x):
    return x.contiguous(memory_format=torch.channels_last_3d) if layout == "channels_last" else x
if module == "wan-dit-1.3b":
    latents, text = torch.randn(1, 16, 5, 32, 32).to(dtype), torch.randn(1, 512, 4096).to(dtype)
    run = lambda: net(latents, torch.tensor([500.0]), text)
elif module == "wan-vae-decode":
    latents = shaped(torch.randn(1, 16, 5, 32, 32).to(dtype))
    run = lambda: net.decode(latents)
else:
    video = shaped(torch.randn(1, 3, 17, 256, 256).clamp(-1, 1).to(dtype))
    run = lambda: net.encode(video)
best = None
with torch.inference_mode():
    for i in range(int(rounds) + 1):
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        if i:
            best = seconds if best is None else min(best, seconds)
print(json.dumps({"seconds": best, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""

MAKE = """
import sys, torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
torch.manual_seed(1)
if sys.argv[1] == "wan-dit-1.3b":
    torch.set_default_dtype(torch.bfloat16)
    net = WanTransformer3DModel(num_attention_heads=12, ffn_dim=8960, num_layers=30)
else:
    net = AutoencoderKLWan()
net.to(torch.bfloat16).save_pretrained(sys.argv[2])
"""


def last_json(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+", choices=["wan-dit-1.3b", "wan-vae-decode", "wan-vae-encode"])
    parser.add_argument("--keyflow", default="build/keyflow")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--rounds", default="2", help="timed passes of each turn, of which the fastest counts")
    arguments = parser.parse_args()
    for module in arguments.modules:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-c", MAKE, module, folder], check=True, capture_output=True)

            def theirs(dtype, layout, rounds=arguments.rounds):
                return last_json([sys.executable, "-c", CHILD, module, folder, dtype, layout, arguments.threads, rounds])

            def ours():
                return last_json([arguments.keyflow, "bench", module, "--weights", folder, "--threads",
                                  arguments.threads, "--rounds", arguments.rounds, "--json"])

            layouts = ["contiguous"] if module == "wan-dit-1.3b" else ["contiguous", "channels_last"]
            settings = [(dtype, layout) for dtype in ("float32", "bfloat16") for layout in layouts]
            trials = {setting: theirs(*setting, rounds="1")["seconds"] for setting in settings}
            best = min(trials, key=trials.get)
            for setting, seconds in trials.items():
                print(f"  diffusers {module} {' '.join(setting)}: {seconds:.2f} s")
            turns = [("a", ours()), ("b", theirs(*best)), ("b", theirs(*best)), ("a", ours())]
            a = [turn for who, turn in turns if who == "a"]
            b = [turn for who, turn in turns if who == "b"]
            seconds_a, seconds_b = (min(turn["seconds"] for turn in list_) for list_ in (a, b))
            peak_a, peak_b = (max(turn["peak_bytes"] for turn in list_) / 2**20 for list_ in (a, b))
            print(f"{module}: keyflow {seconds_a:.2f} s ({a[0]['dtype']}), diffusers {seconds_b:.2f} s ({' '.join(best)}); "
                  f"keyflow takes {seconds_a / seconds_b:.2f} of the time; peak {peak_a:.0f} against {peak_b:.0f} MiB")


if __name__ == "__main__":
    main()
