"""Tiny random CLIP text encoders, saved as transformers saves them and again under the names of single-file checkpoints,
with token ids and all outputs beside them.

usage: clip_text_reference.py OUT_DIR
"""

import pathlib
import re
import sys

import torch
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

TINY = dict(vocab_size=99, hidden_size=48, intermediate_size=72, num_hidden_layers=4, num_attention_heads=3,
            max_position_embeddings=15, bos_token_id=97, pad_token_id=98)
KINDS = {
    "highest_end": (CLIPTextModel, dict(hidden_act="quick_gelu", eos_token_id=2, projection_dim=48)),
    "first_end": (CLIPTextModel, dict(hidden_act="quick_gelu", eos_token_id=98, projection_dim=48)),
    "projected": (CLIPTextModelWithProjection, dict(hidden_act="gelu", eos_token_id=98, projection_dim=20)),
}
INNER = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc",
         "mlp.fc2": "mlp.c_proj"}


def openclip(state):
    """The same weights in OpenCLIP's modules."""
    out = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "logit_scale": torch.tensor(1.0),
    }
    if "text_projection.weight" in state:
        out["text_projection"] = state["text_projection.weight"].T
    for side in ("weight", "bias"):
        out[f"ln_final.{side}"] = state[f"final_layer_norm.{side}"]
        for i in range(TINY["num_hidden_layers"]):
            ours, theirs = f"encoder.layers.{i}.", f"transformer.resblocks.{i}."
            out[f"{theirs}attn.in_proj_{side}"] = torch.cat(
                [state[f"{ours}self_attn.{p}_proj.{side}"] for p in ("q", "k", "v")])
            for old, new in INNER.items():
                out[f"{theirs}{new}.{side}"] = state[f"{ours}{old}.{side}"]
    return out


def another_layer(names):
    """The last layer that SD 2.x files carry and nobody runs, and its projection."""
    last = TINY["num_hidden_layers"] - 1
    more = {n.replace(f".{last}.", f".{last + 1}."): torch.randn_like(t) for n, t in names.items() if f".{last}." in n}
    return names | more | {"text_projection": torch.randn(48, 20)}


def with_prefix(prefix, names):
    return {prefix + name: tensor.contiguous() for name, tensor in names.items()}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for kind, (model_class, options) in KINDS.items():
        torch.manual_seed(11)
        model = model_class(CLIPTextConfig(**TINY, **options)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(out / kind)
        state = {re.sub(r"^text_model\.", "", n): t.clone() for n, t in model.state_dict().items()}
        state.pop("embeddings.position_ids", None)

        old = with_prefix("text_model.", {n: t for n, t in state.items() if n != "text_projection.weight"})
        old["text_model.embeddings.position_ids"] = torch.arange(15).unsqueeze(0)
        if "text_projection.weight" in state:
            old["text_projection.weight"] = state["text_projection.weight"].contiguous()
        save_file(old, out / f"{kind}_prefixed.safetensors")
        other = {"model.diffusion_model.out.0.weight": torch.randn(3), "denoiser.sigmas": torch.randn(4)}
        save_file(with_prefix("cond_stage_model.transformer.", old) | other, out / f"{kind}_ldm.safetensors")
        save_file(with_prefix("cond_stage_model.model.", another_layer(openclip(state))) | other,
                  out / f"{kind}_sd2.safetensors")
        first = {n: torch.randn_like(t) if t.is_floating_point() else t.clone() for n, t in old.items()}
        save_file(with_prefix("conditioner.embedders.0.transformer.", first) |
                  with_prefix("conditioner.embedders.1.model.", openclip(state)) | other, out / f"{kind}_sgm.safetensors")
        save_file(with_prefix("text_encoders.clip_g.transformer.", old) |
                  with_prefix("text_encoders.clip_l.transformer.", first) | other, out / f"{kind}_sd3.safetensors")

        # The end token twice, as padding with it does; in one row at the very end.
        ids = torch.randint(3, 97, (2, 13))
        ids[:, 0], ids[0, 7:], ids[1, 12] = 97, 98, 98
        case = dict(ids=ids, extra=0.3 * torch.randn(2, 48))
        learned = ids.clone()
        learned[0, 3], learned[1, 5:7] = 99, torch.tensor([100, 99])
        case["learned_ids"] = learned

        def run(name, token_ids):
            with torch.no_grad():
                output = model(token_ids, output_hidden_states=True)
            case[name + "states"] = torch.stack(output.hidden_states)
            case[name + "last"] = output.last_hidden_state
            pooled = output.text_embeds if hasattr(output, "text_embeds") else output.pooler_output
            if not (name and options["eos_token_id"] == 2):  # there the highest id is a learned one, which is no end
                case[name + "pooled"] = pooled

        run("", ids)
        embedding = model.get_input_embeddings()
        embedding.weight = torch.nn.Parameter(torch.cat([embedding.weight.detach(), case["extra"]]))
        run("learned_", learned)
        save_file({n: t.contiguous() for n, t in case.items()}, out / f"{kind}_case.safetensors")


main()
