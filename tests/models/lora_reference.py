"""LoRA files under every naming for the tiny networks that the other scripts saved, with the outputs of those networks
after PEFT has applied them; and files of LyCORIS's kinds, whose outputs come from weights merged here by the formulas.

usage: lora_reference.py OUT_DIR   (beside the folders sd, sd3_transformer, flux_transformer, wan_transformer, ...)
"""

import json
import pathlib
import sys

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel
from diffusers import WanTransformer3DModel
from diffusers.loaders import lora_conversion_utils as conversions
from diffusers.utils.peft_utils import set_weights_and_activate_adapters
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModelWithProjection, T5EncoderModel

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
base = out.parent
RANK, ALPHA = 3, 2.0
LAYERS = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Conv3d)


def run_unet(model, case):
    added = dict(text_embeds=case["pooled"], time_ids=case["time_ids"]) if "pooled" in case else None
    return model(case["latents"], case["timestep"], case["context"], added_cond_kwargs=added, return_dict=False)[0]


def run_sd3(model, case):
    return model(case["latents"], case["text"], case["pooled"], case["timestep"], return_dict=False)[0]


def run_flux(model, case):
    velocity = model(case["tokens"], case["text"], case["pooled"], case["timestep"] / 1000, case["ids"],
                     torch.zeros(7, 3), case["guidance"], return_dict=False)[0]
    return FluxPipeline._unpack_latents(velocity, 8 * case["latents"].shape[2], 8 * case["latents"].shape[3], 8)


def run_wan(model, case):
    return model(case["latents"], case["timestep"], case["text"], case.get("image"), return_dict=False)[0]


def run_clip(model, case):
    result = model(case["ids"])
    return torch.cat([result.last_hidden_state.flatten(1), result.text_embeds], 1)


def run_t5(model, case):
    return model(case["t5.ids"]).last_hidden_state


# network: class, folder, the same weights in the other spelling, inputs, how to run
NETWORKS = {
    "sd1": (UNet2DConditionModel, "sd/sd1", "sd/sd1_original.safetensors", "sd/sd1_case.safetensors", run_unet),
    "sdxl": (UNet2DConditionModel, "sd/sdxl", "sd/sdxl_original.safetensors", "sd/sdxl_case.safetensors", run_unet),
    "sd3": (SD3Transformer2DModel, "sd3_transformer/sd35_medium", "sd3_transformer/sd35_medium_sai.safetensors",
            "sd3_transformer/sd35_medium_case.safetensors", run_sd3),
    "flux": (FluxTransformer2DModel, "flux_transformer/dev", "flux_transformer/dev_bfl.safetensors",
             "flux_transformer/dev_case.safetensors", run_flux),
    "wan": (WanTransformer3DModel, "wan_transformer/i2v", "wan_transformer/i2v_official.safetensors",
            "wan_transformer/i2v_case.safetensors", run_wan),
    "clip": (CLIPTextModelWithProjection, "clip_text/projected", None, "clip_text/projected_case.safetensors", run_clip),
    "t5": (T5EncoderModel, "t5/t5", None, "t5/tensors.safetensors", run_t5),
}


class Network:
    def __init__(self, name):
        self.name = name
        self.type, self.folder, other, case, self.run = NETWORKS[name]
        self.case = load_file(base / case)
        model = self.fresh()
        self.layers = [n for n, m in model.named_modules() if isinstance(m, LAYERS)]
        self.state = {n: t.clone() for n, t in model.state_dict().items()}
        self.other = load_file(base / other) if other else None

    def fresh(self):
        return self.type.from_pretrained(base / self.folder).eval()

    def output(self, model):
        with torch.no_grad():
            return self.run(model, self.case).contiguous()

    def weight_rows(self):
        """Bytes of a row -> the layer and the number of the row; every row is random, so each is there once."""
        return {row.numpy().tobytes(): (name, i) for name in self.layers
                for i, row in enumerate(self.state[name + ".weight"].flatten(1))}

    def stacks(self):
        """The other spelling's layers -> the layer and the row here of each of their rows."""
        rows = self.weight_rows()
        found = {}
        for name, tensor in self.other.items():
            layer = name.removesuffix(".weight")
            if tensor.dim() > 1 and (first := rows.get(tensor.flatten(1)[0].numpy().tobytes())):
                found[layer] = [rows[row.numpy().tobytes()] for row in tensor.flatten(1)]
        assert {name for rows in found.values() for name, _ in rows} == set(self.layers)
        return found

    def random_lora(self, shape):
        """down [r, in, k...] and up [out, r, 1...], large enough to be seen through the whole network"""
        kernel = shape[2:]
        return (0.3 * torch.randn(RANK, *shape[1:]), 0.1 * torch.randn(shape[0], RANK, *(1 for _ in kernel)))

    def own(self, only=lambda name: True):
        return {n: self.random_lora(self.state[n + ".weight"].shape) for n in self.layers if only(n)}

    def foreign(self):
        """A LoRA on the other spelling's layers, and what it is on those here."""
        theirs, ours = {}, {}
        for layer, rows in self.stacks().items():
            down, up = self.random_lora(self.other[layer + ".weight"].shape)
            theirs[layer] = down, up
            for name in dict.fromkeys(name for name, _ in rows):
                where = [i for i, (n, _) in enumerate(rows) if n == name]
                order = torch.tensor([rows[i][1] for i in where])
                part = torch.empty(len(where), *up.shape[1:])
                part[order] = up[where]
                shape = self.state[name + ".weight"].shape
                assert len(where) == shape[0]
                ours[name] = down.view(RANK, *shape[1:]), part.view(shape[0], RANK, *(1 for _ in shape[2:]))
        return theirs, ours

    def with_peft(self, loras, weights, alpha=ALPHA):
        model = self.fresh()
        for i, lora in enumerate(loras):
            config = LoraConfig(r=RANK, lora_alpha=alpha, target_modules=list(lora), init_lora_weights=False)
            inject_adapter_in_model(config, model, f"lora{i}")
            state = {}
            for name, (down, up) in lora.items():
                state[name + ".lora_A.weight"], state[name + ".lora_B.weight"] = down, up
            result = set_peft_model_state_dict(model, state, f"lora{i}")
            assert not result.unexpected_keys, result.unexpected_keys
        set_weights_and_activate_adapters(model, [f"lora{i}" for i in range(len(loras))], weights)
        return self.output(model)


def save(path, tensors, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path, metadata)


def pairs(lora, prefix="", down=".lora_A.weight", up=".lora_B.weight", alpha=None, flat=False):
    tensors = {}
    for name, (a, b) in lora.items():
        layer = prefix + (name.replace(".", "_") if flat else name)
        tensors[layer + down], tensors[layer + up] = a, b
        if alpha is not None:
            tensors[layer + ".alpha"] = torch.tensor(alpha)
    return tensors


def kohya(lora, prefix):
    return pairs(lora, prefix, ".lora_down.weight", ".lora_up.weight", ALPHA, flat=True)


def save_peft_folder(folder, lora, prefix="base_model.model."):
    save(folder / "adapter_model.safetensors", pairs(lora, prefix))
    config = dict(peft_type="LORA", r=RANK, lora_alpha=ALPHA, use_rslora=False, alpha_pattern={}, target_modules=[])
    (folder / "adapter_config.json").write_text(json.dumps(config))


def diffusers_metadata(network):
    settings = {f"{network}.r": RANK, f"{network}.lora_alpha": ALPHA, f"{network}.use_rslora": False}
    return {"format": "pt", "lora_adapter_metadata": json.dumps(settings)}


def denoiser(name, prefix):
    network = Network(name)
    folder = out / name
    results = {}

    own, second = network.own(), network.own()
    save(folder / "own_kohya.safetensors", kohya(own, "lora_unet_"))
    save(folder / "own_diffusers.safetensors", pairs(own, prefix + "."), diffusers_metadata(prefix))
    save_peft_folder(folder / "own_peft", own)
    save(folder / "own_named.safetensors",
         pairs(own, "base_model.model.", ".lora_A.default.weight", ".lora_B.default.weight", ALPHA))
    save(folder / "second.safetensors", kohya(second, "lora_unet_"))
    results["own"] = network.with_peft([own], [1.0])
    results["half"] = network.with_peft([own], [-0.5])
    results["two"] = network.with_peft([own, second], [0.7, -0.4])

    theirs, ours = network.foreign()
    save(folder / "other_kohya.safetensors", kohya(theirs, "lora_unet_"))
    save(folder / "other_dotted.safetensors", pairs(theirs, "diffusion_model.", alpha=ALPHA))
    results["other"] = network.with_peft([ours], [1.0])
    return network, results, folder


def old_diffusers(network, results, folder):
    """Before PEFT the attention's processors held the matrices, without alpha."""
    lora = network.own(lambda n: ".attn" in n and ".to_" in n)
    tensors = {}
    for name, (down, up) in lora.items():
        attention, layer = name.removesuffix(".0").rsplit(".", 1)
        tensors[f"{attention}.processor.{layer}_lora.down.weight"] = down
        tensors[f"{attention}.processor.{layer}_lora.up.weight"] = up
    save(folder / "attention_processor.safetensors", tensors)
    save(folder / "attention_prefixed.safetensors", {"unet." + n: t for n, t in tensors.items()})
    save(folder / "attention_linear.safetensors", pairs(lora, "unet.", ".lora.down.weight", ".lora.up.weight"))
    torch.save({n: t.clone() for n, t in tensors.items()}, folder / "attention_pickle.bin")
    results["attention"] = network.with_peft([lora], [1.0], alpha=RANK)


def xlabs(network, results, folder):
    tensors = {}
    for double in range(2):
        for stream, size in ((1, 180), (2, 180)):
            place = f"double_blocks.{double}.processor."
            for layer, rows in ((f"qkv_lora{stream}", size), (f"proj_lora{stream}", 60)):
                tensors[f"{place}{layer}.down.weight"] = 0.4 * torch.randn(RANK, 60)
                tensors[f"{place}{layer}.up.weight"] = 0.2 * torch.randn(rows, RANK)
    for single in range(2):
        for layer, rows, columns in (("qkv_lora", 180, 60), ("proj_lora", 60, 300)):
            tensors[f"single_blocks.{single}.processor.{layer}.down.weight"] = 0.4 * torch.randn(RANK, columns)
            tensors[f"single_blocks.{single}.processor.{layer}.up.weight"] = 0.2 * torch.randn(rows, RANK)
    save(folder / "attention_xlabs.safetensors", tensors)
    state = conversions._convert_xlabs_flux_lora_to_diffusers(dict(tensors))
    lora = {n.removeprefix("transformer.").removesuffix(".lora_A.weight"): (t, state[n.replace("lora_A", "lora_B")])
            for n, t in state.items() if n.endswith("lora_A.weight")}
    results["attention"] = network.with_peft([lora], [1.0], alpha=RANK)


def check_diffusers_reads(network, folder):
    """diffusers' own readers find the same layers in the files, where they take such files at all."""
    wanted = {f"{n}.{side}" for n in network.layers for side in ("lora_A.weight", "lora_B.weight")}
    if network.name == "sd1":
        state, alphas = conversions._convert_non_diffusers_lora_to_diffusers(load_file(folder / "own_kohya.safetensors"))
        found = {n.removeprefix("unet.").replace(".lora.", "_lora.") for n in state}
        assert len(found) == len(wanted) and len(alphas) == len(network.layers)
    if network.name == "wan":
        files = load_file(folder / "other_kohya.safetensors")
        blocks = {n: t for n, t in files.items() if n.startswith("lora_unet_blocks_")}
        state = conversions._convert_musubi_wan_lora_to_diffusers(blocks)
        assert set(state) == {"transformer." + n for n in wanted if n.startswith("blocks.")}


def lycoris_layer(i, shape, cut):
    """One of LyCORIS's kinds for a layer: its tensors, and what they add to the weight (or make of it, for DoRA). Of a
    layer that is cut, DoRA over columns is not tried."""
    outs, ins, kernel = shape[0], shape[1], list(shape[2:])
    size = 1
    for k in kernel:
        size *= k
    convolution = size > 1
    r = (2, 3, 9)[i % 3]
    alpha = 1.5
    scale = alpha / r
    rand = lambda *s: 0.35 * torch.randn(*s)
    divisor = lambda n, most: max(d for d in range(1, most + 1) if n % d == 0)
    a, b = divisor(outs, 4), divisor(ins, 3)
    kind = i % 9
    if kind in (0, 1):
        parts = {"hada_w1_a": rand(outs, r), "hada_w1_b": rand(r, ins * size), "hada_w2_a": rand(outs, r),
                 "hada_w2_b": rand(r, ins * size)}
        change = (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"]) * scale
        if convolution and kind == 1:
            parts = {"hada_w1_a": rand(r, outs), "hada_w1_b": rand(r, ins), "hada_t1": rand(r, r, *kernel),
                     "hada_w2_a": rand(r, outs), "hada_w2_b": rand(r, ins), "hada_t2": rand(r, r, *kernel)}
            whole = [torch.einsum("ij...,jq,ip->pq...", parts[f"hada_t{n}"], parts[f"hada_w{n}_b"],
                                  parts[f"hada_w{n}_a"]) for n in (1, 2)]
            change = whole[0] * whole[1] * scale
        change = change.reshape(shape)
    elif kind in (2, 3, 4):
        c, d = outs // a, ins // b
        if kind == 2:
            parts = {"lokr_w1": rand(a, b), "lokr_w2": rand(c, d, *kernel)}
            left, right, scale = parts["lokr_w1"], parts["lokr_w2"], 1.0
        elif kind == 3:
            parts = {"lokr_w1": rand(a, b), "lokr_w2_a": rand(c, r), "lokr_w2_b": rand(r, d * size)}
            left, right = parts["lokr_w1"], parts["lokr_w2_a"] @ parts["lokr_w2_b"]
            if convolution:
                parts = {"lokr_w1": left, "lokr_w2_a": rand(r, c), "lokr_w2_b": rand(r, d),
                         "lokr_t2": rand(r, r, *kernel)}
                right = torch.einsum("ij...,ip,jq->pq...", parts["lokr_t2"], parts["lokr_w2_a"], parts["lokr_w2_b"])
        else:
            parts = {"lokr_w1_a": rand(a, r), "lokr_w1_b": rand(r, b), "lokr_w2": rand(c, d, *kernel)}
            left, right = parts["lokr_w1_a"] @ parts["lokr_w1_b"], parts["lokr_w2"]
        change = torch.kron(left.view(a, b, *(1 for _ in kernel)), right.reshape(c, d, *kernel).contiguous()) * scale
    elif kind == 5 and convolution:
        parts = {"lora_up.weight": rand(outs, r, 1, 1), "lora_down.weight": rand(r, ins, 1, 1),
                 "lora_mid.weight": rand(r, r, *kernel)}
        change = scale * torch.einsum("ij...,ip,jq->pq...", parts["lora_mid.weight"],
                                      parts["lora_up.weight"].flatten(1).T, parts["lora_down.weight"].flatten(1))
    elif kind == 6:
        parts, change = {"diff": 0.3 * rand(*shape)}, None
        change = parts["diff"]
    else:
        parts = {"lora_up.weight": rand(outs, r), "lora_down.weight": rand(r, ins, *kernel)}
        change = scale * (parts["lora_up.weight"] @ parts["lora_down.weight"].flatten(1)).reshape(shape)
    if kind != 6:
        parts["alpha"] = torch.tensor(alpha)
    if kind == 7:
        parts["dora_scale"] = 1 + torch.rand(outs, 1, *(1 for _ in kernel))
    if kind == 8 and not cut:
        parts["dora_scale"] = 1 + torch.rand(1, ins, *(1 for _ in kernel))
    return parts, change


def dora(weight, change, lengths):
    changed = weight + change
    if lengths.shape[0] > 1:
        norm = changed.flatten(1).norm(dim=1).view(lengths.shape)
    else:
        norm = changed.transpose(0, 1).flatten(1).norm(dim=1).view(lengths.shape)
    return lengths * changed / norm


def lycoris(network, results, folder, rows_of, prefix, strength):
    """rows_of: the file's layers, the layer and row of the network behind each row"""
    torch.manual_seed(23)
    tensors, state = {}, {n: t.clone() for n, t in network.state.items()}
    source = network.other if rows_of else network.state
    rows_of = rows_of or {n: [(n, i) for i in range(len(network.state[n + ".weight"]))] for n in network.layers}
    for i, (layer, rows) in enumerate(rows_of.items()):
        weight = source[layer + ".weight"]
        parts, change = lycoris_layer(i, weight.shape, len({name for name, _ in rows}) > 1)
        result = weight + strength * change
        if "dora_scale" in parts:
            result = weight + strength * (dora(weight, change, parts["dora_scale"]) - weight)
        if layer + ".bias" in source:
            parts["diff_b"] = 0.2 * torch.randn(len(rows))
        for row, (name, at) in enumerate(rows):
            state[name + ".weight"][at] = result[row].view(state[name + ".weight"][at].shape)
            if "diff_b" in parts:
                state[name + ".bias"][at] += strength * parts["diff_b"][row]
        tensors.update({f"{prefix}{layer.replace('.', '_')}.{part}": tensor for part, tensor in parts.items()})
    for name in [n for n in network.state if "norm" in n and n.endswith(".weight") and network.state[n].dim() == 1]:
        if network.other is not None and name not in source:
            continue
        tensors[prefix + name.removesuffix(".weight").replace(".", "_") + ".w_norm"] = 0.2 * torch.randn_like(state[name])
        state[name] += strength * tensors[prefix + name.removesuffix(".weight").replace(".", "_") + ".w_norm"]
    save(folder / "lycoris.safetensors", tensors)
    model = network.fresh()
    model.load_state_dict(state)
    results["lycoris"] = network.output(model)


def text_encoder(name, prefixes):
    network = Network(name)
    folder = out / name
    lora = network.own()
    for i, (prefix, strip) in enumerate(prefixes):
        named = {strip + n.removeprefix("text_model."): pair for n, pair in lora.items()}
        if "projection" in str(list(named)):
            named = {n.replace("text_model.text_projection", "text_projection"): pair for n, pair in named.items()}
        flat = prefix.startswith("lora_te")
        save(folder / f"own_{i}.safetensors", kohya(named, prefix) if flat else pairs(named, prefix, alpha=ALPHA))
        if not flat:
            save(folder / f"own_{i}_linear.safetensors",
                 pairs(named, prefix, ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight", ALPHA))
    save(folder / "case.safetensors", {"own": network.with_peft([lora], [1.0])})


def main():
    torch.manual_seed(17)
    for name, prefix in (("sd1", "unet"), ("sdxl", "unet"), ("sd3", "transformer"), ("flux", "transformer"),
                         ("wan", "transformer")):
        network, results, folder = denoiser(name, prefix)
        check_diffusers_reads(network, folder)
        if name in ("sd1", "sdxl"):
            old_diffusers(network, results, folder)
        if name == "flux":
            xlabs(network, results, folder)
        own = name in ("sd1", "sdxl")
        lycoris(network, results, folder, None if own else network.stacks(), "lora_unet_", -0.7 if own else 1.3)
        save(folder / "case.safetensors", results)
    text_encoder("clip", [("lora_te2_", "text_model."), ("text_encoder_2.", "text_model."), ("text_encoder_2.", "")])
    text_encoder("t5", [("lora_te2_", ""), ("lora_te3_", ""), ("text_encoder_2.", "")])


main()
