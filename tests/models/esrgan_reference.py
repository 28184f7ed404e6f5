"""Upscaling networks written down from their papers (ESRGAN 1809.00219 and Real-ESRGAN 2107.10833, with the published
program's names of parameters), with random weights in every spelling and container that files of them have; a short
clip for the program; where the shared data folder is there, also what the real weights make of a real picture, read by
a decoder of its own.

usage: esrgan_reference.py OUT_DIR
"""

import pathlib
import struct
import sys

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared/data"


def same(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def leaky(x):
    return functional.leaky_relu(x, 0.2)


class Dense(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        for i in range(5):
            self.add_module(f"conv{i + 1}", same(features + i * growth, features if i == 4 else growth))

    def forward(self, x):
        known = x
        for i in range(4):
            known = torch.cat((known, leaky(getattr(self, f"conv{i + 1}")(known))), dim=1)
        return x + self.conv5(known) / 5


class Residual(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(features, growth) for _ in range(3))

    def forward(self, x):
        return x + self.rdb3(self.rdb2(self.rdb1(x))) / 5


class Rrdb(nn.Module):
    def __init__(self, features, growth, blocks, doublings=2, unshuffle=1):
        super().__init__()
        self.doublings, self.unshuffle = doublings, unshuffle
        self.conv_first = same(3 * unshuffle**2, features)
        self.body = nn.Sequential(*(Residual(features, growth) for _ in range(blocks)))
        self.conv_body = same(features, features)
        for i in range(doublings):
            self.add_module(f"conv_up{i + 1}", same(features, features))
        self.conv_hr, self.conv_last = same(features, features), same(features, 3)

    def forward(self, x):
        first = self.conv_first(functional.pixel_unshuffle(x, self.unshuffle))
        x = first + self.conv_body(self.body(first))
        for i in range(self.doublings):
            x = leaky(getattr(self, f"conv_up{i + 1}")(functional.interpolate(x, scale_factor=2, mode="nearest")))
        return self.conv_last(leaky(self.conv_hr(x)))


class Compact(nn.Module):
    def __init__(self, features, blocks, scale):
        super().__init__()
        self.scale = scale
        layers = [same(3, features), nn.PReLU(features)]
        for _ in range(blocks):
            layers += [same(features, features), nn.PReLU(features)]
        self.body = nn.Sequential(*layers, same(features, 3 * scale**2))

    def forward(self, x):
        return functional.pixel_shuffle(self.body(x), self.scale) + functional.interpolate(
            x, scale_factor=self.scale, mode="nearest")


def run(network, height, width, scale=0, multiple=1):
    """`multiple`: the size it is mirrored up to, as Real-ESRGAN's program does; `scale` then says what to cut off."""
    pixels = torch.rand(2, 3, height, width)
    with torch.no_grad():
        large = network(functional.pad(pixels, (0, -width % multiple, 0, -height % multiple), mode="reflect"))
    if scale:
        large = large[:, :, :scale * height, :scale * width]
    return dict(pixels=pixels, large=large.contiguous())


def first_names(state):
    """As ESRGAN's own program called them."""
    def renamed(name):
        for old, new in (("body.", "RRDB_trunk."), ("rdb", "RDB"), ("conv_body", "trunk_conv"), ("conv_hr", "HRconv"),
                         ("conv_up", "upconv")):
            name = name.replace(old, new) if not (old == "body." and name.startswith("conv_body")) else name
        return name
    return {renamed(name): tensor for name, tensor in state.items()}


def old_names(state, blocks):
    """As the program before it did, whose layers are numbered."""
    numbers = {"conv_first": "0", "conv_body": f"1.sub.{blocks}", "conv_up1": "3", "conv_up2": "6", "conv_hr": "8",
               "conv_last": "10"}
    names = {}
    for name, tensor in state.items():
        stem, ending = name.rsplit(".", 1)
        stem = numbers.get(stem) or stem.replace("body.", "1.sub.").replace("rdb", "RDB") + ".0"
        names[f"model.{stem}.{ending}"] = tensor
    return names


class NcnnWriter:
    """Text and weights of an ncnn network. `fused`: as onnx2ncnn with its optimiser writes them."""

    def __init__(self, half, fused):
        self.half, self.fused, self.lines, self.data, self.blobs = half, fused, [], b"", 0

    def layer(self, kind, inputs, parameters="", outputs=1):
        made = [f"b{self.blobs + i}" for i in range(outputs)]
        self.blobs += outputs
        name = f"{kind.lower()}_{len(self.lines)}"
        self.lines.append(f"{kind:16} {name:16} {len(inputs)} {outputs} {' '.join(inputs + made)} {parameters}")
        return made if outputs > 1 else made[0]

    def convolution(self, module, x, activation=""):
        weight = module.weight.detach().numpy()
        if self.half:
            raw = weight.astype("<f2").tobytes()
            self.data += struct.pack("<I", 0x01306B47) + raw + b"\0" * (-len(raw) % 4)
        else:
            self.data += struct.pack("<I", 0) + weight.astype("<f4").tobytes()
        self.data += module.bias.detach().numpy().astype("<f4").tobytes()
        shape = f"0={weight.shape[0]} 1=3 4=1 5=1 6={weight.size}"
        if activation and self.fused:
            return self.layer("Convolution", [x], f"{shape} 9=2 -23310=1,{activation}")
        made = self.layer("Convolution", [x], shape)
        return self.layer("ReLU", [made], f"0={activation}") if activation else made

    def weighted_sum(self, x, factor, y):
        if self.fused:
            return self.layer("Eltwise", [x, y], f"0=1 -23301=2,{factor},1.0")
        return self.layer("BinaryOp", [self.layer("BinaryOp", [x], f"0=2 1=1 2={factor}"), y], "0=0")

    def save(self, stem):
        text = f"7767517\n{len(self.lines)} {self.blobs}\n" + "\n".join(self.lines) + "\n"
        stem.with_suffix(".param").write_text(text)
        stem.with_suffix(".bin").write_bytes(self.data)


def write_rrdb(network, stem, half, fused):
    out = NcnnWriter(half, fused)
    first = x = out.convolution(network.conv_first, out.layer("Input", []))
    for block in network.body:
        before = x
        for dense in (block.rdb1, block.rdb2, block.rdb3):
            known = [x]
            for i in range(4):
                joined = known[0] if i == 0 else out.layer("Concat", known)
                known.append(out.convolution(getattr(dense, f"conv{i + 1}"), joined, "2.000000e-01"))
            x = out.weighted_sum(out.convolution(dense.conv5, out.layer("Concat", known)), "2.000000e-01", x)
        x = out.weighted_sum(x, "2.000000e-01", before)
    x = out.layer("BinaryOp", [first, out.convolution(network.conv_body, x)], "0=0")
    for i in range(network.doublings):
        x = out.layer("Interp", [x], "0=1 1=2.000000e+00 2=2.000000e+00")
        x = out.convolution(getattr(network, f"conv_up{i + 1}"), x, "2.000000e-01")
    out.convolution(network.conv_last, out.convolution(network.conv_hr, x, "2.000000e-01"))
    out.save(stem)


def write_compact(network, stem, half):
    out = NcnnWriter(half, True)
    picture, other = out.layer("Split", [out.layer("Input", [])], outputs=2)
    x = picture
    for module in network.body:
        if isinstance(module, nn.Conv2d):
            x = out.convolution(module, x)
        else:
            out.data += module.weight.detach().numpy().astype("<f4").tobytes()
            x = out.layer("PReLU", [x], f"0={module.weight.numel()}")
    x = out.layer("PixelShuffle", [x], f"0={network.scale}")
    out.layer("BinaryOp", [x, out.layer("Interp", [other], f"0=1 1={network.scale}.0 2={network.scale}.0")])
    out.save(stem)


def published():
    """The real weights: 18 convolutions in half precision, each with its bias and all but the last with slopes."""
    network = Compact(64, 16, 4).eval()
    data = (SHARED / "upscaler/realesr-animevideov3-x4.bin").read_bytes()
    at = 0

    def take(count, kind):
        nonlocal at
        values = numpy.frombuffer(data, kind, count, at)
        at += values.nbytes
        return torch.from_numpy(values.astype("f4"))

    with torch.no_grad():
        for module in network.body:
            if isinstance(module, nn.Conv2d):
                assert take(1, "<u4").item() == float(numpy.float32(0x01306B47))
                module.weight.copy_(take(module.weight.numel(), "<f2").view_as(module.weight))
                module.bias.copy_(take(module.bias.numel(), "<f4"))
            else:
                module.weight.copy_(take(module.weight.numel(), "<f4"))
    assert at == len(data)
    return network


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    rrdb = Rrdb(10, 6, 2).eval()
    state = rrdb.state_dict()
    save_file(run(rrdb, 7, 10), out / "rrdb_case.safetensors")
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    torch.save({"params": other, "params_ema": state}, out / "rrdb.pth")
    torch.save(first_names(state), out / "rrdb_first.pth")
    torch.save(old_names(state, 2), out / "rrdb_old.pth")
    save_file({f"params_ema.{name}": tensor for name, tensor in state.items()}, out / "rrdb_prefixed.safetensors")
    write_rrdb(rrdb, out / "rrdb_fused", False, True)
    write_rrdb(rrdb, out / "rrdb_plain", False, False)

    for name, network in (("x2", Rrdb(8, 4, 1, 2, 2)), ("x1", Rrdb(8, 4, 1, 2, 4)), ("x8", Rrdb(8, 4, 1, 3))):
        save_file(run(network.eval(), 12, 20), out / f"{name}_case.safetensors")
        torch.save({"params": network.state_dict()}, out / f"{name}.pth")
        if name == "x2":
            save_file(run(network, 11, 17, scale=2, multiple=2), out / "x2_odd_case.safetensors")

    compact = Compact(9, 3, 3).eval()
    with torch.no_grad():
        for module in compact.body:
            if isinstance(module, nn.PReLU):
                module.weight.uniform_(-0.3, 0.6)
    save_file(run(compact, 9, 14), out / "compact_case.safetensors")
    torch.save({"params": compact.state_dict()}, out / "compact.pth")
    write_compact(compact, out / "compact", False)
    write_compact(compact, out / "compact_half", True)
    with torch.no_grad():
        for module in compact.body:
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.half().float())
    save_file(run(compact, 9, 14), out / "compact_half_case.safetensors")

    frames = [Image.fromarray(numpy.random.default_rng(i).integers(0, 255, (18, 24, 3), "uint8")) for i in range(4)]
    frames[0].save(out / "clip.gif", save_all=True, append_images=frames[1:], duration=100, loop=0)
    frames[1].putalpha(128)
    frames[1].save(out / "transparent.png")

    if not SHARED.exists():
        return
    real = published()
    save_file(run(real, 19, 26), out / "published_case.safetensors")
    picture = Image.open(SHARED / "images/wan2.1/flf2v_input_first_frame.png").convert("RGB")
    small = picture.resize((256, 256), Image.Resampling.LANCZOS).crop((60, 40, 109, 75))
    pixels = torch.from_numpy(numpy.array(small)).permute(2, 0, 1).unsqueeze(0).contiguous().float() / 255
    with torch.no_grad():
        save_file(dict(pixels=pixels, large=real(pixels).contiguous()), out / "published_picture.safetensors")


if __name__ == "__main__":
    main()
